"""Finds out what a function uses its parameters as: arrays, functions, dicts and objects, also where they are passed on to helpers.

In: a definition, the names of parameters. Out: a `Used` for each, with those of its parts. Layer: `frontend`, above
`parameters`.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import libcst as cst
import numpy as np

from flatgrad import nn
from flatgrad.errors import FlatgradError
from flatgrad.frontend.callees import callee_of, is_decorated, is_followed
from flatgrad.frontend.parameters import python_signature
from flatgrad.frontend.source import Definition, NameUnknown
from flatgrad.frontend.statement_lines import statements_of
from flatgrad.frontend.static_objects import StaticFunction, StaticModule
from flatgrad.frontend.used_parts import EVERY, Use, Used

# the first argument of these is an array, and of some all are
FIRST = (
    "sum", "mean", "prod", "max", "min", "var", "std", "reshape", "ravel", "transpose", "swapaxes", "moveaxis", "squeeze",
    "expand_dims", "broadcast_to", "concatenate", "stack", "split", "zeros_like", "ones_like", "full_like", "norm",
    "softmax", "log_softmax", "logsumexp", "argmax", "argmin", "diag", "diagonal", "trace", "tril", "triu", "sort", "argsort",
    "layer_norm", "rms_norm", "batch_norm", "group_norm", "max_pool2d", "avg_pool2d", "embedding",
    "median", "average", "flip", "roll", "cumsum", "cumprod", "diff", "inv", "det", "slogdet", "cholesky",
)  # fmt: skip
ALL = (
    "dot",
    "matmul",
    "inner",
    "outer",
    "vdot",
    "softmax_cross_entropy",
    "cross_entropy",
    "conv1d",
    "conv2d",
    "attention",
    "einsum",
    "tensordot",
    "solve",
)
BUILTIN = (len, sum, max, min)
THROUGH = (enumerate, zip, reversed)
# what these give has the parts of what they are given
COPIES = (dict, list, tuple, reversed)
OF_DICTS = frozenset({"items", "keys", "values", "get", "pop", "popitem", "setdefault", "update"})
OF_LISTS = frozenset({"append", "extend", "insert", "pop", "remove", "index", "count"})
OF_TUPLES = frozenset({"_replace", "_asdict"})
METHODS = OF_DICTS | OF_LISTS | OF_TUPLES | {name for name in dir(np.ndarray) if callable(getattr(np.ndarray, name))}


def _functions(names: Iterable[str]) -> tuple[object, ...]:
    found = [getattr(module, name, None) for name in names for module in (np, np.linalg, nn)]
    return tuple(function for function in found if function is not None)


OF_ARRAY = _functions(FIRST)
OF_ARRAYS = (*_functions(ALL), *THROUGH)

# by function and parameters: what was found, None while it is being looked for
Found = dict[tuple[cst.FunctionDef, tuple[str, ...]], dict[str, Used] | None]


def uses_of_parameters(
    definition: Definition,
    names: Sequence[str],
    found: Found | None = None,
    enclosing: frozenset[str] = frozenset(),
) -> dict[str, Used]:
    """Return how these parameters are used; `enclosing` are variables of the function around it."""
    found = {} if found is None else found
    key = (definition.syntax, tuple(names))
    if key not in found:
        found[key] = None
        own = enclosing | definition.source.variables_of(definition.syntax)
        uses = {name: Used() for name in names}
        finder = _Finder(definition, dict(uses), own, found)
        for statement in statements_of(definition.syntax.body):
            statement.visit(finder)
            finder.forget(statement)
        found[key] = uses
    # in a recursion there is nothing new to be found
    return found[key] or {}


class _Finder(cst.CSTVisitor):
    """Enters what it sees into what `known` names stand for; a function inside of this one may hide some."""

    def __init__(self, definition: Definition, known: dict[str, Used], own: frozenset[str], found: Found) -> None:
        super().__init__()
        self.definition = definition
        self.known = known
        self.own = own
        self.found = found
        self.inner: dict[str, cst.FunctionDef] = {}
        self.hidden: list[dict[str, Used]] = []
        self.called: set[cst.CSTNode] = set()

    def _use(self, place: cst.CSTNode) -> Use:
        return Use(self.definition.source, place)

    def _note(self, syntax: cst.CSTNode, place: cst.CSTNode, *, weakly: bool = False) -> None:
        """Note that some syntax is used as an array, where it is a parameter or a part of one; `weakly` says that a list would do."""
        used = self.used(syntax)
        if used is not None:
            used.note("as_list" if weakly else "as_array", self._use(place))

    def used(self, syntax: cst.CSTNode) -> Used | None:
        """Return the parameter, or the part of one, that an expression is."""
        match syntax:
            case cst.Name(value=name):
                return self.known.get(name)
            case cst.Attribute(value=value, attr=cst.Name(value=name)):
                owner = self.used(value)
                is_of_array = hasattr(np.ndarray, name) and _is_property(name)
                return None if owner is None or (is_of_array and owner.as_object is None) else owner.part(name)
            case cst.Subscript(value=value, slice=[cst.SubscriptElement(slice=index)]):
                owner = self.used(value)
                if owner is None or isinstance(index, cst.Slice):
                    return owner
                return owner.part(_key(index.value)) if isinstance(index, cst.Index) else None
            case cst.Call(func=cst.Attribute(value=value, attr=cst.Name(value="get")), args=[argument, *_]):
                owner, key = self.used(value), _key(argument.value)
                return owner.part(key) if owner is not None and isinstance(key, str) else None
            case cst.Call(func=cst.Attribute(value=value, attr=cst.Name(value="copy")), args=[]):
                return self.used(value)
            case cst.Call(func=function, args=[argument]) if any(self._object(function) is each for each in COPIES):
                return self.used(argument.value)
        return None

    # names

    def forget(self, statement: cst.CSTNode) -> None:
        """Forget the names that stand for something else behind a statement, whatever happens in it."""
        if not isinstance(statement, cst.SimpleStatementLine):
            return
        for small in statement.body:
            if isinstance(small, cst.Assign):
                for target in small.targets:
                    if isinstance(target.target, cst.Name) and self.used(small.value) is None:
                        self.known.pop(target.target.value, None)

    def leave_Assign(self, original_node: cst.Assign) -> None:
        for target in original_node.targets:
            self._bind(target.target, self.used(original_node.value), original_node.value)

    def _bind(self, target: cst.CSTNode, used: Used | None, value: cst.CSTNode | None = None) -> None:
        """Let names stand for a part of a parameter: `for` loops and assignments bind them."""
        if isinstance(target, cst.Name):
            if used is not None:
                self.known[target.value] = used
        elif isinstance(target, cst.Tuple | cst.List):
            parts = [element.value for element in target.elements]
            starred = any(isinstance(element, cst.StarredElement) for element in target.elements)
            several = isinstance(value, cst.Tuple | cst.List) and len(value.elements) == len(parts)
            if used is not None and not starred:
                used.note("as_tuple", self._use(target))
                used.count = len(parts)
            for number, part in enumerate(parts):
                inner = value.elements[number].value if several else None  # type: ignore[union-attr]
                own = self.used(inner) if inner is not None else None
                self._bind(part, used.part(number) if used is not None and not starred else own, inner)

    def _bind_elements(self, target: cst.CSTNode, iterated: cst.CSTNode) -> None:
        """Let the target of a loop stand for the elements of what is iterated."""
        function = self._object(iterated.func) if isinstance(iterated, cst.Call) else None
        arguments = [argument.value for argument in iterated.args] if isinstance(iterated, cst.Call) else []
        targets = [element.value for element in target.elements] if isinstance(target, cst.Tuple | cst.List) else []
        if function is zip and len(arguments) == len(targets):
            for one, other in zip(targets, arguments, strict=True):
                self._bind_elements(one, other)
        elif function is enumerate and len(targets) == 2:
            self._bind_elements(targets[1], arguments[0])
        elif (view := self._view(iterated)) is not None:
            owner, method = view
            owner.note("is_iterated", self._use(iterated))
            if method == "values":
                self._bind(target, owner.part(EVERY))
            elif method == "items" and len(targets) == 2:
                self._bind(targets[1], owner.part(EVERY))
        else:
            used = self.used(iterated)
            self._bind(target, None if used is None else used.part(EVERY))

    def _view(self, syntax: cst.CSTNode) -> tuple[Used, str] | None:
        """Return a dict and the method by which it is iterated."""
        match syntax:
            case cst.Call(func=cst.Attribute(value=value, attr=cst.Name(value="items" | "keys" | "values" as name))):
                owner = self.used(value)
                return None if owner is None else (owner, name)
        return None

    # uses

    def visit_Subscript(self, node: cst.Subscript) -> None:
        used = self.used(node.value)
        if used is None:
            return
        (element, *more) = node.slice
        key = _key(element.slice.value) if isinstance(element.slice, cst.Index) and not more else None
        if isinstance(key, str):
            used.note("as_dict", self._use(node))
            used.part(key).note("is_read", self._use(node))
        else:
            used.note("as_array" if more else "as_list", self._use(node))

    def visit_Attribute(self, node: cst.Attribute) -> None:
        used = self.used(node.value)
        if used is None:
            return
        name, is_called = node.attr.value, node in self.called
        if is_called and name in OF_DICTS | OF_LISTS | OF_TUPLES:
            kind = "as_object" if name in OF_TUPLES else "as_dict" if name in OF_DICTS else "as_list"
            used.note(kind, self._use(node))
        elif hasattr(np.ndarray, name) and is_called != _is_property(name):
            used.note("as_array", self._use(node))
        else:
            used.note("as_object", self._use(node))
            used.part(name).note("is_read", self._use(node))

    def visit_BinaryOperation(self, node: cst.BinaryOperation) -> None:
        if isinstance(node.operator, cst.MatrixMultiply):
            self._note(node.left, node)
            self._note(node.right, node)

    def visit_For(self, node: cst.For) -> None:
        self._note(node.iter, node.iter, weakly=True)
        self._bind_elements(node.target, node.iter)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._note(node.iter, node.iter, weakly=True)

    def visit_ListComp(self, node: cst.ListComp) -> None:
        self._enter_comprehension(node.for_in)

    visit_GeneratorExp = visit_SetComp = visit_ListComp  # type: ignore[assignment]

    def visit_DictComp(self, node: cst.DictComp) -> None:
        self._enter_comprehension(node.for_in)

    def leave_ListComp(self, original_node: cst.ListComp) -> None:
        self.known = self.hidden.pop()

    leave_GeneratorExp = leave_SetComp = leave_ListComp  # type: ignore[assignment]

    def leave_DictComp(self, original_node: cst.DictComp) -> None:
        self.known = self.hidden.pop()

    def _enter_comprehension(self, clause: cst.CompFor | None) -> None:
        self.hidden.append(dict(self.known))
        while clause is not None:
            self._bind_elements(clause.target, clause.iter)
            clause = clause.inner_for_in

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if not node.decorators:
            self.inner[node.name.value] = node
        self._hide(node.params)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self.known = self.hidden.pop()

    def visit_Lambda(self, node: cst.Lambda) -> None:
        self._hide(node.params)

    def leave_Lambda(self, original_node: cst.Lambda) -> None:
        self.known = self.hidden.pop()

    def _hide(self, params: cst.Parameters) -> None:
        own = {param.name.value for param in (*params.posonly_params, *params.params, *params.kwonly_params)}
        self.hidden.append(self.known)
        self.known = {name: used for name, used in self.known.items() if name not in own}

    def visit_Call(self, node: cst.Call) -> None:
        self.called.add(node.func)
        is_method = isinstance(node.func, cst.Attribute) and node.func.attr.value in METHODS
        called = None if is_method else self.used(node.func)
        if called is not None:
            called.note("as_function", self._use(node.func))
        if called is not None and isinstance(node.func, cst.Name):
            return
        if not any(self.used(argument.value) is not None for argument in node.args):
            return
        helper = self._helper(node.func)
        if helper is not None:
            self._follow(helper, node)
            return
        for argument in node.args:
            used = self.used(argument.value)
            if argument.star == "**" and used is not None:
                used.note("as_dict", self._use(node))
                used.note("is_iterated", self._use(node))
        self._note_arrays(node)

    def _note_arrays(self, node: cst.Call) -> None:
        """Note which arguments of a function that is known are arrays."""
        function = self._object(node.func)
        by_place = [argument.value for argument in node.args if argument.keyword is None and not argument.star]
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
        weakly = any(function is each for each in (*THROUGH, *BUILTIN))
        for argument in arrays:
            self._note(argument, node, weakly=weakly)

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
        if any(argument.star == "*" for argument in call.args):
            return
        by_place = [argument.value for argument in call.args if argument.keyword is None and not argument.star]
        by_name = {argument.keyword.value: argument.value for argument in call.args if argument.keyword is not None}
        dicts = [used for each in call.args if each.star == "**" and (used := self.used(each.value)) is not None]
        signature = python_signature(helper)
        try:
            given: Mapping[str, Any] = signature.bind_partial(*by_place, **by_name).arguments
        except TypeError:
            # the reader says what does not fit
            return
        passed = {name: used for name, outer in given.items() if (used := self._passed(outer)) is not None}
        if len(dicts) == 1:
            (keys,) = dicts
            keys.note("as_dict", self._use(call))
            named = [
                each
                for each in signature.parameters.values()
                if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
            ]
            passed |= {
                each.name: keys.part(each.name)
                for each in named
                if each.name not in given and each.default is each.empty
            }
        enclosing = self.own if helper.syntax in self.inner.values() else frozenset()
        inside = uses_of_parameters(helper, list(passed), self.found, enclosing)
        for name, found in inside.items():
            passed[name].merge(found, (self.definition.source, call))

    def _passed(self, item: Any) -> Used | None:
        return self.used(item) if isinstance(item, cst.CSTNode) else None


def _key(syntax: cst.BaseExpression) -> str | int:
    """Return the key in a subscript: a string, a whole number, or EVERY for what is not known."""
    if isinstance(syntax, cst.SimpleString) and isinstance(syntax.evaluated_value, str):
        return syntax.evaluated_value
    return int(syntax.value) if isinstance(syntax, cst.Integer) and syntax.value.isdecimal() else EVERY


def _is_property(name: str) -> bool:
    return not callable(getattr(np.ndarray, name))
