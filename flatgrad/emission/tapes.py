"""The tapes of loops: lists that keep values of the forward pass for the backward pass, and how these are found there.

In: the regions of a function. Out: lines that open, fill and read the tapes. Layer: emission, above `variables`, below `blocks`.

A loop that is not inside of another one reads its tapes by the number of the turn, or goes through them in reverse. What is
deeper inside, and what only one side of a branch makes, is taken from the end of its tape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flatgrad.emission.expressions import Printer
from flatgrad.emission.keeping import (
    FROM_THE_END,
    IN_REVERSE,
    INDEX,
    Region,
    Regions,
    counts_turns,
    has_open_end,
    mode_of,
    pairs_of,
)
from flatgrad.emission.literals import ATOM
from flatgrad.emission.names import Names
from flatgrad.emission.variables import Variables
from flatgrad.graph.regions import branch, loop
from flatgrad.graph.values import Value


class Tapes:
    """Knows the tapes of one function. `lists` has the name of each, with whether reading it empties it."""

    def __init__(self, regions: Regions, variables: Variables, names: Names) -> None:
        self.regions = regions
        self.variables = variables
        self.names = names
        self.lists: dict[str, bool] = {}
        # in which region a tape or a counter of turns is opened
        self.opened_in: dict[str, Region] = {}
        self._tapes: dict[Region, dict[Value, str]] = {}
        # for a value behind a turn the one before it, where one tape has both
        self._pairs: dict[Value, Value] = {}
        self._counters: dict[Region, str] = {}
        self._counter_tapes: dict[Region, str] = {}
        self._local: set[str] = set()
        # tapes that are arrays, each with the text of the number of the turn
        self.arrays: dict[str, str] = {}

    def of(self, region: Region) -> dict[Value, str]:
        """Return the tapes of the values that are kept as soon as they are made."""
        paired = set(self._pairs.values())
        return {value: name for value, name in self._tapes.get(region, {}).items() if value not in paired}

    def opened(self, region: Region, arrays: Mapping[Value, str], turn: str) -> list[str]:
        """Return the lines before a loop that open its tapes, and those of all that is inside of an outermost loop.

        `arrays` has what makes the array of a value whose tape is one, and `turn` the number of the turn in the loop.
        """
        lines = []
        if region.depth == 1:
            for inner in self._inside(region):
                self._name_tapes(inner)
                for value, name in self.of(inner).items():
                    before = self._pairs.get(value)
                    if before is None and value in arrays:
                        self.arrays[name] = turn
                        lines.append(f"{name} = {arrays[value]}")
                        continue
                    lines.append(f"{name} = [{'' if before is None else self.names.name(before)}]")
                if inner.depth > 1 and _needs_counter(inner, mode_of(inner)):
                    self._counter_tapes[inner] = self._opened_tape("turns_tape", inner)
                    lines.append(f"{self._counter_tapes[inner]} = []")
        if _needs_counter(region, mode_of(region)):
            name = self._counters[region] = self.names.fresh("turns")
            lines.append(f"{name} = 0")
            if region.depth == 1:
                self.opened_in[name] = region
        return lines

    def counted(self, region: Region) -> list[str]:
        """Return the line that counts a turn, where nothing else tells how many there were."""
        return [f"{self._counters[region]} += 1"] if region in self._counters else []

    def closed(self, region: Region) -> list[str]:
        """Return the line behind an inner loop that keeps how many turns it had."""
        if region not in self._counter_tapes:
            return []
        return [f"{self._counter_tapes[region]}.append({self._counters[region]})"]

    def turns(self, region: Region) -> str:
        """Return the text of how many turns a loop had."""
        if region in self._counter_tapes:
            return f"{self._counter_tapes[region]}.pop()"
        return self._counters.get(region) or f"len({next(iter(self.of(region).values()))})"

    def _inside(self, region: Region) -> Iterator[Region]:
        yield region
        for node in region.graph.nodes:
            if node.function in (branch, loop):
                for body in node.bodies:
                    yield from self._inside(self.regions.of[body])

    def _name_tapes(self, region: Region) -> None:
        tapes = self._tapes[region] = {}
        if mode_of(region) == INDEX and counts_turns(region):
            self._pairs |= pairs_of(region)
        for value in region.kept:
            if value not in self._pairs.values():
                tapes[value] = self._opened_tape(self.names.name(value) + "_tape", region)
        for value, before in self._pairs.items():
            if value in tapes:
                tapes[before] = tapes[value]

    def _opened_tape(self, wanted: str, region: Region) -> str:
        name = self.names.fresh(wanted)
        self.lists[name] = mode_of(region) == FROM_THE_END
        outermost = region
        while outermost.around is not None and outermost.around.depth:
            outermost = outermost.around
        self.opened_in[name] = outermost
        return name

    # the backward pass

    def read(self, region: Region, printer: Printer, index: tuple[str, int] | None = None) -> list[str]:
        """Return the lines that find what a body has kept; what is read once is found where it is read."""
        mode = mode_of(region)
        tapes = self._tapes.get(region, {})
        lines = []
        for value, tape in tapes.items():
            if mode == IN_REVERSE:
                continue
            if mode == FROM_THE_END:
                name = self.local_name(value)
                lines.append(f"{name} = {tape}.pop()")
                printer.name(value, name)
                continue
            assert index is not None
            text = f"{tape}[{shifted(*index, 1 if value in self._pairs else 0)}]"
            often = region.reads[value] > (2 if value.rank else 1)
            if often:
                name = self.local_name(value)
                lines.append(f"{name} = {text}")
                text = name
            printer.texts[value] = text, ATOM
        return lines

    def in_reverse(self, region: Region, printer: Printer) -> tuple[list[str], list[str]]:
        """Return the names that a loop through its tapes in reverse gives to their entries, and the tapes."""
        names = []
        for value in self.of(region):
            names.append(self.local_name(value))
            printer.name(value, names[-1])
        return names, list(self.of(region).values())

    def local_name(self, value: Value) -> str:
        """Return a name for a value that is found again: its own, unless that means something else in the backward pass."""
        name = self.names.name(value)
        if name in self._local:
            name = self.names.fresh(name)
        self._local.add(name)
        return name

    def protect(self) -> None:
        """Note before the backward pass is written which names it reads as they were left by the forward pass."""
        self._local.update(self.names.of[value] for value in self.variables.direct if value in self.names.of)


def _needs_counter(region: Region, mode: str) -> bool:
    return has_open_end(region) and (region.depth > 1 or (mode == INDEX and not region.kept))


def shifted(name: str, offset: int, by: int) -> str:
    """Return the text of a counter plus a number: the counter less its first number is that of the turn."""
    total = by - offset
    return name if not total else f"{name} {'+' if total > 0 else '-'} {abs(total)}"
