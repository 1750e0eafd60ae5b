"""`flatgrad rules`: all of the registry can be shown, found by its names, and fits a page."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from flatgrad.catalogue.entries import entries, kinks, matching, named
from flatgrad.catalogue.names import module_name, written
from flatgrad.catalogue.pages import WIDTH, kink_table, page, table
from flatgrad.cli import main
from flatgrad.registry import records

ROOT = Path(__file__).parents[2]
ENTRIES = entries()


def printed(capsys, *arguments):
    assert main(["rules", *arguments]) == 0
    return capsys.readouterr().out


def test_table_has_every_operation_and_fits(capsys):
    """What the registry has is listed, by all its names."""
    text = printed(capsys)
    assert max(map(len, text.split("\n"))) <= WIDTH
    words = {word.strip(",") for word in text.split()}
    missing = [written(name) for entry in ENTRIES for name in entry.names if written(name) not in words]
    assert missing == []
    listed = {id(entry.record) for entry in ENTRIES}
    hidden = [function for record in records() if id(record) not in listed for function in record.functions]
    assert all(function.__module__.startswith(("flatgrad.rules.", "flatgrad.nn.")) for function in hidden)


@pytest.mark.parametrize("module", sorted({entry.module for entry in ENTRIES}))
def test_every_operation_has_a_page(module):
    """The code of each page is emitted; nothing of it is kept by hand."""
    for entry in ENTRIES:
        if entry.module == module:
            text = page(entry)
            assert entry.written in text
            assert entry.rule is None or "backward" in text or "grad_out" in text, entry.names


def test_page_shows_rule_code_and_place(capsys):
    text = printed(capsys, "np.tanh")
    assert text.startswith("np.tanh, math.tanh\n")
    assert "signature   np.tanh(x)\n" in text
    assert "\nrule\n  grad_x = grad_y * (1 - y**2)\n" in text
    assert "      out = np.tanh(x)\n" in text and "      grad_x = grad_out * (1 - out**2)\n" in text
    assert "flatgrad/rules/elementwise.py:" in text


def test_page_shows_choices_and_options(capsys):
    text = printed(capsys, "numpy.linalg.norm")
    assert "np.linalg.norm(x, ord=None, axis=None, keepdims=False)" in text
    assert "where there is no derivative" in text and "norm of zeros" in text and "PyTorch" in text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tanh", "numpy.tanh"),
        ("np.tanh", "numpy.tanh"),
        ("numpy.tanh", "numpy.tanh"),
        ("math.tanh", "numpy.tanh"),
        ("linalg.norm", "numpy.linalg.norm"),
        ("np.linalg.norm", "numpy.linalg.norm"),
        ("nn.relu", "flatgrad.nn.relu"),
        ("x.flatten", "numpy.ndarray.flatten"),
        ("@", "@"),
        ("x[...]", "x[...]"),
        ("maximum.accumulate", "numpy.maximum.accumulate"),
    ],
)
def test_operation_is_found_by_its_names(text, name):
    assert any(name in found.names for found in named(text, ENTRIES))


def test_part_of_a_name_finds_all_that_have_it(capsys):
    found = matching("linalg", ENTRIES)
    assert {module_name(name) for entry in found for name in entry.names if "linalg" in name} >= {"numpy.linalg"}
    text = printed(capsys, "linalg")
    assert "np.linalg.norm" in text and "np.tanh" not in text


def test_operations_of_one_name_are_all_shown(capsys):
    """`log` is one of NumPy and one of `math`, with a base."""
    text = printed(capsys, "log")
    assert "np.log(x)" in text and "math.log(x, base=None)" in text


def test_constant_says_that_it_has_no_gradient(capsys):
    assert "no gradient" in printed(capsys, "np.argmax")


def test_function_without_a_record_is_shown(capsys):
    """Some functions of networks are made of other operations."""
    assert "read where it is called" in printed(capsys, "nn.attention")


def test_table_of_kinks_has_all_choices(capsys):
    text = printed(capsys, "--kinks")
    assert max(map(len, text.split("\n"))) <= WIDTH
    assert len(kinks(ENTRIES)) > 30
    assert text.split() == kink_table(kinks(ENTRIES)).split()
    assert "JAX" in text and "PyTorch" in text


def test_kinks_of_one_operation(capsys):
    text = printed(capsys, "np.abs", "--kinks")
    assert "abs(0)" in text and "norm" not in text


def test_unknown_name_is_an_error_with_near_names(capsys):
    assert main(["rules", "tahn"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("no operation has `tahn` in its name\nhint: did you mean ")
    assert "np.tanh" in error


def test_missing_scipy_is_said(monkeypatch):
    monkeypatch.setattr("flatgrad.catalogue.pages.scipy_is_missing", lambda: True)
    assert "SciPy is not installed" in table(ENTRIES)
    monkeypatch.undo()
    assert "SciPy is not installed" not in table(ENTRIES) or "scipy" not in sys.modules


def run(command, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | options.pop("env", {})
    return subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=60, **options)


def test_pipe_that_is_closed_breaks_nothing():
    done = run(f"set -o pipefail; {sys.executable} -m flatgrad rules | head -1", executable="/bin/bash")
    assert done.stderr == "" and done.returncode == 0 and done.stdout.count("\n") == 1


def test_colours_are_for_terminals():
    """What a terminal gets is the same text in colours."""
    plain = run(f"{sys.executable} -m flatgrad rules tanh").stdout
    assert "\x1b" not in plain
    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "flatgrad", "rules", "tanh"], stdout=follower, env=environment
    ) as child:
        os.close(follower)
        found = b""
        try:
            while part := os.read(leader, 4096):
                found += part
        except OSError:
            # the terminal of a process that has ended can't be read
            assert child.wait() == 0
    os.close(leader)
    assert b"\x1b[" in found and b"grad_x" in found
