"""Values without repetition: np.unique and its like, which tell where the values are and how often, too.

In: these functions of NumPy. Out: their records. How many values there are is data. Layer: rules, above `placing`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, inline, real, rule
from flatgrad.rules.creation import INT, identity, unknown_size
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, shape_of


def unique_shapes(x: Any, *, axis: Any = None, **returned: bool) -> Shape | list[Shape]:
    """As many values as there are different ones, and what else is asked for of each or of each element."""
    if axis is not None:
        raise TypeError("np.unique along an axis has no rule; of all elements it has one")
    size = unknown_size(("unique", identity(x)))
    asked = [name for name in RETURNED if returned.get(name)]
    shapes: list[Shape] = [shape_of(x) if name == "return_inverse" else (size,) for name in asked]
    return [(size,), *shapes] if asked else (size,)


def _unique_dtypes(x: Any, *, axis: Any = None, **returned: bool) -> np.dtype[Any] | list[np.dtype[Any]]:
    asked = [INT for name in RETURNED if returned.get(name)]
    return [dtype_of_first(x), *asked] if asked else dtype_of_first(x)


RETURNED = ("return_index", "return_inverse", "return_counts")


@inline
@rule(
    np.unique,
    shape=unique_shapes,
    dtype=_unique_dtypes,
    samples=[Sample(real(4)), Sample(real(2, 3))],
    kinks=[
        Kink(
            "unique with ties",
            "the first of the equal ones",
            (np.array([2.0, 1.0, 1.0]),),
            (np.array([1.0, 1.0, 0.0]),),
            jax="the first of the equal ones",
            torch="no derivative",
        )
    ],
)
def grad_unique(
    x, y, grad_y, *, return_index=False, return_inverse=False, return_counts=False, axis=None, equal_nan=True
):
    grad_values = grad_y[0] if isinstance(grad_y, tuple) else grad_y
    flat = x if x.ndim == 1 else np.ravel(x)
    first = np.unique(flat, return_index=True)[1]
    grad_flat = placed(grad_values, first, flat)
    grad_x = grad_flat if x.ndim == 1 else np.reshape(grad_flat, np.shape(x))
    return grad_x


def _unique_with(*more: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the shape and dtype rules of np.unique with more results."""
    asked = dict.fromkeys(more, True)
    return partial(unique_shapes, **asked), partial(_unique_dtypes, **asked)


ALL, COUNTED, INVERTED = _unique_with(*RETURNED), _unique_with("return_counts"), _unique_with("return_inverse")


@rule(
    np.unique_all,
    shape=ALL[0],
    dtype=ALL[1],
    results=("values", "indices", "inverse_indices", "counts"),
    samples=[Sample(real(4), second=False)],
)
def grad_unique_all(x, y, grad_y):
    grad_x = grad_unique(x, y, grad_y)
    return grad_x


@rule(np.unique_counts, shape=COUNTED[0], dtype=COUNTED[1], results=("values", "counts"), samples=[Sample(real(2, 3))])
def grad_unique_counts(x, y, grad_y):
    grad_x = grad_unique(x, y, grad_y)
    return grad_x


@rule(
    np.unique_inverse,
    shape=INVERTED[0],
    dtype=INVERTED[1],
    results=("values", "inverse_indices"),
    samples=[Sample(real(2, 3))],
)
def grad_unique_inverse(x, y, grad_y):
    grad_x = grad_unique(x, y, grad_y)
    return grad_x


@rule(np.unique_values, shape=unique_shapes, dtype=_unique_dtypes, samples=[Sample(real(2, 3))])
def grad_unique_values(x, y, grad_y):
    # these are in no order
    grad_x = grad_unique(x, y, grad_y[np.argsort(y)])
    return grad_x
