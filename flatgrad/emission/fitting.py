"""Prints text with places where a line may end: a group breaks at its own places if it does not fit on its line.

In: elements, a flat list of texts and tags. Out: lines. Layer: emission, below `layout`.

This is the printer of ruff's formatter, reduced to what statements need. A group is printed flat if it and what follows
it, up to the next place where a line may end, fit on the line. The mode of a group can be asked for by its number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a tag opens; all but LINE and COMMENT reach to their END."""

    GROUP = auto()
    BEST = auto()
    EXPANDABLE = auto()
    INDENT = auto()
    IF_BROKEN = auto()
    IF_FLAT = auto()
    LINE = auto()
    COMMENT = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Tag:
    """One element that is not text.

    - GROUP: `number` names it; `within` is a group that must be broken for this one to count; `broken` is never flat.
    - BEST: a group that is broken only if that makes it fit.
    - EXPANDABLE: may be broken inside a flat group, if the group `within` is flat or 0.
    - INDENT: four columns, if the group `within` is broken or 0.
    - IF_BROKEN, IF_FLAT: printed if the group `within` (0: the innermost one) is.
    - LINE: the end of a line, or `text` where the group is flat.
    - COMMENT: `text` goes to the end of the line, wherever it stands in it.
    """

    kind: Kind
    number: int = 0
    within: int = 0
    text: str = ""
    broken: bool = False


Element = str | Tag
END = Tag(Kind.END)
INDENTATION = 4

FLAT = False
BROKEN = True


class Measure(Enum):
    """How far a text has to fit: to the end of its first line, on all lines, or anyhow."""

    FIRST_LINE = auto()
    ALL_LINES = auto()
    ANYHOW = auto()


Frame = tuple[bool, int, Measure]  # the mode, the indentation, what has to fit


def width_of(text: str) -> int:
    """Return the number of columns that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


_PRAGMAS = ("# type:", "# noqa", "# pyright:", "# pylint:", "# flake8:", "# ruff:", "# isort:", "# nosec")


def _reserved(comment: str) -> int:
    # the formatter does not break a line for a comment that speaks to a tool
    return 0 if comment.startswith(_PRAGMAS) else 2 + width_of(comment)


class Printer:
    """Prints one list of elements, from the column `indent` on."""

    def __init__(self, elements: Sequence[Element], indent: int, width: int) -> None:
        self._elements = elements
        self._width = width
        self._modes: dict[int, bool] = {}
        self._lines: list[str] = []
        self._line = " " * indent
        self._column = indent
        self._comment = ""
        self._indent = indent
        # whether a group around has been measured as a whole, so that groups inside it fit as well
        self._measured = False
        self._ends = _ends(elements)

    def fits(self) -> bool:
        """Whether everything fits on one line, apart from what is marked as broken."""
        return self._fits(0, [(FLAT, self._indent, Measure.FIRST_LINE)], self._column)

    def lines(self, mode: bool = BROKEN) -> list[str]:
        """Return the lines; `mode` is the one of the elements outside all groups."""
        self._measured = mode is FLAT
        stack: list[Frame] = [(mode, self._indent, Measure.FIRST_LINE)]
        position = 0
        while position < len(self._elements):
            element = self._elements[position]
            position += 1
            if isinstance(element, str):
                self._line += element
                self._column += width_of(element)
            elif element.kind is Kind.END:
                stack.pop()
            elif element.kind is Kind.LINE:
                self._print_line(element, stack[-1])
            elif element.kind is Kind.COMMENT:
                self._comment = "  " + element.text
            elif self._is_skipped(element, stack[-1]):
                position = self._ends[position - 1] + 1
            else:
                stack.append(self._opened(element, position, stack))
        return [*self._lines, self._line + self._comment]

    def _print_line(self, line: Tag, frame: Frame) -> None:
        mode, indent, _ = frame
        if mode is FLAT:
            self._line += line.text
            self._column += len(line.text)
            return
        self._lines.append(self._line + self._comment)
        self._line = " " * indent
        self._column = indent
        self._comment = ""
        self._measured = False

    def _is_skipped(self, tag: Tag, frame: Frame) -> bool:
        if tag.kind not in (Kind.IF_BROKEN, Kind.IF_FLAT):
            return False
        mode = self._modes[tag.within] if tag.within else frame[0]
        return mode is not (tag.kind is Kind.IF_BROKEN)

    def _opened(self, tag: Tag, position: int, stack: list[Frame]) -> Frame:
        mode, indent, measure = stack[-1]
        if tag.kind is Kind.INDENT and self._counts(tag):
            return mode, indent + INDENTATION, measure
        if tag.kind is Kind.EXPANDABLE and self._is_expandable(tag):
            self._measured = False
        if tag.kind is Kind.BEST or (tag.kind is Kind.GROUP and self._counts(tag)):
            mode = BROKEN if tag.broken else self._mode_of_group(tag, position, stack)
            self._modes[tag.number] = mode
        return mode, indent, measure

    def _mode_of_group(self, tag: Tag, position: int, stack: list[Frame]) -> bool:
        mode, indent, measure = stack[-1]
        if mode is FLAT and self._measured:
            return FLAT
        self._measured = True
        self._modes[tag.number] = FLAT
        if self._fits(position, [*stack, (FLAT, indent, measure)], self._column):
            return FLAT
        if tag.kind is Kind.BEST:
            self._modes[tag.number] = BROKEN
            return self._fits(position, [*stack, (BROKEN, indent, Measure.ALL_LINES)], self._column)
        return BROKEN

    def _counts(self, tag: Tag) -> bool:
        return not tag.within or self._modes[tag.within] is BROKEN

    def _is_expandable(self, tag: Tag) -> bool:
        return not tag.within or self._modes[tag.within] is FLAT

    def _fits(self, position: int, stack: list[Frame], column: int) -> bool:
        while position < len(self._elements):
            element = self._elements[position]
            position += 1
            mode, indent, measure = frame = stack[-1]
            if isinstance(element, str):
                column += width_of(element)
            elif element.kind is Kind.END:
                stack.pop()
            elif element.kind is Kind.COMMENT:
                column += _reserved(element.text)
            elif element.kind is Kind.LINE and mode is BROKEN:
                if measure is Measure.FIRST_LINE:
                    return True
                column = indent
            elif element.kind is Kind.LINE:
                column += len(element.text)
            elif self._is_skipped(element, frame):
                position = self._ends[position - 1] + 1
            else:
                stack.append(self._measured_as(element, frame))
            if column > self._width and measure is not Measure.ANYHOW:
                return False
        return True

    def _measured_as(self, tag: Tag, frame: Frame) -> Frame:
        mode, indent, measure = frame
        if tag.kind is Kind.INDENT and self._counts(tag):
            return mode, indent + INDENTATION, measure
        if tag.kind is Kind.EXPANDABLE and mode is FLAT and self._is_expandable(tag):
            return BROKEN, indent, Measure.ANYHOW
        if tag.kind is Kind.BEST:
            # to what stands before it, it gets no parentheses: that breaks first
            self._modes[tag.number] = FLAT
        elif tag.kind is Kind.GROUP and self._counts(tag):
            mode = BROKEN if tag.broken else mode
            self._modes[tag.number] = mode
        return mode, indent, measure


def _ends(elements: Sequence[Element]) -> dict[int, int]:
    ends: dict[int, int] = {}
    opened: list[int] = []
    for position, element in enumerate(elements):
        if isinstance(element, Tag) and element.kind is Kind.END:
            ends[opened.pop()] = position
        elif isinstance(element, Tag) and element.kind not in (Kind.LINE, Kind.COMMENT):
            opened.append(position)
    return ends
