"""Reads functions with a gradient of their own, and edits of a gradient. Fills STATEMENTS.

In: a call of a `custom_vjp` or of `edit_gradient`, or a block of `insert_grad_of`. Out: a `call` node with the user's backward
pass, or an `edited` node. Layer: above `bodies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, cast

import libcst as cst

from flatgrad.builder import Builder
from flatgrad.errors import ShapeError
from flatgrad.frontend.assigned import AssignedNames
from flatgrad.frontend.bodies import Body, Frame, call_of, called_at, closed, in_line, read_body
from flatgrad.frontend.callees import StaticCustom, callee_of, is_followed
from flatgrad.frontend.inputs import Inputs, detached
from flatgrad.frontend.memory import WritesToCaller
from flatgrad.frontend.parameters import bound_items
from flatgrad.frontend.placeholders import Poisoned, Unfinished
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.recursion import deep_recursion
from flatgrad.frontend.statement_lines import statements_of
from flatgrad.frontend.unpacking import bind
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import leaves, mapped
from flatgrad.graph.regions import edited
from flatgrad.graph.size import equal
from flatgrad.graph.values import FLOAT, Constant, Graph, Type, Value
from flatgrad.markers import custom_vjp, edit_gradient, insert_grad_of


def is_edit(function: Any) -> bool:
    """Tell whether a function marks an edit of a gradient."""
    return function is edit_gradient


# functions with a gradient of their own


def custom_call(
    reader: Reader,
    function: custom_vjp[Any, Any] | StaticCustom,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    syntax: cst.CSTNode,
) -> Any:
    """Return what the call of a function gives that has a gradient of its own."""
    if function.forward is None or function.backward is None:
        reader.fail("the gradient of the function is not defined", syntax, "call its method defvjp(forward, backward)")
    with called_at(reader, syntax):
        own, forward = callee_of(function.function), callee_of(function.forward)
    given = bound_items(reader, own, args, kwargs, syntax)
    try:
        body = read_body(reader, forward, dict(bound_items(reader, forward, list(given.values()), {}, syntax)), syntax)
    except WritesToCaller:
        reader.fail(
            "a function with a gradient of its own can't change its arguments", syntax, "let it return the result"
        )
    if not isinstance(body.returned, tuple) or len(body.returned) != 2:
        _fail_inside(reader, body, "has to return two things: the value, and what the backward pass needs", syntax)
    out, residuals = body.returned
    outputs = list(dict.fromkeys(leaf for leaf in leaves(out) if _is_dynamic(leaf)))
    body.graph.name = own.name
    body.graph.results = [*outputs, *(leaf for leaf in leaves(residuals) if _is_dynamic(leaf))]
    parameters = list(body.graph.parameters)
    arguments = closed(body.graph, body.inputs.dynamic()[0])
    if len(arguments) > len(parameters):
        _fail_inside(reader, body, "uses variables of the function around it", syntax)
    body.graph.custom = _backward_graph(reader, function.backward, given, body, outputs, syntax)
    node = call_of(reader, body.graph, arguments, outputs, syntax)
    made = dict(zip(outputs, node.outputs, strict=True))
    for output in node.outputs:
        reader.memory.is_one_of(output, [reader.memory.root(each) for each in (*arguments, *node.outputs)])
    reader.numbers.update(output for value, output in made.items() if is_number(reader, value))
    return mapped(out, lambda leaf: made[leaf] if _is_dynamic(leaf) else detached(leaf))


def _is_dynamic(leaf: Any) -> bool:
    return isinstance(leaf, Value) and not isinstance(leaf, Constant)


def _fail_inside(reader: Reader, body: Body, message: str, syntax: cst.CSTNode, hint: str = "") -> NoReturn:
    """Raise what is wrong with the whole of a function that was read."""
    definition = body.reader.definition
    assert definition is not None
    with called_at(reader, syntax):
        body.reader.fail(f"`{definition.name.value}` {message}", definition.name, hint)


def _backward_graph(
    reader: Reader, function: Any, given: Mapping[str, Any], body: Body, outputs: Sequence[Value], syntax: cst.CSTNode
) -> Graph:
    """Return the graph of the user's backward pass: from residuals and upstream gradients to gradients of the arguments."""
    with called_at(reader, syntax):
        callee = callee_of(function)
    out, residuals = body.returned
    upstream = {value: Value(gradient_type(value.type), f"grad_{value.name or 'out'}") for value in outputs}
    gradient = mapped(out, lambda leaf: upstream.get(leaf) if isinstance(leaf, Value) else None)
    saved: list[Value] = []

    def inside(leaf: Any) -> Any:
        if not _is_dynamic(leaf):
            return detached(leaf)
        saved.append(Value(leaf.type, leaf.name, known=leaf.known))
        return saved[-1]

    kept = mapped(residuals, inside)
    graph = Graph(callee.name, [*saved, *upstream.values()])
    outer = Reader(Builder(graph), reader.names, reader.source)
    outer.calls = reader.calls
    items = bound_items(outer, callee, [kept, gradient], {}, syntax)
    inner = Reader(outer.builder, callee.definition.names, callee.definition.source)
    inner.calls = (*reader.calls, Frame(callee.identity))
    with called_at(reader, syntax), deep_recursion():
        try:
            returned = inner.function(callee.definition.syntax, items)
        except WritesToCaller:
            reader.fail("a backward pass can't change its arguments", syntax, "make copies of them")
    backward = Body(graph, Inputs(frozenset()), returned, inner)
    if any(leaf is Unfinished for leaf in leaves(returned)):
        raise Poisoned
    if not isinstance(returned, tuple) or len(returned) != len(given):
        message = f"has to return a tuple with {len(given)} gradients, one for each parameter"
        _fail_inside(reader, backward, message, syntax, "None for a parameter without a gradient")
    graph.results = _gradients(reader, given, body, backward, syntax)
    if closed(graph, []):
        _fail_inside(reader, backward, "uses variables of the function around it", syntax)
    return graph


def _gradients(
    reader: Reader, given: Mapping[str, Any], body: Body, backward: Body, syntax: cst.CSTNode
) -> list[Value]:
    """Return the gradient of each parameter of the forward graph; None for one that is always zero."""
    inputs = body.inputs
    found: list[Any] = []
    for (name, places), gradient in zip(inputs.places.items(), backward.returned, strict=True):
        parts = [gradient] if len(places) == 1 else list(leaves(gradient))
        parts = [None] * len(places) if gradient is None else parts
        if len(parts) != len(places):
            _fail_inside(reader, backward, f"returns {len(parts)} gradients for `{name}`", syntax)
        found += parts
    chosen = [
        _checked(reader, backward, value, gradient, syntax)
        for number, (value, gradient) in enumerate(zip(inputs.values, found, strict=True))
        if number not in inputs.static
    ]
    return cast("list[Value]", chosen)


def _checked(reader: Reader, backward: Body, value: Value, gradient: Any, syntax: cst.CSTNode) -> Value | None:
    """Return a gradient of the user's. Raises ShapeError where it is not of the argument's shape."""
    if gradient is None:
        return None
    with called_at(reader, syntax):
        made = detached(backward.reader.value(gradient, cast(cst.FunctionDef, backward.reader.definition).name))
    _require_shape(made, value.type, lambda message: _fail_inside(reader, backward, message, syntax))
    return cast(Value, made)


def _require_shape(gradient: Value, wanted: Type, fail: Callable[[str], NoReturn]) -> None:
    same = len(gradient.shape) == wanted.rank and all(
        equal(a, b) is not False for a, b in zip(gradient.shape, wanted.shape, strict=True)
    )
    if not same:
        shapes = [
            f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})" for shape in (gradient.shape, wanted.shape)
        ]
        fail(f"makes a gradient of shape {shapes[0]} for a variable of shape {shapes[1]}")


def gradient_type(known: Type) -> Type:
    """Return the type of the gradient of a value: Python's own ints are real numbers here."""
    return known if known.dtype.kind == "f" else replace(known, dtype=FLOAT.dtype)


# edits of a gradient


def edit(reader: Reader, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> Value:
    """Return the value whose gradient is edited: ``edit_gradient(x, f)``."""
    given = [*args, *(kwargs[name] for name in ("x", "edit") if name in kwargs)]
    if len(given) != 2 or len(args) + len(kwargs) != 2:
        reader.fail("edit_gradient takes a value, and a function of its gradient", syntax)
    x, change = reader.value(given[0], syntax), given[1]
    if not is_followed(change):
        reader.fail(f"edit_gradient needs a function of the gradient, not {described(change)}", syntax, "use a lambda")

    def read(gradient: Value) -> Any:
        callee = callee_of(change)
        return in_line(reader, callee, bound_items(reader, callee, [gradient], {}, syntax), syntax)

    return _edited(reader, x, read, syntax)


def _edited(reader: Reader, x: Value, read: Callable[[Value], Any], syntax: cst.CSTNode) -> Value:
    """Append an edit; `read` reads what becomes of the gradient."""
    gradient = Value(gradient_type(x.type), "grad")
    graph = Graph("edit", [gradient])
    builder = reader.builder
    around, statement = builder.graph, builder.statement
    builder.graph = graph
    try:
        result = read(gradient)
    finally:
        builder.graph, builder.statement = around, statement
    if result is Unfinished:
        raise Poisoned
    if result is None:
        reader.fail("the edit of a gradient has to return the gradient", syntax)
    value = reader.value(result, syntax)
    _require_shape(value, gradient.type, lambda message: reader.fail(f"this {message}", syntax, kind=ShapeError))
    graph.results = [value]
    outer = closed(graph, [])
    arguments = {"x": x, "closed": tuple(outer)} if outer else {"x": x}
    node = builder.node(edited, arguments, [x.type], location=reader.source.location(syntax))
    node.bodies = (graph,)
    node.output.known = x.known
    reader.memory.is_one_of(node.output, [reader.memory.root(x)])
    if is_number(reader, x):
        reader.numbers.add(node.output)
    return node.output


def is_edit_block(reader: Reader, syntax: cst.With) -> bool:
    """Tell whether a `with` block edits a gradient."""
    made = syntax.items[0].item
    return isinstance(made, cst.Call) and reader.expression(made.func) is insert_grad_of


def read_edit_block(reader: Reader, syntax: cst.With) -> None:
    """Read a block that edits a gradient."""
    item = syntax.items[0]
    made = item.item
    assert isinstance(made, cst.Call)
    variable = made.args[0].value if len(made.args) == 1 else None
    if len(syntax.items) > 1 or not isinstance(variable, cst.Name):
        reader.fail("insert_grad_of takes one variable, by its name", made)
    if item.asname is None or not isinstance(item.asname.name, cst.Name):
        reader.fail("the gradient needs a name", item, f"with insert_grad_of({variable.value}) as grad: ...")
    x = reader.value(reader.expression(variable), variable)
    name = item.asname.name.value
    assigned = AssignedNames()
    syntax.body.visit(assigned)
    if assigned.leaves:
        reader.fail("the block can't be left by return, break or continue", syntax.body)
    for other in assigned.names:
        if other != name and other in reader.variables:
            message = f"the block runs in the backward pass, so it can't change `{other}` of the forward pass"
            reader.fail(message, syntax.body, "use another name")
    before = dict(reader.variables)

    def read(gradient: Value) -> Any:
        reader.variables[name] = gradient
        reader.block(statements_of(syntax.body))
        return reader.variables[name]

    try:
        changed = _edited(reader, x, read, syntax)
    finally:
        reader.variables.clear()
        reader.variables.update(before)
    reader.variables.pop(name, None)
    bind(reader, variable.value, changed)
