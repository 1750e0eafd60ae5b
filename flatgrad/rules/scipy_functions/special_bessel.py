"""Bessel functions of `scipy.special`, of fixed orders and of any order.

In: nothing. Out: records in the registry. The recurrences are those of DLMF 10.6.1, 10.6.2, 10.29.1 and 10.29.2. By their
order the functions have derivatives without a closed form, which are not known here. Layer: rules.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from flatgrad.registry import Kink, Sample, positive, real, rule
from flatgrad.rules.shapes import elementwise, same

REAL = [Sample(real(2, 3)), Sample(real()), Sample(real(3) * 4)]
POSITIVE = [Sample(positive(2, 3)), Sample(positive()), Sample(positive(3) * 20)]


def of_orders(*orders):
    """Return samples with orders that are constants, and with an array of them."""
    samples = [Sample(order, positive(2, 3), wrt=("x",)) for order in orders]
    return [*samples, Sample(2, positive()), Sample(np.array([[0], [1], [4]]), positive(3))]


ANY_ORDER = of_orders(0, 1, 2.5, -0.7)
WHOLE_ORDER = of_orders(0, 1, 3)


# J and Y


@rule(special.j0, shape=same, samples=REAL)
def grad_j0(x, y, grad_y):
    grad_x = -grad_y * special.j1(x)
    return grad_x


@rule(special.j1, shape=same, samples=REAL)
def grad_j1(x, y, grad_y):
    # y / x is 1/2 at 0
    ratio = np.where(np.abs(x) < 1e-9, 0.5, y / (x + (x == 0)))
    grad_x = grad_y * (special.j0(x) - ratio)
    return grad_x


@rule(special.jv, shape=elementwise, samples=ANY_ORDER, unknown=["v"])
def grad_jv(v, x, y, grad_y):
    grad_x = grad_y * (special.jv(v - 1, x) - special.jv(v + 1, x)) / 2
    return grad_x


@rule(special.y0, shape=same, samples=POSITIVE)
def grad_y0(x, y, grad_y):
    grad_x = -grad_y * special.y1(x)
    return grad_x


@rule(special.y1, shape=same, samples=POSITIVE)
def grad_y1(x, y, grad_y):
    grad_x = grad_y * (special.y0(x) - y / x)
    return grad_x


@rule(special.yn, shape=elementwise, samples=WHOLE_ORDER, unknown=["v"])
def grad_yn(v, x, y, grad_y):
    grad_x = grad_y * (special.yn(v - 1, x) - special.yn(v + 1, x)) / 2
    return grad_x


@rule(special.yv, shape=elementwise, samples=ANY_ORDER, unknown=["v"])
def grad_yv(v, x, y, grad_y):
    grad_x = grad_y * (special.yv(v - 1, x) - special.yv(v + 1, x)) / 2
    return grad_x


# I and K, and both with the exponential taken out


@rule(special.i0, shape=same, samples=REAL)
def grad_i0(x, y, grad_y):
    grad_x = grad_y * special.i1(x)
    return grad_x


@rule(special.i1, shape=same, samples=REAL)
def grad_i1(x, y, grad_y):
    # y / x is 1/2 at 0; where i0 is inf, so is y
    ratio = np.where(np.abs(x) < 1e-9, 0.5, np.where(np.isinf(y), 0, y) / (x + (x == 0)))
    grad_x = grad_y * (special.i0(x) - ratio)
    return grad_x


@rule(special.iv, shape=elementwise, samples=ANY_ORDER, unknown=["v"])
def grad_iv(v, x, y, grad_y):
    grad_x = grad_y * (special.iv(v - 1, x) + special.iv(v + 1, x)) / 2
    return grad_x


@rule(
    special.i0e,
    shape=same,
    samples=REAL,
    kinks=[Kink("i0e(0)", "0", (np.array([0.0]),), (np.array([0.0]),), jax="0", torch="0")],
)
def grad_i0e(x, y, grad_y):
    grad_x = grad_y * (special.i1e(x) - np.sign(x) * y)
    return grad_x


@rule(special.i1e, shape=same, samples=REAL)
def grad_i1e(x, y, grad_y):
    # y / x is 1/2 at 0, and nearby numbers may be too small to divide
    ratio = np.where(np.abs(x) < 1e-9, 0.5 - np.abs(x) / 2, y / (x + (x == 0)))
    grad_x = grad_y * (special.i0e(x) - ratio - np.sign(x) * y)
    return grad_x


@rule(special.ive, shape=elementwise, samples=ANY_ORDER, unknown=["v"])
def grad_ive(v, x, y, grad_y):
    grad_x = grad_y * ((special.ive(v - 1, x) + special.ive(v + 1, x)) / 2 - np.sign(x) * y)
    return grad_x


@rule(special.k0, shape=same, samples=POSITIVE)
def grad_k0(x, y, grad_y):
    grad_x = -grad_y * special.k1(x)
    return grad_x


@rule(special.k1, shape=same, samples=POSITIVE)
def grad_k1(x, y, grad_y):
    grad_x = -grad_y * (special.k0(x) + y / x)
    return grad_x


@rule(special.kn, shape=elementwise, samples=WHOLE_ORDER, unknown=["v"])
@rule(special.kv, shape=elementwise, samples=ANY_ORDER, unknown=["v"])
def grad_kv(v, x, y, grad_y):
    grad_x = -grad_y * (special.kv(v - 1, x) + special.kv(v + 1, x)) / 2
    return grad_x


@rule(special.k0e, shape=same, samples=POSITIVE)
def grad_k0e(x, y, grad_y):
    grad_x = grad_y * (y - special.k1e(x))
    return grad_x


@rule(special.k1e, shape=same, samples=POSITIVE)
def grad_k1e(x, y, grad_y):
    grad_x = grad_y * (y - special.k0e(x) - y / x)
    return grad_x


@rule(special.kve, shape=elementwise, samples=ANY_ORDER, unknown=["v"])
def grad_kve(v, x, y, grad_y):
    grad_x = grad_y * (y - (special.kve(v - 1, x) + special.kve(v + 1, x)) / 2)
    return grad_x
