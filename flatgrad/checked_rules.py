"""Checks the rule of an operation on the samples that are declared with it.

In: a function with a rule. Out: a `RuleCheck`. Layer: above `catalogue`, below the public names.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import flatgrad.rules  # noqa: F401 - the rule may call the operations
from flatgrad.api import vjp
from flatgrad.binding import spread
from flatgrad.catalogue.samples import Program, is_nameless, takes
from flatgrad.decorator import flatgrad as decorated
from flatgrad.errors import FlatgradError, UnsupportedError
from flatgrad.graph.containers import leaves, mapped
from flatgrad.graph.size import Expression, SizeMismatch
from flatgrad.graph.values import FLOAT
from flatgrad.infer import answer_of
from flatgrad.registry import Kink, Record, Sample, lookup, name_of
from flatgrad.sampled import Call, as_value, is_floating, narrowed, slopes, tuples, upstream, weighted

RTOL, ATOL = 1e-6, 1e-7


@dataclass(frozen=True, slots=True, repr=False)
class RuleCheck:
    """What came out of a check. It is true where no problem was found."""

    function: str
    samples: int
    problems: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.problems

    def __repr__(self) -> str:
        count = "1 sample" if self.samples == 1 else f"{self.samples} samples"
        verdict = "not passed" if self.problems else "passed"
        return "\n".join([f"check of the rule of {self.function} on {count}: {verdict}", *self.problems])


def check_rule(function: Callable[..., Any]) -> RuleCheck:
    """Check the rule of a function on its samples and at its kinks.

    The gradients are compared with central differences, the shape rule with the shapes that the function gives, the dtype
    of gradients with that of the inputs, for float32 too; then the code that is emitted for each sample is run. Samples of
    which the gradients of an input are all 0 are a problem: they would not see that a rule is wrong. Raises
    UnsupportedError for a function without a rule.
    """
    record = lookup(function)
    name = name_of(function)
    if record is None or record.gradient is None:
        raise UnsupportedError(f"`{name}` has no rule", "flatgrad.rule declares one")
    samples = [sample for sample in record.samples if takes(function, sample)]
    problems: list[str] = [] if samples else ["the rule has no samples to be checked on"]
    seen: dict[str, bool] = {}
    for sample in samples:
        problems += [f"{name}({sample}): {problem}" for problem in _of_sample(record, function, sample, seen)]
    problems += [f"gradient of {unseen}: 0 in all samples" for unseen, found in seen.items() if not found]
    for kink in record.kinks:
        problems += [f"{kink.point}: {problem}" for problem in _of_kink(record, function, kink)]
    return RuleCheck(name, len(samples), tuple(problems))


def _of_sample(record: Record, function: Callable[..., Any], sample: Sample, seen: dict[str, bool]) -> Iterator[str]:
    """Yield what is wrong on one sample, and note which gradients are seen not to be 0."""
    call = Call(record, function, sample.args, sample.attributes, nameless=is_nameless(function))
    y = call.result()
    yield from _shape_problems(call, y)
    grad_y = upstream(y)
    gradients = call.gradients(y, grad_y)
    names = call.differentiated(sample)
    for name in names:
        if name not in gradients:
            yield f"the rule returns no grad_{name}: name the other inputs in the sample's wrt"
            continue
        expected = call.by_differences(name, grad_y)
        actual = call.by_rule(gradients, name)
        for one, other in zip(actual, expected, strict=True):
            if other is not None:
                seen[name] = seen.get(name, False) or bool(np.any(np.abs(other) > ATOL))
                yield from _difference(name, one, other)
    yield from _narrow_problems(call, [name for name in names if name in gradients])
    if all(name in gradients for name in names):
        yield from _emitted_problems(record, function, sample)


def _difference(name: str, actual: Any, expected: Any) -> Iterator[str]:
    wrong = ~np.isclose(actual, expected, rtol=RTOL, atol=ATOL)
    if np.any(wrong):
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        at = f" at {list(place)}" if place else ""
        yield (
            f"gradient of {name}{at}: {np.asarray(actual)[place]:.7g}, "
            f"where central differences give {np.asarray(expected)[place]:.7g}"
        )


def _shape_problems(call: Call, y: Any) -> Iterator[str]:
    """Yield what the shape rule gives, where that is not the shape of the result."""
    inputs = call.record.inputs
    leading = [name for name in inputs if name in call.arguments]
    attributes = {name: as_value(value, None) for name, value in call.arguments.items() if name not in inputs}
    given, _ = spread(call.function, {name: call.arguments[name] for name in leading}, len(leading))
    try:
        said = answer_of(call.record.shape, call.record, leading, [as_value(each, FLOAT) for each in given], attributes)
    except (TypeError, ValueError, SizeMismatch) as error:
        yield f"the shape rule raises {type(error).__name__}: {error}"
        return
    shapes = said if isinstance(said, list) else [said]
    made = [np.shape(part) for part in y] if isinstance(said, list) else [np.shape(y)]
    same = len(shapes) == len(made) and all(
        len(one) == len(other) and all(a == b or isinstance(a, Expression) for a, b in zip(one, other, strict=True))
        for one, other in zip(shapes, made, strict=True)
    )
    if not same:
        yield f"the shape rule gives {said}, and the result has {made if isinstance(said, list) else made[0]}"


def _narrow_problems(call: Call, names: list[str]) -> Iterator[str]:
    """Yield which gradients are not float32 where the arguments and the result are."""
    inputs = [leaf for name in call.record.inputs for leaf in leaves(call.arguments.get(name))]
    if any(isinstance(leaf, int | float) for leaf in inputs):
        # Python numbers have no dtype of their own
        return
    narrow = call.with_inputs(narrowed)
    y = narrow.result()
    if any(np.asarray(leaf).dtype not in (np.float32, np.complex64) for leaf in leaves(tuples(y))):
        return
    gradients = narrow.gradients(y, upstream(y))
    for name in names:
        for leaf, gradient in zip(leaves(narrow.arguments[name]), leaves(tuples(gradients[name])), strict=True):
            if is_floating(leaf) and np.asarray(gradient).dtype != np.float32:
                yield f"gradient of {name}: {np.asarray(gradient).dtype} for arguments of float32"


def _emitted_problems(record: Record, function: Callable[..., Any], sample: Sample) -> Iterator[str]:
    """Yield what is wrong with the code that is emitted for a sample: it can't be, or its gradients are others."""
    program = Program(record, function, sample)
    if not program.wrt:
        return
    f = program.function()
    try:
        y, pullback = vjp(decorated(source=program.text)(f), *program.arguments.values(), wrt=tuple(program.wrt))
    except FlatgradError as error:
        yield f"no code can be emitted:\n{textwrap.indent(str(error), '    ')}"
        return
    weights = upstream(y)
    gradients = pullback(*weights) if isinstance(weights, tuple) else pullback(weights)

    def loss(name: str, leaf: Any) -> Any:
        return weighted(f(**{**program.arguments, name: leaf}), weights)

    for name, gradient in zip(program.wrt, gradients, strict=True):
        expected = slopes(functools.partial(loss, name), program.arguments[name])
        for problem in _difference(name, gradient, expected):
            yield f"in the emitted code the {problem}"


def _of_kink(record: Record, function: Callable[..., Any], kink: Kink) -> Iterator[str]:
    """Yield where the gradients at a kink are not the declared ones."""
    call = Call(record, function, kink.args, dict(kink.attributes), nameless=is_nameless(function))
    with np.errstate(all="ignore"):
        y = call.result()
    gradients = call.gradients(y, mapped(tuples(y), np.ones_like))
    for name, chosen in zip(record.inputs, kink.gradients, strict=False):
        if chosen is not None:
            for one, other in zip(call.by_rule(gradients, name), leaves(tuples(chosen)), strict=True):
                if not np.array_equal(one, other, equal_nan=True):
                    yield f"gradient of {name}: {one}, where {other} is declared"
