"""Random programs with control flow: `python tests/programs/random_control_flow.py 0 1000` tries a thousand.

In: texts of `random_blocks`. Out: programs that run and have a derivative at their arguments; an error where the emitted code
is wrong, and the smallest program that fails in the same way.
"""

import itertools
import os
import sys
import warnings
from pathlib import Path

import numpy as np

# what an earlier state of flatgrad wrote for the same program says nothing
os.environ["FLATGRAD_CACHE"] = "off"
sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

import random_checks  # noqa: E402
from random_blocks import Writer  # noqa: E402
from random_checks import STYLES, Failure, NotSmooth  # noqa: E402
from random_programs import Program  # noqa: E402
from random_shrinking import try_all  # noqa: E402
from random_terms import FLOAT, MATRIX, ROWS, VECTOR  # noqa: E402

LARGEST = 1e3


class WholeProgram(Program):
    """A program with its text as a whole; `wanted` holds central differences and what to measure an error by."""

    def __init__(self, text, arguments):
        super().__init__(arguments, [], arguments)
        self.source = text
        self.wanted = {}

    @property
    def text(self):
        return self.source


def generated(seed):
    """Return the first program of this seed that runs, stays in bounds and has a derivative."""
    for attempt in itertools.count():
        writer = Writer(f"{seed} {attempt}")
        text, parameters = writer.program()
        numbers = np.random.default_rng([seed, attempt])
        n, t = (int(size) for size in numbers.integers(2, 5, 2))
        shapes = {FLOAT: (), VECTOR: (n,), MATRIX: (n, n), ROWS: (t, n)}
        arguments = {name: numbers.uniform(-1.2, 1.2, shapes[kind]) for name, kind in parameters.items()}
        arguments = {name: given if np.ndim(given) else float(given) for name, given in arguments.items()}
        if writer.static:
            arguments["mode"] = writer.static
        program = WholeProgram(f"N = {n}\n\n\n{text}", arguments)
        if is_sound(program):
            return program
    raise AssertionError


def is_sound(program):
    """Tell whether the program can be tested, and note its central differences."""
    try:
        with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
            warnings.simplefilter("error")
            function = program.function()
            value = function(*program.given())
    except (ArithmeticError, Warning, ValueError, IndexError):
        return False
    if np.ndim(value) or np.asarray(value).dtype.kind != "f" or not abs(value) < LARGEST:
        return False
    try:
        for name, argument in program.arguments.items():
            if not isinstance(argument, str):
                program.wanted[name] = random_checks.central_differences(program, function, name)
    except NotSmooth:
        return False
    return any(np.any(numeric) for numeric, _ in program.wanted.values())


def check(program):
    """Raise Failure where the emitted code is wrong, FlatgradError where there is none."""
    function = program.function()
    value = function(*program.given())
    for style in STYLES:
        names, found = random_checks.gradients(program, function, value, style)
        if set(names) != set(program.wanted):
            raise Failure(f"names {style}", f"{names} instead of {tuple(program.wanted)}")
        for name, gradient in zip(names, found, strict=True):
            numeric, scale = program.wanted[name]
            if np.shape(gradient) != np.shape(program.arguments[name]):
                raise Failure(f"shape {style}", f"grad_{name} has {np.shape(gradient)}")
            if not np.all(np.abs(gradient - numeric) <= 1e-6 * scale):
                raise Failure(
                    f"gradient {style}", f"grad_{name} is\n{gradient}\nand central differences give\n{numeric}"
                )


def runs(program):
    """Tell whether what is left of a program can be tested; its loops may have lost what ends them."""
    lines = itertools.count()

    def count(frame, event, argument):
        if next(lines) > 100_000:
            raise RecursionError
        return count

    try:
        sys.settrace(count)
        program.function()(*program.given())
        sys.settrace(None)
        return is_sound(program)
    except (
        NameError,
        TypeError,
        SyntaxError,
        AttributeError,
        LookupError,
        ArithmeticError,
        ValueError,
        RecursionError,
    ):
        return False
    finally:
        sys.settrace(None)


def main(first, last):
    """Try the programs of these seeds and show what fails, made as small as it gets."""
    try_all(((seed, generated(seed)) for seed in range(first, last)), check, runs)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
