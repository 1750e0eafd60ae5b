"""What the tests of the command line share: a folder to work in."""

from pathlib import Path

import pytest

SQUARE = "def square(x: float):\n    return x * x\n"
TWO = """from flatgrad import flatgrad


@flatgrad
def first(x: float):
    return x * 2


@flatgrad(wrt="b", style="compact")
def second(a: float, b: float):
    return a * b * 3


def third(x: float):
    return x
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A folder to work in, with square.py and two.py."""
    monkeypatch.chdir(tmp_path)
    Path("square.py").write_text(SQUARE)
    Path("two.py").write_text(TWO)
    return tmp_path
