"""Structures that the functions of a module give to one another whole: `block["mlp"]` in place of its arrays one by one.

In: the main function and those that it calls, with the structures that the user gives them. Out: `Passed`: the parameters of
each function, what each call gives for them, and whose gradients come back in one structure. Layer: emission, below `calls`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.graph.regions import SPREAD, branch, call, loop, received
from flatgrad.graph.values import Dict, Graph, Node, Value, leaves
from flatgrad.passes.memory import WRITES
from flatgrad.structures import is_container, is_like, parts_of, spelled


@dataclass(frozen=True, slots=True)
class Place:
    """A structure of a function's, and where it is in its parameters."""

    text: str
    structure: Any


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
    `whole` are the parameters of a function whose gradients its backward pass returns in one structure.
    """

    names: dict[Graph, str]
    parameters: dict[Graph, dict[str, Any]]
    given: dict[Node, dict[str, Value | Place]]
    spread: dict[Node, dict[str, Place]]
    whole: dict[Graph, list[Returned]]

    def returned(self, function: Graph) -> list[Returned]:
        """Return what the backward pass of a function returns, in the order of `wrt`."""
        names = {leaf: name for name, item in self.parameters[function].items() for leaf in leaves(item)}
        found = {value: Returned((value.name or names[value],), value, (value,)) for value in function.wrt}
        for each in self.whole[function]:
            first = next(value for value in function.wrt if value in each.values)
            found = {value: part for value, part in found.items() if value is first or value not in each.values}
            found[first] = each
        return list(found.values())

    def place(self, node: Node, part: Returned) -> Place:
        """Return where the caller has the structure that a part of the gradients belongs to."""
        (place,) = {(self.given if len(part.names) == 1 else self.spread)[node][name] for name in part.names}
        assert isinstance(place, Place)
        return place


def passed_structures(main: Graph, parameters: Mapping[str, Any], names: dict[Graph, str]) -> Passed:
    """Return what functions give to one another; `names` has each function behind those that it calls itself."""
    passed = Passed(names, {main: dict(parameters)}, {}, {}, {main: []})
    callers = [_Caller(main, parameters)]
    for function in reversed(names):
        calls = [(caller, node) for caller in callers for node in _calls(caller.graph, function)]
        own = passed.parameters[function] = _parameters(function, calls)
        for caller, node in calls:
            values = _values(node)
            passed.given[node] = {
                name: values[item] if isinstance(item, Value) else _there(item, caller, values)
                for name, item in own.items()
            }
            is_spread = node.form == SPREAD
            passed.spread[node] = _spread(function, own, caller, passed.given[node]) if is_spread else {}
        passed.whole[function] = list(_whole(passed, function, [node for _, node in calls]))
        callers.append(_Caller(function, own))
    return passed


def _whole(passed: Passed, function: Graph, calls: Sequence[Node]) -> Iterator[Returned]:
    """Yield the structures of gradients that the backward pass of a function returns."""
    own = passed.parameters[function]
    dicts = [{_keys(place): None for place in passed.spread[node].values()} for node in calls]
    groups = [keys for keys in dicts[0] if len(keys) > 1 and all(keys in each for each in dicts)] if dicts else []
    parts = [(keys, Dict.of({name: own[name] for name in keys})) for keys in groups]
    inside = {name for keys in groups for name in keys}
    parts += [((name,), item) for name, item in own.items() if is_container(item) and name not in inside]
    for names, structure in parts:
        values = tuple([leaf for leaf in leaves(structure) if isinstance(leaf, Value) and leaf in function.wrt])
        part = Returned(names, structure, values)
        if all(_has_every_gradient(structure, passed.place(node, part).structure, function.wrt) for node in calls):
            yield part


def _keys(place: Place) -> tuple[str, ...]:
    keys: tuple[str, ...] = place.structure.keys
    return keys


def _calls(graph: Graph, function: Graph) -> Iterator[Node]:
    """Return the calls of a function in a graph and in its branches and loops."""
    for node in graph.nodes:
        if node.function is call and node.bodies[0] is function:
            yield node
        elif node.function in (branch, loop):
            for body in node.bodies:
                yield from _calls(body, function)


class _Caller:
    """A function that calls others: the structures around each value of its parameters, outer ones first."""

    def __init__(self, graph: Graph, parameters: Mapping[str, Any]) -> None:
        self.graph = graph
        self.around: dict[Value, tuple[Place, ...]] = {}
        self.outer: dict[Value, Value] = {}
        # the dict that a part stands in, by the identity of the part
        self.dicts: dict[int, Place] = {}
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
            for body in node.bodies if node.function in (branch, loop) else ():
                self.outer |= {inner: outer for outer, inner in received(node, body).items()}
                self._enter(body)

    def root(self, value: Value) -> Value:
        """Return the value whose memory a value is in: what writes make has that of what they write into."""
        while value in self.outer or (value.node is not None and value.node.function in WRITES):
            if value in self.outer:
                value = self.outer[value]
            else:
                assert value.node is not None
                value = next(iter(value.node.arguments.values()))
        return value


def _values(node: Node) -> dict[Value, Value]:
    """Return what a call gives for each parameter of the graph."""
    return dict(zip(node.bodies[0].parameters, node.arguments["arguments"], strict=True))


def _parameters(function: Graph, calls: Sequence[tuple[_Caller, Node]]) -> dict[str, Any]:
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
            found[_free("_".join(spelled(place.text)), found)] = place.structure
    return found


def _free(name: str, taken: Mapping[str, Any]) -> str:
    return next(each for each in (name, *(f"{name}_{k}" for k in range(1, len(taken) + 2))) if each not in taken)


def _chosen(place: Place, calls: Sequence[tuple[_Caller, Node]]) -> Iterator[Place]:
    """Return the largest structures at a place and in it that each call has at hand."""
    if not is_container(place.structure):
        return
    if calls and all(_is_at_hand(place.structure, caller, node) for caller, node in calls):
        yield place
        return
    for inner, part in parts_of(place.text, place.structure):
        yield from _chosen(Place(inner, part), calls)


def _is_at_hand(structure: Any, caller: _Caller, node: Node) -> bool:
    """Tell whether the caller has a structure like this one. A single part of several is given by itself."""
    values = _values(node)
    read = [leaf for leaf in leaves(structure) if isinstance(leaf, Value) and leaf in values]
    there = _there(structure, caller, values) if read else None
    return there is not None and (len(read) > 1 or len(list(leaves(there.structure))) == 1)


def _there(structure: Any, caller: _Caller, values: Mapping[Value, Value]) -> Any:
    """Return the structure of the caller's whose parts a call gives for those of `structure`; None where there is none."""
    for leaf, depth in _depths(structure):
        if leaf in values:
            around = caller.around.get(caller.root(values[leaf]), ())
            place = around[-depth] if depth <= len(around) else None
            return place if place is not None and _matches(structure, place.structure, caller, values) else None
    return None


def _depths(structure: Any, depth: int = 0) -> Iterator[tuple[Value, int]]:
    """Yield the values in a structure with the number of structures around them."""
    if isinstance(structure, Value):
        yield structure, depth
    if is_container(structure):
        for part in structure:
            yield from _depths(part, depth + 1)


def _matches(structure: Any, there: Any, caller: _Caller, values: Mapping[Value, Value]) -> bool:
    """Tell whether structures are alike, and each value that the function reads is the one that the caller has there."""
    if isinstance(structure, Value) and structure in values:
        return caller.root(values[structure]) is there
    if not is_container(structure) or not is_container(there):
        return is_container(structure) == is_container(there)
    return is_like(structure, there) and all(
        _matches(*pair, caller, values) for pair in zip(structure, there, strict=True)
    )


def _spread(
    function: Graph, own: Mapping[str, Any], caller: _Caller, given: Mapping[str, Value | Place]
) -> dict[str, Place]:
    """Return the dicts of the caller's whose parts a call gives for parameters of the same names, for each of these."""
    parts = {
        name: caller.root(item) if isinstance(item, Value) else item.structure
        for name, item in given.items()
        if own[name] is function.structures.get(name)
    }
    around = {name: caller.dicts.get(id(part)) for name, part in parts.items()}
    return {
        name: place
        for name, place in around.items()
        if place is not None and all(part is parts.get(key) for key, part in place.structure.items.items())
    }


def _has_every_gradient(structure: Any, there: Any, wrt: Sequence[Value]) -> bool:
    """Tell whether a function gives a gradient for each real value of a structure of its caller's, and for one at least."""
    pairs = _pairs(structure, there)
    real = [leaf for leaf, outer in pairs if isinstance(outer, Value) and outer.type.is_real]
    return bool(real) and all(isinstance(leaf, Value) and leaf in wrt for leaf in real)


def _pairs(structure: Any, there: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the leaves at the same places of structures that are alike."""
    if not is_container(structure):
        yield structure, there
        return
    for pair in zip(structure, there, strict=True):
        yield from _pairs(*pair)
