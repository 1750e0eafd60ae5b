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
from flatgrad.errors import FlatgradError, Problem, ShapeError, SignatureError, UnsupportedError
from flatgrad.frontend.source import Definition
from flatgrad.functions.origin import shown_place
from flatgrad.garbage import collector_paused
from flatgrad.graph.containers import leaves, mapped
from flatgrad.graph.regions import nested
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Graph, Value
from flatgrad.graph.verify import verify
from flatgrad.options import Options
from flatgrad.parts import Opaque, is_static_argument
from flatgrad.passes.ordered import BEFORE, COMPACT, PASSES, Pass
from flatgrad.passes.write_in_place import write_in_place
from flatgrad.reading import LayoutUnknown, place_of, read_with_written
from flatgrad.rules.program import SEEN, named
from flatgrad.signature import (
    Signature,
    Static,
    default_value,
    parameters_of,
    signature_of_annotations,
)
from flatgrad.structures import (
    places_of,
)


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
    graph, arguments, returned, written = read_with_written(definition, signature)
    (returned,) = _passed(graph, [returned], BEFORE)
    returned = _apart(Builder(graph), returned)
    results = [leaf for leaf in leaves(returned) if isinstance(leaf, Value) and leaf.type.is_real]
    if not results:
        message = f"`{definition.syntax.name.value}` returns no real number, so there is nothing to differentiate"
        is_complex = any(isinstance(leaf, Value) and leaf.dtype.kind == "c" for leaf in leaves(returned))
        hint = "return .real, .imag or np.abs of it" if is_complex else ""
        raise UnsupportedError(definition.source.problem(message, definition.syntax.name, hint))
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
