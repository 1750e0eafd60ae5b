"""Texts of expressions: operators by precedence, calls, subscripts, numbers and strings.

In: a node, the texts of its inputs. Out: one line of text in the form that ruff leaves unchanged, and its precedence.
Layer: above `spelling`.
"""

from __future__ import annotations

import enum
import inspect
import keyword
import math
import operator
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from flatgrad.emission.spelling import PLACEHOLDER, Spelling
from flatgrad.graph.containers import Dict, List, Record, Slice
from flatgrad.graph.regions import edited
from flatgrad.graph.size import is_one, resolved
from flatgrad.graph.values import Constant, Node, Value
from flatgrad.markers import stop_gradient
from flatgrad.registry import lookup
from flatgrad.rules.concatenators import dense_grid, in_a_row, in_columns, open_grid
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.listing import listed
from flatgrad.rules.program import Made, Member, conjunction, disjunction, literal, named
from flatgrad.rules.static import axes_count

CONDITIONAL, OR, AND, NOT, COMPARED, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(1, 15)

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

Text = tuple[str, int]


class Printer:
    """Writes expressions. `texts` holds the text of every value that has one so far: its name, or its expression."""

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling
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

    def _member(self, module: str, member: str) -> str:
        if self.spelling.target == "math" and module in ("np", "math"):
            return self.spelling.member("math", member)
        return f"{self.spelling.np() if module == 'np' else self.spelling.module(module)}.{member}"

    def static(self, item: Any) -> Text:
        """Return the text of something that is known when the code is written."""
        if isinstance(item, enum.Enum) and isinstance(item, int | float | str):
            # a member of an IntEnum is a number
            item = item.value
        if isinstance(item, List):
            return f"[{', '.join(self.item(part)[0] for part in item)}]", ATOM
        if isinstance(item, Dict):
            pairs = (f"{self.item(key)[0]}: {self.item(part)[0]}" for key, part in item.items.items())
            return f"{{{', '.join(pairs)}}}", ATOM
        if isinstance(item, Record):
            return f"{self.spelling.of_class(item.kind)}({', '.join(self._fields(item))})", ATOM
        if isinstance(item, Slice) or (isinstance(item, tuple) and any(isinstance(part, Slice) for part in item)):
            return f"{self.spelling.np()}.s_[{self.index(item)}]", ATOM
        if isinstance(item, tuple):
            inner = ", ".join(self.item(part)[0] for part in item)
            return f"({inner}{',' * (len(item) == 1)})", ATOM
        if isinstance(item, np.generic | np.ndarray):
            return self._array(np.asarray(item))
        if isinstance(item, float) and (np.isinf(item) or np.isnan(item)):
            name = "nan" if np.isnan(item) else "inf"
            return ("-" * (item < 0)) + self._member("np", name), UNARY if item < 0 else ATOM
        if isinstance(item, complex) and not isinstance(item, np.generic):
            return self._complex(item)
        if isinstance(item, bool | int | float):
            text = re.sub(r"e([+-])0*", lambda match: "e" + match[1].strip("+"), repr(item))
            return text, UNARY if text[0] == "-" else ATOM
        if isinstance(item, str):
            return quoted(item), ATOM
        if isinstance(item, range):
            numbers = [item.stop] if (item.start, item.step) == (0, 1) else [item.start, item.stop, item.step]
            return f"{self.spelling.builtin('range')}({', '.join(map(str, numbers))})", ATOM
        if isinstance(item, np.dtype):
            return self.dtype(item), ATOM
        if isinstance(item, type) and issubclass(item, np.generic):
            return f"{self.spelling.np()}.{item.__name__}", ATOM
        if isinstance(item, type):
            return self.spelling.builtin(item.__name__), ATOM
        if isinstance(item, Member):
            return self.member(item), ATOM
        if isinstance(item, Made):
            return f"{self.member(item.function)}({', '.join(self.static(arg)[0] for arg in item.args)})", ATOM
        if item is None or item is Ellipsis:
            return ("None" if item is None else "..."), ATOM
        raise AssertionError(f"no text for {item!r}")

    def _complex(self, number: complex) -> Text:
        if not number.real and math.copysign(1, number.real) == math.copysign(1, number.imag):
            # -1j has a real part of -0.0
            text, precedence = self.static(number.imag)
            return f"{text.removesuffix('.0')}j", precedence
        real, imag = (self.static(part)[0].removesuffix(".0") for part in (number.real, abs(number.imag)))
        return f"{real} {'-' if math.copysign(1, number.imag) < 0 else '+'} {imag}j", SUM

    def _fields(self, record: Record) -> list[str]:
        return [f"{name}={self.item(part)[0]}" for name, part in record.attributes.items()]

    def dtype(self, dtype: np.dtype[Any]) -> str:
        """Return the text of a dtype."""
        return "bool" if dtype.kind == "b" else f"{self.spelling.np()}.{dtype.name}"

    def _array(self, array: np.ndarray[Any, Any]) -> Text:
        if not array.ndim:
            # a plain number would take on the dtype of the arrays that it meets
            return f"{self.spelling.np()}.{array.dtype.name}({self.static(array.item())[0]})", ATOM
        usual = array.dtype in (np.float64, np.int64, np.bool_)
        numbers = self.static(_nested(array.tolist()))[0]
        dtype = "" if usual and array.size else f", dtype={self.dtype(array.dtype)}"
        return f"{self.spelling.np()}.array({numbers}{dtype})", ATOM

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
        if name in ("reshape", "transpose") and arguments and isinstance(arguments[0][1], tuple):
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

    def member(self, member: Member) -> str:
        """Return the text of something that is imported."""
        if member.module == "builtins":
            return self.spelling.builtin(member.name)
        if member.module == "numpy":
            return f"{self.spelling.np()}.{member.name}"
        if member.module.partition(".")[0] in sys.stdlib_module_names:
            return f"{self.spelling.module(member.module)}.{member.name}"
        first, *rest = member.name.split(".")
        return ".".join([self.spelling.member(member.module, first), *rest])

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


def _nested(numbers: Any) -> Any:
    return List(_nested(part) for part in numbers) if isinstance(numbers, list) else numbers


def _is_plain_bound(text: str) -> bool:
    bare = text.removeprefix("-")
    return bare.isidentifier() or NUMBER.fullmatch(bare) is not None


def is_simple(text: str) -> bool:
    """Tell whether ruff writes `**` without spaces beside this operand: names, numbers and attributes."""
    if text.replace(".", "").replace("e-", "").isalnum() and not text[0].isalpha():
        return True
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in text.split("."))


def quoted(text: str) -> str:
    """Return a string literal in the quotes that need fewer escapes, double ones where it makes no difference."""
    quote = _quote_for(text)
    return quote + _escaped(text, quote) + quote


def formatted_text(pieces: list[Any]) -> str:
    """Return an f-string of texts and of replacement fields."""
    quote = _quote_for("".join(piece[-2] if isinstance(piece, tuple) else piece for piece in pieces))
    parts = []
    for piece in pieces:
        if isinstance(piece, tuple):
            opening, text, *behind = piece
            # up to Python 3.11 the quotes of the string can't stand in a field
            parts.append("".join((opening, text.replace(quote, _OTHER[quote]), *behind)))
        else:
            parts.append(_escaped(piece, quote))
    return f"f{quote}{''.join(parts)}{quote}"


_OTHER = {'"': "'", "'": '"'}


def _quote_for(text: str) -> str:
    return "'" if text.count('"') > text.count("'") else '"'


def _escaped(text: str, quote: str) -> str:
    changed = {"\\": "\\\\", quote: "\\" + quote}
    return "".join(changed.get(letter) or (letter if letter.isprintable() else repr(letter)[1:-1]) for letter in text)


SPECIAL: dict[Callable[..., Any], Callable[[Printer, Node], Text]] = {
    operator.getitem: Printer._subscript,
    size_of_axis: Printer._size_of_axis,
    listed: Printer._listed,
    axes_count: Printer._axes_count,
    named: Printer._same,
    literal: Printer._same,
    stop_gradient: Printer._same,
    edited: Printer._same,
    **dict.fromkeys(BRACKETED, Printer._bracketed),
}
