"""Reads plain statements: assignments, asserts, returns. Fills STATEMENTS. Layer: beside `reader`."""

from __future__ import annotations

import libcst as cst

from flatgrad.frontend.attributes import augmented_attribute
from flatgrad.frontend.effects import EXPRESSION_STATEMENTS, asserted
from flatgrad.frontend.placeholders import LEFT, RESULT, RETURNED
from flatgrad.frontend.reader import Reader, performs
from flatgrad.frontend.subscripts import augmented_item
from flatgrad.frontend.unpacking import assign, bind
from flatgrad.frontend.writes import augmented_operand


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
    if syntax.value is None and not reader.calls:
        reader.fail("returns nothing", syntax, "return the value to differentiate")
    result = None if syntax.value is None else reader.expression(syntax.value)
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
    target = syntax.target
    if isinstance(target, cst.Subscript):
        augmented_item(reader, syntax)
    elif isinstance(target, cst.Attribute):
        augmented_attribute(reader, target, lambda before: augmented_operand(reader, before, syntax))
    else:
        assert isinstance(target, cst.Name)
        bind(reader, target.value, augmented_operand(reader, reader.expression(target), syntax))
