"""Random programs: their gradients are right in both styles, and what is emitted for them is clean.

For many more of them: `python tests/programs/random_checks.py 0 10000`.
"""

import importlib.util
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from flatgrad import api
from flatgrad.errors import FlatgradError

SEEDS = range(120)
RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent))


def loaded(name):
    """Return a module that lies beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


random_checks = loaded("random_checks")
Generator, Program = random_checks.Generator, random_checks.Program


@pytest.mark.parametrize("seed", SEEDS)
def test_random_program(seed):
    """Values are the program's own, gradients are central differences, in float32 and as a pullback too."""
    program = Generator(seed).program()
    try:
        random_checks.check_all(program, seed)
    except random_checks.NotSmooth:
        pytest.skip("has no derivative at this point")
    except FlatgradError as error:
        pytest.skip(f"is refused: {error.problems[0].message}")


def test_most_are_read():
    """Refusing a program is right only now and then."""
    refused = 0
    for seed in SEEDS:
        program = Generator(seed).program()
        try:
            api.emit(program.function(), *program.given())
        except FlatgradError:
            refused += 1
    assert refused <= 0.05 * len(SEEDS)


@pytest.mark.parametrize("scale", [0.999, 1.001])
def test_the_check_sees(scale, monkeypatch):
    """A gradient that is wrong by a thousandth does not pass."""
    made = random_checks.gradients

    def wrong(*arguments):
        names, gradients = made(*arguments)
        return names, [gradient * scale for gradient in gradients]

    monkeypatch.setattr(random_checks, "gradients", wrong)
    program = Program(["x"], ["return np.sum(x * np.sin(x))"], {"x": np.array([0.3, 1.2])})
    with pytest.raises(random_checks.Failure, match="gradient flat"):
        random_checks.check(program)


def test_a_failing_program_is_made_smaller(monkeypatch):
    """What has nothing to do with a failure goes."""
    program = Program(
        ["x", "y"], ["a = np.sin(x) + y", "b = np.cos(a * x)", "return np.sum(b) + np.sum(a)"], {"x": 1.0, "y": 2.0}
    )
    monkeypatch.setattr(random_checks, "outcome", lambda program: "found" if "cos" in program.text else "")
    small = random_checks.smallest(program, "found")
    assert [statement for statement in small.statements] == ["b = np.cos"] or len(small.text) < 50


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
@pytest.mark.parametrize("style", random_checks.STYLES)
def test_emitted_modules_are_clean(style, tmp_path):
    """`ruff check` and `ruff format` with default settings find nothing in what is emitted."""
    for seed in SEEDS:
        program = Generator(seed).program()
        try:
            text = api.emit(program.function(), *program.given(), style=style)
        except FlatgradError:
            continue
        (tmp_path / f"program_{seed}.py").write_text(text)
    for command in (["check"], ["format", "--check", "--diff", "--line-length", "120"]):
        done = subprocess.run([RUFF, *command, "--isolated", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


# each of these was found by a random program
FOUND = {
    "one expression twice": ["return np.mean(np.sin(x) * np.sin(x) + np.exp(x) * np.exp(x))"],
    "sizes of an array with one axis": ["v = np.mean(x, axis=1)", "return np.broadcast_to(v, (2, *v.shape)).mean()"],
    "repeated index beside a slice": ["return np.sum(x[:, [0, 0]] ** 2)"],
    "stack along the last axis": ["return np.sum(np.stack([x, x * x], axis=-1))"],
    "minus in front of a mask": ["return np.mean(-((x > 0) * x))"],
}


@pytest.mark.parametrize("statements", FOUND.values(), ids=FOUND)
def test_found_program(statements):
    """What was wrong once stays right."""
    x = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        random_checks.check(Program(["x"], statements, {"x": x}))
