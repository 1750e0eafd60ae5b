"""Reads what changes arrays in place: assignments to their items, `+=`.

In: a reference to an array, an index, values. Out: nodes that make what the array holds behind it, and that in the reader's memory.
Layer: above `places` and `expressions`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.errors import ShapeError
from flatgrad.frontend.containers import combined_in_place
from flatgrad.frontend.expressions import BINARY, operation
from flatgrad.frontend.memory import WritesToCaller, age_of
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.places import axes_of, composed, put_back, with_axes
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.special_methods import operated_in_place
from flatgrad.frontend.unsettled import raise_unknown
from flatgrad.frontend.views import READ_ONLY, is_basic, view_of
from flatgrad.frontend.wording import OPERATOR_SYMBOLS
from flatgrad.graph.containers import Dict, List
from flatgrad.graph.size import SizeMismatch, equal
from flatgrad.graph.values import AUGMENTED, Constant, Value, same_type
from flatgrad.rules.indexing import getitem_shape, repeats
from flatgrad.rules.writing import added, assigned


def write(reader: Reader, target: Value, index: Any, values: Any, syntax: cst.CSTNode) -> None:
    """Read `target[index] = values`."""
    _written(reader, target, index, assigned, values, syntax)


def add(reader: Reader, target: Value, index: Any, values: Any, syntax: cst.CSTNode) -> None:
    """Read what adds values at an index, also where the index meets a place twice: np.add.at."""
    _written(reader, target, index, added, values, syntax)


def _written(
    reader: Reader, target: Value, index: Any, function: Callable[..., Any], values: Any, syntax: cst.CSTNode
) -> None:
    if is_number(reader, target):
        reader.fail("a number has no items that could be changed", syntax)
    if isinstance(values, tuple):
        values = reader.apply(syntax, np.array, values)
    values = reader.value(values, syntax)
    root = reader.memory.root(target)
    if not root.rank:
        reader.fail("an array without axes can't be changed in place", syntax, "assign a new value to the name")
    steps = _steps(reader, target)
    _require_writable(reader, root, steps, syntax)
    _require_place(reader, target, index, syntax)
    if function is assigned and is_basic(index) and reader.memory.root(values) is root:
        _require_one_direction(reader, root, steps, index, values, syntax)
    place = composed(root, steps, index)
    if place is None:
        before = reader.current(target)
        place = composed(root, steps, Ellipsis)
        if place is not None or is_of_caller(reader, root):
            # the array is written to once, when the view of it is put back as a whole
            before = reader.apply(syntax, np.copy, before)
        values, function = reader.apply(syntax, function, before, values, index=index), assigned
    if place is not None:
        values = with_axes(reader, values, place[1], syntax)
        values = reader.apply(syntax, function, reader.current(root), values, index=place[0])
    else:
        for step in reversed(steps):
            values = put_back(reader, step, values, syntax, copies=is_of_caller(reader, root))
    hold(reader, root, values, syntax)


def _require_one_direction(
    reader: Reader, root: Value, steps: list[Value], index: Any, values: Value, syntax: cst.CSTNode
) -> None:
    """Refuse to assign a column to a row: NumPy does not look whether one axis crosses another one."""
    axes = axes_of(root, steps, index)
    if axes is None or len(axes) == 1:
        source = axes_of(root, _steps(reader, values))
        if axes is None or source is None or (source and source[-1:] != axes):
            message = "the values share memory with the place that they are assigned to, and NumPy may mix them up"
            reader.fail(message, syntax, "assign a copy: np.copy(...)")


def _require_place(reader: Reader, target: Value, index: Any, syntax: cst.CSTNode) -> None:
    try:
        getitem_shape(target, index=index)
    except SizeMismatch as error:
        reader.fail(f"this place is not in the array: {error}", syntax, kind=ShapeError)


def _steps(reader: Reader, target: Value) -> list[Value]:
    """Return the views that lead from the array that has the memory to this one."""
    steps: list[Value] = []
    while not reader.memory.is_whole(target):
        steps.append(target)
        view = view_of(target)
        assert view is not None
        target = view.source
    return steps[::-1]


def hold(reader: Reader, root: Value, content: Value, syntax: cst.CSTNode) -> None:
    """Note what an array holds now."""
    builder, memory = reader.builder, reader.memory
    if is_of_caller(reader, root):
        if content.node is None or content.node.function not in (assigned, added):
            content = reader.apply(syntax, assigned, reader.current(root), content, index=Ellipsis)
        assert content.node is not None and memory.top is not None
        content.node.in_callers = True
        if root not in memory.top.written:
            memory.top.written.append(root)
    if content.name is None or content.node is not None:
        content.name = root.name
    builder.content = reader.current
    memory.hold(root, content)
    reader.lose(root, "array", syntax)


def is_of_caller(reader: Reader, root: Value) -> bool:
    """Tell whether an array is one of the arguments of the function that is differentiated."""
    top = reader.memory.top
    return top is not None and root in top.parameters


def _require_writable(reader: Reader, root: Value, steps: list[Value], syntax: cst.CSTNode) -> None:
    """Refuse to change what can't be changed here. Raises WritesToCaller."""
    memory = reader.memory
    if any(step.node is not None and step.node.function in READ_ONLY for step in steps):
        reader.fail(
            "this array is a view that NumPy does not let a program change", syntax, "make a copy: np.copy(...)"
        )
    if isinstance(root, Constant) and root.node is None:
        what = f"`{root.name}`" if root.name is not None else "an array"
        reader.fail(f"this would change {what} outside of the function", syntax, "make a copy: np.copy(...)")
    related = memory.related(root)
    if any(is_of_caller(reader, other) or _is_global(other) for other in related):
        message = "whether this changes an array of the caller's is not known"
        reader.fail_at_memory(message, syntax, "make a copy: np.copy(...)")
    if any(age_of(other) < memory.began for other in related):
        raise WritesToCaller
    if age_of(root) < memory.began and not is_of_caller(reader, root):
        raise WritesToCaller


def _is_global(key: Any) -> bool:
    return isinstance(key, Constant) and key.node is None


# x += ...


def augmented(
    reader: Reader, before: Any, function: Callable[..., Any], amount: Any, syntax: cst.CSTNode, name: str = "this"
) -> Any:
    """Return what a number or array is after `+=` and its like. An array is changed in place, and stays the same one."""
    by_class = operated_in_place(reader, function, before, amount, syntax)
    if by_class is not NOTHING:
        return by_class
    after = operation(reader, syntax, function, before, amount)
    if isinstance(after, Value) and after.node is not None and after.node.function is function:
        after.node.form = AUGMENTED
    if not isinstance(before, Value) or not isinstance(after, Value) or is_number(reader, before):
        return after
    _require_fit(reader, before, after, function, name, syntax)
    root = reader.memory.root(before)
    _require_known_array(reader, root, name, function, syntax)
    is_plain = reader.memory.is_whole(before) and not is_of_caller(reader, root) and same_type(after.type, before.type)
    if is_plain:
        _require_writable(reader, root, [], syntax)
        hold(reader, root, after, syntax)
    elif function in (operator.add, operator.sub) and same_type(after.type, before.type):
        add(reader, before, Ellipsis, _signed(reader, function, amount, syntax), syntax)
    else:
        write(reader, before, Ellipsis, after, syntax)
    return before


def operator_of(syntax: cst.AugAssign) -> Callable[..., Any]:
    """Return the operator of `x += ...`."""
    return BINARY[type(syntax.operator).__name__.removesuffix("Assign")]


def augmented_operand(reader: Reader, before: Any, syntax: cst.AugAssign) -> Any:
    """Return what the target of `target += amount` is behind that."""
    amount = reader.expression(syntax.value)
    if isinstance(before, List | Dict):
        return combined_in_place(reader, operator_of(syntax), reader.refreshed(before), amount, syntax)
    if isinstance(before, frozenset):
        hint = "make a new set: s = s | {...}"
        reader.fail("a set that is changed in place can't be followed: it may have other names", syntax, hint)
    name = syntax.target.value if isinstance(syntax.target, cst.Name) else "this"
    return augmented(reader, before, operator_of(syntax), amount, syntax, name)


def _require_known_array(
    reader: Reader, root: Value, name: str, function: Callable[..., Any], syntax: cst.CSTNode
) -> None:
    """Refuse what may be a number, or an array without axes."""
    if not root.rank and is_of_caller(reader, root):
        hint = f"write {name} = {name} {_symbol(function)} ..."
        reader.fail(f"`{name}` may be another array's memory, which this changes too", syntax, hint)


def _require_fit(
    reader: Reader, before: Value, after: Value, function: Callable[..., Any], name: str, syntax: cst.CSTNode
) -> None:
    hint = f"write {name} = {name} {_symbol(function)} ..."
    same = [equal(a, b) for a, b in zip(before.shape, after.shape, strict=False)]
    if before.rank != after.rank or False in same or not np.can_cast(after.dtype, before.dtype, "same_kind"):
        what = f"`{name}`" if name != "this" else "an array"
        reader.fail(f"changes {what} from {before.type} to {after.type}", syntax, hint)
    if None in same:
        pairs = zip(before.shape, after.shape, same, strict=True)
        unknown = tuple([(a, b) for a, b, answer in pairs if answer is None])
        raise_unknown(reader, unknown, f"whether this keeps the shape {before.type} is not known", syntax)


def _symbol(function: Callable[..., Any]) -> str:
    return OPERATOR_SYMBOLS.get(function.__name__, "+")


def _signed(reader: Reader, function: Callable[..., Any], amount: Any, syntax: cst.CSTNode) -> Any:
    return operation(reader, syntax, operator.neg, amount) if function is operator.sub else amount


def augmented_place(
    reader: Reader,
    owner: Value,
    index: Any,
    function: Callable[..., Any],
    amount: Callable[[], Any],
    syntax: cst.CSTNode,
) -> None:
    """Read `owner[index] += amount()`."""
    place = reader.apply(syntax, operator.getitem, owner, index=index)
    held = reader.current(owner)
    if is_basic(index) and view_of(place) is not None:
        augmented(reader, place, function, amount(), syntax)
        return
    number = amount()
    after = operation(reader, syntax, function, place, number)
    after = reader.value(after, syntax)
    if place.rank:
        _require_fit(reader, place, after, function, "this", syntax)
    is_sum = function in (operator.add, operator.sub) and after.dtype == owner.dtype and after.rank == place.rank
    if is_sum and not repeats(index) and reader.current(owner) is held:
        add(reader, owner, index, _signed(reader, function, number, syntax), syntax)
    else:
        write(reader, owner, index, after, syntax)
