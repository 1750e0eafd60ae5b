"""Sizes of array axes: whole numbers, some of which are only known by name.

In: sizes of operands. Out: sizes of results, and what must hold between the operands.
Lowest layer: imports nothing of flatgrad.

A size is an `int` or an `Expression`: a polynomial with whole coefficients over symbols. A symbol of
a signature is any number but 1 (an axis of length 1 is written as the number 1), so that broadcasting
can be decided without knowing the number. A size that is computed, such as ``n - 1``, may be 1; where
that matters, `SizeUnknown` names the symbols whose numbers are needed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_serials = itertools.count()


class SizeMismatch(Exception):
    """Two sizes that have to be equal, and can't be."""


class SizeUnknown(Exception):
    """The code depends on a size whose number is not known."""

    def __init__(self, sizes: Iterable[Size]) -> None:
        self.sizes = tuple(sizes)
        self.symbols = tuple(dict.fromkeys(symbol for size in self.sizes for symbol in symbols_of(size)))
        super().__init__(f"needs the number of {self.words}")

    @property
    def words(self) -> str:
        """The sizes as the user knows them; one without a name is the length of an axis."""
        names = [f"`{size}`" for size in self.sizes if "?" not in str(size)]
        return " and ".join(names) if len(names) == len(self.sizes) else "the length of an axis"

    @property
    def is_of_arguments(self) -> bool:
        """Whether the sizes and numbers of arguments tell it, at least in part."""
        return any(symbol.parameter is not None or not symbol.may_be_one for symbol in self.symbols)


class Symbol:
    """A size without a number. `name` is None until the user or the naming pass gives one.

    `parameter` is the place of the argument that holds it, where it is a whole number of the caller's.
    `origin` is the size that it was computed from, where it was: knowing the numbers in it makes this one known, by `compute`. `limits` are the
    least and the greatest number that the counter of a loop can be; it has another one in each turn. `ceilings` are sizes that
    it is certain not to exceed.
    """

    __slots__ = (
        "bound",
        "ceilings",
        "compute",
        "derived",
        "limits",
        "may_be_one",
        "name",
        "origin",
        "parameter",
        "serial",
    )

    def __init__(self, name: str | None = None, *, may_be_one: bool = False, origin: Size | None = None) -> None:
        self.name = name
        self.may_be_one = may_be_one
        self.origin = origin
        self.bound: Size | None = None
        self.compute: Callable[[int], int] | None = None
        self.parameter: str | None = None
        self.limits: tuple[Size, Size] | None = None
        self.ceilings: tuple[Size, ...] = ()
        self.derived: dict[Hashable, Size] = {}
        self.serial = next(_serials)

    @property
    def found(self) -> Size | None:
        """What it is known to be by now; None for a size without a number."""
        if self.bound is None and self.compute is not None and self.origin is not None:
            origin = resolved(self.origin)
            self.bound = self.compute(origin) if isinstance(origin, int) else None
        return self.bound

    def __repr__(self) -> str:
        return self.name or "?"


Monomial = tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """A sum of products of symbols; `terms` is sorted, so that equal sizes compare equal."""

    terms: tuple[tuple[Monomial, int], ...]

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in sorted(self.terms, key=lambda term: len(term[0]) == 0):
            factors = [] if abs(coefficient) == 1 and monomial else [str(abs(coefficient))]
            factors += [repr(symbol) for symbol in monomial]
            sign = ("-" if coefficient < 0 else "") if not text else (" - " if coefficient < 0 else " + ")
            text += sign + "*".join(factors)
        return text


Size = int | Expression
Shape = tuple[Size, ...]


def symbolic(name: str | None = None, *, may_be_one: bool = False, origin: Size | None = None) -> Expression:
    """Return a new size that is one symbol."""
    return Expression((((Symbol(name, may_be_one=may_be_one, origin=origin),), 1),))


def whole_parameter(place: str) -> Expression:
    """Return the size that a whole number of the caller's is, by the place of the argument that holds it."""
    size = symbolic(may_be_one=True)
    size.terms[0][0][0].parameter = place
    return size


def counter(least: Size, greatest: Size) -> Expression:
    """Return the size that the counter of a loop is, which lies between these two."""
    symbol = Symbol(may_be_one=True)
    symbol.limits = (least, greatest)
    return Expression((((symbol,), 1),))


def is_natural(size: Size) -> bool:
    """Tell whether a size is certain not to be negative, whatever the counters of loops in it are."""
    while not isinstance(size, int):
        counters = {symbol for monomial, _ in size.terms for symbol in monomial if symbol.limits is not None}
        if not counters:
            return all(coefficient > 0 for _, coefficient in size.terms)
        # the limits of an inner loop may have the counter of an outer one in them
        newest = max(counters, key=lambda symbol: symbol.serial)
        coefficient = dict(size.terms).get((newest,))
        if coefficient is None or newest.limits is None or sum(newest in monomial for monomial, _ in size.terms) > 1:
            return False
        least, greatest = newest.limits
        here: Size = Expression((((newest,), coefficient),))
        size = plus(minus(size, here), times(coefficient, least if coefficient > 0 else greatest))
    return size >= 0


def never_exceeds(size: Size, other: Size) -> bool:
    """Tell whether a size is known as the lesser of two, one of which is the other."""
    symbol = _symbol(size)
    return symbol is not None and any(equal(ceiling, other) is True for ceiling in symbol.ceilings)


def _has_counter(size: Size) -> bool:
    return any(symbol.limits is not None for monomial, _ in _terms(size) for symbol in monomial)


def _terms(size: Size) -> Iterator[tuple[Monomial, int]]:
    if isinstance(size, int):
        yield (), size
    else:
        yield from size.terms


def _collected(terms: Iterable[tuple[Monomial, int]]) -> Size:
    sums: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        sums[monomial] = sums.get(monomial, 0) + coefficient
    kept = {monomial: coefficient for monomial, coefficient in sums.items() if coefficient}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    return Expression(tuple(sorted(kept.items(), key=lambda term: [symbol.serial for symbol in term[0]])))


def resolved(size: Size) -> Size:
    """Return the size with every symbol replaced by what it was found equal to."""
    if isinstance(size, int):
        return size
    if all(symbol.found is None for monomial, _ in size.terms for symbol in monomial):
        return size
    total: Size = 0
    for monomial, coefficient in size.terms:
        product: Size = coefficient
        for symbol in monomial:
            factor = resolved(symbol.bound) if symbol.bound is not None else Expression((((symbol,), 1),))
            product = times(product, factor)
        total = plus(total, product)
    return total


def plus(a: Size, b: Size) -> Size:
    """Return a + b."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return _collected(itertools.chain(_terms(resolved(a)), _terms(resolved(b))))


def times(a: Size, b: Size) -> Size:
    """Return a * b."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return _collected(
        (tuple(sorted(m + k, key=lambda symbol: symbol.serial)), i * j)
        for m, i in _terms(resolved(a))
        for k, j in _terms(resolved(b))
    )


def minus(a: Size, b: Size) -> Size:
    """Return a - b."""
    return plus(a, times(-1, b))


def product(sizes: Iterable[Size]) -> Size:
    """Return the product of sizes; 1 for none."""
    total: Size = 1
    for size in sizes:
        total = times(total, size)
    return total


def quotient(a: Size, b: Size) -> Size | None:
    """Return a / b where it is a whole size that can be told, else None."""
    a, b = resolved(a), resolved(b)
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 else None
    terms = list(_terms(b))
    if len(terms) != 1:
        return 1 if a == b else None
    divisor, factor = terms[0]
    result = []
    for monomial, coefficient in _terms(a):
        rest = list(monomial)
        for symbol in divisor:
            if symbol not in rest:
                return None
            rest.remove(symbol)
        if not factor or coefficient % factor:
            return None
        result.append((tuple(rest), coefficient // factor))
    return _collected(result)


def derived(key: Hashable, size: Size, compute: Callable[[int], int]) -> Size:
    """Return the size that `compute` gives for the number of `size`; an unknown size gives the same symbol for the same key."""
    size = resolved(size)
    if isinstance(size, int):
        return compute(size)
    known = size.terms[-1][0][0].derived
    if (key, size) not in known:
        made = symbolic(may_be_one=True, origin=size)
        made.terms[0][0][0].compute = compute
        known[key, size] = made
    return known[key, size]


def symbols_of(size: Size) -> Iterator[Symbol]:
    """Return the symbols that the number of a size depends on, down to those of the signature."""
    for monomial, _ in _terms(resolved(size)):
        for symbol in monomial:
            if symbol.limits is not None:
                for limit in symbol.limits:
                    yield from symbols_of(limit)
            elif symbol.origin is None:
                yield symbol
            else:
                yield from symbols_of(symbol.origin)


def is_one(size: Size) -> bool | None:
    """Tell whether a size is 1; None where it can't be told."""
    size = resolved(size)
    if isinstance(size, int):
        return size == 1
    never_one = all(not symbol.may_be_one for monomial, _ in size.terms for symbol in monomial)
    # a product of whole numbers none of which is 1 is not 1, nor is a sum of such products
    if never_one and all(monomial and coefficient > 0 for monomial, coefficient in size.terms):
        return False
    return None


def equal(a: Size, b: Size) -> bool | None:
    """Tell whether two sizes are the same number; None where it can't be told."""
    difference = minus(a, b)
    if isinstance(difference, int):
        return difference == 0
    return None


def _symbol(size: Size) -> Symbol | None:
    if isinstance(size, Expression) and len(size.terms) == 1:
        monomial, coefficient = size.terms[0]
        if len(monomial) == 1 and coefficient == 1:
            return monomial[0]
    return None


def unify(a: Size, b: Size) -> Size:
    """Take note that two sizes are equal, as the operation on them demands.

    Raises SizeMismatch where they can't be.
    """
    a, b = resolved(a), resolved(b)
    if a == b:
        return a
    if equal(a, b) is False:
        raise SizeMismatch(f"{a} and {b}")
    if _has_counter(a) or _has_counter(b):
        # what holds in one turn does not hold in the next
        return a
    left, right = _symbol(a), _symbol(b)
    if left is not None and right is not None and _rank_of_name(right) > _rank_of_name(left):
        left = None
    for symbol, other in ((left, b), (right, a)):
        if symbol is not None and not _contains(other, symbol):
            if other == 1 and not symbol.may_be_one:
                raise SizeMismatch(f"{a} and {b}")
            bind(symbol, other)
            return other
    return a


def _contains(size: Size, symbol: Symbol) -> bool:
    """Tell whether a size depends on a symbol: s can't stand for s * s."""
    inner = {each for monomial, _ in _terms(resolved(size)) for each in monomial}
    return symbol in inner or any(each.origin is not None and _contains(each.origin, symbol) for each in inner)


def _rank_of_name(symbol: Symbol) -> int:
    """Order symbols by which of two equal ones is to go: computed ones first, then unnamed ones, then the newer."""
    kind = 2 if symbol.origin is not None else 1 if symbol.name is None else 0
    return kind * 10**9 + symbol.serial


def bind(symbol: Symbol, size: Size) -> None:
    """Take note that a symbol is this size."""
    symbol.bound = size


def broadcast_size(a: Size, b: Size) -> Size:
    """Return the size of one axis of the result of an elementwise operation.

    Raises SizeMismatch, or SizeUnknown where it depends on whether a size is 1.
    """
    a, b = resolved(a), resolved(b)
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    unknown = [size for size in (a, b) if is_one(size) is None]
    if unknown:
        raise SizeUnknown(unknown)
    return unify(a, b)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the shape that NumPy gives to an elementwise operation on operands of these shapes."""
    rank = max(map(len, shapes), default=0)
    result: list[Size] = []
    for axis in range(-rank, 0):
        size: Size = 1
        for shape in shapes:
            if len(shape) >= -axis:
                size = broadcast_size(size, shape[axis])
        result.append(size)
    return tuple(result)


def number_of(size: Size) -> int:
    """Return the number of a size. Raises SizeUnknown."""
    size = resolved(size)
    if isinstance(size, int):
        return size
    raise SizeUnknown((size,))


def count(shape: Shape) -> Size:
    """Return the number of elements of an array of this shape."""
    if all(isinstance(size, int) for size in shape):
        return math.prod(size for size in shape if isinstance(size, int))
    return product(shape)
