"""What arrays, lists, dicts and objects hold after they have been changed in place, on the path that is being read.

In: references: the values and containers that variables hold. Out: what they hold now.

An array that is made has memory of its own: the value that its operation gives is its root. A view is read from the memory of its
root; after a write it is read again. A list, dict or object is known by its `ref`. What may or may not be the same memory is
related: after a write into one of two related roots no one can say what the other one holds. Layer: above `views`, below `reader`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flatgrad.builder import Builder
from flatgrad.frontend.layouts import Layouts
from flatgrad.frontend.unsettled_loops import LoopsRead
from flatgrad.frontend.views import View, view_of
from flatgrad.graph.containers import Dict, List, Record, rebuilt
from flatgrad.graph.values import INTEGER, Constant, Graph, Value

Key = Any


class WritesToCaller(Exception):
    """A function changes what its caller can see: it has to be read into the caller's graph."""


class Unknown(Exception):
    """What some memory holds is not known; `held` stands for it."""

    def __init__(self, held: Any) -> None:
        self.held = held
        super().__init__()


class Ref:
    """The identity of a list, dict or object that the program makes."""

    __slots__ = ("serial",)

    def __init__(self) -> None:
        self.serial = mark()


def mark() -> int:
    """Return a number that is greater than the serial of all that has been made so far."""
    return Value(INTEGER).serial


class Memory(dict[Key, Any]):
    """What has been changed, by the root of an array or the `ref` of a container.

    The entries belong to the path that is being read. What is told about roots holds on all paths. `began` tells what is older
    than the function that is being read.
    """

    def __init__(self, outer: Memory | None = None) -> None:
        super().__init__(outer or {})
        self.began = 0
        # the graph of the function that is differentiated, in which its caller's arrays may be changed
        self.top: Graph | None = None
        # the root of a value that an array held at some time
        self._roots: dict[Value, Value] = outer._roots if outer is not None else {}
        # how arrays lie in memory, and the caller's arrays for which that is not known and would tell a view from a copy
        self.layouts: Layouts = outer.layouts if outer is not None else Layouts(self._roots)
        self.unordered: dict[Value, None] = outer.unordered if outer is not None else {}
        # the loops that have been read, and may have to be read turn by turn
        self.loops: LoopsRead = outer.loops if outer is not None else LoopsRead()
        self._related: dict[Key, dict[Key, None]] = outer._related if outer is not None else {}
        # what containers were when they were made
        self.originals: dict[Key, Any] = outer.originals if outer is not None else {}

    def set_to(self, entries: Mapping[Key, Any]) -> None:
        """Go to the state of another path."""
        if entries or self:
            self.clear()
            self.update(entries)

    # arrays

    def view(self, value: Value) -> View | None:
        """Return what an array is a view of; None for one with memory of its own, and for numbers."""
        view = view_of(value)
        if view is None or not view.asks_for_order:
            return view
        if self.layouts.is_copied(value, view.source):
            return None
        obstacle = self.layouts.obstacle(value, view.source)
        if obstacle is not None and self.top is not None and obstacle in self.top.parameters:
            self.unordered[obstacle] = None
        return View(view.source, certain=obstacle is None)

    def root(self, value: Value) -> Value:
        """Return the value that the memory of an array was made as."""
        while True:
            if value in self._roots:
                value = self._roots[value]
                continue
            view = self.view(value)
            if view is None or not view.certain:
                return value
            value = view.source

    def is_whole(self, value: Value) -> bool:
        """Tell whether a value is an array with memory of its own, not a view."""
        return value in self._roots or self.root(value) is value

    def hold(self, root: Value, content: Value) -> None:
        """Note what an array holds now."""
        self.belongs(root, content)
        self[root] = content

    def belongs(self, root: Value, content: Value) -> None:
        """Note that a value is what an array holds at some time, on some path."""
        if content is not root:
            self._roots[content] = root

    def content_of(self, root: Value) -> Any:
        """Return what the memory of an array holds."""
        return self.get(root, root)

    def current(self, builder: Builder, value: Value) -> Value:
        """Return what an array holds now; a view of a changed array is read again. Raises Unknown."""
        if not self or value.type.weak:
            return value
        root = self._roots.get(value, value)
        if root in self:
            held = self[root]
            if not isinstance(held, Value):
                raise Unknown(held)
            return held
        view = self.view(value)
        if view is None or not view.certain:
            return value
        source = self.current(builder, view.source)
        if source is view.source:
            return value
        node = value.node
        assert node is not None
        again = builder.repeated(node, {view.source: source})
        return again.outputs[node.outputs.index(value)]

    # what may be the same memory

    def relate(self, one: Key, other: Key) -> None:
        """Note that two roots, or two containers, may be the same memory."""
        if one is not other:
            self.loops.relate()
            self._related.setdefault(one, {})[other] = None
            self._related.setdefault(other, {})[one] = None

    def is_one_of(self, key: Key, others: Iterable[Key]) -> None:
        """Note that a root or container is one of several, or a new one."""
        for other in others:
            self.relate(key, other)
            for each in tuple(self.related(other)):
                self.relate(key, each)

    def related(self, key: Key) -> Iterable[Key]:
        """Return what may be the same memory."""
        return self._related.get(key, ())

    # containers

    def note(self, before: Any, after: Any) -> None:
        """Note what a container holds now."""
        self.originals.setdefault(before.ref, before)
        self[before.ref] = after

    def version(self, key: Key, absent: Any) -> Any:
        """Return what a root or container holds."""
        if key in self:
            return self[key]
        return key if isinstance(key, Value) else self.originals.get(key, absent)

    def refreshed(self, builder: Builder, item: Any) -> Any:
        """Return an item with every container in it as it is now. Raises Unknown."""
        if isinstance(item, Constant) and item in self:
            # a number or array that is known is not known any more
            return self.current(builder, item)
        if not self or not isinstance(item, tuple) or hasattr(item, "_fields"):
            return item
        ref = getattr(item, "ref", None)
        if ref is not None and ref in self:
            item = self[ref]
            if isinstance(item, Value):
                # a list that grows in a loop
                return self.current(builder, item)
            if not isinstance(item, tuple):
                raise Unknown(item)
        parts = [self.refreshed(builder, part) for part in item]
        if all(a is b for a, b in zip(parts, item, strict=True)):
            return item
        return rebuilt(item, parts)


def age_of(key: Key) -> int:
    """Return the serial of a root or container."""
    serial: int = getattr(key, "serial", 0)
    return serial


def refs_of(item: Any) -> Iterator[Key]:
    """Yield the `ref` of each container in an item."""
    if isinstance(item, tuple) and not hasattr(item, "_fields"):
        if isinstance(item, List | Dict | Record):
            yield item.ref
        for part in item:
            yield from refs_of(part)


def keys_of(memory: Memory, item: Any) -> Iterator[Key]:
    """Yield the root of each array, and the `ref` of each container in an item; None for numbers and what can't be changed."""
    if isinstance(item, tuple) and not hasattr(item, "_fields"):
        if isinstance(item, List | Dict | Record):
            yield item.ref
        for part in item:
            yield from keys_of(memory, part)
    elif isinstance(item, Value) and not item.type.weak:
        yield memory.root(item)
    else:
        yield None
