"""Reductions over axes: sum, mean, prod, max, min, var, std, and those without a gradient.

In: nothing. Out: records in the registry. Layer: rules.

A gradient that comes in without the reduced axes gets them back with length 1 first, so that it lines up with x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, product
from flatgrad.registry import Kink, Sample, no_gradient, positive, real, rule
from flatgrad.rules.shapes import normal_axes, reduced, same, shape_of
from flatgrad.rules.static import axes_count

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
SPREADS = [*AXES, Sample(real(2, 3), axis=1, ddof=1), Sample(real(5), ddof=1, keepdims=True)]


@rule(np.sum, shape=reduced, samples=AXES, linear=True)
def grad_sum(x, y, grad_y, *, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = np.full_like(x, grad_y)
    return grad_x


@rule(np.mean, shape=reduced, samples=AXES, linear=True)
def grad_mean(x, y, grad_y, *, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = np.full_like(x, grad_y / axes_count(x, axis))
    return grad_x


@rule(np.var, shape=reduced, samples=SPREADS)
def grad_var(x, y, grad_y, *, axis=None, ddof=0, keepdims=False):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    mean = np.mean(x) if axis is None else np.mean(x, axis=axis, keepdims=True)
    centered = x - mean
    grad_x = grad_y * 2 / (axes_count(x, axis) - ddof) * centered
    return grad_x


@rule(
    np.std,
    shape=reduced,
    samples=SPREADS,
    kinks=[Kink("std of equal numbers", "0", (np.array([2.0, 2.0, 2.0]),), (np.zeros(3),), jax="nan", torch="0")],
)
def grad_std(x, y, grad_y, *, axis=None, ddof=0, keepdims=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    mean = np.mean(x) if axis is None else np.mean(x, axis=axis, keepdims=True)
    centered = x - mean
    # 1 stands for a spread of 0, where the gradient is 0
    spread = y + (y == 0)
    grad_x = grad_y / ((axes_count(x, axis) - ddof) * spread) * centered
    return grad_x


@rule(
    np.min,
    np.amin,
    shape=reduced,
    samples=AXES,
    kinks=[
        Kink(
            "min with ties",
            "shared equally",
            (np.array([1.0, 1.0, 3.0]),),
            (np.array([0.5, 0.5, 0.0]),),
            jax="shared equally",
            torch="shared equally",
        )
    ],
)
@rule(
    np.max,
    np.amax,
    shape=reduced,
    samples=AXES,
    kinks=[
        Kink(
            "max with ties",
            "shared equally",
            (np.array([1.0, 3.0, 3.0]),),
            (np.array([0.0, 0.5, 0.5]),),
            jax="shared equally",
            torch="shared equally",
        )
    ],
)
def grad_extreme(x, y, grad_y, *, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    chosen = np.full_like(x, x == y)
    grad_x = grad_y * chosen / np.sum(chosen, axis=axis, keepdims=True)
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
    shape=reduced,
    holomorphic=True,
    samples=[*AXES, Sample(WITH_ZEROS, axis=1)],
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
def grad_prod(x, y, grad_y, *, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = grad_y * product_of_others(x, axis)
    return grad_x


@rule(product_of_others, shape=same, holomorphic=True, elementwise=False, samples=FACTORS)
def grad_product_of_others(x, y, grad_y, *, axis=None):
    itself = np.eye(axes_count(x, axis), dtype=bool)
    # row i holds all factors but the i-th, column k of it is then left out too
    rows = np.where(itself, 1, np.expand_dims(flat_axes(x, axis), -2))
    grad_rows = np.where(itself, 0, np.expand_dims(flat_axes(grad_y, axis), -1))
    grad_flat = np.sum(grad_rows * product_of_others(rows, -1), axis=-2)
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
no_gradient(np.argmax, np.argmin, np.any, np.all, np.count_nonzero, shape=reduced, samples=CHOICES)
