"""Constant expressions at the top level of a file, worked out without running the file.

In: an expression of Python's own tree, and what its names stand for. Out: the value that running it would give.
Only functions that depend on nothing but their arguments are called. Layer: `frontend`, above `source`.
"""

from __future__ import annotations

import ast
import enum
import math
import operator
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from flatgrad.frontend.known_functions import ARRAY_ATTRIBUTES, ARRAY_METHODS, CONTAINER_METHODS, is_pure
from flatgrad.frontend.source import ForeignObject, NameUnknown
from flatgrad.frontend.static_objects import StaticClass, StaticModule
from flatgrad.graph.containers import Record

UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
COMPARISON: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}


IMMUTABLE = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic)
# an array beyond this is not a constant to write into code, and may not fit into memory
MAX_ELEMENTS = 1_000_000
MAX_TURNS = 100_000
MAX_BITS = 4096
SIZED = (np.zeros, np.ones, np.full, np.eye, np.identity, np.tri, np.arange, np.indices)
COMBINATORIAL = (math.factorial, math.comb, math.perm)
TOO_LARGE = "is too large for a constant"
NOT_CONSTANT = "is not a constant that can be read without running the file"

# what a name stands for, or the function that a lambda makes
Lookup = Callable[[str | ast.Lambda], object]
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


class NotConstant(Exception):
    """An expression whose value can't be told without running the file; `node` is the part at fault."""

    def __init__(self, node: ast.expr, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


def is_immutable(value: object) -> bool:
    """Tell whether no statement can change a value in place."""
    if isinstance(value, Record) and not value.kind.is_frozen:
        return False
    if isinstance(value, tuple | frozenset):
        return all(map(is_immutable, value))
    # a function or a class stays the function that it is, whatever is set on it
    return isinstance(value, IMMUTABLE) or not isinstance(
        value, list | dict | set | np.ndarray | types.ModuleType | types.SimpleNamespace | StaticModule
    )


def evaluate(node: ast.expr, lookup: Lookup) -> Any:
    """Return the value of an expression. Raises NotConstant; `lookup` may raise it for a name, or NameUnknown."""
    if type(node) not in EVALUATORS:
        raise NotConstant(node, NOT_CONSTANT)
    try:
        with np.errstate(all="ignore"):
            return EVALUATORS[type(node)](node, lookup)
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, MemoryError) as error:
        if isinstance(error, NameUnknown):
            raise
        raise NotConstant(node, f"raises {type(error).__name__}: {error}") from None


def names_only(find: Callable[[str], object]) -> Lookup:
    """Return what tells what names stand for, and reads no lambda."""

    def lookup(name: str | ast.Lambda) -> object:
        if isinstance(name, ast.Lambda):
            raise NotConstant(name, NOT_CONSTANT)
        return find(name)

    return lookup


def _items(nodes: list[ast.expr], lookup: Lookup) -> list[Any]:
    items: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            items += evaluate(node.value, lookup)
        else:
            items.append(evaluate(node, lookup))
    return items


def _dict(node: ast.Dict, lookup: Lookup) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            result |= evaluate(value, lookup)
        else:
            result[evaluate(key, lookup)] = evaluate(value, lookup)
    return result


def _unary(node: ast.UnaryOp, lookup: Lookup) -> object:
    return UNARY[type(node.op)](evaluate(node.operand, lookup))


def _binary(node: ast.BinOp, lookup: Lookup) -> object:
    left, right = evaluate(node.left, lookup), evaluate(node.right, lookup)
    return combined(type(node.op), left, right, node)


def combined(operation: type[ast.operator], left: Any, right: Any, node: ast.expr) -> Any:
    """Return the value of a binary operation. Raises NotConstant where it is too large to be a constant."""
    if isinstance(left, int) and isinstance(right, int):
        bits = {ast.Pow: left.bit_length() * max(right, 0), ast.LShift: left.bit_length() + max(right, 0)}
        if bits.get(operation, 0) > MAX_BITS:
            raise NotConstant(node, "is too large a number for a constant")
    for sequence, number in ((left, right), (right, left)):
        repeated = (
            operation is ast.Mult and isinstance(sequence, str | bytes | list | tuple) and isinstance(number, int)
        )
        if repeated and len(sequence) * number > MAX_ELEMENTS:
            raise NotConstant(node, "is too long for a constant")
    return BINARY[operation](left, right)


def _compare(node: ast.Compare, lookup: Lookup) -> object:
    left, result = evaluate(node.left, lookup), True
    for operation, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(comparator, lookup)
        result = COMPARISON[type(operation)](left, right)
        if len(node.ops) > 1 and not result:
            break
        left = right
    return result


def _boolean(node: ast.BoolOp, lookup: Lookup) -> object:
    stops_at = isinstance(node.op, ast.Or)
    value: object = None
    for part in node.values:
        value = evaluate(part, lookup)
        if bool(value) is stops_at:
            break
    return value


def _conditional(node: ast.IfExp, lookup: Lookup) -> object:
    return evaluate(node.body if evaluate(node.test, lookup) else node.orelse, lookup)


def _attribute(node: ast.Attribute, lookup: Lookup) -> object:
    owner = evaluate(node.value, lookup)
    if isinstance(owner, ForeignObject):
        return ForeignObject(f"{owner.dotted_name}.{node.attr}")
    if isinstance(owner, StaticModule):
        return owner.member(node.attr)
    if isinstance(owner, types.ModuleType | types.SimpleNamespace | np.finfo | np.iinfo):
        return getattr(owner, node.attr)
    if isinstance(owner, np.ndarray | np.generic) and node.attr in ARRAY_ATTRIBUTES:
        return getattr(owner, node.attr)
    if isinstance(owner, enum.EnumMeta) and node.attr in owner.__members__:
        return owner[node.attr]
    if isinstance(owner, enum.Enum) and node.attr in ("name", "value"):
        return getattr(owner, node.attr)
    if isinstance(owner, Record) and node.attr in owner.names:
        return owner.attributes[node.attr]
    if isinstance(owner, int | float | complex) and node.attr in ("real", "imag"):
        return getattr(owner, node.attr)
    raise NotConstant(node, NOT_CONSTANT)


def _subscript(node: ast.Subscript, lookup: Lookup) -> object:
    owner, index = evaluate(node.value, lookup), evaluate(node.slice, lookup)
    if isinstance(owner, ForeignObject):
        return ForeignObject(owner.dotted_name, index if isinstance(index, tuple) else (index,))
    return owner[index]


def _comprehended(node: ast.ListComp | ast.SetComp | ast.GeneratorExp, lookup: Lookup) -> Any:
    made = _bounded(node, (evaluate(node.elt, inner) for inner in _turns(node, lookup)))
    return set(made) if isinstance(node, ast.SetComp) else made


def _dict_comprehended(node: ast.DictComp, lookup: Lookup) -> dict[Any, Any]:
    turns = _turns(node, lookup)
    return dict(_bounded(node, ((evaluate(node.key, inner), evaluate(node.value, inner)) for inner in turns)))


def _bounded(node: ast.expr, items: Iterator[Any]) -> list[Any]:
    """Return the items of a comprehension. Raises NotConstant as soon as they hold too much."""
    made, room = [], MAX_ELEMENTS
    for item in items:
        room -= _count(item, room)
        if room < 0:
            raise NotConstant(node, TOO_LARGE)
        made.append(item)
    return made


def _count(item: Any, room: int) -> int:
    """Return how many numbers and texts an item holds; for more than there is room for, some number above it."""
    if isinstance(item, np.ndarray):
        return int(item.size)
    if not isinstance(item, list | tuple | set | frozenset | dict):
        return 1
    count = 1
    for part in item.values() if isinstance(item, dict) else item:
        if count > room:
            break
        count += _count(part, room - count)
    return count


def _turns(node: Comprehension, lookup: Lookup) -> Iterator[Lookup]:
    """Yield what names stand for in each turn of a comprehension. Raises NotConstant where the turns are too many."""
    return _turns_of(node, node.generators, lookup, iter(range(MAX_TURNS)))


def _turns_of(
    node: Comprehension, clauses: list[ast.comprehension], lookup: Lookup, left: Iterator[int]
) -> Iterator[Lookup]:
    if not clauses:
        yield lookup
        return
    first, *rest = clauses
    for item in evaluate(first.iter, lookup):
        if next(left, None) is None:
            raise NotConstant(node, TOO_LARGE)
        bound = dict(_bound(first.target, item))

        def inner(name: str | ast.Lambda, bound: dict[str, Any] = bound) -> object:
            if isinstance(name, ast.Lambda):
                # it would see the names of the comprehension
                raise NotConstant(name, NOT_CONSTANT)
            return bound[name] if name in bound else lookup(name)

        if all(evaluate(condition, inner) for condition in first.ifs):
            yield from _turns_of(node, rest, inner, left)


def _bound(target: ast.expr, item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(target, ast.Name):
        yield target.id, item
    elif isinstance(target, ast.Tuple | ast.List) and not any(isinstance(part, ast.Starred) for part in target.elts):
        for part, inner in zip(target.elts, item, strict=True):
            yield from _bound(part, inner)
    else:
        raise NotConstant(target, NOT_CONSTANT)


def _slice(node: ast.Slice, lookup: Lookup) -> slice:
    return slice(*(part and evaluate(part, lookup) for part in (node.lower, node.upper, node.step)))


def _call(node: ast.Call, lookup: Lookup) -> object:
    function = _callee(node.func, lookup)
    arguments = _items(node.args, lookup)
    options = {keyword.arg: evaluate(keyword.value, lookup) for keyword in node.keywords if keyword.arg}
    if len(options) < len(node.keywords) or "out" in options:
        raise NotConstant(node, NOT_CONSTANT)
    if isinstance(function, StaticClass):
        return function.instance(arguments, options)
    if _is_too_large(function, [*arguments, *options.values()]):
        raise NotConstant(node, TOO_LARGE)
    return function(*arguments, **options)


def _callee(node: ast.expr, lookup: Lookup) -> Any:
    """Return a function that may be called. Raises NotConstant for one that does more than return a value."""
    if isinstance(node, ast.Attribute) and node.attr in ARRAY_METHODS:
        owner = evaluate(node.value, lookup)
        if isinstance(owner, np.ndarray | np.generic):
            method: Callable[..., Any] = getattr(owner, node.attr)
            return method
    if isinstance(node, ast.Attribute) and node.attr in CONTAINER_METHODS:
        owner = evaluate(node.value, lookup)
        if type(owner) in (list, dict, tuple, str):
            method = getattr(owner, node.attr)
            return method
    function: Any = evaluate(node, lookup)
    if not is_pure(function) and not isinstance(function, StaticClass) and function is not types.SimpleNamespace:
        raise NotConstant(node, f"calls `{ast.unparse(node)}`, which is not run to read the file")
    return function


def _is_too_large(function: object, arguments: list[Any]) -> bool:
    """Tell whether a call would make something huge out of small arguments."""
    if function in COMBINATORIAL:
        return any(isinstance(number, int) and number > MAX_BITS for number in arguments)
    if function is pow and all(isinstance(number, int) for number in arguments):
        return bool(arguments[0].bit_length() * max(*arguments[1:], 0) > MAX_BITS)
    if function is range:
        return len(range(*arguments)) > MAX_ELEMENTS
    if function in SIZED:
        sizes = [*_flat(arguments[0]), *(arguments[1:2] if function in (np.eye, np.tri, np.arange) else ())]
        return bool(math.prod(max(abs(size), 1) for size in sizes if isinstance(size, int | float)) > MAX_ELEMENTS)
    return False


def _flat(structure: Any) -> list[Any]:
    return list(structure) if isinstance(structure, list | tuple) else [structure]


EVALUATORS: dict[type[ast.AST], Callable[[Any, Lookup], Any]] = {
    ast.Constant: lambda node, lookup: node.value,
    ast.Name: lambda node, lookup: lookup(node.id),
    ast.Lambda: lambda node, lookup: lookup(node),
    ast.Tuple: lambda node, lookup: tuple(_items(node.elts, lookup)),
    ast.List: lambda node, lookup: _items(node.elts, lookup),
    ast.Set: lambda node, lookup: set(_items(node.elts, lookup)),
    ast.Dict: _dict,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.IfExp: _conditional,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.ListComp: _comprehended,
    ast.SetComp: _comprehended,
    ast.GeneratorExp: _comprehended,
    ast.DictComp: _dict_comprehended,
}
