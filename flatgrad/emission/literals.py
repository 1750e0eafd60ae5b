"""Texts of what is known when the code is written: numbers, strings, arrays, dtypes, and containers of expressions.

In: a Python object. Out: its text and its precedence. Layer: above `spelling`, below `expressions`.
"""

from __future__ import annotations

import enum
import math
import re
import sys
from typing import Any

import numpy as np

from flatgrad.emission.spelling import Spelling
from flatgrad.graph.containers import Dict, List, Record, Slice
from flatgrad.rules.program import Made, Member

CONDITIONAL, OR, AND, NOT, COMPARED, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(1, 15)

Text = tuple[str, int]


class Literals:
    """Writes what is known. What writes expressions too says how their parts are written: `item`, `index`."""

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling

    def item(self, item: Any) -> Text:
        """Return the text of a part of a container."""
        return self.static(item)

    def index(self, item: Any) -> str:
        """Return the text of what stands between the brackets of a subscript."""
        raise NotImplementedError

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


def _nested(numbers: Any) -> Any:
    return List(_nested(part) for part in numbers) if isinstance(numbers, list) else numbers


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
