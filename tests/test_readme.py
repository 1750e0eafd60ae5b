"""What README.md says is so: its commands, examples, tables and lists.

Run as a program, this writes the generated parts of README.md.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import flatgrad.rules  # noqa: F401 - declares the operations
from flatgrad.cli import main
from flatgrad.emission.spelling import numpy_name
from flatgrad.registry import records

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "neg": "-x", "pos": "+x", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "not_": "not",
    "invert": "~", "and_": "&", "or_": "\\|", "xor": "^", "getitem": "x[...]",
}  # fmt: skip
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
BAD = "import numpy as np\n\n\ndef loss(x: float):\n    return np.sinh(x) * np.i0(x)\n"


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


def shown(function):
    """Return how users write a function; None for one that they can't."""
    module = getattr(function, "__module__", None)
    if module == "_operator":
        return SYMBOLS[function.__name__]
    if module == "builtins":
        return function.__name__
    if getattr(function, "__objclass__", None) is np.ndarray:
        return f"x.{function.__name__}"
    if module in ("math", "flatgrad.nn"):
        return f"{module.removeprefix('flatgrad.')}.{function.__name__}"
    if module == "flatgrad.markers":
        return function.__name__
    return None if module.startswith("flatgrad.") else f"np.{numpy_name(function)}"


def operations():
    """Return the table of operations: the families of the rules, then what has no gradient."""
    families = {}
    for record in records():
        family = record.gradient.__module__.rpartition(".")[2].replace("_", " ") if record.gradient else "no gradient"
        names = [name for name in map(shown, record.functions) if name is not None]
        families.setdefault(family, []).extend(f"`{name}`" for name in names)
    rows = [f"| {family} | {' '.join(dict.fromkeys(names))} |" for family, names in families.items() if names]
    last = [row for row in rows if row.startswith("| no gradient")]
    return "\n".join(["| family | operations |", "| --- | --- |", *[row for row in rows if row not in last], *last])


def kinks():
    """Return the table of the gradients that are chosen where there is none."""
    rows = [
        f"| {kink.point} | {kink.choice} | {kink.jax} | {kink.torch} |" for record in records() for kink in record.kinks
    ]
    head = ["| point | flatgrad | JAX 0.10 | PyTorch 2.13 |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *dict.fromkeys(rows)])


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


def program():
    """Return the file with a loop, a branch and a helper."""
    return f"```python\n{PROGRAM}```"


def program_output(folder):
    """Return what the command line writes for the file with a loop, a branch and a helper."""
    (folder / "network.py").write_text(PROGRAM)
    done = run("-m", "flatgrad", "emit", "network.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    return f"```python\n{done.stdout}```"


def generated(folder):
    """Return the generated parts by name."""
    return {
        "input": example(),
        "output": output(),
        "program": program(),
        "program_output": program_output(folder),
        "operations": operations(),
        "kinks": kinks(),
        "error": error(folder),
    }


PARTS = ["input", "output", "program", "program_output", "operations", "kinks", "error"]


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
import functools
import numpy as np

FACTOR = 3.0


class Model:
    def scaled(self, x):
        return x * 2


model = Model()


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
    "comprehensions": "return sum([x * k for k in range(3)])",
    "globals": "return x * FACTOR",
}
REFUSED = {
    "into an array": "y = np.ones(3) * x\ny[0] = 1.0\nreturn np.sum(y)",
    "to an attribute": "model.y = x\nreturn x",
    "append": "ys = []\nys.append(x)\nreturn x",
    "dict": "y = {'x': x}\nreturn y['x']",
    "set": "return x * len({1, x})",
    "comprehension over an array": "return sum([v * x for v in np.ones(3)])",
    "object": "return Model().scaled(x)",
    "method": "return model.scaled(x)",
    "function chosen by data": "f = np.sin if x > 0 else np.cos\nreturn f(x)",
    "recursion on data": "return shrunk(x)",
    "generator": "for k in turns(x):\n    x = x * k\nreturn x",
    "async": "return later(x)",
    "shape": "if x > 0:\n    y = np.ones(3) * x\nelse:\n    y = x\nreturn np.sum(y)",
    "type": "if x > 0:\n    y = (x, x)\nelse:\n    y = x\nreturn np.sum(y)",
    "without an end": "while True:\n    x = x * 2",
    "with": "with np.errstate(all='ignore'):\n    y = x\nreturn y",
    "try": "try:\n    y = x\nfinally:\n    pass\nreturn y",
    "raise": "if x < 0:\n    raise ValueError\nreturn x",
    "del": "y = x\ndel y\nreturn x",
    "global": "global y\ny = x\nreturn x",
    "nonlocal": "def inside():\n    nonlocal x\n    x = 2.0\n    return x\nreturn inside()",
    "class": "class Inside:\n    pass\nreturn x",
    "import": "import math\nreturn x",
}


def written(folder, body):
    """Return a file with a function of this body."""
    lines = "\n".join("    " + line for line in body.split("\n"))
    path = folder / "f.py"
    path.write_text(f"{HEAD}def f(x: float, n: int = 1):\n{lines}\n")
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


if __name__ == "__main__":
    import tempfile

    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for name, new in generated(Path(folder)).items():
            text = part(name).sub(lambda _, name=name, new=new: f"<!-- {name} -->\n\n{new}\n\n<!-- end -->", text)
    README.write_text(text)
