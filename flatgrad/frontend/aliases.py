"""Which variables of a loop may be the same array or container, in one turn or another, or one from before the loop.

In: what the variables are before the loop and after a turn. Out: relations in the reader's memory. Layer: above `memory`, below
`carried`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flatgrad.frontend.memory import Key, Memory, Ref, age_of, keys_of
from flatgrad.frontend.reader import Undefined
from flatgrad.frontend.unsettled import Unset
from flatgrad.graph.containers import Dict, List, Record, rebuilt
from flatgrad.graph.values import Value

# a variable, and the number of an array or container in what it holds
Place = tuple[Any, int]


class Aliases:
    """What the arrays and containers of a loop's variables may be. `began` tells what is older than the loop."""

    def __init__(self, memory: Memory, began: int) -> None:
        self.memory = memory
        self.began = began
        # what was there before the loop and may be at a place
        self.sources: dict[Place, dict[Key, None]] = {}
        # places that may be the same
        self.alike: dict[frozenset[Place], None] = {}
        # the places of the parameters of the turn that is being read
        self.parameters: dict[Key, Place] = {}
        self._starts: list[tuple[Place, Key]] = []

    def places(self, variable: Any, item: Any) -> Iterator[tuple[Place, Key]]:
        """Yield the arrays and containers in an item with their places."""
        inner = item.item if isinstance(item, Unset) else item
        if isinstance(inner, Value | tuple):
            for number, key in enumerate(keys_of(self.memory, inner)):
                if key is not None:
                    yield (variable, number), key

    def start(self, variable: Any, item: Any) -> None:
        """Take note of what a variable is before the loop."""
        for place, key in self.places(variable, item):
            self._note(place, [key])
            self._starts.append((place, key))
        self._compare(self._starts)

    def turn(self, items: Iterable[tuple[Any, Any]]) -> None:
        """Relate the parameters of a new turn."""
        found = {place: key for variable, item in items for place, key in self.places(variable, item)}
        new = {place: key for place, key in found.items() if age_of(key) >= self.began}
        self.parameters = {key: place for place, key in new.items()}
        self._relate(new)

    def end(self, items: Iterable[tuple[Any, Any]], changed: Iterable[Key]) -> bool:
        """Take note of what the variables are after a turn. Return whether that matters for what is changed in a turn."""
        ends = [found for variable, item in items for found in self.places(variable, item)]
        grown = [self._note(place, self.older(key)) for place, key in ends]
        grown.append(self._compare(ends))
        return any(grown) and any(key in self.parameters or age_of(key) < self.began for key in changed)

    def behind(self, items: Iterable[tuple[Any, Any]]) -> None:
        """Relate what the variables are behind the loop."""
        known = [(variable, item) for variable, item in items if not isinstance(item, Undefined)]
        found = {place: key for variable, item in known for place, key in self.places(variable, item)}
        self._relate({place: key for place, key in found.items() if age_of(key) >= self.began})

    def _relate(self, keys: dict[Place, Key]) -> None:
        memory = self.memory
        # those of several places that have one source are not related by that: in a swap they are never the same
        related = {
            place: {
                other: None for source in self.sources.get(place, ()) for other in (source, *memory.related(source))
            }
            for place in keys
        }
        for place, key in keys.items():
            for other in related[place]:
                memory.relate(key, other)
        for pair in self.alike:
            one, other = pair
            if one in keys and other in keys:
                self.memory.relate(keys[one], keys[other])

    def older(self, key: Key) -> list[Key]:
        """Return what was there before the loop and may be what a place holds after a turn."""
        if key in self.parameters:
            return list(self.sources.get(self.parameters[key], ()))
        if age_of(key) < self.began:
            return [key]
        found: dict[Key, None] = {}
        for other in self.memory.related(key):
            if age_of(other) < self.began:
                found[other] = None
            elif other in self.parameters:
                found.update(self.sources.get(self.parameters[other], {}))
        return list(found)

    def _note(self, place: Place, keys: Iterable[Key]) -> bool:
        sources = self.sources.setdefault(place, {})
        count = len(sources)
        sources.update(dict.fromkeys(keys))
        return len(sources) > count

    def _compare(self, found: list[tuple[Place, Key]]) -> bool:
        count = len(self.alike)
        for k, (place, key) in enumerate(found):
            related = self.memory.related(key)
            for other_place, other in found[:k]:
                if key is other or other in related:
                    self.alike[frozenset((place, other_place))] = None
        return len(self.alike) > count


def with_new_refs(structure: Any) -> Any:
    """Return a structure whose containers are known by new identities."""
    if not isinstance(structure, tuple) or hasattr(structure, "_fields"):
        return structure
    made = rebuilt(structure, [with_new_refs(part) for part in structure])
    if isinstance(made, List | Dict | Record) and made.ref is not None:
        made.ref = Ref()
    return made
