"""Arrays with a border around them: np.pad.

In: nothing. Out: its record. What a mode copies from the array goes back to where it came from. Layer: rules, above `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.containers import Dict, leaves
from flatgrad.graph.size import Shape, SizeMismatch, plus
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Kink, Sample, inline, question, real, rule
from flatgrad.rules.creation import size_of_number
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of
from flatgrad.rules.static import is_number, part_between, shortened
from flatgrad.rules.writing import added, assigned

# modes with the options that they take
MODES: dict[str, frozenset[str]] = {
    "constant": frozenset({"constant_values"}),
    "edge": frozenset(),
    "reflect": frozenset({"reflect_type"}),
    "symmetric": frozenset({"reflect_type"}),
    "wrap": frozenset(),
    "linear_ramp": frozenset({"end_values"}),
    "mean": frozenset({"stat_length"}),
    "maximum": frozenset({"stat_length"}),
    "minimum": frozenset({"stat_length"}),
}

Pairs = tuple[tuple[Any, Any], ...]


def _pairs(numbers: Any, rank: int, what: str) -> Pairs:
    """Return two numbers for each axis, given as one number, as two, or as some for each axis."""
    if isinstance(numbers, Value) and numbers.rank:
        raise TypeError(f"{what} has to be a number or a tuple, not an array")
    if not isinstance(numbers, tuple | list):
        return ((numbers, numbers),) * rank
    rows = [tuple(row) if isinstance(row, tuple | list) else (row,) for row in numbers]
    if not any(isinstance(row, tuple | list) for row in numbers):
        rows = [tuple(numbers)]
    if len(rows) not in (1, rank) or any(len(row) not in (1, 2) for row in rows):
        raise SizeMismatch(f"{what} for an array of rank {rank}")
    return tuple((row[0], row[-1]) for row in (rows * rank if len(rows) == 1 else rows))


@question
def pad_widths(x: Any, pad_width: Any) -> Pairs:
    """Return how many elements come before and behind those of each axis."""
    rank = len(shape_of(x))
    items = pad_width.items if isinstance(pad_width, Dict) else pad_width
    if isinstance(items, dict):
        by_axis = {normal_axis(axis, rank): _pairs(width, 1, "pad_width")[0] for axis, width in items.items()}
        return tuple(by_axis.get(axis, (0, 0)) for axis in range(rank))
    return _pairs(items, rank, "pad_width")


def padded(x: Any, pad_width: Any, constant_values: Any = 0, *, mode: Any = "constant", **options: Any) -> Shape:
    """The axes get longer by what is put before and behind them."""
    if isinstance(constant_values, Value) and constant_values.rank:
        raise TypeError("constant_values as an array has no rule; write a number, or tuples of them")
    if mode not in MODES:
        raise TypeError(f"mode={mode!r} has no rule; these have one: {', '.join(MODES)}")
    if any(isinstance(leaf, Value) and not isinstance(leaf, Constant) for leaf in leaves(options.get("end_values"))):
        raise TypeError("end_values that are data have no rule; write numbers")
    for name in options:
        if name not in MODES[mode]:
            raise TypeError(f"mode={mode!r} takes no {name}")
    if not shape_of(x):
        raise SizeMismatch("a border around a number")
    lengths = _pairs(options.get("stat_length"), len(shape_of(x)), "stat_length")
    if any(length is not None and length < 1 for pair in lengths for length in pair):
        raise TypeError("stat_length has to be at least 1")
    return tuple(
        plus(size, plus(size_of_number(before), size_of_number(behind)))
        for size, (before, behind) in zip(shape_of(x), pad_widths(x, pad_width), strict=True)
    )


@question
def inner_index(widths: Pairs, ends: tuple[Any, ...]) -> Any:
    """Return the index of what lies within the border; `ends` are where it ends, counted from the front."""
    return shortened(
        tuple([_inner_part(before, behind, end) for (before, behind), end in zip(widths, ends, strict=True)])
    )


def _inner_part(before: Any, behind: Any, end: Any) -> slice:
    if is_number(behind, 0):
        return part_between(before, None)
    known = getattr(behind, "number", behind)
    return part_between(before, -known if isinstance(known, int) else end)


@question
def has_width(widths: Pairs, axis: int) -> bool:
    """Tell whether anything is put before or behind an axis."""
    return not all(is_number(width, 0) for width in widths[axis])


@question
def border_index(widths: Pairs, ends: tuple[Any, ...], axis: int, side: int) -> Any:
    """Return the index of what is put before or behind an axis: whole along the axes before it, within the border behind it."""
    before, behind = widths[axis]
    part = part_between(None, before) if side == 0 else part_between(ends[axis], None)
    known = getattr(behind, "number", behind)
    if side == 1 and isinstance(known, int) and known:
        part = part_between(-known, None)
    later = zip(widths[axis + 1 :], ends[axis + 1 :], strict=True)
    return shortened((*[slice(None)] * axis, part, *[_inner_part(*around, end) for around, end in later]))


@question
def sides_of(constants: Any, rank: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return, for each number among the constants, the axes and sides that it is put at."""
    if any(isinstance(row, tuple | list) for row in constants):
        rows = [tuple(row) if isinstance(row, tuple | list) else (row,) for row in constants]
        axes = [tuple(range(rank))] if len(rows) == 1 else [(axis,) for axis in range(rank)]
    else:
        rows, axes = [tuple(constants)], [tuple(range(rank))]
    return tuple(
        tuple((axis, side) for axis in along for side in ((0, 1) if len(row) == 1 else (k,)))
        for row, along in zip(rows, axes, strict=True)
        for k in range(len(row))
    )


@question
def lengths_along(stat_length: Any, axis: int, rank: int) -> tuple[Any, Any]:
    """Return how many elements at each end of an axis a mean or a maximum is taken of; None for all of them."""
    return _pairs(stat_length, rank, "stat_length")[axis]


# The border of each axis is made of what is there then, and that of the axes before it belongs to it: the last axis goes back first.


@inline
def turned_back(gradient, x, widths, mode):
    """Return the gradient of an array that is reflected at its ends, in the other direction."""
    grad_x = gradient
    for axis in reversed(range(x.ndim)):
        if has_width(widths, axis):
            rows = np.eye(np.shape(x)[axis], dtype=gradient.dtype)
            matrix = np.pad(rows, (widths[axis], (0, 0)), mode=mode, reflect_type="odd")
            changed = np.tensordot(matrix, grad_x, axes=(0, axis))
            grad_x = np.moveaxis(changed, 0, axis) if axis > 0 else changed
    return grad_x


@inline
def gathered(gradient, x, y, widths, ends, mode, stat_length):
    """Return the gradient of an array whose border is made of its ends, or of means, greatest or least numbers."""
    grad_x, rest = gradient, y
    for axis in reversed(range(x.ndim)):
        if has_width(widths, axis):
            stops = [widths[axis][0], ends[axis]]
            parts, values = np.split(grad_x, stops, axis=axis), np.split(rest, stops, axis=axis)
            grad_x, rest = parts[1], values[1]
            for side in (0, 1):
                width, length = widths[axis][side], lengths_along(stat_length, axis, x.ndim)[side]
                if not is_number(width, 0) and mode == "linear_ramp":
                    share = ramp_total(parts[2 * side], width, axis, side)
                    grad_x = added(grad_x, share, end_index(axis, side))
                elif not is_number(width, 0) and length is None:
                    grad_x = grad_x + shares(parts[2 * side], rest, mode, axis)
                elif not is_number(width, 0):
                    part = end_index(axis, side, length)
                    grad_x = added(grad_x, shares(parts[2 * side], rest[part], mode, axis), part)
    return grad_x


@question
def end_index(axis: int, side: int, length: int | None = None) -> Any:
    """Return the index of the first or the last element along an axis, or of as many at that end."""
    one = 0 if side == 0 else -1
    several = slice(None, length) if side == 0 else slice(-(length or 0), None)
    part = one if length is None else several
    return (*[slice(None)] * axis, part) if axis else part


@inline
def ramp_total(border, width, axis, side):
    """Return the sum of gradients of a border that goes straight from another number to the end of an axis."""
    ramp = np.arange(width) / width if side == 0 else np.arange(width)[::-1] / width
    return np.tensordot(ramp, border, axes=(0, axis))


@inline
def shares(border, values, mode, axis):
    """Return the gradient of each of the values that a border is the mean, the greatest or the least number of."""
    total = np.sum(border, axis=axis, keepdims=True) if border.ndim > 1 else np.sum(border)
    if mode == "mean":
        result = total / np.shape(values)[axis]
    else:
        end = np.max if mode == "maximum" else np.min
        chosen = np.full_like(values, values == end(values, axis=axis, keepdims=border.ndim > 1))
        result = total * chosen / np.sum(chosen, axis=axis, keepdims=border.ndim > 1)
    return result


X = real(2, 3)
MATRIX_WIDTHS = ((1, 2), (0, 3))


@rule(
    np.pad,
    shape=padded,
    dtype=dtype_of_first,
    samples=[
        Sample(real(4), 2),
        Sample(real(4), (1, 3)),
        Sample(real(4), (0, 1)),
        Sample(real(4), (2,)),
        Sample(X, 1),
        Sample(X, MATRIX_WIDTHS),
        Sample(X, (1, 0), mode="constant", constant_values=real()),
        Sample(real(4), (1, 2), constant_values=(real(), 0.5)),
        Sample(X, MATRIX_WIDTHS, constant_values=((real(), 0.5), (1.5, 2.5))),
        Sample(X, 1, constant_values=((real(), 0.5),)),
        Sample(X, ((2, 1), (1, 1)), constant_values=((real(),), (0.5,))),
        Sample(real(4), (2, 3), mode="edge"),
        Sample(X, MATRIX_WIDTHS, mode="edge"),
        Sample(real(4), (2, 3), mode="reflect"),
        Sample(real(4), (7, 5), mode="reflect"),
        Sample(X, ((1, 2), (0, 5)), mode="reflect"),
        Sample(real(4), (2, 3), mode="reflect", reflect_type="odd"),
        Sample(X, ((1, 2), (0, 5)), mode="reflect", reflect_type="odd"),
        Sample(real(4), (2, 3), mode="symmetric"),
        Sample(X, ((1, 3), (4, 0)), mode="symmetric"),
        Sample(X, ((1, 3), (4, 0)), mode="symmetric", reflect_type="odd"),
        Sample(real(4), (2, 3), mode="wrap"),
        Sample(X, ((1, 3), (4, 0)), mode="wrap"),
        Sample(real(4), (2, 3), mode="linear_ramp"),
        Sample(X, MATRIX_WIDTHS, mode="linear_ramp", end_values=2.5),
        Sample(real(4), (2, 3), mode="mean"),
        Sample(X, MATRIX_WIDTHS, mode="mean"),
        Sample(X, MATRIX_WIDTHS, mode="mean", stat_length=2),
        Sample(real(4), (2, 3), mode="maximum"),
        Sample(X, MATRIX_WIDTHS, mode="maximum", stat_length=((1, 2), (2, 1))),
        Sample(real(4), 1, mode="minimum"),
        Sample(X, MATRIX_WIDTHS, mode="minimum"),
        Sample(real(2, 3, 2), ((0, 0), (1, 2), (2, 0)), mode="wrap"),
    ],
    kinks=[
        Kink(
            "pad with the maximum and ties",
            "shared equally",
            (np.array([3.0, 1.0, 3.0]), 1),
            (np.array([2.0, 1.0, 2.0]), None),
            attributes=(("mode", "maximum"),),
            jax="shared equally",
        )
    ],
)
def grad_pad(
    x,
    pad_width,
    constant_values=None,
    y=None,
    grad_y=None,
    *,
    mode="constant",
    end_values=0,
    stat_length=None,
    reflect_type="even",
):
    widths = pad_widths(x, pad_width)
    ends = tuple(
        [
            np.shape(x)[axis] if is_number(widths[axis][0], 0) else widths[axis][0] + np.shape(x)[axis]
            for axis in range(x.ndim)
        ]
    )
    grad_constant_values: Any = None
    if mode == "constant":
        inner = inner_index(widths, ends)
        grad_x = grad_y[inner]
        if isinstance(constant_values, tuple):
            grad_constant_values = tuple(
                [
                    sum([np.sum(grad_y[border_index(widths, ends, axis, side)]) for axis, side in sides])
                    for sides in sides_of(constant_values, x.ndim)
                ]
            )
        else:
            grad_constant_values = np.sum(assigned(grad_y, 0.0, inner))
    elif mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and reflect_type == "even"):
        if x.ndim == 1:
            grad_x = placed(grad_y, np.pad(np.arange(len(x)), pad_width, mode=mode), x)
        else:
            places = np.pad(np.reshape(np.arange(np.size(x)), np.shape(x)), pad_width, mode=mode)
            # with indices in a row np.add.at is twice as fast
            grad_x = np.reshape(placed(np.ravel(grad_y), np.ravel(places), np.ravel(x)), np.shape(x))
    elif mode in ("reflect", "symmetric"):
        grad_x = turned_back(grad_y, x, widths, mode)
    else:
        grad_x = gathered(grad_y, x, y, widths, ends, mode, stat_length)
    return grad_x, grad_constant_values
