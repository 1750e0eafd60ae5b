"""What decides the code that is written for a function, as text that can be compared and hashed.

In: any object. Out: its token, and a walk through what it refers to. Layer: above `codes`; it reads no source, so that a
function whose code is kept on disk needs no parser.
"""

from __future__ import annotations

import builtins
import enum
import functools
import opcode
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, cast

import numpy as np

from flatgrad.functions.class_parts import COMPUTED, functions_of, installation, member_of
from flatgrad.functions.codes import COMPARED, nested
from flatgrad.functions.libraries import LIBRARIES, home_in_scipy
from flatgrad.hashing import hashed

Token = Any

# modules whose contents are told by their versions
KNOWN_MODULES = (
    "abc", "builtins", "collections", "contextlib", "copy", "dataclasses", "enum", "flatgrad", "functools", "itertools",
    "logging", "math", "operator", "sys", "time", "types", "typing", "warnings", *LIBRARIES,
)  # fmt: skip
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range)
NUMBERS_AND_TEXT = (int, float, complex, str, bytes)
VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
BUILT_IN = (
    np.ufunc,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)
MISSING = object()
# a name, how to look it up, and where
Reference = tuple[str, Callable[[Any, str], Any], Any]
Watched = tuple[Callable[[Any, str], Any], Any, str, Any]


def digest_of(*tokens: Token) -> str:
    """Return 64 hex digits that differ where the tokens do."""
    return hashed(repr(tokens).encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=1024)
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """Return the names that a function looks up outside of itself, at any depth, in order and once each."""
    found: dict[str, None] = {}
    for each in (code, *nested(code)):
        found.update(dict.fromkeys(_looked_up(each)))
    return tuple(found)


LOAD_GLOBAL, LOAD_NAME = opcode.opmap["LOAD_GLOBAL"], opcode.opmap["LOAD_NAME"]


def _looked_up(code: types.CodeType) -> Iterator[str]:
    names, extended = code.co_names, 0
    instructions = code.co_code
    for operation, argument in zip(instructions[::2], instructions[1::2], strict=True):
        if operation == opcode.EXTENDED_ARG:
            extended = (extended | argument) << 8
            continue
        if operation == LOAD_GLOBAL:
            # the lowest bit says that the name is called
            yield names[(extended | argument) >> 1]
        elif operation == LOAD_NAME:
            yield names[extended | argument]
        extended = 0


@lru_cache(maxsize=1024)
def all_names(code: types.CodeType) -> tuple[str, ...]:
    """Return every name in a function, those of attributes among them."""
    return tuple(dict.fromkeys(name for each in (code, *nested(code)) for name in each.co_names))


def attribute_of(owner: Any, name: str) -> Any:
    """Return an attribute, or MISSING."""
    return getattr(owner, name, MISSING)


def global_of(owner: types.FunctionType, name: str) -> Any:
    """Return what a function finds under a global name, or MISSING."""
    found = owner.__globals__.get(name, MISSING)
    builtin_names: dict[str, Any] = cast(Any, owner).__builtins__
    return builtin_names.get(name, MISSING) if found is MISSING else found


def element_of(owner: Any, key: Any) -> Any:
    """Return an element of a container, or MISSING."""
    try:
        return owner[key]
    except LookupError:
        return MISSING


def content_of_cell(owner: types.CellType, _: str) -> Any:
    """Return what a closure holds, or MISSING."""
    try:
        return owner.cell_contents
    except ValueError:
        return MISSING


def references(function: types.FunctionType) -> Iterator[Reference]:
    """Yield each name that a function looks up outside of itself, how to look it up, and where."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, content_of_cell, cell
    for name in global_names(function.__code__):
        yield name, global_of, function


def token_of(value: Any) -> Token:
    """Return what tells an object from others that would give other code."""
    return walk_with_all_names(lambda walk: walk.value(value), frozenset(), notes=False)[1]


def walk_with_all_names(
    walked: Callable[[Walk], Token], names: frozenset[str], *, notes: bool = True
) -> tuple[Walk, Token]:
    """Walk until all names are known that the functions on the way ask for."""
    while True:
        walk = Walk(tuple(sorted(names)), notes=notes)
        token = walked(walk)
        if walk.asked <= names:
            return walk, token
        names |= walk.asked


def content_token(container: Any) -> Token:
    """Return what tells the content of a container: what its objects hold is watched by itself."""
    return Walk(notes=False).value(container)


class Walk:
    """Goes through what a function refers to, and notes what may change without a name being bound anew.

    `names` are those that may be asked of an object, and `asked` those that the functions on the way ask for.
    """

    def __init__(self, names: tuple[str, ...] = (), *, notes: bool = True) -> None:
        self.names = names
        self.notes = notes
        self.asked: set[str] = set()
        self.functions: list[types.FunctionType] = []
        self.found: list[Any] = []
        self.places: list[Watched] = []
        self.contents: list[tuple[Any, Token]] = []
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []

    def first_function(self, function: types.FunctionType) -> Token:
        """Return the token of the function that the world is of: its names are compared when it is called."""
        self._number(function)
        tokens = []
        for name, read, owner in references(function):
            value = read(owner, name)
            self.found.append(value)
            tokens.append((name, self.value(value)))
        return (code_token(function.__code__), tokens)

    def _helper(self, function: types.FunctionType) -> Token:
        self.asked.update(all_names(function.__code__))
        self.functions.append(function)
        # a function that is reloaded in place gets another code
        parts = self._held_by(function, ("__code__", "__defaults__", "__kwdefaults__"))
        tokens = []
        for name, read, owner in references(function):
            value = read(owner, name)
            self.places.append((read, owner, name, value))
            tokens.append((name, self.value(value)))
        registry = sys.modules.get("flatgrad.registry")
        record = registry.lookup(function) if registry is not None else None
        if record is not None:
            # what a user's rule refers to decides the gradient
            tokens.append(("rule", self.value(record.gradient)))
        # helpers are called by their names in what is written
        return ("function", function.__name__, function.__qualname__, parts, tokens)

    def _held_by(self, owner: Any, names: tuple[str, ...]) -> list[Token]:
        """Return the tokens of attributes that every object of a kind has, and watch them."""
        tokens = []
        for name in names:
            found = getattr(owner, name)
            self.places.append((attribute_of, owner, name, found))
            tokens.append(code_token(found) if isinstance(found, types.CodeType) else self.value(found))
        return tokens

    def _number(self, value: Any) -> int | None:
        """Return the number of an object that has been met before; note a new one."""
        number = self._seen.setdefault(id(value), len(self._seen))
        if number < len(self._kept):
            return number
        self._kept.append(value)
        return None

    def value(self, value: Any) -> Token:
        """Return the token of an object."""
        kind = type(value)
        if kind in PLAIN:
            return (kind.__name__, repr(value))
        if value is MISSING:
            return "missing"
        if isinstance(value, np.generic) and not isinstance(value, np.object_ | np.void):
            return ("scalar", value.dtype.str, value.tobytes())
        if isinstance(value, np.dtype):
            return ("dtype", str(value))
        if _has_own_gradient(cast(Any, kind)):
            # asked before the name, which is that of the function inside
            number = self._number(value)
            held = ("function", "forward", "backward")
            return ("seen", number) if number is not None else ("own gradient", self._held_by(value, held))
        if kind.__module__ == "logging" and isinstance(name := getattr(value, "name", None), str):
            # whom it tells, and what of it, decides nothing that is written
            return ("logger", name)
        if isinstance(value, BUILT_IN) or _is_known(value):
            return self._known(value)
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            return self._content(value, (kind.__name__, value.dtype.str, value.shape, hashed(value.tobytes())))
        if kind is tuple:
            return ("tuple", [self.value(part) for part in value])
        if kind is slice:
            return ("slice", self.value((value.start, value.stop, value.step)))
        if (number := self._number(value)) is not None:
            return ("seen", number)
        if kind in (list, set, frozenset, dict) or kind in VIEWS:
            return self._content(value, self._parts(value))
        if isinstance(value, types.FunctionType):
            return (self._helper(value), self._attributes(value))
        if isinstance(value, functools.partial):
            return ("partial", kind.__qualname__, self._held_by(value, ("func", "args", "keywords")))
        return self._opaque(value)

    def _known(self, value: Any) -> Token:
        if isinstance(value, types.ModuleType):
            return ("module", value.__name__)
        home = home_in_scipy(value)
        if home is not None:
            return ("known", *home, sys.modules["scipy"].__version__)
        # np.add.reduce is not np.multiply.reduce
        bound = getattr(value, "__self__", None)
        is_bound = bound is not None and not isinstance(bound, types.ModuleType)
        name = (getattr(value, "__module__", ""), getattr(value, "__qualname__", repr(value)))
        return ("known", type(value).__name__, *name, self.value(bound) if is_bound else "")

    def _content(self, container: Any, token: Token) -> Token:
        # by itself, because what has been seen before counts in the token of the whole
        if self.notes:
            self.contents.append((container, token if isinstance(container, np.ndarray) else content_token(container)))
        return token

    def _parts(self, container: Any) -> Token:
        if isinstance(container, dict):
            self._elements(container, dict.items(container))
            items = dict.items(container)
            return ("dict", [(self.value(key), self.value(item)) for key, item in items])
        if isinstance(container, list | tuple):
            self._elements(container, enumerate(container))
        parts = [self.value(part) for part in container]
        return (type(container).__name__, sorted(parts, key=repr) if isinstance(container, set | frozenset) else parts)

    def _elements(self, container: Any, items: Iterable[tuple[Any, Any]]) -> None:
        """Note the objects in a container: others of the same class may come in their places."""
        for key, item in items:
            if type(item) not in PLAIN:
                self.places.append((element_of, container, key, item))

    def _held(self, value: Any) -> Token:
        """Return the token of what an object holds as one of a class that inherits from a built-in one."""
        if isinstance(value, enum.Enum):
            # members of one class differ in nothing else
            return repr((value.name, value.value))
        if isinstance(value, NUMBERS_AND_TEXT):
            return next(kind.__repr__(value) for kind in NUMBERS_AND_TEXT if isinstance(value, kind))
        if isinstance(value, tuple | list | dict | set | frozenset):
            return self._content(value, self._parts(value))
        return ""

    def _opaque(self, value: Any) -> Token:
        """Return the token of a module, a class or another object: its name, and the attributes that are asked for."""
        kind = type(value)
        if isinstance(value, types.ModuleType):
            name: Token = ("module", value.__name__)
        elif isinstance(value, type):
            name = ("class", value.__module__, value.__qualname__, self._classes(value))
        elif isinstance(value, types.MethodType):
            return ("method", self.value(value.__func__), self.value(value.__self__))
        else:
            name = ("object", kind.__module__, kind.__qualname__, self._held(value), self.value(kind))
        wrapped = getattr(value, "__wrapped__", None)
        if isinstance(wrapped, types.FunctionType):
            return (name, self.value(wrapped))
        return (name, self._attributes(value))

    def _classes(self, kind: type) -> list[Token]:
        """Return the tokens of a class and its bases, with their methods: Python calls them without a name that is asked for."""
        tokens: list[Token] = []
        for base in kind.__mro__:
            tokens.append(base.__qualname__)
            if _is_known(base) or base.__module__ == "builtins":
                continue
            installed = installation(base.__module__)
            if installed is not None:
                tokens.append(installed)
                continue
            for name, held in tuple(vars(base).items()):
                methods = [self.value(function) for function in functions_of(held)]
                if methods:
                    self.places.append((member_of, base, name, held))
                    tokens.append((name, type(held).__name__, methods))
        return tokens

    def _attributes(self, owner: Any) -> list[Token]:
        tokens: list[Token] = []
        for name in self.names:
            if not isinstance(owner, type) and isinstance(getattr(type(owner), name, None), COMPUTED):
                # the getter is a part of the class
                continue
            try:
                found = getattr(owner, name, MISSING)
            except Exception:
                # a property of the user's that the function may not ask for; where it does, it raises there
                continue
            if found is MISSING:
                continue
            bound = isinstance(found, types.MethodType | types.BuiltinMethodType) and not _is_of_module(found)
            if bound and (cast(Any, found).__self__ is owner or isinstance(owner, type)):
                # bound anew at each look-up
                tokens.append((name, "method", getattr(found, "__qualname__", "")))
                continue
            if type(found) not in PLAIN or getattr(owner, name, MISSING) is found:
                # classes in C make their names anew at each look-up
                self.places.append((attribute_of, owner, name, found))
            tokens.append((name, self.value(found)))
        return tokens


def _is_of_module(function: Any) -> bool:
    """Tell whether a function is one of a module written in C, and not a method of an object."""
    return isinstance(function.__self__, types.ModuleType)


@lru_cache(maxsize=1024)
def _has_own_gradient(kind: Any) -> bool:
    """Tell whether objects of a class are functions that `custom_vjp` has made."""
    return any(base.__module__ == "flatgrad.markers" and base.__name__ == "custom_vjp" for base in kind.__mro__)


def _is_known(value: Any) -> bool:
    """Tell whether an object is a part of a module that its version tells all about, or is such a module."""
    if isinstance(value, types.ModuleType):
        return _is_known_module(value.__name__)
    name, home = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
    if isinstance(value, types.FunctionType):
        # functools.wraps names a function after another one
        home, name = value.__globals__.get("__name__"), value.__code__.co_qualname
    # what was made inside of a function may be another thing each time
    if not isinstance(name, str) or "<" in name or not _is_known_module(home):
        return False
    # a class that was made where there is no `__name__` takes the one of `builtins`
    return home != "builtins" or getattr(builtins, name, None) is value


def _is_known_module(name: object) -> bool:
    return isinstance(name, str) and name.partition(".")[0] in KNOWN_MODULES


@lru_cache(maxsize=1024)
def code_token(code: types.CodeType) -> Token:
    """Return what tells a code from others, wherever it stands."""
    constants = [
        code_token(constant) if isinstance(constant, types.CodeType) else _constant_token(constant)
        for constant in code.co_consts
    ]
    return (code.co_qualname, *(getattr(code, name) for name in COMPARED), constants)


def _constant_token(constant: Any) -> Token:
    if isinstance(constant, frozenset):
        return ("frozenset", sorted(map(repr, constant)))
    return (type(constant).__name__, repr(constant))
