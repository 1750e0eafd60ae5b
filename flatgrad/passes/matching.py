"""Tells whether a value is computed as a pattern says.

In: a pattern, a value. Out: what the pattern's variables stand for. Layer: above `pattern`.

All spellings of an operation are one: those of a record, the operands of `+` and `*` in either order, axes counted from
the front or the back, a reduction with `keepdims=True` or with its axes put back by `np.expand_dims`, `[:, None]`.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from flatgrad.graph.containers import Slice
from flatgrad.graph.values import Constant, Node, Value
from flatgrad.infer import unwrapped
from flatgrad.passes.pattern import Operation, Step, Variable
from flatgrad.registry import Record, lookup
from flatgrad.rules.creation import identity
from flatgrad.rules.program import named
from flatgrad.rules.shapes import normal_axes

COMMUTATIVE = frozenset({operator.add, operator.mul, np.maximum, np.minimum, np.logaddexp})

Bindings = dict[str, Any]


class Absent:
    """Stands for an argument that the call leaves at its default."""


class Axes(NamedTuple):
    """The axes of an operation: counted from the front, as they were written, and whether they were written at all."""

    normal: tuple[int, ...]
    written: Any
    given: bool = True


class View(NamedTuple):
    """A way to see a value: as an operation on arguments. `kept` says whether the axes of a reduction stay."""

    record: Record
    arguments: Mapping[str, Any]
    kept: bool


class Terms(NamedTuple):
    """What matching goes by: whether the operation behind a value may be looked at, and which values are the same."""

    is_transparent: Callable[[Value], bool]
    is_same: Callable[[Value, Value], bool]


def matches(pattern: Operation, node: Node, terms: Terms) -> Iterator[Bindings]:
    """Return each way in which the result of a node fits a pattern."""
    if _may_match(pattern, node):
        result = node.output
        for view in _views(result, terms._replace(is_transparent=lambda value: True)):
            if view.record is pattern.record:
                yield from _arguments_match(pattern, view, terms, {})


def _may_match(pattern: Operation, node: Node) -> bool:
    """Tell by a glance at a node's inputs whether it is worth while to match it."""
    operations, has_number = _operands(pattern)
    if has_number and not _has_number(node):
        return False
    return all(any(_may_be(value, record) for value in node.inputs) for record in operations)


@cache
def _operands(pattern: Operation) -> tuple[frozenset[Record], bool]:
    """Return the operations right below a pattern's own, and whether there is a number among them."""
    parts = [part.pattern if isinstance(part, Step) else part for part in pattern.arguments.values()]
    numbers = [part for part in parts if isinstance(part, int | float) and not isinstance(part, bool)]
    return frozenset(part.record for part in parts if isinstance(part, Operation)), bool(numbers)


def _has_number(node: Node) -> bool:
    in_call = any(isinstance(structure, int | float) for _, structure in node.call)
    return in_call or any(isinstance(value, Constant) for value in node.inputs)


def _may_be(value: Value, record: Record) -> bool:
    node = value.node
    if node is None:
        return False
    if node.function in RESHAPED or node.function in (named, math.log) or node.function in record.functions:
        return True
    return node.recognised is not None and node.recognised.function in record.functions


def _matches(pattern: Any, item: Any, terms: Terms, bindings: Bindings) -> Iterator[Bindings]:
    if isinstance(pattern, Variable):
        if pattern.name not in bindings:
            yield {**bindings, pattern.name: item}
        elif _same(bindings[pattern.name], item, terms):
            yield bindings
    elif isinstance(pattern, Operation):
        if isinstance(item, Value):
            for view in _views(_original(item), terms):
                if view.record is pattern.record:
                    yield from _arguments_match(pattern, view, terms, bindings)
    elif isinstance(pattern, Step):
        for found in _matches(pattern.pattern, item, terms, bindings):
            yield {pattern.name: item, **found}
    elif _is_number(item, pattern):
        yield bindings


def _original(value: Value) -> Value:
    while value.node is not None and value.node.function is named:
        value = value.node.inputs[0]
    return value


def is_computed_alike(a: Value, b: Value) -> bool:
    """Tell whether two values are the same one, or come about in the same way."""
    return a is b or identity(a) == identity(b)


def _same(a: Any, b: Any, terms: Terms) -> bool:
    if isinstance(a, Axes) and isinstance(b, Axes):
        return a.normal == b.normal
    if isinstance(a, Value) and isinstance(b, Value):
        return terms.is_same(_original(a), _original(b))
    return type(a) is type(b) and bool(a == b)


def _is_number(item: Any, number: Any) -> bool:
    """Tell whether an item is this very number: 1 or 1.0, but not True, nor a constant that has a name.

    Who reads ``C = 1.0`` at the top of a module may write another number there.
    """
    if isinstance(item, Constant) and item.name is not None:
        return False
    found = item.number if isinstance(item, Constant) and not item.rank else item
    if isinstance(found, bool | np.bool_) or not isinstance(found, int | float | np.number):
        return found is number
    return (
        not isinstance(number, bool) and bool(found == number) and math.copysign(1, found) == math.copysign(1, number)
    )


# Views


def record_of(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Record | None:
    """Return the record of an operation. math.log without a base is np.log, and has a record of its own."""
    return lookup(np.log if function is math.log and len(arguments) == 1 else function)


def _views(value: Value, terms: Terms) -> Iterator[View]:
    node = value.node
    if node is None or isinstance(value, Constant) or len(node.outputs) != 1 or not terms.is_transparent(value):
        return
    calls = [(node.function, node.arguments)]
    if node.recognised is not None:
        calls.append((node.recognised.function, dict(node.recognised.arguments)))
    for function, arguments in calls:
        record = record_of(function, arguments)
        if record is not None:
            yield View(record, arguments, bool(arguments.get("keepdims", False)))
    change = RESHAPED.get(node.function)
    if change is not None:
        for view in _views(_original(node.inputs[0]), terms):
            if view.record.reduces:
                axes, rank = _axes(view).normal, _operand(view).rank
                if change(node, axes, rank, view.kept):
                    yield view._replace(kept=not view.kept)


def _operand(view: View) -> Value:
    operand = next(iter(view.arguments.values()))
    assert isinstance(operand, Value)
    return operand


def _axes(view: View) -> Axes:
    written = unwrapped(view.arguments.get("axis", _default(view.record, "axis")))
    rank = _operand(view).rank
    if np.expand_dims in view.record.functions:
        rank += len(written) if isinstance(written, tuple) else 1
    return Axes(tuple(sorted(normal_axes(written, rank))), written, "axis" in view.arguments)


def _default(record: Record, name: str) -> Any:
    return next((p.default for p in record.parameters if p.name == name), inspect.Parameter.empty)


def _expands(node: Node, axes: tuple[int, ...], rank: int, kept: bool) -> bool:
    axis = unwrapped(node.arguments["axis"])
    return not kept and node.output.rank == rank and tuple(sorted(normal_axes(axis, rank))) == axes


def _squeezes(node: Node, axes: tuple[int, ...], rank: int, kept: bool) -> bool:
    axis = unwrapped(node.arguments.get("axis"))
    return kept and axis is not None and tuple(sorted(normal_axes(axis, rank))) == axes


def _indexes(node: Node, axes: tuple[int, ...], rank: int, kept: bool) -> bool:
    """Tell whether an index puts the reduced axes back (``[:, None]``) or takes them away (``[:, 0]``)."""
    index = node.arguments["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    given = node.inputs[0].rank if kept else rank
    if Ellipsis in [part for part in parts if not isinstance(part, Value)]:
        place = next(k for k, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = [Slice()] * (given - len(parts) + 1)
    parts += [Slice()] * (given - len(parts))
    wanted = 0 if kept else None
    return len(parts) == given and all(
        (part == wanted and type(part) is type(wanted)) if k in axes else part == Slice()
        for k, part in enumerate(parts)
    )


RESHAPED: dict[Callable[..., Any], Callable[[Node, tuple[int, ...], int, bool], bool]] = {
    np.expand_dims: _expands,
    np.squeeze: _squeezes,
    operator.getitem: _indexes,
}


# Arguments


def _arguments_match(pattern: Operation, view: View, terms: Terms, bindings: Bindings) -> Iterator[Bindings]:
    names = dict.fromkeys((*pattern.arguments, *view.arguments))
    pairs: list[tuple[Any, Any]] = []
    for name in names:
        default = _default(pattern.record, name)
        wanted, item = pattern.arguments.get(name, default), view.arguments.get(name, default)
        if name == "keepdims" and view.record.reduces:
            continue
        if name == "axis" and "x" in view.arguments:
            item = _axes(view)
            if not isinstance(wanted, Variable):
                if not _is_within(wanted, _operand(view).rank):
                    return
                wanted = Axes(normal_axes(wanted, _operand(view).rank), wanted)
                if not _same(wanted, item, terms):
                    return
                continue
        elif isinstance(wanted, Variable) and name not in view.arguments:
            item = Absent
        pairs.append((wanted, item))
    if view.record.reduces:
        if "axis" not in names and _axes(view).normal != normal_axes(None, _operand(view).rank):
            return
        keepdims = pattern.arguments.get("keepdims", False)
        if isinstance(keepdims, Variable):
            pairs.append((keepdims, view.kept or Absent))
        elif not _is_kept(view) if keepdims else view.kept:
            return
    yield from _all_match(pairs, terms, bindings)
    if not COMMUTATIVE.isdisjoint(pattern.record.functions):
        (left, a), (right, b) = pairs
        yield from _all_match([(left, b), (right, a)], terms, bindings)


def _is_kept(view: View) -> bool:
    """Tell whether the result of a reduction lines up with its operand: leading axes that are gone do no harm."""
    axes = _axes(view).normal
    return view.kept or axes == tuple(range(len(axes)))


def _is_within(axes: Any, rank: int) -> bool:
    """Tell whether an array of this rank has these axes."""
    return axes is None or all(-rank <= axis < rank for axis in (axes if isinstance(axes, tuple) else (axes,)))


def _all_match(pairs: list[tuple[Any, Any]], terms: Terms, bindings: Bindings) -> Iterator[Bindings]:
    if not pairs:
        yield bindings
        return
    (pattern, item), *rest = pairs
    for bound in _matches(pattern, item, terms, bindings):
        yield from _all_match(rest, terms, bound)
