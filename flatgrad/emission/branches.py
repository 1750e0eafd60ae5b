"""The text of branches, as statements and as expressions.

In: a branch, in the forward or in the backward pass. Out: its lines, or its text. Layer: emission, above `blocks`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

from flatgrad.emission.blocks import Blocks
from flatgrad.emission.lines import is_expression
from flatgrad.emission.literals import AND, COMPARED, CONDITIONAL, NOT, OR, Text
from flatgrad.emission.marks import is_handler
from flatgrad.emission.writer import Line, indented
from flatgrad.graph.regions import BACKWARD, branch, is_undefined, received
from flatgrad.graph.values import Constant, Graph, Node, Value

# the opposite of `<` is not `>=`, for nan
OPPOSITES = {operator.eq: "!=", operator.ne: "=="}
# how `and` and `or` are written, and on which side the second operand is
CONNECTIVES = {"and": ("and", AND, 0), "or": ("or", OR, 1)}


class Branches(Blocks):
    """Writes branches, and what `Blocks` writes."""

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        if node.function is branch and is_handler(node):
            body = node.bodies[0]
            self._enter(node, body)
            return self.forward(body, body.nodes)
        if node.function is branch and not is_expression(node):
            return self._branch(graph, node)
        return super()._forward_lines(graph, node)

    def _backward_lines(self, graph: Graph, node: Node) -> list[Line]:
        return (
            self._branch_backward(node) if node.function is BACKWARD[branch] else super()._backward_lines(graph, node)
        )

    def _expression(self, node: Node) -> Text:
        if node.function is not branch:
            return super()._expression(node)
        condition = node.arguments["condition"]
        sides: list[Value] = []
        for body in node.bodies:
            self._enter(node, body)
            for each in body.nodes:
                self.printer.texts[each.outputs[0]] = self._inside(each)
            sides += body.results
        if node.form in CONNECTIVES:
            word, precedence, side = CONNECTIVES[node.form]
            if sides[1 - side] in (condition, *received_as(node, condition)) or is_truth(sides[1 - side], side == 1):
                operands = (condition, sides[side])
                return f" {word} ".join(self.printer.operand(each, precedence) for each in operands), precedence
        then, otherwise = (self.printer.operand(side, OR) for side in sides)
        return f"{then} if {self.printer.operand(condition, OR)} else {otherwise}", CONDITIONAL

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
        if not otherwise and _is_one_test(then):
            inner = then[0].text.removeprefix("if ").removesuffix(":")
            return [then[0]._replace(text=f"if {_operand(text)} and {_operand(inner)}:"), *then[1:]]
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
            if output in self._left_at and isinstance(result, Constant) and result.number is True:
                return [Line("break")]
        return []


def received_as(node: Node, outer: Value) -> list[Value]:
    """Return the parameters that stand for a value inside of a branch."""
    return [received(node, body)[outer] for body in node.bodies if outer in received(node, body)]


def is_truth(value: Value, truth: bool) -> bool:
    """Tell whether a value is the constant True, or False."""
    return isinstance(value, Constant) and value.number is truth


def _is_one_test(lines: Sequence[Line]) -> bool:
    """Tell whether lines are one `if` without an `else`, and nothing else."""
    heads = [line.text for line in lines if not line.depth]
    return len(heads) == 1 and heads[0].startswith("if ")


def _operand(text: str) -> str:
    """Return the text of an operand of `and`."""
    return f"({text})" if any(word in text for word in (" or ", " if ", ":=")) else text


def _is_one_branch(lines: Sequence[Line]) -> bool:
    """Tell whether lines are one `if` statement and nothing else."""
    heads = [line.text for line in lines if not line.depth]
    return heads[0].startswith("if ") and all(text.startswith(("elif ", "else:")) for text in heads[1:])
