"""How variables go together: cov and corrcoef.

In: nothing. Out: their records. A row is a variable, and a column an observation of all of them; the mean has no part in the
gradients, because the deviations from it add up to 0. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch, plus, unify
from flatgrad.registry import Sample, inline, positive, real, rule
from flatgrad.rules.shapes import shape_of


def _variables(x: Any, rowvar: bool) -> tuple[Size, Size]:
    """The number of variables, and of observations."""
    shape = shape_of(x)
    if len(shape) > 2 or not shape:
        raise SizeMismatch(f"observations of rank {len(shape)}; a row or a matrix is needed")
    if len(shape) == 1:
        return 1, shape[0]
    return (shape[0], shape[1]) if rowvar else (shape[1], shape[0])


def covariance_shape(
    x: Any, other: Any = None, *weights: Any, rowvar: bool = True, fweights: Any = None, aweights: Any = None, **_: Any
) -> Shape:
    """A row and a column for each variable; one number for one variable."""
    count, observations = _variables(x, rowvar)
    if other is not None:
        more, seen = _variables(other, rowvar)
        unify(observations, seen)
        count = plus(count, more)
    for each in (*weights, fweights, aweights):
        if each is not None:
            (size,) = shape_of(each)
            unify(size, observations)
    return () if count == 1 else (count, count)


def covariance_dtype(*_: Any, dtype: Any = None, **__: Any) -> np.dtype[Any]:
    """float64, whatever the observations are, unless the argument `dtype` says otherwise."""
    return np.dtype(np.float64 if dtype is None else dtype)


OBSERVED = [
    Sample(real(3, 4)),
    Sample(real(5)),
    Sample(real(1, 5)),
    Sample(real(4, 3), rowvar=False),
    Sample(real(5), real(5) ** 2),
    Sample(real(2, 4), real(4)),
    Sample(real(4, 2), real(4, 3) + 1, rowvar=False),
    Sample(real(3, 4), dtype=np.float64),
]
COUNTS = np.array([1, 3, 2, 1])


@inline
def in_rows(x, other, rowvar):
    """Return all variables as rows; a row alone stays one."""
    rows = x if x.ndim == 1 or rowvar else x.T
    if other is None:
        return rows
    return np.vstack((rows, other if np.ndim(other) == 1 or rowvar else other.T))


@inline
def taken_apart(grad_rows, x, other, rowvar):
    """Return the gradients of both inputs from that of all rows."""
    if other is None:
        return grad_rows if x.ndim == 1 or rowvar else grad_rows.T, None
    stop = 1 if x.ndim == 1 else np.shape(x)[0 if rowvar else 1]
    grad_x = grad_rows[0] if x.ndim == 1 else grad_rows[:stop] if rowvar else grad_rows[:stop].T
    grad_other = grad_rows[stop] if np.ndim(other) == 1 else grad_rows[stop:] if rowvar else grad_rows[stop:].T
    return grad_x, grad_other


@rule(
    np.cov,
    shape=covariance_shape,
    dtype=covariance_dtype,
    samples=[
        *OBSERVED,
        Sample(real(3, 4), bias=True),
        Sample(real(3, 4), ddof=2),
        Sample(real(2, 4), fweights=COUNTS),
        Sample(real(2, 4), aweights=positive(4)),
        Sample(real(2, 4), real(4), fweights=COUNTS, aweights=positive(4), ddof=2),
        Sample(real(4), aweights=positive(4), bias=True),
    ],
)
def grad_cov(
    x, other=None, fweights=None, aweights=None, y=None, grad_y=None,
    *, rowvar=True, bias=False, ddof=None, dtype=None,
):  # fmt: skip
    rows = in_rows(x, other, rowvar)
    used = (0 if bias else 1) if ddof is None else ddof
    # what follows is for variables in rows, but for the usual case of columns
    in_columns = other is None and fweights is None and aweights is None and not rowvar and np.ndim(y) == 2
    if fweights is None and aweights is None:
        centered = rows - (np.mean(rows) if rows.ndim == 1 else np.mean(rows, axis=-1, keepdims=True))
        weighted = centered
        divisor = np.shape(rows)[-1] - used
    else:
        weights = aweights if fweights is None else fweights if aweights is None else fweights * aweights
        total = np.sum(weights)
        centered = rows - np.average(rows, axis=-1, weights=weights, keepdims=True)
        weighted = centered * weights
        share = used if aweights is None or used == 0 else used * np.sum(weights * aweights) / total
        divisor = total if used == 0 else total - share
    if np.ndim(y) == 0:
        grad_rows = grad_y * 2 / divisor * weighted
        grad_weights = grad_y / divisor * (centered if x.ndim == 1 else np.ravel(centered)) ** 2
    else:
        both = (grad_y + grad_y.T) / divisor
        grad_rows = both @ weighted
        grad_weights = np.sum((both @ centered) * centered, axis=0) / 2
    if aweights is None:
        grad_aweights = None
    else:
        grad_divisor = -np.sum(grad_y * y) / divisor
        if used == 0:
            grad_aweights = grad_weights + grad_divisor
        else:
            grad_share = 1 - used * (2 * aweights * total - np.sum(weights * aweights)) / total**2
            grad_aweights = grad_weights + grad_divisor * grad_share
        if fweights is not None:
            grad_aweights = fweights * grad_aweights
    if in_columns:
        grad_x = (x - np.mean(x, axis=0)) @ (grad_y + grad_y.T) / (len(x) - used)
        grad_other = None
    else:
        grad_x, grad_other = taken_apart(grad_rows, x, other, rowvar)
    return grad_x, grad_other, grad_aweights


@rule(
    np.corrcoef,
    shape=covariance_shape,
    dtype=covariance_dtype,
    samples=[each for each in OBSERVED if each.args[0].shape not in ((5,), (1, 5))],
)
def grad_corrcoef(x, other=None, y=None, grad_y=None, *, rowvar=True, dtype=None):
    rows = in_rows(x, other, rowvar)
    if np.ndim(y) == 0:
        # a variable goes with itself by 1, always
        grad_rows = np.zeros_like(rows)
    else:
        centered = rows - np.mean(rows, axis=1, keepdims=True)
        length = np.sqrt(np.sum(centered**2, axis=1, keepdims=True))
        unit = centered / length
        grad_unit = (grad_y + grad_y.T) @ unit
        grad_rows = (grad_unit - unit * np.sum(grad_unit * unit, axis=1, keepdims=True)) / length
    grad_x, grad_other = taken_apart(grad_rows, x, other, rowvar)
    return grad_x, grad_other
