"""The methods of the user's classes that Python calls: for operators, comparisons, conditions, loops and builtins.

In: objects as items. Out: what their classes say about them. Layer: above `objects`, below `known`.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Sequence
from typing import Any

import libcst as cst

from flatgrad.frontend.classes import held_by, is_dataclass, is_subclass, is_tuple, name_of
from flatgrad.frontend.objects import CALL_READERS, bound, is_instance, kind_of, read_call_of, told
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader, is_list
from flatgrad.frontend.static_classes import MISSING
from flatgrad.frontend.static_objects import Partial
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.graph.containers import Record, leaves, rebuilt
from flatgrad.graph.values import Constant, Value
from flatgrad.homes import home_of
from flatgrad.infer import unwrapped

BINARY_METHODS: dict[Any, str] = {
    operator.add: "add", operator.sub: "sub", operator.mul: "mul", operator.truediv: "truediv",
    operator.floordiv: "floordiv", operator.mod: "mod", operator.pow: "pow", operator.matmul: "matmul",
    operator.and_: "and", operator.or_: "or", operator.xor: "xor", operator.lshift: "lshift", operator.rshift: "rshift",
}  # fmt: skip
UNARY_METHODS: dict[Any, str] = {operator.neg: "__neg__", operator.pos: "__pos__", operator.invert: "__invert__"}
# a comparison, and the one with its sides exchanged
COMPARISON_METHODS: dict[Any, tuple[str, str]] = {
    operator.lt: ("__lt__", "__gt__"), operator.le: ("__le__", "__ge__"), operator.gt: ("__gt__", "__lt__"),
    operator.ge: ("__ge__", "__le__"), operator.eq: ("__eq__", "__eq__"), operator.ne: ("__ne__", "__ne__"),
}  # fmt: skip

BUILTIN_METHODS: dict[Any, str] = {
    len: "__len__", abs: "__abs__", float: "__float__", int: "__int__", iter: "__iter__", next: "__next__",
    reversed: "__reversed__", round: "__round__",
}  # fmt: skip


def special(reader: Reader, item: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return a method of an object that Python calls, such as `__add__`, bound to it; None where its class has none."""
    if not is_instance(item):
        return None
    kind = kind_of(item)
    with told(reader, syntax):
        found, _ = held_by(kind, name)
    return None if found is MISSING or found is None else bound(reader, found, item, kind, name, syntax)


def special_result(reader: Reader, item: Any, name: str, args: Sequence[Any], syntax: cst.CSTNode) -> Any:
    """Return what a method that Python calls gives; NOTHING where the class has none."""
    method = special(reader, item, name, syntax)
    return NOTHING if method is None else read_call_of(reader, method, args, syntax)


def special_effect(reader: Reader, item: Any, name: str, args: Sequence[Any], syntax: cst.CSTNode) -> bool:
    """Read a method that Python calls for what it does, such as `__setitem__`; tell whether the class has it."""
    method = special(reader, item, name, syntax)
    if method is not None:
        CALL_READERS["perform"](reader, method, args, {}, syntax)
    return method is not None


def callable_of(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    """Return what a call of an item calls: of an object its `__call__`, of a method its function with the object."""
    if home_of(item) is not None:
        # what has a rule is not read
        return item
    is_method = isinstance(item, types.MethodType) and isinstance(item.__func__, types.FunctionType)
    if is_method and home_in_scipy(item) is None:
        return Partial(item.__func__, (item.__self__,), {})
    found = special(reader, item, "__call__", syntax)
    return item if found is None else found


def built_in(reader: Reader, function: Any, args: Sequence[Any], syntax: cst.CSTNode) -> Any:
    """Return what a builtin gives for an object, as its class says; NOTHING for another function, or where it says nothing."""
    name = BUILTIN_METHODS.get(function) if isinstance(function, types.BuiltinFunctionType | type) else None
    return NOTHING if name is None else special_result(reader, args[0], name, args[1:], syntax)


def truth_of(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    """Return what tells whether an item is true: of an object what its class says, of a list that grows its length."""
    if is_list(item):
        return reader.apply(syntax, len, item)
    if not is_instance(item):
        return item
    for name in ("__bool__", "__len__"):
        result = special_result(reader, item, name, (), syntax)
        if result is not NOTHING:
            return result
    return not isinstance(item, Record) or not _is_tuple(reader, item, syntax) or bool(tuple(item))


def gone_through(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    """Return what is gone through where an object is."""
    if not is_instance(item):
        return item
    result = special_result(reader, item, "__iter__", (), syntax)
    if result is NOTHING:
        return as_tuple(reader, item, "gone through", "__iter__", syntax)
    return result


def as_tuple(reader: Reader, item: Any, what: str, name: str, syntax: cst.CSTNode) -> tuple[Any, ...]:
    """Return the parts of a named tuple. What can't be done with another object is reported."""
    if isinstance(item, Record) and _is_tuple(reader, item, syntax):
        return tuple(item)
    message = f"a {name_of(kind_of(item))} can't be {what}: its class has no `{name}`"
    reader.fail(message, syntax, "use its attributes")


def _is_tuple(reader: Reader, item: Record, syntax: cst.CSTNode) -> bool:
    with told(reader, syntax):
        return is_tuple(item.kind)


def without_objects(reader: Reader, items: Sequence[Any], syntax: cst.CSTNode) -> list[Any]:
    """Return items as NumPy takes them: a named tuple is a tuple, and another object is refused."""

    def taken(item: Any) -> Any:
        if isinstance(item, Record):
            item = as_tuple(reader, item, "given to a function of NumPy", "__array__", syntax)
        return rebuilt(item, map(taken, item)) if isinstance(item, tuple) and not hasattr(item, "_fields") else item

    return [taken(item) for item in items]


def operated(reader: Reader, function: Any, operands: Sequence[Any], syntax: cst.CSTNode) -> Any:
    """Return what an operator gives on objects, as their classes say; NOTHING where no operand is an object."""
    if not any(map(is_instance, operands)):
        return NOTHING
    if function is operator.not_:
        return NOTHING
    if len(operands) == 1:
        result = special_result(reader, operands[0], UNARY_METHODS[function], (), syntax)
        attempted = [UNARY_METHODS[function]]
    else:
        word = BINARY_METHODS[function]
        attempted = [f"__{word}__", f"__r{word}__"]
        result = _first_result(reader, operands, (attempted[0], attempted[1]), syntax)
    if result is NOTHING:
        owner = next(filter(is_instance, operands))
        message = f"a {name_of(kind_of(owner))} has no `{attempted[0]}` for this"
        reader.fail(message, syntax, f"define {' or '.join(f'`{each}`' for each in attempted)}, or use its attributes")
    return result


def operated_in_place(reader: Reader, function: Any, owner: Any, amount: Any, syntax: cst.CSTNode) -> Any:
    """Return what `owner += amount` binds, where the class has a method for that; else NOTHING."""
    result = special_result(reader, owner, f"__i{BINARY_METHODS[function]}__", [amount], syntax)
    return NOTHING if result is NotImplemented else result


def compared(reader: Reader, function: Any, left: Any, right: Any, syntax: cst.CSTNode) -> Any:
    """Return what a comparison of objects gives, as their classes say; NOTHING where no side is an object."""
    if not (is_instance(left) or is_instance(right)) or function not in COMPARISON_METHODS:
        return NOTHING
    result = _first_result(reader, (left, right), COMPARISON_METHODS[function], syntax)
    if result is not NOTHING:
        return result
    if function is operator.ne:
        equal = compared(reader, operator.eq, left, right, syntax)
        if isinstance(equal, bool):
            return not equal
    if function is operator.eq:
        return _equal(reader, left, right, syntax)
    owner = left if is_instance(left) else right
    return reader.fail(f"a {name_of(kind_of(owner))} has no `{COMPARISON_METHODS[function][0]}` for this", syntax)


def _equal(reader: Reader, left: Any, right: Any, syntax: cst.CSTNode) -> bool:
    """Return whether objects are equal where no method of the user's decides."""
    if not isinstance(left, Record) and not isinstance(right, Record):
        return bool(left == right)
    if isinstance(left, Record) and isinstance(right, Record) and left.kind is right.kind:
        with told(reader, syntax):
            by_parts = is_tuple(left.kind) or is_dataclass(left.kind)
        if not by_parts or same_object(left, right) is True:
            same = same_object(left, right)
            if same is not None:
                return same
        elif all(_is_comparable(leaf) for leaf in leaves((left, right))):
            return bool(unwrapped(tuple(left)) == unwrapped(tuple(right)))
        reader.fail("whether these objects are equal can't be told when the code is written", syntax)
    return False


def _is_comparable(leaf: Any) -> bool:
    """Tell whether what a leaf is equal to is known when the code is written."""
    return not isinstance(leaf, Value) or (isinstance(leaf, Constant) and leaf.type.weak)


def same_object(left: Any, right: Any) -> bool | None:
    """Return whether two items are one object; None where that can't be told."""
    if left is right:
        return True
    if not isinstance(left, Record) or not isinstance(right, Record):
        return False
    if left.ref is None and right.ref is None:
        return None if left.kind is right.kind else False
    return left.ref is right.ref


def _first_result(reader: Reader, operands: Sequence[Any], names: tuple[str, str], syntax: cst.CSTNode) -> Any:
    """Return what the first of two methods gives that takes the other operand; NOTHING where none does."""
    left, right = operands
    attempts = [(left, names[0], right), (right, names[1], left)]
    if is_instance(left) and is_instance(right) and kind_of(left) is not kind_of(right):
        with told(reader, syntax):
            if is_subclass(kind_of(right), kind_of(left)):
                # the method of a subclass goes first
                attempts.reverse()
    for owner, name, other in attempts:
        if isinstance(owner, Value) and owner is left:
            _require_deferring(reader, owner, right, syntax)
        result = special_result(reader, owner, name, [other], syntax)
        if result is not NOTHING and result is not NotImplemented:
            return result
    return NOTHING


def _require_deferring(reader: Reader, array: Value, other: Any, syntax: cst.CSTNode) -> None:
    """Refuse an array on the left: NumPy calls the method of the object on the right once for each element."""
    with told(reader, syntax):
        defers = held_by(kind_of(other), "__array_ufunc__")[0] is None
    if not array.type.weak and not defers:
        message = f"NumPy takes an array and a {name_of(kind_of(other))} apart, element by element"
        reader.fail(message, syntax, "write the object on the left, or `__array_ufunc__ = None` into its class")
