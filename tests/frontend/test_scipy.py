"""Functions of SciPy: however they are imported, they are found, written in one way, and loaded when they are needed."""

import ast
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from flatgrad import flatgrad
from flatgrad.api import emit, grad
from flatgrad.cli import main
from flatgrad.errors import FlatgradError
from flatgrad.frontend.known_functions import is_pure
from flatgrad.frontend.source import NameUnknown, Source
from flatgrad.frontend.static_names import StaticNames
from flatgrad.registry import Sample, lookup, real, rule
from flatgrad.rules.shapes import same

special = pytest.importorskip("scipy.special")
stats = pytest.importorskip("scipy.stats")

SPELLINGS = {
    "import scipy": "scipy.special.expit(x)",
    "import scipy.special": "scipy.special.expit(x)",
    "import scipy.special as sc": "sc.expit(x)",
    "from scipy import special": "special.expit(x)",
    "from scipy import special as sp": "sp.expit(x)",
    "from scipy.special import expit": "expit(x)",
    "from scipy.special import expit as sigmoid": "sigmoid(x)",
}


def written(define, line, call):
    """Return a function that makes a call, its file's import, and the code that is written for it."""
    scope = {}
    exec(line, scope)
    return define(f"def f(x):\n    return {call}\n", **scope)


@pytest.mark.parametrize(("line", "call"), SPELLINGS.items())
def test_each_way_to_import_a_function_gives_the_same_code(define, line, call):
    f = written(define, line, call)
    x = np.array([0.3, -1.2])
    text = str(emit(f, x))
    assert "\nimport numpy as np\nfrom scipy import special\n" in text or "\nfrom scipy import special\n" in text
    assert "out = special.expit(x)" in text
    assert "grad_x = grad_out * out * special.expit(-x)" in text
    y, pullback = flatgrad(f).vjp(x)
    np.testing.assert_array_equal(y, special.expit(x))


@pytest.mark.parametrize(("line", "call"), SPELLINGS.items())
def test_a_file_that_is_not_run_gives_the_same_code(tmp_path, monkeypatch, capsys, line, call):
    """`flatgrad emit` looks names up in the file's text; the code is the same for all spellings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(f"{line}\n\n\ndef f(x: float):\n    return {call}\n")
    assert main(["emit", "model.py"]) == 0
    text = capsys.readouterr().out
    assert "from scipy import special" in text and "out = special.expit(x)" in text


def test_an_import_inside_of_the_function_is_followed(define):
    f = define("def f(x):\n    from scipy.special import erf\n\n    return erf(x)\n")
    assert grad(f)(0.0).x == pytest.approx(2 / np.sqrt(np.pi))


def test_names_of_the_user_are_left_alone(define):
    """A variable that is called like SciPy's module keeps its name."""
    f = define("def f(special, gamma):\n    return sc.expit(special) * gamma\n", sc=special)
    text = str(emit(f, 0.5, 1.5))
    assert "from scipy import special as special_" in text
    ast.parse(text)
    assert grad(f)(0.5, 1.5).gamma == special.expit(0.5)


def test_an_unknown_function_is_named_at_its_place(define):
    f = define("def f(x):\n    return sc.ellipk(x)\n", sc=special)
    with pytest.raises(FlatgradError, match=r":7:12: `scipy.special.ellipk` of data can't be differentiated") as error:
        grad(f)(0.5)
    assert "hint: flatgrad.rule declares" in str(error.value)
    f = define("def f(x):\n    return sc.stirling2(x, 2)\n", sc=special)
    with pytest.raises(FlatgradError, match=r":7:12: `scipy.special.stirling2` has no rule"):
        grad(f)(0.5)


def test_functions_of_scipy_are_not_read(define):
    """What is written in Python there is an operation, or an error: its source is no business of ours."""
    f = define("def f(x):\n    return np.sum(st.zscore(x))\n", st=stats)
    with pytest.raises(FlatgradError, match="`scipy.stats.zscore` has no rule"):
        grad(f)(np.array([1.0, 2.0, 4.0]))
    f = define("def f(x):\n    return rv.logpdf(x)\n", rv=stats.norm(0.0, 1.0))
    with pytest.raises(FlatgradError, match="has no rule"):
        grad(f)(0.5)


def test_constants_of_scipy_are_numbers(define):
    import scipy.constants

    f = define("def f(x):\n    return x * scipy.constants.c\n", scipy=scipy)
    assert "c = 299792458.0" in str(emit(f, 1.0))
    assert grad(f)(1.0).x == scipy.constants.c


def test_functions_of_known_numbers_are_worked_out(define):
    f = define("def f(x):\n    return x * sc.gamma(4.0)\n", sc=special)
    assert grad(f)(1.0).x == 6.0
    assert "special.gamma(4.0)" in str(emit(f, 1.0))


def test_a_method_of_an_object_of_scipy_can_have_a_rule(define):
    """`stats.norm.logpdf` is one function, however often it is looked up."""

    @rule(stats.laplace.logpdf, shape=same, samples=[Sample(real(3))])
    def grad_logpdf(x, y, grad_y):
        grad_x = -grad_y * np.sign(x)
        return grad_x

    for text, scope in {
        "st.laplace.logpdf(x)": {"st": stats},
        "laplace.logpdf(x)": {"laplace": stats.laplace},
        "logpdf(x)": {"logpdf": stats.laplace.logpdf},
    }.items():
        f = define(f"def f(x):\n    return np.sum({text})\n", **scope)
        x = np.array([0.5, -2.0])
        np.testing.assert_array_equal(grad(f)(x).x, [-1.0, 1.0])
        assert "from scipy import stats\n" in emit(f, x) and "stats.laplace.logpdf(x)" in emit(f, x)


def test_file_with_scipy_where_it_is_not_installed(monkeypatch):
    """The error says what is missing."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(NameUnknown) as error:
        StaticNames(Source("a.py", "from scipy.special import expit\n")).find("expit")
    assert error.value.message == "`expit` comes from scipy.special, and scipy is not installed"


def test_scipy_is_imported_by_its_users_only():
    """Neither flatgrad nor its rules import SciPy; its rules come with the first function that is looked up."""
    program = textwrap.dedent("""
        import sys
        import numpy as np
        import flatgrad, flatgrad.rules
        from flatgrad.registry import lookup
        def f(x):
            return np.sum(x)
        flatgrad.grad(f)(np.ones(3))
        assert not [name for name in sys.modules if name.partition(".")[0] == "scipy"]
        from scipy.special import erf
        assert not [name for name in sys.modules if name.startswith("flatgrad.rules.scipy_functions.")]
        assert lookup(erf) is not None
        """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=60)


def test_two_functions_of_one_name_are_told_apart():
    """np.log1p and special.log1p are ufuncs without a module, and are written in two ways."""
    from flatgrad.functions.fingerprint import token_of

    assert special.log1p is not np.log1p
    assert token_of(special.log1p) != token_of(np.log1p)


def test_what_changes_nothing():
    assert is_pure(special.expit) and is_pure(special.ellipk)
    assert not is_pure(stats.norm.rvs) and not is_pure(stats.zscore)
    assert lookup(stats.norm.rvs) is None


def test_an_order_has_no_gradient_and_may_be_anything_else(define):
    """The derivative of a Bessel function by its order is not known: that is said, where it is asked for, and not 0."""
    f = define("def f(nu, x):\n    return sc.jv(nu, x)\n", sc=special)
    with pytest.raises(FlatgradError, match=r":7:12: the gradient of `scipy.special.jv` by `v` is not known"):
        grad(f)(1.5, 2.0)
    assert grad(f, wrt="x")(1.5, 2.0) == pytest.approx(special.jvp(1.5, 2.0))
    orders = np.array([0, 1, 4])
    np.testing.assert_allclose(grad(f, wrt="x")(2, 2.0), special.jvp(2, 2.0))
    f = define("def f(nu, x):\n    return np.sum(sc.jv(nu, x))\n", sc=special)
    x = np.array([0.5, 2.0, 7.0])
    np.testing.assert_allclose(grad(f)(orders, x).x, special.jvp(orders, x))


def test_logsumexp_of_large_numbers_shares_the_gradient(define):
    """The result has no digits left for the log of 2, and the gradients sum to 1 all the same."""
    f = define("def f(a):\n    return sc.logsumexp(a)\n", sc=special)
    np.testing.assert_array_equal(grad(f)(np.array([1e16, 1e16])).a, [0.5, 0.5])
    masked = define("def f(a):\n    return sc.logsumexp(a, b=np.array([1.0, 0.0]))\n", sc=special)
    np.testing.assert_array_equal(grad(masked)(np.array([1.0, 2000.0])).a, [1.0, 0.0])
    with pytest.raises(FlatgradError, match="return_sign=True has no rule"):
        grad(define("def f(a):\n    return sc.logsumexp(a, return_sign=True)[0]\n", sc=special))(np.ones(2))
