"""Elements of an array in another order along its axes: sort, median, flip, roll, rot90; argsort and searchsorted.

In: these functions of NumPy. Out: their records. Where elements are equal the gradients go by the stable order. Layer: rules,
above `indexing` and `reductions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, count
from flatgrad.registry import Kink, Sample, no_gradient, real, rule
from flatgrad.rules.placing import placed, placed_along_axis
from flatgrad.rules.reductions import flat_axes, unflat_axes
from flatgrad.rules.shapes import dtype_of_first, normal_axes, normal_axis, reduced, shape_of

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
        order = np.argsort(np.ravel(x), kind="stable")
        grad_x = np.reshape(placed(grad_y, order, np.ravel(x)), np.shape(x))
    elif x.ndim == 1:
        order = np.argsort(x, kind="stable")
        grad_x = placed(grad_y, order, x)
    else:
        order = np.argsort(x, axis=axis, kind="stable")
        grad_x = np.take_along_axis(grad_y, np.argsort(order, axis=axis), axis=axis)
    return grad_x


@rule(
    np.median,
    shape=reduced,
    samples=[
        Sample(real(5)),
        Sample(real(4)),
        Sample(real(4), keepdims=True),
        Sample(real(3, 4)),
        Sample(real(3, 4), axis=0),
        Sample(real(3, 4), axis=-1, keepdims=True),
        Sample(real(3, 2, 3), axis=(0, 2)),
        Sample(real(3, 2, 3), axis=(2, 1), keepdims=True),
    ],
    kinks=[
        Kink(
            "median with ties",
            "the stable permutation",
            (np.array([2.0, 2.0, 1.0]),),
            (np.array([1.0, 0.0, 0.0]),),
            jax="the stable permutation",
            torch="shared equally",
        ),
        Kink(
            "median of an even number of elements",
            "half to each of the two in the middle",
            (np.array([3.0, 2.0, 2.0, 1.0]),),
            (np.array([0.0, 0.5, 0.5, 0.0]),),
            jax="half to each of the two in the middle",
            torch="the lower one",
        ),
    ],
)
def grad_median(x, y, grad_y, *, axis=None, keepdims=False):
    if x.ndim == 1:
        order = np.argsort(x, kind="stable")
        # one or two of them
        middle = order[(len(x) - 1) // 2 : len(x) // 2 + 1]
        grad_x = placed(grad_y / len(middle), middle, x)
    elif axis is None:
        flat = np.ravel(x)
        order = np.argsort(flat, kind="stable")
        middle = order[(len(flat) - 1) // 2 : len(flat) // 2 + 1]
        share = (np.reshape(grad_y, ()) if keepdims else grad_y) / len(middle)
        grad_flat = placed(share, middle, flat)
        grad_x = np.reshape(grad_flat, np.shape(x))
    elif isinstance(axis, tuple):
        flat = flat_axes(x, axis)
        order = np.argsort(flat, axis=-1, kind="stable")
        middle = order[..., (np.shape(flat)[-1] - 1) // 2 : np.shape(flat)[-1] // 2 + 1]
        share = np.reshape(grad_y, (*np.shape(flat)[:-1], 1)) / np.shape(middle)[-1]
        grad_x = unflat_axes(placed_along_axis(share, middle, -1, flat), x, axis)
    else:
        order = np.argsort(x, axis=axis, kind="stable")
        places = np.arange((np.shape(x)[axis] - 1) // 2, np.shape(x)[axis] // 2 + 1)
        middle = np.take(order, places, axis=axis)
        share = (grad_y if keepdims else np.expand_dims(grad_y, axis)) / len(places)
        grad_x = placed_along_axis(share, middle, axis, x)
    return grad_x


def searched_shape(_a: Any, v: Any, *_: Any, **__: Any) -> Shape:
    """A place for each of the values that are looked for."""
    return shape_of(v)


def binned_shape(x: Any, *_: Any, **__: Any) -> Shape:
    """A bin for each value."""
    return shape_of(x)


no_gradient(np.argsort, shape=sorted_shape, samples=SORTED)
no_gradient(np.searchsorted, shape=searched_shape, samples=[Sample(real(4), real(2, 3)), Sample(real(4), real())])
no_gradient(np.digitize, shape=binned_shape, samples=[Sample(real(2, 3), np.array([-1.0, 0.0, 1.0]))])


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
    grad_x = np.rot90(grad_y, -k, axes)
    return grad_x
