"""What stands for a variable that is one thing on one path, or in one turn of a loop, and another on the next.

In: what it is on the paths, and where it is used. Out: an error at that use, or what can be used there. Layer: above `reader`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import libcst as cst

from flatgrad.frontend.placeholders import ITEM, NOTHING, RESULT, Postponed
from flatgrad.frontend.reader import Reader, Undefined
from flatgrad.graph.size import Size, SizeUnknown, resolved

Pairs = tuple[tuple[Size, Size], ...]


class EqualityUnknown(SizeUnknown):
    """The code depends on whether the sizes of each pair are equal, and that is not known."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        super().__init__([size for pair in pairs for size in map(resolved, pair) if not isinstance(size, int)])


@dataclass(frozen=True)
class Undecided(Undefined):
    """A variable that is one thing behind one path and another behind another; the same where the sizes of `pairs` are equal.

    `either` holds both, where they are known.
    """

    words: str
    hint: str = "give it one type and shape on all paths"
    pairs: Pairs = ()
    either: tuple[Any, ...] = ()

    def used(self, reader: Reader, name: str, syntax: cst.CSTNode) -> NoReturn:
        """Raise what is wrong."""
        what = {RESULT: "what is returned", ITEM: "this"}.get(name, f"`{name}`")
        message = f"{what} is {self.words}"
        if self.pairs:
            raise_unknown(reader, self.pairs, message, syntax)
        reader.fail(message, syntax, self.hint)


@dataclass(frozen=True)
class Changing(Undefined):
    """A variable that is one thing in the first turn of a loop, and something that does not fit in the next."""

    place: cst.CSTNode
    message: str
    words: str
    pairs: Pairs = ()

    def used(self, reader: Reader, name: str, syntax: cst.CSTNode) -> NoReturn:
        """Raise what is wrong, at the place where the variable is assigned."""
        if self.pairs:
            raise_unknown(reader, self.pairs, self.message, self.place)
        reader.fail(self.message, self.place, "give it one type and shape in all turns")


def raise_unknown(reader: Reader, pairs: Pairs, message: str, syntax: cst.CSTNode) -> NoReturn:
    """Raise that sizes have to be known at a place."""
    error = EqualityUnknown(pairs)
    error.problem = reader.problem(message, syntax, _hint(pairs))  # type: ignore[attr-defined]
    raise error


def _hint(pairs: Sequence[tuple[Size, Size]]) -> str:
    """Return what to say about sizes that may be equal."""
    if all(symbol_alone(size) for pair in pairs for size in pair):
        return "name equal sizes alike: shapes='x=(n,) y=(n,)'"
    return "give numbers for the sizes: shapes='x=(10,)'"


def symbol_alone(size: Size) -> bool:
    """Tell whether a size is that of an axis of an argument, and not computed."""
    size = resolved(size)
    if isinstance(size, int) or len(size.terms) != 1:
        return False
    monomial, coefficient = size.terms[0]
    return coefficient == 1 and len(monomial) == 1 and monomial[0].origin is None


class Unset(Undefined):
    """A variable in the body of a loop that has no value in the first turn.

    `item` holds the parameters for its values of the turn before; where their types are not known yet, `wanted_at` is where
    they are used. `depth` tells how deep the body is. `joined` is set when a path through the body keeps these, or uses them: some later turn may well do that.
    """

    def __init__(self, depth: int, item: Any = NOTHING) -> None:
        self.depth = depth
        self.item = item
        self.joined = False
        self.wanted_at: cst.CSTNode | None = None

    def used(self, reader: Reader, name: str, syntax: cst.CSTNode) -> Any:
        """Return the value of the turn before on a path that not every turn takes. Raises Postponed where its type is open."""
        if reader.depth == self.depth:
            self.refuse(reader, name, syntax)
        self.joined = True
        if self.item is NOTHING:
            self.wanted_at = syntax
            raise Postponed
        return self.item

    def refuse(self, reader: Reader, name: str, syntax: cst.CSTNode) -> NoReturn:
        """Raise that there is no value at this place."""
        reader.fail(f"`{name}` has no value in the first turn of the loop", syntax, "assign it before the loop")
