"""One array in several: split, array_split, hsplit, vsplit, dsplit, unstack.

In: these functions of NumPy. Out: their records. Layer: rules, above `indexing`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from flatgrad.graph.containers import Slice
from flatgrad.graph.size import Shape, Size, SizeMismatch, derived, number_of, quotient, resolved
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.indexing import slice_length
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of


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


def split_rows(x: Any, *, indices_or_sections: Any) -> list[Shape]:
    """Parts along the first axis."""
    return _split_of_rank(x, indices_or_sections, least=2, axis=0)


def split_columns(x: Any, *, indices_or_sections: Any) -> list[Shape]:
    """Parts along the second axis; a vector is split along its only one."""
    return _split_of_rank(x, indices_or_sections, least=1, axis=1 if len(shape_of(x)) > 1 else 0)


def split_depths(x: Any, *, indices_or_sections: Any) -> list[Shape]:
    """Parts along the third axis."""
    return _split_of_rank(x, indices_or_sections, least=3, axis=2)


def _split_of_rank(x: Any, indices_or_sections: Any, *, least: int, axis: int) -> list[Shape]:
    if len(shape_of(x)) < least:
        raise SizeMismatch(f"an array of rank {len(shape_of(x))} has no axis {least - 1}")
    return split_shapes(x, indices_or_sections=indices_or_sections, axis=axis)


def unstacked(x: Any, *, axis: int = 0) -> list[Shape]:
    """An array for each element of the axis. Raises SizeUnknown where their number is not known."""
    shape = shape_of(x)
    place = normal_axis(axis, len(shape))
    return [shape[:place] + shape[place + 1 :]] * number_of(shape[place])


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


@rule(
    np.vsplit,
    shape=split_rows,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(4, 2), indices_or_sections=2), Sample(real(4, 2, 2), indices_or_sections=[1, 2])],
)
def grad_vsplit(x, y, grad_y, *, indices_or_sections):
    grad_x = np.concatenate(grad_y)
    return grad_x


@rule(
    np.hsplit,
    shape=split_columns,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 4), indices_or_sections=2),
        Sample(real(2, 4), indices_or_sections=[1, 2]),
        Sample(real(4), indices_or_sections=(3,)),
    ],
)
def grad_hsplit(x, y, grad_y, *, indices_or_sections):
    grad_x = np.concatenate(grad_y, axis=1 if x.ndim > 1 else 0)
    return grad_x


@rule(
    np.dsplit,
    shape=split_depths,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3, 4), indices_or_sections=2), Sample(real(2, 2, 3), indices_or_sections=(1,))],
)
def grad_dsplit(x, y, grad_y, *, indices_or_sections):
    grad_x = np.concatenate(grad_y, axis=2)
    return grad_x


@rule(
    np.unstack,
    shape=unstacked,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3)), Sample(real(2, 3), axis=1), Sample(real(2, 3, 2), axis=-1)],
)
def grad_unstack(x, y, grad_y, *, axis=0):
    grad_x = np.stack(grad_y, axis=axis)
    return grad_x
