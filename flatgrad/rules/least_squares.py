"""Least squares: pinv, lstsq of matrices of any shape and rank, and matrix_rank, which is a constant.

In: these functions of NumPy. Out: their records. The rank is taken to stay what it is: where it changes, these functions jump.
Layer: rules, above `decompositions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, resolved, unify
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.creation import unknown_size
from flatgrad.rules.decompositions import singular_values
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.solving import square
from flatgrad.rules.static import is_zero


def pseudo_inverse(a: Any, *, rcond: Any = None, hermitian: bool = False, rtol: Any = None) -> Shape:
    """Rows become columns."""
    *before, rows, columns = square(a) if hermitian else shape_of(a)
    return (*before, columns, rows)


def solved_in_squares(a: Any, b: Any, *, rcond: Any = None) -> list[Shape]:
    """The solutions, the sums of squares that are left, the rank, the singular values."""
    shape, right = shape_of(a), shape_of(b)
    if len(shape) != 2 or len(right) not in (1, 2):
        raise SizeMismatch("np.linalg.lstsq takes a matrix, and a vector or a matrix")
    unify(shape[0], right[0])
    rows, columns = map(resolved, shape)
    if isinstance(rows, int) and isinstance(columns, int):
        count = (right[1] if len(right) == 2 else 1) if rows > columns else 0
    else:
        # there are none where the rows are not more than the columns
        count = unknown_size(("left over", rows, columns), (rows, columns))
    return [(columns, *right[1:]), (count,), (), singular_values(a)]


def dtypes_in_squares(a: Any, b: Any, **_: Any) -> list[np.dtype[Any]]:
    """The rank is a whole number."""
    of_results = np.linalg.lstsq(np.ones((1, 1), dtype_of_first(a)), np.ones(1, dtype_of_first(b)), rcond=None)
    return [np.asarray(result).dtype for result in of_results]


def ranked(A: Any, *_: Any, **__: Any) -> Shape:  # noqa: N803 - NumPy's name
    """A number for each matrix."""
    return shape_of(A)[:-2]


TALL, WIDE = real(4, 3), real(3, 4)
SYMMETRIC = real(3, 3) + real(3, 3).T
RANK_TWO = np.array([[1.0, 2.0, 0.5], [2.0, 4.0, 1.0], [0.7, -1.0, 0.3], [1.7, 1.0, 0.8]])

no_gradient(np.linalg.matrix_rank, shape=ranked, samples=[Sample(TALL), Sample(real(2, 3, 3)), Sample(real(3))])


@rule(
    np.linalg.pinv,
    shape=pseudo_inverse,
    samples=[
        Sample(TALL),
        Sample(WIDE),
        Sample(real(3, 3)),
        Sample(real(2, 4, 3)),
        Sample(real(2, 2, 3)),
        Sample(TALL, rcond=1e-10),
        Sample(WIDE, rtol=1e-10),
        Sample(SYMMETRIC, hermitian=True),
        Sample(real(2, 3, 3), hermitian=True),
        Sample(real(1, 1)),
    ],
)
def grad_pinv(a, y, grad_y, *, rcond=None, hermitian=False, rtol=None):
    """Return the gradient of G. Golub and V. Pereyra, The differentiation of pseudo-inverses (1973), equation 4.12."""
    if hermitian:
        # NumPy reads the lower triangle only
        a = np.tril(a) + np.tril(a, k=-1).mT
    left = grad_y.mT @ y
    right = y @ grad_y.mT
    both = y @ left
    grad_a = (left - a @ both) @ y.mT + y.mT @ (right - both @ a) - both.mT
    if hermitian:
        grad_a = np.tril(grad_a) + np.triu(grad_a, k=1).mT
    return grad_a


@rule(
    np.linalg.lstsq,
    shape=solved_in_squares,
    dtype=dtypes_in_squares,
    samples=[
        Sample(TALL, real(4)),
        Sample(TALL, real(4, 2)),
        Sample(TALL, real(4), rcond=1e-10),
        Sample(TALL, real(4), rcond=-1),
        Sample(real(3, 3), real(3, 2)),
        Sample(WIDE, real(3)),
        Sample(WIDE, real(3, 2)),
    ],
)
def grad_lstsq(a, b, y, grad_y, *, rcond=None):
    """Return the gradient by G. Golub and V. Pereyra, The differentiation of pseudo-inverses (1973), equation 4.12."""
    x, squares, _, s = y
    grad_x, grad_squares, _, grad_s = grad_y
    rest = b - a @ x
    grad_a, grad_b = np.zeros_like(a), np.zeros_like(b)
    if not is_zero(grad_x):
        # a negative rcond stands for the precision of the numbers
        inverse = np.linalg.pinv(a, rtol=np.finfo(a.dtype).eps if rcond is not None and rcond < 0 else rcond)
        grad_b = inverse.T @ grad_x
        if b.ndim == 1:
            outside = np.outer(inverse.T @ x, grad_x - a.T @ grad_b)
            grad_a = np.outer(rest, inverse @ grad_b) + outside - np.outer(grad_b, x)
        else:
            outside = inverse.T @ x @ (grad_x - a.T @ grad_b).T
            grad_a = rest @ (inverse @ grad_b).T + outside - grad_b @ x.T
    # there are sums of squares where the rows are more than the columns
    if not is_zero(grad_squares) and len(squares) > 0:
        grad_rest = 2 * grad_squares * rest
        through_rest = np.outer(grad_rest, x) if b.ndim == 1 else grad_rest @ x.T
        grad_b = grad_rest if is_zero(grad_b) else grad_b + grad_rest
        grad_a = -through_rest if is_zero(grad_a) else grad_a - through_rest
    if not is_zero(grad_s):
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        through_s = (u * grad_s) @ vh
        grad_a = through_s if is_zero(grad_a) else grad_a + through_s
    return grad_a, grad_b
