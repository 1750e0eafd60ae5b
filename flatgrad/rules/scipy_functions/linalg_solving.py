"""Systems of linear equations of `scipy.linalg`: solve, solve_triangular, cholesky, cho_factor, cho_solve, inv, det, pinv.

In: nothing. Out: records in the registry. Layer: rules.

Where SciPy reads one triangle of a matrix only, the gradient of the other one is added to that of this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from flatgrad.graph.size import Shape, SizeMismatch, unify
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Sample, inline, question, real, rule
from flatgrad.rules.least_squares import TALL, WIDE, grad_pinv
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.solving import MATRICES, SINGULAR, cofactors, each_matrix, square, well_conditioned

# what `assume_a` may be, and how the matrix is read then
READINGS = {
    None: "all",
    "gen": "all",
    "general": "all",
    "sym": "one triangle",
    "symmetric": "one triangle",
    "her": "one triangle",
    "hermitian": "one triangle",
    "pos": "one triangle",
    "positive definite": "one triangle",
    "upper triangular": "upper",
    "lower triangular": "lower",
    "diagonal": "diagonal",
}


@question
def part_read(assume_a: Any) -> str:
    """Return how much of a matrix scipy.linalg.solve reads."""
    return READINGS[assume_a]


def one_system(a: Any, b: Any) -> Shape:
    """The shape of b, a vector or a matrix that one square matrix is solved for."""
    size, right = square(a)[-1], shape_of(b)
    if len(shape_of(a)) != 2 or len(right) not in (1, 2):
        raise SizeMismatch("one matrix is solved for a vector or a matrix; np.linalg.solve takes stacks of them")
    return (unify(size, right[0]), *right[1:])


def assumed(
    a: Any,
    b: Any,
    *,
    lower: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Shape:
    """The shape of b."""
    if assume_a not in READINGS:
        raise TypeError(f"scipy.linalg.solve with assume_a={assume_a!r} has no rule")
    return one_system(a, b)


def triangular(
    a: Any,
    b: Any,
    *,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    check_finite: bool = True,
) -> Shape:
    """The shape of b."""
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise TypeError(f"scipy.linalg.solve_triangular with trans={trans!r}")
    return one_system(a, b)


@inline
def product_with_columns(a, b):
    """Return a @ b.T; the outer product of vectors."""
    return np.outer(a, b) if a.ndim == 1 else a @ b.T


@inline
def added_to_lower(x):
    """Return the lower triangle of a matrix, with the upper one added to it."""
    return np.tril(x) + np.triu(x, k=1).mT


@inline
def added_to_upper(x):
    """Return the upper triangle of a matrix, with the lower one added to it."""
    return np.triu(x) + np.tril(x, k=-1).mT


SYSTEM = well_conditioned(3, 3)
SYMMETRIC = SYSTEM + SYSTEM.T
POSITIVE = SYSTEM @ SYSTEM.T
STACK = np.stack([POSITIVE, POSITIVE + 0.5 * np.eye(3)])


@rule(
    linalg.solve,
    shape=assumed,
    samples=[
        Sample(SYSTEM, real(3)),
        Sample(SYSTEM, real(3, 2)),
        Sample(SYSTEM, real(3), assume_a="gen"),
        Sample(SYSTEM, real(3), transposed=True),
        Sample(SYSTEM, real(3, 2), transposed=True, check_finite=False),
        Sample(SYMMETRIC, real(3), assume_a="sym"),
        Sample(SYMMETRIC, real(3, 2), assume_a="sym", lower=True),
        Sample(POSITIVE, real(3), assume_a="pos"),
        Sample(POSITIVE, real(3, 2), assume_a="pos", lower=True),
        Sample(SYSTEM, real(3), assume_a="upper triangular"),
        Sample(SYSTEM, real(3, 2), assume_a="lower triangular", transposed=True),
        Sample(SYSTEM, real(3), assume_a="diagonal"),
        Sample(well_conditioned(1, 1), real(1)),
    ],
)
def grad_solve(a, b, y, grad_y, *, lower=False, check_finite=True, assume_a=None, transposed=False):
    part = part_read(assume_a)
    if part == "one triangle" or part == "diagonal":
        grad_b = linalg.solve(a, grad_y, lower=lower, assume_a=assume_a, check_finite=check_finite)
    else:
        grad_b = linalg.solve(a, grad_y, assume_a=assume_a, transposed=not transposed, check_finite=check_finite)
    whole = -product_with_columns(y, grad_b) if transposed else -product_with_columns(grad_b, y)
    if part == "all":
        grad_a = whole
    elif part == "diagonal":
        grad_a = np.diag(np.diag(whole))
    elif part == "one triangle":
        grad_a = added_to_lower(whole) if lower else added_to_upper(whole)
    else:
        grad_a = np.tril(whole) if part == "lower" else np.triu(whole)
    return grad_a, grad_b


@rule(
    linalg.solve_triangular,
    shape=triangular,
    samples=[
        Sample(SYSTEM, real(3)),
        Sample(SYSTEM, real(3, 2), lower=True),
        Sample(SYSTEM, real(3), trans=1),
        Sample(SYSTEM, real(3, 2), trans="T", lower=True),
        Sample(SYSTEM, real(3), unit_diagonal=True),
        Sample(SYSTEM, real(3, 2), lower=True, unit_diagonal=True, check_finite=False),
        Sample(SYSTEM, real(3), trans=2, lower=True, unit_diagonal=True),
    ],
)
def grad_solve_triangular(a, b, y, grad_y, *, trans=0, lower=False, unit_diagonal=False, check_finite=True):
    back = 1 if trans in (0, "N") else 0
    grad_b = linalg.solve_triangular(
        a, grad_y, trans=back, lower=lower, unit_diagonal=unit_diagonal, check_finite=check_finite
    )
    whole = -product_with_columns(grad_b, y) if back == 1 else -product_with_columns(y, grad_b)
    inside = 1 if unit_diagonal else 0
    grad_a = np.tril(whole, k=-inside) if lower else np.triu(whole, k=inside)
    return grad_a, grad_b


# Cholesky factors


def factor_shape(a: Any, *, lower: bool = False, check_finite: bool = True) -> Shape:
    """The shape of a."""
    return square(a)


def factor_and_side(a: Any, *, lower: bool = False, check_finite: bool = True) -> list[Shape]:
    """A factor, and whether it is the lower one."""
    if len(shape_of(a)) != 2:
        raise SizeMismatch(f"a matrix is needed, not an array of rank {len(shape_of(a))}")
    return [square(a), ()]


def factor_and_side_dtypes(a: Any, **_: Any) -> list[Any]:
    """The second result is a bool of Python's."""
    factor = linalg.cholesky(np.ones((1, 1), dtype_of_first(a)))
    return [factor.dtype, np.dtype(bool)]


@inline
def grad_of_factored(factor, grad_factor, lower, check_finite):
    """Return the gradient of I. Murray, Differentiation of the Cholesky decomposition (2016), section 3, equation 10."""
    # of the triangles that are multiplied, half of the diagonal counts
    if lower:
        product = factor.mT @ grad_factor
        triangle = (np.tril(product) + np.tril(product, k=-1)) / 2
        left = linalg.solve_triangular(factor, triangle, trans=1, lower=True, check_finite=check_finite)
        whole = linalg.solve_triangular(factor, left.mT, trans=1, lower=True, check_finite=check_finite)
        grad_a = added_to_lower(whole)
    else:
        product = grad_factor @ factor.mT
        triangle = (np.triu(product) + np.triu(product, k=1)) / 2
        left = linalg.solve_triangular(factor, triangle, check_finite=check_finite)
        whole = linalg.solve_triangular(factor, left.mT, check_finite=check_finite)
        grad_a = added_to_upper(whole)
    return grad_a


FACTORED = [Sample(POSITIVE), Sample(POSITIVE, lower=True), Sample(np.array([[2.5]]))]


@rule(linalg.cholesky, shape=factor_shape, samples=FACTORED)
def grad_cholesky(a, y, grad_y, *, lower=False, check_finite=True):
    grad_a = grad_of_factored(y, grad_y, lower, check_finite)
    return grad_a


@rule(linalg.cho_factor, shape=factor_and_side, dtype=factor_and_side_dtypes, samples=FACTORED)
def grad_cho_factor(a, y, grad_y, *, lower=False, check_finite=True):
    # beside the factor's triangle stands what stood there before
    if lower:
        grad_a = grad_of_factored(np.tril(y[0]), np.tril(grad_y[0]), True, check_finite) + np.triu(grad_y[0], k=1)
    else:
        grad_a = grad_of_factored(np.triu(y[0]), np.triu(grad_y[0]), False, check_finite) + np.tril(grad_y[0], k=-1)
    return grad_a


@question
def is_lower(lower: Any) -> bool:
    """Tell whether a factor is the lower one: as written, or as scipy.linalg.cho_factor was asked for it."""
    if isinstance(lower, Constant):
        return bool(lower.number)
    if not isinstance(lower, Value):
        return bool(lower)
    if lower.node is None or lower.node.function is not linalg.cho_factor:
        raise TypeError("write whether the factor is the lower one: cho_solve((c, True), b)")
    return bool(lower.node.arguments.get("lower", False))


def solved_by_factor(c_and_lower: Any, b: Any, *, check_finite: bool = True) -> Shape:
    """The shape of b."""
    if not isinstance(c_and_lower, tuple) or len(c_and_lower) != 2:
        raise TypeError("scipy.linalg.cho_solve takes a factor, and whether it is the lower one")
    is_lower(c_and_lower[1])
    return one_system(c_and_lower[0], b)


@rule(
    linalg.cho_solve,
    shape=solved_by_factor,
    samples=[
        Sample((SYSTEM, True), real(3)),
        Sample((SYSTEM, False), real(3)),
        Sample((SYSTEM, True), real(3, 2)),
        Sample((SYSTEM, False), real(3, 2), check_finite=False),
    ],
)
def grad_cho_solve(c_and_lower, b, y, grad_y, *, check_finite=True):
    factor, lower = c_and_lower
    grad_b = linalg.cho_solve((factor, is_lower(lower)), grad_y, check_finite=check_finite)
    half = product_with_columns(grad_b, y)
    whole = -half - half.T
    grad_factor = np.tril(whole @ np.tril(factor)) if is_lower(lower) else np.triu(np.triu(factor) @ whole)
    # which side it is has no gradient
    grad_c_and_lower = (grad_factor, 0)
    return grad_c_and_lower, grad_b


# Inverses and determinants


def one_argument(a: Any, *, check_finite: bool = True) -> Shape:
    """The shape of a."""
    return square(a)


def determinant_shape(a: Any, *, check_finite: bool = True) -> Shape:
    """A number for each matrix."""
    return each_matrix(a)


def pseudo_inverse_shape(a: Any, *, atol: Any = None, rtol: Any = None, check_finite: bool = True) -> Shape:
    """Rows become columns."""
    shape = shape_of(a)
    if len(shape) != 2:
        raise SizeMismatch(f"a matrix is needed, not an array of rank {len(shape)}")
    return shape[::-1]


@rule(linalg.inv, shape=one_argument, holomorphic=True, samples=MATRICES)
def grad_inv(a, y, grad_y, *, check_finite=True):
    grad_a = -(y.mT @ grad_y @ y.mT)
    return grad_a


@rule(linalg.det, shape=determinant_shape, holomorphic=True, samples=[*MATRICES, Sample(SINGULAR)])
def grad_det(a, y, grad_y, *, check_finite=True):
    grad_a = (grad_y if a.ndim == 2 else np.expand_dims(grad_y, (-2, -1))) * cofactors(a)
    return grad_a


inline(grad_pinv)


@rule(
    linalg.pinv,
    shape=pseudo_inverse_shape,
    samples=[Sample(TALL), Sample(WIDE), Sample(SYSTEM, rtol=1e-10), Sample(TALL, atol=1e-10, check_finite=False)],
)
def grad_scipy_pinv(a, y, grad_y, *, atol=None, rtol=None, check_finite=True):
    grad_a = grad_pinv(a, y, grad_y)
    return grad_a
