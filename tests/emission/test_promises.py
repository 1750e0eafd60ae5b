"""What is promised of every emitted module: clean, self-contained, the same on every machine, and nobody breaks out of it."""

import importlib.util
import inspect
import linecache
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flatgrad import api, nn

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent))
STYLES = ("flat", "compact")
FILES = ("networks", "likelihoods", "science")
# refused so far: see tests/programs
UNREAD = ("lstm_step",)


def loaded(path, name):
    """Return the names that a file defines."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def programs():
    """Return functions with arguments for them: those of tests/programs, and those that are written for the tests here."""
    found = {}
    for file in FILES:
        normal = np.random.default_rng(5).normal
        for program, make in loaded(ROOT / "tests" / "programs" / f"{file}.py", f"promised_{file}")["PROGRAMS"].items():
            if program.__name__ not in UNREAD:
                found[program.__name__] = program, make(lambda *size, normal=normal: normal(size=size), 3)
    return found | {name: (defined(text), arguments) for name, (text, arguments) in UNUSUAL.items()}


def defined(text, **names):
    """Return the function `f` that a text defines."""
    filename = f"<test {hash(text)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace = {"np": np, **{name: getattr(nn, name) for name in ("sigmoid", "softmax", "logsumexp")}, **names}
    exec(compile(text, filename, "exec"), namespace)
    return namespace["f"]


LONG = "a_rather_long_name_of_a_variable_that_says_everything_about_it"
X = np.array([0.3, -1.2, 0.7])
UNUSUAL = {
    "long_names": (
        f"def f({LONG}_x, {LONG}_y):\n"
        f"    {LONG}_z = np.tanh({LONG}_x * {LONG}_y) + {LONG}_x\n"
        f"    return np.sum({LONG}_z * {LONG}_x) + np.mean({LONG}_y / (1 + {LONG}_z**2)) - np.max({LONG}_z)\n",
        (X, X + 2),
    ),
    "long_expression": (
        "def f(x):\n    return np.sum("
        + " + ".join(f"np.sin({k}.5 * x[{k % 3}]) ** 2 / {k + 1}" for k in range(40))
        + ")\n",
        (X,),
    ),
    "many_parameters": (
        "def f(" + ", ".join(f"weight_{k}" for k in range(60)) + "):\n    return "
        "np.sum(" + " * ".join(f"weight_{k}" for k in range(60)) + ")\n",
        tuple(X + 2 for _ in range(60)),
    ),
    "constants": (
        "SCALE = 1e-05\nOFFSET = -2.5\nTABLE = np.linspace(-1, 1, 40).reshape(2, 20)\nNONE = np.zeros((0, 3))\n"
        "SHARP = np.float64(2.1)\nWHOLE = np.int64(3)\nHALF = np.float32(0.5)\nCOUNTS = np.array([1, 2, 3], dtype=np.int8)\nLIMIT = float('inf')\nMASK = COUNTS > 1\n\n\n"
        "def f(x):\n    y = np.where(MASK, x * COUNTS, -LIMIT)\n"
        "    return np.sum(x * SCALE + OFFSET) + TABLE.sum() * HALF * x[0] + np.sum(NONE) * x[1] + np.max(y) + np.sum(x * SHARP) - x[2] * WHOLE\n",
        (X,),
    ),
    "strings": (
        'def f(x, mode="it\'s \\"both\\"", other=\'say "hi"\', plain=\'a\'):\n'
        '    assert x.ndim == 1, \'one\\taxis \\\\ "please"\'\n    assert x[0] < 9, f"it\'s {x[0]:.3f} {{braces}} \\"quoted\\""\n'
        "    return np.sum(x * x)\n",
        (X,),
    ),
    "no_backward": ("def f(x, y):\n    return x * 1.0\n", (0.5, 0.7)),
    "helpers": ("def f(x):\n    return logsumexp(sigmoid(x) * softmax(x)) + np.prod(x)\n", (X,)),
    "comments": (
        "def f(x):\n    #no space\n    #: a colon\n    #!shebang\n    y = x * x  #behind\n    # noqa: F401\n    # fmt: off\n\n"
        "    # " + "long " * 60 + "\n    return np.sum(y)  # type: ignore\n",
        (X,),
    ),
}
PROGRAMS = programs()


def emitted(name, style):
    """Return the text that is emitted for a program."""
    program, arguments = PROGRAMS[name]
    return api.emit(program, *arguments, style=style)


every_style = pytest.mark.parametrize("style", STYLES)
every_program = pytest.mark.parametrize("name", PROGRAMS)


def golden_and_scalar():
    """Return what is emitted beside the programs: the golden files, and modules for Python floats."""
    texts = {f"{path.parent.name}_{path.stem}": path.read_text() for path in HERE.glob("golden/*/*.py")}
    for name, (program, arguments) in PROGRAMS.items():
        if all(isinstance(argument, float) for argument in arguments):
            for style in STYLES:
                texts[f"{name}_{style}_math"] = api.emit(program, *arguments, style=style, target="math")
    return {name: text for name, text in texts.items() if not name.endswith("forward")}


def write_all(folder):
    """Write every module into a folder."""
    texts = {f"{name}_{style}": emitted(name, style) for name in PROGRAMS for style in STYLES}
    for name, text in (texts | golden_and_scalar()).items():
        (folder / f"{name}.py").write_text(text)


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_ruff_finds_nothing(tmp_path):
    """`ruff check` and `ruff format` with default settings leave every module as it is."""
    write_all(tmp_path)
    assert len(list(tmp_path.iterdir())) > 100
    for command in (["check"], ["format", "--check", "--diff", "--line-length", "120"]):
        done = subprocess.run([RUFF, *command, "--isolated", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@every_style
def test_expression_of_two_thousand_terms(style):
    """One expression of any length is emitted, can be compiled, and computes what the function computes."""
    terms = " + ".join(f"x[{k % 3}] * {k}.25" for k in range(2000))
    function = defined(f"def f(x):\n    return np.tanh(1e-6 * ({terms}))\n")
    value, (gradient,) = api.value_and_grad(function, style=style)(X)
    assert value == function(X)
    sums = np.array([sum(k + 0.25 for k in range(2000) if k % 3 == place) for place in range(3)])
    np.testing.assert_allclose(gradient, 1e-6 * sums * (1 - value**2), rtol=1e-12)


ONLY_NUMPY = """
import sys

allowed = {allowed!r}
{preload}
real_import = __import__


def checked(name, globals=None, locals=None, fromlist=(), level=0):
    if globals and globals.get("__name__") == "emitted" and name.partition(".")[0] not in allowed:
        raise ImportError(f"an emitted module imports {{name}}")
    return real_import(name, globals, locals, fromlist, level)


import builtins
import pathlib

builtins.__import__ = checked
for path in sorted(pathlib.Path({folder!r}).glob({pattern!r})):
    exec(compile(path.read_text(), str(path), "exec"), {{"__name__": "emitted"}})
print("done")
"""


@pytest.mark.parametrize(
    ("pattern", "allowed", "preload"), [("*.py", ("numpy", "math"), "import numpy"), ("*_math.py", ("math",), "")]
)
def test_modules_import_next_to_nothing(tmp_path, pattern, allowed, preload):
    """Emitted modules run where there is nothing but NumPy; those for Python floats where there is nothing but math."""
    write_all(tmp_path)
    script = ONLY_NUMPY.format(allowed=allowed, preload=preload, folder=str(tmp_path), pattern=pattern)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "done\n", done.stderr


EMIT = """
import sys
sys.path[:0] = [{root!r}, {folder!r}]
import forward
from flatgrad import emit
for style in ("flat", "compact"):
    for function in (forward.two, forward.several):
        sys.stdout.buffer.write(str(emit(function, shapes="x=(n,d) w=(d,)", style=style)).encode())
"""
FORWARD = """
import numpy as np
from flatgrad.nn import sigmoid, softmax

TABLE = {"b": 2.0, "a": 1.0}
SCALE = np.array([1.0, 2.0])


def two(x, w, c=0.5):
    # kept
    h = sigmoid(x @ w + c) * np.max(softmax(x), axis=1)
    return np.sum(h) * np.pi + SCALE[0] + h @ h


def several(x, w):
    a, b = np.tanh(x @ w), np.exp(w)
    return a, {"k": 1}["k"] * b
"""


def test_same_bytes_everywhere(tmp_path):
    """Hash seeds, folders, users and locales leave no trace in what is emitted."""
    outputs = set()
    for seed, folder in (("0", "here"), ("1", "some where/else"), ("4242", "ünïcode")):
        place = tmp_path / folder
        place.mkdir(parents=True)
        (place / "forward.py").write_text(FORWARD.replace(', {"k": 1}["k"] * b', ", b"))
        script = EMIT.format(root=str(ROOT), folder=str(place))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONHASHSEED": seed,
            "HOME": str(place),
            "USER": folder[:4],
            "TZ": f"UTC+{seed[:1]}",
            "PYTHONUTF8": seed[:1].replace("4", "1"),
        }
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, cwd=place)
        assert done.returncode == 0, done.stderr.decode()
        outputs.add(done.stdout)
    (output,) = outputs
    assert b"forward.py" in output
    assert str(tmp_path).encode() not in output
    assert str(ROOT).encode() not in output


@every_program
@every_style
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_value_to_the_last_bit(name, style, dtype):
    """The forward value is what the function returns: number, dtype and type."""
    program, arguments = PROGRAMS[name]
    is_float = [isinstance(argument, np.ndarray) and argument.dtype.kind == "f" for argument in arguments]
    given = [
        argument.astype(dtype) if floats else argument for argument, floats in zip(arguments, is_float, strict=True)
    ]
    value = api.value_and_grad(program, style=style)(*given)[0]
    expected = program(*given)
    assert type(value) is type(expected)
    assert np.asarray(value).tobytes() == np.asarray(expected).tobytes()


HOSTILE_TEXTS = [
    '"""\nimport os\nos._exit(3)\n"""',
    "{{ 7 * 7 }} {% for x in y %} {# gone #}",
    "back\\slash \\N{BULLET} \\x22\\x22\\x22 \\",
    'ends with a quote"',
    "{braces} {0} %s %(name)s $name",
    "π ≤ ∞ ǅ \u200b\u202e\u2028 \ufeff",
    "form\x0cfeed \x1b[31m \x00 null",
    "'''",
]


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
@every_style
def test_user_text_stays_in_its_place(hostile, style, tmp_path):
    """Docstrings, comments, strings and annotations come out as text, and the module does what it did."""
    one_line = " ".join(hostile.replace("\x00", "").split())
    text = (
        f"def f(x: {one_line!r}, kind={hostile!r}):\n"
        f"    {hostile!r}\n"
        f"    # {one_line}\n"
        f"    y = x * x  # {one_line}\n"
        f"    print(f'{{y.shape}}', {hostile!r})\n"
        "    return np.sum(y)\n"
    )
    function = defined(text)
    emitted_text = str(api.emit(function, X, style=style))
    path = tmp_path / "emitted.py"
    path.write_text(emitted_text)
    names = loaded(path, "emitted")
    own = {name for name, found in names.items() if inspect.isfunction(found)}
    assert own == {"f_value_and_grad"}
    value, (gradient,) = names["f_value_and_grad"](X)
    assert value == np.sum(X * X)
    np.testing.assert_allclose(gradient, 2 * X)
    assert ("{{ 7 * 7 }}" in emitted_text) == ("7 * 7" in hostile)
    if RUFF is not None:
        for command in (["check"], ["format", "--check", "--diff", "--line-length", "120"]):
            done = subprocess.run([RUFF, *command, "--isolated", path], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_line_ends_of_the_users_file(newline, tmp_path):
    """A file with other line ends gives the same module."""
    path = tmp_path / "forward.py"
    source = 'import numpy as np\n\n\ndef f(x):\n    """Doc\n\n    of two lines."""\n    # kept\n    return np.sum(x * x)  # too\n'
    path.write_bytes(source.replace("\n", newline).encode())
    text = str(api.emit(loaded(path, "forward_in_other_lines")["f"], X))
    assert "\r" not in text
    assert "    # kept\n" in text
    assert "    of two lines.\n" in text
