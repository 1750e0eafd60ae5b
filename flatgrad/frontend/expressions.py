"""Reads expressions: names, literals, operators, comparisons, tuples. Fills EXPRESSIONS. Layer: beside `reader`."""

from __future__ import annotations

import logging
import operator
import re
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.containers import (
    combined,
    contains,
    is_plain,
    known_key,
    mapping_of,
    new_dict,
    new_list,
    same_item,
)
from flatgrad.frontend.known import (
    decides,
    is_spelled_out,
    is_static,
    plain,
    plain_number,
    refuse_methods,
    static_call,
    with_known_text,
)
from flatgrad.frontend.passing import generator_of, logger_constant
from flatgrad.frontend.placeholders import NOTHING, Poisoned, Unfinished
from flatgrad.frontend.reader import Reader, Undefined, is_list, reads
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.special_methods import compared as compared_objects
from flatgrad.frontend.special_methods import operated, same_object, truth_of
from flatgrad.frontend.texts import OF_TEXTS, is_text
from flatgrad.frontend.truth import COMPARISON, condition
from flatgrad.frontend.unpacking import assign, parts
from flatgrad.graph.containers import Dict, List, Record
from flatgrad.graph.values import BOOLEAN, Constant, Value
from flatgrad.infer import type_of
from flatgrad.registry import lookup
from flatgrad.rules.program import Made, conjunction

BINARY: dict[str, Callable[..., Any]] = {
    "Add": operator.add, "Subtract": operator.sub, "Multiply": operator.mul, "Divide": operator.truediv,
    "FloorDivide": operator.floordiv, "Modulo": operator.mod, "Power": operator.pow,
    "MatrixMultiply": operator.matmul, "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor,
    "LeftShift": operator.lshift, "RightShift": operator.rshift,
}  # fmt: skip
UNARY: dict[str, Callable[..., Any]] = {
    "Minus": operator.neg, "Plus": operator.pos, "BitInvert": operator.invert, "Not": operator.not_,
}  # fmt: skip


@reads(cst.Name)
def read_name(reader: Reader, syntax: cst.Name) -> Any:
    name = syntax.value
    item = reader.variables.get(name, NOTHING)
    if item is not NOTHING:
        if item is Unfinished:
            raise Poisoned
        if isinstance(item, Undefined):
            item = item.used(reader, name, syntax)
        return reader.refreshed(item)
    if name in reader.own_names:
        reader.fail(f"`{name}` has no value here", syntax, "assign it on each path that leads here")
    try:
        found = reader.names.find(name)
    except NameUnknown as error:
        reader.fail(error.message, syntax, error.hint)
    if reader.inlined:
        return found
    found = plain_number(reader, found, syntax)
    if isinstance(found, bool | int | float | complex) and name not in ("True", "False"):
        return reader.constant(found, name)
    return item_of(reader, found, name, syntax)


def item_of(reader: Reader, found: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return the item for an object that was found outside of the function."""
    found = plain_number(reader, found, syntax)
    if isinstance(found, Value):
        return found
    if isinstance(found, np.ndarray | np.generic):
        return array_constant(reader, found, name, syntax)
    if isinstance(found, List | Dict | Record):
        return reader.refreshed(found)
    if isinstance(found, logging.Logger | Made):
        return logger_constant(reader, found, name)
    if isinstance(found, np.random.Generator | np.random.RandomState):
        return generator_of(reader, found, name, syntax)
    if type(found) in (tuple, list):
        items = [_part_of(reader, part, f"{name}_{k}", syntax) for k, part in enumerate(found)]
        return List(items) if isinstance(found, list) else tuple(items)
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        pairs = zip(found._fields, found, strict=True)
        return Record.of(type(found), {key: _part_of(reader, part, f"{name}_{key}", syntax) for key, part in pairs})
    if type(found) in (dict, OrderedDict, types.MappingProxyType):
        return Dict.of({key: _part_of(reader, part, f"{name}_{key}", syntax) for key, part in found.items()})
    return frozenset(found) if type(found) is set else found


def _part_of(reader: Reader, part: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return the item for a part of a container that was found outside of the function."""
    stem = re.sub(r"\W", "_", name)
    return part if _is_data(part) else item_of(reader, part, stem, syntax)


def _is_data(part: Any) -> bool:
    """Tell whether a part of a tuple is an array that can't be written into the code; the others may do without it."""
    return isinstance(part, np.ndarray) and (part.dtype.kind not in "fcbiu" or part.size > LARGEST_CONSTANT)


LARGEST_CONSTANT = 1000


def array_constant(reader: Reader, array: Any, name: str, syntax: cst.CSTNode) -> Constant:
    array = np.asarray(array)
    if array.dtype.kind not in "fcbiu":
        reader.fail(f"`{name}` holds {array.dtype} values", syntax, "flatgrad differentiates numbers only")
    if array.size > LARGEST_CONSTANT:
        reader.fail(
            f"`{name}` is an array of {array.size} numbers, too many to write into the code",
            syntax,
            f"make `{name}` a parameter",
        )
    frozen = array.copy()
    frozen.flags.writeable = False
    return reader.constant(frozen, name)


@reads(cst.Integer)
def read_integer(reader: Reader, syntax: cst.Integer) -> Any:
    return _literal(reader, int(syntax.value, 0), syntax.value)


@reads(cst.Float)
def read_float(reader: Reader, syntax: cst.Float) -> Any:
    text = syntax.value
    mantissa, mark, exponent = text.lower().partition("e")
    whole, point, fraction = mantissa.partition(".")
    if point:
        mantissa = f"{whole or '0'}.{fraction or '0'}"
    return _literal(reader, float(text), mantissa + mark + exponent)


def _literal(reader: Reader, number: complex, text: str) -> Any:
    if reader.inlined or text == repr(number):
        return number
    return Constant(number, type_of(number), text=text.lower())


@reads(cst.Imaginary)
def read_imaginary(reader: Reader, syntax: cst.Imaginary) -> Any:
    return _literal(reader, complex(syntax.value), syntax.value)


@reads(cst.SimpleString)
def read_string(reader: Reader, syntax: cst.SimpleString) -> Any:
    return syntax.evaluated_value


@reads(cst.Ellipsis)
def read_ellipsis(reader: Reader, syntax: cst.Ellipsis) -> Any:
    return ...


@reads(cst.Tuple)
def read_tuple(reader: Reader, syntax: cst.Tuple) -> Any:
    return tuple(_elements(reader, syntax))


@reads(cst.List)
def read_list(reader: Reader, syntax: cst.List) -> Any:
    return new_list(reader, _elements(reader, syntax))


@reads(cst.Set)
def read_set(reader: Reader, syntax: cst.Set) -> Any:
    items = _elements(reader, syntax)
    return frozenset(known_key(reader, item, syntax, "item of a set") for item in items)


@reads(cst.Dict)
def read_dict(reader: Reader, syntax: cst.Dict) -> Any:
    items: dict[Any, Any] = {}
    for element in syntax.elements:
        if isinstance(element, cst.StarredDictElement):
            items.update(mapping_of(reader, reader.expression(element.value), element.value))
        else:
            assert isinstance(element, cst.DictElement)
            key = known_key(reader, reader.expression(element.key), element.key)
            items[key] = reader.expression(element.value)
    return new_dict(reader, items)


def _elements(reader: Reader, syntax: cst.Tuple | cst.List | cst.Set) -> list[Any]:
    items: list[Any] = []
    for element in syntax.elements:
        item = reader.expression(element.value)
        if isinstance(element, cst.StarredElement):
            items += parts(reader, item, element)
        else:
            items.append(item)
    return items


@reads(cst.NamedExpr)
def read_walrus(reader: Reader, syntax: cst.NamedExpr) -> Any:
    item = reader.expression(syntax.value)
    assign(reader, syntax.target, item)
    return reader.expression(syntax.target)


@reads(cst.UnaryOperation)
def read_unary(reader: Reader, syntax: cst.UnaryOperation) -> Any:
    function = UNARY[type(syntax.operator).__name__]
    operand = reader.expression(syntax.expression)
    if function is operator.not_ and is_list(operand):
        operand = truth_of(reader, operand, syntax)
    if function is operator.not_ and isinstance(operand, Value) and operand.rank:
        hint = "for arrays: np.logical_not, or `~` on comparisons"
        reader.fail("`not` needs one truth value", syntax.expression, hint)
    if function is operator.not_ and not isinstance(operand, Value):
        return operation(reader, syntax, function, condition(reader, operand, syntax.expression))
    if function is operator.neg and isinstance(operand, int | float | complex) and not reader.inlined:
        return -operand
    return operation(reader, syntax, function, operand)


@reads(cst.BinaryOperation)
def read_binary(reader: Reader, syntax: cst.BinaryOperation) -> Any:
    # a sum of thousands of terms is a chain of left operands: walked, not recursed into
    chain = [syntax]
    while isinstance(chain[-1].left, cst.BinaryOperation):
        chain.append(chain[-1].left)
    result = reader.expression(chain[-1].left)
    for link in reversed(chain):
        function = BINARY[type(link.operator).__name__]
        result = operation(reader, link, function, result, reader.expression(link.right))
    return result


def operation(reader: Reader, syntax: cst.CSTNode, function: Callable[..., Any], *operands: Any) -> Any:
    """Return what an operator gives: worked out where all is known, a node of the graph otherwise."""
    by_class = operated(reader, function, operands, syntax)
    if by_class is not NOTHING:
        return by_class
    if any(is_text(operand) for operand in operands) and function in OF_TEXTS:
        return OF_TEXTS[function](reader, *operands, syntax)
    if len(operands) == 2 and any(isinstance(operand, tuple) for operand in operands):
        left, right = (_with_containers(reader, *pair, syntax) for pair in (operands, operands[::-1]))
        if isinstance(left, tuple) or isinstance(right, tuple):
            return combined(reader, function, left, right, syntax)
        operands = (left, right)
    if all(is_static(operand) for operand in operands) and not any(is_spelled_out(reader, each) for each in operands):
        return static_call(reader, syntax, function, operands, {})
    if lookup(function) is None:
        reader.fail(f"the operator {function.__name__} can't be differentiated", syntax)
    for operand in operands:
        if isinstance(operand, np.ndarray) and not reader.inlined:
            array_constant(reader, operand, "this", syntax)
        if not isinstance(operand, Value | int | float | complex | np.ndarray):
            reader.value(operand, syntax)
    return reader.apply(syntax, function, *operands)


def _with_containers(reader: Reader, item: Any, other: Any, syntax: cst.CSTNode) -> Any:
    """Return an operand as it is where the other is a container: a shape is a tuple, and NumPy makes arrays of lists."""
    if isinstance(item, Value) and isinstance(item.known, tuple):
        return parts(reader, item, syntax)
    # the operand behind it may have changed it
    item = reader.refreshed(item)
    if is_plain(item) and isinstance(other, Value) and other.rank and not isinstance(other.known, tuple):
        return reader.apply(syntax, np.array, item)
    return item


@reads(cst.Comparison)
def read_comparison(reader: Reader, syntax: cst.Comparison) -> Any:
    left = reader.expression(syntax.left)
    result: Any = True
    for comparison in syntax.comparisons:
        right = reader.expression(comparison.comparator)
        kind = type(comparison.operator).__name__
        left, right = (with_known_text(reader, each, syntax) for each in (left, right))
        by_class = compared_objects(reader, COMPARISON.get(kind), left, right, syntax)
        if by_class is not NOTHING:
            compared = by_class
        elif kind in ("In", "NotIn"):
            compared = contains(reader, right, left, syntax) is (kind == "In")
        elif kind in ("Is", "IsNot"):
            compared = _is_same(reader, left, right, syntax) is (kind == "Is")
        elif isinstance(left, tuple) and isinstance(right, tuple) and kind in ("Equal", "NotEqual"):
            compared = same_item(reader, left, right, syntax) is (kind == "Equal")
        elif is_static(left) and is_static(right):
            compared = COMPARISON[kind](plain(left), plain(right))
            if isinstance(compared, np.ndarray):
                compared = static_call(reader, syntax, COMPARISON[kind], (left, right), {})
        elif (unknown := next(filter(decides, (left, right)), None)) is not None:
            refuse_methods(reader, unknown, syntax)
        elif any(isinstance(each, str | None) for each in (left, right)) and kind in ("Equal", "NotEqual"):
            compared = kind == "NotEqual"
        else:
            compared = _dynamic_comparison(reader, COMPARISON[kind], left, right, syntax)
        if isinstance(compared, np.bool_) and len(syntax.comparisons) > 1:
            compared = bool(compared)
        if result is True:
            result = compared
        elif result is not False and compared is not True:
            result = False if compared is False else reader.apply(syntax, conjunction, result, compared)
        left = right
    return result


def _dynamic_comparison(
    reader: Reader, compare: Callable[..., Any], left: Any, right: Any, syntax: cst.Comparison
) -> Any:
    if isinstance(getattr(left, "known", left), tuple) or isinstance(getattr(right, "known", right), tuple):
        # shapes compare as tuples do: one truth value
        return reader.builder.node(compare, {"a": left, "b": right}, [BOOLEAN]).output
    return reader.apply(syntax, compare, left, right)


def _is_same(reader: Reader, left: Any, right: Any, syntax: cst.Comparison) -> bool:
    """Return what `left is right` is."""
    if left is None or right is None:
        return left is right
    if isinstance(left, Record) or isinstance(right, Record):
        same = same_object(left, right)
        if same is not None:
            return same
    elif isinstance(left, tuple) or isinstance(right, tuple):
        if type(left) is not type(right):
            return False
        if getattr(left, "ref", None) is not None:
            return left.ref is getattr(right, "ref", None)
    elif is_static(left) and is_static(right):
        return plain(left) is plain(right)
    return reader.fail("`is` on data can't be decided when the code is written", syntax, "use ==")
