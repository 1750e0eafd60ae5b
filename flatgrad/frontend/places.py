"""Places in arrays: an index into a view as one index into the array that has the memory, and what becomes of that array otherwise.

In: the steps from an array to a view of it. Out: an index, or nodes that put a changed view back. Layer: above `reader`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.reader import Reader
from flatgrad.frontend.views import UNLESS_CONVERTED, index_parts, is_basic, is_unless_converted
from flatgrad.graph.containers import Slice
from flatgrad.graph.size import resolved
from flatgrad.graph.values import Node, Value
from flatgrad.markers import stop_gradient
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.program import named
from flatgrad.rules.shapes import normal_axis
from flatgrad.rules.writing import assigned

FULL = Slice()
SAME = UNLESS_CONVERTED | {named, stop_gradient}


def composed(root: Value, steps: Sequence[Value], index: Any) -> tuple[Any, list[int]] | None:
    """Return the index into `root` that is `index` into the last of the views in `steps`; None where none is simple.

    Behind it stands which axis of the place each of its axes is in the view's order; nothing where it is the same one.
    """
    if not steps:
        return index, []
    # the axes of the view: each is an axis of the root, or a part of it
    axes = [(axis, FULL) for axis in range(root.rank)]
    taken: dict[int, Any] = {}
    for step in steps:
        behind = _axes_behind(step, axes, taken)
        if behind is None:
            return None
        axes = behind
    if not is_basic(index):
        return _gathered(root, axes, taken, index)
    rest = _picked(axes, taken, index)
    if rest is None:
        return None
    order = [axis for axis, _ in rest]
    parts = [(dict(rest) | taken)[axis] for axis in range(root.rank)]
    while len(parts) > 1 and parts[-1] == FULL:
        parts.pop()
    permuted = [] if order == sorted(order) else [order.index(axis) for axis in sorted(order)]
    return (parts[0] if len(parts) == 1 else tuple(parts)), permuted


def axes_of(root: Value, steps: Sequence[Value], index: Any = Ellipsis) -> list[int] | None:
    """Return which axes of an array those of a view, or of a part of it, are; None where that is not simple."""
    axes = [(axis, FULL) for axis in range(root.rank)]
    for step in steps:
        behind = _axes_behind(step, axes, {})
        if behind is None:
            return None
        axes = behind
    picked = _picked(axes, {}, index)
    return None if picked is None else [axis for axis, _ in picked]


def _axes_behind(step: Value, axes: list[tuple[int, Slice]], taken: dict[int, Any]) -> list[tuple[int, Slice]] | None:
    node = step.node
    assert node is not None
    function, arguments = node.function, node.arguments
    if function is operator.getitem:
        return _picked(axes, taken, arguments["index"])
    if function in SAME or is_unless_converted(node):
        return axes
    if len(node.outputs) > 1:
        part = _part_of_split(step, node)
        return None if part is None else _picked(axes, taken, part)
    order = _order(node, len(axes))
    return None if order is None else [axes[axis] for axis in order]


def _part_of_split(view: Value, node: Node) -> tuple[Slice, ...] | None:
    """Return the index of what np.split gives as one of several parts; None where its place is not known."""
    axis = normal_axis(node.arguments.get("axis", 0), view.rank)
    sizes = [resolved(part.shape[axis]) for part in node.outputs[: node.outputs.index(view) + 1]]
    if not all(isinstance(size, int) for size in sizes):
        return None
    stop = sum(size for size in sizes if isinstance(size, int))
    last = sizes[-1]
    assert isinstance(last, int)
    return (*(FULL,) * axis, Slice(stop - last, stop))


def _computed_part(reader: Reader, view: Value, node: Node) -> tuple[Slice, ...]:
    """Return the index of one of several parts whose place is computed from the sizes of those before it."""
    axis = normal_axis(node.arguments.get("axis", 0), view.rank)
    bounds: list[Any] = [None]
    for part in node.outputs[: node.outputs.index(view) + 1]:
        size = reader.builder.apply(size_of_axis, part, axis)
        bounds.append(size if bounds[-1] is None else reader.builder.apply(operator.add, bounds[-1], size))
    return (*(FULL,) * axis, Slice(bounds[-2], bounds[-1]))


def _order(node: Node, rank: int) -> list[int] | None:
    """Return which axis of the source each axis of a view is; None where it is not one of them."""
    arguments = node.arguments
    order = list(range(rank))
    if node.function is np.transpose:
        axes = arguments.get("axes")
        return order[::-1] if axes is None else [normal_axis(axis, rank) for axis in axes]
    if node.function is np.swapaxes:
        one, other = (normal_axis(arguments[name], rank) for name in ("axis1", "axis2"))
        order[one], order[other] = other, one
        return order
    if node.function is np.matrix_transpose:
        return [*order[:-2], order[-1], order[-2]]
    return None


def _picked(axes: list[tuple[int, Slice]], taken: dict[int, Any], index: Any) -> list[tuple[int, Slice]] | None:
    """Return the axes that an index leaves; what it takes from the others is entered into `taken`."""
    parts = list(index_parts(index))
    if any(part is None for part in parts):
        return None
    place = next((k for k, part in enumerate(parts) if part is Ellipsis), len(parts))
    missing = len(axes) - len(parts) + (place < len(parts))
    parts[place : place + 1] = [FULL] * missing
    rest: list[tuple[int, Slice]] = []
    for (axis, span), part in zip(axes, parts, strict=True):
        inner = part if span == FULL else _within(span, part)
        if inner is None:
            return None
        if isinstance(inner, Slice | slice):
            rest.append((axis, Slice(inner.start, inner.stop, inner.step)))
        else:
            taken[axis] = inner
    return rest


def _within(span: Slice, part: Any) -> Any:
    """Return a part of a slice that has a start only, where both are known numbers from the front."""
    if isinstance(part, Slice | slice):
        if part in (FULL, slice(None)):
            return span
        bounds = (span.start, part.start or 0, part.stop)
        if (span.stop, span.step, part.step) != (None, None, None) or not all(map(_is_from_front, bounds)):
            return None
        return Slice(span.start + (part.start or 0), span.start + part.stop)
    if (span.stop, span.step) == (None, None) and _is_from_front(span.start) and _is_from_front(part):
        return span.start + part
    return None


def _is_from_front(number: Any) -> bool:
    return type(number) is int and number >= 0


def _gathered(
    root: Value, axes: list[tuple[int, Slice]], taken: dict[int, Any], index: Any
) -> tuple[Any, list[int]] | None:
    """Return an index by arrays into the rest behind numbers for the first axes."""
    first = list(range(len(taken)))
    parts = index_parts(index)
    is_plain = axes == [(axis, FULL) for axis in range(len(taken), root.rank)] and list(sorted(taken)) == first
    if not is_plain or (taken and is_basic(parts[0])):
        return None
    return ((*(taken[axis] for axis in first), *parts) if taken else index), []


def with_axes(reader: Reader, values: Value, order: list[int], syntax: cst.CSTNode) -> Value:
    """Return values for a place with its axes in another order."""
    if not order or not values.rank:
        return values
    if values.rank < len(order):
        values = reader.apply(syntax, operator.getitem, values, index=(*(None,) * (len(order) - values.rank), Ellipsis))
    turned: Value = reader.apply(syntax, np.transpose, values, axes=tuple(order))
    return turned


def put_back(reader: Reader, view: Value, changed: Value, syntax: cst.CSTNode, *, copies: bool) -> Value:
    """Return what the source of a view holds when the view holds other values; it `copies` a source that is a view, too."""
    node = view.node
    assert node is not None
    source, arguments = reader.current(node.inputs[0]), node.arguments
    function = node.function
    if copies and not reader.memory.is_whole(node.inputs[0]):
        source = reader.apply(syntax, np.copy, source)
    if function is operator.getitem:
        made = reader.apply(syntax, assigned, source, changed, index=arguments["index"])
    elif len(node.outputs) > 1:
        part = _part_of_split(view, node) or _computed_part(reader, view, node)
        made = reader.apply(syntax, assigned, source, changed, index=part)
    elif function in SAME or is_unless_converted(node):
        made = changed
    elif function in (np.transpose, np.swapaxes, np.matrix_transpose):
        order = _order(node, source.rank)
        assert order is not None
        made = reader.apply(syntax, np.transpose, changed, axes=tuple(map(order.index, range(source.rank))))
    elif function is np.moveaxis:
        made = reader.apply(syntax, np.moveaxis, changed, arguments["destination"], arguments["source"])
    elif function in (np.flip, np.fliplr, np.flipud):
        given = {"axis": arguments["axis"]} if "axis" in arguments else {}
        made = reader.apply(syntax, function, changed, **given)
    elif function is np.rot90:
        made = reader.apply(syntax, np.rot90, changed, k=-arguments.get("k", 1), axes=arguments.get("axes", (0, 1)))
    else:
        shape = reader.apply(syntax, np.shape, source)
        made = reader.apply(syntax, np.reshape, changed, shape=shape)
    assert isinstance(made, Value)
    return made
