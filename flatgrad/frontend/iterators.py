"""Items that are read where they are used: iterators, views of dicts, methods of containers.

Iterators are generators, zip, map, filter, iter and what itertools makes. They are lazy as Python's are: what they give is read
when it is asked for, and each of them is gone through once; how far one has come is kept in the memory of the path. In: what
opens them. Out: their items. Layer: above `reader`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from flatgrad.frontend.memory import Ref
from flatgrad.frontend.placeholders import ITEM, NOTHING
from flatgrad.frontend.reader import Reader, Undefined
from flatgrad.graph.containers import Dict

# the longest run of items that is written out one by one
MOST_ITEMS = 10_000
# the position of an iterator that has been gone through
END = -1


class Deferred:
    """An item that is read where it is used, by the reader that has made it: a function that is given one is read in line."""


@dataclass(frozen=True, eq=False)
class DictView(Deferred):
    """What `keys`, `values` or `items`, the `word`, show of a dict as it is when they are looked at."""

    owner: Dict
    word: str


def seen(reader: Reader, view: DictView) -> tuple[Any, ...]:
    """Return what a view shows of its dict now."""
    now = reader.refreshed(view.owner)
    if view.word == "items":
        return tuple(now.items.items())
    return tuple(now.keys if view.word == "keys" else now)


@dataclass(frozen=True, eq=False)
class BoundMethod(Deferred):
    """A method of a container or an iterator, before it is called."""

    owner: Any
    name: str


@dataclass(frozen=True, eq=False)
class LazyIterator(Deferred):
    """An iterator before it is gone through: `open` begins to read its items.

    `word` is what made it. `again` says that its items can be read again from the start without another result or another node.
    `source` is the tree of a zip, enumerate or reversed that a loop can be written over.
    """

    word: str
    open: Callable[[], Iterator[Any]]
    again: bool = False
    source: Any = None
    ref: object = field(default_factory=Ref)


def is_fresh(reader: Reader, iterator: LazyIterator) -> bool:
    """Tell whether nothing has been taken from an iterator yet."""
    position: Any = reader.memory.get(iterator.ref, 0)
    return isinstance(position, int) and position == 0


def exhaust(reader: Reader, iterator: LazyIterator) -> None:
    """Note that an iterator has come to its end."""
    _move(reader, iterator, END)


def _move(reader: Reader, iterator: LazyIterator, position: int) -> None:
    reader.memory.originals.setdefault(iterator.ref, 0)
    reader.memory[iterator.ref] = position


def rest_of(reader: Reader, iterator: LazyIterator, syntax: cst.CSTNode) -> tuple[Any, ...]:
    """Return the items that an iterator still has, which it has then no more."""
    found = tuple(itertools.islice(running(reader, iterator, syntax), MOST_ITEMS + 1))
    if len(found) > MOST_ITEMS:
        reader.fail(f"this has more than {MOST_ITEMS} items", syntax, "use array operations, or a loop over a range")
    return found


def running(reader: Reader, iterator: LazyIterator, syntax: cst.CSTNode) -> Iterator[Any]:
    """Go through what an iterator still has, and note how far it comes."""
    items, reached = iterator.open(), 0
    while (position := _position(reader, iterator, syntax)) != END:
        if position != reached:
            # some of it has been gone through elsewhere
            if not iterator.again:
                hint = "make a list of it before it is gone through"
                reader.fail(f"{iterator.word} that is gone through in parts can't be read", syntax, hint)
            items = itertools.islice(iterator.open(), position, None)
        item = next(items, NOTHING)
        if item is NOTHING:
            exhaust(reader, iterator)
            return
        reached = position + 1
        _move(reader, iterator, reached)
        yield item


def count_of(reader: Reader, iterator: LazyIterator, syntax: cst.CSTNode) -> int:
    """Return how many items an iterator still has: they are read, and forgotten again."""
    graph, memory = reader.builder.graph, dict(reader.memory)
    before = len(graph.nodes)
    count = len(rest_of(reader, iterator, syntax))
    del graph.nodes[before:]
    reader.memory.set_to(memory)
    return count


def next_of(reader: Reader, iterator: LazyIterator, syntax: cst.CSTNode, *, is_held: bool) -> tuple[Any, ...]:
    """Return the next item of an iterator as a tuple of one; an empty one at its end.

    `is_held` says that the program can go on with the iterator.
    """
    if is_held and not iterator.again:
        hint = "make a list of it first, or use iter(...) of a list"
        reader.fail(f"the items of {iterator.word} can't be read one at a time", syntax, hint)
    return tuple(itertools.islice(running(reader, iterator, syntax), 1))


def _position(reader: Reader, iterator: LazyIterator, syntax: cst.CSTNode) -> int:
    position = reader.memory.get(iterator.ref, 0)
    if isinstance(position, Undefined):
        position.used(reader, ITEM, syntax)
    if not isinstance(position, int):
        reader.fail("how far this iterator has come depends on data", syntax, "make a list of it first")
    return position
