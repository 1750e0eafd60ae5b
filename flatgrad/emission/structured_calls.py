"""Structures that the functions of a module give to one another whole: `block["mlp"]` in place of its arrays one by one.

In: the main function and those that it calls, with the structures that the user gives them. Out: `Passed`: the parameters of
each function, what each call gives for them, and whose gradients come back in one structure. Layer: emission, below `calls`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.graph.containers import Dict, leaves
from flatgrad.graph.regions import SPREAD, branch, call, loop, received
from flatgrad.graph.values import Graph, Node, Value
from flatgrad.passes.memory import WRITES
from flatgrad.structures import is_container, is_like, parts_of, spelled


@dataclass(frozen=True, slots=True)
class Place:
    """A structure of a function's, and where it is in its parameters."""

    text: str
    structure: Any

    @property
    def name(self) -> str:
        """The name of a parameter for it: `layers_0` for `layers[0]`."""
        return "_".join(spelled(self.text))


@dataclass(frozen=True, slots=True)
class Returned:
    """What the backward pass of a function returns as one: the gradient of a value, or those of the `values` in a structure.

    `names` are those of its parameters: several where their gradients are the parts of a dict.
    """

    names: tuple[str, ...]
    structure: Any
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """What the functions of a module give to one another.

    `names` are those of the functions that are called. `parameters` are those of each function by their names, values and
    structures of them; `given` is what a call gives for each, `spread` the dict that it gives by `**`, for each that is in one.
    `returned` is what the backward pass of a function returns, in the order of `wrt`.
    """

    names: dict[Graph, str]
    parameters: dict[Graph, dict[str, Any]]
    given: dict[Node, dict[str, Value | Place]]
    spread: dict[Node, dict[str, Place]]
    returned: dict[Graph, list[Returned]]

    def place(self, node: Node, part: Returned) -> Place:
        """Return where the caller has the structure that a part of the gradients belongs to."""
        (place,) = {(self.given if len(part.names) == 1 else self.spread)[node][name] for name in part.names}
        assert isinstance(place, Place)
        return place


def structures_in(parameters: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the structures among parameters and in these, at any depth."""
    for name, item in parameters.items():
        if is_container(item):
            yield Place(name, item)
            yield from structures_in(dict(parts_of(name, item)))


def passed_structures(main: Graph, parameters: Mapping[str, Any], names: dict[Graph, str]) -> Passed:
    """Return what functions give to one another; `names` has each function behind those that it calls itself."""
    passed = Passed(names, {main: dict(parameters)}, {}, {}, {})
    calls: dict[Graph, list[_Call]] = {function: [] for function in names}
    for function in (main, *reversed(names)):
        if function is not main:
            own = passed.parameters[function] = _parameters(function, calls[function])
            for each in calls[function]:
                passed.given[each.node] = each.given(own)
                passed.spread[each.node] = each.spread(function, own, passed.given[each.node])
            passed.returned[function] = _returned(passed, function, [each.node for each in calls[function]])
        caller = _Caller(function, passed.parameters[function])
        for node in caller.calls:
            calls[node.bodies[0]].append(_Call(caller, node))
    return passed


def _returned(passed: Passed, function: Graph, calls: Sequence[Node]) -> list[Returned]:
    """Return what the backward pass of a function returns: for the parts of a structure the whole where that has all gradients."""
    own = passed.parameters[function]
    wrt = set(function.wrt)
    dicts = [{_keys(place): None for place in passed.spread[node].values()} for node in calls]
    groups = [keys for keys in dicts[0] if len(keys) > 1 and all(keys in each for each in dicts)] if dicts else []
    inside = {name for keys in groups for name in keys}
    structures = [(keys, Dict.of({name: own[name] for name in keys})) for keys in groups]
    structures += [((name,), item) for name, item in own.items() if is_container(item) and name not in inside]
    names = {leaf: leaf.name or name for name, item in own.items() for leaf in leaves(item) if isinstance(leaf, Value)}
    found = {value: Returned((names[value],), value, (value,)) for value in function.wrt}
    for keys, structure in structures:
        values = [leaf for leaf in leaves(structure) if isinstance(leaf, Value) and leaf in wrt]
        part = Returned(keys, structure, tuple(values))
        if all(_has_every_gradient(structure, passed.place(node, part).structure, wrt) for node in calls):
            found |= dict.fromkeys(values, part)
    return list({id(part): part for part in found.values()}.values())


def _keys(place: Place) -> tuple[str, ...]:
    keys: tuple[str, ...] = place.structure.keys
    return keys


class _Caller:
    """A function that calls others: the structures around each value of its parameters, outer ones first."""

    def __init__(self, graph: Graph, parameters: Mapping[str, Any]) -> None:
        self.around: dict[Value, tuple[Place, ...]] = {}
        # the dict that a part stands in, by the identity of the part
        self.dicts: dict[int, Place] = {}
        self.calls: list[Node] = []
        self._outer: dict[Value, Value] = {}
        for name, item in parameters.items():
            self._note(Place(name, item), ())
        self._enter(graph)

    def _note(self, place: Place, around: tuple[Place, ...]) -> None:
        if isinstance(place.structure, Value):
            self.around[place.structure] = around
        if is_container(place.structure):
            for inner, part in parts_of(place.text, place.structure):
                self._note(Place(inner, part), (*around, place))
                if isinstance(place.structure, Dict):
                    self.dicts[id(part)] = place

    def _enter(self, graph: Graph) -> None:
        for node in graph.nodes:
            if node.function is call:
                self.calls.append(node)
            for body in node.bodies if node.function in (branch, loop) else ():
                self._outer |= {inner: outer for outer, inner in received(node, body).items()}
                self._enter(body)

    def root(self, value: Value) -> Value:
        """Return the value whose memory a value is in: what writes make has that of what they write into."""
        while value in self._outer or (value.node is not None and value.node.function in WRITES):
            if value in self._outer:
                value = self._outer[value]
            else:
                assert value.node is not None
                value = next(iter(value.node.arguments.values()))
        return value


class _Call:
    """A call: what its caller has for each parameter of the function."""

    def __init__(self, caller: _Caller, node: Node) -> None:
        self.node = node
        self.caller = caller
        self.values = dict(zip(node.bodies[0].parameters, node.arguments["arguments"], strict=True))

    def given(self, parameters: Mapping[str, Any]) -> dict[str, Value | Place]:
        """Return what the call gives for values and for structures that the caller has at hand."""
        found: dict[str, Value | Place] = {}
        for name, item in parameters.items():
            place = None if isinstance(item, Value) else self.place(item)
            found[name] = self.values[item] if place is None else place
        return found

    def place(self, structure: Any) -> Place | None:
        """Return the structure of the caller's whose parts the call gives for those of `structure`; None where there is none."""
        for leaf, depth in _depths(structure):
            if leaf in self.values:
                around = self.caller.around.get(self.caller.root(self.values[leaf]), ())
                place = around[-depth] if depth <= len(around) else None
                return place if place is not None and self._matches(structure, place.structure) else None
        return None

    def has_at_hand(self, structure: Any) -> bool:
        """Tell whether the caller has a structure like this one. A single part of several is given by itself."""
        place = self.place(structure)
        read = [leaf for leaf in leaves(structure) if isinstance(leaf, Value) and leaf in self.values]
        return place is not None and (len(read) > 1 or len(list(leaves(place.structure))) == 1)

    def _matches(self, structure: Any, there: Any) -> bool:
        """Tell whether structures are alike, and each value that the function reads is the one that the caller has there."""
        if isinstance(structure, Value) and structure in self.values:
            return self.caller.root(self.values[structure]) is there
        if not is_container(structure) or not is_container(there):
            return is_container(structure) == is_container(there)
        return is_like(structure, there) and all(map(self._matches, structure, there))

    def spread(
        self, function: Graph, parameters: Mapping[str, Any], given: Mapping[str, Value | Place]
    ) -> dict[str, Place]:
        """Return the dicts that the user gives by `**`, for each parameter that is a part of one."""
        parts = {
            name: self.caller.root(item) if isinstance(item, Value) else item.structure
            for name, item in given.items()
            if self.node.form == SPREAD and parameters[name] is function.structures.get(name)
        }
        around = {name: self.caller.dicts.get(id(part)) for name, part in parts.items()}
        return {
            name: place
            for name, place in around.items()
            if place is not None and all(part is parts.get(key) for key, part in place.structure.items.items())
        }


def _depths(structure: Any, depth: int = 0) -> Iterator[tuple[Value, int]]:
    """Yield the values in a structure with the number of structures around them."""
    if isinstance(structure, Value):
        yield structure, depth
    if is_container(structure):
        for part in structure:
            yield from _depths(part, depth + 1)


def _parameters(function: Graph, calls: Sequence[_Call]) -> dict[str, Any]:
    """Return the parameters of a function by names that differ: structures where each call has one at hand, else values."""
    places = [place for name, item in function.structures.items() for place in _chosen(Place(name, item), calls)]
    owners = {leaf: place for place in places for leaf in leaves(place.structure) if isinstance(leaf, Value)}
    found: dict[str, Any] = {}
    done: set[str] = set()
    for value in function.parameters:
        place = owners.get(value)
        if place is None:
            found[_free(value.name or "x", found)] = value
        elif place.text not in done:
            done.add(place.text)
            found[_free(place.name, found)] = place.structure
    return found


def _free(name: str, taken: Mapping[str, Any]) -> str:
    return next(each for each in (name, *(f"{name}_{k}" for k in range(1, len(taken) + 2))) if each not in taken)


def _chosen(place: Place, calls: Sequence[_Call]) -> Iterator[Place]:
    """Return the largest structures at a place and in it that each call has at hand."""
    if not is_container(place.structure):
        return
    if calls and all(each.has_at_hand(place.structure) for each in calls):
        yield place
        return
    for inner, part in parts_of(place.text, place.structure):
        yield from _chosen(Place(inner, part), calls)


def _has_every_gradient(structure: Any, there: Any, wrt: set[Value]) -> bool:
    """Tell whether a function gives a gradient for each real value of a structure of its caller's, and for one at least."""
    real = [leaf for leaf, outer in _pairs(structure, there) if isinstance(outer, Value) and outer.type.is_real]
    return bool(real) and all(isinstance(leaf, Value) and leaf in wrt for leaf in real)


def _pairs(structure: Any, there: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the leaves at the same places of structures that are alike."""
    if not is_container(structure):
        yield structure, there
        return
    for pair in zip(structure, there, strict=True):
        yield from _pairs(*pair)
