"""The functions in a file's two syntax trees: Python's own, and libcst's.

In: a tree. Out: its functions, in the same order for both. Layer: bottom of `frontend`.
"""

from __future__ import annotations

import ast
import unicodedata

import libcst as cst

AnyDef = ast.FunctionDef | ast.AsyncFunctionDef


def definitions_of(tree: ast.Module) -> list[tuple[str, AnyDef]]:
    """Return every `def` below a module with its qualified name, in the order of the text."""
    found: list[tuple[str, AnyDef]] = []
    pending: list[tuple[str, ast.AST]] = [("", statement) for statement in reversed(tree.body)]
    while pending:
        scope, node = pending.pop()
        if isinstance(node, AnyDef):
            found.append((scope + node.name, node))
            scope += node.name + ".<locals>."
        elif isinstance(node, ast.ClassDef):
            scope += node.name + "."
        # statements hold statements in lists only: expressions, which can be deep, are left alone
        inner = (
            [
                part
                for field_name in ("body", "handlers", "orelse", "finalbody", "cases")
                for part in getattr(node, field_name, ())
            ]
            if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case)
            else []
        )
        pending += [(scope, part) for part in reversed(inner)]
    return found


def syntax_of_definitions(module: cst.Module) -> list[cst.FunctionDef]:
    """Return the same as `definitions_of`, of the other tree."""
    found: list[cst.FunctionDef] = []
    pending: list[cst.CSTNode] = list(reversed(module.body))
    while pending:
        node = pending.pop()
        if isinstance(node, cst.FunctionDef):
            found.append(node)
        if isinstance(node, cst.Match):
            pending += reversed(node.cases)
        if isinstance(node, cst.IndentedBlock):
            pending += reversed(node.body)
            continue
        inner = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
        if isinstance(node, cst.Try | cst.TryStar):
            inner[1:1] = node.handlers
        pending += [part for part in reversed(inner) if isinstance(part, cst.CSTNode)]
    return found


class Lambdas(cst.CSTVisitor):
    """Collects lambdas, outer ones first."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[cst.Lambda] = []

    def visit_Lambda(self, node: cst.Lambda) -> None:
        self.found.append(node)


class NamesOfLambda(cst.CSTVisitor):
    """Collects the parameters of a lambda and what `:=` assigns in it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        # another lambda inside
        return False

    def visit_Param(self, node: cst.Param) -> None:
        self.names.append(node.name.value)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        if isinstance(node.target, cst.Name):
            self.names.append(node.target.value)


class _WithNormalNames(cst.CSTTransformer):
    """Spells each name as Python does, to which the micro sign and the Greek letter are one."""

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        value = updated_node.value
        return (
            updated_node if value.isascii() else updated_node.with_changes(value=unicodedata.normalize("NFKC", value))
        )


def with_normal_names(module: cst.Module) -> cst.Module:
    """Return a module with its names in the form in which Python compares them."""
    changed = module.visit(_WithNormalNames())
    assert isinstance(changed, cst.Module)
    return changed
