"""Which parameters, and which parts of them, the gradients that are returned belong to.

In: the options, the parameters of a function with the values in them. Out: `Wrt`. Layer: above `signature`, below `pipeline`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flatgrad.annotations import Static
from flatgrad.errors import Problem, SignatureError
from flatgrad.frontend.source import Definition
from flatgrad.graph.containers import leaves
from flatgrad.graph.values import Value
from flatgrad.options import Options
from flatgrad.signature import Signature
from flatgrad.structures import part_at, places_of, short_names, spelled


@dataclass(frozen=True, slots=True)
class Wrt:
    """What the gradients belong to: places in the arguments, what is there, and the names of the gradients' fields.

    `bare` says that there is one, which is returned by itself.
    """

    places: tuple[str, ...]
    structures: tuple[Any, ...]
    fields: tuple[str, ...]
    bare: bool


def chosen_parameters(definition: Definition, arguments: dict[str, Any], signature: Signature, options: Options) -> Wrt:
    """Return what the gradients that are returned belong to. Raises SignatureError for a place that there is not."""
    if options.wrt is None:
        chosen = tuple(name for name, item in arguments.items() if any(map(_is_real, leaves(item))))
        if not chosen:
            message = f"`{definition.syntax.name.value}` has no parameter that holds real numbers"
            raise SignatureError(definition.source.problem(message, definition.syntax.name))
        return Wrt(chosen, tuple(arguments[name] for name in chosen), chosen, bare=False)
    found: dict[str, Any] = {}
    for place in (options.wrt,) if isinstance(options.wrt, str) else options.wrt:
        if place in signature.parameters:
            _refuse_deciding(definition, signature.parameters[place], place)
            found[place] = arguments.get(place)
            continue
        try:
            found.update([part_at(arguments, place)])
        except KeyError:
            raise SignatureError(_no_such_place(definition, arguments, signature, place)) from None
    places = tuple(found)
    inner = short_names([place for place in places if place not in signature.parameters], frozenset(places))
    fields = tuple(inner.get(place, place) for place in places)
    return Wrt(places, tuple(found.values()), fields, isinstance(options.wrt, str))


def _refuse_deciding(definition: Definition, known: Any, place: str) -> None:
    """Raise for a real number that has to be known when the code is written: what depends on it is not differentiated."""
    if isinstance(known, Static) and isinstance(known.value, float):
        message = f"wrt names `{place}`, whose value decides what code is written, so that it has no gradient"
        hint = "options of functions, such as ddof, are known when the code is written"
        raise SignatureError(definition.source.problem(message, definition.syntax.name, hint))


def _no_such_place(definition: Definition, arguments: dict[str, Any], signature: Signature, place: str) -> Problem:
    name = definition.syntax.name.value
    root = spelled(place)[0]
    if root == place or root not in signature.parameters:
        message = f"wrt names `{root}`, which is not a parameter of `{name}`"
        return definition.source.problem(
            message, definition.syntax.name, f"its parameters are {', '.join(signature.parameters)}"
        )
    found = [each for each, _ in places_of(root, arguments.get(root))]
    message = f"wrt names `{place}`, which is not in the argument `{root}`"
    return definition.source.problem(message, definition.syntax.name, f"it has {', '.join(found[:8])}")


def _is_real(leaf: Any) -> bool:
    return isinstance(leaf, Value) and leaf.type.is_real
