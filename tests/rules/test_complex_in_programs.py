"""Operations between real and complex arrays, in programs with real arguments and a real result."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import flatgrad
from flatgrad.registry import imaginary, real

STYLES = ("flat", "compact")
MIXED = {
    "where": "np.where(x > 0, z, x) ** 2",
    "where, the real one first": "np.where(x > 0, x, z) ** 2",
    "convolve": "np.convolve(x, z)",
    "convolve, the complex one first": "np.convolve(z[:2], x, mode='same')",
    "correlate": "np.correlate(x, z, mode='full')",
    "polyval of complex numbers": "np.polyval(x, z)",
    "polyval of real numbers": "np.polyval(z, x)",
    "trapezoid": "np.trapezoid(z, x)",
    "trapezoid along a path": "np.trapezoid(x, z)",
    "norm": "z / np.linalg.norm(z)",
    "var": "z * np.var(z) + np.std(z, axis=0)",
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("text", MIXED.values(), ids=MIXED)
def test_real_and_complex_together(define, text, style):
    """A real argument gets the real part of the gradient, in single precision too."""
    f = define(f"def f(x, y):\n    z = x + 1j * y\n    w = {text}\n    return np.sum(w.real**2 + w.imag * w.real)\n")
    decorated = flatgrad(style=style)(f)
    x, y = real(4), imaginary(4).imag
    assert decorated.check(x, y)
    gradients, exact = decorated.grad(x.astype(np.float32), y.astype(np.float32)), decorated.grad(x, y)
    for gradient, double in zip(gradients, exact, strict=True):
        assert gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, double, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("style", STYLES)
def test_a_number_that_becomes_complex_in_a_loop(define, style):
    """A Python number that is joined with a complex64 is as wide as that."""
    text = (
        "def f(rs, w):\n    z = 50.0 + 0j\n    for r in rs:\n        z = 1 / (1 / z + 1j * w) + r\n    return abs(z)\n"
    )
    decorated = flatgrad(style=style)(define(text))
    rs = np.abs(real(3))
    assert decorated.check(rs, 0.7)
    assert decorated.grad(rs.astype(np.float32), 0.7).rs.dtype == np.float32
