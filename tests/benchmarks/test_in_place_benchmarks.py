"""What in_place.py measures: gradients take time and memory as the writes themselves do, and source does not grow."""

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]
specification = importlib.util.spec_from_file_location("benchmark_in_place", HERE / "in_place.py")
in_place = importlib.util.module_from_spec(specification)
specification.loader.exec_module(in_place)
arrays = importlib.import_module("contenders.arrays")
loops, peers = in_place.loops, in_place.peers
every_style = pytest.mark.parametrize("style", loops.STYLES)
every_loop = pytest.mark.parametrize("make", [arrays.filled_of, arrays.updated_of])


@every_loop
@every_style
def test_time_of_a_loop(make, style):
    """The time grows with the number of elements, not with its square, as it does where each write copies the array."""
    seconds = []
    for count in (3_000, 60_000):
        program = make(count)
        function, _ = loops.compiled(program, style)
        contender = importlib.import_module("contenders.programs").Contender(function, program.arguments)
        seconds.append(min(peers.timed(contender, 1) for _ in range(3)))
    assert seconds[1] < 60 * seconds[0]


@every_loop
@every_style
def test_memory_of_a_loop(make, style):
    """What an element more takes in memory is a few numbers, however many there are."""
    peaks = [
        loops.peak(loops.compiled(make(count), style)[0], make(count).arguments) for count in (2_000, 4_000, 8_000)
    ]
    assert peaks[2] - peaks[1] <= 1.2 * 2 * (peaks[1] - peaks[0])
    assert peaks[2] - peaks[1] <= 4_000 * 400


@every_style
def test_gradient_of_the_stencil(style):
    """The gradient that is timed is the derivative."""
    program = arrays.heat_of(50, 20)
    value, (grad_u0, grad_alpha) = loops.compiled(program, style)[0](*program.arguments)
    u0, alpha, steps = program.arguments
    assert value == arrays.heat(u0, alpha, steps)
    h = 1e-5
    unit = np.eye(50)[7]
    by_alpha = (arrays.heat(u0, alpha + h, steps) - arrays.heat(u0, alpha - h, steps)) / (2 * h)
    by_cell = (arrays.heat(u0 + h * unit, alpha, steps) - arrays.heat(u0 - h * unit, alpha, steps)) / (2 * h)
    assert grad_alpha == pytest.approx(by_alpha, rel=1e-6)
    assert grad_u0[7] == pytest.approx(by_cell, rel=1e-6)


@every_style
def test_a_linear_stencil_keeps_nothing(style):
    """By the state alone the backward pass reads none of the states: a step more takes no memory."""
    few, many = (arrays.heat_of(1_000, steps, ("u0",)) for steps in (20, 200))
    peaks = [loops.peak(loops.compiled(program, style)[0], program.arguments) for program in (few, many)]
    assert peaks[1] - peaks[0] < 8_000


@every_style
def test_length_of_a_stack(style):
    """The source for twelve equal blocks is no longer than that for two, and a list of calls.

    A call has a line in the forward pass, one in the backward pass with its comment, and one among the returned gradients,
    which stand in lines of their own where there are many.
    """
    few, many = (loops.compiled(arrays.transformer_of(count), style)[1].splitlines() for count in in_place.BLOCKS)
    calls = [line for line in many if "block_forward(" in line or "block_backward(" in line]
    assert len(calls) == 2 + 2 * in_place.BLOCKS[1]
    returned = len(many) - many.index("    return out, (")
    assert len(many) - returned <= len(few) + 3 * (in_place.BLOCKS[1] - in_place.BLOCKS[0])
