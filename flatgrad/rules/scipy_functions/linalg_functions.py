"""Functions of matrices of `scipy.linalg`: expm, sqrtm, sinm, cosm, sinhm, coshm, expm_frechet, solve_sylvester.

In: nothing. Out: records in the registry. Layer: rules.

The derivative of such a function f in the direction E is the upper right block of f([[A, E], [0, A]]), and its adjoint is
the derivative at A.T: N. Higham, Functions of Matrices (2008), section 3.1, theorem 3.6 and equation 3.16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from flatgrad.graph.size import Shape, SizeMismatch, unify
from flatgrad.registry import Sample, inline, real, rule
from flatgrad.rules.shapes import dtype_of_first, same, shape_of
from flatgrad.rules.solving import square, well_conditioned


def one_matrix(A: Any) -> Shape:
    """The shape of A."""
    if len(shape_of(A)) != 2:
        raise SizeMismatch(f"a square matrix is needed, not an array of rank {len(shape_of(A))}")
    return square(A)


def derivative_shape(
    A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True, check_finite: bool = True
) -> Shape:
    """The shape of A and E."""
    if compute_expm:
        raise TypeError("scipy.linalg.expm_frechet has a rule with compute_expm=False only")
    rows, columns = one_matrix(A)
    return (unify(rows, shape_of(E)[0]), unify(columns, shape_of(E)[1]))


def sylvester_shape(a: Any, b: Any, q: Any) -> Shape:
    """The shape of q, with the rows of a and the columns of b."""
    rows, columns = shape_of(q)
    return (unify(one_matrix(a)[0], rows), unify(one_matrix(b)[0], columns))


@inline
def triangle_of_blocks(a, direction):
    """Return [[a, direction], [0, a]]."""
    upper = np.concatenate((a, direction), axis=-1)
    lower = np.concatenate((np.zeros_like(a), a), axis=-1)
    return np.concatenate((upper, lower), axis=-2)


@inline
def derivative_in_direction(function, a, direction):
    """Return the derivative of a function of matrices at `a`, times the direction."""
    rows = np.shape(a)[0]
    return function(triangle_of_blocks(a, direction))[:rows, rows:]


MATRICES = [Sample(real(3, 3)), Sample(real(1, 1))]
# their square roots are real
NEAR_IDENTITY = [Sample(well_conditioned(3, 3)), Sample(np.array([[2.5]]))]


@rule(linalg.expm, shape=square, samples=[*MATRICES, Sample(real(2, 2, 2)), Sample(9 * real(2, 2))])
def grad_expm(A, y, grad_y):
    if A.ndim == 2:
        grad_A = linalg.expm_frechet(A.T, grad_y, compute_expm=False)
        if grad_A.dtype != A.dtype:
            grad_A = grad_A.astype(A.dtype)
    else:
        rows = np.shape(A)[-1]
        grad_A = linalg.expm(triangle_of_blocks(A.mT, grad_y))[..., :rows, rows:]
    return grad_A


@rule(
    linalg.expm_frechet,
    shape=derivative_shape,
    samples=[
        Sample(real(3, 3), real(3, 3) + 1, compute_expm=False),
        Sample(real(2, 2), real(2, 2) + 1, method="blockEnlarge", compute_expm=False, check_finite=False),
    ],
)
def grad_expm_frechet(A, E, y, grad_y, *, method=None, compute_expm=True, check_finite=True):
    rows = np.shape(A)[0]
    grad_E = linalg.expm_frechet(A.T, grad_y, method=method, compute_expm=False, check_finite=check_finite)
    # the derivative of grad_E as A.T goes into the direction E.T
    blocks, directions = triangle_of_blocks(A.T, E.T), linalg.block_diag(grad_y, grad_y)
    change = linalg.expm_frechet(blocks, directions, method=method, compute_expm=False, check_finite=check_finite)
    grad_A = change[:rows, rows:]
    return grad_A, grad_E


def real_root(root):
    """Return the square root of a matrix, which has to be real to be differentiated."""
    if np.iscomplexobj(root):
        raise np.linalg.LinAlgError("the square root of a matrix with negative eigenvalues is not differentiated")
    return root


@rule(
    real_root,
    shape=same,
    dtype=dtype_of_first,
    elementwise=False,
    linear=True,
    holomorphic=False,
    samples=[Sample(real(2, 3))],
)
def grad_real_root(root, y, grad_y):
    grad_root = grad_y
    return grad_root


@rule(linalg.sqrtm, shape=one_matrix, samples=NEAR_IDENTITY)
def grad_sqrtm(A, y, grad_y):
    """Return the solution of Y.T @ grad_A + grad_A @ Y.T = grad_y, from Y @ Y = A: Higham (2008), section 6.1."""
    root = real_root(y).T
    grad_A = linalg.solve_sylvester(root, root, grad_y)
    return grad_A


@rule(
    linalg.solve_sylvester,
    shape=sylvester_shape,
    samples=[
        Sample(well_conditioned(3, 3), well_conditioned(2, 2), real(3, 2)),
        Sample(well_conditioned(2, 2), well_conditioned(2, 2) + 1, real(2, 2)),
    ],
)
def grad_solve_sylvester(a, b, q, y, grad_y):
    grad_q = linalg.solve_sylvester(a.T, b.T, grad_y)
    grad_a = -grad_q @ y.T
    grad_b = -y.T @ grad_q
    return grad_a, grad_b, grad_q


@rule(linalg.sinm, shape=one_matrix, samples=MATRICES)
def grad_sinm(A, y, grad_y):
    grad_A = derivative_in_direction(linalg.sinm, A.T, grad_y)
    return grad_A


@rule(linalg.cosm, shape=one_matrix, samples=MATRICES)
def grad_cosm(A, y, grad_y):
    grad_A = derivative_in_direction(linalg.cosm, A.T, grad_y)
    return grad_A


@rule(linalg.sinhm, shape=one_matrix, samples=MATRICES)
def grad_sinhm(A, y, grad_y):
    grad_A = derivative_in_direction(linalg.sinhm, A.T, grad_y)
    return grad_A


@rule(linalg.coshm, shape=one_matrix, samples=MATRICES)
def grad_coshm(A, y, grad_y):
    grad_A = derivative_in_direction(linalg.coshm, A.T, grad_y)
    return grad_A
