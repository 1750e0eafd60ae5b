"""Type checkers see a decorated function as the function that it was, and its gradients with the same parameters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flatgrad.calling.differentiable import Differentiable

# each line of the text that has a comment: what is to be said of it, in a word that the checker says too
TEXT = """\
from flatgrad import flatgrad, value_and_grad


@flatgrad
def loss(w: list[float], x: float, *, rate: float = 1.0) -> float:
    return rate * x


@flatgrad(wrt="x", style="compact", target="math")
def scaled(x: float, name: str) -> complex:
    return x * 1j


def plain(x: float) -> float:
    return x


class Model:
    @flatgrad
    def method(self, x: float) -> float:
        return x

    @staticmethod
    @flatgrad
    def static(x: float) -> float:
        return x


reveal_type(loss([1.0], 2.0))  # is float
reveal_type(loss([1.0], 2.0, rate=2.0))  # is float
reveal_type(loss.value_and_grad([1.0], 2.0)[0])  # is float
reveal_type(loss.vjp([1.0], 2.0)[0])  # is float
reveal_type(scaled(1.0, "a"))  # is complex
reveal_type(scaled.value_and_grad(1.0, "a")[0])  # is complex
reveal_type(value_and_grad(loss)([1.0], 2.0)[0])  # is float
reveal_type(value_and_grad(plain, wrt="x")(1.0)[0])  # is float
reveal_type(flatgrad(plain)(1.0))  # is float
reveal_type(Model().method(1.0))  # is float
reveal_type(Model.static(1.0))  # is float
reveal_type(Model().static(1.0))  # is float
reveal_type(loss.emit([1.0], 2.0))  # is Source
reveal_type(loss.source)  # is Source
reveal_type(loss.check([1.0], 2.0))  # is Check
loss("no", 2.0)  # error
loss([1.0])  # error
loss([1.0], 2.0, 3.0)  # error
loss([1.0], 2.0, ratte=3.0)  # error
scaled("no", "a")  # error
loss.value_and_grad("no", 2.0)  # error
loss.value_and_grad([1.0])  # error
loss.grad([1.0], 2.0, 3.0)  # error
loss.vjp([1.0])  # error
loss.compile([1.0], "no")  # error
loss.check()  # error
scaled.grad(1.0, 2.0)  # error
loss.gradient  # error
flatgrad(3)  # error
flatgrad(wrt=3)(plain)  # error
"""


def wanted():
    """Return what is to be said of each line that has a comment."""
    return {number: line.split("  # ")[1] for number, line in enumerate(TEXT.splitlines(), 1) if "  # " in line}


def compared_with_wanted(said):
    """Compare with what a type checker said: pairs of a line and a message."""
    expected = wanted()
    found = dict.fromkeys(expected, "")
    for line, message in said:
        assert line in expected, f"line {line}: {message}"
        found[line] += message
    return {number: message for number, message in found.items() if expected[number] not in message}


def written(folder):
    path = folder / "typed.py"
    path.write_text(TEXT)
    return path


def test_text_runs_up_to_the_errors():
    """What type checkers read is also what Python runs."""
    head = TEXT.split("reveal_type", 1)[0]
    namespace = {}
    exec(compile(head, "typed.py", "exec"), namespace)
    assert namespace["loss"]([1.0], 2.0, rate=2.0) == 4.0
    assert isinstance(namespace["scaled"], Differentiable)


def test_mypy_sees_the_wrapped_signature(tmp_path):
    """mypy knows parameters and results, and reports wrong calls of the function and of its gradients."""
    path = written(tmp_path)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    run = subprocess.run(
        [*command, f"--cache-dir={tmp_path / 'cache'}", str(path)], capture_output=True, text=True, cwd=tmp_path
    )
    assert run.stderr == ""
    lines = re.findall(r"^typed\.py:(\d+): (error|note): (.*)$", run.stdout, re.MULTILINE)
    said = [
        (int(line), f"{kind} {message.replace('Revealed type is', 'is').replace(chr(34), '')}")
        for line, kind, message in lines
    ]
    said = [(line, re.sub(r"is flatgrad\.[\w.]+\.(\w+)", r"is \1", message)) for line, message in said]
    assert compared_with_wanted(said) == {}


def test_pyright_sees_the_wrapped_signature(tmp_path):
    """The same for pyright, where it is installed and can run."""
    pytest.importorskip("pyright")
    path = written(tmp_path)
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(path).parent)
    if not run.stdout.startswith("{"):
        pytest.skip("pyright can't run here")
    said = [
        (each["range"]["start"]["line"] + 1, f"{each['severity']} {each['message'].replace(chr(34), '')}")
        for each in json.loads(run.stdout)["generalDiagnostics"]
        # an attribute that is looked at and not used
        if each.get("rule") != "reportUnusedExpression"
    ]
    assert compared_with_wanted(said) == {}
