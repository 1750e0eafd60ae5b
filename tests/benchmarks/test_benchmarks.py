"""Emitted code beside code written by hand, for pytest-benchmark: `pytest tests/benchmarks --benchmark-only`.

The ordinary run calls each function without measuring it, and holds the two to the same numbers.
"""

import importlib.util
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
        np.testing.assert_allclose(gradient, other, rtol=1e-12)


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
