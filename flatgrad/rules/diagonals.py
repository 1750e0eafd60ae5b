"""Diagonals and triangles of matrices: diag, diagonal, diagflat, trace, tril, triu, and the indices of triangles.

In: these functions of NumPy. Out: their records, and `is_square`, which rules ask when the code is written. Layer: rules, above
`placing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import (
    Expression,
    Shape,
    Size,
    SizeMismatch,
    count,
    derived,
    equal,
    minus,
    plus,
    product,
    quotient,
    resolved,
)
from flatgrad.registry import Sample, no_gradient, question, real, rule
from flatgrad.rules.creation import dtype_like, size_of_number, unknown_size
from flatgrad.rules.placing import dtype_of_like, placed, shape_of_like
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of


@question
def is_square(x: Any) -> bool:
    """Tell whether a matrix is certain to have as many rows as columns.

    The front end answers for the values of a graph when the code is written.
    """
    rows, columns = shape_of(x)
    return equal(rows, columns) is True


def diagonal_length(rows: Size, columns: Size, offset: int) -> Size:
    """Return the number of elements on a diagonal, which is shifted to the right by `offset`."""
    rows, columns = resolved(rows), resolved(columns)
    if isinstance(rows, int) and isinstance(columns, int):
        return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    if equal(rows, columns):
        return minus(rows, abs(offset))
    length = unknown_size(("diagonal", rows, columns, offset), (rows, columns))
    if isinstance(length, Expression):
        length.terms[0][0][0].ceilings = (rows, columns)
    return length


# Elements on a diagonal


def diagonal_shape(x: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Shape:
    """The two axes go, and the diagonal comes last."""
    shape = shape_of(x)
    if len(shape) < 2:
        raise SizeMismatch(f"a diagonal of an array of rank {len(shape)}")
    one, other = normal_axis(axis1, len(shape)), normal_axis(axis2, len(shape))
    if one == other:
        raise SizeMismatch("a diagonal between an axis and itself")
    kept = tuple(size for k, size in enumerate(shape) if k not in (one, other))
    return (*kept, diagonal_length(shape[one], shape[other], offset))


def diag_shape(x: Any, *, k: int = 0) -> Shape:
    """A vector becomes a matrix with it on the diagonal, a matrix gives its diagonal."""
    shape = shape_of(x)
    if len(shape) == 1:
        size = plus(shape[0], abs(k))
        return (size, size)
    if len(shape) != 2:
        raise SizeMismatch(f"np.diag of an array of rank {len(shape)}")
    return diagonal_shape(x, offset=k)


def diagflat_shape(x: Any, *, k: int = 0) -> Shape:
    """All elements on the diagonal of a matrix."""
    size = plus(count(shape_of(x)), abs(k))
    return (size, size)


def trace_shape(x: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1, **_: Any) -> Shape:
    """The two axes go."""
    return diagonal_shape(x, offset=offset, axis1=axis1, axis2=axis2)[:-1]


def on_diagonal(values, like, offset=0, axis1=0, axis2=1):
    """Return zeros like an array, with values on a diagonal."""
    zeros = np.zeros_like(like)
    rows = np.arange(np.diagonal(like, offset, axis1, axis2).shape[-1]) + max(-offset, 0)
    np.moveaxis(zeros, (axis1, axis2), (-2, -1))[..., rows, rows + offset] = values
    return zeros


STACKED = [
    Sample(real(2, 3, 4), axis1=1, axis2=2),
    Sample(real(2, 3, 4), offset=1, axis1=-1, axis2=0),
    Sample(real(2, 3, 4), offset=-1),
]
MATRICES = [Sample(real(3, 3)), Sample(real(4, 3)), Sample(real(2, 3), offset=1), Sample(real(3, 2), offset=-1)]


@rule(
    np.diagonal,
    shape=diagonal_shape,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[*MATRICES, *STACKED, Sample(real(3, 4), axis1=1, axis2=0)],
)
def grad_diagonal(x, y, grad_y, *, offset=0, axis1=0, axis2=1):
    if x.ndim > 2:
        grad_x = on_diagonal(grad_y, like=x, offset=offset, axis1=axis1, axis2=axis2)
    elif is_square(x):
        grad_x = np.diag(grad_y) if offset == 0 else np.diag(grad_y, k=offset if axis1 % 2 == 0 else -offset)
    else:
        places = np.arange(len(grad_y))
        rows = places + abs(offset) if offset < 0 else places
        columns = places + offset if offset > 0 else places
        grad_x = placed(grad_y, (rows, columns) if axis1 % 2 == 0 else (columns, rows), x)
    return grad_x


@rule(
    np.diag,
    shape=diag_shape,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(3)),
        Sample(real(3), k=1),
        Sample(real(2), k=-2),
        Sample(real(3, 3)),
        Sample(real(4, 3), k=-1),
        Sample(real(2, 3), k=1),
    ],
)
def grad_diag(x, y, grad_y, *, k=0):
    if x.ndim == 1 or is_square(x):
        grad_x = np.diag(grad_y) if k == 0 else np.diag(grad_y, k=k)
    else:
        places = np.arange(len(grad_y))
        rows = places - k if k < 0 else places
        columns = places + k if k > 0 else places
        grad_x = placed(grad_y, (rows, columns), x)
    return grad_x


@rule(
    np.diagflat,
    shape=diagflat_shape,
    dtype=dtype_of_first,
    linear=True,
    samples=[Sample(real(3)), Sample(real(2, 2), k=1), Sample(real(), k=-1)],
)
def grad_diagflat(x, y, grad_y, *, k=0):
    diagonal = np.diag(grad_y) if k == 0 else np.diag(grad_y, k=k)
    grad_x = diagonal if np.ndim(x) == 1 else np.reshape(diagonal, np.shape(x))
    return grad_x


@rule(np.trace, shape=trace_shape, linear=True, samples=[*MATRICES, *STACKED, Sample(real(2, 3), dtype=np.float64)])
def grad_trace(x, y, grad_y, *, offset=0, axis1=0, axis2=1, dtype=None):
    if x.ndim > 2:
        grad_x = on_diagonal(np.expand_dims(grad_y, -1), like=x, offset=offset, axis1=axis1, axis2=axis2)
    elif offset != 0:
        grad_x = on_diagonal(grad_y, like=x, offset=offset, axis1=axis1, axis2=axis2)
    elif is_square(x):
        grad_x = np.diag(np.full(len(x), grad_y))
    else:
        places = np.arange(min(np.shape(x)[0], np.shape(x)[1]))
        grad_x = placed(grad_y, (places, places), x)
    return grad_x


@rule(
    on_diagonal,
    shape=shape_of_like,
    dtype=dtype_of_like,
    linear=True,
    samples=[
        Sample(real(3), like=real(4, 3)),
        Sample(real(), like=real(3, 3), offset=1),
        Sample(real(4, 2), like=real(2, 3, 4), offset=-1, axis1=1, axis2=0),
    ],
)
def grad_on_diagonal(values, y, grad_y, *, like, offset=0, axis1=0, axis2=1):
    grad_values = np.diagonal(grad_y, offset=offset, axis1=axis1, axis2=axis2)
    return grad_values


# Triangles


def triangle_shape(x: Any, *, k: int = 0) -> Shape:
    """The shape of x; a vector is repeated in the rows of a square."""
    shape = shape_of(x)
    if not shape:
        raise SizeMismatch("a triangle of a number")
    return shape * 2 if len(shape) == 1 else shape


TRIANGLES = [Sample(real(3, 3)), Sample(real(3, 4), k=1), Sample(real(2, 4, 3), k=-1), Sample(real(3))]


@rule(np.tril, shape=triangle_shape, dtype=dtype_of_first, linear=True, samples=TRIANGLES)
def grad_tril(x, y, grad_y, *, k=0):
    grad_x = np.tril(grad_y) if k == 0 else np.tril(grad_y, k=k)
    return grad_x


@rule(np.triu, shape=triangle_shape, dtype=dtype_of_first, linear=True, samples=TRIANGLES)
def grad_triu(x, y, grad_y, *, k=0):
    grad_x = np.triu(grad_y) if k == 0 else np.triu(grad_y, k=k)
    return grad_x


# Indices of triangles


def _tri_shape(N: Any, M: Any = None, *_: Any, **__: Any) -> Shape:
    size = size_of_number(N)
    return (size, size if M is None else size_of_number(M))


def _tri_dtype(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> np.dtype[Any]:
    return np.dtype(float) if dtype is None else dtype_like(None, dtype)


def _triangle_count(upper: bool) -> Any:
    def shapes(n: Any, k: Any = 0, m: Any = None) -> list[Shape]:
        rows = size_of_number(n)
        columns = rows if m is None else size_of_number(m)
        return [(_elements(rows, columns, k, upper),)] * 2

    return shapes


def _elements(rows: Size, columns: Size, k: Any, upper: bool) -> Size:
    """Return the number of elements of a triangle."""

    def number(n: int, m: int) -> int:
        triangle = np.triu(np.ones((n, m), bool), k) if upper else np.tri(n, m, k, bool)
        return int(np.count_nonzero(triangle))

    rows, columns = resolved(rows), resolved(columns)
    key = ("triangle", upper, k)
    if not isinstance(k, int):
        return unknown_size((*key, rows, columns))
    if isinstance(rows, int) and isinstance(columns, int):
        return number(rows, columns)
    if not equal(rows, columns):
        return unknown_size((*key, rows, columns), (rows, columns))
    # half of the square, with the diagonal or without it
    if k == 0 or k == (1 if upper else -1):
        half = quotient(product((rows, plus(rows, 1 if k == 0 else -1))), 2)
        if half is not None:
            return half
    return derived(key, rows, lambda n: number(n, n))


def _whole(*_: Any, **__: Any) -> np.dtype[Any]:
    return np.dtype(np.int64)


def _triangle_of_array(upper: bool) -> Any:
    def shapes(arr: Any, k: Any = 0) -> list[Shape]:
        rows, columns = shape_of(arr)
        return [(_elements(rows, columns, k, upper),)] * 2

    return shapes


no_gradient(np.tri, shape=_tri_shape, dtype=_tri_dtype, samples=[Sample(3), Sample(3, 4, -1)])
no_gradient(
    np.tril_indices,
    shape=_triangle_count(upper=False),
    dtype=_whole,
    samples=[Sample(3), Sample(4, -1), Sample(3, 1, 5)],
)
no_gradient(
    np.triu_indices,
    shape=_triangle_count(upper=True),
    dtype=_whole,
    samples=[Sample(3), Sample(4, 1), Sample(3, -1, 5)],
)
no_gradient(
    np.tril_indices_from,
    shape=_triangle_of_array(upper=False),
    dtype=_whole,
    samples=[Sample(real(3, 3)), Sample(real(3, 5), -1)],
)
no_gradient(
    np.triu_indices_from,
    shape=_triangle_of_array(upper=True),
    dtype=_whole,
    samples=[Sample(real(3, 3)), Sample(real(3, 5), 1)],
)
