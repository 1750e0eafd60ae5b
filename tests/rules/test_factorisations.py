"""Factorisations in programs: results by name, what is written for the results that are used, and what is refused."""

import linecache
import warnings

import numpy as np
import pytest

from flatgrad.api import emit, value_and_grad
from flatgrad.decorator import flatgrad
from flatgrad.errors import UnsupportedError
from flatgrad.rules.spectra import grad_eigvalsh
from flatgrad.sampled import slopes

SQUARE = np.array([[0.7, -1.2, 0.4], [0.3, 1.9, -0.6], [1.1, 0.2, -1.4]])
SYMMETRIC = SQUARE @ SQUARE.T + np.eye(3)
TALL = np.array([[0.4, -1.1], [1.3, 0.6], [-0.2, 0.9], [0.8, 0.5]])


def defined(body, parameters="x"):
    """Return the function with this body, with its source where flatgrad looks for it."""
    text = f"def f({parameters}):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    filename = f"<factorisation {body}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope = {"np": np, "la": np.linalg}
    exec(compile(text, filename, "exec"), scope)
    return scope["f"]


PROGRAMS = {
    "attributes": ("r = la.svd(x, full_matrices=False)\nreturn np.sum(r.U**3 * r.S) + r.Vh[0, 0]", TALL),
    "an attribute of a call": ("return la.eigh(x).eigenvalues[-1] * la.qr(x).R[0, 0]", SYMMETRIC),
    "indices": ("r = la.slogdet(x)\nreturn r[1] * r[0] + len(r)", SQUARE),
    "a starred target": ("_, *rest = la.slogdet(x)\nreturn rest[0]", SQUARE),
    "a loop over the results": ("y = 0.0\nfor part in la.qr(x):\n    y += np.sum(part**3)\nreturn y", TALL),
    "results in a dict": ("d = {'e': la.eigh(x)}\nreturn d['e'].eigenvalues[0]", SYMMETRIC),
    "results of an inner function": ("def g(m):\n    return la.qr(m)\nreturn np.sum(g(x).Q ** 3)", TALL),
    "results of either side of a branch": (
        "if x[0, 0] > 0:\n    r = la.slogdet(x)\nelse:\n    r = la.slogdet(2 * x)\nreturn r.logabsdet",
        SQUARE,
    ),
    "steps of the QR algorithm": (
        "for k in range(3):\n    q, r = la.qr(x)\n    x = r @ q\nreturn np.sum(np.diag(x) ** 2)",
        SYMMETRIC,
    ),
    "a projection on a null space": (
        "n = la.svd(x).U[:, 2:]\np = n @ n.T\nreturn p[0, 1] + p[2, 2] ** 2",
        TALL,
    ),
    "the only vector of a null space": ("return np.sum(la.svd(x).Vh[-1] ** 3)", TALL.T[:, :3]),
    "a determinant of 0": ("return la.det(x * np.array([1.0, 1.0, 0.0]) + x[0, 0])", SQUARE),
    "columns that depend on one another": (
        "y = np.stack([x[:, 0], x[:, 1], x[:, 0] + x[:, 1]], axis=1)\nreturn np.sum(la.lstsq(y, x[:, 1])[0] ** 3)",
        TALL,
    ),
    "the squares that are left": ("return la.lstsq(x, np.arange(4.0))[1][0]", TALL),
    "a rank": ("return np.sum(x**2) * la.matrix_rank(x)", TALL),
}


@pytest.mark.parametrize(("body", "x"), PROGRAMS.values(), ids=PROGRAMS)
def test_program_has_the_gradient_of_central_differences(body, x):
    """Results are read by name, by place and in turn; what does not depend on a choice of LAPACK's has its gradient."""
    f = defined(body)
    for style in ("flat", "compact"):
        value, (gradient,) = value_and_grad(f, style=style)(x.copy())
        assert value == f(x)
        np.testing.assert_allclose(gradient, slopes(f, x), rtol=1e-6, atol=1e-7)


WRITTEN = {
    "eigenvalues alone": ("return np.sum(la.eigh(x)[0] ** 3)", "np.eye"),
    "singular values alone": ("return np.sum(la.svd(x, full_matrices=False).S ** 3)", "np.eye"),
    "the sign of a determinant": ("return la.slogdet(x)[0] * x[0, 0]", "inv"),
    "squares alone": ("return np.sum(la.lstsq(x, x[:, 0])[1])", "pinv"),
    "Q alone of a square matrix": ("return np.sum(la.qr(x @ x).Q ** 3)", "grad_t1"),
}


@pytest.mark.parametrize(("body", "part"), WRITTEN.values(), ids=WRITTEN)
def test_what_no_gradient_reaches_is_not_written(body, part):
    """No code for the gradients of results that are not used."""
    assert part not in str(emit(defined(body), SYMMETRIC, style="compact"))


def test_equal_eigenvalues_have_a_sum():
    """The gradient of a symmetric function of eigenvalues is finite and right where they are equal."""
    whole = grad_eigvalsh(np.eye(3), np.ones(3), 3 * np.ones(3))
    np.testing.assert_allclose(whole, 3 * np.eye(3), atol=1e-15)


def test_vectors_of_equal_eigenvalues_give_nan():
    """A matrix function that is made of them has another gradient than what is left without the turns: nan says so."""
    f = defined("w, v = la.eigh(x)\nreturn np.sum((v * np.log(w)) @ v.T * np.array([[1.0, 2.0], [2.0, 3.0]]))")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        _, (gradient,) = value_and_grad(f)(np.eye(2))
    assert np.isnan(gradient[1, 0])


TURNING = np.array([[0.0, 1.0], [-1.0, 0.5]])


@pytest.mark.parametrize("body", ["return np.sum(la.eigvals(x) ** 2)", "return np.sum(la.eig(x).eigenvectors ** 3)"])
def test_complex_eigenvalues_are_an_error(body):
    """A matrix that turns vectors has no real eigenvalues: no number comes out."""
    f = value_and_grad(defined(body))
    f(np.diag([1.0, 2.0]))
    with pytest.raises(np.linalg.LinAlgError, match="complex eigenvalues are not differentiated"):
        f(TURNING)


def test_vector_of_a_null_space_of_two_dimensions_is_an_error():
    """Which of them LAPACK returns is its own choice, and has no derivative."""
    f = value_and_grad(defined("return np.sum(la.svd(x).U[:, 3] ** 3)"))
    f(TALL[:, [0, 1, 0]] + np.arange(12.0).reshape(4, 3) ** 2)
    with pytest.raises(np.linalg.LinAlgError, match="depends on which basis of a null space"):
        f(TALL)


@pytest.mark.parametrize(
    "call", ["la.slogdet(x)[1]", "la.inv(x)[0, 0]", "la.solve(x, x[0])[0]", "np.sum(la.qr(x).Q ** 3)"]
)
def test_singular_matrix_is_an_error(call):
    """There is no gradient to give, and NumPy says why."""
    f = value_and_grad(defined(f"return {call}"))
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"), np.errstate(all="ignore"):
        f(np.zeros((2, 2)))


REFUSED = {
    "hermitian": ("return np.sum(la.svd(x, hermitian=True)[1])", "without the argument `hermitian`"),
    "all columns of Q": ("return np.sum(la.qr(x, mode='complete')[0])", "not with mode='complete'"),
    "reflectors": ("return np.sum(la.qr(x, mode='raw')[0])", "not with mode='raw'"),
    "no such result": ("return la.svd(x).V[0, 0]", "a tuple has no `V`"),
    "a norm of vectors only": ("return la.norm(x, 0.5)", "ord=0.5 of a matrix is not a norm"),
    "a norm of matrices only": ("return np.sum(la.norm(x, 'nuc', axis=0))", "ord='nuc' of a vector is not a norm"),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_rule_is_refused(body, message):
    """An option without a rule is an error that names it."""
    with pytest.raises(UnsupportedError, match=message):
        value_and_grad(defined(body))(SYMMETRIC)


def test_shapes_may_be_symbols():
    """Code for any number of rows and columns; a wide matrix runs through the same code as a tall one."""
    f = flatgrad(defined("q, r = la.qr(x)\nu, s, vh = la.svd(x)\nreturn np.sum(q**3) + np.sum(r**2) + u[0, 0] * s[0]"))
    for x in (TALL[:3], TALL[:3].T):
        _, (gradient,) = f.value_and_grad(x)
        np.testing.assert_allclose(gradient, slopes(f, x), rtol=1e-6, atol=1e-7)
