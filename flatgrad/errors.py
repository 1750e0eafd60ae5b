"""What flatgrad raises: a place in the user's source, what is wrong there, and what to do about it.

In: problems found by any stage. Out: one exception that shows them all. Imports nothing of flatgrad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# of a recursion, the innermost calls are shown
MOST_CALLS = 8


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` and `column` count from 1 as editors do; 0 means the whole file.

    `text` is the source line. `end` is the column after the construct, for the caret's width. `called_from` are the calls
    of the user's functions that led there, the innermost first.
    """

    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    end: int = 0
    text: str = ""
    called_from: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: " if self.file else ""
        lines = [place + self.message]
        if self.text.strip():
            start = max(self.column - 1, 0)
            width = max(min(self.end, len(self.text) + 1) - self.column, 1)
            # tabs stay tabs, so that the caret stands under its construct
            margin = "".join("\t" if character == "\t" else " " for character in self.text[:start])
            lines += ["    " + self.text.rstrip(), "    " + margin.ljust(start) + "^" * width]
        shown = self.called_from if len(self.called_from) <= MOST_CALLS else self.called_from[: MOST_CALLS - 1]
        lines += [f"called from {call.file}:{call.line}:{call.column}: {call.text.strip()}" for call in shown]
        if len(shown) < len(self.called_from):
            lines.append(f"... and {len(self.called_from) - len(shown)} more calls")
        if self.hint:
            lines.append("hint: " + self.hint)
        return "\n".join(lines)


def syntax_problem(error: SyntaxError, file: str, lines: Sequence[str]) -> Problem:
    """Return the problem that Python's parser has found in a text with these lines."""
    line = error.lineno or 0
    column = max(error.offset or 1, 1)
    end = error.end_offset or 0
    if error.end_lineno != line or end <= column:
        end = column + 1
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return Problem(f"syntax error: {error.msg}", "", file, line, column, end, text)


class FlatgradError(Exception):
    """Base of all errors that flatgrad raises on purpose. `problems` holds every one that was found."""

    def __init__(self, problems: Problem | Sequence[Problem] | str, hint: str = "") -> None:
        if isinstance(problems, str):
            problems = Problem(problems, hint)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class SourceError(FlatgradError):
    """The source of a function can't be had, can't be parsed, or is not the source of that function."""


class UnsupportedError(FlatgradError):
    """The function uses something that has no derivative here, or that flatgrad can't read."""


class SignatureError(FlatgradError):
    """The arguments asked for or given don't fit: an unknown name in `wrt`, a rank that is needed and not known."""


class ShapeError(FlatgradError):
    """Shapes or dtypes that can't go together."""
