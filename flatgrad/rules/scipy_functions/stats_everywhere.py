"""Distributions of `scipy.stats` on all numbers, without a shape: norm, laplace, logistic, cauchy.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

from flatgrad.registry import Kink, inline, rule
from flatgrad.rules.scipy_functions.stats_standard import ANYWHERE, from_distribution, from_log_density, standardised
from flatgrad.rules.shapes import elementwise

# The normal distribution


@inline
def normal_density(z):
    """Return the density at z."""
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


@inline
def normal_hazard(z):
    """Return the density at z over the distribution at -z, where both may be too small for a float."""
    return math.sqrt(2 / math.pi) / special.erfcx(z / math.sqrt(2))


@rule(stats.norm.logpdf, shape=elementwise, samples=ANYWHERE)
def grad_norm_logpdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-z, z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.norm.pdf, shape=elementwise, samples=ANYWHERE)
def grad_norm_pdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-z, z, scale, grad_y * y)
    return grad_x, grad_loc, grad_scale


@rule(stats.norm.cdf, shape=elementwise, samples=ANYWHERE)
def grad_norm_cdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(normal_density(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.norm.sf, shape=elementwise, samples=ANYWHERE)
def grad_norm_sf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-normal_density(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.norm.logcdf, shape=elementwise, samples=ANYWHERE)
def grad_norm_logcdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(normal_hazard(-z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.norm.logsf, shape=elementwise, samples=ANYWHERE)
def grad_norm_logsf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-normal_hazard(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


# The Laplace distribution


@inline
def laplace_density(z):
    """Return the density at z."""
    return np.exp(-np.abs(z)) / 2


@inline
def laplace_hazard(z):
    """Return the density at z over the distribution at -z."""
    tail = laplace_density(z)
    return np.where(z > 0, 1, tail / (1 - tail))


@rule(
    stats.laplace.logpdf,
    shape=elementwise,
    samples=ANYWHERE,
    kinks=[Kink("laplace.logpdf at loc", "0", (np.zeros(1),), (np.zeros(1),), jax="-1", torch="0")],
)
def grad_laplace_logpdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-np.sign(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(
    stats.laplace.pdf,
    shape=elementwise,
    samples=ANYWHERE,
    kinks=[Kink("laplace.pdf at loc", "0", (np.zeros(1),), (np.zeros(1),), jax="-0.5")],
)
def grad_laplace_pdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-np.sign(z), z, scale, grad_y * y)
    return grad_x, grad_loc, grad_scale


@rule(stats.laplace.cdf, shape=elementwise, samples=ANYWHERE)
def grad_laplace_cdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(laplace_density(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.laplace.sf, shape=elementwise, samples=ANYWHERE)
def grad_laplace_sf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-laplace_density(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.laplace.logcdf, shape=elementwise, samples=ANYWHERE)
def grad_laplace_logcdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(laplace_hazard(-z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.laplace.logsf, shape=elementwise, samples=ANYWHERE)
def grad_laplace_logsf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-laplace_hazard(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


# The logistic distribution


@rule(stats.logistic.logpdf, shape=elementwise, samples=ANYWHERE)
def grad_logistic_logpdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-np.tanh(z / 2), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.logistic.pdf, shape=elementwise, samples=ANYWHERE)
def grad_logistic_pdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-np.tanh(z / 2), z, scale, grad_y * y)
    return grad_x, grad_loc, grad_scale


@rule(stats.logistic.cdf, shape=elementwise, samples=ANYWHERE)
def grad_logistic_cdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(y * special.expit(-z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.logistic.sf, shape=elementwise, samples=ANYWHERE)
def grad_logistic_sf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-y * special.expit(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.logistic.logcdf, shape=elementwise, samples=ANYWHERE)
def grad_logistic_logcdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(special.expit(-z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.logistic.logsf, shape=elementwise, samples=ANYWHERE)
def grad_logistic_logsf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-special.expit(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


# The Cauchy distribution


@inline
def cauchy_density(z):
    """Return the density at z."""
    # the square of a large z would be inf
    return 1 / math.pi / np.hypot(1, z) / np.hypot(1, z)


@inline
def cauchy_hazard(z, y):
    """Return the density at z over exp(y)."""
    return np.exp(-y) / math.pi / np.hypot(1, z) / np.hypot(1, z)


@rule(stats.cauchy.logpdf, shape=elementwise, samples=ANYWHERE)
def grad_cauchy_logpdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-2 * (z / np.hypot(1, z)) / np.hypot(1, z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.cauchy.pdf, shape=elementwise, samples=ANYWHERE)
def grad_cauchy_pdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-2 * (z / np.hypot(1, z)) / np.hypot(1, z), z, scale, grad_y * y)
    return grad_x, grad_loc, grad_scale


@rule(stats.cauchy.cdf, shape=elementwise, samples=ANYWHERE)
def grad_cauchy_cdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(cauchy_density(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.cauchy.sf, shape=elementwise, samples=ANYWHERE)
def grad_cauchy_sf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-cauchy_density(z), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.cauchy.logcdf, shape=elementwise, samples=ANYWHERE)
def grad_cauchy_logcdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(cauchy_hazard(z, y), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.cauchy.logsf, shape=elementwise, samples=ANYWHERE)
def grad_cauchy_logsf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(-cauchy_hazard(z, y), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale
