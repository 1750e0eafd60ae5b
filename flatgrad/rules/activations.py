"""Derivatives of the activation functions of `flatgrad.nn` that are more than an expression of others.

In: these functions. Out: their records. Layer: rules, above `nn`.
"""

from __future__ import annotations

import math
from math import erfc, expm1, sqrt

import numpy as np

from flatgrad import nn
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.shapes import same

# What they are for Python floats: their sources are copied into modules that do without NumPy.


def normal_cdf(x):
    """Probability that a standard normal number is below x, with all digits where it is tiny, too."""
    return 0.5 * erfc(-x / sqrt(2.0))


def elu(x, alpha=1.0):
    """Exponential linear unit."""
    return x if x > 0.0 else alpha * expm1(x)


def leaky_relu(x, slope=0.01):
    """Rectified linear unit with a slope below 0."""
    return x if x > 0.0 else slope * x


def softsign(x):
    """Between -1 and 1, without an exponential."""
    return x / (1.0 + abs(x))


@rule(nn.normal_cdf, shape=same, scalar=normal_cdf, samples=[Sample(3 * real(2, 3)), Sample(real())])
def grad_normal_cdf(x, y, grad_y):
    grad_x = grad_y * np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    return grad_x


@rule(
    nn.elu,
    shape=same,
    scalar=elu,
    samples=[Sample(real(2, 3)), Sample(real()), Sample(real(2, 3), alpha=0.5)],
    kinks=[
        Kink(
            "elu(x) at x = 0 where alpha is not 1",
            "alpha",
            (np.zeros(1),),
            (np.full(1, 0.5),),
            attributes=(("alpha", 0.5),),
            jax="alpha",
            torch="alpha",
        )
    ],
)
def grad_elu(x, y, grad_y, *, alpha=1.0):
    grad_x = np.where(x > 0, grad_y, grad_y * (y + alpha))
    return grad_x


@rule(
    nn.leaky_relu,
    shape=same,
    scalar=leaky_relu,
    samples=[Sample(real(2, 3)), Sample(real()), Sample(real(2, 3), slope=0.2)],
    kinks=[
        Kink(
            "leaky_relu(x) at x = 0",
            "the slope below",
            (np.zeros(1),),
            (np.full(1, 0.01),),
            jax="1",
            torch="the slope below",
        )
    ],
)
def grad_leaky_relu(x, y, grad_y, *, slope=0.01):
    grad_x = np.where(x > 0, grad_y, slope * grad_y)
    return grad_x


@rule(nn.softsign, shape=same, scalar=softsign, samples=[Sample(real(2, 3)), Sample(real())])
def grad_softsign(x, y, grad_y):
    size = 1 + np.abs(x)
    grad_x = grad_y / size / size
    return grad_x
