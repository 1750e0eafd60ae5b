"""How arrays lie in memory: whether their elements are certain to be in their order, with nothing between them.

In: a value of the graph, and which array's memory a value is the content of. Out: whether `reshape` and `ravel` give views of it.
Layer: above `views`, below `memory`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from flatgrad.frontend.views import index_parts, is_made_anew, view_of
from flatgrad.graph.regions import is_undefined
from flatgrad.graph.size import is_one
from flatgrad.graph.values import Constant, Node, Value
from flatgrad.markers import stop_gradient
from flatgrad.rules.program import named
from flatgrad.rules.writing import added, assigned

Function = Callable[..., Any]

# what makes an array whose elements lie in their order, whatever it is made from
MADE_IN_ORDER: frozenset[Function] = frozenset({
    np.zeros, np.ones, np.full, np.empty, np.eye, np.identity, np.arange, np.linspace, np.outer, np.ravel,
    np.ndarray.flatten, np.ndarray.copy, np.ascontiguousarray,
})  # fmt: skip
# the same for matrices and vectors
PRODUCTS: frozenset[Function] = frozenset({np.matmul, np.dot, operator.matmul})
# what makes arrays whose elements lie as those of the arrays do that they are made from, with axes broadcast
KEEPS_ORDER: frozenset[Function] = frozenset({
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.neg, operator.pos, operator.abs, operator.lt, operator.le, operator.gt, operator.ge, operator.eq,
    operator.ne, operator.and_, operator.or_, operator.xor, operator.invert, np.where, np.clip, np.copy, np.array,
    np.asarray, np.float32, np.float64, np.ndarray.astype, np.reshape, np.zeros_like, np.ones_like, np.full_like, np.empty_like,
    np.stack, np.concatenate, np.vstack, np.hstack, assigned, added, named, stop_gradient,
})  # fmt: skip


# an array, and whether its elements have to lie without gaps between them, or may have some while the axes are in order
Asked = tuple[Value, bool]


class Layouts:
    """What is known of how arrays lie in memory. `roots` tells of which array a value is the content."""

    def __init__(self, roots: Mapping[Value, Value]) -> None:
        self._roots = roots
        # of arguments of the function that is differentiated, of what branches and loops give
        self._known: dict[Value, bool] = {}
        self._found: set[Asked] = set()

    def note(self, value: Value, in_order: bool) -> None:
        """Note whether the elements of an array lie in their order, without gaps."""
        self._known[value] = in_order

    def obstacle(self, view: Value, source: Value) -> Value | None:
        """Return the array that keeps `reshape` or `ravel` from being certain to give a view; None where it is."""
        node = view.node
        assert node is not None
        return None if node.function is np.reshape and source.rank < 2 else self._out_of_order(source)

    def is_copied(self, view: Value, source: Value) -> bool:
        """Tell whether `ravel`, or a `reshape` to a vector, is certain to give a copy."""
        node = view.node
        assert node is not None
        if node.function is np.ravel and self._known.get(self._roots.get(source, source)) is False:
            return True
        turned = source.node
        is_turned = turned is not None and turned.function is np.transpose and source.rank == 2
        if turned is None or not is_turned or view.rank != 1 or turned.arguments.get("axes") not in (None, (1, 0)):
            return False
        # columns are not rows, where there are several of both
        return all(is_one(size) is False for size in source.shape) and self.is_in_order(turned.inputs[0])

    def is_in_order(self, value: Value) -> bool:
        """Tell whether an array is certain to have its elements in their order in memory, with nothing between them."""
        return self._out_of_order(value) is None

    def _out_of_order(self, value: Value) -> Value | None:
        """Return one that keeps an array from being so."""
        found: set[Asked] = set()
        pending = [(value, True)]
        while pending:
            asked = pending.pop()
            if asked in found or asked in self._found:
                continue
            found.add(asked)
            known = self._known.get(asked[0])
            sources = self._sources(*asked) if known is None else [] if known else None
            if sources is None:
                return asked[0]
            pending += sources
        self._found |= found
        return None

    def _sources(self, value: Value, whole: bool) -> Sequence[Asked] | None:
        """Return what has to hold for an array to lie in order; None where it is not certain even then."""
        if value in self._roots:
            return [(self._roots[value], whole)]
        if isinstance(value, Constant) and isinstance(value.number, np.ndarray):
            return [] if value.number.flags.c_contiguous else None
        if not value.rank or (value.rank == 1 and not whole) or is_undefined(value):
            return []
        return None if value.node is None or value.node.bodies else _made_from(value, value.node, whole)


def _made_from(value: Value, node: Node, whole: bool) -> Sequence[Asked] | None:
    function = node.function
    if node.arguments.get("order") not in (None, "C") and value.rank > 1:
        return None
    is_sequence = function in (np.array, np.asarray) and isinstance(node.arguments["x"], tuple)
    is_method = function is np.copy and node.form == "method"
    is_diagonal = function is np.diag and is_made_anew(node)
    is_moved = function is np.linspace and node.arguments.get("axis", 0) != 0
    if (function in MADE_IN_ORDER and not is_moved) or is_sequence or is_method or is_diagonal:
        return []
    if function in PRODUCTS:
        return [] if all(x.rank <= 2 for x in node.inputs) else None
    is_view = view_of(value) is not None
    if function is operator.getitem:
        if is_view:
            return [(node.inputs[0], whole)] if not whole or _is_part_in_order(node) else None
        is_plain = type(node.arguments["index"]) is not tuple
        return [] if value.rank == 1 else [(node.inputs[0], True)] if is_plain else None
    if is_view and function in KEEPS_ORDER:
        return [(node.inputs[0], whole)]
    if function in KEEPS_ORDER or (isinstance(function, np.ufunc) and function.signature is None):
        # the order of the axes is kept, and what is made anew has no gaps
        return [(x, False) for x in node.inputs if x.rank > 1]
    return [] if value.rank == 1 and not is_view else None


def _is_part_in_order(node: Node) -> bool:
    """Tell whether an index takes numbers from the first axes, then at most a part of one axis without steps."""
    parts = list(index_parts(node.arguments["index"]))
    while parts and isinstance(parts[0], int | np.integer | Value):
        parts.pop(0)
    return not parts or (len(parts) == 1 and (parts[0] is Ellipsis or getattr(parts[0], "step", 0) in (None, 1)))
