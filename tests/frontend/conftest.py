"""Central differences, and functions that are read from their text and run as graphs."""

from __future__ import annotations

import copy
import inspect
import itertools
import linecache
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

import flatgrad.rules  # noqa: F401 - declares the operations
from flatgrad.api import value_and_grad
from flatgrad.arguments import emit_for_arguments
from flatgrad.errors import FlatgradError
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import nested
from flatgrad.graph.values import Value
from flatgrad.graph.verify import verify
from flatgrad.interpret import interpret
from flatgrad.options import Options
from flatgrad.reading import read
from flatgrad.signature import signature_of_arguments


@pytest.fixture(scope="session")
def slopes():
    """Return what gives the gradients of a scalar function by central differences, for its floats."""

    def slope(function, arguments, name, step=1e-6):
        centre = np.asarray(arguments[name])
        gradient = np.zeros(centre.shape)
        for element in np.ndindex(centre.shape):
            sides = []
            for shift in (step, -step):
                moved = np.array(centre, dtype=float)
                moved[element] += shift
                moved = moved if centre.shape else float(moved)
                sides.append(function(**{**arguments, name: moved}))
            gradient[element] = (sides[0] - sides[1]) / (2 * step)
        return gradient

    def slopes(function, arguments):
        floats = [name for name, item in arguments.items() if np.asarray(item).dtype.kind == "f"]
        return {name: slope(function, arguments, name) for name in floats}

    return slopes


HEAD = "import math\nimport numpy as np\nfrom flatgrad import checkpointed, edit_gradient, stop_gradient\n\n\n"


def text_of(body, parameters):
    """Return the text of a function `f`; its body starts in line 7."""
    if body.startswith("def "):
        return HEAD + body + "\n"
    return HEAD + f"def f({', '.join(parameters)}):\n" + "".join(f"    {line}\n" for line in body.split("\n"))


def graph_of(body, arguments):
    """Return the graph of a function, and what it returns."""
    (definition,) = static_definition(Source("text.py", text_of(body, arguments)), "f")
    graph, _, returned = read(definition, signature_of_arguments(definition, arguments))
    verify(graph, [leaf for leaf in leaves(returned) if isinstance(leaf, Value)])
    return graph, returned


def nodes_of(graph):
    """Return all nodes of a graph and of those inside it."""
    return [node for each in nested(graph) for node in each.nodes]


def functions_of(graph):
    """Return the functions of all nodes, by name."""
    return [node.function.__name__ for node in nodes_of(graph)]


def is_right(body, arguments, *others):
    """Check that the graph for some arguments gives what the function gives, for these and for other ones."""
    graph, returned = graph_of(body, arguments)
    namespace = {}
    exec(text_of(body, arguments), namespace)
    for each in (arguments, *others):
        expected = namespace["f"](**copy.deepcopy(each))
        results = list(leaves(returned))
        found = interpret(graph, [each[value.name] for value in graph.parameters], results)
        expected = list(expected) if isinstance(expected, tuple | list) else [expected]
        assert len(found) == len(list(leaves(tuple(expected))))
        for one, other in zip(found, leaves(tuple(expected)), strict=True):
            np.testing.assert_array_equal(one, other)
    return graph


def is_refused(body, arguments, line, message):
    """Check that reading a function raises one error, at this line and with this message, and return it."""
    with pytest.raises(FlatgradError) as error:
        graph_of(body, arguments)
    (problem,) = error.value.problems
    assert message in problem.message
    assert problem.line == line
    return problem


@pytest.fixture(scope="session")
def reading():
    """Return what reads functions from their text, looks at their graphs and runs them."""
    return SimpleNamespace(
        graph_of=graph_of, is_right=is_right, is_refused=is_refused, functions_of=functions_of, nodes_of=nodes_of
    )


programs = itertools.count()
PROGRAM_HEAD = (
    "import copy\nimport functools\nimport itertools\nimport math\nimport operator\n\nimport numpy as np\n\n\n"
)


def is_differentiated(text, arguments, slopes):
    """Check a function `f`: its value bit for bit, its gradients, and that its file gives the same code."""
    text = PROGRAM_HEAD + textwrap.dedent(text)
    file = f"<program {next(programs)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {"__name__": "text"}
    exec(compile(text, file, "exec"), namespace)
    f = namespace["f"]
    given = dict(zip(inspect.signature(f).parameters, arguments, strict=False))
    value, gradients = value_and_grad(f)(**copy.deepcopy(given))
    np.testing.assert_array_equal(value, f(**copy.deepcopy(given)))
    if not isinstance(gradients, tuple):
        gradients = (gradients,)
    numbers = [name for name, item in given.items() if isinstance(item, int | float | np.ndarray)]
    found = dict(zip(numbers, gradients, strict=True))
    for name, expected in slopes(f, given).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-7)
    defaults = {name: each.default for name, each in inspect.signature(f).parameters.items() if name not in given}
    modules = [
        emit_for_arguments(definition, {**given, **defaults}, Options(), None)[0].text
        for definition in (live_definition(f), *static_definition(Source(file, text), "f"))
    ]
    assert modules[0] == modules[1]
    return modules[0]


@pytest.fixture(scope="session", name="is_differentiated")
def is_differentiated_fixture(slopes):
    """Return what checks a function that is given as text."""
    return lambda text, arguments: is_differentiated(text, arguments, slopes)
