"""Eigenvalues and eigenvectors: eigh, eigvalsh of symmetric matrices, eig, eigvals of matrices with real eigenvalues.

In: these functions of NumPy. Out: their records. Each rule writes what the results that are used need. Layer: rules,
above `decompositions` and `solving`.

Eigenvectors of equal eigenvalues have no derivative, for any turn of them is as good: where vectors are used, the gradient
is nan then, as it is in JAX and PyTorch. Where only eigenvalues are used, it is finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.decompositions import as_row
from flatgrad.rules.shapes import dtype_of_first, same
from flatgrad.rules.solving import square
from flatgrad.rules.static import is_zero

RESULTS = ("eigenvalues", "eigenvectors")


def eigenvalues_shape(a: Any, **_: Any) -> Shape:
    """As many numbers for each matrix as it has rows."""
    return square(a)[:-1]


def eigenvectors_shape(a: Any, **_: Any) -> list[Shape]:
    """The eigenvalues, and as many columns."""
    return [square(a)[:-1], square(a)]


def triangle_shape(a: Any, *, UPLO: str = "L") -> Shape:  # noqa: N803 - NumPy's name
    """As many numbers for each matrix as it has rows."""
    return eigenvalues_shape(a)


def both_of_triangle(a: Any, *, UPLO: str = "L") -> list[Shape]:  # noqa: N803
    """The eigenvalues, and as many columns."""
    return eigenvectors_shape(a)


SYMMETRIC = [
    Sample(real(3, 3)),
    Sample(real(3, 3), UPLO="U"),
    Sample(real(2, 3, 3)),
    Sample(real(2, 3, 3), UPLO="u"),
    Sample(real(1, 1)),
]
TIES = "where vectors are used"


@rule(np.linalg.eigvalsh, shape=triangle_shape, samples=SYMMETRIC)
def grad_eigvalsh(a, y, grad_y, *, UPLO="L"):
    v = np.linalg.eigh(a, UPLO=UPLO)[1]
    whole = (v * as_row(grad_y)) @ v.mT
    grad_a = np.triu(whole) + np.triu(whole, k=1) if UPLO in ("U", "u") else np.tril(whole) + np.tril(whole, k=-1)
    return grad_a


@rule(
    np.linalg.eigh,
    shape=both_of_triangle,
    results=RESULTS,
    samples=SYMMETRIC,
    kinks=[
        Kink(
            f"eigh with equal eigenvalues, {TIES}",
            "nan",
            (np.eye(2),),
            (np.array([[np.nan, 0.0], [np.nan, np.nan]]),),
            jax="nan",
            torch="nan",
        )
    ],
)
def grad_eigh(a, y, grad_y, *, UPLO="L"):
    """Return the gradient of M. Giles, Collected matrix derivative results (2008), section 3.1.

    NumPy reads one triangle only, so that the gradient of the other one is added to that of this one.
    """
    w, v = y
    grad_w, grad_v = grad_y
    if is_zero(grad_v):
        left = v * as_row(grad_w)
    else:
        turn = v.mT @ grad_v
        column = w[:, None] if a.ndim == 2 else w[..., None]
        # 1 stands for the gap of an eigenvalue to itself
        gaps = as_row(w) - column + np.eye(w.shape[-1], dtype=w.dtype)
        turned = v @ ((turn - turn.mT) / (2 * gaps))
        left = turned if is_zero(grad_w) else v * as_row(grad_w) + turned
    whole = left @ v.mT
    grad_a = np.triu(whole) + np.triu(whole, k=1) if UPLO in ("U", "u") else np.tril(whole) + np.tril(whole, k=-1)
    return grad_a


# Matrices that are not symmetric


def real_spectrum(x):
    """Return eigenvalues or eigenvectors, which have to be real to be differentiated."""
    if np.iscomplexobj(x):
        raise np.linalg.LinAlgError("complex eigenvalues are not differentiated")
    return x


def _spectrum(*shape: int) -> Any:
    """Matrices with real eigenvalues that are apart."""
    vectors = real(*shape) / 2 + np.eye(shape[-1])
    return (vectors * (1.5 * np.arange(shape[-1]) - 1.1)) @ np.linalg.inv(vectors)


REAL_SPECTRA = [Sample(_spectrum(3, 3)), Sample(_spectrum(2, 3, 3)), Sample(real(1, 1))]


@rule(
    real_spectrum,
    shape=same,
    dtype=dtype_of_first,
    elementwise=False,
    linear=True,
    holomorphic=False,
    samples=[Sample(real(2, 3))],
)
def grad_real_spectrum(x, y, grad_y):
    grad_x = grad_y
    return grad_x


@rule(np.linalg.eigvals, shape=eigenvalues_shape, samples=REAL_SPECTRA)
def grad_eigvals(a, y, grad_y):
    v = real_spectrum(np.linalg.eig(a)[1])
    grad_a = np.linalg.solve(v.mT, (v * as_row(grad_y)).mT)
    return grad_a


@rule(
    np.linalg.eig,
    shape=eigenvectors_shape,
    results=RESULTS,
    samples=REAL_SPECTRA,
    kinks=[
        Kink(
            f"eig with equal eigenvalues, {TIES}",
            "nan",
            (np.eye(2),),
            (np.full((2, 2), np.nan),),
            jax="not implemented",
            torch="nan",
        )
    ],
)
def grad_eig(a, y, grad_y):
    """Return the gradient of M. Giles, Collected matrix derivative results (2008), section 3.1.

    The eigenvectors have a length of 1, which takes away from their gradients what would make them longer.
    """
    w, v = y
    grad_w, grad_v = grad_y
    v = real_spectrum(v)
    if is_zero(grad_v):
        whole = (v * as_row(grad_w)).mT
    else:
        column = w[:, None] if a.ndim == 2 else w[..., None]
        # 1 stands for the gap of an eigenvalue to itself
        gaps = as_row(w) - column + np.eye(w.shape[-1], dtype=w.dtype)
        longer = np.sum(v * grad_v, axis=-2, keepdims=True)
        turn = v.mT @ (grad_v - v * longer)
        turned = (turn / gaps) @ v.mT
        whole = turned if is_zero(grad_w) else turned + (v * as_row(grad_w)).mT
    grad_a = np.linalg.solve(v.mT, whole)
    return grad_a
