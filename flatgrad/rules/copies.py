"""The same elements in an array of their own, in another dtype or stretched: array, asarray, copy, astype, broadcast_to.

In: these functions of NumPy, and float(). Out: their records. Lists of numbers and arrays become arrays, however deep they are nested.
Layer: rules, above `shaping`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, unify
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, question, real, rule
from flatgrad.rules.creation import shape_argument
from flatgrad.rules.shapes import dtype_of_first, same, shape_of

# Arrays of numbers and arrays


def arrayed(x: Any, *, ndmin: int = 0, **_: Any) -> Shape:
    """The shape of an array, or of nested lists of numbers and arrays; axes of length 1 in front of too few."""
    shape = _nested_shape(x)
    return (1,) * (ndmin - len(shape)) + shape


def _nested_shape(x: Any) -> Shape:
    if not isinstance(x, tuple | list):
        return shape_of(x)
    if not x:
        return (0,)
    shapes = [_nested_shape(part) for part in x]
    if any(len(shape) != len(shapes[0]) for shape in shapes):
        raise SizeMismatch("a list whose parts differ in rank can't be an array")
    rest = [reduce(unify, sizes) for sizes in zip(*shapes, strict=True)]
    return (len(x), *rest)


def arrayed_with_axes(x: Any, **_: Any) -> Shape:
    """The same; a number becomes an array of one element."""
    return _nested_shape(x) or (1,)


@question
def more_axes(x: Any, rank: int) -> int:
    """Return how many axes an array of this rank has that nested lists, or an array, have not."""
    return rank - len(_nested_shape(x))


@question
def places_in(x: Any, rank: int) -> tuple[Any, ...]:
    """Return the place of each number and array in nested lists, in their order, in an array of this rank."""
    indices = tuple(_places_in(x, (0,) * more_axes(x, rank)))
    return tuple([index[0] if len(index) == 1 else index for index in indices])


def _places_in(x: Any, index: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if isinstance(x, tuple | list):
        for k, part in enumerate(x):
            yield from _places_in(part, (*index, k))
    else:
        yield index


CONVERTED = [
    Sample(real(2, 3)),
    Sample(real()),
    Sample((real(), 1.5)),
    Sample((real(3), real(3) + 1)),
    Sample(((real(), 0.5), (-0.5, 1.5))),
    Sample((((real(), 0.5), (-0.5, 1.5)), ((1.5, 2.5), (real(), 3.0)))),
    Sample(((((real(),),), ((0.5,),)),)),
    Sample(((real(2), real(2) + 1), (real(2) * 2, real(2) - 1))),
    Sample(real(2, 3), dtype=np.float64),
]


@rule(
    np.array,
    shape=arrayed,
    linear=True,
    view=True,
    samples=[
        *CONVERTED,
        Sample(real(2, 3), ndmin=1),
        Sample(real(3), ndmin=2, copy=True),
        Sample((real(), 1.5), ndmin=3, order="F"),
    ],
)
@rule(
    np.asarray,
    np.asanyarray,
    shape=arrayed,
    linear=True,
    view=True,
    samples=[*CONVERTED, Sample(real(2, 3), order="F", copy=True)],
)
@rule(np.asarray_chkfinite, shape=arrayed, linear=True, view=True, samples=[*CONVERTED, Sample(real(2, 3), order="F")])
@rule(
    np.ascontiguousarray,
    np.asfortranarray,
    shape=arrayed_with_axes,
    linear=True,
    view=True,
    samples=[*CONVERTED, Sample(real(2, 3).T)],
)
def grad_array(x, y, grad_y, *, dtype=None, copy=None, order="K", ndmin=0):
    if dtype is not None and not np.issubdtype(y.dtype, np.inexact):
        grad_y = np.zeros_like(grad_y)
    if not isinstance(x, tuple) and np.iscomplexobj(grad_y) and not np.iscomplexobj(x):
        grad_y = grad_y.real
    rank = np.ndim(grad_y)
    if isinstance(x, tuple):
        grad_x: Any = tuple([grad_y[place] for place in places_in(x, rank)])
    else:
        grad_x = grad_y[(0,) * more_axes(x, rank)] if more_axes(x, rank) > 0 else grad_y
    return grad_x


# Copies


def dtype_asked(x: Any, *, dtype: Any = None, **_: Any) -> np.dtype[Any]:
    """The dtype asked for; that of x without one."""
    return dtype_of_first(x) if dtype is None else np.dtype(dtype)


@rule(
    np.copy, shape=same, dtype=dtype_of_first, linear=True, samples=[Sample(real(2, 3)), Sample(real(2, 3), order="F")]
)
@rule(np.ndarray.copy, shape=same, dtype=dtype_of_first, linear=True, samples=[Sample(real(2, 3))])
def grad_copy(x, y, grad_y, *, order="K"):
    grad_x = grad_y
    return grad_x


@rule(np.ndarray.astype, shape=same, dtype=dtype_asked, linear=True, samples=[Sample(real(2, 3), dtype=np.float64)])
@rule(
    np.astype,
    shape=same,
    dtype=dtype_asked,
    linear=True,
    samples=[Sample(real(2, 3), np.float64), Sample(real(2, 3), np.float64, copy=False)],
)
def grad_astype(x, y, grad_y, *, dtype, copy=True, order="K", casting="unsafe"):
    if np.iscomplexobj(grad_y) and not np.iscomplexobj(x):
        grad_y = grad_y.real
    if x.dtype != y.dtype and not np.issubdtype(y.dtype, np.inexact):
        grad_x = np.zeros_like(x)
    else:
        grad_x = grad_y if grad_y.dtype == x.dtype else grad_y.astype(x.dtype)
    return grad_x


def number(x: Any) -> Shape:
    """A number gives a number."""
    if shape_of(x):
        raise SizeMismatch(f"float() needs a number, not an array of rank {len(shape_of(x))}")
    return ()


@rule(float, shape=number, linear=True, samples=[Sample(real())])
def grad_float(x, y, grad_y):
    grad_x = grad_y
    return grad_x


@rule(np.float64, shape=same, linear=True, view=True, samples=[Sample(real()), Sample(real(3))])
def grad_float64(x, y, grad_y):
    grad_x = grad_y
    return grad_x


@rule(np.float32, shape=same, linear=True, view=True, samples=[Sample(real(3).astype(np.float32))])
def grad_float32(x, y, grad_y):
    grad_x = grad_y
    return grad_x


# Elements repeated along axes of length 1


def broadcast_to_shape(x: Any, *, shape: Any) -> Shape:
    """The shape asked for, which x must broadcast to."""
    target = shape_argument(shape)
    result = broadcast([shape_of(x), target])
    if len(result) != len(target):
        raise SizeMismatch(f"an array of rank {len(result)} to a shape of rank {len(target)}")
    for size, wanted in zip(result, target, strict=True):
        unify(size, wanted)
    return target


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


def dtypes_of_all(*arrays: Any) -> list[np.dtype[Any]]:
    """Each result has the dtype of its array."""
    return [x.dtype if isinstance(x, Value) else np.asarray(x).dtype for x in arrays]


def broadcast_shapes(*arrays: Any) -> list[Shape]:
    """Each array gets the shape that they broadcast to."""
    return [broadcast([shape_of(x) for x in arrays])] * len(arrays)


@rule(
    np.broadcast_arrays,
    shape=broadcast_shapes,
    dtype=dtypes_of_all,
    linear=True,
    view=True,
    samples=[
        Sample(real(3, 1), real(4)),
        Sample(real(), real(2, 3)),
        Sample(real(2, 3), real(2, 3) + 1, 1.5),
        Sample(real(3)),
    ],
)
def grad_broadcast_arrays(*arrays, y, grad_y):
    grad_arrays = grad_y
    return grad_arrays
