"""Programs that join, split, pad and repeat arrays in the ways that people write it: values and gradients, and how these read."""

import linecache

import numpy as np
import pytest

from flatgrad.api import emit, value_and_grad
from flatgrad.errors import FlatgradError

MATRIX = np.array([[0.7, -1.2, 0.4], [0.3, 1.9, -0.6]])
VECTOR = np.array([0.4, -0.9, 1.3, 0.6])


def defined(body, parameters="x, y"):
    """Return the function with this body, with its source where flatgrad looks for it."""
    text = f"def f({parameters}):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    filename = f"<program {parameters} {body}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope = {"np": np}
    exec(compile(text, filename, "exec"), scope)
    return scope["f"]


def by_differences(f, arguments, name):
    centre = np.asarray(arguments[name])
    gradient = np.zeros(centre.shape)
    for place in np.ndindex(centre.shape):
        sides = []
        for step in (1e-6, -1e-6):
            moved = centre.copy()
            moved[place] += step
            sides.append(f(**{**arguments, name: moved if centre.shape else float(moved)}))
        gradient[place] = (sides[0] - sides[1]) / 2e-6
    return gradient


GROWN = "rows = []\nfor row in x:\n    rows.append(row**2)\nreturn np.sum(np.{}(rows) * y)"
PROGRAMS = {
    "an element of a row put along its axis": (
        "z = x[0].copy()\nnp.put_along_axis(z, np.argmax(z, keepdims=True), 0.25, axis=-1)\nreturn np.sum(z * y[0])",
        MATRIX,
        MATRIX + 1,
    ),
    "an index of one part": (
        "z = x.copy()\nk = np.array([1, 0, 1])\nz[(k,)] = x[k] * y[0]\nreturn np.sum(z * y)",
        MATRIX,
        MATRIX + 1,
    ),
    "an index that has a name": (
        "part = np.s_[:, 1:]\nreturn np.sum(x[part] * y[np.index_exp[:, :2]])",
        MATRIX,
        MATRIX + 1,
    ),
    "columns that a slice takes out": (
        "return np.sum(np.delete(x, np.s_[1:2], axis=1) * y[:, 1:])",
        MATRIX,
        MATRIX + 1,
    ),
    "a list of one value at a mask": (
        "z = x.copy()\nnp.place(z, x > 0.5, [0.25])\nreturn np.sum(z * y)",
        MATRIX,
        MATRIX + 1,
    ),
    "the shape of a number": ("z = np.sum(x)\nreturn np.sum(z.reshape(z.shape).T * y)", MATRIX, MATRIX + 1),
    "rows of a list that grows, below one another": (GROWN.format("vstack"), MATRIX, MATRIX + 1),
    "rows of a list that grows, behind one another": (GROWN.format("hstack"), MATRIX, np.arange(6.0)),
    "rows of a list that grows, as columns": (GROWN.format("column_stack"), MATRIX, MATRIX.T + 1),
    "rows of a list that grows, in depth": (GROWN.format("dstack"), MATRIX, MATRIX.T + 1),
    "r_ of arrays and numbers": ("return np.sum(np.r_[x, 1.0, y[0], y] ** 2)", VECTOR, VECTOR + 1),
    "r_ of matrices": ("return np.sum(np.r_[x, y] ** 2)", MATRIX, MATRIX + 1),
    "r_ of one array": ("return np.sum(np.r_[x] ** 2) * y", VECTOR, 0.5),
    "r_ with a range": ("return np.sum(np.r_[0 : len(x), x] ** 2) * y", VECTOR, 0.5),
    "r_ with numbers between data": ("return np.sum(np.r_[0:y:4j] * x)", VECTOR, 0.5),
    "c_ of vectors": ("return np.sum(np.c_[x, y, np.ones(len(x))] ** 2)", VECTOR, VECTOR + 1),
    "c_ of a vector and a matrix": ("return np.sum(np.c_[x[0], y.T] ** 2)", MATRIX, MATRIX + 1),
    "a dense grid": ("a, b = np.mgrid[0:2, 0:1:3j]\nreturn np.sum(a * x + b * y**2)", MATRIX, MATRIX + 1),
    "an open grid": ("n, m = x.shape\na, b = np.ogrid[0:n, 1:m+1]\nreturn np.sum(x * a**b) * y", MATRIX, 0.5),
    "columns before rows": ("return np.sum(x.reshape(3, 2, order='F') * y.T)", MATRIX, MATRIX + 1),
    "an array that lies by columns": ("return np.sum(x.T.ravel(order='K') * y.ravel(order='F'))", MATRIX, MATRIX + 1),
    "padding up to a length": ("return np.sum(np.pad(x, (0, len(y) - len(x))) * y)", VECTOR, np.arange(6.0)),
    "padding by a length": ("k = len(y) - 1\nreturn np.sum(np.pad(x, k) ** 2) * np.sum(y)", VECTOR, VECTOR[:2]),
    "padding of some axes": ("return np.sum(np.pad(x, {1: (1, 2)}, mode='wrap') ** 2) * y", MATRIX, 0.5),
    "one element left out in each turn": (
        "total = y\nfor k in range(len(x)):\n    total = total + np.prod(np.delete(x, k))\nreturn total",
        VECTOR,
        0.5,
    ),
    "times that a step counts": ("t = np.arange(0.0, 1.9, y)\nreturn np.sum(np.sin(t)) * x[0]", VECTOR, 0.5),
    "a step without a start": ("return np.sum(np.arange(1.9, step=y) ** 2) * x[0]", VECTOR, 0.5),
    "as many steps as elements": ("return np.sum(np.linspace(0.0, y, len(x)) * x)", VECTOR, 0.5),
    "a copy that asarray makes": (
        "z = np.asarray(x, copy=True)\nz[0] = 3.0 * x[1]\nreturn np.sum(z * y)",
        VECTOR,
        VECTOR,
    ),
    "the array itself": (
        "z = x * 2\nw = z.astype(np.float64, copy=False)\nw[0] = x[1] ** 2\nreturn np.sum(z * y)",
        VECTOR,
        VECTOR,
    ),
    "each of several arrays": ("a, b = np.atleast_2d(x, y)\nreturn np.sum(a * b)", VECTOR, 0.5),
    "numbers told from arrays": ("y = np.array([y]) if np.isscalar(y) else y\nreturn np.sum(x * y)", VECTOR, 0.5),
    "a dtype that fits both": ("return np.sum(np.zeros(4, np.result_type(x, y)) + x * y)", VECTOR, 0.5),
    "a diagonal is written by its indices": (
        "z = x.T @ x\nz[np.diag_indices_from(z)] *= y\nreturn np.sum(z[np.tril_indices_from(z)] ** 2)",
        MATRIX,
        0.5,
    ),
}


@pytest.mark.parametrize(("body", "x", "y"), PROGRAMS.values(), ids=PROGRAMS)
def test_program_has_the_gradient_of_central_differences(body, x, y):
    """The forward value is the program's own, and the gradient its derivative, in both styles."""
    f = defined(body)
    for style in ("flat", "compact"):
        value, gradients = value_and_grad(f, wrt=("x", "y"), style=style)(x.copy(), np.copy(y) if np.ndim(y) else y)
        assert value == f(x, y)
        for name, gradient in zip("xy", gradients, strict=True):
            expected = by_differences(f, {"x": x, "y": y}, name)
            np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7, err_msg=name)


WRITTEN = {
    "a border": ("return np.sum(np.pad(x, ((1, 1), (0, 2))) ** 2)", "[1:-1, :-2]"),
    "a row behind others": (
        "return np.sum(np.delete(x, 1, axis=0) ** 2)",
        "np.insert(2 * grad_out * t0, 1, 0.0, axis=0)",
    ),
    "blocks": ("return np.sum(np.block([[x, x], [x, 2 * x]]) ** 2)", "[len(x) :, x.shape[1] :]"),
    "copies of a row": ("return np.sum(np.tile(x[0], (3, 1)) ** 2)", "np.sum(2 * grad_out * t0, axis=0)"),
    "brackets": ("return np.sum(np.r_[x, x] ** 2) + np.sum(np.mgrid[0:1:2j])", "np.r_[x, x]"),
    "an imaginary step": ("return np.sum(x * np.mgrid[0:1:3j])", "np.mgrid[0:1:3j]"),
    "options of a method": ("return np.sum(x.reshape(3, 2, order='F') ** 2)", 'x.reshape(3, 2, order="F")'),
    "names": ("return np.sum(np.concatenate([y[0] * 2, x[0, :2]]) ** 2)", "np.concatenate([y[0] * 2, x[0, :2]])"),
}


@pytest.mark.parametrize(("body", "part"), WRITTEN.values(), ids=WRITTEN)
def test_gradient_reads_as_expected(body, part):
    """The emitted code is what a person would write, and a rule's own names do not get into it."""
    assert part in str(emit(defined(body), MATRIX, MATRIX + 1, wrt="x", style="compact"))


REFUSED = {
    "a border that ends at an element": (
        "return np.sum(np.pad(x, 1, mode='linear_ramp', end_values=(y[0, 0], 2.0)))",
        "`end_values` has to be known when the code is written",
    ),
    "a column that np.putmask repeats in a row": (
        "z = x.copy()\nnp.putmask(z, x > 0.5, y[:, :1])\nreturn np.sum(z)",
        "np.putmask repeats values of another shape",
    ),
    "a border without values": ("return np.sum(np.pad(x, 1, mode='empty'))", "mode='empty' has no rule"),
    "an option of another mode": ("return np.sum(np.pad(x, 1, mode='edge', stat_length=2))", "takes no stat_length"),
    "an array of widths": ("return np.sum(np.pad(x, y))", "has to be a number or a tuple"),
    "an order in memory": (
        "return np.sum(x.reshape(6, order='A'))",
        "order='A' depends on how the array lies in memory",
    ),
    "a shape changed in place": ("z = x * 1\nz.resize(6)\nreturn np.sum(z)", "make a new one: np.resize"),
    "a directive": ("return np.sum(np.r_['-1', x, x])", "the directive '-1'"),
    "a grid between data": ("return np.sum(np.mgrid[0 : y[0, 0] : 3j])", "use np.linspace and np.meshgrid"),
    "a function for each element": ("return np.sum(np.vectorize(abs)(x))", "write the loop"),
    "a function for each row": ("return np.sum(np.apply_along_axis(np.sum, 1, x))", "write the loop"),
    "the second of several parts": (
        "z = x * 1\na, b = np.vsplit(z, 2)\nb[0] = 1.0\nreturn np.sum(z)",
        "whether this is the array that is changed",
    ),
    "two views of one array": (
        "z = x * 1\na, b = np.atleast_1d(z, z)\nb[0] = 1.0\nreturn np.sum(a)",
        "whether this is the array that is changed",
    ),
    "one of several views": (
        "a, b = np.atleast_1d(x[0], y[0])\nz = x * 1\nc, d = np.atleast_1d(z, y)\nc[0] = 1.0\nreturn np.sum(z)",
        "whether this is the array that is changed",
    ),
    "a view in another order": (
        "z = x * 1\nw = z.reshape(3, 2, order='F')\nw[0] = 1.0\nreturn np.sum(z)",
        "whether this is the array that is changed",
    ),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_read_is_refused(body, message):
    """What has no rule is an error that says so, and what to write instead."""
    with pytest.raises(FlatgradError) as caught:
        value_and_grad(defined(body), wrt="x")(MATRIX, MATRIX + 1)
    assert message in str(caught.value)
