"""Rules of the user's own in files that are read and not run: which functions they are for.

Only running the file would declare them. So a function that has one is an error, unless the module is imported by --rules.

In: a file with its bindings. Out: the names of functions, with the places of their rules. Layer: `frontend`, above `bindings`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flatgrad.frontend.bindings import Bindings
from flatgrad.frontend.project import module_name
from flatgrad.frontend.source import NameUnknown, Source

RULES = ("flatgrad.rule", "flatgrad.registry.rule", "flatgrad.no_gradient", "flatgrad.registry.no_gradient")


def rules_in(source: Source, bindings: Bindings) -> dict[str, tuple[str, int, str]]:
    """Return the full names of the functions that a file has rules for, with its file, the line and its module."""
    module = module_name(source.file)
    found = {}
    for call in _declarations(source):
        if bindings.dotted_name(call.func) in RULES:
            for argument in call.args:
                named = argument.value if isinstance(argument, ast.Constant) else bindings.dotted_name(argument)
                if isinstance(argument, ast.Name) and not named:
                    named = f"{module}.{argument.id}"
                if isinstance(named, str):
                    found[named] = (source.file, call.lineno, module)
    return found


def _declarations(source: Source) -> Iterator[ast.Call]:
    """Yield the calls at the top level of a file that may declare rules: decorators, and statements."""
    for statement in source.tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield from (each for each in statement.decorator_list if isinstance(each, ast.Call))
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            yield statement.value


def refuse_rule(name: str, place: tuple[str, int, str]) -> NameUnknown:
    """Return the error for a function with a rule that is not known."""
    file, line, module = place
    return NameUnknown(f"`{name}` has a rule that only running {file} declares (line {line})", f"use --rules {module}")
