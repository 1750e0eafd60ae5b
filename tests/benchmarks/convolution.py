"""Gradients of convolutions beside PyTorch's: `python tests/benchmarks/convolution.py [--seconds S]`.

In: the sizes below. Out: one table: the median time of the emitted value and gradients in microseconds, and PyTorch's time over
it, above 1 where PyTorch is slower. Both run on one thread, in turn, in float64.
"""

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

import peers  # noqa: E402

os.environ["FLATGRAD_CACHE"] = "off"
# batch, channels and size of the images; filters and size of these; padding; what is differentiated
SIZES = {
    "digits": ((32, 1, 8, 8), (16, 1, 3, 3), 0, ("weight", "bias")),
    "digits, and the images": ((32, 1, 8, 8), (16, 1, 3, 3), 0, ("x", "weight", "bias")),
    "second layer": ((32, 16, 8, 8), (32, 16, 3, 3), 1, ("x", "weight", "bias")),
    "large images": ((8, 16, 32, 32), (32, 16, 3, 3), 1, ("x", "weight", "bias")),
}


def padded_by_none(x, weight, bias, z):
    """Return one number of a convolution."""
    from flatgrad import nn

    return (nn.conv2d(x, weight, bias) * z).sum()


def padded_by_one(x, weight, bias, z):
    """Return one number of a convolution that keeps the size of the images."""
    from flatgrad import nn

    return (nn.conv2d(x, weight, bias, padding=1) * z).sum()


def arguments_for(name):
    """Return arrays for a row of the table, and what is differentiated."""
    import numpy as np

    images, filters, padding, wrt = SIZES[name]
    normal = np.random.default_rng(0).normal
    places = (images[2] + 2 * padding - filters[2] + 1, images[3] + 2 * padding - filters[3] + 1)
    arrays = [normal(size=size) for size in (images, filters, filters[:1], (images[0], filters[0], *places))]
    return arrays, padding, wrt


def emitted(name):
    """Return the emitted function for a row of the table."""
    from contenders.programs import Contender

    from flatgrad import flatgrad

    arrays, padding, wrt = arguments_for(name)
    function = padded_by_one if padding else padded_by_none
    return Contender(flatgrad(wrt=wrt)(function).compile(*arrays), tuple(arrays))


def in_torch(name):
    """Return what PyTorch computes for a row of the table. Raises ModuleNotFoundError."""
    import torch
    from contenders.programs import Contender

    torch.set_num_threads(1)
    arrays, padding, wrt = arguments_for(name)
    tensors = dict(zip(("x", "weight", "bias", "z"), map(torch.tensor, arrays), strict=True))
    for each in wrt:
        tensors[each].requires_grad_()

    def function(x, weight, bias, z):
        value = (torch.nn.functional.conv2d(x, weight, bias, padding=padding) * z).sum()
        return value, torch.autograd.grad(value, [tensors[each] for each in wrt])

    return Contender(function, tuple(tensors.values()))


def main():
    """Print one line for each row of the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0)
    seconds = parser.parse_args().seconds
    print(f"{'convolution':<26}{'emitted us':>12}{'torch us':>12}{'ratio':>8}")
    for name in SIZES:
        found, _ = peers.medians({peers.FIRST: emitted(name), "torch": in_torch(name)}, seconds)
        ours, theirs = found[peers.FIRST], found["torch"]
        print(f"{name:<26}{ours:>12.1f}{theirs:>12.1f}{theirs / ours:>8.2f}")


if __name__ == "__main__":
    os.environ.update(peers.ONE_THREAD)
    main()
