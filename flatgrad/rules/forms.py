"""Known functions as people write them out, each beside the function that it is equal to.

In: nothing. Out: `FORMS`, whose derivatives are those of the known functions. Layer: rules, above `gates`.

    @form(nn.sigmoid, words="the sigmoid of {x}")
    def sigmoid_written_out(x):
        return 1 / (1 + np.exp(-x))

A form is a plain NumPy function: assignments and one `return`. Its parameters are those of the known function. What is
recognised by an earlier form can be written in a later one as the known function. `keepdims=True` stands for all ways to
keep or put back the axes of a reduction, and for those that need not be put back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from flatgrad import nn
from flatgrad.graph.size import Shape, SizeMismatch, is_one
from flatgrad.registry import Sample, rule
from flatgrad.rules.indexing import getitem_shape
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, normal_axes, reduced, same, shape_of
from flatgrad.rules.static import axes_count

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Form:
    """`written` is equal to `function` with these further attributes; `words` completes "<output> is ..."."""

    written: Callable[..., Any]
    function: Callable[..., Any]
    words: str
    attributes: Mapping[str, Any]


FORMS: list[Form] = []


def form(function: Callable[..., Any], *, words: str = "", **attributes: Any) -> Callable[[F], F]:
    """Declare that the decorated function is equal to `function` with these attributes."""

    def declare(written: F) -> F:
        FORMS.append(Form(written, function, words, attributes))
        return written

    return declare


# Sigmoid


SIGMOID = "the sigmoid of {x}"


@form(nn.sigmoid, words=SIGMOID)
def sigmoid_written_out(x):
    return 1 / (1 + np.exp(-x))


@form(nn.sigmoid, words=SIGMOID)
def sigmoid_of_growth(x):
    return np.exp(x) / (1 + np.exp(x))


@form(nn.sigmoid, words=SIGMOID)
def sigmoid_as_a_power(x):
    return (1 + np.exp(-x)) ** -1


@form(nn.sigmoid, words=SIGMOID)
def sigmoid_by_sides(x, condition):
    return np.where(condition, nn.sigmoid(x), nn.sigmoid(x))


@form(nn.sigmoid, words=SIGMOID)
def sigmoid_by_tanh(x):
    return 0.5 * (1 + np.tanh(x / 2))


@form(nn.sigmoid, words=SIGMOID)
def sigmoid_by_tanh_of_product(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


# Hyperbolic tangent


TANH = "the tanh of {x}"


@form(np.tanh, words=TANH)
def tanh_written_out(x):
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


@form(np.tanh, words=TANH)
def tanh_of_growth(x):
    return (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)


@form(np.tanh, words=TANH)
def tanh_of_decay(x):
    return (1 - np.exp(-2 * x)) / (1 + np.exp(-2 * x))


@form(np.tanh, words=TANH)
def tanh_by_one_exponential(x):
    return 1 - 2 / (np.exp(2 * x) + 1)


@form(np.tanh, words=TANH)
def tanh_by_sigmoid(x):
    return 2 * nn.sigmoid(2 * x) - 1


@form(np.tanh, words=TANH)
def tanh_by_decay(x):
    return 2 / (1 + np.exp(-2 * x)) - 1


@form(np.tanh, words=TANH)
def tanh_by_hyperbolics(x):
    return np.sinh(x) / np.cosh(x)


# Softplus


SOFTPLUS = "the softplus of {x}"


@form(nn.softplus, words=SOFTPLUS)
def softplus_written_out(x):
    return np.log(1 + np.exp(x))


@form(nn.softplus, words=SOFTPLUS)
def softplus_by_log1p(x):
    return np.log1p(np.exp(x))


@form(nn.softplus, words=SOFTPLUS)
def softplus_safe_from_overflow(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# Softmax, and its logarithm


SOFTMAX = "the softmax of {x}{along}"
LOG_SOFTMAX = "the log-softmax of {x}{along}"


@form(nn.softmax, words=SOFTMAX)
def softmax_with_shift(x, *, axis):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@form(nn.softmax, words=SOFTMAX)
def softmax_without_shift(x, *, axis):
    e = np.exp(x)
    return e / np.sum(e, axis=axis, keepdims=True)


@form(nn.log_softmax, words=LOG_SOFTMAX)
def log_of_softmax(x, *, axis):
    return np.log(nn.softmax(x, axis=axis))


def log_softmax_at(x: Any, *, p: Any, index: Any, axis: int) -> Any:
    """Return the log-softmax of x at an index; `p` is the softmax, which its derivative needs."""
    return nn.log_softmax(x, axis)[index]


def _shape_at(x: Any, *, index: Any, **_: Any) -> Shape:
    return getitem_shape(x, index=index)


def _dtype_of_first(x: Any, **_: Any) -> np.dtype[Any]:
    return dtype_of_first(x)


# probabilities that float32 holds exactly too, and their logarithms
P = np.array([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]], dtype=np.float32)
X = np.log(P.astype(np.float64)) + 0.75
LABELS = np.array([2, 0])


@rule(
    log_softmax_at,
    shape=_shape_at,
    dtype=_dtype_of_first,
    samples=[
        Sample(X, p=P, index=(np.arange(2), LABELS), axis=1, second=False),
        Sample(X, p=P, index=(0, 1), axis=-1, second=False),
        Sample(X.T, p=P.T, index=(LABELS, np.arange(2)), axis=0, second=False),
    ],
)
def grad_log_softmax_at(x, y, grad_y, *, p, index, axis):
    grad_log_p = placed(grad_y, index, x)
    grad_x = grad_log_p - p * np.sum(grad_log_p, axis=axis, keepdims=True)
    return grad_x


@form(log_softmax_at, words="picked from the log-softmax of {x}{along}")
def log_of_softmax_at(x, *, index, axis):
    p = nn.softmax(x, axis=axis)
    return np.log(p[index])


# Log-sum-exp


LOGSUMEXP = "the log-sum-exp of {x}{along}"


@form(nn.logsumexp, words=LOGSUMEXP)
def logsumexp_without_shift(x, *, axis):
    return np.log(np.sum(np.exp(x), axis=axis))


@form(nn.logsumexp, words=LOGSUMEXP, keepdims=True)
def logsumexp_without_shift_kept(x, *, axis):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


@form(nn.logsumexp, words=LOGSUMEXP)
def logsumexp_with_shift(x, *, axis):
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return np.max(x, axis=axis) + np.log(np.sum(np.exp(shifted), axis=axis))


@form(nn.logsumexp, words=LOGSUMEXP, keepdims=True)
def logsumexp_with_shift_kept(x, *, axis):
    top = np.max(x, axis=axis, keepdims=True)
    return top + np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True))


@form(nn.log_softmax, words=LOG_SOFTMAX)
def log_softmax_with_shift(x, *, axis):
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - nn.logsumexp(shifted, axis=axis, keepdims=True)


@form(nn.log_softmax, words=LOG_SOFTMAX)
def log_softmax_by_logsumexp(x, *, axis):
    return x - nn.logsumexp(x, axis=axis, keepdims=True)


# Variance


def variance_of_centered(x: Any, *, centered: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the variance of x; `centered` is x minus its mean, which its derivative needs."""
    return np.var(x, axis=axis, keepdims=keepdims)


def _shape_of_variance(x: Any, *, axis: Any = None, keepdims: bool = False, **_: Any) -> Shape:
    return reduced(x, axis, keepdims=keepdims)


# numbers whose means float32 holds exactly too
UNEVEN = np.array([[1.0, 2.5, 4.0, 0.5], [3.0, -1.5, 0.25, 2.25]])
CENTERED = (UNEVEN - 1.5).astype(np.float32)
CENTERED_ROWS = (UNEVEN - np.mean(UNEVEN, axis=1, keepdims=True)).astype(np.float32)


@rule(
    variance_of_centered,
    shape=_shape_of_variance,
    dtype=_dtype_of_first,
    samples=[
        Sample(UNEVEN, centered=CENTERED, second=False),
        Sample(UNEVEN, centered=CENTERED_ROWS, axis=1, second=False),
        Sample(UNEVEN, centered=CENTERED_ROWS, axis=-1, keepdims=True, second=False),
    ],
)
def grad_variance_of_centered(x, y, grad_y, *, centered, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = grad_y * 2 / axes_count(x, axis) * centered
    return grad_x


VARIANCE = "the variance of {x}{along}"


@form(variance_of_centered, words=VARIANCE)
def variance_by_power(x, *, axis):
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return np.mean(centered**2, axis=axis)


@form(variance_of_centered, words=VARIANCE, keepdims=True)
def variance_by_power_kept(x, *, axis):
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return np.mean(centered**2, axis=axis, keepdims=True)


@form(variance_of_centered, words=VARIANCE)
def variance_by_product(x, *, axis):
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return np.mean(centered * centered, axis=axis)


@form(variance_of_centered, words=VARIANCE, keepdims=True)
def variance_by_product_kept(x, *, axis):
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return np.mean(centered * centered, axis=axis, keepdims=True)


# Shifted and scaled to mean 0 and variance 1


def standardised(x: Any, eps: Any = 0.0, *, deviation: Any, axis: Any = None) -> Any:
    """Return x minus its mean over the root of its variance plus eps; `deviation` is that root, for the derivative."""
    return (x - np.mean(x, axis=axis, keepdims=True)) / np.sqrt(np.var(x, axis=axis, keepdims=True) + eps)


def _shape_of_standardised(x: Any, *_: Any, deviation: Any, axis: Any = None) -> Shape:
    """The shape of x, whose elements along the axis share one deviation."""
    shape, own = shape_of(x), shape_of(deviation)
    for k in normal_axes(axis, len(shape)):
        behind = len(shape) - k
        if behind <= len(own) and is_one(own[-behind]) is not True:
            raise SizeMismatch("a deviation for each element")
    return shape


# the variance of each row is 5, and that of all of it
SPREAD = np.array([[1.0, 7.0, 3.0, 5.0], [6.0, 2.0, 4.0, 8.0]]) - np.array([[0.0], [1.0]])
DEVIATION = np.full((2, 1), 2.5, dtype=np.float32)


@rule(
    standardised,
    shape=_shape_of_standardised,
    dtype=dtype_of_first,
    samples=[
        Sample(SPREAD, 1.25, deviation=DEVIATION, axis=1, second=False),
        Sample(SPREAD, 1.25, deviation=DEVIATION[:1], second=False),
    ],
)
def grad_standardised(x, eps, y, grad_y, *, deviation, axis=None):
    slope = np.mean(grad_y * y, axis=axis, keepdims=True)
    grad_x = (grad_y - np.mean(grad_y, axis=axis, keepdims=True) - y * slope) / deviation
    grad_eps = -grad_y * y / (2 * deviation**2)
    return grad_x, grad_eps


STANDARDISED = "{x} with mean 0 and variance 1{along}"


@form(standardised, words=STANDARDISED)
def standardised_by_variance(x, eps, *, axis):
    deviation = np.sqrt(np.var(x, axis=axis, keepdims=True) + eps)
    return (x - np.mean(x, axis=axis, keepdims=True)) / deviation


@form(standardised, words=STANDARDISED)
def standardised_by_squares(x, eps, *, axis):
    centered = x - np.mean(x, axis=axis, keepdims=True)
    deviation = np.sqrt(np.mean(centered**2, axis=axis, keepdims=True) + eps)
    return centered / deviation


# The sigmoid linear unit


def times_sigmoid(x: Any, *, s: Any) -> Any:
    """Return x times its sigmoid; `s` is the sigmoid, which its derivative needs."""
    return nn.silu(x)


@rule(
    times_sigmoid,
    shape=same,
    dtype=_dtype_of_first,
    samples=[Sample(np.log([1.0, 3.0, 1 / 7]), s=np.array([0.5, 0.75, 0.125], dtype=np.float32), second=False)],
)
def grad_times_sigmoid(x, y, grad_y, *, s):
    grad_x = grad_y * (s + y * (1 - s))
    return grad_x


@form(times_sigmoid, words="the SiLU of {x}")
def silu_written_out(x):
    s = nn.sigmoid(x)
    return x * s
