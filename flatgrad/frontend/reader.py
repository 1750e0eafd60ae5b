"""Reads a function's syntax tree into a graph: the statements.

In: a libcst function definition, the names that it sees, values for its parameters. Out: nodes in a builder's graph, and
what the function returns. The tables STATEMENTS and EXPRESSIONS are the list of what is allowed: a syntax class that is in
neither is an error at its place. Layer: above `builder`.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeGuard

import libcst as cst
import numpy as np

from flatgrad.binding import ArgumentError
from flatgrad.builder import Builder, StaticNeeded
from flatgrad.errors import FlatgradError, Problem, ShapeError, UnsupportedError
from flatgrad.frontend.assigned import AssignedNames
from flatgrad.frontend.memory import Memory, Unknown, WritesToCaller, age_of, mark
from flatgrad.frontend.placeholders import (
    BROKE,
    DONE,
    ITEM,
    LEFT,
    NOTHING,
    RAISED,
    RESULT,
    RETURNED,
    ItemsNeeded,
    Poisoned,
    Postponed,
    Unfinished,
)
from flatgrad.frontend.recursion import deep_recursion
from flatgrad.frontend.refused import REFUSED
from flatgrad.frontend.source import Names, Source
from flatgrad.frontend.statement_lines import Guarded, Readable, StatementSyntax, statement_of, statements_of
from flatgrad.frontend.wording import called, described
from flatgrad.graph.containers import Dict, List, leaves, mapped
from flatgrad.graph.size import SizeMismatch, SizeUnknown
from flatgrad.graph.values import Constant, Value
from flatgrad.infer import DtypeUnsupported, type_of
from flatgrad.rules.creation import size_of_axis

COPY_HINTS = {"list": "make a copy: list(values)", "dict": "make a copy: dict(params)"}


class Undefined:
    """Stands for a variable that has no value, or none that could be used everywhere."""

    def used(self, reader: Reader, name: str, syntax: cst.CSTNode) -> Any:
        """Return what the variable stands for at the place where it is used, or raise what is wrong there."""
        raise NotImplementedError


class Unsure(Undefined):
    """Stands for what an array, list, dict or object holds where it may have been changed under another name, or not."""

    def __init__(self, words: str) -> None:
        self.words = words

    def used(self, reader: Reader, name: str, syntax: cst.CSTNode) -> NoReturn:
        """Raise what is not known."""
        reader.fail_at_memory(self.words, syntax, "make a copy before the change")


Expression = Callable[["Reader", Any], Any]
EXPRESSIONS: dict[type[cst.CSTNode], Expression] = {}
STATEMENTS: dict[type[Readable], Callable[[Reader, Any], None]] = {}


def reads(*classes: type[cst.CSTNode]) -> Callable[[Expression], Expression]:
    """Enter the decorated function into EXPRESSIONS as the reader of these syntax classes."""

    def enter(function: Expression) -> Expression:
        EXPRESSIONS.update(dict.fromkeys(classes, function))
        return function

    return enter


def performs(*classes: type[Readable]) -> Callable[[Expression], Expression]:
    """Enter the decorated function into STATEMENTS as the reader of these syntax classes."""

    def enter(function: Expression) -> Expression:
        STATEMENTS.update(dict.fromkeys(classes, function))
        return function

    return enter


class Reader:
    """Reads one function into the graph of `builder`.

    What an expression gives is a `Value`, or, where it is known when the code is written, the Python object itself:
    numbers, strings, None, functions, modules, and tuples, lists and slices that may hold values. `inlined` is set for
    the bodies of rules: there, whatever can be worked out is, and variables don't name values. `spelled_out` holds
    the constants of a rule that are printed as they are written there.
    """

    def __init__(self, builder: Builder, names: Names, source: Source, *, inlined: bool = False) -> None:
        self.builder = builder
        self.names = names
        self.source = source
        self.inlined = inlined
        self.variables: dict[str, Any] = {}
        # what has been changed in place, as it is now
        self.memory = Memory()
        # the place that is being read
        self.place: cst.CSTNode | None = None
        # leaves of the parameters that have the name of their place until a variable holds them
        self.unnamed: set[Value] = set()
        # of a reader in the scope of a comprehension: the one around it, and the names of its own variables
        self.around: Reader | None = None
        self.inner_names: frozenset[str] = frozenset()
        # the names that the function assigns somewhere
        self.own_names: frozenset[str] = frozenset()
        # the parameters of the rule that is being read, and what their gradients are called
        self.given: frozenset[str] = frozenset()
        self.definition: cst.FunctionDef | None = None
        self.problems: list[FlatgradError] = []
        self.spelled_out: set[Constant] = set()
        # values that are numbers, though no operation says so: elements of arrays, and what branches and loops make of numbers
        self.numbers: set[Value] = set()
        # functions that change what their callers see
        self.written: set[Any] = set()
        # whether a list that a loop appends to may be a value, of a length that is known at run time only
        self.may_grow = True
        # how many loops are being read turn by turn
        self.unrolled = 0
        # whether this reads into the graph of a caller, who sees what is changed
        self.is_in_line = False
        # how deep the place that is being read is in branches and loops
        self.depth = 0
        # whether the function is called from inside of a branch or loop
        self.conditional = False
        # the calls of the user's functions that led here, outermost first
        self.calls: tuple[Any, ...] = ()
        # the constants of the emitted module: those of one name in several files or closures are told apart
        self.constants: dict[str, Any] = {}
        self._blocks: list[tuple[Sequence[Readable], int]] = []

    def function(self, definition: cst.FunctionDef, arguments: Mapping[str, Any], *, is_procedure: bool = False) -> Any:
        """Read the body with these values for the parameters, and return what it returns.

        Raises the problems found, all together. A procedure returns nothing.
        """
        if not self.is_in_line:
            self.memory.began = mark()
            if not self.calls:
                self.memory.top = self.builder.graph
        self.variables.update(arguments)
        self.start()
        self.own_names = self.source.variables_of(definition)
        self.definition = definition
        with deep_recursion():
            # what stands behind an `if` that leaves is read inside of its other side
            self.block(statements_of(definition.body))
        if self.problems:
            problems = [problem for error in self.problems for problem in error.problems]
            kinds = {type(error) for error in self.problems}
            raise (kinds.pop() if len(kinds) == 1 else FlatgradError)(problems)
        if is_procedure:
            return None
        if self.variables[RETURNED] is not True:
            where = "" if self.variables[RETURNED] is False else " where none of its `return`s is reached"
            hint = "return the value to differentiate" + (" on every path" if where else "")
            self.fail(f"`{definition.name.value}` returns nothing{where}", definition.name, hint)
        result = self.variables[RESULT]
        if isinstance(result, Undefined):
            result = result.used(self, RESULT, definition.name)
        if result is RAISED:
            self.fail(f"`{definition.name.value}` raises on every path", definition.name)
        self.place = definition.name
        result = self.refreshed(result)
        if self.is_in_line:
            return result
        return mapped(result, lambda leaf: self.current(leaf) if isinstance(leaf, Value) else leaf)

    def start(self) -> None:
        """Note that no statement has left the function, or a loop, so far."""
        self.variables.update({RETURNED: False, BROKE: False, DONE: False, LEFT: False, RESULT: NOTHING})

    def block(self, statements: Sequence[Readable]) -> None:
        """Read statements until one leaves the block: returns, breaks or continues."""
        self._blocks.append((statements, 0))
        try:
            while self._blocks[-1][1] < len(statements):
                position = self._blocks[-1][1]
                left = self.variables.get(LEFT, False)
                if left is True:
                    return
                if left is not False:
                    self.statement(Guarded(lambda: None, *self.rest()))
                    return
                self._blocks[-1] = (statements, position + 1)
                self.statement(statements[position])
        finally:
            self._blocks.pop()

    def rest(self) -> Sequence[Readable]:
        """Take the statements behind the one that is being read out of their block, to be read elsewhere."""
        statements, position = self._blocks[-1]
        self._blocks[-1] = (statements, len(statements))
        return statements[position:]

    def statement(self, syntax: Readable) -> None:
        """Read one statement; a problem in it is noted, and reading goes on behind it."""
        perform = STATEMENTS.get(type(syntax))
        if isinstance(syntax, cst.CSTNode):
            self.place = syntax
        try:
            if isinstance(syntax, cst.CSTNode) and perform is None:
                self.refuse(syntax)
            assert perform is not None
            perform(self, syntax)
        except FlatgradError as error:
            if self.inlined:
                raise
            self.problems.append(error)
            self.poison(syntax)
        except Postponed:
            # its variables keep what they had, whose types are a first guess
            return
        except Poisoned:
            self.poison(syntax)

    def poison(self, syntax: Readable) -> None:
        """Mark what a statement would have assigned as unfinished."""
        assigned = AssignedNames()
        syntax.visit(assigned)
        self.variables.update(dict.fromkeys([*assigned.names, *assigned.changed], Unfinished))
        if assigned.returns:
            self.variables.update({LEFT: True, RETURNED: True, RESULT: Unfinished})

    def expression(self, syntax: cst.CSTNode) -> Any:
        """Return what an expression gives."""
        read = EXPRESSIONS.get(type(syntax))
        if read is None:
            self.refuse(syntax)
        self.place = syntax
        return read(self, syntax)

    def apply(
        self, syntax: cst.CSTNode, function: Callable[..., Any], *args: Any, form: str = "", **kwargs: Any
    ) -> Any:
        """Append an operation; what is wrong with it is reported at `syntax`."""
        self.place = syntax
        args = tuple([self._as_array(syntax, function, x, form) if is_list(x) else x for x in args])
        try:
            location = None if self.inlined else self.source.location(syntax)
            result = self.builder.apply(function, *args, form=form, location=location, **kwargs)
            for made in result if isinstance(result, tuple) else (result,):
                view = None if self.inlined else self.memory.view(made)
                if view is not None and not view.certain:
                    self.memory.is_one_of(made, [self.memory.root(view.source)])
            return result
        except SizeMismatch as error:
            self.fail(f"shapes do not fit in {called(function)}: {error}", syntax, kind=ShapeError)
        except SizeUnknown as error:
            if not hasattr(error, "problem"):
                error.problem = self.problem(  # type: ignore[attr-defined]
                    f"whether {error.words} is 1 decides what is broadcast here, and it is not known",
                    syntax,
                    "give numbers for the sizes: shapes='x=(10,)'",
                )
            raise
        except StaticNeeded as error:
            if not hasattr(error, "problem"):
                error.problem = self.problem(  # type: ignore[attr-defined]
                    f"{called(function)}: {error}", syntax, "give it a default, or write the number itself"
                )
            raise
        except ArgumentError as error:
            self.fail(f"{called(function)} {error}", syntax)
        except DtypeUnsupported as error:
            self.fail(f"{called(function)} {error}", syntax, "flatgrad differentiates real numbers only")
        except (TypeError, ValueError) as error:
            self.fail(f"{called(function)} does not take such arguments: {error}", syntax)

    def _as_array(self, syntax: cst.CSTNode, function: Callable[..., Any], x: Value, form: str) -> Value:
        """Return a list that grows in a loop as the array that NumPy makes of it."""
        if function in ON_LISTS or self.inlined:
            return x
        if form or getattr(function, "__module__", None) == "_operator":
            self.need_items("a list that grows in a loop is no array", syntax, "make an array of it: np.array(...)")
        array: Value = self.apply(syntax, np.array, x)
        return array

    def need_items(self, message: str, syntax: cst.CSTNode, hint: str) -> NoReturn:
        """Raise that the items of a list have to be known one by one: the loops that append to it may be written out."""
        if self.may_grow:
            raise ItemsNeeded
        self.fail(message, syntax, hint)

    def refreshed(self, item: Any) -> Any:
        """Return an item with all containers in it as they are now."""
        try:
            return self.memory.refreshed(self.builder, item)
        except Unknown as unknown:
            self._fail_at_unknown(unknown)

    def current(self, value: Value) -> Value:
        """Return what an array holds now."""
        try:
            return self.memory.current(self.builder, value)
        except Unknown as unknown:
            self._fail_at_unknown(unknown)

    def changed(self, before: Any, after: Any, syntax: cst.CSTNode) -> None:
        """Note that a list, dict or object holds something else now. Raises WritesToCaller."""
        ref = before.ref
        if ref is None and before == after and all(map(operator.is_, leaves(before), leaves(after))):
            # what `d[key] += x` puts back is the array that it has changed
            return
        if ref is None:
            kind = {List: "list", Dict: "dict"}.get(type(before), "object")
            self.fail(f"this would change its caller's {kind}", syntax, COPY_HINTS.get(kind, "make a copy of it"))
        if age_of(ref) < self.memory.began:
            raise WritesToCaller
        self.memory.note(before, after)
        self.lose(ref, "list, dict or object", syntax)

    def lose(self, key: Any, what: str, syntax: cst.CSTNode) -> None:
        """Note that no one can say any more what those hold that may be the same as what has been changed."""
        line = self.source.span(syntax)[0]
        for other in self.memory.related(key):
            self.memory[other] = Unsure(f"whether this is the {what} that is changed in line {line} is not known")

    def _fail_at_unknown(self, unknown: Unknown) -> NoReturn:
        place = self.place
        assert place is not None and isinstance(unknown.held, Undefined)
        unknown.held.used(self, ITEM, place)
        raise AssertionError(unknown.held)

    def constant(self, number: Any, name: str) -> Constant:
        """Return a number or array that was found under a name outside of the function."""
        key = (type(number), repr(number.tolist()) if isinstance(number, np.ndarray) else repr(number))
        return Constant(number, type_of(number), self.constant_name(name, key))

    def constant_name(self, name: str, key: Any) -> str:
        """Return the name of a constant of the emitted module; `key` tells it from others of its name."""
        return next(
            each
            for count in itertools.count(1)
            if self.constants.setdefault(each := name if count == 1 else f"{name}_{count}", key) == key
        )

    def value(self, item: Any, syntax: cst.CSTNode) -> Value:
        """Return an item as a value of the graph."""
        if isinstance(item, Value):
            return item
        if isinstance(item, bool | int | float | complex):
            return Constant(item, type_of(item))
        self.fail(f"a number or an array is needed here, not {described(item)}", syntax)

    def problem(self, message: str, syntax: cst.CSTNode, hint: str = "") -> Problem:
        """Return a problem at a place of the source."""
        return self.source.problem(message, syntax, hint)

    def fail(
        self, message: str, syntax: cst.CSTNode, hint: str = "", kind: type[FlatgradError] = UnsupportedError
    ) -> NoReturn:
        """Raise an error at a place of the source."""
        raise kind(self.problem(message, syntax, hint)) from None

    def fail_at_memory(self, message: str, syntax: cst.CSTNode, hint: str) -> NoReturn:
        """Raise that it is not known what is the same memory."""
        self.memory.loops.note(self.problem(message, syntax, hint))
        self.fail(message, syntax, hint)

    def refuse(self, syntax: cst.CSTNode) -> NoReturn:
        """Raise the error for a syntax class that is not on the list."""
        what, hint = REFUSED.get(type(syntax).__name__, (f"`{type(syntax).__name__}`", ""))
        self.fail(f"{what} can't be differentiated", syntax, hint)

    def at_statement(self, line: StatementSyntax) -> None:
        """Note the statement that the next nodes come from, with its comments."""
        if self.inlined:
            return
        self.builder.statement = statement_of(line, self.source)


JOINING = frozenset({np.stack, np.concatenate, np.vstack, np.hstack, np.dstack, np.column_stack})
# what takes a list as it is
ON_LISTS = JOINING | {operator.getitem, size_of_axis, len, sum, np.array, np.asarray}


def is_list(item: Any) -> TypeGuard[Value]:
    """Tell whether an item is a list that grows in a loop."""
    return isinstance(item, Value) and item.type.is_list
