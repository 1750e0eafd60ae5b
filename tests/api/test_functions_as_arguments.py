"""Functions that are arguments of the differentiated function: code is written for each, and found again for its like."""

from __future__ import annotations

import functools
import gc
import math
import os
import random
import subprocess
import sys
import types
import weakref
from pathlib import Path

import numpy as np
import pytest

from flatgrad import api, arguments, flatgrad
from flatgrad.calling import kinds, lookup, specialise
from flatgrad.errors import FlatgradError, SignatureError
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.markers import custom_vjp
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

X = np.array([0.3, 1.2, 0.7])
rate = 2.0
cfg = types.SimpleNamespace(rate=2.0)


def energy(f, x):
    y = f(x)
    return np.sum(y * y)


def scaled(x, factor=3.0, *, shift=0.5):
    moved = x + shift
    return factor * moved


def by_rate(x):
    return rate * x


def by_attribute(x, settings):
    return settings.rate * x


@flatgrad
def tripled(x):
    return 3.0 * x


def times(factor):
    return lambda x: factor * x


def powers(exponent, offset):
    def power(x):
        # a comment of its own
        raised = x**exponent
        return raised + offset

    return power


class Model:
    rate = 3.0

    def forward(self, x):
        return self.rate * x

    def __call__(self, x):
        return self.rate * x


def slopes(function, x):
    """Return central differences."""
    return np.array([(function(x + h) - function(x - h)) / 2e-6 for h in 1e-6 * np.eye(len(x))])


def assert_right(differentiable, *given):
    """Hold all ways to a gradient by the last argument against central differences; return the gradient."""
    *before, x = given
    expected = slopes(lambda x: differentiable(*before, x), x)
    gradient = differentiable.grad(*given)
    for found in (gradient, differentiable.value_and_grad(*given)[1], differentiable.vjp(*given)[1](1.0)):
        np.testing.assert_allclose(found[0], expected, rtol=1e-6, atol=1e-8)
    return gradient[0]


@pytest.fixture
def emissions(monkeypatch):
    """Return a list that grows by one with each emission."""
    made = []
    emit = arguments.emit
    monkeypatch.setattr(arguments, "emit", lambda *args, **kwargs: made.append(1) or emit(*args, **kwargs))
    specialise.clear_memory()
    return made


FUNCTIONS = {
    "def": scaled,
    "lambda": lambda x: x**3,
    "closure": times(1.5),
    "def in a function": powers(3, 0.25),
    "partial": functools.partial(scaled, factor=-2.0),
    "partial of partial": functools.partial(functools.partial(scaled, shift=1.0), factor=4.0),
    "ufunc": np.tanh,
    "builtin": abs,
    "decorated": tripled,
    "global number": by_rate,
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_kinds_of_functions(kind):
    """Each kind of function can be given; all ways to a gradient know it."""
    function = flatgrad(energy)
    assert_right(function, FUNCTIONS[kind], X)
    assert function.check(FUNCTIONS[kind], X).passed
    compiled = function.compile(FUNCTIONS[kind], X)
    assert compiled(X)[0] == energy(FUNCTIONS[kind], X)


def sum_of_two(f, a, b):
    return f(a) + f(b)


def test_function_of_math():
    """A function for numbers is one for numbers only."""
    function = flatgrad(sum_of_two)
    assert function.grad(math.sin, 0.4, 0.2).a == pytest.approx(math.cos(0.4))
    assert function.grad(math.exp, 0.4, 0.2).b == pytest.approx(math.exp(0.2))
    with pytest.raises((FlatgradError, TypeError)):
        function.grad(math.sin, X, 0.2)


def test_function_has_no_gradient():
    """A function's gradient is None where it is asked for, and it is not among those that hold real numbers."""
    assert flatgrad(energy).grad(np.tanh, X)._fields == ("x",)
    gradients = flatgrad(wrt=("f", "x"))(energy).grad(by_rate, X)
    assert gradients.f is None
    np.testing.assert_allclose(gradients.x, 8 * X)


def apply_each(functions, x):
    for each in functions:
        x = each(x)
    return np.sum(x)


def test_functions_in_a_tuple():
    """A tuple of functions is looked at function by function, in its order."""
    function = flatgrad(apply_each)
    for functions in ((np.sin, np.exp), (np.exp, np.sin), (times(2.0), np.exp), (times(3.0), np.exp), ()):
        assert_right(function, functions, X)


def activated(x, W, activation=np.tanh, name="a"):
    return np.sum(activation(W @ x))


def test_function_as_a_default():
    """A default that is a function is one that code is written for; another one can be given."""
    W = np.array([[1.0, -0.5, 0.2]])
    function = flatgrad(wrt="x")(activated)
    np.testing.assert_allclose(function.grad(X, W), (1 - np.tanh(W @ X) ** 2) @ W)
    np.testing.assert_allclose(function.grad(X, W, np.sin), np.cos(W @ X) @ W)
    np.testing.assert_allclose(function.grad(X, W, activation=times(2.0)), 2 * W[0])
    np.testing.assert_allclose(function.grad(X, W), (1 - np.tanh(W @ X) ** 2) @ W)


FILE = """
import math
import numpy as np

def helper(x):
    y = x * x
    return np.exp(y)

def f(x: float, inner=helper, outer=math.sin) -> float:
    return outer(inner(x))
"""


def test_defaults_from_the_file(tmp_path, define):
    """A file that is not run and a function object give the same module for defaults that are functions."""
    path = tmp_path / "model.py"
    path.write_text(FILE)
    (definition,) = static_definition(Source.read(path), "f")
    text = emit_from_annotations(definition, Options())[0].text
    assert "Written for inner=helper, outer=math.sin." in text
    live = str(flatgrad(define(FILE)).source)
    assert live.split("\n")[1:] == text.split("\n")[1:]


def test_function_that_is_not_known(define):
    """Annotations don't tell which function is called: the error is at the call; other uses of the name don't matter."""
    function = flatgrad(define("def f(act, x):\n    y = 2 * x\n    return act(y)\n"))
    with pytest.raises(SignatureError, match="`act` is a function, and it is not known which one") as caught:
        _ = function.source
    assert "return act(y)" in str(caught.value)
    assert "flatgrad.emit(f, act, x)" in str(caught.value)
    text = "def f(act, x):\n    def g(act):\n        return act(x)\n    return act * g(np.sin)\n"
    assert flatgrad(define(text)).source


REFUSED = {
    "method": (lambda: Model().forward, "the argument `f` is `forward`, a method of a Model"),
    "method of an array": (lambda: X.sum, "the argument `f` is `sum`, a method of a ndarray"),
    "vectorize": (lambda: np.vectorize(times(2.0)), "an object of class vectorize, which can be called"),
    "frompyfunc": (lambda: np.frompyfunc(times(2.0), 1, 1), "a function that np.frompyfunc has made"),
    "cached": (lambda: functools.lru_cache(scaled), "an object of class _lru_cache_wrapper"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_can_be_called_and_is_no_function(kind):
    """What keeps a state of its own is refused at the parameter, with what to give instead."""
    make, message = REFUSED[kind]
    with pytest.raises(SignatureError, match=message.replace("(", r"\(")) as caught:
        flatgrad(energy).grad(make(), X)
    assert "test_functions_as_arguments.py" in str(caught.value)
    assert caught.value.problems[0].hint


@pytest.mark.parametrize("given", [Model, "tanh", functools.partial(Model().forward)])
def test_what_is_not_a_function_is_refused_where_it_is_called(given):
    """A class, a text and a method inside of a partial are errors at the call."""
    with pytest.raises(FlatgradError) as caught:
        flatgrad(energy).grad(given, X)
    assert "y = f(x)" in str(caught.value)


# finding again what was written


def several_functions():
    """Return functions, made anew: some have equal code, some equal names, some both."""
    doubled_sine = functools.wraps(np.sin)(lambda x: 2.0 * np.sin(x))
    return {
        "a": lambda x: x * x,
        "b": lambda x: x * x * 2,
        "c": lambda x: x * x * 2.0,
        "d": lambda x: (x * x) * (1 + 1),
        **{f"times {factor}": times(factor) for factor in (0.0, -0.0, 1, 1.0, True, 2.5, np.float32(2.5))},
        **{f"power {exponent}": powers(exponent, offset) for exponent in (1, 2, 3) for offset in (0.5,)},
        "array": times(np.array([1.0, 2.0, 3.0])),
        "other array": times(np.array([1.0, 2.0, 4.0])),
        "partial": functools.partial(scaled, factor=2.0),
        "other partial": functools.partial(scaled, factor=2),
        "by position": functools.partial(lambda factor, x: scaled(x, factor), 2.0),
        "ufunc": np.sin,
        "cosine": np.cos,
        "named sine": doubled_sine,
    }


def outcome(differentiable, function):
    """Return the text, the value and the gradient as bytes, or the error, of a call."""
    try:
        value, gradients = differentiable.value_and_grad(function, X)
        return str(differentiable.emit(function, X)), value.tobytes(), gradients.x.tobytes(), gradients.x.dtype
    except FlatgradError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(3))
def test_any_order_gives_what_a_fresh_emission_gives(seed):
    """Functions come in random order, some as the object from before and some made anew: each gets its own code."""
    expected = {}
    for name, function in several_functions().items():
        specialise.clear_memory()
        expected[name] = outcome(flatgrad(energy), function)
    assert len({text for text, *_ in expected.values()}) > 15
    assert sum(isinstance(found, str) for found in expected.values()) <= 1
    chosen = random.Random(seed)
    differentiable, known = flatgrad(energy), several_functions()
    specialise.clear_memory()
    for _ in range(150):
        name = chosen.choice(list(expected))
        function = (known if chosen.random() < 0.5 else several_functions())[name]
        assert outcome(differentiable, function) == expected[name], name


def test_lambda_that_is_made_anew_is_found_again(emissions):
    """Its code is the same, so nothing is written and no table grows."""
    function = flatgrad(energy)
    for _ in range(50):
        np.testing.assert_allclose(function.grad(lambda x: 2.0 * x, X).x, 8 * X)
        np.testing.assert_allclose(function.grad(times(3.0), X).x, 18 * X)
        np.testing.assert_allclose(function.grad(functools.partial(scaled, shift=0.0), X).x, 18 * X)
    assert len(emissions) == 3
    assert len(function._state.joint) == 3


def test_closure_with_another_value():
    """What a closure holds is a number in the code: another number is another code, and the first one is found again."""
    function = flatgrad(energy)
    for factor in (2.0, 3.0, 2.0, 2, np.float64(2.0), -2.0):
        np.testing.assert_allclose(function.grad(times(factor), X).x, 2 * factor**2 * X)


def test_closure_that_is_assigned():
    """The variable of a closure that is given twice."""
    factor = 2.0
    function = flatgrad(energy)

    def inner(x):
        return factor * x

    np.testing.assert_allclose(function.grad(inner, X).x, 8 * X)
    factor = 3.0
    np.testing.assert_allclose(function.grad(inner, X).x, 18 * X)


CHANGES = {
    "global": ("k = 2.0\ndef g(x): return k * x\n", "k = 5.0"),
    "global of a helper": ("k = 2.0\ndef h(x): return k * x\ndef g(x): return h(x)\n", "k = 5.0"),
    "helper": ("def h(x): return 2 * x\ndef other(x): return x * x\ndef g(x): return h(x)\n", "h = other"),
    "attribute": ("class c: r = 2.0\ndef g(x): return c.r * x\n", "c.r = 5.0"),
    "attribute asked for by a helper": (
        "class c: r = 2.0\ndef h(x, s): return s.r * x\ndef g(x): return h(x, c)\n",
        "c.r = 5.0",
    ),
    "array in place": ("k = np.array([1.0, 2.0, 3.0])\ndef g(x): return k * x\n", "k[1] = 7.0"),
    "default": ("def g(x, k=2.0): return k * x\n", "g.__defaults__ = (5.0,)"),
    "default by keyword": ("def g(x, *, k=2.0): return k * x\n", "g.__kwdefaults__['k'] = 5.0"),
    "default of a helper": ("def h(x, k=2.0): return k * x\ndef g(x): return h(x)\n", "h.__defaults__ = (5.0,)"),
    "partial in place": (
        "import functools\ndef h(x, k): return k * x\ng = functools.partial(h, k=2.0)\n",
        "g.keywords['k'] = 5.0",
    ),
    "shadowed builtin": ("def g(x): return abs(x) * x\n", "abs = np.exp"),
    "the function itself": ("def g(x): return 2 * x\ndef other(x): return x * x\n", "g = other"),
    "deleted": ("k = 2.0\ndef g(x): return k * x\n", "del k"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_change_is_seen(kind, define):
    """What a function refers to is seen as it is at the call, as for the differentiated function itself; also on the way back."""
    text, change = CHANGES[kind]
    names = define(f"{text}\ndef f(x): return x\n").__globals__
    function = flatgrad(energy)
    first = assert_right(function, names["g"], X)
    exec(change, names)
    if kind == "deleted":
        with pytest.raises((FlatgradError, NameError)):
            function.grad(names["g"], X)
        names["k"] = 2.0
        np.testing.assert_array_equal(assert_right(function, names["g"], X), first)
        return
    assert not np.allclose(assert_right(function, names["g"], X), first)
    assert not np.allclose(assert_right(function, names["g"], X), first)


def test_code_is_replaced_in_place(define):
    """A notebook's autoreload gives the function that there is the code of the new one."""
    old = define("def f(x):\n    return 2 * x\n")
    new = define("def f(x):\n    return x * x\n")
    function = flatgrad(energy)
    np.testing.assert_allclose(function.grad(old, X).x, 8 * X)
    old.__code__ = new.__code__
    np.testing.assert_allclose(function.grad(old, X).x, 4 * X**3)


def handed(f, x):
    return np.sum(f(x, cfg))


def asked_of_another(f, g, x):
    return np.sum(g(x, f()))


def test_object_that_is_handed_to_the_function(monkeypatch):
    """Attributes are looked up by whoever gets the object: the argument, of an object of the differentiated function."""
    function = flatgrad(handed)
    np.testing.assert_allclose(function.grad(by_attribute, X).x, 2.0)
    monkeypatch.setattr(cfg, "rate", 5.0)
    np.testing.assert_allclose(function.grad(by_attribute, X).x, 5.0)
    np.testing.assert_allclose(function.grad(lambda x, settings: settings.rate * x, X).x, 5.0)
    monkeypatch.setattr(cfg, "rate", 7.0)
    np.testing.assert_allclose(function.grad(lambda x, settings: settings.rate * x, X).x, 7.0)


def test_object_that_one_function_hands_to_another(monkeypatch):
    """One argument returns an object, another asks for its attribute."""
    function = flatgrad(asked_of_another)
    np.testing.assert_allclose(function.grad(lambda: cfg, by_attribute, X).x, 2.0)
    monkeypatch.setattr(cfg, "rate", 5.0)
    np.testing.assert_allclose(function.grad(lambda: cfg, by_attribute, X).x, 5.0)


def calls_helper(x):
    return np.sum(by_attribute(x, cfg))


def test_object_that_is_handed_to_a_helper(monkeypatch):
    """The same for a helper that is called by its name."""
    function = flatgrad(calls_helper)
    np.testing.assert_allclose(function.grad(X).x, 2.0)
    monkeypatch.setattr(cfg, "rate", 5.0)
    np.testing.assert_allclose(function.grad(X).x, 5.0)


def test_gradient_of_its_own():
    """A function with a gradient of its own is told by that: another gradient is another code."""

    def forward(x):
        return 2.0 * x, None

    def doubled_backward(residuals, grad_out):
        return (2.0 * grad_out,)

    def zero_backward(residuals, grad_out):
        return (0.0 * grad_out,)

    own = custom_vjp(lambda x: 2.0 * x)
    function = flatgrad(energy)
    own.defvjp(forward, doubled_backward)
    np.testing.assert_allclose(function.grad(own, X).x, 8 * X)
    own.defvjp(forward, zero_backward)
    np.testing.assert_allclose(function.grad(own, X).x, 0 * X)


def test_comment_of_a_function_is_that_of_now(define):
    """The same code with another comment is written anew: the module shows the user's text."""
    first = define("def f(x):\n    # one\n    y = 2 * x\n    return y\n")
    second = define("def f(x):\n    # two\n    y = 2 * x\n    return y\n")
    function = flatgrad(energy)
    assert "# one" in function.emit(first, X)
    assert "# two" in function.emit(second, X)
    assert "# one" in function.emit(first, X)


# what is written


def test_docstring_has_names_and_no_addresses():
    """The module says what it was written for, in the same words in each process."""
    given = {
        scaled: "f=scaled.",
        np.tanh: "f=np.tanh.",
        times(2.0): "f=times.<locals>.<lambda>.",
        tripled: "f=tripled.",
        functools.partial(scaled, factor=2.0): "f=partial(scaled, factor=2.0).",
    }
    for function, text in given.items():
        source = str(api.emit(energy, function, X))
        assert f"Written for {text}" in source
        assert "0x" not in source
    assert "functions=(np.sin, times.<locals>.<lambda>)" in api.emit(apply_each, (np.sin, times(2.0)), X)
    assert "functions=(np.sin,)" in api.emit(apply_each, (np.sin,), X)


def test_name_of_a_function_is_text_in_the_docstring():
    """A name that would end the docstring is part of it."""

    def odd(x):
        return 2.0 * x

    odd.__qualname__ = 'f"""\nimport os\\'
    assert flatgrad(energy).grad(odd, X).x == pytest.approx(8 * X)
    assert "\nimport os" not in api.emit(energy, odd, X)


PROCESS = """
import sys
import numpy as np
from flatgrad import flatgrad

factor = float(sys.argv[1])

def energy(f, x):
    y = f(x)
    return np.sum(y * y)

def scaled(x, k=1.0):
    y = factor * x
    return y * k

def times(k):
    return lambda x: k * x

function = flatgrad(energy)
X = np.array([1.0, 2.0])
for f in (scaled, times(2.0), times(3.0), np.tanh):
    print(function.grad(f, X).x.tolist())
print("read" if "libcst" in sys.modules else "found")
"""


def test_other_processes_find_it_in_the_cache(tmp_path):
    """The same functions in another process need no parser; where one refers to something else it is written anew."""
    script = tmp_path / "script.py"
    script.write_text(PROCESS)
    root = str(Path(api.__file__).parents[1])
    environment = {
        **os.environ,
        "FLATGRAD_CACHE_DIR": str(tmp_path / "cache"),
        "FLATGRAD_CACHE": "on",
        "PYTHONPATH": root,
    }

    def run(factor, seed):
        command = [sys.executable, str(script), factor]
        return subprocess.run(
            command, env={**environment, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    first = run("2.0", "1")
    assert first[:3] == ["[8.0, 16.0]", "[8.0, 16.0]", "[18.0, 36.0]"]
    assert first[-1] == "read"
    assert run("2.0", "2") == [*first[:-1], "found"]
    other = run("4.0", "3")
    assert other[0] == "[32.0, 64.0]"
    assert other[-1] == "read"
    assert run("4.0", "4")[-1] == "found"


# what is kept


def holding(large, number):
    def f(x):
        return x * number if large else x

    return f


def test_functions_that_are_gone_are_not_kept():
    """Ever more functions: tables are bounded, and of the functions themselves the last few live on."""
    function = flatgrad(energy)
    gone = []
    for number in range(2 * kinds.KEPT_FUNCTIONS):
        large = [number]
        f = holding(large, 2.0)
        gone.append(weakref.ref(f))
        np.testing.assert_allclose(function.grad(f, X).x, 8 * X)
        del f
    gc.collect()
    assert sum(each() is not None for each in gone) <= kinds.KEPT_FUNCTIONS


def test_many_closures_are_bounded(monkeypatch):
    """A closure with another number each time: the tables hold so many of them and no more."""
    monkeypatch.setattr(lookup, "KEYS_WITH_FUNCTIONS", 8)
    monkeypatch.setattr(specialise, "KEPT_IN_MEMORY", 8)
    function = flatgrad(energy)
    for number in range(1, 25):
        np.testing.assert_allclose(function.grad(times(float(number)), X).x, 2.0 * number**2 * X)
        assert len(function._state.joint) <= 8
    assert function.grad(times(1.0), X).x == pytest.approx(2 * X)


def test_nothing_of_a_function_stays_with_the_differentiated_one():
    """Once other functions have come, the arguments of a decorated function are free to go, and so is itself."""
    function = flatgrad(energy)
    f = times(2.0)
    function.grad(f, X)
    kept = [weakref.ref(f), weakref.ref(function)]
    del f, function
    kinds._watched.cache_clear()
    gc.collect()
    assert [each() for each in kept] == [None, None]
