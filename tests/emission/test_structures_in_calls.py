"""Dicts, lists and objects that functions give to functions: they are passed whole, and so are their gradients."""

import copy
import dataclasses
import importlib.util
import linecache
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from flatgrad import api, checkpointed
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

sys.path.insert(0, str(Path(__file__).parent.parent / "programs"))

import argument_trees  # noqa: E402

STYLES = ("flat", "compact")
WEIGHTS = (1.0, 0.3, -0.7)


class Pair(NamedTuple):
    W: np.ndarray
    b: np.ndarray


@dataclasses.dataclass
class Record:
    W: np.ndarray
    b: np.ndarray
    label: str = "record"


@dataclasses.dataclass(frozen=True)
class Frozen:
    W: np.ndarray
    b: np.ndarray

    def __post_init__(self):
        if self.W is None:
            raise ValueError("no weights")


class Linear:
    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.size = 3

    def __call__(self, x):
        z = x @ self.W
        return np.tanh(z + self.b)

    def without_bias(self, x):
        z = x @ self.W
        return np.sin(z)


class Network:
    def __init__(self, *layers):
        self.layers = list(layers)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def dense(layer, x):
    z = x @ layer["W"]
    return np.tanh(z + layer["b"])


def dense_of_pair(layer, x):
    W, b = layer
    z = x @ W
    return np.tanh(z + b)


def dense_of_object(layer, x):
    z = x @ layer.W
    return np.tanh(z + layer.b)


def scaled(x, W, b, scale=1.0):
    z = x @ W
    return np.tanh(z + b) * scale


def block(x, inner, outer):
    h = dense(inner, x)
    return x + dense(outer, h)


def cell(weights, h, x):
    z = x @ weights["W"]
    return np.tanh(z + h @ weights["U"] + weights["b"])


def fill(layer, x):
    layer["W"][0] = 1.0
    return np.tanh(x @ layer["W"]) + layer["b"]


def stack(params, x):
    for layer in params:
        x = dense(layer, x)
    return np.sum(x**2)


def spread(params, x):
    for layer in params:
        x = scaled(x, **layer, scale=0.5)
    return np.sum(x**2)


def spread_once(params, x):
    x = scaled(x, **params[0])
    x = scaled(x, params[1]["W"], params[1]["b"])
    return np.sum(x**2)


def blocks(params, x):
    for each in params:
        x = block(x, **each)
    return np.sum(x**2)


def pairs(layers, x):
    for layer in layers:
        x = dense_of_pair(layer, x)
    return np.sum(x**2)


def objects(layers, x):
    for layer in layers:
        x = dense_of_object(layer, x)
    return np.sum(x**2)


def network(model, x):
    return np.sum(model(x) ** 2)


def part_of_an_object(model, x):
    return np.sum(model.layers[0].without_bias(x)) + np.sum(model.layers[1](x))


def shared(params, x):
    x = dense(params[0], x)
    x = dense(params[0], x)
    x = dense(params[1], x)
    return np.sum(x**2) + np.sum(params[0]["W"])


def made_inside(params, x):
    x = dense(params[0], x)
    x = dense({"W": 2.0 * params[1]["W"], "b": params[1]["b"]}, x)
    return np.sum(x**2)


def parts_of_two(params, x):
    x = dense(params[0], x)
    x = dense({"W": params[1]["W"], "b": params[0]["b"]}, x)
    return np.sum(x**2)


def written_before(params, x):
    params[0]["W"][0, 0] = 2.0
    x = dense(params[0], x)
    x = dense(params[1], x)
    return np.sum(x**2)


def written_between(params, x):
    x = dense(params[0], x)
    params[0]["W"][0] *= 2.0
    x = dense(params[0], x)
    return np.sum(x**2)


def copied_and_written(params, x):
    layer = dict(params[0])
    layer["W"] = layer["W"].copy()
    layer["W"][0] *= 2.0
    x = dense(layer, x)
    x = dense(params[1], x)
    return np.sum(x**2)


def written_inside(params, x):
    y = fill(params[0], x)
    return np.sum(y) + np.sum(params[0]["W"])


def recurrent(params, x):
    h = np.zeros(3)
    for row in x:
        h = cell(params["cell"], h, row)
    return np.sum(h**2) + np.sum(params["cell"]["U"])


def recurrent_in_steps(params, x):
    h = np.zeros(3)
    for row in checkpointed(x):
        h = cell(params["cell"], h, row)
    return np.sum(h**2)


def closure(params, x):
    def step(h, row):
        z = row @ params["cell"]["W"]
        return np.tanh(z + h @ params["cell"]["U"] + params["cell"]["b"])

    h = np.zeros(3)
    for row in x:
        h = step(h, row)
    return np.sum(h**2)


def closure_by_name(params, x):
    def step(name, h):
        z = h @ params[name]["W"]
        return np.tanh(z + params[name]["b"])

    return np.sum(step("one", step("two", step("one", x))) ** 2)


def closure_rebound(params, x):
    params = dict(params[0])

    def step(h):
        z = h @ params["W"]
        return np.tanh(z + params["b"])

    h = step(x)
    params["W"] = params["W"] * 2.0
    return np.sum(step(h) ** 2)


def branched(params, x):
    if x[0, 0] > 0:
        y = dense(params[0], x)
    else:
        h = dense(params[1], x)
        y = 2.0 * h
    return np.sum(y**2)


def several(params, x):
    return dense(params[0], x), dense(params[1], x)


def rows(*shape):
    return 0.7 * np.random.default_rng(shape).normal(size=shape)


def layer(k):
    return {"W": rows(3, 3, k)[..., 0], "b": rows(3, k)[:, 0]}


def layers():
    return [layer(1), layer(2)]


def weights():
    return {"cell": {**layer(1), "U": rows(3, 3), "name": "tanh", "size": 3}}


def nested():
    return [{"inner": layer(k), "outer": layer(k + 1)} for k in range(1, 3)]


def as_objects(kind):
    return [kind(**layer(k)) for k in (1, 2)]


CASES = {
    "stack": (stack, layers),
    "spread": (spread, layers),
    "spread_once": (spread_once, layers),
    "blocks": (blocks, nested),
    "pairs": (pairs, lambda: [tuple(each.values()) for each in layers()]),
    "named_tuples": (objects, lambda: as_objects(Pair)),
    "dataclasses": (objects, lambda: as_objects(Record)),
    "frozen": (objects, lambda: as_objects(Frozen)),
    "plain": (objects, lambda: as_objects(Linear)),
    "network": (network, lambda: Network(*as_objects(Linear))),
    "part_of_an_object": (part_of_an_object, lambda: Network(*as_objects(Linear))),
    "shared": (shared, layers),
    "made_inside": (made_inside, layers),
    "parts_of_two": (parts_of_two, layers),
    "written_before": (written_before, layers),
    "written_between": (written_between, layers),
    "copied_and_written": (copied_and_written, layers),
    "written_inside": (written_inside, layers),
    "recurrent": (recurrent, weights),
    "recurrent_in_steps": (recurrent_in_steps, weights),
    "closure": (closure, weights),
    "closure_by_name": (closure_by_name, lambda: {"one": layer(1), "two": layer(2)}),
    "closure_rebound": (closure_rebound, layers),
    "branched": (branched, layers),
    "several": (several, layers),
}
every_case = pytest.mark.parametrize("name", CASES)
every_style = pytest.mark.parametrize("style", STYLES)


def arguments_of(name):
    return CASES[name][1](), rows(4, 3)


def emitted(name, style="compact", **options):
    return str(api.emit(CASES[name][0], *arguments_of(name), style=style, **options))


def total(value):
    return sum(np.sum(leaf * weight) for leaf, weight in zip(argument_trees.leaves(value), WEIGHTS, strict=False))


def assert_same(found, expected):
    """Hold numbers to others to the last bit."""
    for mine, other in zip(argument_trees.leaves(found), argument_trees.leaves(expected), strict=True):
        assert np.asarray(mine).tobytes() == np.asarray(other).tobytes()


def assert_gradients(found, name):
    """Hold gradients to central differences."""
    arguments = arguments_of(name)
    function = CASES[name][0]
    expected = argument_trees.differences(lambda *given: total(function(*copy.deepcopy(given))), arguments)
    own = argument_trees.matched(list(found), arguments)
    assert own.keys() == expected.keys()
    for place, wanted in expected.items():
        np.testing.assert_allclose(own[place], wanted, rtol=1e-7, atol=1e-8, err_msg=f"leaf {place}")


@every_case
@every_style
def test_value_and_gradients(name, style):
    """One function, or a forward and a backward one: values to the last bit, gradients in the structures of the arguments."""
    function = CASES[name][0]
    left = arguments_of(name)
    expected = function(*left)
    arguments = arguments_of(name)
    value, pullback = api.flatgrad(function, style=style).vjp(*arguments)
    assert_same(value, expected)
    assert_same(arguments, left)
    outer = iter(WEIGHTS)
    assert_gradients(pullback(argument_trees.changed(value, lambda leaf: np.full_like(leaf, next(outer)))), name)
    if np.ndim(expected) or isinstance(expected, tuple):
        return
    value, gradients = api.value_and_grad(function, style=style)(*arguments_of(name))
    assert_same(value, expected)
    assert_gradients(gradients, name)
    assert type(gradients.params if hasattr(gradients, "params") else gradients[0]) is type(arguments[0])


def test_classes_of_gradients():
    """What comes back from the backward pass of a function is of the class of its argument, and shares nothing with it."""
    for name in ("named_tuples", "dataclasses", "frozen", "plain"):
        arguments = arguments_of(name)
        gradients = api.grad(CASES[name][0])(*arguments)
        for mine, given in zip(gradients[0], arguments[0], strict=True):
            assert type(mine) is type(given) and mine is not given
            assert not np.shares_memory(mine.W, given.W)
            assert getattr(mine, "label", None) is None


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("stack", ["x_2, saved0 = dense_forward(params[0], x)", "grad_params_1, grad_x_2 = dense_backward(saved1, grad_x_3)"]),
        ("stack", ["def dense_forward(layer, x):", 'W, b = layer["W"], layer["b"]', 'return {"W": grad_W, "b": grad_b}, grad_x']),
        ("stack", ["return out, ([grad_params_0, grad_params_1], grad_x)"]),
        ("spread", ["x_2, saved0 = scaled_forward(x, **params[0], scale=0.5)", 'return grad_x, {"W": grad_W, "b": grad_b}']),
        ("blocks", ["h, saved0 = dense_forward(inner, x)", "x_3, saved1 = block_forward(x_2, **params[1])"]),
        ("blocks", ['return grad_x, {"inner": grad_inner, "outer": grad_outer}', "return out, ([grad_params_0, grad_params_1], grad_x)"]),
        ("pairs", ["x_2, saved0 = dense_of_pair_forward(layers[0], x)", "W, b = layer", "return (grad_W, grad_b), grad_x"]),
        ("named_tuples", ["return layer._replace(W=grad_W, b=grad_b), grad_x"]),
        ("network", ["x_2, saved0 = linear_forward(model.layers[0], x)", "grad_model.layers = [grad_layers_0, grad_layers_1]"]),
        ("part_of_an_object", ["t0, saved0 = linear_without_bias_forward(layers_0_W, x)"]),
        ("shared", ['grad_params_0_b = grad_params_0_part["b"] + grad_params_0_part_2["b"]']),
        ("recurrent", ['h, saved = cell_forward(params["cell"], h, row)', 'grad_U += grad_cell_part["U"]']),
        ("closure", ["h, saved = step_forward(h, row, params)"]),
        ("made_inside", ["def dense_forward(W, b, x):"]),
        ("parts_of_two", ["def dense_forward(W, b, x):"]),
        ("written_between", ["def dense_forward(W, b, x):"]),
        ("written_before", ["x_2, saved0 = dense_forward(params[0], x)"]),
    ],
)  # fmt: skip
def test_lines(name, lines):
    """Calls are given structures by their places where each call has one at hand, and the arrays in them elsewhere."""
    text = [line.strip() for line in emitted(name).split("\n")]
    assert [line for line in lines if line not in text] == []


def test_functions_that_differ_in_sizes_are_one():
    """A local function of what is around it is written once, though it is called before sizes are known to be equal."""
    names = re.findall(r"def (\w+)_forward", emitted("closure_by_name"))
    assert names == ["step", "step_2"]


@every_style
def test_equal_layers_are_a_list_of_calls(style):
    """A layer more is a call forward, a call backward with its comment, and a name in what is returned."""
    lengths = {}
    for count in (2, 3, 12):
        text = api.emit(blocks, nested()[:1] * count, rows(4, 3), style=style)
        lengths[count] = len(str(text).split("\n"))
    assert lengths[3] - lengths[2] == 3
    # twelve names are too long for the line of the `return`
    assert lengths[12] - lengths[2] <= 5 * 10


def test_parameters_without_a_use():
    """What nobody asks for has no name, and gradients that are asked for one by one are taken one by one."""
    text = emitted("stack", wrt="x")
    assert "return grad_x\n" in text and "grad_layer" not in text
    text = emitted("stack", wrt="params[0]['W']")
    assert "grad_W, _ = dense_backward(saved0, grad_x_2)" in text or "grad_params_0_W" in text
    gradient = api.grad(stack, wrt="params[0]['W']")(*arguments_of("stack"))
    np.testing.assert_allclose(gradient, api.grad(stack)(*arguments_of("stack")).params[0]["W"])


@pytest.mark.parametrize("style", STYLES)
def test_parts_with_the_names_of_methods(style):
    """A part is unpacked where the function reads it: `x.mean()` and `axis=0` read no variable."""

    def standardised(x, statistics):
        scaled = (x - x.mean(axis=0)) / x.std(axis=0)
        print("var", x.var())
        return np.sum(scaled * statistics["scale"]) + statistics["axis"]

    statistics = {"mean": np.ones(3), "std": np.ones(3), "var": np.ones(3), "axis": 2.0, "scale": np.ones(3)}
    x = np.random.default_rng(1).normal(size=(4, 3))
    text = str(api.emit(standardised, x, statistics, wrt="x", style=style))
    unpacked = next(line for line in text.splitlines() if 'statistics["' in line and " = " in line)
    assert unpacked.split(" = ")[0].split() == ["axis,", "scale"]


def test_names_that_collide():
    """A structure of the name of a function, of a module or of a local variable is told from it."""
    text = """
import numpy as np


def dense(np_, dense_forward, x):
    W = x @ dense_forward["np"]
    x = W + dense_forward["x"]
    return x * np_


def f(np_, dense_backward, x):
    saved0 = dense(np_, dense_backward, x)
    return np.sum(dense(np_, dense_backward, saved0) ** 2)
"""
    names: dict = {}
    linecache.cache["<collisions>"] = (len(text), None, text.splitlines(keepends=True), "<collisions>")
    exec(compile(text, "<collisions>", "exec"), names)
    arguments = 1.5, {"np": rows(3, 3), "x": rows(3)}, rows(4, 3)
    value, gradients = api.value_and_grad(names["f"])(*arguments)
    assert value == names["f"](*arguments)
    expected = argument_trees.differences(names["f"], arguments)
    found = argument_trees.matched(list(gradients), arguments)
    for place, wanted in expected.items():
        np.testing.assert_allclose(found[place], wanted, rtol=1e-7)


def test_live_and_static_are_the_same(tmp_path):
    """A file that is read gives the same bytes as the function object does."""
    text = """
import numpy as np


def dense(layer, x):
    z = x @ layer["W"]
    return np.tanh(z + layer["b"])


def block(x, inner, outer):
    h = dense(inner, x)
    return x + dense(outer, h)


def loss(params, x):
    for each in params["blocks"]:
        x = block(x, **each)
    return np.sum(dense(params["last"], x))
"""
    path = tmp_path / "blocks_given.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("blocks_given", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shapes = (
        "x=(n,d) len(params.blocks)=2 params.blocks[*].inner.W=(d,h) params.blocks[*].inner.b=(h,) "
        "params.blocks[*].outer.W=(h,d) params.blocks[*].outer.b=(d,) params.last.W=(d,k) params.last.b=(k,)"
    )
    live, _ = emit_from_annotations(live_definition(module.loss), Options(), shapes)
    (definition,) = static_definition(Source(str(path), text), "loss")
    read, _ = emit_from_annotations(definition, Options(), shapes)
    assert live.text == read.text
    assert 'block_forward(x, **params["blocks"][0])' in live.text
    assert 'dense_forward(params["last"], x_3)' in live.text
