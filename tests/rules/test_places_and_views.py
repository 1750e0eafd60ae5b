"""Diagonals, triangles and reversed arrays in programs that write into arrays, and how their gradients read."""

import linecache

import numpy as np
import pytest

from flatgrad.api import emit, value_and_grad
from flatgrad.errors import UnsupportedError
from flatgrad.sampled import slopes

SQUARE = np.array([[0.7, -1.2, 0.4], [0.3, 1.9, -0.6], [1.1, 0.2, -1.4]])
VECTOR = np.array([0.4, -0.9, 1.3])


def defined(body, parameters="x"):
    """Return the function with this body, with its source where flatgrad looks for it."""
    text = f"def f({parameters}):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    filename = f"<program {body}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope = {"np": np}
    exec(compile(text, filename, "exec"), scope)
    return scope["f"]


PROGRAMS = {
    "a reversed view is written to": ("y = x.copy()\nnp.flip(y, axis=0)[0] = x[1] ** 2\nreturn np.sum(y * x)", SQUARE),
    "all axes are reversed": ("y = x.copy()\nnp.flip(y)[0] = x[1] ** 2\nreturn np.sum(y * x)", SQUARE),
    "columns in reverse": ("y = x.copy()\nnp.fliplr(y)[:, 0] = x[:, 1] ** 2\nreturn np.sum(y * x)", SQUARE),
    "rows in reverse": ("y = x.copy()\nnp.flipud(y)[0, 1] = x[2, 2] ** 2\nreturn np.sum(y * x)", SQUARE),
    "a turned view": ("y = x.copy()\nr = np.rot90(y)\nr[0, 1] = x[0, 0] * x[1, 1]\nreturn np.sum(y * x)", SQUARE),
    "two turns": ("y = x.copy()\nnp.rot90(y, 2)[0, 1] = x[0, 0] * x[1, 1]\nreturn np.sum(y * x)", SQUARE),
    "the array behind a diagonal changes": (
        "y = x.copy()\nd = np.diagonal(y)\ny[0, 0] = 5.0 * x[0, 1]\nreturn np.sum(d * d) + np.sum(np.diag(y) ** 3)",
        SQUARE,
    ),
    "a matrix made of a diagonal is the program's own": (
        "D = np.diag(x)\nD[0, 1] = x[0] * x[1]\nreturn np.sum(D @ D)",
        VECTOR,
    ),
    "a triangle is filled": (
        "n = 2\nL = np.zeros((n, n))\nL[np.tril_indices(n)] = x\nreturn np.sum((L @ L.T) ** 2)",
        VECTOR,
    ),
    "what einsum makes of several arrays is the program's own": (
        "y = np.einsum('ij,jk->ik', x, x)\ny[0] = x[1] ** 2\nreturn np.sum(y * x)",
        SQUARE,
    ),
    "sums of einsum are the program's own": (
        "y = np.einsum('ij->j', x)\ny[0] = x[1, 1] ** 2\nreturn np.sum(y * x)",
        SQUARE,
    ),
    "sorted in place": ("y = x.copy()\ny.sort()\nreturn np.sum(y * np.arange(len(y)))", VECTOR),
    "parted in place": ("y = x.copy()\ny.partition(1)\nreturn np.sum(y[:2] * np.array([1.0, 2.0]))", VECTOR),
    "written along an axis": (
        "y = x.copy()\nnp.put_along_axis(y, np.argsort(x, axis=1)[:, :1], x[:, 1:2] ** 2, axis=1)\nreturn np.sum(y * x)",
        SQUARE,
    ),
    "written along the first axis": (
        "y = x.copy()\nnp.put_along_axis(y, np.argmax(x, axis=0, keepdims=True), 2.0 * x[:1], 0)\nreturn np.sum(y * x)",
        SQUARE,
    ),
    "written along no axis": (
        "y = x.copy()\nnp.put_along_axis(y, np.array([1, 5]), x[0, :2] ** 2, None)\nreturn np.sum(y * x)",
        SQUARE,
    ),
    "pieces": (
        "return np.sum(np.piecewise(x, [x < -0.5, x > 1], [lambda v: v**2, np.exp, 3.0]) * x)",
        SQUARE,
    ),
    "pieces with a function for the rest": (
        "def f(v, k):\n    return k * np.sin(v)\nreturn np.sum(np.piecewise(x, [x < 0], [lambda v, k: k * v**2, f], k=x[0]))",
        VECTOR,
    ),
    "one condition by itself": ("return np.sum(np.piecewise(x, x < 0, [np.square, 0.0]) * x)", VECTOR),
    "places of what holds": ("i, j = np.where(x > 0)\nreturn np.sum(x[i, j] ** 2 * x[j, i])", SQUARE),
    "places along the only axis": ("(i,) = np.where(x > 0)\nreturn np.sum(x[i] ** 2) / len(i)", VECTOR),
    "places along the first axis": ("return np.sum(x[np.nonzero(x[:, 0] > 0)[0]] ** 2)", SQUARE),
    "the only part": ("return np.sum(np.split(x, 1)[0] ** 2)", VECTOR),
    "inputs by their names, in another order": (
        "return np.percentile(q=30.0, a=x) * np.sum(np.take(indices=[0, 2], a=x))",
        VECTOR,
    ),
    "zeros at both ends": (
        "y = np.trim_zeros(np.concatenate((np.zeros(2), x, [0.0])))\nreturn np.sum(y * y[::-1])",
        VECTOR,
    ),
    "zeros in front": ("return np.sum(np.trim_zeros(np.maximum(x, 0), 'f') ** 2)", VECTOR),
    "places in a row": ("return np.sum(x[np.flatnonzero(x > 0)] ** 2)", VECTOR),
    "several at once": ("return np.sum(x[np.ix_([0, 2], [2, 1])] ** 2)", SQUARE),
    "the place of the greatest": ("i, j = np.unravel_index(np.argmax(x), x.shape)\nreturn x[i, j] ** 2", SQUARE),
    "values and how often they come up": (
        "values, counts = np.unique(x, return_counts=True)\nreturn np.sum(values**2 * counts)",
        VECTOR,
    ),
    "kept columns": ("return np.sum(x.compress(x[0] > 0, axis=1) ** 2)", SQUARE),
    "windows as long as another array": (
        "from numpy.lib.stride_tricks import sliding_window_view\nreturn np.sum((sliding_window_view(x, len(x[1:])) @ x[1:]) ** 2)",
        VECTOR,
    ),
    "steps that a loop counts": ("return sum([np.sum(np.roll(x, k) * x) for k in range(1, 3)])", VECTOR),
}


@pytest.mark.parametrize(("body", "x"), PROGRAMS.values(), ids=PROGRAMS)
def test_program_has_the_gradient_of_central_differences(body, x):
    """What a view shows and what is written through it is known also where the order of the elements changes."""
    f = defined(body)
    for style in ("flat", "compact"):
        value, (gradient,) = value_and_grad(f, style=style)(x.copy())
        assert value == f(x)
        np.testing.assert_allclose(gradient, slopes(f, x), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("call", ["np.diagonal(y)", "np.diag(y)", "y.diagonal()"])
def test_diagonal_of_a_matrix_can_not_be_written_to(call):
    """NumPy makes it read-only: the program fails, and so does flatgrad, at the same place."""
    f = defined(f"y = x.copy()\nd = {call}\nd[0] = 1.0\nreturn np.sum(y)")
    with pytest.raises(ValueError, match="read-only"):
        f(SQUARE)
    with pytest.raises(UnsupportedError, match="a view that NumPy does not let a program change"):
        value_and_grad(f)(SQUARE)


def test_gradients_can_be_changed_by_who_gets_them():
    """The gradient of np.diag(vector) is picked from a diagonal, and is no read-only view of it."""
    _, (gradient,) = value_and_grad(defined("return np.sum(np.diag(x) ** 2)"))(VECTOR)
    assert gradient.flags.writeable
    gradient *= 0.5


WRITTEN = {
    "a triangle's places are distinct": ("return np.sum(x[np.triu_indices(3)] ** 2)", "grad_x[t0, t1] = 2 * grad_out"),
    "an order's places are distinct": ("v = x[0]\nreturn np.sum(v[np.argsort(v)] ** 2)", "[t0] = 2 * grad_out"),
    "a square matrix": ("return np.sum(np.diag(x @ x) ** 2)", "np.diag(2 * grad_out * t"),
    "arguments stay as they are written": (
        "return np.sum(np.average(x, axis=0, weights=x) ** 2)",
        "np.average(x, axis=0, weights=x)",
    ),
    "an order along an axis": (
        "return np.sum(np.take_along_axis(x, np.argsort(x, axis=0), axis=0)[0] ** 2)",
        "grad_x = scattered(",
    ),
    "an open mesh": ("return np.sum(x[np.ix_([0, 2], [2, 1])] ** 2)", "grad_x[t0, t1] = 2 * grad_out * t2"),
    "a quantile": ("return np.quantile(x[0], 0.3)", "+= grad_out * fraction"),
    "a taken element": ("return np.sum(np.take(x[0], [0, 2]) ** 2)", "[[0, 2]] = 2 * grad_out * t"),
    "differences": ("return np.sum(np.diff(x, axis=0) ** 2)", "[:-1] -= grad_t0"),
    "running sums": ("return np.sum(np.cumsum(x, axis=0) ** 2)", "np.cumsum((2 * grad_out * t0)[::-1], axis=0)[::-1]"),
}


@pytest.mark.parametrize(("body", "part"), WRITTEN.values(), ids=WRITTEN)
def test_gradient_reads_as_expected(body, part):
    """The emitted code is what a person would write: assignments where places are distinct, np.diag where it fits."""
    text = str(emit(defined(body), SQUARE, style="compact"))
    assert part in text
    assert "add.at" not in text


REFUSED = {
    "ends of a border that are data": (
        "k = int(x[0, 0])\nreturn np.sum(np.pad(x, 1, mode='linear_ramp', end_values=(k, 2)))",
        "end_values that are data",
    ),
    "an unknown norm": ("return np.linalg.norm(x, 3)", "ord=3 of a matrix"),
    "a diagonal that einsum lets a program write into": (
        "y = x.copy()\nnp.einsum('ii->i', y)[:] = 0\nreturn np.sum(y * x)",
        "whether this is the array that is changed",
    ),
    "a transposed matrix of einsum": (
        "y = x.copy()\nt = np.einsum('ij->ji', y)\ny[0] = 0\nreturn np.sum(t * x)",
        "whether this is the array that is changed",
    ),
    "a method of quantiles": ("return np.quantile(x, 0.5, method='best')", "method='best'; known are linear"),
    "weights of quantiles": (
        "return np.quantile(x, 0.5, weights=np.abs(x), method='inverted_cdf')",
        "without the argument `weights`",
    ),
    "rows without repetition": ("return np.sum(np.unique(x, axis=0))", "np.unique along an axis has no rule"),
    "sets of real numbers": ("return np.sum(np.setdiff1d(x, 1.0))", "sets of real numbers are not differentiated"),
    "pieces of a number": ("return np.piecewise(x[0, 0], [True], [1.0])", "np.piecewise is read for arrays"),
    "too many pieces": ("return np.piecewise(x, [x < 0], [1.0, 2.0, 3.0])", "got 1 conditions and 3 functions"),
    "a write into windows": (
        "y = x[0].copy()\nv = np.lib.stride_tricks.sliding_window_view(y, 2)\nv[0] = 1.0\nreturn np.sum(y)",
        "a view that NumPy does not let a program change",
    ),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_rule_is_refused(body, message):
    """An option without a rule is an error that says so."""
    with pytest.raises(UnsupportedError, match=message):
        value_and_grad(defined(body))(SQUARE)
