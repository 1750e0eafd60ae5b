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
from flatgrad.graph.size import SizeUnknown, equal, is_one
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Type, Value, leaves, mapped
from flatgrad.infer import makes_number
from flatgrad.registry import Record, lookup
from flatgrad.rules.placing import placed, placed_together
from flatgrad.rules.program import named
from flatgrad.rules.shapes import reduced

# a sum of more parts than this is written in several steps: one line of thousands of terms can't be compiled
LONGEST_SUM = 50


def differentiate(graph: Graph, wrt: Sequence[Value], results: Sequence[Value]) -> dict[Value, Value]:
    """Append the backward pass of `graph`, and return the gradient of each value in `wrt`.

    The upstream gradients of `results` become parameters of the graph, behind its own.
    """
    return _Backward(graph, wrt, results).run()


# Where a gradient is zero because np.where took the other side: conditions, each with the side that counts.
Masks = tuple[tuple[Value, bool], ...]


class _Backward:
    def __init__(self, graph: Graph, wrt: Sequence[Value], results: Sequence[Value]) -> None:
        self.graph = graph
        self.wrt = wrt
        self.results = results
        self.builder = Builder(graph)
        self.forward = list(graph.nodes)
        self.parts: dict[Value, list[Value]] = {}
        self.gradients: dict[Value, Value] = {}
        self.masks: dict[Value, Masks] = {}
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
                self._visit(node)
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
        self._refuse_whole_numbers(node)
        several = len(node.outputs) > 1
        grad_y: Any = tuple([self._gradient_or_zeros(output) for output in node.outputs])
        y: Any = node.outputs
        if not several:
            grad_y, y = grad_y[0], y[0]
        passed = inputs_with_gradient(record.gradient)
        names = [name for name in passed if any(leaf in sources for leaf in leaves(arguments.get(name)))]
        given = {name: _plain(argument, name in record.inputs) for name, argument in arguments.items()}
        missing = {name: None for name in record.inputs if name not in given}
        body = read_rule(self.builder, record.gradient, {**missing, **given, "y": y, "grad_y": grad_y}, names)
        passed_on: dict[Value, list[Value]] = {value: [] for value in sources}
        for name in names:
            for value, gradient in zip(_values(arguments[name]), _values(body[name]), strict=True):
                if value in sources:
                    masked = gradient if several else self._masked(node, record, name, arguments, grad_y, gradient)
                    passed_on[value].append(masked)
        for value, gradients in passed_on.items():
            for gradient in gradients:
                self._add_part(value, self._fitted(gradient, value))
            self.waiting[value] -= 1
            if not self.waiting[value]:
                self._sum_up(value)

    def _refuse_whole_numbers(self, node: Node) -> None:
        for output in node.outputs:
            if output in self.gradients and not output.type.is_real:
                message = f"the gradient passes through whole numbers here ({output.type})"
                hint = "convert to floats first, x.astype(float), or leave the whole number out of wrt"
                place = node.location
                raise UnsupportedError(place.problem(message, hint) if place is not None else Problem(message, hint))

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
        if value.type.weak and value in self.wrt and not _is_number(gradient):
            gradient = self.builder.apply(float, gradient)
        if gradient.primal is not value:
            if gradient.primal is not None or gradient.node is None or gradient.node.forward is None:
                gradient = self._named(gradient)
            gradient.primal = value
        self.gradients[value] = gradient

    def _placed_together(self, parts: list[Value], value: Value) -> list[Value]:
        """Let the parts that come from elements of a variable be added in one array of zeros."""
        picked = [part for part in parts if part.node is not None and part.node.function is placed]
        picked = [part for part in picked if part.primal is None and part.node.arguments["like"] is value]  # type: ignore[union-attr]
        if len(picked) < 2:
            return parts
        calls = [part.node.arguments for part in picked if part.node is not None]
        values, indices = (tuple([call[name] for call in calls]) for name in ("values", "index"))
        together: Value = self.builder.apply(placed_together, values, indices, value)
        if all(part in self.masks for part in picked):
            united = self._united([self.masks[part] for part in picked])
            self.masks.update({together: united} if united else {})
        return [part for part in parts if part not in picked] + [together]

    def _sum(self, parts: Sequence[Value], *, pinned: bool) -> Value:
        total = parts[0]
        for part in parts[1:]:
            total = self.builder.apply(operator.add, total, part)
        if all(part in self.masks for part in parts):
            united = self._united([self.masks[part] for part in parts])
            if united:
                self.masks[total] = united
        return self._named(total) if pinned else total

    def _united(self, masks: Sequence[Masks]) -> Masks:
        """Return where any of several masked gradients may not be zero."""
        if all(mask == masks[0] for mask in masks):
            return masks[0]
        alone = {mask[0] for mask in masks if len(mask) == 1}
        if any((condition, not side) in alone for condition, side in alone):
            # both sides of one np.where: every place counts
            return ()
        united = self._kept_places(masks[0])
        for mask in masks[1:]:
            united = self.builder.apply(np.logical_or, united, self._kept_places(mask))
        return ((united, True),)

    def _kept_places(self, masks: Masks) -> Value:
        """Return masks as one condition, true where a gradient may not be zero."""
        places = [mask if side else self.builder.apply(np.logical_not, mask) for mask, side in masks]
        kept: Value = places[0]
        for place in places[1:]:
            kept = self.builder.apply(np.logical_and, kept, place)
        return kept

    def _named(self, gradient: Value) -> Value:
        """Return a second name for a gradient: each variable has a gradient of its own name."""
        node = self.builder.node(named, {"x": gradient}, [gradient.type])
        if gradient in self.masks:
            self.masks[node.output] = self.masks[gradient]
        return node.output

    def _masked(
        self, node: Node, record: Record, name: str, arguments: Mapping[str, Any], grad_y: Value, gradient: Any
    ) -> Any:
        """Put the mask of np.where on last, so that nan or inf of the side that is not taken goes no further."""
        if not isinstance(gradient, Value):
            return gradient
        masks = self.masks.get(grad_y, ())
        if record.functions[0] is np.where:
            side = name == record.inputs[1]
            self.masks[gradient] = (*masks, (arguments[record.inputs[0]], side))
        elif masks:
            masks = self._moved(record, name, arguments, masks, grad_y, gradient)
            if masks and gradient is not grad_y and not record.linear and not _scales_by_constant(node):
                for mask, side in masks:
                    sides = (gradient, 0) if side else (0, gradient)
                    gradient = self.builder.apply(np.where, mask, *sides)
            if masks:
                self.masks[gradient] = masks
        return gradient

    def _moved(
        self, record: Record, name: str, arguments: Mapping[str, Any], masks: Masks, grad_y: Value, gradient: Value
    ) -> Masks:
        """Return masks for the gradient of an input; none where its elements mix those of the result."""
        if record.elementwise:
            return masks
        if record.shape is reduced:
            axis = _plain(arguments.get("axis"), False)
            if axis is None or _plain(arguments.get("keepdims", False), False):
                return masks
            return tuple(
                (self.builder.apply(np.expand_dims, mask, axis) if mask.rank == grad_y.rank else mask, side)
                for mask, side in masks
                if mask.rank in (0, grad_y.rank)
            )
        if record.gradient is None or not (record.linear and record.view):
            return ()
        # what only moves elements about moves the places that count in the same way
        places = self._kept_places(masks)
        if places.shape != grad_y.shape:
            places = self.builder.apply(np.broadcast_to, places, self.builder.apply(np.shape, grad_y))
        given = {key: _plain(argument, key in record.inputs) for key, argument in arguments.items()}
        moved = read_rule(self.builder, record.gradient, {**given, "y": None, "grad_y": places}, [name])[name]
        return ((moved, True),) if isinstance(moved, Value) else ()

    def _fitted(self, gradient: Any, value: Value) -> Value:
        """Return a gradient in the shape and dtype of its variable: what was broadcast is summed."""
        if not isinstance(gradient, Value):
            gradient = Constant(gradient, FLOAT)
        extra = tuple(range(gradient.rank - value.rank))
        kept = tuple(
            len(extra) + axis
            for axis, size in enumerate(value.shape)
            if gradient.rank >= value.rank and _was_broadcast(size, gradient.shape[len(extra) + axis])
        )
        if extra or kept:
            summed = self._summed(np.sum, gradient, extra, kept)
            masks = self.masks.get(gradient)
            if masks is not None:
                self.masks[summed] = ((self._summed_places(masks, gradient, extra, kept), True),)
            gradient = summed
        elif _is_smaller(gradient, value):
            gradient = self.builder.apply(np.full_like, value, gradient)
        return self._cast(gradient, value.type)

    def _summed(self, reduce: Any, gradient: Value, extra: tuple[int, ...], kept: tuple[int, ...]) -> Value:
        if len(extra) + len(kept) == gradient.rank and not kept:
            summed: Value = self.builder.apply(reduce, gradient)
            return summed
        axes = (*extra, *kept)
        axis: Any = axes[0] if len(axes) == 1 else axes
        if not kept:
            summed = self.builder.apply(reduce, gradient, axis=axis)
            return summed
        summed = self.builder.apply(reduce, gradient, axis=axis, keepdims=True)
        if extra:
            index: Any = 0 if len(extra) == 1 else (0,) * len(extra)
            summed = self.builder.apply(operator.getitem, summed, index=index)
        return summed

    def _summed_places(self, masks: Masks, gradient: Value, extra: tuple[int, ...], kept: tuple[int, ...]) -> Value:
        """Return where a sum of a masked gradient may not be zero."""
        places = self._kept_places(masks)
        missing = gradient.rank - places.rank
        extra = tuple(axis - missing for axis in extra if axis >= missing)
        kept = tuple(axis - missing for axis in kept if axis >= missing and not is_one(places.shape[axis - missing]))
        return self._summed(np.any, places, extra, kept) if extra or kept else places

    def _cast(self, gradient: Value, wanted: Type) -> Value:
        if wanted.weak:
            number: Value = gradient if gradient.dtype == np.float64 else self.builder.apply(float, gradient)
            return number
        if gradient.dtype == wanted.dtype or gradient.type.weak:
            return gradient
        cast: Value = self.builder.apply(np.ndarray.astype, gradient, wanted.dtype, form="method")
        return cast


def _is_smaller(gradient: Value, value: Value) -> bool:
    """Tell whether a gradient has to be broadcast to become its variable's."""
    if gradient.rank != value.rank:
        return True
    return any(is_one(g) and not is_one(v) for g, v in zip(gradient.shape, value.shape, strict=True))


def _is_number(gradient: Value) -> bool:
    return gradient.type.weak or gradient.node is None or makes_number(gradient.node)


def _scales_by_constant(node: Node) -> bool:
    """Tell whether a node multiplies or divides by a number: what is zero stays zero."""
    fixed = [not isinstance(item, Value) or isinstance(item, Constant) for item in node.arguments.values()]
    if node.function in (operator.truediv, np.divide):
        return fixed == [False, True]
    return node.function in (operator.mul, np.multiply) and any(fixed)


def _was_broadcast(size: Any, gradient_size: Any) -> bool:
    if equal(size, gradient_size) or not is_one(size):
        return False
    if is_one(gradient_size) is None:
        raise SizeUnknown((gradient_size,))
    return not is_one(gradient_size)


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


def _plain(structure: Any, is_input: bool) -> Any:
    """Return an argument as the rule sees it: attributes are plain numbers, constant inputs keep their names."""
    if is_input:
        return structure
    return mapped(structure, lambda leaf: leaf.number if isinstance(leaf, Constant) and not leaf.rank else leaf)
