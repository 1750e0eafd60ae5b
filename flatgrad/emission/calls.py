"""The text of calls of the user's functions, and of their backward passes.

In: a call, in the forward or in the backward pass. Out: its lines. Layer: emission, above `loops`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flatgrad.emission.expressions import Printer
from flatgrad.emission.keeping import Regions
from flatgrad.emission.literals import ATOM, Text
from flatgrad.emission.loops import Loops
from flatgrad.emission.names import Names
from flatgrad.emission.structured_calls import Passed, Place, Returned, structures_in
from flatgrad.emission.writer import Line
from flatgrad.graph.regions import BACKWARD, call, returned_by
from flatgrad.graph.values import Graph, Node, Value
from flatgrad.structures import is_container, places_of, short_names, spelled


class Piece(NamedTuple):
    """A structure of gradients that a call has returned: its name, and the text of each leaf, "None" for one without gradient."""

    name: str
    leaves: list[str]


class Calls(Loops):
    """Writes calls, and what `Loops` writes.

    `pieces` are the structures of gradients that calls return, by the place of what they belong to. `roots` are the parameters
    whose structures calls are given.
    """

    def __init__(self, regions: Regions, names: Names, printer: Printer, functions: Passed) -> None:
        super().__init__(regions, names, printer, functions)
        self.pieces: dict[str, list[Piece]] = {}
        self.roots: dict[str, None] = {}
        self._shared = {*self.variables.leader, *self.variables.leader.values()}
        parameters = functions.parameters[regions.root.graph]
        self._short_names = short_names([place.text for place in structures_in(parameters)], frozenset())

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        return self._call(node) if node.function is call else super()._forward_lines(graph, node)

    def _backward_lines(self, graph: Graph, node: Node) -> list[Line]:
        return self._call_backward(node) if node.function is BACKWARD[call] else super()._backward_lines(graph, node)

    def _expression(self, node: Node) -> Text:
        if node.function is not call:
            return super()._expression(node)
        name = self.functions.names[node.bodies[0]]
        arguments = self._arguments(node)
        # the value alone of what the forward function returns
        return (f"{name}_forward({arguments})[0]" if node.bodies[0].upstream else f"{name}({arguments})"), ATOM

    def _arguments(self, node: Node) -> str:
        texts: list[str] = []
        spread = self.functions.spread[node]
        written: set[str] = set()
        for name, item in self.functions.given[node].items():
            place = spread.get(name, item)
            text = place.text if isinstance(place, Place) else self._text(place)
            if isinstance(place, Place):
                self.roots[spelled(text)[0]] = None
            if name not in spread:
                texts.append(f"{name}={text}" if written else text)
            elif text not in written:
                written.add(text)
                texts.append(f"**{text}")
        return ", ".join(texts)

    def _call(self, node: Node) -> list[Line]:
        name = self.functions.names[node.bodies[0]]
        arguments = self._arguments(node)
        results = returned_by(node)
        targets = [self._named(value) if value in self.read else self.names.unread() for value in results]
        shown = ", ".join(targets)
        self.written[node] = f"{shown} = {name}({arguments})"
        if len(results) == len(node.outputs):
            return [Line(self.written[node])] if shown else [Line(f"{name}({arguments})")]
        saved = self.names.saved(node.outputs[-1]) if node.outputs[-1] in self.read else self.names.unread()
        self.printer.name(node.outputs[-1], saved)
        value = shown if len(targets) == 1 else f"({shown})"
        return [Line(f"{value}, {saved} = {name}_forward({arguments})")]

    def _call_backward(self, node: Node) -> list[Line]:
        assert node.forward is not None
        (body,) = node.bodies
        name = self.functions.names[body]
        given = [node.arguments["saved"], *node.arguments["upstream"]]
        arguments = ", ".join(self._text(argument) for argument in given)
        gradients = dict(zip(body.wrt, node.outputs, strict=True))
        targets: list[str] = []
        lines: list[Line] = []
        for part in self.functions.returned[body]:
            read = [gradients[value] for value in part.values if gradients[value] in self.read]
            if not read:
                targets.append(self.names.unread())
            elif is_container(part.structure):
                targets.append(self._piece(self.functions.place(node.forward, part), part, gradients))
                lines += self._taken_out(read)
            else:
                targets.append(self._named(read[0]))
        self.written[node] = f"{', '.join(targets)} = {name}_backward({arguments})"
        return [Line(self.written[node]), *lines]

    def _piece(self, place: Place, part: Returned, gradients: Mapping[Value, Value]) -> str:
        """Name the structure of gradients that belongs to a place, and let each of them be written as a part of it."""
        is_part = any(gradients[value].primal is None for value in part.values)
        name = self.names.fresh(f"grad_{self._short_names[place.text]}{'_part' * is_part}")
        leaves = []
        for text, leaf in places_of(name, part.structure):
            has_gradient = isinstance(leaf, Value) and leaf in gradients
            leaves.append(text if has_gradient else "None")
            if has_gradient:
                self.printer.name(gradients[leaf], text)
        self.pieces.setdefault(place.text, []).append(Piece(name, leaves))
        return name

    def _taken_out(self, gradients: list[Value]) -> Iterator[Line]:
        """Yield the lines that bring gradients out of a structure to the variables that they share with others."""
        for gradient in gradients:
            if gradient in self._shared:
                text = self._text(gradient)
                yield Line(f"{self._named(gradient)} = {text}")
            else:
                self.names.of[gradient] = self._text(gradient)
