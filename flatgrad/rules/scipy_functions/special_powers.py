"""Exponentials, powers and angles of `scipy.special`: exprel, expm1, log1p, cosm1, exp10, cbrt, boxcox, spence and their kin.

In: nothing. Out: records in the registry. Layer: rules.

The derivative of exprel is ``hyp1f1(2, 3, x) / 2``, which has no terms that cancel: DLMF 13.6.2 and 13.3.15. SciPy does not
come back from it for inf, hence the bounds: outside of them it is inf, or too small for a float.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from flatgrad.registry import Kink, Sample, positive, real, rule, within_one
from flatgrad.rules.shapes import elementwise, same

REAL = [Sample(real(2, 3)), Sample(real())]
POSITIVE = [Sample(positive(2, 3)), Sample(positive())]
WITHIN_ONE = [Sample(within_one(2, 3)), Sample(within_one())]
INFINITE_AT_ZERO = [
    Kink("cbrt(0)", "inf, as the formula says", (np.array([0.0]),), (np.array([np.inf]),), jax="inf"),
]
POWERS = [Sample(positive(2, 3), real(3)), Sample(positive(3), 0.0), Sample(positive(), real())]
TRANSFORMED = [Sample(within_one(2, 3), within_one(3)), Sample(real(3), 0.0), Sample(positive(), 0.7)]


@rule(special.expm1, shape=same, samples=REAL, scalar=math.expm1)
def grad_expm1(x, y, grad_y):
    grad_x = grad_y * np.exp(x)
    return grad_x


@rule(special.exp2, shape=same, samples=REAL, scalar=math.exp2)
def grad_exp2(x, y, grad_y):
    grad_x = grad_y * y * math.log(2)
    return grad_x


@rule(special.exp10, shape=same, samples=REAL)
def grad_exp10(x, y, grad_y):
    grad_x = grad_y * y * math.log(10)
    return grad_x


@rule(special.exprel, shape=same, samples=[*REAL, Sample(np.array([0.0, 1e-9, -1e-3, 9.0, -40.0]))])
def grad_exprel(x, y, grad_y):
    grad_x = grad_y * special.hyp1f1(2, 3, np.clip(x, float(np.finfo(y.dtype).min), 1e3)) / 2
    return grad_x


@rule(
    special.hyp1f1,
    shape=elementwise,
    samples=[Sample(2, 3, real(2, 3)), Sample(1.5, 2.5, real(), wrt=("x",)), Sample(real(3), 2, real(3), wrt=("x",))],
    unknown=["a", "b"],
)
def grad_hyp1f1(a, b, x, y, grad_y):
    grad_x = grad_y * (a / b) * special.hyp1f1(a + 1, b + 1, x)
    return grad_x


@rule(
    special.hyp2f1,
    shape=elementwise,
    samples=[Sample(2, 3, 4, within_one(2, 3)), Sample(0.5, 1.5, 2.5, within_one(), wrt=("x",))],
    unknown=["a", "b", "c"],
)
def grad_hyp2f1(a, b, c, x, y, grad_y):
    grad_x = grad_y * (a * b / c) * special.hyp2f1(a + 1, b + 1, c + 1, x)
    return grad_x


@rule(special.log1p, shape=same, samples=POSITIVE + WITHIN_ONE, scalar=math.log1p)
def grad_log1p(x, y, grad_y):
    grad_x = grad_y / (1 + x)
    return grad_x


@rule(special.spence, shape=same, samples=[*POSITIVE, Sample(np.array([1.0, 1 + 1e-9, 1 - 1e-5]))])
def grad_spence(x, y, grad_y):
    # log(x) / (1 - x), which is -1 at 1
    grad_x = -grad_y / special.exprel(np.log(x))
    return grad_x


@rule(special.cosm1, shape=same, samples=REAL)
def grad_cosm1(x, y, grad_y):
    grad_x = -grad_y * np.sin(x)
    return grad_x


@rule(special.cbrt, shape=same, samples=REAL, kinks=INFINITE_AT_ZERO, scalar=math.cbrt)
def grad_cbrt(x, y, grad_y):
    grad_x = grad_y / (3 * y**2)
    return grad_x


@rule(
    special.radian,
    shape=elementwise,
    samples=[Sample(real(12, 11), positive(11), positive()), Sample(30.0, real(3), 2.0), Sample(real(), 1.5, 2.5)],
    linear=True,
)
def grad_radian(degrees, minutes, seconds, y, grad_y):
    grad_degrees = np.radians(grad_y)
    grad_minutes = np.radians(grad_y) / 60
    grad_seconds = np.radians(grad_y) / 3600
    return grad_degrees, grad_minutes, grad_seconds


# Box-Cox transformations. By lmbda, (x**lmbda - 1) / lmbda is log(x) times exprel(lmbda * log(x)).


@rule(special.boxcox, shape=elementwise, samples=POWERS)
def grad_boxcox(x, lmbda, y, grad_y):
    log_x = np.log(x)
    grad_x = grad_y * x ** (lmbda - 1)
    grad_lmbda = grad_y * log_x**2 * special.hyp1f1(2, 3, np.clip(lmbda * log_x, float(np.finfo(y.dtype).min), 1e3)) / 2
    return grad_x, grad_lmbda


@rule(special.boxcox1p, shape=elementwise, samples=[*POWERS, Sample(within_one(3), real(3))])
def grad_boxcox1p(x, lmbda, y, grad_y):
    log_x = np.log1p(x)
    grad_x = grad_y * np.exp((lmbda - 1) * log_x)
    grad_lmbda = grad_y * log_x**2 * special.hyp1f1(2, 3, np.clip(lmbda * log_x, float(np.finfo(y.dtype).min), 1e3)) / 2
    return grad_x, grad_lmbda


@rule(special.inv_boxcox, shape=elementwise, samples=TRANSFORMED)
def grad_inv_boxcox(x, lmbda, y, grad_y):
    # of the transformation back: dy / dx is one over the derivative of boxcox at y
    log_y = np.log(y)
    grad_x = grad_y * y ** (1 - lmbda)
    grad_lmbda = (
        -grad_x * log_y**2 * special.hyp1f1(2, 3, np.clip(lmbda * log_y, float(np.finfo(y.dtype).min), 1e3)) / 2
    )
    return grad_x, grad_lmbda


@rule(special.inv_boxcox1p, shape=elementwise, samples=TRANSFORMED)
def grad_inv_boxcox1p(x, lmbda, y, grad_y):
    log_y = np.log1p(y)
    grad_x = grad_y * np.exp((1 - lmbda) * log_y)
    grad_lmbda = (
        -grad_x * log_y**2 * special.hyp1f1(2, 3, np.clip(lmbda * log_y, float(np.finfo(y.dtype).min), 1e3)) / 2
    )
    return grad_x, grad_lmbda
