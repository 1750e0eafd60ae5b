"""Functions of SciPy beside `scipy.special` in programs as people write them: their gradients, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import emit, grad, value_and_grad
from flatgrad.errors import FlatgradError
from flatgrad.sampled import slopes

linalg = pytest.importorskip("scipy.linalg")
stats = pytest.importorskip("scipy.stats")
HEAD = "import numpy as np\nfrom scipy import fft, integrate, linalg, signal, stats\nfrom scipy.stats import norm\n\n\n"

SQUARE = np.array([[0.7, -1.2, 0.4], [0.3, 1.9, -0.6], [1.1, 0.2, -1.4]])
SYMMETRIC = SQUARE @ SQUARE.T + np.eye(3)
TALL = np.array([[0.4, -1.1], [1.3, 0.6], [-0.2, 0.9], [0.8, 0.5]])
LINE = np.array([0.3, -1.2, 0.8])


PROGRAMS = {
    "a Gaussian process by a factor": (
        "c = linalg.cho_factor(x)\n"
        "b = np.arange(3.0)\n"
        "return b @ linalg.cho_solve(c, b) / 2 + np.sum(np.log(np.diag(c[0])))",
        SYMMETRIC,
    ),
    "a Gaussian process by triangles": (
        "c = linalg.cholesky(x, lower=True)\n"
        "z = linalg.solve_triangular(c, np.arange(3.0), lower=True)\n"
        "return z @ z / 2 + np.sum(np.log(np.diag(c)))",
        SYMMETRIC,
    ),
    "a factor of the lower side by its name": (
        "c, low = linalg.cho_factor(x, lower=True)\nreturn np.sum(linalg.cho_solve((c, low), np.ones(3)))",
        SYMMETRIC,
    ),
    "steps of a Markov chain": (
        "p = np.array([0.2, 0.3, 0.5])\nfor k in range(3):\n    p = linalg.expm(0.1 * x) @ p\nreturn p[0]",
        SQUARE,
    ),
    "steps of the QR algorithm": (
        "for k in range(3):\n    q, r = linalg.qr(x)\n    x = r @ q\nreturn np.sum(np.diag(x) ** 2)",
        SYMMETRIC,
    ),
    "a triangle of R": ("return linalg.qr(x, mode='r')[0][0, 1]", SQUARE),
    "least squares": ("return np.sum(linalg.lstsq(x, np.arange(4.0))[0] ** 3)", TALL),
    "the squares that are left": ("return linalg.lstsq(x, np.arange(4.0))[1]", TALL),
    "blocks": ("return np.sum(linalg.block_diag(x, x[0], 2.0) ** 3)", TALL),
    "a circulant matrix": ("return np.sum(linalg.circulant(x) @ np.arange(3.0) ** 2)", LINE),
    "one of two branches": (
        "if x[0] > 0:\n    y = norm.logpdf(x, 0.5, 2.0)\nelse:\n    y = stats.laplace.logpdf(x)\nreturn np.sum(y)",
        LINE,
    ),
    "a location by name only": ("return np.sum(norm.logsf(0.5, scale=np.exp(x)))", LINE),
    "lists of numbers": ("return stats.multivariate_normal.logpdf(x[:2], [0.5, 0], [[2.0, 0.5], [0.5, 1.0]])", LINE),
    "lists of data": (
        "s = x[0]\nreturn stats.multivariate_normal.logpdf(x[1:], mean=[s, 0.0], cov=[[2.0, s], [s, 1.0]])",
        LINE,
    ),
    "a stack of vectors": (
        "return np.sum(stats.multivariate_normal.logpdf(x, x[0], x.T @ x + np.eye(2)))",
        TALL,
    ),
    "what is left of the shares": (
        "p = x**2 / 9\nreturn stats.dirichlet.logpdf(p[:2], np.array([1.5, 2.0, 0.5]))",
        LINE,
    ),
    "a mixture": ("w = norm.pdf(x, 0.3) + norm.pdf(x, scale=0.5)\nreturn np.sum(np.log(w))", LINE),
    "rates of counts": ("return np.sum(stats.poisson.logpmf(np.array([0, 3, 1]), np.exp(x)))", LINE),
    "areas": ("return integrate.cumulative_trapezoid(np.sin(x), dx=0.5, initial=0)[-1] ** 2", LINE),
    "an integral by Simpson's rule": ("return integrate.simpson(x**2, x=np.array([0.0, 0.4, 1.0]))", LINE),
    "a smoothed line": ("return np.sum(signal.convolve(x, [0.25, 0.5, 0.25], mode='same') ** 2)", LINE),
    "a kernel of planes": ("return np.sum(signal.convolve2d(np.outer(x, x), x[None], mode='valid') ** 2)", LINE),
    "spectra": ("return np.sum(np.abs(fft.rfft(x)) ** 3) + np.sum(fft.dct(x, norm='ortho')[1:] ** 3)", LINE),
}


@pytest.mark.parametrize(("body", "x"), PROGRAMS.values(), ids=PROGRAMS)
def test_program_has_the_gradient_of_central_differences(define, body, x):
    f = define(HEAD + "def f(x):\n" + "".join(f"    {line}\n" for line in body.split("\n")))
    for style in ("flat", "compact"):
        value, (gradient,) = value_and_grad(f, style=style)(x.copy())
        assert value == f(x)
        np.testing.assert_allclose(gradient, slopes(f, x), rtol=1e-6, atol=1e-7)


REFUSED = {
    "linalg.solve(x, y, overwrite_a=True)": "overwrite_a",
    "linalg.solve(x, y, assume_a='banded')": "assume_a='banded'",
    "linalg.eigh(x, b=np.eye(3))[0]": "`b`",
    "linalg.eigh(x, subset_by_index=[0, 1])[0]": "subset_by_index",
    "linalg.qr(x[:, :2])[0]": "mode='full'",
    "linalg.qr(x, pivoting=True)[1]": "pivoting",
    "linalg.lstsq(x, y, lapack_driver='gelsy')[0]": "gelsy",
    "linalg.expm_frechet(x, x)[1]": "compute_expm=False",
    "linalg.logm(x)": "logm",
    "linalg.solve(np.stack([x, x]), y)": "np.linalg.solve takes stacks",
    "stats.gamma.cdf(y**2, x[0])": "by `a`",
    "stats.norm.ppf(y)": "ppf",
    "stats.multivariate_normal.logpdf(y, cov=x, allow_singular=True)": "allow_singular=True",
    "integrate.simpson(y, x=x[0])": "by `x`",
    "signal.convolve2d(x, x, boundary='wrap')": "boundary='fill'",
    "signal.fftconvolve(x, x, axes=1)": "axes",
    "fft.dct(x, type=1)": "type=1",
    "fft.dct(x, n=2)": "`n`",
}


@pytest.mark.parametrize(("call", "words"), REFUSED.items())
def test_what_has_no_rule_is_refused_by_name(define, call, words):
    f = define(HEAD + f"def f(x, y):\n    return np.sum({call})\n")
    with pytest.raises(FlatgradError) as caught:
        emit(f, SYMMETRIC, LINE)
    assert words in str(caught.value)


HINTS = {
    "stats.norm(0.5, 2.0).logpdf(y)": ("`scipy.stats.norm` has no rule", "stats.norm.logpdf(x, loc, scale)"),
    "optimize.minimize(np.sum, y)": ("`scipy.optimize.minimize` has no rule", "jac=True"),
    "interpolate.CubicSpline(y, y)(0.5)": ("`scipy.interpolate.CubicSpline`", "np.interp"),
    "sparse.csr_matrix(x)": ("`scipy.sparse.csr_matrix`", "toarray"),
}


@pytest.mark.parametrize(("call", "words"), HINTS.items())
def test_what_is_not_read_is_refused_with_a_hint(define, call, words):
    f = define(
        "import numpy as np\nfrom scipy import interpolate, optimize, sparse, stats\n\n\n"
        f"def f(x, y):\n    return np.sum({call})\n"
    )
    with pytest.raises(FlatgradError) as caught:
        emit(f, SYMMETRIC, LINE)
    for each in words:
        assert each in str(caught.value)


def test_the_side_of_a_factor_has_to_be_known(define):
    f = define(HEAD + "def f(c, low, b):\n    return np.sum(linalg.cho_solve((c, low), b))\n")
    triangle = np.linalg.cholesky(SYMMETRIC)
    by_c = grad(f, wrt="c")(triangle, True, LINE)
    np.testing.assert_allclose(by_c, slopes(lambda c: f(c, True, LINE), triangle), rtol=1e-6, atol=1e-7)


def test_a_root_that_is_not_real_is_not_differentiated(define):
    f = define(HEAD + "def f(x):\n    return np.sum(linalg.sqrtm(x))\n")
    with pytest.raises(np.linalg.LinAlgError, match="negative eigenvalues"):
        grad(f)(-np.eye(2))


def test_only_what_is_read_of_a_matrix_has_a_gradient(define):
    """The gradient of the triangle that SciPy does not read is added to that of the other one."""
    f = define(HEAD + "def f(x, b):\n    return np.sum(linalg.solve(x, b, assume_a='pos', lower=True))\n")
    by_x = grad(f, wrt="x")(SYMMETRIC, LINE)
    assert np.all(np.triu(by_x, k=1) == 0)
    whole = define(HEAD + "def f(x, b):\n    return np.sum(linalg.solve(x, b))\n")
    by_whole = grad(whole, wrt="x")(SYMMETRIC, LINE)
    np.testing.assert_allclose(by_x, np.tril(by_whole) + np.triu(by_whole, k=1).T)


def test_outside_of_the_support_all_gradients_are_zero(define):
    for name, shapes in {
        "gamma": "2.5, ",
        "beta": "1.5, 2.5, ",
        "lognorm": "0.5, ",
        "expon": "",
        "chi2": "3.0, ",
    }.items():
        for kind in ("logpdf", "pdf", "cdf", "sf", "logsf"):
            f = define(HEAD + f"def f(x, loc, scale):\n    return stats.{name}.{kind}(x, {shapes}loc, scale)\n")
            assert tuple(grad(f)(-0.5, 0.25, 1.5)) == (0, 0, 0), f"{name}.{kind}"


def test_tails_of_the_normal_distribution(define):
    """Where the distribution and its density are both too small for a float, their ratio is not."""
    f = define(HEAD + "def f(x):\n    return norm.logcdf(x)\n")
    # the asymptotic series: DLMF 7.12.1
    for x in (-1e3, -1e4, -1e8):
        assert grad(f)(x).x == pytest.approx(-x - 1 / x + 2 / x**3, rel=1e-12)
    g = define(HEAD + "def f(x):\n    return norm.logsf(x)\n")
    assert grad(g)(1e8).x == -grad(f)(-1e8).x


def test_a_float32_density_has_float32_gradients(define):
    f = define(HEAD + "def f(x, loc):\n    return np.sum(norm.logpdf(x, loc, 2.0))\n")
    by_x, by_loc = grad(f)(LINE.astype(np.float32), np.float32(0.5))
    assert by_x.dtype == by_loc.dtype == np.float32
