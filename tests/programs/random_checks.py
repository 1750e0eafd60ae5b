"""What has to hold for random programs: `python tests/programs/random_checks.py 0 1000` tries a thousand.

In: programs of `random_programs`. Out: an error where the emitted code is wrong, and the smallest program that fails in
the same way.
"""

import ast
import itertools
import re
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from random_programs import Generator, Program  # noqa: E402

from flatgrad import api  # noqa: E402
from flatgrad.errors import FlatgradError  # noqa: E402

STYLES = ("flat", "compact")


class Failure(Exception):
    """A program that is differentiated wrongly, with the kind of failure."""

    def __init__(self, kind, detail):
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class NotSmooth(Exception):
    """The program has no derivative there, or numbers that leave nothing to compare."""


def check(program, styles=STYLES):
    """Raise Failure where the emitted code is wrong, FlatgradError where there is none, NotSmooth where none can be told."""
    function = program.function()
    with np.errstate(all="ignore"):
        value = function(*program.given())
    if np.ndim(value) or not np.isfinite(value):
        raise NotSmooth
    wanted = {
        name: central_differences(program, function, name)
        for name in program.parameters
        if np.asarray(program.arguments[name]).dtype.kind == "f"
    }
    found = {style: gradients(program, function, value, style) for style in styles}
    for style, (names, by_name) in found.items():
        for name, gradient in zip(names, by_name, strict=True):
            argument = program.arguments[name]
            if np.shape(gradient) != np.shape(argument):
                raise Failure(
                    f"shape {style}", f"grad_{name} has {np.shape(gradient)}, {name} has {np.shape(argument)}"
                )
            if isinstance(argument, np.ndarray) and gradient.dtype != argument.dtype:
                raise Failure(f"dtype {style}", f"grad_{name} is {gradient.dtype}")
        for name, gradient in zip(names, by_name, strict=True):
            numeric, scale = wanted[name]
            if not np.all(np.abs(gradient - numeric) <= 1e-6 * scale):
                raise Failure(
                    f"gradient {style}", f"grad_{name} is\n{gradient}\nand central differences give\n{numeric}"
                )


def gradients(program, function, value, style):
    """Return the names and gradients that the emitted code gives, once its value is the function's own."""
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            emitted, result = api.value_and_grad(function, style=style)(*program.given())
    except FlatgradError:
        raise
    except Exception as error:
        raise Failure(f"{type(error).__name__} {style}", "".join(traceback.format_exception(error, limit=-2))) from None
    if (
        np.asarray(emitted).tobytes() != np.asarray(value).tobytes()
        or np.asarray(emitted).dtype != np.asarray(value).dtype
    ):
        raise Failure(f"value {style}", f"{emitted!r} instead of {value!r}")
    return result._fields, result


def check_single_precision(program, seed):
    """Raise Failure where gradients for float32 arguments have another dtype, or differ from those for float64."""
    random = np.random.default_rng(seed)
    rounded = {}
    for name, argument in program.arguments.items():
        is_array = isinstance(argument, np.ndarray)
        rounded[name] = argument.astype(np.float32) if is_array and random.random() < 0.7 else argument
    single = Program(program.parameters, program.statements, rounded)
    double = {name: np.float64(a) if isinstance(a, np.ndarray) else a for name, a in rounded.items()}
    double = Program(program.parameters, program.statements, double)
    function = program.function()
    with np.errstate(all="ignore"):
        values = [function(*each.given()) for each in (single, double)]
    if not np.isclose(*values, rtol=1e-4, atol=1e-4):
        raise NotSmooth
    wanted = gradients(double, function, values[1], "compact")[1]
    for style in STYLES:
        names, found = gradients(single, function, values[0], style)
        for name, gradient, exact in zip(names, found, wanted, strict=True):
            argument = rounded[name]
            if isinstance(argument, np.ndarray) and gradient.dtype != argument.dtype:
                raise Failure(f"dtype {style}", f"grad_{name} is {gradient.dtype}, {name} is {argument.dtype}")
            if np.shape(gradient) != np.shape(argument):
                raise Failure(f"shape {style}", f"grad_{name} has {np.shape(gradient)}")
            scale = 1 + np.max(np.abs(exact), initial=0.0) + abs(values[1])
            if not np.max(np.abs(gradient - exact), initial=0.0) <= 3e-2 * scale:
                raise Failure(f"float32 {style}", f"grad_{name} is\n{gradient}\nand in float64\n{exact}")


def check_pullback(program, seed):
    """Raise Failure where the pullback of several arrays is not the gradient of their weighted sum."""
    random = np.random.default_rng(seed)
    names = list(dict.fromkeys(re.findall(r"^(\w+) = ", "\n".join(program.statements[:-1]), re.MULTILINE)))[-3:]
    if not names or program.statements[-1] == "return loss":
        raise NotSmooth
    several = Program(program.parameters, [*program.statements[:-1], f"return {', '.join(names)},"], program.arguments)
    function = several.function()
    with np.errstate(all="ignore"):
        values = function(*several.given())
    if any(np.asarray(value).dtype.kind != "f" for value in values):
        raise NotSmooth
    weights = {f"weight_{k}": random.normal(size=np.shape(value)) for k, value in enumerate(values)}
    total = " + ".join(f"np.sum({name} * {weight})" for name, weight in zip(names, weights, strict=True))
    arguments = {**program.arguments, **weights}
    weighted = Program([*program.parameters, *weights], [*program.statements[:-1], f"return {total}"], arguments)
    wrt = tuple(name for name in program.parameters if np.asarray(program.arguments[name]).dtype.kind == "f")
    try:
        with np.errstate(all="ignore"):
            found, pullback = api.vjp(function, *several.given(), wrt=wrt)
            pulled = pullback(*weights.values())
            wanted = api.grad(weighted.function(), wrt=wrt)(*weighted.given())
    except FlatgradError:
        raise
    except Exception as error:
        raise Failure(f"{type(error).__name__} pullback", traceback.format_exc(limit=-2)) from None
    for ours, users in zip(found, values, strict=True):
        if np.asarray(ours).tobytes() != np.asarray(users).tobytes():
            raise Failure("value pullback", f"{ours} instead of {users}")
    for name, gradient, other in zip(wrt, pulled, wanted, strict=True):
        if np.shape(gradient) != np.shape(program.arguments[name]):
            raise Failure("shape pullback", f"grad_{name} has {np.shape(gradient)}")
        if not np.allclose(
            gradient, other, rtol=1e-8, atol=1e-8 * (1 + np.max(np.abs(other), initial=0.0)), equal_nan=True
        ):
            raise Failure("pullback", f"grad_{name} is\n{gradient}\nand of the weighted sum\n{other}")


def central_differences(program, function, name):
    """Return the derivative by differences of fourth order, and what to measure an error by."""
    where = program.parameters.index(name)
    point = program.given()[where]
    numeric = np.zeros(np.shape(point))
    scale = np.ones(np.shape(point))

    def at(index, step):
        arguments = program.given()
        moved = np.array(arguments[where], dtype=float)
        moved[index] += step
        arguments[where] = moved if isinstance(point, np.ndarray) else type(point)(moved)
        with np.errstate(all="ignore"):
            return float(function(*arguments))

    middle = at((0,) * np.ndim(point), 0.0)
    for index in np.ndindex(np.shape(point)):
        h = 1e-4
        far_left, left, right, far_right = (at(index, k * h) for k in (-2, -1, 1, 2))
        numeric[index] = (8 * (right - left) - (far_right - far_left)) / (12 * h)
        narrow = (at(index, 1e-6) - at(index, -1e-6)) / 2e-6
        bend = abs((right - middle) - (middle - left)) / h
        scale[index] = 1 + abs(numeric[index]) + abs(middle) * 1e-3
        if not np.isfinite(numeric[index]) or abs(narrow - numeric[index]) > 1e-6 * scale[index]:
            raise NotSmooth
        if bend > 0.05 * scale[index] * 1 or scale[index] > 1e7:
            raise NotSmooth
    return numeric, scale


def check_all(program, seed):
    """Run every check: gradients first, then the others where they apply."""
    check(program)
    for also in (check_single_precision, check_pullback):
        try:
            also(program, seed)
        except NotSmooth:
            continue


# Smallest failing programs


def outcome(program):
    """Return the kind of failure, or "" for none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_all(program, 0)
    except Failure as failure:
        return failure.kind
    except Exception:
        return ""
    return ""


def smallest(program, kind):
    """Return a program that fails in the same way and from which nothing more can be taken."""
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in smaller_programs(program):
            if outcome(smaller) == kind:
                program, shrunk = smaller, True
                break
    return program


def smaller_programs(program):
    """Return programs with a statement less, a parameter less, or a part of an expression in place of the whole."""
    statements = program.statements
    for k in reversed(range(len(statements))):
        yield Program(program.parameters, statements[:k] + statements[k + 1 :], program.arguments)
    for name in program.parameters:
        yield Program([other for other in program.parameters if other != name], statements, program.arguments)
    for k, statement in enumerate(statements):
        for simpler in simpler_statements(statement):
            yield Program(program.parameters, [*statements[:k], simpler, *statements[k + 1 :]], program.arguments)


def simpler_statements(statement):
    """Return the statement with one expression in it replaced by a part of that expression."""
    count = sum(isinstance(node, ast.expr) for node in ast.walk(ast.parse(statement)))
    for place in range(count):
        for choice in itertools.count():
            tree = ast.parse(statement)
            whole = [node for node in ast.walk(tree) if isinstance(node, ast.expr)][place]
            parts = [part for part in ast.walk(whole) if isinstance(part, ast.expr) and part is not whole]
            if choice >= len(parts):
                break
            text = ast.unparse(_Replaced(whole, parts[choice]).visit(tree))
            if len(text) < len(statement):
                yield text


class _Replaced(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old = old
        self.new = new

    def visit(self, node):
        return self.new if node is self.old else super().visit(node)


def main(first, last):
    """Try the programs of these seeds and show what fails, made as small as it gets."""
    counts = Counter()
    for seed in range(first, last):
        program = Generator(seed).program()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                check_all(program, seed)
        except NotSmooth:
            counts["not smooth"] += 1
        except FlatgradError as error:
            message = re.sub(r"s?\d+", "#", error.problems[0].message)
            if not counts[f"error: {message}"] and "has no rule" not in message:
                print(f"--- seed {seed}: {error}")
            counts[f"error: {message}"] += 1
        except Failure as failure:
            counts[failure.kind] += 1
            detail = str(failure).strip().split("\n")[-1]
            kind = re.sub(r"%?\d+", "", f"{failure.kind} {detail}")[:40]
            if failure.kind.split()[0] not in ("gradient", "value") and counts[kind] > 2:
                continue
            counts[kind] += 1
            print(f"--- seed {seed}: {failure.kind}")
            small = smallest(program, failure.kind)
            print(small.text, {name: np.shape(small.arguments[name]) for name in small.parameters})
            try:
                check_all(small, seed)
            except Failure as found:
                print(str(found)[:1500], flush=True)
        else:
            counts["right"] += 1
    for outcome_, count in counts.most_common():
        print(count, outcome_)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
