"""Error functions and the normal distribution of `scipy.special`: erf, erfc, erfinv, ndtr, log_ndtr, ndtri and their kin.

In: nothing. Out: records in the registry. Layer: rules.

`x * x` stands for the square: of a Python number it may overflow to inf, where `x**2` would raise.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from flatgrad.registry import Kink, Sample, positive, real, rule, within_one
from flatgrad.rules.shapes import same

REAL = [Sample(real(2, 3)), Sample(real())]
WITHIN_ONE = [Sample(within_one(2, 3)), Sample(within_one())]
PROBABILITIES = [Sample(positive(2, 3) / 3), Sample(positive() / 3)]
AT_ONE = (np.array([1.0]),), (np.array([np.inf]),)
AT_ZERO = (np.array([0.0]),), (np.array([np.inf]),)


@rule(special.erf, shape=same, samples=REAL, scalar=math.erf)
def grad_erf(x, y, grad_y):
    grad_x = grad_y * 2 / math.sqrt(math.pi) * np.exp(-x * x)
    return grad_x


@rule(special.erfc, shape=same, samples=REAL, scalar=math.erfc)
def grad_erfc(x, y, grad_y):
    grad_x = -grad_y * 2 / math.sqrt(math.pi) * np.exp(-x * x)
    return grad_x


@rule(special.erfcx, shape=same, samples=[*REAL, Sample(np.array([-3.0, 12.0, 45.0]))])
def grad_erfcx(x, y, grad_y):
    # far out the two terms cancel, and the asymptotic series takes over: DLMF 7.12.1
    t = 0.5 / np.maximum(x, 30) / np.maximum(x, 30)
    series = -2 / math.sqrt(math.pi) * t * (1 - t * (3 - t * (15 - t * (105 - t * 945))))
    grad_x = grad_y * np.where(x > 30, series, 2 * x * y - 2 / math.sqrt(math.pi))
    return grad_x


@rule(special.erfi, shape=same, samples=REAL)
def grad_erfi(x, y, grad_y):
    grad_x = grad_y * 2 / math.sqrt(math.pi) * np.exp(x * x)
    return grad_x


@rule(special.dawsn, shape=same, samples=[*REAL, Sample(np.array([-45.0, 12.0, 45.0]))])
def grad_dawsn(x, y, grad_y):
    # far out the two terms cancel, and the asymptotic series takes over
    size = np.maximum(np.abs(x), 30)
    t = 0.5 / size / size
    series = -t * (1 + t * (3 + t * (15 + t * (105 + t * 945))))
    grad_x = grad_y * np.where(size > 30, series, 1 - 2 * x * y)
    return grad_x


@rule(
    special.erfinv,
    shape=same,
    samples=WITHIN_ONE,
    kinks=[Kink("erfinv(1)", "inf, as the formula says", *AT_ONE, jax="inf", torch="inf")],
)
def grad_erfinv(x, y, grad_y):
    grad_x = grad_y * math.sqrt(math.pi) / 2 * np.exp(y * y)
    return grad_x


@rule(special.erfcinv, shape=same, samples=PROBABILITIES)
def grad_erfcinv(x, y, grad_y):
    grad_x = -grad_y * math.sqrt(math.pi) / 2 * np.exp(y * y)
    return grad_x


@rule(special.ndtr, shape=same, samples=REAL)
def grad_ndtr(x, y, grad_y):
    grad_x = grad_y / math.sqrt(2 * math.pi) * np.exp(-x * x / 2)
    return grad_x


@rule(special.log_ndtr, shape=same, samples=[*REAL, Sample(np.array([-30.0, -8.0, 6.0]))])
def grad_log_ndtr(x, y, grad_y):
    # the density over the distribution, where both may be too small for a float
    grad_x = grad_y * math.sqrt(2 / math.pi) / special.erfcx(-x / math.sqrt(2))
    return grad_x


@rule(
    special.ndtri,
    shape=same,
    samples=PROBABILITIES,
    kinks=[Kink("ndtri(0)", "inf, as the formula says", *AT_ZERO, jax="0", torch="inf")],
)
def grad_ndtri(x, y, grad_y):
    grad_x = grad_y * math.sqrt(2 * math.pi) * np.exp(y * y / 2)
    return grad_x


@rule(special.ndtri_exp, shape=same, samples=[Sample(-positive(2, 3)), Sample(-positive())])
def grad_ndtri_exp(x, y, grad_y):
    grad_x = grad_y * math.sqrt(math.pi / 2) * special.erfcx(-y / math.sqrt(2))
    return grad_x
