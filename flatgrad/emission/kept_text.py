"""Texts of what is kept beside the numbers: f-strings, kept calls, `raise`, the heads of `with` and `except`.

In: a node, a printer. Out: its text. Layer: emission, above `expressions`, whose table of special forms it fills.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flatgrad.emission.expressions import SPECIAL, Printer
from flatgrad.emission.literals import ATOM, CONDITIONAL, PRODUCT, SUM, Text, formatted_text
from flatgrad.graph.values import Node
from flatgrad.rules.program import (
    concatenated,
    filled,
    formatted,
    looked_up,
    made,
    performed,
    performed_by,
    raised,
)


def head_of_with(printer: Printer, node: Node) -> str:
    """Return the head of a `with` block, but for the name behind `as`."""
    return f"with {printer.item(node.arguments['manager'])[0]}"


def head_of_except(printer: Printer, node: Node) -> str:
    """Return the head of what is done where an exception is caught, but for the name behind `as`."""
    return " ".join(["except", *(printer.item(item)[0] for item in node.arguments.values())])


def _formatted(printer: Printer, node: Node) -> Text:
    return formatted_text(_pieces(printer, node.arguments.values())), ATOM


def _pieces(printer: Printer, parts: Iterable[Any]) -> list[Any]:
    """Return the text between the fields of an f-string, and the parts of each field."""
    pieces: list[Any] = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part.replace("{", "{{").replace("}", "}}"))
            continue
        item, conversion, spec = part
        inner = [spec] if isinstance(spec, str) else _pieces(printer, spec)
        texts = [piece if isinstance(piece, str) else "".join(piece) for piece in inner]
        text = printer.item(item)[0]
        # an opening brace of its own would be read as text
        text = f" {text}" if text.startswith("{") else text
        pieces.append(("{", text, f"!{conversion}" if conversion else "", ":" * any(texts) + "".join(texts), "}"))
    return pieces


def _called(printer: Printer, node: Node) -> Text:
    """Return the text of a call whose function is the first argument."""
    function = printer.operand(next(iter(node.arguments.values())), ATOM)
    return f"{function}({printer.arguments(node, 1)})", ATOM


def _called_on_object(printer: Printer, node: Node) -> Text:
    owner, name, *_ = node.arguments.values()
    return f"{printer.operand(owner, ATOM)}.{name}({printer.arguments(node, 2)})", ATOM


def _looked_up(printer: Printer, node: Node) -> Text:
    owner, name = node.arguments.values()
    return f"{printer.operand(owner, ATOM)}.{name}", ATOM


def _raised(printer: Printer, node: Node) -> Text:
    texts = [printer.item(item)[0] for item in node.arguments.values()]
    return f"raise {' from '.join(texts)}".rstrip(), CONDITIONAL


SPECIAL.update(
    {
        formatted: _formatted,
        filled: lambda printer, node: printer.infix(node, "%", PRODUCT),
        concatenated: lambda printer, node: printer.infix(node, "+", SUM),
        made: _called,
        performed: _called,
        performed_by: _called_on_object,
        looked_up: _looked_up,
        raised: _raised,
    }
)
