"""Derivatives of a function along directions, computed from its values alone.

In: a function, its arguments, the name of one of them. Out: a `Slope` for each direction, and the derivatives by complex
steps where these can be trusted. NumPy only; layer: above `parts`, below `differences`.

A direction is one element, or random signs over many elements. Central differences with halved steps are extrapolated
(Ridders; Press et al., Numerical Recipes, section 5.7), and the entry of the table with the smallest error estimate is
taken; one more step, far below the others, has to confirm it, or the estimate grows to what they are apart. Where that is
not good enough, the table is made anew with steps 64 times smaller. A complex step (Squire and Trapp, 1998) has no error of
truncation, but is wrong without a sign of it where a function is not analytic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatgrad.parts import flat, is_float, is_real, with_leaves

Floats = NDArray[np.floating[Any]]
Direction = tuple[NDArray[np.intp], Floats]  # elements, by their places in the flat array, and their signs

ELEMENTS = 50  # up to so many elements, each is compared
SPREAD_ELEMENTS = 16  # of a larger array, so many are compared on their own,
DIRECTIONS = 8  # and all of them in so many groups: one kink spoils one group only
LEVELS = 5
STEPS = (2.0**-6, 2.0**-12, 2.0**-18, 2.0**-24)
IMAGINARY_STEP = 1e-20
EPSILON = float(np.finfo(np.float64).eps)
SAFETY = 8.0  # a difference counts when it is this much larger than the estimated error


@dataclass(frozen=True, slots=True)
class Slope:
    """The derivative along a direction, with estimated errors; `scales` are the lengths of the elements' steps.

    `left` and `right` are one-sided quotients at the smallest step, `jump` is their difference when extrapolated, `growth`
    the factor by which they grow as a step is halved, `bend` the second derivative, `size` that of the function's value.
    """

    value: float
    error: float
    noise: float
    jump: float
    jump_error: float
    left: float
    right: float
    growth: float
    bend: float
    size: float
    scales: Floats

    @property
    def unit(self) -> float:
        """The length of the direction's step for one element."""
        return float(np.mean(self.scales))

    @property
    def has_kink(self) -> bool:
        """Tell whether the derivatives from the left and from the right differ."""
        return abs(self.jump) > SAFETY * self.jump_error + math.sqrt(EPSILON) * abs(self.value)

    @property
    def is_good(self) -> bool:
        """Tell whether smaller steps can't be expected to give a better derivative."""
        return self.error <= max(1e-10 * abs(self.value), 4 * self.noise)


class Line:
    """The function along straight lines through one of its arguments.

    `weights` make one number of its value: a fixed weighted sum of the real parts. `centre` are these at the argument
    itself.
    """

    def __init__(
        self, run: Callable[[dict[str, Any]], Any], arguments: dict[str, Any], name: str, weights: Sequence[Floats]
    ) -> None:
        self.run, self.arguments, self.name, self.weights = run, arguments, name, weights
        argument = arguments[name]
        self.is_python = isinstance(argument, int | float) and not isinstance(argument, np.generic)
        self.base = np.array(argument, None if is_float(argument) else np.float64)
        self.places = [place for place, part in enumerate(flat(run(copies(arguments)))) if is_real(part)]
        self.centre = self._parts(self.base)
        dtypes = {self.base.dtype, *(part.dtype for part in self.centre)}
        self.epsilon = max(float(np.finfo(dtype).eps) for dtype in dtypes)
        # how much smaller a step is that others are confirmed with: 2**-10 in double precision
        self.far_below = 2.0 ** round(math.log2(self.epsilon) / 5)

    def _parts(self, moved: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the real parts of the value at another argument. Raises what the function raises."""
        others = copies({name: each for name, each in self.arguments.items() if name != self.name})
        # a copy: the function may write into it
        own = moved.copy("K")
        own = own.item() if self.is_python else own[()] if np.isscalar(self.arguments[self.name]) else own
        parts = list(flat(self.run({name: others.get(name, own) for name in self.arguments})))
        return [np.asarray(parts[place], float if type(parts[place]) is int else None) for place in self.places]

    def at(self, elements: NDArray[np.intp], shift: NDArray[Any]) -> list[NDArray[Any]] | None:
        """Return the parts with some elements shifted; None where the function does not exist there."""
        moved = self.base.astype(np.result_type(self.base, shift), order="C")
        moved.reshape(-1)[elements] += shift
        try:
            parts = self._parts(moved)
        except Exception:  # what the user's function may raise outside its domain is not known
            return None
        same_shapes = [part.shape for part in parts] == [part.shape for part in self.centre]
        return parts if same_shapes else None

    def weighted(self, parts: Sequence[NDArray[Any]]) -> float:
        """Return the weighted sum of parts."""
        return float(sum(np.sum(weight * part) for weight, part in zip(self.weights, parts, strict=True)))

    def size(self, parts: Sequence[NDArray[Any]]) -> float:
        """Return the norm of the weighted parts, on which rounding depends."""
        return math.hypot(*(float(np.linalg.norm(w * part)) for w, part in zip(self.weights, parts, strict=True)))

    def noise(self, left: float, right: float, size: float, length: float) -> float:
        """Return what rounding of the value and of the argument does to a difference quotient."""
        return self.epsilon * (size + max(_finite_sizes(left, right))) / length


def directions(gradient: Floats) -> Iterator[Direction]:
    """Give elements with signs: single ones, and for a large array also groups that hold each element once."""
    size = gradient.size
    if size <= ELEMENTS:
        for element in range(size):
            yield np.array([element]), np.ones(1)
        return
    generator = np.random.default_rng(0)
    stretches = np.array_split(np.arange(size), SPREAD_ELEMENTS)
    single = {int(generator.choice(stretch)) for stretch in stretches}
    # a sum with nan or inf in it would say nothing about the others
    wild = np.flatnonzero(~np.isfinite(gradient))
    for element in sorted(single | set(wild[:DIRECTIONS].tolist())):
        yield np.array([element]), np.ones(1)
    for elements in np.array_split(generator.permutation(np.flatnonzero(np.isfinite(gradient))), DIRECTIONS):
        if elements.size:
            yield elements, generator.choice([-1.0, 1.0], elements.size)


def slope_along(line: Line, elements: NDArray[np.intp], signs: Floats) -> Slope:
    """Return the derivative along a direction, from steps that get smaller until the estimated error is good."""
    best = last = None
    for scales, step in _ladder(line.base.reshape(-1)[elements]):
        last = _slope_from(line, elements, signs, scales, step)
        if best is None or last.error < best.error:
            last = _confirmed(last, line, elements, signs, step * line.far_below)
            best = last if best is None or last.error < best.error else best
        if best.is_good:
            return best
    assert best is not None and last is not None
    # at a jump and at an infinite derivative it is the smallest steps that tell
    is_unbounded = last.growth > 1.2 and not best.error <= 0.01 * abs(best.value)
    return last if is_unbounded else replace(best, growth=0.0)


def complex_slopes(line: Line, groups: Sequence[Direction], slopes: Sequence[Slope]) -> tuple[list[float | None], str]:
    """Return the derivatives by complex steps; or nothing and a reason, where they can't be trusted."""
    found: list[float | None] = []
    for (elements, signs), slope in zip(groups, slopes, strict=True):
        parts = line.at(elements, 1j * IMAGINARY_STEP * signs * slope.scales)
        if parts is None:
            return [None] * len(groups), "the function does not take complex numbers"
        derivative = line.weighted([np.imag(part) for part in parts]) / IMAGINARY_STEP
        is_smooth = slope.growth <= 1.2 and not slope.has_kink
        if is_smooth and not abs(derivative - slope.value) <= SAFETY * slope.error + 1e-10 * abs(slope.value):
            return [None] * len(groups), "the function is not analytic as it computes"
        found.append(derivative)
    return found, ""


def _confirmed(slope: Slope, line: Line, elements: NDArray[np.intp], signs: Floats, length: float) -> Slope:
    """Return the derivative with larger errors where one much smaller step contradicts it.

    Steps that are larger than what the function does between them, such as its oscillations or many kinks, may agree.
    """
    right, left, size = _quotients(line, elements, signs * slope.scales, length)
    # where the smaller step leaves the function's domain as well, the comparisons with nan are false
    apart, jump_apart = abs((right + left) / 2 - slope.value), abs(right - left - slope.jump)
    return replace(
        slope,
        noise=line.noise(left, right, size, length),
        error=apart if apart > slope.error else slope.error,
        jump_error=jump_apart if jump_apart > slope.jump_error else slope.jump_error,
    )


def _ladder(values: NDArray[Any]) -> Iterator[tuple[Floats, float]]:
    """Give scales for elements and first steps: powers of two, so that steps are exact."""
    sizes = np.abs(values).astype(np.float64)
    for step in STEPS:
        yield np.ldexp(1.0, np.frexp(np.maximum(sizes, 1.0))[1]), step
    if np.any((sizes > 0) & (sizes < 2.0**-10)):
        for step in STEPS[:2]:
            yield np.ldexp(1.0, np.frexp(np.where(sizes > 0, sizes, 1.0))[1]), step


def _slope_from(line: Line, elements: NDArray[np.intp], signs: Floats, scales: Floats, step: float) -> Slope:
    """Return the derivative from five steps: the given one, halved, halved again."""
    centrals, jumps, noises, lefts, rights = [], [], [], [], []
    size = math.inf
    for level in range(LEVELS):
        length = step * 2.0**-level
        right, left, size = _quotients(line, elements, signs * scales, length)
        centrals.append((right + left) / 2)
        jumps.append(right - left)
        noises.append(line.noise(left, right, size, length))
        lefts.append(left)
        rights.append(right)
    value, error = _extrapolated(centrals, noises, 2)
    jump, jump_error = _extrapolated(jumps, noises, 1)
    sides = [max(_finite_sizes(*pair)) for pair in zip(lefts, rights, strict=True)]
    growth = 0.0
    if sides[-1] > 64 * noises[-1]:
        growth = min(after / before if before else 0.0 for before, after in zip(sides[-3:], sides[-2:], strict=False))
    return Slope(
        value, error, noises[-1], jump, jump_error, lefts[-1], rights[-1], growth, jumps[-1] / length, size, scales
    )


def _finite_sizes(*numbers: float) -> list[float]:
    return [abs(number) for number in numbers if math.isfinite(number)] or [0.0]


def _quotients(line: Line, elements: NDArray[np.intp], direction: Floats, length: float) -> tuple[float, float, float]:
    """Return the right and the left difference quotient, and the size of the value, on which rounding depends."""
    shift = (length * direction).astype(line.base.dtype)
    plus, minus = line.at(elements, shift), line.at(elements, -shift)
    right = math.nan if plus is None else line.weighted(list(map(np.subtract, plus, line.centre))) / length
    left = math.nan if minus is None else line.weighted(list(map(np.subtract, line.centre, minus))) / length
    present = [parts for parts in (plus, minus) if parts is not None] or [line.centre]
    return right, left, max(map(line.size, present))


def _extrapolated(values: Sequence[float], noises: Sequence[float], order: int) -> tuple[float, float]:
    """Return the limit of values for halved steps, and its error; their error has the powers order, order + 2, ..."""
    best, best_error = math.nan, math.inf
    before: list[float] = []
    for value, noise in zip(values, noises, strict=True):
        row = [value]
        for column, above in enumerate(before):
            row.append(row[-1] + (row[-1] - above) / (2.0 ** (order + 2 * column) - 1))
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - above)) + 2 * noise
            if error < best_error:
                best, best_error = row[-1], error
        before = row
    return best, best_error


def copies(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return copies of a function's arguments, so that it can't modify those of the user."""
    return {name: with_leaves(argument, map(_copied, flat(argument))) for name, argument in arguments.items()}


def _copied(argument: Any) -> Any:
    """Return a copy. That of an array has its strides, because sums may be rounded otherwise in another order."""
    if not isinstance(argument, np.ndarray) or argument.dtype.hasobject:
        return argument
    if argument.flags.forc or type(argument) is not np.ndarray:
        return argument.copy(order="K")
    spans = [stride * (size - 1) for stride, size in zip(argument.strides, argument.shape, strict=True) if size]
    start = -sum(span for span in spans if span < 0)
    buffer = np.empty(start + sum(span for span in spans if span > 0) + argument.itemsize, np.uint8)
    copy: NDArray[Any] = np.ndarray(argument.shape, argument.dtype, buffer, start, argument.strides)
    copy[...] = argument
    return copy
