"""Blocks of the forward pass that hold no graph of their own: `with` and `try`.

In: the nodes of a graph, with the marks of blocks among them. Out: the values that leave a part of a block; the lines of a
block under their heads. Layer: emission, bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from flatgrad.graph.values import Graph, Node, Statement, Value
from flatgrad.passes.block_parts import parts_of
from flatgrad.rules.program import Member, caught, entered, made, otherwise, tried

L = TypeVar("L")
# contexts that do nothing by themselves
QUIET = (
    Member("numpy", "errstate"),
    Member("numpy", "printoptions"),
    Member("warnings", "catch_warnings"),
    Member("contextlib", "nullcontext"),
)


def crossing(graph: Graph) -> set[Value]:
    """Return the values that are made in one part of a block and read in another, or outside: each has a line of its own."""
    part = parts_of(graph)
    found: set[Value] = set()
    for node, number in part.items():
        makers = {
            value: value.node for value in node.inputs if value.node is not None and value.node.function is not made
        }
        found.update(value for value, maker in makers.items() if part.get(maker) != number)
    return found


def is_handler(node: Node) -> bool:
    """Tell whether a branch is what is done where an exception is caught."""
    condition = node.inputs[0].node if node.inputs else None
    return condition is not None and condition.function is caught


@dataclass
class Block(Generic[L]):
    """A block that is being written: the lines before it, and its parts with their heads.

    A block without a head belongs to the one around it: `with a, b:` opens two.
    """

    outer: list[L]
    statement: Statement | None
    first: Node
    heads: list[str]
    parts: list[list[L]] = field(default_factory=list)

    def is_joined_by(self, statement: Statement | None, lines: Sequence[L]) -> bool:
        """Tell whether a context that is entered next belongs to the head of this one."""
        same = statement is not None and statement is self.statement
        return same and not lines and self.first.function is entered and bool(self.heads)

    @property
    def is_dropped(self) -> bool:
        """Whether the block does nothing: there is nothing in it, and its context is of no effect by itself."""
        if any(self.parts[:1]):
            return False
        return self.first.function is tried or _is_quiet(self.first)

    @property
    def left(self) -> list[L]:
        """What remains of a block that does nothing: what follows a `try` in any case."""
        kept = [part for head, part in zip(self.heads, self.parts, strict=True) if head in ("else:", "finally:")]
        return [line for part in kept for line in part]


def _is_quiet(node: Node) -> bool:
    manager = node.inputs[0].node if node.inputs else None
    if manager is None or manager.function is not made or node.outputs:
        return False
    return next(iter(manager.arguments.values())) in QUIET


def head_of_part(node: Node) -> str:
    """Return the head of a part of a `try`, but for `except`."""
    return {tried: "try:", otherwise: "else:"}.get(node.function, "finally:")
