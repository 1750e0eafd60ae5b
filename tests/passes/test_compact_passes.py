"""The passes of the compact style, each by itself and all together."""

import operator

import numpy as np
import pytest

from flatgrad import api
from flatgrad.builder import Builder
from flatgrad.graph.size import symbolic
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Type, Value
from flatgrad.graph.verify import verify
from flatgrad.interpret import interpret
from flatgrad.passes.fold_copies import fold_copies
from flatgrad.passes.fold_factors import MOST_LEVELS, fold_factors
from flatgrad.passes.lead_with_constants import lead_with_constants
from flatgrad.passes.lead_with_minus import lead_with_minus
from flatgrad.passes.measure_parameters import measure_parameters
from flatgrad.passes.merge_steps import merge_steps
from flatgrad.passes.ordered import BEFORE, COMPACT, PASSES
from flatgrad.passes.prune import prune
from flatgrad.passes.spread_scalars import spread_scalars
from flatgrad.rules.placing import placed
from flatgrad.rules.program import named
from flatgrad.rules.static import axes_count

ARRAY = Type(np.dtype(np.float64), (3,))
ROWS, COLUMNS = symbolic("n"), symbolic("d")
MATRIX = Type(np.dtype(np.float64), (ROWS, COLUMNS))


def graph_of(*types):
    """Return a graph with parameters x, y, z, and a builder in its backward pass."""
    graph = Graph("f")
    builder = Builder(graph)
    builder.forward = Node(np.sin, (), ())
    graph.parameters += [Value(each, name) for each, name in zip(types, "xyz", strict=False)]
    return graph, builder, *graph.parameters


def gradient_of(value, primal):
    value.primal = primal
    return value


def names(graph):
    return [node.function.__name__ for node in graph.nodes]


def variable(name=None):
    value = Value(ARRAY, name)
    value.node = Node(np.sin, (), ())
    return value


# fold_copies


def test_of_two_names_the_one_that_the_user_knows_stays(tools):
    """grad_t0 = ...; grad_w = grad_t0 is one line, grad_w = ..."""
    graph, b, x = graph_of(ARRAY)
    first = gradient_of(b.apply(np.sin, x), variable())
    copy = gradient_of(b.node(named, {"x": first}, [ARRAY]).output, variable("w"))
    used = b.apply(np.cos, first)
    results = tools.assert_same_numbers(graph, [copy, used], [np.ones(3)], fold_copies)
    assert results[0] is first
    assert first.primal.name == "w"
    assert names(graph) == ["sin", "cos"]


def test_a_second_result_keeps_its_name():
    """Two parameters with one gradient are returned under two names."""
    graph, b, x = graph_of(ARRAY)
    first = gradient_of(b.apply(np.sin, x), variable("v"))
    copy = gradient_of(b.node(named, {"x": first}, [ARRAY]).output, variable("w"))
    assert fold_copies(graph, [first, copy]) == [first, copy]
    unused = gradient_of(b.node(named, {"x": first}, [ARRAY]).output, variable("u"))
    cosine = b.apply(np.cos, unused)
    fold_copies(graph, [first, copy, cosine])
    assert cosine.node.inputs == (first,)
    assert first.primal.name == "v"


def test_a_parameter_is_not_renamed():
    """The upstream gradient is an argument of the emitted function: its name is not ours to change."""
    graph, b, upstream = graph_of(ARRAY)
    upstream.primal = variable()
    copy = gradient_of(b.node(named, {"x": upstream}, [ARRAY]).output, variable("w"))
    assert fold_copies(graph, [copy]) == [copy]
    assert upstream.primal.name is None


def test_two_copies_of_one_gradient_share_a_name_only_once():
    """The gradient of an unnamed sum goes to both of its parts: the first takes the name, the second stays a copy."""
    graph, b, x = graph_of(ARRAY)
    first = gradient_of(b.apply(np.sin, x), variable())
    copies = [gradient_of(b.node(named, {"x": first}, [ARRAY]).output, variable(name)) for name in "vw"]
    one, other = fold_copies(graph, copies)
    assert one is first
    assert other is copies[1]
    assert (one.primal.name, other.primal.name) == ("v", "w")


def test_the_users_own_copies_stay():
    """y = x of the user is a line of theirs."""
    graph, b, x = graph_of(ARRAY)
    b.forward = None
    copy = b.node(named, {"x": x}, [ARRAY]).output
    assert fold_copies(graph, [copy]) == [copy]


# merge_steps


def test_gradients_of_subexpressions_are_steps():
    """With one use and no name of the user's, a gradient may stand inside an expression."""
    graph, b, x = graph_of(ARRAY)
    once = gradient_of(b.apply(np.sin, x), variable())
    twice = gradient_of(b.apply(np.cos, once), variable())
    wanted = gradient_of(b.apply(operator.mul, twice, twice), variable())
    user = gradient_of(b.apply(np.exp, wanted), variable("z"))
    merge_steps(graph, [wanted, user])
    assert once.primal is None
    assert None not in (twice.primal, wanted.primal, user.primal)


# spread_scalars


def test_a_number_is_spread_by_broadcasting(tools):
    """full_like(a, g) * a is g * a."""
    graph, b, a, g = graph_of(ARRAY, FLOAT)
    result = b.apply(operator.mul, b.apply(np.full_like, a, g), a)
    (result,) = tools.assert_same_numbers(graph, [result], [np.arange(3.0), 0.3], spread_scalars)
    prune(graph, [result])
    assert names(graph) == ["mul"]


def test_numbers_meet_before_they_are_spread(tools):
    """2 * full_like(a, g) is full_like(a, 2 * g), which then may meet an array."""
    graph, b, a, g = graph_of(ARRAY, FLOAT)
    filled = b.apply(operator.neg, b.apply(operator.mul, b.apply(np.full_like, a, g), 2))
    wanted = gradient_of(b.apply(operator.add, filled, filled), variable("w"))
    (result,) = tools.assert_same_numbers(graph, [wanted], [np.arange(3.0), 0.25], spread_scalars)
    prune(graph, [result])
    assert names(graph) == ["mul", "neg", "add", "full_like"]
    assert result.primal.name == "w"


def test_an_unnamed_gradient_with_two_uses_is_spread_in_both(tools):
    """Reading the number twice costs nothing; the filled array is then needed by nobody."""
    graph, b, a, g = graph_of(ARRAY, FLOAT)
    filled = gradient_of(b.apply(np.full_like, a, g), variable())
    results = [b.apply(operator.mul, filled, a), b.apply(operator.sub, a, filled)]
    results = tools.assert_same_numbers(graph, results, [np.arange(3.0), 0.3], spread_scalars)
    prune(graph, results)
    assert names(graph) == ["mul", "sub"]


def test_a_gradient_with_a_name_is_shown():
    """The gradient of a variable of the user stays a line, also where it is the same number everywhere."""
    graph, b, a, g = graph_of(ARRAY, FLOAT)
    filled = gradient_of(b.apply(np.full_like, a, g), variable("s"))
    result = b.apply(operator.mul, filled, a)
    assert spread_scalars(graph, [result]) == [result]


def test_a_filled_array_that_gives_the_shape_stays(tools):
    """full_like(a, g) * v with a smaller v is what spreads v."""
    matrix = Type(np.dtype(np.float64), (2, 3))
    graph, b, a, v = graph_of(matrix, ARRAY)
    result = b.apply(operator.mul, b.apply(np.full_like, a, 0.5), v)
    assert tools.assert_same_numbers(graph, [result], [np.ones((2, 3)), np.arange(3.0)], spread_scalars) == [result]


def test_the_dtype_stays():
    """A float64 number that a float32 array is filled with would make float64 without the array."""
    half, number = Type(np.dtype(np.float32), (3,)), Type(np.dtype(np.float64))
    graph, b, a, g = graph_of(half, number)
    result = b.apply(operator.mul, b.apply(np.full_like, a, g), a)
    assert spread_scalars(graph, [result]) == [result]


def test_columns_are_spread_too(tools):
    """The gradient of a sum over an axis is a column, not a number."""
    matrix, column = Type(np.dtype(np.float64), (2, 3)), Type(np.dtype(np.float64), (2, 1))
    graph, b, a, g = graph_of(matrix, column)
    result = b.apply(operator.mul, b.apply(np.full_like, a, g), a)
    arguments = [np.arange(6.0).reshape(2, 3), np.array([[0.5], [2.0]])]
    (result,) = tools.assert_same_numbers(graph, [result], arguments, spread_scalars)
    assert result.node.inputs == (g, a)


def test_numbers_are_placed_as_they_are(tools):
    """An assignment into zeros spreads a number by itself."""
    graph, b, x, g = graph_of(ARRAY, FLOAT)
    picked = b.apply(operator.getitem, x, index=(0,))
    result = b.apply(placed, b.apply(np.full_like, picked, g), index=(0,), like=x)
    (result,) = tools.assert_same_numbers(graph, [result], [np.arange(3.0), 0.5], spread_scalars)
    assert result.node.arguments["values"] is g


# lead_with_minus, lead_with_constants


def test_a_minus_moves_out_of_a_sum_and_meets_another(tools):
    """x + np.sum(-y) is x - np.sum(y)."""
    graph, b, x, y = graph_of(FLOAT, ARRAY)
    result = b.apply(operator.add, x, b.apply(np.sum, b.apply(operator.neg, y)))
    (result,) = tools.assert_same_numbers(graph, [result], [0.5, np.arange(3.0)], lead_with_minus)
    prune(graph, [result])
    assert names(graph) == ["sum", "sub"]


def test_numbers_lead(tools):
    """x * 2 is written 2 * x; a quotient or product keeps its number behind it, without parentheses."""
    graph, b, x, y = graph_of(ARRAY, ARRAY)
    scaled = b.apply(operator.mul, x, 2)
    quotient = b.apply(operator.mul, b.apply(operator.truediv, x, y), Constant(2.0, FLOAT))
    product = b.apply(operator.mul, b.apply(operator.mul, x, y), 3.0)
    arguments = [np.arange(3.0), np.ones(3)]
    tools.assert_same_numbers(graph, [scaled, quotient, product], arguments, lead_with_constants)
    firsts = [next(iter(value.node.arguments.values())) for value in (scaled, quotient, product)]
    assert firsts[0] == 2
    assert [type(first) for first in firsts[1:]] == [Value, Value]


# measure_parameters


@pytest.mark.parametrize(
    ("axis", "form"),
    [(None, ("size", ".size")), (0, ("len", "")), (1, ("size_of_axis", "")), ((0, 1), ("size", ".size"))],
)
def test_sizes_are_read_from_a_parameter(tools, axis, form):
    """An unnamed array need not be kept for its size."""
    graph, b, x = graph_of(MATRIX)
    b.forward, belongs = None, b.forward
    unnamed = b.apply(np.exp, x)
    b.forward = belongs
    result = b.apply(axes_count, unnamed, axis)
    (result,) = tools.assert_same_numbers(graph, [result], [np.ones((2, 3))], measure_parameters)
    assert (result.node.function.__name__, result.node.form) == form
    assert result.node.inputs == (x,)


def test_sizes_with_a_number_are_that_number():
    """What the signature says is not asked again."""
    graph, b, x = graph_of(ARRAY)
    result = b.apply(axes_count, b.apply(np.exp, x), 0)
    (result,) = measure_parameters(graph, [result])
    assert isinstance(result, Constant)
    assert result.number == 3


def test_sizes_of_named_arrays_stay():
    """What the user has a name for is there to be asked."""
    graph, b, x = graph_of(MATRIX)
    other = b.apply(np.exp, x)
    other.name = "e"
    result = b.apply(axes_count, other, 0)
    assert measure_parameters(graph, [result]) == [result]


# fold_factors

HALF = 0.5
VECTOR, WEIGHTS = np.array([0.3, -1.7, 2.9]), np.array([[1.0, 2.0, 0.5], [0.1, -3.0, 0.7]])


def half_of_squares(w):
    return 0.5 * np.sum(w**2)


def squares_by_two(w):
    return np.sum(w**2) / 2


def squares_by_ten(w):
    return np.sum(w**2) / 10


def half_of_product(w):
    return 0.5 * (w @ w)


def minus_half(w, x):
    z = w * x
    return np.sum(-0.5 * z**2)


def mean_of_squares(w):
    return np.mean(w**2)


def two_factors(w):
    return 2 * np.sum((w**3) * 5)


def length(w):
    return np.sqrt(np.sum(w**2))


def small_penalty(w):
    return 1e-3 * np.sum(w**2)


def half_of_a_penalty(w):
    return 0.5 * 0.01 * np.sum(w**2)


def behind_a_product(W, w):
    return np.sum((W @ w * 0.5) ** 2)


def difference(w, x):
    return np.sum(w * x) + np.sum(-0.75 * w**2)


def with_names(w):
    return HALF * np.sum(np.pi * w**2)


def rounded(w):
    return 0.1 * np.sum(w**3)


# what is emitted for a gradient by its parameter
FOLDED = [
    (half_of_squares, (VECTOR,), "grad_w = grad_out * w"),
    (squares_by_two, (VECTOR,), "grad_w = grad_out * w"),
    (squares_by_ten, (VECTOR,), "grad_w = grad_out / 5 * w"),
    (half_of_product, (VECTOR,), "grad_w = grad_out * w"),
    (minus_half, (VECTOR, VECTOR), "grad_z = -grad_out * z"),
    (mean_of_squares, (VECTOR,), "grad_w = 2 * grad_out / len(w) * w"),
    (two_factors, (VECTOR,), "grad_w = 30 * grad_out * w**2"),
    (length, (VECTOR,), "grad_w = grad_out / out * w"),
    (small_penalty, (VECTOR,), "grad_w = 0.002 * grad_out * w"),
    (half_of_a_penalty, (VECTOR,), "grad_w = 0.01 * grad_out * w"),
    (behind_a_product, (WEIGHTS, VECTOR), "grad_t1 = grad_out * t0"),
    (difference, (VECTOR, 2 * VECTOR), "grad_w = grad_out * x - 1.5 * grad_out * w"),
    (with_names, (VECTOR,), "grad_w = 2 * grad_out * HALF * np.pi * w"),
    (rounded, (VECTOR,), "grad_w = 0.1 * grad_out * 3 * w**2"),
]


@pytest.mark.parametrize(("function", "arguments", "line"), FOLDED, ids=[case[0].__name__ for case in FOLDED])
def test_factors_are_folded_as_an_expert_does(function, arguments, line):
    """Only what makes a short number is multiplied; names, np.pi and 0.1 * 3 stay as the user wrote them."""
    lines = [text.strip() for text in str(api.emit(function, *arguments, style="compact")).split("\n")]
    assert line in lines


@pytest.mark.parametrize(("function", "arguments", "line"), FOLDED, ids=[case[0].__name__ for case in FOLDED])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_folded_gradients_are_those_of_the_flat_style(function, arguments, line, dtype):
    """The numbers and the dtypes of the gradients stay."""
    arguments = [argument.astype(dtype) for argument in arguments]
    flat = api.value_and_grad(function, style="flat")(*arguments)
    folded = api.value_and_grad(function, style="compact")(*arguments)
    assert flat[0] == folded[0]
    for before, after in zip(flat[1], folded[1], strict=True):
        assert before.dtype == after.dtype == dtype
        np.testing.assert_allclose(after, before, rtol=4 * np.finfo(dtype).eps)


class Factor:
    """Stands for a value; Python's operators become nodes of the backward pass."""

    def __init__(self, builder, value):
        self.builder = builder
        self.value = value

    def apply(self, function, *items):
        items = [item.value if isinstance(item, Factor) else item for item in items]
        return Factor(self.builder, self.builder.apply(function, *items))

    def __neg__(self):
        return self.apply(operator.neg, self)

    def __add__(self, other):
        return self.apply(operator.add, self, other)

    def __sub__(self, other):
        return self.apply(operator.sub, self, other)

    def __mul__(self, other):
        return self.apply(operator.mul, self, other)

    def __rmul__(self, other):
        return self.apply(operator.mul, other, self)

    def __truediv__(self, other):
        return self.apply(operator.truediv, self, other)


def factors_of(*types):
    """Return a graph and its parameters as factors."""
    graph, builder, *parameters = graph_of(*types)
    return graph, *[Factor(builder, parameter) for parameter in parameters]


PRODUCTS = {
    "halves and twos": lambda x, y: 0.5 * x * 2 * y,
    "a minus": lambda x, y: -(-0.5 * x * 2 * y),
    "quarters": lambda x, y: 0.25 * (x * (y * -0.5)) / 2,
    "a divisor": lambda x, y: x / (2 * y) * 8,
    "a power of two by itself": lambda x, y: x / y * 4 * y,
    "a sum": lambda x, y: y + x * -2,
    "a sum in the other order": lambda x, y: x * y * -2 + y,
    "a difference": lambda x, y: y - -0.25 * x * 2,
}


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_folding_is_exact_for_powers_of_two(product):
    """Not a bit changes, for nan, inf and signed zeros neither."""
    graph, x, y = factors_of(ARRAY, ARRAY)
    result = product(x, y).value
    operations = names(graph)
    special = np.array([0.1, -3.7, 0.0, -0.0, np.nan, np.inf, -np.inf, 1e300, 1e-300])
    first, second = (part.ravel() for part in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        before = interpret(graph, [first, second], [result])[0]
        (folded,) = fold_factors(graph, [result])
        after = interpret(graph, [first, second], [folded])[0]
    verify(graph, [folded])
    prune(graph, [folded])
    assert names(graph) != operations
    np.testing.assert_array_equal(after, before)
    signed = ~np.isnan(before)
    np.testing.assert_array_equal(np.signbit(after[signed]), np.signbit(before[signed]))


def test_folding_other_numbers_rounds_once_instead_of_twice():
    """3 * 5 * x is 15 * x up to the last bit."""
    graph, x = factors_of(ARRAY)
    result = (3 * (5 * x)).value
    numbers = np.linspace(-1, 1, 1001)
    before = interpret(graph, [numbers], [result])[0]
    (folded,) = fold_factors(graph, [result])
    np.testing.assert_array_max_ulp(interpret(graph, [numbers], [folded])[0], before, 1)
    assert dict(folded.node.arguments) == {"a": 15, "b": x.value}


@pytest.mark.parametrize(("first", "second"), [(0.1, 3), (0.1, 0.3), (0.125, 1.0625), (0, 2), (np.inf, 2)])
def test_numbers_that_make_no_short_one_stay(first, second):
    """0.1 * 0.3 is rounded to 0.03, and what 0 or inf make is not looked at."""
    graph, x = factors_of(ARRAY)
    result = (first * (second * x)).value
    assert fold_factors(graph, [result]) == [result]
    assert names(graph) == ["mul", "mul"]


def test_the_forward_pass_is_not_folded():
    """The value is the user's to the last bit."""
    graph, x = factors_of(ARRAY)
    x.builder.forward = None
    result = (0.5 * x * 2).value
    assert fold_factors(graph, [result]) == [result]


def test_a_factor_with_a_line_of_its_own_keeps_its_number():
    """What is read twice, or is somebody's gradient, is not taken apart."""
    graph, x = factors_of(ARRAY)
    twice, gradient = 0.5 * x, 0.5 * (x / 3)
    gradient_of(gradient.value, variable("z"))
    results = [(2 * twice).value, (twice / 4).value, (2 * gradient).value]
    assert fold_factors(graph, results) == results


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.bool_])
def test_whole_numbers_keep_their_floats(tools, dtype):
    """Without 0.5 and 2, an array of whole numbers would have whole numbers as its products, and these wrap around."""
    graph, whole, real = factors_of(Type(np.dtype(dtype), (3,)), ARRAY)
    products = [0.5 * whole * 2, 0.5 * whole * whole * 2 * real, whole * real * 3, 0.5 * real * (whole * 2)]
    results = [product.value for product in products]
    arguments = [np.array([100, 3, 0]).astype(dtype), np.array([0.5, 1.5, 2.5])]
    assert tools.assert_same_numbers(graph, results, arguments, fold_factors) == results


def test_a_number_does_not_move_to_another_precision():
    """3 * x rounds to float32 where x * y * 3 rounds to float64."""
    graph, x, y = factors_of(Type(np.dtype(np.float32), (3,)), ARRAY)
    result = (x * y * 3).value
    assert fold_factors(graph, [result]) == [result]


def test_a_number_stays_in_the_range_of_its_dtype():
    """300 * 300 is inf in float16."""
    graph, x = factors_of(Type(np.dtype(np.float16), (3,)))
    result = (300 * (300 * x)).value
    assert fold_factors(graph, [result]) == [result]


def test_a_number_stays_with_the_smaller_factor(tools):
    """A * (2 * s) goes through the array once, 2 * A * s twice; a number that goes away can do no harm."""
    graph, A, s = factors_of(MATRIX, FLOAT)
    results = [(A * (2 * s)).value, (2 * (A * (0.5 * s))).value]
    kept, folded = tools.assert_same_numbers(graph, results, [np.ones((2, 3)), 0.3], fold_factors)
    assert kept is results[0]
    assert folded.node.inputs == (A.value, s.value)


def test_long_products_keep_their_numbers(tools):
    """A product that is deeper than the limit is folded piece by piece."""
    graph, x = factors_of(ARRAY)
    result = x
    for k in range(4 * MOST_LEVELS):
        result = result * (2, 0.5)[k % 2] * x
    tools.assert_same_numbers(graph, [result.value], [np.array([1.5, -1.0, 0.0])], fold_factors)


# all together


def squared_norm(W, x):
    q = W @ x
    q.value.name = "q"
    return np.sum(q**2)


def mean_of_cubes(x):
    return np.mean(x**3)


def centred(x):
    return np.sum(np.exp(x - np.mean(x)))


def picked(x, labels):
    log_p = x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))
    return -np.mean(log_p[x.call(np.arange, 3), labels])


PROGRAMS = {
    "squared_norm": (squared_norm, [(3, 2), (2,)], ["mul", "mul", "outer", "transpose", "matmul"]),
    "mean_of_cubes": (mean_of_cubes, [(4,)], ["mul", "pow", "mul"]),
    "centred": (centred, [(4,)], None),
    "picked": (picked, [(3, 4), np.array([1, 0, 1])], None),
}


@pytest.mark.parametrize(("function", "arguments", "left"), PROGRAMS.values(), ids=PROGRAMS)
def test_all_passes_keep_the_numbers(tools, function, arguments, left):
    """The whole sequence gives the gradients that differentiation alone gives."""
    numbers = [np.linspace(-1, 1.3, int(np.prod(a))).reshape(a) if isinstance(a, tuple) else a for a in arguments]
    graph, results = tools.joint(function, *arguments, before=BEFORE)

    def passes(graph, results):
        for each in (*PASSES, *COMPACT):
            results = each(graph, results)
            verify(graph, results)
        return results

    results = tools.assert_same_numbers(graph, results, [*numbers, 0.7], passes, exactly=False)
    assert len(set(results)) == len(results)
    if left is not None:
        assert tools.backward_functions(graph) == left
