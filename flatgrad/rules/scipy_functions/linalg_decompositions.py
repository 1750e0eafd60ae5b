"""Factorisations and norms of `scipy.linalg`: eigh, eigvalsh, svd, svdvals, qr, lstsq, norm.

In: nothing. Out: records in the registry. Layer: rules. The gradients are those of NumPy's functions, whose rules are read here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from flatgrad.graph.size import Shape, is_natural, minus, number_of
from flatgrad.registry import Kink, Sample, inline, real, rule
from flatgrad.rules import least_squares
from flatgrad.rules.decompositions import (
    grad_qr,
    grad_svd,
    grad_svdvals,
    singular_values,
    singular_vectors,
)
from flatgrad.rules.least_squares import grad_lstsq
from flatgrad.rules.norms import AT_ZERO, VECTORS, grad_norm, is_of_matrices, normed, uneven
from flatgrad.rules.shapes import shape_of
from flatgrad.rules.solving import square
from flatgrad.rules.spectra import grad_eigh, grad_eigvalsh
from flatgrad.rules.static import is_zero

for _rule in (grad_eigh, grad_eigvalsh, grad_lstsq, grad_norm, grad_qr, grad_svd, grad_svdvals):
    inline(_rule)

TALL, WIDE, SQUARE = real(4, 3), real(3, 4), real(3, 3)


def spectrum(
    a: Any, *, lower: bool = True, eigvals_only: bool = False, check_finite: bool = True, driver: str | None = None
) -> Shape | list[Shape]:
    """The eigenvalues, and as many columns."""
    return square(a)[:-1] if eigvals_only else [square(a)[:-1], square(a)]


def eigenvalues(a: Any, *, lower: bool = True, check_finite: bool = True, driver: str | None = None) -> Shape:
    """As many numbers as the matrix has rows."""
    return square(a)[:-1]


SYMMETRIC = [Sample(SQUARE), Sample(SQUARE.T, lower=False), Sample(real(1, 1))]


@rule(
    linalg.eigh,
    shape=spectrum,
    samples=[*SYMMETRIC, Sample(SQUARE, eigvals_only=True), Sample(SQUARE, driver="evd", check_finite=False)],
)
def grad_scipy_eigh(a, y, grad_y, *, lower=True, eigvals_only=False, check_finite=True, driver=None):
    triangle = "L" if lower else "U"
    grad_a = grad_eigvalsh(a, y, grad_y, UPLO=triangle) if eigvals_only else grad_eigh(a, y, grad_y, UPLO=triangle)
    return grad_a


@rule(linalg.eigvalsh, shape=eigenvalues, samples=SYMMETRIC)
def grad_scipy_eigvalsh(a, y, grad_y, *, lower=True, check_finite=True, driver=None):
    grad_a = grad_eigvalsh(a, y, grad_y, UPLO="L" if lower else "U")
    return grad_a


def svd_shape(
    a: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Shape | list[Shape]:
    """The columns of U, the numbers s, the rows of Vh."""
    return singular_vectors(a, full_matrices=full_matrices, compute_uv=compute_uv)


def svdvals_shape(a: Any, *, check_finite: bool = True) -> Shape:
    """As many numbers as the matrix has rows or columns, whichever are fewer."""
    return singular_values(a)


@rule(
    linalg.svd,
    shape=svd_shape,
    samples=[
        Sample(TALL, full_matrices=False),
        Sample(WIDE, full_matrices=False, lapack_driver="gesvd"),
        Sample(SQUARE),
        Sample(TALL),
        Sample(WIDE, check_finite=False),
        Sample(TALL, compute_uv=False),
    ],
)
def grad_scipy_svd(a, y, grad_y, *, full_matrices=True, compute_uv=True, check_finite=True, lapack_driver="gesdd"):
    grad_a = grad_svd(a, y, grad_y, full_matrices=full_matrices, compute_uv=compute_uv)
    return grad_a


@rule(linalg.svdvals, shape=svdvals_shape, samples=[Sample(TALL), Sample(WIDE), Sample(SQUARE)])
def grad_scipy_svdvals(a, y, grad_y, *, check_finite=True):
    grad_a = grad_svdvals(a, y, grad_y)
    return grad_a


def qr_shape(a: Any, *, lwork: int | None = None, mode: str = "full", check_finite: bool = True) -> list[Shape]:
    """Q has the rows of a, R its columns."""
    if mode not in ("full", "r", "economic"):
        raise TypeError(f"scipy.linalg.qr with mode={mode!r} has no rule")
    rows, columns = shape_of(a)
    more_columns = minus(columns, rows)
    if mode != "economic" and not is_natural(more_columns) and number_of(more_columns) < 0:
        # the columns that are added to Q are any basis of what is left
        raise TypeError(
            f"scipy.linalg.qr with mode={mode!r} has a rule for matrices with no more rows than columns only; "
            "write mode='economic'"
        )
    (least,) = singular_values(a)
    return [(least, columns)] if mode == "r" else [(rows, least), (least, columns)]


@rule(
    linalg.qr,
    shape=qr_shape,
    samples=[
        Sample(SQUARE),
        Sample(WIDE),
        Sample(TALL, mode="economic"),
        Sample(WIDE, mode="economic", check_finite=False),
        Sample(SQUARE, mode="r"),
        Sample(WIDE, mode="r"),
    ],
)
def grad_scipy_qr(a, y, grad_y, *, lwork=None, mode="full", check_finite=True):
    grad_a = grad_qr(a, y[0], grad_y[0], mode="r") if mode == "r" else grad_qr(a, y, grad_y)
    return grad_a


def norm_shape(
    a: Any,
    *,
    ord: Any = None,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    check_finite: bool = True,
) -> Shape:
    """The axes of the vectors or matrices go, or stay with length 1."""
    return normed(a, ord=ord, axis=axis, keepdims=keepdims)


@rule(
    linalg.norm,
    shape=norm_shape,
    holomorphic=True,
    samples=[
        Sample(real(4)),
        Sample(real(2, 3)),
        Sample(real(2, 3), axis=0),
        Sample(real(2, 3), axis=-1, keepdims=True, check_finite=False),
        *VECTORS,
        *[Sample(uneven(2, 3), ord=order) for order in ("fro", "nuc", 2, -2, 1, -np.inf)],
        Sample(uneven(2, 3, 4), ord="nuc", axis=(2, 0)),
    ],
    kinks=[Kink("scipy.linalg.norm of zeros", "0", *AT_ZERO, torch="0")],
)
def grad_scipy_norm(a, y, grad_y, *, ord=None, axis=None, keepdims=False, check_finite=True):
    if is_of_matrices(a.ndim, ord, axis) and not isinstance(ord, str) and abs(ord) != 2:
        # LAPACK adds up in another order than NumPy, in whose sums the greatest is looked for
        y = np.linalg.norm(a, ord=ord, axis=axis, keepdims=keepdims)
    grad_a = grad_norm(a, y, grad_y, ord=ord, axis=axis, keepdims=keepdims)
    return grad_a


# Least squares


def solved_in_squares(
    a: Any, b: Any, *, cond: float | None = None, check_finite: bool = True, lapack_driver: str | None = None
) -> list[Shape]:
    """The solutions, the sums of squares that are left, the rank, the singular values."""
    if lapack_driver not in (None, "gelsd", "gelss"):
        raise TypeError(f"scipy.linalg.lstsq with lapack_driver={lapack_driver!r} has no rule")
    solutions, squares, rank, values = least_squares.solved_in_squares(a, b)
    if len(shape_of(b)) == 1 and number_of(minus(*shape_of(a))) > 0:
        squares = ()
    return [solutions, squares, rank, values]


def dtypes_in_squares(a: Any, b: Any, **_: Any) -> list[np.dtype[Any]]:
    """The rank is a whole number."""
    return least_squares.dtypes_in_squares(a, b)


@rule(
    linalg.lstsq,
    shape=solved_in_squares,
    dtype=dtypes_in_squares,
    samples=[
        Sample(TALL, real(4)),
        Sample(TALL, real(4, 2), cond=1e-10),
        Sample(SQUARE, real(3, 2), check_finite=False),
        Sample(WIDE, real(3)),
        Sample(WIDE, real(3, 2), lapack_driver="gelss"),
    ],
)
def grad_scipy_lstsq(a, b, y, grad_y, *, cond=None, check_finite=True, lapack_driver=None):
    x, squares, rank, s = y
    grad_x, grad_squares, grad_rank, grad_s = grad_y
    if np.ndim(squares) == 0:
        # NumPy has an array of one number
        squares = np.expand_dims(squares, 0)
        if not is_zero(grad_squares):
            grad_squares = np.expand_dims(grad_squares, 0)
    grad_a, grad_b = grad_lstsq(a, b, (x, squares, rank, s), (grad_x, grad_squares, grad_rank, grad_s), rcond=cond)
    return grad_a, grad_b
