"""The defaults of parameters as a file gives them, without running it: as they are when the `def` is reached.

In: a definition, and the name of a parameter. Out: the value of its default. Layer: above `callees`.
"""

from __future__ import annotations

import ast
from typing import Any

from flatgrad.frontend.callees import MethodNames
from flatgrad.frontend.constants import evaluate, names_only
from flatgrad.frontend.source import Definition
from flatgrad.frontend.static_names import StaticNames


def default_in_file(definition: Definition, name: str) -> Any:
    """Return the value of a parameter's default. Raises NameUnknown and NotConstant where only running the file would tell."""
    expression = _expression(definition, name)
    names = definition.names
    if isinstance(names, MethodNames):
        names = names.names
    if isinstance(names, StaticNames):
        return evaluate(expression, names.before(expression))
    return evaluate(expression, names_only(names.find))


def _expression(definition: Definition, name: str) -> ast.expr:
    """Return the syntax of a default in the tree of the file."""
    source, syntax = definition.source, definition.syntax
    if source.is_lambda(syntax):
        node: Any = next(place.node for place in source.lambdas if source.definition_of(place.syntax) is syntax)
    else:
        node = source.place_of(syntax).node
    arguments: ast.arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    by_position = zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    by_name = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return next(default for each, default in (*by_position, *by_name) if each.arg == name and default is not None)
