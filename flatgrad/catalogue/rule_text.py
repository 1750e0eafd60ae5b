"""The text of a rule, as it stands in its file: nothing is written down a second time.

In: a record. Out: lines of the rule, its documentation, its signature, its place. Layer: above `registry`.
"""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
from collections.abc import Sequence

from flatgrad.registry import Function, Record

MOST_LINES = 3
# the folder that holds the package
PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def body_lines(record: Record) -> list[str]:
    """Return the lines between the head of a rule and its `return`, with their comments, without its documentation."""
    assert record.gradient is not None
    lines, definition = _definition(record.gradient)
    statements = _statements(definition)
    *calculated, returned = statements
    if not calculated:
        return [_on_one_line(returned, lines)]
    start = _documentation_end(definition)
    # comments stand above their statements, and a rule may return something that is no name
    end = returned.lineno - 1 if _returns_names(returned) else returned.end_lineno
    return textwrap.dedent("\n".join(lines[start:end])).strip("\n").split("\n")


def gradient_lines(record: Record) -> tuple[list[str], bool]:
    """Return the lines that say most of a rule in short, and whether they are all of it.

    These are its statements, where there are few; of a longer rule the last line for each gradient, which is the one for
    the general case.
    """
    assert record.gradient is not None
    lines, definition = _definition(record.gradient)
    *calculated, returned = _statements(definition)
    if not calculated:
        return [_on_one_line(returned, lines)], True
    if len(calculated) <= MOST_LINES and all(isinstance(each, ast.Assign) for each in calculated):
        return [_on_one_line(each, lines) for each in calculated], True
    nodes = [node for statement in calculated for node in ast.walk(statement) if isinstance(node, ast.Assign)]
    last: dict[str, str] = {}
    for name in _returned_names(returned):
        found = [node for node in nodes if _assigns(node, name) and not _is_none(node.value)]
        if found:
            last[name] = _on_one_line(max(found, key=lambda node: node.lineno), lines)
    return list(dict.fromkeys(last.values())), False


def _on_one_line(statement: ast.stmt, lines: list[str]) -> str:
    """Return a statement as it is written, or, where that takes several lines, in one."""
    if statement.lineno == statement.end_lineno:
        return ast.get_source_segment("\n".join(lines), statement) or ""
    return ast.unparse(statement)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def inputs_with_gradient(record: Record) -> list[str]:
    """Return the inputs whose gradients a rule returns."""
    assert record.gradient is not None
    returned = _statements(_definition(record.gradient)[1])[-1]
    return [name.removeprefix("grad_") for name in _returned_names(returned)]


def documentation(record: Record) -> str:
    """Return what a rule says of itself: where its formula is from."""
    return inspect.getdoc(record.gradient) or "" if record.gradient is not None else ""


def place(record: Record) -> tuple[str, int]:
    """Return the file and the line of a rule: a file of flatgrad's from its package on, another one from here on."""
    assert record.gradient is not None
    file = os.path.abspath(inspect.getsourcefile(record.gradient) or "")
    for folder in (PACKAGES, os.getcwd()):
        if file.startswith(folder + os.sep):
            file = os.path.relpath(file, folder)
    return file, record.gradient.__code__.co_firstlineno


def signature(record: Record) -> str:
    """Return the parameters that a call may give, with the names that the rule has for them."""
    shown = [
        f"*{parameter.name}" if parameter.name == record.starred else str(parameter.replace(annotation=parameter.empty))
        for parameter in record.parameters
        if parameter.name != "out"
    ]
    return f"({', '.join(shown)})"


def _definition(rule: Function) -> tuple[list[str], ast.FunctionDef]:
    lines = textwrap.dedent(inspect.getsource(rule)).split("\n")
    definition = ast.parse("\n".join(lines)).body[0]
    assert isinstance(definition, ast.FunctionDef)
    return lines, definition


def _statements(definition: ast.FunctionDef) -> list[ast.stmt]:
    return definition.body[1:] if ast.get_docstring(definition) is not None else definition.body


def _documentation_end(definition: ast.FunctionDef) -> int:
    """Return the number of lines up to the first one after the head and the documentation."""
    if ast.get_docstring(definition) is not None:
        return definition.body[0].end_lineno or 0
    # a comment may stand between the head and the first statement
    arguments = definition.args
    parts = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *arguments.defaults, arguments.vararg]
    parts += [default for default in arguments.kw_defaults if default is not None]
    return max((part.end_lineno or 0 for part in parts if part is not None), default=definition.lineno)


def _returned_names(returned: ast.stmt) -> list[str]:
    assert isinstance(returned, ast.Return)
    parts: Sequence[ast.expr | None] = (
        returned.value.elts if isinstance(returned.value, ast.Tuple) else [returned.value]
    )
    return [part.id for part in parts if isinstance(part, ast.Name)]


def _returns_names(returned: ast.stmt) -> bool:
    assert isinstance(returned, ast.Return)
    count = len(returned.value.elts) if isinstance(returned.value, ast.Tuple) else 1
    return len(_returned_names(returned)) == count


def _assigns(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for each in statement.targets for node in ast.walk(each))
