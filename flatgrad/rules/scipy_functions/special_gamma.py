"""The gamma function and its kin of `scipy.special`: gammaln, digamma, polygamma, beta, binom, factorial, zeta and others.

In: nothing. Out: records in the registry. The trigamma function is ``zeta(2, x)``: DLMF 25.11.12. Layer: rules.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, no_gradient, positive, real, rule
from flatgrad.rules.shapes import elementwise, same, shape_of

REAL = [Sample(real(2, 3)), Sample(real())]
POSITIVE = [Sample(positive(2, 3)), Sample(positive())]
PAIRS = [
    Sample(positive(3), positive(2, 3) + 1),
    Sample(positive(2, 1), positive(1, 3)),
    Sample(positive(), positive(3)),
    Sample(positive(), positive() + 1),
]


@rule(special.gamma, shape=same, samples=REAL)
def grad_gamma(x, y, grad_y):
    grad_x = grad_y * y * special.digamma(x)
    return grad_x


@rule(special.rgamma, shape=same, samples=[*REAL, Sample(np.array([-3.0, -1.0, 0.0]))])
def grad_rgamma(x, y, grad_y):
    # left of 0 there are zeros of y at poles of digamma: Euler's reflection formula, DLMF 5.5.3
    mirrored = 1 - np.minimum(x, 0.5)
    angle = math.pi * x
    turned = np.cos(angle) - special.digamma(mirrored) * np.sin(angle) / math.pi
    # y is 0 from 180 on
    right = -y * special.digamma(np.clip(x, 0.5, 200))
    grad_x = grad_y * np.where(x < 0.5, special.gamma(mirrored) * turned, right)
    return grad_x


@rule(special.gammaln, shape=same, samples=REAL)
@rule(special.loggamma, shape=same, samples=POSITIVE)
def grad_gammaln(x, y, grad_y):
    grad_x = grad_y * special.digamma(x)
    return grad_x


@rule(special.digamma, shape=same, samples=REAL)
def grad_digamma(x, y, grad_y):
    grad_x = grad_y * special.zeta(2, x)
    return grad_x


@rule(
    special.polygamma,
    shape=elementwise,
    samples=[
        Sample(1, positive(2, 3)),
        Sample(0, positive(3)),
        Sample(3, positive()),
        Sample(2, real(3)),
        Sample(np.array([[1], [2]]), positive(3)),
    ],
    unknown=["n"],
)
def grad_polygamma(n, x, y, grad_y):
    grad_x = grad_y * special.polygamma(n + 1, x)
    return grad_x


@rule(
    special.zeta,
    shape=elementwise,
    samples=[
        Sample(2, positive(2, 3)),
        Sample(3.5, positive(2, 3), wrt=("q",)),
        Sample(np.array([[2.5], [3.5]]), positive(3), wrt=("q",)),
    ],
    unknown=["x"],
)
def grad_zeta(x, q=None, y=None, grad_y=None):
    grad_q = -grad_y * x * special.zeta(x + 1, q)
    return grad_q


def always_float64(a: Any, *, d: int) -> np.dtype[Any]:
    """The result is float64, whatever it is made of."""
    return np.dtype(np.float64)


@rule(
    special.multigammaln,
    shape=same,
    dtype=always_float64,
    samples=[Sample(positive(2, 3) + 2, d=3), Sample(positive() + 1, d=2), Sample(positive(3), d=1)],
)
def grad_multigammaln(a, y, grad_y, *, d):
    terms = special.digamma(np.expand_dims(a, -1) - np.arange(d) / 2)
    grad_a = grad_y * np.sum(terms, axis=-1)
    return grad_a


@rule(special.beta, shape=elementwise, samples=PAIRS)
def grad_beta(a, b, y, grad_y):
    together = special.digamma(a + b)
    grad_a = grad_y * y * (special.digamma(a) - together)
    grad_b = grad_y * y * (special.digamma(b) - together)
    return grad_a, grad_b


@rule(special.betaln, shape=elementwise, samples=PAIRS)
def grad_betaln(a, b, y, grad_y):
    together = special.digamma(a + b)
    grad_a = grad_y * (special.digamma(a) - together)
    grad_b = grad_y * (special.digamma(b) - together)
    return grad_a, grad_b


@rule(special.poch, shape=elementwise, samples=PAIRS)
def grad_poch(a, m, y, grad_y):
    grad_m = grad_y * y * special.digamma(a + m)
    grad_a = grad_m - grad_y * y * special.digamma(a)
    return grad_a, grad_m


def combined(n: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Shape:
    """Numbers of combinations, of real numbers."""
    if exact or repetition:
        raise TypeError("exact=True and repetition=True have no rule")
    return elementwise(n, k)


# more things than are taken
CHOICES = [
    Sample(positive(2, 3) + 3, positive(3)),
    Sample(positive(2, 3) + 3, 2),
    Sample(7.3, positive(3)),
    Sample(positive() + 3, positive()),
]


@rule(special.binom, shape=elementwise, samples=CHOICES)
@rule(special.comb, shape=combined, elementwise=True, samples=CHOICES)
def grad_binom(n, k, y, grad_y, *, exact=False, repetition=False):
    rest = special.digamma(n - k + 1)
    grad_n = grad_y * y * (special.digamma(n + 1) - rest)
    grad_k = grad_y * y * (rest - special.digamma(k + 1))
    return grad_n, grad_k


def of_real_numbers(n: Any, *, exact: bool = False, extend: str = "zero") -> Shape:
    """The factorial as the gamma function, which is 0 left of 0."""
    if exact or extend != "zero":
        raise TypeError("exact=True and extend='complex' have no rule")
    return shape_of(n)


@rule(
    special.factorial,
    shape=of_real_numbers,
    elementwise=True,
    samples=POSITIVE,
    kinks=[Kink("factorial left of 0", "0", (np.array([-1.0, -2.5]),), (np.zeros(2),), jax="nan and 0")],
)
def grad_factorial(n, y, grad_y, *, exact=False, extend="zero"):
    grad_n = grad_y * y * special.digamma(np.maximum(n, 0) + 1)
    return grad_n


no_gradient(special.gammasgn, shape=same, samples=[Sample(real(2, 3)), Sample(real())])
