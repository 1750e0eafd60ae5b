"""The pages that `flatgrad rules` shows, as plain text of at most 100 columns.

In: entries. Out: text, laid out by templates. Layer: above `entries` and `samples`.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence

import numpy as np

from flatgrad.catalogue import rule_text
from flatgrad.catalogue.entries import Entry, scipy_is_missing
from flatgrad.catalogue.names import written
from flatgrad.catalogue.samples import emitted_code
from flatgrad.emission.templates import rendered
from flatgrad.registry import Kink, Record

WIDTH = 100
NAMES, SOURCES = 22, 26
KINK_HEAD = ("point", "flatgrad", "JAX", "PyTorch")
KINK_WIDTHS = (36, 22, 18, 18)


def table(found: Sequence[Entry]) -> str:
    """Return the operations with their gradients, by module; what has no gradient is named at each module's end."""
    modules = []
    for module, group in itertools.groupby(found, key=lambda entry: entry.module):
        each = list(group)
        rows = [line for entry in each if entry.rule is not None for line in _row(entry, entry.rule)]
        constants = ", ".join(entry.written for entry in each if entry.is_constant)
        read = ", ".join(entry.written for entry in each if entry.record is None)
        lists = {"constants": _wrapped(constants, WIDTH - 4), "read": _wrapped(read, WIDTH - 4)}
        modules.append({"name": module, "rows": rows, **lists})
    return rendered("rules.txt.jinja", modules=modules, scipy_is_missing=scipy_is_missing())


def _row(entry: Entry, record: Record) -> list[str]:
    """Return the lines of an operation: its names, its gradient, where its rule stands."""
    file, line = rule_text.place(record)
    source = f"{file.removesuffix('.py').rpartition('/')[2]}:{line}"
    lines, is_whole = rule_text.gradient_lines(record)
    room = WIDTH - NAMES - SOURCES - 6
    gradient = [part for text in lines for part in _wrapped(text, room - 4)]
    if not is_whole:
        gradient[-1] += " ..."
    names = _wrapped(entry.written, NAMES)
    if max(map(len, names)) > NAMES:
        # a long name stands on a line of its own
        gradient = ["" for _ in names] + gradient
    rows: list[str] = []
    for name, text in itertools.zip_longest(names, gradient, fillvalue=""):
        place = source if not rows else ""
        rows.append(f"{f'  {name:{NAMES}}  {text}'.rstrip():{WIDTH - SOURCES}}{place}".rstrip())
    return rows


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def page(entry: Entry) -> str:
    """Return all that is known of one operation. Raises FlatgradError where its sample can't be emitted."""
    record = entry.rule
    if record is None:
        return rendered("constant.txt.jinja", names=entry.written, is_constant=entry.is_constant)
    file, line = rule_text.place(record)
    call, code = emitted_code(record)
    with_gradient = rule_text.inputs_with_gradient(record)
    return rendered(
        "rule.txt.jinja",
        names=entry.written,
        signature=_wrapped(written(entry.names[0]) + rule_text.signature(record), WIDTH - 14),
        is_ufunc=isinstance(record.functions[0], np.ufunc),
        gradients=", ".join(with_gradient),
        others=", ".join(name for name in record.inputs if name not in with_gradient),
        place=f"{file}:{line}",
        rule=rule_text.body_lines(record),
        call=call,
        code=code.split("\n"),
        kinks=_kink_lines(record.kinks) if record.kinks else [],
        documentation=rule_text.documentation(record).split("\n"),
    )


def kink_table(kinks: Sequence[Kink]) -> str:
    """Return the choices at the points where there is no derivative, beside those of JAX and PyTorch."""
    return "\n".join(_kink_lines(kinks))


def _kink_lines(kinks: Sequence[Kink]) -> list[str]:
    rows = [KINK_HEAD, *dict.fromkeys((kink.point, kink.choice, kink.jax, kink.torch) for kink in kinks)]
    lines = []
    for row in rows:
        cells = [_wrapped(text, width) for text, width in zip(row, KINK_WIDTHS, strict=True)]
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            padded = (f"{text:{width}}" for text, width in zip(parts, KINK_WIDTHS, strict=True))
            lines.append("  ".join(padded).rstrip())
    return lines
