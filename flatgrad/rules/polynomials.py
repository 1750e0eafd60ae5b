"""Polynomials by their coefficients, the highest power first: polyval, polyadd, polymul, poly, polyder, polyint, vander.

In: these functions of NumPy. Out: their records. A value is linear in the coefficients: its gradient is made of powers.
Layer: rules, above `windows`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from flatgrad.graph.size import Shape, Size, SizeMismatch, equal, minus, plus, resolved
from flatgrad.registry import Sample, imaginary, inline, real, rule
from flatgrad.rules.creation import identity, size_of_number, unknown_size
from flatgrad.rules.placing import placed, shape_of_like
from flatgrad.rules.shapes import dtype_of_first, shape_of


def coefficient_count(p: Any) -> Size:
    """Return how many coefficients a polynomial has; a number is one of degree 0."""
    shape = shape_of(p)
    if len(shape) > 1:
        raise SizeMismatch(f"coefficients of rank {len(shape)}")
    return shape[0] if shape else 1


def valued(p: Any, x: Any) -> Shape:
    """A value for each x."""
    if len(shape_of(p)) != 1:
        raise SizeMismatch(f"coefficients of rank {len(shape_of(p))}")
    return shape_of(x)


def longer(a: Any, b: Any) -> Shape:
    """As many coefficients as the longer of the two has."""
    first, second = resolved(coefficient_count(a)), resolved(coefficient_count(b))
    if isinstance(first, int) and isinstance(second, int):
        return (max(first, second),)
    if equal(first, second):
        return (first,)
    return (unknown_size(("longer", first, second), (first, second)),)


@rule(
    np.polyval,
    shape=valued,
    holomorphic=True,
    samples=[
        Sample(imaginary(3), imaginary(4)),
        Sample(real(4), real()),
        Sample(real(4), real(5)),
        Sample(real(3), real(2, 3)),
        Sample(real(1), real(3)),
        Sample(real(2), real(3)),
    ],
)
def grad_polyval(p, x, y, grad_y):
    if np.ndim(x) == 0:
        grad_p = grad_y * np.vander(np.array([x]), len(p))[0]
    else:
        # np.vander is slow for many x; of the rising powers that these are, one more makes room for no coefficients
        powers = np.polynomial.polynomial.polyvander(np.ravel(x) if np.ndim(x) > 1 else x, len(p))
        grad_p = ((np.ravel(grad_y) if np.ndim(x) > 1 else grad_y) @ powers)[-2::-1]
    if grad_p.dtype != p.dtype and not np.iscomplexobj(grad_p):
        grad_p = grad_p.astype(p.dtype)
    grad_x = grad_y * np.polyval(np.polyder(p), x)
    if np.ndim(x) > 0 and grad_x.dtype != x.dtype and not np.iscomplexobj(grad_x):
        grad_x = grad_x.astype(x.dtype)
    return grad_p, grad_x


def last_coefficients(p, like):
    """Return the last coefficients of a polynomial, as many as another one has."""
    return p[len(p) - len(like) :]


@rule(
    last_coefficients,
    shape=shape_of_like,
    dtype=dtype_of_first,
    linear=True,
    samples=[Sample(real(5), like=real(3)), Sample(real(3), like=real(3))],
)
def grad_last_coefficients(p, y, grad_y, *, like):
    grad_p = np.concatenate((np.zeros(len(p) - len(like), dtype=grad_y.dtype), grad_y))
    return grad_p


BOTH = [Sample(real(3), real(3) + 1), Sample(real(4), real(2)), Sample(real(2), real(4)), Sample(real(3), 0.5)]


@inline
@rule(np.polyadd, shape=longer, linear=True, samples=BOTH)
def grad_polyadd(a, b, y, grad_y):
    grad_a = grad_y[-1] if np.ndim(a) == 0 else last_coefficients(grad_y, a)
    grad_b = grad_y[-1] if np.ndim(b) == 0 else last_coefficients(grad_y, b)
    return grad_a, grad_b


@rule(np.polysub, shape=longer, linear=True, samples=BOTH)
def grad_polysub(a, b, y, grad_y):
    grad_a, grad_minus_b = grad_polyadd(a, b, y, grad_y)
    grad_b = -grad_minus_b
    return grad_a, grad_b


def multiplied(a: Any, b: Any) -> Shape:
    """The degrees add up; NumPy leaves out coefficients of 0 in front."""
    sizes = coefficient_count(a), coefficient_count(b)
    if any(isinstance(size, int) and not size for size in sizes):
        raise SizeMismatch("a polynomial without coefficients")
    return (unknown_size(("product", identity(a), identity(b))),)


@rule(
    np.polymul,
    shape=multiplied,
    samples=[
        Sample(real(3), real(2)),
        Sample(real(2), real(4)),
        Sample(np.array([0.0, 0.5, 1.5]), real(2), wrt=("b",)),
    ],
)
def grad_polymul(a, b, y, grad_y):
    # with the coefficients of 0 that NumPy leaves out
    left_out = np.zeros(len(a) + len(b) - 1 - len(grad_y), dtype=grad_y.dtype)
    grad_whole = np.concatenate((left_out, grad_y))
    grad_a = sliding_window_view(grad_whole, len(b)) @ b
    grad_b = sliding_window_view(grad_whole, len(a)) @ a
    return grad_a, grad_b


def monic(roots: Any) -> Shape:
    """A coefficient more than there are roots."""
    if len(shape_of(roots)) != 1:
        raise SizeMismatch("np.poly of a matrix has no rule; of a vector of roots it has one")
    return (plus(shape_of(roots)[0], 1),)


@rule(np.poly, shape=monic, samples=[Sample(real(3)), Sample(real(1)), Sample(np.array([0.5, 0.5, 0.0, -1.5]))])
def grad_poly(roots, y, grad_y):
    # to move a root changes y by what is left of it without its factor: y divided by x - root, by Horner's scheme
    later = np.concatenate((grad_y[1:], np.zeros(len(roots) - 1, dtype=grad_y.dtype)))
    of_powers = sliding_window_view(later, len(roots)) @ y[:-1]
    grad_roots = -np.vander(roots, len(roots), increasing=True) @ of_powers
    if grad_roots.dtype != roots.dtype:
        grad_roots = grad_roots.astype(roots.dtype)
    return grad_roots


# Derivatives and integrals


def derived_shape(p: Any, *, m: int = 1) -> Shape:
    """A coefficient less for each derivative."""
    size = minus(coefficient_count(p), m)
    return (max(size, 0) if isinstance(size, int) else size,)


def integrated_shape(p: Any, *, m: int = 1, **_: Any) -> Shape:
    """A coefficient more for each integral."""
    return (plus(coefficient_count(p), m),)


@rule(
    np.polyder,
    shape=derived_shape,
    linear=True,
    samples=[Sample(real(4)), Sample(real(5), m=2), Sample(real(3), m=0)],
)
def grad_polyder(p, y, grad_y, *, m=1):
    # what the coefficients are multiplied by
    factors = np.polyder(np.ones_like(p), m)
    grad_p = grad_y if m == 0 else placed(grad_y * factors, slice(None, -m), p)
    return grad_p


@rule(
    np.polyint,
    shape=integrated_shape,
    linear=True,
    samples=[Sample(real(4)), Sample(real(3), m=2), Sample(real(3), m=0), Sample(real(3), k=2)],
)
def grad_polyint(p, y, grad_y, *, m=1, k=None):
    factors = np.polyint(np.ones_like(p), m)
    grad_p = grad_y if m == 0 else grad_y[:-m] * factors[:-m]
    return grad_p


# Powers


def vandermonde(x: Any, N: Any = None, *, increasing: bool = False) -> Shape:
    """A row of powers for each element; as many as there are elements, where it is not said."""
    shape = shape_of(x)
    if len(shape) != 1:
        raise SizeMismatch(f"np.vander of an array of rank {len(shape)}")
    return (shape[0], shape[0] if N is None else size_of_number(N))


@rule(
    np.vander,
    shape=vandermonde,
    samples=[Sample(real(3)), Sample(real(4), N=3), Sample(real(3), N=4, increasing=True), Sample(real(3), N=2)],
)
def grad_vander(x, N=None, y=None, grad_y=None, *, increasing=False):
    powers = np.arange(1, np.shape(y)[1], dtype=y.dtype)
    if increasing:
        grad_x = np.sum(grad_y[:, 1:] * powers * y[:, :-1], axis=1)
    else:
        grad_x = np.sum(grad_y[:, :-1] * powers[::-1] * y[:, 1:], axis=1)
    if grad_x.dtype != x.dtype:
        grad_x = grad_x.astype(x.dtype)
    return grad_x
