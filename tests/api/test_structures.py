"""Parameters and results that are dicts, lists, tuples, named tuples, dataclasses and objects."""

import dataclasses
import enum
import pickle
from typing import NamedTuple

import numpy as np
import pytest

import flatgrad
from flatgrad import errors


class Mode(enum.Enum):
    DOUBLE = 1
    TRIPLE = 2


class Layer(NamedTuple):
    W: np.ndarray
    b: np.ndarray
    name: str = "dense"


@dataclasses.dataclass
class Config:
    W: np.ndarray
    rate: float
    steps: int = 2


@dataclasses.dataclass(frozen=True)
class Checked:
    W: np.ndarray
    b: float

    def __post_init__(self):
        if self.W is None or not isinstance(self.b, float):
            raise ValueError("no numbers")


class Slotted:
    __slots__ = ("W", "label")

    def __init__(self, W):
        self.W = W
        self.label = "slots"


class Plain:
    def __init__(self, W):
        self.W = W
        self.scale = 2.0
        self.rng = np.random.default_rng(0)
        self.inner = Slotted(W + 1)


def arrays(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def mlp(params, x, y):
    W1, b1 = params["W1"], params["b1"]
    h = np.tanh(x @ W1 + b1)
    return np.mean((h @ params["W2"] + params["b2"] - y) ** 2)


def mlp_arguments():
    params = {"W1": arrays(3, 4), "b1": arrays(4), "W2": arrays(4, 2), "b2": arrays(2), "kind": "mlp", "layers": 2}
    return params, arrays(5, 3), arrays(5, 2)


def tree(params):
    """Return the same numbers as a nest of all containers that there are."""
    return {
        "first": [Layer(params["W1"], params["b1"])],
        "second": (Config(params["W2"], 0.5), {"b": params["b2"], 3: None}),
    }


def of_tree(params, x):
    first, (second, rest) = params["first"][0], params["second"]
    return np.sum(np.tanh(x @ first.W + first.b) @ second.W * second.rate + rest["b"])


@pytest.mark.parametrize("style", ["flat", "compact"])
def test_gradients_come_back_in_a_dict(style):
    """The gradient of a dict is a dict with the same keys, each leaf as for a parameter of its own; others are None."""
    params, x, y = mlp_arguments()

    def plain(W1, b1, W2, b2, x, y):
        h = np.tanh(x @ W1 + b1)
        return np.mean((h @ W2 + b2 - y) ** 2)

    value, (grads, grad_x, _) = flatgrad.value_and_grad(mlp, style=style)(params, x, y)
    leaves = [params[name] for name in ("W1", "b1", "W2", "b2")]
    expected = flatgrad.grad(plain, style=style)(*leaves, x, y)
    assert value == mlp(params, x, y)
    assert list(grads) == list(params) and grads["kind"] is None and grads["layers"] is None
    for name in ("W1", "b1", "W2", "b2"):
        np.testing.assert_array_equal(grads[name], getattr(expected, name))
    np.testing.assert_array_equal(grad_x, expected.x)


@pytest.mark.parametrize("style", ["flat", "compact"])
def test_nested_containers_keep_their_classes(style):
    """Lists, tuples, named tuples and dataclasses in a dict come back as what they are."""
    params, x, _ = mlp_arguments()
    given = tree(params)
    chosen = flatgrad.flatgrad(style=style)(of_tree)
    grads = chosen.grad(given, x).params
    (layer,), (config, rest) = grads["first"], grads["second"]
    assert type(grads["first"]) is list and type(grads["second"]) is tuple
    assert type(layer) is Layer and layer.name is None
    assert type(config) is Config and config.steps is None
    assert list(rest) == ["b", 3] and rest[3] is None
    assert layer.W.shape == (3, 4) and config.W.shape == (4, 2) and np.ndim(config.rate) == 0
    assert chosen.check(given, x)


@pytest.mark.parametrize("kind", [Slotted, Plain])
def test_objects_come_back_as_copies(kind):
    """The gradient of an object is one of its class with gradients in place of numbers; the object stays as it is."""

    def loss(model, x):
        return np.sum(np.tanh(x @ model.W) ** 2)

    model, x = kind(arrays(3, 3)), arrays(2, 3)
    before = model.W.copy()
    gradient = flatgrad.grad(loss, wrt="model")(model, x)
    assert type(gradient) is kind and gradient is not model
    expected = flatgrad.grad(lambda W, x: np.sum(np.tanh(x @ W) ** 2), wrt="W")(model.W, x)
    np.testing.assert_array_equal(gradient.W, expected)
    np.testing.assert_array_equal(model.W, before)
    if kind is Plain:
        assert gradient.rng is None and gradient.scale == 0.0
        assert type(gradient.inner) is Slotted and gradient.inner.label is None and not gradient.inner.W.any()


def test_class_that_checks_its_fields():
    """A dataclass whose `__post_init__` would refuse a gradient, and which is frozen, is copied without it."""

    def loss(p):
        return np.sum(p.W**2) * p.b

    gradient = flatgrad.grad(loss, wrt="p")(Checked(np.array([1.0, 2.0]), 3.0))
    assert type(gradient) is Checked and gradient.b == 5.0
    np.testing.assert_array_equal(gradient.W, [6.0, 12.0])


@pytest.mark.parametrize("wrt", ["params.W1", 'params["W1"]', "params['W1']"])
def test_wrt_chooses_a_leaf(wrt):
    """A place in a parameter may be written with dots or with brackets, and gives the bare gradient of that leaf."""
    arguments = mlp_arguments()
    whole = flatgrad.grad(mlp, wrt="params")(*arguments)
    chosen = flatgrad.flatgrad(wrt=wrt)(mlp)
    np.testing.assert_array_equal(chosen.grad(*arguments), whole["W1"])
    assert "grad_b1" not in chosen.emit(*arguments)
    assert chosen.check(*arguments)


def test_wrt_chooses_several_parts():
    """A tuple of places gives a named tuple whose fields are the last steps of the places."""
    params, x, _ = mlp_arguments()
    given = tree(params)
    grads = flatgrad.grad(of_tree, wrt=("params.first[0].W", "params.second[0]", "x"))(given, x)
    assert grads._fields == ("W", "params_second_0", "x") or grads._fields[0] == "W"
    assert type(grads[1]) is Config and grads.x.shape == x.shape


@pytest.mark.parametrize(
    ("wrt", "words"),
    [
        ("params.W9", "wrt names `params.W9`, which is not in the argument `params`"),
        ("p.W1", "wrt names `p`, which is not"),
    ],
)
def test_wrt_that_is_not_there(wrt, words):
    """A place that is not in the arguments is an error that names those that are."""
    with pytest.raises(errors.SignatureError, match=words):
        flatgrad.grad(mlp, wrt=wrt)(*mlp_arguments())


def results(x, mode):
    return {"loss": np.sum(x**2), "mode": mode, "parts": [x * 2.0, (x[0], 3)]}


def test_results_in_containers():
    """A result is what the function returns; its pullback takes gradients in the same containers, or one by one."""
    x = arrays(3)
    value, pullback = flatgrad.vjp(results, x, "sum")
    expected = results(x, "sum")
    assert list(value) == list(expected) and value["mode"] == "sum" and value["parts"][1][1] == 3
    np.testing.assert_array_equal(value["parts"][0], expected["parts"][0])
    upstream = {"loss": 1.0, "mode": None, "parts": [np.ones(3), (2.0, 0.0)]}
    gradient = pullback(upstream)[0]
    np.testing.assert_allclose(gradient, 2 * x + 2.0 + np.array([2.0, 0.0, 0.0]), rtol=1e-15)
    np.testing.assert_array_equal(pullback(1.0, np.ones(3), 2.0)[0], gradient)
    without = pullback({"loss": None, "mode": None, "parts": [np.ones(3), (None, None)]})[0]
    np.testing.assert_array_equal(without, np.full(3, 2.0))


def test_upstream_gradients_of_another_structure():
    """A container with other keys than the value has is an error, not a gradient."""
    _, pullback = flatgrad.vjp(results, arrays(3), "sum")
    with pytest.raises(errors.SignatureError, match="such as the value has"):
        pullback({"loss": 1.0})


def test_object_as_a_result():
    """An object of a class that a parameter has, or that can be imported, is made anew from its attributes."""

    def scaled(layer, s):
        return Layer(layer.W * s, layer.b, layer.name)

    def made(W, s):
        return Config(W * s, s)

    layer = Layer(arrays(2, 2), arrays(2))
    value, pullback = flatgrad.vjp(scaled, layer, 2.0)
    assert type(value) is Layer and value.name == "dense"
    gradient, grad_s = pullback(Layer(np.ones((2, 2)), np.ones(2), None))
    assert type(gradient) is Layer
    np.testing.assert_array_equal(gradient.W, np.full((2, 2), 2.0))
    assert grad_s == pytest.approx(np.sum(layer.W), rel=1e-14)
    value, _ = flatgrad.vjp(made, layer.W, 3.0)
    assert type(value) is Config and value.rate == 3.0 and value.steps == 2


def test_leaves_decide_what_is_written():
    """Code is written for the keys, the classes, the text and the whole numbers in a container, and found again for them."""

    def power(p, x):
        return np.sum(x ** p["n"]) if p["mode"] == "power" else np.sum(x) * p["n"]

    x = np.array([1.0, 2.0])
    f = flatgrad.flatgrad(wrt="x")(power)
    for n, mode in ((2, "power"), (3, "power"), (3, "sum"), (2, "power")):
        expected = n * x ** (n - 1) if mode == "power" else np.full(2, float(n))
        np.testing.assert_allclose(f.grad({"n": n, "mode": mode}, x), expected)
    np.testing.assert_allclose(f.grad({"mode": "power", "n": 2}, x), 2 * x)
    assert np.array_equal(
        flatgrad.grad(lambda p: p[0] * p[1] if len(p) == 2 else p[0], wrt="p")([2.0, 3.0]), [3.0, 2.0]
    )


def test_members_of_an_enumeration():
    """A member decides what is written, by itself and in a container, and is told from the others of its class."""

    def chosen(x, mode, options):
        return x * (2.0 if mode is Mode.DOUBLE else 3.0) * (5.0 if options["mode"] is Mode.DOUBLE else 7.0)

    f = flatgrad.flatgrad(wrt="x")(chosen)
    factors = {Mode.DOUBLE: (2.0, 5.0), Mode.TRIPLE: (3.0, 7.0)}
    for one in Mode:
        for other in Mode:
            assert f.grad(1.0, one, {"mode": other}) == factors[one][0] * factors[other][1]


def test_number_in_a_container_that_decides():
    """A float or a size in a container that decides what is written is looked at again in each call."""

    def repeated(p, x):
        for _ in range(len(p["w"])):
            x = x * p["w"]
        return np.sum(x)

    f = flatgrad.flatgrad(wrt="x")(repeated)
    for n in (2, 3):
        w = np.arange(1.0, n + 1)
        np.testing.assert_allclose(f.grad({"w": w}, np.ones(n)), w**n)


def test_the_same_array_twice():
    """An array that occurs twice has a gradient at each place."""
    shared = np.array([1.0, 2.0])
    grads = flatgrad.grad(lambda p: np.sum(p["a"] * p["b"] ** 2), wrt="p")({"a": shared, "b": shared})
    np.testing.assert_array_equal(grads["a"], shared**2)
    np.testing.assert_array_equal(grads["b"], 2 * shared**2)


def test_container_that_holds_itself():
    """A list in itself is an error, and no endless search."""
    endless = [1.0]
    endless.append(endless)
    with pytest.raises(errors.SignatureError, match="holds itself"):
        flatgrad.grad(lambda p, x: x * 2.0)(endless, 3.0)


def test_saved_leaves():
    """What a pullback needs of a container is kept when the value is computed, not looked up again later."""

    def product(params):
        return params["a"] * params["b"]

    params = {"a": arrays(3), "b": arrays(3) + 1}
    a, b = params["a"], params["b"]
    _, pullback = flatgrad.vjp(product, params, wrt="params")
    params["a"] = params["b"] = None
    grads = pullback(np.ones(3))
    np.testing.assert_array_equal(grads["a"], b)
    np.testing.assert_array_equal(grads["b"], a)


def test_names_that_clash():
    """Leaves of one name, and one that the function has for something else, are told apart."""

    def clashing(p, q, np_):
        W = p["W"] * 2.0
        return np.sum(W * q["W"] * p["np"] * q["sum"] * np_["grad_W"])

    w = np.array([1.0, 2.0])
    arguments = ({"W": w, "np": w + 1}, {"W": w + 2, "sum": w + 3}, {"grad_W": w + 4})
    f = flatgrad.flatgrad(clashing)
    assert f.value_and_grad(*arguments)[0] == clashing(*arguments)
    assert f.check(*arguments)
    whole = flatgrad.flatgrad(lambda p, q: p["np"] * q["np"])
    assert whole.check({"np": w}, {"np": w + 1})


def test_gradients_can_be_pickled():
    """The named tuple of gradients keeps containers through a pickle."""
    grads = flatgrad.grad(mlp)(*mlp_arguments())
    again = pickle.loads(pickle.dumps(grads))
    np.testing.assert_array_equal(again.params["W1"], grads.params["W1"])
    assert again._fields == ("params", "x", "y")


def test_emitted_text():
    """Leaves get their names in one line, the docstring has their shapes, and gradients go back into a dict."""
    text = flatgrad.emit(mlp, *mlp_arguments(), wrt="params", style="compact")
    assert 'W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]' in text
    assert 'params["W1"]: (n, m)' in text
    assert (
        'return out, {"W1": grad_W1, "b1": grad_b1, "W2": grad_W2, "b2": grad_b2, "kind": None, "layers": None}' in text
    )


def test_floats_in_a_tuple_are_differentiated():
    """A tuple of floats is a container of numbers; one of whole numbers is part of the signature, as before."""
    gradient = flatgrad.grad(lambda p: p[0] ** 2 * p[1])((3.0, 2.0)).p
    assert gradient == (12.0, 9.0)
    assert "Written for axes=(0, 1)" in flatgrad.emit(lambda x, axes: np.sum(x, axis=axes), np.ones((2, 3)), (0, 1))


def test_containers_are_not_changed():
    """Neither a call nor a check changes what it is given."""
    params, x, y = mlp_arguments()
    before = {name: np.copy(part) for name, part in params.items() if isinstance(part, np.ndarray)}
    f = flatgrad.flatgrad(mlp)
    f.grad(params, x, y)
    f.check(params, x, y)
    assert all(np.array_equal(params[name], part) for name, part in before.items())
