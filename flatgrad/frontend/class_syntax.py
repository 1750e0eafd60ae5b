"""What stands in the classes of a file, found in its syntax alone: names, changes, the order of bases.

In: syntax trees, lists of classes. Out: names, parts of the trees. Layer: `frontend`, below `static_classes`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import libcst as cst

from flatgrad.frontend.known_functions import ARRAY_METHODS
from flatgrad.frontend.trees import AnyDef

# methods of lists, dicts and arrays that change nothing
READING = ARRAY_METHODS | {"count", "get", "index", "items", "keys", "values"}


class Classes(cst.CSTVisitor):
    """Collects the classes of a file, in the order of the text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[cst.ClassDef] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self.found.append(node)


def stored(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement may bind."""
    for part in ast.walk(statement):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.ClassDef | AnyDef):
            yield part.name


def changed_by(node: ast.AST) -> ast.expr | None:
    """Return what a piece of syntax may change in place: the owner of an item that is assigned, or of a method."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr not in READING:
        return node.func.value
    return None


def merged(orders: list[list[Any]]) -> list[Any] | None:
    """Merge the orders of the bases into one, as Python does (C3); None where there is none."""
    result: list[Any] = []
    while orders := [order for order in orders if order]:
        heads = [order[0] for order in orders]
        head = next((each for each in heads if not any(each in order[1:] for order in orders)), None)
        if head is None:
            return None
        result.append(head)
        orders = [[each for each in order if each is not head] for order in orders]
    return result
