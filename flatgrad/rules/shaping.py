"""One array in another shape, order or type: reshape, transpose, astype and their like.

In: these functions of NumPy, and float(). Out: their records. Layer: rules, above `creation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatgrad.graph.size import (
    Shape,
    SizeMismatch,
    SizeUnknown,
    broadcast,
    count,
    derived,
    is_one,
    product,
    quotient,
    resolved,
    unify,
)
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.creation import shape_argument, unknown_size
from flatgrad.rules.shapes import dtype_of_first, normal_axes, normal_axis, same, shape_of

# One array in another shape


def reshaped(x: Any, *, shape: Any) -> Shape:
    """The shape asked for; a size of -1 is what is left."""
    total = count(shape_of(x))
    sizes = shape_argument(shape)
    if -1 not in sizes:
        unify(total, product(sizes))
        return sizes
    if sizes.count(-1) > 1:
        raise SizeMismatch("more than one -1 in a shape")
    rest = resolved(product(size for size in sizes if size != -1))
    if rest == 0:
        raise SizeMismatch("-1 beside a size of 0 in a shape")
    left = quotient(total, rest)
    if left is None and isinstance(total, int) and isinstance(rest, int):
        raise SizeMismatch(f"{total} elements in rows of {rest}")
    if left is None and isinstance(rest, int):
        left = derived(("quotient", rest), total, lambda number: number // rest)
    if left is None:
        left = unknown_size(("quotient", resolved(total), rest))
    return tuple(left if size == -1 else size for size in sizes)


def flattened(x: Any) -> Shape:
    """All elements in one row."""
    return (count(shape_of(x)),)


def squeezed(x: Any, *, axis: int | tuple[int, ...] | None = None) -> Shape:
    """The axes of length 1 go, or those named."""
    shape = shape_of(x)
    if axis is None:
        unknown = [size for size in shape if is_one(size) is None]
        if unknown:
            raise SizeUnknown(unknown)
        return tuple(size for size in shape if not is_one(size))
    axes = normal_axes(axis, len(shape))
    for k in axes:
        unify(shape[k], 1)
    return tuple(size for k, size in enumerate(shape) if k not in axes)


def expanded(x: Any, *, axis: int | tuple[int, ...]) -> Shape:
    """New axes of length 1 at these places of the result."""
    shape = shape_of(x)
    rank = len(shape) + (len(axis) if isinstance(axis, tuple | list) else 1)
    axes = normal_axes(tuple(axis) if isinstance(axis, list) else axis, rank)
    sizes = iter(shape)
    return tuple(1 if k in axes else next(sizes) for k in range(rank))


def at_least_1d(x: Any) -> Shape:
    """A number becomes an array of one element."""
    return shape_of(x) or (1,)


def at_least_2d(x: Any) -> Shape:
    """A number becomes 1 by 1, a vector a row."""
    shape = shape_of(x)
    return (1,) * (2 - len(shape)) + shape


def single(x: Any) -> Shape:
    """One element gives one number."""
    unify(count(shape_of(x)), 1)
    return ()


def dtype_of_item(x: Any) -> Any:
    """Python's own number of that kind."""
    return np.dtype({"f": np.float64, "b": np.bool_}.get(dtype_of_first(x).kind, np.int64)), True


def number(x: Any) -> Shape:
    """A number gives a number."""
    if shape_of(x):
        raise SizeMismatch(f"float() needs a number, not an array of rank {len(shape_of(x))}")
    return ()


@rule(
    np.reshape,
    shape=reshaped,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 6), shape=(3, 4)),
        Sample(real(2, 6), shape=12),
        Sample(real(2, 6), shape=(2, -1, 2)),
        Sample(real(), shape=(1, 1)),
    ],
)
def grad_reshape(x, y, grad_y, *, shape):
    grad_x = np.reshape(grad_y, np.shape(x))
    return grad_x


@rule(
    np.ravel,
    np.ndarray.flatten,
    shape=flattened,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3)), Sample(real(4))],
)
def grad_ravel(x, y, grad_y):
    grad_x = np.reshape(grad_y, np.shape(x))
    return grad_x


@rule(
    np.squeeze,
    shape=squeezed,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 1, 3, 1)),
        Sample(real(2, 1, 3, 1), axis=1),
        Sample(real(2, 1, 3, 1), axis=(1, -1)),
    ],
)
def grad_squeeze(x, y, grad_y, *, axis=None):
    grad_x = np.reshape(grad_y, np.shape(x)) if axis is None else np.expand_dims(grad_y, axis)
    return grad_x


@rule(
    np.expand_dims,
    shape=expanded,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3), axis=0), Sample(real(2, 3), axis=-1), Sample(real(2, 3), axis=(0, -2))],
)
def grad_expand_dims(x, y, grad_y, *, axis):
    grad_x = np.squeeze(grad_y, axis=axis)
    return grad_x


@rule(
    np.atleast_1d,
    shape=at_least_1d,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real()), Sample(real(3)), Sample(real(2, 3))],
)
def grad_atleast_1d(x, y, grad_y):
    grad_x = grad_y[0] if np.ndim(x) == 0 else grad_y
    return grad_x


@rule(
    np.atleast_2d,
    shape=at_least_2d,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real()), Sample(real(3)), Sample(real(2, 3))],
)
def grad_atleast_2d(x, y, grad_y):
    grad_x = grad_y if np.ndim(x) > 1 else np.reshape(grad_y, np.shape(x))
    return grad_x


@rule(np.ndarray.item, shape=single, dtype=dtype_of_item, linear=True, samples=[Sample(real(1)), Sample(real(1, 1))])
def grad_item(x, y, grad_y):
    grad_x = np.reshape(grad_y, np.shape(x))
    return grad_x


@rule(float, shape=number, linear=True, samples=[Sample(real())])
def grad_float(x, y, grad_y):
    grad_x = grad_y
    return grad_x


@rule(np.float64, shape=same, linear=True, view=True, samples=[Sample(real()), Sample(real(3))])
def grad_float64(x, y, grad_y):
    grad_x = grad_y
    return grad_x


# Axes in another order


def transposed(x: Any, *, axes: Sequence[int] | None = None) -> Shape:
    """The axes in this order; in reverse without one."""
    shape = shape_of(x)
    if axes is None:
        return shape[::-1]
    order = normal_axes(tuple(axes), len(shape))
    if sorted(order) != list(range(len(shape))):
        raise SizeMismatch(f"{tuple(axes)} is not an order of the axes of an array of rank {len(shape)}")
    return tuple(shape[k] for k in order)


def swapped(x: Any, *, axis1: int, axis2: int) -> Shape:
    """Two axes change places."""
    sizes = list(shape_of(x))
    one, other = normal_axis(axis1, len(sizes)), normal_axis(axis2, len(sizes))
    sizes[one], sizes[other] = sizes[other], sizes[one]
    return tuple(sizes)


def moved(x: Any, *, source: Any, destination: Any) -> Shape:
    """The named axes go to these places; the others keep their order."""
    shape = shape_of(x)
    sources, places = normal_axes(source, len(shape)), normal_axes(destination, len(shape))
    if len(sources) != len(places):
        raise SizeMismatch(f"{len(sources)} axes to {len(places)} places")
    order = [k for k in range(len(shape)) if k not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return tuple(shape[k] for k in order)


def matrix_transposed(x: Any) -> Shape:
    """The last two axes change places."""
    return swapped(x, axis1=-1, axis2=-2)


@rule(
    np.transpose,
    shape=transposed,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 3)),
        Sample(real(2, 3, 4)),
        Sample(real(2, 3, 4), axes=(1, 2, 0)),
        Sample(real(2, 3, 4), axes=(-1, 0, 1)),
    ],
)
def grad_transpose(x, y, grad_y, *, axes=None):
    if axes is None:
        grad_x = grad_y.T
    else:
        order = [axis % x.ndim for axis in axes]
        back = sorted(zip(order, range(x.ndim), strict=True))
        grad_x = np.transpose(grad_y, tuple([pair[1] for pair in back]))
    return grad_x


@rule(
    np.swapaxes,
    shape=swapped,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3, 4), axis1=0, axis2=-1)],
)
def grad_swapaxes(x, y, grad_y, *, axis1, axis2):
    grad_x = np.swapaxes(grad_y, axis1, axis2)
    return grad_x


@rule(
    np.moveaxis,
    shape=moved,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 3, 4), source=0, destination=-1),
        Sample(real(2, 3, 4), source=(0, 1), destination=(2, 0)),
    ],
)
def grad_moveaxis(x, y, grad_y, *, source, destination):
    grad_x = np.moveaxis(grad_y, destination, source)
    return grad_x


@rule(
    np.matrix_transpose,
    shape=matrix_transposed,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3)), Sample(real(2, 3, 4))],
)
def grad_matrix_transpose(x, y, grad_y):
    grad_x = np.swapaxes(grad_y, -1, -2)
    return grad_x


# Copies


def broadcast_to_shape(x: Any, *, shape: Any) -> Shape:
    """The shape asked for, which x must broadcast to."""
    target = shape_argument(shape)
    result = broadcast([shape_of(x), target])
    if len(result) != len(target):
        raise SizeMismatch(f"an array of rank {len(result)} to a shape of rank {len(target)}")
    for size, wanted in zip(result, target, strict=True):
        unify(size, wanted)
    return target


def dtype_asked(x: Any, *, dtype: Any = None) -> np.dtype[Any]:
    """The dtype asked for; that of x without one."""
    return dtype_of_first(x) if dtype is None else np.dtype(dtype)


@rule(
    np.broadcast_to,
    shape=broadcast_to_shape,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(3, 1), shape=(2, 3, 4)), Sample(real(), shape=3), Sample(real(3), shape=(2, 3))],
)
def grad_broadcast_to(x, y, grad_y, *, shape):
    grad_x = grad_y
    return grad_x


@rule(np.copy, np.ndarray.copy, shape=same, dtype=dtype_of_first, linear=True, samples=[Sample(real(2, 3))])
def grad_copy(x, y, grad_y):
    grad_x = grad_y
    return grad_x


@rule(
    np.ndarray.astype,
    shape=same,
    dtype=dtype_asked,
    linear=True,
    samples=[Sample(real(2, 3), dtype=np.float64)],
)
def grad_astype(x, y, grad_y, *, dtype):
    if np.iscomplexobj(grad_y) and not np.iscomplexobj(x):
        grad_y = grad_y.real
    if x.dtype != y.dtype and not np.issubdtype(y.dtype, np.inexact):
        grad_x = np.zeros_like(x)
    else:
        grad_x = grad_y if grad_y.dtype == x.dtype else grad_y.astype(x.dtype)
    return grad_x
