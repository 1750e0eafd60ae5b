"""What is found out about the use of a parameter: as an array, a function, a dict, an object, and the same of its parts.

In: uses, one by one. Out: `Used`. Layer: `frontend`, below `parameter_uses`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import libcst as cst

from flatgrad.errors import Problem
from flatgrad.frontend.source import Source


@dataclass(frozen=True, slots=True)
class Use:
    """A place where a parameter is used; `calls` are those of helpers that led there, the innermost first."""

    source: Source
    syntax: cst.CSTNode
    calls: tuple[tuple[Source, cst.CSTNode], ...] = ()

    def problem(self, message: str, hint: str) -> Problem:
        """Return a problem at this place."""
        problem = self.source.problem(message, self.syntax, hint)
        led_here = tuple(source.problem("", syntax) for source, syntax in self.calls)
        return replace(problem, called_from=led_here)


# the key that stands for all parts of a list, or for those of a dict whose keys are not known
EVERY = -1
KINDS = ("as_array", "as_list", "as_tuple", "as_function", "as_dict", "as_object", "is_iterated", "is_read")


@dataclass(slots=True, eq=False)
class Used:
    """How a parameter or a part of one is used: the first use of each kind, and its parts by key, name or number.

    What is used as a list may be an array, too, and an attribute such as `.T` may be one of an object.
    """

    as_array: Use | None = None
    as_list: Use | None = None
    as_tuple: Use | None = None
    as_function: Use | None = None
    as_dict: Use | None = None
    as_object: Use | None = None
    is_iterated: Use | None = None
    is_read: Use | None = None
    count: int | None = None
    parts: dict[str | int, Used] = field(default_factory=dict)

    def note(self, kind: str, use: Use) -> None:
        """Note a use of one of KINDS."""
        if getattr(self, kind) is None:
            setattr(self, kind, use)

    def part(self, key: str | int) -> Used:
        """Return the part with a key or a name."""
        return self.parts.setdefault(key, Used())

    def merge(self, other: Used, *call: tuple[Source, cst.CSTNode]) -> None:
        """Note the uses of another one: what a helper that is called here does with it, or what is true of all parts."""
        for kind in KINDS:
            use: Use | None = getattr(other, kind)
            if use is not None:
                self.note(kind, replace(use, calls=(*use.calls, *call)))
        self.count = self.count if self.count is not None else other.count
        for key, part in other.parts.items():
            self.part(key).merge(part, *call)

    @property
    def is_structure(self) -> bool:
        """Whether it can be no array, number or function: it has keys or attributes, or parts that have."""
        if self.as_dict is not None or self.as_object is not None:
            return True
        if self.as_tuple is not None and any(part.as_array is not None for part in self.parts.values()):
            return self.as_array is None
        return any(part.is_structure or part.as_function is not None for part in self.parts.values())

    @property
    def first(self) -> Use | None:
        """The first use that tells anything."""
        kinds = ("as_dict", "as_object", "as_function", "as_array", "as_list", "as_tuple", "is_read")
        own = [getattr(self, kind) for kind in kinds]
        return next((use for use in [*own, *(part.first for part in self.parts.values())] if use is not None), None)

    def of(self, key: str | int) -> Used:
        """Return the uses of a part: those by its own key, and those that all parts have."""
        found = Used()
        for each in dict.fromkeys((key, EVERY)):
            if each in self.parts:
                found.merge(self.parts[each])
        return found
