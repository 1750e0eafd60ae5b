"""Structures that the functions of a module give to one another whole: `block["mlp"]` in place of its arrays one by one.

In: the main function and those that it calls, with the structures that the user gives them. Out: `Passed`: the parameters of
each function, what each call gives for them, and whose gradients come back in one structure. Layer: emission, below `blocks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.graph.regions import branch, call, loop, received
from flatgrad.graph.values import Dict, Graph, Node, Record, Value, leaves
from flatgrad.passes.memory import WRITES
from flatgrad.structures import is_container, parts_of, spelled


@dataclass(frozen=True, slots=True)
class Place:
    """A structure of a function's, and where it is in its parameters."""

    text: str
    structure: Any


@dataclass(frozen=True, slots=True)
class Passed:
    """What the functions of a module give to one another.

    `parameters` are those of each function by their names, values and structures of them; `given` is what a call gives for
    each, `whole` are the parameters of a function whose gradients its backward pass returns in one structure.
    """

    parameters: dict[Graph, dict[str, Any]]
    given: dict[Node, dict[str, Value | Place]]
    whole: dict[Graph, frozenset[str]]

    def returned(self, function: Graph) -> list[tuple[str, Any]]:
        """Return what the backward pass of a function returns, by parameters: a value whose gradient that is, or a structure."""
        wanted = dict.fromkeys(function.wrt)
        owners = {
            leaf: (name, item)
            for name, item in self.parameters[function].items()
            for leaf in leaves(item)
            if name in self.whole[function] and isinstance(leaf, Value)
        }
        found: dict[Any, tuple[str, Any]] = {}
        for value in wanted:
            name, item = owners.get(value, ("", value))
            found.setdefault(name or value, (name, item))
        return list(found.values())


def passed_structures(main: Graph, parameters: Mapping[str, Any], helpers: Sequence[Graph]) -> Passed:
    """Return what functions give to one another; `helpers` has each function behind those that it calls itself."""
    passed = Passed({main: dict(parameters)}, {}, {})
    for function in reversed(helpers):
        calls = [_Call(node, _Caller(passed, caller)) for caller in passed.parameters for node in _calls(caller, function)]
        _choose(passed, function, calls)
    return passed


def _calls(caller: Graph, function: Graph) -> Iterator[Node]:
    for node in caller.nodes:
        if node.function is call and node.bodies[0] is function:
            yield node
        elif node.function in (branch, loop):
            for body in node.bodies:
                yield from _calls(body, function)


def _choose(passed: Passed, function: Graph, calls: Sequence["_Call"]) -> None:
    """Choose the parameters of a function, and note what its calls give for them."""
    chosen = [
        each
        for name, item in function.structures.items()
        for each in _structures_passed(name, item, function, calls)
    ]
    owners = {leaf: place for place in chosen for leaf in leaves(place.structure) if isinstance(leaf, Value)}
    names: dict[str, Any] = {}
    found: dict[Any, str] = {}
    for value in function.parameters:
        owner = owners.get(value)
        item = value if owner is None else owner.structure
        if id(item) not in found:
            found[id(item)] = _free("_".join(spelled(owner.text)) if owner else value.name or "x", names)
            names[found[id(item)]] = item
    passed.parameters[function] = names
    whole = set()
    for name, item in names.items():
        for each in calls:
            passed.given.setdefault(each.node, {})[name] = each.given(function, item)
