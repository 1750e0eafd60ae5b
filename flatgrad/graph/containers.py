"""Structures of values: the lists, dicts and objects of a program, and the arguments of a call with its inputs in their places.

In: parts. Out: tuples that know what they stand for, and what goes through them. Layer: the bottom of `graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Slot:
    """In a call, the place of the node's input with this number."""

    index: int


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice whose parts may be values (Python's own can't be hashed)."""

    start: Any = None
    stop: Any = None
    step: Any = None


class List(tuple[Any, ...]):
    """A list: a tuple that is printed with brackets.

    `ref` tells the list of the program from others with the same parts: what is changed in place keeps it. None stands for a
    list that the program can't change: one of its caller's, or one that no variable holds.
    """

    ref: object = None


class Dict(tuple[Any, ...]):
    """A dict whose keys are known when the code is written: a tuple of its values, in order. `ref` is as that of a List."""

    keys: tuple[Any, ...]
    ref: object = None

    @classmethod
    def of(cls, items: Mapping[Any, Any]) -> Dict:
        """Return a dict as a structure."""
        made = cls(items.values())
        made.keys = tuple(items)
        return made

    @property
    def items(self) -> dict[Any, Any]:
        """The parts by their keys."""
        return dict(zip(self.keys, self, strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dict) and self.keys == other.keys and tuple.__eq__(self, other)

    def __hash__(self) -> int:
        return hash((self.keys, tuple(self)))


class Record(tuple[Any, ...]):
    """An object of a class of the user's: a tuple of its attributes, in order; their `names`.

    `kind` is the class, or what stands for it where the file is not run. `ref` is as that of a List.
    """

    kind: Any
    names: tuple[str, ...]
    ref: object = None

    @classmethod
    def of(cls, kind: Any, attributes: Mapping[str, Any]) -> Record:
        """Return an object of a class as a structure."""
        made = cls(attributes.values())
        made.kind = kind
        made.names = tuple(attributes)
        return made

    @property
    def attributes(self) -> dict[str, Any]:
        """The parts by their names."""
        return dict(zip(self.names, self, strict=True))

    def __eq__(self, other: object) -> bool:
        same_class = isinstance(other, Record) and self.kind is other.kind and self.names == other.names
        return same_class and tuple.__eq__(self, other)

    def __hash__(self) -> int:
        return hash((id(self.kind), self.names, tuple(self)))


class Results(tuple[Any, ...]):
    """The results of an operation that have `names`: one class for the same names, so that it stays with the tuple."""

    names: tuple[str, ...]


@cache
def results_named(names: tuple[str, ...]) -> type[Results]:
    """Return the class of tuples whose parts have these names."""
    return type("Results", (Results,), {"names": names})


def rebuilt(structure: Any, parts: Iterable[Any]) -> Any:
    """Return a tuple, list, dict or object with other parts: it is still the same one of the program."""
    made = type(structure)(parts)
    if isinstance(structure, List | Dict | Record):
        made.__dict__.update(structure.__dict__)
    return made


def mapped(structure: Any, change: Callable[[Any], Any]) -> Any:
    """Return the structure (tuples, lists, dicts, objects, slices) with `change` applied to its leaves."""
    if isinstance(structure, tuple) and not hasattr(structure, "_fields"):
        parts = [mapped(part, change) for part in structure]
        return rebuilt(structure, parts) if hasattr(structure, "ref") else type(structure)(parts)
    if isinstance(structure, Slice):
        return Slice(*(mapped(part, change) for part in (structure.start, structure.stop, structure.step)))
    return change(structure)


def leaves(structure: Any) -> Iterator[Any]:
    """Return the leaves of a structure, left to right."""
    if isinstance(structure, tuple) and not hasattr(structure, "_fields"):
        for part in structure:
            yield from leaves(part)
    elif isinstance(structure, Slice):
        for part in (structure.start, structure.stop, structure.step):
            yield from leaves(part)
    else:
        yield structure
