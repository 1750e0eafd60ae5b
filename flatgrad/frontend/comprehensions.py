"""Reads comprehensions and generator expressions, item by item. Fills EXPRESSIONS. Layer: beside `reader`.

A comprehension has a scope of its own: its variables are seen inside of it alone, and what it goes through first is read
outside. A generator is read where it is gone through.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import libcst as cst

from flatgrad.frontend.assigned import AssignedNames
from flatgrad.frontend.comprehension_loops import as_loop
from flatgrad.frontend.containers import known_key, new_dict, new_list
from flatgrad.frontend.iterables import Iterable, items, iterable, of_item, require_unchanged, turns
from flatgrad.frontend.iterators import LazyIterator, running
from flatgrad.frontend.reader import Reader, reads
from flatgrad.frontend.truth import truth
from flatgrad.frontend.unpacking import bind_element
from flatgrad.graph.values import Value

Source: TypeAlias = Iterable | LazyIterator
Syntax: TypeAlias = cst.ListComp | cst.SetComp | cst.GeneratorExp | cst.DictComp

# a comprehension over a range or the rows of an array is written out turn by turn if it has no more of them
LONGEST_COMPREHENSION = 1000


class Scope:
    """The scope of a comprehension: a reader that has the variables of the one around it, and those of the comprehension."""

    def __init__(self, outer: Reader, loops: Sequence[cst.CompFor], body: Sequence[cst.BaseExpression]) -> None:
        targets, assigned = AssignedNames(), AssignedNames()
        for loop in loops:
            targets.collect(loop.target)
        for part in (*body, *(test for loop in loops for test in loop.ifs)):
            part.visit(assigned)
        self.outer = outer
        self.loops = loops
        self.body = body
        # what is assigned by `:=` belongs to the function around it
        self.assigned = assigned.names
        self.inner = copy.copy(outer)
        self.inner.variables = {name: item for name, item in outer.variables.items() if name not in targets.names}
        self.inner.around = outer
        self.inner.inner_names = frozenset(targets.names)
        self.inner.own_names = outer.own_names | self.inner.inner_names

    def items(self, first: Source) -> Iterator[tuple[Any, ...]]:
        """Return what the expressions in front of the loops give, turn by turn."""
        for _ in self._turns(self.loops, first):
            found = tuple([self.inner.expression(part) for part in self.body])
            variables = self.inner.variables
            self.outer.variables.update({name: variables[name] for name in self.assigned if name in variables})
            yield found

    def _see(self) -> None:
        """See the variables of the function around as they are now: a generator is read on while these change."""
        around = self.outer.variables
        self.inner.variables.update({name: around[name] for name in around if name not in self.inner.inner_names})
        self.inner.depth = self.outer.depth

    def _turns(self, loops: Sequence[cst.CompFor], first: Source | None = None) -> Iterator[None]:
        """Bind the variables of each turn."""
        reader, loop = self.inner, loops[0]
        for item in _going_through(reader, _source(reader, loop) if first is None else first, loop):
            self._see()
            bind_element(reader, loop.target, item)
            if all(truth(reader, reader.expression(test.test), test.test) for test in loop.ifs):
                if len(loops) > 1:
                    yield from self._turns(loops[1:])
                else:
                    yield


def _source(reader: Reader, loop: cst.CompFor) -> Source:
    """Return what a loop of a comprehension goes through; an iterator comes as it is, and is not gone through yet."""
    item = reader.expression(loop.iter)
    return item if isinstance(item, LazyIterator) else of_item(reader, item, loop.iter)


def _going_through(reader: Reader, source: Source, loop: cst.CompFor) -> Iterator[Any]:
    """Return the items of a loop, each when its turn comes."""
    if isinstance(source, LazyIterator):
        yield from running(reader, source, loop.iter)
        return
    _require_short(reader, source, loop)
    for item in items(reader, source, loop.iter):
        yield item()
    require_unchanged(reader, source, loop.iter)


def _require_short(reader: Reader, source: Iterable, loop: cst.CompFor) -> None:
    count = None if source.is_known else turns(source)
    if count is not None and count > LONGEST_COMPREHENSION and not reader.inlined:
        hint = "use array operations, or fill an array in a loop"
        reader.fail(f"a comprehension of {count} turns would be written out turn by turn", loop.iter, hint)


def _read(reader: Reader, syntax: Syntax, *body: cst.BaseExpression) -> list[tuple[Any, ...]]:
    """Return what a comprehension gives in each turn."""
    loops, first = _loops(reader, syntax)
    return list(Scope(reader, loops, body).items(first))


def _loops(reader: Reader, syntax: Syntax) -> tuple[list[cst.CompFor], Source]:
    """Return the loops of a comprehension, and what the first of them goes through."""
    loops = [syntax.for_in]
    while loops[-1].inner_for_in is not None:
        loops.append(loops[-1].inner_for_in)
    for loop in loops:
        if loop.asynchronous is not None:
            reader.fail("an asynchronous comprehension can't be differentiated", loop, "write it without async")
    return loops, _source(reader, loops[0])


@reads(cst.ListComp)
def read_list_comprehension(reader: Reader, syntax: cst.ListComp) -> Any:
    made = grown(reader, syntax)
    if made is not None:
        return made
    return new_list(reader, [item for (item,) in _read(reader, syntax, syntax.elt)])


def grown(reader: Reader, syntax: cst.ListComp | cst.GeneratorExp) -> Value | None:
    """Return the list that grows in a loop over data; None for what is read item by item."""
    loop = syntax.for_in
    if loop.inner_for_in is not None or loop.asynchronous is not None:
        return None
    scope = Scope(reader, [loop], (syntax.elt,))
    memory, count = dict(reader.memory), len(reader.builder.graph.nodes)
    if scope.assigned:
        return None
    made = as_loop(reader, scope.inner, loop, syntax.elt, iterable(reader, loop.iter), syntax)
    if made is None:
        # what it goes through is read again
        del reader.builder.graph.nodes[count:]
        reader.memory.set_to(memory)
    return made


@reads(cst.SetComp)
def read_set_comprehension(reader: Reader, syntax: cst.SetComp) -> Any:
    found = _read(reader, syntax, syntax.elt)
    return frozenset(known_key(reader, item, syntax.elt, "item of a set") for (item,) in found)


@reads(cst.DictComp)
def read_dict_comprehension(reader: Reader, syntax: cst.DictComp) -> Any:
    found = _read(reader, syntax, syntax.key, syntax.value)
    return new_dict(reader, {known_key(reader, key, syntax.key): item for key, item in found})


@reads(cst.GeneratorExp)
def read_generator(reader: Reader, syntax: cst.GeneratorExp) -> Any:
    loops, first = _loops(reader, syntax)

    def open_items() -> Iterator[Any]:
        return (item for (item,) in Scope(reader, loops, (syntax.elt,)).items(first))

    return LazyIterator("a generator", open_items)
