"""Shapes and values that users give for parameters and their parts: ``X=(n,d) params.W=(d,h) len(layers)=3 config.act='tanh'``.

In: text of the command line, or a mapping. Out: for each parameter a `Given`. Layer: beside `annotations`.

    text  ::= { path "=" value }                     between entries stand spaces, commas or semicolons
    path  ::= name { "." name | "[" number | string | "*" "]" }    or    "len(" path ")"
    value ::= [ dtype ] "(" sizes ")" | dtype | number | string | True | False | None
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn

import numpy as np

from flatgrad.annotations import COMPUTED, NUMBERS, Annotated, Static
from flatgrad.errors import SignatureError


class Each(Enum):
    """Stands for every part of a list: ``layers[*]``."""

    EACH = "*"


EACH = Each.EACH
Step = str | int | Each


@dataclass(slots=True)
class Given:
    """What is given for a parameter, or for a part of one: a type or a value, or more for its own parts.

    `count` is the length of a list, `is_dict` says that a part was named in brackets, `kind` that the parts were given in a
    list or a tuple.
    """

    leaf: Annotated | Static | None = None
    count: int | None = None
    is_dict: bool = False
    kind: type[list[Any]] | type[tuple[Any, ...]] | None = None
    parts: dict[Step, Given] = field(default_factory=dict)

    @property
    def has_parts(self) -> bool:
        """Whether something is given for the parts, or for how many there are."""
        return bool(self.parts) or self.count is not None or self.kind is not None

    def numbers(self) -> list[int]:
        """The parts that are given by number."""
        return sorted(step for step in self.parts if isinstance(step, int))


PATH = re.compile(r"\s*(?P<name>[^\W\d]\w*)")
STEP = re.compile(r"\.(?P<name>[^\W\d]\w*)|\[\s*(?:(?P<index>\d+)|(?P<each>\*)|(?P<key>'[^']*'|\"[^\"]*\"))\s*\]")
LENGTH = re.compile(r"\s*len\s*\(")
CLOSE = re.compile(r"\s*\)")
EQUALS = re.compile(r"\s*=\s*")
TYPE = re.compile(r"(?:(?P<dtype>[A-Za-z]\w*)\s*)?(?P<shape>\([^()]*\))?")
NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)"
VALUE = re.compile(rf"{NUMBER}(?![\w.(])|'[^']*'|\"[^\"]*\"|(?:True|False|None)\b")
BETWEEN = re.compile(r"\s*[;,]?")
HOW = "write \"X=(n,d) y=int(n,) params.W=(d,h) len(layers)=3 layers[*].W=(h,h) config.act='tanh'\""


def shapes_from_text(text: str) -> dict[str, Given]:
    """Return what a text gives, by parameter. Raises SignatureError."""
    given: dict[str, Given] = {}
    position = 0
    while text[position:].strip():
        steps, is_length, path_end = _path(text, position)
        equals = EQUALS.match(text, path_end)
        if not steps or equals is None:
            _unreadable(text[position:])
        target = _target(given, steps)
        if is_length:
            value, end = _number(text, equals.end())
            target.count = value
        else:
            leaf, end = _leaf(text, equals.end())
            if leaf is None:
                _unreadable(text[position:])
            target.leaf = leaf
        between = BETWEEN.match(text, end)
        assert between is not None
        position = between.end()
    return given


def _unreadable(text: str) -> NoReturn:
    raise SignatureError(f"shapes can't be read from {text.strip()!r}", HOW)


def _path(text: str, position: int) -> tuple[list[tuple[Step, bool]], bool, int]:
    """Return the steps of a path, each with whether it stands in quotes, whether it is a length, and where it ends."""
    length = LENGTH.match(text, position)
    start = PATH.match(text, length.end() if length else position)
    if start is None:
        return [], False, position
    steps: list[tuple[Step, bool]] = [(start["name"], False)]
    end = start.end()
    while (step := STEP.match(text, end)) is not None:
        if step["index"] is not None:
            steps.append((int(step["index"]), False))
        elif step["each"] is not None:
            steps.append((EACH, False))
        else:
            steps.append((step["name"] or step["key"][1:-1], step["name"] is None))
        end = step.end()
    if length is not None:
        close = CLOSE.match(text, end)
        if close is None:
            return [], True, end
        end = close.end()
    return steps, length is not None, end


def _target(given: dict[str, Given], steps: list[tuple[Step, bool]]) -> Given:
    """Return the entry at a path, made where there is none yet."""
    target = given.setdefault(str(steps[0][0]), Given())
    for step, is_key in steps[1:]:
        target.is_dict = target.is_dict or is_key
        target = target.parts.setdefault(step, Given())
    return target


def _number(text: str, position: int) -> tuple[int, int]:
    match = re.compile(r"\d+").match(text, position)
    if match is None:
        raise SignatureError(f"shapes has a length that is no number: {text[position:].strip()!r}", "len(layers)=3")
    return int(match[0]), match.end()


def _leaf(text: str, position: int) -> tuple[Annotated | Static | None, int]:
    """Return a type or a value, and where it ends; None for neither."""
    value = VALUE.match(text, position)
    if value is not None:
        return Static(ast.literal_eval(value[0].lstrip("+"))), value.end()
    match = TYPE.match(text, position)
    assert match is not None
    if not match["dtype"] and not match["shape"]:
        return None, position
    return _type(match["dtype"] or "float", match["shape"]), match.end()


def _type(name: str, shape: str | None) -> Annotated:
    if shape is None and name in NUMBERS:
        return Annotated(np.dtype(NUMBERS[name]), (), weak=True)
    try:
        dtype = np.dtype(name)
    except TypeError:
        raise SignatureError(f"shapes has no dtype {name!r}", "write float, float32, int or bool") from None
    return Annotated(dtype, _sizes((shape or "()")[1:-1].split(",")))


def _sizes(parts: AnySequence[object]) -> tuple[int | str, ...]:
    sizes: list[int | str] = []
    for part in parts:
        text = str(part).replace(" ", "")
        if text.isdecimal():
            sizes.append(int(text))
        elif text.isidentifier() or COMPUTED.fullmatch(text):
            sizes.append(text)
        elif text:
            raise SignatureError(f"shapes has the size {text!r}", "write a number or a name")
    return tuple(sizes)


def shapes_from_mapping(shapes: Mapping[str, Any]) -> dict[str, Given]:
    """Return what a mapping gives, by parameter: ``{"X": ("n", "d"), "params": {"W": ("d", "h")}}``.

    A name may also be a path, as in a text: ``{"len(layers)": 3, "layers[*].W": ("h", "h")}``. Raises SignatureError.
    """
    given: dict[str, Given] = {}
    for name, what in shapes.items():
        steps, is_length, end = _path(name, 0) if isinstance(name, str) else ([], False, 0)
        if not steps or end < len(name):
            raise SignatureError(f"shapes has {name!r}, which names no parameter", HOW)
        target = _target(given, steps)
        if not is_length:
            _enter(target, what, name)
        elif isinstance(what, int) and not isinstance(what, bool):
            target.count = what
        else:
            raise SignatureError(f"shapes has a length that is no number: {what!r}", "len(layers)=3")
    return given


def _enter(target: Given, what: Any, name: str) -> None:
    """Enter what a mapping gives for a parameter or a part of one."""
    if what is None or isinstance(what, bool | int | float):
        target.leaf = Static(what)
    elif isinstance(what, str):
        leaf, end = _leaf(what, 0)
        if leaf is None or what[end:].strip():
            _unreadable(f"{name}={what}")
        target.leaf = leaf
    elif isinstance(what, Mapping):
        for key, part in what.items():
            _enter(target.parts.setdefault(key, Given()), part, f"{name}.{key}")
    elif isinstance(what, list | tuple):
        if all(isinstance(part, int) or (isinstance(part, str) and _is_size(part)) for part in what):
            target.leaf = Annotated(np.dtype(np.float64), _sizes(what))
            return
        target.kind = list if isinstance(what, list) else tuple
        for number, part in enumerate(what):
            _enter(target.parts.setdefault(number, Given()), part, f"{name}[{number}]")
    else:
        raise SignatureError(f"shapes has a {type(what).__name__} for `{name}`", 'write a tuple of sizes: ("n", "d")')


def _is_size(text: str) -> bool:
    return text.isdecimal() or text.isidentifier() or COMPUTED.fullmatch(text) is not None


def path_text(path: AnySequence[Step]) -> str:
    """Return a path as it is written in shapes."""
    return "".join(_steps_text(path))


def _steps_text(path: AnySequence[Step]) -> Iterator[str]:
    for number, step in enumerate(path):
        if isinstance(step, str) and (number == 0 or step.isidentifier()):
            yield step if number == 0 else f".{step}"
        elif isinstance(step, Each):
            yield "[*]"
        else:
            yield f"[{step!r}]"
