"""From a definition to the graph of its function.

In: a definition, a signature. Out: a graph, the items of the parameters, what is returned. A function may have to be read several
times: until it is known which lists grow in loops, and which loops are read turn by turn. Layer: above `frontend`, below `pipeline`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flatgrad.builder import Builder, StaticNeeded
from flatgrad.emission.record_classes import home_of, is_named_tuple, is_plain_dataclass
from flatgrad.errors import FlatgradError
from flatgrad.frontend.classes import name_of
from flatgrad.frontend.placeholders import ItemsNeeded
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import Definition
from flatgrad.frontend.unsettled_loops import LoopsRead
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Record, leaves, rebuilt
from flatgrad.graph.regions import call, nested
from flatgrad.graph.size import whole_parameter
from flatgrad.graph.values import Constant, Graph, Value
from flatgrad.infer import type_of
from flatgrad.signature import Signature, Static
from flatgrad.structures import NOT_A_NAME, is_container, parts_of, places_of, records_in, short_names, spelled


class LayoutUnknown(Exception):
    """The code depends on how the elements of arrays of the caller's lie in memory. `error` says why, `places` where they are."""

    def __init__(self, places: Sequence[str], error: FlatgradError) -> None:
        self.places = tuple(places)
        self.error = error
        super().__init__(str(error))


def read(definition: Definition, signature: Signature) -> tuple[Graph, dict[str, Any], Any]:
    """Return the graph of a function, the items of its parameters that hold values, and what it returns."""
    return read_with_written(definition, signature)[:3]


def read_with_written(
    definition: Definition, signature: Signature
) -> tuple[Graph, dict[str, Any], Any, tuple[str, ...]]:
    """Return the same as `read`, and the places of the arrays of its caller's that the function may write into."""
    may_grow, loops = True, LoopsRead()
    first: FlatgradError | None = None
    while True:
        try:
            return _read_once(definition, signature, loops, may_grow=may_grow)
        except ItemsNeeded:
            may_grow, loops = False, LoopsRead(loops.unrolled)
        except FlatgradError as error:
            # where it does not help to read loops turn by turn, what is told is what is wrong with them as they stand
            first = first or error
            more = loops.unsettled(error)
            if not more:
                raise first from None
            loops = LoopsRead({**loops.unrolled, **more})


def _read_once(
    definition: Definition, signature: Signature, loops: LoopsRead, *, may_grow: bool
) -> tuple[Graph, dict[str, Any], Any, tuple[str, ...]]:
    graph = Graph(definition.syntax.name.value)
    builder = Builder(graph)
    reader = Reader(builder, definition.names, definition.source)
    reader.may_grow = may_grow
    reader.memory.loops = loops
    given = _items(definition, signature)
    values = {place: leaf for name, item in given.items() for place, leaf in places_of(name, item) if _is_value(leaf)}
    graph.parameters += values.values()
    reader.unnamed.update(value for place, value in values.items() if place not in given)
    for place, in_order in signature.in_order.items():
        reader.memory.layouts.note(values[place], in_order)
    try:
        returned = reader.function(definition.syntax, given)
    except StaticNeeded as error:
        error.place = next((place for place, value in values.items() if value is error.value), None)
        raise
    except FlatgradError as error:
        unordered = [place for place, value in values.items() if value in reader.memory.unordered]
        unknown = [place for place in unordered if place not in signature.in_order]
        if unknown and loops.unknown(error) is not None:
            raise LayoutUnknown(unknown, error) from None
        raise
    if isinstance(returned, int | float):
        returned = Constant(returned, type_of(returned))
    returned = _named_results(reader, returned, definition, given)
    for node in [node for each in nested(graph) for node in each.nodes if node.function is call]:
        _name_results(node.bodies[0], len(node.outputs))
    arguments = {name: item for name, item in given.items() if any(map(_is_value, leaves(item)))}
    written = tuple(place for place, value in values.items() if value in reader.memory)
    return graph, arguments, returned, written


def _items(definition: Definition, signature: Signature) -> dict[str, Any]:
    """Return what stands for each parameter: values in place of types, and what is known when the code is written."""
    inner = [place for name, known in signature.parameters.items() for place, _ in places_of(name, known)]
    taken = definition.source.variables_of(definition.syntax) | signature.parameters.keys()
    names = short_names([place for place in inner if place not in signature.parameters], frozenset(taken))

    def item(place: str, known: Any) -> Any:
        if is_container(known):
            return rebuilt(known, [item(*each) for each in parts_of(place, known)])
        if isinstance(known, Static):
            return known.value
        value = Value(known, names.get(place, place))
        if known.weak and known.dtype.kind == "i":
            value.counter = whole_parameter(place)
        return value

    return {name: item(name, known) for name, known in signature.parameters.items()}


def _is_value(item: Any) -> bool:
    return isinstance(item, Value)


def place_of(error: StaticNeeded) -> str | None:
    """Return where in the arguments the number is that has to be known when the code is written."""
    return error.place or (error.value.name if error.value.node is None else None)


def _named_results(reader: Reader, returned: Any, definition: Definition, given: Mapping[str, Any]) -> Any:
    """Return the returned structure with every computed value in it named."""
    several = isinstance(returned, tuple)
    stem = next(name for name in ("out", "result", "value", "out_") if name not in reader.variables)
    for count, (place, leaf) in enumerate(places_of(stem, returned)):
        if not isinstance(leaf, Value):
            if not isinstance(leaf, int | float | str | None):
                reader.fail(f"`{definition.syntax.name.value}` returns {described(leaf)}", definition.syntax.name)
        elif not isinstance(leaf, Constant) and leaf.node is not None and leaf.name is None:
            key = spelled(place)[-1]
            is_telling = several and key.isidentifier() and key not in NOT_A_NAME and key not in reader.variables
            leaf.name = key if is_telling else f"{stem}{count}" if several else stem
    _check_objects(reader, returned, definition, frozenset(record.kind for record in records_in(tuple(given.values()))))
    return returned


def _check_objects(reader: Reader, returned: Any, definition: Definition, at_hand: frozenset[Any]) -> None:
    """Refuse to return objects that can't be made anew from their attributes, or whose class can't be had."""
    if not is_container(returned):
        return
    if isinstance(returned, Record):
        kind, name = returned.kind, name_of(returned.kind)
        what = f"`{definition.syntax.name.value}` returns an object of the class `{name}`"
        if not is_named_tuple(kind) and not is_plain_dataclass(kind):
            message = f"{what}, which is not made of its attributes alone"
            reader.fail(message, definition.syntax.name, "return its arrays: a dict, a named tuple, a dataclass")
        if kind not in at_hand and home_of(kind) is None:
            message = f"{what}, which the emitted module can't import"
            reader.fail(message, definition.syntax.name, f"define `{name}` at the top of a module, or return a dict")
    for part in returned:
        _check_objects(reader, part, definition, at_hand)


def _name_results(function: Graph, count: int) -> None:
    """Name the `count` results that a helper returns, where its user has not."""
    names = {value.name for value in function.values()}
    stem = next(name for name in ("out", "result", "value", "out_") if name not in names)
    for k, result in enumerate(function.results[:count]):
        if result.name is None and result.node is not None and not isinstance(result, Constant):
            result.name = stem if count == 1 else f"{stem}{k}"
