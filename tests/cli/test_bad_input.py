"""Bad input to the command line is one clear message at its place, status 2, and nothing written."""

import os
import re
from pathlib import Path

import pytest

from flatgrad.cli import main

NUMPY = "import numpy as np\n\n\n"
MARKED = "from flatgrad import flatgrad\n\n\n"

BAD_SOURCES = {
    "syntax error": ("def f(x):\n    return x +\n", [], "2:", "syntax error"),
    "unknown function of NumPy": (
        NUMPY + "def f(x: float):\n    return np.histogramdd(x)\n",
        [],
        "5:12",
        "np.histogramdd",
    ),
    "misspelled function": (NUMPY + "def f(x: float):\n    return np.tahn(x)\n", [], "5:12", "did you mean"),
    "try": (
        "def f(x: float):\n    try:\n        y = x / 2\n    except ZeroDivisionError:\n        y = x\n    return y\n",
        [],
        "4:5",
        "a handler that goes on with another value",
    ),
    "no value in the first turn": (
        "def f(x: float):\n    while x > 1:\n        x = x / y\n        y = x\n    return x\n",
        [],
        "3:17",
        "`y` has no value in the first turn of the loop",
    ),
    "types of two branches": (
        NUMPY
        + "def f(x: float):\n    if x > 1:\n        y = np.ones(3)\n    else:\n        y = x\n    return np.sum(y)\n",
        [],
        "9:19",
        "on one side of the `if` in line 5",
    ),
    "endless loop": ("def f(x: float):\n    while True:\n        x = x / 2\n    return x\n", [], "2:5", "never ends"),
    "recursion on data": (
        MARKED + "def g(x):\n    return g(x / 2) if x > 1 else x\n\n\n@flatgrad\ndef f(x: float):\n    return g(x)\n",
        [],
        "5:12",
        "recursion whose depth depends on data",
    ),
    "inside a helper": (
        MARKED + "def g(x):\n    y = x.tahn()\n    return y\n\n\n@flatgrad\ndef f(x: float):\n    return g(x)\n",
        [],
        "5:11",
        "called from bad.py:11:12: return g(x)",
    ),
    "in place": (
        NUMPY + "TABLE = np.ones(3)\n\n\ndef f(x):\n    TABLE[0] = x\n    return np.sum(TABLE)\n",
        [],
        "8:5",
        "`TABLE`",
    ),
    "rank unknown": ("def f(X):\n    return X[0, 0]\n", [], "2:12", "`X` is an array, and its rank is not known"),
    "parts unknown": (
        'def f(params, x: float):\n    return params["W"] * x + params["b"]\n',
        ["--shapes", "params.W=float"],
        "2:30",
        '--shapes "params.b=..."',
    ),
    "shapes that cannot match": (
        "def f(X, w):\n    return (X @ w).sum()\n",
        ["--shapes", "X=(4,3) w=(2,)"],
        "2:13",
        "3 and 2",
    ),
    "unknown wrt": ("def f(x: float):\n    return x\n", ["--wrt", "W"], "1:5", "`W`"),
    "undefined name": ("def f(x: float):\n    return x * factor\n", [], "2:16", "`factor` is not defined"),
    "starred parameter": ("def f(*x):\n    return x[0]\n", [], "1:7", "any number of arguments"),
    "bad option of the decorator": (
        'from flatgrad import flatgrad\n\n\n@flatgrad(style="long")\ndef f(x: float):\n    return x\n',
        [],
        "4:17",
        "there is no style 'long'",
    ),
}


@pytest.mark.parametrize("case", BAD_SOURCES)
def test_bad_source_is_one_message_at_its_place(file, capsys, case):
    """What can't be differentiated is said once, at its line and column, and leaves no file behind."""
    text, options, place, fragment = BAD_SOURCES[case]
    Path("bad.py").write_text(text)
    before = sorted(os.listdir(file))
    assert main(["emit", "bad.py", "-o", "out.py", *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"bad.py:{place}")
    assert fragment in captured.err
    assert len(re.findall("^bad.py:", captured.err, re.MULTILINE)) == 1
    assert captured.out == ""
    assert sorted(os.listdir(file)) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.py"], "missing.py: can't read the file: No such file or directory"),
        (["."], ".: can't read the file: Is a directory"),
        (["square.py:cube"], "square.py: the file has no function cube"),
        (["square.py:"], "square.py:: can't read the file"),
        (["latin.py"], "latin.py: line 1 can't be decoded as utf-8"),
        (["empty.py"], "empty.py: the file is empty"),
        (["only_numbers.py"], "only_numbers.py: the file has no function"),
        (["several.py"], "several.py: the file has several functions: f, g"),
        (["square.py", "--shapes", "x=("], "shapes can't be read"),
        (["square.py", "--shapes", "x.W=(n,) x.W[*]=3 x=(n,)"], "shapes has `x` and parts of it"),
        (["square.py", "--shapes", "len(x)=n"], "shapes has a length that is no number"),
        (["square.py:Model.loss"], "square.py: the file has no function Model.loss"),
        (["model.py:Model"], "model.py:1:1: `Model` is a class"),
        (["model.py:Model.los"], "model.py:1:1: `Model` has no method los"),
        (["square.py", "--shapes", "y=(n,)"], "shapes has `y`, which is not a parameter of `square`"),
        (["square.py", "--wrt", ""], "wrt has ''"),
        (["square.py", "--wrt", ","], "wrt has ''"),
        (["square.py", "--wrt", "x,x"], "wrt names x more than once"),
    ],
)
def test_bad_input_is_one_message_without_a_traceback(file, capsys, arguments, message):
    Path("latin.py").write_bytes("# caf\u00e9\n".encode("latin-1"))
    Path("empty.py").write_text("")
    Path("only_numbers.py").write_text("x = 1\n")
    Path("model.py").write_text("class Model:\n    def loss(self, x: float):\n        return x\n")
    Path("several.py").write_text("def f(x):\n    return x\n\n\ndef g(x):\n    return x\n")
    before = sorted(os.listdir(file))
    assert main(["emit", *arguments, *(["-o", "out.py"])]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(os.listdir(file)) == before


def test_problems_of_all_functions_are_shown_and_nothing_is_printed(file, capsys):
    Path("two.py").write_text(Path("two.py").read_text().replace("x * 2", "x * y").replace("a * b * 3", "a * c"))
    assert main(["emit", "two.py"]) == 2
    captured = capsys.readouterr()
    assert re.findall(r"^two.py:(\d+:\d+)", captured.err, re.MULTILINE) == ["6:16", "11:16"]
    assert captured.out == ""


@pytest.mark.parametrize(
    "arguments", [[], ["emit"], ["write"], ["emit", "f.py", "--style", "long"], ["emit", "f.py", "--chek"]]
)
def test_wrong_usage_exits_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert capsys.readouterr().err.startswith("usage: flatgrad")
