"""Branches, loops and calls can be run, checked and shown."""

import operator

import numpy as np
import pytest

from flatgrad.builder import Builder
from flatgrad.graph.regions import BACKWARD, branch, call, edited, loop
from flatgrad.graph.show import show
from flatgrad.graph.size import symbolic
from flatgrad.graph.values import FLOAT, INTEGER, Constant, Graph, Type, Value
from flatgrad.graph.verify import IllFormed, verify
from flatgrad.interpret import interpret
from flatgrad.rules import arithmetic, elementwise
from flatgrad.rules.program import literal

RULES = (arithmetic, elementwise)
NOTHING = Constant(None, FLOAT, text="undefined")
VECTOR = Type(np.dtype(np.float64), (symbolic("n"),))


class Place:
    file = "f.py"
    column = 1

    def __init__(self, line):
        self.line = line


def number(n):
    return Constant(n, INTEGER if isinstance(n, int) else FLOAT)


def graph_of(name, *parameters):
    """Return a graph with these parameters ("x", a float, or a type and a name), its builder, and the parameters."""
    graph = Graph(name)
    for parameter in parameters:
        type, name = (FLOAT, parameter) if isinstance(parameter, str) else parameter
        graph.parameters.append(Value(type, name))
    return graph, Builder(graph), *graph.parameters


def body_of(parameters, results, name="body"):
    """Return a body; `results` gets the builder and the parameters, and gives a list."""
    body, b, *values = graph_of(name, *parameters)
    body.results += results(b, *values)
    return body


def branch_on(b, condition, closed, names, then, otherwise):
    """Append a branch, and return its node."""
    node = b.node(branch, {"condition": condition, "closed": tuple(closed)}, [FLOAT] * len(then.results))
    node.bodies = (then, otherwise)
    for name, value in zip(names, node.outputs, strict=True):
        value.name = name
    return node


def looped(b, header, start, closed, bodies, leaves=False):
    """Append a loop, and return its node."""
    arguments = {
        "header": header,
        "start": tuple(start),
        "closed": tuple(closed),
        "leaves": leaves,
        "checkpoint": False,
    }
    node = b.node(loop, arguments, [FLOAT] * len(start), location=Place(6))
    node.bodies = bodies
    return node


def huber():
    """Return a branch: ``y = 0.5 * x**2 if x < d else d * x``."""
    graph, b, x, d = graph_of("huber", "x", "d")
    condition = b.apply(operator.lt, x, d)
    then = body_of(
        ("x", "d"), lambda b, x, d: [b.apply(operator.mul, number(0.5), b.apply(operator.pow, x, 2))], "then"
    )
    otherwise = body_of(("x", "d"), lambda b, x, d: [b.apply(operator.mul, d, x)], "else")
    return graph, branch_on(b, condition, (x, d), ("y",), then, otherwise)


def summed(header, elements, take, *parameters, leaves=None):
    """Return a loop over a header that adds to a total; `take` works out, in the body, what is added."""
    graph, b, *values = graph_of("f", *parameters)

    def total(b, turn, *rest):
        following = b.apply(operator.add, rest[-1], take(b, *rest[:-1]))
        return [following] if leaves is None else [following, b.apply(operator.gt, following, number(leaves))]

    body = body_of([(INTEGER, "turn"), *elements, "total"], total)
    return graph, looped(b, header(*values), [number(0.0)], (), (body,), leaves is not None)


# interpret


def test_one_side_of_a_branch_runs():
    """The condition decides; the other side is not touched."""
    graph, node = huber()
    verify(graph, node.outputs)
    assert interpret(graph, [0.5, 1.0], node.outputs) == [0.125]
    assert interpret(graph, [3.0, 2.0], node.outputs) == [6.0]


def test_a_side_may_leave_a_variable_without_a_value():
    """What is assigned on one side only has no value behind the other, and that is no error as long as no one reads it."""
    graph, b, x = graph_of("f", "x")
    condition = b.apply(operator.gt, x, number(0.0))
    then = body_of(("x",), lambda b, x: [x, x], "then")
    otherwise = body_of(("x",), lambda b, x: [NOTHING, number(2.0)], "else")
    node = branch_on(b, condition, (x,), ("y", "z"), then, otherwise)
    verify(graph, node.outputs)
    assert interpret(graph, [3.0], node.outputs) == [3.0, 3.0]
    assert interpret(graph, [-3.0], node.outputs) == [None, 2.0]


N = (INTEGER, "n")
ROW = Type(np.dtype(np.float64), ())
HEADERS = [
    (lambda n, xs: ("range", number(0), n, number(1)), [(INTEGER, "i")], lambda n, xs: range(n)),
    (lambda n, xs: ("range", n, number(-1), number(-2)), [(INTEGER, "i")], lambda n, xs: range(n, -1, -2)),
    (lambda n, xs: ("rows", xs), [(ROW, "x")], lambda n, xs: xs),
    (lambda n, xs: ("reversed", ("range", number(1), n, number(1))), [(INTEGER, "i")], lambda n, xs: range(1, n)[::-1]),
    (lambda n, xs: ("reversed", ("rows", xs)), [(ROW, "x")], lambda n, xs: xs[::-1]),
    (
        lambda n, xs: ("enumerate", ("rows", xs), n),
        [(INTEGER, "i"), (ROW, "x")],
        lambda n, xs: [i * x for i, x in enumerate(xs, n)],
    ),
    (
        lambda n, xs: ("zip", ("range", number(0), n, number(1)), ("rows", xs)),
        [(INTEGER, "i"), (ROW, "x")],
        lambda n, xs: [i * x for i, x in zip(range(n), xs, strict=False)],
    ),
    (
        lambda n, xs: ("enumerate", ("zip", ("rows", xs), ("reversed", ("rows", xs))), number(0)),
        [(INTEGER, "i"), (ROW, "x"), (ROW, "y")],
        lambda n, xs: [i * x * y for i, (x, y) in enumerate(zip(xs, xs[::-1], strict=True))],
    ),
]


@pytest.mark.parametrize(("header", "elements", "items"), HEADERS)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_headers(header, elements, items, n):
    """Each turn gets what the header gives, leaf by leaf; also when there is no turn at all."""

    def product(b, first, *others):
        for other in others:
            first = b.apply(operator.mul, first, other)
        return first

    graph, node = summed(header, elements, product, N, (VECTOR, "xs"))
    verify(graph, node.outputs)
    xs = np.array([0.5, 2.0, 3.0])[:n]
    assert interpret(graph, [n, xs], node.outputs) == [sum(items(n, xs), 0.0)]


def test_a_loop_is_left():
    """The last result of the body tells whether the turn was the last one."""
    graph, node = summed(lambda n: ("range", number(0), n, number(1)), [(INTEGER, "i")], lambda b, i: i, N, leaves=5)
    verify(graph, node.outputs)
    assert interpret(graph, [100], node.outputs) == [6.0]
    assert interpret(graph, [3], node.outputs) == [3.0]


def test_a_loop_that_only_its_body_leaves():
    """`while True` gives nothing to its turns and has no end of its own."""
    graph, node = summed(lambda: ("forever",), [], lambda b: number(2.0), leaves=5)
    verify(graph, node.outputs)
    assert interpret(graph, [], node.outputs) == [6.0]
    assert "loop(forever(), leaves)\n" in show(graph)


def test_turns_are_counted_from_zero():
    """The counter of turns is not that of the range."""
    graph, b, n = graph_of("f", N)
    body = body_of([(INTEGER, "turn"), (INTEGER, "i"), "last"], lambda b, turn, i, last: [turn])
    node = looped(b, ("range", number(5), n, number(1)), [None], (), (body,))
    verify(graph, node.outputs)
    assert interpret(graph, [8], node.outputs) == [2]
    assert interpret(graph, [5], node.outputs) == [None]


def newton():
    """Return a loop with a condition: ``while x * x > a + 1e-9: x = (x + a / x) / 2``."""
    graph, b, a = graph_of("root", "a")

    def step(b, turn, x, a):
        return [b.apply(operator.truediv, b.apply(operator.add, x, b.apply(operator.truediv, a, x)), number(2))]

    def goes_on(b, x, a):
        return [b.apply(operator.gt, b.apply(operator.mul, x, x), b.apply(operator.add, a, number(1e-9)))]

    body = body_of([(INTEGER, "turn"), "x", "a"], step)
    condition = body_of(["x", "a"], goes_on, "condition")
    node = looped(b, None, [a], [a], (body, condition))
    node.output.name = "x"
    return graph, node


def test_a_loop_with_a_condition():
    """It is asked before each turn, the first one included."""
    graph, node = newton()
    verify(graph, node.outputs)
    np.testing.assert_allclose(interpret(graph, [2.0], node.outputs), [np.sqrt(2.0)])
    assert interpret(graph, [0.5], node.outputs) == [0.5]


def with_helper():
    """Return a call of a function with two results."""
    graph, b, x = graph_of("f", "x")

    def square_and_half(b, v):
        return [b.apply(operator.mul, v, v), b.apply(operator.truediv, v, number(2))]

    function = body_of(("v",), square_and_half, "square_and_half")
    node = b.node(call, {"arguments": (x,)}, [FLOAT, FLOAT])
    node.bodies = (function,)
    return graph, node


def test_a_call():
    """A function runs on what it is called with."""
    graph, node = with_helper()
    verify(graph, node.outputs)
    assert interpret(graph, [3.0], node.outputs) == [9.0, 1.5]


def test_a_call_of_a_function_with_a_gradient_of_its_own():
    """What its backward pass needs stands behind what it returns, and is no output."""
    graph, node = with_helper()
    node.outputs = node.outputs[:1]
    with pytest.raises(IllFormed, match="square_and_half has 2 results, not 1,"):
        verify(graph, node.outputs)
    custom = body_of(("half", "grad_out"), lambda b, half, grad: [b.apply(operator.mul, half, grad), None], "gradient")
    node.bodies[0].custom = custom
    verify(graph, node.outputs)
    assert interpret(graph, [3.0], node.outputs) == [9.0]
    custom.nodes.clear()
    with pytest.raises(IllFormed, match="the result .* of gradient is never made"):
        verify(graph, node.outputs)


def test_an_edited_gradient():
    """The value itself stays as it is."""
    graph, b, x = graph_of("f", "x")
    node = b.node(edited, {"x": x}, [FLOAT])
    node.bodies = (body_of(("grad",), lambda b, grad: [b.apply(operator.mul, grad, number(2.0))], "edit"),)
    verify(graph, node.outputs)
    assert interpret(graph, [3.0], node.outputs) == [3.0]
    assert "      edit(grad: float)\n            %3: float = mul(grad, 2.0)\n      return %3\n" in show(graph)


# verify


def test_bodies_fit_their_node():
    """A parameter or result too many or too few is found."""
    for change in (
        lambda then: then.parameters.append(Value(FLOAT)),
        lambda then: then.results.append(number(1.0)),
        lambda then: then.results.clear(),
    ):
        graph, node = huber()
        change(node.bodies[1])
        with pytest.raises(IllFormed, match=r"else has \d (parameters|results), not \d, in huber"):
            verify(graph, node.outputs)


def test_the_number_of_bodies():
    """A branch has two sides."""
    graph, node = huber()
    node.bodies = node.bodies[:1]
    with pytest.raises(IllFormed, match="1 bodies in huber"):
        verify(graph, node.outputs)


def test_loops_fit_their_header():
    """The body takes what the header gives, the condition what is carried."""
    graph, node = newton()
    node.bodies[1].parameters.insert(0, Value(INTEGER, "turn"))
    with pytest.raises(IllFormed, match="condition has 3 parameters, not 2,"):
        verify(graph, node.outputs)
    graph, node = summed(HEADERS[-1][0], [(INTEGER, "i")], lambda b, i: i, N, (VECTOR, "xs"))
    with pytest.raises(IllFormed, match="body has 3 parameters, not 5,"):
        verify(graph, node.outputs)
    graph, node = newton()
    node.outputs += (Value(FLOAT, node=node),)
    with pytest.raises(IllFormed, match="2 outputs for 1 carried values"):
        verify(graph, node.outputs)


def test_bodies_are_closed():
    """A body can't use a value of the graph around it, which is not there when the body is a function."""
    graph, node = huber()
    node.bodies[0].results[0] = graph.parameters[0]
    with pytest.raises(IllFormed, match="the result x of then is never made"):
        verify(graph, node.outputs)


def test_constants_around_a_body_are_at_hand():
    """A number that has a name needs no parameter, as long as its line stands above."""
    graph, node = huber()
    scale = Constant(3.0, FLOAT, "scale")
    Builder(graph).node(literal, {"number": 3.0}, []).outputs = (scale,)
    scale.node = graph.nodes[-1]
    inner = node.bodies[0]
    inner.results[0] = Builder(inner).apply(operator.mul, scale, inner.results[0])
    with pytest.raises(IllFormed, match="scale is used before it is made in then"):
        verify(graph, node.outputs)
    graph.nodes.insert(0, graph.nodes.pop())
    verify(graph, node.outputs)
    assert interpret(graph, [0.5, 1.0], node.outputs) == [0.375]


def test_a_constant_of_a_body_stays_in_it():
    """A line of one side is not there for the other."""
    graph, node = huber()
    scale = Constant(3.0, FLOAT, "scale")
    then, otherwise = node.bodies
    Builder(then).node(literal, {"number": 3.0}, []).outputs = (scale,)
    scale.node = then.nodes[-1]
    then.results[0] = scale
    verify(graph, node.outputs)
    otherwise.results[0] = scale
    with pytest.raises(IllFormed, match="the result scale of else is never made"):
        verify(graph, node.outputs)


def with_backward_pass():
    """Return the branch with the backward pass of one side, and the node of the backward pass."""
    graph, node = huber()
    otherwise = node.bodies[1]
    upstream = Value(FLOAT, primal=otherwise.results[0])
    otherwise.upstream.append(upstream)
    b = Builder(otherwise)
    b.forward = otherwise.nodes[0]
    otherwise.gradients.append(b.apply(operator.mul, upstream, otherwise.parameters[1]))
    otherwise.gradients[0].primal = otherwise.parameters[0]
    b = Builder(graph)
    b.forward = node
    backward = b.node(BACKWARD[branch], {"condition": graph.nodes[0].output}, [FLOAT])
    backward.bodies = node.bodies
    return graph, node, backward


def test_a_backward_pass_in_a_body():
    """It starts from its upstream gradients, and its gradients have to be made."""
    graph, node, backward = with_backward_pass()
    verify(graph, [*node.outputs, *backward.outputs])
    node.bodies[1].upstream.clear()
    with pytest.raises(IllFormed, match="is used before it is made in else"):
        verify(graph, node.outputs)
    graph, node, _ = with_backward_pass()
    node.bodies[1].gradients.append(Value(FLOAT))
    with pytest.raises(IllFormed, match="the result .* of else is never made"):
        verify(graph, node.outputs)


# show


def test_a_branch_as_text():
    """Both sides, with what their parameters stand for, and their part of the backward pass, once."""
    graph, node, backward = with_backward_pass()
    assert show(graph, [*node.outputs, *backward.outputs]) == (
        "huber(x: float, d: float)\n"
        "forward\n"
        "      %2: bool = lt(x, d)\n"
        "      y: float = branch(%2)\n"
        "      then(x%4: float = x, d%5: float = d)\n"
        "            %6: float = pow(x%4, 2)\n"
        "            %7: float = mul(0.5, %6)\n"
        "      return %7\n"
        "      else(x%8: float = x, d%9: float = d)\n"
        "            %10: float = mul(d%9, x%8)\n"
        "      return %10\n"
        "      backward(grad_10: float)\n"
        "            grad_x%8: float = mul(grad_10, d%9)\n"
        "      return grad_x%8\n"
        "backward\n"
        "      %13: float = flatgrad.graph.regions.branch_backward(%2)\n"
        "return y, %13\n"
    )


def test_loops_as_text():
    """The header, the first values of what is carried, the condition."""
    graph, node = newton()
    assert show(graph, node.outputs) == (
        "root(a: float)\n"
        "forward\n"
        "   6  x: float = loop()\n"
        "      body(turn: int, x%3: float = a, a%4: float = a)\n"
        "            %5: float = truediv(a%4, x%3)\n"
        "            %6: float = add(x%3, %5)\n"
        "            %7: float = truediv(%6, 2)\n"
        "      return %7\n"
        "      condition(x%8: float = a, a%9: float = a)\n"
        "            %10: float = mul(x%8, x%8)\n"
        "            %11: float = add(a%9, 1e-09)\n"
        "            %12: bool = gt(%10, %11)\n"
        "      return %12\n"
        "return x\n"
    )
    graph, node = summed(HEADERS[-1][0], HEADERS[-1][1], lambda b, i, x, y: i, N, (VECTOR, "xs"), leaves=5)
    assert "loop(enumerate(zip(rows(xs), reversed(rows(xs))), 0), leaves)\n" in show(graph)


def test_a_call_as_text():
    """The function stands below its call."""
    graph, node = with_helper()
    assert "= call()\n      square_and_half(v: float = x)\n" in show(graph)
