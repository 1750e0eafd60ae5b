"""How source shows itself: plain where it is printed, highlighted in a notebook.

In: text. Out: a string that knows its HTML. Layer: bottom; rich is imported when there is something to highlight.
"""

from __future__ import annotations

from typing import Any

WIDTH = 120
PAGE = '<pre style="padding: 0.6em; overflow-x: auto; line-height: 1.3; {background}">{code}</pre>'


class Source(str):
    """Source text: a string that shows itself as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return highlighted(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": highlighted(self)}


def highlighted(source: str) -> str:
    """Return Python source as HTML with its colours in it."""
    import io

    from rich.console import Console
    from rich.syntax import Syntax

    # in a notebook a console would show what it prints by itself
    console = Console(
        record=True,
        file=io.StringIO(),
        width=WIDTH,
        color_system="truecolor",
        force_terminal=True,
        force_jupyter=False,
    )
    syntax = Syntax("", "python", theme="default")
    console.print(syntax.highlight(source.rstrip("\n")), soft_wrap=True)
    return console.export_html(
        code_format=PAGE.replace("{background}", "background: #f8f8f8; color: #000"), inline_styles=True
    )
