"""The text of calls of the user's functions, and of their backward passes.

In: a call, in the forward or in the backward pass. Out: its line. Layer: emission, above `loops`.
"""

from __future__ import annotations

from flatgrad.emission.expressions import ATOM, Text
from flatgrad.emission.loops import Loops
from flatgrad.emission.writer import Line
from flatgrad.graph.regions import BACKWARD, call, returned_by
from flatgrad.graph.values import Graph, Node


class Calls(Loops):
    """Writes calls, and what `Loops` writes."""

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        return self._call(node) if node.function is call else super()._forward_lines(graph, node)

    def _backward_lines(self, graph: Graph, node: Node) -> list[Line]:
        return self._call_backward(node) if node.function is BACKWARD[call] else super()._backward_lines(graph, node)

    def _expression(self, node: Node) -> Text:
        if node.function is not call:
            return super()._expression(node)
        name = self.functions[node.bodies[0]]
        arguments = ", ".join(self._text(argument) for argument in node.arguments["arguments"])
        # the value alone of what the forward function returns
        return (f"{name}_forward({arguments})[0]" if node.bodies[0].upstream else f"{name}({arguments})"), ATOM

    def _call(self, node: Node) -> list[Line]:
        name = self.functions[node.bodies[0]]
        arguments = ", ".join(self._text(argument) for argument in node.arguments["arguments"])
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
        name = self.functions[node.bodies[0]]
        given = [node.arguments["saved"], *node.arguments["upstream"]]
        arguments = ", ".join(self._text(argument) for argument in given)
        targets = [self._named(value) if value in self.read else self.names.unread() for value in node.outputs]
        self.written[node] = f"{', '.join(targets)} = {name}_backward({arguments})"
        return [Line(self.written[node])]
