"""A process that finds its gradients on disk imports nothing that writes code; and it never finds those of other code."""

from __future__ import annotations

import json
import linecache
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from flatgrad import arguments, flatgrad
from flatgrad.calling import cache, specialise

ROOT = Path(__file__).parents[2]
PROGRAM = textwrap.dedent("""
    import numpy as np
    from jaxtyping import Float

    from flatgrad import flatgrad

    SCALE = 2.0
    TABLE = np.array([1.0, 2.0])


    class Config:
        rate = 0.5


    @flatgrad
    def loss(w: Float[np.ndarray, "d"], X: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"]):
        residual = X @ w * SCALE - y
        return np.mean(residual**2) * Config.rate + np.sum(TABLE)


    @flatgrad(wrt="x")
    def pinned(x, axis, mode="sum"):
        return np.sum(np.max(x, axis=axis)) if mode == "sum" else np.mean(x[1:])


    @flatgrad(wrt=("w", "X"), style="compact")
    def predict(w, X):
        return np.tanh(X @ w)


    @flatgrad(target="math")
    def scalar(a, b=3.0):
        return a * b + a


    def ways():
        w, X, y = np.array([0.5, -0.5]), np.arange(6.0).reshape(3, 2), np.array([1.0, 0.0, 2.0])
        yield "grad", loss.grad(w, X, y)
        yield "value_and_grad", loss.value_and_grad(w, X, y)[1]
        yield "ties that do not hold", loss.grad(w, X, np.ones(1))
        for axis in (0, 1, -1):
            yield f"axis {axis}", pinned.grad(X, axis)
        yield "mode", pinned.grad(X, 0, mode="mean")
        prediction, pullback = predict.vjp(w, X)
        yield "vjp", pullback(np.ones_like(prediction))
        yield "compile", predict.compile(w, X)[0](w, X)[0]
        yield "math", scalar.grad(2.0)
    """)
MAIN = textwrap.dedent("""
    import json, sys
    import numpy as np
    import program

    found = {name: [np.asarray(each).tolist() for each in (way if isinstance(way, tuple) else [way])]
             for name, way in program.ways()}
    print(json.dumps([found, sorted({"libcst", "jinja2"} & set(sys.modules))]))
    """)


@pytest.fixture
def run(tmp_path, place):
    """Return what runs a program in a new process, in a folder with a file `program.py`."""
    folder = tmp_path / "project"
    folder.mkdir()

    def run(program, main):
        (folder / "program.py").write_text(program)
        done = subprocess.run(
            [sys.executable, "-B", "-c", main],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


def test_nothing_that_writes_code_is_imported(run, files):
    """The second process computes the same gradients, bit for bit, without a parser and without templates."""
    cold, imported = run(PROGRAM, MAIN)
    assert imported == ["jinja2", "libcst"]
    kept = files()
    warm, imported = run(PROGRAM, MAIN)
    assert imported == []
    assert warm == cold
    assert files() == kept


EDITS = {
    "body": ("residual**2", "residual**4"),
    "body, of the same length": ("X @ w * SCALE - y", "X @ w * SCALE + y"),
    "constant": ("SCALE = 2.0", "SCALE = 3.0"),
    "type of a constant": ("SCALE = 2.0", "SCALE = 2"),
    "array": ("[1.0, 2.0])", "[1.0, 2.5])"),
    "attribute": ("rate = 0.5", "rate = 0.25"),
    "option": ('wrt="x"', 'wrt="x", style="compact"'),
    "order of gradients": ('wrt=("w", "X")', 'wrt=("X", "w")'),
    "default": ('mode="sum"', 'mode="mean"'),
    "default number": ("b=3.0", "b=4.0"),
    "annotation": ('y: Float[np.ndarray, "n"]', 'y: Float[np.ndarray, "m"]'),
    "an import": ("import numpy as np", "import numpy as np\nimport math"),
    "a function that a name stands for": ("def ways", "tanh = np.tanh\nnp = type('np', (), vars(np) | {'tanh': np.sin})\n\n\ndef ways"),
}  # fmt: skip


@pytest.fixture
def namespace(tmp_path):
    """Return what runs a file, and forgets all that memory holds, as a new process would."""

    def namespace(text, folder="one"):
        file = tmp_path / folder / "program.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        linecache.checkcache(str(file))
        specialise.clear_memory()
        names = {"__name__": "program"}
        exec(compile(text, str(file), "exec", dont_inherit=True), names)
        return names

    yield namespace
    specialise.clear_memory()


@pytest.mark.parametrize("edit", EDITS)
def test_edited_file_has_its_own_gradients(namespace, edit, monkeypatch):
    """After an edit the gradients are those that a process without a cache computes."""
    before, after = EDITS[edit]
    assert before in PROGRAM
    edited = PROGRAM.replace(before, after)
    found = []
    for text, mode in ((PROGRAM, "on"), (edited, "on"), (edited, "off")):
        monkeypatch.setenv("FLATGRAD_CACHE", mode)
        found.append({name: [np.asarray(each).tolist() for each in way] for name, way in namespace(text)["ways"]()})
    assert found[1] == found[2]


@pytest.fixture
def made(namespace):
    """Return what makes a decorated function `f` from the text of a file."""
    return lambda text, folder="one", **options: flatgrad(**options)(
        namespace("import numpy as np\n" + text, folder)["f"]
    )


@pytest.fixture
def emissions(monkeypatch):
    """Return a list that grows by one with each emission."""
    found = []
    emit = arguments.emit

    def counted(*args, **kwargs):
        found.append(1)
        return emit(*args, **kwargs)

    monkeypatch.setattr(arguments, "emit", counted)
    return found


def test_same_function_in_a_new_process_is_not_emitted(made, emissions):
    """What the other tests count is counted here: the same function is found on disk."""
    for _ in range(3):
        assert made("def f(x):\n    return x * x\n", wrt="x").grad(3.0) == 6.0
    assert len(emissions) == 1


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("k = 2.0\ndef f(x):\n    return x * k\n", "k = 5.0\ndef f(x):\n    return x * k\n", 5.0),
        ("g = np.sin\ndef f(x):\n    return g(x)\n", "g = np.cos\ndef f(x):\n    return g(x)\n", -np.sin(3.0)),
        ("def f(x):\n    return x * x\n", "def f(x):\n    return x + x\n", 2.0),
        ("def f(x):\n    return x * 2\n", "def f(x):\n    return x * 4\n", 4.0),
        ("k = range(3)\ndef f(x):\n    return x * k[1]\n", "k = range(5, 9)\ndef f(x):\n    return x * k[1]\n", None),
    ],
)
def test_other_file_of_the_same_name(made, first, second, expected):
    """Two files of one name, with functions of one name on the same line."""
    for text, folder in ((first, "one"), (second, "two")):
        function = made(text, folder, wrt="x")
        step = 1e-6
        slope = (function(3.0 + step) - function(3.0 - step)) / (2 * step)
        assert function.grad(3.0) == pytest.approx(slope, rel=1e-6)
    if expected is not None:
        assert function.grad(3.0) == pytest.approx(expected)


@pytest.mark.parametrize("version", ["flatgrad.calling.specialise.__version__", "numpy.__version__", "sys.version"])
def test_other_version_emits_anew(made, emissions, monkeypatch, version):
    """What an older or newer flatgrad, NumPy or Python has kept is not found."""
    made("def f(x):\n    return x * x\n").grad(3.0)
    monkeypatch.setattr(version, "99.0")
    monkeypatch.setattr(specialise, "VERSIONS", specialise._versions())
    made("def f(x):\n    return x * x\n").grad(3.0)
    assert len(emissions) == 2


def test_broken_entry_is_written_anew(made, emissions, files):
    """An entry that someone has changed by hand is not run."""
    made("def f(x):\n    return x * x\n", wrt="x").grad(3.0)
    for path in files():
        path.write_text(path.read_text().replace("2 *", "9 *"))
    assert made("def f(x):\n    return x * x\n", wrt="x").grad(3.0) == 6.0
    assert len(emissions) == 2
    assert cache.size()[0] == len(files())
