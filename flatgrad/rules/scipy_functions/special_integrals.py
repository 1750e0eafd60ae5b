"""Incomplete gamma and beta functions and exponential integrals of `scipy.special`.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from flatgrad.registry import Sample, positive, rule, within_one
from flatgrad.rules.shapes import elementwise, same

POSITIVE = [Sample(positive(2, 3)), Sample(positive())]
SHAPES = [
    Sample(positive(3), positive(2, 3), wrt=("x",)),
    Sample(2.5, positive(2, 3), wrt=("x",)),
    Sample(positive(), positive() + 1, wrt=("x",)),
]


@rule(special.gammainc, shape=elementwise, samples=SHAPES, unknown=["a"])
def grad_gammainc(a, x, y, grad_y):
    grad_x = grad_y * np.exp(special.xlogy(a - 1, x) - x - special.gammaln(a))
    return grad_x


@rule(special.gammaincc, shape=elementwise, samples=SHAPES, unknown=["a"])
def grad_gammaincc(a, x, y, grad_y):
    grad_x = -grad_y * np.exp(special.xlogy(a - 1, x) - x - special.gammaln(a))
    return grad_x


LIMITS = [
    Sample(positive(3), positive(2, 3), (within_one(2, 3) + 1) / 2, wrt=("x",)),
    Sample(2.5, 1.5, (within_one(3) + 1) / 2, wrt=("x",)),
    Sample(positive(), positive(), 0.3, wrt=("x",)),
]


@rule(special.betainc, shape=elementwise, samples=LIMITS, unknown=["a", "b"])
def grad_betainc(a, b, x, y, grad_y):
    grad_x = grad_y * np.exp(special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - special.betaln(a, b))
    return grad_x


@rule(special.betaincc, shape=elementwise, samples=LIMITS, unknown=["a", "b"])
def grad_betaincc(a, b, x, y, grad_y):
    grad_x = -grad_y * np.exp(special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - special.betaln(a, b))
    return grad_x


@rule(special.exp1, shape=same, samples=POSITIVE)
def grad_exp1(x, y, grad_y):
    grad_x = -grad_y * np.exp(-x) / x
    return grad_x


@rule(special.expi, shape=same, samples=POSITIVE)
def grad_expi(x, y, grad_y):
    grad_x = grad_y * np.exp(x) / x
    return grad_x
