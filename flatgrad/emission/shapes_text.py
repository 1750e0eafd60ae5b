"""Names of sizes in docstrings: the user's, and letters for the others.

In: the sizes of a function's arguments. Out: texts such as `(n, d)`. Layer: emission, below `functions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flatgrad.graph.size import Expression, Symbol, resolved
from flatgrad.graph.values import Value
from flatgrad.structures import places_of

SIZE_NAMES = "nmkpqrsuvw"


def shapes_text(parameters: Mapping[str, Any]) -> str:
    """Return the shapes of arguments, and of the arrays in them, as text: `x: (n, d), params["b"]: (d,)`.

    It is "" where all are Python numbers.
    """
    places = [each for name, item in parameters.items() for each in places_of(name, item)]
    values = {place: leaf for place, leaf in places if isinstance(leaf, Value)}
    if all(value.type.weak for value in values.values()):
        return ""
    labels = _SizeNames([size for value in values.values() for size in value.shape])
    return ", ".join(f"{place}: {labels.described(value)}" for place, value in values.items())


def wrapped(entries: str, width: int) -> list[str]:
    """Return a text of entries with commas between them in lines, broken behind a shape."""
    lines: list[str] = [""]
    for entry in re.split(r"(?<=[)t]), (?=\w)", entries):
        if lines[-1] and len(lines[-1]) + len(entry) + 2 > width:
            lines[-1] += ","
            lines.append(entry)
        else:
            lines[-1] += f"{', ' * bool(lines[-1])}{entry}"
    return lines


class _SizeNames:
    """Names for the sizes in a docstring: the user's, and letters for the others."""

    def __init__(self, sizes: Sequence[Any]) -> None:
        symbols = [symbol for size in map(resolved, sizes) if isinstance(size, Expression) for symbol in _symbols(size)]
        taken = {symbol.name for symbol in symbols}
        free = (letter + str(k or "") for k in range(len(symbols) + 1) for letter in SIZE_NAMES)
        self.names: dict[Symbol, str] = {}
        for symbol in dict.fromkeys(symbols):
            self.names[symbol] = symbol.name or next(letter for letter in free if letter not in taken)

    def described(self, value: Value) -> str:
        kind = value.dtype
        if value.type.weak:
            return str(value.type)
        shape = ", ".join(map(self._size, value.shape)) + "," * (value.rank == 1)
        dtype = {"f": "", "i": " int", "u": " int", "b": " bool"}[kind.kind]
        if kind.kind == "f" and kind.itemsize != 8:
            dtype = f" {kind}"
        return f"({shape}){dtype}"

    def _size(self, size: Any) -> str:
        size = resolved(size)
        if isinstance(size, Expression) and len(size.terms) == 1 and len(size.terms[0][0]) == 1:
            return self.names[size.terms[0][0][0]]
        return str(size)


def _symbols(size: Expression) -> list[Symbol]:
    return [symbol for monomial, _ in size.terms for symbol in monomial]
