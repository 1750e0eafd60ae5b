"""New axes in front of an array go where broadcasting adds them anyhow, and stay where it does not."""

import linecache

import numpy as np
import pytest

from flatgrad import api

X = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]])
WRITTEN = {
    "np.mean(x, axis=0) * 2": "grad_x = np.full_like(x, 2 * grad_y / len(x))",
    "np.mean(x, axis=1) * 2": "grad_x = np.full_like(x, (2 * grad_y)[:, None] / x.shape[1])",
    "np.average(x, axis=0, weights=w)": "grad_x = grad_y * w[:, None] / np.sum(w)",
    "np.average(x, axis=1, weights=w3)": "grad_x = grad_y[:, None] * w3 / np.sum(w3)",
}


def function_of(expression):
    text = f"def f(x, w, w3):\n    y = {expression}\n    return np.sum(y**3)\n"
    file = f"<leading axes of {expression}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {"np": np}
    exec(compile(text, file, "exec"), namespace)
    return namespace["f"]


@pytest.mark.parametrize("expression", WRITTEN)
def test_leading_axes_are_left_to_broadcasting(expression):
    f = function_of(expression)
    arguments = (X, np.array([1.0, 3.0]), np.array([0.5, 1.5, 2.0]))
    assert WRITTEN[expression] in str(api.emit(f, *arguments, wrt="x", style="compact"))
    for style in ("flat", "compact"):
        gradient = api.grad(f, wrt="x", style=style)(*arguments)
        for place in np.ndindex(X.shape):
            shift = np.zeros_like(X)
            shift[place] = 1e-6
            slope = (f(X + shift, *arguments[1:]) - f(X - shift, *arguments[1:])) / 2e-6
            assert gradient[place] == pytest.approx(slope, rel=1e-6)
