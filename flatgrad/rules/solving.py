"""Systems of linear equations: solve, inv, det, slogdet, cholesky of matrices and stacks of matrices.

In: these functions of NumPy. Out: their records. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, unify
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import shape_of


def square(a: Any, **_: Any) -> Shape:
    """The shape of a, whose last two axes have the same size."""
    shape = shape_of(a)
    if len(shape) < 2:
        raise SizeMismatch(f"a matrix is needed, not an array of rank {len(shape)}")
    return (*shape[:-2], *[unify(shape[-2], shape[-1])] * 2)


def each_matrix(a: Any) -> Shape:
    """A number for each matrix."""
    return square(a)[:-2]


def solved(a: Any, b: Any) -> Shape:
    """The shape of b; where that is a stack of matrices, the axes before them broadcast."""
    left, right = square(a), shape_of(b)
    if len(right) == 1:
        return (*left[:-2], unify(left[-1], right[0]))
    if not right:
        raise SizeMismatch("np.linalg.solve for a number")
    unify(left[-1], right[-2])
    return broadcast([left[:-2], right[:-2]]) + right[-2:]


def _well_conditioned(*shape: int) -> Any:
    return real(*shape) / 2 + 2 * np.eye(shape[-1])


def _positive_definite(*shape: int) -> Any:
    factor = _well_conditioned(*shape)
    return factor @ np.swapaxes(factor, -1, -2)


MATRICES = [Sample(_well_conditioned(3, 3)), Sample(_well_conditioned(2, 3, 3))]


@rule(
    np.linalg.solve,
    shape=solved,
    holomorphic=True,
    samples=[
        Sample(_well_conditioned(3, 3), real(3)),
        Sample(_well_conditioned(3, 3), real(3, 2)),
        Sample(_well_conditioned(2, 3, 3), real(2, 3, 2)),
        Sample(_well_conditioned(3, 3), real(2, 3, 2)),
        Sample(_well_conditioned(2, 3, 3), real(3)),
    ],
)
def grad_solve(a, b, y, grad_y):
    turned = a.T if a.ndim == 2 else np.swapaxes(a, -1, -2)
    if b.ndim == 1 and a.ndim > 2:
        grad_b = np.squeeze(np.linalg.solve(turned, np.expand_dims(grad_y, -1)), axis=-1)
        grad_a = -np.expand_dims(grad_b, -1) * np.expand_dims(y, -2)
    elif b.ndim == 1:
        grad_b = np.linalg.solve(turned, grad_y)
        grad_a = -np.outer(grad_b, y)
    else:
        grad_b = np.linalg.solve(turned, grad_y)
        grad_a = -grad_b @ (y.T if y.ndim == 2 else np.swapaxes(y, -1, -2))
    return grad_a, grad_b


@rule(np.linalg.inv, shape=square, holomorphic=True, samples=MATRICES)
def grad_inv(a, y, grad_y):
    turned = y.T if y.ndim == 2 else np.swapaxes(y, -1, -2)
    grad_a = -(turned @ grad_y @ turned)
    return grad_a


@rule(np.linalg.det, shape=each_matrix, holomorphic=True, samples=MATRICES)
def grad_det(a, y, grad_y):
    inverse = np.linalg.inv(a)
    if a.ndim == 2:
        grad_a = grad_y * y * inverse.T
    else:
        grad_a = np.expand_dims(grad_y * y, (-2, -1)) * np.swapaxes(inverse, -1, -2)
    return grad_a


def signs_and_logarithms(a: Any) -> list[Shape]:
    """Two numbers for each matrix."""
    return [each_matrix(a)] * 2


@rule(np.linalg.slogdet, shape=signs_and_logarithms, samples=MATRICES)
def grad_slogdet(a, y, grad_y):
    inverse = np.linalg.inv(a)
    if a.ndim == 2:
        grad_a = grad_y[1] * inverse.T
    else:
        grad_a = np.expand_dims(grad_y[1], (-2, -1)) * np.swapaxes(inverse, -1, -2)
    return grad_a


@rule(
    np.linalg.cholesky,
    shape=square,
    samples=[Sample(_positive_definite(3, 3)), Sample(_positive_definite(2, 3, 3))],
)
def grad_cholesky(a, y, grad_y):
    turned = y.T if y.ndim == 2 else np.swapaxes(y, -1, -2)
    product = turned @ grad_y
    # the lower triangle with half of the diagonal
    lower = (np.tril(product) + np.tril(product, k=-1)) / 2
    left = np.linalg.solve(turned, lower)
    whole = np.linalg.solve(turned, left.T if y.ndim == 2 else np.swapaxes(left, -1, -2))
    both = whole + (whole.T if y.ndim == 2 else np.swapaxes(whole, -1, -2))
    # NumPy reads the lower triangle only
    grad_a = (np.tril(both) + np.tril(both, k=-1)) / 2
    return grad_a
