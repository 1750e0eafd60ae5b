"""Reads what a function does beside computing its result: print, assert, text. It stays in the forward pass.

Layer: beside `reader`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.errors import ShapeError
from flatgrad.frontend.known import as_number, is_static
from flatgrad.frontend.reader import Reader, described, reads
from flatgrad.graph.values import Type, Value
from flatgrad.rules.program import assertion, formatted

TEXT = Type(np.dtype(np.str_), (), weak=True)


@reads(cst.FormattedString)
def read_formatted_string(reader: Reader, syntax: cst.FormattedString) -> Any:
    parts: list[Any] = []
    for part in syntax.parts:
        if isinstance(part, cst.FormattedStringText):
            parts.append(part.value.replace("{{", "{").replace("}}", "}").encode().decode("unicode_escape"))
            continue
        assert isinstance(part, cst.FormattedStringExpression)
        if part.format_spec and not all(isinstance(piece, cst.FormattedStringText) for piece in part.format_spec):
            reader.fail("a format that is itself computed can't be kept", part, "write the format's numbers")
        spec = "".join(piece.value for piece in part.format_spec or () if isinstance(piece, cst.FormattedStringText))
        item = reader.expression(part.expression)
        if part.equal is not None:
            parts.append(_before_the_value(part))
        conversion = part.conversion or ("r" if part.equal is not None and not spec else None)
        parts.append((item, conversion, spec))
    values = {f"part{k}": part for k, part in enumerate(parts)}
    return reader.builder.node(formatted, values, [TEXT], location=reader.source.location(syntax)).output


def _before_the_value(part: cst.FormattedStringExpression) -> str:
    """Return what `{x = }` writes before the value: the text with its spaces."""
    assert part.equal is not None
    code = cst.Module([]).code_for_node
    spaced = code(part.whitespace_before_expression) + code(part.expression) + code(part.whitespace_after_expression)
    return spaced + code(part.equal)


def asserted(reader: Reader, test: Any, message: Any, syntax: cst.Assert) -> None:
    """Keep an assert in the forward pass; one that is known to hold is left out."""
    if is_static(test):
        if not as_number(test):
            reader.fail("this assert fails for such arguments", syntax, kind=ShapeError)
        return
    if not isinstance(test, Value):
        reader.fail(f"{described(test)} is not a condition that can be kept", syntax.test)
    arguments = {"test": test} if message is None else {"test": test, "message": message}
    reader.builder.node(assertion, arguments, [], location=reader.source.location(syntax))


def read_print(reader: Reader, syntax: cst.Call) -> None:
    """Keep a call of print with what it prints."""
    arguments: dict[str, Any] = {}
    positional = 0
    for k, argument in enumerate(syntax.args):
        if argument.star:
            reader.fail("starred arguments can't be kept", argument, "write the arguments one by one")
        item = reader.expression(argument.value)
        if argument.keyword is None:
            arguments[f"argument{k}"] = item
            positional += 1
        else:
            arguments[argument.keyword.value] = item
    reader.builder.node(print, arguments, [], location=reader.source.location(syntax), positional=positional)


def ignored(reader: Reader, syntax: cst.CSTNode) -> None:
    """A docstring or a lone `...` does nothing."""


EXPRESSION_STATEMENTS: dict[type[cst.CSTNode], Callable[[Reader, Any], None]] = {
    cst.SimpleString: ignored,
    cst.ConcatenatedString: ignored,
    cst.Ellipsis: ignored,
}
