"""Nodes with bodies: branches, loops and calls of the user's functions.

A body is a graph of its own, and closed: what it uses of the graph around it comes in through its parameters. Constants
need no parameter. Layer: above `values`.

    outputs = branch(condition, closed)          bodies: (then, otherwise)
        each body has a parameter for each closed value and a result for each output; only one of them runs
    outputs = loop(header, start, closed, leaves)   bodies: (body,), or (body, condition) for `while`
        body      parameters: turn, elements, carried, closed       results: carried (and whether to leave, if `leaves`)
        condition parameters: carried, closed                       results: one truth value
    outputs = call(arguments)                    bodies: (function,)

`turn` counts the turns of a loop from 0. `elements` are what the header gives to each turn, one for each leaf of the header,
left to right: see `HEADERS`. `start` holds the carried values before the first turn; None for a variable that has no value
yet. The outputs of a loop are the carried values after the last turn.

After differentiation a body is a joint graph like any other: its forward nodes, then its backward nodes, which start from
`upstream` and lead to `gradients`. Forward and backward node of a branch, loop or call share their bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from flatgrad.graph.containers import mapped
from flatgrad.graph.size import is_one
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Type, Value, packed, standing_for

# headers of `for` loops: nested tuples, the first part of each is one of these words
#   ("range", start, stop, step)    one element: the counter
#   ("rows", array)                 one element: the row
#   ("enumerate", header, start)    the counter, then the elements of the inner header
#   ("zip", header, ...)            the elements of each
#   ("reversed", header)            those of the inner header
#   ("forever",)                    no element: `while True`, which only its body leaves
HEADERS = ("range", "rows", "enumerate", "zip", "reversed", "forever")

# what is kept for the backward pass: a list with an entry for each turn of a loop, a tuple from a function
KEPT = Type(np.dtype(object), (), weak=True)


def branch(condition: Value, closed: tuple[Value, ...]) -> None:
    """A node of this function runs its first body where the condition holds, else its second."""


def loop(header: Any, start: tuple[Any, ...], closed: tuple[Value, ...], leaves: bool, checkpoint: bool) -> None:
    """A node of this function runs its body once for each turn."""


def call(arguments: tuple[Value, ...]) -> None:
    """A node of this function runs its body: a function of the user's."""


def branch_backward() -> None:
    """The backward pass of a branch."""


def loop_backward() -> None:
    """The backward pass of a loop."""


def call_backward() -> None:
    """The backward pass of a call."""


def edited(x: Value) -> None:
    """A node of this function is x itself; its body is what becomes of the gradient."""


def accumulated() -> None:
    """A statement in the backward pass of a loop: `grad_<into>[index] += values`."""


# the form of a call with arguments that are spread out of a dict
SPREAD = "**"

FORWARD: frozenset[Callable[..., Any]] = frozenset({branch, loop, call})
BACKWARD: dict[Callable[..., Any], Callable[..., Any]] = {
    branch: branch_backward,
    loop: loop_backward,
    call: call_backward,
}
REGIONS: frozenset[Callable[..., Any]] = FORWARD | frozenset(BACKWARD.values())


def elements_of(header: Any, *, turned: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """Return the leaves of a header, left to right: the word, its arguments, and whether the loop goes from its end to its start.

    The word is "count" for an enumerate's counter.
    """
    if header is None:
        return
    word, *parts = header
    if word == "enumerate":
        yield "count", parts[1:], False
        yield from elements_of(parts[0], turned=turned)
    elif word in ("zip", "reversed"):
        for part in parts:
            yield from elements_of(part, turned=turned != (word == "reversed"))
    elif word != "forever":
        yield word, parts, turned


def undefined(type: Type) -> Constant:
    """Return what stands for a variable on a path that has not assigned it, and assigns it of this type elsewhere."""
    constant = Constant(None, FLOAT, text="undefined")
    constant.type = type
    return constant


def is_undefined(value: Any) -> bool:
    """Tell whether a value is `undefined`."""
    return isinstance(value, Constant) and value.number is None


class LoopParts:
    """The values of a loop node and of its body by what they are."""

    def __init__(self, node: Node) -> None:
        arguments = node.arguments
        body = node.bodies[0]
        self.header = arguments["header"]
        self.start: tuple[Any, ...] = arguments["start"]
        self.closed: tuple[Value, ...] = arguments["closed"]
        self.leaves: bool = arguments["leaves"]
        sources = list(elements_of(self.header))
        count = len(sources)
        self.turn = body.parameters[0]
        self.elements = body.parameters[1 : 1 + count]
        # where each element comes from: the word of its leaf, the arguments, whether that is gone through in reverse
        self.sources = [(*source, element) for source, element in zip(sources, self.elements, strict=True)]
        self.carried = body.parameters[1 + count : 1 + count + len(self.start)]
        self.own_closed = body.parameters[1 + count + len(self.start) :]
        self.results = body.results[: len(self.start)]
        self.leave = body.results[-1] if self.leaves else None


def received(node: Node, body: Graph) -> dict[Value, Value]:
    """Return the values that a body takes from around it as they are, each with the parameter that it is inside."""
    if node.function is call:
        return dict(zip(node.arguments["arguments"], body.parameters, strict=True))
    closed = node.arguments["closed"]
    return dict(zip(closed, body.parameters[len(body.parameters) - len(closed) :], strict=True))


def close_over(node: Node, outer: Value) -> None:
    """Give the bodies of a branch or loop a parameter for one more value from around."""
    arguments = node.arguments
    if outer in arguments["closed"]:
        return
    arguments["closed"] = (*arguments["closed"], outer)
    node.inputs, node.call = packed(arguments)
    for body in node.bodies:
        body.parameters.append(standing_for(outer))


def outer_values(nodes: Iterable[Node], results: Sequence[Value], own: Iterable[Value]) -> list[Value]:
    """Return the values that nodes and results use without making them, in the order of their use; constants left out."""
    made = set(own)
    found: dict[Value, None] = {}
    for node in nodes:
        for value in node.inputs:
            if value not in made and not isinstance(value, Constant):
                found[value] = None
        made.update(node.outputs)
    for value in results:
        if isinstance(value, Value) and value not in made and not isinstance(value, Constant):
            found[value] = None
    return list(found)


def close(graph: Graph, outer: Sequence[Value]) -> None:
    """Give a body a parameter for each of these outer values, behind those that it has, and let it use them."""
    inner = {value: standing_for(value) for value in outer}
    graph.parameters += inner.values()
    for node in graph.nodes:
        if any(value in inner for value in node.inputs):
            node.inputs = tuple([inner.get(value, value) for value in node.inputs])
    graph.results[:] = [inner.get(value, value) for value in graph.results]


def merge_closed(node: Node) -> None:
    """Let each value from around come into the bodies of a branch or loop once, where two have become the same."""
    closed = node.arguments["closed"]
    firsts = {outer: k for k, outer in reversed(list(enumerate(closed)))}
    if len(firsts) == len(closed):
        return
    for body in node.bodies:
        own = body.parameters[len(body.parameters) - len(closed) :]
        merged = {own[k]: own[firsts[outer]] for k, outer in enumerate(closed) if firsts[outer] != k}
        body.parameters = [value for value in body.parameters if value not in merged]
        for each in body.nodes:
            each.inputs = tuple([merged.get(value, value) for value in each.inputs])
            if each.function in (branch, loop):
                merge_closed(each)
        body.results[:] = [merged.get(value, value) for value in body.results]
        body.gradients[:] = [merged.get(value, value) for value in body.gradients]
    node.inputs, node.call = packed(node.arguments | {"closed": tuple(dict.fromkeys(closed))})


def returned_by(node: Node) -> tuple[Value, ...]:
    """Return the outputs of a call without what it keeps for the backward pass."""
    return node.outputs[:-1] if node.outputs and node.outputs[-1].type is KEPT else node.outputs


def is_alike(one: Graph, other: Graph) -> bool:
    """Tell whether two graphs were made from one function in the same way, and differ in the sizes of arrays at most."""
    if one.origin != other.origin:
        return False
    pairs: dict[Value, Value] = {}
    return _matches(one, other, pairs)


def _matches(one: Graph, other: Graph, pairs: dict[Value, Value]) -> bool:
    if len(one.nodes) != len(other.nodes) or not _pair(one.parameters, other.parameters, pairs):
        return False
    for a, b in zip(one.nodes, other.nodes, strict=True):
        if a.function is not b.function or _written(a.call) != _written(b.call) or len(a.bodies) != len(b.bodies):
            return False
        if not all(_same(x, y, pairs) for x, y in zip(a.inputs, b.inputs, strict=True)):
            return False
        if not _pair(a.outputs, b.outputs, pairs):
            return False
        if not all(_matches(x, y, pairs) for x, y in zip(a.bodies, b.bodies, strict=True)):
            return False
    same_results = len(one.results) == len(other.results)
    return same_results and all(_same(x, y, pairs) for x, y in zip(one.results, other.results, strict=True))


def _pair(ones: Sequence[Value], others: Sequence[Value], pairs: dict[Value, Value]) -> bool:
    """Note that values stand for each other. Tell whether they have the same types, but for sizes."""
    pairs.update(zip(ones, others, strict=False))
    return list(map(_kind, ones)) == list(map(_kind, others))


def _kind(value: Value) -> Any:
    return value.dtype, value.type.weak, [is_one(size) for size in value.shape]


def _same(a: Value, b: Value, pairs: dict[Value, Value]) -> bool:
    if isinstance(a, Constant) and isinstance(b, Constant) and a not in pairs:
        return _kind(a) == _kind(b) and repr(a.number) == repr(b.number)
    return pairs.get(a) is b


def _written(call: Any) -> str:
    return repr(mapped(call, lambda leaf: id(leaf) if isinstance(leaf, np.ndarray) else leaf))


def constants_inside(node: Node) -> set[Constant]:
    """Return the constants that the bodies of a branch or loop use and that a line of a graph around them makes."""
    found: set[Constant] = set()
    made: set[Value] = set()
    for body in node.bodies if node.function is not call and node.function is not call_backward else ():
        for graph in nested_in_function(body):
            made.update(graph.values())
            used = [value for each in graph.nodes for value in each.inputs] + graph.results + graph.gradients
            found.update(value for value in used if isinstance(value, Constant) and value.node is not None)
    return found - made


def nested(graph: Graph) -> Iterator[Graph]:
    """Return a graph and all graphs inside it, outer ones first; each once."""
    seen: set[int] = set()
    pending = [graph]
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        pending += [body for node in each.nodes for body in node.bodies]


def writes_to_caller(graph: Graph) -> bool:
    """Tell whether the program writes into an array of its caller's in a graph or in one inside it."""
    return any(node.in_callers for each in nested(graph) for node in each.nodes)


def nested_in_function(graph: Graph) -> Iterator[Graph]:
    """Return a graph and the bodies of its branches and loops, but not those of what it calls; each once."""
    yield graph
    for node in graph.nodes:
        if node.function in (branch, loop):
            for body in node.bodies:
                yield from nested_in_function(body)
