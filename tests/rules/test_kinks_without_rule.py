"""Operations without a gradient: what goes through them has the gradient 0, at steps and between them."""

import linecache

import numpy as np
import pytest

import flatgrad.rules  # noqa: F401 - declares the operations
from flatgrad.api import grad, value_and_grad
from flatgrad.emission.expressions import INFIX
from flatgrad.registry import records

KINKS = [
    pytest.param(function, kink, id=f"{function.__name__}: {kink.point}")
    for record in records()
    if record.gradient is None
    for function in record.functions
    for kink in record.kinks
]


def step_beside_itself(function, names):
    """Return a function in which the operation adds nothing to the gradient of `sum`."""
    called = f" {INFIX[function][0]} ".join(names) if function in INFIX else f"np.{function.__name__}({names[0]})"
    text = f"def f({', '.join(names)}):\n    return np.sum({' + '.join(names)}) + np.sum(1.0 * ({called}))\n"
    filename = f"<step {function.__name__}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope = {"np": np}
    exec(compile(text, filename, "exec"), scope)
    return scope["f"]


@pytest.mark.parametrize(("function", "kink"), KINKS)
def test_gradient_of_a_step_is_zero(function, kink):
    names = ["a", "b"][: len(kink.args)]
    gradients = grad(step_beside_itself(function, names))(*kink.args)
    for gradient, chosen in zip(gradients, kink.gradients, strict=True):
        np.testing.assert_array_equal(gradient, 1 + chosen)


@pytest.mark.parametrize("zeros", ["np.zeros_like(x)", "np.zeros(3)", "np.full(3, 0.0)"])
def test_relu_of_an_array_of_zeros(define, zeros):
    """An array that is filled with zeros is a constant, as the number is."""
    for call in (f"np.maximum(x, {zeros})", f"np.maximum({zeros}, x)", f"-np.minimum(-x, {zeros})"):
        f = define(f"def f(x):\n    return np.sum({call})\n")
        np.testing.assert_array_equal(grad(f)(np.array([0.0, 1.0, -1.0])).x, [0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    "call",
    ["x.clip(0)", "x.clip(min=0)", "x.clip(0, None)", "np.clip(x, 0, None)", "np.clip(x, min=0, max=None)"]
    + ["x.clip(max=2, min=0)", "np.clip(x, a_max=2, a_min=0)", "x.clip(0.0, out=np.ones(3))"],
)
def test_bounds_of_clip_under_all_their_names(define, call):
    f = define(f"def f(x):\n    return np.sum({call})\n")
    x = np.array([0.0, 1.0, -1.0])
    value, gradients = value_and_grad(f)(x)
    assert value == f(x)
    np.testing.assert_array_equal(gradients.x, [1.0, 1.0, 0.0])
