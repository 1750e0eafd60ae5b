"""What convolution.py measures computes the same."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]
specification = importlib.util.spec_from_file_location("benchmark_convolution", HERE / "convolution.py")
convolution = importlib.util.module_from_spec(specification)
specification.loader.exec_module(convolution)


@pytest.mark.parametrize("name", convolution.SIZES)
def test_torch_computes_the_same(name):
    """The same value, and the same gradients."""
    pytest.importorskip("torch")
    ours, theirs = convolution.emitted(name), convolution.in_torch(name)
    value, gradients = ours.function(*ours.arguments)
    expected, others = theirs.function(*theirs.arguments)
    assert value == pytest.approx(expected.item(), rel=1e-11)
    for gradient, other in zip(gradients, others, strict=True):
        np.testing.assert_allclose(gradient, other.numpy(), rtol=1e-10, atol=1e-11)


def test_gradient_of_a_convolution(benchmark):
    """Time of one call; `convolution.py` prints it beside PyTorch's."""
    contender = convolution.emitted("digits")
    value, (grad_weight, grad_bias) = benchmark(contender.function, *contender.arguments)
    assert np.isfinite(value) and grad_weight.shape == (16, 1, 3, 3) and grad_bias.shape == (16,)
