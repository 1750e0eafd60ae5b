"""What rules ask about their inputs when the code is written: is it a constant, how many elements go into a reduction,
does a gradient reach a result, how many rows has a matrix.

In: the inputs of a rule. Out: a bool or an int. Layer: above `registry` and `shapes`, below the rule files.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.containers import List, Slice
from flatgrad.graph.size import equal, is_natural, minus
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Sample, no_gradient, question, real
from flatgrad.rules.shapes import no_axes, shape_of


def is_constant(value: Any) -> bool:
    """Tell whether a value is a number that is known when the code is written.

    The front end answers for the values of a graph; called on arrays and numbers, it takes Python numbers for constants.
    """
    # np.float64 is a subclass of float, and comes out of arrays
    return isinstance(value, int | float) and not isinstance(value, np.generic)


@question
def is_zero(gradient: Any) -> bool:
    """Tell whether no gradient reaches a result, one of several: what it would be multiplied into is not written then.

    An array that a rule is called on counts as a gradient.
    """
    if isinstance(gradient, Constant):
        return not gradient.rank and bool(gradient.number == 0)
    node = gradient.node if isinstance(gradient, Value) else None
    return node is not None and node.function is np.zeros_like


@question
def is_tall(a: Any) -> bool:
    """Tell whether matrices are certain to have at least as many rows as columns."""
    rows, columns = shape_of(a)[-2:]
    return is_natural(minus(rows, columns))


@question
def new_axes(index: Any, rank: int) -> int | tuple[int, ...] | None:
    """Return the axes that None puts into an array of this rank, or None where the index does more than that."""
    parts = index if isinstance(index, tuple) and not isinstance(index, List) else (index,)
    if not all(part is None or part is Ellipsis or part in (Slice(), slice(None)) for part in map(_plain, parts)):
        return None
    spelled = sum(part is not None and part is not Ellipsis for part in parts)
    axes: list[int] = []
    position = 0
    for part in parts:
        if part is None:
            axes.append(position)
        position += rank - spelled if part is Ellipsis else 1
    return axes[0] if len(axes) == 1 else tuple(axes)


def _plain(part: Any) -> Any:
    # an array compares elementwise, and is more than None, a full slice or an ellipsis anyhow
    return part if part is None or isinstance(part, Slice | slice | type(Ellipsis)) else 0


@question
def same_shape(a: Any, b: Any) -> bool:
    """Tell whether two arrays are known to have the same shape."""
    one, other = shape_of(a), shape_of(b)
    return len(one) == len(other) and all(equal(*sizes) is True for sizes in zip(one, other, strict=True))


@question
def part_between(start: Any, stop: Any) -> slice:
    """Return the slice from `start` to `stop`, without what a slice begins or ends with anyhow."""
    return slice(None if is_number(start, 0) else start, stop)


@question
def is_number(value: Any, number: int) -> bool:
    """Tell whether a value is certain to be this number when the code is written."""
    known = getattr(value, "number", value)
    return isinstance(known, int) and known == number


@question
def shortened(index: tuple[Any, ...]) -> Any:
    """Return an index without the full slices at its end, and the only part of one that has no more."""
    parts = [slice(part.start, part.stop, part.step) if isinstance(part, Slice) else part for part in index]
    kept = len(parts)
    while kept and isinstance(parts[kept - 1], slice) and parts[kept - 1] == slice(None):
        kept -= 1
    return index[0] if kept == 1 else index[:kept] if kept else Ellipsis


def axes_count(x: Any, axis: int | tuple[int, ...] | None = None) -> int:
    """Return the number of elements that a reduction of `x` over `axis` takes together."""
    if axis is None:
        return int(np.size(x))
    count = 1
    for one in axis if isinstance(axis, tuple) else (axis,):
        count *= np.shape(x)[one]
    return count


no_gradient(
    axes_count,
    shape=no_axes,
    samples=[Sample(real(2, 3)), Sample(real(2, 3), axis=-1), Sample(real(2, 3), axis=(0, 1))],
)
