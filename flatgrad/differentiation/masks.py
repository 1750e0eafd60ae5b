"""Gradients that are zero where np.where took the other side, and stay so.

In: gradients on their way back. Out: np.where put on again wherever an operation could make nan or inf out of such a
zero, so that the mask comes last. Layer: above `frontend`, which reads the rules.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.differentiation.unbroadcast import Axes, summed_over
from flatgrad.frontend.rule_bodies import read_rule
from flatgrad.graph.containers import mapped
from flatgrad.graph.size import is_one
from flatgrad.graph.values import Constant, Node, Value
from flatgrad.registry import Record
from flatgrad.rules.placing import placed
from flatgrad.rules.writing import assigned

# conditions of np.where, each with the side that counts
Masks = tuple[tuple[Value, bool], ...]


class MaskedGradients:
    """Knows the masks of gradients. What it needs on the way is appended by `builder`; unused, it is pruned later."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self._masks: dict[Value, Masks] = {}

    def put_on(
        self, gradient: Value, node: Node, record: Record, name: str, arguments: Mapping[str, Any], grad_y: Value
    ) -> Value:
        """Return the gradient of the input `name` of an operation with the masks of the result's gradient put on."""
        masks = self._masks.get(grad_y, ())
        if record.functions[0] is np.where:
            side = name == record.inputs[1]
            self._masks[gradient] = (*masks, (arguments[record.inputs[0]], side))
            return gradient
        own = _own_mask(gradient)
        if masks:
            masks = self._moved(record, name, arguments, masks, grad_y)
            if masks and gradient is not grad_y and not record.linear and not _scales_by_constant(node):
                for mask, side in masks:
                    sides = (gradient, 0) if side else (0, gradient)
                    gradient = self.builder.apply(np.where, mask, *sides)
        if masks or own:
            self._masks[gradient] = (*masks, *own)
        return gradient

    def unite(self, parts: Sequence[Value], total: Value) -> None:
        """Note the masks of a sum of gradients: it is zero where all of them are."""
        if all(part in self._masks for part in parts):
            united = self._united([self._masks[part] for part in parts])
            if united:
                self._masks[total] = united

    def sum_over(self, gradient: Value, summed: Value, missing: Axes, stretched: Axes) -> None:
        """Note the mask of a gradient that was summed over axes."""
        masks = self._masks.get(gradient)
        if masks is None:
            return
        places = self._places(masks)
        lacking = gradient.rank - places.rank
        missing = tuple(axis - lacking for axis in missing if axis >= lacking)
        stretched = tuple(
            axis - lacking for axis in stretched if axis >= lacking and not is_one(places.shape[axis - lacking])
        )
        if missing or stretched:
            places = summed_over(self.builder, np.any, places, missing, stretched)
        self._masks[summed] = ((places, True),)

    def _united(self, masks: Sequence[Masks]) -> Masks:
        if all(mask == masks[0] for mask in masks):
            return masks[0]
        alone = {mask[0] for mask in masks if len(mask) == 1}
        if any((condition, not side) in alone for condition, side in alone):
            # both sides of one np.where: every place counts
            return ()
        united = self._places(masks[0])
        for mask in masks[1:]:
            united = self.builder.apply(np.logical_or, united, self._places(mask))
        return ((united, True),)

    def _places(self, masks: Masks) -> Value:
        """Return masks as one condition, true where a gradient may not be zero."""
        places = [mask if side else self.builder.apply(np.logical_not, mask) for mask, side in masks]
        kept: Value = places[0]
        for place in places[1:]:
            kept = self.builder.apply(np.logical_and, kept, place)
        return kept

    def _moved(self, record: Record, name: str, arguments: Mapping[str, Any], masks: Masks, grad_y: Value) -> Masks:
        """Return masks for the gradient of an input; none where its elements mix those of the result."""
        if record.elementwise:
            return masks
        if record.reduces:
            axis = plain(arguments.get("axis"), False)
            if axis is None or plain(arguments.get("keepdims", False), False):
                return masks
            return tuple(
                (self.builder.apply(np.expand_dims, mask, axis) if mask.rank == grad_y.rank else mask, side)
                for mask, side in masks
                if mask.rank in (0, grad_y.rank)
            )
        if record.gradient is None or not (record.linear and record.view):
            return ()
        # what only moves elements about moves the places that count in the same way
        places = self._places(masks)
        if places.shape != grad_y.shape:
            places = self.builder.apply(np.broadcast_to, places, self.builder.apply(np.shape, grad_y))
        given = {key: plain(argument, key in record.inputs) for key, argument in arguments.items()}
        moved = read_rule(self.builder, record.gradient, {**given, "y": None, "grad_y": places}, [name])[name]
        return ((moved, True),) if isinstance(moved, Value) else ()


def _own_mask(gradient: Value) -> Masks:
    """Return the mask that a rule ends with: np.where with 0 on one side, or what is put at an index of truth values."""
    if gradient.node is None:
        return ()
    arguments = gradient.node.arguments
    if gradient.node.function is placed and _is_condition(arguments["index"], gradient):
        return ((arguments["index"], True),)
    if gradient.node.function is assigned and _is_condition(arguments["index"], gradient):
        return ((arguments["index"], False),) if arguments["values"] == 0 else ()
    if gradient.node.function is not np.where:
        return ()
    condition, taken, other = arguments.values()
    if not isinstance(condition, Value) or (taken == 0) is (other == 0):
        return ()
    return ((condition, other == 0),)


def _is_condition(index: Any, gradient: Value) -> bool:
    """Tell whether an index says of each element whether it is meant."""
    return isinstance(index, Value) and index.dtype.kind == "b" and index.rank == gradient.rank


def plain(structure: Any, is_input: bool) -> Any:
    """Return an argument as the rule sees it: attributes are plain numbers, constant inputs keep their names."""
    if is_input:
        return structure
    return mapped(structure, lambda leaf: leaf.number if isinstance(leaf, Constant) and not leaf.rank else leaf)


def _scales_by_constant(node: Node) -> bool:
    """Tell whether a node multiplies or divides by a number: what is zero stays zero."""
    fixed = [not isinstance(item, Value) or isinstance(item, Constant) for item in node.arguments.values()]
    if node.function in (operator.truediv, np.divide):
        return fixed == [False, True]
    return node.function in (operator.mul, np.multiply) and any(fixed)
