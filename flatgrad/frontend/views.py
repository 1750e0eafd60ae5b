"""Which memory an array is: whether an operation gives a view.

In: a value of the graph. Out: what it is a view of. Layer: bottom of `frontend`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from flatgrad.graph.containers import List, Slot
from flatgrad.graph.values import Constant, Node, Value, same_array
from flatgrad.markers import stop_gradient
from flatgrad.registry import lookup
from flatgrad.rules.program import named
from flatgrad.rules.subscripts import only_rearranges


@dataclass(frozen=True, slots=True)
class View:
    """An array that is read from the memory of another one, its `source`. Where it is not `certain` it may also be a copy.

    `asks_for_order` says that it is a copy where the elements of the source do not lie in their order.
    """

    source: Value
    certain: bool = True
    asks_for_order: bool = False


# views of an array, however its elements lie
VIEWS = frozenset({
    np.squeeze, np.expand_dims, np.atleast_1d, np.atleast_2d, np.transpose, np.swapaxes, np.moveaxis, np.matrix_transpose,
    np.broadcast_to, np.diagonal, np.flip, np.fliplr, np.flipud, np.rot90, np.split, np.array_split, named, stop_gradient,
    sliding_window_view,
})  # fmt: skip
# functions that give a view of each of several arrays
OF_SEVERAL = frozenset({np.atleast_1d, np.atleast_2d, np.atleast_3d, np.broadcast_arrays})
READ_ONLY = frozenset({np.broadcast_to, np.diagonal, np.diag, sliding_window_view})
# views where the elements lie in their order, copies where they do not
IN_ORDER = frozenset({np.reshape, np.ravel})
# the array itself where it has the dtype that is asked for
NUMBERS = frozenset({np.float32, np.float64})
UNLESS_CONVERTED = frozenset({np.asarray, *NUMBERS})
# copies, unless they are told otherwise
CONVERSIONS = frozenset({np.ndarray.astype, np.astype})
COPIES = frozenset({np.array, np.ndarray.flatten, np.diag})


def view_of(value: Value) -> View | None:
    """Return what an array is a view of; None for one with memory of its own, and for numbers."""
    node = value.node
    if node is None or isinstance(value, Constant) or not node.inputs:
        return None
    if len(node.outputs) > 1 and node.function in OF_SEVERAL:
        source = node.filled(node.call[0][1])[node.outputs.index(value)]
        return View(source, certain=False) if isinstance(source, Value) and not source.type.weak else None
    if node.inputs[0].type.weak:
        return None
    function, source = node.function, node.inputs[0]
    if source.type.is_list:
        # what is in a list stays what it is when the list grows
        return None
    if function is operator.getitem:
        index = node.arguments["index"]
        return View(source) if is_basic(index) and (value.rank or has_ellipsis(index)) else None
    if is_made_anew(node):
        return None
    if function in UNLESS_CONVERTED or is_unless_converted(node):
        is_same = node.call[0][1] == Slot(0) and same_array(value.type, source.type)
        is_same = is_same and node.arguments.get("copy") is not True and (value.rank > 0 or function not in NUMBERS)
        return View(source, certain="order" not in node.arguments) if is_same else None
    if function in IN_ORDER:
        asks_for_order = node.arguments.get("order", "C") == "C" and node.arguments.get("copy") is None
        return View(source, certain=False, asks_for_order=asks_for_order)
    if function in VIEWS or function is np.diag:
        return View(source)
    if function is np.array and node.arguments.get("copy") is False:
        return View(source, certain=False)
    record = lookup(function)
    return View(source, certain=False) if record is not None and record.view and function not in COPIES else None


def is_unless_converted(node: Node) -> bool:
    """Tell whether a conversion, which gives a copy by itself, is told to give the array where that has the dtype already."""
    return node.function in CONVERSIONS and node.arguments.get("copy") is False


def is_read_only(node: Node) -> bool:
    """Tell whether NumPy does not let a program change what an operation gives, which is a view."""
    return node.function in READ_ONLY and not is_made_anew(node)


def is_made_anew(node: Node) -> bool:
    """Tell whether an operation that may give a view makes an array: of a vector, or of several arrays."""
    if node.function is np.einsum:
        return not only_rearranges(*node.arguments["operands"])
    return node.function is np.diag and node.inputs[0].rank == 1


def is_own_array(item: Any) -> bool:
    """Tell whether an item is an array that the function makes, of numbers that are known when the code is written."""
    return isinstance(item, Constant) and item.node is not None and isinstance(item.number, np.ndarray)


def is_basic(index: Any) -> bool:
    """Tell whether an index takes no arrays or truth values, so that what it picks is a view or a number."""
    return not any(_picks(part) for part in index_parts(index))


def index_parts(index: Any) -> tuple[Any, ...]:
    """Return the parts of an index."""
    return index if type(index) is tuple else (index,)


def _picks(part: Any) -> bool:
    if isinstance(part, Value):
        return bool(part.rank) or part.dtype.kind == "b"
    return isinstance(part, List | tuple | list | np.ndarray | bool | np.bool_)


def has_ellipsis(index: Any) -> bool:
    """Tell whether an index has an ellipsis in it: what it picks is an array, even without axes."""
    return any(part is Ellipsis for part in index_parts(index))
