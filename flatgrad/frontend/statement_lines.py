"""Statements: what stands in a block, and the comments that belong to a line.

In: syntax of statements. Out: the statements of a body; what the graph notes of a statement. Layer: above `source`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from flatgrad.frontend.assigned import InnerComments
from flatgrad.frontend.source import Source
from flatgrad.graph.values import Statement

BlockSyntax = cst.If | cst.For | cst.While | cst.Match | cst.With | cst.Try
StatementSyntax = cst.SimpleStatementLine | BlockSyntax


class Step:
    """A piece of reading that stands among the statements of a block; `syntax` is what it reads."""

    def __init__(self, read: Callable[[], None], *syntax: Readable) -> None:
        self.read = read
        self.syntax = syntax

    def visit(self, visitor: cst.CSTVisitor) -> None:
        """Show the syntax to a visitor."""
        for part in self.syntax:
            part.visit(visitor)


class Guarded(Step):
    """The statements behind one that has left the block on some paths."""


Readable = cst.CSTNode | Step


def statements_of(body: cst.BaseSuite) -> Sequence[cst.CSTNode]:
    """Return the statements of a body, in lines of their own or behind the colon."""
    if isinstance(body, cst.SimpleStatementSuite):
        return [cst.SimpleStatementLine(body.body)]
    return body.body


def statement_of(line: StatementSyntax, source: Source) -> Statement:
    """Return what the graph notes of a statement: its place, and its comments."""
    comments = [empty.comment.value for empty in line.leading_lines if empty.comment is not None]
    trailing = ""
    behind = line.trailing_whitespace if isinstance(line, cst.SimpleStatementLine) else _behind_colon(line)
    if behind is not None and behind.comment is not None:
        trailing = behind.comment.value
    if source.has_inner_comments:
        inner = InnerComments()
        for part in _of_this_line(line):
            part.visit(inner)
        comments += inner.comments
    return Statement(source.location(line), tuple(comments), trailing)


def _behind_colon(line: BlockSyntax) -> cst.TrailingWhitespace | None:
    """Return what stands behind the colon of a statement with a body in lines of its own."""
    if isinstance(line, cst.Match):
        return line.whitespace_after_colon
    return line.body.header if isinstance(line.body, cst.IndentedBlock) else None


def _of_this_line(line: StatementSyntax) -> Sequence[cst.CSTNode]:
    """Return the parts of a statement that stand before its body."""
    if isinstance(line, cst.SimpleStatementLine):
        return line.body
    if isinstance(line, cst.For):
        return (line.target, line.iter)
    if isinstance(line, cst.With | cst.Try):
        return line.items if isinstance(line, cst.With) else ()
    return (line.subject,) if isinstance(line, cst.Match) else (line.test,)
