"""Rules that users declare for functions of a library that flatgrad does not know, in modules outside of the package."""

import importlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import flatgrad
from flatgrad import FlatgradError, Kink, Sample, check_rule, emit, no_gradient, rule, value_and_grad
from flatgrad.cli import main
from flatgrad.shapes import elementwise, reduced, same

# a library: its functions have no source that could be read, and some don't know their names
VENDOR = """
import functools

import numpy as np

from vendor._core import bent


def _scaled(width, x):
    return eval("x / (1 + np.abs(x) / width)")


class Squash:
    def __call__(self, x, width=1.0):
        return eval("x / (width + np.abs(x))")


smooth = functools.partial(_scaled, 2.0)
squash = Squash()
steps = np.frompyfunc(lambda x: int(x > 0), 1, 1)
"""
CORE = """
import numpy as np


def bent(a, b):
    return eval("np.sqrt(a * a + b * b + 1)")


def spread(x, axis=None, keepdims=False):
    return eval("np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))")
"""
RULES = '''
import numpy as np
import vendor
import vendor._core

from flatgrad import Kink, Sample, no_gradient, rule
from flatgrad.shapes import elementwise, reduced, same

X = np.array([0.5, -1.5, 2.0])
GRID = np.array([[0.5, -1.5, 2.0], [0.3, 0.2, -0.6]])


@rule("vendor.smooth", shape=same, samples=[Sample(X)])
def grad_smooth(x, y, grad_y):
    grad_x = grad_y / (1 + np.abs(x) / 2) ** 2
    return grad_x


@rule(
    "vendor.squash",
    shape=same,
    samples=[Sample(X), Sample(X, width=2.0)],
    kinks=[Kink("squash(0)", "1", (np.zeros(1),), (np.ones(1),))],
)
def grad_squash(x, y, grad_y, *, width=1.0):
    """The derivative of x / (w + |x|)."""
    grad_x = grad_y * width / (width + np.abs(x)) ** 2
    return grad_x


@rule(vendor.bent, shape=elementwise, samples=[Sample(X, GRID)])
def grad_bent(a, b, y, grad_y):
    grad_a = grad_y * a / y
    grad_b = grad_y * b / y
    return grad_a, grad_b


@rule(vendor._core.spread, shape=reduced, samples=[Sample(GRID), Sample(GRID, axis=1), Sample(GRID, axis=0, keepdims=True)])
def grad_spread(x, y, grad_y, *, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = grad_y * np.exp(x - y)
    return grad_x


no_gradient("vendor.steps", shape=same, dtype=lambda x: np.dtype(object))
'''
MODEL = """
import numpy as np
import vendor
from jaxtyping import Float
from vendor import bent as curved
from vendor._core import spread


def loss(x: Float[np.ndarray, "n"], w: float):
    a = vendor.smooth(w * x)
    b = curved(a, x)
    return spread(vendor.squash(b, width=3.0))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a library, a module with rules for it, and a program; the folder is the current one."""
    for file, text in {
        "vendor/__init__.py": VENDOR,
        "vendor/_core.py": CORE,
        "smooth_rules.py": RULES,
        "model.py": MODEL,
    }.items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.lstrip())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for module in ("vendor", "vendor._core", "smooth_rules", "model"):
        sys.modules.pop(module, None)


def imported(*modules):
    return [importlib.import_module(module) for module in modules]


def test_gradients_go_through_the_library(project):
    """The rules are used, and the emitted code imports the library's functions from where they are public."""
    _, model = imported("smooth_rules", "model")
    assert flatgrad.flatgrad(model.loss).check(np.array([0.5, -2.0, 0.3]), 0.7)
    text = emit(model.loss)
    assert "\nfrom vendor import bent, smooth, squash\nfrom vendor._core import spread\n" in text
    assert "def bent" not in text and "flatgrad" not in text.partition('"""\n')[2]


def test_rules_are_checked_on_their_samples(project):
    vendor, _ = imported("vendor", "smooth_rules")
    for function in (vendor.smooth, vendor.squash, vendor.bent, vendor._core.spread):
        check = check_rule(function)
        assert check, check
    assert str(check_rule(vendor.squash)) == "check of the rule of squash on 2 samples: passed"


def test_command_line_imports_the_module_that_declares_rules(project, capsys):
    """What is emitted without running the file is what the decorator emits."""
    assert main(["emit", "model.py:loss", "--rules", "smooth_rules"]) == 0
    text = capsys.readouterr().out
    imported("model")
    assert text == emit(sys.modules["model"].loss)
    # the file itself was not run
    done = subprocess.run(
        [sys.executable, "-c", text + "\nprint(loss_value_and_grad(np.ones(2), 0.5)[1][1])"], cwd=project
    )
    assert done.returncode == 0


def test_file_is_not_run(project, capsys):
    """The rules' module is imported; the file that is read is not."""
    (project / "model.py").write_text(MODEL.replace("def loss", "raise SystemExit('run')\n\n\ndef loss"))
    assert main(["emit", "model.py:loss", "--rules", "smooth_rules"]) == 0
    assert "model" not in sys.modules


def test_modules_are_found_as_the_file_finds_them(project, tmp_path_factory, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(project)])
    assert main(["emit", f"{project}/model.py:loss", "--rules", "smooth_rules"]) == 0
    assert str(project) not in sys.path


def test_installed_library_that_is_not_read(project, tmp_path_factory, monkeypatch, capsys):
    """A library outside of the project is known by the rules for its functions alone."""
    elsewhere = tmp_path_factory.mktemp("program")
    (elsewhere / "model.py").write_text((project / "model.py").read_text())
    monkeypatch.chdir(elsewhere)
    assert main(["emit", "model.py:loss"]) == 2
    error = capsys.readouterr().err
    assert "which flatgrad does not read" in error and "--rules" in error
    assert main(["emit", "model.py:loss", "--rules", "smooth_rules"]) == 0
    assert "from vendor import bent, smooth, squash\n" in capsys.readouterr().out
    (elsewhere / "model.py").write_text("import vendor\n\n\ndef loss(x: float):\n    return vendor.other(x)\n")
    assert main(["emit", "model.py:loss", "--rules", "smooth_rules"]) == 2
    assert "`vendor.other` is not read, and has no rule" in capsys.readouterr().err


def test_rule_that_only_running_would_declare_is_an_error(project, capsys):
    """A rule in a file that is read is never left out in silence."""
    (project / "own.py").write_text(
        textwrap.dedent("""
        import numpy as np
        from flatgrad import Sample, rule
        from flatgrad.shapes import same


        def softsign(x):
            return x / (1 + np.abs(x))


        @rule(softsign, shape=same, samples=[Sample(np.array([0.5]))])
        def grad_softsign(x, y, grad_y):
            grad_x = grad_y / (1 + np.abs(x)) ** 2
            return grad_x


        def f(x: float):
            return softsign(x)
        """).lstrip()
    )
    assert main(["emit", "own.py:f"]) == 2
    error = capsys.readouterr().err
    assert "`softsign` has a rule that only running own.py declares (line 10)" in error
    assert "hint: use --rules own" in error
    assert main(["emit", "own.py:f", "--rules", "own"]) == 0
    text = capsys.readouterr().out
    assert "from own import softsign\n" in text and "grad_x = grad_out / (1 + np.abs(x)) ** 2" in text
    (project / "other.py").write_text(
        "from own import f, softsign\n\n\ndef g(x: float):\n    return softsign(x) + f(x)\n"
    )
    sys.modules.pop("own")


def test_module_that_can_not_be_imported_is_an_error(project, capsys):
    assert main(["emit", "model.py:loss", "--rules", "nowhere"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("the module nowhere can't be imported: ModuleNotFoundError") and "Traceback" not in error
    (project / "broken.py").write_text("x = 1\ny = x / 0\n")
    assert main(["emit", "model.py:loss", "--rules", "broken"]) == 2
    error = capsys.readouterr().err
    assert "broken.py:2:1: the module broken can't be imported: ZeroDivisionError" in error and "y = x / 0" in error


def test_command_shows_users_rules(project, capsys):
    assert main(["rules", "--rules", "smooth_rules", "squash"]) == 0
    text = capsys.readouterr().out
    assert "signature   vendor.squash(x, width=1.0)" in text and "rule        smooth_rules.py:" in text
    assert "The derivative of x / (w + |x|)." in text and "out = squash(x)" in text


def test_object_without_a_name_is_declared_by_its_name(project):
    (vendor,) = imported("vendor")
    for function in (vendor.smooth, vendor.squash, vendor.steps):
        with pytest.raises(TypeError, match=r"does not know its name: declare its rule by that, as in @rule\('vendor"):
            rule(function, shape=same, samples=[])(lambda x, y, grad_y: None)
        assert flatgrad.registry.lookup(function) is None
    with pytest.raises(ImportError):
        rule("vendor", shape=same, samples=[])(lambda x, y, grad_y: None)
    with pytest.raises(AttributeError):
        rule("vendor.nothing", shape=same, samples=[])(lambda x, y, grad_y: None)
    with pytest.raises(ImportError):
        no_gradient("no_such_library.f", shape=same)


def test_function_of_the_program_itself_is_copied(define):
    """What can't be imported is written into the module, as long as its source stands alone."""
    f = define("def bend(x):\n    return x / (1 + np.abs(x))\n\ndef f(x):\n    return bend(x)\n")
    bend = f.__globals__["bend"]

    @rule(bend, shape=same, samples=[Sample(np.array([0.5, -0.3]))])
    def grad_bend(x, y, grad_y):
        grad_x = grad_y / (1 + np.abs(x)) ** 2
        return grad_x

    text = emit(f, np.ones(2))
    assert "def bend(x):\n    return x / (1 + np.abs(x))\n" in text
    assert check_rule(bend)


# rules with a mistake, and what the check says of them


def slope(x):
    return eval("x * x * x")


def pair(a, b):
    return eval("a * b")


X = np.array([0.5, -1.5])


def problems(function):
    return "\n".join(check_rule(function).problems)


def test_wrong_gradient_is_found():
    @rule(slope, shape=same, samples=[Sample(X)])
    def grad_slope(x, y, grad_y):
        grad_x = grad_y * 2.9 * x**2
        return grad_x

    assert "gradient of x at [0]: " in problems(slope) and "where central differences give" in problems(slope)
    assert not check_rule(slope)


def test_wrong_shape_is_found():
    @rule(slope, shape=reduced, samples=[Sample(X)])
    def grad_slope(x, y, grad_y):
        grad_x = grad_y * 3 * x**2
        return grad_x

    assert "the shape rule gives (), and the result has (2,)" in problems(slope)


def test_gradient_of_another_dtype_is_found():
    factor = np.float64(3)

    @rule(slope, shape=same, samples=[Sample(X)])
    def grad_slope(x, y, grad_y):
        grad_x = grad_y * np.full(2, factor) * x**2
        return grad_x

    assert "gradient of x: float64 for arguments of float32" in problems(slope)


def test_missing_gradient_is_found():
    @rule(pair, shape=elementwise, samples=[Sample(X, X)])
    def grad_pair(a, b, y, grad_y):
        grad_a = grad_y * b
        return grad_a

    assert "the rule returns no grad_b" in problems(pair)


def test_samples_that_see_nothing_are_found():
    @rule(slope, shape=same, samples=[Sample(np.zeros(2))])
    def grad_slope(x, y, grad_y):
        grad_x = grad_y * 0
        return grad_x

    assert "gradient of x: 0 in all samples" in problems(slope)


def test_rule_without_samples_and_kinks_are_checked():
    @rule(slope, shape=same, samples=[], kinks=[Kink("slope(0)", "1", (np.zeros(1),), (np.ones(1),))])
    def grad_slope(x, y, grad_y):
        grad_x = grad_y * 3 * x**2
        return grad_x

    assert "the rule has no samples" in problems(slope)
    assert "slope(0): gradient of x: [0.], where [1.] is declared" in problems(slope)


def test_rule_that_can_not_be_read_is_found():
    @rule(slope, shape=same, samples=[Sample(X)])
    def grad_slope(x, y, grad_y):
        grad_x = np.emath.sqrt(grad_y)
        return grad_x

    assert "no code can be emitted" in problems(slope)


def test_function_without_a_rule_is_an_error():
    with pytest.raises(FlatgradError, match="`slope` has no rule"):
        check_rule(slope)


def test_python_numbers_and_several_inputs(define):
    @rule(pair, shape=elementwise, samples=[Sample(X, X), Sample(0.5, X), Sample(2.0, 3.0)])
    def grad_pair(a, b, y, grad_y):
        grad_a = grad_y * b
        grad_b = grad_y * a
        return grad_a, grad_b

    assert check_rule(pair), check_rule(pair)
    f = define("def f(a, b):\n    return np.sum(pair(a, b))\n", pair=pair)
    assert value_and_grad(f)(2.0, np.array([1.0, 3.0]))[1].a == 4.0


def test_public_names_are_imported_when_asked_for():
    """`import flatgrad` brings none of what declares rules."""
    program = (
        "import sys, flatgrad; assert 'flatgrad.registry' not in sys.modules; flatgrad.rule; "
        "import flatgrad.shapes; assert 'flatgrad.rules' not in sys.modules; flatgrad.check_rule; flatgrad.Sample"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    for name in ("rule", "no_gradient", "Sample", "Kink", "check_rule"):
        assert name in flatgrad.__all__ and getattr(flatgrad, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'rules_of_mine'"):
        flatgrad.rules_of_mine  # noqa: B018
