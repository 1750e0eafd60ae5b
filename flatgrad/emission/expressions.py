"""Texts of expressions: operators by precedence, calls, subscripts, numbers and strings.

In: a node, the texts of its inputs. Out: one line of text in the form that ruff leaves unchanged, and its precedence.
Layer: above `spelling`.
"""

from __future__ import annotations

import inspect
import keyword
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from flatgrad.emission.added_axes import added_axes
from flatgrad.emission.literals import (
    AND,
    ATOM,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    COMPARED,
    CONDITIONAL,
    NOT,
    OR,
    POWER,
    PRODUCT,
    SHIFT,
    SUM,
    UNARY,
    Literals,
    Text,
)
from flatgrad.emission.spelling import PLACEHOLDER, Spelling
from flatgrad.graph.containers import List, Slice
from flatgrad.graph.regions import edited
from flatgrad.graph.size import is_one, resolved
from flatgrad.graph.values import Constant, Node, Value
from flatgrad.markers import stop_gradient
from flatgrad.registry import lookup
from flatgrad.rules.concatenators import dense_grid, in_a_row, in_columns, open_grid
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.listing import listed
from flatgrad.rules.program import conjunction, disjunction, literal, named
from flatgrad.rules.static import axes_count

INFIX: dict[Callable[..., Any], tuple[str, int]] = {
    operator.add: ("+", SUM), operator.sub: ("-", SUM), operator.mul: ("*", PRODUCT),
    operator.truediv: ("/", PRODUCT), operator.floordiv: ("//", PRODUCT), operator.mod: ("%", PRODUCT),
    operator.matmul: ("@", PRODUCT), operator.pow: ("**", POWER), operator.and_: ("&", BIT_AND),
    operator.or_: ("|", BIT_OR), operator.xor: ("^", BIT_XOR), operator.lshift: ("<<", SHIFT),
    operator.rshift: (">>", SHIFT), operator.lt: ("<", COMPARED), operator.le: ("<=", COMPARED),
    operator.gt: (">", COMPARED), operator.ge: (">=", COMPARED), operator.eq: ("==", COMPARED),
    operator.ne: ("!=", COMPARED), conjunction: ("and", AND), disjunction: ("or", OR),
}  # fmt: skip
PREFIX: dict[Callable[..., Any], tuple[str, int]] = {
    operator.neg: ("-", UNARY), operator.pos: ("+", UNARY), operator.invert: ("~", UNARY), operator.not_: ("not ", NOT),
}  # fmt: skip

NUMBER = re.compile(r"\d[\d.]*(e-?\d+)?j?")

# what is written between brackets
BRACKETED: dict[Callable[..., Any], str] = {in_a_row: "r_", in_columns: "c_", dense_grid: "mgrid", open_grid: "ogrid"}

ORDERING = frozenset({operator.lt, operator.le, operator.gt, operator.ge})


class Printer(Literals):
    """Writes expressions. `texts` holds the text of every value that has one so far: its name, or its expression."""

    def __init__(self, spelling: Spelling) -> None:
        super().__init__(spelling)
        self.texts: dict[Value, Text] = {}

    def name(self, value: Value, name: str) -> None:
        """Let a value be written as this name from here on."""
        self.texts[value] = (name, ATOM)

    def expression(self, node: Node) -> Text:
        """Return the text of an operation."""
        function = node.function
        if function in INFIX:
            return self.infix(node, *INFIX[function])
        if function in PREFIX:
            return self._prefix(node, *PREFIX[function])
        special = SPECIAL.get(function)
        if special is not None:
            return special(self, node)
        if node.form == "method":
            return self._method(node)
        if node.form:
            return self.operand(node.inputs[0], ATOM) + node.form, ATOM
        spelled = self.spelling.of(node)
        if "{" in spelled:
            return self._filled(node, spelled)
        return f"{spelled}({self.arguments(node, 0)}){'[0]' * node.in_list}", ATOM

    def operand(self, item: Any, at_least: int) -> str:
        """Return the text of an operand, in parentheses where it binds less than it must."""
        text, precedence = self.item(item)
        return text if precedence >= at_least else f"({text})"

    def item(self, item: Any) -> Text:
        """Return the text of a value or of a static object."""
        if isinstance(item, Value):
            known = self.texts.get(item)
            if known is not None:
                return known
            if isinstance(item, Constant):
                return self.constant(item)
            raise AssertionError(f"{item!r} is used before it is written")
        return self.static(item)

    def constant(self, constant: Constant) -> Text:
        """Return the text of a constant: its name, what the user wrote, or its number."""
        if constant.name is not None:
            return constant.name, ATOM
        if constant.expression is not None:
            return self.expression(constant.expression)
        if constant.text is not None:
            module, dot, member = constant.text.partition(".")
            if dot and module.isidentifier():
                return self._member(module, member), ATOM
            return constant.text, ATOM
        return self.static(constant.number)

    def infix(self, node: Node, symbol: str, precedence: int) -> Text:
        """Return the text of an operation that is written between its operands."""
        left, right = [node.filled(structure) for _, structure in node.call]
        if symbol == "**":
            # a power of a power gets parentheses that it does not need, for the reader
            base, exponent = self.operand(left, ATOM), self.operand(right, UNARY)
            if self.item(right)[1] == POWER:
                exponent = f"({exponent})"
            tight = is_simple(base) and is_simple(exponent.removeprefix("-"))
            return (f"{base}**{exponent}" if tight else f"{base} ** {exponent}"), POWER
        chained = self._chained(left, right) if node.function is conjunction else None
        if chained is not None:
            return chained, COMPARED
        # comparisons don't nest: a < b < c means something else
        stays = precedence + 1 if precedence == COMPARED else precedence
        return f"{self.operand(left, stays)} {symbol} {self.operand(right, precedence + 1)}", precedence

    def _chained(self, left: Any, right: Any) -> str | None:
        """Return `a < b < c` for `a < b and b < c`, where both are written here."""
        nodes = [item.node for item in (left, right) if isinstance(item, Value) and item.node is not None]
        if len(nodes) < 2 or any(
            node.function not in ORDERING or self.item(node.output)[1] != COMPARED for node in nodes
        ):
            return None
        first, second = nodes
        if second.arguments["a"] is not first.arguments["b"] or " and " in self.item(left)[0]:
            return None
        return f"{self.item(left)[0]} {INFIX[second.function][0]} {self.operand(second.arguments['b'], COMPARED + 1)}"

    def _prefix(self, node: Node, symbol: str, precedence: int) -> Text:
        (operand,) = [node.filled(structure) for _, structure in node.call]
        text, bound = self.item(operand)
        if (
            symbol == "-"
            and bound == PRODUCT
            and not text.startswith(("-", "(-"))
            and " @ " not in text
            and "%" not in text
            and "//" not in text
            and self._takes_sign(operand)
        ):
            # -a * b is (-a) * b: the same number as -(a * b)
            return "-" + text, PRODUCT
        # ruff writes -(x**2), to say that the power comes first
        at_least = ATOM if bound == POWER else precedence
        return symbol + self.operand(operand, at_least), precedence

    def _takes_sign(self, product: Value) -> bool:
        """Tell whether a sign may move to the first factor; truth values and numbers without a sign take none."""
        while product.dtype.kind in "fi" and product.node is not None and _is_product(product.node):
            if self.item(product)[1] == ATOM:
                break
            product = product.node.inputs[0]
        return product.dtype.kind in "fi" and self.item(product)[1] != POWER

    def _method(self, node: Node) -> Text:
        owner = self.operand(node.inputs[0], ATOM)
        name = node.function.__name__
        arguments = list(node.call)[1:]
        # an empty tuple is written out
        if name in ("reshape", "transpose") and arguments and isinstance(arguments[0][1], tuple) and arguments[0][1]:
            parts = [self.operand(node.filled(part), CONDITIONAL) for part in arguments[0][1]]
            options = [f"{key}={self.item(node.filled(structure))[0]}" for key, structure in arguments[1:]]
            return f"{owner}.{name}({', '.join(parts + options)})", ATOM
        return f"{owner}.{name}({self.arguments(node, 1)})", ATOM

    def arguments(self, node: Node, first: int) -> str:
        """Return the text of the arguments of a call from the one with this number on."""
        texts = []
        record = lookup(node.function)
        starred = record.starred if record is not None else None
        for k, (name, structure) in enumerate(node.call):
            is_of_rule = k >= node.positional and node.forward is not None
            if k < first or (is_of_rule and _is_default(node.function, name, structure)):
                continue
            item = node.filled(structure)
            if name == starred:
                texts += [self.item(part)[0] for part in item]
            else:
                text = self.item(item)[0]
                texts.append(text if k < node.positional else f"{name}={text}")
        return ", ".join(texts)

    def _filled(self, node: Node, template: str) -> Text:
        arguments = node.arguments
        bare = PLACEHOLDER.fullmatch(template)
        if bare:
            return self.item(arguments[bare[1]])
        return PLACEHOLDER.sub(lambda match: self.operand(arguments[match[1]], ATOM), template), CONDITIONAL

    # what is not written as a call

    def _subscript(self, node: Node) -> Text:
        arguments = node.arguments
        return f"{self.operand(node.inputs[0], ATOM)}[{self.index(arguments['index'])}]", ATOM

    def _expanded(self, node: Node) -> Text:
        array, axis = node.arguments.values()
        if node.forward is None or not array.rank or array.type.is_list:
            # as the user wrote it; numbers and lists take no index like this
            return f"{self.spelling.of(node)}({self.arguments(node, 0)})", ATOM
        return f"{self.operand(array, ATOM)}[{added_axes(array.rank, axis)}]", ATOM

    def index(self, index: Any) -> str:
        """Return the text between the brackets of a subscript."""
        if isinstance(index, tuple) and not isinstance(index, List) and index:
            return ", ".join(self.index(part) for part in index)
        if isinstance(index, slice):
            index = Slice(index.start, index.stop, index.step)
        if isinstance(index, Slice):
            return self._slice(index)
        return self.item(index)[0]

    def _slice(self, index: Slice) -> str:
        bounds = [None if bound is None else self.operand(bound, OR) for bound in (index.start, index.stop)]
        step = None if index.step is None else self.operand(index.step, OR)
        spaced = any(text is not None and not _is_plain_bound(text) for text in (*bounds, step))
        start, stop = (text or "" for text in bounds)
        if not spaced:
            return f"{start}:{stop}" + (f":{step}" if step else "")
        text = f"{start} :" if start else ":"
        text += f" {stop}" if stop else ""
        return text + (f" : {step}" if step and stop else f": {step}" if step else "")

    def _size_of_axis(self, node: Node) -> Text:
        array, axis = node.arguments.values()
        return self._axis_size(
            array, axis.number if isinstance(axis, Constant) else axis, from_user=node.forward is None
        )

    def _listed(self, node: Node) -> Text:
        (items,) = node.arguments.values()
        return f"[{', '.join(self.item(item)[0] for item in items)}]", ATOM

    def _bracketed(self, node: Node) -> Text:
        (index,) = node.arguments.values()
        return f"{self.spelling.np()}.{BRACKETED[node.function]}[{self.index(index)}]", ATOM

    def _axis_size(self, array: Value, axis: int, *, from_user: bool = False) -> Text:
        if axis in (0, -array.rank) and (array.type.is_list or not from_user):
            return f"{self.spelling.builtin('len')}({self.item(array)[0]})", ATOM
        return f"{self.operand(array, ATOM)}.shape[{axis}]", ATOM

    def _axes_count(self, node: Node) -> Text:
        arguments = list(node.arguments.values())
        array, axis = arguments[0], arguments[1] if len(arguments) > 1 else None
        axes = range(array.rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        counted = [a % array.rank for a in axes if not is_one(array.shape[a])]
        if all(isinstance(resolved(array.shape[a]), int) for a in counted):
            return str(int(np.prod([int(resolved(array.shape[a])) for a in counted]))), ATOM  # type: ignore[arg-type]
        if axis is None or len(counted) == array.rank:
            return f"{self.operand(array, ATOM)}.size", ATOM
        sizes = [self._axis_size(array, a)[0] for a in counted]
        return " * ".join(sizes), ATOM if len(sizes) == 1 else PRODUCT

    def _same(self, node: Node) -> Text:
        operand = node.filled(node.call[0][1])
        if isinstance(operand, Constant) and operand.name is None and operand not in self.texts:
            return self.constant(operand)
        return self.item(operand)


def _is_default(function: Callable[..., Any], name: str, argument: Any) -> bool:
    """Tell whether an argument that a rule passes on says what NumPy does without it."""
    if (name == "axis" and argument is None) or (name == "keepdims" and argument is False):
        return True
    if name == "dtype" and function is np.eye and argument == np.float64:
        return True
    default = _defaults(function).get(name, Ellipsis)
    return (
        type(default) in (bool, int, str, tuple, type(None)) and type(default) is type(argument) and default == argument
    )


@lru_cache(maxsize=1024)
def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return what the parameters of a function are without an argument; nothing where Python can't tell."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        return {}
    return {name: parameter.default for name, parameter in parameters.items()}


def _is_product(node: Node) -> bool:
    return INFIX.get(node.function, ("", 0))[1] == PRODUCT


def _is_plain_bound(text: str) -> bool:
    bare = text.removeprefix("-")
    return bare.isidentifier() or NUMBER.fullmatch(bare) is not None


def is_simple(text: str) -> bool:
    """Tell whether ruff writes `**` without spaces beside this operand: names, numbers and attributes."""
    if text.replace(".", "").replace("e-", "").isalnum() and not text[0].isalpha():
        return True
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in text.split("."))


SPECIAL: dict[Callable[..., Any], Callable[[Printer, Node], Text]] = {
    operator.getitem: Printer._subscript,
    np.expand_dims: Printer._expanded,
    size_of_axis: Printer._size_of_axis,
    listed: Printer._listed,
    axes_count: Printer._axes_count,
    named: Printer._same,
    literal: Printer._same,
    stop_gradient: Printer._same,
    edited: Printer._same,
    **dict.fromkeys(BRACKETED, Printer._bracketed),
}
