"""The subscripts of np.einsum and the axes of np.tensordot: what they say, and which product a contraction of two arrays is.

In: the arguments of a call. Out: the indices of each operand as letters, the shape of the result, plans of gradients. All of
it is known when the code is written. Layer: rules, below `contractions`.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.graph.size import Shape, Size, SizeMismatch, broadcast_size, resolved, unify
from flatgrad.registry import question
from flatgrad.rules.shapes import normal_axis, shape_of

Axes = int | tuple[int, ...]
LETTERS = string.ascii_lowercase + string.ascii_uppercase


@dataclass(frozen=True)
class Contraction:
    """A call of np.einsum: the arrays, the indices of each, and those of the result."""

    arrays: tuple[Any, ...]
    terms: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Way:
    """How the gradient of an operand is computed from the other factors, whose indices are `given` ("ik,jk").

    The factors give an array with the indices `kept`. The axes `missing` are put in to give one with the `distinct` indices of
    the operand, which is `stretched` along one of those axes that is longer than 1. `diagonal` are the subscripts that pick
    these indices from the operand, where it has one of them twice.
    """

    given: str
    kept: str
    distinct: str
    missing: Axes
    stretched: bool
    diagonal: str | None

    @property
    def fills(self) -> bool:
        """Whether it is one number at all places of the operand, or of a diagonal."""
        return not self.kept and (self.stretched or self.diagonal is not None)


@dataclass(frozen=True)
class Product:
    """The product of two arrays: its kind, whether they change places, and what is done to each of them before.

    That is whether it is transposed for a "matmul", the axes that are put in for "*", the axes that meet for "tensordot".
    `order` is the order into which the axes of the result are brought, where they come in another one.
    """

    kind: str
    swapped: bool = False
    first: Any = None
    second: Any = None
    order: tuple[int, ...] | None = None


# What a call says


def read_call(operands: Sequence[Any]) -> Contraction:
    """Read a call of np.einsum, in either form, an ellipsis written as letters. Raises SizeMismatch, TypeError."""
    if operands and isinstance(operands[0], str):
        subscripts, *arrays = operands
        given, arrow, wanted = subscripts.replace(" ", "").partition("->")
        parts = given.split(",")
        result = wanted if arrow else None
        alphabet = "".join(sorted(LETTERS))
    else:
        # arrays and lists of numbers take turns: np.einsum(a, [0, 1], b, [1, 2], [0, 2])
        arrays = list(operands[0 : len(operands) // 2 * 2 : 2])
        parts = [_letters(numbers) for numbers in operands[1::2]]
        result = _letters(operands[-1]) if len(operands) % 2 else None
        alphabet = LETTERS
    if any(isinstance(array, tuple | list) for array in arrays):
        raise TypeError("a list among the operands: make an array of it, np.array(...)")
    shown = ",".join(parts) + ("" if result is None else f"->{result}")
    ranks = [len(shape_of(array)) for array in arrays]
    if len(parts) != len(ranks):
        raise SizeMismatch(f"the subscripts {shown!r} for {len(ranks)} operands")
    widths = [rank - len(part.replace("...", "")) for part, rank in zip(parts, ranks, strict=True)]
    if any(width and (width < 0 or "..." not in part) for part, width in zip(parts, widths, strict=True)):
        raise SizeMismatch(f"the subscripts {shown!r} for operands of ranks {', '.join(map(str, ranks))}")
    free = [letter for letter in LETTERS if letter not in shown]
    # the axes of an ellipsis meet from the last one on
    ellipsis = "".join(free[: max(widths)])
    terms = [part.replace("...", ellipsis[len(ellipsis) - width :]) for part, width in zip(parts, widths, strict=True)]
    if result is None:
        every = "".join(terms)
        result = "..." + "".join(each for each in alphabet if each not in ellipsis and every.count(each) == 1)
    result = result.replace("...", ellipsis)
    if not set(result) <= set("".join(terms)) or len(set(result)) < len(result):
        raise SizeMismatch(f"the indices of the result in {shown!r}")
    return Contraction(tuple(arrays), tuple(terms), result)


def _letters(numbers: Any) -> str:
    if not isinstance(numbers, tuple | list):
        raise TypeError("write the subscripts as a text, 'ij,jk->ik', or as a list of numbers behind each array")
    if not all(number is Ellipsis or (isinstance(number, int) and 0 <= number < len(LETTERS)) for number in numbers):
        raise TypeError(f"the subscripts {list(numbers)!r}, which are to be numbers from 0 to {len(LETTERS) - 1}")
    return "".join("..." if number is Ellipsis else LETTERS[number] for number in numbers)


def _sizes(term: str, array: Any) -> dict[str, Size]:
    """Return the size of each index of one operand."""
    sizes: dict[str, Size] = {}
    for letter, size in zip(term, shape_of(array), strict=True):
        sizes[letter] = unify(sizes[letter], size) if letter in sizes else size
    return sizes


def _met(sizes: Iterable[dict[str, Size]]) -> dict[str, Size]:
    """Return the size of each index of several operands, where those of size 1 are stretched."""
    met: dict[str, Size] = {}
    for each in sizes:
        for letter, size in each.items():
            met[letter] = broadcast_size(met.get(letter, 1), size)
    return met


def contracted(*operands: Any, **_: Any) -> Shape:
    """The axes that the subscripts name behind the arrow."""
    call = read_call(operands)
    sizes = _met(_sizes(term, array) for term, array in zip(call.terms, call.arrays, strict=True))
    return tuple(sizes[letter] for letter in call.result)


def only_rearranges(*operands: Any) -> bool:
    """Tell whether a call moves the axes of one array, or takes a diagonal of it: its result is a view."""
    call = read_call(operands)
    return len(call.arrays) == 1 and set(call.result) == set(call.terms[0])


# The way back


@question
def ways_back(*operands: Any) -> tuple[Way, ...]:
    """Return how the gradient of each array of a call is computed.

    The factors are the gradient of the result, where that has axes, and the other arrays.
    """
    call = read_call(operands)
    own = [_sizes(term, array) for term, array in zip(call.terms, call.arrays, strict=True)]
    met = _met(own)
    ways = []
    for k, term in enumerate(call.terms):
        others = _met([*own[:k], *own[k + 1 :], {letter: met[letter] for letter in call.result}])
        distinct = "".join(dict.fromkeys(term))
        # an axis along which the factors have no such length is summed over, and put in again
        kept = "".join(each for each in distinct if each in others and resolved(others[each]) == resolved(own[k][each]))
        missing = tuple(axis for axis, letter in enumerate(distinct) if letter not in kept)
        stretched = any(resolved(own[k][distinct[axis]]) != 1 for axis in missing)
        result = (call.result,) if call.result else ()
        given = ",".join((*result, *call.terms[:k], *call.terms[k + 1 :]))
        diagonal = f"{term}->{distinct}" if len(distinct) < len(term) else None
        ways.append(Way(given, kept, distinct, _plain(missing), stretched, diagonal))
    return tuple(ways)


@question
def places_of_arrays(*operands: Any) -> tuple[int, ...]:
    """Return the places of the arrays among the arguments of a call."""
    if isinstance(operands[0], str):
        return tuple(range(1, len(operands)))
    return tuple(range(0, len(operands) // 2 * 2, 2))


@question
def nothing_for(subscripts: Any) -> Any:
    """Return the gradient of subscripts: none."""
    return (None,) * len(subscripts) if isinstance(subscripts, tuple | list) else None


@question
def product_of(given: str, a: Any, b: Any, wanted: str) -> Product:
    """Return which product of two arrays with the indices `given` ("ij,jk") has the indices `wanted`."""
    left, right = given.split(",")
    sizes = _sizes(left, a), _sizes(right, b)
    shared = set(left) & set(right)
    summed = (set(left) | set(right)) - set(wanted)
    repeats = len(sizes[0]) < len(left) or len(sizes[1]) < len(right)
    uneven = any(resolved(sizes[0][letter]) != resolved(sizes[1][letter]) for letter in summed & shared)
    found = None
    if not repeats and not uneven and summed <= shared:
        orders = [(False, left, right), (True, right, left)]
        if summed:
            products = [_matmul(*order, wanted) for order in orders] + [_tensordot(*order, wanted) for order in orders]
        else:
            products = [_outer(*order, wanted) for order in orders] + [_elementwise(left, right, wanted)]
        # the one that transposes least
        found = min(filter(None, products), key=_turns, default=None)
    return Product("einsum") if found is None else found


def _turns(product: Product) -> int:
    turns = (product.first is True) + (product.second is True)
    return turns + 3 * (product.kind == "tensordot") + (product.order is not None)


def _matmul(swapped: bool, left: str, right: str, wanted: str) -> Product | None:
    for turned in ((False, False), (True, False), (False, True), (True, True)):
        terms = [_turned(term) if turn else term for term, turn in zip((left, right), turned, strict=True)]
        if terms[0] and terms[1] and None not in terms and _multiplied(*terms) == wanted:
            return Product("matmul", swapped, *turned)
    return None


def _turned(term: str) -> str:
    """Return the indices of a transposed matrix, or stack of them; none for a vector."""
    return term[:-2] + term[:-3:-1] if len(term) > 1 else ""


def _multiplied(left: str, right: str) -> str | None:
    """Return the indices of `left @ right`, None where it is another contraction."""
    stack = left[:-2] or right[:-2]
    meets = left[-1] == (right[-2] if len(right) > 1 else right[-1])
    fits = meets and all(each in ("", stack) for each in (left[:-2], right[:-2]))
    rows, columns = left[-2:-1], right[-1] if len(right) > 1 else ""
    result = stack + rows + columns
    return result if fits and len(set(result)) == len(result) else None


def _tensordot(swapped: bool, left: str, right: str, wanted: str) -> Product | None:
    met = [letter for letter in left if letter in right]
    free = "".join(letter for letter in left + right if letter not in met)
    if not wanted or set(free) != set(wanted):
        return None
    first, second = (_plain(tuple(term.index(letter) for letter in met)) for term in (left, right))
    return Product("tensordot", swapped, first, second, None if free == wanted else moved_axes(free, wanted))


def _outer(swapped: bool, left: str, right: str, wanted: str) -> Product | None:
    is_outer = len(left) == len(right) == 1 and left + right == wanted
    return Product("outer", swapped) if is_outer else None


def _elementwise(left: str, right: str, wanted: str) -> Product | None:
    first, second = _put_in(left, wanted), _put_in(right, wanted)
    return None if first is None or second is None else Product("*", False, first, second)


def _plain(axes: tuple[int, ...]) -> Axes:
    """Return axes as they are written: a single one by itself."""
    return axes[0] if len(axes) == 1 else axes


def _put_in(term: str, wanted: str) -> Axes | None:
    """Return the axes to put in so that an array lines up with others; None where its axes have another order."""
    if [letter for letter in wanted if letter in term] != list(term):
        return None
    if wanted.endswith(term):
        return ()
    return _plain(tuple(axis for axis, letter in enumerate(wanted) if letter not in term))


@question
def moved_axes(given: str, wanted: str) -> tuple[int, ...]:
    """Return the order in which axes are wanted."""
    return tuple(given.index(letter) for letter in wanted)


@question
def summed_axes(given: str, wanted: str) -> Axes | None:
    """Return the axes to sum over, or the only one; None where a sum is not enough."""
    axes = tuple(axis for axis, letter in enumerate(given) if letter not in wanted)
    is_sum = len(set(given)) == len(given) and [letter for letter in given if letter in wanted] == list(wanted)
    return _plain(axes) if is_sum else None


@question
def terms_of_tensordot(a: Any, b: Any, axes: Any) -> tuple[str, str, str]:
    """Return the indices of two arrays and of their tensordot. Raises SizeMismatch."""
    ranks = len(shape_of(a)), len(shape_of(b))
    if isinstance(axes, int):
        axes = (range(ranks[0] - axes, ranks[0]), range(axes))
    in_a, in_b = (
        [normal_axis(axis, rank) for axis in (one if isinstance(one, Sequence) else (one,))]
        for one, rank in zip(axes, ranks, strict=True)
    )
    if len(in_a) != len(in_b):
        raise SizeMismatch(f"{len(in_a)} axes and {len(in_b)} axes")
    of_a, others = LETTERS[: ranks[0]], iter(LETTERS[ranks[0] :])
    of_b = "".join(of_a[in_a[in_b.index(axis)]] if axis in in_b else next(others) for axis in range(ranks[1]))
    return of_a, of_b, "".join(letter for letter in of_a + of_b if (letter in of_a) != (letter in of_b))


def tensordot_shape(a: Any, b: Any, *, axes: Any = 2) -> Shape:
    """The axes that meet go; all others are kept."""
    of_a, of_b, of_y = terms_of_tensordot(a, b, axes)
    left, right = _sizes(of_a, a), _sizes(of_b, b)
    for letter in left.keys() & right.keys():
        unify(left[letter], right[letter])
    return tuple((left | right)[letter] for letter in of_y)


@question
def terms_of_kron(rank: int) -> tuple[str, str, str]:
    """Return the indices of two arrays of a rank, and of their Kronecker product, taken apart into blocks."""
    of_a, of_b = LETTERS[:rank], LETTERS[rank : 2 * rank]
    return of_a, of_b, "".join(one + other for one, other in zip(of_a, of_b, strict=True))
