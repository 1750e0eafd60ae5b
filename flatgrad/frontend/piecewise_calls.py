"""Reads np.piecewise: what the function of each piece makes of the elements where its condition holds is written into an array.

    y = np.zeros_like(x); y[x < 0] = f(x[x < 0]); y[~(x < 0)] = g(x[~(x < 0)])

In: an array, conditions, functions and numbers. Out: nodes. Fills CALLS. Layer: above `calls` and `array_writes`.
"""

from __future__ import annotations

import inspect
import operator
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.call_tables import calls
from flatgrad.frontend.calls import call
from flatgrad.frontend.expressions import operation
from flatgrad.frontend.functions import is_applied
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.writes import write
from flatgrad.graph.values import Value

SIGNATURE = inspect.signature(np.piecewise)


@calls(np.piecewise)
def read_piecewise(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    try:
        given = SIGNATURE.bind(*args, **kwargs)
    except TypeError as error:
        reader.fail(f"such arguments do not fit: {error}", syntax)
    given.apply_defaults()
    x, condlist, funclist, more, named = given.arguments.values()
    if not isinstance(x, Value) or is_number(reader, x):
        reader.fail("np.piecewise is read for arrays", syntax, "for a number, write if and else")
    if not isinstance(funclist, tuple):
        reader.fail("the functions of np.piecewise are read from a list of them", syntax)
    conditions = _conditions(reader, x, condlist, len(funclist), syntax)
    result: Value = reader.apply(syntax, np.zeros_like, x)
    for condition, piece in zip(conditions, funclist, strict=True):
        values = piece
        if is_applied(piece) or callable(piece):
            part = reader.apply(syntax, operator.getitem, x, index=condition)
            values = call(reader, piece, [part, *more], named, syntax)
        write(reader, result, condition, values, syntax)
    return result


def _conditions(reader: Reader, x: Value, condlist: Any, count: int, syntax: cst.CSTNode) -> list[Value]:
    """Return a condition for each of `count` pieces; the last piece may stand for all other elements."""
    conditions = list(condlist) if isinstance(condlist, tuple) else [condlist]
    for condition in conditions:
        if not isinstance(condition, Value) or condition.dtype.kind != "b" or condition.rank != x.rank:
            reader.fail("a condition of np.piecewise is an array of truth values as large as the array", syntax)
    if count == len(conditions) + 1:
        known = conditions[0]
        for condition in conditions[1:]:
            known = operation(reader, syntax, operator.or_, known, condition)
        conditions.append(operation(reader, syntax, operator.invert, known))
    if count != len(conditions):
        reader.fail(f"np.piecewise got {len(conditions)} conditions and {count} functions", syntax)
    return conditions
