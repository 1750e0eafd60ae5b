"""Several arrays in one, and one in several: array, concatenate, stack, split and their like.

In: these functions of NumPy. Out: their records. Layer: rules, above `indexing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np

from flatgrad.graph.containers import Slice
from flatgrad.graph.size import (
    Shape,
    Size,
    SizeMismatch,
    count,
    derived,
    number_of,
    plus,
    quotient,
    resolved,
    times,
    unify,
)
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.indexing import slice_length
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of

# Several arrays in one


def _shapes(arrays: Any) -> list[Shape]:
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


def concatenated(arrays: Any, *, axis: int | None = 0) -> Shape:
    """The sizes along the axis add up; None joins the flat arrays."""
    if isinstance(arrays, Value):
        return _concatenated_rows(arrays.shape, axis)
    shapes = _shapes(arrays)
    return joined([(count(shape),) for shape in shapes], 0) if axis is None else joined(shapes, axis)


def _concatenated_rows(shape: Shape, axis: int | None) -> Shape:
    """The rows of an array, or of a list that is one, one after another along an axis."""
    if axis is None:
        return (count(shape),)
    axis = normal_axis(axis, len(shape) - 1)
    return (*shape[1 : axis + 1], times(shape[0], shape[axis + 1]), *shape[axis + 2 :])


def stacked(arrays: Any, *, axis: int = 0) -> Shape:
    """A new axis of as many elements as there are arrays."""
    if isinstance(arrays, Value):
        shape = arrays.shape
        axis = normal_axis(axis, len(shape))
        return (*shape[1 : axis + 1], shape[0], *shape[axis + 1 :])
    shapes = _shapes(arrays)
    axis = normal_axis(axis, len(shapes[0]) + 1)
    return joined([(*shape[:axis], 1, *shape[axis:]) for shape in shapes], axis)


def stacked_rows(arrays: Any) -> Shape:
    """Vectors become rows; the rows add up."""
    return joined([(1,) * (2 - len(shape)) + shape for shape in _shapes(arrays)], 0)


def stacked_columns(arrays: Any) -> Shape:
    """Vectors are joined end to end; the columns of matrices add up."""
    shapes = [shape or (1,) for shape in _shapes(arrays)]
    return joined(shapes, 0 if len(shapes[0]) == 1 else 1)


def _depth(x: Any) -> int:
    """How deep lists are nested."""
    return 1 + max(map(_depth, x), default=0) if isinstance(x, tuple | list) else 0


def arrayed(x: Any, **_: Any) -> Shape:
    """The shape of an array, or of nested lists of numbers and arrays."""
    if not isinstance(x, tuple | list):
        return shape_of(x)
    if _depth(x) > 3:
        raise SizeMismatch("lists are nested more than three deep")
    shapes = [arrayed(part) for part in x]
    if any(len(shape) != len(shapes[0]) for shape in shapes):
        raise SizeMismatch("a list whose parts differ in rank can't be an array")
    rest = [reduce(unify, sizes) for sizes in zip(*shapes, strict=True)]
    return (len(x), *rest)


@rule(
    np.array,
    np.asarray,
    shape=arrayed,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 3)),
        Sample(real()),
        Sample((real(), 1.5)),
        Sample((real(3), real(3) + 1)),
        Sample(((real(), 0.5), (-0.5, 1.5))),
        Sample((((real(), 0.5), (-0.5, 1.5)), ((1.5, 2.5), (real(), 3.0)))),
    ],
)
def grad_array(x, y, grad_y, *, dtype=None, copy=None):
    if dtype is not None and not np.issubdtype(y.dtype, np.inexact):
        grad_y = np.zeros_like(grad_y)
    if not isinstance(x, tuple) and np.iscomplexobj(grad_y) and not np.iscomplexobj(x):
        grad_y = grad_y.real
    if not isinstance(x, tuple):
        grad_x = grad_y if dtype is None or x.dtype == grad_y.dtype else grad_y.astype(x.dtype)
    elif any(isinstance(part, tuple) for part in x):
        # rows that are lists themselves, and perhaps hold lists
        grad_x = tuple([
            tuple([
                tuple([grad_y[i, k, m] for m in range(len(x[i][k]))]) if isinstance(x[i][k], tuple) else grad_y[i, k]
                for k in range(len(x[i]))
            ]) if isinstance(x[i], tuple) else grad_y[i]
            for i in range(len(x))
        ])  # fmt: skip
    else:
        grad_x = tuple([grad_y[k] for k in range(len(x))])
    return grad_x


@rule(
    np.concatenate,
    shape=concatenated,
    linear=True,
    samples=[
        Sample((real(3), real(2))),
        Sample((real(2, 3), real(1, 3), real(4, 3))),
        Sample((real(2, 3), real(2, 1)), axis=-1),
        Sample((real(2, 3), real(4)), axis=None),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4), axis=1),
        Sample(real(2, 3), axis=None),
    ],
)
def grad_concatenate(arrays, y, grad_y, *, axis=0):
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
        Sample(real(2, 3)),
        Sample(real(2, 3, 4), axis=-1),
    ],
)
def grad_stack(arrays, y, grad_y, *, axis=0):
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
        Sample((real(), 1.5)),
    ],
)
def grad_vstack(arrays, y, grad_y):
    rows = [np.shape(x)[0] if np.ndim(x) > 1 else 1 for x in arrays]
    parts = np.split(grad_y, [sum(rows[: k + 1]) for k in range(len(rows) - 1)])
    grad_arrays = tuple(
        [parts[k] if np.ndim(arrays[k]) > 1 else np.reshape(parts[k], np.shape(arrays[k])) for k in range(len(arrays))]
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
    ],
)
def grad_hstack(arrays, y, grad_y):
    axis = 1 if grad_y.ndim > 1 else 0
    columns = [np.shape(x)[axis] if np.ndim(x) > 0 else 1 for x in arrays]
    parts = np.split(grad_y, [sum(columns[: k + 1]) for k in range(len(columns) - 1)], axis=axis)
    grad_arrays = tuple([parts[k] if np.ndim(arrays[k]) > 0 else np.reshape(parts[k], ()) for k in range(len(arrays))])
    return grad_arrays


# One array in several


def _parts(x: Any, lengths: Callable[[Size], list[Size]], axis: int) -> list[Shape]:
    shape = shape_of(x)
    place = normal_axis(axis, len(shape))
    return [(*shape[:place], length, *shape[place + 1 :]) for length in lengths(shape[place])]


def _pieces(size: Size, stops: Any) -> list[Size]:
    ends = [0, *stops, None]
    return [slice_length(size, Slice(start, stop)) for start, stop in pairwise(ends)]


def _even(size: Size, sections: int) -> Size:
    whole = quotient(size, sections)
    if whole is None and isinstance(resolved(size), int):
        raise SizeMismatch(f"{number_of(size)} elements in {sections} equal parts")
    return derived(("quotient", sections), size, lambda total: total // sections) if whole is None else whole


def _part_length(size: Size, sections: int, part: int) -> Size:
    return derived(("part", part, sections), size, lambda total: (total + sections - 1 - part) // sections)


def split_shapes(x: Any, *, indices_or_sections: Any, axis: int = 0) -> list[Shape]:
    """Equal parts for a number, the parts between the indices otherwise."""
    if isinstance(indices_or_sections, int):
        return _parts(x, lambda size: [_even(size, indices_or_sections)] * indices_or_sections, axis)
    return _parts(x, lambda size: _pieces(size, indices_or_sections), axis)


def array_split_shapes(x: Any, *, indices_or_sections: Any, axis: int = 0) -> list[Shape]:
    """As np.split; of parts that can't be equal the first are one longer."""
    if not isinstance(indices_or_sections, int):
        return split_shapes(x, indices_or_sections=indices_or_sections, axis=axis)
    sections = indices_or_sections

    def lengths(size: Size) -> list[Size]:
        whole = quotient(size, sections)
        return [_part_length(size, sections, k) for k in range(sections)] if whole is None else [whole] * sections

    return _parts(x, lengths, axis)


@rule(
    np.split,
    shape=split_shapes,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(6), indices_or_sections=3),
        Sample(real(6), indices_or_sections=1),
        Sample(real(6), indices_or_sections=[1, 4]),
        Sample(real(2, 6), indices_or_sections=(2, 3), axis=-1),
    ],
)
def grad_split(x, y, grad_y, *, indices_or_sections, axis=0):
    grad_x = np.concatenate(grad_y, axis=axis)
    return grad_x


@rule(
    np.array_split,
    shape=array_split_shapes,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(7), indices_or_sections=3), Sample(real(6), indices_or_sections=[1, 4])],
)
def grad_array_split(x, y, grad_y, *, indices_or_sections, axis=0):
    grad_x = np.concatenate(grad_y, axis=axis)
    return grad_x
