"""What the command line prints: in colours on a terminal, as UTF-8 bytes elsewhere.

In: text. Out: nothing. Layer: above `errors`.
"""

from __future__ import annotations

import os
import sys

from flatgrad.errors import FlatgradError, Problem

# lines of a page: names that are assigned, heads of its parts, what is beside a name
COLOURS = {
    "green": r"\bgrad_\w+",
    "bold": r"(?m)^\S.*$",
    "dim": r"[\w/]+(\.py)?:\d+$",
}


class OutputError(FlatgradError):
    """The output file can't be written or read."""


def show(text: str, *, kind: str = "plain") -> None:
    """Print text. `kind` is "plain", "source" or "page". Raises OutputError, and BrokenPipeError where nobody reads on."""
    try:
        _print(text, kind)
    except BrokenPipeError:
        raise
    except OSError as error:
        discard()
        raise OutputError(Problem(f"can't write: {error.strerror}", file="standard output")) from None


def _print(text: str, kind: str) -> None:
    if kind != "plain" and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        from rich.console import Console
        from rich.syntax import Syntax
        from rich.text import Text

        if kind == "source":
            coloured = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(text)
        else:
            coloured = Text(text)
            for style, pattern in COLOURS.items():
                coloured.highlight_regex(pattern, style)
        # soft wrapping leaves long lines whole, so that they can be copied
        Console(highlight=False).print(coloured, soft_wrap=True, end="")
    else:
        sys.stdout.flush()
        # the name of a folder may have bytes that are no text
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
    sys.stdout.flush()


def discard() -> None:
    """Keep what is still buffered from raising again when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
