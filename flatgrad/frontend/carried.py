"""Reads the body of a loop that becomes a node: what its variables are from turn to turn.

The body is read with the types that its variables have before the loop; where they are wider after a turn, it is read again.
In: the syntax of a loop and what it goes through. Out: a node, or problems. Layer: above `joining`, below `loops`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import libcst as cst

from flatgrad.frontend.aliases import Aliases, with_new_refs
from flatgrad.frontend.assigned import AssignedNames, has_walrus, places_of
from flatgrad.frontend.branches import Side, branched, has_effects, resume, side
from flatgrad.frontend.growing import as_growing
from flatgrad.frontend.iterables import Iterable
from flatgrad.frontend.joining import (
    NUMBERS,
    are_equal,
    as_value,
    in_words,
    joined_dtype,
    joined_type,
    same_names,
    shape_words,
)
from flatgrad.frontend.memory import Unknown, age_of, mark, refs_of
from flatgrad.frontend.reader import (
    BROKE,
    DONE,
    LEFT,
    NOTHING,
    RESULT,
    RETURNED,
    Reader,
    Step,
    Undefined,
    Unfinished,
    is_number,
    statements_of,
)
from flatgrad.frontend.rows import arrays_of, element_of, numbered
from flatgrad.frontend.truth import condition
from flatgrad.frontend.unpacking import bind_element
from flatgrad.frontend.unsettled import Changing, EqualityUnknown, Pairs, Undecided, Unset
from flatgrad.graph.size import Symbol, equal, symbols_of
from flatgrad.graph.values import INTEGER, Constant, Graph, List, Type, Value, leaves, mapped

# each reading makes a type wider: bool, int, float, an array of them
MOST_READINGS = 12


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


class Loop:
    """A loop that is read into a node; `source` is what a `for` goes through, `test` the condition of a `while`."""

    def __init__(
        self,
        reader: Reader,
        syntax: cst.For | cst.While,
        source: Iterable | None,
        checkpoint: bool,
        test: cst.BaseExpression | None = None,
    ) -> None:
        self.reader = reader
        self.syntax = syntax
        self.source = source
        self.checkpoint = checkpoint
        self.test = test
        assigned = AssignedNames()
        for part in (syntax.body, *((syntax.target,) if isinstance(syntax, cst.For) else ())):
            part.visit(assigned)
        if isinstance(syntax, cst.For):
            assigned.collect(syntax.target)
        if test is not None:
            test.visit(assigned)
        self.statement = reader.builder.statement
        self.began = mark()
        self.variables = [self._variable(name) for name in dict.fromkeys(assigned.names)]
        self.variables += [self._changed(key) for key in self._expected(assigned.changed)]
        self.aliases = Aliases(reader.memory, self.began)
        for variable in self._referring():
            self.aliases.start(variable, variable.start)
        # the condition is a part of the body where it does more than to compute
        self.tests_inside = test is not None and has_walrus(test)
        self.never = False
        self.condition: Graph | None = None
        self.condition_items: dict[Variable, Any] = {}
        self.parameters: set[Value] = set()
        self.element: Any = ()
        self.body = Side(Graph("body"), {})
        self.starting_memory: dict[Any, Any] = {}

    def _bound(self) -> list[Variable]:
        """Return the variables that have names of their own."""
        return [variable for variable in self.variables if variable.key is None]

    def _referring(self) -> list[Variable]:
        """Return what refers to arrays and containers: variables, and what containers hold."""
        return [variable for variable in self.variables if not isinstance(variable.key, Value)]

    def _variable(self, name: str) -> Variable:
        start = self.reader.variables.get(name, NOTHING)
        if isinstance(start, Unset):
            start = start.item
        if isinstance(start, tuple):
            try:
                start = self.reader.memory.refreshed(self.reader.builder, start)
            except Unknown as unknown:
                start = unknown.held
        if isinstance(start, Undefined):
            # no turn can use what it was before the loop, and if there is no turn, it is that behind it
            return Variable(name, NOTHING, changing=start)
        made = Variable(name, start)
        if start is not NOTHING and any(True for _ in numbers(start)):
            made.shape = start
            made.types = tuple(as_value(leaf).type for leaf in numbers(start))
            self._note_numbers(made, start)
            # `x += ...` leaves an array or a list the same one
            made.fixed = name in self._augmented and not made.holds_numbers
        return made

    @cached_property
    def _augmented(self) -> set[str]:
        """The names that the body binds by `x += ...` and its like only."""
        places = places_of(self.syntax.body)
        others = {name for name, place in places if not isinstance(place, cst.AugAssign)}
        return {name for name, place in places if isinstance(place, cst.AugAssign)} - others

    def _expected(self, names: Sequence[str]) -> list[Any]:
        """Return the arrays that the body seems to change: those with these names."""
        items = [self.reader.variables.get(name) for name in dict.fromkeys(names)]
        arrays = [item for item in items if isinstance(item, Value) and not is_number(self.reader, item)]
        roots = dict.fromkeys(map(self.reader.memory.root, arrays))
        return [root for root in roots if not isinstance(self.reader.memory.get(root), Undefined)]

    def _changed(self, key: Any) -> Variable:
        """Return what stands for what an array or container holds."""
        start = self.reader.memory.version(key, NOTHING)
        if start is NOTHING:
            start = Undecided("changed in a loop")
        name = self._name_of(key)
        if isinstance(start, Undefined):
            return Variable(name, NOTHING, key, changing=start)
        made = Variable(name, start, key)
        if any(True for _ in numbers(start)):
            made.shape = start
            made.types = tuple(as_value(leaf).type for leaf in numbers(start))
            self._note_numbers(made, start)
        return made

    def _name_of(self, key: Any) -> str:
        """Return the name of what an array or container is in the program."""
        if isinstance(key, Value):
            return key.name or ""
        held = (name for name, item in self.reader.variables.items() if getattr(item, "ref", None) is key)
        return next(held, "")

    def _note_numbers(self, variable: Variable, item: Any) -> None:
        """Note whether a variable holds nothing but numbers."""
        variable.holds_numbers &= all(is_number(self.reader, as_value(leaf)) for leaf in numbers(item))

    def read(self) -> bool:
        """Read the body until the types of its variables hold for all turns. Return False where there are problems."""
        problems = list(self.reader.problems)
        for _ in range(MOST_READINGS):
            self.reader.problems = list(problems)
            self._read_once()
            if self.never or not self._revised():
                break
        else:
            self.reader.fail("the types of what this loop changes do not settle", self.syntax)
        unfinished = any(variable.start is Unfinished or variable.end is Unfinished for variable in self.variables)
        if len(self.reader.problems) == len(problems) and not unfinished:
            for variable in self.variables:
                if isinstance(variable.item, Unset) and variable.item.wanted_at is not None:
                    variable.item.refuse(self.reader, variable.name, variable.item.wanted_at)
            return True
        self.reader.variables.update({variable.name: Unfinished for variable in self.variables})
        return False

    def _read_once(self) -> None:
        self.newest = Symbol().serial
        self.parameters = set()
        if self.test is not None and not self.tests_inside:
            self._read_condition(self.test)
            if self.never or self.tests_inside:
                return
        self.element = self.source.element() if self.source is not None else ()
        items = self._items()
        pairs = zip(self.variables, items, strict=True)
        self.aliases.turn([(variable, item) for variable, item in pairs if not isinstance(variable.key, Value)])
        self.body = side(self.reader, "body", lambda: self._read_body(items))
        resume(self.reader, self.body, self._take_ends)
        for variable, item in zip(self.variables, items, strict=True):
            variable.item = item

    def _take_ends(self) -> None:
        """Note what each variable is after a turn."""
        reader = self.reader
        for variable in self.variables:
            if variable.key is not None:
                variable.end = reader.memory.get(variable.key, NOTHING)
            else:
                variable.end = reader.variables.get(variable.name, NOTHING)
            variable.end, variable.held = self._now(variable.end)
        if RESULT in reader.variables:
            reader.variables[RESULT] = self._now(reader.variables[RESULT])[1]

    def _now(self, item: Any) -> tuple[Any, Any]:
        """Return an item with its containers as they are now, and that with what its arrays hold."""
        if not isinstance(item, Value | tuple):
            return item, item
        memory, builder = self.reader.memory, self.reader.builder
        try:
            item = memory.refreshed(builder, item)
            return item, mapped(item, self._content)
        except Unknown as unknown:
            return unknown.held, unknown.held

    def _content(self, leaf: Any) -> Any:
        return self.reader.memory.current(self.reader.builder, leaf) if isinstance(leaf, Value) else leaf

    def _items(self) -> list[Any]:
        """Return what each variable is at the start of a turn, with new parameters for its values."""
        return [self._item(variable) for variable in self.variables]

    def _begin(self, items: Sequence[Any]) -> None:
        """Set the variables and the memory to what they are at the start of a turn."""
        for variable, item in zip(self.variables, items, strict=True):
            if variable.key is None:
                self.reader.variables[variable.name] = item
            elif isinstance(variable.key, Value) and isinstance(item, Value):
                self.reader.builder.content = self.reader.current
                self.reader.memory.hold(variable.key, item)
            elif item is not NOTHING:
                self.reader.memory[variable.key] = item

    def _item(self, variable: Variable) -> Any:
        if variable.changing is not None:
            return variable.changing
        if variable.shape is NOTHING or variable.fixed:
            return Unset(self.reader.depth + 1) if variable.start is NOTHING else variable.start
        types = iter(variable.types)
        several = len(variable.types) + len(variable.kept) > 1
        count = itertools.count()

        def parameter(leaf: Any) -> Any:
            if not isinstance(leaf, NUMBERS):
                return leaf
            place = next(count)
            if place in variable.kept:
                return leaf
            made = Value(next(types), f"{variable.name}_{place}" if several else variable.name)
            self.parameters.add(made)
            if variable.holds_numbers:
                self.reader.numbers.add(made)
            return made

        made = mapped(variable.shape, parameter)
        if variable.key is None:
            made = with_new_refs(made)
        return Unset(self.reader.depth + 1, made) if variable.start is NOTHING else made

    def _read_condition(self, test: cst.BaseExpression) -> None:
        """Read the condition of a `while` into a graph of its own."""
        items = self._items()
        found: list[bool | Value] = []

        def read() -> None:
            self._begin(items)
            found.append(condition(self.reader, self.reader.expression(test), test))
            changes.append(dict(self.reader.memory) != before)

        def begin() -> None:
            self._begin(items)
            before.update(self.reader.memory)

        before: dict[Any, Any] = {}
        changes: list[bool] = []
        made = side(self.reader, "condition", begin)
        resume(self.reader, made, read)
        graph = made.graph
        self.tests_inside = has_effects(graph) or changes[0]
        self.never = found[0] is False
        self.condition = None
        if isinstance(found[0], Value):
            graph.parameters = [leaf for item in items for leaf in self.own_parameters(item)]
            graph.results = [found[0]]
            self.condition = graph
            self.condition_items = dict(zip(self.variables, items, strict=True))

    def own_parameters(self, item: Any) -> Iterator[Value]:
        """Return the parameters of the body, or of the condition, in an item."""
        inner = item.item if isinstance(item, Unset) else item
        return (leaf for leaf in leaves(inner) if isinstance(leaf, Value) and leaf in self.parameters)

    def _read_body(self, items: Sequence[Any]) -> None:
        reader, syntax = self.reader, self.syntax
        self._begin(items)
        self.starting_memory = dict(reader.memory)
        reader.variables.update({LEFT: False, RETURNED: False, BROKE: False, DONE: False, RESULT: NOTHING})
        if isinstance(syntax, cst.For):
            assert self.source is not None
            self.parameters.update(leaves(self.element))
            for row, array in zip(self._rows(), arrays_of(self.source), strict=True):
                reader.memory.is_one_of(row, [reader.memory.root(array)])
            bind_element(reader, syntax.target, element_of(reader, self.source, self.element, syntax))
        reader.block([Step(self._read_guarded_body, syntax)] if self.tests_inside else statements_of(syntax.body))

    def _read_guarded_body(self) -> None:
        """Read a body that begins with the condition: the loop is done where that does not hold."""
        reader, test = self.reader, self.test
        assert test is not None
        holds = condition(reader, reader.expression(test), test)
        done = Step(lambda: reader.variables.update({LEFT: True, DONE: True}), test)
        branched(reader, holds, statements_of(self.syntax.body), [done], self.syntax)

    def _revised(self) -> bool:
        """Take note of what the variables are after a turn. Return whether the body has to be read again."""
        if self.tests_inside and not self.body.variables:
            return True
        fixed = [variable for variable in self.variables if variable.fixed]
        revised = any([self._is_revised(variable) for variable in self._bound()])
        if [variable for variable in self.variables if variable.fixed] != fixed and self._changed_keys():
            # what the turn changes is seen in the next reading only
            return True
        if self._number_rows(self._changed_keys()):
            return True
        revised |= any([self._is_revised(variable) for variable in self.variables if variable.key is not None])
        grown = [variable.key for variable in self.variables if variable.grows]
        self.variables = [variable for variable in self.variables if not variable.grows]
        changed = [key for key in self._changed_keys() if key not in grown]
        known = [variable.key for variable in self.variables]
        new = [self._changed(key) for key in changed if age_of(key) < self.began and key not in known]
        for variable in new:
            if not isinstance(variable.key, Value):
                self.aliases.start(variable, variable.start)
        aliased = self.aliases.end([(variable, variable.end) for variable in self._referring()], changed)
        self.variables += new
        return revised or bool(new) or aliased

    def _rows(self) -> list[Value]:
        """Return the parameters of the body that are rows of arrays."""
        return [leaf for leaf in leaves(self.element) if leaf.type is not INTEGER]

    def _number_rows(self, changed: Sequence[Any]) -> bool:
        """Let the loop go through the numbers of rows where the body changes these. Return whether it has to."""
        if self.source is None:
            return False
        root = self.reader.memory.root
        rows = dict(zip(arrays_of(self.source), self._rows(), strict=True))
        hit = {array for array, row in rows.items() if row in changed or root(array) in changed}
        if hit:
            self.source = numbered(self.reader, self.source, lambda array: array in hit)
        return bool(hit)

    def _changed_keys(self) -> list[Any]:
        """Return the arrays and containers that a turn has changed."""
        start = self.starting_memory
        return [key for key, held in self.body.memory.items() if start.get(key, NOTHING) is not held]

    def is_read(self, variable: Variable) -> bool:
        """Tell whether a turn uses what a variable is after the turn before."""
        body, condition = self.body, self.condition
        used = {value for node in body.graph.nodes for value in node.inputs}
        if condition is not None:
            used.update(value for node in condition.nodes for value in node.inputs)
            used.update(condition.results)
        ends = [each.held for each in self.variables if each is not variable]
        flags = [body.variables.get(flag, NOTHING) for flag in (RESULT, RETURNED, BROKE, DONE)]
        used.update(leaf for item in (*ends, *flags) for leaf in leaves(item) if isinstance(leaf, Value))
        items = [variable.item, self.condition_items.get(variable, NOTHING)]
        return any(leaf in used for item in items for leaf in self.own_parameters(item))

    def _is_revised(self, variable: Variable) -> bool:
        end = variable.end
        if variable.start is Unfinished or end is Unfinished or end is NOTHING or variable.changing is not None:
            return False
        if isinstance(end, Unset | Changing):
            return False
        if isinstance(end, Undecided):
            longest = max((each for each in end.either if isinstance(each, List)), key=len, default=None)
            return self._grows(variable, longest) or self._changes(variable, end.words, end.pairs)
        if isinstance(end, Undefined):
            variable.changing = end
            return True
        if variable.shape is NOTHING and variable.start is NOTHING:
            return self._is_first(variable, end)
        if variable.shape is NOTHING or variable.fixed:
            if are_equal(variable.start, end) or (variable.key is None and is_same_container(variable.start, end)):
                return False
            if variable.fixed:
                variable.fixed = variable.may_be_fixed = False
                return True
            return self._grows(variable, end) or self._changes(variable)
        if variable.key is None and variable.may_be_fixed and is_same_container(variable.item, end):
            variable.fixed = True
            return True
        if not same_structure(variable.shape, end):
            return self._grows(variable, end) or self._changes(variable)
        if variable.key is not None and list(refs_of(variable.start)) != list(refs_of(end)):
            return self._changes(variable, "holding one list, dict or object in one turn, and another one in the next")
        if self._keeps(variable, end):
            return True
        if variable.may_be_fixed and all(
            a is b for a, b in zip(variable.parameters(), variable.moving(end), strict=True)
        ):
            variable.fixed = True
            return self.is_read(variable)
        return self._is_wider(variable, end)

    def _keeps(self, variable: Variable, end: Any) -> bool:
        """Take note of the values in a container that stay what they are. Return whether there are others than thought."""
        if variable.start is NOTHING or not isinstance(variable.start, tuple):
            return False
        triples = zip(numbers(variable.start), numbers(variable.item), numbers(end), strict=True)
        same = {place for place, (_, before, after) in enumerate(triples) if before is after}
        kept = variable.kept
        variable.never_kept |= kept - same
        variable.kept = same - variable.never_kept
        if variable.kept == kept or len(variable.kept) == len(list(numbers(end))):
            variable.kept = kept
            return False
        variable.types = tuple(as_value(leaf).type for leaf in variable.moving(variable.start))
        return True

    def _grows(self, variable: Variable, end: Any) -> bool:
        """Let a list that a turn adds to be a value from here on, if it can be one."""
        variable.grows = as_growing(self.reader, variable.key, variable.start, end)
        if variable.grows:
            # the value for the list is from before the loop
            self.began = self.aliases.began = mark()
        return variable.grows

    def _is_first(self, variable: Variable, end: Any) -> bool:
        """Take note of what a variable is that has no value before the loop."""
        found = list(numbers(end))
        if not found or not any(isinstance(leaf, Value) and not isinstance(leaf, Constant) for leaf in found):
            return False
        if any(self._is_new(leaf) for leaf in found):
            return self._changes(variable)
        variable.shape = end
        variable.types = tuple(as_value(leaf).type for leaf in found)
        self._note_numbers(variable, end)
        assert isinstance(variable.item, Unset)
        return variable.item.joined

    def _is_new(self, leaf: Any) -> bool:
        """Tell whether an array has a size that is found out in each turn anew."""
        type = as_value(leaf).type
        sizes = type.shape[1:] if type.is_list else type.shape
        return any(symbol.serial > self.newest for size in sizes for symbol in symbols_of(size))

    def _is_wider(self, variable: Variable, end: Any) -> bool:
        """Take note of the types that a variable has after a turn."""
        types: list[Type] = []
        starts = variable.moving(variable.start) if variable.start is not NOTHING else [None] * len(variable.types)
        for before, after, start in zip(variable.types, variable.moving(end), starts, strict=True):
            is_constant = isinstance(start, Constant) or (start is not None and not isinstance(start, Value))
            try:
                type = None if self._is_new(after) else self._joined(before, as_value(after).type, is_constant)
            except EqualityUnknown as unknown:
                return self._changes(variable, pairs=unknown.pairs)
            if type is None:
                return self._changes(variable)
            types.append(type)
        wider = any(a != b and not _same(a, b) for a, b in zip(types, variable.types, strict=True))
        variable.types = tuple(types)
        held_numbers = variable.holds_numbers
        self._note_numbers(variable, end)
        return wider or variable.holds_numbers != held_numbers

    def _joined(self, a: Type, b: Type, is_constant: bool) -> Type | None:
        """Return the type that holds a variable's values before and after a turn; None where there is none.

        Raises EqualityUnknown.
        """
        dtype = joined_dtype(a, b)
        if a.rank != b.rank and is_constant and not a.rank:
            return None if dtype is None else Type(dtype, b.shape)
        return joined_type(a, b)

    def _place(self, name: str) -> cst.CSTNode:
        """Return where the body assigns a variable last."""
        places = [place for each, place in places_of(self.syntax.body) if each == name]
        return places[-1] if places else self.syntax

    def _changes(self, variable: Variable, words: str = "", pairs: Pairs = ()) -> bool:
        """Let every use of a variable's value of the turn before be an error."""
        name, after = variable.name, variable.end
        words = words or f"{in_words(variable.start)} before the loop and {in_words(after)} after a turn"
        what = f"`{name}`" if name else "what this loop changes"
        message = f"{what} is {words}"
        if variable.shape is not NOTHING and same_structure(variable.shape, after):
            types = [variable.types, tuple(as_value(leaf).type for leaf in variable.moving(after))]
            first, second = (", ".join(shape_words(each.shape) for each in kinds) for kinds in types)
            message = f"{what} changes its shape from turn to turn: {first} then {second}"
            if pairs:
                message = f"whether {what} keeps its shape from turn to turn is not known: {first} then {second}"
        variable.changing = Changing(self._place(name), message, words, pairs)
        return True


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


def _same(a: Type, b: Type) -> bool:
    """Tell whether two types are the same, but for the lengths of lists."""
    same_kind = (a.dtype, a.weak, a.rank, a.is_list) == (b.dtype, b.weak, b.rank, b.is_list)
    return same_kind and all(map(equal, a.shape[a.is_list :], b.shape[b.is_list :]))
