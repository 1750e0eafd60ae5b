"""Tests made from the records: the derivative of each rule, on graphs.

An operation is differentiated, its gradients are differentiated again, and the graph is interpreted. Central
differences of the first gradients are the oracle: rules are made of operations that have rules.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil

import numpy as np
import pytest

import flatgrad.rules
from flatgrad.builder import Builder
from flatgrad.differentiation.differentiate import differentiate
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.graph.containers import List, Slice
from flatgrad.graph.values import Constant, Graph, Value
from flatgrad.graph.verify import verify
from flatgrad.infer import type_of
from flatgrad.interpret import interpret
from flatgrad.passes.ordered import PASSES
from flatgrad.registry import name_of, positive, records
from flatgrad.rules.scipy_functions import declare_installed
from flatgrad.sampled import step_from

for module in pkgutil.iter_modules(flatgrad.rules.__path__, "flatgrad.rules."):
    importlib.import_module(module.name)
declare_installed()

RTOL, ATOL = 2e-5, 2e-6


def takes(function, sample):
    """Tell whether a function can be called on a sample: those of `math`, and max and min, want numbers."""
    parts = (*sample.args, *sample.attributes.values())
    numbers_only = getattr(function, "__module__", "") == "math" or function in (max, min)
    return not (numbers_only and any(isinstance(part, np.ndarray) for part in parts))


def has_complex(sample):
    """Tell whether there are complex numbers in a sample: second derivatives are asked for of real ones only."""
    parts = (*sample.args, *sample.attributes.values())
    return any(isinstance(part, complex | np.ndarray) and np.iscomplexobj(part) for part in parts)


def full_name(function):
    home = home_in_scipy(function) or (getattr(function, "__module__", "ndarray"), name_of(function))
    return ".".join(map(str, home))


class Operation:
    """The graph of one call of an operation, and the numbers for its parameters."""

    def __init__(self, record, function, sample):
        self.record, self.sample = record, sample
        self.graph = Graph(record.name)
        self.numbers = []
        self.wrt = []
        names = itertools.chain(record.inputs, itertools.repeat(record.starred or ""))
        args = [self.item(arg, name) for arg, name in zip(sample.args, names, strict=False)]
        attributes = {
            name: argument if isinstance(argument, float) and name not in record.inputs else self.item(argument, name)
            for name, argument in sample.attributes.items()
        }
        y = Builder(self.graph).apply(function, *args, **attributes)
        # a whole number beside them, such as an exponent, has no gradient
        self.results = [result for result in y if result.type.is_real] if isinstance(y, tuple) else [y]

    def item(self, item, name):
        """Return an argument as the front end has it: data becomes a parameter of the graph."""
        if isinstance(item, list | tuple):
            return (List if isinstance(item, list) else tuple)(self.item(part, name) for part in item)
        if isinstance(item, slice):
            return Slice(item.start, item.stop, item.step)
        if not isinstance(item, np.ndarray | np.generic | float):
            return item
        value = self.parameter(type_of(item), item, f"x{len(self.numbers)}")
        if value.type.is_real and name and (self.sample.wrt is None or name in self.sample.wrt):
            self.wrt.append(value)
        return value

    def parameter(self, type, number, name):
        value = Value(type, name)
        self.graph.parameters.append(value)
        self.numbers.append(number)
        return value

    def differentiated(self, results, wrt):
        """Append the backward pass; the new parameters, the upstream gradients, get fixed numbers."""
        known = len(self.graph.parameters)
        # how many elements a mask picks is only found out here
        shapes = [np.shape(result) for result in interpret(self.graph, self.numbers, results)]
        gradients = differentiate(self.graph, wrt, results)
        for value, shape in zip(self.graph.parameters[known:], shapes, strict=True):
            number = np.asarray(positive(*shape), value.dtype)[()]
            self.numbers.append(float(number) if value.type.weak else number)
        wanted = [gradients[value] for value in wrt]
        verify(self.graph, [*results, *wanted])
        return wanted

    def slopes(self, results, value, upstream):
        """Return the gradient of the weighted sum of `results` by central differences."""
        place = self.graph.parameters.index(value)
        centre = np.asarray(self.numbers[place])
        slopes = np.zeros(centre.shape)
        for element in np.ndindex(centre.shape):
            step = step_from(centre[element])
            sides = []
            for shift in (step, -step):
                moved = centre.copy()
                moved[element] += shift
                numbers = [*self.numbers]
                numbers[place] = moved if centre.shape else float(moved)
                found = interpret(self.graph, numbers, results)
                sides.append(sum(np.sum(np.multiply(w, g)).real for w, g in zip(upstream, found, strict=True)))
            slopes[element] = (sides[0] - sides[1]) / (2 * step)
        return slopes


CASES = [
    pytest.param(record, function, sample, id=f"{full_name(function)}({sample})")
    for record in records()
    if record.gradient is not None
    for function in record.functions
    for sample in record.samples
    if sample.second and takes(function, sample) and not has_complex(sample)
]


@pytest.mark.parametrize("simplified", [False, True], ids=["as differentiated", "after the passes"])
@pytest.mark.parametrize(("record", "function", "sample"), CASES)
def test_second_derivative_matches_central_differences_of_the_first(record, function, sample, simplified):
    """A gradient can be differentiated like any other function, by the inputs and by the upstream gradient."""
    operation = Operation(record, function, sample)
    inputs = operation.wrt
    known = len(operation.graph.parameters)
    first = operation.differentiated(operation.results, inputs)
    if simplified:
        for each in PASSES:
            first = each(operation.graph, first)
            verify(operation.graph, first)
    results = list(dict.fromkeys(value for value in first if not isinstance(value, Constant)))
    by = [*inputs, *(value for value in operation.graph.parameters[known:] if value.type.is_real)]
    shapes = [np.shape(result) for result in interpret(operation.graph, operation.numbers, results)]
    upstream = [np.asarray(positive(*shape))[()] for shape in shapes]
    expected = [operation.slopes(results, value, upstream) for value in by]
    second = operation.differentiated(results, by)
    for value, found, slopes in zip(by, interpret(operation.graph, operation.numbers, second), expected, strict=True):
        np.testing.assert_allclose(found, slopes, rtol=RTOL, atol=ATOL, err_msg=f"by {value}")


def test_first_derivative_is_among_the_second_ones():
    """By the upstream gradient, the gradient's derivative is the first derivative: nothing gets lost on the way."""
    (record,) = (record for record in records() if record.functions[0] is np.sin)
    operation = Operation(record, np.sin, record.samples[0])
    (x,) = operation.wrt
    first = operation.differentiated(operation.results, [x])
    (grad_out,) = operation.graph.parameters[1:]
    (by_upstream,) = operation.differentiated(first, [grad_out])
    (found,) = interpret(operation.graph, operation.numbers, [by_upstream])
    weights = operation.numbers[2]
    np.testing.assert_allclose(found, weights * np.cos(operation.numbers[0]), rtol=1e-14)
