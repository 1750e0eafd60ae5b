"""What a loop changes from turn to turn: variables, and what arrays and containers hold.

In: names and keys in the memory before the loop. Out: `Variable`. Layer: above `joining`, below `revisions`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from flatgrad.frontend.assigned import places_of
from flatgrad.frontend.joining import NUMBERS, are_equal, as_value, same_names
from flatgrad.frontend.memory import Unknown
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader, Undefined
from flatgrad.frontend.unsettled import Undecided, Unset
from flatgrad.graph.containers import leaves
from flatgrad.graph.values import Type, Value


@dataclass(eq=False)
class Variable:
    """A variable that the body assigns, or, by its `key` in the memory, what an array or container holds that the body changes.

    `start` is what it is before the loop, NOTHING for nothing. `shape` is the structure that its values stand in, `types`
    are theirs, and `item` is what it is at the start of a turn in the reading at hand; `end` is what it is after the turn, and
    `held` that with what its arrays hold. `fixed` says that it stays what it is; `kept` are the places of values in a container that
    do.
    """

    name: str
    start: Any
    key: Any = None
    shape: Any = NOTHING
    types: tuple[Type, ...] = ()
    item: Any = NOTHING
    end: Any = NOTHING
    held: Any = NOTHING
    fixed: bool = False
    may_be_fixed: bool = True
    changing: Undefined | None = None
    holds_numbers: bool = True
    kept: set[int] = field(default_factory=set)
    never_kept: set[int] = field(default_factory=set)
    grows: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it stands for values of the graph."""
        return self.shape is not NOTHING and not self.fixed and self.changing is None

    def parameters(self) -> tuple[Value, ...]:
        """Return the parameters of the body for its values."""
        if not self.is_number:
            return ()
        item = self.item.item if isinstance(self.item, Unset) else self.item
        return () if item is NOTHING else tuple(self.moving(item))

    def moving(self, item: Any) -> list[Any]:
        """Return the numbers and arrays in an item that may differ from turn to turn."""
        return [leaf for place, leaf in enumerate(numbers(item)) if place not in self.kept]


def variable_of(reader: Reader, name: str, augmented: Collection[str]) -> Variable:
    start = reader.variables.get(name, NOTHING)
    if isinstance(start, Unset):
        start = start.item
    if isinstance(start, tuple):
        try:
            start = reader.memory.refreshed(reader.builder, start)
        except Unknown as unknown:
            start = unknown.held
    if isinstance(start, Undefined):
        # no turn can use what it was before the loop, and if there is no turn, it is that behind it
        return Variable(name, NOTHING, changing=start)
    made = Variable(name, start)
    if start is not NOTHING and any(True for _ in numbers(start)):
        made.shape = start
        made.types = tuple(as_value(leaf).type for leaf in numbers(start))
        note_numbers(reader, made, start)
        # `x += ...` leaves an array or a list the same one
        made.fixed = name in augmented and not made.holds_numbers
    return made


def augmented_names(body: cst.CSTNode) -> set[str]:
    """Return the names that a body binds by `x += ...` and its like only."""
    places = places_of(body)
    others = {name for name, place in places if not isinstance(place, cst.AugAssign)}
    return {name for name, place in places if isinstance(place, cst.AugAssign)} - others


def expected_keys(reader: Reader, names: Sequence[str]) -> list[Any]:
    """Return the arrays that the body seems to change: those with these names."""
    items = [reader.variables.get(name) for name in dict.fromkeys(names)]
    arrays = [item for item in items if isinstance(item, Value) and not is_number(reader, item)]
    roots = dict.fromkeys(map(reader.memory.root, arrays))
    return [root for root in roots if not isinstance(reader.memory.get(root), Undefined)]


def held_by(reader: Reader, key: Any) -> Variable:
    """Return what stands for what an array or container holds."""
    start = reader.memory.version(key, NOTHING)
    if start is NOTHING:
        start = Undecided("changed in a loop")
    name = _name_of(reader, key)
    if isinstance(start, Undefined):
        return Variable(name, NOTHING, key, changing=start)
    made = Variable(name, start, key)
    if any(True for _ in numbers(start)):
        made.shape = start
        made.types = tuple(as_value(leaf).type for leaf in numbers(start))
        note_numbers(reader, made, start)
    return made


def _name_of(reader: Reader, key: Any) -> str:
    """Return the name of what an array or container is in the program."""
    if isinstance(key, Value):
        return key.name or ""
    held = (name for name, item in reader.variables.items() if getattr(item, "ref", None) is key)
    return next(held, "")


def note_numbers(reader: Reader, variable: Variable, item: Any) -> None:
    """Note whether a variable holds nothing but numbers."""
    variable.holds_numbers &= all(is_number(reader, as_value(leaf)) for leaf in numbers(item))


def numbers(item: Any) -> Iterator[Any]:
    """Return the numbers and arrays in an item."""
    return (leaf for leaf in leaves(item) if isinstance(leaf, NUMBERS))


def same_structure(a: Any, b: Any) -> bool:
    """Tell whether two items differ in nothing but in the numbers and arrays in them."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        same_kind = type(a) is type(b) and len(a) == len(b) and same_names(a, b)
        return same_kind and all(map(same_structure, a, b))
    return (isinstance(a, NUMBERS) and isinstance(b, NUMBERS)) or are_equal(a, b)


def is_same_container(a: Any, b: Any) -> bool:
    """Tell whether two items are the same list, dict or object of the program, whatever it holds."""
    ref = getattr(a, "ref", None)
    return ref is not None and ref is getattr(b, "ref", None)
