"""Emitted functions as Python sees them: source, tracebacks, threads."""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import subprocess
import sys
import threading
import traceback

import numpy as np
import pytest

from flatgrad.api import emit, value_and_grad, vjp
from flatgrad.calling.build import built
from flatgrad.errors import ShapeError, SignatureError, UnsupportedError
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import same

X = np.array([0.3, -1.2, 2.5])


def scaled(x, s):
    y = np.exp(x) * s
    return np.sum(y)


def test_source_of_the_running_code_can_be_had():
    """inspect.getsource gives the very text that emit returns."""
    text = emit(scaled, X, 1.5)
    function = built(text, "scaled")["scaled_value_and_grad"]
    assert inspect.getsource(function) in text
    linecache.checkcache()
    assert inspect.getsource(function) in text


def test_traceback_shows_the_emitted_line():
    """An error at run time shows the emitted line that it happened in, and behind it the user's own."""

    def f(x, y):
        z = x @ y
        return np.sum(z)

    with_gradients = value_and_grad(f)
    with_gradients(np.ones((2, 3)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="matmul") as error:
        with_gradients(np.ones((2, 3)), np.ones((5, 4)))
    emitted, own = traceback.extract_tb(error.value.__traceback__)[-2:]
    assert emitted.name == "f_value_and_grad"
    assert emitted.line == "z = x @ y"
    assert own.name == "f"
    assert own.line == "z = x @ y"
    assert own.filename == __file__


def test_backward_pass_shows_in_tracebacks_too():
    """An error in the backward function points at a line that can be read."""

    def f(x):
        return np.log(x)

    with np.errstate(divide="ignore"):
        _, pullback = vjp(f, np.zeros(3))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError) as error:
        pullback(np.ones(3))
    last = traceback.extract_tb(error.value.__traceback__)[-1]
    assert last.name == "f_backward"
    assert last.line.startswith("grad_")


def test_upstream_gradient_has_the_shape_of_the_value():
    """A gradient of another shape would broadcast to a wrong one without a word."""

    def f(x, y):
        return x @ y

    _, pullback = vjp(f, np.ones((2, 3)), np.ones((3, 4)))
    with pytest.raises(ShapeError, match=r"\(1, 4\)"):
        pullback(np.ones((1, 4)))
    with pytest.raises(SignatureError, match="1 upstream"):
        pullback(np.ones((2, 4)), 1.0)


def test_emitted_module_runs_by_itself(tmp_path):
    """What is written to a file needs NumPy and nothing of flatgrad."""
    path = tmp_path / "emitted.py"
    path.write_text(emit(scaled, X, 1.5), encoding="utf-8")
    program = (
        "import sys, numpy as np\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import emitted\n"
        "value, (grad_x, grad_s) = emitted.scaled_value_and_grad(np.array([0.3, -1.2, 2.5]), 1.5)\n"
        "assert not [name for name in sys.modules if name.startswith('flatgrad')]\n"
        "print(repr(float(value)), repr(float(grad_s)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    value, gradients = value_and_grad(scaled)(X, 1.5)
    assert run.stdout == f"{float(value)!r} {float(gradients.s)!r}\n"


def test_upstream_gradient_is_a_parameter_of_the_emitted_function():
    """grad_out scales the gradients: the emitted function is a building block."""
    function = built(emit(scaled, X, 1.5), "scaled")["scaled_value_and_grad"]
    (upstream,) = [name for name in inspect.signature(function).parameters if name.startswith("grad_")]
    value, (grad_x, grad_s) = function(X, 1.5)
    same, (twice_x, twice_s) = function(X, 1.5, **{upstream: 2.0})
    assert value == same
    np.testing.assert_allclose(twice_x, 2 * grad_x)
    np.testing.assert_allclose(twice_s, 2 * grad_s)


def test_function_of_a_file_that_is_changed_and_imported_again(tmp_path):
    """The new function is read, not the text of before."""
    path = tmp_path / "model.py"
    values = []
    for body in ("x * 2", "x * 300 + 1"):
        path.write_text(f"def f(x):\n    return {body}\n", encoding="utf-8")
        spec = importlib.util.spec_from_file_location("model", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        values.append(value_and_grad(module.f)(1.0))
        path.unlink()
    assert values == [(2.0, (2.0,)), (301.0, (300.0,))]


def test_threads_share_a_function():
    """Calls from several threads, also the first ones, all get the right gradients."""

    def f(x, s):
        return np.sum(np.sin(x) * s)

    with_gradients = value_and_grad(f)
    shapes = [(3,), (1,), (2, 3), (1, 3), (2, 1), ()]
    barrier = threading.Barrier(6)
    failures = []

    def work(first):
        barrier.wait()
        for k in range(30):
            shape = shapes[(first + k) % len(shapes)]
            x = np.full(shape, 0.1 * k + first)
            value, gradients = with_gradients(x, 2.0)
            if value != f(x, 2.0) or not np.allclose(gradients.x, 2 * np.cos(x)) or gradients.x.shape != shape:
                failures.append((first, k))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_threads_differentiate_different_functions(define):
    """Emission keeps no state between functions."""
    functions = [define(f"def f(x):\n    y = x * {k}.0\n    return np.sum(y * y)\n") for k in range(1, 9)]
    found = {}

    def work(k, function):
        found[k] = value_and_grad(function)(X)[1].x

    threads = [threading.Thread(target=work, args=(k, function)) for k, function in enumerate(functions, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(1, 9):
        np.testing.assert_allclose(found[k], 2 * k * k * X)


def test_defaults_are_those_of_the_function(define):
    """A default is worked out when the function is made; what its expression would give now does not matter."""
    f = define("RATE = 0.5\ndef f(x, k=RATE, *, m=RATE * 2):\n    return np.sum(x) * k * m\nRATE = 7.0\n")
    assert "(x, k=0.5, *, m=1.0, grad_out=1.0)" in emit(f, X)
    assert value_and_grad(f)(X)[0] == f(X) == built(emit(f, X), "f")["f_value_and_grad"](X)[0]


def test_copied_function_that_needs_more_of_its_file_is_refused(define):
    """A function with a rule of its own is copied into the module; a name that it would miss there is an error."""
    f = define("c = 2.0\ndef halved(x):\n    return x / c\ndef f(x):\n    return np.sum(halved(x))\n")

    def grad_halved(x, y, grad_y):
        grad_x = grad_y / 2
        return grad_x

    halved = f.__globals__["halved"]
    rule(halved, shape=same, samples=[Sample(real(3))])(grad_halved)
    with pytest.raises(UnsupportedError, match="uses `c` of its own file"):
        emit(f, X)
