"""Calls of the user's own functions: what graph they are read into, and that it computes what the function does."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from flatgrad.builder import Builder, StaticNeeded
from flatgrad.frontend import rule_bodies  # noqa: F401 - fills the tables of what is allowed
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.reader import Reader
from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import call, edited, nested
from flatgrad.graph.values import Constant, Graph, Value
from flatgrad.graph.verify import verify
from flatgrad.interpret import interpret
from flatgrad.signature import Static, parameters_of, signature_of_arguments

X = np.array([0.3, -1.2, 2.5])
S = 1.7
IMPORTS = (
    "import functools\nimport flatgrad\nfrom flatgrad.markers import custom_vjp, edit_gradient, insert_grad_of\n\n"
)


def read(f, *args, pinned=frozenset()):
    """Return the graph of a function for such arguments, its parameters that are values, and what it returns."""
    definition = live_definition(f)
    names = [parameter.name for parameter in parameters_of(definition)]
    graph = Graph("f")
    reader = Reader(Builder(graph), definition.names, definition.source)
    given = {}
    signature = signature_of_arguments(definition, dict(zip(names, args, strict=True)), pinned)
    for name, known in signature.parameters.items():
        given[name] = known.value if isinstance(known, Static) else Value(known, name)
    graph.parameters += [value for value in given.values() if isinstance(value, Value)]
    returned = reader.function(definition.syntax, given)
    verify(graph, [leaf for leaf in leaves(returned) if isinstance(leaf, Value)])
    return graph, [arg for arg, item in zip(args, given.values(), strict=True) if isinstance(item, Value)], returned


def calls_in(graph):
    """Return the names of the functions that are called, at any depth and in order."""
    return [node.bodies[0].name for each in nested(graph) for node in each.nodes if node.function is call]


def check(f, *args):
    """Compare the graph with the function, and return it."""
    graph, arguments, returned = read(f, *args)
    values = [leaf for leaf in leaves(returned) if isinstance(leaf, Value) and not isinstance(leaf, Constant)]
    expected = [
        number
        for number, leaf in zip(leaves(f(*args)), leaves(returned), strict=True)
        if isinstance(leaf, Value) and not isinstance(leaf, Constant)
    ]
    for found, number in zip(interpret(graph, arguments, values), expected, strict=True):
        np.testing.assert_array_equal(found, number)
    return graph


# the text of a program with a function f(x, s), and the functions that it calls in nodes of their own
PROGRAMS = {
    "one expression": (
        """
        def square(v):
            '''Return the square.'''
            return v * v

        def f(x, s):
            return np.sum(square(x + s))
        """,
        [],
    ),
    "statements": (
        """
        def scaled(v, k):
            w = v * k
            return w + v

        def f(x, s):
            y = scaled(x, s)
            return np.sum(scaled(y, 2.0))
        """,
        ["scaled", "scaled"],
    ),
    "several results": (
        """
        def parts(v, k):
            w = v * k
            return w, (v, w), None, 2.0

        def f(x, s):
            a, (b, c), none, two = parts(x, s)
            return np.sum(a * b + c) * two if none is None else s
        """,
        ["parts"],
    ),
    "helpers of helpers": (
        """
        def inner(v):
            w = np.tanh(v)
            return w * v

        def outer(v, k):
            w = inner(v) + k
            return inner(w)

        def f(x, s):
            return np.sum(outer(x, s))
        """,
        ["outer", "inner", "inner"],
    ),
    "lambda of the module": (
        """
        square = lambda v: v * v
        cube = lambda v, n=3: v**n; double = lambda v: 2 * v

        def f(x, s):
            return np.sum(square(x) + cube(x) + double(s))
        """,
        [],
    ),
    "lambda inside": (
        """
        def f(x, s):
            shift = lambda v, k=s: v * k + x
            return np.sum(shift(x) + (lambda v: v / 2)(s) + shift(x, k=2.0))
        """,
        [],
    ),
    "def inside": (
        """
        def f(x, s):
            k = 2.0
            t = x * s

            def inner(v, n=3):
                w = v * k
                return w + t * n

            a = inner(x)
            t = x + 1
            return np.sum(inner(a, 5))
        """,
        ["inner", "inner"],
    ),
    "closure": (
        """
        def make(k, g):
            def scaled(v):
                w = g(v) * k
                return w + v
            return scaled

        triple = make(3.0, np.sin)

        def f(x, s):
            return np.sum(triple(x)) * s
        """,
        ["scaled"],
    ),
    "closure made inside": (
        """
        def make(k):
            twice = 2 * k
            def scaled(v):
                w = v * twice
                return w + k
            return scaled

        def f(x, s):
            return np.sum(make(s)(x))
        """,
        ["scaled"],
    ),
    "functions as arguments": (
        """
        def step(g, v, h):
            k = g(v)
            return v + h * k

        def slope(v):
            w = v * v
            return -w

        def f(x, s):
            return np.sum(step(np.tanh, x, s) + step(slope, x, s) + step(lambda v: v * s, x, s))
        """,
        ["step", "step", "step", "slope"],
    ),
    "partial": (
        """
        def scaled(v, k, shift=0.0):
            w = v * k
            return w + shift

        double = functools.partial(scaled, k=2.0)
        larger = functools.partial(np.maximum, 0.5)

        def f(x, s):
            local = functools.partial(scaled, x, shift=s)
            return np.sum(double(x) + larger(x) + local(3.0) + double(x, shift=s))
        """,
        ["scaled", "scaled", "scaled"],
    ),
    "arrays in a partial": (
        """
        A = np.array([[1.0, 0.5, 2.0], [0.3, -1.0, 0.7], [2.0, 0.0, 1.0]])

        def flow(matrix, v, shift=0.0):
            w = matrix @ v
            return w + shift

        def weighted(pair, v):
            w = pair[0] @ v
            return w * pair[1]

        along = functools.partial(flow, A)
        shifted = functools.partial(flow, A, shift=np.float64(0.5))
        dot = functools.partial(np.dot, A)
        both = functools.partial(weighted, (A, [np.ones(3), 2.0][0]))

        def f(x, s):
            return np.sum(along(x) * shifted(x, shift=s) + shifted(x) * dot(x) + both(x) + along(x, shift=A[0]))
        """,
        ["flow", "flow", "flow", "weighted", "flow"],
    ),
    "arrays in tuples": (
        """
        LAYERS = [np.array([[1.0, 0.5, 2.0], [0.3, -1.0, 0.7], [2.0, 0.0, 1.0]]), np.eye(3)]
        PAIR = (np.ones(3), "unused", np.zeros(5000))

        def f(x, s):
            for layer in LAYERS:
                x = np.tanh(layer @ x)
            return np.sum(x * PAIR[0]) * s + np.sum(LAYERS[1] @ x) + len(PAIR)
        """,
        [],
    ),
    "kinds of parameters": (
        """
        def every(a, /, b, c=2.0, *rest, d, e=5.0, **more):
            total = a + b * c + d * e
            return total + sum(rest) + more["g"] * len(more)

        def f(x, s):
            one = every(x, s, d=1.0, g=3.0)
            two = every(x, s, 3.0, x, s, d=s, e=x, g=2.0, h="unused")
            three = every(*(x, s), **{"d": 1.0, "g": s} if False else dict_of(d=1.0, g=s))
            return np.sum(one + two + three)

        def dict_of(**items):
            return items
        """,
        ["every", "every", "every"],
    ),
    "passing on": (
        """
        def inner(v, k=2.0, *, shift):
            w = v * k
            return w + shift

        def outer(*args, **kwargs):
            y = inner(*args, **kwargs)
            return y * 2

        def f(x, s):
            return np.sum(outer(x, s, shift=1.0) + outer(x, shift=s))
        """,
        ["outer", "inner", "outer", "inner"],
    ),
    "tuples as arguments": (
        """
        def weighed(pair, options):
            v, k = pair
            mode, power = options
            y = v * k
            return y**power if mode == "power" else y

        def f(x, s):
            return np.sum(weighed((x, s), ("power", 2)) + weighed((x, 2.0), ("other", 2)))
        """,
        ["weighed", "weighed"],
    ),
    "static arguments": (
        """
        def reduced(v, mode="sum", axis=None, keepdims=False):
            if mode == "sum":
                return np.sum(v, axis=axis, keepdims=keepdims)
            return np.mean(v, axis=axis, keepdims=keepdims)

        def f(x, s):
            return reduced(x) + reduced(x, "mean", 0) + np.sum(reduced(x, axis=-1, keepdims=True)) * s
        """,
        ["reduced", "reduced", "reduced"],
    ),
    "numbers that decide a shape": (
        """
        def padded(v, n):
            z = np.zeros(n)
            return v + z

        def f(x, s):
            return np.sum(padded(x, 3)) * s
        """,
        ["padded"],
    ),
    "sizes": (
        """
        def mean(v, n, shape):
            total = np.sum(v)
            return total / n * shape[0]

        def f(x, s):
            return mean(x, len(x), x.shape) * s
        """,
        ["mean"],
    ),
    "recursion": (
        """
        def power(v, n):
            if n == 0:
                return 1.0
            return v * power(v, n - 1)

        def even(v, n):
            return v if n == 0 else odd(v * 2, n - 1)

        def odd(v, n):
            return v if n == 0 else even(v + 1, n - 1)

        def f(x, s):
            return np.sum(power(x, 3) + even(x, 4)) * s
        """,
        ["power", "power", "power"],
    ),
    "recursion inside": (
        """
        def f(x, s):
            def power(n):
                if n == 0:
                    return 1.0
                return s * power(n - 1)

            return np.sum(x) * power(2)
        """,
        ["power", "power"],
    ),
    "decorated by flatgrad": (
        """
        @flatgrad.flatgrad
        def scaled(v, k):
            w = v * k
            return w + v

        def f(x, s):
            return np.sum(scaled(x, s))
        """,
        ["scaled"],
    ),
    "wrapped": (
        """
        def doubled(g):
            @functools.wraps(g)
            def wrapper(*args, **kwargs):
                y = g(*args, **kwargs)
                return 2 * y
            return wrapper

        @doubled
        def scaled(v, k):
            w = v * k
            return w + v

        def f(x, s):
            @doubled
            def local(v):
                return v * s
            return np.sum(scaled(x, k=s) + local(x))
        """,
        ["scaled", "scaled", "local"],
    ),
    "static methods": (
        """
        class Layers:
            @staticmethod
            def scaled(v, k):
                w = v * k
                return w + v

        def f(x, s):
            return np.sum(Layers.scaled(x, s))
        """,
        ["scaled"],
    ),
    "what is returned is an argument": (
        """
        def first(a, b):
            c = a * b
            return a, c

        def f(x, s):
            a, c = first(x, s)
            return np.sum(a * c)
        """,
        ["first"],
    ),
    "nothing at run time": (
        """
        def options(mode):
            scale = 2.0
            return mode, scale, None

        def f(x, s):
            mode, scale, none = options("sum")
            return np.sum(x) * s * scale if mode == "sum" and none is None else s
        """,
        [],
    ),
    "effects": (
        """
        def checked(v):
            assert np.all(v < 100), "too large"
            print(end="")
            return v * 2

        def f(x, s):
            return np.sum(checked(x)) * s
        """,
        ["checked"],
    ),
    "called for its effects": (
        """
        def show(v, *, end):
            w = v * 2
            print(w, end=end)

        def f(x, s):
            show(x, end="")
            return np.sum(x) * s
        """,
        ["show"],
    ),
    "a number that decides the shape of the result": (
        """
        def start(n):
            z = np.ones(n)
            return z

        def f(x, s):
            h = start(3) * s
            return np.sum(x + h)
        """,
        ["start"],
    ),
    "a number that decides how often a loop is read": (
        """
        def chained(functions, v, n):
            for i in range(n):
                v = functions[i](v)
            return v

        def f(x, s):
            return np.sum(chained((np.sin, np.tanh, lambda v: v * s), x, 3))
        """,
        ["chained"],
    ),
    "in a loop": (
        """
        def step(h, v, s):
            z = h * s
            if z > v:
                return z - v
            return z + v

        def f(x, s):
            h = 0.0
            for v in x:
                scale = lambda h: h * v
                def shifted(h):
                    z = h + v
                    return z
                h = step(scale(h), shifted(v), s)
            return h
        """,
        ["step", "shifted"],
    ),
    "constants": (
        """
        RATE = 0.25
        WEIGHTS = np.array([1.0, 2.0, 3.0])

        def weighed(v, w):
            y = v * w * RATE
            return y * WEIGHTS

        def f(x, s):
            k = 3.0
            table = np.array([2.0, 1.0, 0.5])

            def local(v):
                y = v * k
                return y * table

            return np.sum(weighed(x, WEIGHTS) + weighed(x, table) + weighed(x, RATE) + local(x)) * s
        """,
        ["weighed", "weighed", "weighed", "local"],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_helper_is_read_as_what_it_does(define, name):
    """The graph computes what the program does, and has a node for each call of a helper with statements."""
    text, called = PROGRAMS[name]
    f = define(IMPORTS + _dedented(text))
    assert sorted(calls_in(check(f, X, S))) == sorted(called)


def _dedented(text):
    return "\n".join(line.removeprefix("        ") for line in text.split("\n"))


def program(define, name):
    return define(IMPORTS + _dedented(PROGRAMS[name][0]))


def test_a_call_node_has_the_parameters_of_the_function(define):
    """What emission writes as the function's own signature: its name, its parameters' names, a result."""
    graph = check(program(define, "statements"), X, S)
    first, second = (node for node in graph.nodes if node.function is call)
    (body,) = first.bodies
    assert body.name == "scaled" and [value.name for value in body.parameters] == ["v", "k"]
    assert [value.type for value in body.results] == [value.type for value in first.outputs]
    number = second.arguments["arguments"][1]
    assert isinstance(number, Constant) and number.number == 2.0 and first.outputs[0].name == "y"


def test_captured_values_come_in_as_parameters(define):
    """A local function has the values that it takes from around it as further parameters; constants it has itself."""
    graph = check(program(define, "def inside"), X, S)
    first, second = (node for node in graph.nodes if node.function is call)
    assert [value.name for value in first.bodies[0].parameters] == ["v", "n", "t"]
    one, other = (node.arguments["arguments"][-1] for node in (first, second))
    assert one.name == other.name == "t" and one is not other


def test_the_same_helper_has_the_same_origin(define):
    """One emitted function may serve several calls, but not where static arguments differ."""
    origins = [
        [node.bodies[0].origin for node in check(program(define, name), X, S).nodes if node.function is call]
        for name in ("statements", "static arguments", "def inside")
    ]
    assert origins[0][0] == origins[0][1] and hash(origins[0][0]) == hash(origins[0][1])
    assert len(set(origins[1])) == 3
    assert origins[2][0] == origins[2][1]


def test_a_number_that_decides_is_asked_for(define):
    """An int of the outer function that decides in a helper is named, so that its number can be pinned."""
    f = define("""
        def power(v, n):
            if n == 0:
                return 1.0
            return v * power(v, n - 1)

        def along(v, axis):
            w = v * 2
            return np.sum(w, axis=axis)

        def f(x, n):
            return power(np.sum(x), n + 1)

        def g(x, n):
            return along(x, n)
        """)
    for function in (f, f.__globals__["g"]):
        with pytest.raises(StaticNeeded) as error:
            read(function, X, 2)
        assert error.value.value.name == "n" and error.value.value.node is None
    graph, _, _ = read(f, X, 2, pinned=frozenset({"n"}))
    assert calls_in(graph) == ["power"] * 3


def test_functions_from_another_file(define, tmp_path, monkeypatch):
    """A helper's names are looked up where it is defined."""
    (tmp_path / "project_of_helpers.py").write_text(
        "import numpy as np\nRATE = 0.5\n\ndef scaled(v):\n    w = v * RATE\n    return np.tanh(w)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    f = define("""
        import project_of_helpers
        from project_of_helpers import scaled
        RATE = 3.0

        def f(x, s):
            return np.sum(scaled(x) + project_of_helpers.scaled(x) * RATE * project_of_helpers.RATE)
        """)
    assert calls_in(check(f, X, S)) == ["scaled", "scaled"]


def test_a_helper_that_returns_its_argument(define):
    """It is the same array for the caller, who may change it in place."""
    f = define("""
        def same(v):
            w = np.sum(v * 2)
            return v, w

        def f(x, s):
            z = x * s
            y, w = same(z)
            y += w
            return np.sum(y) + np.sum(z)
        """)
    assert calls_in(check(f, X, S)) == ["same"]


@pytest.mark.parametrize("returned", ["v.T", "v[1:]", "np.reshape(v, (3,))", "v if np.sum(v) > 0 else v * 2"])
def test_what_a_helper_returns_may_be_its_argument(define, returned):
    """A change in place of it would change the argument, so the argument can't be used behind it."""
    f = define(f"""
        def same(v):
            w = v * 2
            return {returned}

        def f(x, s):
            z = x * s
            y = same(z)
            y += 1
            return np.sum(y) + np.sum(z)
        """)
    with pytest.raises(Exception, match="whether this is the array that is changed in line 14 is not known"):
        read(f, X, S)


def test_constants_of_one_name_are_told_apart(define, tmp_path, monkeypatch):
    """Files and closures have globals of their own: one emitted module holds them all."""
    (tmp_path / "other_rates.py").write_text("RATE = 2.0\n\ndef scaled(v):\n    w = v * RATE\n    return w\n")
    monkeypatch.syspath_prepend(tmp_path)
    f = define("""
        import other_rates
        RATE = 3.0

        def make(k):
            def made(v):
                w = v * k
                return w
            return made

        double, triple = make(2.0), make(3.0)

        def f(x, s):
            y = other_rates.scaled(x) * RATE + double(x) * triple(x) * RATE * other_rates.RATE
            return np.sum(y) * s
        """)
    graph = check(f, X, S)
    constants = {
        (value.name, value.number)
        for each in nested(graph)
        for node in each.nodes
        for value in node.inputs
        if isinstance(value, Constant) and value.name is not None
    }
    assert constants == {("RATE", 3.0), ("RATE_2", 2.0), ("k", 2.0), ("k_2", 3.0)} or constants == {
        ("RATE", 2.0), ("RATE_2", 3.0), ("k", 2.0), ("k_2", 3.0)
    }  # fmt: skip


def test_a_file_may_have_the_name_of_a_standard_module(define, tmp_path):
    """It is the user's where it does not come with Python."""
    path = tmp_path / "statistics.py"
    path.write_text("def spread(v):\n    w = v * v\n    return w\n")
    spec = importlib.util.spec_from_file_location("statistics", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    f = define("def f(x, s):\n    return np.sum(spread(x)) * s\n", spread=module.spread)
    assert calls_in(check(f, X, S)) == ["spread"]


# gradients of the user's own

CUSTOM = """
        @custom_vjp
        def clipped(v, k):
            return np.clip(v, -k, k)

        def clipped_forward(v, k):
            y = np.clip(v, -k, k)
            return y, (v, "unused", 2.0)

        def clipped_backward(residuals, grad_y):
            v, text, factor = residuals
            grad_v = grad_y * np.cos(v) * factor
            return grad_v, None

        clipped.defvjp(clipped_forward, clipped_backward)

        def f(x, s):
            return np.sum(clipped(x * s, 1.0))
        """


def test_a_gradient_of_its_own_comes_with_the_call(define):
    """The forward pass keeps its residuals, and the backward pass has a gradient for each argument."""
    graph = check(define(IMPORTS + _dedented(CUSTOM)), X, S)
    (node,) = (node for node in graph.nodes if node.function is call)
    (body,) = node.bodies
    assert body.name == "clipped" and len(node.outputs) == 1 and len(body.results) == 2
    assert body.custom.name == "clipped_backward"
    assert [value.name for value in body.custom.parameters] == ["v", "grad_y"]
    (grad_v, none) = body.custom.results
    assert none is None
    (found,) = interpret(body.custom, [X, np.ones(3)], [grad_v])
    np.testing.assert_allclose(found, 2 * np.cos(X))


def test_a_function_with_a_gradient_of_its_own_is_itself():
    """Called, it is the function."""
    from flatgrad.markers import custom_vjp

    @custom_vjp
    def double(v):
        """Return twice the value."""
        return 2 * v

    assert double(3.0) == 6.0 and double.__name__ == "double" and double.__doc__


def test_edits_are_bodies_of_a_node(define):
    """In the forward pass nothing happens; the body turns one gradient into another."""
    f = define(
        IMPORTS
        + _dedented("""
        def limited(grad):
            print("edited")
            return np.clip(grad, -1.0, 1.0)

        def f(x, s):
            y = edit_gradient(x * s, limited)
            z = edit_gradient(y, lambda grad: grad * s)
            with insert_grad_of(z) as dz:
                # keep it small
                half = dz / 2
                dz = np.clip(half, -s, s)
            return np.sum(y * z)
        """)
    )
    graph = check(f, X, S)
    nodes = [node for node in graph.nodes if node.function is edited]
    assert [len(node.bodies[0].parameters) for node in nodes] == [1, 2, 2]
    upstream = np.array([4.0, -4.0, 0.5])
    found = [
        interpret(node.bodies[0], [upstream, S][: len(node.bodies[0].parameters)], node.bodies[0].results)[0]
        for node in nodes
    ]
    np.testing.assert_array_equal(found[0], np.clip(upstream, -1, 1))
    np.testing.assert_array_equal(found[1], upstream * S)
    np.testing.assert_array_equal(found[2], np.clip(upstream / 2, -S, S))
    assert nodes[2].output.name == "z"
