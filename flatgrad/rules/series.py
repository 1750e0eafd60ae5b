"""Sums of orthogonal polynomials, and of powers, the lowest degree first: np.polynomial's val, der and vander functions.

In: nothing. Out: records for the six families. A value is the row of the family's polynomials at x times the coefficients; the
derivative of a series is a matrix times its coefficients. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre, polynomial

from flatgrad.graph.size import Shape, SizeMismatch, minus, plus
from flatgrad.registry import Sample, inline, real, rule, within_one
from flatgrad.rules.creation import size_of_number
from flatgrad.rules.shapes import shape_of


def series_value(x: Any, c: Any, **_: Any) -> Shape:
    """A value for each x."""
    if len(shape_of(c)) != 1:
        raise SizeMismatch(f"coefficients of rank {len(shape_of(c))}; of one series they are a vector")
    return shape_of(x)


def series_derivative(c: Any, *, m: int = 1, **_: Any) -> Shape:
    """A coefficient less for each derivative, but one at least; what stands in other axes stays."""
    shape = shape_of(c)
    size = minus(shape[0], m)
    return (max(size, 1) if isinstance(size, int) else size, *shape[1:])


def series_rows(x: Any, deg: Any) -> Shape:
    """A row for each x, with a column for each degree."""
    return (*(shape_of(x) or (1,)), plus(size_of_number(deg), 1))


@inline
def of_value(x, c, grad_y, value, derivative, rows):
    """Return the gradients of x and of the coefficients of a series."""
    grad_x = grad_y * value(x, derivative(c))
    if np.ndim(x) == 0:
        grad_c = grad_y * rows(x, len(c) - 1)[0]
    elif np.ndim(x) == 1:
        grad_c = grad_y @ rows(x, len(c) - 1)
    else:
        grad_c = np.ravel(grad_y) @ rows(np.ravel(x), len(c) - 1)
    return grad_x, grad_c


@inline
def of_derivative(c, grad_y, derivative, m, scl):
    """Return the gradient of the coefficients of a series whose derivative is taken, which is linear in them."""
    grad_c = derivative(np.eye(len(c), dtype=c.dtype), m=m, scl=scl).T @ grad_y
    if grad_c.dtype != c.dtype:
        grad_c = grad_c.astype(c.dtype)
    return grad_c


@inline
def of_rows(x, y, grad_y, derivative):
    """Return the gradient of x, where each polynomial's derivative is a sum of those of lower degrees."""
    slopes = derivative(np.eye(np.shape(y)[-1], dtype=y.dtype))
    grad_rows = np.sum(grad_y * (y[..., : len(slopes)] @ slopes), axis=-1)
    grad_x = grad_rows if np.ndim(x) > 0 else grad_rows[0]
    if np.ndim(x) > 0 and grad_x.dtype != x.dtype:
        grad_x = grad_x.astype(x.dtype)
    return grad_x


VALUES = [
    Sample(within_one(5), real(4)),
    Sample(within_one(2, 3), real(3)),
    Sample(real(), real(3)),
]
# without a derivative, and with one number for it
SHORT = [Sample(within_one(3), real(1)), Sample(within_one(3), real(2))]
DERIVATIVES = [Sample(real(4)), Sample(real(4), m=2, scl=2.5)]
ROWS = [Sample(within_one(3), 3), Sample(real(), 1)]


@rule(polynomial.polyval, shape=series_value, samples=VALUES)
def grad_polyval(x, c, y, grad_y):
    grad_x, grad_c = of_value(x, c, grad_y, polynomial.polyval, polynomial.polyder, polynomial.polyvander)
    return grad_x, grad_c


@rule(polynomial.polyder, shape=series_derivative, linear=True, samples=DERIVATIVES)
def grad_polyder(c, y, grad_y, *, m=1, scl=1):
    grad_c = of_derivative(c, grad_y, polynomial.polyder, m, scl)
    return grad_c


@rule(polynomial.polyvander, shape=series_rows, samples=ROWS)
def grad_polyvander(x, deg, y, grad_y):
    grad_x = of_rows(x, y, grad_y, polynomial.polyder)
    return grad_x


@rule(chebyshev.chebval, shape=series_value, samples=VALUES + SHORT)
def grad_chebval(x, c, y, grad_y):
    grad_x, grad_c = of_value(x, c, grad_y, chebyshev.chebval, chebyshev.chebder, chebyshev.chebvander)
    return grad_x, grad_c


@rule(chebyshev.chebder, shape=series_derivative, linear=True, samples=DERIVATIVES)
def grad_chebder(c, y, grad_y, *, m=1, scl=1):
    grad_c = of_derivative(c, grad_y, chebyshev.chebder, m, scl)
    return grad_c


@rule(chebyshev.chebvander, shape=series_rows, samples=[*ROWS, Sample(within_one(2, 2), 2)])
def grad_chebvander(x, deg, y, grad_y):
    grad_x = of_rows(x, y, grad_y, chebyshev.chebder)
    return grad_x


@rule(legendre.legval, shape=series_value, samples=VALUES)
def grad_legval(x, c, y, grad_y):
    grad_x, grad_c = of_value(x, c, grad_y, legendre.legval, legendre.legder, legendre.legvander)
    return grad_x, grad_c


@rule(legendre.legder, shape=series_derivative, linear=True, samples=DERIVATIVES)
def grad_legder(c, y, grad_y, *, m=1, scl=1):
    grad_c = of_derivative(c, grad_y, legendre.legder, m, scl)
    return grad_c


@rule(legendre.legvander, shape=series_rows, samples=ROWS)
def grad_legvander(x, deg, y, grad_y):
    grad_x = of_rows(x, y, grad_y, legendre.legder)
    return grad_x


@rule(hermite.hermval, shape=series_value, samples=VALUES)
def grad_hermval(x, c, y, grad_y):
    grad_x, grad_c = of_value(x, c, grad_y, hermite.hermval, hermite.hermder, hermite.hermvander)
    return grad_x, grad_c


@rule(hermite.hermder, shape=series_derivative, linear=True, samples=DERIVATIVES)
def grad_hermder(c, y, grad_y, *, m=1, scl=1):
    grad_c = of_derivative(c, grad_y, hermite.hermder, m, scl)
    return grad_c


@rule(hermite.hermvander, shape=series_rows, samples=ROWS)
def grad_hermvander(x, deg, y, grad_y):
    grad_x = of_rows(x, y, grad_y, hermite.hermder)
    return grad_x


@rule(hermite_e.hermeval, shape=series_value, samples=VALUES)
def grad_hermeval(x, c, y, grad_y):
    grad_x, grad_c = of_value(x, c, grad_y, hermite_e.hermeval, hermite_e.hermeder, hermite_e.hermevander)
    return grad_x, grad_c


@rule(hermite_e.hermeder, shape=series_derivative, linear=True, samples=DERIVATIVES)
def grad_hermeder(c, y, grad_y, *, m=1, scl=1):
    grad_c = of_derivative(c, grad_y, hermite_e.hermeder, m, scl)
    return grad_c


@rule(hermite_e.hermevander, shape=series_rows, samples=ROWS)
def grad_hermevander(x, deg, y, grad_y):
    grad_x = of_rows(x, y, grad_y, hermite_e.hermeder)
    return grad_x


@rule(laguerre.lagval, shape=series_value, samples=VALUES)
def grad_lagval(x, c, y, grad_y):
    grad_x, grad_c = of_value(x, c, grad_y, laguerre.lagval, laguerre.lagder, laguerre.lagvander)
    return grad_x, grad_c


@rule(laguerre.lagder, shape=series_derivative, linear=True, samples=DERIVATIVES)
def grad_lagder(c, y, grad_y, *, m=1, scl=1):
    grad_c = of_derivative(c, grad_y, laguerre.lagder, m, scl)
    return grad_c


@rule(laguerre.lagvander, shape=series_rows, samples=ROWS)
def grad_lagvander(x, deg, y, grad_y):
    grad_x = of_rows(x, y, grad_y, laguerre.lagder)
    return grad_x
