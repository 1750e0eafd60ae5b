"""Elements put between others and taken out: insert, delete.

In: these functions of NumPy. Out: their records. Layer: rules, above `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.containers import List
from flatgrad.graph.size import (
    Shape,
    Size,
    SizeMismatch,
    SizeUnknown,
    count,
    is_natural,
    is_one,
    minus,
    plus,
    resolved,
    unify,
)
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, question, real, rule
from flatgrad.rules.creation import extent, identity, unknown_size
from flatgrad.rules.indexing import Gather, parts_of, slice_length
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of
from flatgrad.rules.static import is_constant


def _along(x: Any, axis: int | None) -> tuple[Shape, int]:
    """Return the shape of an array, of all its elements in a row where no axis is given, and the axis."""
    shape = shape_of(x)
    return ((count(shape),), 0) if axis is None else (shape, normal_axis(axis, len(shape)))


def _position(obj: Any) -> Any:
    """Return the positions that an argument names as a part of an index."""
    (part,) = parts_of(List(obj) if isinstance(obj, tuple) else obj)
    if isinstance(part, Gather) and len(part.shape) > 1:
        raise SizeMismatch(f"positions in an array of rank {len(part.shape)}")
    return part


def _is_several(part: Any) -> bool:
    return isinstance(part, Gather) or not isinstance(part, int | Value)


def _with_size(shape: Shape, axis: int, size: Size) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


# Taken out


def deleted(x: Any, obj: Any, *, axis: int | None = None) -> Shape:
    """The axis gets shorter by the number of different positions."""
    shape, place = _along(x, axis)
    return _with_size(shape, place, minus(shape[place], _distinct_count(obj, shape[place])))


def _distinct_count(obj: Any, size: Size) -> Size:
    part = _position(obj)
    if not _is_several(part):
        return 1
    if not isinstance(part, Gather):
        return slice_length(size, part)
    numbers = obj if isinstance(obj, Value) else [getattr(number, "number", number) for number in obj]
    if part.masked is not None:
        return part.shape[0]
    size = resolved(size)
    if not isinstance(numbers, list) or any(isinstance(number, Value) for number in numbers):
        return unknown_size(("delete", size, identity(obj) if isinstance(obj, Value) else tuple(map(identity, obj))))
    if isinstance(size, int):
        return len({number % size for number in numbers})
    if any(number < 0 for number in numbers) and not all(number < 0 for number in numbers):
        raise SizeUnknown((size,))
    return len(set(numbers))


@question
def is_from_front(obj: Any) -> bool:
    """Tell whether an argument is one position that is certain to be counted from the front."""
    part = _position(obj)
    known = None if _is_several(part) else extent(obj)
    return known is not None and is_natural(resolved(known))


@rule(
    np.delete,
    shape=deleted,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(4), 1),
        Sample(real(4), -1),
        Sample(real(2, 3), 4),
        Sample(real(3, 2), 0, axis=0),
        Sample(real(2, 4), 2, axis=-1),
        Sample(real(5), [0, 2, 2]),
        Sample(real(2, 4), [1, -1], axis=1),
        Sample(real(2, 4), slice(1, 3), axis=1),
        Sample(real(4), np.array([True, False, True, False])),
        Sample(real(4, 2), np.array([1, 3, 1]), axis=0),
        Sample(real(2, 3), slice(None, None, 2)),
    ],
)
def grad_delete(x, obj, y, grad_y, *, axis=None):
    if is_from_front(obj) and (axis is not None or x.ndim == 1):
        grad_x = np.insert(grad_y, obj, 0.0, axis=axis)
    elif axis is None:
        kept = np.delete(np.arange(len(x) if x.ndim == 1 else np.size(x)), obj)
        grad_x = placed(grad_y, kept, x) if x.ndim == 1 else np.reshape(placed(grad_y, kept, np.ravel(x)), np.shape(x))
    else:
        kept = np.delete(np.arange(np.shape(x)[axis]), obj)
        grad_x = placed(grad_y, (slice(None),) * (axis % x.ndim) + (kept,) if axis % x.ndim > 0 else kept, x)
    return grad_x


# Put between


def inserted(x: Any, obj: Any, values: Any, *, axis: int | None = None) -> Shape:
    """The axis gets longer by the number of positions, or of values for the only position."""
    shape, place = _along(x, axis)
    given = shape_of(values)
    if len(given) > len(shape):
        raise SizeMismatch(f"values of rank {len(given)} into an array of rank {len(shape)}")
    part = _position(obj)
    given = (1,) * (len(shape) - len(given)) + given
    if not _is_several(part):
        return _with_size(shape, place, plus(shape[place], given[0]))
    more = part.shape[0] if isinstance(part, Gather) else slice_length(shape[place], part)
    if is_one(given[place]) is False:
        # one position takes all values, several take one each
        if is_one(more) is False:
            unify(more, given[place])
        more = given[place]
    elif is_one(given[place]) is None and is_one(more) is not False:
        raise SizeUnknown((given[place],))
    return _with_size(shape, place, plus(shape[place], more))


@question
def is_one_place(x: Any, obj: Any, values: Any, axis: int | None) -> bool:
    """Tell whether values are put into one place, whose number is known."""
    rank = 1 if axis is None else len(shape_of(x))
    return is_constant(obj) and isinstance(obj, int) and len(shape_of(values)) < rank


@question
def is_one_position(obj: Any) -> bool:
    """Tell whether an argument is one position, and no list of them."""
    return not _is_several(_position(obj))


@rule(
    np.insert,
    shape=inserted,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(4), 1, real()),
        Sample(real(4), -1, real()),
        Sample(real(4), 2, real(3)),
        Sample(real(3, 2), 0, 1.5, axis=1),
        Sample(real(3, 2), -1, real(3), axis=1),
        Sample(real(3, 2), 1, real(2, 2), axis=0),
        Sample(real(3, 2), 1, real(4, 3), axis=-1),
        Sample(real(2, 3), 2, real()),
        Sample(real(5), [3, 0], real(2)),
        Sample(real(5), [3, 0, 3], real()),
        Sample(real(2, 3), [2, 0], real(2, 2), axis=1),
        Sample(real(2, 3), [1], real(2, 4), axis=1),
        Sample(real(2, 3), slice(0, 3, 2), real(2, 1), axis=1),
        Sample(real(4), np.array([True, False, True, False]), real(2)),
        Sample(real(3, 4), np.array([1, 1]), real(2, 4), axis=0),
    ],
)
def grad_insert(x, obj, values, y, grad_y, *, axis=None):
    if is_one_place(x, obj, values, axis):
        # a place that is counted from the back is in front of what stands there
        place = obj if obj >= 0 else obj - 1
        grad_x = np.delete(grad_y, place, axis=axis)
        grad_values = grad_y[place] if axis is None else grad_y[(slice(None),) * (axis % x.ndim) + (place,)]
    else:
        size = np.shape(x)[axis] if axis is not None else len(x) if x.ndim == 1 else np.size(x)
        more = np.shape(y)[0 if axis is None else axis] - size
        # the numbers below 0 stand for the values; what is nearly in order is sorted fastest by the stable sort
        order = np.argsort(np.insert(np.arange(size), obj, np.arange(-more, 0)), kind="stable")
        grad_x = np.take(grad_y, order[more:], axis=axis)
        grad_values = np.take(grad_y, order[:more], axis=axis)
        if axis is not None and is_one_position(obj):
            grad_values = np.moveaxis(grad_values, axis, 0)
    if axis is None and x.ndim != 1:
        grad_x = np.reshape(grad_x, np.shape(x))
    return grad_x, grad_values
