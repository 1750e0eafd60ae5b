"""Tapes that are arrays: one for all turns of a loop that writes into arrays, made before its first turn.

In: a loop whose turns are counted, a value that each turn keeps. Out: the text of the array's shape, where it can be told before the
loop. One array for all turns is made much faster than one for each. Layer: emission, above `keeping`.
"""

from __future__ import annotations

from collections.abc import Mapping

from flatgrad.emission.expressions import Printer
from flatgrad.emission.keeping import Region, counts_turns
from flatgrad.graph.regions import LoopParts
from flatgrad.graph.size import Size, Symbol, resolved
from flatgrad.graph.values import Graph, Type, Value
from flatgrad.rules.writing import added, assigned


def writes_into_arrays(region: Region) -> bool:
    """Tell whether a body is one of an outermost loop that is counted, and writes into arrays itself."""
    if region.depth != 1 or not region.is_loop or not counts_turns(region) or region.node is None:
        return False
    if region.node.arguments["checkpoint"] or LoopParts(region.node).header[0] not in ("range", "rows"):
        return False
    return any(node.forward is None and node.function in (assigned, added) for node in region.graph.nodes)


def shape_of_tape(type: Type, turns: str, sizes: Mapping[Symbol, str]) -> str | None:
    """Return the text of the shape of an array that holds such a value for each turn; None where that can't be told."""
    if not type.rank or type.is_list or type.dtype.kind not in "fciub":
        return None
    texts = [_size_text(resolved(size), sizes) for size in type.shape]
    return None if None in texts else f"({', '.join([turns, *filter(None, texts)])})"


def _size_text(size: Size, sizes: Mapping[Symbol, str]) -> str | None:
    if isinstance(size, int):
        return str(size)
    text = ""
    for monomial, coefficient in sorted(size.terms, key=lambda term: not term[0]):
        if any(symbol not in sizes for symbol in monomial):
            return None
        factors = [str(abs(coefficient))] if abs(coefficient) != 1 or not monomial else []
        factors += [sizes[symbol] for symbol in monomial]
        sign = ("-" if coefficient < 0 else "") if not text else (" - " if coefficient < 0 else " + ")
        text += sign + " * ".join(factors)
    return text


def sizes_at_hand(graph: Graph, printer: Printer) -> dict[Symbol, str]:
    """Return the sizes of the axes of a function's parameters, each with the text for it."""
    found: dict[Symbol, str] = {}
    for value in graph.parameters:
        text = printer.texts.get(value)
        for axis, size in enumerate(map(resolved, value.shape)):
            if text is not None and not isinstance(size, int) and len(size.terms) == 1 and size.terms[0][1] == 1:
                monomial = size.terms[0][0]
                if len(monomial) == 1:
                    found.setdefault(monomial[0], _axis_text(value, text[0], axis, printer))
    return found


def _axis_text(value: Value, text: str, axis: int, printer: Printer) -> str:
    return f"{printer.spelling.builtin('len')}({text})" if not axis else f"{text}.shape[{axis}]"
