"""Elements picked by numbers and conditions: choose, select, compress, extract.

In: these functions of NumPy. Out: their records. Each gradient goes to what was taken, and nowhere else. Layer: rules, above
`searching`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, unify
from flatgrad.graph.values import Type, Value
from flatgrad.registry import Kink, Sample, inline, real, rule
from flatgrad.rules.placing import placed
from flatgrad.rules.searching import nonzero_count
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of

# One of several arrays at each place


def chosen(a: Any, choices: Any, *, mode: str = "raise") -> Shape:
    """What the numbers and the arrays broadcast to."""
    if mode not in ("raise", "wrap", "clip"):
        raise TypeError(f"mode={mode!r}; known are 'raise', 'wrap' and 'clip'")
    if not isinstance(choices, Value):
        return broadcast([shape_of(a), *map(shape_of, choices)])
    shape = broadcast([shape_of(a), choices.shape[1:]])
    if len(shape) != len(choices.shape) - 1:
        raise SizeMismatch(f"numbers of rank {len(shape)} for choices of rank {len(choices.shape) - 1}")
    return shape


def chosen_dtype(a: Any, choices: Any, **_: Any) -> np.dtype[Any]:
    """The dtype that NumPy brings the arrays to."""
    if isinstance(choices, Value):
        return choices.dtype
    ones = [_one(choice.type) if isinstance(choice, Value) else choice for choice in choices]
    found: np.dtype[Any] = np.choose(0, ones).dtype
    return found


def _one(type: Type) -> Any:
    # Python numbers take on the dtype of arrays
    return {"f": 1.0, "i": 1, "b": True}[type.dtype.kind] if type.weak else type.dtype.type(1)


chosen.elementwise = True  # type: ignore[attr-defined]
NUMBERS = np.array([[1, 0, 1], [2, 0, 2]])
THREE = (real(2, 3), real(3) + 1, real(2, 1) - 1)


@rule(
    np.choose,
    shape=chosen,
    dtype=chosen_dtype,
    linear=True,
    samples=[
        Sample(NUMBERS, THREE),
        Sample(NUMBERS, (real(2, 3), 0.5, real())),
        Sample(NUMBERS + 2, THREE, mode="wrap"),
        Sample(2 * NUMBERS - 1, THREE, mode="clip"),
        Sample(np.array([1, 0, 1]), real(2, 3)),
        Sample(np.array([5, 0, -1]), real(2, 3), mode="wrap"),
    ],
)
def grad_choose(a, choices, y, grad_y, *, mode="raise"):
    number = a
    if mode == "wrap":
        number = a % len(choices)
    elif mode == "clip":
        number = np.clip(a, 0, len(choices) - 1)
    if isinstance(choices, tuple):
        grad_choices: Any = tuple([np.where(number == k, grad_y, 0) for k in range(len(choices))])
    else:
        numbers = np.reshape(np.arange(len(choices)), (-1,) + (1,) * grad_y.ndim)
        grad_choices = np.where(numbers == number, grad_y, 0)
    return grad_choices


def selected(condlist: Any, choicelist: Any, default: Any = 0) -> Shape:
    """What the conditions and the arrays broadcast to."""
    if len(condlist) != len(choicelist):
        raise SizeMismatch(f"{len(condlist)} conditions for {len(choicelist)} arrays")
    return broadcast([shape_of(each) for each in (*condlist, *choicelist, default)])


selected.elementwise = True  # type: ignore[attr-defined]
X = real(2, 3)


@rule(
    np.select,
    shape=selected,
    linear=True,
    samples=[
        Sample([X > 1, X > 0, X > -1], [X, real(3), 0.5], real(2, 1)),
        Sample([X > 0], [X], 0.25),
        Sample([X > 1, X > -1], [X, 2 * X], wrt=("choicelist",)),
        Sample([X > 1, X > -1], [X, 2 * X], default=real()),
    ],
    kinks=[
        Kink(
            "select with nan or inf in what is not taken",
            "the taken ones only",
            ([np.array([True, False])], [np.array([1.0, np.nan])], np.array([np.inf, 2.0])),
            (None, (np.array([1.0, 0.0]),), np.array([0.0, 1.0])),
            jax="the taken ones only, but nan behind log and its like",
            torch="no such function",
        )
    ],
)
def grad_select(condlist, choicelist, default=0, y=None, grad_y=None):
    # the first condition that holds counts
    taken = condlist[0]
    grad_choicelist: Any = (np.where(taken, grad_y, 0),)
    for condition in condlist[1:]:
        grad_choicelist = (*grad_choicelist, np.where(condition & ~taken, grad_y, 0))
        taken = taken | condition
    grad_default = np.where(taken, 0, grad_y)
    return grad_choicelist, grad_default


# Elements where a condition holds


def compressed(condition: Any, x: Any, *, axis: int | None = None) -> Shape:
    """As many elements as there are conditions that hold, of the whole array or along an axis."""
    if len(shape_of(condition)) != 1:
        raise SizeMismatch(f"conditions of rank {len(shape_of(condition))}; np.compress takes a vector of them")
    shape = shape_of(x)
    if axis is None:
        return (nonzero_count(condition),)
    axis = normal_axis(axis, len(shape))
    return (*shape[:axis], nonzero_count(condition), *shape[axis + 1 :])


def _compressed_by_method(x: Any, condition: Any, *, axis: int | None = None) -> Shape:
    return compressed(condition, x, axis=axis)


def _dtype_of_second(condition: Any, x: Any, **_: Any) -> np.dtype[Any]:
    return dtype_of_first(x)


KEPT = np.array([True, False, True])


@inline
@rule(
    np.compress,
    shape=compressed,
    dtype=_dtype_of_second,
    linear=True,
    samples=[
        Sample(KEPT, real(4)),
        Sample(KEPT, real(2, 3)),
        Sample(KEPT, real(3, 2), axis=0),
        Sample(KEPT, real(2, 4, 2), axis=-2),
        Sample(np.array([1, 0, 2]), real(3)),
    ],
)
def grad_compress(condition, x, y, grad_y, *, axis=None):
    places = np.flatnonzero(condition)
    if axis is not None:
        before = (slice(None),) * (axis % x.ndim)
        grad_x = placed(grad_y, (*before, places), x)
    elif x.ndim == 1:
        grad_x = placed(grad_y, places, x)
    else:
        grad_x = np.reshape(placed(grad_y, places, np.ravel(x)), np.shape(x))
    return grad_x


@rule(
    np.ndarray.compress,
    shape=_compressed_by_method,
    dtype=dtype_of_first,
    linear=True,
    samples=[Sample(real(4), KEPT), Sample(real(2, 3), KEPT, axis=1)],
)
def grad_compress_method(x, condition, y, grad_y, *, axis=None):
    grad_x = grad_compress(condition, x, y, grad_y, axis=axis)
    return grad_x


def extracted(condition: Any, x: Any) -> Shape:
    """As many elements as there are conditions that hold; there is one for each element."""
    for size, length in zip(shape_of(condition), shape_of(x), strict=True):
        unify(size, length)
    return (nonzero_count(condition),)


@rule(
    np.extract,
    shape=extracted,
    dtype=_dtype_of_second,
    linear=True,
    samples=[Sample(X > 0, X), Sample(KEPT, real(3)), Sample(np.array([[1, 0, 2], [0, 1, 0]]), X)],
)
def grad_extract(condition, x, y, grad_y):
    mask = condition if condition.dtype == np.bool_ else condition != 0
    # the numbers of the places are faster than the mask
    grad_x = placed(grad_y, np.flatnonzero(mask) if x.ndim == 1 else mask, x)
    return grad_x
