"""Finds out which parameters of a function can only be arrays or functions, also where they are passed on to helpers.

In: a definition, the names of parameters. Out: the first such use of each. Layer: `frontend`, above `parameters`.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst
import numpy as np

from flatgrad import nn
from flatgrad.errors import FlatgradError, Problem
from flatgrad.frontend.callees import callee_of, is_decorated, is_followed
from flatgrad.frontend.parameters import python_signature
from flatgrad.frontend.reader import statements_of
from flatgrad.frontend.source import Definition, NameUnknown, Source
from flatgrad.frontend.static_objects import StaticFunction, StaticModule

# the first argument of these is an array, and of some all are
FIRST = (
    "sum", "mean", "prod", "max", "min", "var", "std", "reshape", "ravel", "transpose", "swapaxes", "moveaxis", "squeeze",
    "expand_dims", "broadcast_to", "concatenate", "stack", "split", "zeros_like", "ones_like", "full_like", "norm",
    "softmax", "log_softmax", "logsumexp", "argmax", "argmin",
)  # fmt: skip
ALL = ("dot", "matmul", "inner", "outer", "vdot", "softmax_cross_entropy", "einsum", "tensordot")
BUILTIN = (len, sum, max, min)
THROUGH = (enumerate, zip, reversed)


def _functions(names: Iterable[str]) -> tuple[object, ...]:
    found = [getattr(module, name, None) for name in names for module in (np, np.linalg, nn)]
    return tuple(function for function in found if function is not None)


OF_ARRAY = _functions(FIRST)
OF_ARRAYS = (*_functions(ALL), *THROUGH)


@dataclass(frozen=True, slots=True)
class Use:
    """A place where a parameter is used; `calls` are those of helpers that led there, the innermost first."""

    source: Source
    syntax: cst.CSTNode
    calls: tuple[tuple[Source, cst.CSTNode], ...] = ()

    def problem(self, message: str, hint: str) -> Problem:
        """Return a problem at this place."""
        problem = self.source.problem(message, self.syntax, hint)
        led_here = tuple(source.problem("", syntax) for source, syntax in self.calls)
        return replace(problem, called_from=led_here)


@dataclass(slots=True)
class Uses:
    """The first use of each parameter that only an array allows, and the first one that only a function allows."""

    as_arrays: dict[str, Use] = field(default_factory=dict)
    as_functions: dict[str, Use] = field(default_factory=dict)


# by function and parameters: what was found, also while it is being looked for
Found = dict[tuple[cst.FunctionDef, tuple[str, ...]], Uses]


def uses_of_parameters(
    definition: Definition,
    names: Sequence[str],
    found: Found | None = None,
    enclosing: frozenset[str] = frozenset(),
) -> Uses:
    """Return where these parameters are used as arrays and as functions; `enclosing` are variables of the function around it."""
    found = {} if found is None else found
    key = (definition.syntax, tuple(names))
    if key not in found:
        found[key] = Uses()
        own = enclosing | definition.source.variables_of(definition.syntax)
        finder = _Finder(definition, set(names), own, found[key], found)
        for statement in statements_of(definition.syntax.body):
            statement.visit(finder)
            finder.names -= _assigned(statement)
    return found[key]


def _assigned(statement: cst.CSTNode) -> set[str]:
    """Return the names that stand for something else behind a statement, whatever happens in it."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return set()
    targets = [target.target for small in statement.body if isinstance(small, cst.Assign) for target in small.targets]
    return {target.value for target in targets if isinstance(target, cst.Name)}


class _Finder(cst.CSTVisitor):
    """Enters what it sees into `uses`. `names` are the parameters; a function inside of this one may hide them."""

    def __init__(self, definition: Definition, names: set[str], own: frozenset[str], uses: Uses, found: Found) -> None:
        super().__init__()
        self.definition = definition
        self.names = names
        self.uses = uses
        self.own = own
        self.found = found
        self.inner: dict[str, cst.FunctionDef] = {}
        self.hidden: list[set[str]] = []

    def _note(self, syntax: cst.CSTNode, place: cst.CSTNode) -> None:
        """Note that some syntax is used as an array, where it is a parameter."""
        if isinstance(syntax, cst.Name) and syntax.value in self.names:
            self.uses.as_arrays.setdefault(syntax.value, Use(self.definition.source, place))

    def visit_Subscript(self, node: cst.Subscript) -> None:
        self._note(node.value, node)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self._note(node.value, node)

    def visit_BinaryOperation(self, node: cst.BinaryOperation) -> None:
        if isinstance(node.operator, cst.MatrixMultiply):
            self._note(node.left, node)
            self._note(node.right, node)

    def visit_For(self, node: cst.For) -> None:
        self._note(node.iter, node.iter)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._note(node.iter, node.iter)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if not node.decorators:
            self.inner[node.name.value] = node
        self._hide(node.params)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self.names |= self.hidden.pop()

    def visit_Lambda(self, node: cst.Lambda) -> None:
        self._hide(node.params)

    def leave_Lambda(self, original_node: cst.Lambda) -> None:
        self.names |= self.hidden.pop()

    def _hide(self, params: cst.Parameters) -> None:
        own = {param.name.value for param in (*params.posonly_params, *params.params, *params.kwonly_params)}
        self.hidden.append(self.names & own)
        self.names -= own

    def visit_Call(self, node: cst.Call) -> None:
        if isinstance(node.func, cst.Name) and node.func.value in self.names:
            self.uses.as_functions.setdefault(node.func.value, Use(self.definition.source, node.func))
            return
        if not any(
            isinstance(argument.value, cst.Name) and argument.value.value in self.names for argument in node.args
        ):
            return
        helper = self._helper(node.func)
        if helper is not None:
            self._follow(helper, node)
            return
        function = self._object(node.func)
        by_place = [argument.value for argument in node.args if argument.keyword is None]
        has_axis = any(
            argument.keyword is not None and argument.keyword.value in ("axis", "keepdims") for argument in node.args
        )
        if any(function is each for each in OF_ARRAYS):
            arrays = by_place
        elif any(function is each for each in BUILTIN):
            # several numbers have a largest one, too
            arrays = by_place if len(by_place) == 1 else []
        else:
            arrays = by_place[:1] if has_axis or any(function is each for each in OF_ARRAY) else []
        for argument in arrays:
            self._note(argument, node)

    def _object(self, syntax: cst.CSTNode) -> Any:
        """Return what a name or a chain of attributes stands for outside of the function; None where that is not known."""
        try:
            if isinstance(syntax, cst.Name) and syntax.value not in self.own:
                return self.definition.names.find(syntax.value)
            if isinstance(syntax, cst.Attribute):
                owner = self._object(syntax.value)
                if isinstance(owner, StaticModule):
                    return owner.member(syntax.attr.value)
                return getattr(owner, syntax.attr.value, None) if isinstance(owner, types.ModuleType) else None
        except NameUnknown:
            # the reader says so at the same place
            return None
        return None

    def _helper(self, syntax: cst.CSTNode) -> Definition | None:
        """Return the user's function that is called, where its source can be had: if not, the reader says why."""
        definition = self.definition
        if isinstance(syntax, cst.Name) and syntax.value in self.inner:
            inner = self.inner[syntax.value]
            return Definition(definition.source, inner, definition.line, definition.names)
        function = self._object(syntax)
        if not is_followed(function) or not (
            isinstance(function, StaticFunction | types.FunctionType) or is_decorated(function)
        ):
            return None
        try:
            return callee_of(function).definition
        except FlatgradError:
            return None

    def _follow(self, helper: Definition, call: cst.Call) -> None:
        """Note the uses of parameters that a helper makes of what it is given."""
        if any(argument.star for argument in call.args):
            return
        by_place = [argument.value for argument in call.args if argument.keyword is None]
        by_name = {argument.keyword.value: argument.value for argument in call.args if argument.keyword is not None}
        try:
            given: Mapping[str, Any] = python_signature(helper).bind(*by_place, **by_name).arguments
        except TypeError:
            # the reader says what does not fit
            return
        passed = {
            inner: outer.value
            for inner, outer in given.items()
            if isinstance(outer, cst.Name) and outer.value in self.names
        }
        enclosing = self.own if helper.syntax in self.inner.values() else frozenset()
        inside = uses_of_parameters(helper, list(passed), self.found, enclosing)
        for found, own in ((inside.as_arrays, self.uses.as_arrays), (inside.as_functions, self.uses.as_functions)):
            for inner, use in found.items():
                led_here = (*use.calls, (self.definition.source, call))
                own.setdefault(passed[inner], Use(use.source, use.syntax, led_here))
