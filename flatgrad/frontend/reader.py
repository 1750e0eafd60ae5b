"""Reads a function's syntax tree into a graph: the statements.

In: a libcst function definition, the names that it sees, values for its parameters. Out: nodes in a builder's graph, and
what the function returns. The tables STATEMENTS and EXPRESSIONS are the list of what is allowed: a syntax class that is in
neither is an error at its place. Layer: above `builder`.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import libcst as cst
import numpy as np

from flatgrad.binding import ArgumentError
from flatgrad.builder import Builder, StaticNeeded
from flatgrad.errors import FlatgradError, Problem, ShapeError, UnsupportedError
from flatgrad.frontend.assigned import AssignedNames, InnerComments
from flatgrad.frontend.recursion import deep_recursion
from flatgrad.frontend.refused import REFUSED
from flatgrad.frontend.source import Names, Source
from flatgrad.frontend.static_objects import StaticCall
from flatgrad.graph.size import SizeMismatch, SizeUnknown
from flatgrad.graph.values import Constant, List, Statement, Value
from flatgrad.infer import DtypeUnsupported, makes_number, type_of
from flatgrad.markers import stop_gradient
from flatgrad.registry import lookup


class Unfinished:
    """Stands for a variable whose assignment could not be read, so that one mistake is reported once."""


class Undefined:
    """Stands for a variable that has no value, or none that could be used everywhere."""

    def used(self, reader: Reader, name: str, syntax: cst.CSTNode) -> Any:
        """Return what the variable stands for at the place where it is used, or raise what is wrong there."""
        raise NotImplementedError


class Poisoned(Exception):
    """Ends the reading of a statement that uses an unfinished variable."""


class Postponed(Poisoned):
    """Ends the reading of a statement in a loop that needs what is behind it: the loop is read again."""


NOTHING = object()

# what a path through the function has done, among its variables: names that no variable can have
LEFT, RETURNED, BROKE, DONE, RESULT = "left?", "returned?", "broke?", "done?", "return value"


class Step:
    """A piece of reading that stands among the statements of a block; `syntax` is what it reads."""

    def __init__(self, read: Callable[[], None], *syntax: Readable) -> None:
        self.read = read
        self.syntax = syntax

    def visit(self, visitor: cst.CSTVisitor) -> None:
        """Show the syntax to a visitor."""
        for part in self.syntax:
            part.visit(visitor)


class Guarded(Step):
    """The statements behind one that has left the block on some paths."""


Readable = cst.CSTNode | Step

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
    the bodies of rules: there, whatever can be worked out is, and variables don't name values. `shared` holds the
    values whose memory is known under a second name, in a view or in a tuple, `spelled_out` the constants of a rule that
    are printed as they are written there.
    """

    def __init__(self, builder: Builder, names: Names, source: Source, *, inlined: bool = False) -> None:
        self.builder = builder
        self.names = names
        self.source = source
        self.inlined = inlined
        self.variables: dict[str, Any] = {}
        # what has been changed in place, as it is now: by the value that an array was made as, by the `ref` of a list, dict or object
        self.memory: dict[Any, Any] = {}
        # the names that the function assigns somewhere
        self.own_names: frozenset[str] = frozenset()
        self.definition: cst.FunctionDef | None = None
        self.problems: list[FlatgradError] = []
        self.shared: set[Value] = set()
        self.spelled_out: set[Constant] = set()
        # parameters of loop bodies whose memory belongs to no one else
        self.own: set[Value] = set()
        # values that are numbers, though no operation says so: elements of arrays, and what branches and loops make of numbers
        self.numbers: set[Value] = set()
        # how many loops are being read turn by turn
        self.unrolled = 0
        # how deep the place that is being read is in branches and loops
        self.depth = 0
        # the calls of the user's functions that led here, outermost first
        self.calls: tuple[Any, ...] = ()
        # the constants of the emitted module: those of one name in several files or closures are told apart
        self.constants: dict[str, Any] = {}
        self._blocks: list[tuple[Sequence[Readable], int]] = []

    def function(self, definition: cst.FunctionDef, arguments: Mapping[str, Any], *, is_procedure: bool = False) -> Any:
        """Read the body with these values for the parameters, and return what it returns.

        Raises the problems found, all together. A procedure returns nothing.
        """
        self.variables.update(arguments)
        self.variables.update({RETURNED: False, BROKE: False, DONE: False, LEFT: False, RESULT: NOTHING})
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
        return result

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
        self.variables.update(dict.fromkeys(assigned.names, Unfinished))
        if assigned.returns:
            self.variables.update({LEFT: True, RETURNED: True, RESULT: Unfinished})

    def expression(self, syntax: cst.CSTNode) -> Any:
        """Return what an expression gives."""
        read = EXPRESSIONS.get(type(syntax))
        if read is None:
            self.refuse(syntax)
        return read(self, syntax)

    def apply(
        self, syntax: cst.CSTNode, function: Callable[..., Any], *args: Any, form: str = "", **kwargs: Any
    ) -> Any:
        """Append an operation; what is wrong with it is reported at `syntax`."""
        try:
            location = None if self.inlined else self.source.location(syntax)
            result = self.builder.apply(function, *args, form=form, location=location, **kwargs)
            first = result[0] if isinstance(result, tuple) else result
            if not self.inlined and first.node is not None and shares_memory(first):
                # what is viewed has a second name, too
                self.shared.update(value for value in first.node.inputs if not value.type.weak)
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

    def constant(self, number: Any, name: str) -> Constant:
        """Return a number or array that was found under a name outside of the function."""
        key = (type(number), repr(number.tolist()) if isinstance(number, np.ndarray) else repr(number))
        free = next(
            each
            for count in itertools.count(1)
            if self.constants.setdefault(each := name if count == 1 else f"{name}_{count}", key) == key
        )
        return Constant(number, type_of(number), free)

    def value(self, item: Any, syntax: cst.CSTNode) -> Value:
        """Return an item as a value of the graph."""
        if isinstance(item, Value):
            return item
        if isinstance(item, bool | int | float):
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

    def refuse(self, syntax: cst.CSTNode) -> NoReturn:
        """Raise the error for a syntax class that is not on the list."""
        what, hint = REFUSED.get(type(syntax).__name__, (f"`{type(syntax).__name__}`", ""))
        self.fail(f"{what} can't be differentiated", syntax, hint)

    def at_statement(self, line: cst.SimpleStatementLine | cst.If | cst.For | cst.While | cst.Match) -> None:
        """Note the statement that the next nodes come from, with its comments."""
        if self.inlined:
            return
        comments = [empty.comment.value for empty in line.leading_lines if empty.comment is not None]
        trailing = ""
        behind = line.trailing_whitespace if isinstance(line, cst.SimpleStatementLine) else _behind_colon(line)
        if behind is not None and behind.comment is not None:
            trailing = behind.comment.value
        if self.source.has_inner_comments:
            inner = InnerComments()
            for part in _of_this_line(line):
                part.visit(inner)
            comments += inner.comments
        self.builder.statement = Statement(self.source.location(line), tuple(comments), trailing)


def _behind_colon(line: cst.If | cst.For | cst.While | cst.Match) -> cst.TrailingWhitespace | None:
    """Return what stands behind the colon of a statement with a body in lines of its own."""
    if isinstance(line, cst.Match):
        return line.whitespace_after_colon
    return line.body.header if isinstance(line.body, cst.IndentedBlock) else None


def _of_this_line(line: cst.SimpleStatementLine | cst.If | cst.For | cst.While | cst.Match) -> Sequence[cst.CSTNode]:
    """Return the parts of a statement that stand before its body."""
    if isinstance(line, cst.SimpleStatementLine):
        return line.body
    if isinstance(line, cst.For):
        return (line.target, line.iter)
    return (line.subject,) if isinstance(line, cst.Match) else (line.test,)


def statements_of(body: cst.BaseSuite) -> Sequence[cst.CSTNode]:
    """Return the statements of a body, in lines of their own or behind the colon."""
    if isinstance(body, cst.SimpleStatementSuite):
        return [cst.SimpleStatementLine(body.body)]
    return body.body


def shares_memory(value: Value) -> bool:
    """Tell whether an array may be a view of another one: what is picked by arrays of indices is a copy."""
    node = value.node
    record = lookup(node.function) if node is not None else None
    if node is None or record is None or not record.view:
        return node is None
    if node.function is operator.getitem:
        index = node.arguments["index"]
        parts = index if isinstance(index, tuple) and not isinstance(index, List) else (index,)
        is_copy = any(isinstance(part, List) or (isinstance(part, Value) and part.rank) for part in parts)
        # a single element is a number, unless an ellipsis makes it an array without axes
        return not is_copy and (value.rank > 0 or Ellipsis in [part for part in parts if not isinstance(part, Value)])
    return True


def may_be_shared(reader: Reader, value: Value) -> bool:
    """Tell whether an array may be known under a second name, so that a change in place could be seen elsewhere."""
    if is_number(reader, value):
        return False
    return value in reader.shared or (shares_memory(value) and value not in reader.own)


def is_number(reader: Reader, value: Value) -> bool:
    """Tell whether a value is a number for certain, which is never changed in place, and no array without axes."""
    if value.rank or value.type.weak or value in reader.numbers:
        return not value.rank
    if isinstance(value, Constant):
        return not isinstance(value.number, np.ndarray)
    node = value.node
    if node is None or node.bodies:
        return False
    if node.function is stop_gradient:
        return is_number(reader, node.inputs[0])
    return makes_number(node) or (node.function is operator.getitem and not shares_memory(value))


def called(function: Callable[..., Any]) -> str:
    """Return a function's name as the user writes it."""
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__name__", str(function))
    symbol = OPERATOR_SYMBOLS.get(name) if module == "_operator" else None
    if symbol:
        return f"`{symbol}`"
    if module.startswith("numpy"):
        place = "np.linalg" if hasattr(np.linalg, name) and not hasattr(np, name) else "np"
        return f"`{place}.{name}`"
    return f"`{module}.{name}`" if module not in ("", "builtins", "_operator") else f"`{name}`"


def described(item: Any) -> str:
    """Return in words what an item of the program is."""
    if isinstance(item, str):
        return "a string"
    if item is None:
        return "None"
    if isinstance(item, tuple):
        return "a tuple or list"
    if isinstance(item, StaticCall):
        return f"`{item.name}`, which is made by a call that is not run"
    if type(item).__module__.startswith("flatgrad.frontend.") and isinstance(getattr(item, "name", None), str):
        return f"the function `{item.name}`"
    if isinstance(item, type) or callable(item):
        return f"the function {called(item)}"
    return f"a {type(item).__name__}"


OPERATOR_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "neg": "-", "pos": "+", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "getitem": "[]",
    "and_": "&", "or_": "|", "xor": "^", "invert": "~", "not_": "not",
}  # fmt: skip

IN_PLACE_HINT = "assign a new array instead: np.where(...), np.concatenate(...), or y = y + ..."
