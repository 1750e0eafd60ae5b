"""Reads the body of a loop that becomes a node: what its variables are from turn to turn.

The body is read with the types that its variables have before the loop; where they are wider after a turn, it is read again.
In: the syntax of a loop and what it goes through. Out: a node, or problems. Layer: above `joining`, below `loops`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import libcst as cst

from flatgrad.frontend.aliases import Aliases, with_new_refs
from flatgrad.frontend.assigned import AssignedNames, has_walrus
from flatgrad.frontend.branches import Side, branched, has_effects, resume, side
from flatgrad.frontend.growing import as_growing, of_any_length
from flatgrad.frontend.iterables import Iterable
from flatgrad.frontend.joining import (
    NUMBERS,
)
from flatgrad.frontend.leaf_names import part_names
from flatgrad.frontend.loop_variables import Variable, augmented_names, expected_keys, held_by, variable_of
from flatgrad.frontend.memory import Unknown, age_of, mark
from flatgrad.frontend.placeholders import BROKE, DONE, LEFT, NOTHING, RESULT, RETURNED, Unfinished
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.revisions import Revisions
from flatgrad.frontend.rows import arrays_of, element_of, numbered
from flatgrad.frontend.statement_lines import Step, statements_of
from flatgrad.frontend.truth import condition
from flatgrad.frontend.unpacking import bind_element
from flatgrad.frontend.unsettled import Unset
from flatgrad.graph.containers import leaves, mapped
from flatgrad.graph.size import Symbol
from flatgrad.graph.values import INTEGER, Graph, Value

# each reading makes a type wider: bool, int, float, an array of them
MOST_READINGS = 12


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
        self.revisions = Revisions(reader, syntax, self.is_read, self._grows)
        augmented = augmented_names(syntax.body)
        self.variables = [variable_of(reader, name, augmented) for name in dict.fromkeys(assigned.names)]
        self.variables += [held_by(reader, key) for key in expected_keys(reader, assigned.changed)]
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
        self.revisions.newest = Symbol().serial
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
        names = iter(part_names(variable.name, variable.shape))

        def parameter(leaf: Any) -> Any:
            own = next(names)
            if not isinstance(leaf, NUMBERS):
                return leaf
            place = next(count)
            if place in variable.kept:
                return leaf
            name = own if several and variable.name else variable.name or None
            made = Value(of_any_length(next(types)), name)
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
        if isinstance(found[0], Value) and not self.tests_inside:
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
        revised = any([self.revisions.is_revised(variable) for variable in self._bound()])
        if [variable for variable in self.variables if variable.fixed] != fixed and self._changed_keys():
            # what the turn changes is seen in the next reading only
            return True
        if self._number_rows(self._changed_keys()):
            return True
        revised |= any([self.revisions.is_revised(variable) for variable in self.variables if variable.key is not None])
        grown = [variable.key for variable in self.variables if variable.grows]
        self.variables = [variable for variable in self.variables if not variable.grows]
        changed = [key for key in self._changed_keys() if key not in grown]
        known = [variable.key for variable in self.variables]
        new = [held_by(self.reader, key) for key in changed if age_of(key) < self.began and key not in known]
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

    def _grows(self, variable: Variable, end: Any) -> bool:
        """Let a list that a turn adds to be a value from here on, if it can be one."""
        variable.grows = as_growing(self.reader, variable.key, variable.start, end)
        if variable.grows:
            # the value for the list is from before the loop
            self.began = self.aliases.began = mark()
        return variable.grows

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
