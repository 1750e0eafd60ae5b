"""Operations without a gradient: what goes through them has the gradient 0, at steps and between them."""

import linecache

import numpy as np
import pytest

import flatgrad.rules  # noqa: F401 - declares the operations
from flatgrad.api import grad
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
