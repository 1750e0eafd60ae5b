"""Containers in the signature: what the dicts, lists, tuples and objects of a call are when code is written for it.

In: an argument. Out: a structure (`Dict`, `List`, tuple, `Record`) of what a function makes of its leaves. Layer: beside
`annotations`.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flatgrad.graph.containers import Dict, List, Record
from flatgrad.parts import Opaque, attribute_place, attributes_of, check_depth, element_place, is_key

Leaf = Callable[[str, Any], Any]
# a leaf of such a name is called after what it is in, too
NOT_A_NAME = frozenset({*dir(builtins), *keyword.kwlist, "np", "math", "copy", "dataclasses", "saved"})


def structure_of(place: str, argument: Any, leaf: Leaf, depth: int = 0) -> Any:
    """Return an argument as a structure; `leaf` is asked for each leaf, with its place. Raises SignatureError."""
    check_depth(argument, depth)
    kind = type(argument)
    if kind is dict:
        if not all(map(is_key, argument)):
            return leaf(place, Opaque("dict with keys that can't be written into code"))
        return Dict.of(
            {key: structure_of(element_place(place, key), part, leaf, depth + 1) for key, part in argument.items()}
        )
    if kind is list or kind is tuple:
        parts = [structure_of(element_place(place, k), part, leaf, depth + 1) for k, part in enumerate(argument)]
        return List(parts) if kind is list else tuple(parts)
    attributes = attributes_of(argument)
    if attributes is None:
        return leaf(place, argument)
    return Record.of(
        kind,
        {
            name: structure_of(attribute_place(place, name), part, leaf, depth + 1)
            for name, part in attributes.items()
            if name.isidentifier()
        },
    )


def is_container(structure: Any) -> bool:
    """Tell whether something is a structure, and no leaf of one."""
    return isinstance(structure, tuple) and not hasattr(structure, "_fields")


def is_like(one: Any, other: Any) -> bool:
    """Tell whether two structures are of one class, and have parts by the same keys or names."""
    if type(one) is not type(other) or len(one) != len(other):
        return False
    if isinstance(one, Record):
        return one.kind is other.kind and one.names == other.names
    return not isinstance(one, Dict) or one.keys == other.keys


def parts_of(place: str, structure: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a structure with their places."""
    if isinstance(structure, Record):
        for name, part in structure.attributes.items():
            yield attribute_place(place, name), part
        return
    keyed = structure.items if isinstance(structure, Dict) else dict(enumerate(structure))
    for key, part in keyed.items():
        yield element_place(place, key), part


def places_of(place: str, structure: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a structure with their places, in order."""
    if not is_container(structure):
        yield place, structure
        return
    for inner, part in parts_of(place, structure):
        yield from places_of(inner, part)


def records_in(structure: Any) -> Iterator[Record]:
    """Yield the objects in a structure, at any depth."""
    if isinstance(structure, Record):
        yield structure
    if is_container(structure):
        for part in structure:
            yield from records_in(part)


def part_at(structures: Mapping[str, Any], place: str) -> tuple[str, Any]:
    """Return a place of the parameters, which users may write in several ways, and what is there. Raises KeyError."""
    wanted = spelled(place)
    found: dict[str, Any] = {}
    pending = list(structures.items())
    while pending:
        here, structure = pending.pop()
        if spelled(here) == wanted:
            found[here] = structure
        if is_container(structure):
            pending += parts_of(here, structure)
    if place not in found and len(found) != 1:
        raise KeyError(place)
    return (place, found[place]) if place in found else next(iter(found.items()))


def spelled(place: str) -> tuple[str, ...]:
    """Return the steps of a place: `params.W`, `params['W']` and `params["W"]` have the same."""
    for mark in ("[", "]", '"', "'"):
        place = place.replace(mark, ".")
    return tuple(step for step in place.split(".") if step)


def short_names(places: Sequence[str], taken: frozenset[str]) -> dict[str, str]:
    """Return a name for each place: its last step, and as many before it as make it a name that nothing else has.

    The steps of a name that are numbers stand behind one that is not.
    """
    steps = {place: [_letters(step) for step in spelled(place)] for place in places}
    counts: dict[str, int] = {}
    for path in steps.values():
        for count in range(1, len(path) + 1):
            name = "_".join(path[-count:])
            counts[name] = counts.get(name, 0) + 1
    names: dict[str, str] = {}
    for place, path in steps.items():
        candidates = ["_".join(path[-count:]) for count in range(1, len(path) + 1)]
        free = [name for name in candidates if counts[name] == 1 and name.isidentifier() and name not in taken]
        names[place] = next((name for name in free if name not in NOT_A_NAME and name != "_"), candidates[-1])
    return names


def _letters(step: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in step)
