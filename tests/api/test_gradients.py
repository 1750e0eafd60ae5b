"""`value_and_grad`, `grad`, `vjp`, `emit` and `stop_gradient` as users call them: what goes in, what comes out."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import flatgrad
from flatgrad import FlatgradError, emit, grad, stop_gradient, value_and_grad, vjp
from flatgrad.api import Source
from flatgrad.errors import ShapeError, SignatureError

X = np.array([[0.3, -1.2], [2.5, 0.7], [-0.4, 1.9]])
W = np.array([1.5, -0.5])


def linear(X, W, b=0.5):
    """Return a sum of squares."""
    return np.sum((X @ W + b) ** 2)


def by_hand(X, W, b=0.5):
    r = 2 * (X @ W + b)
    return np.outer(r, W), X.T @ r, np.sum(r)


def test_value_and_named_gradients():
    """The value is the function's own; the gradients are a named tuple in the order of the parameters."""
    value, gradients = value_and_grad(linear)(X, W)
    assert value == linear(X, W)
    assert gradients._fields == ("X", "W", "b")
    assert type(gradients).__name__ == "linear_gradients"
    for gradient, expected in zip(gradients, by_hand(X, W), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-13)
    assert isinstance(gradients.b, float)


def test_grad_gives_the_gradients_alone():
    """`grad` is `value_and_grad` without the value."""
    np.testing.assert_array_equal(grad(linear, "W")(X, W), value_and_grad(linear, "W")(X, W)[1])
    assert grad(linear)(X, W)._fields == ("X", "W", "b")


@pytest.mark.parametrize(
    ("wrt", "fields"),
    [(None, ("X", "W", "b")), (("W",), ("W",)), (("W", "X"), ("W", "X")), (["b", "W"], ("b", "W"))],
)
def test_gradients_come_in_the_order_of_wrt(wrt, fields):
    """A tuple of names gives a named tuple in that order, also for one name."""
    expected = dict(zip(("X", "W", "b"), by_hand(X, W), strict=True))
    gradients = grad(linear, wrt)(X, W)
    assert gradients._fields == fields
    for name in fields:
        np.testing.assert_allclose(getattr(gradients, name), expected[name], rtol=1e-13)


def test_one_name_gives_the_bare_gradient():
    """A str gives what optimizers want: the array itself."""
    gradient = grad(linear, wrt="W")(X, W)
    assert isinstance(gradient, np.ndarray)
    np.testing.assert_allclose(gradient, by_hand(X, W)[1], rtol=1e-13)
    assert isinstance(grad(linear, wrt="b")(X, W), float)


def test_what_is_not_differentiable_has_the_gradient_none():
    """Whole-number and bool arrays, text, truth values and None are no real numbers."""

    def f(x, labels, mask, mode="a", flag=True, nothing=None):
        return np.sum(x[labels] * mask) if flag and mode == "a" and nothing is None else np.sum(x)

    arguments = (W, np.array([0, 1]), np.array([True, False]))
    assert grad(f)(*arguments)._fields == ("x",)
    names = ("nothing", "mask", "x", "labels", "flag", "mode")
    gradients = grad(f, names)(*arguments)
    assert gradients._fields == names
    assert [name for name in names if getattr(gradients, name) is None] == ["nothing", "mask", "labels", "flag", "mode"]
    assert grad(f, "labels")(*arguments) is None


@pytest.mark.parametrize("wrt", ["V", ("W", "V"), (), ("W", "W"), 3, ("W", 1), "a b"])
def test_wrt_that_names_no_parameter_is_an_error(wrt):
    """The error says which names there are."""
    with pytest.raises(SignatureError):
        grad(linear, wrt)(X, W)


def test_function_without_real_parameters_is_an_error():
    """There is nothing to differentiate with respect to."""

    def f(k):
        return np.sum(k) * 1.0

    with pytest.raises(SignatureError, match="no parameter that holds real numbers"):
        grad(f)(np.array([1, 2]))


def test_parameters_may_have_names_that_fields_may_not_have():
    """A named tuple can't have a field that begins with an underscore; the gradient is there all the same."""

    def f(_x, y):
        return np.sum(_x * y)

    gradients = grad(f)(W, W + 1)
    np.testing.assert_array_equal(gradients[0], W + 1)
    np.testing.assert_array_equal(gradients.y, W)
    assert vjp(f, W, W + 1, wrt="_x")[1](1.0).tolist() == (W + 1).tolist()


def test_arguments_by_name_and_defaults():
    """Arguments are given as to the function itself."""
    expected = by_hand(X, W, 2.0)
    with_gradients = value_and_grad(linear)
    for value, gradients in (with_gradients(X, W, 2.0), with_gradients(X, b=2.0, W=W), with_gradients(b=2.0, X=X, W=W)):
        assert value == linear(X, W, 2.0)
        np.testing.assert_allclose(gradients.X, expected[0], rtol=1e-13)
    assert value_and_grad(linear)(X, W)[0] == linear(X, W)


def test_keyword_only_and_positional_only_parameters():
    """The emitted function keeps the kinds of its parameters."""

    def f(x, /, y, *, z, k=2.0):
        return np.sum(x * y) * z * k

    for call in (lambda g: g(W, W, z=3.0), lambda g: g(W, y=W, z=3.0), lambda g: g(W, W, k=2.0, z=3.0)):
        value, gradients = call(value_and_grad(f))
        assert value == call(f)
        np.testing.assert_allclose(gradients.z, np.sum(W * W) * 2)
    _, pullback = vjp(f, W, W, z=3.0)
    np.testing.assert_allclose(pullback(1.0)[0], W * 6)


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((X,), {}), ((X, W, 1.0, 2.0), {}), ((X, W), {"W": W}), ((X, W), {"no": 1})]
)
def test_wrong_call_is_pythons_own_error(args, kwargs):
    """A call that does not fit the function is the TypeError that the function itself would raise."""
    with pytest.raises(TypeError) as own:
        linear(*args, **kwargs)
    with pytest.raises(TypeError) as error:
        value_and_grad(linear)(*args, **kwargs)
    assert str(error.value) == str(own.value).replace("linear()", "linear.value_and_grad()")


@pytest.mark.parametrize(
    "argument", [1j, np.array([1j]), "text", [1.0, 2.0], {"a": 1}, object(), np.array(["a"]), np.array([None])]
)
def test_argument_of_no_known_type_is_an_error_at_the_parameter(argument):
    """Complex numbers, lists, dicts and objects are refused; the error points at the parameter."""

    def f(x):
        return np.sum(x * 1.0)

    with pytest.raises(FlatgradError) as error:
        grad(f)(argument)
    assert error.value.problems[0].message


def test_value_that_is_no_scalar_is_an_error_that_names_vjp():
    """A gradient needs one number."""

    def f(x):
        return x * 2

    def g(x):
        return np.sum(x), x

    for function, shape in ((f, r"of shape \(\?\)"), (g, "not one number")):
        with pytest.raises(ShapeError, match=f"is {shape}.*\n(.*\n)*hint: use vjp"):
            value_and_grad(function)(W)
    value, gradient = value_and_grad(f)(1.5)
    assert (value, gradient.x) == (3.0, 2.0)


def test_vjp_of_an_array():
    """The pullback takes a gradient of the value's shape, as often as wanted."""

    def f(X, W):
        return np.tanh(X @ W)

    value, pullback = vjp(f, X, W)
    np.testing.assert_array_equal(value, f(X, W))
    for upstream in (np.ones(3), np.array([1.0, -2.0, 0.5])):
        grad_X, grad_W = pullback(upstream)
        slope = upstream * (1 - value**2)
        np.testing.assert_allclose(grad_X, np.outer(slope, W), rtol=1e-13)
        np.testing.assert_allclose(grad_W, X.T @ slope, rtol=1e-13)
    np.testing.assert_allclose(vjp(f, X, W, wrt="W")[1](np.ones(3)), X.T @ (1 - value**2), rtol=1e-13)
    only = vjp(f, X, W, wrt=("W",))[1](np.ones(3))
    assert isinstance(only, tuple)
    assert len(only) == 1


def test_vjp_of_several_values():
    """One upstream gradient for each real value, in order; whole numbers have none."""

    def f(x):
        y = x * x
        return y, (np.sum(y), np.argmax(x)), 2.0 * x

    (y, (total, place), double), pullback = vjp(f, W)
    np.testing.assert_array_equal(y, W * W)
    assert (total, place) == (np.sum(W * W), 0)
    np.testing.assert_array_equal(double, 2 * W)
    (gradient,) = pullback(np.array([1.0, 2.0]), 3.0, np.array([4.0, 5.0]))
    np.testing.assert_allclose(gradient, [2 * W[0] * 4 + 8, 2 * W[1] * 5 + 10])


def test_pullbacks_do_not_share_what_they_saved():
    """Each call of `vjp` has its own tape."""

    def f(x):
        return np.exp(x)

    first, second = vjp(f, W)[1], vjp(f, W + 1)[1]
    np.testing.assert_allclose(first(np.ones(2))[0], np.exp(W))
    np.testing.assert_allclose(second(np.ones(2))[0], np.exp(W + 1))


def test_stop_gradient_passes_no_gradient_on():
    """It is the identity of the forward pass, and zero in the backward pass."""

    def f(x):
        return np.sum(x * stop_gradient(x) + stop_gradient(np.sin(x)))

    value, (gradient,) = value_and_grad(f)(W)
    assert value == np.sum(W * W + np.sin(W))
    np.testing.assert_array_equal(gradient, W)
    assert "stop_gradient" not in emit(f, W)
    assert stop_gradient(W) is W


def test_emit_takes_arguments_shapes_or_annotations():
    """The same source, whichever way the shapes are said, and it shows itself as it is."""

    def f(x, w):
        return np.sum(x @ w)

    text = emit(f, X, W)
    assert isinstance(text, Source)
    assert repr(text) == str(text)
    assert str(text) == emit(f, shapes="x=(n,d) w=(d,)") or "x: (n, " in text
    assert emit(f, shapes="x=(n,d) w=(d,)") == emit(f, shapes={"x": ("n", "d"), "w": ("d",)})
    with pytest.raises(SignatureError, match="its rank is not known"):
        emit(f)


def test_emit_writes_two_functions_where_the_value_is_no_scalar():
    """Without one number to begin from there is a forward and a backward function."""

    def f(x):
        return np.exp(x)

    text = emit(f, W)
    assert "def f_forward(x):" in text
    assert "def f_backward(saved, grad_" in text


def test_styles_and_targets():
    """Both styles and both targets are the same function; an unknown one is an error."""

    def f(x: float, y: float):
        return x * x * y + y

    texts = {emit(f, 1.5, 2.5, style=style) for style in ("flat", "compact")}
    assert len(texts) == 2
    for style in ("flat", "compact"):
        for target in ("numpy", "math"):
            assert value_and_grad(f, style=style, target=target)(1.5, 2.5) == (f(1.5, 2.5), (7.5, 3.25))
    for options in ({"style": "round"}, {"target": "paper"}):
        with pytest.raises(SignatureError, match="there is no"):
            emit(f, 1.5, 2.5, **options)
    with pytest.raises(SignatureError, match="`x` is an array"):
        emit(f, W, 2.5, target="math")


def test_mark_of_the_decorator_sets_the_options():
    """`@flatgrad` leaves the function as it is; its options are the defaults of everything else."""

    @flatgrad.flatgrad(wrt="b", style="compact", target="math")
    def f(a: float, b: float):
        return a * b + b * b

    assert f(2.0, 3.0) == 15.0
    assert value_and_grad(f)(2.0, 3.0) == (15.0, 8.0)
    assert value_and_grad(f, ("a",))(2.0, 3.0)[1] == (3.0,)
    assert emit(f, 2.0, 3.0) == emit(f, 2.0, 3.0, wrt="b", style="compact", target="math")
    assert emit(f, 2.0, 3.0) != emit(f, 2.0, 3.0, style="flat")
    assert "import numpy" not in emit(f, 2.0, 3.0)

    @flatgrad.flatgrad
    def g(a: float):
        return a * a

    assert grad(g)(3.0) == (6.0,)


def test_wrappers_are_named_after_the_function():
    """The function's name and docstring are in tracebacks and help."""
    assert value_and_grad(linear).__qualname__ == "linear.value_and_grad"
    assert grad(linear).__qualname__ == "linear.grad"
    assert grad(linear).__doc__ == "The gradients of linear: Return a sum of squares."
    assert inspect.signature(grad(linear)) == inspect.signature(linear)


@pytest.mark.parametrize("thing", [len, np.sum, int, "text", 3, np.sin])
def test_what_is_no_python_function_is_an_error(thing):
    """Builtins and classes have no statements to read."""
    with pytest.raises(FlatgradError):
        value_and_grad(thing)(1.0)


@pytest.mark.parametrize("style", ["flat", "compact"])
def test_number_of_a_small_dtype_has_a_gradient_of_that_dtype(style):
    """A float32 without axes has a float32 gradient, also where that is a plain number times the upstream one."""

    def f(s):
        return s * 2

    gradient = value_and_grad(f, wrt="s", style=style)(np.float32(1.5))[1]
    assert gradient.dtype == np.float32
    assert gradient.shape == ()
    assert gradient == 2


def test_least_and_greatest_of_several_numbers():
    """`min` and `max` of more than two numbers pass the gradient on to the one that they choose."""

    def f(x, y, z):
        return 2 * min(x, y, z) + max(x, y, z)

    value, gradients = value_and_grad(f)(0.5, -1.0, 3.0)
    assert value == 1.0
    assert gradients == (0.0, 2.0, 1.0)
