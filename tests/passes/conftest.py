"""Graphs from plain NumPy functions, by running them on stand-ins for arrays; and what the tests of passes ask of graphs."""

import importlib
import inspect
import operator
import pkgutil
import types

import numpy as np
import pytest

import flatgrad.rules
from flatgrad.builder import Builder
from flatgrad.differentiation.differentiate import differentiate
from flatgrad.graph.containers import Slice, mapped
from flatgrad.graph.values import FLOAT, Graph, Type, Value
from flatgrad.graph.verify import verify
from flatgrad.interpret import interpret

for module in pkgutil.walk_packages(flatgrad.rules.__path__, "flatgrad.rules."):
    importlib.import_module(module.name)


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for a value; what is done with it becomes a node."""

    def __init__(self, builder, value):
        self.builder = builder
        self.value = value

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return self.call(ufunc, *inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return self.call(function, *args, **kwargs)

    def __getitem__(self, index):
        return self.call(operator.getitem, self, index=index)

    def call(self, function, *args, **kwargs):
        """Append a call of a function that NumPy does not let us intercept."""
        args = [plain(arg) for arg in args]
        made = self.builder.apply(function, *args, **{name: plain(arg) for name, arg in kwargs.items()})
        return Traced(self.builder, made)


def plain(item):
    if isinstance(item, slice):
        return Slice(item.start, item.stop, item.step)
    if isinstance(item, tuple):
        return tuple(map(plain, item))
    return mapped(item, lambda leaf: leaf.value if isinstance(leaf, Traced) else leaf)


def type_for(argument):
    """Return the type of an argument of a test: a shape stands for float64, a float for Python's."""
    if isinstance(argument, Type):
        return argument
    if isinstance(argument, float):
        return FLOAT
    if isinstance(argument, np.ndarray):
        return Type(argument.dtype, argument.shape)
    return Type(np.dtype(np.float64), tuple(argument))


def traced(function, *arguments):
    """Return the graph of a function for such arguments, and its result."""
    graph = Graph(function.__name__)
    builder = Builder(graph)
    for name, argument in zip(inspect.signature(function).parameters, arguments, strict=True):
        graph.parameters.append(Value(type_for(argument), name))
    result = function(*[Traced(builder, parameter) for parameter in graph.parameters])
    verify(graph, [result.value])
    return graph, result.value


def joint(function, *arguments, before=()):
    """Return the joint graph of a scalar function, and its result and gradients. Its last parameter is the upstream one."""
    graph, result = traced(function, *arguments)
    for each in before:
        (result,) = each(graph, [result])
    gradients = differentiate(graph, [value for value in graph.parameters if value.type.is_real], [result])
    results = [result, *gradients.values()]
    verify(graph, results)
    return graph, results


def backward_functions(graph):
    """Return the names of the functions of the backward pass, in order."""
    return [node.function.__name__ for node in graph.nodes if node.forward is not None]


def assert_same_numbers(graph, results, arguments, change, *, exactly=True):
    """Run a graph before and after a pass: the numbers must stay. Returns the new results."""
    before = interpret(graph, arguments, results)
    changed = change(graph, results)
    verify(graph, changed)
    for old, new in zip(before, interpret(graph, arguments, changed), strict=True):
        assert np.shape(old) == np.shape(new)
        (np.testing.assert_array_equal if exactly else np.testing.assert_allclose)(new, old)
    return changed


@pytest.fixture(scope="session")
def tools():
    """What the tests of passes build graphs with; tests can't import from each other."""
    return types.SimpleNamespace(
        Traced=Traced,
        traced=traced,
        joint=joint,
        backward_functions=backward_functions,
        assert_same_numbers=assert_same_numbers,
    )
