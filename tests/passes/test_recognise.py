"""Known functions are recognised when they are that function, and only then."""

import inspect
import math

import numpy as np
import pytest

from flatgrad import nn
from flatgrad.builder import Builder
from flatgrad.differentiation.differentiate import differentiate
from flatgrad.graph.containers import Slice
from flatgrad.graph.values import FLOAT, Graph, Node, Type, Value
from flatgrad.interpret import interpret
from flatgrad.passes.pattern import Operation, Step, Variable, pattern_of
from flatgrad.passes.recognise import recognise
from flatgrad.rules.forms import FORMS, log_softmax_at, standardised, variance_of_centered

MATRIX = (3, 4)


def recognised(tools, function, *arguments):
    """Return what the result of a function is recognised as."""
    graph, result = tools.traced(function, *arguments)
    recognise(graph, [result])
    return result.node.recognised


def built(builder, pattern, bindings):
    """Append what a pattern says."""
    if isinstance(pattern, Step):
        return built(builder, pattern.pattern, bindings)
    if isinstance(pattern, Variable):
        return bindings[pattern.name]
    if not isinstance(pattern, Operation):
        return pattern
    arguments = {name: built(builder, part, bindings) for name, part in pattern.arguments.items()}
    inputs = [arguments.pop(name) for name in pattern.record.inputs if name in arguments]
    return builder.apply(pattern.function, *inputs, **arguments)


def form_graph(form, shape=MATRIX, axis=1):
    """Return the graph of a form as it is declared."""
    graph = Graph(form.written.__name__)
    x = Value(Type(np.dtype(np.float64), shape), "x")
    graph.parameters.append(x)
    extra = {"axis": axis, "index": (0, Slice()), "condition": True, "eps": 0.001}
    return graph, built(Builder(graph), pattern_of(form.written), {**extra, "x": x})


def arguments_of(form):
    given = {"x": np.linspace(-2, 1.9, 12).reshape(MATRIX) ** 3 / 3, "axis": 1, "index": (0, slice(None)), "eps": 0.001}
    given["condition"] = given["x"] > 0
    return given


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.written.__name__)
def test_a_form_is_equal_to_its_function(form):
    """What is taken for a function has its values."""
    given = arguments_of(form)
    written = form.written(**{name: given[name] for name in inspect.signature(form.written).parameters})
    given["p"] = given["centered"] = given["deviation"] = given["s"] = None
    own = inspect.signature(form.function).parameters if not isinstance(form.function, np.ufunc) else ["x"]
    known = form.function(
        given["x"],
        **{name: given[name] for name in ("axis", "index", "eps", "p", "centered", "deviation", "s") if name in own},
        **form.attributes,
    )
    np.testing.assert_allclose(written, known, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.written.__name__)
def test_a_form_is_recognised(form):
    """A function that is written as in the declaration is seen, with its input."""
    graph, result = form_graph(form)
    recognise(graph, [result])
    found = result.node.recognised
    assert found is not None
    assert found.function is form.function
    assert found.arguments["x"] is graph.parameters[0]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.written.__name__)
def test_a_form_has_the_derivative_of_its_function(form):
    """The gradient that recognition leads to is the derivative."""
    graph, result = form_graph(form)
    recognise(graph, [result])
    gradient = differentiate(graph, graph.parameters[:1], [result])[graph.parameters[0]]
    x = arguments_of(form)["x"]
    upstream = np.cos(np.arange(np.prod(result.shape))).reshape(result.shape)
    (actual,) = interpret(graph, [x, upstream], [gradient])
    for place in np.ndindex(x.shape):
        sides = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[place] += step
            sides.append(np.sum(upstream * interpret(graph, [moved, upstream], [result])[0]))
        np.testing.assert_allclose(actual[place], (sides[0] - sides[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def exp(x):
    return x.call(math.exp, x)


def softmax(x, **axis):
    return x.call(nn.softmax, x, **axis)


def log_of_picked(x, rows, labels):
    p = softmax(x)
    return np.log(p[rows, labels])


WAYS = {
    "1.0 for 1": (nn.sigmoid, lambda x: 1.0 / (1.0 + np.exp(-x)), [MATRIX]),
    "the other order": (nn.sigmoid, lambda x: 1 / (np.exp(-x) + 1), [MATRIX]),
    "np.divide, np.negative": (nn.sigmoid, lambda x: np.divide(1, np.add(1, np.exp(np.negative(x)))), [MATRIX]),
    "a Python float": (nn.sigmoid, lambda x: 1 / (1 + exp(-x)), [1.5]),
    "x is an expression": (nn.sigmoid, lambda w, x: 1 / (1 + np.exp(-(w * x))), [MATRIX, MATRIX]),
    "the same expression, twice": (
        nn.softmax, lambda w, x: np.exp(w * x) / np.sum(np.exp(w * x), axis=1, keepdims=True), [MATRIX, MATRIX],
    ),
    "axis from the back": (
        nn.softmax,
        lambda x: np.exp(x - np.max(x, axis=-1, keepdims=True))
        / np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)), axis=-1, keepdims=True),
        [MATRIX],
    ),
    "a vector": (nn.softmax, lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))), [(4,)]),
    "leading axis": (nn.softmax, lambda x: np.exp(x) / np.sum(np.exp(x), axis=0), [MATRIX]),
    "[:, None]": (nn.softmax, lambda x: np.exp(x) / np.sum(np.exp(x), axis=1)[:, None], [MATRIX]),
    "expand_dims": (nn.softmax, lambda x: np.exp(x) / np.expand_dims(np.sum(np.exp(x), axis=1), -1), [MATRIX]),
    "[..., None]": (nn.softmax, lambda x: np.exp(x) / np.sum(np.exp(x), axis=2)[..., None], [(2, 3, 4)]),
    "amax": (nn.softmax, lambda x: np.exp(x - np.amax(x)) / np.sum(np.exp(x - np.max(x))), [(4,)]),
    "log-softmax of a vector": (nn.log_softmax, lambda x: x - np.log(np.sum(np.exp(x))), [(4,)]),
    "x - max - log": (
        nn.log_softmax,
        lambda x: (x - np.max(x, axis=1)[:, None])
        - np.log(np.sum(np.exp(x - np.max(x, axis=1)[:, None]), axis=1))[:, None],
        [MATRIX],
    ),
    "x - logsumexp(x)": (
        nn.log_softmax, lambda x: x - x.call(nn.logsumexp, x, axis=1, keepdims=True), [MATRIX],
    ),
    "log of exp / sum": (
        nn.log_softmax, lambda x: np.log(np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)), [MATRIX],
    ),
    "log of nn.softmax": (nn.log_softmax, lambda x: np.log(softmax(x)), [MATRIX]),
    "logsumexp, squeezed": (
        nn.logsumexp,
        lambda x: np.squeeze(np.max(x, axis=1, keepdims=True), axis=1)
        + np.log(np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)), axis=1)),
        [MATRIX],
    ),
    "logsumexp, [:, 0]": (
        nn.logsumexp,
        lambda x: np.max(x, axis=1, keepdims=True)[:, 0]
        + np.log(np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)), axis=1)),
        [MATRIX],
    ),
    "logsumexp of all": (nn.logsumexp, lambda x: np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))), [MATRIX]),
    "picked probabilities": (
        log_softmax_at, log_of_picked, [MATRIX, np.arange(3), np.array([1, 0, 1])],
    ),
    "stable on both sides": (
        nn.sigmoid, lambda x: np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))), [MATRIX],
    ),
    "layer norm": (
        standardised,
        lambda x: (x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(1e-5 + np.var(x, axis=-1, keepdims=True)),
        [MATRIX],
    ),
    "batch norm, axes gone": (
        standardised, lambda x: (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5), [MATRIX],
    ),
    "batch norm of squares": (
        standardised,
        lambda x: (x - np.mean(x, axis=0)) / np.sqrt(np.mean((x - np.mean(x, axis=0)) ** 2, axis=0) + 1e-5),
        [MATRIX],
    ),
    "variance": (variance_of_centered, lambda x: np.mean((x - np.mean(x)) ** 2), [MATRIX]),
}  # fmt: skip


@pytest.mark.parametrize(("function", "written", "arguments"), WAYS.values(), ids=WAYS)
def test_other_ways_to_write_it(tools, function, written, arguments):
    """All spellings of a form are the form."""
    assert recognised(tools, written, *arguments).function is function


NEAR_MISSES = {
    "2 + exp": (lambda x: 1 / (2 + np.exp(-x)), [MATRIX]),
    "2 / (1 + exp)": (lambda x: 2 / (1 + np.exp(-x)), [MATRIX]),
    "1 / (1 - exp)": (lambda x: 1 / (1 - np.exp(-x)), [MATRIX]),
    "no minus": (lambda x: 1 / (1 + np.exp(x)), [MATRIX]),
    "1 + 1e-9": (lambda x: 1 / (1 + 1e-9 + np.exp(-x)), [MATRIX]),
    "another value inside": (lambda x, z: np.exp(x) / (1 + np.exp(z)), [MATRIX, MATRIX]),
    "the sum of another value": (
        lambda x, z: np.exp(x) / np.sum(np.exp(z), axis=1, keepdims=True), [MATRIX, MATRIX],
    ),
    "the maximum of another value": (
        lambda x, z: np.exp(x - np.max(z, axis=1, keepdims=True))
        / np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)), axis=1, keepdims=True), [MATRIX, MATRIX],
    ),
    "axes that differ": (
        lambda x: np.exp(x - np.max(x, axis=1, keepdims=True))
        / np.sum(np.exp(x - np.max(x, axis=0, keepdims=True)), axis=0, keepdims=True), [MATRIX],
    ),
    "an axis that broadcasts elsewhere": (lambda x: np.exp(x) / np.sum(np.exp(x), axis=1), [(4, 4)]),
    "[None, :] for [:, None]": (lambda x: np.exp(x) / np.sum(np.exp(x), axis=1)[None, :], [(4, 4)]),
    "a mean for the sum": (lambda x: np.exp(x) / np.mean(np.exp(x), axis=1, keepdims=True), [MATRIX]),
    "log-softmax with another axis": (
        lambda x: (x - np.max(x, axis=0, keepdims=True)) - np.log(np.sum(np.exp(x), axis=1, keepdims=True)), [MATRIX],
    ),
    "the shift is not put back": (
        lambda x: np.exp(x - np.max(x, axis=1, keepdims=True)) / np.sum(np.exp(x), axis=1, keepdims=True), [MATRIX],
    ),
    "sum of exponentials, broadcast": (lambda x: x - np.log(np.sum(np.exp(x), axis=1)), [(4, 4)]),
    "tanh with exp(3x)": (lambda x: (np.exp(3 * x) - 1) / (np.exp(3 * x) + 1), [MATRIX]),
    "tanh upside down": (lambda x: (np.exp(-x) - np.exp(x)) / (np.exp(x) + np.exp(-x)), [MATRIX]),
    "softplus of 2 + exp": (lambda x: np.log(2 + np.exp(x)), [MATRIX]),
    "variance around 0": (lambda x: np.mean((x - 0) ** 2), [MATRIX]),
    "cubes around the mean": (lambda x: np.mean((x - np.mean(x)) ** 3), [MATRIX]),
    "the mean of other axes": (
        lambda x: np.mean((x - np.mean(x, axis=0, keepdims=True)) ** 2, axis=1), [MATRIX],
    ),
    "a deviation for each element": (
        lambda x, eps: (x - np.mean(x, axis=1, keepdims=True)) / np.sqrt(np.var(x, axis=1, keepdims=True) + eps),
        [MATRIX, (4,)],
    ),
    "the deviation of a sample": (
        lambda x: (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0, ddof=1) + 1e-5), [MATRIX],
    ),
    "the mean of all": (lambda x: (x - np.mean(x)) / np.sqrt(np.var(x, axis=0) + 1e-5), [MATRIX]),
    "whole numbers": (lambda x: 1 / (1 + np.exp(-x)), [np.arange(3)]),
}  # fmt: skip


@pytest.mark.parametrize(("written", "arguments"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_near_misses_are_not_recognised(tools, written, arguments):
    """What is almost a known function has its own derivative."""
    assert recognised(tools, written, *arguments) is None


def test_words_name_the_input_and_the_axis(tools):
    """The comment of the emitted code says which function it is, along which axis."""
    found = recognised(tools, lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True), MATRIX)
    assert found.words == "the softmax of {x} along axis -1"
    found = recognised(tools, lambda x: np.exp(x) / np.sum(np.exp(x)), (4,))
    assert found.words == "the softmax of {x}"


def test_the_gradient_of_picked_probabilities_divides_by_none(tools):
    """Where a probability has come out as 0, its logarithm still has a gradient."""
    graph, result = tools.traced(log_of_picked, MATRIX, np.arange(3), np.array([1, 0, 1]))
    recognise(graph, [result])
    gradient = differentiate(graph, graph.parameters[:1], [result])[graph.parameters[0]]
    x = np.zeros(MATRIX)
    x[0, 1] = -800.0
    rows, labels = np.arange(3), np.array([1, 0, 1])
    with np.errstate(divide="ignore"):
        (found,) = interpret(graph, [x, rows, labels, np.ones(3)], [gradient])
    np.testing.assert_allclose(found[0], [-1 / 3, 1, -1 / 3, -1 / 3])


def test_the_forward_pass_stays_as_it_was_written(tools):
    """Recognition only notes what it finds."""
    graph, result = tools.traced(lambda x: 1 / (1 + np.exp(-x)), MATRIX)
    nodes = list(graph.nodes)
    assert recognise(graph, [result]) == [result]
    assert graph.nodes == nodes


def test_long_programs_take_linear_time(tools):
    """Each operation is looked at a bounded number of times, however long the program is."""
    looked_at = []

    class Counted(Node):
        __slots__ = ()

        @property
        def arguments(self):
            looked_at.append(self)
            return Node.arguments.fget(self)

    graph = Graph("long")
    x = Value(FLOAT, "x")
    graph.parameters.append(x)
    value = tools.Traced(Builder(graph), x)
    for k in range(2000):
        value = exp(value) - value / (1 + value) if k % 5 else 1 / (1 + exp(-value))
    for node in graph.nodes:
        node.__class__ = Counted
    recognise(graph, [value.value])
    assert len(looked_at) < 40 * len(graph.nodes)
