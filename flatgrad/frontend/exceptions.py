"""Reads `raise`, `try` and `del`. What is differentiated is the path that no exception leaves.

In: these statements. Out: kept `raise` statements; a `try` in the emitted forward pass, whose handlers may raise, log and
print; what they compute beside that would be another value of the function, which is refused. Layer: beside `branches`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from flatgrad.errors import ShapeError
from flatgrad.frontend.assigned import AssignedNames
from flatgrad.frontend.branches import Side, close_together, side
from flatgrad.frontend.joining import used_outside
from flatgrad.frontend.passing import OBJECT, is_exception, items_of_call, kept, made_object, member_of
from flatgrad.frontend.placeholders import LEFT, NOTHING, RAISED, RESULT, RETURNED, Unfinished
from flatgrad.frontend.reader import Reader, performs
from flatgrad.frontend.source import ForeignObject
from flatgrad.frontend.statement_lines import statements_of
from flatgrad.frontend.static_objects import StaticClass
from flatgrad.frontend.unsettled import Undecided
from flatgrad.frontend.wording import described
from flatgrad.graph.regions import branch
from flatgrad.graph.values import BOOLEAN, Graph, Value
from flatgrad.rules.program import caught, closed, ended, otherwise, raised, tried


@performs(cst.Raise)
def read_raise(reader: Reader, syntax: cst.Raise) -> None:
    if reader.inlined:
        reader.fail("a rule can't raise", syntax)
    if not reader.depth and not reader.conditional:
        # nothing behind it is ever reached
        reader.variables.update({LEFT: True, RETURNED: True, RESULT: Unfinished})
        reader.fail("this is raised for such arguments", syntax, kind=ShapeError)
    arguments: dict[str, Any] = {}
    if syntax.exc is not None:
        arguments["exception"] = _exception(reader, syntax.exc)
    if syntax.cause is not None:
        item = syntax.cause.item
        is_none = isinstance(item, cst.Name) and item.value == "None"
        arguments["cause"] = None if is_none else _exception(reader, item)
    reader.builder.node(raised, arguments, [], location=reader.source.location(syntax))
    reader.variables.update({LEFT: True, RETURNED: True, RESULT: RAISED})


def _exception(reader: Reader, syntax: cst.BaseExpression) -> Any:
    """Return what is raised: an exception that is made there, a class, or one that was caught."""
    if isinstance(syntax, cst.Call):
        member = _class(reader, reader.expression(syntax.func), syntax.func)
        args, kwargs = items_of_call(reader, syntax)
        return made_object(reader, member, args, kwargs, syntax)
    found = reader.expression(syntax)
    return found if isinstance(found, Value) and found.type == OBJECT else _class(reader, found, syntax)


def _class(reader: Reader, found: Any, syntax: cst.CSTNode) -> Any:
    if not is_exception(found) and not isinstance(found, StaticClass | ForeignObject):
        reader.fail(
            f"{described(found)} is not an exception that can be raised here", syntax, "raise a class of exceptions"
        )
    return member_of(reader, found, syntax)


@performs(cst.Try)
def read_try(reader: Reader, syntax: cst.Try) -> None:
    if reader.inlined:
        reader.fail("a rule can't have a `try` statement", syntax)
    reader.at_statement(syntax)
    body = statements_of(syntax.body)
    if all(map(_imports, body)):
        # what is not there can't be read: that is an error by itself
        reader.block([*body, *(statements_of(syntax.orelse.body) if syntax.orelse is not None else ())])
    else:
        _read_tried(reader, syntax, body)
        return
    if syntax.finalbody is not None:
        reader.block(statements_of(syntax.finalbody.body))


def _imports(syntax: cst.CSTNode) -> bool:
    return isinstance(syntax, cst.SimpleStatementLine) and all(
        isinstance(small, cst.Import | cst.ImportFrom) for small in syntax.body
    )


def _read_tried(reader: Reader, syntax: cst.Try, body: Sequence[cst.CSTNode]) -> None:
    statement = reader.builder.statement
    before, memory = dict(reader.variables), dict(reader.memory)
    reader.builder.node(tried, {}, [])
    reader.block(body)
    after = {name: item for name, item in reader.variables.items() if item is not before.get(name, NOTHING)}
    changes = reader.memory != memory
    for handler in syntax.handlers:
        _read_handler(reader, syntax, handler, before, after, changes)
    if syntax.orelse is not None and reader.variables[LEFT] is not True:
        reader.builder.node(otherwise, {}, [])
        reader.block(statements_of(syntax.orelse.body))
    if syntax.finalbody is not None:
        reader.builder.node(ended, {}, [])
        _read_final(reader, syntax.finalbody)
    reader.builder.statement = statement
    reader.builder.node(closed, {}, [])


def _read_final(reader: Reader, syntax: cst.Finally) -> None:
    """Read what is done in any case, also where the function has returned."""
    way = {name: reader.variables[name] for name in (LEFT, RETURNED, RESULT)}
    reader.variables.update({LEFT: False, RETURNED: False, RESULT: NOTHING})
    reader.block(statements_of(syntax.body))
    if reader.variables[LEFT] is not False:
        reader.fail("a `finally` that leaves the function hides exceptions", syntax, "return behind it")
    reader.variables.update(way)


def _read_handler(
    reader: Reader,
    syntax: cst.Try,
    handler: cst.ExceptHandler,
    before: dict[str, Any],
    after: dict[str, Any],
    changes: bool,
) -> None:
    """Read what is done where an exception is caught, into a branch on that."""
    types = [BOOLEAN] if handler.name is None else [BOOLEAN, OBJECT]
    arguments = {} if handler.type is None else {"kinds": _kinds(reader, handler.type)}
    node = reader.builder.node(caught, arguments, types, location=reader.source.location(handler))
    unsure = Undecided("what it was or what the `try` makes it", "use what was assigned before the `try`")
    known = {name: before.get(name, NOTHING) if not name.isidentifier() else unsure for name in after}
    if handler.name is not None:
        target = handler.name.name
        assert isinstance(target, cst.Name)
        node.outputs[1].name = target.value
        known[target.value] = node.outputs[1]
    made = side(reader, "except", lambda: reader.block(statements_of(handler.body)), known)
    if made.variables[RESULT] is not RAISED:
        _require_no_value(reader, syntax, handler, made, after, changes)
    graphs = [made.graph, Graph("else")]
    kept_node = reader.builder.node(
        branch, {"condition": node.outputs[0], "closed": close_together(graphs)}, [], location=node.location
    )
    kept_node.bodies = (graphs[0], graphs[1])


def _kinds(reader: Reader, syntax: cst.BaseExpression) -> Any:
    found = reader.expression(syntax)
    if isinstance(found, tuple):
        return tuple(_class(reader, each, syntax) for each in found)
    return kept(reader, _class(reader, found, syntax), syntax)


def _require_no_value(
    reader: Reader,
    syntax: cst.Try,
    handler: cst.ExceptHandler,
    made: Side,
    after: dict[str, Any],
    changes: bool,
) -> None:
    """Refuse a handler behind which the function goes on with other values than without the exception."""
    is_used = used_outside(reader, [syntax])
    assigned = AssignedNames()
    handler.body.visit(assigned)
    names = [name for name in (*after, *assigned.names) if name.isidentifier() and is_used(name)]
    ways = any(reader.variables[flag] is not False for flag in (LEFT, RETURNED)) or assigned.leaves
    if names or ways or changes or made.variables[LEFT] is not False:
        hint = "raise an error there, or test for the reason before: if np.all(...):"
        reader.fail("a handler that goes on with another value can't be differentiated", handler, hint)


@performs(cst.Del)
def read_del(reader: Reader, syntax: cst.Del) -> None:
    targets = (
        [element.value for element in syntax.target.elements]
        if isinstance(syntax.target, cst.Tuple)
        else [syntax.target]
    )
    for target in targets:
        if isinstance(target, cst.Name):
            reader.expression(target)
            del reader.variables[target.value]
        elif type(target) in DELETIONS:
            DELETIONS[type(target)](reader, target)
        else:
            reader.fail("`del` of this can't be read", target, "leave it out")


# what deletes an item or an attribute, by the syntax class of the target
DELETIONS: dict[type[cst.CSTNode], Any] = {}
