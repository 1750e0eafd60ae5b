"""Indexing: ``x[...]`` in all of NumPy's forms.

In: an array and an index. Out: records, and `repeats`, which tells whether an index can meet one place twice.
Layer: rules, above `creation`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from flatgrad.graph.containers import List, Slice
from flatgrad.graph.size import (
    Expression,
    Shape,
    Size,
    SizeMismatch,
    broadcast,
    derived,
    equal,
    is_natural,
    minus,
    never_exceeds,
    plus,
    resolved,
    unify,
)
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Sample, question, real, rule
from flatgrad.rules.creation import extent, identity, unknown_size
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.stable_order import stable_order
from flatgrad.rules.static import new_axes

# The length of a slice


def slice_length(size: Size, part: Slice | slice) -> Size:
    """Return how many elements a slice takes from an axis of this size."""
    start, stop, step = (_bound(bound) for bound in (part.start, part.stop, part.step))
    step = 1 if step is None else step
    size = resolved(size)
    if step == 0:
        raise SizeMismatch("a slice with step 0")
    if stop is None and (start, step) in {(None, 1), (0, 1), (None, -1), (-1, -1)}:
        return size
    if step == 1 and all(isinstance(bound, int | Expression | None) for bound in (start, stop)):
        first, last = _from_front(start, size, 0), _from_front(stop, size, size)
        # NumPy moves bounds to the ends of the axis; these are inside
        rest = minus(size, last)
        is_inside = is_natural(rest) or never_exceeds(last, size)
        is_inside = is_inside or (isinstance(stop, Expression) and is_natural(minus(rest, _constant(rest))))
        if is_natural(first) and is_inside and not _crossed(first, last):
            return minus(last, first)
    if all(isinstance(bound, int | None) for bound in (start, stop, step)):
        span = slice(start, stop, step)
        return derived(("slice", start, stop, step), size, lambda number: len(range(*span.indices(number))))
    bounds = [bound for bound in (start, stop, step) if bound is not None]
    sizes = (size, *bounds) if all(isinstance(bound, int | Expression) for bound in bounds) else ()
    return unknown_size(("slice", size, identity(start), identity(stop), identity(step)), sizes)


def _bound(bound: Any) -> Any:
    """Return a bound as a size where it stands for one; another value stays as it is."""
    known = extent(bound)
    return bound if known is None else resolved(known)


def _from_front(bound: Size | None, size: Size, absent: Size) -> Size:
    if bound is None:
        return absent
    return plus(size, bound) if isinstance(bound, int) and bound < 0 else bound


def _constant(size: Size) -> int:
    """Return the number in a size that belongs to no symbol."""
    return size if isinstance(size, int) else dict(size.terms).get((), 0)


def _crossed(first: Size, last: Size) -> bool:
    length = minus(last, first)
    return isinstance(length, int) and length < 0


# The parts of an index


@dataclass(frozen=True, slots=True)
class Gather:
    """A part of an index that picks by arrays: the shape of the arrays and how many axes they stand for.

    `masked` holds the mask's sizes where the part is a boolean mask.
    """

    shape: Shape
    axes: int = 1
    masked: Shape | None = None
    source: Any = None


def parts_of(index: Any) -> list[Any]:
    """Return the parts of an index: None, Ellipsis, slices, whole numbers, and Gather for arrays and masks."""
    several = isinstance(index, tuple) and not isinstance(index, List)
    return [_part(part) for part in (index if several else (index,))]


def _part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice | Slice):
        return part
    if isinstance(part, int | np.integer) and not isinstance(part, bool):
        return int(part)
    if isinstance(part, tuple | list) and any(isinstance(number, Value) for number in part):
        return Gather((len(part),), source=part)
    if not isinstance(part, Value):
        array = np.asarray(part, dtype=None if np.size(part) else np.int64)
        return _mask(array, int(np.count_nonzero(array))) if array.dtype.kind == "b" else _gather(part, array)
    if part.dtype.kind == "b":
        return _mask(part, count_true(part))
    if part.dtype.kind not in "iu":
        raise SizeMismatch(f"an index of {part.dtype} values; whole numbers and truth values can be indices")
    return part if part.rank == 0 else Gather(part.shape, source=part)


def count_true(mask: Value) -> Size:
    """Return how many truth values of a mask are true: the same size whenever it is asked, whatever becomes of the graph."""
    if isinstance(mask, Constant) and mask.number is not None:
        return int(np.count_nonzero(mask.number))
    if mask.count is None:
        mask.count = unknown_size(("mask", identity(mask)))
    return mask.count


def _mask(mask: Any, count: Size) -> Gather:
    shape = shape_of(mask)
    return Gather((count,), axes=len(shape), masked=shape, source=mask)


def _gather(part: Any, array: Any) -> Any:
    if array.dtype.kind not in "iu":
        raise SizeMismatch(f"an index of {array.dtype} values; whole numbers and truth values can be indices")
    return Gather(array.shape, source=part) if array.ndim else int(array)


def _axes_taken(part: Any) -> int:
    if isinstance(part, Gather):
        return part.axes
    return 0 if part is None or part is Ellipsis else 1


def getitem_shape(x: Any, *, index: Any) -> Shape:
    """The shape that NumPy's indexing gives."""
    shape = shape_of(x)
    parts = parts_of(index)
    taken = sum(map(_axes_taken, parts))
    if taken > len(shape):
        raise SizeMismatch(f"{taken} indices for an array of rank {len(shape)}")
    if Ellipsis not in [part for part in parts if not isinstance(part, Value)]:
        parts.append(Ellipsis)
    fancy = any(isinstance(part, Gather) for part in parts)
    result: list[Size] = []
    gathered: list[Shape] = []
    places: list[tuple[int, int]] = []
    axis = 0
    for position, part in enumerate(parts):
        if part is Ellipsis:
            result += shape[axis : axis + len(shape) - taken]
            axis += len(shape) - taken
            continue
        if part is None:
            result.append(1)
        elif isinstance(part, slice | Slice):
            result.append(slice_length(shape[axis], part))
        else:
            _check(part, shape[axis:], axis)
            if fancy:
                gathered.append(part.shape if isinstance(part, Gather) else ())
                places.append((position, len(result)))
        axis += _axes_taken(part)
    if not fancy:
        return tuple(result)
    picked = broadcast(gathered)
    # arrays side by side give their axes where the first one stands, separated ones at the front
    adjacent = places[-1][0] - places[0][0] == len(places) - 1
    place = places[0][1] if adjacent else 0
    return tuple(result[:place]) + picked + tuple(result[place:])


def _check(part: Any, sizes: Shape, axis: int) -> None:
    if isinstance(part, Gather) and part.masked is not None:
        for size, length in zip(part.masked, sizes, strict=False):
            unify(size, length)
        return
    known = part.source if isinstance(part, Gather) else part
    size = resolved(sizes[0])
    if isinstance(known, Value) or not isinstance(size, int):
        return
    for number in np.ravel([number for number in np.ravel(known) if not isinstance(number, Value)]):
        if not -size <= number < size:
            raise SizeMismatch(f"index {number} is out of bounds for axis {axis} of size {size}")


# Whether an index can meet one place twice


# functions whose results, where they are vectors, list places of an array, each of them once
ORDERS = frozenset({np.argsort, np.argpartition, np.lexsort, np.flatnonzero, stable_order})
# functions whose results, taken together, list places of an array, each of them once
PLACES = frozenset({
    np.tril_indices, np.triu_indices, np.tril_indices_from, np.triu_indices_from, np.diag_indices, np.diag_indices_from,
    np.nonzero,
})  # fmt: skip


@question
def repeats(index: Any) -> bool:
    """Tell whether an index can meet the same place twice, so that writing there has to add up."""
    gathers = [part for part in parts_of(index) if isinstance(part, Gather)]
    if not gathers:
        return False
    if _are_places(gathers):
        return False
    if any(len(part.shape) > 1 for part in gathers):
        return True
    sizes = [part.shape[0] for part in gathers if part.shape]
    return not any(
        _is_distinct(part) and all(size == 1 or equal(size, part.shape[0]) for size in sizes) for part in gathers
    )


def _are_places(gathers: list[Gather]) -> bool:
    """Tell whether the parts of an index are together what a function gives that lists each place once."""
    sources = [part.source for part in gathers]
    node = sources[0].node if isinstance(sources[0], Value) else None
    if node is None or not all(output in sources for output in node.outputs):
        return False
    return node.function in PLACES or (node.function is np.ix_ and all(map(_are_distinct, node.arguments.values())))


def _is_distinct(part: Gather) -> bool:
    return bool(part.masked) if part.masked is not None else _are_distinct(part.source)


def _are_distinct(source: Any) -> bool:
    """Tell whether indices of a vector are certain to be different numbers of one sign."""
    if isinstance(source, Value) and not isinstance(source, Constant):
        return source.dtype.kind == "b" or _is_permutation(source)
    numbers = source.number if isinstance(source, Constant) else source
    if any(isinstance(number, Value) for number in numbers):
        return False
    array = np.ravel(numbers)
    if array.dtype.kind == "b":
        return True
    # numbers of both signs can name one place in two ways
    return len(set(array.tolist())) == array.size and (bool(np.all(array >= 0)) or bool(np.all(array < 0)))


def _is_permutation(value: Value) -> bool:
    """Tell whether the elements of a vector are certain to be different numbers of one sign."""
    if value.node is None:
        return False
    function, arguments = value.node.function, value.node.arguments
    if function is operator.getitem and isinstance(arguments["index"], slice | Slice):
        return _is_permutation(value.node.inputs[0])
    if function is np.delete:
        return isinstance(arguments["x"], Value) and _is_permutation(arguments["x"])
    if function is np.arange:
        return _counts_up(arguments)
    if function is np.unique:
        return bool(arguments.get("return_index")) and value is value.node.outputs[1]
    return function in ORDERS and value.rank == 1


def _counts_up(arguments: dict[str, Any]) -> bool:
    bounds: Iterator[Any] = (part for name, part in arguments.items() if name != "dtype" and part is not None)
    first, *rest = bounds
    return not rest or (len(rest) == 1 and isinstance(first, int) and first >= 0)


# Records


MASK = np.array([True, False, True])


@rule(
    operator.getitem,
    shape=getitem_shape,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(4), index=2),
        Sample(real(4, 3), index=(1, -1)),
        Sample(real(6, 3), index=(slice(1, None, 2), None)),
        Sample(real(4), index=slice(None, None, -1)),
        Sample(real(2, 3, 4), index=(Ellipsis, 0)),
        Sample(real(3), index=(slice(None), None)),
        Sample(real(2, 3), index=(None, Ellipsis, None, slice(None))),
        Sample(real(2, 3), index=slice(None)),
        Sample(real(4), index=np.array([1, 1, 3])),
        Sample(real(4), index=[0, 0, 2]),
        Sample(real(3, 4), index=(np.arange(3), np.array([2, 0, 2]))),
        Sample(real(3, 4), index=MASK),
        Sample(real(2, 3), index=real(2, 3) > 0),
        Sample(real(2, 3, 4), index=(0, slice(None), np.array([[1, 1], [0, 3]]))),
    ],
)
def grad_getitem(x, y, grad_y, *, index):
    axes = new_axes(index, np.ndim(x))
    if axes is None:
        grad_x = placed(grad_y, index, x)
    elif axes == ():
        grad_x = grad_y
    else:
        grad_x = np.squeeze(grad_y, axis=axes)
    return grad_x
