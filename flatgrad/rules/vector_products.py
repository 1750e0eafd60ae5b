"""Products of the vectors along an axis, and of stacks of matrices and vectors: vecdot, matvec, vecmat.

In: these functions of NumPy. Out: their records. Layer: rules, above `linear_algebra`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, unify
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.linear_algebra import conjugated, transposed
from flatgrad.rules.shapes import normal_axis, shape_of


def vecdot_shape(a: Any, b: Any, *, axis: int = -1, keepdims: bool = False) -> Shape:
    """The axis goes, or stays with length 1; all others broadcast."""
    left, right = shape_of(a), shape_of(b)
    places = normal_axis(axis, len(left)), normal_axis(axis, len(right))
    if len(left) - places[0] != len(right) - places[1]:
        raise SizeMismatch(f"axis {axis} of arrays of ranks {len(left)} and {len(right)}; count it from the end")
    unify(left[places[0]], right[places[1]])
    before, behind = left[: places[0]], left[places[0] + 1 :]
    result = broadcast([before + behind, right[: places[1]] + right[places[1] + 1 :]])
    return (*result[: len(result) - len(behind)], 1, *result[len(result) - len(behind) :]) if keepdims else result


VECTORS = [
    Sample(real(3), real(3)),
    Sample(real(2, 3), real(2, 3)),
    Sample(real(2, 3), real(3)),
    Sample(real(3), real(4, 2, 3)),
    Sample(real(1, 3), real(4, 3)),
    Sample(real(2, 3), real(2, 3), axis=0),
    Sample(real(2, 3, 4), real(3, 4), axis=-2),
]


@rule(
    np.vecdot,
    shape=vecdot_shape,
    holomorphic=True,
    samples=[
        *VECTORS,
        Sample(real(2, 3), real(3), keepdims=True),
        Sample(real(2, 3), real(2, 3), axis=0, keepdims=True),
    ],
)
def grad_vecdot(a, b, y, grad_y, *, axis=-1, keepdims=False):
    if a.ndim > 1 or b.ndim > 1:
        # counted from the end, where the axes line up
        grad_y = grad_y if keepdims else np.expand_dims(grad_y, axis % a.ndim - a.ndim)
    grad_a = conjugated(grad_y * b, a)
    grad_b = grad_y * conjugated(a, a)
    return grad_a, grad_b


rule(np.linalg.vecdot, shape=vecdot_shape, holomorphic=True, samples=VECTORS)(grad_vecdot)


def matvec_shape(a: Any, b: Any) -> Shape:
    """The last axis of both meets; the matrices leave their rows, the axes before broadcast."""
    left, right = shape_of(a), shape_of(b)
    if len(left) < 2 or not right:
        raise SizeMismatch(f"np.matvec of arrays of ranks {len(left)} and {len(right)}")
    unify(left[-1], right[-1])
    return (*broadcast([left[:-2], right[:-1]]), left[-2])


@rule(
    np.matvec,
    shape=matvec_shape,
    holomorphic=True,
    samples=[
        Sample(real(2, 3), real(3)),
        Sample(real(2, 3), real(4, 3)),
        Sample(real(2, 3), real(4, 2, 3)),
        Sample(real(4, 2, 3), real(3)),
        Sample(real(4, 2, 3), real(4, 3)),
        Sample(real(4, 2, 3), real(5, 1, 3)),
    ],
)
def grad_matvec(a, b, y, grad_y):
    if a.ndim == 2 and b.ndim == 1:
        grad_a = np.outer(grad_y, b)
        grad_b = a.T @ grad_y
    elif a.ndim == 2 and b.ndim == 2:
        grad_a = grad_y.T @ b
        grad_b = grad_y @ a
    elif a.ndim == 2:
        along = tuple(range(b.ndim - 1))
        grad_a = np.tensordot(grad_y, b, axes=(along, along))
        grad_b = grad_y @ a
    elif b.ndim == 1:
        along = tuple(range(grad_y.ndim))
        grad_a = np.expand_dims(grad_y, -1) * b
        grad_b = np.tensordot(grad_y, a, axes=(along, along))
    else:
        grad_a = np.expand_dims(grad_y, -1) * np.expand_dims(b, -2)
        grad_b = np.matvec(transposed(a), grad_y)
    return grad_a, grad_b


def vecmat_shape(a: Any, b: Any) -> Shape:
    """The vectors meet the rows of the matrices, which leave their columns; the axes before broadcast."""
    left, right = shape_of(a), shape_of(b)
    if not left or len(right) < 2:
        raise SizeMismatch(f"np.vecmat of arrays of ranks {len(left)} and {len(right)}")
    unify(left[-1], right[-2])
    return (*broadcast([left[:-1], right[:-2]]), right[-1])


@rule(
    np.vecmat,
    shape=vecmat_shape,
    holomorphic=True,
    samples=[
        Sample(real(3), real(3, 2)),
        Sample(real(4, 3), real(3, 2)),
        Sample(real(4, 2, 3), real(3, 2)),
        Sample(real(3), real(4, 3, 2)),
        Sample(real(4, 3), real(4, 3, 2)),
        Sample(real(5, 1, 3), real(4, 3, 2)),
    ],
)
def grad_vecmat(a, b, y, grad_y):
    if a.ndim == 1 and b.ndim == 2:
        grad_a = conjugated(b @ grad_y, a)
        grad_b = np.outer(conjugated(a, a), grad_y)
    elif a.ndim == 2 and b.ndim == 2:
        grad_a = conjugated(grad_y @ b.T, a)
        grad_b = conjugated(a.T, a) @ grad_y
    elif b.ndim == 2:
        along = tuple(range(a.ndim - 1))
        grad_a = conjugated(grad_y @ b.T, a)
        grad_b = np.tensordot(conjugated(a, a), grad_y, axes=(along, along))
    elif a.ndim == 1:
        along = tuple(range(b.ndim - 2))
        grad_a = conjugated(np.tensordot(b, grad_y, axes=(along + (b.ndim - 1,), along + (b.ndim - 2,))), a)
        grad_b = np.expand_dims(conjugated(a, a), 1) * np.expand_dims(grad_y, -2)
    else:
        grad_a = conjugated(np.matvec(b, grad_y), a)
        grad_b = np.expand_dims(conjugated(a, a), -1) * np.expand_dims(grad_y, -2)
    return grad_a, grad_b
