"""The emitted functions for the arguments of a call: from memory, from disk, or newly written.

In: a function with its options, arguments. Out: `Built`. Everything that decides what is written is in one digest: the
function's text and code, what its names stand for, ranks and dtypes, options, versions. What writes code is imported when
it is needed. Layer: above `cache`, `fingerprint` and `origin`, below `dispatch`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from flatgrad.calling import cache
from flatgrad.calling.build import built
from flatgrad.functions.fingerprint import Token, digest_of, token_of
from flatgrad.functions.origin import Origin, segment_of, shown_place
from flatgrad.functions.world import World
from flatgrad.options import Options
from flatgrad.parts import LAYOUT, inside, is_static_argument, places
from flatgrad.version import __version__

if TYPE_CHECKING:
    from flatgrad.arguments import Pins, Ties

KEPT_IN_MEMORY = 1024


@lru_cache(maxsize=1024)
def gradients_class(name: str, fields: tuple[str, ...]) -> Any:
    """Return the class of the named tuples of gradients. It is made anew where one is unpickled."""
    # parameters may have names that a field can't have, such as those that begin with an underscore
    made = cast(Any, namedtuple(f"{name}_gradients", fields, rename=True))
    made.__doc__ = f"The gradients of {name}, by parameter."
    made.__reduce__ = lambda self: (restored_gradients, (name, fields, tuple(self)))
    return made


def restored_gradients(name: str, fields: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    """Return a named tuple of gradients that was pickled."""
    return gradients_class(name, fields)._make(values)


class Built:
    """An emitted module that has been compiled.

    `functions` are by purpose: "value_and_grad", or "forward" and "backward". `ties` are axes that it takes to be
    of one size, `written` the places of arrays in the arguments that it writes into. `real` tells which parts of the
    result have an upstream gradient.
    """

    __slots__ = (
        "functions",
        "gradients",
        "keyword_only",
        "parameters",
        "real",
        "split",
        "text",
        "ties",
        "written",
        "wrt",
    )

    def __init__(self, name: str, text: str, filename: str | None, facts: Mapping[str, Any]) -> None:
        self.text = text
        self.split: bool = facts["split"]
        self.parameters: list[str] = facts["parameters"]
        self.keyword_only: list[str] = facts["keyword_only"]
        self.ties: Ties = [[(name, axis) for name, axis in group] for group in facts["ties"]]
        self.wrt: tuple[str, ...] = tuple(facts["wrt"])
        self.real: tuple[bool, ...] = tuple(facts["real"])
        self.written: tuple[str, ...] = tuple(facts["written"])
        self.gradients = gradients_class(name, tuple(facts["fields"]))
        namespace = built(text, name, filename)
        namespace["__seen__"] = facts["seen"]
        purposes = ("forward", "backward") if self.split else ("value_and_grad",)
        self.functions: dict[str, Callable[..., Any]] = {
            purpose: namespace[f"{name}_{purpose}"] for purpose in purposes
        }

    def holds(self, arguments: Mapping[str, Any]) -> bool:
        """Tell whether the axes that are taken to be of one size are."""
        if not self.ties:
            return True
        leaves = _leaves(arguments)
        return all(len({_number(leaves, pin) for pin in group}) == 1 for group in self.ties)


class Specialiser:
    """A function with its options. Finds or makes what is emitted for it."""

    def __init__(self, function: FunctionType, origin: Origin, options: Options) -> None:
        self.function = function
        self.origin = origin
        self.options = options
        code = function.__code__
        segment = origin.segment(code)
        place = shown_place(origin.file, code.co_firstlineno)
        defaults = token_of((function.__defaults__, function.__kwdefaults__))
        # what is written may import from the module of the function
        module = function.__module__
        self._fixed = digest_of(VERSIONS, segment, place, module, defaults, options.wrt, options.style, options.target)

    def built_for(self, arguments: Mapping[str, Any], world: World, split: bool | None) -> tuple[Built, Pins]:
        """Return the emitted functions for such arguments, and the numbers that decided. Raises FlatgradError."""
        # their comments are written, too
        texts = [segment_of(function) for function in world.functions]
        token = (self._fixed, _rules(), world.digest, texts, [_kind(argument) for argument in arguments.values()])
        pins: Pins = frozenset()
        # where either form will do, a joint one is taken if there is one
        for form in (False, None) if split is None else (split,):
            found, pins = self._kept((form, token), arguments)
            if found is not None:
                return found, pins
        return self._written((split, token), arguments, split, pins)

    def _kept(self, token: Token, arguments: Mapping[str, Any]) -> tuple[Built | None, Pins]:
        """Return what is kept for such arguments, if anything, and the numbers that lead to it."""
        pins: Pins = frozenset()
        while True:
            found = _found(_digest(token, arguments, pins), self.function.__code__.co_name)
            if found is None or (isinstance(found, Built) and found.holds(arguments)):
                return found, pins
            pins |= frozenset(pin for group in found.ties for pin in group) if isinstance(found, Built) else found

    def check_parameters(self) -> None:
        """Raise SignatureError where the function takes any number of arguments."""
        from flatgrad.frontend.live import live_definition
        from flatgrad.signature import parameters_of

        parameters_of(live_definition(self.function, self.origin))

    def _written(
        self, token: Token, arguments: Mapping[str, Any], split: bool | None, pins: Pins
    ) -> tuple[Built, Pins]:
        with writing:
            from flatgrad.arguments import emit_for_arguments
            from flatgrad.frontend.live import live_definition

            definition = live_definition(self.function, self.origin)
            emitted, needed, ties = emit_for_arguments(definition, arguments, self.options, split, pins)
        if split is None and not emitted.split:
            token = (False, *token[1:])
        if needed != pins:
            # what is found without them leads to what is found with them
            _keep_pins(_digest(token, arguments, pins), emitted.name, needed)
        digest = _digest(token, arguments, needed)
        facts = {
            "split": emitted.split,
            "parameters": emitted.parameters,
            "keyword_only": emitted.keyword_only,
            "wrt": emitted.wrt,
            "fields": emitted.fields,
            "real": emitted.real,
            "written": emitted.written,
            "ties": ties,
            "seen": emitted.seen,
        }
        filename = cache.store(digest, emitted.name, emitted.text, facts)
        made = Built(emitted.name, emitted.text, filename, facts)
        _memory.keep(digest, made)
        return made, needed


# held while code is written, and by a thread that forks: what the others import or change halfway stays so in the child
writing = threading.RLock()


def _after_fork() -> None:
    # another thread may have held it, and there is no such thread here
    _memory.lock = threading.Lock()
    writing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=writing.acquire, after_in_parent=writing.release, after_in_child=_after_fork)


class _Memory:
    """What was found or made last, by digest."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Built | Pins] = OrderedDict()
        self.lock = threading.Lock()

    def find(self, digest: str) -> Built | Pins | None:
        with self.lock:
            found = self._kept.get(digest)
            if found is not None:
                self._kept.move_to_end(digest)
            return found

    def keep(self, digest: str, found: Built | Pins) -> None:
        with self.lock:
            self._kept[digest] = found
            while len(self._kept) > KEPT_IN_MEMORY:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self.lock:
            self._kept.clear()


_memory = _Memory()
clear_memory = _memory.clear


def _found(digest: str, name: str) -> Built | Pins | None:
    found = _memory.find(digest)
    if found is None:
        entry = cache.load(digest, name)
        if entry is not None:
            filename, text, facts = entry
            found = _pins_from(facts) if "pins" in facts else Built(name, text, filename, facts)
            _memory.keep(digest, found)
    return found


def _digest(token: Token, arguments: Mapping[str, Any], pins: Pins) -> str:
    leaves = _leaves(arguments) if pins else {}
    return digest_of(token, sorted((str(pin), repr(_number(leaves, pin))) for pin in pins))


def _keep_pins(digest: str, name: str, pins: Pins) -> None:
    cache.store(digest, name, "", {"pins": sorted(pins, key=str)})
    _memory.keep(digest, pins)


def _pins_from(facts: Mapping[str, Any]) -> Pins:
    return frozenset(pin if isinstance(pin, str) else (pin[0], pin[1]) for pin in facts["pins"])


def _leaves(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments, and the leaves of containers among them, by their places."""
    return {place: leaf for name, argument in arguments.items() for place, leaf in places(name, argument)}


def _number(leaves: Mapping[str, Any], pin: str | tuple[str, int]) -> Any:
    if isinstance(pin, str):
        return leaves[pin]
    place, axis = pin
    return leaves[place].flags.c_contiguous if axis == LAYOUT else np.shape(leaves[place])[axis]


def _kind(argument: Any) -> Token:
    """Return what emitted code depends on in an argument: rank, axes of length 1 and dtype; a static one's value."""
    kind = type(argument)
    if isinstance(argument, np.ndarray | np.generic):
        subclass = "" if kind is np.ndarray or isinstance(argument, np.generic) else kind.__qualname__
        return ("array", subclass, argument.dtype.str, [size == 1 for size in argument.shape])
    if kind in (int, float):
        return kind.__name__
    if is_static_argument(argument):
        return ("value", token_of(argument))
    parts = inside(argument)
    if parts is None:
        # an argument that is refused, or a part of one that may not be used
        return ("other", kind.__module__, kind.__qualname__)
    keys = [token_of(key) for key in parts]
    return ("container", kind.__module__, kind.__qualname__, keys, [_kind_of_part(part) for part in parts.values()])


def _kind_of_part(part: Any) -> Token:
    return ("value", token_of(part)) if isinstance(part, int) else _kind(part)


def _rules() -> Token:
    """Return what tells the rules that users have declared."""
    registry = sys.modules.get("flatgrad.registry")
    return [token_of(parts) for parts in registry.declared_by_users()] if registry is not None else []


def _versions() -> str:
    """Return a digest of the versions of all that has a part in what is written, flatgrad's own files among them."""
    package = os.path.dirname(os.path.dirname(__file__))
    states = [*_states(package), *_states(os.path.join(os.path.dirname(package), "templates"))]
    return digest_of(__version__, np.__version__, sys.version, sorted(states))


def _states(folder: str) -> Iterator[Token]:
    """Yield the state of each file of flatgrad in a folder and in those inside it."""
    if os.path.isdir(folder):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((".py", ".jinja")):
                    found = entry.stat()
                    yield (entry.path, found.st_mtime_ns, found.st_size)
                elif "." not in entry.name and entry.name != "__pycache__":
                    yield from _states(entry.path)


# as early as can be: what is imported later is of this state or of a later one
VERSIONS = _versions()
