"""What the reader makes of statements and expressions: the function as it is written, or an error at its place."""

from __future__ import annotations

import re

import numpy as np
import pytest

from flatgrad.api import emit, grad, value_and_grad
from flatgrad.errors import FlatgradError, ShapeError, UnsupportedError

X = np.array([0.3, -1.2, 2.5])
M = np.array([[1.1, -0.4, 0.7], [0.2, 1.9, -1.3]])
STYLES = ("flat", "compact")


def forward(text):
    """Return the lines of the forward pass, without their indentation."""
    part = text.partition("    # forward\n")[2].partition("    # backward\n")[0]
    return [line.strip() for line in part.splitlines() if line.strip()]


def problem_of(function, *args, **kwargs):
    with pytest.raises(FlatgradError) as error:
        emit(function, *args, **kwargs)
    (problem,) = error.value.problems
    return problem


RIGHT = {
    "reassignment": "x = x * s\nx = np.sin(x)\nreturn np.sum(x)",
    "reassignment to itself": "y = x * s\ny = y\nreturn np.sum(y)",
    "augmented number": "s += 1\ns *= s\ns -= 0.5\ns /= 3\ns **= 2\nreturn np.sum(x) * s",
    "augmented array": "y = x * s\ny += 1\ny *= y\ny -= x\ny /= 3\nreturn np.sum(y)",
    "augmented in a row": "y = x * 1\ny += y\ny += y\nreturn np.sum(y) * s",
    "augmented constant": "k = 2\nk += 3\nk *= k\nreturn np.sum(x) * k * s",
    "annotated": "y: np.ndarray = x * s\nreturn np.sum(y)",
    "annotated without a value": "y: np.ndarray\ny = x * s\nreturn np.sum(y)",
    "tuple": "a, b = x * s, s * s\nreturn np.sum(a) * b",
    "tuple in brackets": "(a, b) = [x * s, s * s]\nreturn np.sum(a) * b",
    "list as target": "[a, b] = x * s, s * s\nreturn np.sum(a) * b",
    "nested unpacking": "(a, (b, c)), d = (x, (s, 2.0)), 3.0\nreturn np.sum(a) * b * c + d * s",
    "starred unpacking": "a, *b = x, s, 2.0\nreturn np.sum(a) * b[0] * b[1] * len(b)",
    "starred in the middle": "a, *b, c = 1.5, x, s, 2.0\nreturn np.sum(b[0]) * b[1] * a * c",
    "swap": "a, b = x * s, x + s\na, b = b, a\nreturn np.sum(a / (3 + b))",
    "swap of three": "a, b, c = x, s, 2.0\na, b, c = b, c, a\nreturn a ** 2 * b + np.sum(c)",
    "walrus": "y = (z := x * s) + np.sin(z)\nreturn np.sum(y * z)",
    "walrus as a statement": "(y := x * s)\nreturn np.sum(y)",
    "walrus in a condition": "if (n := x.ndim) == 1:\n    return np.sum(x) * s * n\nreturn s",
    "chained": "y = z = x * s\nreturn np.sum(y * z)",
    "chained and taken apart": "y = a, b = x * s, s\nreturn np.sum(y[0]) * y[1] + np.sum(a) * b",
    "rows": "a, b, c = x\nreturn a * b * s + c",
    "sizes": "(n,) = x.shape\nreturn np.sum(x) * s / n",
    "size": "n = x.shape[0]\nreturn np.sum(x) * s / (n + 1)",
    "several in a line": "y = x * s; z = y + 1; return np.sum(y * z)",
    "comparison": "return np.sum((x > 0) * x) * s",
    "chained comparison": "return np.sum(x) * (0 < s < 5)",
    "comparison with numbers": "return np.sum(x * (x >= -1) * (x != 2) * (x < s))",
    "and": "return np.sum(x) * (s > 0 and s < 5) * s",
    "or": "return np.sum(x) * (s > 9 or s < 5) * s",
    "not": "return np.sum(x) * (not s > 9) * s",
    "and or not": "return np.sum(x) * (not (s > 9 or s < 0) and s > 1) * s",
    "elementwise logic": "return np.sum(x * ((x > 0) & ~(x > 2) | (x < -1))) * s",
    "conditional expression": "return np.sum(x if x.ndim == 1 else x[0]) * s",
    "conditional expressions": "return np.sum(x) * (1 if x.ndim == 3 else 2 if x.ndim == 2 else 3) * s",
    "if on the rank": "if x.ndim == 1:\n    x = x * s\nelif x.ndim:\n    x = s\nelse:\n    x = 0\nreturn np.sum(x)",
    "if on a size": "if x.shape[0] == 3:\n    return np.sum(x) * s\nreturn s",
    "if on a size by order": "if len(x) > 2:\n    return np.sum(x) * s\nreturn s",
    "if on sizes": "if x.shape == (3,) and x.size < 10:\n    return np.sum(x) * s\nreturn s",
    "if on a type": "if isinstance(s, float) and isinstance(x, np.ndarray):\n    return np.sum(x) * s\nreturn s",
    "if on a dtype": "if x.dtype == np.float64:\n    return np.sum(x) * s\nreturn s",
    "if without else": "if x.ndim > 5:\n    x = x[0]\nreturn np.sum(x) * s",
    "nested if": "if x.ndim:\n    if x.ndim > 1:\n        x = x[0]\n    else:\n        x = x * s\nreturn np.sum(x)",
    "in": "if x.ndim in (1, 2):\n    return np.sum(x) * s\nreturn s",
    "not in": "return np.sum(x) * (s if 'a' not in 'bc' else 1.0)",
    "is": "y = None\nif y is None:\n    y = x\nreturn np.sum(y) * s",
    "is not": "y = x\nreturn np.sum(y) * (s if y is not None else 1.0)",
    "comprehension": "return sum([np.sum(x) * k for k in range(1, 4) if k != 2]) * s",
    "comprehension over arrays": "return sum([np.sum(y * y) for y in (x, x * s)])",
    "comprehension hides a name": "k = s\ny = sum([x * k for k in (1, 2)])\nreturn np.sum(y) * k",
    "ellipsis": "return np.sum(x[..., None] * s)",
    "docstring": "'''Doc.'''\nreturn np.sum(x) * s",
    "pass": "pass\nreturn np.sum(x) * s",
    "behind the return": "return np.sum(x) * s\nwhile True:\n    pass",
    "negative powers of ten": "return np.sum(x * 1e-3 + 1.5E+2 * s) + 1_000.0 + .5 + 3. + 0x10 + 0b11",
    "names of ours": "grad_x = x * s\nt0 = grad_x + 1\nsaved = t0 * t0\nout = grad_out = saved * 2\nreturn np.sum(out)",
    "names of functions": "exp = x * s\nlen = exp + 1\nsum = len * exp\nreturn np.sum(np.exp(sum * 0.1))",
    "names that nearly are keywords": "in_ = x * s\nif_ = in_ + 1\n_ = if_ * in_\n__y = _\nreturn np.sum(__y)",
    "names in other scripts": "λ = x * s\nβ2 = λ + 1\nñ = β2 * λ\nreturn np.sum(ñ)",
    "method chain": "return (x * s).reshape(3, 1).T.sum(axis=1).mean()",
    "starred arguments": "shape = (3, 1)\nreturn np.sum(np.maximum(*(x, x * s)).reshape(*shape))",
    "keyword arguments": "return np.sum(a=x * s, axis=0)",
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_read_is_what_is_written(define, slopes, case):
    """The value is that of the function, bit for bit, and the gradients are its own, in both styles."""
    text = "def f(x, s):\n" + "".join(f"    {line}\n" for line in RIGHT[case].split("\n"))
    f = define(text)
    arguments = {"x": X.copy(), "s": 1.7}
    expected = f(X.copy(), 1.7)
    differences = slopes(lambda x, s: f(x.copy(), s), arguments)
    for style in STYLES:
        value, gradients = value_and_grad(f, style=style)(**arguments)
        assert value == expected
        np.testing.assert_array_equal(arguments["x"], X)
        for name, gradient in gradients._asdict().items():
            np.testing.assert_allclose(gradient, differences[name], rtol=1e-6, atol=1e-7, err_msg=f"{style}: {name}")


# changes in place

VIEWS = [
    "z[1:]", "z[...]", "z[:, None]", "z[0, ...]", "z.T", "z.reshape(3, 1)", "z.ravel()", "np.asarray(z)",
    "np.atleast_1d(z)", "np.atleast_2d(z)", "np.split(z, 3)[0]", "np.array_split(z, 2)[1]", "np.squeeze(z)",
    "np.transpose(z)", "np.moveaxis(z, 0, 0)", "z.swapaxes(0, 0)", "np.float64(z)", "stop_gradient(z)", "(z, z)[0]",
    "[z][0]", "z if z.ndim else x", "np.expand_dims(z, 0)", "z",
]  # fmt: skip
COPIES = [
    "z.copy()",
    "np.array(z)",
    "z + 0",
    "+z",
    "abs(z)",
    "z[[0, 1]]",
    "z[z > 0]",
    "np.where(z > 0, z, z)",
    "z.flatten()",
]


@pytest.mark.parametrize("changed", ["y", "z"])
@pytest.mark.parametrize("expression", VIEWS + COPIES)
def test_change_in_place_is_never_seen_under_one_name_only(define, expression, changed):
    """`y += 1` changes every view of y too: the value is the function's."""
    f = define(
        f"def f(x):\n    z = x * 1\n    y = {expression}\n    {changed} += 1\n    return np.sum(y) + np.sum(z)\n"
    )
    expected = f(X.copy())
    value, _ = value_and_grad(f)(X)
    assert value == expected


@pytest.mark.parametrize("expression", ["z.copy()", "z + 0", "np.where(z > 0, z, 1)"])
def test_fresh_array_may_be_changed_in_place(define, expression):
    """An array that nothing else stands for is changed as the user wrote it."""
    f = define(
        f"def f(x):\n    z = x * 1\n    y = {expression}\n    y += 1\n    y *= y\n    return np.sum(y) + np.sum(z)\n"
    )
    assert value_and_grad(f)(X)[0] == f(X)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("np.add(x, 1)", "a call whose result is not used can't be differentiated: it may change an array"),
        ("y = x * 1; y += np.ones((2, 3))", "changes `y` from float64[3] to float64[2, 3]"),
        ("y = np.array([1, 2, 3]); y += x", "changes `y` from int64[3] to float64[3]"),
    ],
)
def test_change_of_an_array_is_an_error_with_a_hint(define, statement, message):
    """What changes memory that others see, or could not be done in place, is refused at its line."""
    f = define(f"def f(x):\n    {statement}\n    return np.sum(x)\n")
    problem = problem_of(f, X)
    assert re.sub(r"\[[?\w]\]", "[3]", problem.message) == message
    assert problem.line == 7
    assert problem.hint


# constants


def test_globals_and_closures_keep_their_names(define):
    """Numbers and small arrays from outside become constants of the module, under the user's names."""
    f = define(
        """
        rate = 1e-3
        weights = np.array([1.0, 2.0, 3.0])
        steps = np.array([1, 2, 3])
        def outer(inner):
            def f(x):
                return rate * np.sum(weights * x * inner) + np.sum(x[:2] * steps[1:])
            return f
        f = outer(np.array([[0.5], [0.25]]))
        """
    )
    text = emit(f, X)
    assert "rate = 0.001\n" in text
    assert "weights = np.array([1.0, 2.0, 3.0])\n" in text
    assert "inner = np.array([[0.5], [0.25]])\n" in text
    assert "steps = np.array([1, 2, 3])\n" in text
    value, (gradient,) = value_and_grad(f)(X)
    assert value == f(X)
    np.testing.assert_allclose(gradient, 1e-3 * 0.75 * np.array([1, 2, 3]) + [2, 3, 0], rtol=1e-14)


def test_constant_of_one_name_and_local_of_the_same_do_not_meet(define):
    """A parameter, a local variable and a comprehension's name hide a global of the same name."""
    f = define("k = 100.0\nx = 7.0\ndef f(x):\n    y = x * 2\n    k = 3.0\n    return np.sum(y) * k\n")
    assert value_and_grad(f)(X)[0] == f(X)
    assert "100" not in emit(f, X)


def test_large_array_from_outside_is_an_error(define):
    """Thousands of numbers don't belong into readable code."""
    f = define("table = np.ones(5000)\ndef f(x):\n    return np.sum(x) * np.sum(table)\n")
    problem = problem_of(f, X)
    assert problem.hint == "make `table` a parameter"
    assert problem.text[problem.column - 1 : problem.end - 1] == "table"


@pytest.mark.parametrize(
    ("name", "item"),
    [("np.pi", np.pi), ("math.e", np.e), ("np.inf * 0 + math.tau", np.nan), ("1e-5", 1e-5), ("2 * np.pi", 2 * np.pi)],
)
def test_constants_stay_as_they_are_written(define, name, item):
    """`np.pi` and `1e-5` are not replaced by their digits."""
    f = define(f"def f(x):\n    return np.sum(x) * ({name})\n")
    assert name in emit(f, X, style="compact")
    np.testing.assert_array_equal(value_and_grad(f)(X)[1].x, np.full(3, item))


# parameters


def test_defaults_and_keyword_only_parameters(define):
    """Defaults are numbers that are differentiated; text and None choose what is written."""
    f = define(
        """
        def f(x, scale=2.0, *, power=3, mode="sum", shift=None):
            y = scale * x**power
            if shift is not None:
                y = y + shift
            return np.mean(y) if mode == "mean" else np.sum(y)
        """
    )
    for kwargs in ({}, {"power": 2}, {"mode": "mean"}, {"shift": 1.5}, {"mode": "mean", "scale": 0.5}):
        value, gradients = value_and_grad(f)(np.abs(X), **kwargs)
        assert value == f(np.abs(X), **kwargs)
        assert gradients._fields[:3] == ("x", "scale", "power")
    assert "np.mean" not in emit(f, X)
    assert "np.sum" not in emit(f, X, mode="mean").partition("backward")[0]


@pytest.mark.parametrize("parameters", ["*x", "x, *args", "x, **kwargs"])
def test_any_number_of_arguments_is_an_error(define, parameters):
    """Each parameter needs a name for its gradient."""
    f = define(f"def f({parameters}):\n    return 1.0\n")
    problem = problem_of(f, X)
    assert "any number of arguments" in problem.message
    assert problem.line == 6


# effects, comments


def test_prints_and_asserts_stay_in_order(define, capsys):
    """The forward pass prints what the function prints, and fails where it fails."""
    f = define(
        """
        def f(x, s):
            print("start", s, sep=": ", end="!\\n")
            y = x * s
            assert np.all(y < 100), f"too large: {s:.1f}"
            print(f"y is {y} {s!r:>6} {{}} {s = } {s:.3e}")
            total = np.sum(y)
            assert total < 50
            print(total)
            return total
        """
    )
    f(X, 1.7)
    expected = capsys.readouterr().out
    for style in STYLES:
        value_and_grad(f, style=style)(X, 1.7)
        assert capsys.readouterr().out == expected
        with pytest.raises(AssertionError, match=r"too large: 90\.0"):
            value_and_grad(f, style=style)(X, 90.0)
        with pytest.raises(AssertionError, match=r"^$"):
            value_and_grad(f, style=style)(X, 35.0)
        capsys.readouterr()


def test_assert_on_what_is_known_is_checked_when_the_code_is_written(define):
    """An assert on ranks leaves no line behind where it holds, and is an error where it does not."""
    f = define('def f(x):\n    assert x.ndim == 1, "a vector"\n    return np.sum(x)\n')
    assert "assert" not in emit(f, X)
    with pytest.raises(ShapeError, match="this assert fails for such arguments"):
        emit(f, M)


def test_comments_stay_with_their_lines(define):
    """Comments above a line, behind it and inside brackets are kept, in the forward pass, in order."""
    f = define(
        '''
        def f(x, s):
            """What f does."""
            # first
            # second
            y = x * s  # behind y

            # above z
            z = (
                y  # inside
                + 1
            )
            return np.sum(z)  # at the end
        '''
    )
    for style in STYLES:
        lines = forward(emit(f, X, 1.7, style=style))
        text = "\n".join(lines)
        places = [
            text.index(part) for part in ("# first", "# second", "# behind y", "# above z", "# inside", "# at the end")
        ]
        assert places == sorted(places), style
        assert lines[:3] == ["# first", "# second", "y = x * s  # behind y"]
        assert "What f does." in emit(f, X, 1.7, style=style)


def test_comments_of_a_branch_that_is_not_taken_go_with_it(define):
    """Comments of dead code are not written."""
    f = define(
        "def f(x):\n    if x.ndim == 2:\n        # of matrices\n        x = x[0]\n    # of all\n    return np.sum(x)\n"
    )
    text = emit(f, X)
    assert "# of matrices" not in text
    assert "# of all" in text


def test_names_never_collide(define):
    """Gradients and temporaries get names that the user does not use."""
    f = define(
        """
        def f(x, grad_x, t0, grad_t0, np_, saved, out):
            y = x * grad_x + t0 * grad_t0
            grad_y = y * np_
            return np.sum(grad_y * saved) * out
        """
    )
    arguments = [X, X + 1, X + 2, X + 3, 1.5, X + 4, 0.7]
    for style in STYLES:
        value, gradients = value_and_grad(f, style=style)(*arguments)
        assert value == f(*arguments)
        spread = 1.5 * (X + 4) * 0.7
        np.testing.assert_allclose(gradients.x, spread * (X + 1), rtol=1e-13)
        np.testing.assert_allclose(gradients.grad_x, spread * X, rtol=1e-13)
        np.testing.assert_allclose(gradients.t0, spread * (X + 3), rtol=1e-13)
        np.testing.assert_allclose(gradients.grad_t0, spread * (X + 2), rtol=1e-13)


def test_numpy_may_be_hidden_by_a_parameter(define):
    """A parameter called np hides no NumPy in the emitted code, or is refused; there is never a wrong number."""
    f = define("import numpy\ndef f(x, np):\n    return numpy.sum(x * np)\n")
    try:
        value, gradients = value_and_grad(f)(X, 2.0)
    except FlatgradError:
        return
    assert value == f(X, 2.0)
    np.testing.assert_allclose(gradients[1], X.sum())


# errors


def test_several_problems_are_reported_together(define):
    """One run shows all that is wrong, each at its place, and none that only follows from another."""
    f = define(
        """
        def f(x):
            y = np.no_such(x)
            z = y + 1
            with np.errstate():
                z = z * 2
            w = undefined + x
            v = x[0] * (np.eye(3) @ np.ones((2, 2)))
            return np.sum(z) + np.sum(w) + v
        """
    )
    with pytest.raises(FlatgradError) as error:
        emit(f, X)
    assert [(problem.line, problem.column) for problem in error.value.problems] == [(8, 9), (12, 9), (13, 17)]


ERRORS = [
    ("y = undefind(x)", "`undefind` is not defined", "undefind", ""),
    ("lenght = 1\n    y = lenth * x", "`lenth` is not defined", "lenth", ""),
    ("y = np.sine(x)", "numpy has no `sine`", "np.sine", "did you mean"),
    ("y = x.summ()", "an array has no `summ`", "summ", "did you mean"),
    ("y = x * 'a'", "a number or an array is needed here, not a string", "x * 'a'", ""),
    ("y = x[0] * (np.eye(3) @ np.ones((2, 2)))", "shapes do not fit", "np.eye(3) @ np.ones((2, 2))", ""),
    ("y = x if x > 0 else -x", "is not one truth value", "x > 0", "np.where"),
    ("y = x\n    if x > 0:\n        y = -x", "is not one truth value", "x > 0", "np.where"),
    ("y = [v for v in (1, 2) if s > v]", "this condition depends on data", "s > v", "np.where"),
    ("y = x and x", "is not one truth value", "x", ".any()"),
    ("y = not x", "`not` needs one truth value", "x", "np.logical_not"),
    ("y = (x is s) * x", "`is` on data can't be decided", "x is s", "=="),
    ("y = x * (s in (1, 2))", "whether items are equal depends on data", "s in (1, 2)", "that are known"),
    ("y = [v for v in s]", "a number can't be gone through", "s", "range"),
    (
        "y = [v for v in np.outer(x, np.zeros(2000)).T]",
        "a comprehension of 2000 turns",
        "np.outer(x, np.zeros(2000)).T",
        "",
    ),
    ("y, z = x, x, x", "3 values for 2 names", "y, z", ""),
    ("y = x[5, 5]", "", "x[5, 5]", ""),
    ("y = np.histogramdd(x)", "has no rule", "np.histogramdd", ""),
    ("y = f(x, s)", "recursion whose depth depends on data can't be differentiated", "f(x, s)", "loop"),
    ("y = np.maximum(x * 2j, 0).real", "for real numbers only", "np.maximum(x * 2j, 0)", "np.abs"),
    ("y = np.sum(x, axis=3)", "axis 3 of an array of rank 1", "np.sum(x, axis=3)", ""),
    ("y = np.sum(x, axes=0)", "`np.sum`", "np.sum(x, axes=0)", ""),
    ("y = np.fft.fft(x, m=3).real", "`np.fft.fft`", "np.fft.fft(x, m=3)", ""),
    ("y = np.sum(*x, **{})", "", "", ""),
]


@pytest.mark.parametrize(("statement", "message", "construct", "hint"), ERRORS)
def test_error_points_at_the_construct(define, statement, message, construct, hint):
    """The message says what is wrong; the position is that of the construct itself, and the hint what to do."""
    f = define(f"def f(x, s):\n    {statement}\n    return np.sum(y)\n")
    problem = problem_of(f, X, 1.7)
    assert message in problem.message
    assert hint in problem.hint
    assert problem.line
    if construct:
        assert problem.text[problem.column - 1 : problem.end - 1] == construct


@pytest.mark.parametrize("body", ["pass", "return", "y = x", "x"])
def test_function_that_returns_nothing_is_an_error(define, body):
    """There is nothing to differentiate."""
    f = define(f"def f(x):\n    {body}\n")
    assert problem_of(f, X).hint == "return the value to differentiate"


def test_error_reads_like_that_of_a_compiler(define):
    """File, line and column, the source line with a caret below the construct, and a hint."""
    f = define("def f(x):\n\ty = np.sine(x)\n\treturn y\n")
    with pytest.raises(FlatgradError) as error:
        emit(f, X)
    first, source, caret, hint = str(error.value).split("\n")
    assert re.fullmatch(r"<text \d+>:7:6: numpy has no `sine`", first)
    assert source == "    \ty = np.sine(x)"
    assert caret == "    \t    ^^^^^^^"
    assert hint.startswith("hint: did you mean")


def test_variable_of_a_path_that_is_not_taken_has_no_value(define):
    """Python would not look for it among the globals either."""
    f = define("scale = 3.0\ndef f(x, double=False):\n    if double:\n        scale = 2.0\n    return x * scale\n")
    with pytest.raises(UnsupportedError, match="`scale` has no value here"):
        grad(f)(1.0)
    assert grad(f, "x")(1.0, double=True) == 2.0


@pytest.mark.parametrize(
    "expression",
    [
        "np.sum([x[0], x[1] * 2])",
        "np.mean((x[0], x[1] * x[2]))",
        "np.prod([x[0], x[1], 3.0])",
        "np.max([x[0], x[1] + 1])",
        "np.sum(np.exp([x[0], 2.0]))",
        "np.dot([1.0, 2.0, 3.0], x)",
        "np.sum(np.reshape([x[0], x[1]], (2, 1)) * x)",
        'np.sum(x) * "abba".count("a")',
    ],
)
def test_list_of_numbers_where_an_array_is_expected(define, slopes, expression):
    """NumPy makes an array of a list of numbers, and so does the emitted code."""
    f = define(f"def f(x):\n    return {expression}\n")
    value, gradients = value_and_grad(f)(X)
    assert value == f(X)
    np.testing.assert_allclose(gradients.x, slopes(f, {"x": X})["x"], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("use", ["2.0 if cfg else 3.0", "1.0 if cfg == 2 else 2.0", "len(cfg)", "float(cfg)", "k"])
def test_object_with_methods_of_its_own_is_refused(define, use):
    """What such an object makes of an operator may change without a trace: it has no value when the code is written."""
    f = define(
        f"""
        class C(float):
            def __bool__(self): return True
            def __eq__(self, other): return True
            def __len__(self): return 3
            def __float__(self): return 2.0
        cfg = C()
        k = C(2.0)
        def f(x):
            return x * ({use})
        """
    )
    with pytest.raises(UnsupportedError) as error:
        emit(f, X)
    assert error.value.problems[0].line


def test_named_numbers_are_numbers(define):
    """A member of an IntEnum is written as the number that it is."""
    f = define(
        """
        import enum
        class Level(enum.IntEnum):
            LOW = 2
        k = Level.LOW
        def f(x):
            return np.sum(x * k + Level.LOW)
        """
    )
    value, gradients = value_and_grad(f)(X)
    assert value == f(X)
    np.testing.assert_array_equal(gradients.x, np.full_like(X, 2))
