"""The gamma function of `math`, its logarithm, and the polygamma functions that are their derivatives.

In: math.gamma, math.lgamma. Out: their records. The sources of `digamma` and `polygamma` are copied into modules that need
them. Layer: rules.
"""

from __future__ import annotations

import math

from flatgrad.registry import Sample, positive, rule
from flatgrad.rules.shapes import no_axes, same

BOTH_SIDES = [Sample(positive()), Sample(-1.3), Sample(7.4), Sample(0.01)]


def digamma(x):
    """Derivative of math.lgamma: by reflection below 0, else by the recurrence up to 10 and the asymptotic series there."""
    if x <= 0 and x == math.floor(x):
        raise ValueError("digamma has poles at 0, -1, -2, ...")
    result = 0.0
    if x < 0:
        result -= math.pi / math.tan(math.pi * math.fmod(x, 1))
        x = 1 - x
    while x < 10:
        result -= 1 / x
        x += 1
    # B(2k) / 2k / x**2k, with the Bernoulli numbers B
    square = x**-2
    series = 0.0
    for coefficient in (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12):
        series = (series + coefficient) * square
    return result + math.log(x) - 0.5 / x - series


def polygamma(order, x):
    """Derivative of digamma of an order of 1 or more: by the recurrence up to 20 and the asymptotic series there."""
    if x <= 0 and x == math.floor(x):
        raise ValueError("polygamma has poles at 0, -1, -2, ...")
    below = 0.0
    while x < 20:
        below += x ** -(order + 1)
        x += 1
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    factor = 1 / order
    series = factor + 0.5 / x
    for k in range(len(bernoulli)):
        # (order + 2k + 1)! / (order! * (2k + 2)!) / x**(2k + 2)
        factor *= (order + 2 * k) * (order + 2 * k + 1) / ((2 * k + 1) * (2 * k + 2)) / x**2
        series += bernoulli[k] * factor
    return (-1) ** (order + 1) * math.factorial(order) * (below + series * x**-order)


@rule(math.gamma, shape=same, samples=BOTH_SIDES)
def grad_gamma(x, y, grad_y):
    grad_x = grad_y * y * digamma(x)
    return grad_x


@rule(math.lgamma, shape=same, samples=BOTH_SIDES)
def grad_lgamma(x, y, grad_y):
    grad_x = grad_y * digamma(x)
    return grad_x


@rule(digamma, shape=same, samples=BOTH_SIDES, scalar=digamma)
def grad_digamma(x, y, grad_y):
    """Both functions are computed as in DLMF 5.5.2, 5.5.4, 5.11.2 and 5.15."""
    grad_x = grad_y * polygamma(1, x)
    return grad_x


@rule(polygamma, shape=no_axes, elementwise=True, samples=[Sample(1, positive()), Sample(2, 7.4), Sample(3, -1.3)])
def grad_polygamma(order, x, y, grad_y):
    grad_x = grad_y * polygamma(order + 1, x)
    return grad_x
