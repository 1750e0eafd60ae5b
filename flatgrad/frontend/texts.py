"""Reads text: f-strings, `%`, `format`, pieces side by side. What is known is worked out; text of data stays in the forward pass.

In: these expressions. Out: a str, or a value of the type TEXT. Layer: above `passing`, beside `expressions`.
"""

from __future__ import annotations

import ast
import operator
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.known import is_static, plain
from flatgrad.frontend.passing import kept, looked_up_attribute
from flatgrad.frontend.placeholders import Bound
from flatgrad.frontend.reader import Reader, reads
from flatgrad.graph.values import Type, Value
from flatgrad.rules.program import concatenated, filled, formatted

TEXT = Type(np.dtype(np.str_), (), weak=True)
ESCAPE = re.compile(r"\\(?:[0-7]{1,3}|x..|u.{4}|U.{8}|N\{[^}]*\}|.)", re.DOTALL)


def is_text(item: Any) -> bool:
    """Tell whether an item is text, known or not."""
    return isinstance(item, str) or (isinstance(item, Value) and item.type == TEXT)


@reads(cst.FormattedString)
def read_formatted_string(reader: Reader, syntax: cst.FormattedString) -> Any:
    return _joined(reader, _pieces(reader, syntax.parts, syntax), syntax)


@reads(cst.ConcatenatedString)
def read_concatenated_string(reader: Reader, syntax: cst.ConcatenatedString) -> Any:
    left, right = (
        tuple(_pieces(reader, part.parts, part))
        if isinstance(part, cst.FormattedString)
        else _pieces_of(reader.expression(part))
        for part in (syntax.left, syntax.right)
    )
    return _joined(reader, [*left, *right], syntax)


def _pieces_of(text: Any) -> tuple[Any, ...]:
    """Return the pieces of text that has been read."""
    if isinstance(text, Value) and text.node is not None and text.node.function is formatted:
        return tuple(text.node.arguments.values())
    return (text,)


def _pieces(reader: Reader, parts: Sequence[cst.BaseFormattedStringContent], syntax: cst.FormattedString) -> list[Any]:
    """Return text, and for each field what it shows, its conversion and its format."""
    pieces: list[Any] = []
    for part in parts:
        if isinstance(part, cst.FormattedStringText):
            text = part.value.replace("{{", "{").replace("}}", "}")
            pieces.append(text if "r" in syntax.prefix.lower() else ESCAPE.sub(_escaped, text))
            continue
        assert isinstance(part, cst.FormattedStringExpression)
        item = reader.expression(part.expression)
        if isinstance(item, Bound):
            item = looked_up_attribute(reader, item, part.expression)
        inner = _merged(_pieces(reader, part.format_spec or (), syntax))
        spec = inner[0] if len(inner) == 1 and isinstance(inner[0], str) else tuple(inner) or ""
        if part.equal is not None:
            pieces.append(_before_the_value(part))
        pieces.append((item, part.conversion or ("r" if part.equal is not None and not spec else None), spec))
    return pieces


def _escaped(escape: re.Match[str]) -> str:
    """Return what an escape sequence stands for."""
    found: str = ast.literal_eval(f'"""{escape[0]}"""')
    return found


def _before_the_value(part: cst.FormattedStringExpression) -> str:
    """Return what `{x = }` writes before the value: the text with its spaces."""
    assert part.equal is not None
    code = cst.Module([]).code_for_node
    spaced = code(part.whitespace_before_expression) + code(part.expression) + code(part.whitespace_after_expression)
    return spaced + code(part.equal)


def _merged(pieces: Sequence[Any]) -> list[Any]:
    """Return the pieces with the known ones worked out, and put together."""
    merged: list[Any] = []
    for piece in pieces:
        if not isinstance(piece, str) and isinstance(piece, tuple) and is_static(piece):
            item, conversion, spec = piece
            piece = formatted((plain(item), conversion, spec))
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _joined(reader: Reader, pieces: Sequence[Any], syntax: cst.CSTNode) -> Any:
    """Return pieces as one text."""
    merged = _merged(pieces)
    if all(isinstance(piece, str) for piece in merged):
        return "".join(merged)
    parts = [
        piece if isinstance(piece, str) else piece if isinstance(piece, tuple) else (piece, None, "")
        for piece in merged
    ]
    arguments = {f"part{k}": kept(reader, part, syntax) for k, part in enumerate(parts)}
    return reader.builder.node(formatted, arguments, [TEXT], location=reader.source.location(syntax)).output


def shown(reader: Reader, item: Any, conversion: str, syntax: cst.CSTNode) -> Any:
    """Return `str(item)` or `repr(item)` of what is not known."""
    return _joined(reader, [(item, conversion, "")], syntax)


def is_format(function: Any) -> bool:
    """Tell whether a function is the method `format` of known text."""
    return isinstance(getattr(function, "__self__", None), str) and function.__name__ == "format"


def percent(reader: Reader, text: Any, values: Any, syntax: cst.CSTNode) -> Any:
    """Return `text % values`."""
    if not is_text(text):
        reader.fail("a number modulo text means nothing", syntax)
    if is_static(text) and is_static(values):
        try:
            return plain(text) % plain(values)
        except (TypeError, ValueError, KeyError) as error:
            reader.fail(f"fails for every call: {error}", syntax)
    arguments = {"text": text, "values": kept(reader, values, syntax)}
    return reader.builder.node(filled, arguments, [TEXT], location=reader.source.location(syntax)).output


def sum_of_texts(reader: Reader, first: Any, second: Any, syntax: cst.CSTNode) -> Any:
    """Return `first + second` where one of them is text."""
    if isinstance(first, str) and isinstance(second, str):
        return first + second
    if not is_text(first) or not is_text(second):
        reader.fail("text can only be added to text", syntax, "use an f-string")
    arguments = {"first": first, "second": second}
    return reader.builder.node(concatenated, arguments, [TEXT], location=reader.source.location(syntax)).output


def filled_in(reader: Reader, text: str, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> Any:
    """Return `text.format(...)` of what is not known: the f-string that it is."""
    pieces: list[Any] = []
    number = 0
    for before, field, spec, conversion in string.Formatter().parse(text):
        pieces.append(before)
        if field is None:
            continue
        if not field:
            field, number = str(number), number + 1
        given: Any = args if field.isdecimal() else kwargs
        key: Any = int(field) if field.isdecimal() else field
        if "{" in (spec or "") or key not in (range(len(args)) if field.isdecimal() else kwargs):
            reader.fail(f"the field `{field}` of this text can't be kept", syntax, "use an f-string")
        pieces.append((given[key], conversion, spec or ""))
    return _joined(reader, pieces, syntax)


# operators of text
OF_TEXTS: dict[Any, Callable[..., Any]] = {operator.mod: percent, operator.add: sum_of_texts}
