"""The table of contents: read, differentiate, simplify, emit.

In: a definition, a signature, options. Out: `Emitted`, the source of a module. Layer: above all stages, below `arguments`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.builder import Builder, StaticNeeded
from flatgrad.chosen import Wrt, chosen_parameters
from flatgrad.differentiation.differentiate import differentiate
from flatgrad.emission.module import Differentiated, ModuleParts, module_parts, written_module
from flatgrad.emission.record_classes import home_of, is_named_tuple, is_plain_dataclass
from flatgrad.errors import FlatgradError, Problem, ShapeError, SignatureError, UnsupportedError
from flatgrad.frontend.classes import name_of
from flatgrad.frontend.placeholders import ItemsNeeded
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import Definition
from flatgrad.frontend.unsettled_loops import LoopsRead
from flatgrad.frontend.wording import described
from flatgrad.functions.origin import shown_place
from flatgrad.garbage import collector_paused
from flatgrad.graph.containers import Record, leaves, mapped, rebuilt
from flatgrad.graph.regions import call, nested
from flatgrad.graph.size import SizeUnknown, whole_parameter
from flatgrad.graph.values import Constant, Graph, Value
from flatgrad.graph.verify import verify
from flatgrad.infer import type_of
from flatgrad.options import Options
from flatgrad.parts import Opaque, is_static_argument
from flatgrad.passes.ordered import BEFORE, COMPACT, PASSES, Pass
from flatgrad.passes.write_in_place import write_in_place
from flatgrad.rules.program import SEEN, named
from flatgrad.signature import (
    Signature,
    Static,
    default_value,
    parameters_of,
    signature_of_annotations,
)
from flatgrad.structures import (
    NOT_A_NAME,
    is_container,
    parts_of,
    places_of,
    records_in,
    short_names,
    spelled,
)


class LayoutUnknown(Exception):
    """The code depends on how the elements of arrays of the caller's lie in memory. `error` says why, `places` where they are."""

    def __init__(self, places: Sequence[str], error: FlatgradError) -> None:
        self.places = tuple(places)
        self.error = error
        super().__init__(str(error))


@dataclass(frozen=True, slots=True)
class Emitted:
    """An emitted module, as text and in parts that can be put together with others.

    `split` says that it has a forward and a backward function instead of one for both. `parameters` are the arguments that the
    emitted function takes, `wrt` the places in the arguments that its gradients belong to, and `fields` the names of these. `real` tells which parts of the
    result have an upstream gradient. `written` are the places of arrays that it may write into. `seen` tells whether a run can
    be seen from outside: it prints, say.
    """

    text: str
    parts: ModuleParts
    name: str
    split: bool
    parameters: tuple[str, ...]
    keyword_only: tuple[str, ...]
    wrt: tuple[str, ...]
    fields: tuple[str, ...]
    real: tuple[bool, ...]
    bare: bool
    written: tuple[str, ...]
    seen: bool


@collector_paused()
def emit(definition: Definition, signature: Signature, options: Options, *, split: bool | None = None) -> Emitted:
    """Return the backward pass of a function for a signature.

    `split` asks for a forward and a backward function; None takes these for a result that is not one real number.
    Raises FlatgradError; SizeUnknown, StaticNeeded or LayoutUnknown where the signature has to say more.
    """
    graph, arguments, returned, written = _read(definition, signature)
    (returned,) = _passed(graph, [returned], BEFORE)
    returned = _apart(Builder(graph), returned)
    results = [leaf for leaf in leaves(returned) if isinstance(leaf, Value) and leaf.type.is_real]
    if not results:
        message = f"`{definition.syntax.name.value}` returns no real number, so there is nothing to differentiate"
        raise UnsupportedError(definition.source.problem(message, definition.syntax.name))
    scalar = len(results) == 1 and results[0] is returned and not results[0].rank
    if split is None:
        split = not scalar
    elif not split and not scalar:
        raise _not_scalar(definition, returned)
    wrt = chosen_parameters(definition, arguments, signature, options)
    _check_target(definition, arguments, options)
    function = _differentiated(definition, signature, graph, arguments, returned, results, wrt, written, options)
    parts = module_parts(function, options.style, options.target, split=split)
    return Emitted(
        text=written_module([parts]),
        parts=parts,
        name=definition.syntax.name.value,
        split=split,
        parameters=tuple(name for name in function.parameters if name not in function.keyword_only),
        keyword_only=tuple(name for name in function.parameters if name in function.keyword_only),
        wrt=wrt.places,
        fields=wrt.fields,
        real=tuple(isinstance(leaf, Value) and leaf.type.is_real for leaf in leaves(returned)),
        bare=wrt.bare,
        written=written,
        seen=any(node.function in SEEN for each in nested(graph) for node in each.nodes),
    )


def emit_from_annotations(
    definition: Definition, options: Options, shapes: str | Mapping[str, Any] | None = None
) -> tuple[Emitted, list[str]]:
    """Return the backward pass of a function for what its annotations and `shapes` say, and notes on what was assumed.

    A number that decides what code is written, such as an axis, has the value of its default. Raises FlatgradError.
    """
    pinned: frozenset[str] = frozenset()
    while True:
        signature = signature_of_annotations(definition, shapes, pinned)
        try:
            return emit(definition, signature, options), signature.notes
        except (SizeUnknown, LayoutUnknown) as error:
            raise as_error(error) from None
        except StaticNeeded as error:
            name = place_of(error)
            if name is None or name in pinned:
                raise as_error(error) from None
            pinned |= {name}


def read(definition: Definition, signature: Signature) -> tuple[Graph, dict[str, Any], Any]:
    """Return the graph of a function, the items of its parameters that hold values, and what it returns."""
    return _read(definition, signature)[:3]


def _read(definition: Definition, signature: Signature) -> tuple[Graph, dict[str, Any], Any, tuple[str, ...]]:
    """Return the same, and the places of the arrays of its caller's that the function may write into."""
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


def _apart(builder: Builder, returned: Any) -> Any:
    """Return the returned structure with no value in it twice: each place has an upstream gradient of its own."""
    seen: set[Value] = set()

    def result(leaf: Any) -> Any:
        if not isinstance(leaf, Value):
            return leaf
        if leaf in seen:
            leaf = builder.node(named, {"x": leaf}, [leaf.type]).output
            leaf.name = f"out{len(seen)}"
        seen.add(leaf)
        return leaf

    return mapped(returned, result)


def _passed(graph: Graph, structures: Sequence[Any], passes: Sequence[Pass]) -> list[Any]:
    """Put a graph through passes, and return the structures of results with what stands for their values now."""
    values = [leaf for leaf in leaves(tuple(structures)) if isinstance(leaf, Value)]
    kept = values
    for each in passes:
        # inner ones first: what changes nothing there changes nothing outside
        for body in reversed([inner for inner in nested(graph) if inner is not graph]):
            wanted = each(body, [*body.results, *body.gradients])
            body.results[:], body.gradients[:] = wanted[: len(body.results)], wanted[len(body.results) :]
        kept = each(graph, kept)
    verify(graph, kept)
    return _replaced(structures, values, kept)


def _settled(graph: Graph, structures: Sequence[Any]) -> list[Any]:
    """Let writes into arrays happen in place, and return the structures of results with what stands for their values now."""
    values = [leaf for leaf in leaves(tuple(structures)) if isinstance(leaf, Value)]
    kept = write_in_place(graph, values)
    verify(graph, kept)
    return _replaced(structures, values, kept)


def _replaced(structures: Sequence[Any], values: Sequence[Value], now: Sequence[Value]) -> list[Any]:
    found = dict(zip(values, now, strict=True))
    return [mapped(item, lambda leaf: found[leaf] if isinstance(leaf, Value) else leaf) for item in structures]


def _differentiated(
    definition: Definition,
    signature: Signature,
    graph: Graph,
    arguments: dict[str, Any],
    returned: Any,
    results: Sequence[Value],
    wrt: Wrt,
    written: tuple[str, ...],
    options: Options,
) -> Differentiated:
    own_parameters = len(graph.parameters)
    chosen = [leaf for each in wrt.structures for leaf in leaves(each) if isinstance(leaf, Value) and leaf.type.is_real]
    wanted = list(dict.fromkeys(chosen))
    gradients = differentiate(graph, wanted, list(dict.fromkeys(results)))
    upstream = graph.parameters[own_parameters:]
    verify(graph, results)
    passes = (*PASSES, *(COMPACT if options.style == "compact" else ()))
    returned, *kept = _passed(graph, [returned, *(gradients[value] for value in wanted)], passes)
    returned, *kept = _settled(graph, [returned, *kept])
    final = dict(zip(wanted, kept, strict=True))
    parameters = parameters_of(definition)
    known = [each for name, item in signature.parameters.items() for each in places_of(name, item)]
    return Differentiated(
        name=definition.syntax.name.value,
        place=_harmless(shown_place(definition.source.file, definition.line)),
        documentation=_documentation(definition),
        graph=graph,
        parameters=arguments,
        keyword_only=frozenset(parameter.name for parameter in parameters if parameter.keyword_only),
        defaults=_written_defaults(definition, arguments),
        static={place: leaf.value for place, leaf in known if _is_told(leaf)},
        returned=returned,
        upstream=upstream,
        wrt=wrt.structures,
        places=wrt.places,
        gradients=tuple(mapped(each, final.get) for each in wrt.structures),
        bare=wrt.bare,
        written=written,
    )


def _is_told(leaf: Any) -> bool:
    return isinstance(leaf, Static) and not isinstance(leaf.value, Opaque)


def _check_target(definition: Definition, arguments: dict[str, Any], options: Options) -> None:
    if options.target == "math":
        for place, leaf in (each for name, item in arguments.items() for each in places_of(name, item)):
            if isinstance(leaf, Value) and not leaf.type.weak:
                message = f"the target math is for Python floats, and `{place}` is an array"
                raise SignatureError(definition.source.problem(message, definition.syntax.name, "use the target numpy"))


def _not_scalar(definition: Definition, returned: Any) -> ShapeError:
    kind = f"of shape ({', '.join(map(str, returned.shape))})" if isinstance(returned, Value) else "not one number"
    message = f"the value of `{definition.syntax.name.value}` is {kind}, and a gradient needs a scalar"
    return ShapeError(definition.source.problem(message, definition.syntax.name, "use vjp, or return a sum or a mean"))


def _documentation(definition: Definition) -> str:
    """Return the user's docstring as text that is safe inside another docstring."""
    docstring = definition.syntax.get_docstring()
    if docstring is None:
        return ""
    text = _harmless(inspect.cleandoc(docstring if isinstance(docstring, str) else docstring.decode()))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _harmless(text: str) -> str:
    """Return text that can stand in a docstring and means itself there."""
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in escaped)


def _written_defaults(definition: Definition, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults that can be written as numbers."""
    defaults = {}
    for parameter in parameters_of(definition):
        if parameter.default is not None and parameter.name in arguments:
            value = default_value(definition, parameter)
            if isinstance(value, int | float) and not is_static_argument(value):
                defaults[parameter.name] = value
    return defaults


def as_error(error: SizeUnknown | StaticNeeded | LayoutUnknown) -> FlatgradError:
    """Return what to tell the user where a signature can't say more."""
    if isinstance(error, LayoutUnknown):
        return error.error
    problem = getattr(error, "problem", None) or Problem(str(error))
    return (ShapeError if isinstance(error, SizeUnknown) else SignatureError)(problem)
