"""What is known of a loop's variables after a reading of its body, and whether the body has to be read again.

In: variables with what they are at the start and at the end of a turn. Out: wider types, what stays the same, what can't be used.
Layer: above `loop_variables`, below `carried`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from flatgrad.frontend.assigned import places_of
from flatgrad.frontend.joining import are_equal, as_value, in_words, joined_dtype, joined_type, shape_words
from flatgrad.frontend.loop_variables import Variable, is_same_container, note_numbers, numbers, same_structure
from flatgrad.frontend.memory import refs_of
from flatgrad.frontend.placeholders import NOTHING, Unfinished
from flatgrad.frontend.reader import Reader, Undefined
from flatgrad.frontend.unsettled import Changing, EqualityUnknown, Pairs, Undecided, Unset
from flatgrad.graph.containers import List
from flatgrad.graph.size import Size, equal, resolved
from flatgrad.graph.values import Constant, Type, Value


class Revisions:
    """Revises the variables of a loop. `is_read` tells whether a turn uses what one was before, `grows` lets a list be a value.

    Sizes whose serial is greater than `newest` were found out in the reading at hand.
    """

    def __init__(
        self,
        reader: Reader,
        syntax: cst.For | cst.While,
        is_read: Callable[[Variable], bool],
        grows: Callable[[Variable, Any], bool],
    ) -> None:
        self.reader = reader
        self.syntax = syntax
        self.is_read = is_read
        self.grows = grows
        self.newest = 0

    def is_revised(self, variable: Variable) -> bool:
        """Take note of what a variable is after a turn. Return whether the body has to be read again."""
        end = variable.end
        if variable.start is Unfinished or end is Unfinished or end is NOTHING or variable.changing is not None:
            return False
        if isinstance(end, Unset | Changing):
            return False
        if isinstance(end, Undecided):
            longest = max((each for each in end.either if isinstance(each, List)), key=len, default=None)
            return self.grows(variable, longest) or self._changes(variable, end.words, end.pairs)
        if isinstance(end, Undefined):
            variable.changing = end
            return True
        if variable.shape is NOTHING and variable.start is NOTHING:
            return self._is_first(variable, end)
        if variable.shape is NOTHING or variable.fixed:
            if are_equal(variable.start, end) or (variable.key is None and is_same_container(variable.start, end)):
                return False
            if variable.fixed:
                variable.fixed = variable.may_be_fixed = False
                return True
            return self.grows(variable, end) or self._changes(variable)
        if variable.key is None and variable.may_be_fixed and is_same_container(variable.item, end):
            variable.fixed = True
            return True
        if not same_structure(variable.shape, end):
            return self.grows(variable, end) or self._changes(variable)
        if variable.key is not None and list(refs_of(variable.start)) != list(refs_of(end)):
            return self._changes(variable, "holding one list, dict or object in one turn, and another one in the next")
        if self._keeps(variable, end):
            return True
        if variable.may_be_fixed and all(
            a is b for a, b in zip(variable.parameters(), variable.moving(end), strict=True)
        ):
            variable.fixed = True
            return self.is_read(variable)
        return self._is_wider(variable, end)

    def _keeps(self, variable: Variable, end: Any) -> bool:
        """Take note of the values in a container that stay what they are. Return whether there are others than thought."""
        if variable.start is NOTHING or not isinstance(variable.start, tuple):
            return False
        triples = zip(numbers(variable.start), numbers(variable.item), numbers(end), strict=True)
        same = {place for place, (_, before, after) in enumerate(triples) if before is after}
        kept = variable.kept
        variable.never_kept |= kept - same
        variable.kept = same - variable.never_kept
        if variable.kept == kept or len(variable.kept) == len(list(numbers(end))):
            variable.kept = kept
            return False
        variable.types = tuple(as_value(leaf).type for leaf in variable.moving(variable.start))
        return True

    def _is_first(self, variable: Variable, end: Any) -> bool:
        """Take note of what a variable is that has no value before the loop."""
        found = list(numbers(end))
        if not found or not any(isinstance(leaf, Value) and not isinstance(leaf, Constant) for leaf in found):
            return False
        if any(self._is_new(leaf) for leaf in found):
            return self._changes(variable)
        variable.shape = end
        variable.types = tuple(as_value(leaf).type for leaf in found)
        note_numbers(self.reader, variable, end)
        assert isinstance(variable.item, Unset)
        return variable.item.joined

    def _is_new(self, leaf: Any) -> bool:
        """Tell whether an array has a size that is found out in each turn anew."""
        type = as_value(leaf).type
        sizes = type.shape[1:] if type.is_list else type.shape
        return any(_is_newer(size, self.newest) for size in sizes)

    def _is_wider(self, variable: Variable, end: Any) -> bool:
        """Take note of the types that a variable has after a turn."""
        types: list[Type] = []
        starts = variable.moving(variable.start) if variable.start is not NOTHING else [None] * len(variable.types)
        for before, after, start in zip(variable.types, variable.moving(end), starts, strict=True):
            is_constant = isinstance(start, Constant) or (start is not None and not isinstance(start, Value))
            try:
                type = None if self._is_new(after) else self._joined(before, as_value(after).type, is_constant)
            except EqualityUnknown as unknown:
                return self._changes(variable, pairs=unknown.pairs)
            if type is None:
                return self._changes(variable)
            types.append(type)
        wider = any(a != b and not _same(a, b) for a, b in zip(types, variable.types, strict=True))
        variable.types = tuple(types)
        held_numbers = variable.holds_numbers
        note_numbers(self.reader, variable, end)
        return wider or variable.holds_numbers != held_numbers

    def _joined(self, a: Type, b: Type, is_constant: bool) -> Type | None:
        """Return the type that holds a variable's values before and after a turn; None where there is none.

        Raises EqualityUnknown.
        """
        dtype = joined_dtype(a, b)
        if a.rank != b.rank and is_constant and not a.rank:
            return None if dtype is None else Type(dtype, b.shape)
        return joined_type(a, b)

    def _place(self, name: str) -> cst.CSTNode:
        """Return where the body assigns a variable last."""
        places = [place for each, place in places_of(self.syntax.body) if each == name]
        return places[-1] if places else self.syntax

    def _changes(self, variable: Variable, words: str = "", pairs: Pairs = ()) -> bool:
        """Let every use of a variable's value of the turn before be an error."""
        name, after = variable.name, variable.end
        words = words or f"{in_words(variable.start)} before the loop and {in_words(after)} after a turn"
        what = f"`{name}`" if name else "what this loop changes"
        message = f"{what} is {words}"
        if variable.shape is not NOTHING and same_structure(variable.shape, after):
            types = [variable.types, tuple(as_value(leaf).type for leaf in variable.moving(after))]
            first, second = (", ".join(shape_words(each.shape) for each in kinds) for kinds in types)
            message = f"{what} changes its shape from turn to turn: {first} then {second}"
            if pairs:
                message = f"whether {what} keeps its shape from turn to turn is not known: {first} then {second}"
        variable.changing = Changing(self._place(name), message, words, pairs)
        return True


def _is_newer(size: Size, serial: int) -> bool:
    """Tell whether a size was found out, or follows from a counter that was made, after the symbol with this serial."""
    known = resolved(size)
    symbols = [] if isinstance(known, int) else [symbol for monomial, _ in known.terms for symbol in monomial]
    return any(
        symbol.serial > serial
        if symbol.origin is None or symbol.limits is not None
        else _is_newer(symbol.origin, serial)
        for symbol in symbols
    )


def _same(a: Type, b: Type) -> bool:
    """Tell whether two types are the same, but for the lengths of lists."""
    same_kind = (a.dtype, a.weak, a.rank, a.is_list) == (b.dtype, b.weak, b.rank, b.is_list)
    return same_kind and all(map(equal, a.shape[a.is_list :], b.shape[b.is_list :]))
