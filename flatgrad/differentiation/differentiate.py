"""From the graph of a function to the joint graph: the backward pass is appended to the forward pass.

In: a graph, the parameters to differentiate with respect to. Out: the gradients, as values of the same graph. Layer:
above `frontend`, which reads the rules.

Nodes are visited in reverse. A gradient is summed up as soon as the last operation that uses its variable has been
visited, so that it is assigned once, where all its parts are known.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.differentiation.activity import derived_from, finished_lists, reached_from, spread
from flatgrad.differentiation.bodies import accumulate, zero
from flatgrad.differentiation.branches import visit_branch
from flatgrad.differentiation.calls import complete_calls, join_calls, visit_call, visit_edited
from flatgrad.differentiation.loops import visit_loop
from flatgrad.differentiation.masks import MaskedGradients, plain
from flatgrad.differentiation.refusals import note_place, refuse_complex, refuse_unknown, refuse_whole_numbers
from flatgrad.differentiation.unbroadcast import broadcast_axes, cast, is_smaller, summed_over
from flatgrad.frontend.rule_bodies import inputs_with_gradient, read_rule
from flatgrad.frontend.views import is_basic, is_read_only
from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import branch, call, edited, loop
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Value
from flatgrad.infer import makes_number
from flatgrad.registry import lookup
from flatgrad.rules.placing import placed, placed_together
from flatgrad.rules.program import named
from flatgrad.rules.writing import added, assigned

# a sum of more parts than this is written in several steps: one line of thousands of terms can't be compiled
LONGEST_SUM = 50
# what is no single operation
VISITS: dict[Callable[..., Any], Callable[[Any, Node], None]] = {
    branch: visit_branch,
    loop: visit_loop,
    call: visit_call,
    edited: visit_edited,
}


def differentiate(graph: Graph, wrt: Sequence[Value], results: Sequence[Value]) -> dict[Value, Value]:
    """Append the backward pass of `graph` and of its bodies, and return the gradient of each value in `wrt`.

    The upstream gradients of `results` become parameters of the graph, behind its own.
    """
    active = set(wrt)
    spread(graph, active)
    join_calls(graph, active)
    backward = Backward(graph, active, frozenset())
    for result in results:
        # a parameter that is returned as it is has a gradient of its own name beside the upstream one
        is_parameter = result.node is None
        type = FLOAT if not result.rank else result.type
        upstream = Value(type, "grad_out" if is_parameter else None, primal=None if is_parameter else result)
        graph.parameters.append(upstream)
        backward.start_from(result, upstream)
    backward.returned = frozenset(wrt)
    backward.run(results)
    complete_calls(graph)
    return {value: backward.gradient_for_caller(value) for value in wrt}


class Backward:
    """Appends the backward pass to one graph: that of a function, or a body.

    `active` holds the values that have a gradient. The gradients of `accumulating` parameters are not returned: each part is
    added to what the graph around keeps for it.
    """

    def __init__(self, graph: Graph, active: set[Value], accumulating: Set[Value]) -> None:
        self.graph = graph
        self.active = active
        self.accumulating = accumulating
        self.builder = Builder(graph)
        self.forward = list(graph.nodes)
        # values whose gradients the caller gets
        self.returned: Set[Value] = frozenset()
        self.parts: dict[Value, list[Value]] = {}
        self.gradients: dict[Value, Value] = {}
        # arrays that loops have made to add the gradients of a value to, each with that value
        self.buffers: dict[Value, Value] = {}
        self.masks = MaskedGradients(self.builder)
        self.waiting: dict[Value, int] = {}

    def inside(self, body: Graph, accumulating: Set[Value]) -> Backward:
        """Return the same for a body of this graph."""
        inside = Backward(body, self.active, accumulating)
        inside.builder.forward = self.builder.forward
        return inside

    def start_from(self, result: Value, upstream: Value) -> None:
        """Take the upstream gradient of a result."""
        self._add_part(result, upstream)

    def run(self, results: Sequence[Value]) -> None:
        """Go through the operations in reverse, from the upstream gradients of these results."""
        results = [*results, *self._finished_lists(results)]
        _, between = reached_from(self.forward, results, self.active)
        for sources in between.values():
            for value in sources:
                self.waiting[value] = self.waiting.get(value, 0) + 1
        for result in dict.fromkeys(results):
            if not self.waiting.get(result) and result not in self.accumulating:
                self._sum_up(result)
        for node, sources in between.items():
            try:
                self._visit(node, sources)
            except SizeUnknown as error:
                note_place(error, node)
                raise
        self.builder.forward = None

    def _finished_lists(self, results: Sequence[Value]) -> list[Value]:
        """Start the gradients of lists from zeros that are appended to behind the last time that they are read."""
        finished = finished_lists(self.forward, self.active)
        reached = reached_from(self.forward, results, self.active)[0] if finished else set()
        unread = [value for value in finished if value not in reached]
        outer = self.builder.forward
        for value in unread:
            # zeros that are written into belong to the backward pass
            self.builder.forward = value.node or outer
            self._add_part(value, self.zeros(value))
        self.builder.forward = outer
        return unread

    def gradient_for_caller(self, value: Value) -> Value:
        """Return the gradient of a parameter of the function, zeros where none reaches it."""
        if value not in self.gradients:
            zeros = self.zeros(value)
            zeros = self._named(zeros) if isinstance(zeros, Constant) else zeros
            zeros.primal = value
            self.gradients[value] = zeros
        return self.gradients[value]

    def _visit(self, node: Node, sources: Mapping[Value, None]) -> None:
        self.builder.forward = node
        visit = VISITS.get(node.function)
        has_gradient = any(output in self.gradients for output in node.outputs)
        if has_gradient and sources and visit is None:
            self._visit_operation(node, sources)
            return
        if has_gradient and sources and visit is not None:
            visit(self, node)
        for value in sources:
            self._note_use(value)

    def _note_use(self, value: Value) -> None:
        """Note that one more operation has passed on its part of the gradient of a value; behind the last, sum up."""
        self.waiting[value] -= 1
        if not self.waiting[value] and value not in self.accumulating:
            self._sum_up(value)

    def _visit_operation(self, node: Node, sources: Mapping[Value, None]) -> None:
        function, arguments = derived_from(node)
        record = lookup(function)
        assert record is not None and record.gradient is not None
        refuse_whole_numbers(node, self.gradients)
        refuse_complex(node, record)
        refuse_unknown(node, record, arguments, sources)
        several = len(node.outputs) > 1 or node.in_list
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
                self.pass_on(value, gradient)
            self._note_use(value)

    def pass_on(self, value: Value, gradient: Any) -> None:
        """Add a part of the gradient of a value, brought to its shape and dtype."""
        if isinstance(gradient, Value) and gradient.node is not None and gradient.node.function is np.zeros_like:
            # nothing of the value is left behind the operation
            return
        part = self._fitted(gradient, value)
        part.part_of = value
        self._add_part(value, part)

    def _gradient_or_zeros(self, value: Value) -> Value:
        return self.gradients[value] if value in self.gradients else self.zeros(value)

    def zeros(self, value: Value) -> Value:
        """Return zeros for the gradient of a value."""
        if value.type.weak:
            return zero(value)
        gradient: Value = self.builder.apply(np.zeros_like, value)
        return gradient

    def _add_part(self, value: Value, part: Value) -> None:
        if value in self.accumulating:
            accumulate(self.builder, value, part, value)
        else:
            self.parts.setdefault(value, []).append(part)

    def taken_on(self, value: Value) -> Value | None:
        """Return what the parts that are known of the gradient of a value can be added to in place; they are part of it then.

        A number is not changed in place, so that it can be their sum. An array must be one that a loop has made for this.
        """
        parts = self.parts.get(value, [])
        if value.rank:
            buffer = next((part for part in parts if self.buffers.get(part) is value), None)
            # a gradient that writes have been made into goes on to be written into
            buffer = buffer or next((part for part in parts if self._is_written(part)), None)
            if buffer is not None:
                parts.remove(buffer)
            return buffer
        parts = self._placed_together(self.parts.pop(value, []), value)
        return self._sum(parts, pinned=False) if parts else None

    def _is_written(self, part: Value) -> bool:
        return part in self.graph.upstream or (part.node is not None and part.node.function in (assigned, added))

    def _sum_up(self, value: Value) -> None:
        """Make the gradient of a value from its parts, in one assignment; no part, no gradient."""
        if value not in self.parts:
            return
        parts = self._in_buffer(self.parts[value], value) or self._placed_together(self.parts[value], value)
        del self.parts[value]
        while len(parts) > 1:
            steps = [parts[k : k + LONGEST_SUM] for k in range(0, len(parts), LONGEST_SUM)]
            parts = [self._sum(step, pinned=len(steps) > 1) for step in steps]
        gradient = parts[0]
        if value in self.returned:
            gradient = self._of_the_same_kind(gradient, value)
        if gradient.primal is not value:
            is_step = gradient.primal is None and gradient.node is not None and gradient.node.forward is not None
            if not is_step and not self._is_passed_out(value):
                gradient, is_step = self._named(gradient), True
            if is_step:
                gradient.primal = value
        self.gradients[value] = gradient

    def _is_passed_out(self, value: Value) -> bool:
        """Tell whether a gradient goes to the graph around under the name that it has there."""
        return value.node is None and not self.returned

    def _in_buffer(self, parts: Sequence[Value], value: Value) -> list[Value]:
        """Add all parts to the array that a loop has added its parts to; return that, or nothing where there is none."""
        buffer = next((part for part in parts if self.buffers.get(part) is value), None)
        if buffer is None:
            return []
        for part in parts:
            if part is not buffer:
                accumulate(self.builder, buffer, part, value)
        return [buffer]

    def _of_the_same_kind(self, gradient: Value, value: Value) -> Value:
        """Return a gradient that a caller gets: a number for a Python number, an array of the same dtype for an array."""
        result = gradient
        if value.type.weak:
            if not _is_number(gradient):
                result = self.builder.apply(float, gradient)
        elif gradient.type.weak and gradient.dtype != value.dtype:
            result = self.builder.apply(np.full_like, value, gradient)
        elif gradient.node is not None and is_read_only(gradient.node):
            result = self.builder.apply(np.ndarray.copy, gradient, form="method")
        return result

    def _placed_together(self, parts: list[Value], value: Value) -> list[Value]:
        """Let the parts that come from elements of a variable be added in one array of zeros."""
        picked = {part: call for part in parts if (call := _call_of_placed(part, value)) is not None}
        others = [part for part in parts if part not in picked]
        if picked and others:
            total = self._sum(others, pinned=False)
            if total.primal is not None:
                # the gradient of another variable has another name
                total = self._named(total)
                total.primal = value
            return [self._added_at(total, picked)]
        if len(picked) < 2:
            return parts
        values, indices = (tuple([call[name] for call in picked.values()]) for name in ("values", "index"))
        together: Value = self.builder.apply(placed_together, values, indices, value)
        self.masks.unite(list(picked), together)
        return [*others, together]

    def _added_at(self, total: Value, picked: Mapping[Value, Mapping[str, Any]]) -> Value:
        """Add gradients of elements to a gradient of the whole array."""
        result = total
        zeroed = total.node if total.node is not None and total.node.function is assigned else None
        calls = list(picked.values())
        same = next((each for each in calls if zeroed is not None and is_same_place(each["index"], zeroed)), None)
        if zeroed is not None and same is not None:
            # what stands in a place where zeros were put first
            calls.remove(same)
            result = self.builder.apply(assigned, zeroed.inputs[0], same["values"], index=same["index"])
        for each in calls:
            result = self.builder.apply(added, result, each["values"], index=each["index"])
        self.masks.unite([total, *picked], result)
        return result

    def _sum(self, parts: Sequence[Value], *, pinned: bool) -> Value:
        total = parts[0]
        for part in parts[1:]:
            total = self.builder.apply(operator.add, total, part)
        self.masks.unite(parts, total)
        return self._named(total) if pinned else total

    def _fitted(self, given: Any, value: Value) -> Value:
        """Return a gradient in the shape and dtype of its variable."""
        gradient: Value = given if isinstance(given, Value) else Constant(given, FLOAT)
        if value.type.is_list:
            # its elements are never broadcast
            return gradient
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


def _call_of_placed(part: Value, value: Value) -> dict[str, Any] | None:
    """Return the call behind a part of a gradient that is zeros with the gradient of some elements in them, else None."""
    node = part.node
    if node is None or node.function is not placed or part.primal is not None:
        return None
    call = node.arguments
    return call if call["like"] is value else None


def _is_number(gradient: Value) -> bool:
    return gradient.type.weak or gradient.node is None or makes_number(gradient.node)


def is_same_place(index: Any, zeroed: Node) -> bool:
    """Tell whether a node has put zeros into the place of this index."""
    _, values, other = zeroed.arguments.values()
    is_zero = not isinstance(values, Value) or (isinstance(values, Constant) and not values.rank and values.number == 0)
    return is_zero and is_basic(index) and is_basic(other) and index == other


def _values(structure: Any) -> list[Any]:
    return list(leaves(structure)) if isinstance(structure, tuple) else [structure]
