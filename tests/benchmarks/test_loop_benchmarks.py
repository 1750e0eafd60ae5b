"""What loops.py measures: contenders compute the same, memory grows as it has to, source does not grow."""

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]
specification = importlib.util.spec_from_file_location("benchmark_loops", HERE / "loops.py")
loops = importlib.util.module_from_spec(specification)
specification.loader.exec_module(loops)
programs = importlib.import_module("contenders.loops")
peers = loops.peers
every_style = pytest.mark.parametrize("style", loops.STYLES)


@pytest.mark.parametrize("name", ["bare", "by-hand", "autograd", "tangent"])
@pytest.mark.parametrize("program", programs.LOOPS.values(), ids=programs.LOOPS)
def test_contenders_agree(program, name):
    """Everyone who is timed computes the same value and the same gradients."""
    ready, missing = peers.prepared([name], program)
    why = missing.get(name, "")
    if why.endswith("is not installed"):
        pytest.skip(why)
    assert list(ready) == [peers.FIRST, name], why


@every_style
def test_memory_of_a_loop(style):
    """What a turn more takes in memory is what the backward pass reads of it."""
    few, many = (programs.rnn_of(turns) for turns in (200, 600))
    grown = [loops.peak(loops.compiled(program, style)[0], program.arguments) for program in (few, many)]
    assert grown[1] - grown[0] <= 1.05 * (loops.kept_bytes(600) - loops.kept_bytes(200))


@every_style
def test_length_of_the_source(style):
    """A loop of ten thousand turns is no longer than one of ten."""
    few, many = (loops.compiled(programs.rnn_of(turns), style)[1] for turns in (10, 10_000))
    assert len(few.splitlines()) == len(many.splitlines())


def test_elements_that_are_read_one_by_one():
    """The time grows with the number of elements, not with its square, as it does where each turn makes an array."""
    seconds = []
    for count in (3_000, 100_000):
        program = programs.total_of(count)
        function, _ = loops.compiled(program)
        contender = importlib.import_module("contenders.programs").Contender(function, program.arguments)
        seconds.append(min(peers.timed(contender, 1) for _ in range(3)))
        _, (gradient,) = function(*program.arguments)
        np.testing.assert_allclose(gradient, 2 * program.arguments[0], rtol=1e-14)
    assert seconds[1] < 100 * seconds[0]
