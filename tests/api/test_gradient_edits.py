"""Edits of gradients: what the user writes in the forward function is done to the gradient in the backward pass."""

import numpy as np
import pytest

from flatgrad import edit_gradient, flatgrad, insert_grad_of

MARKERS = {"edit_gradient": edit_gradient, "insert_grad_of": insert_grad_of}
STYLES = ("flat", "compact")
every_style = pytest.mark.parametrize("style", STYLES)


@every_style
def test_scale_in_a_loop(define, style):
    """An edit in a loop is made once for each turn."""
    text = """
    def f(x):
        for i in range(3):
            x = edit_gradient(2.0 * x, lambda grad: 10.0 * grad)
        return x
    """
    assert flatgrad(style=style)(define(text, **MARKERS)).value_and_grad(1.0) == (8.0, (8000.0,))


@every_style
def test_clip_in_a_branch(define, style):
    """An edit on one side of a branch is made where that side is taken."""
    text = """
    def f(x):
        y = x * x
        if np.sum(x) > 0.0:
            with insert_grad_of(y) as grad_y:
                grad_y = np.clip(grad_y, -0.5, 0.5)
        return np.sum(3.0 * y)
    """
    gradient = flatgrad(style=style)(define(text, **MARKERS)).grad
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(gradient(x).x, x)
    np.testing.assert_array_equal(gradient(-x).x, -6 * x)


@every_style
def test_edit_with_a_value_of_the_turn(define, style):
    """An edit sees the variables of the forward pass as they were in its turn."""
    text = """
    def f(x, c):
        for i in range(3):
            c = c + 1.0
            with insert_grad_of(x) as grad:
                grad = grad * c
        return x
    """
    gradients = flatgrad(style=style, wrt=("x",))(define(text, **MARKERS)).grad(0.5, 1.0)
    assert gradients.x == 2.0 * 3.0 * 4.0


@every_style
def test_edit_in_a_helper(define, style):
    """An edit in a helper is made at each call."""
    text = """
    def g(x):
        y = np.sin(x)
        with insert_grad_of(y) as grad:
            grad = 2.0 * grad
        return y * x
    def f(x):
        return g(x) + g(3.0 * x)
    """
    x = 0.4
    wanted = 2 * np.cos(x) * x + np.sin(x) + 3 * (2 * np.cos(3 * x) * 3 * x + np.sin(3 * x))
    np.testing.assert_allclose(flatgrad(style=style)(define(text, **MARKERS)).grad(x).x, wanted, rtol=1e-14)


@every_style
def test_print(define, style, capsys):
    """A gradient can be printed where it is known, from the last turn to the first."""
    text = """
    def f(x):
        for i in range(3):
            x = 2.0 * x
            with insert_grad_of(x) as grad:
                print("grad", grad)
        return x
    """
    assert flatgrad(style=style)(define(text, **MARKERS)).grad(1.0).x == 8.0
    assert capsys.readouterr().out.splitlines() == ["grad 1.0", "grad 2.0", "grad 4.0"]
