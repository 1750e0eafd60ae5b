"""Every equation is exact, and is applied where it holds."""

import itertools
import math
import operator

import numpy as np
import pytest

from flatgrad.builder import Builder
from flatgrad.graph.values import FLOAT, INTEGER, Constant, Graph, Node, Type, Value
from flatgrad.interpret import interpret
from flatgrad.passes.lead_with_minus import SUM_OF_NEGATED
from flatgrad.passes.prune import prune
from flatgrad.passes.rewriting import rewrite
from flatgrad.passes.simplify import EQUATIONS, apply_equations, simplify
from flatgrad.passes.turn_products import TURNED_PRODUCTS, turn_products
from flatgrad.registry import real

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, -2.5, 1e300, -1e300, 5e-324, -1e-310, math.inf, -math.inf, math.nan]
SIDES = [(x, y) for x, y in itertools.product(SPECIAL, SPECIAL)]
FALSE = [
    "x * 0 = 0 * y",
    "x + 0.0 = x",
    "x - x = 0 * x",
    "x / x = x ** 0",
    "(x + y) - y = x",
    "0 + x = x",
    "-(x - y) = y - x",
]


# of arrays that have these axes: equations that name axes
SHAPES = {"(0, 2, 3)": [(2, 4, 3, 7), (0, 4, 3, 7)], "(0, 2)": [(4, 6, 7), (0, 6, 7)]}


def arrays(kind, equation=""):
    """Return every pair of special numbers: as two arrays of a dtype, or as Python floats; and empty arrays."""
    for axes, shapes in SHAPES.items():
        if axes in equation:
            with np.errstate(all="ignore"):
                numbers = np.array(SIDES).astype(np.float64 if kind is float else kind)
            stacks = [np.resize(numbers, shape) for shape in shapes]
            return [(stack, stack) for stack in stacks]
    if kind is float:
        return [(x, y) for x, y in SIDES]
    with np.errstate(all="ignore"):
        x, y = np.array(SIDES).T.astype(kind)
    return [(x, y), (x[:0], y[:0]), (x[:1], y[:1]), (x.reshape(13, 13), y.reshape(13, 13)), (x[:0].reshape(0, 3),) * 2]


def outcome(side, names):
    """Return what one side of an equation gives, or how it fails."""
    try:
        with np.errstate(all="ignore"):
            return eval(side, {"np": np}, names)
    except ArithmeticError as error:
        return type(error)


def is_identical(a, b):
    """Tell whether two results are the same to the last bit; any nan is as good as another."""
    if isinstance(a, type) or isinstance(b, type):
        return a is b
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape or not np.array_equal(a, b, equal_nan=True):
        return False
    sign = np.isnan(a) | (np.signbit(a) == np.signbit(b))
    return bool(np.all(sign))


def holds(equation, kind, compare=is_identical):
    """Tell whether an equation holds for all special numbers and the axes that its operations have."""
    left, right = equation.split(" = ")
    for x, y in arrays(kind, equation):
        c = np.asarray(x) > 0
        for axis in range(np.ndim(x)) if "=axis" in equation or "axis1" in equation else [None]:
            names = {"x": x, "y": y, "c": c, "axis": axis, "keepdims": True, "axis1": axis, "axis2": 0}
            if not compare(outcome(left, names), outcome(right, names)):
                return False
    return True


KINDS = [float, np.float64, np.float32]
# np.where makes a NumPy number of a Python float, whose division by zero is inf; that of the float itself is an error
NUMPY_ONLY = "np.where(c, np.where(c, x, 0) / y, 0) = np.where(c, x / y, 0)"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("equation", EQUATIONS)
def test_an_equation_is_exact(equation, kind):
    """Simplified code gives the same numbers, bit for bit, for nan, inf, -0.0, subnormal and no numbers too."""
    assert holds(equation, kind) is not (equation == NUMPY_ONLY and kind is float)


def test_what_numpy_divides_is_not_left_to_python():
    """The one equation that differs for Python floats is not applied to them."""

    def build(b, x, y):
        condition = b.apply(operator.gt, x, 0.0)
        inner = b.apply(operator.truediv, b.apply(np.where, condition, x, 0), y)
        return b.apply(np.where, condition, inner, 0.0)

    graph, result = backward_graph(build, FLOAT, FLOAT)
    assert simplify(graph, [result]) == [result]
    graph, result = backward_graph(build, ARRAY, ARRAY)
    changed = simplify(graph, [result])
    prune(graph, changed)
    assert named_functions(graph) == ["gt", "truediv", "where"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("equation", FALSE)
def test_a_false_equation_is_caught(equation, kind):
    """The test above can fail: what only holds for ordinary numbers does not pass it."""
    assert not holds(equation, kind)


def test_the_sum_of_negated_numbers_is_exact_but_for_the_sign_of_zero():
    """This one is not in the table: it is for the compact style, and np.sum of nothing is 0.0, never -0.0."""
    assert not holds(SUM_OF_NEGATED, np.float64)
    assert holds(SUM_OF_NEGATED, np.float64, lambda a, b: np.array_equal(a, b, equal_nan=True))


def backward_graph(build, *types):
    """Return a graph whose nodes all belong to the backward pass, and its result."""
    graph = Graph("f")
    builder = Builder(graph)
    builder.forward = Node(np.sin, (), ())
    graph.parameters += [Value(each, name) for each, name in zip(types, "xyz", strict=False)]
    return graph, build(builder, *graph.parameters)


ARRAY = Type(np.dtype(np.float64), (3,))
HALF = Type(np.dtype(np.float32), (3,))


def named_functions(graph):
    return [node.function.__name__ for node in graph.nodes]


SIMPLER = {
    "x * 1": (lambda b, x: b.apply(operator.mul, b.apply(np.sin, x), 1.0), ["sin"]),
    "1 * x": (lambda b, x: b.apply(np.multiply, 1, b.apply(np.sin, x)), ["sin"]),
    "x / 1": (lambda b, x: b.apply(operator.truediv, b.apply(np.sin, x), 1), ["sin"]),
    "x ** 1": (lambda b, x: b.apply(operator.pow, b.apply(np.sin, x), 1), ["sin"]),
    "-(-x)": (lambda b, x: b.apply(operator.neg, b.apply(operator.neg, b.apply(np.sin, x))), ["sin"]),
    "-x + x * 1": (
        lambda b, x: b.apply(operator.add, b.apply(operator.neg, x), b.apply(operator.mul, x, 1)), ["sub"],
    ),
    "-(-x * x) / x": (
        lambda b, x: b.apply(
            operator.truediv, b.apply(operator.neg, b.apply(operator.mul, b.apply(operator.neg, x), x)), x
        ),
        ["mul", "truediv"],
    ),
    "x + x": (lambda b, x: b.apply(operator.add, x, x), ["mul"]),
    "axes put back": (
        lambda b, x: b.apply(np.expand_dims, b.apply(np.sum, x, axis=0), -1), ["sum"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("build", "left"), SIMPLER.values(), ids=SIMPLER)
def test_what_is_left(tools, build, left):
    """The equations apply in any order of operands, to what earlier ones leave."""
    graph, result = backward_graph(build, ARRAY)
    (result,) = tools.assert_same_numbers(graph, [result], [np.array([-0.5, 3.0, 2.0])], simplify)
    prune(graph, [result])
    assert named_functions(graph) == left


def test_masks_on_one_condition_become_one(tools):
    """Inside np.where, a mask of the same condition does nothing more."""

    def build(b, x):
        condition = b.apply(operator.gt, x, 0)
        return b.apply(np.where, condition, b.apply(np.where, condition, x, 0), 0.0)

    graph, result = backward_graph(build, ARRAY)
    (result,) = tools.assert_same_numbers(graph, [result], [np.array([-0.5, 0.0, 2.0])], simplify)
    prune(graph, [result])
    assert named_functions(graph) == ["gt", "where"]


def test_types_stay():
    """A rewriting that would change a dtype or a shape is not done."""
    graph, result = backward_graph(lambda b, x: b.apply(operator.mul, x, 1), Type(np.dtype(np.bool_), (3,)))
    assert simplify(graph, [result]) == [result]
    graph, result = backward_graph(lambda b, x, y: b.apply(np.where, y, b.apply(np.where, y, x, 0), 0), HALF, HALF)
    assert simplify(graph, [result])[0].type == result.type


def test_whole_numbers_of_fixed_size_stay():
    """-x / y of unsigned numbers is not -(x / y): the minus wraps around."""
    unsigned = Type(np.dtype(np.uint8), (3,))
    graph, result = backward_graph(
        lambda b, x, y: b.apply(operator.truediv, b.apply(operator.neg, x), y), unsigned, unsigned
    )
    simplify(graph, [result])
    assert named_functions(graph) == ["neg", "truediv"]


def test_the_forward_pass_stays():
    """The user's own lines are not rewritten."""
    graph = Graph("f")
    builder = Builder(graph)
    x = Value(ARRAY, "x")
    graph.parameters.append(x)
    result = builder.apply(operator.mul, x, 1.0)
    assert simplify(graph, [result]) == [result]
    assert named_functions(graph) == ["mul"]


def test_a_gradient_with_a_name_is_not_taken_apart():
    """-(-x) is x, but a gradient that stands in a line of its own stays in it."""

    def build(b, x):
        inner = b.apply(operator.neg, x)
        inner.primal = Value(ARRAY, "t")
        return b.apply(operator.neg, inner)

    graph, result = backward_graph(build, ARRAY)
    assert simplify(graph, [result]) == [result]


def test_the_gradient_of_a_variable_keeps_its_identity():
    """Where a gradient turns out to be a parameter or another gradient, it is a second name for it."""
    graph, result = backward_graph(lambda b, x: b.apply(operator.mul, x, 1), ARRAY)
    variable = result.primal = Value(ARRAY, "w")
    (changed,) = simplify(graph, [result])
    assert changed.primal is variable
    assert named_functions(graph) == ["named"]
    graph, result = backward_graph(lambda b, x: b.apply(operator.mul, b.apply(np.sin, x), 1), ARRAY)
    result.primal = variable
    (changed,) = simplify(graph, [result])
    assert changed.primal is variable
    assert named_functions(graph) == ["sin"]


def test_plain_numbers_are_worked_out():
    """What is known when the code is written is not computed again at each call."""
    two = Constant(2, INTEGER)
    graph, result = backward_graph(lambda b, x: b.apply(operator.mul, x, b.apply(operator.sub, two, 1)), FLOAT)
    assert simplify(graph, [result]) == graph.parameters
    # a named constant stays a name, and what fails is left to fail
    named = Constant(2.0, FLOAT, "SCALE")
    graph, result = backward_graph(lambda b, x: b.apply(operator.mul, named, 3.0), FLOAT)
    assert simplify(graph, [result]) == [result]
    graph, result = backward_graph(lambda b, x: b.apply(operator.truediv, 1.0, Constant(0.0, FLOAT)), FLOAT)
    assert simplify(graph, [result]) == [result]


def test_attributes_stay(tools):
    """np.sum keeps its axis, and is given none that it did not have."""
    for axis in ({}, {"axis": 0}, {"axis": -1, "keepdims": True}):
        graph, result = backward_graph(
            lambda b, x, axis=axis: b.apply(np.sum, b.apply(operator.neg, x), **axis),
            Type(np.dtype(np.float64), (2, 3)),
        )
        x = np.arange(6.0).reshape(2, 3) + 1
        before = interpret(graph, [x], [result])
        changed = apply_equations(graph, [result], (SUM_OF_NEGATED,))
        np.testing.assert_array_equal(interpret(graph, [x], changed)[0], before[0])
        prune(graph, changed)
        assert named_functions(graph) == ["sum", "neg"]
        assert dict(graph.nodes[0].call).keys() == {"x", *axis}


def test_long_chains_are_simplified_in_one_sweep():
    """Each operation is visited once, and a chain of ten thousand needs no deep recursion."""

    def build(b, x):
        for _ in range(5000):
            x = b.apply(operator.mul, b.apply(operator.neg, x), 1.0)
        return x

    graph, result = backward_graph(build, ARRAY)
    visited = []
    rewrite(graph, [result], lambda builder, node: visited.append(node))
    assert len(visited) == 10_000
    changed = simplify(graph, [result])
    prune(graph, changed)
    assert changed == graph.parameters


@pytest.mark.parametrize("equation", TURNED_PRODUCTS)
def test_turned_products_are_the_same_sums(equation):
    """A transposed product sums the same products, in whatever order."""
    before = () if ".T" in equation else (2,)
    x, y, z, w = real(*before, 5, 4), real(*before, 5, 3), real(*before, 6, 4), real(*before, 6, 3)
    if "outer" in equation:
        x, y = x[0], y[0]
    left, right = (outcome(side, {"x": x, "y": y, "z": z, "w": w}) for side in equation.split(" = "))
    np.testing.assert_allclose(left, right, rtol=1e-14)


@pytest.mark.parametrize("read_again", [False, True])
def test_a_transposed_product_is_turned_where_nothing_else_reads_it(read_again):
    """It is not computed a second time for those who read it as it is."""
    matrix = Type(np.dtype(np.float64), (3, 3))

    def build(b, x, y):
        product = b.apply(operator.matmul, b.apply(np.transpose, x, form=".T"), y)
        turned = b.apply(np.transpose, product, form=".T")
        return b.apply(operator.sub, product, turned) if read_again else turned

    graph, result = backward_graph(build, matrix, matrix)
    (result,) = turn_products(graph, [result])
    prune(graph, [result])
    assert named_functions(graph) == ["transpose", "matmul"] + ["transpose", "sub"] * read_again
