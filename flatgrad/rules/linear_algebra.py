"""Products of vectors, matrices and stacks of matrices.

In: the products of NumPy and the operator ``@``. Out: their records. Each rule chooses by rank, which is known when the
code is written. Layer: rules.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, count, product, unify
from flatgrad.registry import Sample, inline, real, rule
from flatgrad.rules.shapes import shape_of


@inline
def transposed(a):
    """Return a matrix, or each of a stack, with rows for columns."""
    return a.T if a.ndim == 2 else np.swapaxes(a, -1, -2)


@inline
def conjugated(x, a):
    """Return what a function of the conjugate of `a` has instead of x."""
    return np.conj(x) if np.iscomplexobj(a) else x


def matmul_shape(a: Any, b: Any) -> Shape:
    """The last axis of a meets the last but one of b; the axes before them broadcast."""
    left, right = shape_of(a), shape_of(b)
    if not left or not right:
        raise SizeMismatch("@ needs arrays on both sides, not numbers")
    unify(left[-1], right[-2] if len(right) > 1 else right[0])
    return broadcast([left[:-2], right[:-2]]) + left[-2:-1] + (right[-1:] if len(right) > 1 else ())


def dot_shape(a: Any, b: Any) -> Shape:
    """The last axis of a meets the last but one of b; all other axes are kept."""
    left, right = shape_of(a), shape_of(b)
    if not left or not right:
        return left + right
    unify(left[-1], right[-2] if len(right) > 1 else right[0])
    return left[:-1] + right[:-2] + (right[-1:] if len(right) > 1 else ())


def inner_shape(a: Any, b: Any) -> Shape:
    """The last axis of a meets the last of b; all other axes are kept."""
    left, right = shape_of(a), shape_of(b)
    if not left or not right:
        return left + right
    unify(left[-1], right[-1])
    return left[:-1] + right[:-1]


def outer_shape(a: Any, b: Any) -> Shape:
    """Each element of a meets each of b."""
    return (count(shape_of(a)), count(shape_of(b)))


def vdot_shape(a: Any, b: Any) -> Shape:
    """As many elements in a as in b give one number."""
    unify(product(shape_of(a)), product(shape_of(b)))
    return ()


LOW_RANKS = [
    Sample(real(3), real(3)),
    Sample(real(3), real(3, 2)),
    Sample(real(2, 3), real(3)),
    Sample(real(2, 3), real(3, 4)),
]


@rule(
    operator.matmul,
    np.matmul,
    np.linalg.matmul,
    shape=matmul_shape,
    holomorphic=True,
    samples=[
        *LOW_RANKS,
        Sample(real(2, 1), real(1, 4)),
        Sample(real(5, 2, 3), real(3, 4)),
        Sample(real(2, 5, 2, 3), real(3, 4)),
        Sample(real(2, 3), real(5, 3, 4)),
        Sample(real(5, 2, 3), real(3)),
        Sample(real(3), real(5, 3, 4)),
        Sample(real(3), real(2, 5, 3, 4)),
        Sample(real(5, 2, 3), real(5, 3, 4)),
        Sample(real(1, 2, 3), real(5, 3, 4)),
        Sample(real(5, 2, 3), real(1, 3, 4)),
        Sample(real(2, 1, 2, 3), real(5, 3, 4)),
    ],
)
def grad_matmul(a, b, y, grad_y):
    if a.ndim == 1 and b.ndim == 1:
        grad_a = grad_y * b
        grad_b = grad_y * a
    elif a.ndim == 1 and b.ndim == 2:
        grad_a = b @ grad_y
        grad_b = np.outer(a, grad_y)
    elif a.ndim == 1:
        along = tuple(range(b.ndim - 2))
        grad_a = np.tensordot(b, grad_y, axes=(along + (b.ndim - 1,), along + (b.ndim - 2,)))
        grad_b = np.expand_dims(a, 1) * np.expand_dims(grad_y, -2)
    elif a.ndim == 2 and b.ndim == 1:
        grad_a = np.outer(grad_y, b)
        grad_b = a.T @ grad_y
    elif b.ndim == 1:
        along = tuple(range(grad_y.ndim))
        grad_a = np.expand_dims(grad_y, -1) * b
        grad_b = np.tensordot(grad_y, a, axes=(along, along))
    elif a.ndim == 2 and b.ndim == 2:
        grad_a = grad_y @ b.T
        grad_b = a.T @ grad_y
    elif b.ndim == 2:
        # one contraction over the batch, in place of one product for each of its members and their sum
        along = tuple(range(a.ndim - 1))
        grad_a = grad_y @ b.T
        grad_b = np.tensordot(a, grad_y, axes=(along, along))
    elif a.ndim == 2:
        along = tuple(range(b.ndim - 2)) + (b.ndim - 1,)
        grad_a = np.tensordot(grad_y, b, axes=(along, along))
        grad_b = a.T @ grad_y
    else:
        grad_a = grad_y @ transposed(b)
        grad_b = transposed(a) @ grad_y
    return grad_a, grad_b


@rule(
    np.dot,
    shape=dot_shape,
    holomorphic=True,
    samples=[
        *LOW_RANKS,
        Sample(real(), real(3)),
        Sample(real(2, 3), real()),
        Sample(real(), real()),
        Sample(real(5, 2, 3), real(3)),
        Sample(real(5, 2, 3), real(3, 4)),
        Sample(real(3), real(5, 3, 4)),
        Sample(real(2, 3), real(5, 3, 4)),
        Sample(real(2, 2, 3), real(2, 5, 3, 4)),
    ],
)
def grad_dot(a, b, y, grad_y):
    if np.ndim(a) == 0 or np.ndim(b) == 0 or (np.ndim(a) == 1 and np.ndim(b) == 1):
        grad_a = grad_y * b
        grad_b = grad_y * a
    elif a.ndim == 1 and b.ndim == 2:
        grad_a = b @ grad_y
        grad_b = np.outer(a, grad_y)
    elif a.ndim == 2 and b.ndim == 1:
        grad_a = np.outer(grad_y, b)
        grad_b = a.T @ grad_y
    elif a.ndim == 2 and b.ndim == 2:
        grad_a = grad_y @ b.T
        grad_b = a.T @ grad_y
    elif b.ndim == 1:
        along = tuple(range(grad_y.ndim))
        grad_a = np.expand_dims(grad_y, -1) * b
        grad_b = np.tensordot(grad_y, a, axes=(along, along))
    else:
        along = tuple(range(a.ndim - 1))
        kept = tuple(range(a.ndim - 1, grad_y.ndim))
        grad_a = np.tensordot(grad_y, b, axes=(kept, tuple(range(b.ndim - 2)) + (b.ndim - 1,)))
        grad_b = np.tensordot(a, grad_y, axes=(along, along))
        if b.ndim > 2:
            grad_b = np.moveaxis(grad_b, 0, -2)
    return grad_a, grad_b


@rule(
    np.inner,
    shape=inner_shape,
    holomorphic=True,
    samples=[
        Sample(real(3), real(3)),
        Sample(real(), real(3)),
        Sample(real(2, 3), real()),
        Sample(real(2, 3), real(3)),
        Sample(real(3), real(2, 3)),
        Sample(real(2, 3), real(4, 3)),
        Sample(real(5, 2, 3), real(3)),
        Sample(real(3), real(5, 4, 3)),
        Sample(real(5, 2, 3), real(2, 4, 3)),
    ],
)
def grad_inner(a, b, y, grad_y):
    if np.ndim(a) == 0 or np.ndim(b) == 0 or (np.ndim(a) == 1 and np.ndim(b) == 1):
        grad_a = grad_y * b
        grad_b = grad_y * a
    elif a.ndim == 2 and b.ndim == 2:
        grad_a = grad_y @ b
        grad_b = grad_y.T @ a
    elif a.ndim == 2 and b.ndim == 1:
        grad_a = np.outer(grad_y, b)
        grad_b = a.T @ grad_y
    elif a.ndim == 1 and b.ndim == 2:
        grad_a = b.T @ grad_y
        grad_b = np.outer(grad_y, a)
    else:
        along = tuple(range(a.ndim - 1))
        kept = tuple(range(a.ndim - 1, grad_y.ndim))
        grad_a = np.tensordot(grad_y, b, axes=(kept, tuple(range(b.ndim - 1))))
        grad_b = np.tensordot(grad_y, a, axes=(along, along))
    return grad_a, grad_b


@rule(
    np.outer,
    shape=outer_shape,
    holomorphic=True,
    samples=[
        Sample(real(3), real(2)),
        Sample(real(), real(2)),
        Sample(real(2, 3), real(2, 2)),
        Sample(real(2), real()),
    ],
)
def grad_outer(a, b, y, grad_y):
    if np.ndim(a) == 1 and np.ndim(b) == 1:
        grad_a = grad_y @ b
        grad_b = grad_y.T @ a
    else:
        grad_a = np.reshape(grad_y @ np.ravel(b), np.shape(a))
        grad_b = np.reshape(grad_y.T @ np.ravel(a), np.shape(b))
    return grad_a, grad_b


@rule(
    np.vdot,
    shape=vdot_shape,
    holomorphic=True,
    samples=[
        Sample(real(3), real(3)),
        Sample(real(2, 3), real(3, 2)),
        Sample(real(6), real(2, 3)),
        Sample(real(), real()),
    ],
)
def grad_vdot(a, b, y, grad_y):
    if np.ndim(a) == np.ndim(b) and np.ndim(a) < 2:
        grad_a = conjugated(grad_y * b, a)
        grad_b = grad_y * conjugated(a, a)
    else:
        grad_a = conjugated(grad_y * np.reshape(b, np.shape(a)), a)
        grad_b = grad_y * np.reshape(conjugated(a, a), np.shape(b))
    return grad_a, grad_b
