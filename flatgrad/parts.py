"""The parts of a value that a function takes or returns: which of them are real numbers, which decide what is written.

In: a value. Out: its parts, and what they are. NumPy only; layer: the bottom.
"""

from __future__ import annotations

import copy
import enum
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from flatgrad.errors import SignatureError

# a container in a container in ...: more than that is one that holds itself
DEEPEST = 100
# modules whose objects are no containers of numbers
OTHER_MODULES = frozenset({"builtins", "numpy", "scipy", "flatgrad", "functools", "types", "typing", "enum", "random"})
# arrays whose operators mean something else
OWN_ALGEBRA = (np.matrix, np.ma.MaskedArray)
# in a pin, in the place of an axis: whether the elements of the array lie in their order in memory, without gaps
LAYOUT = -1
# the flag of a class whose attributes can't be set
IMMUTABLE = 1 << 8


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """Stands for an object in a container that no code is written for. It may be there, and can't be used."""

    kind: str

    def __bool__(self) -> bool:
        raise SignatureError(f"whether a {self.kind} is true decides what code is written, and flatgrad can't tell")


@dataclass(frozen=True, slots=True, eq=False)
class Untold(Opaque):
    """Stands for an attribute of which no annotation and no shape tells anything: reading it is an error. `kind` is its place."""


def attributes_of(value: Any) -> dict[str, Any] | None:
    """Return what an object of a user's class holds, by name; None for what is not such an object.

    These are named tuples, dataclasses and objects of classes, with or without slots.
    """
    kind: Any = type(value)
    if isinstance(value, tuple):
        names = getattr(kind, "_fields", None)
        return None if names is None else dict(zip(names, value, strict=True))
    if not is_record_class(kind):
        return None
    slots = slots_of(kind)
    if not slots:
        held: dict[str, Any] = vars(value)
        return held
    names = (*slots, *getattr(value, "__dict__", ()))
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


@functools.lru_cache(maxsize=1024)
def is_record_class(kind: Any) -> bool:
    """Tell whether objects of a class are containers with named parts: named tuples, and classes written in Python."""
    if issubclass(kind, tuple):
        return hasattr(kind, "_fields")
    if issubclass(kind, type | enum.Enum) or kind.__module__.partition(".")[0] in OTHER_MODULES:
        return kind is SimpleNamespace
    # what has been made in C has a layout of its own
    bases = [base for base in kind.__mro__ if base is not object and base.__module__ not in ("typing", "abc")]
    made_in_python = not any(base.__flags__ & IMMUTABLE for base in bases)
    return made_in_python and bool(kind.__dictoffset__ or slots_of(kind))


@functools.lru_cache(maxsize=1024)
def slots_of(kind: Any) -> tuple[str, ...]:
    """Return the names of the slots of a class and of those that it inherits from."""
    names: list[str] = []
    for base in reversed(kind.__mro__):
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return tuple(name for name in dict.fromkeys(names) if name not in ("__dict__", "__weakref__"))


def inside(value: Any) -> dict[Any, Any] | None:
    """Return the parts of a container by their keys, numbers or names; None for what is no container."""
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]
    if kind is list or kind is tuple:
        return dict(enumerate(value))
    return attributes_of(value)


def flat(value: Any, depth: int = 0) -> Iterator[Any]:
    """Give the leaves of a value in order: what its containers hold, or the value itself. Raises SignatureError."""
    parts = inside(value)
    if parts is None:
        yield value
        return
    check_depth(value, depth)
    for part in parts.values():
        yield from flat(part, depth + 1)


def check_depth(value: Any, depth: int) -> None:
    """Raise SignatureError where a container is so deep inside of others that it has to be in itself."""
    if depth > DEEPEST:
        raise SignatureError(f"a {type(value).__name__} holds itself, or is nested more than {DEEPEST} times")


def element_place(place: str, key: Any) -> str:
    """Return the place of an element as it is written in code."""
    text = repr(key)
    if isinstance(key, str) and '"' not in text:
        text = f'"{text[1:-1]}"'
    return f"{place}[{text}]"


def attribute_place(place: str, name: str) -> str:
    """Return the place of an attribute as it is written in code."""
    return f"{place}.{name}"


def is_key(key: Any) -> bool:
    """Tell whether a key of a dict can be written into code."""
    if type(key) is tuple:
        return all(map(is_key, key))
    return key is None or type(key) in (str, int, bool, float)


def places(place: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a value with their places."""
    parts = inside(value)
    if parts is None:
        yield place, value
        return
    check_depth(value, depth)
    step = element_place if type(value) in (dict, list, tuple) else attribute_place
    for key, part in parts.items():
        yield from places(step(place, key), part, depth + 1)


def classes_in(value: Any) -> Iterator[type]:
    """Yield the classes of the objects in a value whose attributes are its parts."""
    parts = inside(value)
    if parts is None:
        return
    if type(value) not in (dict, list, tuple):
        yield type(value)
    for part in parts.values():
        yield from classes_in(part)


def with_leaves(value: Any, others: Iterator[Any]) -> Any:
    """Return a value like this one with other leaves, which are taken in order."""
    parts = inside(value)
    if parts is None:
        return next(others)
    kind = type(value)
    made = {key: with_leaves(part, others) for key, part in parts.items()}
    if kind is dict:
        return made
    if isinstance(value, tuple | list):
        return kind(*made.values()) if hasattr(kind, "_fields") else kind(made.values())
    other = copy.copy(value)
    for name, part in made.items():
        object.__setattr__(other, name, part)
    return other


def is_real(part: Any) -> bool:
    """Tell whether a part of a value has a derivative: a float array or number, or a Python int."""
    return is_float(part) or (isinstance(part, int) and not isinstance(part, bool | enum.Enum))


def is_float(part: Any) -> bool:
    """Tell whether a part is a Python float, or an array or number of one of NumPy's float types."""
    return isinstance(part, float | np.ndarray | np.generic) and np.asarray(part).dtype.kind == "f"


def is_static_argument(argument: Any) -> bool:
    """Tell whether an argument is part of the signature by its value: text, truth values, None, functions, tuples of such."""
    if isinstance(argument, tuple):
        return all(is_static_part(part) for part in argument)
    if argument is None or isinstance(argument, str | bool | type | np.dtype | enum.Enum):
        return True
    return is_function(argument)


def is_static_part(part: Any) -> bool:
    """Tell the same of what stands in a container: there, a whole number is part of the signature, too."""
    return isinstance(part, int) or is_static_argument(part)


# the class of most of NumPy's functions that are not ufuncs
NUMPY_FUNCTION: type = type(np.sum)


def is_function(argument: Any) -> bool:
    """Tell whether an argument is a function that code can be written for: it is known by what it does, and holds no state.

    These are functions and lambdas, functools.partial, functions of NumPy and of modules in C, decorated functions.
    """
    kind = type(argument)
    if kind is FunctionType or kind is functools.partial or kind is NUMPY_FUNCTION:
        return True
    if isinstance(argument, np.ufunc):
        # what np.frompyfunc makes calls a function that can't be seen
        return "(vectorized)" not in argument.__name__
    if kind is BuiltinFunctionType:
        return argument.__self__ is None or isinstance(argument.__self__, ModuleType | np.ufunc)
    return kind.__module__.partition(".")[0] == "flatgrad" and callable(getattr(argument, "__wrapped__", None))
