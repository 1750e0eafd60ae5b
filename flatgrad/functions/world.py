"""What the names of a function stand for at one moment, and whether they still do.

In: a function, or an argument that is one. Out: `World`, `Meaning`. Layer: above `fingerprint`.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from typing import Any

from flatgrad.functions.class_parts import member_of
from flatgrad.functions.fingerprint import (
    MISSING,
    Token,
    Walk,
    Watched,
    all_names,
    attribute_of,
    content_of_cell,
    content_token,
    digest_of,
    global_of,
    references,
    walk_with_all_names,
)


def _read_quickly(place: Watched) -> Watched:
    """Return the same place with a look-up in C, which may raise where nothing is any more."""
    read, owner, name, value = place
    if value is MISSING:
        return place
    if read is global_of:
        found = owner.__globals__.get(name, MISSING)
        return (operator.getitem, owner.__globals__, name, value) if found is value else place
    if read is member_of:
        return (operator.getitem, vars(owner), name, value)
    if read is content_of_cell:
        return (getattr, owner, "cell_contents", value)
    return (getattr if read is attribute_of else operator.getitem, owner, name, value)


class Meaning:
    """What an object stands for at one moment, when such `names` may be asked of the objects that it leads to.

    `digest` differs where other objects would give other code. `names` has those that the functions in it ask for, too:
    any function may hand an object to any other. `functions` are those that are reached.
    """

    __slots__ = ("_contents", "_places", "digest", "functions", "names")

    def __init__(self, value: Any, names: frozenset[str] = frozenset()) -> None:
        self._note(lambda walk: walk.value(value), names)

    def _note(self, walked: Callable[[Walk], Token], names: frozenset[str]) -> Walk:
        walk, token = walk_with_all_names(walked, names)
        self.digest = digest_of(token)
        self.names = frozenset(walk.names)
        self.functions = tuple(walk.functions)
        self._places = tuple(map(_read_quickly, walk.places))
        self._contents = tuple(walk.contents)
        return walk

    def is_current(self) -> bool:
        """Tell whether what is watched is as it was."""
        try:
            for read, owner, name, value in self._places:
                if read(owner, name) is not value:
                    return False
        except (AttributeError, LookupError, ValueError):
            # it is gone
            return False
        return all(content_token(container) == token for container, token in self._contents)


class World(Meaning):
    """What the names of a function stand for at one moment, and the functions that it is given as `arguments`.

    `found` has the object of each of its `references`, or MISSING. `watched` tells whether the same objects may come to mean
    something else: arrays, lists, attributes, the names of helpers.
    """

    __slots__ = ("found", "watched")

    def __init__(
        self, function: types.FunctionType, arguments: tuple[Any, ...] = (), names: frozenset[str] = frozenset()
    ) -> None:
        walk = self._note(
            lambda walk: (walk.first_function(function), [walk.value(argument) for argument in arguments]),
            names.union(all_names(function.__code__)),
        )
        self.found: tuple[Any, ...] = tuple(walk.found)
        self.watched = bool(walk.places or walk.contents)
        own = zip(references(function), self.found, strict=True)
        places = [_read_quickly((read, owner, name, value)) for (name, read, owner), value in own]
        self._places = (*places, *self._places)
