"""Places of elements: argsort, searchsorted, nonzero, ix_ and their like, which have no gradient; sets of whole numbers.

In: these functions of NumPy. Out: their records. How many places there are may be data. Layer: rules, above `orders`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Sample, no_gradient, real
from flatgrad.rules.creation import INT, identity, shape_argument, unknown_size
from flatgrad.rules.indexing import count_true
from flatgrad.rules.orders import SORTED, sorted_shape
from flatgrad.rules.shapes import elementwise, normal_axis, shape_of

# Orders


def _parted_order(x: Any, kth: Any, axis: int | None = -1, *_: Any, **__: Any) -> Shape:
    return sorted_shape(x, axis)


def _order_by_keys(keys: Any, axis: int = -1) -> Shape:
    """A place for each element of a key; the keys are the rows of an array, or given one by one."""
    shape = keys.shape[1:] if isinstance(keys, Value) else shape_of(keys[0])
    normal_axis(axis, len(shape))
    return shape


def searched_shape(_a: Any, v: Any, *_: Any, **__: Any) -> Shape:
    """A place for each of the values that are looked for."""
    return shape_of(v)


def shape_of_first(x: Any, *_: Any, **__: Any) -> Shape:
    """Something for each element of the first array."""
    return shape_of(x)


def places(*_: Any, **__: Any) -> np.dtype[Any]:
    """The dtype of places."""
    return INT


no_gradient(np.argsort, shape=sorted_shape, samples=SORTED)
no_gradient(
    np.argpartition,
    shape=_parted_order,
    dtype=places,
    samples=[Sample(real(5), 2), Sample(real(3, 4), 1, axis=0), Sample(real(2, 3), 2, axis=None)],
)
no_gradient(np.lexsort, shape=_order_by_keys, samples=[Sample((real(4), real(4) + 1)), Sample(real(2, 4))])
no_gradient(np.searchsorted, shape=searched_shape, samples=[Sample(real(4), real(2, 3)), Sample(real(4), real())])
no_gradient(np.digitize, shape=shape_of_first, samples=[Sample(real(2, 3), np.array([-1.0, 0.0, 1.0]))])
no_gradient(np.isin, shape=shape_of_first, samples=[Sample(np.arange(6).reshape(2, 3), np.array([1, 5]))])


# Places of what is not zero


def nonzero_count(x: Any) -> Size:
    """Return how many elements of an array are not zero."""
    if isinstance(x, Constant) and x.number is not None:
        return int(np.count_nonzero(x.number))
    if not isinstance(x, Value):
        return int(np.count_nonzero(x))
    return count_true(x) if x.dtype.kind == "b" else unknown_size(("nonzero", identity(x)))


def _places_by_axis(x: Any) -> list[Shape]:
    if not shape_of(x):
        raise SizeMismatch("np.nonzero of a number")
    return [(nonzero_count(x),)] * len(shape_of(x))


def _places_in_a_row(x: Any) -> Shape:
    return (nonzero_count(x),)


def _places_as_rows(x: Any) -> Shape:
    return (nonzero_count(x), len(shape_of(x)))


MASK = np.array([[True, False, True], [False, True, True]])
no_gradient(np.nonzero, shape=_places_by_axis, samples=[Sample(MASK), Sample(MASK[0]), Sample(real(2, 3))])
no_gradient(np.flatnonzero, shape=_places_in_a_row, samples=[Sample(MASK), Sample(real(2, 3))])
no_gradient(np.argwhere, shape=_places_as_rows, samples=[Sample(MASK), Sample(real(2, 3))])


# Several indices in one


def _open_mesh(*arrays: Any) -> list[Shape]:
    """An array for each axis, with its places along that axis."""
    sizes = [nonzero_count(x) if _is_mask(x) else shape_of(x)[0] for x in arrays]
    return [tuple(size if k == axis else 1 for k in range(len(sizes))) for axis, size in enumerate(sizes)]


def _is_mask(x: Any) -> bool:
    return bool((x.dtype if isinstance(x, Value) else np.asarray(x).dtype).kind == "b")


def _unraveled(indices: Any, shape: Any, *_: Any, **__: Any) -> list[Shape]:
    return [shape_of(indices)] * len(shape_argument(shape))


def _raveled(multi_index: Any, *_: Any, **__: Any) -> Shape:
    if isinstance(multi_index, Value):
        return multi_index.shape[1:]
    return elementwise(*multi_index)


no_gradient(np.ix_, shape=_open_mesh, samples=[Sample(np.array([0, 2]), np.array([1, 0, 1])), Sample(MASK[0])])
no_gradient(
    np.unravel_index, shape=_unraveled, dtype=places, samples=[Sample(np.array([5, 1]), (2, 3)), Sample(4, (2, 3))]
)
no_gradient(
    np.ravel_multi_index,
    shape=_raveled,
    dtype=places,
    samples=[Sample((np.array([1, 0]), np.array([2, 1])), (2, 3)), Sample(np.array([[1, 0], [2, 1]]), (2, 3))],
)


# Sets of whole numbers


def _set_of(a: Any, b: Any, *_: Any, **__: Any) -> Shape:
    for x in (a, b):
        if isinstance(x, Value) and x.type.is_real:
            raise TypeError("sets of real numbers are not differentiated; np.unique and a[np.isin(a, b)] are")
    return (unknown_size(("set", identity(a), identity(b))),)


WHOLE = [Sample(np.array([3, 1, 1, 2]), np.array([2, 5, 3]))]
no_gradient(np.setdiff1d, np.union1d, np.setxor1d, shape=_set_of, samples=WHOLE)
no_gradient(np.intersect1d, shape=_set_of, samples=WHOLE)
