"""Several arrays in one: concatenate, stack, vstack, hstack, dstack, column_stack, append.

In: these functions of NumPy. Out: their records. Layer: rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, count, plus, times, unify
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import normal_axis, shape_of


def _shapes(arrays: Any) -> list[Shape]:
    """Return the shapes of the arrays to join; those of the rows of one array can be known by one."""
    if not isinstance(arrays, tuple | list):
        raise SizeMismatch("several arrays are joined as a tuple or list of them")
    if not arrays:
        raise SizeMismatch("no arrays to join")
    return [shape_of(x) for x in arrays]


def joined(shapes: Sequence[Shape], axis: int) -> Shape:
    """Arrays of these shapes one after another along an axis."""
    rank = len(shapes[0])
    if any(len(shape) != rank for shape in shapes):
        raise SizeMismatch(f"arrays of ranks {', '.join(str(len(shape)) for shape in shapes)}")
    axis = normal_axis(axis, rank)
    sizes = list(shapes[0])
    for shape in shapes[1:]:
        sizes = [plus(a, b) if k == axis else unify(a, b) for k, (a, b) in enumerate(zip(sizes, shape, strict=True))]
    return tuple(sizes)


def _joined_items(arrays: Any, widened: Any, axis: int) -> Shape:
    """Arrays after `widened` has given their shapes more axes, one after another; an array stands for its rows."""
    if isinstance(arrays, Value):
        if not arrays.rank:
            raise SizeMismatch("several arrays are joined, not a number")
        return _concatenated_rows((arrays.shape[0], *widened(arrays.shape[1:])), axis)
    return joined([widened(shape) for shape in _shapes(arrays)], axis)


def concatenated(arrays: Any, *, axis: int | None = 0, **_: Any) -> Shape:
    """The sizes along the axis add up; None joins the flat arrays."""
    if axis is None:
        return _joined_items(arrays, lambda shape: (count(shape),), 0)
    return _joined_items(arrays, lambda shape: shape, axis)


def _concatenated_rows(shape: Shape, axis: int) -> Shape:
    """The rows of an array, or of a list that is one, one after another along an axis."""
    axis = normal_axis(axis, len(shape) - 1)
    return (*shape[1 : axis + 1], times(shape[0], shape[axis + 1]), *shape[axis + 2 :])


def stacked(arrays: Any, *, axis: int = 0, **_: Any) -> Shape:
    """A new axis of as many elements as there are arrays."""
    rank = arrays.rank if isinstance(arrays, Value) else len(_shapes(arrays)[0]) + 1
    place = normal_axis(axis, rank)
    return _joined_items(arrays, lambda shape: (*shape[:place], 1, *shape[place:]), place)


def stacked_rows(arrays: Any, **_: Any) -> Shape:
    """Vectors become rows; the rows add up."""
    return _joined_items(arrays, lambda shape: (1,) * (2 - len(shape)) + shape, 0)


def stacked_columns(arrays: Any, **_: Any) -> Shape:
    """Vectors are joined end to end; the columns of matrices add up."""
    rank = arrays.rank - 1 if isinstance(arrays, Value) else len(_shapes(arrays)[0])
    return _joined_items(arrays, lambda shape: shape or (1,), 1 if rank > 1 else 0)


def stacked_depths(arrays: Any) -> Shape:
    """Vectors become rows and matrices get a third axis, along which they are joined."""
    return _joined_items(arrays, lambda shape: (1,) * (2 - len(shape)) + shape + (1,) * (len(shape) < 3), 2)


def depth_index(rank: int, depth: Any) -> tuple[Any, ...]:
    """Return the index of a number, vector or matrix that np.dstack has put into this depth."""
    return (0,) * (2 - rank) + (slice(None),) * rank + (depth,)


def columns(arrays: Any) -> Shape:
    """Vectors become columns; the columns add up."""
    return _joined_items(arrays, lambda shape: shape if len(shape) > 1 else (*(shape or (1,)), 1), 1)


def appended_shape(x: Any, values: Any, *, axis: int | None = None) -> Shape:
    """Two arrays one after another."""
    return concatenated((x, values), axis=axis)


@rule(
    np.concatenate,
    shape=concatenated,
    linear=True,
    samples=[
        Sample((real(3), real(2))),
        Sample((real(2, 3), real(1, 3), real(4, 3))),
        Sample((real(2, 3), real(2, 1)), axis=-1),
        Sample((real(2, 3), real(4)), axis=None),
        Sample((real(2, 3), 1.5), axis=None),
        Sample((real(3), real(2)), dtype=np.float64, casting="same_kind"),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4), axis=1),
        Sample(real(2, 3), axis=None),
    ],
)
def grad_concatenate(arrays, y, grad_y, *, axis=0, dtype=None, casting="same_kind"):
    if not isinstance(arrays, tuple) and (axis == 0 or axis is None):
        grad_arrays: Any = np.reshape(grad_y, np.shape(arrays))
    elif not isinstance(arrays, tuple):
        before = np.shape(grad_y)[: axis % grad_y.ndim]
        parts = np.reshape(grad_y, (*before, len(arrays), -1, *np.shape(grad_y)[axis % grad_y.ndim + 1 :]))
        grad_arrays = np.moveaxis(parts, axis % grad_y.ndim, 0)
    elif axis is None:
        stops = [sum([np.size(x) for x in arrays[: k + 1]]) for k in range(len(arrays) - 1)]
        pieces = np.split(grad_y, stops)
        grad_arrays = tuple([np.reshape(pieces[k], np.shape(arrays[k])) for k in range(len(arrays))])
    else:
        stops = [sum([np.shape(x)[axis] for x in arrays[: k + 1]]) for k in range(len(arrays) - 1)]
        grad_arrays = tuple(np.split(grad_y, stops, axis=axis))
    return grad_arrays


@rule(
    np.stack,
    shape=stacked,
    linear=True,
    samples=[
        Sample((real(3), real(3) + 1)),
        Sample((real(2, 3), real(2, 3) + 1, real(2, 3) * 2), axis=1),
        Sample((real(2, 3), real(2, 3) + 1), axis=-1),
        Sample((real(), 1.5)),
        Sample((real(3), real(3) + 1), axis=1, dtype=np.float64, casting="same_kind"),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4), axis=-1),
    ],
)
def grad_stack(arrays, y, grad_y, *, axis=0, dtype=None, casting="same_kind"):
    if isinstance(arrays, tuple):
        before = (slice(None),) * (axis % grad_y.ndim)
        grad_arrays = tuple([grad_y[before + (k,)] for k in range(len(arrays))])
    elif axis == 0:
        grad_arrays = grad_y
    else:
        grad_arrays = np.moveaxis(grad_y, axis, 0)
    return grad_arrays


@rule(
    np.vstack,
    shape=stacked_rows,
    linear=True,
    samples=[
        Sample((real(3), real(3) + 1)),
        Sample((real(2, 3), real(4, 3))),
        Sample((real(2, 3), real(3))),
        Sample((real(2, 1), real(1), real())),
        Sample((real(), 1.5)),
        Sample((real(3), real(3) + 1), dtype=np.float64, casting="same_kind"),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4)),
        Sample(real(3)),
    ],
)
def grad_vstack(arrays, y, grad_y, *, dtype=None, casting="same_kind"):
    if not isinstance(arrays, tuple):
        grad_arrays: Any = grad_y if np.ndim(arrays) == 2 else np.reshape(grad_y, np.shape(arrays))
    elif all([np.ndim(x) == 1 for x in arrays]):
        grad_arrays = tuple([grad_y[k] for k in range(len(arrays))])
    else:
        rows = [np.shape(x)[0] if np.ndim(x) > 1 else 1 for x in arrays]
        parts = np.split(grad_y, [sum(rows[: k + 1]) for k in range(len(rows) - 1)])
        grad_arrays = tuple(
            [
                parts[k] if np.ndim(arrays[k]) > 1 else parts[k][(0,) * (2 - np.ndim(arrays[k]))]
                for k in range(len(arrays))
            ]
        )
    return grad_arrays


@rule(
    np.hstack,
    shape=stacked_columns,
    linear=True,
    samples=[
        Sample((real(3), real(2))),
        Sample((real(2, 3), real(2, 1))),
        Sample((real(2, 3, 2), real(2, 1, 2))),
        Sample((real(), 1.5)),
        Sample((real(), real(3))),
        Sample((real(3), real(2)), dtype=np.float64, casting="same_kind"),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4)),
        Sample(real(3)),
    ],
)
def grad_hstack(arrays, y, grad_y, *, dtype=None, casting="same_kind"):
    axis = 1 if grad_y.ndim > 1 else 0
    if not isinstance(arrays, tuple):
        if axis == 1:
            before, after = np.shape(grad_y)[0], np.shape(grad_y)[2:]
            grad_arrays: Any = np.moveaxis(np.reshape(grad_y, (before, len(arrays), -1, *after)), 1, 0)
        else:
            grad_arrays = np.reshape(grad_y, np.shape(arrays))
    else:
        columns = [np.shape(x)[axis] if np.ndim(x) > 0 else 1 for x in arrays]
        parts = np.split(grad_y, [sum(columns[: k + 1]) for k in range(len(columns) - 1)], axis=axis)
        grad_arrays = tuple([parts[k] if np.ndim(arrays[k]) > 0 else parts[k][0] for k in range(len(arrays))])
    return grad_arrays


@rule(
    np.dstack,
    shape=stacked_depths,
    linear=True,
    samples=[
        Sample((real(3), real(3) + 1)),
        Sample((real(2, 3), real(2, 3) + 1)),
        Sample((real(2, 3, 2), real(2, 3, 1))),
        Sample((real(2, 3), real(2, 3, 2))),
        Sample((real(1, 3, 2), real(3))),
        Sample((real(), 1.5)),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4)),
        Sample(real(2, 3, 2, 2)),
    ],
)
def grad_dstack(arrays, y, grad_y):
    if not isinstance(arrays, tuple) and np.ndim(arrays) < 4:
        grad_arrays: Any = np.moveaxis(grad_y[depth_index(np.ndim(arrays) - 1, slice(None))], -1, 0)
    elif not isinstance(arrays, tuple):
        split = np.reshape(grad_y, (*np.shape(grad_y)[:2], len(arrays), -1, *np.shape(grad_y)[3:]))
        grad_arrays = np.moveaxis(split, 2, 0)
    elif all([np.ndim(x) < 3 for x in arrays]):
        grad_arrays = tuple([grad_y[depth_index(np.ndim(arrays[k]), k)] for k in range(len(arrays))])
    else:
        depths = [np.shape(x)[2] if np.ndim(x) > 2 else 1 for x in arrays]
        parts = np.split(grad_y, [sum(depths[: k + 1]) for k in range(len(depths) - 1)], axis=2)
        grad_arrays = tuple(
            [
                parts[k] if np.ndim(arrays[k]) > 2 else parts[k][depth_index(np.ndim(arrays[k]), 0)]
                for k in range(len(arrays))
            ]
        )
    return grad_arrays


@rule(
    np.column_stack,
    shape=columns,
    linear=True,
    samples=[
        Sample((real(3), real(3) + 1)),
        Sample((real(2, 3), real(2, 1))),
        Sample((real(2), real(2, 3), real(2) + 1)),
        Sample((real(), 1.5)),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4)),
    ],
)
def grad_column_stack(arrays, y, grad_y):
    if not isinstance(arrays, tuple) and np.ndim(arrays) == 2:
        grad_arrays: Any = grad_y.T
    elif not isinstance(arrays, tuple):
        split = np.reshape(grad_y, (np.shape(grad_y)[0], len(arrays), -1, *np.shape(grad_y)[2:]))
        grad_arrays = np.moveaxis(split, 1, 0)
    elif all([np.ndim(x) < 2 for x in arrays]):
        grad_arrays = tuple([grad_y[:, k] if np.ndim(arrays[k]) == 1 else grad_y[0, k] for k in range(len(arrays))])
    else:
        widths = [np.shape(x)[1] if np.ndim(x) > 1 else 1 for x in arrays]
        parts = np.split(grad_y, [sum(widths[: k + 1]) for k in range(len(widths) - 1)], axis=1)
        grad_arrays = tuple([parts[k] if np.ndim(arrays[k]) > 1 else parts[k][:, 0] for k in range(len(arrays))])
    return grad_arrays


@rule(
    np.append,
    shape=appended_shape,
    linear=True,
    samples=[
        Sample(real(3), real(2)),
        Sample(real(3), real()),
        Sample(real(), real(2)),
        Sample(real(2, 3), real(1, 2)),
        Sample(real(2, 3), real(1, 3), axis=0),
        Sample(real(2, 3), real(2, 2), axis=-1),
    ],
)
def grad_append(x, values, y, grad_y, *, axis=None):
    if axis is None:
        size = len(x) if np.ndim(x) == 1 else np.size(x)
        grad_x = grad_y[:size] if np.ndim(x) == 1 else np.reshape(grad_y[:size], np.shape(x))
        if np.ndim(values) == 0:
            grad_values = grad_y[-1]
        else:
            grad_values = grad_y[size:] if np.ndim(values) == 1 else np.reshape(grad_y[size:], np.shape(values))
    else:
        parts = np.split(grad_y, [np.shape(x)[axis]], axis=axis)
        grad_x, grad_values = parts[0], parts[1]
    return grad_x, grad_values
