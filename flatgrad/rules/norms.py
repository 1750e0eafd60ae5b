"""Norms of vectors and matrices: np.linalg.norm.

In: nothing. Out: its record. At 0, where a norm has no derivative, the gradient is 0. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.shapes import normal_axes, reduced, shape_of


def normed(x: Any, *, ord: Any = None, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Shape:
    """The axes of the vectors or matrices go, or stay with length 1."""
    rank = len(shape_of(x))
    axes = normal_axes(axis, rank)
    if ord is not None and len(axes) > 2:
        raise SizeMismatch(f"this norm of an array of rank {rank}")
    if ord is not None and len(axes) == 2 and ord != "fro":
        raise TypeError(f"ord={ord!r} of a matrix has no rule; the Frobenius norm has one")
    if len(axes) == 1 and isinstance(ord, str):
        raise TypeError(f"ord={ord!r} of a vector")
    return reduced(x, axis, keepdims=keepdims)


AT_ZERO = (np.array([0.0, 0.0]),), (np.zeros(2),)


@rule(
    np.linalg.norm,
    shape=normed,
    samples=[
        Sample(real(4)),
        Sample(real(2, 3)),
        Sample(real(2, 3), axis=0),
        Sample(real(2, 3), axis=-1, keepdims=True),
        Sample(real(2, 3), ord="fro"),
        Sample(real(2, 3, 2), axis=(0, 2)),
        Sample(real(2, 3, 2)),
        Sample(real(2, 3), keepdims=True),
        Sample(real(4), ord=2),
        Sample(real(4), ord=1),
        Sample(real(2, 3), ord=1, axis=1),
        Sample(real(4), ord=np.inf),
        Sample(real(2, 3), ord=np.inf, axis=0, keepdims=True),
        Sample(real(4), ord=-np.inf),
        Sample(real(4), ord=3),
        Sample(real(2, 3), ord=2.5, axis=1),
        Sample(real(4), ord=0.5),
    ],
    kinks=[
        Kink("norm of zeros", "0", *AT_ZERO, jax="nan", torch="0"),
        Kink("norm of zeros with ord=1", "0", *AT_ZERO, attributes=(("ord", 1),), jax="1", torch="0"),
        Kink("norm of zeros with ord=3", "0", *AT_ZERO, attributes=(("ord", 3),), jax="nan", torch="0"),
        Kink(
            "norm with ord=inf and ties",
            "shared equally",
            (np.array([1.0, -3.0, 3.0]),),
            (np.array([0.0, -0.5, 0.5]),),
            attributes=(("ord", np.inf),),
            jax="shared equally",
            torch="shared equally",
        ),
    ],
)
def grad_norm(x, y, grad_y, *, ord=None, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    if ord is None or ord == 2 or ord == "fro":
        # 1 stands for a norm of 0, where the gradient is 0
        length = y + (y == 0)
        grad_x = grad_y / length * x
    elif ord == 1:
        grad_x = grad_y * np.sign(x)
    elif abs(ord) == np.inf:
        chosen = np.full_like(x, np.abs(x) == y)
        grad_x = grad_y * np.sign(x) * chosen / np.sum(chosen, axis=axis, keepdims=True)
    else:
        length = y + (y == 0)
        size = np.abs(x)
        # 1 stands for an element of 0, where the gradient is 0
        grad_x = grad_y * np.sign(x) * ((size + (size == 0)) / length) ** (ord - 1)
    return grad_x
