"""The logistic function and its kin of `scipy.special`: expit, logit, log_expit, softplus, softmax, log_softmax, logsumexp.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from flatgrad.graph.size import Shape
from flatgrad.graph.values import Type, Value
from flatgrad.registry import Kink, Sample, positive, real, rule
from flatgrad.rules.gates import sigmoid
from flatgrad.rules.shapes import elementwise, reduced, same

REAL = [Sample(real(2, 3)), Sample(real())]
PROBABILITIES = [Sample(positive(2, 3) / 3), Sample(positive() / 3)]
ALONG_AXES = [
    Sample(real(4)),
    Sample(real(3, 4)),
    Sample(real(3, 4), axis=-1),
    Sample(real(2, 3, 4), axis=1),
    Sample(real(2, 3, 4), axis=(0, 2)),
]


@rule(special.expit, shape=same, samples=REAL, scalar=sigmoid)
def grad_expit(x, y, grad_y):
    # 1 - y has no digits left where y is close to 1
    grad_x = grad_y * y * special.expit(-x)
    return grad_x


@rule(special.logit, shape=same, samples=PROBABILITIES)
def grad_logit(x, y, grad_y):
    grad_x = grad_y / (x * (1 - x))
    return grad_x


@rule(special.log_expit, shape=same, samples=REAL)
def grad_log_expit(x, y, grad_y):
    grad_x = grad_y * special.expit(-x)
    return grad_x


# since SciPy 1.15
if hasattr(special, "softplus"):

    @rule(special.softplus, shape=same, samples=REAL)
    def grad_softplus(x, y, grad_y):
        grad_x = grad_y * special.expit(x)
        return grad_x


@rule(special.softmax, shape=same, elementwise=False, samples=ALONG_AXES)
def grad_softmax(x, y, grad_y, *, axis=None):
    total = np.sum(grad_y * y) if axis is None else np.sum(grad_y * y, axis=axis, keepdims=True)
    grad_x = y * (grad_y - total)
    return grad_x


@rule(special.log_softmax, shape=same, elementwise=False, samples=ALONG_AXES)
def grad_log_softmax(x, y, grad_y, *, axis=None):
    total = np.sum(grad_y) if axis is None else np.sum(grad_y, axis=axis, keepdims=True)
    grad_x = grad_y - np.exp(y) * total
    return grad_x


def summed(a: Any, b: Any = None, *, axis: Any = None, keepdims: bool = False, return_sign: bool = False) -> Shape:
    """The axes that are summed over go, or stay with length 1; weights are stretched first."""
    if return_sign:
        raise TypeError("return_sign=True has no rule")
    stretched = a if b is None else Value(Type(np.dtype(float), elementwise(a, b)))
    return reduced(stretched, axis, keepdims=keepdims)


NOTHING = np.full(2, -np.inf)


@rule(
    special.logsumexp,
    shape=summed,
    samples=[
        *ALONG_AXES,
        Sample(real(3, 4), keepdims=True),
        Sample(real(3, 4), axis=-1, keepdims=True),
        Sample(real(3, 4), axis=0, b=positive(3, 4)),
        Sample(real(3, 4), b=positive(4), axis=1, keepdims=True),
        Sample(real(4), b=np.array([2, 0, 1, 1])),
    ],
    kinks=[Kink("logsumexp of nothing but -inf", "0", (NOTHING,), (np.zeros(2),), jax="nan", torch="nan")],
)
def grad_logsumexp(a, b=None, y=None, grad_y=None, *, axis=None, keepdims=False, return_sign=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    # -inf - -inf is nan; exp(-inf - 0) is the 0 that is wanted
    shift = np.where(y == -np.inf, 0, y)
    if b is None:
        powers = np.exp(a - shift)
        # 1, but for the rounding of a large y; 1 stands for 0
        total = np.sum(powers, axis=axis, keepdims=True)
        scale = grad_y / (total + (total == 0))
        grad_a = scale * powers
        grad_b = None
    else:
        # where the weight is 0, exp(a) may be inf
        weighted = b * np.exp(np.where(b == 0, -np.inf, a) - shift)
        total = np.sum(weighted, axis=axis, keepdims=True)
        scale = grad_y / (total + (total == 0))
        grad_a = scale * weighted
        grad_b = scale * np.exp(a - y)
    return grad_a, grad_b
