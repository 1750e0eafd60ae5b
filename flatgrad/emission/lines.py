"""Which operations get a line of their own, and which are written inside the expression that uses them.

In: a joint graph, its results, the style. Out: the nodes with a line, and for every node the line that it is part of.
Layer: above the passes.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from flatgrad.emission.marks import crossing
from flatgrad.graph.regions import BACKWARD, REGIONS, branch, call, constants_inside, edited, loop, returned_by
from flatgrad.graph.values import Constant, Graph, Node, Value, uses_of
from flatgrad.markers import stop_gradient
from flatgrad.passes.memory import WRITES, is_quick
from flatgrad.registry import lookup
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.listing import appended
from flatgrad.rules.placing import placed, placed_together
from flatgrad.rules.program import EFFECTS, concatenated, conjunction, disjunction, filled, formatted, literal, made
from flatgrad.rules.static import axes_count
from flatgrad.rules.writing import added

TEXTS = frozenset({formatted, filled, concatenated})
# written where they are used, however often: reading a size costs nothing, and a name for it tells nothing
ALWAYS_INSIDE = frozenset({size_of_axis, axes_count, len, np.shape, np.size, made, stop_gradient}) | TEXTS
# written as zeros with an assignment into them
PLACING = frozenset({placed, placed_together})
# two in a row read as another language's decrement
SIGNS = frozenset({operator.neg, operator.pos})
# written inside the assert or print that they are for
CONDITIONS = frozenset({conjunction, disjunction})


class Lines:
    """`own` holds the nodes with a line of their own; `host` maps every node to the node in whose line it stands."""

    def __init__(self, graph: Graph, results: Sequence[Value], style: str, target: str = "numpy") -> None:
        self.style = style
        self.read_twice = _read_twice(graph) if target == "math" else frozenset()
        self.repeats = graph.repeats
        self.forward_uses = uses_of([node for node in graph.nodes if node.forward is None], graph.results)
        self.uses = uses_of(graph.nodes, [*results, *(each for node in graph.nodes for each in constants_inside(node))])
        self.read_backward = {value for node in graph.nodes if node.forward is not None for value in node.inputs}
        self.results = dict.fromkeys(results)
        self.signed = {value for node in graph.nodes if node.function in SIGNS for value in node.inputs}
        self.inside_forms = _inside_forms(graph, self.uses)
        self.taken_inside = _taken_inside(graph)
        self.crossing = crossing(graph)
        self.taken_away = _taken_away(graph, self.uses)
        self.written = {node.inputs[0] for node in graph.nodes if node.function in WRITES}
        self.own = [node for node in graph.nodes if self._has_line(node)]
        self.host = self._hosts(graph)
        self._stay_before_writes(graph)
        self._readers = self._lines_with_a_gradient(graph)

    def readers(self, primal: Value) -> list[Node]:
        """Return the lines that a value goes into and that pass a gradient back to it, the last first."""
        return self._readers.get(primal, [])

    def _has_line(self, node: Node) -> bool:
        if node.function in EFFECTS or len(node.outputs) > 1 or node.function in PLACING or node.function in WRITES:
            return True
        if node.function in REGIONS and not is_expression(node):
            return True
        value = node.output
        if node.function is literal:
            return value.name is not None or self.uses.get(value, 0) > 1
        if node.function is edited and value.name == node.inputs[0].name:
            return False
        if value.name is not None or value in self.results or value in self.written:
            return True
        if value in self.taken_away:
            return False
        if node.is_volatile and value in self.read_backward and node.forward is None:
            return True
        if node.forward is not None and node.forward.function is appended:
            # the gradient of the last element is read before that of the list gets shorter
            return True
        if node.forward is not None and node.form in (".T", ".mT"):
            if self.uses.get(value, 0) > 1 and self._is_work(node.inputs[0].node):
                return True
            return value.primal is not None and self._backward_has_line(value)
        if value in self.crossing and (node.function in TEXTS or node.function not in ALWAYS_INSIDE):
            return True
        if node.function in ALWAYS_INSIDE or node.function in CONDITIONS or _of_constants(node):
            return False
        if (node.function in SIGNS and value in self.signed) or value in self.taken_inside | self.read_twice:
            return True
        if node.forward is not None:
            return self._backward_has_line(value)
        if self.style == "flat":
            return node not in self.inside_forms
        if self.repeats and self._is_quick_throughout(node):
            # computed again in the backward pass, wherever it is read
            return self.forward_uses.get(value, 0) > 1
        return self.uses.get(value, 0) > 1 or value in self.read_backward

    def _is_work(self, node: Node | None) -> bool:
        """Tell whether something is computed where its value is written."""
        return node is not None and not is_quick(node) and not self._has_line(node)

    def _is_quick_throughout(self, node: Node) -> bool:
        """Tell whether a node is quick, with all that is written inside of its expression."""
        if not is_quick(node):
            return False
        inside = [value.node for value in node.inputs if value.node is not None and value.name is None]
        return all(
            self.forward_uses.get(each.outputs[0], 0) > 1 or self._is_quick_throughout(each)
            for each in inside
            if each.function not in ALWAYS_INSIDE or each.is_volatile
        )

    def _backward_has_line(self, value: Value) -> bool:
        if self.uses.get(value, 0) > 1:
            return True
        if value.primal is None:
            return False
        primal = value.primal
        return self.style == "flat" or primal.name is not None or primal.node is None or primal in self.read_backward

    def _stay_before_writes(self, graph: Graph) -> None:
        """Give a line to what would be computed behind a write into what it reads."""
        position = {node: k for k, node in enumerate(graph.nodes)}
        while True:
            own = set(self.own)
            late = {
                node
                for node in graph.nodes
                if node.valid_until is not None
                and node not in own
                and position[self.host[node]] > position.get(node.valid_until, len(position))
            }
            if not late:
                return
            self.own = [node for node in graph.nodes if node in own or node in late]
            self.host = self._hosts(graph)

    def _hosts(self, graph: Graph) -> dict[Node, Node]:
        own = set(self.own)
        host: dict[Node, Node] = {}
        reader: dict[Value, Node] = {}
        for node in reversed(graph.nodes):
            place = node
            if node not in own:
                place = next((reader[value] for value in node.outputs if value in reader), node)
            host[node] = place
            for value in node.inputs:
                # the first line that reads a value comes last in this order
                reader[value] = place
        return host

    def _lines_with_a_gradient(self, graph: Graph) -> dict[Value, list[Node]]:
        """Return for each value the lines that read it and have a gradient, the last first."""
        differentiated = {node.forward for node in graph.nodes if node.forward is not None}
        readers: dict[Value, list[Node]] = {}
        for node in reversed(graph.nodes):
            if node in differentiated:
                arguments = node.inputs if node.recognised is None else node.recognised.arguments.values()
                for value in arguments:
                    if isinstance(value, Value):
                        readers.setdefault(value, []).append(self.host[node])
        return readers


def _read_twice(graph: Graph) -> frozenset[Value]:
    """Return the values that a form for Python floats has in it more than once: `{x} * {x}`."""
    found: set[Value] = set()
    for node in graph.nodes:
        record = lookup(node.function)
        if record is not None and isinstance(record.scalar, str):
            arguments = node.arguments
            found.update(arguments[name] for name in record.inputs if record.scalar.count("{" + name + "}") > 1)
    return frozenset(found)


def _taken_inside(graph: Graph) -> set[Value]:
    """Return the values that the bodies of branches and loops use: these are computed once, before them."""
    taken: set[Value] = set()
    for node in graph.nodes:
        if node.function in REGIONS:
            taken.update(node.arguments.get("closed", ()))
        if node.function is BACKWARD[branch]:
            taken.update(node.arguments["upstream"])
        if node.function is BACKWARD[loop]:
            body = node.bodies[0]
            pairs = zip(node.arguments["upstream"], body.upstream, body.gradients, strict=True)
            taken.update(outer for outer, inner, gradient in pairs if inner is gradient)
            taken.update(first for first in node.arguments["first"] if first is not None)
    return taken


def _taken_away(graph: Graph, uses: dict[Value, int]) -> set[Value]:
    """Return the numbers and arrays that are only negated to be added to an array: `x -= y` says so without a line of its own."""
    values = [node.arguments["values"] for node in graph.nodes if node.function is added]
    return {
        value
        for value in values
        if isinstance(value, Value)
        and value.node is not None
        and value.node.function is operator.neg
        and uses[value] == 1
    }


def _of_constants(node: Node) -> bool:
    return bool(node.inputs) and all(isinstance(value, Constant) and not value.rank for value in node.inputs)


def _inside_forms(graph: Graph, uses: dict[Value, int]) -> set[Node]:
    """Return the unnamed steps of elementwise forms: a sigmoid that is written out is one gate and stays one line."""
    inside: set[Node] = set()
    for node in graph.nodes:
        if node.recognised is None:
            continue
        record = lookup(node.recognised.function)
        if record is None or not record.elementwise:
            continue
        arguments = set(node.recognised.arguments.values())
        steps = list(node.inputs)
        while steps:
            value = steps.pop()
            if value in arguments or value.node is None or value.name is not None or uses.get(value, 0) > 1:
                continue
            inside.add(value.node)
            steps += value.node.inputs
    return inside


def is_expression(node: Node) -> bool:
    """Tell whether a branch is written as an expression: `a if c else b`, `a and b`, `a or b`; no gradient passes through it."""
    if node.function is not branch or not node.form or node.forward is not None:
        return False
    if len(node.outputs) != 1 or any(body.upstream for body in node.bodies):
        return False
    return all(is_inside(each) for body in node.bodies for each in body.nodes)


def is_inside(node: Node) -> bool:
    """Tell whether a node can be written inside of an expression."""
    if node.function is call:
        return len(returned_by(node)) == 1
    if node.bodies:
        return is_expression(node)
    return len(node.outputs) == 1 and node.function not in EFFECTS and node.function not in PLACING | WRITES
