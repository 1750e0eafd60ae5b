"""Which values are numbers for certain, and no arrays without axes.

In: a reader, and a value of its graph. Out: a truth value. Layer: above `reader`.
"""

from __future__ import annotations

import operator

import numpy as np

from flatgrad.frontend.reader import Reader
from flatgrad.frontend.views import view_of
from flatgrad.graph.values import Constant, Value
from flatgrad.infer import makes_number
from flatgrad.markers import stop_gradient


def is_number(reader: Reader, value: Value) -> bool:
    """Tell whether a value is a number for certain, which is never changed in place, and no array without axes."""
    if value.rank or value.type.weak or value in reader.numbers:
        return not value.rank
    if isinstance(value, Constant):
        return not isinstance(value.number, np.ndarray)
    node = value.node
    if node is None or node.bodies:
        return False
    if node.function is stop_gradient:
        return is_number(reader, node.inputs[0])
    return makes_number(node) or (node.function is operator.getitem and view_of(value) is None)
