"""Reads a function's syntax tree into a graph: the statements.

In: a libcst function definition, the names that it sees, values for its parameters. Out: nodes in a builder's graph, and
what the function returns. The tables STATEMENTS and EXPRESSIONS are the list of what is allowed: a syntax class that is in
neither is an error at its place. Layer: above `builder`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import libcst as cst
import numpy as np

from flatgrad.binding import ArgumentError
from flatgrad.builder import Builder, StaticNeeded
from flatgrad.errors import FlatgradError, Problem, ShapeError, UnsupportedError
from flatgrad.frontend.source import Names, Source
from flatgrad.graph.size import SizeMismatch, SizeUnknown
from flatgrad.graph.values import Constant, List, Statement, Value
from flatgrad.infer import DtypeUnsupported, type_of
from flatgrad.registry import lookup


class Unfinished:
    """Stands for a variable whose assignment could not be read, so that one mistake is reported once."""


class Poisoned(Exception):
    """Ends the reading of a statement that uses an unfinished variable."""


NOTHING = object()

Expression = Callable[["Reader", Any], Any]
EXPRESSIONS: dict[type[cst.CSTNode], Expression] = {}
STATEMENTS: dict[type[cst.CSTNode], Callable[[Reader, Any], None]] = {}


def reads(*classes: type[cst.CSTNode]) -> Callable[[Expression], Expression]:
    """Enter the decorated function into EXPRESSIONS as the reader of these syntax classes."""

    def enter(function: Expression) -> Expression:
        EXPRESSIONS.update(dict.fromkeys(classes, function))
        return function

    return enter


def performs(*classes: type[cst.CSTNode]) -> Callable[[Expression], Expression]:
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
        # the names that the function assigns somewhere
        self.own_names: frozenset[str] = frozenset()
        self.returned: Any = NOTHING
        self.problems: list[FlatgradError] = []
        self.shared: set[Value] = set()
        self.spelled_out: set[Constant] = set()

    def function(self, definition: cst.FunctionDef, arguments: Mapping[str, Any]) -> Any:
        """Read the body with these values for the parameters, and return what it returns.

        Raises the problems found, all together.
        """
        self.variables.update(arguments)
        self.own_names = self.source.variables_of(definition)
        self.block(statements_of(definition.body))
        if self.problems:
            problems = [problem for error in self.problems for problem in error.problems]
            kinds = {type(error) for error in self.problems}
            raise (kinds.pop() if len(kinds) == 1 else FlatgradError)(problems)
        if self.returned is NOTHING:
            self.fail(
                f"`{definition.name.value}` returns nothing", definition.name, "return the value to differentiate"
            )
        return self.returned

    def block(self, statements: Sequence[cst.CSTNode]) -> None:
        """Read statements until one returns."""
        for statement in statements:
            if self.returned is not NOTHING:
                return
            self.statement(statement)

    def statement(self, syntax: cst.CSTNode) -> None:
        """Read one statement; a problem in it is noted, and reading goes on behind it."""
        perform = STATEMENTS.get(type(syntax))
        try:
            if perform is None:
                self.refuse(syntax)
            perform(self, syntax)
        except FlatgradError as error:
            if self.inlined:
                raise
            self.problems.append(error)
            self.poison(syntax)
        except Poisoned:
            self.poison(syntax)

    def poison(self, syntax: cst.CSTNode) -> None:
        """Mark what a statement would have assigned as unfinished."""
        assigned = AssignedNames()
        syntax.visit(assigned)
        self.variables.update(dict.fromkeys(assigned.names, Unfinished))
        if assigned.returns:
            self.returned = Unfinished

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

    def at_statement(self, line: cst.SimpleStatementLine | cst.If) -> None:
        """Note the statement that the next nodes come from, with its comments."""
        if self.inlined:
            return
        comments = [empty.comment.value for empty in line.leading_lines if empty.comment is not None]
        trailing = ""
        if isinstance(line, cst.SimpleStatementLine) and line.trailing_whitespace.comment is not None:
            trailing = line.trailing_whitespace.comment.value
        if self.source.has_inner_comments:
            inner = _InnerComments()
            for part in line.body if isinstance(line, cst.SimpleStatementLine) else (line.test,):
                part.visit(inner)
            comments += inner.comments
        self.builder.statement = Statement(self.source.location(line), tuple(comments), trailing)


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


class AssignedNames(cst.CSTVisitor):
    """Collects the names that a statement would bind, and whether it would return."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.returns = False

    def visit_AssignTarget_target(self, node: cst.AssignTarget) -> None:
        self._collect(node.target)

    def visit_AnnAssign_target(self, node: cst.AnnAssign) -> None:
        self._collect(node.target)

    def visit_AugAssign_target(self, node: cst.AugAssign) -> None:
        self._collect(node.target)

    def visit_NamedExpr_target(self, node: cst.NamedExpr) -> None:
        self._collect(node.target)

    def visit_For_target(self, node: cst.For) -> None:
        self._collect(node.target)

    def visit_Return(self, node: cst.Return) -> None:
        self.returns = True

    def _collect(self, target: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            self.names.append(target.value)
        elif isinstance(target, cst.Subscript | cst.Attribute | cst.StarredElement):
            self._collect(target.value)
        elif isinstance(target, cst.Tuple | cst.List):
            for element in target.elements:
                self._collect(element.value)


class _InnerComments(cst.CSTVisitor):
    """Collects the comments inside a statement of several lines."""

    def __init__(self) -> None:
        super().__init__()
        self.comments: list[str] = []

    def visit_Comment(self, node: cst.Comment) -> None:
        self.comments.append(node.value)


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
    if isinstance(item, type) or callable(item):
        return f"the function {called(item)}"
    return f"a {type(item).__name__}"


OPERATOR_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "neg": "-", "pos": "+", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "getitem": "[]",
    "and_": "&", "or_": "|", "xor": "^", "invert": "~", "not_": "not",
}  # fmt: skip

IN_PLACE_HINT = "assign a new array instead: np.where(...), np.concatenate(...), or y = y + ..."

# what a refused syntax class is called, and what to write instead
REFUSED: dict[str, tuple[str, str]] = {
    "For": ("a `for` loop", "write it with array operations: np.sum, np.mean, `@`"),
    "While": ("a `while` loop", "write it with array operations, or unroll it"),
    "With": ("a `with` block", "move it out of the function"),
    "Try": ("a `try` statement", "move it out of the function"),
    "TryStar": ("a `try` statement", "move it out of the function"),
    "Match": ("a `match` statement", "use np.where on data"),
    "FunctionDef": ("a function inside the function", "write its expression where it is used"),
    "ClassDef": ("a class inside the function", "move it out of the function"),
    "Raise": ("`raise`", "check the arguments before the call, or use assert"),
    "Del": ("`del`", "leave it out"),
    "Import": ("an import inside the function", "move it to the top of the file"),
    "ImportFrom": ("an import inside the function", "move it to the top of the file"),
    "Global": ("`global`", "return the value instead"),
    "Nonlocal": ("`nonlocal`", "return the value instead"),
    "Lambda": ("a lambda", "write its expression where it is used"),
    "DictComp": ("a dict comprehension", "name each array by itself"),
    "SetComp": ("a set comprehension", "name each array by itself"),
    "Dict": ("a dict", "name each array by itself"),
    "Set": ("a set", "use a tuple"),
    "Await": ("`await`", "compute before the call"),
    "Yield": ("`yield`", "return the value instead"),
    "Break": ("`break`", ""),
    "Continue": ("`continue`", ""),
    "TypeAlias": ("a `type` statement", "move it to the top of the file"),
    "StarredElement": ("a starred element", "write the elements one by one"),
    "ConcatenatedString": ("a string in several pieces", "write it in one piece"),
    "TemplatedString": ("a template string", "use an f-string"),
}
