"""Reads a comprehension over data as a loop that appends to a list: `[f(x) for x in xs]`.

In: a comprehension with one loop whose number of turns is known at run time only. Out: the list, or nothing where it has to be
written out. Layer: above `comprehensions` and `loops`.
"""

from __future__ import annotations

from typing import Any

import libcst as cst

from flatgrad.builder import StaticNeeded
from flatgrad.errors import FlatgradError
from flatgrad.frontend.containers import new_list
from flatgrad.frontend.iterables import Iterable, turns
from flatgrad.frontend.loops import looped
from flatgrad.frontend.reader import Reader, is_list
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Value

# the variable that holds the list while the loop is read
ITEMS = "__items__"


def as_loop(
    reader: Reader, inner: Reader, loop: cst.CompFor, element: cst.BaseExpression, source: Iterable, syntax: cst.CSTNode
) -> Value | None:
    """Return the list that a comprehension makes; None, with nothing read, where it can't be made in a loop.

    `inner` is the reader of the scope of the comprehension.
    """
    if reader.inlined or not reader.may_grow or source.is_known or turns(source) is not None:
        return None
    count, problems, memory = len(reader.builder.graph.nodes), list(reader.problems), dict(reader.memory)
    statement = reader.builder.statement
    items = new_list(reader, ())
    inner.variables[ITEMS] = items
    # what its variables are behind it does not matter to anyone
    inner.unrolled += 1
    try:
        is_read = looped(inner, _loop_over(reader, loop, element, syntax), source)
    except (FlatgradError, SizeUnknown, StaticNeeded):
        is_read = False
    finally:
        inner.unrolled -= 1
        reader.builder.statement = statement
    made: Any = inner.refreshed(items) if is_read and len(inner.problems) == len(problems) else None
    if is_list(made):
        return made
    del reader.builder.graph.nodes[count:]
    inner.problems = reader.problems = problems
    reader.memory.set_to(memory)
    return None


def _loop_over(reader: Reader, loop: cst.CompFor, element: cst.BaseExpression, syntax: cst.CSTNode) -> cst.For:
    """Return the statement that says what a comprehension does."""
    append = cst.Attribute(cst.Name(ITEMS), cst.Name("append"))
    call = cst.Call(append, [cst.Arg(element)])
    expression = cst.Expr(call)
    line: cst.BaseStatement = cst.SimpleStatementLine([expression])
    made: list[cst.CSTNode] = [append, append.value, append.attr, call, expression, line]
    for test in reversed(loop.ifs):
        line = cst.If(test.test, cst.IndentedBlock([line]))
        made += [line, line.body]
    whole = cst.For(loop.target, loop.iter, cst.IndentedBlock([line]))
    for each in (*made, whole, whole.body):
        reader.source.stand_in(each, syntax)
    return whole
