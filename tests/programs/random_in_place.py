"""Random programs that write into arrays: `python tests/programs/random_in_place.py 0 1000` tries a thousand.

In: texts of `random_writes`. Out: programs that run and have a derivative at their arguments; an error where the emitted code
is wrong, and the smallest program that fails in the same way; the reasons of those that are refused. Derivatives are found by
complex steps through the program itself, over arrays that are made of complex numbers.
"""

import itertools
import os
import re
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

# what an earlier state of flatgrad wrote for the same program says nothing
os.environ["FLATGRAD_CACHE"] = "off"
sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from random_checks import STYLES, Failure  # noqa: E402
from random_programs import Program  # noqa: E402
from random_shrinking import try_all  # noqa: E402
from random_writes import WriteWriter  # noqa: E402
from structured_programs import NUMPY  # noqa: E402

from flatgrad import api  # noqa: E402
from flatgrad.errors import FlatgradError  # noqa: E402

LARGEST = 1e4
WRONG = (NameError, TypeError, SyntaxError, AttributeError, LookupError, ArithmeticError, ValueError, Warning)


class InPlaceProgram(Program):
    """A program as a text; `wanted` holds its derivatives, `value` and `left` what it returns and leaves of its arguments."""

    def __init__(self, text, arguments):
        super().__init__(arguments, [], arguments)
        self.source = text
        self.wanted = {}
        self.value = None
        self.left = []

    @property
    def text(self):
        return self.source

    def over_complex_numbers(self):
        """Return the program as a function that complex steps can go through."""
        names = {"np": NUMPY}
        exec(compile(self.text, "complex program", "exec"), names)
        return names["program"]


def generated(seed):
    """Return the first program of this seed that runs, stays in bounds and has a derivative."""
    for attempt in itertools.count():
        writer = WriteWriter(f"{seed} {attempt}")
        text, shapes = writer.program()
        numbers = np.random.default_rng([seed, attempt])
        arguments = {name: numbers.uniform(-1.2, 1.2, shape) for name, shape in shapes.items()}
        arguments = {name: given if np.ndim(given) else float(given) for name, given in arguments.items()}
        program = InPlaceProgram(f"N = {writer.size}\n\n\n{text}", arguments)
        if is_sound(program):
            return program
    raise AssertionError


def is_sound(program):
    """Tell whether the program can be tested, and note what it returns, leaves and has as derivatives."""
    try:
        with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
            warnings.simplefilter("error")
            program.left = program.given()
            program.value = program.function()(*program.left)
            if np.ndim(program.value) or not abs(program.value) < LARGEST:
                return False
            stepped = program.over_complex_numbers()
            for name in program.arguments:
                program.wanted[name] = derivative(program, stepped, name, 1e-30j)
                near = derivative(program, stepped, name, 1e-5)
                if not np.allclose(near, program.wanted[name], rtol=1e-5, atol=1e-5 * (1 + np.max(np.abs(near)))):
                    return False
    except WRONG:
        return False
    return any(np.any(gradient) for gradient in program.wanted.values())


def derivative(program, function, name, step):
    """Return the derivative by one argument by complex steps, or central differences for a step that is real."""
    point = np.asarray(program.arguments[name])
    found = np.zeros(point.shape)

    def at(index, step):
        arguments = {other: np.array(given, dtype=complex) for other, given in program.arguments.items()}
        arguments[name][index] += step
        return function(*(given if given.ndim else given[()] for given in arguments.values()))

    for index in np.ndindex(point.shape):
        if np.iscomplex(step):
            found[index] = np.imag(at(index, step)) / np.imag(step)
        else:
            found[index] = np.real(at(index, step) - at(index, -step)) / (2 * step)
    return found


def check(program):
    """Raise Failure where the emitted code is wrong, FlatgradError where there is none."""
    for style in STYLES:
        given = program.given()
        try:
            value, gradients = api.value_and_grad(program.function(), style=style)(*given)
        except FlatgradError:
            raise
        except Exception as error:
            text = "".join(traceback.format_exception(error, limit=-2))
            raise Failure(f"{type(error).__name__} {style}", text) from None
        if type(value) is not type(program.value) or np.asarray(value).tobytes() != np.asarray(program.value).tobytes():
            raise Failure(f"value {style}", f"{value!r} instead of {program.value!r}")
        for name, mine, left in zip(program.parameters, given, program.left, strict=True):
            if np.asarray(mine).tobytes() != np.asarray(left).tobytes():
                raise Failure(f"argument {style}", f"{name} is left as\n{mine}\nand by the program as\n{left}")
        for name, wanted in program.wanted.items():
            gradient = getattr(gradients, name)
            if np.shape(gradient) != np.shape(wanted):
                raise Failure(f"shape {style}", f"grad_{name} has {np.shape(gradient)}")
            scale = 1 + np.max(np.abs(wanted)) + abs(program.value)
            if not np.all(np.abs(gradient - wanted) <= 1e-10 * scale):
                raise Failure(f"gradient {style}", f"grad_{name} is\n{gradient}\nand complex steps give\n{wanted}")


def runs(program):
    """Tell whether what is left of a program can be tested: a loop that counts by itself must not lose what ends it."""
    endless = program.source.count("while") > len(re.findall(r"\bk\d+ \+= 1", program.source))
    return not endless and is_sound(program)


def main(first, last):
    """Try the programs of these seeds and show what fails, made as small as it gets."""
    try_all(((seed, generated(seed)) for seed in range(first, last)), check, runs)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
