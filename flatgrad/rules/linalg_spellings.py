"""Functions of np.linalg that other functions of NumPy do with other arguments: outer, cross, trace, diagonal, matrix_transpose.

In: these functions, which take matrices from the last two axes. Out: their records, whose rules are those of the others. Layer:
rules, above `diagonals` and `matrix_products`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, number_of
from flatgrad.registry import Sample, inline, real, rule
from flatgrad.rules.axes import grad_matrix_transpose, matrix_transposed
from flatgrad.rules.diagonals import diagonal_shape, grad_diagonal, grad_trace
from flatgrad.rules.linear_algebra import grad_outer, outer_shape
from flatgrad.rules.matrix_products import cross_shape, dtype_of_both, grad_cross
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of

for grad in (grad_outer, grad_cross, grad_trace, grad_diagonal):
    inline(grad)


def outer_of_vectors(a: Any, b: Any) -> Shape:
    """Each element of one vector meets each of the other."""
    ranks = len(shape_of(a)), len(shape_of(b))
    if ranks != (1, 1):
        raise SizeMismatch(f"np.linalg.outer of arrays of ranks {ranks[0]} and {ranks[1]}; it takes vectors")
    return outer_shape(a, b)


rule(np.linalg.outer, shape=outer_of_vectors, holomorphic=True, samples=[Sample(real(3), real(2))])(grad_outer)


def cross_in_space(a: Any, b: Any, *, axis: int = -1) -> Shape:
    """The vectors have three elements."""
    if any(number_of(shape_of(x)[normal_axis(axis, len(shape_of(x)))]) != 3 for x in (a, b)):
        raise SizeMismatch("np.linalg.cross takes vectors of 3 elements")
    return cross_shape(a, b, axis=axis)


@rule(
    np.linalg.cross,
    shape=cross_in_space,
    dtype=dtype_of_both,
    holomorphic=True,
    samples=[
        Sample(real(3), real(3) + 1),
        Sample(real(2, 3), real(3)),
        Sample(real(3, 2), real(3, 2) + 1, axis=0),
    ],
)
def grad_linalg_cross(a, b, y, grad_y, *, axis=-1):
    grad_a, grad_b = grad_cross(a, b, y, grad_y, axis=axis)
    return grad_a, grad_b


STACKED = [
    Sample(real(3, 3)),
    Sample(real(2, 3), offset=1),
    Sample(real(4, 3)),
    Sample(real(2, 3, 3)),
    Sample(real(2, 3, 4), offset=-1),
]


def stacked_diagonal(x: Any, *, offset: int = 0) -> Shape:
    """The last two axes go, and the diagonal comes last."""
    return diagonal_shape(x, offset=offset, axis1=-2, axis2=-1)


@rule(np.linalg.diagonal, shape=stacked_diagonal, dtype=dtype_of_first, linear=True, view=True, samples=STACKED)
def grad_linalg_diagonal(x, y, grad_y, *, offset=0):
    grad_x = grad_diagonal(x, y, grad_y, offset=offset, axis1=-2, axis2=-1)
    return grad_x


def stacked_trace(x: Any, *, offset: int = 0, **_: Any) -> Shape:
    """The last two axes go."""
    return stacked_diagonal(x, offset=offset)[:-1]


@rule(np.linalg.trace, shape=stacked_trace, linear=True, samples=STACKED)
def grad_linalg_trace(x, y, grad_y, *, offset=0, dtype=None):
    grad_x = grad_trace(x, y, grad_y, offset=offset, axis1=-2, axis2=-1)
    return grad_x


rule(
    np.linalg.matrix_transpose,
    shape=matrix_transposed,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3)), Sample(real(2, 3, 4))],
)(grad_matrix_transpose)
