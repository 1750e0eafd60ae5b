"""The text that a function was made from, as it is when this is asked for: the file may be edited later.

In: a function, and its text where the user gives it. Out: `Origin`, one for all functions of a file in one state. Files are
not compiled here: whether their text is that of the function is found out when it is read. What is searched for or given
is compiled. Layer: above `codes`, below `frontend`; it parses nothing, so that decorating a function costs next to nothing.
"""

from __future__ import annotations

import inspect
import io
import linecache
import os
import re
import sys
import threading
import tokenize
import types
import weakref
from collections.abc import Iterator

from flatgrad.errors import Problem, SourceError, syntax_problem
from flatgrad.functions.codes import dedented, matching_lines

GIVEN = "<source>"
# the names that code has which was typed at a prompt, and the one of `python -c`
PROMPTS = ("<stdin>", "<console>")
COMMAND = "<string>"
HISTORY_LINES = 2_000
NOT_COMPILED = (SyntaxError, ValueError, RecursionError, MemoryError)
# what may follow a function's last statement at the same or less indentation and belong to it
TRAILING = ("#", ")", "]", "}")

# one thread at a time looks into linecache, whose entries vanish under the hands of another; a loader may come back here
_lock = threading.RLock()


def _after_fork() -> None:
    # another thread may have held it, and there is no such thread here
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_origins: weakref.WeakValueDictionary[str, Origin] = weakref.WeakValueDictionary()


class Origin:
    """The text that a function was made from.

    `file` is the name to show. `is_excerpt` tells that the text may be without what is around the function, and that it
    has been found to be the function's own. Two origins are equal where they are the same object.
    """

    __slots__ = ("__weakref__", "_lines", "_text", "file", "is_excerpt")

    def __init__(self, file: str, lines: list[str], text: str | None = None, *, is_excerpt: bool = False) -> None:
        self.file = file
        self.is_excerpt = is_excerpt
        self._lines = lines
        self._text = text

    def __repr__(self) -> str:
        return f"Origin({self.file!r})"

    @property
    def text(self) -> str | None:
        """The whole file, cell or text given; None where it can't be had."""
        if self._text is None and self._lines:
            self._text = "".join(self._lines)
        return self._text

    @property
    def is_missing(self) -> bool:
        """Whether there is no text."""
        return not self._lines

    def line(self, number: int) -> str:
        """Return a line without its end; it is empty where there is none."""
        return self._lines[number - 1].rstrip("\r\n") if 0 < number <= len(self._lines) else ""

    def segment(self, code: types.CodeType) -> str:
        """Return the lines of a function, with its decorators and the comments that follow it; of an excerpt, all.

        It is cheap and meant to be compared. Where the text is not that of the function it is of no meaning.
        """
        lines = self._lines
        if self.is_excerpt:
            return "".join(lines)
        start, end = code.co_firstlineno - 1, _last_line(code)
        margin = _indentation(lines[start]) if start < len(lines) else 0
        while end < len(lines):
            line = lines[end].strip()
            if line and not line.startswith(TRAILING) and _indentation(lines[end]) <= margin:
                break
            end += 1
        return "".join(lines[start:end])


def origin_of(function: types.FunctionType, source: str | None = None) -> Origin:
    """Return the origin of a function as of now; `source` is the text of its file or of its `def`, where it is given.

    Raises SourceError where the text given is not the function's.
    """
    code = function.__code__
    if source is not None:
        return _given(code, source)
    file = code.co_filename
    with _lock:
        linecache.checkcache(file)
        if lines := linecache.getlines(file, function.__globals__):
            return _shared(file, lines)
    # from Python 3.13 on, what is typed at the prompt is kept by code
    kept_by_code = getattr(linecache, "_getlines_from_code", None)
    if kept_by_code is not None and (lines := kept_by_code(code)):
        return _shared(file, lines)
    if file in PROMPTS and (text := _typed(code)) is not None:
        return _excerpt(file, text)
    if file == COMMAND and (text := _command(code)) is not None:
        return _shared(file, _split(text))
    return Origin(file, [])


_segments: weakref.WeakKeyDictionary[types.FunctionType, tuple[types.CodeType, str]] = weakref.WeakKeyDictionary()


def segment_of(function: types.FunctionType) -> str:
    """Return the lines of a function as they were when this was first asked for."""
    code = function.__code__
    known = _segments.get(function)
    if known is None or known[0] is not code:
        known = _segments[function] = (code, origin_of(function).segment(code))
    return known[1]


def shown_place(file: str, line: int) -> str:
    """Return where a function stands, as any machine would say it."""
    folder, name = os.path.split(file)
    if name.startswith("<ipython-input-") or os.path.basename(folder).startswith("ipykernel_"):
        # the name of a cell is another one each time
        return "a notebook cell"
    return f"{name}:{line}"


def missing_source(function: types.FunctionType) -> Problem:
    """Return why the text of a function can't be had, and what to do about it."""
    file, name = function.__code__.co_filename, function.__qualname__
    if not (file.startswith("<") and file.endswith(">")):
        message = f"the source of `{name}` can't be read: no such file, or not text"
        return Problem(message, "flatgrad reads the source: it has to be where Python imported it from", file)
    if file in PROMPTS:
        message = f"`{name}` was typed or piped into Python ({file}), which did not keep its text"
    else:
        message = f"`{name}` was made from a string ({file}), whose text Python does not keep"
    return Problem(message, "put the function into a file and import it, or pass its text: flatgrad(source=...)")


def _shared(file: str, lines: list[str]) -> Origin:
    """Return the origin of all functions of a file in this state."""
    with _lock:
        known = _origins.get(file)
        if known is not None and known._lines is not lines and known._lines == lines:
            # read again and not changed; the next one is told by the list alone
            known._lines = lines
        if known is None or known._lines is not lines:
            known = _origins[file] = Origin(file, lines)
        return known


def _excerpt(file: str, text: str) -> Origin:
    return Origin(file, _split(text), text, is_excerpt=True)


def _split(text: str) -> list[str]:
    """Split a text where Python does, which `str.splitlines` does not."""
    return io.StringIO(text).readlines()


def _last_line(code: types.CodeType) -> int:
    last = code.co_firstlineno
    for _, _, line in code.co_lines():
        if line is not None and line > last:
            last = line
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            last = max(last, _last_line(constant))
    return last


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _given(code: types.CodeType, source: str) -> Origin:
    """Return the origin for a text that the user gives. Raises SourceError where it is not the function's."""
    if not isinstance(source, str):
        raise SourceError(f"source is a {type(source).__name__}, not a str", "pass the text of the function")
    text = dedented(source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    try:
        lines = matching_lines(text, code, excerpt=True)
    except NOT_COMPILED as error:
        raise SourceError(_not_compiled(error, text)) from None
    if not lines:
        raise SourceError(_other_text(code, text))
    # where the lines agree, places in the text are those in the file
    is_file = not code.co_filename.startswith("<") and code.co_firstlineno in lines
    return _excerpt(code.co_filename if is_file else GIVEN, text)


def _not_compiled(error: BaseException, text: str) -> Problem:
    if isinstance(error, RecursionError | MemoryError):
        return Problem("an expression is nested too deeply to be parsed", "split it into several statements", GIVEN)
    if not isinstance(error, SyntaxError):
        return Problem(f"the text given as `source` can't be compiled: {error}", file=GIVEN)
    return syntax_problem(error, GIVEN, text.split("\n"))


def _other_text(code: types.CodeType, text: str) -> Problem:
    message = f"the text given as `source` is not that of `{code.co_qualname}`"
    hint = "pass the text of the file or of the def as it was when the function was made"
    found = _definition_of(code.co_name).search(text)
    if found is None:
        return Problem(f"{message}: it has no def of that name", hint, GIVEN)
    line = text.count("\n", 0, found.start()) + 1
    column = found.start("define") - found.start() + 1
    shown = text.split("\n")[line - 1]
    return Problem(f"{message}: it gives other code", hint, GIVEN, line, column, len(shown) + 1, shown)


def _definition_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*(?P<define>def[ \t]+{re.escape(name)}\b)", re.MULTILINE)


def _typed(code: types.CodeType) -> str | None:
    """Return the text of a function that was typed at the prompt, from the end of the history of lines; None without.

    The history has no empty lines and no line twice in a row, so that its text is taken where it gives the same code only.
    """
    readline = sys.modules.get("readline")
    if readline is None:
        return None
    count = readline.get_current_history_length()
    items = [readline.get_history_item(number) or "" for number in range(max(1, count - HISTORY_LINES), count + 1)]
    lines = _split("\n".join([*items, ""]))
    definition = _definition_of(code.co_name)
    for start in reversed(range(len(lines))):
        if definition.match(lines[start]):
            try:
                text = dedented("".join(inspect.getblock(lines[start:])))
                if matching_lines(text, code, excerpt=True):
                    return text
            except (*NOT_COMPILED, tokenize.TokenError):
                # another function of this name, one that Python refused
                continue
    return None


def _command(code: types.CodeType) -> str | None:
    """Return the text that Python was started with, `python -c TEXT`, where the function is in it."""
    for text in _commands():
        try:
            if matching_lines(text, code):
                return text
        except NOT_COMPILED:
            # an argument of another option, which is no program
            continue
    return None


def _commands() -> Iterator[str]:
    arguments = sys.orig_argv[1:]
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, found, text = argument.partition("c")
        if found and option.startswith("-") and not option.startswith("--"):
            yield (text or following) + "\n"
