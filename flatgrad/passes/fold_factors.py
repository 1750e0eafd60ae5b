"""Multiplies the numbers among the factors of a product, and writes what they make in front.

    before: grad_w = 0.5 * grad_out * 2 * w; grad_r = grad_out / r.size * 2 * r
    after:  grad_w = grad_out * w; grad_r = 2 * grad_out / r.size * r

In: a joint graph. Out: the same gradients, rounded in other places: one that overflows or becomes subnormal on its way may
do so elsewhere. The forward pass stays as it is. Layer: passes, compact style, behind what gives the steps their names.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.size import is_one
from flatgrad.graph.values import Constant, Graph, Node, Value, same_type, uses_of
from flatgrad.infer import unwrapped
from flatgrad.passes.rewriting import is_step, rewrite

PRODUCTS = frozenset({operator.mul, operator.truediv, operator.neg})
OPPOSITE = {operator.add: operator.sub, operator.sub: operator.add}
# behind a number these would need parentheses
FACTORED = frozenset({operator.mul, operator.truediv, operator.matmul, operator.floordiv, operator.mod})
# a product of more levels is taken for several
MOST_LEVELS = 32
# 0.015625 is short enough, unless the user wrote longer ones
LONGEST_NUMBER = 8
# up to here floats that make a whole number are written without a point
LARGEST_INTEGER = 10_000
# every whole number up to here is a float
LARGEST_EXACT = 2**53


class Number(NamedTuple):
    """A number in a product, beside the other operand: is it a divisor or in one (`nested`), is it the first factor."""

    item: Any
    beside: Any
    divides: bool
    nested: bool
    first: bool

    @property
    def number(self) -> int | float:
        found: int | float = unwrapped(self.item)
        return found


class Lead(NamedTuple):
    """What the numbers make: `function` of the first factor and a number, if anything; with a minus around it all."""

    function: Callable[..., Any] | None
    number: Any
    minus: bool
    keeps_divisors: bool


class NotWritten(Exception):
    """A factor without its number, or with another one, is of another type."""


def fold_factors(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Fold the numbers of each product that is written as one expression, and return the new results.

    Only what makes a short number is multiplied: 0.5 * 2 and 0.1 * 2, but not 0.1 * 3. Numbers with a name stay.
    """
    uses = uses_of(graph.nodes, results)

    def change(builder: Builder, node: Node) -> Value | None:
        before = len(builder.graph.nodes)
        try:
            value = _changed(builder, node, uses)
        except NotWritten:
            value = None
        if value is None or not same_type(value.type, node.output.type):
            del builder.graph.nodes[before:]
            return None
        # the users of the old value are its users now; the old node is not
        uses[value] = uses.get(value, 1) - 1 + uses.get(node.output, 0)
        return value

    return rewrite(graph, results, change)


def _changed(builder: Builder, node: Node, uses: Mapping[Value, int]) -> Value | None:
    if node.function in OPPOSITE:
        return _without_minus(builder, node, uses)
    if node.function not in PRODUCTS or not _is_real(node.output):
        return None
    product = Product(node, uses)
    lead = product.lead()
    return None if lead is None else product.written(builder, lead)


def _without_minus(builder: Builder, node: Node, uses: Mapping[Value, int]) -> Value | None:
    """Return x - 2 * y for x + -2 * y."""
    left, right = node.arguments.values()
    function, opposite = OPPOSITE[node.function], _opposite(builder, right, uses)
    if opposite is None and node.function is operator.add:
        left, opposite = right, _opposite(builder, left, uses)
    if opposite is None:
        return None
    value: Value = builder.apply(function, left, opposite)
    return value


def _opposite(builder: Builder, item: Any, uses: Mapping[Value, int]) -> Value | None:
    """Return the opposite of a product that starts with a minus."""
    node = _inside(item, uses)
    if node is None or not _is_part(node, divides=False):
        return None
    if node.function is operator.neg:
        return node.inputs[0]
    product = Product(node, uses)
    above = product.above
    if product.minus or len(above) != 1 or not above[0].first or above[0].number > 0:
        return None
    return product.written(builder, Lead(operator.mul, -above[0].number, minus=False, keeps_divisors=True))


class Product:
    """The tree of ``*``, ``/`` and ``-`` that is written as one expression with its root.

    `numbers` are its leaves that are numbers, `factor` is the first one that is not, `minus` tells of an odd number of ``-``.
    """

    def __init__(self, root: Node, uses: Mapping[Value, int]) -> None:
        self.root = root
        self.uses = uses
        self.parts = {root.output}
        self.numbers: list[Number] = []
        self.factor: Any = None
        self.minus = False
        self._take_apart(root, MOST_LEVELS, divides=False)

    def _take_apart(self, node: Node, levels: int, *, divides: bool) -> None:
        if node.function is operator.neg:
            self.minus = not self.minus
            self._take(node.inputs[0], 1, levels, divides=divides, nested=divides)
            return
        left, right = node.arguments.values()
        self._take(left, right, levels, divides=divides, nested=divides)
        self._take(right, left, levels, divides=divides or node.function is operator.truediv, nested=divides)

    def _take(self, item: Any, beside: Any, levels: int, *, divides: bool, nested: bool) -> None:
        if _is_number(item):
            self.numbers.append(Number(item, beside, divides, nested, first=self.factor is None))
            return
        node = _inside(item, self.uses)
        if node is not None and levels and _is_part(node, divides=divides):
            self.parts.add(item)
            self._take_apart(node, levels - 1, divides=divides)
        elif self.factor is None:
            self.factor = item

    def lead(self) -> Lead | None:
        """Return what the numbers make, or those that are not in divisors; None where nothing is to be changed."""
        return self._folded(self.numbers, keeps_divisors=False) or self._folded(self.above, keeps_divisors=True)

    @property
    def above(self) -> list[Number]:
        """The numbers that are not in divisors."""
        return [number for number in self.numbers if not number.divides]

    def _folded(self, numbers: Sequence[Number], *, keeps_divisors: bool) -> Lead | None:
        if len(numbers) < 2:
            return self._moved(numbers[0]) if numbers else None
        ratio = Fraction(1)
        for number in numbers:
            ratio *= Fraction(number.number) ** (-1 if number.divides else 1)
        minus, size = self.minus != (ratio < 0), abs(ratio)
        if size == 1:
            return Lead(None, None, minus, keeps_divisors)
        if not self._is_cheap(numbers) or not self._is_normal(size):
            return None
        divisor = 1 / size
        is_divided = any(number.divides for number in numbers) and not any(number.nested for number in numbers)
        if is_divided and divisor.denominator == 1 and divisor <= LARGEST_INTEGER:
            return Lead(operator.truediv, int(divisor), minus, keeps_divisors)
        written = _written_number(size, numbers)
        return None if written is None else Lead(operator.mul, -written if minus else written, False, keeps_divisors)

    def _moved(self, number: Number) -> Lead | None:
        """Put a number that is by itself in front, and let its sign meet the minus of the product."""
        if number.divides or _is_calculated(number.item):
            return None
        if not number.first and not self._is_cheap([number]):
            return None
        if self.minus and number.number < 0:
            return Lead(operator.mul, -number.number, minus=False, keeps_divisors=True)
        node = _inside(self.factor, self.uses)
        if number.first or (node is not None and node.function in FACTORED):
            return None
        return Lead(operator.mul, number.item, self.minus, keeps_divisors=True)

    def _is_cheap(self, numbers: Sequence[Number]) -> bool:
        """Tell whether the first factor is no larger than what the numbers multiply where they are."""
        return _long_axes(self.factor) <= max(_long_axes(number.beside) for number in numbers)

    def _is_normal(self, size: Fraction) -> bool:
        """Tell whether a number is neither too large nor too small for the dtype of the product."""
        type = self.root.output.type
        limits = np.finfo(np.float64 if type.weak else type.dtype)
        return float(limits.tiny) <= size <= float(limits.max)

    def written(self, builder: Builder, lead: Lead) -> Value | None:
        """Append the product without its numbers but with what they make; the other factors stay as they are grouped."""
        value: Value | None = self._written(
            builder, self.root.output, lead if lead.function else None, lead.keeps_divisors
        )
        if value is not None and lead.minus:
            value = builder.apply(operator.neg, value)
        return value

    def _written(self, builder: Builder, item: Any, lead: Lead | None, keeps_divisors: bool) -> Any:
        """Return a part of the product, led by a number where there is a `lead`; None if it is nothing but numbers."""
        if _is_number(item):
            return None
        if item not in self.parts:
            return item if lead is None else self._led(builder, item, lead)
        node: Node = item.node
        if node.function is operator.neg:
            return self._written(builder, node.inputs[0], lead, keeps_divisors)
        left, right = node.arguments.values()
        is_kept = keeps_divisors and node.function is operator.truediv
        first = self._written(builder, left, lead, keeps_divisors)
        if first is None and node.function is operator.truediv:
            raise NotWritten
        second = right if is_kept else self._written(builder, right, lead if first is None else None, keeps_divisors)
        if first is left and second is right:
            return item
        if first is None or second is None:
            value = second if first is None else first
        else:
            value = builder.apply(node.function, first, second)
        if value is not None and not _may_stand_for(value, item):
            raise NotWritten
        return value

    def _led(self, builder: Builder, item: Any, lead: Lead) -> Value:
        """Append the first factor with the number in front, or divided by it."""
        # in a smaller dtype than the product's the number would be rounded
        if not isinstance(item, Value) or not (item.type.weak or item.dtype == self.root.output.dtype):
            raise NotWritten
        operands = (item, lead.number) if lead.function is operator.truediv else (lead.number, item)
        value: Value = builder.apply(lead.function or operator.mul, *operands)
        return value


def _inside(item: Any, uses: Mapping[Value, int]) -> Node | None:
    """Return the operation behind a value that is written inside the expression that uses it."""
    return item.node if isinstance(item, Value) and is_step(item) and uses.get(item, 0) <= 1 else None


def _is_part(node: Node, *, divides: bool) -> bool:
    if node.function not in PRODUCTS or not _is_real(node.output):
        return False
    if node.function is operator.truediv:
        return not divides and not _is_number(next(iter(node.arguments.values())))
    return node.function is operator.mul or not divides


def _may_stand_for(value: Any, item: Value) -> bool:
    """Tell whether a factor without its number counts as before: an array of whole numbers needs its 1.0."""
    return isinstance(value, Value) and (same_type(value.type, item.type) or (value.type.weak and item.type.weak))


def _is_real(value: Value) -> bool:
    """Tell whether a value does not wrap around as whole numbers of fixed size do."""
    return value.type.weak or value.dtype.kind == "f"


def _is_number(item: Any) -> bool:
    """Tell whether an item is a number to calculate with: not 0, and without a name that a reader knows it by."""
    if not isinstance(item, Constant):
        return type(item) in (int, float) and item != 0 and math.isfinite(item)
    if not item.type.weak or item.name is not None or not _is_number(item.number):
        return False
    if item.text is not None and item.text[0].isalpha():
        return False
    steps = item.expression
    return steps is None or (steps.function in PRODUCTS and all(map(_is_number, steps.arguments.values())))


def _is_calculated(item: Any) -> bool:
    return isinstance(item, Constant) and item.expression is not None


def _written_number(size: Fraction, numbers: Sequence[Number]) -> int | float | None:
    """Return how a number is written: whole where it can be; None where it would be rounded, or is long."""
    are_whole = all(type(number.number) is int for number in numbers)
    if size.denominator == 1 and size <= (LARGEST_EXACT if are_whole else LARGEST_INTEGER):
        return int(size)
    written = float(size)
    longest = max([len(repr(abs(each.number))) for each in numbers if not _is_calculated(each.item)], default=0)
    return written if written == size and len(repr(written)) <= max(longest, LONGEST_NUMBER) else None


def _long_axes(item: Any) -> int:
    return sum(not is_one(size) for size in item.shape) if isinstance(item, Value) else 0
