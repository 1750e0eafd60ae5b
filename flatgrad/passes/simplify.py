"""Applies identities of algebra to the backward pass.

    before: grad_x = -grad_y * 1.0 + grad_z
    after:  grad_x = grad_z - grad_y

In: a joint graph. Out: the same with fewer operations. The forward pass stays as it was written. Layer: passes.

Both sides of an equation are the same to the last bit, for nan, inf, -0.0 and empty arrays too, and an equation is applied
only where its right side has the type of its left side.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.containers import leaves
from flatgrad.graph.values import Constant, Graph, Node, Value, same_type
from flatgrad.infer import type_of, unwrapped
from flatgrad.passes.matching import Absent, Axes, Terms, matches, record_of
from flatgrad.passes.pattern import Operation, Pattern, Variable, pattern_in
from flatgrad.passes.rewriting import is_step, rewrite
from flatgrad.registry import Record
from flatgrad.rules.program import named

# the left side of `+` and `*` stands for both orders of the operands
EQUATIONS = (
    "x * 1 = x",
    "x / 1 = x",
    "x ** 1 = x",
    "x - 0 = x",
    "-(-x) = x",
    "x + -y = x - y",
    "x - -y = x + y",
    "-x * y = -(x * y)",
    "-x / y = -(x / y)",
    "x / -y = -(x / y)",
    "x + x = 2 * x",
    "np.where(c, np.where(c, x, 0), 0) = np.where(c, x, 0)",
    "np.where(c, 0, np.where(c, 0, x)) = np.where(c, 0, x)",
    "np.where(c, np.where(c, x, 0) * y, 0) = np.where(c, x * y, 0)",
    "np.where(c, np.where(c, x, 0) / y, 0) = np.where(c, x / y, 0)",
    "np.transpose(np.transpose(x)) = x",
    "np.swapaxes(np.swapaxes(x, axis1, axis2), axis1, axis2) = x",
    "np.squeeze(np.sum(x, axis=axis, keepdims=True), axis=axis) = np.sum(x, axis=axis)",
    "np.squeeze(-np.sum(x, axis=axis, keepdims=True), axis=axis) = -np.sum(x, axis=axis)",
    # one number for each channel of signals and of images
    "np.squeeze(np.sum(x, axis=(0, 2), keepdims=True)[0], axis=1) = np.sum(x, axis=(0, 2))",
    "np.squeeze(np.sum(x, axis=(0, 2, 3), keepdims=True)[0], axis=(1, 2)) = np.sum(x, axis=(0, 2, 3))",
    "np.expand_dims(np.sum(x, axis=axis), axis=axis) = np.sum(x, axis=axis, keepdims=True)",
)

# by now equal values are one
# operations of the forward pass that an equation may look into, too: it takes a value that is there anyhow
TURNED = frozenset({np.transpose, np.swapaxes, np.matrix_transpose})


def _is_transparent(value: Value) -> bool:
    return is_step(value) or (value.node is not None and value.node.function in TURNED)


TERMS = Terms(is_transparent=_is_transparent, is_same=operator.is_)

Equation = tuple[Operation, Pattern]


def simplify(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Apply the equations and fold constants until nothing changes."""
    return apply_equations(graph, results, EQUATIONS)


def apply_equations(graph: Graph, results: Sequence[Value], equations: tuple[str, ...]) -> list[Value]:
    """Apply equations to the backward pass until nothing changes."""
    table = read_equations(equations)
    return rewrite(graph, results, lambda builder, node: simpler(builder, node, table))


@cache
def read_equations(texts: tuple[str, ...]) -> dict[Record, list[Equation]]:
    """Return equations by the operation that their left side is the result of."""
    table: dict[Record, list[Equation]] = {}
    for text in texts:
        left, right = (pattern_in(side, {"np": np}) for side in text.split(" = "))
        assert isinstance(left, Operation)
        table.setdefault(left.record, []).append((left, right))
    return table


def simpler(builder: Builder, node: Node, table: Mapping[Record, list[Equation]]) -> Value | None:
    """Return what an equation, or the folding of constants, makes of a node; None where nothing applies."""
    record = record_of(node.function, dict(node.call))
    if record is None:
        return None
    nodes = builder.graph.nodes
    for left, right in table.get(record, ()):
        for bindings in matches(left, node, TERMS):
            if not all(_is_real(bound) for bound in bindings.values()):
                continue
            before = len(nodes)
            value = _written(builder, right, bindings, table)
            made = nodes[before:]
            if isinstance(value, Value) and same_type(value.type, node.output.type) and _raise_alike(made, node):
                return value
            del nodes[before:]
    return _folded(node, record)


def _raise_alike(made: Sequence[Node], node: Node) -> bool:
    """Tell whether operations are NumPy's where the original is: Python's own raise where NumPy's make inf."""
    return node.output.type.weak or not any(value.type.weak for each in made for value in each.outputs)


def _is_real(bound: Any) -> bool:
    """Tell whether a number takes part in algebra as real numbers do: those of fixed size wrap around instead."""
    return not isinstance(bound, Value) or bound.dtype.kind in "fb" or bound.type.weak


def _written(
    builder: Builder, pattern: Pattern, bindings: Mapping[str, Any], table: Mapping[Record, list[Equation]]
) -> Any:
    """Append what a pattern says, simplified, and return its value."""
    if isinstance(pattern, Variable):
        bound = bindings[pattern.name]
        if isinstance(bound, Axes):
            return bound.written if bound.given else Absent
        return bound
    if not isinstance(pattern, Operation):
        return pattern
    arguments = {name: _written(builder, part, bindings, table) for name, part in pattern.arguments.items()}
    given = {name: argument for name, argument in arguments.items() if argument is not Absent}
    inputs = [given.pop(name) for name in pattern.record.inputs if name in given]
    value: Value = builder.apply(pattern.function, *inputs, form=pattern.form, **given)
    node = builder.graph.nodes.pop()
    replacement = simpler(builder, node, table)
    if replacement is None:
        builder.graph.nodes.append(node)
    return value if replacement is None else replacement


def _folded(node: Node, record: Record) -> Constant | None:
    """Return the number that an operation on plain numbers gives."""
    if (
        not record.elementwise
        or node.function is named
        or not node.output.type.weak
        or not all(map(_is_plain_number, node.inputs))
    ):
        return None
    numbers = [unwrapped(argument) for argument in node.arguments.values()]
    if not all(isinstance(number, int | float) for number in leaves(tuple(numbers))):
        return None
    try:
        number = node.function(*numbers)
    except (ArithmeticError, ValueError):
        # it fails at run time, as the user wrote it
        return None
    is_written = math.isfinite(number) and same_type(type_of(number), node.output.type)
    return Constant(number, node.output.type) if is_written else None


def _is_plain_number(value: Value) -> bool:
    if not isinstance(value, Constant) or value.rank:
        return False
    return value.name is None and value.text is None and value.expression is None
