"""Distributions of `scipy.stats` without a shape that are 0 somewhere: expon, uniform.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from flatgrad.registry import Kink, Sample, positive, rule
from flatgrad.rules.scipy_functions.stats_standard import (
    ABOVE_ZERO,
    BETWEEN,
    from_distribution,
    from_log_density,
    standardised,
    within,
)
from flatgrad.rules.shapes import elementwise

# The exponential distribution


@rule(
    stats.expon.logpdf,
    shape=elementwise,
    samples=within(ABOVE_ZERO),
    kinks=[
        Kink("expon.logpdf at loc", "as above", (np.zeros(1),), (np.array([-1.0]),), jax="as above", torch="as above")
    ],
)
def grad_expon_logpdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    grad_x, grad_loc, grad_scale = from_log_density(-1, z, scale, grad_inside)
    return grad_x, grad_loc, grad_scale


@rule(
    stats.expon.pdf,
    shape=elementwise,
    samples=ABOVE_ZERO,
    kinks=[Kink("expon.pdf at loc", "as above", (np.zeros(1),), (np.array([-1.0]),), jax="as above")],
)
def grad_expon_pdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(-1, z, scale, grad_y * y)
    return grad_x, grad_loc, grad_scale


@rule(
    stats.expon.cdf,
    shape=elementwise,
    samples=ABOVE_ZERO,
    kinks=[Kink("expon.cdf at loc", "as above", (np.zeros(1),), (np.array([1.0]),), jax="as above")],
)
def grad_expon_cdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    grad_x, grad_loc, grad_scale = from_distribution(np.exp(-np.abs(z)), z, scale, grad_inside)
    return grad_x, grad_loc, grad_scale


@rule(
    stats.expon.sf,
    shape=elementwise,
    samples=ABOVE_ZERO,
    kinks=[Kink("expon.sf at loc", "as above", (np.zeros(1),), (np.array([-1.0]),), jax="as above")],
)
def grad_expon_sf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    grad_x, grad_loc, grad_scale = from_distribution(-y, z, scale, grad_inside)
    return grad_x, grad_loc, grad_scale


@rule(stats.expon.logcdf, shape=elementwise, samples=within(ABOVE_ZERO))
def grad_expon_logcdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    # outside, |z| stands for z, whose exponential may be inf
    size = np.abs(z)
    grad_x, grad_loc, grad_scale = from_distribution(-np.exp(-size) / np.expm1(-size), z, scale, grad_inside)
    return grad_x, grad_loc, grad_scale


@rule(
    stats.expon.logsf,
    shape=elementwise,
    samples=ABOVE_ZERO,
    kinks=[Kink("expon.logsf at loc", "as above", (np.zeros(1),), (np.array([-1.0]),), jax="as above")],
)
def grad_expon_logsf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    grad_x, grad_loc, grad_scale = from_distribution(-1, z, scale, grad_inside)
    return grad_x, grad_loc, grad_scale


# The uniform distribution: of its density, only the scale is felt

WIDTHS = [
    Sample(np.array([0.25, 0.75]), 0, positive(2) + 1, wrt=("scale",)),
    Sample(positive(3), -0.5, positive(2, 3) + 4, wrt=("scale",)),
    Sample(positive(), scale=positive() + 3, wrt=("scale",)),
    Sample(np.array([-1.5, 0.5]), scale=np.array([1.5, 2.0]), wrt=("scale",)),
]


@rule(stats.uniform.logpdf, shape=elementwise, samples=within(WIDTHS))
def grad_uniform_logpdf(x, loc=None, scale=None, y=None, grad_y=None):
    grad_scale = np.where(y == -np.inf, 0, -grad_y / scale)
    return grad_scale


@rule(stats.uniform.pdf, shape=elementwise, samples=WIDTHS)
def grad_uniform_pdf(x, loc=None, scale=None, y=None, grad_y=None):
    grad_scale = -grad_y * y / scale
    return grad_scale


@rule(
    stats.uniform.cdf,
    shape=elementwise,
    samples=BETWEEN,
    kinks=[
        Kink(
            "uniform.cdf at its bounds",
            "as between them",
            (np.array([0.0, 1.0]),),
            (np.array([1.0, 1.0]),),
            jax="as between them",
        )
    ],
)
def grad_uniform_cdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(np.where((z < 0) | (z > 1), 0, 1), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(
    stats.uniform.sf,
    shape=elementwise,
    samples=BETWEEN,
    kinks=[
        Kink(
            "uniform.sf at its bounds",
            "as between them",
            (np.array([0.0, 1.0]),),
            (np.array([-1.0, -1.0]),),
            jax="as between them",
        )
    ],
)
def grad_uniform_sf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_distribution(np.where((z < 0) | (z > 1), 0, -1), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.uniform.logcdf, shape=elementwise, samples=within(BETWEEN))
def grad_uniform_logcdf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where((z < 0) | (z > 1), 0, grad_y)
    grad_x, grad_loc, grad_scale = from_distribution(1 / z, z, scale, grad_inside)
    return grad_x, grad_loc, grad_scale


@rule(stats.uniform.logsf, shape=elementwise, samples=within(BETWEEN))
def grad_uniform_logsf(x, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where((z < 0) | (z > 1), 0, grad_y)
    grad_x, grad_loc, grad_scale = from_distribution(-1 / (1 - z), z, scale, grad_inside)
    return grad_x, grad_loc, grad_scale
