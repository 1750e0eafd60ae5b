"""Reads the body of a rule into a graph, where its operation is differentiated.

In: a rule (a Python function), values for its parameters, the gradients that are wanted. Out: nodes, and a value for each
gradient. A rule is parsed once, when it is first needed, and read anew for each operation, so that what it asks about
ranks and attributes is decided there. Layer: above `reader`.
"""

from __future__ import annotations

import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import libcst as cst

from flatgrad.builder import Builder
from flatgrad.errors import SourceError
from flatgrad.frontend import (
    branches,
    builtin_calls,
    calls,
    comprehensions,
    container_methods,
    contexts,
    draws,
    effects,
    exceptions,
    expressions,
    iterator_calls,
    local_imports,
    loops,
    object_calls,
    operator_calls,
    patterns,
    piecewise_calls,
    statements,
    subscripts,
    texts,
)
from flatgrad.frontend.assigned import AssignedNames
from flatgrad.frontend.objects import CALL_READERS
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import NameUnknown, Source

READERS = (
    branches, builtin_calls, calls, comprehensions, container_methods, contexts, draws, effects, exceptions,
    expressions, iterator_calls, local_imports, loops, object_calls, operator_calls, patterns, piecewise_calls, statements,
    subscripts, texts,
)  # fmt: skip


class RuleNames:
    """The names that a rule sees: its module's globals and the builtins."""

    def __init__(self, rule: Callable[..., Any]) -> None:
        self._globals: Mapping[str, Any] = rule.__globals__

    def find(self, name: str) -> Any:
        """Return what a name stands for. Raises NameUnknown."""
        if name in self._globals:
            return self._globals[name]
        try:
            return getattr(builtins, name)
        except AttributeError:
            raise NameUnknown(f"`{name}` is not defined", "") from None

    def home(self, name: str) -> str | None:
        """Return None: no emitted module imports anything for a rule."""
        return None

    def imported(self, module: str, member: str, *, whole: bool) -> Any:
        """Raise NameUnknown: a rule imports nothing."""
        raise NameUnknown("a rule can't import anything")


@cache
def _parsed(rule: Callable[..., Any]) -> tuple[Source, cst.FunctionDef, RuleNames]:
    try:
        lines, first = inspect.getsourcelines(rule)
    except OSError as error:
        raise SourceError(f"the source of the rule `{rule.__name__}` can't be read: {error}") from None
    source = Source(inspect.getsourcefile(rule) or "", textwrap.dedent("".join(lines)))
    definition = next(statement for statement in source.module.body if isinstance(statement, cst.FunctionDef))
    return source, definition, RuleNames(rule)


class _NamesRead(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_Name(self, node: cst.Name) -> None:
        self.names.add(node.value)


@cache
def _needed(rule: Callable[..., Any], wanted: frozenset[str]) -> tuple[Sequence[cst.CSTNode], tuple[str, ...]]:
    """Return the statements of a rule that the wanted gradients need, and the names that it returns."""
    _, definition, _ = _parsed(rule)
    assert isinstance(definition.body, cst.IndentedBlock)
    *body, last = definition.body.body
    assert isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[0], cst.Return)
    returned = last.body[0].value
    elements = [element.value for element in returned.elements] if isinstance(returned, cst.Tuple) else [returned]
    names = tuple(element.value for element in elements if isinstance(element, cst.Name))
    if len(names) != len(elements):
        raise SourceError(f"the rule `{rule.__name__}` has to end with `return grad_<input>, ...`")
    live = {name for name in names if name in wanted}
    kept: list[cst.CSTNode] = []
    for statement in reversed(body):
        seen = _NamesRead()
        statement.visit(seen)
        if live & _assigned(statement):
            live |= seen.names
            kept.append(statement)
    return tuple(reversed(kept)), names


def inputs_with_gradient(rule: Callable[..., Any]) -> tuple[str, ...]:
    """Return the inputs of a rule that it returns a gradient for."""
    return tuple(name.removeprefix("grad_") for name in _needed(rule, frozenset())[1])


def _read_inline(
    reader: Reader, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], _: cst.CSTNode
) -> Any:
    """Read the body of a function that a rule calls into the place of the call, and return what it returns."""
    source, definition, names = _parsed(function)
    inner = Reader(reader.builder, names, source, inlined=True)
    inner.memory, inner.is_in_line = reader.memory, True
    inner.given = frozenset(inspect.signature(function).parameters)
    arguments = inspect.signature(function).bind(*args, **kwargs)
    arguments.apply_defaults()
    return inner.function(definition, arguments.arguments)


CALL_READERS["inline"] = _read_inline


def _assigned(statement: cst.CSTNode) -> set[str]:
    collected = AssignedNames()
    statement.visit(collected)
    return set(collected.names)


def read_rule(
    builder: Builder, rule: Callable[..., Any], arguments: Mapping[str, Any], wanted: Iterable[str]
) -> dict[str, Any]:
    """Append the body of a rule, and return the gradient of each wanted input by the input's name."""
    source, definition, names = _parsed(rule)
    names_wanted = frozenset(f"grad_{name}" for name in wanted)
    body, returned = _needed(rule, names_wanted)
    reader = Reader(builder, names, source, inlined=True)
    for parameter in definition.params.kwonly_params:
        if parameter.name.value not in arguments and parameter.default is not None:
            reader.variables[parameter.name.value] = reader.expression(parameter.default)
    reader.variables.update(arguments)
    parameters = inspect.signature(rule).parameters
    reader.given = frozenset([*parameters, *(f"grad_{name}" for name in parameters)])
    reader.start()
    reader.block(body)
    return {
        name.removeprefix("grad_"): reader.variables[name]
        for name in returned
        if name in names_wanted and name in reader.variables
    }
