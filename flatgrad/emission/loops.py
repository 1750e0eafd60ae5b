"""The text of loops: the turns of the forward pass, and those of the backward pass from the last to the first.

In: a loop, in the forward or in the backward pass. Out: its lines. Layer: emission, above `branches`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatgrad.emission.branches import Branches
from flatgrad.emission.interfaces import interface_of
from flatgrad.emission.keeping import Region, shape_of_sum
from flatgrad.emission.lines import is_expression, is_inside
from flatgrad.emission.literals import NOT
from flatgrad.emission.tape_arrays import shape_of_tape, sizes_at_hand, writes_into_arrays
from flatgrad.emission.writer import Line, indented
from flatgrad.graph.regions import BACKWARD, LoopParts, branch, is_undefined, loop, received
from flatgrad.graph.values import Constant, Graph, Node, Value


class Loops(Branches):
    """Writes loops, and what `Branches` writes."""

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        return self._loop(graph, node) if node.function is loop else super()._forward_lines(graph, node)

    def _backward_lines(self, graph: Graph, node: Node) -> list[Line]:
        return self._loop_backward(node) if node.function is BACKWARD[loop] else super()._backward_lines(graph, node)

    def _loop(self, graph: Graph, node: Node) -> list[Line]:
        parts, body = LoopParts(node), node.bodies[0]
        region = self.regions.of[body]
        lines = self._copies(graph, parts.carried, parts.start)
        for parameter in parts.carried:
            self._named(parameter)
        turn, arrays = self._array_tapes(node, region)
        lines += [Line(text) for text in self.tapes.opened(region, arrays, turn)]
        lines += self._without_value(graph, node, region)
        self._enter(node, body)
        header = self.headers.forward(node, self._condition(node))
        if self.tapes.arrays.keys() & set(self.tapes.of(region).values()):
            header, _ = self.headers.counted(node, None)
        lines += [Line(header), *indented(self._turn(node, region) or [Line("pass")])]
        lines += [Line(text) for text in self.tapes.closed(region)]
        for output in node.outputs:
            self._named(output)
        return lines

    def _array_tapes(self, node: Node, region: Region) -> tuple[str, dict[Value, str]]:
        """Return the number of a turn, and what makes the tapes of a loop that are arrays."""
        if not writes_into_arrays(region):
            return "", {}
        turns, turn = self.headers.turns(node), self.headers.turn(node)
        sizes = sizes_at_hand(self.regions.root.graph, self.printer)
        found: dict[Value, str] = {}
        for value in region.kept:
            shape = shape_of_tape(value.type, turns, sizes)
            if shape is not None:
                dtype = "" if value.dtype == np.float64 else f", dtype={self.printer.dtype(value.dtype)}"
                found[value] = f"{self.printer.spelling.np()}.empty({shape}{dtype})"
        return turn, found

    def _without_value(self, graph: Graph, node: Node, region: Region) -> list[Line]:
        """Return the lines for variables that have no value before the first turn and are kept all the same."""
        parts, tapes = LoopParts(node), self.tapes.of(region)
        asked = self._asked_for | self.regions.of[graph].reads.keys()
        pairs = zip(parts.carried, parts.start, node.outputs, strict=True)
        unset = [(value, output) for value, start, output in pairs if start is None or is_undefined(start)]
        none = [
            value
            for value, output in unset
            if value in tapes or output in asked or self._is_copied(region.graph, value)
        ]
        return [Line(f"{self.names.name(value)} = None") for value in none]

    def _is_copied(self, graph: Graph, value: Value) -> bool:
        """Tell whether an inner loop starts from a value under another name."""
        loops = [LoopParts(node) for node in graph.nodes if node.function is loop]
        pairs = [pair for parts in loops for pair in zip(parts.start, parts.carried, strict=True)]
        return any(start is value and not self.variables.same(start, inner) for start, inner in pairs)

    def _turn(self, node: Node, region: Region, first: Sequence[Line] = ()) -> list[Line]:
        """Return the lines of a turn of a loop; `first` stand where it is certain that there is one."""
        parts, body = LoopParts(node), node.bodies[0]
        lines = [*self._checked(node), *first]
        lines += [Line(text) for text in self.tapes.counted(region)] + self._kept(body, parts.carried)
        self._plan_to_leave(body, parts)
        lines += self.forward(body, self._nodes_of_turn(region))
        numbers = self._carried_by_turn(region)
        lines += self._copies(body, [parts.carried[k] for k in numbers], [parts.results[k] for k in numbers])
        if parts.leave is not None and parts.leave not in self._left_at | self._left_on and not self._is_span(region):
            lines += [Line(f"if {self._text(parts.leave)}:"), Line("break", depth=1)]
        return lines

    def _is_span(self, region: Region) -> bool:
        """Tell whether the header alone says how many turns of a loop are run."""
        return False

    def _nodes_of_turn(self, region: Region) -> list[Node]:
        """Return the forward nodes that a turn runs."""
        return [node for node in region.graph.nodes if node.forward is None]

    def _carried_by_turn(self, region: Region) -> list[int]:
        """Return the numbers of the carried values that a turn makes anew."""
        assert region.node is not None
        return list(range(len(LoopParts(region.node).carried)))

    def _condition(self, node: Node) -> str | None:
        """Return the text of the condition of a `while` loop, as one expression, whatever the style; None where it is none."""
        if len(node.bodies) < 2 or not all(map(is_inside, node.bodies[1].nodes)):
            return None
        condition = self._enter_condition(node)
        for each in condition.nodes:
            self.printer.texts[each.output] = self._inside(each)
        return self._text(condition.results[0])

    def _enter_condition(self, node: Node) -> Graph:
        condition = node.bodies[1]
        self._enter(node, condition)
        for inner, carried in zip(condition.parameters, LoopParts(node).carried, strict=False):
            self._alias(inner, carried)
        return condition

    def _checked(self, node: Node) -> list[Line]:
        """Return the lines that check the condition of a `while` loop in its body, where it is no expression."""
        if len(node.bodies) < 2 or all(map(is_inside, node.bodies[1].nodes)):
            return []
        condition = self._enter_condition(node)
        lines = self.forward(condition, condition.nodes)
        text = self.printer.operand(condition.results[0], NOT)
        return [*lines, Line(f"if not {text}:"), Line("break", depth=1)]

    def _plan_to_leave(self, body: Graph, parts: LoopParts) -> None:
        """Find out whether a loop can be left by `break` on the sides of branches, with nothing to do behind it."""
        if parts.leave is not None and self._can_break(body, parts.leave, parts.carried, parts.results):
            pending = [(body, parts.leave)]
            while pending:
                graph, leave = pending.pop()
                node = leave.node
                if self._last_branch(graph) is None or node is not self._last_branch(graph):
                    self._left_on.add(leave)
                    continue
                self._left_at.add(leave)
                if graph.results.count(leave) == 1:
                    # a flag that nothing but the loop itself reads
                    self._leaving.add(leave)
                assert node is not None
                k = node.outputs.index(leave)
                sides = [(side, side.results[k]) for side in node.bodies]
                pending += [(side, flag) for side, flag in sides if not isinstance(flag, Constant)]

    def _last_branch(self, graph: Graph) -> Node | None:
        """Return the branch that the last line of a graph is."""
        own = [each for each in graph.nodes if each.forward is None and each in self.own]
        return own[-1] if own and own[-1].function is branch and not is_expression(own[-1]) else None

    def _can_break(self, graph: Graph, leave: Value, targets: Sequence[Value], results: Sequence[Value]) -> bool:
        """Tell whether the last branch of a graph decides on leaving, by its condition or by what it makes, and nothing follows."""
        last = self._last_branch(graph)
        if last is None or not all(map(self.variables.same, targets, results)):
            return False
        lines, kept = self.regions.of[graph].lines, self.regions.of[graph].kept
        if any(output in kept for output in last.outputs):
            return False
        if last.arguments["condition"] is leave:
            return lines.forward_uses[leave] == 1 + graph.results.count(leave)
        if last is not leave.node or lines.forward_uses[leave] != graph.results.count(leave):
            return False
        k = last.outputs.index(leave)
        others = [output for output in last.outputs if output is not leave]
        for body in last.bodies:
            flag = body.results[k]
            own = [result for j, result in enumerate(body.results) if j != k]
            if not isinstance(flag, Constant) and not self._can_break(body, flag, [*others, leave], [*own, flag]):
                return False
        return True

    def _loop_backward(self, node: Node) -> list[Line]:
        forward, arguments = node.forward, node.arguments
        assert forward is not None
        body = node.bodies[0]
        region = self.regions.of[body]
        upstream = arguments["upstream"]
        lines = self._accumulators(node, body)
        face = interface_of(node)
        assert face is not None
        for inner, outer in zip(body.upstream, upstream, strict=True):
            if inner not in face.carried:
                self._alias(inner, outer)
        lines += self._copies(body, face.carried, face.start)
        for inner in face.carried:
            self._named(inner)
        self._enter(forward, body)
        lines += self._backward_turns(node, region, list(zip(face.carried, face.sides[0][1], strict=True)))
        for output in face.outputs:
            self._named(output)
        return lines

    def _backward_turns(self, node: Node, region: Region, carried: list[tuple[Value, Value]]) -> list[Line]:
        """Return the loop of the backward pass, from the last turn to the first; `carried` are gradients before and behind a turn."""
        body = region.graph
        header, found = self.headers.backward(region, self.tapes)
        lines = [*(Line(text) for text in found), *self._computed_again(region)]
        lines += self.backward(body, [each for each in body.nodes if each.forward is not None])
        lines += self._copies(body, [before for before, _ in carried], [behind for _, behind in carried])
        self.headers.leave()
        return [Line(header), *indented(lines)] if lines else []

    def _accumulators(self, node: Node, body: Graph) -> list[Line]:
        """Return the lines that make what the gradients of values from outside are added to."""
        assert node.forward is not None
        into, first, upstream = (node.arguments[name] for name in ("into", "first", "upstream"))
        lines = []
        inside = {outer.copy_of or outer: inner for outer, inner in received(node.forward, body).items()}
        for outer, known, gradient in zip(into, first, node.outputs[len(upstream) :], strict=True):
            if known is not None:
                start = self._text(known)
            else:
                around = self.regions.of[body].around
                like = outer if around is None else shape_of_sum(node, outer, around)
                start = f"{self.printer.spelling.np()}.zeros_like({self._text(like)})" if outer.rank else "0.0"
            if known is not None and outer.rank:
                self.names.of[gradient] = start
            name = self.accumulators[inside[outer]] = self._named(gradient)
            if name != start:
                lines.append(Line(f"{name} = {start}"))
        self._pass_accumulators(node.forward, body)
        return lines
