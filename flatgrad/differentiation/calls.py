"""The backward pass of calls of the user's functions, and of gradients that the user edits.

In: a call, the gradients of its outputs. Out: parts of the gradients of its arguments. Layer: differentiation, above `bodies`.
"""

from __future__ import annotations

from flatgrad.differentiation.activity import spread
from flatgrad.differentiation.bodies import Backward, append_backward, gradient_type, in_dtype, start_body
from flatgrad.graph.regions import KEPT, call, is_alike, nested, returned_by
from flatgrad.graph.values import Graph, Node, Value


def visit_call(backward: Backward, node: Node) -> None:
    """Append the backward pass of a call, and that of the function if this is the first call of it."""
    (body,) = node.bodies
    outputs = returned_by(node)
    if not body.upstream:
        if body.custom is not None:
            _take_custom(body, len(outputs))
        else:
            _through_function(backward, body)
    saved = _saved_by(node)
    whole = len(body.upstream) == len(body.results)
    taken = [k for k, result in enumerate(body.results) if whole or result in backward.active]
    gradients = [backward.gradients.get(outputs[k]) or backward.zeros(outputs[k]) for k in taken]
    upstream = tuple([in_dtype(backward, each, outputs[k]) for k, each in zip(taken, gradients, strict=True)])
    arguments = [node.arguments["arguments"][body.parameters.index(parameter)] for parameter in body.wrt]
    given = {"saved": saved, "upstream": upstream}
    made = append_backward(backward, node, given, [gradient_type(argument) for argument in arguments])
    for argument, gradient in zip(arguments, made.outputs, strict=True):
        if argument in backward.active:
            backward.pass_on(argument, gradient)


def _through_function(backward: Backward, body: Graph) -> None:
    inside = backward.inside(body, frozenset())
    start_body(inside, body, [result for result in body.results if result in backward.active])
    body.wrt = [parameter for parameter in body.parameters if parameter in inside.gradients]
    body.gradients = [inside.gradients[parameter] for parameter in body.wrt]


def _take_custom(body: Graph, count: int) -> None:
    """Let the backward pass that the user wrote be that of a function; what it needs comes behind its `count` results."""
    assert body.custom is not None
    residuals, body.results[count:] = body.results[count:], []
    own = body.custom.parameters[: len(residuals)]
    body.upstream = body.custom.parameters[len(residuals) :]
    inner = dict(zip(own, residuals, strict=True))
    body.nodes += body.custom.nodes
    for node in body.custom.nodes:
        node.inputs = tuple([inner.get(value, value) for value in node.inputs])
        node.forward = node
    pairs = list(zip(body.parameters, body.custom.results, strict=True))
    body.custom = None
    found = [(parameter, inner.get(gradient, gradient)) for parameter, gradient in pairs if gradient is not None]
    for parameter, gradient in found:
        if gradient.node is not None and gradient.primal is None and gradient.name is None:
            gradient.primal = parameter
    body.wrt = [parameter for parameter, _ in found]
    body.gradients = [gradient for _, gradient in found]


def _saved_by(node: Node) -> Value:
    """Return what a call keeps for its backward pass: one more output."""
    if node.outputs and node.outputs[-1].type is KEPT:
        return node.outputs[-1]
    saved = Value(KEPT, "saved", node=node)
    node.outputs = (*node.outputs, saved)
    return saved


def complete_calls(graph: Graph) -> None:
    """Let every call of a function that has a backward pass take what is kept for that, also where it is not used."""
    for each in nested(graph):
        for node in each.nodes:
            if node.function is call and node.bodies[0].upstream:
                _saved_by(node)


def join_calls(graph: Graph, active: set[Value]) -> None:
    """Let calls of one function with arguments of the same types share one body, and add to `active` what any of them needs."""
    known: list[Graph] = []
    pending = [graph]
    while pending:
        for node in pending.pop().nodes:
            if node.function is call:
                body = next((each for each in known if is_alike(each, node.bodies[0])), None)
                if body is not None:
                    node.bodies = (body,)
                    continue
                known += node.bodies
            pending += node.bodies
    count = -1
    while known and count < len(active):
        count = len(active)
        spread(graph, active)


def visit_edited(backward: Backward, node: Node) -> None:
    """Append what the user makes of a gradient."""
    (body,) = node.bodies
    given = (backward.gradients[node.output], *node.arguments.get("closed", ()))
    inner: dict[Value, Value] = dict(zip(body.parameters, given, strict=True))
    # from here on it is in the backward pass of this graph
    node.bodies = ()
    for each in body.nodes:
        each.inputs = tuple([inner.get(value, value) for value in each.inputs])
        each.forward = node
        backward.graph.nodes.append(each)
    (result,) = body.results
    result.name = None
    backward.pass_on(node.inputs[0], inner.get(result, result))
