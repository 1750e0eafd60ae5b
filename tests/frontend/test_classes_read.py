"""Classes whose objects come from outside of the function: arguments and globals. Their methods, and what is emitted for them."""

from __future__ import annotations

import functools
import importlib.util
import sys
import textwrap

import numpy as np
import pytest

import flatgrad
from flatgrad.errors import FlatgradError

TEXT = """
import numpy as np
from functools import cached_property


class Layer:
    def __call__(self, x):
        return self.forward(x)


class Linear(Layer):
    def __init__(self, W, b, heads=1):
        self.W = W
        self.b = b
        self.unused = W
        self.heads = heads

    def forward(self, x):
        z = x @ self.W
        return z + self.b


class Relu(Layer):
    def forward(self, x):
        return np.maximum(x, 0)


class HTTPCell:
    def __init__(self, W):
        self.W = W

    def _mix(self, x):
        z = x @ self.W
        return np.tanh(z)

    def __add__(self, x):
        y = self._mix(x)
        return self._mix(y) + y

    @property
    def norm(self):
        squares = self.W**2
        return np.sum(squares)

    @staticmethod
    def halved(x):
        y = x / 2
        return y * y


class Net:
    def __init__(self, layers):
        self.layers = layers

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Config:
    def __init__(self, rate, act):
        self.rate = rate
        self.act = act
        self.shift = np.arange(3.0)

    def scaled(self, x):
        y = self.act(x) * self.rate
        return y + self.shift

    @cached_property
    def twice(self):
        return 2 * self.rate


class Sized:
    def __init__(self, n):
        self.table = np.zeros(n)


config = Config(0.1, np.tanh)
large = Sized(10_000)


def network(net, x):
    return np.sum(net(x) ** 2)


def cell(cell, x):
    y = cell + x
    return np.sum(cell.halved(y)) * cell.norm


def with_a_global(x):
    return np.sum(config.scaled(x)) * config.twice


def of_a_large_global(x):
    return np.sum(x) + np.sum(large.table)


def assigning(layer, x):
    layer.W = x @ layer.W
    return np.sum(layer.W)


def assigning_a_global(x):
    config.rate = 2.0
    return np.sum(x) * config.rate


def through_a_copy(layer, x):
    mine = copy.copy(layer)
    mine.W = x @ mine.W
    return np.sum(mine.W * layer.b)


import copy
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return the module of the text."""
    path = tmp_path_factory.mktemp("classes") / "model_with_classes.py"
    path.write_text(textwrap.dedent(TEXT))
    spec = importlib.util.spec_from_file_location("model_with_classes", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["model_with_classes"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["model_with_classes"]


def slope(function, array, step=1e-6):
    """Return the central differences of a function of no arguments when an array changes."""
    gradient = np.zeros(array.shape)
    for place in np.ndindex(array.shape):
        before = array[place]
        sides = []
        for shift in (step, -step):
            array[place] = before + shift
            sides.append(function())
        array[place] = before
        gradient[place] = (sides[0] - sides[1]) / (2 * step)
    return gradient


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def test_a_list_of_layers(model):
    """Each layer has its gradient, and equal layers are calls of one function."""
    net = model.Net([model.Linear(normal(3, 3), normal(3)), model.Relu(), model.Linear(normal(3, 3), normal(3))])
    x = normal(4, 3)
    value, gradients = flatgrad.value_and_grad(model.network, wrt="net")(net, x)
    assert value == model.network(net, x)
    for layer, gradient in ((net.layers[0], gradients.layers[0]), (net.layers[2], gradients.layers[2])):
        for name in ("W", "b"):
            expected = slope(functools.partial(model.network, net, x), getattr(layer, name))
            np.testing.assert_allclose(getattr(gradient, name), expected, rtol=1e-6, atol=1e-7)
    text = str(flatgrad.emit(model.network, net, x))
    assert text.count("def linear_forward(self, x):") == 1
    assert "linear_forward(net.layers[0], x)" in text
    assert text.count("linear_forward(") == 3


def test_names_of_methods(model):
    """A method is a function named after its class, and takes the object."""
    made = model.HTTPCell(normal(3, 3))
    text = str(flatgrad.emit(model.cell, made, normal(2, 3)))
    assert "def http_cell_add_forward(self, x):" in text
    assert "def http_cell_mix_forward(self, x):" in text
    assert "def http_cell_norm_forward(self):" in text
    assert "def halved_forward(x):" in text
    x = normal(2, 3)
    _, gradient = flatgrad.value_and_grad(model.cell, wrt="x")(made, x)
    expected = slope(lambda: model.cell(made, x), x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


def test_an_object_of_the_module(model):
    """Its numbers and arrays are constants, its methods are read, and a change of it is seen."""
    x = normal(3)
    for rate in (0.1, 0.3):
        model.config = model.Config(rate, np.tanh)
        value, gradient = flatgrad.value_and_grad(model.with_a_global, wrt="x")(x)
        assert value == model.with_a_global(x)
        np.testing.assert_allclose(gradient, slope(lambda: model.with_a_global(x), x), rtol=1e-6)
    model.config.rate = 0.5
    del model.config.twice
    assert flatgrad.value_and_grad(model.with_a_global)(x)[0] == model.with_a_global(x)


def test_a_method_that_is_replaced(model):
    """The code is written anew where a method of a class becomes another one, also one that only Python calls."""
    made, x = model.HTTPCell(normal(3, 3)), normal(2, 3)
    differentiated = flatgrad.value_and_grad(model.cell)
    before = differentiated(made, x)[0]
    plain = model.HTTPCell.__add__
    try:
        model.HTTPCell.__add__ = lambda self, other: other * 2
        assert differentiated(made, x)[0] == model.cell(made, x) != before
    finally:
        model.HTTPCell.__add__ = plain
    assert differentiated(made, x)[0] == before


def test_a_copy_may_be_changed(model):
    """The caller's object stays as it is, and the gradient goes through the copy."""
    layer, x = model.Linear(normal(3, 3), normal(3)), normal(2, 3)
    before = layer.W.copy()
    value, gradient = flatgrad.value_and_grad(model.through_a_copy, wrt="x")(layer, x)
    assert value == model.through_a_copy(layer, x)
    assert np.array_equal(layer.W, before)
    np.testing.assert_allclose(gradient, slope(lambda: model.through_a_copy(layer, x), x), rtol=1e-6)


@pytest.mark.parametrize("name", ["assigning", "assigning_a_global"])
def test_assigning_what_the_caller_sees(model, name):
    """An attribute of an argument or of a global is not changed behind the caller's back: that is an error."""
    given = [model.Linear(normal(3, 3), normal(3))] if name == "assigning" else []
    with pytest.raises(FlatgradError, match="this would change an object that the caller sees: `(W|rate)` of a"):
        flatgrad.value_and_grad(getattr(model, name))(*given, normal(2, 3))


def test_a_large_array_of_a_global(model):
    """An array that is too large to be written into code is to be a parameter."""
    with pytest.raises(FlatgradError, match="too many to write into the code") as caught:
        flatgrad.emit(model.of_a_large_global, shapes="x=(3,)")
    assert "make `table` a parameter" in str(caught.value)
