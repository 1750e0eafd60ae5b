"""Random straight-line programs, and what has to hold for each: `python random_programs.py 0 1000` tries a thousand.

In: a seed. Out: a program as text with arguments for it, a check of its gradients against central differences, and the
smallest program that fails in the same way. A program keeps away from points where its derivative does not exist.
"""

import ast
import itertools
import linecache
import re
import sys
import traceback
import warnings
from collections import Counter

import numpy as np

from flatgrad import api, nn
from flatgrad.errors import FlatgradError
from flatgrad.registry import lookup

STYLES = ("flat", "compact")
LARGEST = 30.0


class Rejected(Exception):
    """An expression that does not fit: shapes, a domain, numbers that grow too large."""


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


SMOOTH = [
    "np.tanh({x})", "np.sin({x})", "np.cos({x})", "np.arctan({x})", "nn.sigmoid({x})", "nn.softplus({x})", "np.arcsinh({x})",
    "1 / (1 + np.exp(-{x}))", "np.sqrt(1 + {x}**2)", "np.log1p({x}**2)", "np.log({x} * {x} + 1)", "-{x}", "{x}**2",
    "{x} ** 3", "np.square({x})", "0.5 * {x}", "{x} * 2", "{x} / 3", "{x} - 1", "1 - {x}", "2.0 - {x}", "+{x}",
    "np.exp(-{x}**2)", "1 / (1 + {x} * {x})", "np.exp(-np.abs({x}))", "{x} * 1", "{x} + 0.5", "-2 * {x}",
    "np.log(1 + np.exp({x}))", "{x} - -{x}", "{x} * nn.sigmoid({x})", "0.5 * (1 + np.tanh({x} / 2))",
]  # fmt: skip
PARTIAL = [
    "np.exp({x})", "np.log({x})", "np.sqrt({x})", "np.sinh({x})", "np.cosh({x})", "np.exp2({x})", "2.0 ** {x}",
    "{x} ** 0.5", "{x}**-1", "1 / {x}", "np.abs({x})", "np.maximum({x}, 0)", "np.maximum(0.5, {x})", "np.minimum({x}, 0.7)",
    "nn.relu({x})", "np.where({x} > 0, {x}, 0.1 * {x})", "np.where({x} < 0.5, np.sin({x}), {x})", "np.clip({x}, -0.5, 0.9)",
    "np.expm1({x})", "np.log2({x})", "np.cbrt({x})", "{x} ** 1.5", "{x} ** -2", "np.reciprocal({x})", "np.tan({x})",
    "np.where({x} > 0, np.log(np.where({x} > 0, {x}, 1.0)), 0.0)", "np.arcsin({x})", "np.sign({x}) * {x}", "{x} % 1.0",
    "np.where(np.isfinite({x}), {x}, 0)", "({x} > 0) * {x}", "np.copysign({x}, -1.0)",
]  # fmt: skip
PAIRED = [
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} * {y}", "{x} / {y}", "{x} + {y} * {x}", "{x} * {y} + {y}", "{x} - {y} / 2",
    "np.maximum({x}, {y})", "np.minimum({x}, {y})", "np.hypot({x}, {y})", "np.arctan2({x}, {y})", "np.logaddexp({x}, {y})",
    "(0.5 + {x} * {x}) ** {y}", "np.where({x} > {y}, {x}, {y})", "np.where({x} > 0, {y}, {x})", "np.where({y} > 0, {x}, 0)", "np.add({x}, {y})",
    "np.multiply({x}, {y})", "np.subtract({x}, {y})", "np.divide({x}, {y})", "-({x} + {y})", "-{x} * {y}", "({x} - {y}) ** 2",
    "{x} / (1 + {y} * {y})", "np.where({x} < {y}, {x} * {y}, {x} + {y})", "{x} - ({y} - {x})", "np.power(np.exp({x}), {y})",
    "np.where({x} > 0.4, 2.0, {y})", "(-{x}) / (-{y})", "{x} * (-{y})", "{x} - {y} * 3 - 1",
]  # fmt: skip
REDUCED = [
    "np.sum({x}, axis={a}{k})", "np.mean({x}, axis={a}{k})", "{x}.sum(axis={a}{k})", "{x}.mean({a}{k})", "np.max({x}, axis={a}{k})",
    "np.min({x}, axis={a}{k})", "{x}.max(axis={a}{k})", "np.var({x}, axis={a}{k})", "np.std({x}, axis={a}{k})",
    "np.prod({x}, axis={a}{k})", "nn.logsumexp({x}, axis={a}{k})", "np.log(np.sum(np.exp({x}), axis={a}{k}))",
    "np.sqrt(np.sum({x}**2, axis={a}{k}))", "np.linalg.norm({x}, axis={a}{k})", "np.mean({x} ** 2, axis={a}{k})",
    "np.sum(-{x}, axis={a}{k})", "np.mean(({x} - np.mean({x}, axis={a}, keepdims=True)) ** 2, axis={a}{k})",
]  # fmt: skip
NORMALISED = [
    "nn.softmax({x}, axis={a})", "nn.log_softmax({x}, {a})", "np.exp({x}) / np.sum(np.exp({x}), axis={a}, keepdims=True)",
    "{x} - np.mean({x}, axis={a}, keepdims=True)", "{x} - np.max({x}, axis={a}, keepdims=True)", "{x} / {x}.sum(axis={a}, keepdims=True)",
    "{x} / np.sqrt(np.sum({x} * {x}, axis={a}, keepdims=True))", "({x} - {x}.mean(axis={a}, keepdims=True)) / ({x}.std(axis={a}, keepdims=True) + 0.1)",
    "{x} - np.log(np.sum(np.exp({x}), axis={a}, keepdims=True))", "np.flip({x}, axis={a})", "np.roll({x}, 1, axis={a})",
    "np.cumsum({x}, axis={a})", "np.sort({x}, axis={a})",
]  # fmt: skip


def smooth(generator, depth):
    return generator.made(generator.one_of(SMOOTH), x=generator.operand(depth))


def partial(generator, depth):
    return generator.made(generator.one_of(PARTIAL), x=generator.operand(depth))


def paired(generator, depth):
    x, y = generator.operand(depth), generator.operand(depth)
    if x[0] == y[0]:
        # nobody compares a number with itself
        raise Rejected
    return generator.made(generator.one_of(PAIRED), x=x, y=y)


def reduction(generator, depth):
    text, value = generator.array(depth)
    kept = generator.one_of(["", "", ", keepdims=True", ", keepdims=False"])
    pattern = generator.one_of(REDUCED).replace("{a}", generator.axes(np.ndim(value))).replace("{k}", kept)
    return generator.made(pattern, x=(text, value))


def normalisation(generator, depth):
    text, value = generator.array(depth)
    axis = str(int(generator.random.integers(-np.ndim(value), np.ndim(value))))
    return generator.made(generator.one_of(NORMALISED).replace("{a}", axis), x=(text, value))


PRODUCTS = [
    "{x} @ {y}", "{x} @ {y}", "{x} @ {y}", "{x} @ {y}.T", "{x}.T @ {y}", "np.dot({x}, {y})", "np.matmul({x}, {y})", "np.outer({x}, {y})", "np.inner({x}, {y})",
    "{x} @ np.swapaxes({y}, -1, -2)", "np.swapaxes({x}, -1, -2) @ {y}", "{x}.dot({y})", "np.vdot({x}, {y})", "np.tensordot({x}, {y}, axes=1)",
    "np.tensordot({x}, {y}, 2)", "np.einsum('ij,jk->ik', {x}, {y})",
]  # fmt: skip


def product(generator, depth):
    for _ in range(10):
        try:
            return generator.made(generator.one_of(PRODUCTS), x=generator.array(depth), y=generator.array(depth))
        except Rejected:
            continue
    raise Rejected


def indexed(generator, depth):
    text, value = generator.array(depth)
    parts = []
    for size in np.shape(value)[: int(generator.random.integers(1, np.ndim(value) + 1))]:
        start = int(generator.random.integers(-size, size))
        choices = [str(start), ":", "1:", ":-1", "::2", "::-1", f"{start}:", "None", "..."]
        choices += [f"[{start}, 0]", f"[{start}, {start}]", f"np.array([0, {start}])", f"np.arange({size})"]
        parts.append(generator.one_of(choices))
    return generator.made(f"{{x}}[{', '.join(parts)}]", x=(text, value))


RESHAPED = [
    "{x}[1:] * {x}[:-1]",
    "{x}[0] * {x}[-1]",
    "{x}[..., 0] - {x}[..., -1]",
    "{x}[[0, -1]] * {x}[0]",
    "{x}.T", "{x}.reshape(-1)", "np.reshape({x}, -1)", "{x}.ravel()", "{x}.flatten()", "np.transpose({x})", "np.expand_dims({x}, 0)",
    "np.expand_dims({x}, -1)", "{x}[:, None]", "{x}[None]", "{x}[..., None]", "np.squeeze({x})", "np.swapaxes({x}, 0, -1)",
    "np.swapaxes({x}, 0, 1)", "np.moveaxis({x}, 0, -1)", "{x}.transpose()", "np.atleast_2d({x})", "{x}.reshape({x}.shape[0], -1)",
    "{x}.reshape(-1, {x}.shape[-1])", "np.broadcast_to({x}, (2, *{x}.shape))", "np.broadcast_to({x}, (3, *{x}.shape))",
    "np.ravel({x})", "np.squeeze({x}, axis=0)", "{x}.copy()", "np.reshape({x}, {x}.shape[::-1])", "{x}.reshape(len({x}), -1)", "np.diag({x})",
    "{x}.reshape({x}.size, 1)", "np.tile({x}, 2)", "np.repeat({x}, 2)", "np.full_like({x}, 0.5) * {x}", "np.zeros_like({x}) + {x}",
]  # fmt: skip


def reshaped(generator, depth):
    return generator.made(generator.one_of(RESHAPED), x=generator.array(depth))


JOINED = [
    "np.concatenate([{x}, {y}])", "np.concatenate(({x}, {y}), axis=-1)", "np.stack([{x}, {y}])", "np.stack([{x}, {y}], axis=-1)",
    "np.vstack([{x}, {y}])", "np.hstack([{x}, {y}])", "np.concatenate([{x}, {x}], axis=0)", "np.array([{x}, {y}])", "np.stack(({x}, {y}), axis=1)",
]  # fmt: skip


def joined(generator, depth):
    return generator.made(generator.one_of(JOINED), x=generator.operand(depth), y=generator.operand(depth))


def supported(pattern):
    """Tell whether flatgrad has a rule for every function that a pattern calls."""
    names = re.findall(r"\b(np(?:\.linalg)?)\.(\w+)\(", pattern)
    return all(lookup(getattr(np.linalg if "linalg" in module else np, name)) is not None for module, name in names)


for patterns in (SMOOTH, PARTIAL, PAIRED, REDUCED, NORMALISED, PRODUCTS, RESHAPED, JOINED):
    patterns[:] = filter(supported, patterns)

FAMILIES = [smooth] * 3 + [partial] * 3 + [paired] * 6 + [reduction] * 4 + [normalisation] * 2 + [product] * 3
FAMILIES += [indexed] * 2 + [reshaped] * 2 + [joined]


# Checks


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
