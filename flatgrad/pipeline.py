"""The table of contents: read, differentiate, simplify, emit.

In: a definition, a signature, options. Out: `Emitted`, the source of a module. Layer: above all stages, below `arguments`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.builder import Builder, StaticNeeded
from flatgrad.differentiation.differentiate import differentiate
from flatgrad.emission.module import Differentiated, ModuleParts, module_parts, written_module
from flatgrad.errors import Problem, ShapeError, SignatureError, UnsupportedError
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import Definition
from flatgrad.functions.origin import shown_place
from flatgrad.garbage import collector_paused
from flatgrad.graph.regions import call, nested
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Constant, Graph, Value, leaves, mapped
from flatgrad.graph.verify import verify
from flatgrad.infer import type_of
from flatgrad.options import Options
from flatgrad.parts import is_static_argument
from flatgrad.passes.ordered import BEFORE, COMPACT, PASSES, Pass
from flatgrad.rules.program import named
from flatgrad.signature import (
    Signature,
    Static,
    default_value,
    parameters_of,
    signature_of_annotations,
)


@dataclass(frozen=True, slots=True)
class Emitted:
    """An emitted module, as text and in parts that can be put together with others.

    `split` says that it has a forward and a backward function instead of one for both. `parameters` are the arguments that the
    emitted function takes, and `wrt` those that its gradients belong to.
    """

    text: str
    parts: ModuleParts
    name: str
    split: bool
    parameters: tuple[str, ...]
    keyword_only: tuple[str, ...]
    wrt: tuple[str, ...]
    bare: bool


@collector_paused()
def emit(definition: Definition, signature: Signature, options: Options, *, split: bool | None = None) -> Emitted:
    """Return the backward pass of a function for a signature.

    `split` asks for a forward and a backward function; None takes these for a result that is not one real number.
    Raises FlatgradError; SizeUnknown or StaticNeeded where the signature has to say more.
    """
    graph, arguments, returned = read(definition, signature)
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
    wrt, bare = _chosen_parameters(definition, signature, options)
    _check_target(definition, signature, options)
    function = _differentiated(definition, signature, graph, arguments, returned, results, wrt, bare, options)
    parts = module_parts(function, options.style, options.target, split=split)
    return Emitted(
        text=written_module([parts]),
        parts=parts,
        name=definition.syntax.name.value,
        split=split,
        parameters=tuple(name for name in function.parameters if name not in function.keyword_only),
        keyword_only=tuple(name for name in function.parameters if name in function.keyword_only),
        wrt=wrt,
        bare=bare,
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
        except SizeUnknown as error:
            raise as_error(error) from None
        except StaticNeeded as error:
            name = error.value.name if error.value.node is None else None
            if name is None or name in pinned:
                raise as_error(error) from None
            pinned |= {name}


def read(definition: Definition, signature: Signature) -> tuple[Graph, dict[str, Value], Any]:
    """Return the graph of a function, the values of its parameters, and what it returns."""
    graph = Graph(definition.syntax.name.value)
    builder = Builder(graph)
    reader = Reader(builder, definition.names, definition.source)
    given: dict[str, Any] = {}
    for name, known in signature.parameters.items():
        if isinstance(known, Static):
            given[name] = known.value
        else:
            given[name] = Value(known, name)
            graph.parameters.append(given[name])
    returned = reader.function(definition.syntax, given)
    if isinstance(returned, int | float):
        returned = Constant(returned, type_of(returned))
    returned = _named_results(reader, returned, definition)
    for node in [node for each in nested(graph) for node in each.nodes if node.function is call]:
        _name_results(node.bodies[0], len(node.outputs))
    arguments = {name: value for name, value in given.items() if isinstance(value, Value)}
    return graph, arguments, returned


def _named_results(reader: Reader, returned: Any, definition: Definition) -> Any:
    """Return the returned structure with every computed value in it named."""
    several = isinstance(returned, tuple)
    stem = next(name for name in ("out", "result", "value", "out_") if name not in reader.variables)
    count = 0

    def result(leaf: Any) -> Any:
        nonlocal count
        count += 1
        if not isinstance(leaf, Value):
            if not isinstance(leaf, int | float | str | None):
                reader.fail(f"`{definition.syntax.name.value}` returns {leaf!r}", definition.syntax.name)
        elif not isinstance(leaf, Constant) and leaf.node is not None and leaf.name is None:
            leaf.name = f"{stem}{count - 1}" if several else stem
        return leaf

    return mapped(returned, result)


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
    now = dict(zip(values, kept, strict=True))
    return [mapped(item, lambda leaf: now[leaf] if isinstance(leaf, Value) else leaf) for item in structures]


def _differentiated(
    definition: Definition,
    signature: Signature,
    graph: Graph,
    arguments: dict[str, Value],
    returned: Any,
    results: Sequence[Value],
    wrt: tuple[str, ...],
    bare: bool,
    options: Options,
) -> Differentiated:
    own_parameters = len(graph.parameters)
    wanted = [arguments[name] for name in wrt if _is_differentiable(signature, name)]
    gradients = differentiate(graph, wanted, list(dict.fromkeys(results)))
    upstream = graph.parameters[own_parameters:]
    verify(graph, results)
    passes = (*PASSES, *(COMPACT if options.style == "compact" else ()))
    returned, *kept = _passed(graph, [returned, *(gradients[value] for value in wanted)], passes)
    final = dict(zip(wanted, kept, strict=True))
    parameters = parameters_of(definition)
    static = {name: known.value for name, known in signature.parameters.items() if isinstance(known, Static)}
    return Differentiated(
        name=definition.syntax.name.value,
        place=_harmless(shown_place(definition.source.file, definition.line)),
        documentation=_documentation(definition),
        graph=graph,
        parameters=arguments,
        keyword_only=frozenset(parameter.name for parameter in parameters if parameter.keyword_only),
        defaults=_written_defaults(definition, arguments),
        static=static,
        returned=returned,
        upstream=upstream,
        gradients={name: final[arguments[name]] if _is_differentiable(signature, name) else None for name in wrt},
        bare=bare,
    )


def _is_differentiable(signature: Signature, name: str) -> bool:
    known = signature.parameters[name]
    return not isinstance(known, Static) and known.is_real


def _chosen_parameters(definition: Definition, signature: Signature, options: Options) -> tuple[tuple[str, ...], bool]:
    """Return the parameters whose gradients are returned, and whether there is one by itself."""
    if options.wrt is None:
        chosen = tuple(name for name in signature.parameters if _is_differentiable(signature, name))
        if not chosen:
            message = f"`{definition.syntax.name.value}` has no parameter that holds real numbers"
            raise SignatureError(definition.source.problem(message, definition.syntax.name))
        return chosen, False
    names = (options.wrt,) if isinstance(options.wrt, str) else options.wrt
    for name in names:
        if name not in signature.parameters:
            message = f"wrt names `{name}`, which is not a parameter of `{definition.syntax.name.value}`"
            hint = f"its parameters are {', '.join(signature.parameters)}"
            raise SignatureError(definition.source.problem(message, definition.syntax.name, hint))
    return names, isinstance(options.wrt, str)


def _check_target(definition: Definition, signature: Signature, options: Options) -> None:
    if options.target == "math":
        for name, known in signature.parameters.items():
            if not isinstance(known, Static) and not known.weak:
                message = f"the target math is for Python floats, and `{name}` is an array"
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


def _written_defaults(definition: Definition, arguments: dict[str, Value]) -> dict[str, Any]:
    """Return the defaults that can be written as numbers."""
    defaults = {}
    for parameter in parameters_of(definition):
        if parameter.default is not None and parameter.name in arguments:
            value = default_value(definition, parameter)
            if isinstance(value, int | float) and not is_static_argument(value):
                defaults[parameter.name] = value
    return defaults


def as_error(error: SizeUnknown | StaticNeeded) -> ShapeError | SignatureError:
    """Return what to tell the user where a signature can't say more."""
    problem = getattr(error, "problem", None) or Problem(str(error))
    return (ShapeError if isinstance(error, SizeUnknown) else SignatureError)(problem)
