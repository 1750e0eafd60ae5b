"""The text of branches, loops and calls, in the forward and in the backward pass.

In: the regions of a function, the variables that their values share, the tapes. Out: lists of lines. Layer: above `writer`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from flatgrad.emission.expressions import AND, ATOM, COMPARED, CONDITIONAL, NOT, OR, Printer, Text
from flatgrad.emission.headers import Headers
from flatgrad.emission.keeping import Region, Regions
from flatgrad.emission.lines import is_expression, is_inside
from flatgrad.emission.names import Names
from flatgrad.emission.tapes import Tapes
from flatgrad.emission.variables import Variables, interface_of
from flatgrad.emission.writer import Line, Writer, indented
from flatgrad.graph.regions import (
    BACKWARD,
    LoopParts,
    branch,
    call,
    is_undefined,
    loop,
    received,
    returned_by,
)
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.rules.program import named

# the opposite of `<` is not `>=`, for nan
OPPOSITES = {operator.eq: "!=", operator.ne: "=="}
# how `and` and `or` are written, and on which side the second operand is
CONNECTIVES = {"and": ("and", AND, 0), "or": ("or", OR, 1)}


class Blocks(Writer):
    """Writes all statements of one function. `functions` has the name of each helper in the emitted module."""

    def __init__(self, regions: Regions, names: Names, printer: Printer, functions: dict[Graph, str]) -> None:
        super().__init__(regions, names, printer)
        self.variables = Variables(regions)
        self.names.variable_of = self.variables.of
        self.tapes = Tapes(regions, self.variables, names)
        self.headers = Headers(printer, names)
        self.functions = functions
        # loops that leave a side of a branch with `break` instead of a flag
        self._leaving: set[Value] = set()
        # conditions of branches whose first side leaves the loop at its end
        self._left_on: set[Value] = set()
        # what a branch gives back that is read even where it has no value: by the backward pass, by a copy
        self._asked_for = self.variables.copied()

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        if node.function is branch and not is_expression(node):
            lines = self._branch(graph, node)
        elif node.function is loop:
            lines = self._loop(graph, node)
        elif node.function is call:
            lines = self._call(node)
        else:
            lines = super()._forward_lines(graph, node)
        return lines + self._kept(graph, node.outputs)

    def _backward_lines(self, graph: Graph, node: Node) -> list[Line]:
        if node.function is BACKWARD[branch]:
            return self._branch_backward(node)
        if node.function is BACKWARD[loop]:
            return self._loop_backward(node)
        if node.function is BACKWARD[call]:
            return self._call_backward(node)
        if node.function is named and self._has_its_name(node):
            return []
        return super()._backward_lines(graph, node)

    def _expression(self, node: Node) -> Text:
        if node.function is call:
            name = self.functions[node.bodies[0]]
            arguments = ", ".join(self._text(argument) for argument in node.arguments["arguments"])
            # the value alone of what the forward function returns
            return (f"{name}_forward({arguments})[0]" if node.bodies[0].upstream else f"{name}({arguments})"), ATOM
        if node.function is not branch:
            return super()._expression(node)
        condition = node.arguments["condition"]
        sides: list[Value] = []
        for body in node.bodies:
            self._enter(node, body)
            for each in body.nodes:
                self.printer.texts[each.output] = self._inside(each)
            sides += body.results
        if node.form in CONNECTIVES:
            word, precedence, side = CONNECTIVES[node.form]
            if sides[1 - side] in (condition, *received_as(node, condition)) or is_truth(sides[1 - side], side == 1):
                operands = (condition, sides[side])
                return f" {word} ".join(self.printer.operand(each, precedence) for each in operands), precedence
        then, otherwise = (self.printer.operand(side, OR) for side in sides)
        return f"{then} if {self.printer.operand(condition, OR)} else {otherwise}", CONDITIONAL

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

    def _kept(self, graph: Graph, values: Sequence[Value]) -> list[Line]:
        """Return the lines that keep values for the backward pass."""
        tapes = self.tapes.of(self.regions.of[graph])
        return [Line(f"{tapes[value]}.append({self._text(value)})") for value in values if value in tapes]

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

    # branches

    def _branch(self, graph: Graph, node: Node) -> list[Line]:
        condition = node.arguments["condition"]
        sides = []
        for body in node.bodies:
            self._enter(node, body)
            without_value = self._without_value_on(graph, node, body)
            lines = self.forward(body, [each for each in body.nodes if each.forward is None])
            lines += self._copies(body, node.outputs, body.results) + without_value
            sides.append(lines + self._breaking(node, body))
        for output in node.outputs:
            self._named(output)
        return self._written_branch(condition, sides)

    def _without_value_on(self, graph: Graph, node: Node, body: Graph) -> list[Line]:
        """Return the lines for variables that have no value on a side, where the backward pass asks for one all the same."""
        reads = self.regions.of[graph].reads
        pairs = zip(node.outputs, body.results, strict=True)
        asked = [(output, result) for output, result in pairs if output in reads or output in self._asked_for]
        self._asked_for.update(result for _, result in asked)
        return [Line(f"{self._named(output)} = None") for output, result in asked if is_undefined(result)]

    def _branch_backward(self, node: Node) -> list[Line]:
        forward, arguments = node.forward, node.arguments
        assert forward is not None
        sides = []
        for body in node.bodies:
            self._enter(forward, body)
            for outer, inner in zip(arguments["upstream"], body.upstream, strict=True):
                self._alias(inner, outer)
            self._pass_accumulators(forward, body)
            region = self.regions.of[body]
            found = self.tapes.read(region, self.printer)
            lines = [*(Line(text) for text in found), *self._computed_again(region)]
            lines += self.backward(body, [each for each in body.nodes if each.forward is not None])
            sides.append(lines + self._copies(body, node.outputs, body.gradients))
        for output in node.outputs:
            self._named(output)
        return self._written_branch(arguments["condition"], sides)

    def _written_branch(self, condition: Value, sides: Sequence[list[Line]]) -> list[Line]:
        then, otherwise = sides
        text = self._text(condition)
        if not then and not otherwise:
            return []
        if not then:
            text = self._negated(condition)
            then, otherwise = otherwise, []
        lines = [Line(f"if {text}:"), *indented(then)]
        if then[-1] == Line("break"):
            return lines + otherwise
        if otherwise and _is_one_branch(otherwise):
            return [*lines, otherwise[0]._replace(text="el" + otherwise[0].text), *otherwise[1:]]
        return lines + ([Line("else:"), *indented(otherwise)] if otherwise else [])

    def _negated(self, condition: Value) -> str:
        """Return the text of the opposite of a condition."""
        text, precedence = self.printer.item(condition)
        node = condition.node
        if precedence == NOT and text.startswith("not "):
            return text.removeprefix("not ")
        if precedence == COMPARED and node is not None and node.function in OPPOSITES:
            left, right = node.arguments.values()
            operands = (self.printer.operand(each, COMPARED + 1) for each in (left, right))
            return f" {OPPOSITES[node.function]} ".join(operands)
        return f"not {self.printer.operand(condition, NOT)}"

    def _breaking(self, node: Node, body: Graph) -> list[Line]:
        """Return the line that leaves the loop at the end of a side, where that is how it is left."""
        if node.arguments["condition"] in self._left_on:
            return [Line("break")] if body is node.bodies[0] else []
        for output, result in zip(node.outputs, body.results, strict=True):
            if output in self._leaving and isinstance(result, Constant) and result.number is True:
                return [Line("break")]
        return []

    # loops

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
        lines += self.forward(body, [each for each in body.nodes if each.forward is None])
        lines += self._copies(body, parts.carried, parts.results)
        if parts.leave is not None and parts.leave not in self._leaving | self._left_on:
            lines += [Line(f"if {self._text(parts.leave)}:"), Line("break", depth=1)]
        return lines

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

    def _pass_accumulators(self, forward: Node, body: Graph) -> None:
        for outer, inner in received(forward, body).items():
            if outer in self.accumulators:
                self.accumulators.setdefault(inner, self.accumulators[outer])

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

    # calls

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


def received_as(node: Node, outer: Value) -> list[Value]:
    """Return the parameters that stand for a value inside of a branch."""
    return [received(node, body)[outer] for body in node.bodies if outer in received(node, body)]


def is_truth(value: Value, truth: bool) -> bool:
    """Tell whether a value is the constant True, or False."""
    return isinstance(value, Constant) and value.number is truth


def _is_one_branch(lines: Sequence[Line]) -> bool:
    """Tell whether lines are one `if` statement and nothing else."""
    heads = [line.text for line in lines if not line.depth]
    return heads[0].startswith("if ") and all(text.startswith(("elif ", "else:")) for text in heads[1:])
