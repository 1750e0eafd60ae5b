"""Decorated methods: the gradients of an object, of a part of it, and of the arguments."""

import dataclasses
import pickle

import numpy as np
import pytest

import flatgrad as package
from flatgrad import errors, flatgrad


class Regression:
    """A model with a decorated method of each kind."""

    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.calls = 0

    def predict(self, x):
        return np.tanh(x @ self.W + self.b)

    @flatgrad
    def loss(self, x, y):
        return np.mean((self.predict(x) - y) ** 2)

    @flatgrad(wrt="self.W")
    def loss_by_weights(self, x, y):
        return np.mean((x @ self.W + self.b - y) ** 2)

    @flatgrad(wrt=("self.W", "x"), style="compact")
    def loss_by_both(self, x, *, y=0.0):
        return np.sum((x @ self.W - y) ** 2)

    @flatgrad
    def outputs(self, x):
        return x @ self.W + self.b

    @staticmethod
    @flatgrad
    def penalty(W):
        return np.sum(W**2)

    @classmethod
    @flatgrad
    def scaled(cls, W):
        return np.sum(W) * cls.factor

    factor = 3.0


class Quadratic(Regression):
    """Inherits the decorated method, and overrides what that calls."""

    def predict(self, x):
        return (x @ self.W) ** 2 + self.b


@dataclasses.dataclass
class Point:
    x: float
    y: float

    @flatgrad
    def norm(self):
        return np.sqrt(self.x**2 + self.y**2)


def arrays(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def model(kind=Regression):
    return kind(arrays(3, 2), arrays(2))


DATA = arrays(4, 3), arrays(4, 2)


def plain_loss(W, b, x, y):
    return np.mean((np.tanh(x @ W + b) - y) ** 2)


def test_gradient_of_an_object():
    """Without `wrt` the object comes back with its gradients, and so do the arguments."""
    own = model()
    value, grads = own.loss.value_and_grad(*DATA)
    expected = flatgrad(plain_loss).grad(own.W, own.b, *DATA)
    assert value == own.loss(*DATA) and grads._fields == ("self", "x", "y")
    assert type(grads.self) is Regression and grads.self.calls is None and own.calls == 0
    for name in ("W", "b"):
        np.testing.assert_array_equal(getattr(grads.self, name), getattr(expected, name))
    np.testing.assert_array_equal(grads.x, expected.x)


def test_method_of_the_class():
    """On the class the object is the first argument, as Python has it."""
    own = model()
    one, other = Regression.loss.grad(own, *DATA), own.loss.grad(*DATA)
    np.testing.assert_array_equal(one.self.W, other.self.W)


def test_part_of_an_object():
    """`wrt` names an attribute; several come back in a named tuple, by the names of the attributes."""
    own = model()
    x, y = DATA
    gradient = own.loss_by_weights.grad(x, y)
    np.testing.assert_allclose(gradient, 2 * x.T @ (x @ own.W + own.b - y) / y.size, rtol=1e-12)
    grads = own.loss_by_both.grad(x, y=1.0)
    assert grads._fields == ("W", "x")
    np.testing.assert_allclose(grads.x, 2 * (x @ own.W - 1.0) @ own.W.T, rtol=1e-12)


def test_inherited_method():
    """What the method calls is looked up in the object's own class: code is written for each class."""
    own = model(Quadratic)
    x, y = DATA
    assert model().loss.check(x, y)
    assert own.loss.check(x, y)
    assert own.loss.value_and_grad(x, y)[0] == own.loss(x, y) != model().loss(x, y)


def test_static_and_class_methods():
    """A static method has no object; a class method has the class, whose attributes are read."""
    W = arrays(2, 2)
    np.testing.assert_array_equal(Regression.penalty.grad(W).W, 2 * W)
    np.testing.assert_array_equal(model().penalty.grad(W).W, 2 * W)


def test_pullback_of_a_method():
    """`vjp` of a method: the pullback gives the gradients of the object, too."""
    own = model()
    value, pullback = own.outputs.vjp(DATA[0])
    grad_self, grad_x = pullback(np.ones_like(value))
    np.testing.assert_array_equal(value, own.outputs(DATA[0]))
    np.testing.assert_allclose(grad_self.b, np.full(2, 4.0))
    assert grad_x.shape == DATA[0].shape


def test_objects_in_other_states():
    """The numbers that an object holds now are what counts, and other shapes and attributes get other code."""
    own = model()
    first = own.loss.grad(*DATA).self.W
    own.W = own.W + 1.0
    expected = flatgrad(plain_loss).grad(own.W, own.b, *DATA).W
    assert not np.array_equal(own.loss.grad(*DATA).self.W, first)
    np.testing.assert_array_equal(own.loss.grad(*DATA).self.W, expected)
    own.b = 0.5
    assert np.ndim(own.loss.grad(*DATA).self.b) == 0
    own.W = own.W.astype(np.float32)
    assert own.loss.grad(*DATA).self.W.dtype == np.float32


def test_method_that_is_replaced():
    """A method that the class gets later is the one that counts."""

    class Local(Regression):
        def predict(self, x):
            return x @ self.W

    own = model(Local)
    before = own.loss.grad(*DATA).self.W
    Local.predict = lambda self, x: 2 * (x @ self.W)
    after = own.loss.grad(*DATA).self.W
    expected = flatgrad(lambda W, x, y: np.mean((2 * (x @ W) - y) ** 2)).grad(own.W, *DATA).W
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, expected, rtol=1e-12)


def test_dataclass_with_a_method():
    """Floats of a dataclass are numbers as well; the class comes back."""
    gradient = Point(3.0, 4.0).norm.grad().self
    assert type(gradient) is Point and (gradient.x, gradient.y) == pytest.approx((0.6, 0.8), rel=1e-15)
    assert Point(3.0, 4.0).norm.check()


def test_source_of_a_method():
    """`emit` shows the code for the object; `compile` gives the function, which takes the object first."""
    own = model()
    text = own.loss.emit(*DATA)
    assert "W, b = self.W, self.b" in text and "grad_self = copy.copy(self)" in text
    compiled = own.loss.compile(*DATA)
    value, _ = compiled(own, *DATA)
    assert value == own.loss(*DATA)


def test_bound_method_is_still_one():
    """It shows itself, compares and pickles as a method does."""
    own = model()
    assert own.loss == own.loss and hash(own.loss) == hash(own.loss)
    assert own.loss.__self__ is own and own.loss.__name__ == "loss"
    again = pickle.loads(pickle.dumps(own.loss))
    np.testing.assert_array_equal(again(*DATA), own.loss(*DATA))
    assert hasattr(own.loss, "grad") and not hasattr(own.loss, "nothing")


def test_method_that_is_not_decorated():
    """The functions of the package take a method of an object as well, decorated or not."""
    own = model()
    x, _ = DATA
    value, pullback = package.vjp(own.predict, x, wrt="self.b")
    np.testing.assert_allclose(pullback(np.ones_like(value)), np.sum(1 - value**2, axis=0), rtol=1e-14)
    np.testing.assert_array_equal(package.grad(own.loss, wrt="self.W")(*DATA), own.loss.grad(*DATA).self.W)
    assert "grad_self" not in package.emit(own.loss, *DATA, wrt="self.b")


def test_attribute_that_is_not_there():
    """`wrt` of an attribute that the object has not is an error with those that it has."""
    with pytest.raises(errors.SignatureError, match=r"self\.W, self\.b"):
        flatgrad(wrt="self.V")(Regression.loss).grad(model(), *DATA)
