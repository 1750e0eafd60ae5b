"""Norms of vectors and matrices: norm, vector_norm, matrix_norm, cond.

In: these functions of NumPy. Out: their records. At 0, where a norm has no derivative, the gradient is 0; what is as large as
the largest shares its gradient. Layer: rules, above `solving`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.registry import Kink, Sample, imaginary, inline, question, real, rule
from flatgrad.rules.complex_numbers import conjugated
from flatgrad.rules.shapes import normal_axes, reduced, shape_of
from flatgrad.rules.solving import MATRICES, each_matrix, well_conditioned

ORDERS_OF_MATRICES = (None, "fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf)


@question
def is_of_matrices(rank: int, ord: Any, axis: Any) -> bool:
    """Tell whether np.linalg.norm takes its argument for matrices, not for vectors."""
    return ord is not None and (rank if axis is None else len(axis) if isinstance(axis, tuple) else 1) == 2


def normed(x: Any, *, ord: Any = None, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Shape:
    """The axes of the vectors or matrices go, or stay with length 1."""
    rank = len(shape_of(x))
    axes = normal_axes(axis, rank)
    if ord is not None and len(axes) > 2:
        raise SizeMismatch(f"this norm of an array of rank {rank}")
    if is_of_matrices(rank, ord, axis):
        _require_order(ord)
        return reduced(x, axis, keepdims=keepdims)
    return vector_normed(x, axis=axis, ord=ord, keepdims=keepdims)


def vector_normed(
    x: Any, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: Any = None
) -> Shape:
    """The axes of the vectors go, or stay with length 1."""
    if isinstance(ord, str):
        raise TypeError(f"ord={ord!r} of a vector is not a norm")
    return reduced(x, axis, keepdims=keepdims)


def matrix_normed(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Shape:
    """The last two axes go, or stay with length 1."""
    if len(shape_of(x)) < 2:
        raise SizeMismatch(f"a matrix is needed, not an array of rank {len(shape_of(x))}")
    _require_order(ord)
    return reduced(x, (-2, -1), keepdims=keepdims)


def _require_order(ord: Any) -> None:
    if ord not in ORDERS_OF_MATRICES:
        raise TypeError(f"ord={ord!r} of a matrix is not a norm")


@inline
def slope_of_vector_norm(x, y, ord, axis):
    """Return the derivative of the norms `y` of vectors; the axes of the vectors have length 1 in `y`."""
    if ord is None or ord == 2 or ord == "fro":
        # 1 stands for a norm of 0, where the gradient is 0
        slope = conjugated(x) / (y + (y == 0))
    elif ord == 0:
        slope = np.zeros_like(x)
    elif ord == 1:
        slope = np.sign(conjugated(x))
    elif abs(ord) == np.inf:
        chosen = np.full_like(x, np.abs(x) == y)
        slope = np.sign(conjugated(x)) * chosen / np.sum(chosen, axis=axis, keepdims=True)
    else:
        size = np.abs(x)
        # 1 stands for an element or a norm of 0, where the gradient is 0
        size = size + (size == 0)
        ratio = size / (y + (y == 0)) if ord > 1 else y / size
        slope = np.sign(conjugated(x)) * ratio ** abs(ord - 1)
    return slope


@inline
def slope_of_matrix_norm(x, y, ord, axis):
    """Return the derivative of the norms `y` of matrices in two axes, which have length 1 in `y`."""
    rows, columns = (0, 1) if axis is None else axis
    is_moved = axis is not None and (rows % x.ndim, columns % x.ndim) != (x.ndim - 2, x.ndim - 1)
    if ord is None or ord == "fro":
        slope = slope_of_vector_norm(x, y, 2, axis)
    elif ord == "nuc" or abs(ord) == 2:
        u, s, vh = np.linalg.svd(
            np.moveaxis(conjugated(x), axis, (-2, -1)) if is_moved else conjugated(x), full_matrices=False
        )
        if ord == "nuc":
            weights = np.sign(s)
        else:
            ends = None if x.ndim == 2 else -1
            end = np.max if ord == 2 else np.min
            chosen = np.full_like(s, s == end(s, axis=ends, keepdims=x.ndim > 2))
            weights = np.sign(s) * chosen / np.sum(chosen, axis=ends, keepdims=x.ndim > 2)
        slope = (u * (weights if x.ndim == 2 else np.expand_dims(weights, -2))) @ vh
        if is_moved:
            slope = np.moveaxis(slope, (-2, -1), axis)
    else:
        sums = np.sum(np.abs(x), axis=rows if abs(ord) == 1 else columns, keepdims=True)
        chosen = np.full_like(sums, sums == y)
        slope = np.sign(conjugated(x)) * chosen / np.sum(chosen, axis=axis, keepdims=True)
    return slope


def uneven(*shape: int) -> Any:
    """Return numbers no two sums of which are equal; evenly spread ones have many."""
    return real(*shape) ** 3 + real(*shape)


VECTORS = [
    Sample(real(4), ord=2),
    Sample(real(4), ord=1),
    Sample(real(2, 3), ord=1, axis=1),
    Sample(real(4), ord=np.inf),
    Sample(real(2, 3), ord=np.inf, axis=0, keepdims=True),
    Sample(real(4), ord=-np.inf),
    Sample(real(4), ord=3),
    Sample(real(2, 3), ord=2.5, axis=1),
    Sample(real(4), ord=0.5),
    Sample(real(4), ord=-1),
    Sample(real(2, 3), ord=-2.5, axis=0),
    Sample(real(4), ord=0),
    *[Sample(imaginary(4), ord=order) for order in (2, 1, np.inf, 3)],
    Sample(imaginary(2, 3), axis=1),
]
ORDERS = ("fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf)
AT_ZERO = (np.array([0.0, 0.0]),), (np.zeros(2),)
ZERO_MATRIX = (np.zeros((2, 3)),), (np.zeros((2, 3)),)


@rule(
    np.linalg.norm,
    shape=normed,
    holomorphic=True,
    samples=[
        Sample(real(4)),
        Sample(real(2, 3)),
        Sample(real(2, 3), axis=0),
        Sample(real(2, 3), axis=-1, keepdims=True),
        Sample(real(2, 3, 2), axis=(0, 2)),
        Sample(real(2, 3, 2)),
        Sample(real(2, 3), keepdims=True),
        *VECTORS,
        *[Sample(uneven(2, 3), ord=order) for order in ORDERS],
        *[Sample(imaginary(2, 3), ord=order) for order in ("fro", "nuc", 2, 1)],
        *[Sample(uneven(2, 3, 4), ord=order, axis=(2, 0)) for order in ("nuc", 2, 1, -np.inf)],
        Sample(real(2, 3), ord=2, keepdims=True),
        Sample(uneven(2, 3, 2), ord=-1, axis=(1, 2), keepdims=True),
        Sample(real(2, 3, 2), ord="nuc", axis=(-2, -1)),
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
        Kink("norm of a zero matrix with ord='fro'", "0", *ZERO_MATRIX, (("ord", "fro"),), jax="nan", torch="0"),
        Kink("norm of a zero matrix with ord=2", "0", *ZERO_MATRIX, (("ord", 2),), "U @ Vh, shared", "U @ Vh, shared"),
        Kink(
            "norm of a zero matrix with ord='nuc'", "0", *ZERO_MATRIX, (("ord", "nuc"),), jax="U @ Vh", torch="U @ Vh"
        ),
        Kink("norm of a zero matrix with ord=1", "0", *ZERO_MATRIX, (("ord", 1),), jax="1, shared", torch="0"),
        Kink(
            "norm of a matrix with ord=1 and ties",
            "shared equally",
            (np.array([[1.0, -2.0], [-3.0, 2.0]]),),
            (np.array([[0.5, -0.5], [-0.5, 0.5]]),),
            (("ord", 1),),
            jax="shared equally",
            torch="shared equally",
        ),
        Kink(
            "norm of a matrix with ord=2 and ties",
            "shared equally",
            (np.eye(2),),
            (np.array([[0.5, 0.0], [0.0, 0.5]]),),
            (("ord", 2),),
            jax="shared equally",
            torch="shared equally",
        ),
    ],
)
def grad_norm(x, y, grad_y, *, ord=None, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    if is_of_matrices(x.ndim, ord, axis):
        slope = slope_of_matrix_norm(x, y, ord, axis)
    else:
        slope = slope_of_vector_norm(x, y, ord, axis)
    grad_x = grad_y * slope
    return grad_x


@rule(
    np.linalg.vector_norm,
    shape=vector_normed,
    holomorphic=True,
    samples=[
        Sample(real(2, 3)),
        Sample(real(2, 3), axis=-1),
        Sample(real(2, 3, 2), axis=(0, 2), keepdims=True, ord=3),
        Sample(real(2, 3), ord=1),
        Sample(real(2, 3), ord=np.inf),
        Sample(real(2, 3), ord=-np.inf, keepdims=True),
        Sample(real(2, 3), ord=0.5, axis=0),
        Sample(real(4), ord=0),
    ],
    kinks=[Kink("vector_norm of zeros", "0", *AT_ZERO, jax="nan", torch="0")],
)
def grad_vector_norm(x, y, grad_y, *, axis=None, keepdims=False, ord=2):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = grad_y * slope_of_vector_norm(x, y, ord, axis)
    return grad_x


@rule(
    np.linalg.matrix_norm,
    shape=matrix_normed,
    samples=[
        Sample(real(2, 3)),
        Sample(real(2, 3), keepdims=True),
        *[Sample(uneven(2, 3, 4), ord=order) for order in ("fro", "nuc", -2, -1, np.inf)],
        Sample(uneven(2, 3, 2), ord=1, keepdims=True),
    ],
    kinks=[Kink("matrix_norm of zeros", "0", *ZERO_MATRIX, jax="nan", torch="0")],
)
def grad_matrix_norm(x, y, grad_y, *, keepdims=False, ord="fro"):
    axis = None if x.ndim == 2 else (-2, -1)
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = grad_y * slope_of_matrix_norm(x, y, ord, axis)
    return grad_x


# Condition numbers


def conditioned(x: Any, *, p: Any = None) -> Shape:
    """A number for each matrix."""
    if p in (None, 2, -2):
        return matrix_normed(x)
    _require_order(p)
    return each_matrix(x)


@rule(
    np.linalg.cond,
    shape=conditioned,
    samples=[
        *MATRICES[:2],
        Sample(real(4, 3)),
        *[Sample(well_conditioned(3, 3), p=order) for order in ORDERS],
        *[Sample(well_conditioned(2, 3, 3), p=order) for order in ("fro", -2, 1)],
    ],
)
def grad_cond(x, y, grad_y, *, p=None):
    axis = None if x.ndim == 2 else (-2, -1)
    if axis is not None:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    if p is None or p == 2 or p == -2:
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        if x.ndim == 2:
            first, last = np.outer(u[:, 0], vh[0]), np.outer(u[:, -1], vh[-1])
        else:
            first, last = u[..., 0, None] * vh[..., 0, None, :], u[..., -1, None] * vh[..., -1, None, :]
        end = s[0 if p == -2 else -1] if x.ndim == 2 else s[..., 0 if p == -2 else -1, None, None]
        slope = (last - y * first if p == -2 else first - y * last) / end
        grad_x = grad_y * slope
    else:
        inverse = np.linalg.inv(x)
        size = np.linalg.norm(x, ord=p, axis=axis, keepdims=axis is not None)
        inverse_size = np.linalg.norm(inverse, ord=p, axis=axis, keepdims=axis is not None)
        through_inverse = inverse.mT @ slope_of_matrix_norm(inverse, inverse_size, p, axis) @ inverse.mT
        slope = inverse_size * slope_of_matrix_norm(x, size, p, axis) - size * through_inverse
        grad_x = grad_y * slope
    return grad_x
