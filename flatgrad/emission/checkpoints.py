"""The text of checkpointed loops: the state is kept once in so many turns, and the turns between are run again for the backward pass.

In: the regions of a function. Out: lists of lines. Layer: emission, above `calls`.

With n turns, about the square root of n states are kept, and a tape for about as many turns at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from flatgrad.emission.calls import Calls
from flatgrad.emission.expressions import Printer, is_simple
from flatgrad.emission.headers import Span
from flatgrad.emission.keeping import Region, Regions, counts_turns, needed_again
from flatgrad.emission.names import Names
from flatgrad.emission.structured_calls import Passed
from flatgrad.emission.writer import Line, indented
from flatgrad.errors import UnsupportedError
from flatgrad.graph.regions import LoopParts, is_undefined, nested
from flatgrad.graph.values import Graph, Node, Value, problem_at
from flatgrad.rules.program import BLOCKS, EFFECTS

KEPT_ONCE = "# the state is kept once in so many turns; the backward pass runs the turns between again"
RUN_AGAIN = "# the turns from here on, again"


@dataclass(frozen=True, slots=True)
class Plan:
    """The names of what a checkpointed loop keeps, how many turns it has, and the values that are computed again."""

    every: str
    states: str
    turns: str
    needed: frozenset[Value]


class Checkpoints(Calls):
    """Writes checkpointed loops, and all else as `Calls` does."""

    def __init__(self, regions: Regions, names: Names, printer: Printer, functions: Passed) -> None:
        super().__init__(regions, names, printer, functions)
        self._plans: dict[Region, Plan] = {}
        self._runs_again = False

    def _loop(self, graph: Graph, node: Node) -> list[Line]:
        body = node.bodies[0]
        region = self.regions.of[body]
        if not node.arguments["checkpoint"] or not body.upstream:
            return super()._loop(graph, node)
        if region.depth > 1:
            message = "a loop inside of another one can't be checkpointed"
            hint = "checkpoint the outer one, or move the inner one into a function"
            raise UnsupportedError(problem_at(node.location, message, hint))
        return self._kept_once(graph, node, region)

    def _kept_once(self, graph: Graph, node: Node, region: Region) -> list[Line]:
        parts, body = LoopParts(node), node.bodies[0]
        _require_repeatable(node)
        for output in node.outputs:
            # before the variables of the loop, so that the result has the user's name
            self._named(output)
        lines = self._copies(graph, parts.carried, parts.start)
        for parameter in parts.carried:
            self._named(parameter)
        lines += self._without_value(graph, node, region)
        self._enter(node, body)
        header, counter = self.headers.counted(node, self._condition(node))
        every, states = self.names.fresh("every"), self.names.fresh("states")
        counted = counts_turns(region)
        turns = self.headers.count(parts.header) if counted else self.names.fresh("turns")
        self._plans[region] = Plan(every, states, turns, frozenset(needed_again(region, self.regions)))
        for name in (every, states, *([] if counted else [turns])):
            self.tapes.opened_in[name] = region
        builtin = self.printer.spelling.builtin
        length = builtin("len")
        append = Line(f"{states}.append({self._state(region)})")
        lines.append(Line(KEPT_ONCE))
        if counted:
            lines.append(
                Line(f"{every} = {builtin('max')}(1, {builtin('int')}({_root(_not_negative(turns, builtin('abs')))}))")
            )
            keep = [Line(f"if {counter} % {every} == 0:"), *indented([append])]
        else:
            lines += [Line(f"{every} = 1"), Line(f"{turns} = 0")]
            thinned = [append, Line(f"if {length}({states}) > {every}:")]
            thinned += indented([Line(f"{states} = {states}[::2]"), Line(f"{every} *= 2")])
            keep = [Line(f"if {turns} % {every} == 0:"), *indented(thinned), Line(f"{turns} += 1")]
        lines.append(Line(f"{states} = []"))
        lines += [Line(header), *indented(self._turn(node, region, keep))]
        return lines + self._copies(graph, node.outputs, parts.carried)

    def _state(self, region: Region) -> str:
        names = [self._text(value) for value in self._carried_on(region)]
        return names[0] if len(names) == 1 else f"({', '.join(names)})"

    def _carried_on(self, region: Region) -> list[Value]:
        """Return the carried values that the turns to run again start from."""
        assert region.node is not None
        parts = LoopParts(region.node)
        needed = self._plans[region].needed
        pairs = zip(parts.carried, parts.start, strict=True)
        return [value for value, start in pairs if start is not None and not is_undefined(start) and value in needed]

    def _is_span(self, region: Region) -> bool:
        return self._runs_again and region in self._plans

    def _checked(self, node: Node) -> list[Line]:
        return [] if self._is_span(self.regions.of[node.bodies[0]]) else super()._checked(node)

    def _nodes_of_turn(self, region: Region) -> list[Node]:
        nodes = super()._nodes_of_turn(region)
        if not self._is_span(region):
            return nodes
        return [node for node in nodes if not self._plans[region].needed.isdisjoint(node.outputs)]

    def _carried_by_turn(self, region: Region) -> list[int]:
        numbers = super()._carried_by_turn(region)
        if not self._is_span(region) or region.node is None:
            return numbers
        carried = LoopParts(region.node).carried
        return [k for k in numbers if carried[k] in self._plans[region].needed]

    def _backward_turns(self, node: Node, region: Region, carried: list[tuple[Value, Value]]) -> list[Line]:
        plan = self._plans.get(region)
        forward = node.forward
        if plan is None or forward is None:
            return super()._backward_turns(node, region, carried)
        parts = LoopParts(forward)
        builtin = self.printer.spelling.builtin
        start, stop = self.names.fresh("start"), self.names.fresh("stop")
        header = f"for {start} in {builtin('reversed')}({builtin('range')}(0, {plan.turns}, {plan.every})):"
        lines = [Line(f"{stop} = {builtin('min')}({start} + {plan.every}, {plan.turns})")]
        for parameter in parts.carried:
            self.printer.name(parameter, self.names.name(parameter))
        if self._carried_on(region):
            lines.append(Line(f"{self._state(region).strip('()')} = {plan.states}[{start} // {plan.every}]"))
        opened = set(self.tapes.opened_in)
        lines += [Line(text) for text in self.tapes.opened(region, {}, "")]
        for name in set(self.tapes.opened_in) - opened:
            del self.tapes.opened_in[name]
            self.tapes.lists.pop(name, None)
        again, found = self.headers.again(region, self.tapes, Span(start, stop))
        self._runs_again = True
        inside = [*(Line(text) for text in found), *self._turn(forward, region)]
        self._runs_again = False
        lines += [Line(RUN_AGAIN), Line(again), *indented(inside)] if inside else []
        self.headers.span, self.headers.span_of = Span(start, stop), region
        lines += super()._backward_turns(node, region, carried)
        return [Line(header), *indented(lines)]

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        if self._runs_again and node.function in EFFECTS:
            # what the user prints is printed once
            return []
        return super()._forward_lines(graph, node)


def _require_repeatable(node: Node) -> None:
    """Refuse a loop whose turns would not be the same when they are run again."""
    hint = "leave out `checkpointed`, or move this out of the loop"
    for graph in nested(node.bodies[0]):
        for each in graph.nodes:
            if each.function in BLOCKS or (each.function in EFFECTS and each.outputs):
                what = "what differs from call to call" if each.function not in BLOCKS else "a `with` or `try` block"
                message = f"{what} can't be run again in a checkpointed loop"
                raise UnsupportedError(problem_at(each.location or node.location, message, hint))


def _not_negative(turns: str, absolute: str) -> str:
    """Return the text of a number of turns; `range(-2)` has none."""
    return turns if turns.startswith(("len(", "min(")) or turns.isdecimal() else f"{absolute}({turns})"


def _root(text: str) -> str:
    """Return the text of a square root."""
    if is_simple(text):
        return f"{text}**0.5"
    is_call = text.endswith(")") and " " not in text.partition("(")[0]
    return f"{text} ** 0.5" if is_call else f"({text}) ** 0.5"
