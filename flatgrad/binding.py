"""Arguments of a call by the names that the operation's record knows them by.

In: a function, its record, arguments as written. Out: arguments by name, in order, and how many came without a name.
A call written from them again. Layer: above `registry`.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from flatgrad.registry import Record, lookup


class ArgumentError(Exception):
    """A call with an argument that the operation's record doesn't know, or without one that it needs."""


@lru_cache(maxsize=1024)
def _own_parameters(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """Return the names of a function's positional parameters, or None where Python can't tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return None
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    return tuple(p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY)


def _renamed(own: tuple[str, ...], record: Record) -> tuple[str, ...]:
    """Return a function's parameters by the names in its record; other arguments may stand between the inputs."""
    known = {parameter.name for parameter in record.parameters}
    inputs = iter([name for name in record.inputs if name not in own])
    return tuple([name if name in known else next(inputs, name) for name in own])


def _names_by_place(function: Callable[..., Any], record: Record) -> tuple[str, ...]:
    """Return the names that a record has for the arguments of a function, in their order: the rule's for the inputs."""
    own = _own_parameters(function)
    return tuple(p.name for p in record.parameters) if own is None else _renamed(own, record)


def name_in_record(function: Callable[..., Any], record: Record, given: int | str) -> str | None:
    """Return the name that a record has for the argument at a place, or of a name; None where it has none."""
    names = _names_by_place(function, record)
    if isinstance(given, str):
        return dict(zip(_own_parameters(function) or (), names, strict=False)).get(given, given)
    if record.starred is not None and given >= names.index(record.starred):
        return record.starred
    return names[given] if given < len(names) else None


def bound(
    function: Callable[..., Any], record: Record, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], int]:
    """Return the arguments by their names in the record, and the number of those given without a name.

    Raises ArgumentError.
    """
    own = _own_parameters(function)
    if record.gradient is None:
        if own is None:
            own = tuple(f"argument{k}" for k in range(len(args)))
        known = None
    else:
        known = frozenset(parameter.name for parameter in record.parameters)
        own = _names_by_place(function, record)
    place = own.index(record.starred) if record.starred is not None else len(args) + 1
    if place <= len(args):
        args = (*args[:place], tuple(args[place:]))
    if len(args) > len(own):
        raise ArgumentError(f"takes at most {len(own)} arguments")
    arguments = dict(zip(own, args, strict=False))
    positional = len(args)
    parameters = _own_parameters(function) or ()
    renamed = dict(zip(parameters, own, strict=False))
    by_name = {renamed.get(name, name): argument for name, argument in kwargs.items()}
    # inputs that have other names here are written by their places
    by_name = {name: by_name[name] for name in own if name in by_name and name not in parameters} | by_name
    for name, argument in by_name.items():
        if name in arguments:
            raise ArgumentError(f"is given `{name}` twice")
        if (
            positional == len(arguments) < min(len(record.inputs), len(own))
            and name == own[positional]
            and name in record.inputs
        ):
            positional += 1
        arguments[name] = argument
    if known is not None:
        for name in arguments:
            if name not in known:
                raise ArgumentError(f"is differentiated without the argument `{name}`")
        for parameter in record.parameters:
            if parameter.default is inspect.Parameter.empty and parameter.name not in arguments:
                raise ArgumentError(f"needs the argument `{parameter.name}`")
    return arguments, positional


def spread(function: Any, arguments: Mapping[str, Any], positional: int) -> tuple[list[Any], dict[str, Any]]:
    """Return named arguments as a call gives them: the first `positional` ones without names, and the others."""
    record = lookup(function)
    starred = record.starred if record is not None else None
    args: list[Any] = []
    for name, argument in itertools.islice(arguments.items(), positional):
        args += argument if name == starred else [argument]
    return args, dict(itertools.islice(arguments.items(), positional, None))
