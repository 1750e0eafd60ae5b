"""Matrices of a certain structure of `scipy.linalg`: block_diag, toeplitz, circulant, hankel, khatri_rao.

In: nothing. Out: records in the registry. Layer: rules.

A matrix that repeats the elements of a vector gives back the sums of what comes in at the places of each: the same matrix
made of their numbers tells which place takes which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from flatgrad.graph.size import Shape, Size, SizeMismatch, plus, times, unify
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import shape_of


def blocks_shape(*arrs: Any) -> Shape:
    """The rows and the columns add up; vectors are rows."""
    rows: Size = 0
    columns: Size = 0
    for x in arrs:
        shape = (1, 1, *shape_of(x))[-2:] if len(shape_of(x)) < 3 else ()
        if not shape:
            raise SizeMismatch("scipy.linalg.block_diag of a stack of matrices")
        rows, columns = plus(rows, shape[0]), plus(columns, shape[1])
    return (rows, columns)


def _length(x: Any) -> Size:
    shape = shape_of(x)
    if len(shape) != 1:
        raise SizeMismatch(f"a vector is needed, not an array of rank {len(shape)}")
    return shape[0]


def row_and_column(c: Any, r: Any = None) -> Shape:
    """As many rows as c has elements, and as many columns as r has, or c where there is no r."""
    return (_length(c), _length(c if r is None else r))


def from_column(c: Any) -> Shape:
    """As many rows and columns as c has elements."""
    return (_length(c), _length(c))


def products_of_columns(a: Any, b: Any) -> Shape:
    """The rows are multiplied."""
    if len(shape_of(a)) != 2 or len(shape_of(b)) != 2:
        raise SizeMismatch("scipy.linalg.khatri_rao takes two matrices")
    return (times(shape_of(a)[0], shape_of(b)[0]), unify(shape_of(a)[1], shape_of(b)[1]))


@rule(
    linalg.block_diag,
    shape=blocks_shape,
    linear=True,
    samples=[
        Sample(real(2, 2), real(1, 3), real(2, 1)),
        Sample(real(3), real(2, 2)),
        Sample(real(), real(2, 2), 1.5),
        Sample(real(2, 3)),
    ],
)
def grad_block_diag(*arrs, y, grad_y):
    heights = [np.shape(x)[0] if np.ndim(x) > 1 else 1 for x in arrs]
    widths = [np.shape(x)[-1] if np.ndim(x) > 0 else 1 for x in arrs]
    below = [sum(heights[: k + 1]) for k in range(len(arrs))]
    beside = [sum(widths[: k + 1]) for k in range(len(arrs))]
    rows = [
        slice(below[k - 1] if k > 0 else None, below[k]) if np.ndim(arrs[k]) > 1 else below[k] - 1
        for k in range(len(arrs))
    ]
    columns = [
        slice(beside[k - 1] if k > 0 else None, beside[k]) if np.ndim(arrs[k]) > 0 else beside[k] - 1
        for k in range(len(arrs))
    ]
    grad_arrs = tuple([grad_y[rows[k], columns[k]] for k in range(len(arrs))])
    return grad_arrs


@rule(
    linalg.toeplitz,
    shape=row_and_column,
    linear=True,
    # without r, the upper triangle has the conjugates of c
    holomorphic=False,
    samples=[
        Sample(real(3)),
        Sample(real(3), real(3)),
        Sample(real(4), real(2)),
        Sample(real(2), real(4)),
        Sample(real(1)),
    ],
)
def grad_toeplitz(c, r=None, y=None, grad_y=None):
    if r is None:
        grad_c = placed(grad_y, linalg.toeplitz(np.arange(len(c))), c)
        grad_r = None
    else:
        below = linalg.toeplitz(np.arange(len(c)), np.zeros(len(r), int))
        above = linalg.toeplitz(np.zeros(len(c), int), np.arange(len(r)))
        grad_c = placed(np.tril(grad_y), below, c)
        grad_r = placed(np.triu(grad_y, k=1), above, r)
    return grad_c, grad_r


@rule(linalg.circulant, shape=from_column, linear=True, samples=[Sample(real(3)), Sample(real(4)), Sample(real(1))])
def grad_circulant(c, y, grad_y):
    grad_c = placed(grad_y, linalg.circulant(np.arange(len(c))), c)
    return grad_c


@rule(
    linalg.hankel,
    shape=row_and_column,
    linear=True,
    samples=[
        Sample(real(3)),
        Sample(real(3), real(3)),
        Sample(real(4), real(2)),
        Sample(real(2), real(4)),
        Sample(real(1)),
    ],
)
def grad_hankel(c, r=None, y=None, grad_y=None):
    rows, columns = np.shape(y)
    # c and r behind one another, without the first element of r
    numbers = linalg.hankel(np.arange(rows), np.arange(rows - 1, rows + columns - 1))
    both = placed(grad_y, numbers, np.concatenate((c, (c if r is None else r)[1:])))
    grad_c = both[:rows]
    grad_r = None if r is None else np.concatenate((np.zeros_like(r[:1]), both[rows:]))
    return grad_c, grad_r


@rule(
    linalg.khatri_rao,
    shape=products_of_columns,
    holomorphic=True,
    samples=[Sample(real(2, 3), real(4, 3)), Sample(real(1, 2), real(3, 2))],
)
def grad_khatri_rao(a, b, y, grad_y):
    products = np.reshape(grad_y, (len(a), len(b), -1))
    grad_a = np.sum(products * b, axis=1)
    grad_b = np.sum(products * np.expand_dims(a, 1), axis=0)
    return grad_a, grad_b
