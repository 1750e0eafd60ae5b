"""Expressions are printed as ruff leaves them, with the parentheses that they need and no others."""

import ast
import linecache
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flatgrad import api
from flatgrad.emission.expressions import is_simple
from flatgrad.emission.literals import formatted_text, quoted
from flatgrad.errors import FlatgradError

RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent))
X = np.array([[0.3, -1.2, 0.7], [1.5, 0.4, -0.6], [0.9, 1.1, 0.2]])


def defined(text, **names):
    """Return the function `f` that a text defines."""
    filename = f"<test {hash(text)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace = {"np": np, **names}
    with warnings.catch_warnings():
        # 2[1:] can be compiled, and is a program that fails
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(text, filename, "exec"), namespace)
    return namespace["f"]


PRINTED = {
    # products, sums and signs
    "((x * 2) * 3) / 4": "x * 2 * 3 / 4",
    "x * (2 * x)": "x * (2 * x)",
    "x - (x - 1)": "x - (x - 1)",
    "(x - x) + 1": "x - x + 1",
    "x / (x * 2)": "x / (x * 2)",
    "-(x * 2)": "-x * 2",
    "-(x + 2)": "-(x + 2)",
    "-x + 2": "-x + 2",
    "x - (-x)": "x - -x",
    "-(-x)": "--x",
    "(x @ x) @ x": "x @ x @ x",
    "x @ (x @ x)": "x @ (x @ x)",
    "-(x @ x)": "-(x @ x)",
    "(-x) @ x": "-x @ x",
    "(x + 1) * (x - 1)": "(x + 1) * (x - 1)",
    "(x // 2) % 2 * x": "x // 2 % 2 * x",
    # truth values
    "~(x > 0) * x": "~(x > 0) * x",
    "((x > 0) & (x < 1)) * x": "((x > 0) & (x < 1)) * x",
    "((x > 0) | (x < 1) & (x < 2)) * x": "((x > 0) | (x < 1) & (x < 2)) * x",
    "-((x > 0) * x)": "-((x > 0) * x)",
    # powers
    "x ** 2": "x**2",
    "x ** -1": "x**-1",
    "x ** -1.5": "x**-1.5",
    "(-x) ** 2": "(-x) ** 2",
    "-(x ** 2)": "-(x**2)",
    "-(x ** 2 * x)": "-(x**2 * x)",
    "(x ** 2) ** 2": "(x**2) ** 2",
    "2 ** x": "2**x",
    "2 ** (x * 2)": "2 ** (x * 2)",
    "2 ** -x": "2**-x",
    "2.0 ** (x ** 2)": "2.0 ** (x**2)",
    "x.T ** 2": "x.T**2",
    "x[0] ** 2": "x[0] ** 2",
    "np.exp(x) ** 2": "np.exp(x) ** 2",
    "(x + 1) ** 0.5": "(x + 1) ** 0.5",
    # subscripts
    "x[1:]": "x[1:]",
    "x[:-1]": "x[:-1]",
    "x[::2]": "x[::2]",
    "x[::-1]": "x[::-1]",
    "x[1:3:2]": "x[1:3:2]",
    "x[n:]": "x[n:]",
    "x[n + 1 :]": "x[n + 1 :]",
    "x[: n + 1]": "x[: n + 1]",
    "x[n : n + 1]": "x[n : n + 1]",
    "x[:, None]": "x[:, None]",
    "x[..., 0]": "x[..., 0]",
    "x[[0, 1], [1, 2]]": "x[[0, 1], [1, 2]]",
    "x[0, :]": "x[0, :]",
    # numbers
    "x * 1e-05": "x * 1e-5",
    "x * 1E5": "x * 1e5",
    "x * -0.0": "x * -0.0",
    "x * 0x10": "x * 0x10",
    "x * 1_000.5": "x * 1_000.5",
    "x * np.inf": "x * np.inf",
    "x * np.pi * 2": "x * np.pi * 2",
    "x * (2 * np.pi)": "x * (2 * np.pi)",
    "x * True": "x * True",
    # calls and methods
    "x.reshape(-1)": "x.reshape(-1)",
    "x.reshape((9,))": "x.reshape(9)",
    "np.reshape(x, (9,))": "np.reshape(x, (9,))",
    "x.transpose((1, 0))": "x.transpose(1, 0)",
    "(x + 1).mean(axis = 0)": "(x + 1).mean(axis=0)",
    "np.sum(x, (0, 1))": "np.sum(x, (0, 1))",
    "np.concatenate([x, x])": "np.concatenate([x, x])",
    "np.concatenate((x, x), axis=1)": "np.concatenate((x, x), axis=1)",
    "np.where(x > 0, x, -x)": "np.where(x > 0, x, -x)",
    "np.linalg.norm(x)": "np.linalg.norm(x)",
}


def emitted(expression, style="compact"):
    """Return what is emitted for a function that returns the sum of an expression."""
    return api.emit(defined(f"def f(x, n=1):\n    y = {expression}\n    return np.sum(y)\n"), X, style=style)


@pytest.mark.parametrize("expression", PRINTED)
def test_printed(expression):
    """The forward line in compact style is what the user wrote, as ruff formats it."""
    try:
        text = emitted(expression)
    except FlatgradError as error:
        if "has no rule" in str(error):
            pytest.skip(str(error).splitlines()[0])
        raise
    lines = [line.strip() for line in text.split("\n")]
    named = {line.split(" = ")[0]: line.split(" = ", 1)[1] for line in lines if line.startswith("t") and " = " in line}
    (printed,) = [line.removeprefix("y = ") for line in lines if line.startswith("y = ")]
    # values that the backward pass needs have names of their own
    for name, part in reversed(named.items()):
        printed = printed.replace(name, part) if name in printed.split() or printed == name else printed
    if not named:
        assert printed == PRINTED[expression]


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_ruff_leaves_it(tmp_path):
    """Every expression of the table is formatted as ruff formats it, in both styles."""
    for k, expression in enumerate(PRINTED):
        for style in ("flat", "compact"):
            try:
                (tmp_path / f"expression_{k}_{style}.py").write_text(emitted(expression, style))
            except FlatgradError:
                continue
    done = subprocess.run(
        [RUFF, "format", "--check", "--diff", "--isolated", "--line-length", "120", tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


# random expressions

LEAVES = st.sampled_from(["x", "y", "k", "u", "m", "2", "0.5", "-3", "-1.5", "True", "c"])
SYMBOLS = ["+", "-", "*", "/", "**", "//", "%", "@", "&", "|", "^", "<", ">=", "==", "<<"]
GIVEN = {
    "x": np.array([0.3, -1.2, 0.7]),
    "y": np.array([1.4, 0.6, 2.2]),
    "k": np.array([3, 1, 2]),
    "u": np.array([3, 1, 2], dtype=np.uint8),
    "m": np.array([True, False, True]),
}


def compound(parts):
    """Return expressions made of smaller ones, in all the parentheses that can be."""
    return st.one_of(
        st.tuples(parts, st.sampled_from(SYMBOLS), parts).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        st.tuples(st.sampled_from(["-", "+", "~"]), parts).map(lambda t: f"{t[0]}({t[1]})"),
        parts.map(lambda part: f"np.abs({part})"),
        parts.map(lambda part: f"({part})[1:]"),
        parts.map(lambda part: f"({part}).sum()"),
    )


EXPRESSIONS = st.recursive(LEAVES, compound, max_leaves=8)


def is_complex(expression):
    """Tell whether a root of a negative number is among the constants: complex numbers are not differentiated."""
    powers = [node for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.BinOp | ast.Call)]
    found = []
    for power in powers:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(eval(ast.unparse(power), {"np": np}))
        except (NameError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError):
            continue
    return any(isinstance(number, complex | np.complexfloating) for number in found)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS, st.sampled_from(["flat", "compact"]))
def test_same_value(expression, style):
    """An expression that is printed anew has the same value, to the last bit."""
    assume(not is_complex(expression))
    function = defined(f"def f(x, y, k, u, m, c=2.0):\n    z = {expression}\n    return np.sum(z * x[:1])\n")
    with np.errstate(all="ignore"):
        try:
            value = function(**GIVEN)
        except (TypeError, ValueError, IndexError, AttributeError, OverflowError, ZeroDivisionError):
            assume(False)
        try:
            text = api.emit(function, **GIVEN, style=style)
        except FlatgradError:
            assume(False)
        namespace = {}
        exec(compile(text, "emitted.py", "exec"), namespace)
        printed = namespace["f_value_and_grad"](**GIVEN)[0]
    assert np.asarray(printed).dtype == np.asarray(value).dtype
    np.testing.assert_array_equal(printed, value)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_string_literal(text):
    """A string literal stands for the text."""
    assert eval(quoted(text)) == text
    assert "\n" not in quoted(text)


@given(st.text(), st.text())
@settings(max_examples=200, deadline=None)
def test_formatted_string(before, behind):
    """The texts of an f-string stand for themselves, and its fields for their values."""
    braces = [part.replace("{", "{{").replace("}", "}}") for part in (before, behind)]
    literal = formatted_text([braces[0], ("{", "x", "!r", ":>4", "}"), braces[1]])
    assert eval(literal, {"x": 7}) == f"{before}{7!r:>4}{behind}"


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("x", True),
        ("x.T", True),
        ("2", True),
        ("2.5", True),
        ("1e-5", True),
        ("x[0]", False),
        ("f(x)", False),
        ("-x", False),
    ],
)
def test_simple_operand(text, simple):
    """`**` stands without spaces between names, numbers and attributes only."""
    assert is_simple(text) == simple
