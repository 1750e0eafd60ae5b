"""Reads `with` blocks: the emitted forward pass enters the same context around the same statements.

In: a `with` statement. Out: a mark, the nodes of its statements, a mark. Layer: above `passing`, beside `branches`.
"""

from __future__ import annotations

import contextlib
from typing import Any

import libcst as cst

from flatgrad.frontend.custom_gradients import is_edit_block, read_edit_block
from flatgrad.frontend.own_contexts import require_harmless, require_harmless_object
from flatgrad.frontend.passing import (
    OBJECT,
    READING,
    is_object,
    is_passed,
    items_of_call,
    made_object,
    member_of,
    read_passed,
)
from flatgrad.frontend.reader import Reader, performs
from flatgrad.frontend.statement_lines import statements_of
from flatgrad.frontend.static_objects import StaticClass, StaticFunction
from flatgrad.frontend.unpacking import assign
from flatgrad.frontend.wording import described
from flatgrad.rules.program import Member, closed, entered


@performs(cst.With)
def read_with(reader: Reader, syntax: cst.With) -> None:
    if syntax.asynchronous is not None:
        reader.fail("an asynchronous `with` can't be differentiated", syntax, "write it without async")
    if reader.inlined:
        reader.fail("a rule can't have a `with` block", syntax)
    if is_edit_block(reader, syntax):
        read_edit_block(reader, syntax)
        return
    reader.at_statement(syntax)
    for item in syntax.items:
        manager = _manager(reader, item.item)
        types = [] if item.asname is None else [OBJECT]
        place = reader.source.location(item.item)
        node = reader.builder.node(entered, {"manager": manager}, types, location=place)
        if item.asname is not None:
            assign(reader, item.asname.name, node.output)
    statement = reader.builder.statement
    reader.block(statements_of(syntax.body))
    reader.builder.statement = statement
    for _ in syntax.items:
        reader.builder.node(closed, {}, [])


def _manager(reader: Reader, syntax: cst.BaseExpression) -> Any:
    """Return what a `with` enters: an object that is made there, or one that the function has made."""
    if not isinstance(syntax, cst.Call):
        home = reader.names.home(syntax.value) if isinstance(syntax, cst.Name) else None
        if isinstance(syntax, cst.Name) and home is not None and syntax.value not in reader.own_names:
            require_harmless_object(reader, syntax)
            return Member(home, syntax.value)
        item = reader.expression(syntax)
        if not is_object(item):
            hint = "make it in the `with` line: with Context(...):"
            reader.fail(f"{described(item)} can't be entered by the emitted code", syntax, hint)
        return item
    function = reader.expression(syntax.func)
    if is_passed(function):
        args, kwargs = items_of_call(reader, syntax)
        return read_passed(reader, function, args, kwargs, syntax)
    if function is contextlib.suppress:
        hint = "leave it out: a gradient belongs to a run without exceptions"
        reader.fail("what `suppress` leaves undone can't be differentiated", syntax, hint)
    if not (isinstance(function, StaticClass | StaticFunction) or callable(function)) or function in READING:
        reader.fail(f"{described(function)} is not a context that the emitted code can enter", syntax.func)
    args, kwargs = items_of_call(reader, syntax)
    require_harmless(reader, function, args, kwargs, syntax)
    return made_object(reader, member_of(reader, function, syntax.func), args, kwargs, syntax)
