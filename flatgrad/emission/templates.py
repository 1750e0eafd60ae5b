"""The texts that are laid out by templates. Templates get text as data: nothing in it can act as a template.

In: a template's name and its parts. Out: text. Layer: bottom of `emission`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2


@cache
def _environment() -> jinja2.Environment:
    package = Path(__file__).parents[1]
    # in a wheel the templates lie inside the package, in a checkout beside it
    folders = [package / "templates", package.parent / "templates"]
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders if folder.is_dir()]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
        undefined=jinja2.StrictUndefined,
    )


def rendered(template: str, **parts: Any) -> str:
    """Return the text of a template filled with its parts."""
    return _environment().get_template(template).render(parts)
