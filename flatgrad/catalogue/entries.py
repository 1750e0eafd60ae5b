"""All operations that have a record, by the modules that they are from.

In: the registry. Out: `Entry`s, all of them or those that a text names. Layer: above `names` and `rule_text`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from difflib import get_close_matches

import flatgrad.rules  # noqa: F401 - declares the operations
from flatgrad import nn
from flatgrad.catalogue.names import BUILTINS, full_name, module_name, written
from flatgrad.errors import FlatgradError, Problem
from flatgrad.registry import Kink, Record, lookup, records
from flatgrad.rules.scipy_functions import declare_installed

SHORT_FORMS = {"np.": "numpy.", "x.": "numpy.ndarray.", "nn.": "flatgrad.nn.", "sp.": "scipy."}


class UnknownOperation(FlatgradError):
    """No operation has such a name."""


@dataclass(frozen=True)
class Entry:
    """One operation: its record, and the full names of its functions.

    Without a record it is a function that is read where it is called, as those of users are.
    """

    record: Record | None
    names: tuple[str, ...]

    @property
    def module(self) -> str:
        """Where the first of its functions is from."""
        return module_name(self.names[0])

    @property
    def written(self) -> str:
        """All its names, as people write them."""
        return ", ".join(map(written, self.names))

    @property
    def rule(self) -> Record | None:
        """Its record, where that has a rule."""
        return self.record if self.record is not None and self.record.gradient is not None else None

    @property
    def is_constant(self) -> bool:
        """Whether no gradient flows through it."""
        return self.record is not None and self.record.gradient is None


def entries() -> list[Entry]:
    """Return what users can call, sorted by module and name. SciPy's functions are there where it is installed."""
    declare_installed()
    found = [Entry(None, (f"flatgrad.nn.{name}",)) for name in nn.__all__ if lookup(getattr(nn, name)) is None]
    for record in records():
        names = tuple(dict.fromkeys(name for name in map(full_name, record.functions) if name is not None))
        if names:
            found.append(Entry(record, names))
    return sorted(found, key=lambda entry: (_rank(entry.module), entry.module, entry.names[0].lower()))


def scipy_is_missing() -> bool:
    """Tell whether the rules for SciPy can't be shown."""
    return importlib.util.find_spec("scipy") is None


def _rank(module: str) -> int:
    for rank, root in enumerate((BUILTINS, "math", "numpy", "scipy", "flatgrad")):
        if module.partition(".")[0] == root:
            return rank
    return -1


def named(text: str, known: list[Entry]) -> list[Entry]:
    """Return the operations that a name stands for: `tanh`, `linalg.norm`, `np.tanh` and `+` are such names."""
    text = _full(text)
    return [entry for entry in known if any(text == name or name.endswith(f".{text}") for name in entry.names)]


def matching(text: str, known: list[Entry]) -> list[Entry]:
    """Return the operations with a text in their names, be it a module. Raises UnknownOperation where there are none."""
    full = _full(text).lower()
    found = [entry for entry in known if any(full in name.lower() for name in entry.names)]
    if not found:
        raise UnknownOperation(_unknown(text, known))
    return found


def _full(text: str) -> str:
    for short, module in SHORT_FORMS.items():
        if text.startswith(short):
            return module + text.removeprefix(short)
    return text


def _unknown(text: str, known: list[Entry]) -> Problem:
    last: dict[str, str] = {}
    for name in (name for entry in known for name in entry.names):
        last.setdefault(name.rpartition(".")[2], written(name))
    near = get_close_matches(text.rpartition(".")[2], last, 4, 0.6)
    hint = f"did you mean {' or '.join(last[name] for name in near)}?" if near else "flatgrad rules shows all"
    if scipy_is_missing():
        hint += "; scipy is not installed, so that its functions are not known"
    return Problem(f"no operation has `{text}` in its name", hint)


def kinks(known: list[Entry]) -> list[Kink]:
    """Return the choices where there is no derivative, each point once."""
    rows = {(kink.point, kink.choice, kink.jax, kink.torch): kink for entry in known for kink in _kinks_of(entry)}
    return list(rows.values())


def _kinks_of(entry: Entry) -> tuple[Kink, ...]:
    return entry.record.kinks if entry.record is not None else ()
