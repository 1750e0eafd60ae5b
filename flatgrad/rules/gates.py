"""Derivatives of the gates of `flatgrad.nn`.

In: the gates. Out: their records. Layer: rules, above `nn`.
"""

from __future__ import annotations

from math import exp, log1p
from typing import Any

import numpy as np

from flatgrad import nn
from flatgrad.graph.size import Shape, SizeMismatch, unify
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.placing import placed
from flatgrad.rules.shapes import dtype_of_first, reduced, same, shape_of

# What the gates are for Python floats: their sources are copied into modules that do without NumPy.


def sigmoid(x):
    """Logistic function, safe from overflow on both sides."""
    return 1.0 / (1.0 + exp(-x)) if x >= 0.0 else exp(x) / (1.0 + exp(x))


def relu(x):
    """Rectified linear unit."""
    return max(x, 0.0)


def softplus(x):
    """Logarithm of 1 + exp(x), safe from overflow."""
    return max(x, 0.0) + log1p(exp(-abs(x)))


def mean_over_rows(logits: Any, labels: Any) -> Shape:
    """Logits of rank 2 and a label for each row of them give one number."""
    scores, classes = shape_of(logits), shape_of(labels)
    if len(scores) != 2 or len(classes) != 1:
        raise SizeMismatch(f"logits of rank {len(scores)} and labels of rank {len(classes)}, not 2 and 1")
    unify(scores[0], classes[0])
    return ()


ALONG_AXES = [Sample(real(4)), Sample(real(3, 4)), Sample(real(3, 4), axis=0), Sample(real(2, 3, 4), axis=1)]


@rule(nn.sigmoid, shape=same, scalar=sigmoid, samples=[Sample(real(2, 3)), Sample(real())])
def grad_sigmoid(x, y, grad_y):
    grad_x = grad_y * (1 - y) * y
    return grad_x


@rule(
    nn.relu,
    shape=same,
    scalar=relu,
    samples=[Sample(real(2, 3)), Sample(real())],
    kinks=[Kink("relu(x) at x = 0", "0", (np.zeros(1),), (np.zeros(1),), jax="0", torch="0")],
)
def grad_relu(x, y, grad_y):
    grad_x = grad_y * (x > 0)
    return grad_x


@rule(nn.softplus, shape=same, scalar=softplus, samples=[Sample(real(2, 3)), Sample(real())])
def grad_softplus(x, y, grad_y):
    grad_x = grad_y * nn.sigmoid(x)
    return grad_x


@rule(nn.softmax, shape=same, elementwise=False, samples=ALONG_AXES)
def grad_softmax(x, y, grad_y, *, axis=-1):
    total = np.sum(grad_y * y) if axis is None else np.sum(grad_y * y, axis=axis, keepdims=True)
    grad_x = y * (grad_y - total)
    return grad_x


@rule(nn.log_softmax, shape=same, elementwise=False, samples=ALONG_AXES)
def grad_log_softmax(x, y, grad_y, *, axis=-1):
    total = np.sum(grad_y) if axis is None else np.sum(grad_y, axis=axis, keepdims=True)
    grad_x = grad_y - np.exp(y) * total
    return grad_x


@rule(
    nn.logsumexp,
    shape=reduced,
    samples=[
        Sample(real(4)),
        Sample(real(3, 4)),
        Sample(real(3, 4), keepdims=True),
        Sample(real(3, 4), axis=0),
        Sample(real(3, 4), axis=-1, keepdims=True),
        Sample(real(2, 3, 4), axis=(0, 2)),
    ],
    kinks=[
        Kink("logsumexp(x) with all of x at -inf", "0", (np.full(2, -np.inf),), (np.zeros(2),), jax="nan", torch="nan")
    ],
)
def grad_logsumexp(x, y, grad_y, *, axis=None, keepdims=False):
    # -inf - -inf is nan; exp(-inf - 0) is the 0 that is wanted
    shift = np.where(y == -np.inf, 0, y)
    if axis is not None and not keepdims:
        shift = np.expand_dims(shift, axis)
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = grad_y * np.exp(x - shift)
    return grad_x


@rule(
    nn.softmax_cross_entropy,
    shape=mean_over_rows,
    dtype=dtype_of_first,
    samples=[Sample(real(4, 3), np.array([2, 0, 1, 1]))],
)
def grad_softmax_cross_entropy(logits, labels, y, grad_y):
    one_hot = placed(1.0, (np.arange(len(labels)), labels), logits)
    grad_logits = grad_y * (nn.softmax(logits, axis=1) - one_hot) / len(labels)
    return grad_logits
