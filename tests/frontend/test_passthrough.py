"""What functions do beside computing is done once, in its place, by the emitted forward pass; their gradients are right."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from flatgrad import api
from flatgrad.errors import FlatgradError
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

sys.path.insert(0, str(Path(__file__).parent))

from passthrough_programs import HEAD, PROGRAMS, RAISING  # noqa: E402

MODEL = "passing_model"
X = np.array([0.3, 1.2, -0.7])


class Records(logging.Handler):
    """Keeps the records of all loggers."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def emit(self, record):
        """Keep a record."""
        self.seen.append((record.name, record.levelname, record.getMessage()))


def observed(function, *args):
    """Return what a call returns, and all that can be seen of it: the exception, text, records, warnings."""
    out, err, records = io.StringIO(), io.StringIO(), Records()
    result = raised = None
    if MODEL in sys.modules:
        sys.modules[MODEL].generator.bit_generator.state = np.random.default_rng(5).bit_generator.state
    logging.getLogger().addHandler(records)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(record=True) as heard,
        ):
            warnings.simplefilter("always")
            try:
                result = function(*args)
            except Exception as error:
                cause = None if error.__cause__ is None else (type(error.__cause__), str(error.__cause__))
                raised = (type(error), error.args, cause)
    finally:
        logging.getLogger().removeHandler(records)
    seen = [(each.category, str(each.message)) for each in heard]
    return result, (raised, out.getvalue(), err.getvalue(), records.seen, seen)


def loaded(path, monkeypatch):
    """Return the module in a file, as Python imports it."""
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


def written(tmp_path, body):
    """Write the file of a function, and return its path."""
    path = tmp_path / f"{MODEL}.py"
    lines = body.strip("\n").rstrip().split("\n")
    body = "\n".join(line if line.startswith("    ") or not line else "    " + line for line in lines)
    path.write_text(f"{HEAD.lstrip()}\ndef f(x):\n{body}\n", encoding="utf-8")
    return path


def quiet(function, *args):
    return observed(function, *args)[0]


def slopes(function, x, step=1e-6):
    return np.array(
        [(quiet(function, x + step * e) - quiet(function, x - step * e)) / (2 * step) for e in np.eye(len(x))]
    )


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_effects_happen_once_and_gradients_are_right(tmp_path, monkeypatch, name, style):
    """The value is the function's own, bit for bit, and so is all that it prints, logs and warns of."""
    f = loaded(written(tmp_path, PROGRAMS[name]), monkeypatch).f
    value, seen = observed(f, X)
    (found, (gradient,)), found_seen = observed(api.value_and_grad(f, style=style), X)
    assert seen[0] is None
    assert found_seen == seen
    assert type(found) is type(value) and found == value
    np.testing.assert_allclose(gradient, slopes(f, X), rtol=1e-6, atol=1e-8)
    (found, pullback), found_seen = observed(api.vjp, f, X)
    assert found == value and found_seen == seen
    (again,), nothing = observed(pullback, 1.0)
    assert nothing == (None, "", "", [], [])
    np.testing.assert_allclose(again, gradient, rtol=1e-12)


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_file_gives_the_same_code_as_the_function(tmp_path, monkeypatch, name, style):
    """What is imported, made at the top of the file or raised is found in both ways."""
    path = written(tmp_path, PROGRAMS[name])
    live = str(api.emit(loaded(path, monkeypatch).f, X, style=style))
    (definition,) = static_definition(Source.read(path), "f")
    emitted, _ = emit_from_annotations(definition, Options(style=style), "x=(n,)")
    assert emitted.text.split("\n", 1)[1] == live.split("\n", 1)[1]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("name", RAISING)
def test_the_same_exception_is_raised(tmp_path, monkeypatch, name, split):
    """A `raise` that the forward pass reaches is that of the function: class, arguments and cause."""
    f = loaded(written(tmp_path, RAISING[name][1]), monkeypatch).f
    _, seen = observed(f, X)
    assert seen[0] is not None
    call = (lambda x: api.vjp(f, x)) if split else api.value_and_grad(f)
    _, found = observed(call, X)
    # where the exception is certain, the function itself is run to raise it
    assert found == seen


@pytest.mark.parametrize(
    "name", [name for name in RAISING if "static" not in name and name not in ("caught", "raised again")]
)
def test_where_nothing_is_raised_there_is_a_gradient(tmp_path, monkeypatch, name):
    """The path without the exception is differentiated."""
    f = loaded(written(tmp_path, RAISING[name][1]), monkeypatch).f
    x = -np.abs(X) if name not in ("in a context", "in try") else X * 0.0
    if quiet(f, x) is None:
        x = -10.0 * np.abs(X)
    value, (gradient,) = quiet(api.value_and_grad(f), x)
    assert value == quiet(f, x)
    if name not in ("in a context", "in try"):
        np.testing.assert_allclose(gradient, slopes(f, x), rtol=1e-6, atol=1e-8)


# what can't be kept, with the line of `f` where the error has to be, and what it says
REFUSED = {
    "a fallback": (
        "try:\n    y = np.log(x)\nexcept LinAlgError:\n    y = x\nreturn np.sum(y)",
        3,
        "a handler that goes on with another value",
    ),
    "a return in a handler": (
        "try:\n    y = np.log(x)\nexcept ValueError:\n    return 0.0\nreturn np.sum(y)",
        3,
        "a handler that goes on with another value",
    ),
    "suppress": (
        "with contextlib.suppress(ValueError):\n    y = np.log(x)\nreturn np.sum(x)",
        1,
        "what `suppress` leaves undone",
    ),
    "a file": ("with open('a') as stream:\n    print(stream)\nreturn np.sum(x)", 1, "`open` reads from outside"),
    "input": ("s = input('?')\nreturn np.sum(x)", 1, "`input` reads from outside"),
    "a deleted variable": ("y = x * 2\ndel y\nreturn np.sum(y)", 3, "`y` has no value here"),
    "a global that is assigned": ("global RATE\nRATE = 2.0\nreturn np.sum(x) * RATE", 2, "`RATE` is global"),
    "a draw with a gradient": (
        "rng = np.random.default_rng(0)\nreturn np.sum(rng.normal(x[0], 1.0, size=3))",
        2,
        "the gradient of a draw with respect to `loc`",
    ),
    "an import of the project": (
        "from .other import g\nreturn g(np.sum(x))",
        1,
        "inside of the function can't be followed",
    ),
    "an import that fails": ("from math import no_such\nreturn np.sum(x)", 1, "no_such"),
    "sys": ("n = len(sys.argv)\nreturn np.sum(x) * n", 1, "`sys.argv` may differ"),
    "a value of the try in its handler": (
        "y = x\ntry:\n    y = np.log(x)\nexcept ValueError:\n    print(y)\n    raise\nreturn np.sum(y)",
        5,
        "`y` is what it was or what the `try` makes it",
    ),
    "a context that is given an array": (
        "y = x * 2\nwith Centred(y):\n    z = y * y\nreturn np.sum(z)",
        2,
        "the context `Centred` is given an array, and may change it",
    ),
    "a context that changes a global": (
        "with scaled(3.0):\n    y = x * STATE['scale']\nreturn np.sum(y)",
        1,
        "entering or leaving `scaled` changes `STATE`",
    ),
    "a context that changes a global by a function": (
        "with Counted():\n    y = x * 2\nreturn np.sum(y)",
        1,
        "entering or leaving `Counted` changes `ENTERED`",
    ),
    "an array that is given to an object": (
        "y = x * 2\nwith Timer() as t:\n    t.record(y)\nreturn np.sum(y)",
        3,
        "`record` of an object that is not read is given an array",
    ),
    "a number of a context": (
        "with Timer() as t:\n    y = x * t.ticks\nreturn np.sum(y)",
        2,
        "`ticks` of an object that is not read",
    ),
    "a return in finally": ("try:\n    y = x\nfinally:\n    return np.sum(x)", 3, "a `finally` that leaves"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_kept_is_refused_at_its_place(tmp_path, monkeypatch, name):
    """Nothing is left out silently."""
    body, line, message = REFUSED[name]
    path = written(tmp_path, "\n".join("    " + each for each in body.split("\n")))
    first = path.read_text().split("\n").index("def f(x):") + 1
    for find in (
        lambda: api.emit(loaded(path, monkeypatch).f, X),
        lambda: emit_from_annotations(*static_definition(Source.read(path), "f"), Options(), "x=(n,)"),
    ):
        with pytest.raises(FlatgradError) as error:
            find()
        (problem,) = error.value.problems
        assert message in problem.message
        assert problem.line == first + line


def test_an_object_that_changes_a_global_is_not_entered(define):
    """What the object of a file does when it is entered is looked at, too."""
    text = "STATE = {'by': 1.0}\n\n\nclass Scaled:\n    def __enter__(self):\n        STATE['by'] = 3.0\n\n"
    text += "    def __exit__(self, *reason):\n        STATE['by'] = 1.0\n\n\nscaled = Scaled()\n\n\n"
    text += "def f(x):\n    with scaled:\n        y = x * STATE['by']\n    return np.sum(y)\n"
    module = types.ModuleType("module_with_a_context")
    f = define(text, __name__=module.__name__)
    vars(module).update(f.__globals__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        with pytest.raises(FlatgradError, match="changes `STATE`"):
            api.emit(f, X)


def test_a_checkpointed_loop_prints_once_and_refuses_draws(define):
    """The turns that run again do not print again; what can't be drawn again is refused."""
    head = "from flatgrad import checkpointed\n\n\ndef f(x):\n    s = x[0]\n    for k in checkpointed(range(9)):\n"
    f = define(head + "        print(k)\n        s = np.sin(s) * x[1]\n    return s\n")
    value, seen = observed(f, X)
    (found, (gradient,)), found_seen = observed(api.value_and_grad(f), X)
    assert found == value and found_seen == seen
    np.testing.assert_allclose(gradient, slopes(f, X), rtol=1e-6, atol=1e-8)
    g = define(head + "        s = np.sin(s) * x[1] + np.random.rand()\n    return s\n")
    with pytest.raises(FlatgradError, match="can't be run again"):
        api.emit(g, X)
