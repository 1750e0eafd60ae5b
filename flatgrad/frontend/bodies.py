"""Reads the body of a function that is called: into the caller's graph, or into one of its own.

In: a callee, and the items of its parameters. Out: what the call gives; where the function has a graph of its own, a `call`
node in the caller's. Layer: above `parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst

from flatgrad.builder import Builder, StaticNeeded
from flatgrad.errors import FlatgradError, Problem
from flatgrad.frontend.callees import Callee, LocalFunction, callee_of
from flatgrad.frontend.inputs import Inputs, detached, number_of, sizes_of
from flatgrad.frontend.iterators import Deferred
from flatgrad.frontend.keys import key_of
from flatgrad.frontend.known import is_static, whole_parameters
from flatgrad.frontend.memory import Memory
from flatgrad.frontend.placeholders import Poisoned, Unfinished
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.recursion import deep_recursion
from flatgrad.frontend.static_objects import Partial
from flatgrad.frontend.texts import TEXT
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import leaves, mapped
from flatgrad.graph.regions import SPREAD, call, close, nested, outer_values
from flatgrad.graph.size import SizeUnknown, symbols_of
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.rules.program import EFFECTS

DEEPEST_CALLS = 200


@dataclass(frozen=True, slots=True)
class Frame:
    """A call that is being read. `key` tells the function, its static arguments, and the types of the others.

    `settled` is set where every whole number that the call gives is static.
    """

    key: Any
    settled: bool = False


class ReturnsFunction(Exception):
    """The function returns another one, which sees its variables: it has to be read into the caller's graph."""


@dataclass(slots=True)
class Body:
    """The graph of a function that was read: `returned` is what it returns, with values of the graph in it."""

    graph: Graph
    inputs: Inputs
    returned: Any
    reader: Reader


def read_body(reader: Reader, callee: Callee, given: Mapping[str, Any], syntax: cst.CSTNode) -> Body:
    """Read a function into a graph of its own.

    A constant is an argument at run time unless it decides what code is written. Raises ReturnsFunction, FlatgradError,
    SizeUnknown, and StaticNeeded for a value of the caller.
    """
    static: frozenset[int] = frozenset()
    settled = any(frame.settled for frame in reader.calls)
    while True:
        inputs = Inputs(static)
        items = inputs.items(reader, given)
        settling = inputs.settle()
        try:
            body = _read(reader, callee, items, inputs, Frame(_key(callee, items), settled), syntax)
            if settled or settling == static or not _has_own_sizes(body):
                return body
        except StaticNeeded as error:
            if error.value in inputs.parameters:
                static |= {_needed(inputs, error)}
                continue
            if settled or settling == static:
                raise
        except (FlatgradError, SizeUnknown):
            if settled or settling == static:
                raise
        # a whole number of the call may decide here, as a length or as the number of turns of a loop
        static, settled = settling, True


def _has_own_sizes(body: Body) -> bool:
    """Tell whether a result has a size that is not one of the arguments: a number of the call may tell it."""
    given = {symbol for value in body.inputs.values for size in value.shape for symbol in symbols_of(size)}
    results = [leaf for leaf in leaves(body.returned) if isinstance(leaf, Value)]
    return any(symbol not in given for value in results for size in value.shape for symbol in symbols_of(size))


def _needed(inputs: Inputs, error: StaticNeeded) -> int:
    """Return which argument has to be static. Raises StaticNeeded or SizeUnknown for what it is computed from."""
    number = inputs.parameters.index(error.value)
    argument = inputs.values[number]
    if isinstance(argument, Constant) or number_of(argument) is not None:
        return number
    if argument.known is not None and not isinstance(argument.known, tuple):
        unknown: Any = SizeUnknown((argument.known,))
    else:
        unknown = StaticNeeded(error.name, next(iter(whole_parameters(argument)), argument))
    if hasattr(error, "problem"):
        unknown.problem = error.problem
    raise unknown


def _key(callee: Callee, items: Mapping[str, Any]) -> Any:
    return (callee.identity, key_of(tuple(items.values())), key_of(tuple(callee.free.values())))


def _read(
    reader: Reader, callee: Callee, items: Mapping[str, Any], inputs: Inputs, frame: Frame, syntax: cst.CSTNode
) -> Body:
    parameters = inputs.dynamic()[1]
    graph = Graph(callee.written_name, list(parameters))
    graph.structures = {name: item for name, item in callee.free.items() if isinstance(item, tuple)} | dict(items)
    own = frozenset(parameters)
    statics = mapped_items(items, lambda leaf: None if isinstance(leaf, Value) and leaf in own else leaf)
    graph.origin = (callee.identity, key_of((*statics, *_static_parts(callee.free))))
    _require_progress(reader, frame, inputs.values, syntax)
    inner = _reader(reader, callee, Builder(graph), frame)
    inner.unnamed.update(
        leaf
        for item in items.values()
        if isinstance(item, tuple)
        for leaf in leaves(item)
        if isinstance(leaf, Value) and leaf in own
    )
    with called_at(reader, syntax), deep_recursion():
        returned = inner.function(callee.definition.syntax, items, is_procedure=callee.is_procedure)
        returned = mapped(returned, lambda leaf: _returned(inner, callee, leaf))
    return Body(graph, inputs, returned, inner)


def mapped_items(items: Mapping[str, Any], change: Any) -> tuple[Any, ...]:
    """Return the items of parameters with `change` applied to their leaves."""
    return tuple(mapped(item, change) for item in items.values())


def _static_parts(free: Mapping[str, Any], seen: frozenset[LocalFunction] = frozenset()) -> tuple[Any, ...]:
    """Return what a function takes from the one around it and is known; of functions in that, what is known of them."""
    found: list[Any] = []
    for item in free.values():
        functions = [leaf for leaf in leaves(item) if isinstance(leaf, LocalFunction)]
        if not functions and is_static(item):
            found.append(item)
        for function in functions:
            if function not in seen:
                inner = callee_of(function)
                known = _static_parts({**function.defaults, **inner.free}, seen | {function})
                found.append((inner.identity, known))
    return tuple(found)


def _returned(inner: Reader, callee: Callee, leaf: Any) -> Any:
    """Return a part of what a function returns, for the caller."""
    if leaf is Unfinished:
        raise Poisoned
    if isinstance(leaf, LocalFunction | Partial | Deferred):
        raise ReturnsFunction
    if isinstance(leaf, Value):
        if leaf.type == TEXT:
            inner.fail(f"`{callee.name}` returns text that depends on data", callee.definition.syntax.name)
        return sizes_of(inner, leaf) if isinstance(leaf.known, tuple) else leaf
    if type(leaf).__module__.startswith("flatgrad.frontend."):
        inner.fail(f"`{callee.name}` returns {described(leaf)}", callee.definition.syntax.name, "return a tuple")
    return leaf


def _reader(reader: Reader, callee: Callee, builder: Builder, frame: Frame) -> Reader:
    inner = type(reader)(builder, callee.definition.names, callee.definition.source)
    inner.calls = (*reader.calls, frame)
    inner.conditional = reader.conditional or reader.depth > 0
    inner.constants = reader.constants
    inner.numbers = reader.numbers
    inner.written = reader.written
    inner.may_grow = reader.may_grow
    if builder is reader.builder:
        inner.memory, inner.is_in_line = reader.memory, True
    else:
        inner.memory = Memory(reader.memory)
    if inner.memory:
        builder.content = inner.current
    inner.variables.update({name: _told_apart(inner, item) for name, item in callee.free.items()})
    return inner


def _told_apart(reader: Reader, item: Any) -> Any:
    """Return a constant of a closure under a name of its own; anything else as it is."""
    if isinstance(item, Constant) and item.name is not None and item.node is None:
        return reader.constant(item.number, item.name)
    return item


def _require_progress(reader: Reader, frame: Frame, arguments: Sequence[Any], syntax: cst.CSTNode) -> None:
    """Refuse a recursion that comes back with what it was called with before: data would have to end it."""
    if any(frame.key == other.key for other in reader.calls):
        for argument in arguments:
            if isinstance(argument, Value) and argument.node is not None:
                for parameter in whole_parameters(argument):
                    error = StaticNeeded(parameter.name or "", parameter)
                    error.problem = reader.problem(RECURSION, syntax, RECURSION_HINT)  # type: ignore[attr-defined]
                    raise error
        reader.fail(RECURSION, syntax, RECURSION_HINT)
    if len(reader.calls) >= DEEPEST_CALLS:
        reader.fail(f"calls are nested more than {DEEPEST_CALLS} deep here", syntax, RECURSION_HINT)


RECURSION = "recursion whose depth depends on data can't be differentiated"
RECURSION_HINT = "write it as a loop, or let an int decide that is known when the code is written"


@contextmanager
def called_at(reader: Reader, syntax: cst.CSTNode) -> Iterator[None]:
    """Add the call to what is found to be wrong inside of the function that is called."""

    def led_here(problem: Problem) -> Problem:
        return replace(problem, called_from=(*problem.called_from, reader.problem("", syntax)))

    try:
        yield
    except FlatgradError as error:
        raise type(error)([led_here(problem) for problem in error.problems]) from None
    except (SizeUnknown, StaticNeeded) as error:
        if hasattr(error, "problem"):
            error.problem = led_here(error.problem)
        raise


def in_line(reader: Reader, callee: Callee, given: Mapping[str, Any], syntax: cst.CSTNode) -> Any:
    """Read a function into the caller's graph, and return what it returns."""
    frame = Frame(_key(callee, given), any(frame.settled for frame in reader.calls))
    _require_progress(reader, frame, _leaves_of(given), syntax)
    inner = _reader(reader, callee, reader.builder, frame)
    expression = callee.expression
    statement = reader.builder.statement
    with called_at(reader, syntax), deep_recursion():
        if expression is not None:
            inner.own_names = inner.source.variables_of(callee.definition.syntax)
            inner.definition = callee.definition.syntax
            inner.variables.update(given)
            returned = inner.expression(expression)
        else:
            returned = inner.function(callee.definition.syntax, given, is_procedure=callee.is_procedure)
    reader.builder.statement = statement
    # the path that is being read may have changed nothing, and another one something
    reader.builder.content = reader.current
    if any(leaf is Unfinished for leaf in leaves(returned)):
        raise Poisoned
    return returned


def _leaves_of(items: Mapping[str, Any]) -> list[Any]:
    """Return the leaves of the items of parameters."""
    return [leaf for item in items.values() for leaf in leaves(item)]


def call_node(reader: Reader, body: Body, syntax: cst.CSTNode) -> Any:
    """Append the call of a function that has been read, and return what it gives."""
    graph = body.graph
    results: dict[Value, None] = {}
    values, parameters = body.inputs.dynamic()
    given = dict(zip(parameters, values, strict=True))

    def result(leaf: Any) -> Any:
        if leaf in given and not is_number(reader, leaf):
            # it stays the same array, which a value of the call would not be
            return given[leaf]
        if isinstance(leaf, Value) and not isinstance(leaf, Constant):
            results[leaf] = None
            return leaf
        return detached(leaf)

    structure = mapped(body.returned, result)
    graph.results = list(results)
    arguments = closed(graph, _needed_arguments(body))
    if not results and not any(node.function in EFFECTS for each in nested(graph) for node in each.nodes):
        return structure
    node = call_of(reader, graph, arguments, graph.results, syntax)
    if isinstance(syntax, cst.Call) and any(argument.star == "**" for argument in syntax.args):
        node.form = SPREAD
    outputs = dict(zip(results, node.outputs, strict=True))
    for inner, output in outputs.items():
        output.known = inner.known
        if is_number(reader, inner):
            reader.numbers.add(output)
    _relate(reader, body, arguments, outputs)
    return mapped(structure, lambda leaf: outputs[leaf] if isinstance(leaf, Value) and leaf in outputs else leaf)


def _needed_arguments(body: Body) -> list[Value]:
    """Return the arguments of a function. Of the parts of objects and dicts, those that it does not read are left out."""
    graph, inputs = body.graph, body.inputs
    read = {value for each in nested(graph) for node in each.nodes for value in node.inputs} | set(graph.results)
    kept = [pair for pair in zip(*inputs.dynamic(), strict=True) if pair[1] in read or pair[1] not in inputs.parts]
    graph.parameters[:] = [parameter for _, parameter in kept]
    return [value for value, _ in kept]


def _relate(reader: Reader, body: Body, arguments: Sequence[Value], outputs: Mapping[Value, Value]) -> None:
    """Note which arguments, and which other results, the results of a call may be."""
    memory = reader.memory
    given = dict(zip(body.graph.parameters, arguments, strict=True))
    roots = {output: memory.root(inner) for inner, output in outputs.items() if not is_number(reader, inner)}
    for number, (output, root) in enumerate(roots.items()):
        may_be = [root, *memory.related(root)]
        memory.is_one_of(output, [memory.root(given[each]) for each in may_be if each in given])
        for other, other_root in list(roots.items())[:number]:
            if other_root in may_be:
                memory.relate(output, other)


def closed(graph: Graph, arguments: Sequence[Value]) -> list[Value]:
    """Let a graph use nothing from around it, and return its arguments with what it has used."""
    _detach_constants(graph)
    outer = outer_values(graph.nodes, graph.results, graph.parameters)
    close(graph, outer)
    inner = dict(zip(outer, graph.parameters[len(graph.parameters) - len(outer) :], strict=True))
    for name, item in graph.structures.items():
        # of what it takes from the function around it, the parameters that stand for that
        graph.structures[name] = mapped(item, lambda leaf: inner.get(leaf, leaf) if isinstance(leaf, Value) else leaf)
    return [*arguments, *outer]


def _detach_constants(graph: Graph) -> None:
    """Replace constants that a line around the function makes: its own code does not see that."""
    graphs = list(nested(graph))
    made = {value for each in graphs for value in each.values()}

    def own(value: Value) -> Value:
        detaching = isinstance(value, Constant) and value.node is not None and value not in made
        return detached(value) if detaching else value

    for each in graphs:
        each.results[:] = map(own, each.results)
        for node in each.nodes:
            node.inputs = tuple(map(own, node.inputs))


def call_of(
    reader: Reader, graph: Graph, arguments: Sequence[Value], outputs: Sequence[Value], syntax: cst.CSTNode
) -> Node:
    """Append a `call` node with this body, with an output for each of these values of the body."""
    types = [value.type for value in outputs]
    place = reader.source.location(syntax)
    node = reader.builder.node(call, {"arguments": tuple(arguments)}, types, location=place)
    node.bodies = (graph,)
    return node
