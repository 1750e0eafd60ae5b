"""Systems of linear equations: solve, inv, det, slogdet, cholesky of matrices and stacks of matrices.

In: these functions of NumPy. Out: their records. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, unify
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.static import is_zero


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


def well_conditioned(*shape: int) -> Any:
    """Return square matrices for samples that are far from singular."""
    return real(*shape) / 2 + 2 * np.eye(shape[-1])


def _positive_definite(*shape: int) -> Any:
    factor = well_conditioned(*shape)
    return factor @ np.swapaxes(factor, -1, -2)


MATRICES = [Sample(well_conditioned(3, 3)), Sample(well_conditioned(2, 3, 3)), Sample(well_conditioned(1, 1))]


@rule(
    np.linalg.solve,
    shape=solved,
    holomorphic=True,
    samples=[
        Sample(well_conditioned(3, 3), real(3)),
        Sample(well_conditioned(3, 3), real(3, 2)),
        Sample(well_conditioned(2, 3, 3), real(2, 3, 2)),
        Sample(well_conditioned(3, 3), real(2, 3, 2)),
        Sample(well_conditioned(2, 3, 3), real(3, 2)),
        Sample(well_conditioned(2, 1, 3, 3), real(4, 3, 2)),
        Sample(well_conditioned(2, 3, 3), real(3)),
    ],
)
def grad_solve(a, b, y, grad_y):
    if b.ndim == 1 and a.ndim > 2:
        grad_b = np.squeeze(np.linalg.solve(a.mT, np.expand_dims(grad_y, -1)), axis=-1)
        grad_a = -np.expand_dims(grad_b, -1) * np.expand_dims(y, -2)
    elif b.ndim == 1:
        grad_b = np.linalg.solve(a.T, grad_y)
        grad_a = -np.outer(grad_b, y)
    else:
        grad_b = np.linalg.solve(a.mT, grad_y)
        grad_a = -(grad_b @ y.mT)
    return grad_a, grad_b


@rule(np.linalg.inv, shape=square, holomorphic=True, samples=MATRICES)
def grad_inv(a, y, grad_y):
    grad_a = -(y.mT @ grad_y @ y.mT)
    return grad_a


# Determinants


def cofactors(a):
    """Return the matrix of cofactors of each matrix: the derivative of its determinant, also where that is 0."""
    determinant = np.linalg.det(a)
    if np.all(determinant):
        return determinant[..., None, None] * np.linalg.inv(a).mT
    # the inverse does not exist: multiply the other singular values
    u, s, vh = np.linalg.svd(a)
    others = np.prod(np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]), axis=-1)
    return np.linalg.det(u @ vh)[..., None, None] * np.conj((u * others[..., None, :]) @ vh)


SINGULAR = np.array([[1.0, 2.0, 0.5], [2.0, 4.0, 1.0], [0.7, -1.0, 0.3]])
RANK_ONE = np.array([[1.0, 2.0, 0.5], [2.0, 4.0, 1.0], [-1.0, -2.0, -0.5]])


@rule(
    np.linalg.det,
    shape=each_matrix,
    holomorphic=True,
    samples=[*MATRICES, Sample(SINGULAR), Sample(RANK_ONE), Sample(np.stack([SINGULAR, well_conditioned(3, 3)]))],
)
def grad_det(a, y, grad_y):
    grad_a = (grad_y if a.ndim == 2 else np.expand_dims(grad_y, (-2, -1))) * cofactors(a)
    return grad_a


@rule(
    cofactors,
    shape=square,
    dtype=dtype_of_first,
    samples=[*MATRICES, Sample(SINGULAR), Sample(RANK_ONE, second=False)],
)
def grad_cofactors(a, y, grad_y):
    u, s, vh = np.linalg.svd(a)
    itself = np.eye(s.shape[-1], dtype=bool)
    # the products of all singular values but two; of a pair of the same there is none
    others = np.where(itself, 0, np.prod(np.where(itself | itself[:, None], 1, s[..., None, None, :]), axis=-1))
    change = u.mT @ grad_y @ vh.mT
    diagonal = others @ np.expand_dims(np.diagonal(change, axis1=-2, axis2=-1), -1)
    turned = np.where(itself, diagonal, -others * change.mT)
    grad_a = np.expand_dims(np.linalg.det(u @ vh), (-2, -1)) * (u @ turned @ vh)
    return grad_a


def signs_and_logarithms(a: Any) -> list[Shape]:
    """Two numbers for each matrix."""
    return [each_matrix(a)] * 2


@rule(np.linalg.slogdet, shape=signs_and_logarithms, results=("sign", "logabsdet"), samples=MATRICES)
def grad_slogdet(a, y, grad_y):
    if is_zero(grad_y[1]):
        # the sign has steps only
        grad_a = np.zeros_like(a)
    else:
        grad_logarithm = grad_y[1] if a.ndim == 2 else np.expand_dims(grad_y[1], (-2, -1))
        grad_a = grad_logarithm * np.linalg.inv(a).mT
    return grad_a


# The root of a matrix


@rule(
    np.linalg.cholesky,
    shape=square,
    samples=[
        Sample(_positive_definite(3, 3)),
        Sample(_positive_definite(2, 3, 3)),
        Sample(_positive_definite(3, 3), upper=True),
        Sample(_positive_definite(2, 3, 3), upper=True),
        Sample(_positive_definite(1, 1)),
    ],
)
def grad_cholesky(a, y, grad_y, *, upper=False):
    """Return the gradient of I. Murray, Differentiation of the Cholesky decomposition (2016), section 3, equation 10.

    NumPy reads one triangle only, so that the gradient of the other one is added to that of this one.
    """
    if upper:
        product = grad_y @ y.mT
        # the upper triangle with half of the diagonal
        triangle = (np.triu(product) + np.triu(product, k=1)) / 2
        left = np.linalg.solve(y, triangle)
        whole = np.linalg.solve(y, left.mT)
        grad_a = np.triu(whole) + np.tril(whole, k=-1).mT
    else:
        product = y.mT @ grad_y
        # the lower triangle with half of the diagonal
        triangle = (np.tril(product) + np.tril(product, k=-1)) / 2
        left = np.linalg.solve(y.mT, triangle)
        whole = np.linalg.solve(y.mT, left.mT)
        grad_a = np.tril(whole) + np.triu(whole, k=1).mT
    return grad_a
