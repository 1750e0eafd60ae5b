"""Entropies, divergences and robust losses of `scipy.special`: xlogy, entr, rel_entr, kl_div, huber and their kin.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from flatgrad.registry import Kink, Sample, positive, real, rule, within_one
from flatgrad.rules.shapes import elementwise, same

POSITIVE = [Sample(positive(2, 3)), Sample(positive())]
PAIRS = [
    Sample(positive(3), positive(2, 3)),
    Sample(positive(2, 1), positive(1, 3)),
    Sample(positive(), positive(3)),
    Sample(positive(), positive() + 1),
]
ZERO, MINUS_INF, INF = np.array([0.0]), np.array([-np.inf]), np.array([np.inf])


@rule(
    special.xlogy,
    shape=elementwise,
    samples=[*PAIRS, Sample(np.array([0.0, -1.5]), positive(2))],
    kinks=[Kink("xlogy(0, 0)", "-inf and 0", (ZERO, ZERO), (MINUS_INF, ZERO), jax="-inf and nan", torch="0 and nan")],
)
def grad_xlogy(a, b, y, grad_y):
    # 1 stands for 0 where both are 0
    divisor = b + ((a == 0) & (b == 0))
    grad_a = grad_y * np.log(b)
    grad_b = grad_y * a / divisor
    return grad_a, grad_b


@rule(
    special.xlog1py,
    shape=elementwise,
    samples=[*PAIRS, Sample(np.array([0.0, -1.5]), within_one(2))],
    kinks=[
        Kink("xlog1py(0, -1)", "-inf and 0", (ZERO, ZERO - 1), (MINUS_INF, ZERO), jax="-inf and nan", torch="0 and nan")
    ],
)
def grad_xlog1py(a, b, y, grad_y):
    # 1 stands for 0 where both are 0
    divisor = 1 + b + ((a == 0) & (b == -1))
    grad_a = grad_y * np.log1p(b)
    grad_b = grad_y * a / divisor
    return grad_a, grad_b


@rule(
    special.entr,
    shape=same,
    samples=POSITIVE,
    kinks=[Kink("entr(0)", "inf, as the formula says", (ZERO,), (INF,), jax="inf", torch="inf")],
)
def grad_entr(x, y, grad_y):
    grad_x = -grad_y * (np.log(x) + 1)
    return grad_x


@rule(
    special.rel_entr,
    shape=elementwise,
    samples=PAIRS,
    kinks=[Kink("rel_entr(0, 0)", "-inf and 0", (ZERO, ZERO), (MINUS_INF, ZERO), jax="0")],
)
def grad_rel_entr(a, b, y, grad_y):
    # 1 stands for 0 where both are 0
    divisor = b + ((a == 0) & (b == 0))
    grad_a = grad_y * (np.log(a) - np.log(divisor) + 1)
    grad_b = -grad_y * a / divisor
    return grad_a, grad_b


@rule(
    special.kl_div,
    shape=elementwise,
    samples=PAIRS,
    kinks=[Kink("kl_div(0, 0)", "-inf and 0", (ZERO, ZERO), (MINUS_INF, ZERO), jax="-1 and 1")],
)
def grad_kl_div(a, b, y, grad_y):
    # 1 stands for 0 where both are 0
    divisor = b + ((a == 0) & (b == 0))
    grad_a = grad_y * np.log(a / divisor)
    grad_b = grad_y * (b - a) / divisor
    return grad_a, grad_b


LOSSES = [Sample(positive(3), real(2, 3)), Sample(1.3, real(4)), Sample(positive(), real() - 3)]


@rule(special.huber, shape=elementwise, samples=LOSSES)
def grad_huber(delta, r, y, grad_y):
    grad_delta = grad_y * np.maximum(np.abs(r) - delta, 0)
    grad_r = grad_y * np.clip(r, -delta, delta)
    return grad_delta, grad_r


@rule(special.pseudo_huber, shape=elementwise, samples=LOSSES)
def grad_pseudo_huber(delta, r, y, grad_y):
    ratio = r / delta
    root = np.hypot(1, ratio)
    # root - 1, without cancellation
    excess = ratio * (ratio / (1 + root))
    grad_delta = grad_y * delta * excess * (excess / root)
    grad_r = grad_y * r / root
    return grad_delta, grad_r
