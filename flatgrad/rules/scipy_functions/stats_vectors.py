"""Distributions of vectors of `scipy.stats`: multivariate_normal, dirichlet.

In: nothing. Out: records in the registry: of logpdf and pdf by the vectors and all parameters. Layer: rules.

SciPy leaves out the axes of length 1 of what these functions return. It reads the lower triangle of a covariance, so that the
gradient of the upper one is added to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, special, stats

from flatgrad.graph.containers import leaves
from flatgrad.graph.size import Shape, Size, SizeMismatch, SizeUnknown, is_one, minus, number_of, unify
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, inline, positive, question, real, rule
from flatgrad.rules.shapes import shape_of


def float64(*_: Any, **__: Any) -> np.dtype[Any]:
    """The results are float64, whatever they are made of."""
    return np.dtype(np.float64)


def squeezed(shape: Shape) -> Shape:
    """Return a shape without its axes of length 1."""
    unknown = [size for size in shape if is_one(size) is None]
    if unknown:
        raise SizeUnknown(unknown)
    return tuple(size for size in shape if not is_one(size))


# The normal distribution


def _require_numbers(argument: Any, name: str) -> None:
    if isinstance(argument, tuple) and any(type(leaf) is Value for leaf in leaves(argument)):
        raise TypeError(f"write {name} of scipy.stats.multivariate_normal as an array: np.array([...])")


def normal_shape(x: Any, mean: Any = None, cov: Any = None, *, allow_singular: bool = False) -> Shape:
    """A number for each vector."""
    if allow_singular:
        raise TypeError("scipy.stats.multivariate_normal with allow_singular=True has no rule")
    _require_numbers(mean, "mean")
    _require_numbers(cov, "cov")
    widths: list[Size] = []
    if mean is not None:
        widths += shape_of(mean)
    if cov is not None:
        widths += shape_of(cov)
    if not widths or not shape_of(x):
        raise SizeMismatch("scipy.stats.multivariate_normal of numbers; scipy.stats.norm takes them")
    width = shape_of(x)[-1]
    for size in widths:
        width = unify(width, size)
    if is_one(width):
        raise SizeMismatch("scipy.stats.multivariate_normal of vectors of length 1; scipy.stats.norm takes numbers")
    return squeezed(shape_of(x)[:-1])


@inline
def from_normal(x, mean, cov, grad_log):
    """Return the gradients by x, mean and cov of the logarithm of the density."""
    if isinstance(mean, tuple):
        mean = np.asarray(mean)
    if isinstance(cov, tuple):
        cov = np.asarray(cov)
    if np.ndim(grad_log) != x.ndim - 1:
        grad_log = np.reshape(grad_log, np.shape(x)[:-1])
    weight = grad_log if x.ndim == 1 else np.expand_dims(grad_log, -1)
    centred = x if mean is None else x - mean
    if cov is None:
        scaled = centred
    elif np.ndim(cov) < 2:
        scaled = centred / cov
    elif x.ndim == 1:
        scaled = linalg.solve(cov, centred, assume_a="pos", lower=True)
    elif x.ndim == 2:
        scaled = linalg.solve(cov, centred.T, assume_a="pos", lower=True).T
    else:
        rows = np.reshape(centred, (-1, len(cov)))
        scaled = np.reshape(linalg.solve(cov, rows.T, assume_a="pos", lower=True).T, np.shape(x))
    grad_x = -weight * scaled
    grad_mean = None if mean is None else -grad_x
    if cov is None:
        grad_cov = None
    elif np.ndim(cov) < 2:
        grad_cov = weight * (scaled * scaled - 1 / cov) / 2
    else:
        inverse = linalg.solve(cov, np.eye(len(cov)), assume_a="pos", lower=True)
        if x.ndim == 1:
            whole = grad_log * (np.outer(scaled, scaled) - inverse)
        else:
            vectors = scaled if x.ndim == 2 else np.reshape(scaled, (-1, len(cov)))
            weights = grad_log if x.ndim == 2 else np.ravel(grad_log)
            whole = (vectors.T * weights) @ vectors - np.sum(weights) * inverse
        grad_cov = (np.tril(whole) + np.tril(whole, k=-1)) / 2
    return grad_x, grad_mean, grad_cov


COVARIANCE = np.array([[2.0, 0.3, -0.4], [0.3, 1.5, 0.2], [-0.4, 0.2, 1.0]])
VECTORS = [
    Sample(real(3), real(3), COVARIANCE),
    Sample(real(4, 3), real(3), COVARIANCE),
    Sample(real(2, 4, 3), real(3), COVARIANCE),
    Sample(real(4, 3), cov=COVARIANCE),
    Sample(real(1, 3), mean=real(3), cov=COVARIANCE),
    Sample(real(4, 3), real(3), positive(3)),
    Sample(real(4, 3), real(3), positive()),
    Sample(real(3), real(3)),
]


@rule(stats.multivariate_normal.logpdf, shape=normal_shape, dtype=float64, samples=VECTORS)
def grad_normal_vectors_logpdf(x, mean=None, cov=None, y=None, grad_y=None, *, allow_singular=False):
    grad_x, grad_mean, grad_cov = from_normal(x, mean, cov, grad_y)
    return grad_x, grad_mean, grad_cov


@rule(stats.multivariate_normal.pdf, shape=normal_shape, dtype=float64, samples=VECTORS)
def grad_normal_vectors_pdf(x, mean=None, cov=None, y=None, grad_y=None, *, allow_singular=False):
    grad_x, grad_mean, grad_cov = from_normal(x, mean, cov, grad_y * y)
    return grad_x, grad_mean, grad_cov


# The Dirichlet distribution


@question
def is_shortened(x: Any, alpha: Any) -> bool:
    """Tell whether the last of the shares, which add up to 1, is left out."""
    missing = number_of(minus(shape_of(alpha)[0], shape_of(x)[0]))
    if missing not in (0, 1):
        raise SizeMismatch(f"{shape_of(x)[0]} shares, and {shape_of(alpha)[0]} numbers for them")
    return missing == 1


def dirichlet_shape(x: Any, alpha: Any) -> Shape:
    """A number for each column of shares."""
    if len(shape_of(alpha)) != 1 or len(shape_of(x)) not in (1, 2):
        raise SizeMismatch("scipy.stats.dirichlet takes a vector or a matrix, and a vector alpha")
    is_shortened(x, alpha)
    return squeezed(shape_of(x)[1:])


@inline
def from_dirichlet(x, alpha, grad_log):
    """Return the gradients by x and alpha of the logarithm of the density."""
    last = np.expand_dims(1 - np.sum(x, axis=0), 0)
    shares = np.concatenate((x, last)) if is_shortened(x, alpha) else x
    excess, constant = alpha - 1, special.digamma(np.sum(alpha)) - special.digamma(alpha)
    if x.ndim == 2:
        grad_alpha = np.log(shares) @ np.reshape(grad_log, (-1,)) + constant * np.sum(grad_log)
        slope = grad_log * np.expand_dims(excess, -1) / shares
    else:
        grad_alpha = grad_log * (np.log(shares) + constant)
        slope = grad_log * excess / shares
    grad_x = slope[:-1] - slope[-1] if is_shortened(x, alpha) else slope
    return grad_x, grad_alpha


SHARES = np.array([[0.25, 0.125], [0.5, 0.25], [0.25, 0.625]])
PARTS = [
    Sample(SHARES[:, 0], positive(3), wrt=("alpha",)),
    Sample(SHARES, positive(3), wrt=("alpha",)),
    Sample(SHARES[:2, 0], positive(3)),
    Sample(SHARES[:2], positive(3)),
    Sample(SHARES[:2, :1], positive(3)),
]


@rule(stats.dirichlet.logpdf, shape=dirichlet_shape, dtype=float64, samples=PARTS)
def grad_dirichlet_logpdf(x, alpha, y, grad_y):
    grad_x, grad_alpha = from_dirichlet(x, alpha, grad_y)
    return grad_x, grad_alpha


@rule(stats.dirichlet.pdf, shape=dirichlet_shape, dtype=float64, samples=PARTS)
def grad_dirichlet_pdf(x, alpha, y, grad_y):
    grad_x, grad_alpha = from_dirichlet(x, alpha, grad_y * y)
    return grad_x, grad_alpha
