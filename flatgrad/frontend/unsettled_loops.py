"""Loops that leave open what is the same array or container when they are read as loops, and are then read turn by turn.

In: loops by their places in the source, and what was not known where. Out: the loops to read turn by turn in another reading of
the function. Layer: bottom of `frontend`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flatgrad.errors import FlatgradError, Problem

# file, line and column
Place = tuple[str, int, int]


class LoopsRead:
    """The loops of one reading. Those in `unrolled` are read turn by turn; to each belongs what was not known."""

    def __init__(self, unrolled: Mapping[Place, Problem] | None = None) -> None:
        self.unrolled = dict(unrolled or {})
        self._reading: list[Place] = []
        self._relating: dict[Place, None] = {}
        self._unknown: set[tuple[Place, str]] = set()

    @contextmanager
    def reading(self, place: Place) -> Iterator[None]:
        """Note that a loop is being read as one."""
        self._reading.append(place)
        try:
            yield
        finally:
            self._reading.pop()

    def relate(self) -> None:
        """Note that something here may be the same as something else, or not."""
        if self._reading:
            self._relating[self._reading[-1]] = None

    def note(self, problem: Problem) -> None:
        """Note that it is not known what is the same memory."""
        self._unknown.add((place_of(problem), problem.message))

    def unknown(self, error: FlatgradError) -> Problem | None:
        """Return the first among some problems that is one of memory."""
        return next((each for each in error.problems if (place_of(each), each.message) in self._unknown), None)

    def unsettled(self, error: FlatgradError) -> dict[Place, Problem]:
        """Return more loops to be read turn by turn, which may tell what was not known."""
        problem = self.unknown(error)
        if problem is None:
            return {}
        return {place: problem for place in self._relating if place not in self.unrolled}


def place_of(problem: Problem) -> Place:
    """Return the place of a problem."""
    return problem.file, problem.line, problem.column
