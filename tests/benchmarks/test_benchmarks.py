"""Emitted code beside code written by hand, for pytest-benchmark: `pytest tests/benchmarks --benchmark-only`.

The ordinary run calls each function without measuring it, and holds the two to the same numbers.
"""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


def loaded(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ratios = loaded("ratios")
peers = loaded("peers")
PROGRAMS = importlib.import_module("contenders.programs").PROGRAMS
PEERS = [name for name in peers.CONTENDERS if name != peers.FIRST]
MODULES = sorted(path.stem for path in (HERE / "handwritten").glob("*.py"))


def functions(stem):
    """Return the emitted function and the one that was written by hand, and arguments for both."""
    name, _, style = stem.rpartition("_")
    by_hand = ratios.only_function(ratios.run_text((HERE / "handwritten" / f"{stem}.py").read_text()))
    return {"emitted": ratios.emitted_function(name, style), "by hand": by_hand}, ratios.arguments_for(name, 16)


@pytest.mark.parametrize("stem", MODULES)
def test_same_numbers(stem):
    """What is compared computes the same."""
    both, arguments = functions(stem)
    value, gradients = both["emitted"](*arguments)
    expected, by_hand = both["by hand"](*arguments)
    assert value == pytest.approx(expected, rel=1e-14)
    for gradient, other in zip(gradients, by_hand, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-12, atol=1e-12 * np.max(np.abs(other)))


@pytest.mark.parametrize("author", ["emitted", "by hand"])
@pytest.mark.parametrize("stem", MODULES)
def test_time(benchmark, stem, author):
    """Time of one call; `ratios.py` prints the ratios."""
    benchmark.group = stem
    both, arguments = functions(stem)
    benchmark(both[author], *arguments)


def test_emission_time(benchmark):
    """Time to emit code for a function of a hundred statements."""
    emission = loaded("emission")
    benchmark(emission.seconds_to_emit, emission.straight_line(100), "flat")


@pytest.fixture
def stand_in(monkeypatch):
    """Return what puts a function into the place of the hand-written ones."""

    def put(function):
        by_hand = importlib.import_module("contenders.by_hand")
        monkeypatch.setattr(by_hand, "quadratic", function)

    return put


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("name", PEERS)
def test_contenders_agree(name, program):
    """Everyone who is timed computes the same value and the same gradients, by the same parameters."""
    try:
        contender = peers.contender(name, program)
    except ModuleNotFoundError as error:
        if error.name not in ("tangent", "autograd", "jax", "torch"):
            raise
        pytest.skip(f"{error.name} is not installed")
    value, gradients = peers.outcome(contender)
    expected, by_flatgrad = peers.outcome(peers.contender(peers.FIRST, program))
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    assert len(gradients) == len(program.wrt)
    for gradient, other, position in zip(gradients, by_flatgrad, program.positions, strict=True):
        assert gradient.dtype == np.float64
        assert gradient.shape == np.shape(program.arguments[position])
        np.testing.assert_allclose(gradient, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda value, gradient: (value, gradient * (1 + 1e-6)), "differs from flatgrad by up to"),
        (lambda value, gradient: (value * (1 + 1e-6), gradient), "differs from flatgrad by up to"),
        (lambda value, gradient: (value, gradient.astype(np.float32)), "returns float32(100,)"),
        (lambda value, gradient: (value, gradient[:1]), "returns float64(1,)"),
        (lambda value, gradient: {}["no such rule"], "KeyError: 'no such rule'"),
    ],
    ids=["gradient", "value", "dtype", "shape", "error"],
)
def test_no_time_for_other_numbers(stand_in, change, why):
    """Who computes something else, or can't compute it, gets no ratio, and the note says why."""
    program = PROGRAMS["quadratic"]
    value, gradients = peers.outcome(peers.contender("by-hand", program))

    def other(*arguments):
        changed, gradient = change(value, gradients[0])
        return changed, (gradient,)

    stand_in(other)
    cells, _, missing = peers.row(program, ["by-hand", "bare"], seconds=0.0)
    assert why in missing["by-hand"]
    assert list(missing) == ["by-hand"]
    assert cells[2] == "-"


def test_peer_that_is_not_installed(monkeypatch):
    """A peer that is not there stays in the table, and the note names it."""
    monkeypatch.setitem(peers.CONTENDERS, "absent", ("absent", "absent", "absent"))
    ready, missing = peers.prepared(["absent", "bare"], PROGRAMS["neuron"])
    assert list(ready) == [peers.FIRST, "bare"]
    assert missing == {"absent": "contenders.absent is not installed"}


def test_medians_of_calls_in_turn(monkeypatch):
    """A contender's time is the median of its turns; each has one in each round, after a call that does not count."""
    turns, times = [], {"flatgrad": itertools.cycle([1e-6, 2e-6, 9e-6]), "bare": itertools.repeat(3e-6)}

    def timed(name, repeats):
        turns.append((name, repeats))
        return 1.0 if repeats == 1 else next(times[name])

    monkeypatch.setattr(peers, "timed", timed)
    monkeypatch.setattr(peers, "repeats_for", lambda name: 5)
    found, _ = peers.medians({name: name for name in times}, seconds=0.01)
    assert found == pytest.approx({"flatgrad": 2.0, "bare": 3.0})
    both = {("flatgrad", 1), ("flatgrad", 5), ("bare", 1), ("bare", 5)}
    assert all(set(turns[start : start + 4]) == both for start in range(0, len(turns), 4))


def test_table_as_text(capsys):
    """Where there is no terminal, the table is plain text with its columns below one another."""
    peers.show([["program", "us"], ["neuron", "1.5"], ["two", "10.5"]])
    assert capsys.readouterr().out == "program    us\nneuron    1.5\ntwo      10.5\n"
