"""Polynomials divided and taken apart: polydiv, roots; and trim_zeros, which shortens them.

In: these functions of NumPy. Out: their records. Layer: rules, above `spectra` and `placing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from flatgrad.graph.size import Shape, SizeMismatch, SizeUnknown, minus, plus
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.creation import identity, unknown_size
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.spectra import real_spectrum


def quotient_and_remainder(u: Any, v: Any) -> list[Shape]:
    """A quotient of the difference in length and one; how many coefficients of the remainder are not 0 is data."""
    if len(shape_of(u)) != 1 or len(shape_of(v)) != 1:
        raise SizeMismatch("polynomials are vectors of coefficients")
    length = plus(minus(shape_of(u)[0], shape_of(v)[0]), 1)
    if not isinstance(length, int):
        raise SizeUnknown((length,))
    if length < 1:
        raise SizeMismatch("a polynomial divided by one of a higher degree")
    return [(length,), (unknown_size(("remainder", identity(u), identity(v))),)]


DIVIDEND, DIVISOR = np.array([3.0, -1.0, 2.5, 0.5, -1.5]), np.array([2.0, 0.5, -1.0])


@rule(
    np.polydiv,
    shape=quotient_and_remainder,
    # these divide without rounding, so that the remainder is as long in float32
    samples=[Sample(DIVIDEND, DIVISOR), Sample(DIVIDEND, DIVISOR[:2]), Sample(DIVIDEND[:3], DIVISOR)],
)
def grad_polydiv(u, v, y, grad_y):
    """Of u = v * q + r, with the quotient's coefficients from a triangular system: its transpose is a division, too."""
    quotient = y[0]
    grad_quotient, grad_remainder = grad_y
    front = np.zeros(len(u) - len(grad_remainder), dtype=u.dtype)
    grad_rest = np.concatenate((front, grad_remainder))
    grad_top = grad_quotient - sliding_window_view(grad_rest, len(v)) @ v
    padded = np.concatenate((grad_top[::-1], np.zeros(len(v) - 1, dtype=u.dtype)))
    top = np.polydiv(padded, v)[0][::-1]
    grad_u = grad_rest + np.concatenate((top, np.zeros(len(v) - 1, dtype=u.dtype)))
    grad_v = -sliding_window_view(grad_u, len(quotient)) @ quotient
    return grad_u, grad_v


def roots_of(p: Any) -> Shape:
    """As many roots as there are coefficients behind the first one that is not 0."""
    if len(shape_of(p)) != 1:
        raise SizeMismatch("a polynomial is a vector of coefficients")
    return (unknown_size(("roots", identity(p))),)


@rule(
    np.roots,
    shape=roots_of,
    dtype=dtype_of_first,
    samples=[Sample(np.array([1.5, -2.0, -3.1, 1.2])), Sample(np.array([2.0, -5.0, 1.0]))],
)
def grad_roots(p, y, grad_y):
    """By the implicit function theorem: a root moves by -x**k / p'(x) for the coefficient of x**k. Roots have to be real."""
    roots = real_spectrum(y)
    grad_p = -(grad_y / np.polyval(np.polyder(p), roots)) @ np.vander(roots, len(p))
    if grad_p.dtype != p.dtype:
        grad_p = grad_p.astype(p.dtype)
    return grad_p


def trimmed(x: Any, *, trim: str = "fb") -> Shape:
    """How many elements are left is data."""
    if len(shape_of(x)) != 1:
        raise SizeMismatch("np.trim_zeros of other arrays than vectors has no rule")
    return (unknown_size(("trimmed", identity(x), trim)),)


@rule(
    np.trim_zeros,
    shape=trimmed,
    dtype=dtype_of_first,
    linear=True,
    samples=[Sample(real(3)), Sample(real(4), trim="b")],
)
def grad_trim_zeros(x, y, grad_y, *, trim="fb"):
    start = np.argmax(x != 0) if "f" in trim else 0
    grad_x = placed(grad_y, slice(start, start + len(y)), x)
    return grad_x
