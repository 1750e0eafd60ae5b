"""Elements repeated: tile, repeat, resize.

In: these functions of NumPy. Out: their records. Layer: rules, above `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch, count, is_one, plus, times, unify
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, question, real, rule
from flatgrad.rules.creation import identity, shape_argument, size_of_number, unknown_size
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of
from flatgrad.rules.static import is_number

# The whole array


def _counts(reps: Any, rank: int) -> tuple[Any, ...]:
    counts = tuple(reps) if isinstance(reps, tuple | list) else (reps,)
    return (1,) * (rank - len(counts)) + counts


def tiled(x: Any, reps: Any) -> Shape:
    """Each axis gets as many times as long as it says; new axes come first."""
    shape = shape_of(x)
    if isinstance(reps, Value) and reps.rank:
        raise SizeMismatch("how often an array is repeated along each axis has to be written as a tuple")
    counts = _counts(reps, len(shape))
    sizes = (1,) * (len(counts) - len(shape)) + shape
    return tuple(times(size, size_of_number(each)) for size, each in zip(sizes, counts, strict=True))


@question
def tile_counts(x: Any, reps: Any) -> tuple[Any, ...]:
    """Return how often an array is repeated along each axis of the result."""
    return _counts(reps, len(shape_of(x)))


@question
def is_once(count: Any) -> bool:
    """Tell whether a number is certain to be 1."""
    return is_number(count, 1)


@question
def is_stretched(x: Any, counts: tuple[Any, ...]) -> bool:
    """Tell whether no axis is certain to be repeated but those of length 1, which is what broadcasting does."""
    sizes = (1,) * (len(counts) - len(shape_of(x))) + shape_of(x)
    return all(
        is_once(each) or (is_one(size) is True and is_one(size_of_number(each)) is False)
        for size, each in zip(sizes, counts, strict=True)
    )


@rule(
    np.tile,
    shape=tiled,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(3), 2),
        Sample(real(2, 3), 2),
        Sample(real(2, 3), (2, 1)),
        Sample(real(2, 3), (2, 3)),
        Sample(real(3), (2, 1)),
        Sample(real(3), (2, 3, 2)),
        Sample(real(2, 3, 2), (2, 2)),
        Sample(real(), 3),
        Sample(real(3), 1),
        Sample(real(3, 1), (2, 2)),
        Sample(real(3, 1), (1, 2)),
    ],
)
def grad_tile(x, reps, y, grad_y):
    counts = tile_counts(x, reps)
    first = len(counts) - np.ndim(x)
    # the parts that an axis of the result is made of get an axis of their own
    sizes = [
        size
        for k in range(len(counts))
        for size in (
            (counts[k],)
            if k < first
            else (np.shape(x)[k - first],)
            if is_once(counts[k])
            else (counts[k], np.shape(x)[k - first])
        )
    ]
    before = [
        k if k < first else first + sum([1 if is_once(c) else 2 for c in counts[first:k]]) for k in range(len(counts))
    ]
    axes = tuple([before[k] for k in range(len(counts)) if k < first or not is_once(counts[k])])
    if is_stretched(x, counts):
        grad_x = grad_y
    else:
        grad_x = np.sum(np.reshape(grad_y, tuple(sizes)), axis=axes[0] if len(axes) == 1 else axes)
    return grad_x


# Each element


def repeated(x: Any, repeats: Any, *, axis: int | None = None) -> Shape:
    """The axis gets as many times as long; of a number for each element, it gets their sum."""
    shape = shape_of(x)
    if axis is None:
        return (_repeated_size(count(shape), repeats),)
    place = normal_axis(axis, len(shape))
    return (*shape[:place], _repeated_size(shape[place], repeats), *shape[place + 1 :])


def _repeated_size(size: Size, repeats: Any) -> Size:
    if isinstance(repeats, Value) and repeats.rank > 1:
        raise SizeMismatch(f"repeats of rank {repeats.rank}")
    if isinstance(repeats, tuple | list):
        if len(repeats) == 1:
            return times(size, size_of_number(repeats[0]))
        unify(size, len(repeats))
        total: Size = 0
        for each in repeats:
            total = plus(total, size_of_number(each))
        return total
    if not isinstance(repeats, Value) or not repeats.rank:
        return times(size, size_of_number(repeats))
    if is_one(repeats.shape[0]) is False:
        unify(size, repeats.shape[0])
    return unknown_size(("repeat", size, identity(repeats)))


@question
def is_same_number(repeats: Any) -> bool:
    """Tell whether each element is repeated as often as the others, by one number."""
    return not isinstance(repeats, tuple | list) and not shape_of(repeats)


@question
def once_but(x: Any, axis: int, repeats: Any) -> tuple[Any, ...]:
    """Return how often each axis is repeated where one of them is."""
    place = normal_axis(axis, len(shape_of(x)))
    return tuple(repeats if k == place else 1 for k in range(len(shape_of(x))))


@rule(
    np.repeat,
    shape=repeated,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(3), 2),
        Sample(real(2, 3), 2),
        Sample(real(2, 3), 2, axis=0),
        Sample(real(2, 3), 3, axis=-1),
        Sample(real(), 3),
        Sample(real(3), [2, 0, 1]),
        Sample(real(2, 3), [1, 2, 0], axis=1),
        Sample(real(2, 2), [1, 2, 0, 1]),
        Sample(real(3, 2), np.array([2, 0, 1]), axis=0),
        Sample(real(3), (2,)),
        Sample(real(3, 1), 2, axis=1),
    ],
)
def grad_repeat(x, repeats, y, grad_y, *, axis=None):
    if axis is not None and is_same_number(repeats) and is_stretched(x, once_but(x, axis, repeats)):
        grad_x = grad_y
    elif is_same_number(repeats):
        behind = np.ndim(x) if axis is None else axis % x.ndim + 1
        parts = np.reshape(grad_y, (*np.shape(x)[:behind], repeats, *np.shape(x)[behind:]))
        grad_x = np.sum(parts, axis=behind)
    elif axis is None:
        places = np.repeat(np.arange(len(x) if x.ndim == 1 else np.size(x)), repeats)
        grad_x = (
            placed(grad_y, places, x) if x.ndim == 1 else np.reshape(placed(grad_y, places, np.ravel(x)), np.shape(x))
        )
    else:
        places = np.repeat(np.arange(np.shape(x)[axis]), repeats)
        grad_x = placed(grad_y, (slice(None),) * (axis % x.ndim) + (places,) if axis % x.ndim > 0 else places, x)
    return grad_x


# As many as there is room for


def resized(x: Any, new_shape: Any) -> Shape:
    """The shape asked for."""
    return shape_argument(new_shape)


@rule(
    np.resize,
    shape=resized,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(3), 7),
        Sample(real(3), 2),
        Sample(real(2, 3), (3, 5)),
        Sample(real(2, 3), (2, 2)),
        Sample(real(), (2, 2)),
    ],
)
def grad_resize(x, new_shape, y, grad_y):
    if np.ndim(x) == 0:
        grad_x = np.sum(grad_y)
    else:
        places = np.resize(np.arange(len(x) if x.ndim == 1 else np.size(x)), np.size(y))
        values = grad_y if grad_y.ndim == 1 else np.ravel(grad_y)
        grad_x = (
            placed(values, places, x) if x.ndim == 1 else np.reshape(placed(values, places, np.ravel(x)), np.shape(x))
        )
    return grad_x
