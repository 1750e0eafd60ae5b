"""Names of sizes in docstrings: the user's, and letters for the others.

In: the sizes of a function's arguments. Out: texts such as `(n, d)`. Layer: emission, below `functions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flatgrad.graph.containers import Dict, Record, leaves
from flatgrad.graph.size import Expression, Symbol, resolved
from flatgrad.graph.values import Value
from flatgrad.structures import is_container, is_like, parts_of

SIZE_NAMES = "nmkpqrsuvw"


def shapes_text(parameters: Mapping[str, Any]) -> str:
    """Return the shapes of arguments, and of the arrays in them, as text: `x: (n, d), params["b"]: (d,)`.

    It is "" where all are Python numbers.
    """
    values = [leaf for leaf in leaves(tuple(parameters.values())) if isinstance(leaf, Value)]
    if all(value.type.weak for value in values):
        return ""
    told = [each for name, item in parameters.items() for each in _told(name, item)]
    labels = _SizeNames([size for _, leaf in told if isinstance(leaf, Value) for size in leaf.shape])
    texts = [(place, labels.described(leaf) if isinstance(leaf, Value) else leaf) for place, leaf in told]
    return ", ".join(f"{place}: {text}" for place, text in texts)


def _told(place: str, item: Any) -> Iterator[tuple[str, Value | str]]:
    """Yield the places of values with these, and of structures that are like the first one of a list, with words for that."""
    if isinstance(item, Value):
        yield place, item
    if not is_container(item):
        return
    parts = list(parts_of(place, item))
    is_stack = not isinstance(item, Dict | Record) and len(parts) > 1 and is_container(item[0])
    if is_stack and any(True for _ in _told(*parts[0])) and all(_alike(item[0], part) for part in item[1:]):
        yield from _told(*parts[0])
        behind = parts[1][0] if len(parts) == 2 else f"{place}[1:]"
        yield behind, f"like {parts[0][0]}"
        return
    for part in parts:
        yield from _told(*part)


def _alike(one: Any, other: Any) -> bool:
    """Tell whether structures have the same parts, and arrays of the same shapes but for sizes without a name of one of them."""
    pairs = list(_pairs(one, other))
    if any(is_container(a) or is_container(b) or isinstance(a, Value) != isinstance(b, Value) for a, b in pairs):
        return False
    values = [pair for pair in pairs if isinstance(pair[0], Value)]
    if any((a.dtype, a.type.weak, a.rank) != (b.dtype, b.type.weak, b.rank) for a, b in values):
        return False
    sizes = [tuple(map(resolved, pair)) for a, b in values for pair in zip(a.shape, b.shape, strict=True)]
    ours, theirs = ({pair[k] for pair in sizes} for k in (0, 1))
    known: dict[Any, Any] = {}
    for a, b in sizes:
        if a == b:
            continue
        if a in theirs or b in ours or not _is_unnamed(a) or not _is_unnamed(b):
            return False
        if known.setdefault(a, b) != b or known.setdefault(b, a) != a:
            return False
    return True


def _pairs(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what stands at the same places of two structures, down to where they differ."""
    if not is_container(one) or not is_container(other) or not is_like(one, other):
        yield one, other
        return
    for pair in zip(one, other, strict=True):
        yield from _pairs(*pair)


def _is_unnamed(size: Any) -> bool:
    return isinstance(size, Expression) and all(symbol.name is None for symbol in _symbols(size))


def wrapped(entries: str, width: int) -> list[str]:
    """Return a text of entries with commas between them in lines, broken behind a shape."""
    lines: list[str] = [""]
    for entry in re.split(r"(?<=[)\]t]), (?=\w)", entries):
        if lines[-1] and len(lines[-1]) + len(entry) + 2 > width:
            lines[-1] += ","
            lines.append(entry)
        else:
            lines[-1] += f"{', ' * bool(lines[-1])}{entry}"
    return lines


class _SizeNames:
    """Names for the sizes in a docstring: the user's, and letters for the others."""

    def __init__(self, sizes: Sequence[Any]) -> None:
        parts = [part for size in map(resolved, sizes) if isinstance(size, Expression) for part in _named_parts(size)]
        taken = {part.name for part in parts if isinstance(part, Symbol)}
        free = (letter + str(k or "") for k in range(len(parts) + 1) for letter in SIZE_NAMES)
        self.names: dict[Symbol | Expression, str] = {}
        for part in dict.fromkeys(parts):
            name = part.name if isinstance(part, Symbol) else None
            self.names[part] = name or next(letter for letter in free if letter not in taken)

    def described(self, value: Value) -> str:
        kind = value.dtype
        if value.type.weak:
            return str(value.type)
        shape = ", ".join(map(self._size, value.shape)) + "," * (value.rank == 1)
        dtype = {"f": "", "i": " int", "u": " int", "b": " bool", "c": " complex"}[kind.kind]
        if kind.kind in "fc" and kind.itemsize != (16 if kind.kind == "c" else 8):
            dtype = f" {kind}"
        return f"({shape}){dtype}"

    def _size(self, size: Any) -> str:
        size = resolved(size)
        if size in self.names:
            return self.names[size]
        if isinstance(size, Expression) and _is_symbol(size):
            return self.names[size.terms[0][0][0]]
        return str(size)


def _named_parts(size: Expression) -> list[Symbol] | list[Expression]:
    """Return what gets a name: the symbols, or the whole size where it is made of some that have none."""
    symbols = _symbols(size)
    return symbols if all(symbol.name for symbol in symbols) or _is_symbol(size) else [size]


def _is_symbol(size: Expression) -> bool:
    return len(size.terms) == 1 and len(size.terms[0][0]) == size.terms[0][1] == 1


def _symbols(size: Expression) -> list[Symbol]:
    return [symbol for monomial, _ in size.terms for symbol in monomial]
