"""Time of emitted code over time of the same function written by hand: `python tests/benchmarks/ratios.py`.

In: the functions of tests/emission/golden, the modules beside this file in `handwritten`. Out: one table. Both run in
turn, many times in the same process; the ratio is that of the medians, and above 1 where the emitted code is slower.
The last columns are the numbers of lines of both.
"""

import os
import runpy
import statistics
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))
os.environ["FLATGRAD_CACHE"] = "off"

from flatgrad import api  # noqa: E402

SCALAR = ("neuron", "sigmoid_by_hand", "huber")
IN_MATH = ("neuron", "huber")
# the function of a file that has helpers, too
MAIN = {"helper": "block"}
SIZES = {"small": 4, "large": 256}


def emitted_text(name, style):
    """Return the emitted module for a golden function."""
    module = runpy.run_path(str(ROOT / "tests" / "emission" / "golden" / name / "forward.py"), run_name="forward")
    own = {each: found for each, found in module.items() if getattr(found, "__module__", "") == "forward"}
    function = own[MAIN[name]] if name in MAIN else only(own.values())
    return str(api.emit(function, style=style, target="math" if name in IN_MATH else "numpy"))


def emitted_function(name, style):
    """Return the emitted function for a golden function."""
    return only_function(run_text(emitted_text(name, style)))


def only(found):
    """Return the only one of them."""
    (one,) = found
    return one


def run_text(text):
    """Return the names that a module defines."""
    names = {}
    exec(compile(text, "emitted.py", "exec"), names)
    return names


def only_function(names):
    """Return the function that computes a value and its gradients."""
    return only(found for name, found in names.items() if name.endswith("_value_and_grad"))


def arguments_for(name, size):
    """Return arguments for a golden function."""
    normal = np.random.default_rng(0).normal
    if name == "huber":
        return (2.0, 0.7)
    if name in SCALAR:
        return (2.0, -1.0, -3.0, -2.0, -3.0)
    if name == "squared_norm":
        return normal(size=(size, size)), normal(size=size)
    if name == "rnn":
        weights = [0.2 * normal(size=(32, 32)) for _ in range(2)]
        return normal(size=(size, 32)), normal(size=32), *weights, normal(size=32)
    if name == "helper":
        gain, bias = 1 + 0.1 * normal(size=64), normal(size=64)
        return normal(size=(size, 64)), gain, bias, 0.1 * normal(size=(64, 64)), gain + 0.1, bias / 2
    labels = np.arange(size) % 10
    shapes = [(size, 64), (64, 10)]
    return (
        normal(size=(size, size)),
        labels,
        normal(size=(size, 64)),
        normal(size=64),
        normal(size=shapes[1]),
        normal(size=10),
    )


def ratio(emitted, by_hand, arguments, seconds=1.0):
    """Return the median time of each function, measured in turn, in microseconds."""
    once = min(timed(by_hand, arguments, 1) for _ in range(5))
    repeats = max(1, int(2e-4 / once))
    times = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for function, found in zip((emitted, by_hand), times, strict=True):
            found.append(timed(function, arguments, repeats))
    return [1e6 * statistics.median(found) for found in times]


def timed(function, arguments, repeats):
    """Return the time of one call, in seconds."""
    start = time.perf_counter()
    for _ in range(repeats):
        function(*arguments)
    return (time.perf_counter() - start) / repeats


def main():
    """Print one line for each function, style and size."""
    print(
        f"{'function':<24}{'style':<10}{'size':<8}{'emitted us':>12}{'by hand us':>12}{'ratio':>8}{'lines':>8}{'by hand':>9}"
    )
    for path in sorted((HERE / "handwritten").glob("*.py")):
        name, _, style = path.stem.rpartition("_")
        text, hand_text = emitted_text(name, style), path.read_text()
        emitted, by_hand = only_function(run_text(text)), only_function(run_text(hand_text))
        lines = f"{len(text.splitlines()):>8}{len(hand_text.splitlines()):>9}"
        for label, size in SIZES.items():
            if name in SCALAR and label != "small":
                continue
            ours, theirs = ratio(emitted, by_hand, arguments_for(name, size))
            timing = f"{ours:>12.2f}{theirs:>12.2f}{ours / theirs:>8.3f}"
            print(f"{name:<24}{style:<10}{label:<8}{timing}{lines}", flush=True)


if __name__ == "__main__":
    main()
