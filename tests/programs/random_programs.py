"""Random straight-line programs: elementwise operations, reductions, products, indexing, reshaping, variables used again.

In: a seed. Out: a program as text, with arguments for it. A program keeps away from points where its derivative does not
exist or its numbers leave nothing to compare.
"""

import ast
import itertools
import linecache
import re
import sys
import warnings
from pathlib import Path

import numpy as np

from flatgrad import nn

sys.path[:0] = [str(Path(__file__).parent)]

from random_expressions import FAMILIES, Rejected  # noqa: E402

LARGEST = 30.0


class Program:
    """The source of a function `program`, and arguments for it."""

    def __init__(self, parameters, statements, arguments, header=()):
        self.parameters = list(parameters)
        self.statements = list(statements)
        self.arguments = dict(arguments)
        self.header = list(header)

    @property
    def text(self):
        signature = f"def program({', '.join(self.parameters)}):"
        return "\n".join([*self.header, signature, *("    " + statement for statement in self.statements)]) + "\n"

    def function(self):
        """Return the program as a function whose source Python finds."""
        text = self.text
        filename = f"<random program {hash(text)}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        namespace = {"np": np, "nn": nn}
        exec(compile(text, filename, "exec"), namespace)
        return namespace["program"]

    def given(self):
        """Return fresh arguments: a program may write into what it is given."""
        return [
            argument.copy() if isinstance(argument := self.arguments[name], np.ndarray) else argument
            for name in self.parameters
        ]


# Generation


class Generator:
    """Builds one program, and runs it as it grows."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.values = {}
        self.fresh = set()
        self.statements = []
        self.arguments = {}
        self.count = 0

    def one_of(self, items):
        """Return one of the items."""
        items = list(items)
        return items[self.random.integers(len(items))]

    def chance(self, probability):
        """Tell whether something that is this likely happens."""
        return self.random.random() < probability

    def program(self):
        """Return a program of 5 to 30 statements."""
        self._parameters()
        wanted = int(self.random.integers(5, 31)) if self.chance(0.5) else int(self.random.integers(2, 8))
        for _ in range(8 * wanted):
            if len(self.statements) >= wanted:
                break
            try:
                with np.errstate(all="raise"):
                    self._statement()
            except (Rejected, FloatingPointError):
                continue
        self._result()
        return Program(self.arguments, self.statements, self.arguments)

    def _parameters(self):
        sizes = [1, *self.random.integers(2, 5, 2)]
        for k in range(int(self.random.integers(1, 5))):
            name = "xywbcd"[k]
            rank = self.one_of([0, 1, 1, 2, 2, 2, 3])
            shape = tuple(int(self.one_of(sizes if self.chance(0.3) else sizes[1:])) for _ in range(rank))
            numbers = self.random.uniform(0.3, 1.7, shape) * self.random.choice([-1, 1], shape)
            if self.chance(0.3):
                numbers = np.abs(numbers)
            self.arguments[name] = numbers if rank or self.chance(0.1) else float(numbers)
            if isinstance(self.arguments[name], np.ndarray) and not rank:
                self.arguments[name] = np.float64(self.arguments[name])
        self.values = dict(self.arguments)

    def _statement(self):
        kind = self.random.random()
        if kind < 0.06 and self.fresh:
            self._augmented()
        elif kind < 0.1:
            self._split()
        elif kind < 0.13:
            self._chained()
        else:
            text, value = self.expression(int(self.random.integers(1, 4)))
            self._assign(self._target(), text, value)

    def _target(self):
        if self.chance(0.12):
            return self.one_of(self.values)
        self.count += 1
        return f"v{self.count}"

    def _assign(self, name, text, value):
        self._run(f"{name} = {text}")
        self.values[name] = value
        self.fresh.add(name)
        if not isinstance(value, np.ndarray) or np.may_share_memory(value, value.base if value.base is not None else 0):
            self.fresh.discard(name)

    def _run(self, statement):
        self.statements.append(statement)

    def _augmented(self):
        name = self.one_of(sorted(self.fresh))
        if name not in self.values or any(
            other != name and np.may_share_memory(value, self.values[name]) for other, value in self.values.items()
        ):
            raise Rejected
        symbol = self.one_of(["+=", "-=", "*="])
        text, value = self.expression(1)
        if np.broadcast_shapes(*self._checked_shapes(value, self.values[name])) != np.shape(self.values[name]):
            raise Rejected
        combined = {"+=": np.add, "-=": np.subtract, "*=": np.multiply}[symbol](self.values[name], value)
        self._bounded(combined)
        self._run(f"{name} {symbol} {text}")
        self.values[name] = combined

    def _checked_shapes(self, *values):
        shapes = [np.shape(value) for value in values]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            raise Rejected from None
        return shapes

    def _split(self):
        text, value = self.variable(1)
        axis = int(self.random.integers(-np.ndim(value), np.ndim(value)))
        size = np.shape(value)[axis]
        parts = self.one_of([k for k in (1, 2, 3, 4) if size % k == 0])
        if parts == 1:
            raise Rejected
        names = [self._target() for _ in range(parts)]
        if len(set(names)) < parts:
            raise Rejected
        self._run(f"{', '.join(names)} = np.split({text}, {parts}, axis={axis})")
        for name, part in zip(names, np.split(value, parts, axis=axis), strict=True):
            self.values[name] = part
            self.fresh.discard(name)

    def _chained(self):
        first, second = self._target(), self._target()
        if first == second:
            raise Rejected
        if self.chance(0.5):
            text, value = self.expression(1)
            self._run(f"{first} = {second} = {text}")
            self.values[first] = self.values[second] = value
        else:
            (one, value), (two, other) = self.expression(1), self.expression(1)
            self._run(f"{first}, {second} = {one}, {two}")
            self.values[first], self.values[second] = value, other
        self.fresh -= {first, second}

    def _result(self):
        recent = list(self.values)[::-1]
        chosen = recent[: int(self.random.integers(1, 4))]
        chosen += [name for name in recent if name not in chosen and self.chance(0.2)]
        terms = [self._to_number(name) for name in chosen]
        text = " + ".join(terms)
        if self.chance(0.5):
            self._run(f"loss = {text}")
            text = "loss"
        self._run(f"return {text}")

    def _to_number(self, name):
        value = self.values[name]
        if not np.ndim(value):
            return name
        forms = ["np.sum({})", "{}.mean()", "np.sum({0} * {0})", "np.mean(np.tanh({}))", "({} ** 2).sum()"]
        forms.append("np.max({})")
        if np.ndim(value) == 1:
            forms.append("{0} @ {0}")
        return self.one_of(forms).format(name)

    # expressions: each returns a text that binds tightly, and the value

    def expression(self, depth):
        """Return an expression over the variables, not deeper than this."""
        for _ in range(12):
            try:
                with np.errstate(all="raise"):
                    text, value = self.one_of(FAMILIES)(self, depth - 1)
            except (Rejected, FloatingPointError):
                continue
            self._bounded(value)
            return text, value
        raise Rejected

    def operand(self, depth):
        """Return a variable, or an expression in parentheses."""
        if depth <= 0 or self.chance(0.3):
            return self.variable()
        text, value = self.expression(depth)
        return (text if _is_tight(text) else f"({text})"), value

    def variable(self, rank=0):
        """Return a variable of at least this rank; new ones are more likely."""
        names = [name for name, value in self.values.items() if np.ndim(value) >= rank]
        if not names:
            raise Rejected
        name = names[-1 - min(int(self.random.geometric(0.25)) - 1, len(names) - 1)]
        if self.chance(0.3):
            name = self.one_of(names)
        return name, self.values[name]

    def array(self, depth, rank=1):
        """Return an operand of at least this rank."""
        for _ in range(6):
            text, value = self.operand(depth)
            if np.ndim(value) >= rank:
                return text, value
        return self.variable(rank)

    def _bounded(self, value):
        if not isinstance(value, float | np.ndarray | np.floating) or np.size(value) > 400 or not np.size(value):
            raise Rejected
        if not np.all(np.isfinite(value)) or np.max(np.abs(value)) > LARGEST:
            raise Rejected

    def made(self, text, **operands):
        """Return a text and its value, with the operands' names in the text standing for their values."""
        texts = {name: operand[0] for name, operand in operands.items()}
        values = {name: operand[1] for name, operand in operands.items()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                value = eval(text.format(**{name: name for name in texts}), {"np": np, "nn": nn}, values)
        except (ValueError, IndexError, TypeError, Warning, OverflowError, ZeroDivisionError) as error:
            raise Rejected from error
        if re.search(r"sqrt|cbrt|\*\* 0.5", text) and np.min(np.abs(value)) < 1e-3:
            # the derivative is infinite at 0
            raise Rejected
        if ".std(" in text and np.min(np.abs(value)) < 0.05:
            # differences of nearly equal numbers leave nothing to compare
            raise Rejected
        if "arcsin(" in text and np.max(np.abs(value)) > 1.4:
            raise Rejected
        return text.format(**texts), value

    def axes(self, rank):
        """Return the text of an axis argument for arrays of this rank."""
        choices = ["None", *map(str, range(-rank, rank))]
        choices += [repr(pair) for pair in itertools.combinations(range(rank), 2)] if rank > 1 else []
        return self.one_of(choices)


def _is_tight(text):
    return isinstance(ast.parse(text, mode="eval").body, ast.Name | ast.Call | ast.Subscript | ast.Attribute)
