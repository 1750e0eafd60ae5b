"""Linear equations between arrays of any rank: tensorsolve, tensorinv.

In: these functions of NumPy. Out: their records. Their gradients are those of solve and inv, with several
axes in the place of one. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, count, unify
from flatgrad.registry import Sample, question, real, rule
from flatgrad.rules.shapes import shape_of


@question
def order_of_axes(a: Any, axes: Any) -> tuple[int, ...]:
    """Return the order of the axes of an array in which the named ones come last."""
    rank = len(shape_of(a))
    last = tuple(axes or ())
    if not set(last) <= set(range(rank)):
        raise SizeMismatch(
            f"axes={axes!r} of an array of rank {rank}; np.linalg.tensorsolve counts them from the front"
        )
    return (*(k for k in range(rank) if k not in last), *last)


@question
def order_back(order: tuple[int, ...]) -> tuple[int, ...]:
    """Return the order that undoes another one."""
    return tuple(order.index(k) for k in range(len(order)))


def tensor_solved(a: Any, b: Any, *, axes: Any = None) -> Shape:
    """The last axes of a, as many as b leaves over."""
    left, right = shape_of(a), shape_of(b)
    shape = tuple(left[k] for k in order_of_axes(a, axes))
    if len(shape) < len(right):
        raise SizeMismatch(f"an array of rank {len(left)} for a right-hand side of rank {len(right)}")
    for size, wanted in zip(shape[: len(right)], right, strict=True):
        unify(size, wanted)
    unify(count(shape[len(right) :]), count(right))
    return shape[len(right) :]


def _well_conditioned(*shape: int) -> Any:
    size = int(np.prod(shape)) ** 0.5
    return real(*shape) / 2 + 2 * np.reshape(np.eye(round(size)), shape)


@rule(
    np.linalg.tensorsolve,
    shape=tensor_solved,
    holomorphic=True,
    samples=[
        Sample(_well_conditioned(4, 2, 2), real(4)),
        Sample(_well_conditioned(2, 3, 6), real(2, 3)),
        Sample(_well_conditioned(2, 3, 3, 2), real(2, 3)),
        Sample(np.moveaxis(_well_conditioned(4, 2, 2), 1, 0), real(4), axes=(0,)),
        Sample(np.moveaxis(_well_conditioned(2, 3, 3, 2), 2, 1), real(2, 3), axes=(1, 3)),
    ],
)
def grad_tensorsolve(a, b, y, grad_y, *, axes=None):
    order = order_of_axes(a, axes)
    turned = np.transpose(a, order[b.ndim :] + order[: b.ndim])
    grad_b = np.linalg.tensorsolve(turned, grad_y)
    grad_a = -np.tensordot(grad_b, y, axes=0)
    if axes is not None:
        grad_a = np.transpose(grad_a, order_back(order))
    return grad_a, grad_b


def tensor_inverted(a: Any, *, ind: int = 2) -> Shape:
    """The last axes come first."""
    shape = shape_of(a)
    if not isinstance(ind, int) or ind < 1:
        raise SizeMismatch(f"ind={ind!r}, which is to be positive")
    unify(count(shape[:ind]), count(shape[ind:]))
    return shape[ind:] + shape[:ind]


@rule(
    np.linalg.tensorinv,
    shape=tensor_inverted,
    holomorphic=True,
    samples=[
        Sample(_well_conditioned(2, 3, 3, 2)),
        Sample(_well_conditioned(4, 2, 2), ind=1),
        Sample(_well_conditioned(2, 3, 6)),
    ],
)
def grad_tensorinv(a, y, grad_y, *, ind=2):
    # the axes of y that were the last of a, then those that were the first
    columns, rows = tuple(range(a.ndim - ind)), tuple(range(a.ndim - ind, a.ndim))
    product = np.tensordot(y, grad_y, axes=(columns, columns))
    grad_a = -np.tensordot(product, y, axes=(tuple(range(ind, 2 * ind)), rows))
    return grad_a
