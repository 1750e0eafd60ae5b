"""Elements of an array in another order along its axes: sort, partition, flip, roll, rot90; unwrap.

In: these functions of NumPy. Out: their records. Where elements are equal the gradients go by the stable order. Layer: rules,
above `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, count
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.placing import placed, scattered
from flatgrad.rules.shapes import dtype_of_first, normal_axes, normal_axis, shape_of
from flatgrad.rules.stable_order import stable_order

# Sorting


def sorted_shape(x: Any, axis: int | None = -1, *_: Any, **__: Any) -> Shape:
    """The shape of x; all its elements in a row where no axis is given."""
    shape = shape_of(x)
    if axis is None:
        return (count(shape),)
    normal_axis(axis, len(shape))
    return shape


SORTED = [Sample(real(5)), Sample(real(3, 4)), Sample(real(3, 4), axis=0), Sample(real(2, 3), axis=None)]


@rule(
    np.sort,
    shape=sorted_shape,
    dtype=dtype_of_first,
    samples=SORTED,
    kinks=[
        Kink(
            "sort with ties",
            "the stable permutation",
            (np.array([2.0, 1.0, 1.0]),),
            (np.array([1.0, 1.0, 1.0]),),
            jax="the stable permutation",
            torch="some permutation",
        )
    ],
)
def grad_sort(x, y, grad_y, *, axis=-1, kind=None, stable=None):
    if axis is None:
        order = stable_order(np.ravel(x))
        grad_x = np.reshape(placed(grad_y, order, np.ravel(x)), np.shape(x))
    elif x.ndim == 1:
        order = stable_order(x)
        grad_x = placed(grad_y, order, x)
    else:
        order = stable_order(x, axis=axis)
        grad_x = scattered(grad_y, order, axis, x)
    return grad_x


def parted_shape(x: Any, *, kth: Any, axis: int | None = -1, **_: Any) -> Shape:
    """The shape of x; all its elements in a row where no axis is given."""
    return sorted_shape(x, axis)


@rule(
    np.partition,
    shape=parted_shape,
    dtype=dtype_of_first,
    samples=[
        Sample(real(6), kth=2),
        Sample(real(6), kth=[1, 4]),
        Sample(real(3, 5), kth=-2),
        Sample(real(5, 3), kth=3, axis=0),
        Sample(real(2, 4), kth=3, axis=None),
    ],
    kinks=[
        Kink(
            "partition with ties",
            "the first of the equal ones",
            (np.array([2.0, 1.0, 1.0]),),
            (np.array([1.0, 1.0, 1.0]),),
            attributes=(("kth", 1),),
            jax="some permutation",
            torch="no such function",
        )
    ],
)
def grad_partition(x, y, grad_y, *, kth, axis=-1, kind="introselect"):
    # y has the elements of x in another order: what comes k-th in both by size is the same
    if axis is None:
        flat = np.ravel(x)
        values = grad_y[stable_order(y)]
        grad_x = np.reshape(placed(values, stable_order(flat), flat), np.shape(x))
    elif x.ndim == 1:
        values = grad_y[stable_order(y)]
        grad_x = placed(values, stable_order(x), x)
    else:
        values = np.take_along_axis(grad_y, stable_order(y, axis=axis), axis=axis)
        grad_x = scattered(values, stable_order(x, axis=axis), axis, x)
    return grad_x


# Angles


def unwrapped(x: Any, **_: Any) -> Shape:
    """The shape of x."""
    return shape_of(x)


@rule(
    np.unwrap,
    shape=unwrapped,
    linear=True,
    samples=[
        Sample(2 * real(6)),
        Sample(2 * real(3, 4), axis=0),
        Sample(2 * real(3, 4), discont=4.0, period=3.0),
    ],
)
def grad_unwrap(x, y, grad_y, *, discont=None, axis=-1, period=2 * np.pi):
    # whole periods are added
    grad_x = grad_y
    return grad_x


# Other orders


def flipped(x: Any, *, axis: int | tuple[int, ...] | None = None) -> Shape:
    """The shape of x."""
    shape = shape_of(x)
    normal_axes(axis, len(shape))
    return shape


def flipped_columns(x: Any) -> Shape:
    """The shape of x, which has columns."""
    return flipped(x, axis=1)


def flipped_rows(x: Any) -> Shape:
    """The shape of x, which has rows."""
    return flipped(x, axis=0)


def rolled(x: Any, shift: Any, *, axis: int | tuple[int, ...] | None = None) -> Shape:
    """The shape of x."""
    return flipped(x, axis=axis)


def turned(x: Any, *, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Shape:
    """Two axes change places at each odd number of turns."""
    sizes = list(shape_of(x))
    one, other = normal_axes(tuple(axes), len(sizes))
    if one == other:
        raise SizeMismatch("a turn from an axis to itself")
    if k % 2:
        sizes[one], sizes[other] = sizes[other], sizes[one]
    return tuple(sizes)


@rule(
    np.flip,
    shape=flipped,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(4)), Sample(real(2, 3)), Sample(real(2, 3), axis=-1), Sample(real(2, 3, 2), axis=(0, 2))],
)
def grad_flip(x, y, grad_y, *, axis=None):
    grad_x = np.flip(grad_y, axis=axis)
    return grad_x


@rule(np.fliplr, shape=flipped_columns, dtype=dtype_of_first, linear=True, view=True, samples=[Sample(real(2, 3))])
def grad_fliplr(x, y, grad_y):
    grad_x = np.fliplr(grad_y)
    return grad_x


@rule(np.flipud, shape=flipped_rows, dtype=dtype_of_first, linear=True, view=True, samples=[Sample(real(2, 3))])
def grad_flipud(x, y, grad_y):
    grad_x = np.flipud(grad_y)
    return grad_x


@rule(
    np.roll,
    shape=rolled,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(4), 1),
        Sample(real(2, 3), -2),
        Sample(real(2, 3), 1, axis=1),
        Sample(real(2, 3), (1, -1), axis=(0, 1)),
    ],
)
def grad_roll(x, shift, y, grad_y, *, axis=None):
    back = tuple([-steps for steps in shift]) if isinstance(shift, tuple) else -shift
    grad_x = np.roll(grad_y, back, axis=axis)
    return grad_x


@rule(
    np.rot90,
    shape=turned,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3)), Sample(real(2, 3), k=2), Sample(real(2, 3, 4), k=-1, axes=(1, 2))],
)
def grad_rot90(x, y, grad_y, *, k=1, axes=(0, 1)):
    grad_x = np.rot90(grad_y, -k, axes=axes)
    return grad_x
