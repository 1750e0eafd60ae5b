"""Conditions: decided when the code is written, or a truth value of the graph.

In: what an expression gives. Out: True, False, or a value that is found out at run time. Layer: above `known`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.iterators import Deferred, DictView, seen
from flatgrad.frontend.known import as_number, decides, is_static, refuse_methods, with_known_text
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.special_methods import truth_of
from flatgrad.frontend.wording import described
from flatgrad.graph.size import SizeUnknown, equal, is_one, resolved
from flatgrad.graph.values import Value
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.program import conjunction, disjunction, literal

COMPARISON: dict[str, Callable[..., Any]] = {
    "LessThan": operator.lt, "LessThanEqual": operator.le, "GreaterThan": operator.gt,
    "GreaterThanEqual": operator.ge, "Equal": operator.eq, "NotEqual": operator.ne,
}  # fmt: skip


def truth(reader: Reader, item: Any, syntax: cst.CSTNode) -> bool:
    """Return whether a condition holds, which must be known when the code is written."""
    known = decided(reader, item, syntax)
    if known is None:
        reader.fail(
            "this condition depends on data", syntax, "only conditions on ranks, options and constants can be decided "
            "when the code is written; for data use np.where(condition, a, b)"
        )  # fmt: skip
    return known


def condition(reader: Reader, item: Any, syntax: cst.CSTNode) -> bool | Value:
    """Return whether a condition holds, or the truth value of the graph that tells."""
    item = truth_of(reader, item, syntax)
    try:
        known = decided(reader, item, syntax)
    except SizeUnknown as error:
        if error.is_of_arguments or reader.inlined:
            raise
        # the length of a list that grows is another one in each turn
        known = None
    if known is not None:
        return known
    if reader.inlined:
        return truth(reader, item, syntax)
    if not isinstance(item, Value):
        reader.fail(f"{described(item)} is not a condition", syntax)
    if item.rank:
        hint = "np.where(condition, a, b) chooses for each element; .any() or .all() makes one truth value of them"
        reader.fail(f"an array {item.type} is not one truth value", syntax, hint)
    return item if item.dtype.kind == "b" else reader.apply(syntax, operator.ne, item, 0)


def decided(reader: Reader, item: Any, syntax: cst.CSTNode) -> bool | None:
    """Return whether a condition holds where that is known when the code is written, else None. Raises SizeUnknown."""
    item = truth_of(reader, item, syntax)
    if isinstance(item, DictView):
        return bool(seen(reader, item))
    if isinstance(item, Deferred):
        return True
    item = with_known_text(reader, item, syntax)
    if is_static(item):
        number = as_number(item)
        if isinstance(number, np.ndarray) and number.size != 1:
            reader.fail("an array is not one truth value", syntax, "use .any() or .all()")
        return bool(number)
    if decides(item):
        refuse_methods(reader, item, syntax)
    if isinstance(item, tuple):
        return bool(item)
    if not isinstance(item, Value):
        return None
    try:
        return _known_truth(item)
    except SizeUnknown as error:
        error.problem = reader.problem(  # type: ignore[attr-defined]
            "whether this holds depends on sizes that are not known", syntax, "give numbers for them: shapes='x=(10,)'"
        )
        raise


def _known_truth(item: Any) -> bool | None:
    """Return whether a comparison of sizes holds, None for one of data. Raises SizeUnknown where numbers are needed."""
    if isinstance(item, bool | np.bool_):
        return bool(item)
    if isinstance(item.known, tuple):
        return bool(item.known)
    if item.known is not None:
        return _compared(operator.ne, item.known, 0)
    node = item.node
    if node is None or node.bodies:
        return None
    operands = list(node.arguments.values())
    if node.function is operator.not_:
        inner = _known_truth(operands[0])
        return None if inner is None else not inner
    if node.function in (conjunction, disjunction):
        left, right = map(_known_truth, operands)
        if left is None or right is None:
            return None
        return (left and right) if node.function is conjunction else (left or right)
    if node.function not in COMPARISON.values():
        return None
    sizes = [getattr(operand, "known", operand) for operand in map(as_number, operands)]
    if any(size is None or isinstance(size, float | np.ndarray) for size in sizes):
        return None
    return _compared(node.function, sizes[0], sizes[1])


def _compared(compare: Callable[..., Any], a: Any, b: Any) -> bool:
    if isinstance(a, tuple) or isinstance(b, tuple):
        if not isinstance(a, tuple) or not isinstance(b, tuple) or len(a) != len(b):
            return compare is operator.ne
        same = all(_compared(operator.eq, x, y) for x, y in zip(a, b, strict=True))
        return same if compare is operator.eq else not same
    a, b = resolved(a), resolved(b)
    if isinstance(a, int) and isinstance(b, int):
        return bool(compare(a, b))
    same_size = equal(a, b)
    if same_size is None and 1 in (a, b) and is_one(a if b == 1 else b) is False:
        same_size = False
    if same_size is True:
        return compare in (operator.eq, operator.le, operator.ge)
    if same_size is False and compare in (operator.eq, operator.ne):
        return compare is operator.ne
    raise SizeUnknown([size for size in (a, b) if not isinstance(size, int)])


# what never fails and never warns, whatever the numbers are: an operand of `and` or `or` may be evaluated though it need not
SAFE: frozenset[Callable[..., Any]] = frozenset({
    *COMPARISON.values(), operator.not_, operator.neg, operator.pos, operator.add, operator.sub, operator.mul, abs,
    conjunction, disjunction, len, np.shape, np.size, np.isnan, np.isfinite, np.isinf, np.any, np.all, size_of_axis, literal,
})  # fmt: skip
