"""Distributions of whole numbers of `scipy.stats`: poisson, bernoulli, binom, geom, nbinom.

In: nothing. Out: records in the registry: of logpmf and pmf by their parameters. Layer: rules.

By the count and by loc, these functions have steps only: there is no gradient. Where no count is possible, all are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special, stats

from flatgrad.graph.values import Value
from flatgrad.registry import Kink, Sample, inline, positive, question, rule
from flatgrad.rules.shapes import elementwise

COUNTS = np.array([[0, 1, 2], [5, 3, 1]])
PROBABILITIES = positive(3) / 3


@question
def is_whole(count: Any) -> bool:
    """Tell whether a number is certain to be a whole one."""
    dtype = count.dtype if isinstance(count, Value) else np.asarray(count).dtype
    return dtype.kind in "biu"


@inline
def inside(count, least, greatest, grad_y):
    """Return the gradient where a count is possible, 0 elsewhere; None stands for no greatest one."""
    is_out = count < least if greatest is None else (count < least) | (count > greatest)
    if not is_whole(count):
        is_out = is_out | (count != np.floor(count))
    return np.where(is_out, 0, grad_y)


@inline
def shifted(k, loc):
    """Return k - loc; None stands for 0."""
    return k if loc is None else k - loc


@inline
def share(count, p):
    """Return count / p; 0 for none, also where p is 0."""
    return count / (p + (count == 0))


# Poisson

RATES = [
    Sample(COUNTS, positive(3)),
    Sample(4, positive()),
    Sample(COUNTS, positive(2, 1), -np.ones(3, int)),
    Sample(np.array([[1], [4]]), positive(3), loc=1),
    Sample(np.array([2.0, 3.0]), positive(2), wrt=("mu",)),
]
IMPOSSIBLE = [Sample(np.array([-1.0, 2.5, 2.0]), positive(3), wrt=("mu",))]


@rule(
    stats.poisson.logpmf,
    shape=elementwise,
    samples=RATES,
    kinks=[
        Kink(
            "poisson.logpmf(0, 0)", "-1, as on the right", (0, np.zeros(1)), (None, -np.ones(1)), jax="nan", torch="nan"
        )
    ],
)
def grad_poisson_logpmf(k, mu, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_mu = inside(count, 0, None, grad_y) * (share(count, mu) - 1)
    return grad_mu


@rule(stats.poisson.pmf, shape=elementwise, samples=[*RATES, *IMPOSSIBLE])
def grad_poisson_pmf(k, mu, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_mu = grad_y * y * (share(count, mu) - 1)
    return grad_mu


@rule(stats.poisson.cdf, shape=elementwise, samples=RATES)
def grad_poisson_cdf(k, mu, loc=None, y=None, grad_y=None):
    """The terms of the sum cancel, but for the last one."""
    count = np.floor(shifted(k, loc))
    grad_mu = -grad_y * stats.poisson.pmf(count, mu)
    return grad_mu


# Bernoulli

BITS = [
    Sample(np.array([[0, 1, 0], [1, 1, 0]]), PROBABILITIES),
    Sample(1, positive() / 3),
    Sample(0, PROBABILITIES),
    Sample(np.array([2, 1, 2]), PROBABILITIES, loc=1),
    Sample(np.array([0.0, 1.0]), positive(2) / 3, wrt=("p",)),
]
AT_ENDS = (np.array([0, 1]), np.array([0.0, 1.0])), (None, np.array([-1.0, 1.0]))


@rule(
    stats.bernoulli.logpmf,
    shape=elementwise,
    samples=BITS,
    kinks=[Kink("bernoulli.logpmf at p = 0 and p = 1", "as between them", *AT_ENDS, jax="nan")],
)
def grad_bernoulli_logpmf(k, p, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_p = inside(count, 0, 1, grad_y) * (share(count, p) - share(1 - count, 1 - p))
    return grad_p


@rule(stats.bernoulli.pmf, shape=elementwise, samples=[*BITS, Sample(np.array([-1, 2]), positive(2) / 3)])
def grad_bernoulli_pmf(k, p, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_p = inside(count, 0, 1, grad_y * (2 * count - 1))
    return grad_p


# Binomial

DRAWS = [
    Sample(COUNTS, 7, PROBABILITIES),
    Sample(2, 5, positive() / 3),
    Sample(COUNTS, np.array([[4], [5]]), PROBABILITIES),
    Sample(COUNTS + 1, 6, PROBABILITIES, loc=1),
    Sample(np.array([0.0, 3.0]), np.array([3, 3]), positive(2) / 3, wrt=("p",)),
]


@rule(stats.binom.logpmf, shape=elementwise, samples=DRAWS)
def grad_binom_logpmf(k, n, p, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_p = inside(count, 0, n, grad_y) * (share(count, p) - share(n - count, 1 - p))
    return grad_p


@rule(stats.binom.pmf, shape=elementwise, samples=[*DRAWS, Sample(np.array([-1, 7]), 5, positive(2) / 3)])
def grad_binom_pmf(k, n, p, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_p = grad_y * y * (share(count, p) - share(n - count, 1 - p))
    return grad_p


# Geometric: the number of draws up to the first success

TRIES = [
    Sample(COUNTS + 1, PROBABILITIES),
    Sample(3, positive() / 3),
    Sample(COUNTS + 3, PROBABILITIES, loc=2),
    Sample(np.array([1.0, 3.0]), positive(2) / 3, wrt=("p",)),
]


@rule(stats.geom.logpmf, shape=elementwise, samples=TRIES)
def grad_geom_logpmf(k, p, loc=None, y=None, grad_y=None):
    failures = shifted(k, loc) - 1
    grad_p = inside(failures, 0, None, grad_y) * (1 / p - share(failures, 1 - p))
    return grad_p


@rule(stats.geom.pmf, shape=elementwise, samples=[*TRIES, Sample(np.array([-1, 0]), positive(2) / 3)])
def grad_geom_pmf(k, p, loc=None, y=None, grad_y=None):
    failures = shifted(k, loc) - 1
    grad_p = grad_y * y * (1 / p - share(failures, 1 - p))
    return grad_p


# Negative binomial: the number of failures up to the success number n

FAILURES = [
    Sample(COUNTS, positive(3), PROBABILITIES),
    Sample(2, 5, positive() / 3),
    Sample(COUNTS, np.array([[4.5], [5.0]]), PROBABILITIES),
    Sample(COUNTS + 1, 6, PROBABILITIES, loc=1),
]


@rule(stats.nbinom.logpmf, shape=elementwise, samples=FAILURES)
def grad_nbinom_logpmf(k, n, p, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_inside = inside(count, 0, None, grad_y)
    grad_n = grad_inside * (special.digamma(count + n) - special.digamma(n) + np.log(p))
    grad_p = grad_inside * (n / p - share(count, 1 - p))
    return grad_n, grad_p


@rule(stats.nbinom.pmf, shape=elementwise, samples=[*FAILURES, Sample(np.array([-1, -2]), 5.0, positive(2) / 3)])
def grad_nbinom_pmf(k, n, p, loc=None, y=None, grad_y=None):
    count = shifted(k, loc)
    grad_inside = inside(count, 0, None, grad_y * y)
    grad_n = grad_inside * (special.digamma(count + n) - special.digamma(n) + np.log(p))
    grad_p = grad_inside * (n / p - share(count, 1 - p))
    return grad_n, grad_p
