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
from flatgrad.frontend.unsettled import EqualityUnknown
from flatgrad.graph.size import Size, SizeUnknown, bind, resolved, symbols_of, unify
from flatgrad.graph.values import Type
from flatgrad.options import Options
from flatgrad.parts import LAYOUT, places
from flatgrad.pipeline import Emitted, as_error, emit
from flatgrad.reading import LayoutUnknown, place_of
from flatgrad.signature import Signature, signature_of_arguments
from flatgrad.structures import places_of

# a number by its place in the arguments, whose value decides what is written; or an axis of an array, whose size does; LAYOUT
# in the place of an axis stands for how the array lies in memory
Axis = tuple[str, int]
Pin = str | Axis
Pins = frozenset[Pin]
Ties = list[list[Axis]]
Types = dict[str, Type]


def emit_for_arguments(
    definition: Definition, arguments: Mapping[str, Any], options: Options, split: bool | None, pins: Pins = frozenset()
) -> tuple[Emitted, Pins, Ties]:
    """Return the emitted module for such arguments, its pins, and its ties.

    Pins are the numbers that it was written for, those given among them. Ties are axes that are taken to be of one size,
    because these arguments agree, and annotations give them one name or the code has to know it. Raises FlatgradError.
    """
    equal: list[tuple[Axis, Axis]] = []
    numbers = {place: leaf for name, argument in arguments.items() for place, leaf in places(name, argument)}
    while True:
        names = frozenset(pin for pin in pins if isinstance(pin, str))
        signature = signature_of_arguments(definition, arguments, names)
        types = _types(signature)
        for one, other in equal:
            unify(_size(types, one), _size(types, other))
        ties = _ties(types)
        _pin_sizes(types, numbers, pins)
        layouts = (pin[0] for pin in pins if isinstance(pin, tuple) and pin[1] == LAYOUT)
        signature.in_order = {place: bool(numbers[place].flags.c_contiguous) for place in layouts}
        try:
            return emit(definition, signature, options, split=split), pins, ties
        except (SizeUnknown, StaticNeeded, LayoutUnknown) as error:
            more_equal = _equal(error, signature, types) if isinstance(error, EqualityUnknown) else []
            more = frozenset() if more_equal else _needed(error, types, numbers)
            if not more_equal and not more - pins:
                raise as_error(error) from None
            equal += more_equal
            pins |= more


def _types(signature: Signature) -> Types:
    """Return the types of the arguments and of the leaves of containers, by their places."""
    leaves = (each for name, known in signature.parameters.items() for each in places_of(name, known))
    return {place: leaf for place, leaf in leaves if isinstance(leaf, Type)}


def _size(types: Types, axis: Axis) -> Size:
    return resolved(types[axis[0]].shape[axis[1]])


def _equal(error: EqualityUnknown, signature: Signature, types: Types) -> list[tuple[Axis, Axis]]:
    """Return the axes that are of one size in these arguments where that is all that has to be known; none where it is not."""
    axes = {
        size: (place, axis)
        for place, known in types.items()
        for axis, size in enumerate(known.shape)
        if not isinstance(size, int)
    }
    found: list[tuple[Axis, Axis]] = []
    for one, other in error.pairs:
        if one not in axes or other not in axes:
            return []
        numbers = {signature.sizes[symbol] for size in (one, other) for (symbol,), _ in size.terms}
        if len(numbers) > 1:
            return []
        found.append((axes[one], axes[other]))
    return found


def _ties(types: Types) -> Ties:
    """Return the groups of axes that share a symbol."""
    groups: dict[Any, list[Axis]] = {}
    for place, known in types.items():
        for axis, size in enumerate(known.shape):
            for symbol in symbols_of(size):
                groups.setdefault(symbol, []).append((place, axis))
    return [group for group in groups.values() if len(group) > 1]


def _pin_sizes(types: Types, numbers: Mapping[str, Any], pins: Pins) -> None:
    for pin in pins:
        if isinstance(pin, tuple) and pin[1] != LAYOUT:
            size = _size(types, pin)
            if not isinstance(size, int):
                bind(size.terms[0][0][0], np.shape(numbers[pin[0]])[pin[1]])


def _needed(error: SizeUnknown | StaticNeeded | LayoutUnknown, types: Types, numbers: Mapping[str, Any]) -> Pins:
    """Return the pins that an error asks for: the place of a number, or that of an array with an axis or LAYOUT."""
    if isinstance(error, LayoutUnknown):
        return frozenset((place, LAYOUT) for place in error.places)
    if isinstance(error, StaticNeeded):
        place = place_of(error)
        return frozenset({place}) if place is not None and isinstance(numbers.get(place), int | float) else frozenset()
    wanted = set(error.symbols)
    numbered = {symbol.parameter for symbol in error.symbols if symbol.parameter is not None}
    return frozenset(numbered) | frozenset(
        (place, axis)
        for place, known in types.items()
        for axis, size in enumerate(known.shape)
        if wanted & set(symbols_of(size))
    )
