"""The user's source: its text, its syntax trees, and the places in it.

In: a file's path or its text. Out: `Source`, and `Definition`: a function's syntax with what the names in it stand for.
Layer: bottom of `frontend`; `live` and `static` find the definitions, `reader` reads them.
"""

from __future__ import annotations

import ast
import io
import os
import symtable
import tokenize
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from flatgrad.errors import Problem, SourceError, UnsupportedError, syntax_problem
from flatgrad.frontend.decoding import decoded
from flatgrad.frontend.recursion import C_RECURSION_LIMIT, deep_recursion
from flatgrad.frontend.trees import (
    AnyDef,
    Lambdas,
    NamesOfLambda,
    definitions_of,
    syntax_of_definitions,
    with_normal_names,
)
from flatgrad.options import Options

Syntax = cst.CSTNode | ast.AST

LAMBDA = "lambda"


@dataclass(frozen=True, slots=True)
class Place:
    """A `graph.values.Location` whose numbers are worked out when they are asked for."""

    source: Source
    syntax: Syntax

    @property
    def file(self) -> str:
        return self.source.file

    @property
    def line(self) -> int:
        return self.source.span(self.syntax)[0]

    @property
    def column(self) -> int:
        return self.source.span(self.syntax)[1]

    def problem(self, message: str, hint: str = "") -> Problem:
        """Return a problem at this place."""
        return self.source.problem(message, self.syntax, hint)


@dataclass(frozen=True, slots=True)
class LambdaPlace:
    """One lambda of a file, in both trees."""

    syntax: cst.Lambda
    node: ast.Lambda


@dataclass(frozen=True, slots=True)
class FunctionPlace:
    """One `def` of a file, in both trees."""

    name: str
    qualname: str
    syntax: cst.FunctionDef
    node: AnyDef

    @property
    def line(self) -> int:
        """The line of `def`."""
        return self.node.lineno

    @property
    def first_line(self) -> int:
        """The line of the first decorator, or of `def`."""
        return min([self.node.lineno, *(decorator.lineno for decorator in self.node.decorator_list)])


class Source:
    """The text of one file, or of one cell or string that Python knows the text of.

    `file` is the name to show: the path as the user gave it. Line ends are ``\\n`` in `text`, as Python reads them.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")

    def __repr__(self) -> str:
        return f"Source({self.file!r})"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Source:
        """Return the source in a file. Raises SourceError where there is none that can be read."""
        file = os.fspath(path)
        try:
            with open(file, "rb") as stream:
                data = stream.read()
        except OSError as error:
            raise SourceError(Problem(f"can't read the file: {error.strerror or error}", file=file)) from None
        except ValueError as error:
            raise SourceError(Problem(f"not the path of a file: {error}", file=file)) from None
        source = cls(file, decoded(data, file))
        if not source.text.strip():
            raise SourceError(Problem("the file is empty", file=file))
        return source

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines of the text without their ends: split where Python splits them, which `str.splitlines` does not."""
        return tuple(self.text.split("\n"))

    @cached_property
    def tree(self) -> ast.Module:
        """Python's own syntax tree. Raises SourceError at a syntax error."""
        try:
            # Python has shown its warnings on this text when it was imported
            with deep_recursion(C_RECURSION_LIMIT), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text)
        except SyntaxError as error:
            raise SourceError(syntax_problem(error, self.file, self.lines)) from None
        except (RecursionError, MemoryError):
            hint = "split the expression into several statements"
            raise SourceError(Problem("an expression is nested too deeply to be parsed", hint, self.file)) from None

    @cached_property
    def module(self) -> cst.Module:
        """The syntax tree with its comments. Raises SourceError at a syntax error."""
        # Python parses first: its messages are clearer, and what it refuses is not Python
        _ = self.tree
        try:
            module = cst.parse_module(self.text)
            with deep_recursion():
                return module if self.text.isascii() else with_normal_names(module)
        except cst.ParserSyntaxError as error:
            line = error.raw_line
            text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
            message = f"syntax that can't be read: {error.message}"
            raise SourceError(
                Problem(message, "", self.file, line, error.raw_column + 1, error.raw_column + 2, text)
            ) from None

    @cached_property
    def has_inner_comments(self) -> bool:
        """Whether there are comments inside brackets, between the lines of a statement."""
        depth = 0
        if "#" in self.text:
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
                if token.type == tokenize.OP:
                    depth += (token.string in "([{") - (token.string in ")]}")
                elif token.type == tokenize.COMMENT and depth:
                    return True
        return False

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        with deep_recursion():
            try:
                return MetadataWrapper(self.module, unsafe_skip_copy=True).resolve(PositionProvider)
            except KeyError as error:
                # where this is stopped by Ctrl-C, libcst's way out raises errors of its own
                first: BaseException = error
                while first.__context__ is not None and isinstance(first, KeyError):
                    first = first.__context__
                raise first from None

    def span(self, syntax: Syntax) -> tuple[int, int, int, int]:
        """Return line, column, end line and end column of a part of one of the trees; columns count from 1.

        The first call for a part of `module` walks the whole file.
        """
        if isinstance(syntax, cst.CSTNode):
            place = self._positions[self._stand_ins.get(syntax, syntax)]
            return place.start.line, place.start.column + 1, place.end.line, place.end.column + 1
        line, end_line = syntax.lineno, syntax.end_lineno  # type: ignore[attr-defined]
        start, end = syntax.col_offset, syntax.end_col_offset  # type: ignore[attr-defined]
        return line, self._column(line, start), end_line, self._column(end_line, end)

    def _column(self, line: int, offset: int) -> int:
        """Return the column of an offset in bytes, which is what Python's own tree has."""
        return len(self.lines[line - 1].encode()[:offset].decode()) + 1

    def stand_in(self, made: cst.CSTNode, syntax: cst.CSTNode) -> None:
        """Note that a piece of syntax that is in no file stands at the place of another one."""
        self._stand_ins[made] = syntax

    def location(self, syntax: Syntax) -> Place:
        """Return the place of a part of one of the trees, to be worked out when someone asks."""
        return Place(self, syntax)

    def problem(self, message: str, syntax: Syntax | None = None, hint: str = "") -> Problem:
        """Return a problem that points at a part of one of the trees; without one, at the whole file."""
        if syntax is None:
            return Problem(message, hint, self.file)
        line, column, end_line, end = self.span(syntax)
        text = self.lines[line - 1]
        return Problem(message, hint, self.file, line, column, end if end_line == line else len(text) + 1, text)

    @cached_property
    def functions(self) -> tuple[FunctionPlace, ...]:
        """Every `def` of the file, in order, at any depth."""
        nodes = definitions_of(self.tree)
        syntaxes = syntax_of_definitions(self.module)
        return tuple(
            FunctionPlace(node.name, qualname, syntax, node)
            for (qualname, node), syntax in zip(nodes, syntaxes, strict=True)
        )

    @cached_property
    def _by_syntax(self) -> dict[cst.FunctionDef, FunctionPlace]:
        return {place.syntax: place for place in self.functions}

    def place_of(self, definition: cst.FunctionDef) -> FunctionPlace:
        """Return the place of a `def` of this file."""
        return self._by_syntax[definition]

    def value_of(self, statement: ast.AST) -> cst.BaseExpression:
        """Return what an assignment at the top level of the file assigns, of the other tree."""
        small = [
            part
            for each in self.module.body
            for part in (each.body if isinstance(each, cst.SimpleStatementLine) else [each])
        ]
        (found,) = (part for part, node in zip(small, self.tree.body, strict=True) if node is statement)
        assert isinstance(found, cst.Assign | cst.AnnAssign) and found.value is not None
        return found.value

    @cached_property
    def lambdas(self) -> tuple[LambdaPlace, ...]:
        """Every lambda of the file, in order, at any depth."""
        with deep_recursion():
            nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Lambda)]
            found = Lambdas()
            self.module.visit(found)
        nodes.sort(key=lambda node: (node.lineno, node.col_offset))
        return tuple(LambdaPlace(syntax, node) for syntax, node in zip(found.found, nodes, strict=True))

    @cached_property
    def name_counts(self) -> dict[cst.CSTNode, Counter[str]]:
        """How often each name occurs in parts of `module`, as far as someone has counted."""
        return {}

    @cached_property
    def _stand_ins(self) -> dict[cst.CSTNode, cst.CSTNode]:
        return {}

    @cached_property
    def _made_of_lambdas(self) -> dict[cst.Lambda, cst.FunctionDef]:
        return {}

    def definition_of(self, syntax: cst.Lambda) -> cst.FunctionDef:
        """Return the `def` that a lambda of this file is short for; its places are those of the lambda."""
        if syntax not in self._made_of_lambdas:
            name, result = cst.Name(LAMBDA), cst.Return(syntax.body)
            made = cst.FunctionDef(name, syntax.params, cst.SimpleStatementSuite([result]))
            self._stand_ins.update(dict.fromkeys((name, made), syntax) | {result: syntax.body})
            self._made_of_lambdas[syntax] = made
        return self._made_of_lambdas[syntax]

    def is_lambda(self, definition: cst.FunctionDef) -> bool:
        """Tell whether a `def` is not in the file, but what a lambda there is short for."""
        return definition in self._stand_ins

    def variables_of(self, definition: cst.FunctionDef) -> frozenset[str]:
        """Return the names that a function assigns: Python looks for these nowhere else."""
        if self.is_lambda(definition):
            assigned = NamesOfLambda()
            definition.visit(assigned)
            return frozenset(assigned.names)
        place = self.place_of(definition)
        for line in (place.line, place.first_line):
            if (place.name, line) in self._variables:
                return self._variables[place.name, line]
        raise AssertionError(f"no symbols of {place.qualname}")

    @cached_property
    def _variables(self) -> Mapping[tuple[str, int], frozenset[str]]:
        """The names that each function assigns, by its name and line."""
        with deep_recursion(C_RECURSION_LIMIT), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tables = [symtable.symtable(self.text, self.file, "exec")]
        found: dict[tuple[str, int], frozenset[str]] = {}
        for table in tables:
            if isinstance(table, symtable.Function):
                found.setdefault((table.get_name(), table.get_lineno()), frozenset(table.get_locals()))
            tables += table.get_children()
        return found

    def first_line(self, definition: cst.FunctionDef) -> int:
        """Return the line of the `def` keyword, without working out any other position."""
        return self.place_of(definition).line


class NameUnknown(LookupError):
    """A name that stands for nothing, or for something that can't be told without running the file."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Names(Protocol):
    """What the names stand for that a function uses and does not assign."""

    def home(self, name: str) -> str | None:
        """Return the module of the user's from which others can import what a name stands for; None where there is none."""
        ...

    def find(self, name: str) -> object:
        """Return the object. Raises NameUnknown."""
        ...

    def imported(self, module: str, member: str, *, whole: bool) -> object:
        """Return what an import inside of the function brings: a member of a module, or the module.

        Without `whole` it is the outermost package of `module`. Raises NameUnknown.
        """
        ...


@dataclass(frozen=True, slots=True)
class ForeignObject:
    """Something of a module that flatgrad has no need to import, such as a type for annotations.

    `arguments` are those in brackets: ``Float[np.ndarray, "n"]``.
    """

    dotted_name: str
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A function's source, and what the names in it stand for. `display` is its name for messages.

    `defaults` holds the values of the parameters' defaults where they are known, as those of a function object are.
    """

    source: Source
    syntax: cst.FunctionDef
    line: int
    names: Names
    options: Options = field(default_factory=Options)
    display: str = ""
    defaults: Mapping[str, object] = field(default_factory=dict)


def definition_at(place: FunctionPlace, source: Source, names: Names, options: Options) -> Definition:
    """Return the definition at a place. Raises UnsupportedError for a coroutine or a generator."""
    node = place.node
    if isinstance(node, ast.AsyncFunctionDef):
        message = f"{place.name} is a coroutine, which has no value to differentiate"
        raise UnsupportedError(source.problem(message, node, "write it without async and await"))
    pending: list[ast.AST] = list(node.body)
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Yield | ast.YieldFrom):
            message = f"{place.name} is a generator, which has no value to differentiate"
            raise UnsupportedError(source.problem(message, part, "return the value"))
        if not isinstance(part, ast.Lambda | ast.ClassDef | AnyDef):
            pending += ast.iter_child_nodes(part)
    display = place.qualname.replace(".<locals>", "")
    return Definition(source, place.syntax, place.line, names, options, display)
