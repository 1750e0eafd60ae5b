"""The kinds of expressions that random programs are made of, as patterns with operands in braces.

In: a generator, which has variables to choose from. Out: the text of an expression and its value.
"""

import re

import numpy as np

from flatgrad import rules
from flatgrad.registry import lookup

assert rules


class Rejected(Exception):
    """An expression that does not fit: shapes, a domain, numbers that grow too large."""


SMOOTH = [
    "np.tanh({x})", "np.sin({x})", "np.cos({x})", "np.arctan({x})", "nn.sigmoid({x})", "nn.softplus({x})",
    "np.arcsinh({x})", "1 / (1 + np.exp(-{x}))", "np.sqrt(1 + {x}**2)", "np.log1p({x}**2)", "np.log({x} * {x} + 1)",
    "-{x}", "{x}**2", "{x} ** 3", "np.square({x})", "0.5 * {x}", "{x} * 2", "{x} / 3", "{x} - 1", "1 - {x}",
    "2.0 - {x}", "+{x}", "np.exp(-{x}**2)", "1 / (1 + {x} * {x})", "np.exp(-np.abs({x}))", "{x} * 1", "{x} + 0.5",
    "-2 * {x}", "np.log(1 + np.exp({x}))", "{x} - -{x}", "{x} * nn.sigmoid({x})", "0.5 * (1 + np.tanh({x} / 2))",
]  # fmt: skip
PARTIAL = [
    "np.exp({x})", "np.log({x})", "np.sqrt({x})", "np.sinh({x})", "np.cosh({x})", "np.exp2({x})", "2.0 ** {x}",
    "{x} ** 0.5", "{x}**-1", "1 / {x}", "np.abs({x})", "np.maximum({x}, 0)", "np.maximum(0.5, {x})",
    "np.minimum({x}, 0.7)", "nn.relu({x})", "np.where({x} > 0, {x}, 0.1 * {x})",
    "np.where({x} < 0.5, np.sin({x}), {x})", "np.clip({x}, -0.5, 0.9)", "np.expm1({x})", "np.log2({x})",
    "np.cbrt({x})", "{x} ** 1.5", "{x} ** -2", "np.reciprocal({x})", "np.tan({x})",
    "np.where({x} > 0, np.log(np.where({x} > 0, {x}, 1.0)), 0.0)", "np.arcsin({x})", "np.sign({x}) * {x}",
    "{x} % 1.0", "np.where(np.isfinite({x}), {x}, 0)", "({x} > 0) * {x}", "np.copysign({x}, -1.0)",
]  # fmt: skip
PAIRED = [
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} * {y}", "{x} / {y}", "{x} + {y} * {x}", "{x} * {y} + {y}",
    "{x} - {y} / 2", "np.maximum({x}, {y})", "np.minimum({x}, {y})", "np.hypot({x}, {y})", "np.arctan2({x}, {y})",
    "np.logaddexp({x}, {y})", "(0.5 + {x} * {x}) ** {y}", "np.where({x} > {y}, {x}, {y})",
    "np.where({x} > 0, {y}, {x})", "np.where({y} > 0, {x}, 0)", "np.add({x}, {y})", "np.multiply({x}, {y})",
    "np.subtract({x}, {y})", "np.divide({x}, {y})", "-({x} + {y})", "-{x} * {y}", "({x} - {y}) ** 2",
    "{x} / (1 + {y} * {y})", "np.where({x} < {y}, {x} * {y}, {x} + {y})", "{x} - ({y} - {x})",
    "np.power(np.exp({x}), {y})", "np.where({x} > 0.4, 2.0, {y})", "(-{x}) / (-{y})", "{x} * (-{y})",
    "{x} - {y} * 3 - 1",
]  # fmt: skip
REDUCED = [
    "np.sum({x}, axis={a}{k})", "np.mean({x}, axis={a}{k})", "{x}.sum(axis={a}{k})", "{x}.mean({a}{k})",
    "np.max({x}, axis={a}{k})", "np.min({x}, axis={a}{k})", "{x}.max(axis={a}{k})", "np.var({x}, axis={a}{k})",
    "np.std({x}, axis={a}{k})", "np.prod({x}, axis={a}{k})", "nn.logsumexp({x}, axis={a}{k})",
    "np.log(np.sum(np.exp({x}), axis={a}{k}))", "np.sqrt(np.sum({x}**2, axis={a}{k}))",
    "np.linalg.norm({x}, axis={a}{k})", "np.mean({x} ** 2, axis={a}{k})", "np.sum(-{x}, axis={a}{k})",
    "np.mean(({x} - np.mean({x}, axis={a}, keepdims=True)) ** 2, axis={a}{k})",
]  # fmt: skip
NORMALISED = [
    "nn.softmax({x}, axis={a})", "nn.log_softmax({x}, {a})",
    "np.exp({x}) / np.sum(np.exp({x}), axis={a}, keepdims=True)", "{x} - np.mean({x}, axis={a}, keepdims=True)",
    "{x} - np.max({x}, axis={a}, keepdims=True)", "{x} / {x}.sum(axis={a}, keepdims=True)",
    "{x} / np.sqrt(np.sum({x} * {x}, axis={a}, keepdims=True))",
    "({x} - {x}.mean(axis={a}, keepdims=True)) / ({x}.std(axis={a}, keepdims=True) + 0.1)",
    "{x} - np.log(np.sum(np.exp({x}), axis={a}, keepdims=True))", "np.flip({x}, axis={a})",
    "np.roll({x}, 1, axis={a})", "np.cumsum({x}, axis={a})", "np.sort({x}, axis={a})",
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
    "{x} @ {y}", "{x} @ {y}", "{x} @ {y}", "{x} @ {y}.T", "{x}.T @ {y}", "np.dot({x}, {y})", "np.matmul({x}, {y})",
    "np.outer({x}, {y})", "np.inner({x}, {y})", "{x} @ np.swapaxes({y}, -1, -2)", "np.swapaxes({x}, -1, -2) @ {y}",
    "{x}.dot({y})", "np.vdot({x}, {y})", "np.tensordot({x}, {y}, axes=1)", "np.tensordot({x}, {y}, 2)",
    "np.einsum('ij,jk->ik', {x}, {y})",
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
    "{x}[1:] * {x}[:-1]", "{x}[0] * {x}[-1]", "{x}[..., 0] - {x}[..., -1]", "{x}[[0, -1]] * {x}[0]", "{x}.T",
    "{x}.reshape(-1)", "np.reshape({x}, -1)", "{x}.ravel()", "{x}.flatten()", "np.transpose({x})",
    "np.expand_dims({x}, 0)", "np.expand_dims({x}, -1)", "{x}[:, None]", "{x}[None]", "{x}[..., None]",
    "np.squeeze({x})", "np.swapaxes({x}, 0, -1)", "np.swapaxes({x}, 0, 1)", "np.moveaxis({x}, 0, -1)",
    "{x}.transpose()", "np.atleast_2d({x})", "{x}.reshape({x}.shape[0], -1)", "{x}.reshape(-1, {x}.shape[-1])",
    "np.broadcast_to({x}, (2, *{x}.shape))", "np.broadcast_to({x}, (3, *{x}.shape))", "np.ravel({x})",
    "np.squeeze({x}, axis=0)", "{x}.copy()", "np.reshape({x}, {x}.shape[::-1])", "{x}.reshape(len({x}), -1)",
    "np.diag({x})", "{x}.reshape({x}.size, 1)", "np.tile({x}, 2)", "np.repeat({x}, 2)",
    "np.full_like({x}, 0.5) * {x}", "np.zeros_like({x}) + {x}",
]  # fmt: skip


def reshaped(generator, depth):
    return generator.made(generator.one_of(RESHAPED), x=generator.array(depth))


JOINED = [
    "np.concatenate([{x}, {y}])", "np.concatenate(({x}, {y}), axis=-1)", "np.stack([{x}, {y}])",
    "np.stack([{x}, {y}], axis=-1)", "np.vstack([{x}, {y}])", "np.hstack([{x}, {y}])",
    "np.concatenate([{x}, {x}], axis=0)", "np.array([{x}, {y}])", "np.stack(({x}, {y}), axis=1)",
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
