"""Constants that the function holds in variables, where they decide what code is written: axes, counts, options."""

from __future__ import annotations

import numpy as np
import pytest

GIVEN = {"x": np.array([[0.3, -1.2, 2.5]]), "s": 0.7}

RIGHT = {
    "axis": "k = 0\nreturn np.sum(x, axis=k)",
    "negative axis": "k = -1\nreturn np.max(x, axis=k) * s",
    "axes": "k = 0\nreturn np.mean(x, axis=(k, 1))",
    "of an array without axes": "k = 0\ny = np.sum(x[0], axis=k)\nz = y\ny -= 1\nreturn y * z",
    "keepdims": "keep = True\nk = 1\nreturn np.sum(x, axis=k, keepdims=keep)",
    "shape": "n = 3\nreturn np.reshape(x, (n, 1)) * s",
    "count": "n = 0\nreturn np.var(x, axis=n + 1, ddof=n)",
    "mask": "v = np.full(3, 0.7)\nreturn np.where(v > 0.1, v * s, x[0])",
    "axis of a helper": "def f(x, s):\n    return g(x, 0)\n\n\ndef g(x, k):\n    y = np.sum(x, axis=k)\n    return y\n",
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_constant_decides_as_the_number_itself_does(reading, name):
    """A name for a number changes nothing, whatever the number is."""
    reading.is_right(RIGHT[name], GIVEN)
