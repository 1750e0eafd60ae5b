"""The elements of an array in another shape: reshape, ravel, squeeze, expand_dims, atleast_1d and their like.

In: these functions of NumPy. Out: their records. Layer: rules, above `placing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import (
    Shape,
    SizeMismatch,
    SizeUnknown,
    count,
    derived,
    is_one,
    product,
    quotient,
    resolved,
    unify,
)
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, inline, no_gradient, real, rule
from flatgrad.rules.creation import INT, shape_argument, unknown_size
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, normal_axes, shape_of

# One array in another shape


def reshaped(x: Any, *, shape: Any, order: str = "C", **_: Any) -> Shape:
    """The shape asked for; a size of -1 is what is left."""
    _require_order(order, ("C", "F"))
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


def _require_order(order: str, known: tuple[str, ...]) -> None:
    if order not in known:
        known_ones = " and ".join(f"{each!r}" for each in known)
        raise TypeError(f"order={order!r} depends on how the array lies in memory; {known_ones} have a rule")


def flattened(x: Any, *, order: str = "C") -> Shape:
    """All elements in one row."""
    _require_order(order, ("C", "F", "K"))
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


def at_least_1d(*arrays: Any) -> Shape | list[Shape]:
    """A number becomes an array of one element."""
    return _of_each([shape_of(x) or (1,) for x in arrays])


def at_least_2d(*arrays: Any) -> Shape | list[Shape]:
    """A number becomes 1 by 1, a vector a row."""
    return _of_each([(1,) * (2 - len(shape_of(x))) + shape_of(x) for x in arrays])


def at_least_3d(*arrays: Any) -> Shape | list[Shape]:
    """A vector becomes 1 by n by 1, a matrix gets a third axis at its end."""
    return _of_each([(1,) * (2 - len(shape_of(x))) + shape_of(x) + (1,) * (len(shape_of(x)) < 3) for x in arrays])


def _of_each(shapes: list[Shape]) -> Shape | list[Shape]:
    return shapes[0] if len(shapes) == 1 else shapes


def dtype_of_each(*arrays: Any) -> Any:
    """Each result has the dtype of its array."""
    dtypes = [x.dtype if isinstance(x, Value) else np.asarray(x).dtype for x in arrays]
    return dtypes[0] if len(dtypes) == 1 else dtypes


def single(x: Any) -> Shape:
    """One element gives one number."""
    unify(count(shape_of(x)), 1)
    return ()


def dtype_of_item(x: Any) -> Any:
    """Python's own number of that kind."""
    return np.dtype({"f": np.float64, "b": np.bool_}.get(dtype_of_first(x).kind, np.int64)), True


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
        Sample(real(2, 6), shape=(3, 4), order="F"),
        Sample(real(2, 6), shape=(3, -1), copy=True),
    ],
)
def grad_reshape(x, y, grad_y, *, shape, order="C", copy=None):
    grad_x = np.reshape(grad_y, np.shape(x), order=order)
    return grad_x


def places_in_memory(x):
    """Return the places of the elements of an array in the order in which these lie in memory."""
    places = np.empty_like(x, dtype=int)
    places[...] = np.reshape(np.arange(x.size), x.shape)
    return np.ravel(places, order="K")


def _whole(*_: Any, **__: Any) -> np.dtype[Any]:
    return INT


no_gradient(places_in_memory, shape=flattened, dtype=_whole, samples=[Sample(real(2, 3)), Sample(real(2, 3).T)])


@rule(
    np.ravel,
    np.ndarray.flatten,
    shape=flattened,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 3)),
        Sample(real(4)),
        Sample(real(2, 3), order="F"),
        Sample(real(2, 3), order="K"),
        Sample(real(2, 3).T, order="K"),
    ],
)
def grad_ravel(x, y, grad_y, *, order="C"):
    if order == "K" and x.ndim > 1:
        grad_x = np.reshape(placed(grad_y, places_in_memory(x), np.ravel(x)), np.shape(x))
    else:
        grad_x = np.reshape(grad_y, np.shape(x), order="F" if order == "F" else "C")
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


SEVERAL = [
    Sample(real()),
    Sample(real(3)),
    Sample(real(2, 3)),
    Sample(real(2, 3, 2)),
    Sample(real(3), real()),
    Sample(real(), 1.5, real(2, 3)),
]


@rule(np.atleast_1d, shape=at_least_1d, dtype=dtype_of_each, linear=True, view=True, samples=SEVERAL)
@rule(np.atleast_2d, shape=at_least_2d, dtype=dtype_of_each, linear=True, view=True, samples=SEVERAL)
@rule(np.atleast_3d, shape=at_least_3d, dtype=dtype_of_each, linear=True, view=True, samples=SEVERAL)
def grad_atleast(*arrays, y, grad_y):
    gradients = grad_y if len(arrays) > 1 else (grad_y,)
    grad_arrays = tuple(
        [
            gradients[k] if np.ndim(gradients[k]) == np.ndim(arrays[k]) else without_axes(gradients[k], arrays[k])
            for k in range(len(arrays))
        ]
    )
    return grad_arrays


@inline
def without_axes(gradient, x):
    """Return a gradient without the axes of length 1 that its array lacks."""
    return gradient[(0,) * np.ndim(gradient)] if np.ndim(x) == 0 else np.reshape(gradient, np.shape(x))


@rule(np.ndarray.item, shape=single, dtype=dtype_of_item, linear=True, samples=[Sample(real(1)), Sample(real(1, 1))])
def grad_item(x, y, grad_y):
    grad_x = np.reshape(grad_y, np.shape(x))
    return grad_x
