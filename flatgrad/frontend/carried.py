"""Reads the body of a loop that becomes a node: what its variables are from turn to turn.

The body is read with the types that its variables have before the loop; where they are wider after a turn, it is read again.
In: the syntax of a loop and what it goes through. Out: a node, or problems. Layer: above `joining`, below `loops`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from flatgrad.frontend.assigned import AssignedNames, has_walrus, places_of
from flatgrad.frontend.branches import Side, branched, has_effects, side
from flatgrad.frontend.iterables import Iterable
from flatgrad.frontend.joining import (
    NUMBERS,
    are_equal,
    as_value,
    in_words,
    joined_dtype,
    joined_type,
    shape_words,
)
from flatgrad.frontend.reader import (
    BROKE,
    DONE,
    LEFT,
    NOTHING,
    RESULT,
    RETURNED,
    Reader,
    Step,
    Unfinished,
    is_number,
    may_be_shared,
    statements_of,
)
from flatgrad.frontend.truth import condition
from flatgrad.frontend.unpacking import bind_element
from flatgrad.frontend.unsettled import Changing, EqualityUnknown, Pairs, Undecided, Unset
from flatgrad.graph.size import Symbol, equal, symbols_of
from flatgrad.graph.values import Constant, Graph, Type, Value, leaves, mapped

# each reading makes a type wider: bool, int, float, an array of them
MOST_READINGS = 12


@dataclass
class Variable:
    """A variable that the body assigns.

    `start` is what it is before the loop, NOTHING for nothing. `shape` is the structure that its values stand in, `types`
    are theirs, and `item` is what it is at the start of a turn in the reading at hand. `fixed` says that it stays what it is.
    """

    name: str
    start: Any
    shape: Any = NOTHING
    types: tuple[Type, ...] = ()
    item: Any = NOTHING
    end: Any = NOTHING
    fixed: bool = False
    may_be_fixed: bool = True
    changing: Changing | Undecided | None = None
    own: bool = True
    holds_numbers: bool = True

    @property
    def is_number(self) -> bool:
        """Whether it stands for values of the graph."""
        return self.shape is not NOTHING and not self.fixed and self.changing is None

    def parameters(self) -> tuple[Value, ...]:
        """Return the parameters of the body for its values."""
        if not self.is_number:
            return ()
        item = self.item.item if isinstance(self.item, Unset) else self.item
        return () if item is NOTHING else tuple(numbers(item))


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
        self.variables = [self._variable(name) for name in dict.fromkeys(assigned.names)]
        # the condition is a part of the body where it does more than to compute
        self.tests_inside = test is not None and has_walrus(test)
        self.never = False
        self.condition: Graph | None = None
        self.condition_items: dict[str, Any] = {}
        self.parameters: set[Value] = set()
        self.element: Any = ()
        self.body = Side(Graph("body"), {})

    def _variable(self, name: str) -> Variable:
        start = self.reader.variables.get(name, NOTHING)
        if isinstance(start, Unset):
            start = start.item
        if isinstance(start, Undecided | Changing):
            # no turn can use what it was before the loop, and if there is no turn, it is that behind it
            return Variable(name, NOTHING, changing=start)
        made = Variable(name, start)
        if start is not NOTHING and any(True for _ in numbers(start)):
            made.shape = start
            made.types = tuple(as_value(leaf).type for leaf in numbers(start))
            self._note_memory(made, start)
        return made

    def _note_memory(self, variable: Variable, item: Any) -> bool:
        """Note whether a variable holds memory of its own, and nothing but numbers. Return whether it was thought to."""
        before = variable.own, variable.holds_numbers
        variable.own &= not any(is_shared(self.reader, leaf) for leaf in numbers(item))
        variable.holds_numbers &= all(is_number(self.reader, as_value(leaf)) for leaf in numbers(item))
        return before != (variable.own, variable.holds_numbers)

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
        self.body = side(self.reader, "body", lambda: self._read_body(items))
        for variable in self.variables:
            variable.item = items[variable.name]
            variable.end = self.body.variables.get(variable.name, NOTHING)

    def _items(self) -> dict[str, Any]:
        """Return what each variable is at the start of a turn, with new parameters for its values."""
        return {variable.name: self._item(variable) for variable in self.variables}

    def _item(self, variable: Variable) -> Any:
        if variable.changing is not None:
            return variable.changing
        if variable.shape is NOTHING or variable.fixed:
            return Unset(self.reader.depth + 1) if variable.start is NOTHING else variable.start
        types = iter(variable.types)
        several = len(variable.types) > 1
        count = iter(range(len(variable.types)))

        def parameter(leaf: Any) -> Any:
            if not isinstance(leaf, NUMBERS):
                return leaf
            made = Value(next(types), f"{variable.name}_{next(count)}" if several else variable.name)
            self.parameters.add(made)
            if variable.own:
                self.reader.own.add(made)
            if variable.holds_numbers:
                self.reader.numbers.add(made)
            return made

        made = mapped(variable.shape, parameter)
        return Unset(self.reader.depth + 1, made) if variable.start is NOTHING else made

    def _read_condition(self, test: cst.BaseExpression) -> None:
        """Read the condition of a `while` into a graph of its own."""
        items = self._items()
        found: list[bool | Value] = []

        def read() -> None:
            self.reader.variables.update(items)
            found.append(condition(self.reader, self.reader.expression(test), test))

        graph = side(self.reader, "condition", read).graph
        self.tests_inside = has_effects(graph)
        self.never = found[0] is False
        self.condition = None
        if isinstance(found[0], Value):
            graph.parameters = [leaf for item in items.values() for leaf in self.own_parameters(item)]
            graph.results = [found[0]]
            self.condition = graph
            self.condition_items = items

    def own_parameters(self, item: Any) -> Iterator[Value]:
        """Return the parameters of the body, or of the condition, in an item."""
        inner = item.item if isinstance(item, Unset) else item
        return (leaf for leaf in leaves(inner) if isinstance(leaf, Value) and leaf in self.parameters)

    def _read_body(self, items: dict[str, Any]) -> None:
        reader, syntax = self.reader, self.syntax
        reader.variables.update(items)
        reader.variables.update({LEFT: False, RETURNED: False, BROKE: False, DONE: False, RESULT: NOTHING})
        if isinstance(syntax, cst.For):
            self.parameters.update(leaves(self.element))
            bind_element(reader, syntax.target, self.element)
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
        return any([self._is_revised(variable) for variable in self.variables])

    def is_read(self, variable: Variable) -> bool:
        """Tell whether a turn uses what a variable is after the turn before."""
        body, condition = self.body, self.condition
        used = {value for node in body.graph.nodes for value in node.inputs}
        if condition is not None:
            used.update(value for node in condition.nodes for value in node.inputs)
            used.update(condition.results)
        ends = [each.end for each in self.variables if each is not variable]
        flags = [body.variables.get(flag, NOTHING) for flag in (RESULT, RETURNED, BROKE, DONE)]
        used.update(leaf for item in (*ends, *flags) for leaf in leaves(item) if isinstance(leaf, Value))
        items = [variable.item, self.condition_items.get(variable.name, NOTHING)]
        return any(leaf in used for item in items for leaf in self.own_parameters(item))

    def _is_revised(self, variable: Variable) -> bool:
        end = variable.end
        if variable.start is Unfinished or end is Unfinished or end is NOTHING or variable.changing is not None:
            return False
        if isinstance(end, Unset | Changing):
            return False
        if isinstance(end, Undecided):
            return self._changes(variable, end.words, end.pairs)
        if variable.shape is NOTHING and variable.start is NOTHING:
            return self._is_first(variable, end)
        if variable.shape is NOTHING or variable.fixed:
            if are_equal(variable.start, end):
                return False
            if variable.fixed:
                variable.fixed = variable.may_be_fixed = False
                return True
            return self._changes(variable)
        if not same_structure(variable.shape, end):
            return self._changes(variable)
        if variable.may_be_fixed and all(a is b for a, b in zip(variable.parameters(), numbers(end), strict=True)):
            variable.fixed = True
            return self.is_read(variable)
        return self._is_wider(variable, end)

    def _is_first(self, variable: Variable, end: Any) -> bool:
        """Take note of what a variable is that has no value before the loop."""
        found = list(numbers(end))
        if not found or not any(isinstance(leaf, Value) and not isinstance(leaf, Constant) for leaf in found):
            return False
        if any(self._is_new(leaf) for leaf in found):
            return self._changes(variable)
        variable.shape = end
        variable.types = tuple(as_value(leaf).type for leaf in found)
        self._note_memory(variable, end)
        assert isinstance(variable.item, Unset)
        return variable.item.joined

    def _is_new(self, leaf: Any) -> bool:
        """Tell whether an array has a size that is found out in each turn anew."""
        sizes = as_value(leaf).type.shape
        return any(symbol.serial > self.newest for size in sizes for symbol in symbols_of(size))

    def _is_wider(self, variable: Variable, end: Any) -> bool:
        """Take note of the types that a variable has after a turn."""
        types: list[Type] = []
        starts = list(numbers(variable.start)) if variable.start is not NOTHING else [None] * len(variable.types)
        for before, after, start in zip(variable.types, numbers(end), starts, strict=True):
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
        lost = self._note_memory(variable, end)
        return wider or (lost and variable.name in self._augmented)

    @property
    def _augmented(self) -> set[str]:
        return {name for name, place in places_of(self.syntax.body) if isinstance(place, cst.AugAssign)}

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
        message = f"`{name}` is {words}"
        if variable.shape is not NOTHING and same_structure(variable.shape, after):
            types = [variable.types, tuple(as_value(leaf).type for leaf in numbers(after))]
            first, second = (", ".join(shape_words(each.shape) for each in kinds) for kinds in types)
            message = f"`{name}` changes its shape from turn to turn: {first} then {second}"
            if pairs:
                message = f"whether `{name}` keeps its shape from turn to turn is not known: {first} then {second}"
        variable.changing = Changing(self._place(name), message, words, pairs)
        return True


def numbers(item: Any) -> Iterator[Any]:
    """Return the numbers and arrays in an item."""
    return (leaf for leaf in leaves(item) if isinstance(leaf, NUMBERS))


def same_structure(a: Any, b: Any) -> bool:
    """Tell whether two items differ in nothing but in the numbers and arrays in them."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same_structure, a, b))
    return (isinstance(a, NUMBERS) and isinstance(b, NUMBERS)) or are_equal(a, b)


def is_shared(reader: Reader, leaf: Any) -> bool:
    """Tell whether a number or array may be memory that is known under another name."""
    is_memory = isinstance(leaf, Value) and not isinstance(leaf, Constant) and not leaf.type.weak
    return is_memory and may_be_shared(reader, leaf)


def _same(a: Type, b: Type) -> bool:
    return (a.dtype, a.weak, a.rank) == (b.dtype, b.weak, b.rank) and all(map(equal, a.shape, b.shape))
