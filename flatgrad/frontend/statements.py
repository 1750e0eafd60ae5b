"""Reads plain statements: assignments, asserts, returns. Fills STATEMENTS. Layer: beside `reader`."""

from __future__ import annotations

import libcst as cst

from flatgrad.frontend.effects import EXPRESSION_STATEMENTS, asserted
from flatgrad.frontend.expressions import BINARY, operation
from flatgrad.frontend.reader import (
    IN_PLACE_HINT,
    LEFT,
    OPERATOR_SYMBOLS,
    RESULT,
    RETURNED,
    Reader,
    may_be_shared,
    performs,
)
from flatgrad.frontend.unpacking import assign, bind
from flatgrad.graph.values import AUGMENTED, Value, same_type


@performs(cst.SimpleStatementLine)
def read_line(reader: Reader, syntax: cst.SimpleStatementLine) -> None:
    reader.at_statement(syntax)
    for small in syntax.body:
        reader.statement(small)


@performs(cst.Pass)
def read_pass(reader: Reader, syntax: cst.Pass) -> None:
    """A `pass` does nothing, here as there."""


@performs(cst.Return)
def read_return(reader: Reader, syntax: cst.Return) -> None:
    if syntax.value is None:
        reader.fail("returns nothing", syntax, "return the value to differentiate")
    result = reader.expression(syntax.value)
    reader.variables.update({LEFT: True, RETURNED: True, RESULT: result})


@performs(cst.Assert)
def read_assert(reader: Reader, syntax: cst.Assert) -> None:
    message = reader.expression(syntax.msg) if syntax.msg is not None else None
    asserted(reader, reader.expression(syntax.test), message, syntax)


@performs(cst.Expr)
def read_expression_statement(reader: Reader, syntax: cst.Expr) -> None:
    read = EXPRESSION_STATEMENTS.get(type(syntax.value))
    if read is None:
        reader.expression(syntax.value)
    else:
        read(reader, syntax.value)


@performs(cst.Assign)
def read_assign(reader: Reader, syntax: cst.Assign) -> None:
    item = reader.expression(syntax.value)
    for target in syntax.targets:
        assign(reader, target.target, item)


@performs(cst.AnnAssign)
def read_annotated_assign(reader: Reader, syntax: cst.AnnAssign) -> None:
    if syntax.value is not None:
        assign(reader, syntax.target, reader.expression(syntax.value))


@performs(cst.AugAssign)
def read_augmented_assign(reader: Reader, syntax: cst.AugAssign) -> None:
    if not isinstance(syntax.target, cst.Name):
        reader.fail("an assignment into an array can't be differentiated", syntax.target, IN_PLACE_HINT)
    name = syntax.target.value
    before = reader.expression(syntax.target)
    function = BINARY[type(syntax.operator).__name__.removesuffix("Assign")]
    amount = reader.expression(syntax.value)
    after = operation(reader, syntax, function, before, amount)
    if isinstance(before, Value) and isinstance(after, Value) and not before.type.weak:
        _require_own(reader, name, before, after, syntax)
    if isinstance(after, Value) and after.node is not None and after.node.function is function:
        after.node.form = AUGMENTED
    bind(reader, name, after)


def _require_own(reader: Reader, name: str, before: Value, after: Value, syntax: cst.AugAssign) -> None:
    """Refuse `x += ...` where the array may have a second name: NumPy would change it under that name too."""
    symbol = OPERATOR_SYMBOLS.get(BINARY[type(syntax.operator).__name__.removesuffix("Assign")].__name__, "+")
    hint = f"write {name} = {name} {symbol} ..."
    if may_be_shared(reader, before):
        reader.fail(f"`{name}` may be another array's memory, which this changes too", syntax, hint)
    if not same_type(after.type, before.type):
        reader.fail(f"changes `{name}` from {before.type} to {after.type}", syntax, hint)
