"""Reads np.r_[...], np.c_[...], np.mgrid[...] and np.ogrid[...].

In: one of these objects and what stands between the brackets. Out: an operation on arrays and numbers. Layer: above `calls`, below
`subscripts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.calls import call
from flatgrad.frontend.known import is_static, plain
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Slice
from flatgrad.graph.values import Value
from flatgrad.rules.concatenators import dense_grid, in_a_row, in_columns, open_grid

JOINING: tuple[tuple[Any, Callable[..., Any]], ...] = ((np.r_, in_a_row), (np.c_, in_columns))
GRIDS: tuple[tuple[Any, Callable[..., Any]], ...] = ((np.mgrid, dense_grid), (np.ogrid, open_grid))


def operation_of(owner: Any) -> Callable[..., Any] | None:
    """Return the operation that an object makes of what stands between its brackets; None for any other object."""
    return next((function for each, function in (*JOINING, *GRIDS) if owner is each), None)


def read_concatenator(reader: Reader, function: Callable[..., Any], index: Any, syntax: cst.CSTNode) -> Any:
    """Return what an operation makes of what stands between the brackets."""
    if function in (dense_grid, open_grid):
        return reader.apply(syntax, function, index)
    items = index if type(index) is tuple else (index,)
    return reader.apply(syntax, function, tuple([_item(reader, item, syntax) for item in items]))


def _item(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    if isinstance(item, str):
        reader.fail(f"the directive {item!r} can't be read", syntax, "use np.concatenate, np.stack or np.column_stack")
    if isinstance(item, Slice):
        return _range(reader, item, syntax)
    if isinstance(item, tuple):
        return call(reader, np.array, [item], {}, syntax)
    if not isinstance(item, Value | int | float | np.ndarray | np.generic):
        reader.fail(f"{described(item)} can't be joined to an array", syntax)
    return item


def _range(reader: Reader, part: Slice, syntax: cst.CSTNode) -> Any:
    """Return the numbers that a slice stands for: as many as an imaginary step says, or up to the stop."""
    start = 0 if part.start is None else part.start
    step = plain(part.step) if is_static(part.step) else part.step
    if isinstance(step, complex):
        return call(reader, np.linspace, [start, part.stop, int(abs(step))], {}, syntax)
    return call(reader, np.arange, [start, part.stop] + ([] if step is None else [part.step]), {}, syntax)
