"""Threads, forks and interrupts: what one thread is at never spoils what another one, a child or the next call finds."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from flatgrad import arguments, flatgrad
from flatgrad.calling.specialise import clear_memory

ROOT = Path(__file__).parents[2]
THREADS = 8


@pytest.fixture
def emissions(monkeypatch):
    """Return a list that grows by one with each emission."""
    made = []
    emit = arguments.emit

    def counted(*args, **kwargs):
        emitted = emit(*args, **kwargs)
        made.append(emitted)
        return emitted

    monkeypatch.setattr(arguments, "emit", counted)
    clear_memory()
    return made


@pytest.fixture
def often_switched():
    """Let threads take turns as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def numbered(define, number):
    """Return a decorated function; each number makes another one."""
    return flatgrad(wrt="x")(define(f"k = {number}.5\ndef f(x):\n    return np.sum(np.sin(x) * k)\n"))


def together(count, work):
    """Run `work(0)`, `work(1)`, ... in threads that start at the same moment, and return what they return."""
    barrier = threading.Barrier(count)

    def started(number):
        barrier.wait(timeout=20)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(started, range(count)))


@pytest.mark.parametrize("purpose", ["grad", "value_and_grad", "vjp", "compile", "emit"])
def test_cold_function_is_emitted_once(define, emissions, often_switched, purpose):
    """Threads that ask for the same at once wait for the first of them, and get the same."""
    function = numbered(define, 1)
    x = np.array([0.3, 0.4])
    found = together(THREADS, lambda _: getattr(function, purpose)(x))
    assert len(emissions) == 1
    expected = np.cos(x) * 1.5
    for each in found:
        if purpose == "grad":
            np.testing.assert_allclose(each, expected)
        elif purpose == "value_and_grad":
            assert each[0] == function(x)
            np.testing.assert_allclose(each[1], expected)
        elif purpose == "vjp":
            np.testing.assert_allclose(each[1](1.0), expected)
        else:
            assert each == found[0]


def test_functions_of_the_same_text_are_emitted_once(define, emissions, often_switched):
    """Decorating one function many times does not make it many functions."""
    plain = define("def f(x):\n    return np.sum(np.sin(x))\n")
    x = np.array([0.3, 0.4])
    first = flatgrad(plain).grad(x)
    found = together(THREADS, lambda _: flatgrad(plain).grad(x))
    assert len(emissions) == 1
    for each in found:
        np.testing.assert_array_equal(each.x, first.x)


def test_many_functions_in_many_threads(define, emissions, often_switched):
    """Each of 50 functions is emitted once, and each of 8 threads gets the gradients of the function that it asked."""
    functions = [numbered(define, number) for number in range(50)]
    x = np.array([0.3, 0.4, 0.5])

    def work(thread):
        order = np.random.default_rng(thread).permutation(len(functions))
        return {number: functions[number].grad(x) for number in order}

    for found in together(THREADS, work):
        for number, gradient in found.items():
            np.testing.assert_allclose(gradient, np.cos(x) * (number + 0.5))
    assert len(emissions) == len(functions)


def test_threads_with_arguments_of_different_kinds(define, emissions, often_switched):
    """Ranks, dtypes and static arguments that threads bring at once do not get into each other's way."""
    text = "def f(x, axis):\n    return np.sum(np.max(x, axis=axis))\n"
    function = flatgrad(wrt="x")(define(text))
    rng = np.random.default_rng(0)
    calls = [
        (rng.normal(size=shape).astype(dtype), axis)
        for shape in ((2, 3), (2, 3, 4))
        for dtype in "fd"
        for axis in (0, 1)
    ]

    def work(thread):
        order = np.random.default_rng(thread).permutation(len(calls))
        return {number: function.grad(*calls[number]) for number in order}

    for found in together(THREADS, work):
        for number, gradient in found.items():
            x, axis = calls[number]
            np.testing.assert_array_equal(gradient, x == np.max(x, axis=axis, keepdims=True))
            assert gradient.dtype == x.dtype
    assert len(emissions) == len(calls)


def test_constant_that_changes_under_threads(define, often_switched):
    """A gradient belongs to a value that the constant had during the call, and to the last one once it stays."""
    plain = define("k = 0.0\ndef f(x):\n    return x * k\n")
    function = flatgrad(wrt="x")(plain)
    function.grad(1.0)
    done = threading.Event()

    def change():
        try:
            for number in range(1, 30):
                plain.__globals__["k"] = float(number)
                function.grad(1.0)
        finally:
            done.set()
        return []

    def watch():
        found = []
        while not done.is_set():
            before = plain.__globals__["k"]
            found.append((before, function.grad(1.0), plain.__globals__["k"]))
        return found

    for found in together(4, lambda number: watch() if number else change()):
        assert all(before <= gradient <= after for before, gradient, after in found)
    assert function.grad(1.0) == 29.0


def interrupted_after(count, call):
    """Call, and raise KeyboardInterrupt when so many functions have been called; return what the caller sees of it."""
    left = count

    def watch(frame, event, argument):
        nonlocal left
        left -= event == "call"
        if not left:
            raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        call()
    except BaseException as error:
        return error
    finally:
        sys.setprofile(before)
    return None


# Python drops what is raised while it puts a generator away, and says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupt_leaves_all_as_it_was(define):
    """Ctrl-C at any point of an emission is KeyboardInterrupt for the caller. The next call succeeds."""
    x = np.array([[0.3, 0.9], [0.5, 0.1]])
    limit = sys.getrecursionlimit()
    seen = []
    for number, count in enumerate(np.geomspace(3, 20000, 60).astype(int)):
        text = f"def f(x, axis):\n    return np.sum(np.max(np.sin(x), axis=axis)) * {number}.5\n"
        function = flatgrad(wrt="x")(define(text))
        seen.append(interrupted_after(count, lambda function=function: function.grad(x, 0)))
        largest = np.max(x, axis=0, keepdims=True) == x
        np.testing.assert_allclose(function.grad(x, 0), largest * np.cos(x) * (number + 0.5))
        assert gc.isenabled()
        assert sys.getrecursionlimit() == limit
    assert {type(error) for error in seen} <= {KeyboardInterrupt, type(None)}
    assert KeyboardInterrupt in map(type, seen)


FORKING = """
import faulthandler, gc, linecache, os, sys, threading, time
import numpy as np
from flatgrad import flatgrad

def numbered(number):
    lines = ["import numpy as np\\n", "def f(x):\\n", f"    y = np.sin(x) * {number}.5\\n"]
    lines += [f"    y = y * np.tanh(x + {k}.25)\\n" for k in range(5)] + ["    return np.sum(y)\\n"]
    file = f"<text {number}>"
    linecache.cache[file] = (0, None, lines, file)
    names = {"__name__": "text"}
    exec(compile("".join(lines), file, "exec"), names)
    return flatgrad(names["f"])

FORKS, x = 6, np.array([0.1, 0.2, 0.3])
shared, own = [numbered(k) for k in range(500)], [numbered(k) for k in range(500, 500 + FORKS)]
limit, stop = sys.getrecursionlimit(), threading.Event()

def work():
    for function in shared:
        if stop.is_set():
            return
        function.grad(x)

thread = threading.Thread(target=work)
thread.start()
status = 0
for k in range(FORKS):
    # the first forks come while the other thread imports what writes code
    time.sleep(0.04 if k < 4 else 0.013)
    if not (child := os.fork()):
        faulthandler.dump_traceback_later(15, exit=True)
        # one that nobody has asked for, and those that the other thread may be at
        for function in (own[k], *shared[:40]):
            function.grad(x)
        os._exit(2 * (not gc.isenabled()) + 4 * (sys.getrecursionlimit() != limit))
    status |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        break
stop.set()
thread.join()
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes can't fork here")
def test_fork_while_another_thread_emits():
    """A child has none of the other threads: it must not wait for them, and has Python's own settings."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FLATGRAD_CACHE": "off"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, f"2: the collector is off, 4: the limit of recursion is another\n{run.stderr[-3000:]}"
