"""Reads expressions: names, literals, operators, comparisons, tuples. Fills EXPRESSIONS. Layer: beside `reader`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.known import (
    decides,
    is_spelled_out,
    is_static,
    plain,
    plain_number,
    refuse_methods,
    static_call,
)
from flatgrad.frontend.reader import NOTHING, Poisoned, Reader, Undefined, Unfinished, reads
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.truth import COMPARISON, truth
from flatgrad.frontend.unpacking import assign, parts
from flatgrad.graph.values import BOOLEAN, Constant, List, Value, leaves
from flatgrad.infer import type_of
from flatgrad.registry import lookup
from flatgrad.rules.program import conjunction

BINARY: dict[str, Callable[..., Any]] = {
    "Add": operator.add, "Subtract": operator.sub, "Multiply": operator.mul, "Divide": operator.truediv,
    "FloorDivide": operator.floordiv, "Modulo": operator.mod, "Power": operator.pow,
    "MatrixMultiply": operator.matmul, "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor,
    "LeftShift": operator.lshift, "RightShift": operator.rshift,
}  # fmt: skip
UNARY: dict[str, Callable[..., Any]] = {
    "Minus": operator.neg, "Plus": operator.pos, "BitInvert": operator.invert, "Not": operator.not_,
}  # fmt: skip
# comparisons that only have a meaning on what is known when the code is written
STATIC_COMPARISON: dict[str, Callable[..., Any]] = {
    "Is": operator.is_, "IsNot": operator.is_not, "In": lambda a, b: a in b, "NotIn": lambda a, b: a not in b,
}  # fmt: skip


@reads(cst.Name)
def read_name(reader: Reader, syntax: cst.Name) -> Any:
    name = syntax.value
    item = reader.variables.get(name, NOTHING)
    if item is not NOTHING:
        if item is Unfinished:
            raise Poisoned
        if isinstance(item, Undefined):
            return item.used(reader, name, syntax)
        return item
    if name in reader.own_names:
        reader.fail(f"`{name}` has no value here", syntax, "assign it on each path that leads here")
    try:
        found = reader.names.find(name)
    except NameUnknown as error:
        reader.fail(error.message, syntax, error.hint)
    if reader.inlined:
        return found
    found = plain_number(reader, found, syntax)
    if isinstance(found, bool | int | float) and name not in ("True", "False"):
        return reader.constant(found, name)
    return item_of(reader, found, name, syntax)


def item_of(reader: Reader, found: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return the item for an object that was found outside of the function."""
    found = plain_number(reader, found, syntax)
    if isinstance(found, Value):
        return found
    if isinstance(found, np.ndarray | np.generic):
        return array_constant(reader, found, name, syntax)
    if isinstance(found, tuple | list) and not hasattr(found, "_fields"):
        numbered = enumerate(found)
        items = [part if _is_data(part) else item_of(reader, part, f"{name}_{k}", syntax) for k, part in numbered]
        return List(items) if isinstance(found, list | List) else tuple(items)
    return found


def _is_data(part: Any) -> bool:
    """Tell whether a part of a tuple is an array that can't be written into the code; the others may do without it."""
    return isinstance(part, np.ndarray) and (part.dtype.kind not in "fbiu" or part.size > LARGEST_CONSTANT)


LARGEST_CONSTANT = 1000


def array_constant(reader: Reader, array: Any, name: str, syntax: cst.CSTNode) -> Constant:
    array = np.asarray(array)
    if array.dtype.kind not in "fbiu":
        reader.fail(f"`{name}` holds {array.dtype} values", syntax, "flatgrad differentiates real numbers only")
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


def _literal(reader: Reader, number: float, text: str) -> Any:
    if reader.inlined or text == repr(number):
        return number
    return Constant(number, type_of(number), text=text.lower())


@reads(cst.Imaginary)
def read_imaginary(reader: Reader, syntax: cst.Imaginary) -> Any:
    reader.fail("a complex number can't be differentiated", syntax, "write the real and imaginary parts by themselves")


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
    return List(_elements(reader, syntax))


def _elements(reader: Reader, syntax: cst.Tuple | cst.List) -> list[Any]:
    items: list[Any] = []
    for element in syntax.elements:
        item = reader.expression(element.value)
        if isinstance(element, cst.StarredElement):
            items += parts(reader, item, element)
        else:
            items.append(item)
    reader.shared.update(leaf for leaf in leaves(tuple(items)) if isinstance(leaf, Value))
    return items


@reads(cst.ListComp, cst.GeneratorExp)
def read_comprehension(reader: Reader, syntax: cst.ListComp | cst.GeneratorExp) -> Any:
    """Read a comprehension over things that are known when the code is written, one element after another."""
    loop = syntax.for_in
    if loop.inner_for_in is not None or loop.asynchronous is not None or not isinstance(loop.target, cst.Name):
        reader.fail("only a comprehension with one loop over one name can be read", loop)
    name = loop.target.value
    items = reader.expression(loop.iter)
    if isinstance(items, Value):
        reader.fail("a comprehension over an array can't be differentiated", loop.iter, "use array operations")
    if decides(items):
        refuse_methods(reader, items, loop.iter)
    hidden = reader.variables.get(name, NOTHING)
    result: list[Any] = []
    for item in items:
        reader.variables[name] = item
        if all(truth(reader, reader.expression(test.test), test.test) for test in loop.ifs):
            result.append(reader.expression(syntax.elt))
    reader.variables.pop(name, None)
    if hidden is not NOTHING:
        reader.variables[name] = hidden
    return List(result)


@reads(cst.NamedExpr)
def read_walrus(reader: Reader, syntax: cst.NamedExpr) -> Any:
    item = reader.expression(syntax.value)
    assign(reader, syntax.target, item)
    return reader.expression(syntax.target)


@reads(cst.UnaryOperation)
def read_unary(reader: Reader, syntax: cst.UnaryOperation) -> Any:
    function = UNARY[type(syntax.operator).__name__]
    operand = reader.expression(syntax.expression)
    if function is operator.not_ and isinstance(operand, Value) and operand.rank:
        hint = "for arrays: np.logical_not, or `~` on comparisons"
        reader.fail("`not` needs one truth value", syntax.expression, hint)
    if function is operator.neg and isinstance(operand, int | float) and not reader.inlined:
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
    if all(is_static(operand) for operand in operands) and not any(is_spelled_out(reader, each) for each in operands):
        return static_call(reader, syntax, function, operands, {})
    if function is operator.add and any(isinstance(operand, tuple) for operand in operands):
        left, right = (parts(reader, operand, syntax) for operand in operands)
        return List(left + right) if all(isinstance(operand, List) for operand in operands) else left + right
    if lookup(function) is None:
        reader.fail(f"the operator {function.__name__} can't be differentiated", syntax)
    for operand in operands:
        if isinstance(operand, np.ndarray) and not reader.inlined:
            array_constant(reader, operand, "this", syntax)
        if not isinstance(operand, Value | int | float | np.ndarray):
            reader.value(operand, syntax)
    return reader.apply(syntax, function, *operands)


@reads(cst.Comparison)
def read_comparison(reader: Reader, syntax: cst.Comparison) -> Any:
    left = reader.expression(syntax.left)
    result: Any = True
    for comparison in syntax.comparisons:
        right = reader.expression(comparison.comparator)
        kind = type(comparison.operator).__name__
        if kind in STATIC_COMPARISON:
            compared = _static_comparison(reader, STATIC_COMPARISON[kind], left, right, syntax)
        elif is_static(left) and is_static(right):
            compared = COMPARISON[kind](plain(left), plain(right))
            if isinstance(compared, np.ndarray):
                compared = static_call(reader, syntax, COMPARISON[kind], (left, right), {})
        elif isinstance(left, str | None) or isinstance(right, str | None):
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


def _static_comparison(
    reader: Reader, compare: Callable[..., bool], left: Any, right: Any, syntax: cst.Comparison
) -> bool:
    if is_static(left) and is_static(right):
        return compare(plain(left), plain(right))
    if compare in (operator.is_, operator.is_not) and (left is None or right is None):
        return compare is operator.is_not
    reader.fail("`is` and `in` on data can't be decided when the code is written", syntax, "use == or np.isin")
