"""From the graph of a function to the joint graph: the backward pass is appended to the forward pass.

In: a graph, the parameters to differentiate with respect to. Out: the gradients, as values of the same graph. Layer:
above `frontend`, which reads the rules.

Nodes are visited in reverse. A gradient is summed up as soon as the last operation that uses its variable has been
visited, so that it is assigned once, where all its parts are known.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.errors import Problem, UnsupportedError
from flatgrad.frontend.rule_bodies import inputs_with_gradient, read_rule
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Value, leaves
from flatgrad.infer import makes_number
from flatgrad.masks import MaskedGradients, plain
from flatgrad.registry import Record, lookup
from flatgrad.rules.placing import placed, placed_together
from flatgrad.rules.program import named
from flatgrad.unbroadcast import broadcast_axes, cast, is_smaller, summed_over

# a sum of more parts than this is written in several steps: one line of thousands of terms can't be compiled
LONGEST_SUM = 50


def differentiate(graph: Graph, wrt: Sequence[Value], results: Sequence[Value]) -> dict[Value, Value]:
    """Append the backward pass of `graph`, and return the gradient of each value in `wrt`.

    The upstream gradients of `results` become parameters of the graph, behind its own.
    """
    return _Backward(graph, wrt, results).run()


class _Backward:
    def __init__(self, graph: Graph, wrt: Sequence[Value], results: Sequence[Value]) -> None:
        self.graph = graph
        self.wrt = wrt
        self.results = results
        self.builder = Builder(graph)
        self.forward = list(graph.nodes)
        self.parts: dict[Value, list[Value]] = {}
        self.gradients: dict[Value, Value] = {}
        self.masks = MaskedGradients(self.builder)
        self.active = self._active()
        self.waiting = self._uses_that_matter()

    def run(self) -> dict[Value, Value]:
        for result in self.results:
            # a parameter that is returned as it is has a gradient of its own name beside the upstream one
            is_parameter = result.node is None
            upstream = Value(
                FLOAT if not result.rank else result.type,
                "grad_out" if is_parameter else None,
                primal=None if is_parameter else result,
            )
            self.graph.parameters.append(upstream)
            self._add_part(result, upstream)
        for result in self.results:
            if not self.waiting.get(result):
                self._sum_up(result)
        for node in reversed(self.forward):
            if any(output in self.gradients for output in node.outputs):
                try:
                    self._visit(node)
                except SizeUnknown as error:
                    _note_place(error, node)
                    raise
        self.builder.forward = None
        for value in self.wrt:
            if value not in self.gradients:
                zeros = self._zeros(value)
                zeros = self._named(zeros) if isinstance(zeros, Constant) else zeros
                zeros.primal = value
                self.gradients[value] = zeros
        return {value: self.gradients[value] for value in self.wrt}

    def _active(self) -> set[Value]:
        """Return the values that depend on `wrt` in a way that has a derivative."""
        active = set(self.wrt)
        for node in self.forward:
            record = lookup(node.function)
            if record is None or record.gradient is None:
                continue
            inputs = _inputs(record, node.arguments)
            if any(leaf in active for leaf in inputs):
                active.update(output for output in node.outputs if output.dtype.kind != "b")
        return active

    def _uses_that_matter(self) -> dict[Value, int]:
        """Count for each active value the operations that pass a gradient on to it."""
        reached = set(self.results) & self.active
        waiting: dict[Value, int] = {}
        for node in reversed(self.forward):
            if reached.isdisjoint(node.outputs):
                continue
            for value in self._sources(node):
                waiting[value] = waiting.get(value, 0) + 1
                reached.add(value)
        return waiting

    def _sources(self, node: Node) -> dict[Value, None]:
        """Return the active values whose gradients an operation adds to, in the order of its arguments."""
        function, arguments = _derived_from(node)
        record = lookup(function)
        if record is None or record.gradient is None:
            return {}
        return dict.fromkeys(leaf for leaf in _inputs(record, arguments) if leaf in self.active)

    def _visit(self, node: Node) -> None:
        sources = self._sources(node)
        if not sources:
            return
        self.builder.forward = node
        function, arguments = _derived_from(node)
        record = lookup(function)
        assert record is not None and record.gradient is not None
        _refuse_whole_numbers(node, self.gradients)
        several = len(node.outputs) > 1
        grad_y: Any = tuple([self._gradient_or_zeros(output) for output in node.outputs])
        y: Any = node.outputs
        if not several:
            grad_y, y = grad_y[0], y[0]
        passed = inputs_with_gradient(record.gradient)
        names = [name for name in passed if any(leaf in sources for leaf in leaves(arguments.get(name)))]
        given = {name: plain(argument, name in record.inputs) for name, argument in arguments.items()}
        missing = {name: None for name in record.inputs if name not in given}
        body = read_rule(self.builder, record.gradient, {**missing, **given, "y": y, "grad_y": grad_y}, names)
        passed_on: dict[Value, list[Value]] = {value: [] for value in sources}
        for name in names:
            for value, gradient in zip(_values(arguments[name]), _values(body[name]), strict=True):
                if value in sources:
                    if not several and isinstance(gradient, Value):
                        gradient = self.masks.put_on(gradient, node, record, name, arguments, grad_y)
                    passed_on[value].append(gradient)
        for value, gradients in passed_on.items():
            for gradient in gradients:
                part = self._fitted(gradient, value)
                part.part_of = value
                self._add_part(value, part)
            self.waiting[value] -= 1
            if not self.waiting[value]:
                self._sum_up(value)

    def _gradient_or_zeros(self, value: Value) -> Value:
        return self.gradients[value] if value in self.gradients else self._zeros(value)

    def _zeros(self, value: Value) -> Value:
        if value.type.weak:
            return Constant(0.0, FLOAT)
        gradient: Value = self.builder.apply(np.zeros_like, value)
        return gradient

    def _add_part(self, value: Value, part: Value) -> None:
        self.parts.setdefault(value, []).append(part)

    def _sum_up(self, value: Value) -> None:
        """Make the gradient of a value from its parts, in one assignment."""
        parts = self._placed_together(self.parts.pop(value), value)
        while len(parts) > 1:
            steps = [parts[k : k + LONGEST_SUM] for k in range(0, len(parts), LONGEST_SUM)]
            parts = [self._sum(step, pinned=len(steps) > 1) for step in steps]
        gradient = parts[0]
        if value in self.wrt:
            gradient = self._of_the_same_kind(gradient, value)
        if gradient.primal is not value:
            if gradient.primal is not None or gradient.node is None or gradient.node.forward is None:
                gradient = self._named(gradient)
            gradient.primal = value
        self.gradients[value] = gradient

    def _of_the_same_kind(self, gradient: Value, value: Value) -> Value:
        """Return a gradient that a caller gets: a number for a Python number, an array of the same dtype for an array."""
        result = gradient
        if value.type.weak:
            if not _is_number(gradient):
                result = self.builder.apply(float, gradient)
        elif gradient.type.weak and gradient.dtype != value.dtype:
            result = self.builder.apply(np.full_like, value, gradient)
        return result

    def _placed_together(self, parts: list[Value], value: Value) -> list[Value]:
        """Let the parts that come from elements of a variable be added in one array of zeros."""
        picked = {part: call for part in parts if (call := _call_of_placed(part, value)) is not None}
        if len(picked) < 2:
            return parts
        values, indices = (tuple([call[name] for call in picked.values()]) for name in ("values", "index"))
        together: Value = self.builder.apply(placed_together, values, indices, value)
        self.masks.unite(list(picked), together)
        return [part for part in parts if part not in picked] + [together]

    def _sum(self, parts: Sequence[Value], *, pinned: bool) -> Value:
        total = parts[0]
        for part in parts[1:]:
            total = self.builder.apply(operator.add, total, part)
        self.masks.unite(parts, total)
        return self._named(total) if pinned else total

    def _fitted(self, gradient: Any, value: Value) -> Value:
        """Return a gradient in the shape and dtype of its variable."""
        if not isinstance(gradient, Value):
            gradient = Constant(gradient, FLOAT)
        axes = broadcast_axes(gradient, value)
        if any(axes):
            summed = summed_over(self.builder, np.sum, gradient, *axes)
            self.masks.sum_over(gradient, summed, *axes)
            gradient = summed
        elif is_smaller(gradient, value):
            gradient = self.builder.apply(np.full_like, value, gradient)
        return cast(self.builder, gradient, value.type)

    def _named(self, gradient: Value) -> Value:
        """Return a second name for a gradient: each variable has a gradient of its own name."""
        node = self.builder.node(named, {"x": gradient}, [gradient.type])
        self.masks.unite([gradient], node.output)
        return node.output


def _refuse_whole_numbers(node: Node, gradients: Mapping[Value, Value]) -> None:
    for output in node.outputs:
        if output in gradients and not output.type.is_real:
            message = f"the gradient passes through whole numbers here ({output.type})"
            hint = "convert to floats first, x.astype(float), or leave the whole number out of wrt"
            place = node.location
            raise UnsupportedError(place.problem(message, hint) if place is not None else Problem(message, hint))


def _note_place(error: SizeUnknown, node: Node) -> None:
    """Note where an error comes from that the caller may be able to mend by giving numbers."""
    if node.location is not None and not hasattr(error, "problem"):
        hint = "give numbers for the sizes: shapes='x=(10,)'"
        error.problem = node.location.problem(f"the gradient {error}", hint)  # type: ignore[attr-defined]


def _call_of_placed(part: Value, value: Value) -> dict[str, Any] | None:
    """Return the call behind a part of a gradient that is zeros with the gradient of some elements in them, else None."""
    node = part.node
    if node is None or node.function is not placed or part.primal is not None:
        return None
    call = node.arguments
    return call if call["like"] is value else None


def _is_number(gradient: Value) -> bool:
    return gradient.type.weak or gradient.node is None or makes_number(gradient.node)


def _derived_from(node: Node) -> tuple[Any, Mapping[str, Any]]:
    """Return the function and arguments whose derivative is taken: those of the recognised form, or the node's own."""
    if node.recognised is not None:
        return node.recognised.function, node.recognised.arguments
    return node.function, node.arguments


def _inputs(record: Record, arguments: Mapping[str, Any]) -> Iterable[Any]:
    """Return what an operation passes a gradient on to."""
    assert record.gradient is not None
    for name in inputs_with_gradient(record.gradient):
        yield from leaves(arguments.get(name))


def _values(structure: Any) -> list[Any]:
    return list(leaves(structure)) if isinstance(structure, tuple) else [structure]
