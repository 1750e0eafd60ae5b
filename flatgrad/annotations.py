"""Types that annotations and `shapes` give to parameters: ``float``, ``Float[np.ndarray, "n d"]``, ``X=(n,d)``.

In: the syntax of an annotation, or text. Out: `Annotated`. Nothing of it is run. Layer: above `frontend.source`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.errors import SignatureError
from flatgrad.frontend.source import Definition


@dataclass(frozen=True, slots=True)
class Annotated:
    """What an annotation tells. `shape` holds numbers and names of sizes; it is None where the rank is not told."""

    dtype: np.dtype[Any]
    shape: tuple[int | str, ...] | None = ()
    weak: bool = False
    static: bool = False


DTYPES: dict[str, type[Any]] = {
    "Float": np.float64, "Float16": np.float16, "Float32": np.float32, "Float64": np.float64, "Inexact": np.float64,
    "Real": np.float64, "Num": np.float64, "Shaped": np.float64, "Int": np.int64, "Integer": np.int64,
    "Int8": np.int8, "Int16": np.int16, "Int32": np.int32, "Int64": np.int64, "UInt": np.uint64, "UInt8": np.uint8,
    "UInt16": np.uint16, "UInt32": np.uint32, "UInt64": np.uint64, "Bool": np.bool_,
}  # fmt: skip
NUMBERS = {"float": np.float64, "int": np.int64}
STATIC = frozenset({"str", "bool", "None"})
ARRAYS = frozenset({"ndarray", "NDArray", "ArrayLike", "Array"})


def annotated_type(syntax: cst.BaseExpression, definition: Definition) -> Annotated | None:
    """Return what an annotation tells, or None where it tells nothing of numbers and arrays."""
    if isinstance(syntax, cst.SimpleString):
        text = syntax.evaluated_value
        try:
            return annotated_type(cst.parse_expression(str(text)), definition)
        except cst.ParserSyntaxError:
            return None
    name = _last_name(syntax)
    if name in NUMBERS:
        return Annotated(np.dtype(NUMBERS[name]), (), weak=True)
    if name in STATIC:
        return Annotated(np.dtype(np.bool_), (), static=True)
    if isinstance(syntax, cst.Subscript):
        return _subscripted(syntax, definition)
    if name in ARRAYS:
        return Annotated(np.dtype(np.float64), None)
    return None


def _subscripted(syntax: cst.Subscript, definition: Definition) -> Annotated | None:
    name = _last_name(syntax.value)
    if name == "Literal":
        return Annotated(np.dtype(np.bool_), (), static=True)
    if name in ARRAYS:
        return Annotated(np.dtype(np.float64), None)
    if name not in DTYPES or len(syntax.slice) != 2:
        return None
    sizes = syntax.slice[1].slice
    if not isinstance(sizes, cst.Index) or not isinstance(sizes.value, cst.SimpleString):
        return None
    return Annotated(np.dtype(DTYPES[name]), _sizes(str(sizes.value.evaluated_value)))


# sizes that are computed from others: 4*h, n-1
COMPUTED = re.compile(r"\w+(?:[-+*]\w+)+")


def _sizes(text: str) -> tuple[int | str, ...] | None:
    """Return the sizes in a jaxtyping string; None where it leaves the rank open."""
    sizes: list[int | str] = []
    for part in text.split():
        if part == "..." or part.startswith("*"):
            return None
        # `#` allows broadcasting and `?` differs from leaf to leaf: neither is a known size
        open_size = part.startswith(("#", "?"))
        part = part.split("=")[-1].lstrip("#?")
        if part.isdecimal():
            sizes.append(int(part))
        elif not open_size and not part.startswith("_") and (part.isidentifier() or COMPUTED.fullmatch(part)):
            sizes.append(part)
        else:
            sizes.append("_")
    return tuple(sizes)


def _last_name(syntax: cst.CSTNode) -> str:
    if isinstance(syntax, cst.Attribute):
        return syntax.attr.value
    return syntax.value if isinstance(syntax, cst.Name) else ""


ENTRY = re.compile(r"\s*(?P<name>\w+)\s*=\s*(?:(?P<dtype>[A-Za-z]\w*)\s*)?(?P<shape>\([^()]*\))?\s*[;,]?")


def shapes_from_text(text: str, definition: Definition) -> dict[str, Annotated]:
    """Return the types in a text such as ``"X=(n,d) labels=int(n,) rate=float"``. Raises SignatureError."""
    result: dict[str, Annotated] = {}
    position = 0
    while text[position:].strip():
        match = ENTRY.match(text, position)
        if match is None or not (match["dtype"] or match["shape"]):
            raise SignatureError(f"shapes can't be read from {text[position:].strip()!r}", 'write "X=(n,d) y=int(n,)"')
        position = match.end()
        result[match["name"]] = _entry(match)
    return result


def _entry(match: re.Match[str]) -> Annotated:
    name, shape = match["dtype"] or "float", match["shape"]
    if shape is None and name in NUMBERS:
        return Annotated(np.dtype(NUMBERS[name]), (), weak=True)
    try:
        dtype = np.dtype(name)
    except TypeError:
        raise SignatureError(f"shapes has no dtype {name!r}", "write float, float32, int or bool") from None
    sizes: list[int | str] = []
    for part in (shape or "()")[1:-1].replace(" ", "").split(","):
        if part.isdecimal():
            sizes.append(int(part))
        elif part.isidentifier():
            sizes.append(part)
        elif part:
            raise SignatureError(f"shapes has the size {part!r}", "write a number or a name")
    return Annotated(dtype, tuple(sizes))
