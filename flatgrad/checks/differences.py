"""Gradients compared with derivatives that are computed from the function alone.

In: a function, its arguments, its value and its gradients. Out: a `Check`, one row a parameter. NumPy only; layer: above
`derivatives`, below `decorator`.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning
from numpy.typing import NDArray

from flatgrad.checks.derivatives import (
    EPSILON,
    SAFETY,
    Floats,
    Line,
    Slope,
    complex_slopes,
    copies,
    directions,
    slope_along,
)
from flatgrad.parts import flat, inside, is_float, is_real

Gradients = Mapping[str, Any]

PASSED = "passed"
DIFFERS = "differs"
NOT_DIFFERENTIABLE = "not differentiable here"
NOT_CHECKED = "not checked"
WORST_FIRST = (DIFFERS, NOT_DIFFERENTIABLE, NOT_CHECKED, PASSED)
TITLE = "gradients, against derivatives computed from the function alone; `allowed` is what their errors explain:"


@dataclass(frozen=True, slots=True)
class Row:
    """What was found for one parameter, or for the value.

    `difference` is the one that is largest in units of what is `allowed`; `relative` is the same over the derivative, and
    `index` its element, or None for a direction over many elements. `note` has the reasons, one a line.
    """

    name: str
    shape: tuple[int, ...]
    verdict: str
    note: str = ""
    compared: str = ""
    difference: float = 0.0
    relative: float = 0.0
    index: tuple[int, ...] | None = None
    allowed: float = 0.0
    method: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Check:
    """What came out of a comparison. It is true where it has passed, and shows itself as a table."""

    function: str
    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Tell whether nothing differs, and not every parameter had to be left unchecked.

        A parameter at a point where the function is not differentiable counts neither for nor against.
        """
        verdicts = [row.verdict for row in self.rows]
        nothing_checked = len(verdicts) > 1 and all(verdict == NOT_CHECKED for verdict in verdicts[1:])
        return DIFFERS not in verdicts and not nothing_checked

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        head = ("gradient", "shape", "compared", "largest difference", "allowed", "with", "verdict")
        table = [head, *(_cells(row) for row in self.rows if row.name != "value")]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"check of {self.function}: {'passed' if self.passed else 'not passed'}"]
        lines += [
            f"value: {row.note or 'bit for bit what the function returns'}" for row in self.rows if row.name == "value"
        ]
        if len(table) > 1:
            lines.append(TITLE)
            lines += ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
        for row in self.rows:
            if row.name != "value":
                lines += [f"{row.name}: {note}" for note in row.note.splitlines()]
        return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    shape = str(row.shape)
    if not row.method:
        return (row.name, shape, row.compared, "", "", "", row.verdict)
    place = "a direction" if row.index is None else str(list(row.index)) if row.index else ""
    largest = f"{row.difference:.1e} (relative {row.relative:.1e})" + (f" at {place}" if place else "")
    return (row.name, shape, row.compared, largest, f"{row.allowed:.1e}", row.method, row.verdict)


def compared(
    run: Callable[[dict[str, Any]], Any],
    arguments: Mapping[str, Any],
    value: Any,
    gradients: Gradients | Callable[..., Gradients],
    function: str = "the function",
) -> Check:
    """Compare a value and gradients with what a function gives, and return a `Check`.

    `run` calls the user's function on a dict of arguments by name. `gradients` holds those of a value that is one number,
    by name. For other values it is a pullback: it takes an upstream gradient for each real part of the value, and returns
    such a mapping; then a fixed random weighted sum of the value is what is differentiated. Arguments are not modified.

    The rule: a gradient differs where it is further from the derivative than 8 times the error estimated for the
    derivative, plus what rounding explains: sqrt(eps) of the derivative, 64 eps of the parameter's largest gradient, and
    16 eps of the scale of the argument times the second derivative, with the eps of the coarsest float type in play. The
    derivative is that of complex steps where these agree with central differences at all places compared, within the error
    of those; otherwise it is that of central differences. Arguments of less than double precision are widened for both.
    """
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ComplexWarning)
        first, second = (run(copies(arguments)) for _ in range(2))
        if not _same_bits(first, second):
            note = "the function gives different values for the same arguments"
            return Check(function, (Row("value", np.shape(_first_part(first)), DIFFERS, note),))
        rows = [_value_row(first, value)]
        parts = [part for part in flat(first) if is_real(part)]
        weights: list[Floats] = [np.ones(np.shape(part)) for part in parts]
        if callable(gradients):
            weights = _random_weights(parts)
            gradients = gradients(*weights)
        floats = [each for each in (*arguments.values(), *gradients.values(), *parts) if is_float(each)]
        epsilon = max([EPSILON, *(float(np.finfo(np.asarray(each).dtype).eps) for each in floats)])
        comparison = _Comparison(run, arguments, weights, epsilon)
        rows += [comparison.row(name, gradient) for name, gradient in gradients.items()]
    return Check(function, tuple(rows))


def _first_part(value: Any) -> Any:
    return next(flat(value), None)


def _random_weights(parts: Sequence[Any]) -> list[Floats]:
    """Return weights of the parts' dtypes. None is near 0, so that each element of the value counts."""
    generator = np.random.default_rng(0)
    weights = []
    for part in parts:
        signs = generator.choice([-1.0, 1.0], np.shape(part))
        dtype = np.asarray(part).dtype if is_float(part) else np.float64
        weights.append(np.asarray(signs * generator.uniform(0.5, 1.5, np.shape(part)), dtype))
    return weights


def _same_bits(one: Any, other: Any) -> bool:
    parts = inside(one)
    if parts is not None:
        others = inside(other)
        same_keys = type(one) is type(other) and others is not None and list(parts) == list(others)
        return same_keys and all(_same_bits(part, (others or {})[key]) for key, part in parts.items())
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.hasobject:
        return repr(one) == repr(other)
    # a nan has no sign that anyone could have meant
    is_nan = np.isnan(one) if one.dtype.kind == "f" else np.zeros(one.shape, bool)
    return bool(one[~is_nan].tobytes() == other[~is_nan].tobytes() and np.all(other[is_nan] != other[is_nan]))


def _value_row(expected: Any, value: Any) -> Row:
    shape = np.shape(_first_part(value))
    if _same_bits(expected, value):
        return Row("value", shape, PASSED)
    ours, theirs = (" ".join(repr(each).split())[:60] for each in (value, expected))
    return Row("value", shape, DIFFERS, f"{ours} differs from what the function returns: {theirs}")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The verdict on one direction: `difference` and `allowed` per unit of the argument."""

    verdict: str
    note: str = ""
    method: str = ""
    difference: float = 0.0
    relative: float = 0.0
    allowed: float = 0.0

    @property
    def excess(self) -> float:
        """The difference in units of what is allowed."""
        if not self.difference:
            return 0.0
        return math.inf if math.isnan(self.difference) or not self.allowed else self.difference / self.allowed


class _Comparison:
    """A function at its arguments, and how precise its gradients can be."""

    def __init__(
        self,
        run: Callable[[dict[str, Any]], Any],
        arguments: Mapping[str, Any],
        weights: Sequence[Floats],
        epsilon: float,
    ) -> None:
        self.run, self.arguments, self.weights, self.epsilon = run, arguments, weights, epsilon

    def row(self, name: str, gradient: Any) -> Row:
        """Return the row of one parameter."""
        argument = self.arguments[name]
        shape = np.shape(argument)
        if gradient is None or not is_real(argument):
            return Row(name, shape, NOT_CHECKED, f"it is a {type(argument).__name__}, without a gradient")
        if np.shape(gradient) != shape:
            return Row(name, shape, DIFFERS, f"the gradient has the shape {np.shape(gradient)}")
        dtype = np.asarray(gradient).dtype
        if isinstance(argument, np.ndarray) and dtype != argument.dtype:
            return Row(name, shape, DIFFERS, f"the gradient is of {dtype}, and the argument of {argument.dtype}")
        if not np.size(argument):
            return Row(name, shape, PASSED, compared="no elements")
        line = self._line(name)
        if isinstance(line, str):
            return Row(name, shape, NOT_CHECKED, line)
        if not all(np.all(np.isfinite(part)) for part in line.centre):
            return Row(name, shape, NOT_CHECKED, "the value is not finite")
        return self._judged(line, np.asarray(gradient, np.float64))

    def _line(self, name: str) -> Line | str:
        """Return the function in double precision where it allows that; else as it is, or why that can't be."""
        widened = {key: _widened(each) for key, each in self.arguments.items()}
        reason = ""
        for arguments in (widened, dict(self.arguments)):
            try:
                return Line(self.run, arguments, name, self.weights)
            except Exception as error:  # of the user's function, and passed on in the row
                reason = f"{type(error).__name__}: {error}"
        number = " needs an int" if isinstance(self.arguments[name], int) else " can't be called with it"
        return f"the function{number} ({reason})"

    def _judged(self, line: Line, gradient: Floats) -> Row:
        elementwise = gradient.reshape(-1)
        groups = list(directions(elementwise))
        slopes = [slope_along(line, elements, signs) for elements, signs in groups]
        by_complex_steps, reason = complex_slopes(line, groups, slopes)
        largest = float(np.max(np.abs(elementwise[np.isfinite(elementwise)]), initial=0.0))
        outcomes = []
        for (elements, signs), slope, complex_slope in zip(groups, slopes, by_complex_steps, strict=True):
            along = float(np.sum(elementwise[elements] * signs * slope.scales))
            row_scale = largest * float(np.sum(slope.scales))
            outcome = _irregular(slope, along) or self._measured(slope, complex_slope, along, row_scale)
            outcomes.append(outcome)
        return _row(line, [elements for elements, _ in groups], outcomes, reason)

    def _measured(self, slope: Slope, complex_slope: float | None, along: float, row_scale: float) -> _Outcome:
        """Return the verdict where the function has a derivative; `row_scale` is that of the parameter's gradient."""
        reference, error, method = slope.value, SAFETY * slope.error, "central differences"
        if complex_slope is not None and error <= 1e-4 * abs(slope.value):
            reference, error, method = complex_slope, 0.0, "complex step"
        precision = math.sqrt(self.epsilon) * abs(reference)
        allowed = error + precision + self.epsilon * (64 * row_scale + 16 * abs(slope.bend))
        difference = abs(along - reference)
        relative = difference / max(abs(along), abs(reference)) if difference else 0.0
        verdict, note = PASSED, ""
        if not difference <= allowed:
            verdict = DIFFERS
            note = f"the emitted code gives {along / slope.unit:.9g}, {method} {reference / slope.unit:.9g}"
        elif allowed > max(0.01 * abs(reference), 0.01 * row_scale, 1e-6 * slope.size):
            verdict = NOT_CHECKED
            note = f"differences are too inaccurate: {reference / slope.unit:.3g} +- {error:.0e}"
        return _Outcome(verdict, note, method, difference / slope.unit, relative, allowed / slope.unit)


def _irregular(slope: Slope, along: float) -> _Outcome | None:
    """Return the verdict where the function has no finite derivative, or the gradient is nan; otherwise None."""
    if math.isnan(along):
        return _Outcome(DIFFERS, "the gradient is nan", "central differences", math.nan, math.nan)
    sides = [side / slope.unit for side in (slope.left, slope.right) if math.isfinite(side)]
    both_sides = " and ".join(f"{side:.3g}" for side in sides)
    if slope.growth > 1.9:
        return _Outcome(NOT_DIFFERENTIABLE, "the value jumps")
    if slope.growth > 1.2:
        if min(sides) < 0 < max(sides):
            return _Outcome(NOT_DIFFERENTIABLE, f"left and right differ, and grow: {both_sides} at the smallest step")
        if math.isinf(along) and along * sides[0] > 0:
            return _Outcome(PASSED, "", "central differences")
        note = f"the emitted code gives {along:.9g}, and differences grow without bound"
        return _Outcome(DIFFERS, note, "central differences", math.inf, math.inf)
    if not math.isfinite(slope.error):
        if len(sides) == 1 and math.isfinite(along):
            return _Outcome(NOT_DIFFERENTIABLE, "the function is defined on one side only")
        return _Outcome(NOT_CHECKED, "no difference could be computed")
    if slope.has_kink and math.isfinite(along):
        return _Outcome(NOT_DIFFERENTIABLE, f"left and right differ: {both_sides}")
    return None


def _widened(argument: Any) -> Any:
    if not is_float(argument) or np.asarray(argument).dtype.itemsize >= 8:
        return argument
    return np.asarray(argument, np.float64) if isinstance(argument, np.ndarray) else np.float64(argument)


def _row(line: Line, groups: Sequence[NDArray[np.intp]], outcomes: Sequence[_Outcome], reason: str) -> Row:
    """Return the row for the verdicts on all directions: the worst of them counts."""
    verdict = next(each for each in WORST_FIRST if any(outcome.verdict == each for outcome in outcomes))
    same = [place for place, outcome in enumerate(outcomes) if outcome.verdict == verdict]
    worst = max(same, key=lambda place: outcomes[place].excess)
    outcome, elements = outcomes[worst], groups[worst]
    index = tuple(map(int, np.unravel_index(int(elements[0]), line.base.shape))) if elements.size == 1 else None
    single = sum(each.size == 1 for each in groups)
    counts = f"{single} of {line.base.size}"
    if len(groups) > single:
        counts += f", {len(groups) - single} directions"
    notes = []
    if verdict != PASSED:
        place = "along a direction: " if index is None else f"at {list(index)}: " if index else ""
        count = f" ({len(same)} of {len(outcomes)} comparisons)" if len(same) < len(outcomes) else ""
        notes.append(place + outcome.note + count)
    if reason:
        notes.append(f"no complex step: {reason}")
    sizes = (outcome.difference, outcome.relative, index, outcome.allowed, outcome.method)
    return Row(line.name, line.base.shape, verdict, "\n".join(notes), counts, *sizes)
