"""What nothing reads behind a branch or loop is not carried out of it, and what only that needs is not computed.

`graph_of`, `joint_of` and `put_through` make graphs with control flow from text and put them through passes; the tests of the
other passes for control flow use them, too.
"""

import textwrap

import numpy as np
import pytest

from flatgrad.differentiation.differentiate import differentiate
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import LoopParts, branch, loop, nested
from flatgrad.graph.values import Value
from flatgrad.graph.verify import verify
from flatgrad.interpret import interpret
from flatgrad.passes.narrow import narrow
from flatgrad.reading import read
from flatgrad.signature import signature_of_arguments

HEAD = "import numpy as np\n\n\n"


def graph_of(text, arguments):
    """Return the graph of the function `f` in a text, and the values that it returns."""
    (definition,) = static_definition(Source("text.py", HEAD + textwrap.dedent(text)), "f")
    graph, _, returned = read(definition, signature_of_arguments(definition, arguments))
    return graph, [leaf for leaf in leaves((returned,)) if isinstance(leaf, Value)]


def joint_of(text, arguments, *passes):
    """Return the joint graph of a function by all of its real parameters, put through passes, and its results and gradients."""
    graph, results = graph_of(text, arguments)
    results = put_through(graph, results, narrow)
    gradients = differentiate(graph, [value for value in graph.parameters if value.type.is_real], results)
    return graph, put_through(graph, [*results, *gradients.values()], *passes)


def put_through(graph, results, *passes):
    """Put a graph and all graphs inside of it through passes, inner ones first, and return the new results."""
    for each in passes:
        for body in reversed([inner for inner in nested(graph) if inner is not graph]):
            wanted = each(body, [*body.results, *body.gradients])
            body.results[:], body.gradients[:] = wanted[: len(body.results)], wanted[len(body.results) :]
        results = each(graph, results)
        verify(graph, results)
    return results


def nodes_of(graph, function):
    """Return the nodes of a function in a graph and in all graphs inside of it."""
    return [node for each in nested(graph) for node in each.nodes if node.function is function]


def names(values):
    return [value.name for value in values]


BRANCH = """
def f(x, y):
    a = x
    if x > 0.0:
        t = np.sin(x)
        u = np.cos(y)
        a = t * x
    else:
        t = x
        u = np.exp(y)
    return a
"""


def assert_narrowed(text, arguments):
    """Hold the numbers of a graph against those from before the pass, and return the graph."""
    graph, results = graph_of(text, arguments)
    given = [arguments[value.name] for value in graph.parameters]
    before = interpret(graph, given, results)
    narrowed = put_through(graph, results, narrow)
    for old, new in zip(before, interpret(graph, given, narrowed), strict=True):
        np.testing.assert_array_equal(old, new)
    return graph


@pytest.mark.parametrize("x", [0.5, -0.5])
def test_variables_of_a_branch_that_are_not_read_behind_it(x):
    """Only `a` comes out; the cosine and the exponential are gone, and so is what they were taken of."""
    graph = assert_narrowed(BRANCH, {"x": x, "y": 0.3})
    (node,) = nodes_of(graph, branch)
    assert names(node.outputs) == ["a"]
    assert names(node.arguments["closed"]) == ["x"]
    assert nodes_of(graph, np.cos) == nodes_of(graph, np.exp) == []
    assert len(nodes_of(graph, np.sin)) == 1


LOOP = """
def f(x, y, n):
    a = x
    b = y
    c = y
    for i in range(n):
        a = np.sin(a) * b
        b = b * 0.5
        c = np.cos(c) + a
    return a
"""


@pytest.mark.parametrize("n", [0, 3])
def test_variables_that_the_turns_to_come_need_stay(n):
    """`b` is read in the next turn, `c` by itself alone."""
    graph = assert_narrowed(LOOP, {"x": 0.7, "y": 0.3, "n": n})
    (node,) = nodes_of(graph, loop)
    assert names(LoopParts(node).carried) == ["a", "b"]
    assert nodes_of(graph, np.cos) == []


def test_what_a_condition_reads_stays():
    """The result is not read by the condition, and the condition is not part of the result."""
    text = """
    def f(x, y):
        n = 0.0
        m = 0.0
        while n < 3.5:
            n = n + 1.0
            m = m + n
            x = x * y
        return x
    """
    graph = assert_narrowed(text, {"x": 0.7, "y": 0.3})
    assert set(names(LoopParts(nodes_of(graph, loop)[0]).carried)) == {"x", "n"}


def test_what_leaves_a_loop_stays():
    """A variable that decides when the loop ends has a say in every result."""
    text = """
    def f(x, y):
        n = 0.0
        for i in range(9):
            x = x * y
            n = n + 1.5
            if n > 4.0:
                break
        return x
    """
    graph = assert_narrowed(text, {"x": 0.7, "y": 0.9})
    (node,) = nodes_of(graph, loop)
    assert set(names(LoopParts(node).carried)) == {"x", "n"}
    assert LoopParts(node).leave is not None


def test_effects_stay(capsys):
    """A print in a turn is printed, with what it needs, whatever the function returns."""
    text = """
    def f(x, y):
        for i in range(2):
            y = y * 2.0
            print(y)
        return x
    """
    graph, results = graph_of(text, {"x": 0.7, "y": 1.0})
    results = put_through(graph, results, narrow)
    assert interpret(graph, [0.7, 1.0], results) == [0.7]
    assert capsys.readouterr().out == "2.0\n4.0\n"


def test_loops_that_nothing_needs_go():
    """So does an inner loop that makes what only the outer one would carry."""
    text = """
    def f(x, y):
        s = 0.0
        for i in range(3):
            for j in range(2):
                s = s + y
            x = x * 2.0
        return x
    """
    graph = assert_narrowed(text, {"x": 0.7, "y": 1.0})
    assert len(nodes_of(graph, loop)) == 1
