"""Matrices as products of simpler ones: svd, svdvals, qr of matrices and stacks of matrices.

In: these functions of NumPy. Out: their records. Each rule writes what the results that are used need. Layer: rules,
above `diagonals`.

Singular vectors of equal singular values have no derivative, for any turn of them is as good: where vectors are used, the
gradient is nan then, as it is in JAX and PyTorch. Where only singular values are used, it is finite. The vectors that
`full_matrices` adds are a basis like any other of the space that they span: a result that depends on its choice is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch
from flatgrad.registry import Kink, Sample, inline, real, rule
from flatgrad.rules.diagonals import diagonal_length
from flatgrad.rules.shapes import dtype_of_first, same, shape_of
from flatgrad.rules.static import is_tall, is_zero


def _rows_and_columns(a: Any) -> tuple[Shape, Size, Size]:
    shape = shape_of(a)
    if len(shape) < 2:
        raise SizeMismatch(f"a matrix is needed, not an array of rank {len(shape)}")
    return shape[:-2], shape[-2], shape[-1]


def singular_values(a: Any) -> Shape:
    """As many numbers for each matrix as it has rows or columns, whichever are fewer."""
    before, rows, columns = _rows_and_columns(a)
    return (*before, diagonal_length(rows, columns, 0))


def singular_vectors(a: Any, *, full_matrices: bool = True, compute_uv: bool = True) -> Shape | list[Shape]:
    """The columns of U, the numbers S, the rows of Vh."""
    if not compute_uv:
        return singular_values(a)
    before, rows, columns = _rows_and_columns(a)
    least = diagonal_length(rows, columns, 0)
    left, right = (rows, columns) if full_matrices else (least, least)
    return [(*before, rows, left), (*before, least), (*before, right, columns)]


def of_any_basis(grad_basis, basis):
    """Return the gradient of the vectors of a basis, which must stay the same where another basis of their space is taken."""
    turn = basis.mT @ grad_basis
    rounding = np.sqrt(np.finfo(turn.dtype).eps) * np.max(np.abs(grad_basis), initial=0)
    if np.any(np.abs(turn - turn.mT) > rounding):
        raise np.linalg.LinAlgError("the result depends on which basis of a null space np.linalg.svd returns")
    return grad_basis


@rule(
    of_any_basis,
    shape=same,
    elementwise=False,
    dtype=dtype_of_first,
    linear=True,
    holomorphic=False,
    samples=[Sample(real(3, 1), real(3, 1), wrt=("grad_basis",))],
)
def grad_of_any_basis(grad_basis, basis, y, grad_y):
    grad_grad_basis = grad_y
    return grad_grad_basis


@inline
def as_row(numbers):
    """Return numbers, or those of each of a stack, as what multiplies the columns of a matrix."""
    return numbers if numbers.ndim == 1 else np.expand_dims(numbers, -2)


@inline
def gradient_of_turns(s, turn_u, turn_vh):
    """Return the gradient of U.T @ a @ Vh.T by how it turns the vectors of U and Vh; None stands for those without one."""
    row, column = as_row(s), s[:, None] if s.ndim == 1 else s[..., None]
    # 1 stands for the gap of a singular value to itself
    gaps = (row - column) * (row + column) + np.eye(s.shape[-1], dtype=s.dtype)
    if turn_vh is None:
        turns = (turn_u - turn_u.mT) / gaps * row
    elif turn_u is None:
        turns = (turn_vh - turn_vh.mT) / gaps * column
    else:
        turns = ((turn_u - turn_u.mT) * row + (turn_vh - turn_vh.mT) * column) / gaps
    return turns


TALL, WIDE, SQUARE = real(4, 3), real(3, 4), real(3, 3)
SHAPES = [Sample(TALL), Sample(WIDE), Sample(SQUARE), Sample(real(2, 4, 3)), Sample(real(2, 2, 3)), Sample(real(1, 1))]


@rule(np.linalg.svdvals, shape=singular_values, samples=SHAPES)
def grad_svdvals(a, y, grad_y):
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    grad_a = (u * as_row(grad_y)) @ vh
    return grad_a


@rule(
    np.linalg.svd,
    shape=singular_vectors,
    results=("U", "S", "Vh"),
    kinks=[
        Kink(
            "svd with equal singular values, where vectors are used",
            "nan",
            (np.eye(2),),
            (np.full((2, 2), np.nan),),
            jax="nan",
            torch="nan",
        )
    ],
    samples=[
        Sample(TALL, full_matrices=False),
        Sample(WIDE, full_matrices=False),
        Sample(real(5, 2), full_matrices=False),
        Sample(SQUARE),
        Sample(TALL),
        Sample(WIDE),
        Sample(real(2, 3, 3)),
        Sample(real(2, 4, 3), full_matrices=False),
        Sample(real(2, 2, 3)),
        Sample(real(1, 1)),
        Sample(real(2, 1)),
        Sample(TALL, compute_uv=False),
        Sample(real(2, 2, 3), compute_uv=False),
    ],
)
def grad_svd(a, y, grad_y, *, full_matrices=True, compute_uv=True):
    """Return the gradient of J. Townsend, Differentiating the singular value decomposition (2016), equations 29 to 31.

    What `full_matrices` adds goes by the same equations, with singular values of 0.
    """
    if compute_uv:
        u, s, vh = y
        grad_u, grad_s, grad_vh = grad_y
        has_u, has_vh = not is_zero(grad_u), not is_zero(grad_vh)
        is_padded = full_matrices and not (is_tall(a) and is_tall(a.mT))
    else:
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        grad_s = grad_y
        has_u, has_vh, is_padded = False, False, False
    if is_padded:
        count = s.shape[-1]
        null_u, null_vh = u[..., count:], vh[..., count:, :]
        grad_null_u = of_any_basis(grad_u[..., count:], null_u)
        grad_null_vh = of_any_basis(grad_vh[..., count:, :].mT, null_vh.mT).mT
        u, grad_u = u[..., :count], grad_u[..., :count]
        vh, grad_vh = vh[..., :count, :], grad_vh[..., :count, :]
    turn_u: Any = u.mT @ grad_u if has_u else None
    turn_vh: Any = vh @ grad_vh.mT if has_vh else None
    left = u * as_row(grad_s)
    if has_u or has_vh:
        turned = u @ gradient_of_turns(s, turn_u, turn_vh)
        left = turned if is_zero(grad_s) else left + turned
    if has_u and is_padded:
        left = left + null_u @ (null_u.mT @ grad_u - grad_null_u.mT @ u) / as_row(s)
    elif has_u and not is_tall(a.mT):
        left = left + (grad_u - u @ turn_u) / as_row(s)
    grad_a = left @ vh
    if has_vh and is_padded:
        grad_a = grad_a + (u / as_row(s)) @ (grad_vh @ null_vh.mT - vh @ grad_null_vh.mT) @ null_vh
    elif has_vh and not is_tall(a):
        grad_a = grad_a + (u / as_row(s)) @ (grad_vh - turn_vh.mT @ vh)
    return grad_a


def orthogonal_and_triangular(a: Any, *, mode: str = "reduced") -> Shape | list[Shape]:
    """Q has the rows of a, R its columns."""
    if mode not in ("reduced", "r"):
        raise TypeError(f"np.linalg.qr is differentiated with mode='reduced' and mode='r', not with mode={mode!r}")
    before, rows, columns = _rows_and_columns(a)
    least = diagonal_length(rows, columns, 0)
    triangular = (*before, least, columns)
    return triangular if mode == "r" else [(*before, rows, least), triangular]


@rule(
    np.linalg.qr,
    shape=orthogonal_and_triangular,
    results=("Q", "R"),
    samples=[*SHAPES, Sample(TALL, mode="r"), Sample(WIDE, mode="r"), Sample(real(2, 3, 3), mode="r")],
)
def grad_qr(a, y, grad_y, *, mode="reduced"):
    """Return the gradient of Walter and Lehmann, Algorithmic differentiation of linear algebra functions (2018).

    The further columns of a wide matrix are Q @ R themselves, as in Roberts and Roberts, QR and LQ decomposition matrix
    backpropagation algorithms (2020).
    """
    if mode == "r":
        q, r = np.linalg.qr(a)
        grad_r = grad_y
    else:
        q, r = y
        grad_q, grad_r = grad_y
    has_q = mode != "r" and not is_zero(grad_q)
    has_r = not is_zero(grad_r)
    is_wide = not is_tall(a)
    if is_wide:
        # the first columns make a square R; the further ones are Q times their part of R
        count = r.shape[-2]
        further, grad_further = a[..., count:], grad_r[..., count:]
        r, grad_r = r[..., :count], grad_r[..., :count]
    if is_wide and has_r and has_q:
        grad_q = grad_q + further @ grad_further.mT
    elif is_wide and has_r:
        grad_q = further @ grad_further.mT
    has_q = has_q or (is_wide and has_r)
    if has_q and has_r:
        product = r @ grad_r.mT - grad_q.mT @ q
    elif has_q:
        product = -(grad_q.mT @ q)
    else:
        product = r @ grad_r.mT
    turned = q @ (np.tril(product) + np.tril(product, k=-1).mT)
    if has_q:
        turned = grad_q + turned
    grad_a = np.linalg.solve(r, turned.mT).mT
    if is_wide and has_r:
        grad_a = np.concatenate([grad_a, q @ grad_further], axis=-1)
    elif is_wide:
        grad_a = np.concatenate([grad_a, np.zeros_like(further)], axis=-1)
    return grad_a
