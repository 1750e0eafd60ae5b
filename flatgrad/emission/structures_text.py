"""The text of the containers that an emitted function takes apart and puts together.

In: the structures of its parameters, of its gradients. Out: lines that unpack the leaves, texts that put gradients into
containers of the same class. Layer: emission, above `calls`, below `functions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flatgrad.emission.calls import Piece
from flatgrad.emission.expressions import Printer
from flatgrad.emission.names import Names
from flatgrad.emission.record_classes import is_named_tuple, is_plain_dataclass, refuses_assignments
from flatgrad.emission.writer import Line
from flatgrad.graph.containers import Dict, List, Record, leaves
from flatgrad.graph.values import Value
from flatgrad.structures import is_container, parts_of, places_of, spelled

LONGEST_UNPACKING = 100
# a word that is no attribute, and no keyword of a call
NAME = re.compile(r"(?<![\w.])[^\W\d]\w*+(?!=(?!=))")
# what is shown in an f-string are variables
F_STRING = re.compile(r"\b[fF][rR]?[\"']|\b[rR][fF][\"']")
QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")


def flat_parameters(parameters: Mapping[str, Any], names: Names) -> dict[str, Value]:
    """Return the values that a function gets, by the names that they have in it: a leaf has the name of its variable."""
    names.taken.update(parameters)
    found = {name: item for name, item in parameters.items() if isinstance(item, Value)}
    for name, item in parameters.items():
        for _, leaf in places_of(name, item) if name not in found else ():
            if isinstance(leaf, Value):
                found[names.fresh_variable(leaf.name or name)] = leaf
    return found


def words_in(lines: Sequence[Line]) -> set[str]:
    """Return the words in lines that may be names of variables: neither comments and text, nor attributes and keywords."""
    texts = [line.text for line in lines if not line.text.startswith("#")]
    return {word for text in texts for word in NAME.findall(text if F_STRING.search(text) else QUOTED.sub("", text))}


def unpacking(parameters: Mapping[str, Any], named: Mapping[Value, str], words: set[str]) -> list[Line]:
    """Return the lines that give the leaves of containers their names, of those that are among these words."""
    lines: list[Line] = []
    for name, item in parameters.items():
        for place, container in _containers(name, item):
            read = [
                (named[part], inner)
                for inner, part in parts_of(place, container)
                if isinstance(part, Value) and named[part] in words
            ]
            if len(read) == len(container) > 1 and not isinstance(container, Dict | Record):
                # all parts of a list or tuple
                lines.append(Line(f"{', '.join(each for each, _ in read)} = {place}"))
            else:
                lines += [_unpacked(row) for row in _rows(read)]
    return lines


def _containers(place: str, structure: Any) -> Iterator[tuple[str, Any]]:
    if is_container(structure):
        yield place, structure
        for inner, part in parts_of(place, structure):
            yield from _containers(inner, part)


def _unpacked(row: Sequence[tuple[str, str]]) -> Line:
    names, places = zip(*row, strict=True)
    return Line(f"{', '.join(names)} = {', '.join(places)}")


def _rows(read: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    """Yield names and places in groups that fit into a line each."""
    row: list[tuple[str, str]] = []
    for each in read:
        if row and len(_unpacked([*row, each]).text) > LONGEST_UNPACKING:
            yield row
            row = []
        row.append(each)
    if row:
        yield row


def classes_at_hand(parameters: Mapping[str, Any]) -> dict[Any, str]:
    """Return the classes of the objects that a function gets, as they are written in it."""
    containers = (each for name, item in parameters.items() for each in _containers(name, item))
    found: dict[Any, str] = {}
    for place, container in containers:
        if isinstance(container, Record):
            found.setdefault(container.kind, f"type({place})")
    return found


class GradientTexts:
    """Writes gradients in containers of the classes that the parameters have.

    `lines` are what stands before the `return`, `roots` the parameters that are asked for their class. `pieces` are the structures
    of gradients that calls have returned, by the place of what they belong to.
    """

    def __init__(self, printer: Printer, names: Names, pieces: Mapping[str, Sequence[Piece]]) -> None:
        self.printer = printer
        self.names = names
        self.pieces = pieces
        self.lines: list[Line] = []
        self.roots: dict[str, None] = {}

    def text(self, place: str, structure: Any, gradient: Any) -> str:
        """Return the text of the gradient of what is at a place."""
        if not is_container(structure):
            return self._leaf(gradient)
        texts = list(map(self._leaf, leaves(gradient)))
        for piece in self.pieces.get(place, ()):
            if piece.leaves == texts:
                return piece.name
        if isinstance(structure, Record):
            return self._object(place, structure, gradient)
        parts = [
            self.text(inner, part, part_gradient)
            for (inner, part), part_gradient in zip(parts_of(place, structure), gradient, strict=True)
        ]
        if isinstance(structure, Dict):
            keys = [self.printer.static(key)[0] for key in structure.keys]
            return f"{{{', '.join(f'{key}: {part}' for key, part in zip(keys, parts, strict=True))}}}"
        inside = ", ".join(parts)
        return f"[{inside}]" if isinstance(structure, List) else f"({inside}{',' * (len(parts) == 1)})"

    def _leaf(self, gradient: Value | None) -> str:
        return "None" if gradient is None else self.printer.item(gradient)[0]

    def _object(self, place: str, structure: Record, gradient: Any) -> str:
        if not any(isinstance(leaf, Value) for leaf in leaves(gradient)):
            return "None"
        self.roots[spelled(place)[0]] = None
        parts = {
            name: self.text(inner, part, part_gradient)
            for name, (inner, part), part_gradient in zip(
                structure.names, parts_of(place, structure), gradient, strict=True
            )
        }
        given = ", ".join(f"{name}={part}" for name, part in parts.items())
        if is_named_tuple(structure.kind):
            return f"{place}._replace({given})"
        if is_plain_dataclass(structure.kind):
            return f"{self.printer.spelling.module('dataclasses')}.replace({place}, {given})"
        name = self.names.fresh("grad_" + "_".join(spelled(place)))
        self.lines.append(Line(f"{name} = {self.printer.spelling.module('copy')}.copy({place})"))
        if refuses_assignments(structure.kind):
            lines = [f'object.__setattr__({name}, "{attribute}", {part})' for attribute, part in parts.items()]
        else:
            lines = [f"{name}.{attribute} = {part}" for attribute, part in parts.items() if part != "None"]
            without = [f"{name}.{attribute}" for attribute, part in parts.items() if part == "None"]
            lines += [" = ".join([*without, "None"])] * bool(without)
        self.lines += map(Line, lines)
        return name


def modules_for(structures: Any, gradients: Any) -> Iterator[str]:
    """Yield the modules that are needed to put gradients into structures like these."""
    has_any = any(isinstance(leaf, Value) for leaf in leaves(gradients))
    if isinstance(structures, Record) and has_any and not is_named_tuple(structures.kind):
        yield "dataclasses" if is_plain_dataclass(structures.kind) else "copy"
    if is_container(structures) and gradients is not None:
        for structure, gradient in zip(structures, gradients, strict=True):
            yield from modules_for(structure, gradient)
