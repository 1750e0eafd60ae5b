"""What the texts of branches, loops and calls have in common: variables that values share, what is kept, accumulators.

In: the regions of a function. Out: lines around and inside of blocks. Layer: emission, above `writer` and `tapes`, below `branches`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from flatgrad.emission.expressions import Printer
from flatgrad.emission.headers import Headers
from flatgrad.emission.keeping import Region, Regions
from flatgrad.emission.literals import AND, ATOM, OR
from flatgrad.emission.names import Names
from flatgrad.emission.structured_calls import Passed
from flatgrad.emission.tapes import Tapes
from flatgrad.emission.variables import Variables
from flatgrad.emission.writer import Line, Writer
from flatgrad.graph.regions import (
    is_undefined,
    received,
)
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.rules.program import named

# the opposite of `<` is not `>=`, for nan
OPPOSITES = {operator.eq: "!=", operator.ne: "=="}
# how `and` and `or` are written, and on which side the second operand is
CONNECTIVES = {"and": ("and", AND, 0), "or": ("or", OR, 1)}


class Blocks(Writer):
    """Knows what goes into blocks and comes out. `functions` has the helpers of the emitted module."""

    def __init__(self, regions: Regions, names: Names, printer: Printer, functions: Passed) -> None:
        super().__init__(regions, names, printer)
        self.variables = Variables(regions)
        self.names.variable_of = self.variables.of
        self.tapes = Tapes(regions, self.variables, names)
        self.headers = Headers(printer, names)
        self.functions = functions
        # loops that leave a side of a branch with `break` instead of a flag
        self._leaving: set[Value] = set()
        # flags whose loop is left by `break` where they are True
        self._left_at: set[Value] = set()
        # conditions of branches whose first side leaves the loop at its end
        self._left_on: set[Value] = set()
        # what a branch gives back that is read even where it has no value: by the backward pass, by a copy
        self._asked_for = self.variables.copied()

    def _backward_lines(self, graph: Graph, node: Node) -> list[Line]:
        if node.function is named and self._has_its_name(node):
            return []
        return super()._backward_lines(graph, node)

    def _has_its_name(self, node: Node) -> bool:
        """Tell whether a loop or branch has left a gradient under the name that it is to have."""
        (source,) = node.inputs
        if self.variables.same(node.output, source):
            self._named(node.output)
            return True
        if self.variables.of(node.output) is not node.output:
            return False
        if source.node is None or not source.node.bodies or not self.names.is_gradient_name(node.output, source):
            return False
        self.names.of[node.output] = self.names.of[source]
        self.printer.texts[node.output] = self.printer.texts[source]
        return True

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        value = node.outputs[0] if node.outputs else None
        tape = None if value is None or value.copy_of is None else self.tapes.of(self.regions.of[graph]).get(value)
        if tape is None or value is None or any(value in each.inputs and each.forward is None for each in graph.nodes):
            return super()._forward_lines(graph, node)
        # what is copied to be kept, and read nowhere else, goes on its tape at once; an array that is one copies it
        copied = self._expression(node)
        self.printer.texts[value] = self.printer.item(node.inputs[0]) if tape in self.tapes.arrays else copied
        self.written[node] = ""
        return []

    def _kept(self, graph: Graph, values: Sequence[Value]) -> list[Line]:
        """Return the lines that keep values for the backward pass."""
        tapes, arrays = self.tapes.of(self.regions.of[graph]), self.tapes.arrays
        return [
            Line(
                f"{tapes[value]}[{arrays[tapes[value]]}] = {self._text(value)}"
                if tapes[value] in arrays
                else f"{tapes[value]}.append({self._text(value)})"
            )
            for value in values
            if value in tapes
        ]

    def _text(self, item: Any) -> str:
        return self.printer.item(item)[0]

    def _enter(self, node: Node, body: Graph) -> None:
        """Let the parameters of a body be written as what they stand for."""
        for outer, inner in received(node, body).items():
            self._alias(inner, outer)

    def _alias(self, inner: Value, outer: Value) -> None:
        self.printer.texts[inner] = self.printer.item(outer)
        if outer in self.names.of:
            self.names.of[inner] = self.names.of[outer]

    def _copies(self, graph: Graph, targets: Sequence[Value], results: Sequence[Value | None]) -> list[Line]:
        """Return the lines that bring results to the variables that they become."""
        pairs = [
            (target, result)
            for target, result in zip(targets, results, strict=True)
            if isinstance(result, Value) and not is_undefined(result) and not self.variables.same(target, result)
        ]
        pairs = [(target, result) for target, result in pairs if target not in self._leaving]
        # what the user only edits the gradient of has one name
        pairs = [(target, result) for target, result in pairs if self._named(target) != self._text(result)]
        names = [self._named(target) for target, _ in pairs]
        texts = [self._text(result) for _, result in pairs]
        if len(pairs) > 1 and self._overlap(graph, pairs):
            return [Line(f"{', '.join(names)} = {', '.join(texts)}")]
        return [Line(f"{name} = {text}") for name, text in zip(names, texts, strict=True)]

    def _overlap(self, graph: Graph, pairs: Sequence[tuple[Value, Value]]) -> bool:
        """Tell whether a copy changes a variable that one behind it reads."""
        changed: set[Value] = set()
        for target, result in pairs:
            pending = [result]
            while pending:
                value = pending.pop()
                if self.variables.of(value) in changed:
                    return True
                if value.node is not None and value.node not in self.own and value.node in graph.nodes:
                    pending += value.node.inputs
            changed.add(self.variables.of(target))
        return False

    def _named(self, value: Value) -> str:
        name = self.names.name(value)
        self.printer.name(value, name)
        return name

    def _pass_accumulators(self, forward: Node, body: Graph) -> None:
        for outer, inner in received(forward, body).items():
            array = outer.copy_of or outer
            if array in self.accumulators:
                self.accumulators.setdefault(inner, self.accumulators[array])

    def _computed_again(self, region: Region) -> list[Line]:
        """Let what is computed again be written as its expression, and return the lines for what is read often."""
        lines = []
        for node in region.graph.nodes if region.depth else ():
            if len(node.outputs) == 1 and isinstance(node.output, Constant):
                self.printer.texts[node.output] = self._inside(node)
        for node in region.again:
            value = node.output
            text, precedence = self._inside(node)
            if node in self.own and region.reads.get(value, 0) > 1:
                name = self.tapes.local_name(value)
                lines.append(Line(f"{name} = {text}"))
                text, precedence = name, ATOM
            self.printer.texts[value] = text, precedence
        return lines
