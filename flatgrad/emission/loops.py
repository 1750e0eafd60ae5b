"""The text of loops: the turns of the forward pass, and those of the backward pass from the last to the first.

In: a loop, in the forward or in the backward pass. Out: its lines. Layer: emission, above `branches`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.emission.branches import Branches
from flatgrad.emission.expressions import NOT
from flatgrad.emission.keeping import Region
from flatgrad.emission.lines import is_expression, is_inside
from flatgrad.emission.variables import interface_of
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
        lines += [Line(text) for text in self.tapes.opened(region)]
        lines += self._without_value(region, parts)
        self._enter(node, body)
        header = self.headers.forward(node, self._condition(node))
        lines += [Line(header), *indented(self._turn(node, region) or [Line("pass")])]
        lines += [Line(text) for text in self.tapes.closed(region)]
        for output in node.outputs:
            self._named(output)
        return lines

    def _without_value(self, region: Region, parts: LoopParts) -> list[Line]:
        """Return the lines for variables that have no value before the first turn and are kept all the same."""
        tapes = self.tapes.of(region)
        pairs = zip(parts.carried, parts.start, strict=True)
        unset = [value for value, start in pairs if start is None or is_undefined(start)]
        none = [value for value in unset if value in tapes or self._is_copied(region.graph, value)]
        return [Line(f"{self.names.name(value)} = None") for value in none]

    def _is_copied(self, graph: Graph, value: Value) -> bool:
        """Tell whether an inner loop starts from a value under another name."""
        loops = [LoopParts(node) for node in graph.nodes if node.function is loop]
        pairs = [pair for parts in loops for pair in zip(parts.start, parts.carried, strict=True)]
        return any(start is value and not self.variables.same(start, inner) for start, inner in pairs)

    def _turn(self, node: Node, region: Region) -> list[Line]:
        """Return the lines of a turn of a loop."""
        parts, body = LoopParts(node), node.bodies[0]
        lines = self._checked(node)
        lines += [Line(text) for text in self.tapes.counted(region)] + self._kept(body, parts.carried)
        self._plan_to_leave(body, parts)
        lines += self.forward(body, self._nodes_of_turn(region))
        numbers = self._carried_by_turn(region)
        lines += self._copies(body, [parts.carried[k] for k in numbers], [parts.results[k] for k in numbers])
        if parts.leave is not None and parts.leave not in self._leaving | self._left_on:
            lines += [Line(f"if {self._text(parts.leave)}:"), Line("break", depth=1)]
        return lines

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
        if parts.leave is None:
            return
        if self._ends_with_branch_on(body, parts.leave) and all(map(self.variables.same, parts.carried, parts.results)):
            self._left_on.add(parts.leave)
        elif self._can_break(body, parts.leave, parts.carried, parts.results):
            pending = [parts.leave]
            while pending:
                leave = pending.pop()
                self._leaving.add(leave)
                if leave.node is not None and leave.node.function is branch:
                    k = leave.node.outputs.index(leave)
                    pending += [
                        side.results[k] for side in leave.node.bodies if not isinstance(side.results[k], Constant)
                    ]

    def _ends_with_branch_on(self, body: Graph, condition: Value) -> bool:
        """Tell whether the last line of a body is a branch on this condition, which nothing else reads."""
        own = [each for each in body.nodes if each.forward is None and each in self.own]
        if not own or own[-1].function is not branch or own[-1].arguments["condition"] is not condition:
            return False
        return not is_expression(own[-1]) and self.regions.of[body].lines.forward_uses[condition] == 2

    def _can_break(self, graph: Graph, leave: Value, targets: Sequence[Value], results: Sequence[Value]) -> bool:
        node = leave.node
        if node is None or node.function is not branch:
            return False
        forward = [each for each in graph.nodes if each.forward is None and each in self.own]
        used_once = self.regions.of[graph].lines.uses.get(leave) == 1
        if forward[-1] is not node or not used_once or not all(map(self.variables.same, targets, results)):
            return False
        k = node.outputs.index(leave)
        others = [output for output in node.outputs if output is not leave]
        for body in node.bodies:
            result = body.results[k]
            own = [each for each in body.results if each is not result]
            if not isinstance(result, Constant) and not self._can_break(body, result, others, own):
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
        inside = received(node.forward, body)
        for outer, known, gradient in zip(into, first, node.outputs[len(upstream) :], strict=True):
            if known is not None:
                start = self._text(known)
            else:
                start = f"{self.printer.spelling.np()}.zeros_like({self._text(outer)})" if outer.rank else "0.0"
            if known is not None and outer.rank:
                self.names.of[gradient] = start
            name = self.accumulators[inside[outer]] = self._named(gradient)
            if name != start:
                lines.append(Line(f"{name} = {start}"))
        self._pass_accumulators(node.forward, body)
        return lines
