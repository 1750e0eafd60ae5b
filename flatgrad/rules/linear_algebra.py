"""Products of vectors, matrices and stacks of matrices.

In: the products of NumPy and the operator ``@``. Out: their records. Each rule chooses by rank, which is known when the
code is written. Layer: rules.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, count, product, unify
from flatgrad.registry import Sample, inline, real, rule
from flatgrad.rules.shapes import normal_axis, shape_of


@inline
def transposed(a):
    """Return a matrix, or each of a stack, with rows for columns."""
    return a.T if a.ndim == 2 else np.swapaxes(a, -1, -2)


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


def tensordot_shape(a: Any, b: Any, *, axes: Any = 2) -> Shape:
    """The axes that meet go; all others are kept."""
    left, right = shape_of(a), shape_of(b)
    if isinstance(axes, int):
        pairs: tuple[Any, Any] = (range(len(left) - axes, len(left)), range(axes))
    else:
        pairs = (axes[0], axes[1])
    in_a, in_b = (
        [normal_axis(axis, rank) for axis in (one if isinstance(one, Sequence) else (one,))]
        for one, rank in zip(pairs, (len(left), len(right)), strict=True)
    )
    if len(in_a) != len(in_b):
        raise SizeMismatch(f"{len(in_a)} axes and {len(in_b)} axes")
    for i, k in zip(in_a, in_b, strict=True):
        unify(left[i], right[k])
    kept_of_a = tuple(size for i, size in enumerate(left) if i not in in_a)
    return kept_of_a + tuple(size for k, size in enumerate(right) if k not in in_b)


LOW_RANKS = [
    Sample(real(3), real(3)),
    Sample(real(3), real(3, 2)),
    Sample(real(2, 3), real(3)),
    Sample(real(2, 3), real(3, 4)),
]


@rule(
    operator.matmul,
    np.matmul,
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
    samples=[
        Sample(real(3), real(3)),
        Sample(real(2, 3), real(3, 2)),
        Sample(real(6), real(2, 3)),
        Sample(real(), real()),
    ],
)
def grad_vdot(a, b, y, grad_y):
    if np.ndim(a) == np.ndim(b) and np.ndim(a) < 2:
        grad_a = grad_y * b
        grad_b = grad_y * a
    else:
        grad_a = grad_y * np.reshape(b, np.shape(a))
        grad_b = grad_y * np.reshape(a, np.shape(b))
    return grad_a, grad_b


@rule(
    np.tensordot,
    shape=tensordot_shape,
    holomorphic=True,
    samples=[
        Sample(real(4, 2, 3), real(2, 3, 5)),
        Sample(real(4, 3), real(3, 5), axes=1),
        Sample(real(4, 3), real(2), axes=0),
        Sample(real(2, 3), real(3, 4), axes=(1, 0)),
        Sample(real(2, 3, 4), real(4, 5, 2), axes=((0, 2), (2, 0))),
        Sample(real(2, 3, 4), real(4, 2, 3, 2), axes=((1, -1), (-2, 0))),
    ],
)
def grad_tensordot(a, b, y, grad_y, *, axes=2):
    if np.ndim(axes) == 0:
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    axes_a = axes[0] if np.ndim(axes[0]) > 0 else (axes[0],)
    axes_b = axes[1] if np.ndim(axes[1]) > 0 else (axes[1],)
    in_a = [k % a.ndim for k in axes_a]
    in_b = [k % b.ndim for k in axes_b]
    kept_of_a = [k for k in range(a.ndim) if k not in in_a]
    kept_of_b = [k for k in range(b.ndim) if k not in in_b]
    kept = len(kept_of_a)
    # the contracted axes come out in the order that they have in the other operand
    order_a = kept_of_a + [pair[1] for pair in sorted(zip(in_b, in_a, strict=True))]
    order_b = [pair[1] for pair in sorted(zip(in_a, in_b, strict=True))] + kept_of_b
    grad_a = np.tensordot(grad_y, b, axes=(tuple(range(kept, grad_y.ndim)), tuple(kept_of_b)))
    grad_b = np.tensordot(a, grad_y, axes=(tuple(kept_of_a), tuple(range(kept))))
    if order_a != sorted(order_a):
        grad_a = np.transpose(grad_a, tuple([pair[1] for pair in sorted(zip(order_a, range(a.ndim), strict=True))]))
    if order_b != sorted(order_b):
        grad_b = np.transpose(grad_b, tuple([pair[1] for pair in sorted(zip(order_b, range(b.ndim), strict=True))]))
    return grad_a, grad_b
