"""Objects that a file makes at its top level from classes whose fields tell all of it: ``CONFIG = Config(rate=0.1)``.

In: a class of a file, and arguments that are constants. Out: a `Record`, or a dict of a TypedDict. Layer: `frontend`, above
`constants`, below `static_classes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flatgrad.frontend.known_functions import CONTAINER_METHODS
from flatgrad.frontend.source import NameUnknown
from flatgrad.graph.containers import Record

# methods that decide what an object holds, or that look as if they only read it
OWN_METHODS = frozenset({"__init__", "__new__", "__post_init__", *CONTAINER_METHODS})


def instance_of(kind: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return what a call of a class makes. Raises NameUnknown where only running it would tell."""
    if kind.style == "plain" or any(name in OWN_METHODS for each in kind.mro for name in each.held):
        message = f"what a call of the class `{kind.name}` makes can't be told without running it"
        raise NameUnknown(message, "pass it as a parameter")
    given = _given(kind, args, kwargs)
    parts = {
        field.name: given.get(field.name, _default(field))
        for field in kind.fields
        if field.name in given or field.has_default
    }
    unknown = next((part for part in parts.values() if isinstance(part, NameUnknown)), None)
    if unknown is not None:
        raise unknown
    return parts if kind.style == "typeddict" else Record.of(kind, parts)


def _given(kind: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments by field. Raises NameUnknown where they don't fit."""
    fields = {field.name: field for field in kind.fields if field.init}
    positional = [name for name, field in fields.items() if not field.keyword_only]
    given = {**dict(zip(positional, args, strict=False)), **kwargs}
    missing = [name for name, field in fields.items() if name not in given and not field.has_default]
    if len(args) + len(kwargs) > len(given) or missing or not set(given) <= set(fields):
        raise NameUnknown(f"the arguments of `{kind.name}` don't fit its fields")
    return given


def _default(field: Any) -> Any:
    """Return what stands in a field that a call leaves out; a NameUnknown says why that can't be told."""
    if field.factory is list or field.factory is dict:
        return field.factory()
    if field.has_factory:
        return NameUnknown(f"the default of `{field.name}` can't be told without running the file")
    return field.default
