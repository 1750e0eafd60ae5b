"""What README.md says is so: its commands, examples, tables and lists.

Run as a program, this writes the generated parts of README.md.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flatgrad.catalogue.entries import entries
from flatgrad.catalogue.entries import kinks as all_kinks
from flatgrad.catalogue.names import BUILTINS, module_name
from flatgrad.cli import main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PROGRAM = """\
import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


def cell(h, x, W):
    z = W @ h + x
    y = np.tanh(z)
    return y


@flatgrad(wrt="W", style="compact")
def recurrent(W: Float[np.ndarray, "h h"], xs: Float[np.ndarray, "t h"], limit: float):
    h = np.zeros(len(W))
    for x in xs:
        h = cell(h, x, W)
    loss = np.sum(h**2)
    if loss > limit:
        loss = limit * (1 + np.log(loss / limit))
    return loss
"""
CONTAINERS = """\
from typing import TypedDict

import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


class Params(TypedDict):
    W1: Float[np.ndarray, "d h"]
    b1: Float[np.ndarray, "h"]
    W2: Float[np.ndarray, "h"]


@flatgrad(wrt="params", style="compact")
def loss(params: Params, x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"]):
    h = np.tanh(x @ params["W1"] + params["b1"])
    residual = h @ params["W2"] - y
    return np.mean(residual**2)
"""
METHOD = """\
import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


class Layer:
    def __init__(self, W: Float[np.ndarray, "h d"], b: Float[np.ndarray, "h"]):
        self.W = W
        self.b = b

    def __call__(self, x):
        return np.tanh(self.W @ x + self.b)

    @flatgrad(wrt="self.W", style="compact")
    def loss(self, x: Float[np.ndarray, "d"], y: Float[np.ndarray, "h"]):
        residual = self(x) - y
        return np.sum(residual**2)
"""
IN_PLACE = """\
import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


@flatgrad(wrt="rate", style="compact")
def heat(u: Float[np.ndarray, "n"], rate: float, steps: int):
    u = u.copy()
    for _ in range(steps):
        u[1:-1] += rate * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u**2)
"""
# programs that are shown with what is written for them: the part of README.md, the file, its text
PROGRAMS = {
    "program": ("network.py", PROGRAM),
    "containers": ("mlp.py", CONTAINERS),
    "method": ("layer.py", METHOD),
    "in_place": ("heat.py", IN_PLACE),
}
BAD = """\
import numpy as np
from scipy import special


def loss(x: float):
    return np.sinh(x) * special.ellipk(x)
"""


def run(*arguments, cwd=ROOT):
    """Run Python with warnings as errors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def operations():
    """Return the table of operations: the modules, with their functions that have a rule, and their constants."""
    modules = {}
    for entry in entries():
        for name in entry.names:
            module = module_name(name)
            short = name if module == BUILTINS else name.removeprefix(f"{module}.")
            modules.setdefault(module, ([], []))[entry.is_constant].append(short.replace("|", "\\|"))
    rows = [f"| {module} | {cell(ruled)} | {cell(constants)} |" for module, (ruled, constants) in modules.items()]
    return "\n".join(["| module | with a gradient | constants |", "| --- | --- | --- |", *rows])


def cell(names):
    """Return names as one cell of a table."""
    return f"`{' '.join(sorted(set(names), key=str.lower))}`" if names else ""


def kinks():
    """Return the table of the gradients that are chosen where there is none."""
    rows = [f"| {kink.point} | {kink.choice} | {kink.jax} | {kink.torch} |" for kink in all_kinks(entries())]
    head = ["| point | flatgrad | JAX 0.10 | PyTorch 2.13 |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def example():
    """Return the function of the example."""
    text = (ROOT / "examples" / "squared_norm.py").read_text()
    return f"```python\n{text[text.index('@flatgrad') : text.index('if __name__')].strip()}\n```"


def output():
    """Return what the command line writes for the example."""
    done = run("-m", "flatgrad", "emit", "examples/squared_norm.py", "--style", "compact")
    assert done.returncode == 0, done.stderr
    return f"```python\n{done.stdout}```"


def error(folder):
    """Return what the command line says of a function that it can't differentiate."""
    (folder / "loss.py").write_text(BAD)
    return f"```text\n{run('-m', 'flatgrad', 'emit', 'loss.py', cwd=folder).stderr}```"


def written_for(folder, file, text):
    """Return what the command line writes for a file."""
    (folder / file).write_text(text)
    done = run("-m", "flatgrad", "emit", file, cwd=folder)
    assert done.returncode == 0, done.stderr
    return f"```python\n{done.stdout}```"


def generated(folder):
    """Return the generated parts by name."""
    programs = {}
    for name, (file, text) in PROGRAMS.items():
        programs[name] = f"```python\n{text}```"
        programs[f"{name}_output"] = written_for(folder, file, text)
    return {
        "input": example(),
        "output": output(),
        **programs,
        "operations": operations(),
        "kinks": kinks(),
        "error": error(folder),
    }


SHOWN = [part for name in PROGRAMS for part in (name, f"{name}_output")]
PARTS = ["input", "output", *SHOWN, "operations", "kinks", "error"]


def part(name):
    """Return the pattern of a generated part."""
    return re.compile(rf"<!-- {name} -->\n(.*?)<!-- end -->", re.DOTALL)


def blocks(language):
    """Return the fenced blocks of a language, outside of the generated parts."""
    text = re.sub(r"<!-- \w+ -->\n.*?<!-- end -->", "", README.read_text(), flags=re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", PARTS)
def test_generated_part_is_up_to_date(name, tmp_path):
    """What README.md shows of the program is what the program does."""
    (found,) = part(name).findall(README.read_text())
    assert found.strip() == generated(tmp_path)[name].strip(), "run: python tests/test_readme.py"


def test_first_screen_has_the_main_job_and_the_tests():
    """Who opens the page sees how to run it, and how to test it."""
    job, tests = blocks("sh")
    assert job.strip().endswith("flatgrad emit examples/neuron.py")
    assert tests.strip().endswith("pytest -q -n 2")
    assert README.read_text().split("\n").index(tests.strip()) < 25


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_example_runs(number, tmp_path):
    """Each example runs as it stands, and its asserts hold."""
    (tmp_path / "example.py").write_text(blocks("python")[number])
    done = run("example.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "_value_and_grad(" in done.stdout


def test_every_option_of_the_command_is_named(capsys):
    """The table of options has all of them, and no other."""
    with pytest.raises(SystemExit):
        main(["emit", "--help"])
    options = set(re.findall(r"^  (--?\w+)", capsys.readouterr().out, re.MULTILINE)) - {"-h"}
    table = README.read_text().partition("| option | meaning |")[2].partition("\n\n")[0]
    assert options == set(re.findall(r"^\| `(--?\w+)", table, re.MULTILINE))


HEAD = """\
import contextlib
import functools
import logging
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FACTOR = 3.0
TABLE = np.array([1.0, 2.0])
RATES = {"slow": 0.5, "fast": 2.0}


class Model:
    def __init__(self, rate=2.0):
        self.rate = rate

    def scaled(self, x):
        return x * self.rate

    @property
    def doubled(self):
        return self.rate * 2

    def __add__(self, x):
        return self.scaled(x) + x


class Steep(Model):
    def scaled(self, x):
        return super().scaled(x) * 3


class Pair(NamedTuple):
    first: float
    second: float


@dataclass
class Point:
    x: float
    y: float = 1.0


model = Model()
point = Point(2.0)
values = [1.0]


def helper(x, factor=2.0):
    return x * factor


def passed_on(*args, **kwargs):
    return helper(*args, **kwargs)


def turns(n):
    yield n


async def later(x):
    return x


def power(x, n):
    return x * power(x, n - 1) if n > 1 else x


def shrunk(x):
    return shrunk(x / 2) if x > 1 else x


"""
READ = {
    "several names": "a, b = x, 2.0\nreturn a * b",
    "+=": "y = x * 2\ny += x\nreturn y",
    "a tuple": "return x, x * 2",
    "assert and print": "assert x > 0, 'x'\nprint(x)\nreturn x * 2",
    "methods and attributes": "y = np.ones((2, 3)) * x\nreturn y.T.sum() * y.shape[0] * y.size * y.ndim",
    "if decided": "if FACTOR > 2:\n    x = x * FACTOR\nreturn x",
    "if on data": "if x > 2:\n    x = x / 2\nelif x > 1:\n    return x\nelse:\n    x = x * 2\nreturn x",
    "match": "match n:\n    case 1 | 2:\n        return x\n    case _:\n        return x * 2",
    "conditional expression": "return x * 2 if 0 < x < 1 and not x > 0.5 else x or 1.0",
    "for": "for k, (a, b) in enumerate(zip(np.ones(3), reversed(range(3)))):\n    x = x * a + b * k\nreturn x",
    "rows": "for row in np.ones((2, 3)):\n    for a in row:\n        x = x * a\nreturn x",
    "while": "while x > 1:\n    x = x / 2\nreturn x",
    "break, continue, else": "for k in range(9):\n    if x > 3:\n        break\n    if x < k:\n        continue\n"
    "    x = x * 2\nelse:\n    x = x + 1\nreturn x",
    "call": "return helper(x) + helper(factor=x, x=2.0) + passed_on(x, factor=3.0)",
    "function inside": "def inside(t):\n    return t * x\nreturn inside(x)",
    "lambda": "inside = lambda t: t * 2\nreturn inside(x)",
    "partial": "return functools.partial(helper, factor=x)(x)",
    "function as argument": "def twice(f, v):\n    return f(f(v))\nreturn twice(np.sin, x) + twice(helper, x)",
    "recursion": "return power(x, 3)",
    "star": "a, *b = x, 2.0, x\nreturn a * b[1]",
    "annotation": "y: float = x * 2\nreturn y",
    "return of a container": "return {'a': x, 'b': [x * 2]}",
    "containers": "d = {'a': x}\nd['b'] = [x * 2]\nd['b'].append(x)\nfor v in d['b']:\n    x = x * v\nreturn x",
    "set": "return x * len({1, 2, 1}) if 'a' in {'a', 'b'} else x",
    "named tuple and dataclass": "p = Pair(x, 2.0)\nq = Point(x)\nq.y = p.first\nreturn p.second * q.y * q.x",
    "comprehensions": "return sum([x * k for k in range(3)]) + sum([v * x for v in np.ones(3)])",
    "generator expression": "return sum(v * x for v in np.ones(3))",
    "map, filter, sorted": "return sum(map(helper, [x, x])) + sum(filter(None, sorted([3, 1]))) * x * any([n > 0, all([])])",
    "objects": "made = Steep(x)\nmade.rate = made.rate * 2\nreturn made.scaled(x) + made.doubled + (made + x)",
    "writes": "y = np.zeros(3)\ny[0] = x\ny[1:] += x\nnp.multiply(y, 2.0, out=y)\nnp.add.at(y, [0, 0], x)\n"
    "np.copyto(y[1:], y[:2].copy())\ny.sort()\nz = np.empty(2)\nz.fill(x)\nreturn np.sum(y) * z[0]",
    "a list that grows": "ys = []\nfor a in np.ones(3):\n    ys.append(a * x)\nreturn np.sum(np.stack(ys))",
    "logging, warnings, raise": "logging.info('x')\nif x < 0:\n    warnings.warn('negative')\n    raise ValueError(x)\nreturn x",
    "with, try": "with np.errstate(all='ignore'):\n    y = x * 2\ntry:\n    y = y * x\nexcept ValueError:\n    raise\n"
    "finally:\n    print('done')\nreturn y",
    "del and import": "import math\ny = math.sin(x)\nz = y\ndel z\nreturn y",
    "globals": "return x * FACTOR * np.sum(TABLE) * RATES['fast'] * point.y",
}
REFUSED = {
    "a dict of the module": "RATES['slow'] = x\nreturn x",
    "a list of the module": "values.append(x)\nreturn x",
    "an attribute": "model.rate = x\nreturn x",
    "global": "global y\ny = x\nreturn x",
    "nonlocal": "def inside():\n    nonlocal x\n    x = 2.0\n    return x\nreturn inside()",
    "an array that may be written to": "y = np.ones(3) * x\nz = np.ones(3)\nw = y if x > 0 else z\nw[0] = x\nreturn np.sum(y)",
    "shape": "if x > 0:\n    y = np.ones(3) * x\nelse:\n    y = x\nreturn np.sum(y)",
    "length": "y = [x]\nif x > 0:\n    y.append(x)\nreturn sum(y)",
    "type": "if x > 0:\n    y = (x, x)\nelse:\n    y = x\nreturn np.sum(y)",
    "function chosen by data": "f = np.sin if x > 0 else np.cos\nreturn f(x)",
    "key chosen by data": "return {0: x, 1: 2.0}[int(x)] * x",
    "place chosen by data": "return [x, 2.0][int(x)] * x",
    "condition over a list": "return sum([v for v in [x, x * 2] if v > 0])",
    "condition over rows": "return sum([v for v in np.ones(3) * x if v > 0])",
    "recursion on data": "return shrunk(x)",
    "handler": "try:\n    y = 1 / x\nexcept ZeroDivisionError:\n    y = x\nreturn y",
    "suppressed": "with contextlib.suppress(ValueError):\n    y = x * 2\nreturn x",
    "file": "with open('a') as stream:\n    print(stream)\nreturn x",
    "input": "y = input()\nreturn x",
    "draw": "return np.random.default_rng(0).normal(x)",
    "without an end": "while True:\n    x = x * 2",
    "generator": "for k in turns(x):\n    x = x * k\nreturn x",
    "async": "return later(x)",
    "class": "class Inside:\n    pass\nreturn x",
}
ARGUMENTS_REFUSED = {
    "a dict": ("p: dict", "p['a'] = x\nreturn x", "p.a=float"),
    "a list": ("p: list", "p.append(x)\nreturn x", "len(p)=1 p[0]=float"),
    "an attribute": ("p: Model", "p.rate = x\nreturn x", "p.rate=float"),
}


def written(folder, body, parameters="x: float, n: int = 1"):
    """Return a file with a function of this body."""
    lines = "\n".join("    " + line for line in body.split("\n"))
    path = folder / "f.py"
    path.write_text(f"{HEAD}def f({parameters}):\n{lines}\n")
    return path


@pytest.mark.parametrize("construct", READ)
def test_construct_that_is_said_to_be_read_is(construct, tmp_path, capsys):
    """README.md promises to read it."""
    assert main(["emit", f"{written(tmp_path, READ[construct])}:f"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("construct", REFUSED)
def test_construct_that_is_said_to_be_an_error_is(construct, tmp_path, capsys):
    """README.md promises an error at its place."""
    path = written(tmp_path, REFUSED[construct])
    assert main(["emit", f"{path}:f"]) == 2
    assert re.match(rf"{re.escape(str(path))}:\d+:\d+: ", capsys.readouterr().err)


@pytest.mark.parametrize("argument", ARGUMENTS_REFUSED)
def test_change_of_an_argument_that_is_no_array_is_an_error(argument, tmp_path, capsys):
    """README.md promises that what the caller holds is never changed."""
    parameter, body, shapes = ARGUMENTS_REFUSED[argument]
    path = written(tmp_path, body, f"{parameter}, x: float")
    assert main(["emit", f"{path}:f", "--shapes", shapes]) == 2
    line = path.read_text().split("\n").index("    " + body.split("\n")[0]) + 1
    assert capsys.readouterr().err.startswith(f"{path}:{line}:5: ")


if __name__ == "__main__":
    import tempfile

    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for name, new in generated(Path(folder)).items():
            text = part(name).sub(lambda _, name=name, new=new: f"<!-- {name} -->\n\n{new}\n\n<!-- end -->", text)
    README.write_text(text)
