"""Lists that grow while a loop runs: their length is known at run time only, and all elements have one shape and dtype.

In: elements. Out: records. A list is a value whose first axis counts its elements; to the functions here it is an array, and so
is its gradient. The emitted code has Python's own list, and appends to it. Layer: rules, above `joining`.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, plus
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.joining import stacked
from flatgrad.rules.shapes import dtype_of_first, shape_of


def listed(items):
    """Return a list of elements of one shape and dtype, as an array."""
    return np.array(items)


def appended(x, item):
    """Return a list with one more element, as an array: what `x.append(item)` makes of it."""
    return np.concatenate((x, [item]))


def _longer(x: Any, _item: Any = None) -> Shape:
    shape = shape_of(x)
    return (plus(shape[0], 1), *shape[1:])


def _element(x: Any, *_: Any) -> Shape:
    return shape_of(x)[1:]


@rule(listed, shape=stacked, linear=True, samples=[Sample((real(3), real(3) + 1)), Sample((real(), 1.5))])
def grad_listed(items, y, grad_y):
    grad_items = tuple([grad_y[k] for k in range(len(items))])
    return grad_items


@rule(
    appended,
    shape=_longer,
    dtype=dtype_of_first,
    linear=True,
    samples=[Sample(real(2, 3), real(3)), Sample(real(4), real())],
)
def grad_appended(x, item, y, grad_y):
    grad_item = grad_y[-1]
    grad_x = grad_y[:-1]
    return grad_x, grad_item


@rule(builtins.sum, shape=_element, linear=True, samples=[Sample(real(2, 3)), Sample(real(4))])
def grad_sum_of_elements(x, y, grad_y):
    grad_x = np.broadcast_to(grad_y, np.shape(x))
    return grad_x
