"""From the arguments of a call to the module that is emitted for such arguments.

In: a definition, its arguments by name. Out: `Emitted`, and which numbers of the arguments it was written for. Layer:
above `pipeline`, below `specialise`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flatgrad.builder import StaticNeeded
from flatgrad.frontend.source import Definition
from flatgrad.graph.size import SizeUnknown, bind, resolved, symbols_of
from flatgrad.options import Options
from flatgrad.pipeline import Emitted, as_error, emit
from flatgrad.signature import Signature, signature_of_arguments

# a parameter by name, whose value decides what is written; or an axis of a parameter, whose size does
Pin = str | tuple[str, int]
Pins = frozenset[Pin]
Ties = list[list[tuple[str, int]]]


def emit_for_arguments(
    definition: Definition, arguments: Mapping[str, Any], options: Options, split: bool | None, pins: Pins = frozenset()
) -> tuple[Emitted, Pins, Ties]:
    """Return the emitted module for such arguments, its pins, and its ties.

    Pins are the numbers that it was written for, those given among them. Ties are axes that are taken to be of one size,
    because annotations give them one name and these arguments agree. Raises FlatgradError.
    """
    while True:
        names = frozenset(pin for pin in pins if isinstance(pin, str))
        signature = signature_of_arguments(definition, arguments, names)
        ties = _ties(signature)
        _pin_sizes(signature, arguments, pins)
        try:
            return emit(definition, signature, options, split=split), pins, ties
        except (SizeUnknown, StaticNeeded) as error:
            more = _needed(error, signature, arguments)
            if not more - pins:
                raise as_error(error) from None
            pins |= more


def _ties(signature: Signature) -> Ties:
    """Return the groups of axes that share a symbol."""
    groups: dict[Any, list[tuple[str, int]]] = {}
    for name, known in signature.parameters.items():
        for axis, size in enumerate(getattr(known, "shape", ())):
            for symbol in symbols_of(size):
                groups.setdefault(symbol, []).append((name, axis))
    return [group for group in groups.values() if len(group) > 1]


def _pin_sizes(signature: Signature, arguments: Mapping[str, Any], pins: Pins) -> None:
    for pin in pins:
        if isinstance(pin, tuple):
            size = resolved(signature.parameters[pin[0]].shape[pin[1]])  # type: ignore[union-attr]
            if not isinstance(size, int):
                bind(size.terms[0][0][0], np.shape(arguments[pin[0]])[pin[1]])


def _needed(error: SizeUnknown | StaticNeeded, signature: Signature, arguments: Mapping[str, Any]) -> Pins:
    """Return the pins that an error asks for: a parameter's name, or its name with an axis."""
    if isinstance(error, StaticNeeded):
        name = error.value.name if error.value.node is None else None
        if name is None or not isinstance(arguments.get(name), int | float):
            return frozenset()
        return frozenset({name})
    wanted = set(error.symbols)
    return frozenset(
        (name, axis)
        for name, known in signature.parameters.items()
        for axis, size in enumerate(getattr(known, "shape", ()))
        if wanted & set(symbols_of(size))
    )
