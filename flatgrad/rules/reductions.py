"""Reductions over axes: sum, mean, prod, max, min, ptp, and those without a gradient.

In: nothing. Out: records in the registry. Layer: rules.

A gradient that comes in without the reduced axes gets them back with length 1 first, so that it lines up with x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, product
from flatgrad.registry import Kink, Sample, inline, no_gradient, positive, real, rule
from flatgrad.rules.shapes import normal_axes, reduced, reduced_from, same, shape_of
from flatgrad.rules.static import axes_count, is_constant

MASK = np.array([[True, False, True], [True, True, False]])
AXES = [
    Sample(real(4)),
    Sample(real(2, 3)),
    Sample(real(2, 3), keepdims=True),
    Sample(real(2, 3), axis=0),
    Sample(real(2, 3), axis=-1),
    Sample(real(2, 3), axis=1, keepdims=True),
    Sample(real(2, 3, 2), axis=(0, 2)),
    Sample(real(2, 3, 2), axis=(-1, 1), keepdims=True),
]
MASKED = [
    Sample(real(2, 3), where=MASK),
    Sample(real(2, 3), axis=1, where=MASK),
    Sample(real(2, 3), axis=1, keepdims=True, where=MASK[0]),
]
STARTED = [
    Sample(real(2, 3), axis=1, initial=0.25),
    Sample(real(2, 3), initial=real(), where=MASK),
    Sample(real(2, 3), axis=(0, -1), keepdims=True, initial=-0.75),
]
WIDER = [Sample(real(2, 3), axis=0, dtype=np.float64)]


@inline
def for_each_element(x, gradient):
    """Return a gradient for each element of x; a number has one only, which its own dtype, if whole, would cut."""
    return np.full_like(x, gradient) if np.ndim(x) > 0 else gradient


@rule(np.sum, shape=reduced_from, samples=[*AXES, *MASKED, *STARTED, *WIDER], linear=True)
def grad_sum(x, initial=None, y=None, grad_y=None, *, axis=None, dtype=None, keepdims=False, where=True):
    grad_initial = grad_y
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = for_each_element(x, grad_y) if np.ndim(where) == 0 else np.where(where, grad_y, 0)
    return grad_x, grad_initial


@inline
def count_of(x, axis, where):
    """Return how many elements are taken together; as many floats as there are reductions where a mask decides it."""
    if np.ndim(where) == 0:
        return axes_count(x, axis)
    return np.sum(np.full_like(x, where), axis=axis, keepdims=axis is not None)


@rule(np.mean, shape=reduced_from, samples=[*AXES, *MASKED, *WIDER], linear=True)
def grad_mean(x, y, grad_y, *, axis=None, dtype=None, keepdims=False, where=True):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    share = grad_y / count_of(x, axis, where)
    grad_x = for_each_element(x, share) if np.ndim(where) == 0 else np.where(where, share, 0)
    return grad_x


# np.max(x, initial=c) is np.maximum(np.max(x), c), and has its gradients where the two are equal
FROM_BELOW = [
    Sample(real(2, 3), axis=1, initial=1.25),
    Sample(real(2, 3), axis=0, initial=-3.0),
    Sample(real(2, 3), axis=1, initial=-np.inf, where=MASK, wrt=("x",)),
    Sample(real(2, 3), initial=real(), where=MASK),
]
FROM_ABOVE = [
    Sample(real(2, 3), axis=1, initial=-1.0),
    Sample(real(2, 3), axis=0, initial=3.0),
    Sample(real(2, 3), axis=1, initial=np.inf, where=MASK, wrt=("x",)),
    Sample(real(2, 3), initial=real(), where=MASK),
]


@rule(
    np.min,
    np.amin,
    shape=reduced_from,
    samples=[*AXES, *FROM_ABOVE],
    kinks=[
        Kink(
            "min with ties",
            "shared equally",
            (np.array([1.0, 1.0, 3.0]),),
            (np.array([0.5, 0.5, 0.0]),),
            jax="shared equally",
            torch="shared equally",
        ),
        Kink(
            "min(x, initial=c) with a constant c, at c",
            "0",
            (np.array([3.0, 1.0, 2.0]),),
            (np.zeros(3),),
            attributes=(("initial", 1),),
            jax="1/2",
        ),
    ],
)
@rule(
    np.max,
    np.amax,
    shape=reduced_from,
    samples=[*AXES, *FROM_BELOW],
    kinks=[
        Kink(
            "max with ties",
            "shared equally",
            (np.array([1.0, 3.0, 3.0]),),
            (np.array([0.0, 0.5, 0.5]),),
            jax="shared equally",
            torch="shared equally",
        ),
        Kink(
            "max(x, initial=c) with a constant c, at c",
            "0",
            (np.array([1.0, 3.0, 2.0]),),
            (np.zeros(3),),
            attributes=(("initial", 3),),
            jax="1/2",
        ),
    ],
)
def grad_extreme(x, initial=None, y=None, grad_y=None, *, axis=None, keepdims=False, where=True):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    chosen = np.full_like(x, x == y if np.ndim(where) == 0 else (x == y) & where)
    ties = np.sum(chosen, axis=axis, keepdims=axis is not None)
    if initial is None:
        grad_x = grad_y * chosen / ties
        grad_initial = None
    elif is_constant(initial):
        grad_initial = grad_y * (y == initial)
        # 1 stands for no element, where the constant is the extreme
        grad_x = grad_y * (y != initial) * chosen / (ties + (ties == 0))
    else:
        # half to each where an element and the initial number are equal
        grad_initial = np.where(ties > 0, grad_y / 2, grad_y) * (y == initial)
        grad_x = (grad_y - grad_initial) * chosen / (ties + (ties == 0))
    return grad_x, grad_initial


@rule(
    np.ptp,
    shape=reduced,
    samples=AXES,
    kinks=[
        Kink(
            "ptp with ties",
            "shared equally",
            (np.array([3.0, 1.0, 3.0]),),
            (np.array([0.5, -1.0, 0.5]),),
            jax="shared equally",
        ),
        Kink("ptp of equal numbers", "0", (np.array([2.0, 2.0]),), (np.zeros(2),), jax="0"),
    ],
)
def grad_ptp(x, y, grad_y, *, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    largest = np.full_like(x, x == np.max(x, axis=axis, keepdims=axis is not None))
    smallest = np.full_like(x, x == np.min(x, axis=axis, keepdims=axis is not None))
    share_of_largest = largest / np.sum(largest, axis=axis, keepdims=axis is not None)
    share_of_smallest = smallest / np.sum(smallest, axis=axis, keepdims=axis is not None)
    grad_x = grad_y * (share_of_largest - share_of_smallest)
    return grad_x


# Products. Dividing y by x would fail at zeros, so the other factors are multiplied.


def product_of_others(x: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Return, in the place of each element, the product of the other elements along `axis`."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    kept = moved.shape[: x.ndim - len(axes)]
    count = int(np.prod(moved.shape[x.ndim - len(axes) :]))
    factors = np.reshape(moved, (*kept, count))
    before = np.ones_like(factors)
    after = np.ones_like(factors)
    np.cumprod(factors[..., :-1], axis=-1, out=before[..., 1:])
    np.cumprod(factors[..., :0:-1], axis=-1, out=after[..., -2::-1])
    return np.moveaxis(np.reshape(before * after, moved.shape), last, axes)


def flat_axes(x: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Return `x` with the axes `axis` moved to the end and made one."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    moved = np.moveaxis(x, axes, tuple(range(-len(axes), 0)))
    kept = moved.shape[: x.ndim - len(axes)]
    return np.reshape(moved, (*kept, int(np.prod(moved.shape[x.ndim - len(axes) :]))))


def unflat_axes(x: np.ndarray, like: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Return what `flat_axes` made into `x`, with the shape of `like`."""
    axes = tuple(range(like.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = tuple(range(-len(axes), 0))
    return np.moveaxis(np.reshape(x, np.moveaxis(like, axes, last).shape), last, axes)


def _flat_shape(x: Any, axis: int | tuple[int, ...] | None = None) -> Shape:
    shape = shape_of(x)
    axes = normal_axes(axis, len(shape))
    return (*(size for k, size in enumerate(shape) if k not in axes), product(shape[k] for k in axes))


def _shape_of_like(x: Any, like: Any, **_: Any) -> Shape:
    return shape_of(like)


WITH_ZEROS = np.array([[0.0, 1.5, 0.7], [0.0, 0.0, 1.3], [2.0, 0.9, 1.1]])
FACTORS = [
    Sample(positive(4)),
    Sample(real(2, 3)),
    Sample(WITH_ZEROS, axis=1),
    Sample(real(2, 3), axis=0),
    Sample(real(2, 3, 2), axis=(2, 0)),
]


@rule(
    np.prod,
    holomorphic=True,
    shape=reduced_from,
    samples=[*AXES, *MASKED, *STARTED, *WIDER, Sample(WITH_ZEROS, axis=1), Sample(real(), initial=1.5)],
    kinks=[
        Kink(
            "prod with a zero",
            "the product of the others",
            (np.array([0.0, 2.0, 3.0]),),
            (np.array([6.0, 0.0, 0.0]),),
            jax="the product of the others",
            torch="the product of the others",
        ),
        Kink(
            "prod with two zeros",
            "the product of the others",
            (np.array([0.0, 0.0, 3.0]),),
            (np.zeros(3),),
            jax="the product of the others",
            torch="the product of the others",
        ),
    ],
)
def grad_prod(x, initial=None, y=None, grad_y=None, *, axis=None, dtype=None, keepdims=False, where=True):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    grad_product = grad_y if initial is None else grad_y * initial
    if np.ndim(x) == 0:
        grad_x = grad_product
    elif np.ndim(where) == 0:
        grad_x = grad_product * product_of_others(x, axis=axis)
    else:
        grad_x = np.where(where, grad_product * product_of_others(np.where(where, x, 1), axis=axis), 0)
    grad_initial = grad_y * np.prod(x, axis=axis, dtype=dtype, keepdims=axis is not None, where=where)
    return grad_x, grad_initial


@rule(product_of_others, shape=same, holomorphic=True, elementwise=False, samples=FACTORS)
def grad_product_of_others(x, y, grad_y, *, axis=None):
    itself = np.eye(axes_count(x, axis), dtype=bool)
    # row i holds all factors but the i-th, column k of it is then left out too
    rows = np.where(itself, 1, np.expand_dims(flat_axes(x, axis), -2))
    grad_rows = np.where(itself, 0, np.expand_dims(flat_axes(grad_y, axis), -1))
    grad_flat = np.sum(grad_rows * product_of_others(rows, axis=-1), axis=-2)
    grad_x = unflat_axes(grad_flat, x, axis)
    return grad_x


@rule(flat_axes, shape=_flat_shape, samples=FACTORS, linear=True, view=True)
def grad_flat_axes(x, y, grad_y, *, axis=None):
    grad_x = unflat_axes(grad_y, x, axis)
    return grad_x


@rule(
    unflat_axes,
    shape=_shape_of_like,
    samples=[
        Sample(real(6), real(2, 3), wrt=("x",)),
        Sample(real(3, 4), real(2, 3, 2), axis=(2, 0), wrt=("x",)),
        Sample(real(2, 3), real(3, 2), axis=0, wrt=("x",)),
    ],
    linear=True,
    view=True,
)
def grad_unflat_axes(x, like, y, grad_y, *, axis=None):
    grad_x = flat_axes(grad_y, axis)
    return grad_x


CHOICES = [Sample(real(2, 3)), Sample(real(2, 3), axis=0), Sample(real(2, 3), axis=-1, keepdims=True)]
no_gradient(
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.any, np.all, np.count_nonzero, shape=reduced, samples=CHOICES
)
