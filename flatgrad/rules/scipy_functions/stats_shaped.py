"""Distributions of `scipy.stats` with a shape: gamma, chi2, lognorm, beta, t.

In: nothing. Out: records in the registry: of logpdf and pdf by all parameters, of cdf, logcdf, sf and logsf by x, loc and
scale. By their shapes the latter have no derivative in closed form, but for those of lognorm. Layer: rules.

Where the density is 0, all gradients are; |z| stands for z there, so that its logarithm is a number.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

from flatgrad.registry import Sample, inline, positive, real, rule
from flatgrad.rules.scipy_functions.stats_everywhere import normal_density, normal_hazard
from flatgrad.rules.scipy_functions.stats_standard import from_distribution, from_log_density, standardised, within
from flatgrad.rules.shapes import elementwise

SHAPED = [
    Sample(positive(2, 3), positive(3)),
    Sample(positive(), positive() + 1),
    Sample(positive(3), 1.75, -positive(2, 3), positive(3)),
    Sample(positive(2, 1), positive(3), loc=0.25, scale=positive(3)),
    Sample(np.array([-1.5, 0.5]), np.array([1.5, 2.5]), scale=np.array([1.5, 2.0])),
]
ON_ALL = [
    Sample(real(2, 3), positive(3)),
    Sample(real(), positive() + 1),
    Sample(real(3), 1.75, -positive(2, 3), positive(3)),
    Sample(real(2, 1), positive(3), loc=0.25, scale=positive(3)),
]
TWO_SHAPES = [
    Sample(positive(2, 3) / 3, positive(3), positive(3) + 1),
    Sample(positive() / 3, positive() + 1, 2.25),
    Sample(positive(3), 1.75, positive(3), -positive(2, 3), positive(3) + 6),
    Sample(positive(2, 1), positive(3), 1.25, loc=0.25, scale=positive(3) + 3),
    Sample(np.array([-1.5, 0.5, 7.0]), positive(3), positive(3), scale=np.array([1.5, 2.0, 3.0])),
]


def of_place(samples):
    """Return the samples for what is differentiated by all but the shapes."""
    return [Sample(*sample.args, wrt=("x", "loc", "scale"), **sample.attributes) for sample in samples]


# The gamma distribution


@inline
def gamma_log_density(z, a):
    """Return the logarithm of the density at z."""
    return special.xlogy(a - 1, z) - z - special.gammaln(a)


@rule(stats.gamma.logpdf, shape=elementwise, samples=within(SHAPED))
def grad_gamma_logpdf(x, a, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    grad_x, grad_loc, grad_scale = from_log_density((a - 1) / z - 1, z, scale, grad_inside)
    grad_a = grad_inside * (np.log(np.abs(z)) - special.digamma(a))
    return grad_x, grad_a, grad_loc, grad_scale


@rule(stats.gamma.pdf, shape=elementwise, samples=SHAPED)
def grad_gamma_pdf(x, a, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = grad_y * y
    grad_x, grad_loc, grad_scale = from_log_density((a - 1) / z - 1, z, scale, grad_inside)
    grad_a = grad_inside * (np.log(np.abs(z)) - special.digamma(a))
    return grad_x, grad_a, grad_loc, grad_scale


@rule(stats.gamma.cdf, shape=elementwise, samples=of_place(SHAPED), unknown=["a"])
def grad_gamma_cdf(x, a, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(gamma_log_density(z, a))
    grad_x, grad_loc, grad_scale = from_distribution(np.where(z < 0, 0, density), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.gamma.sf, shape=elementwise, samples=of_place(SHAPED), unknown=["a"])
def grad_gamma_sf(x, a, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(gamma_log_density(z, a))
    grad_x, grad_loc, grad_scale = from_distribution(-np.where(z < 0, 0, density), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.gamma.logcdf, shape=elementwise, samples=of_place(within(SHAPED)), unknown=["a"])
def grad_gamma_logcdf(x, a, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(gamma_log_density(z, a) - y)
    grad_x, grad_loc, grad_scale = from_distribution(np.where(z < 0, 0, hazard), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.gamma.logsf, shape=elementwise, samples=of_place(SHAPED), unknown=["a"])
def grad_gamma_logsf(x, a, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(gamma_log_density(z, a) - y)
    grad_x, grad_loc, grad_scale = from_distribution(-np.where(z < 0, 0, hazard), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


# The chi-square distribution


@inline
def chi2_log_density(z, df):
    """Return the logarithm of the density at z."""
    return special.xlogy(df / 2 - 1, z / 2) - z / 2 - special.gammaln(df / 2) - math.log(2)


@rule(stats.chi2.logpdf, shape=elementwise, samples=within(SHAPED))
def grad_chi2_logpdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    grad_x, grad_loc, grad_scale = from_log_density((df / 2 - 1) / z - 0.5, z, scale, grad_inside)
    grad_df = grad_inside / 2 * (np.log(np.abs(z) / 2) - special.digamma(df / 2))
    return grad_x, grad_df, grad_loc, grad_scale


@rule(stats.chi2.pdf, shape=elementwise, samples=SHAPED)
def grad_chi2_pdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = grad_y * y
    grad_x, grad_loc, grad_scale = from_log_density((df / 2 - 1) / z - 0.5, z, scale, grad_inside)
    grad_df = grad_inside / 2 * (np.log(np.abs(z) / 2) - special.digamma(df / 2))
    return grad_x, grad_df, grad_loc, grad_scale


@rule(stats.chi2.cdf, shape=elementwise, samples=of_place(SHAPED), unknown=["df"])
def grad_chi2_cdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(chi2_log_density(z, df))
    grad_x, grad_loc, grad_scale = from_distribution(np.where(z < 0, 0, density), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.chi2.sf, shape=elementwise, samples=of_place(SHAPED), unknown=["df"])
def grad_chi2_sf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(chi2_log_density(z, df))
    grad_x, grad_loc, grad_scale = from_distribution(-np.where(z < 0, 0, density), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.chi2.logcdf, shape=elementwise, samples=of_place(within(SHAPED)), unknown=["df"])
def grad_chi2_logcdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(chi2_log_density(z, df) - y)
    grad_x, grad_loc, grad_scale = from_distribution(np.where(z < 0, 0, hazard), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.chi2.logsf, shape=elementwise, samples=of_place(SHAPED), unknown=["df"])
def grad_chi2_logsf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(chi2_log_density(z, df) - y)
    grad_x, grad_loc, grad_scale = from_distribution(-np.where(z < 0, 0, hazard), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


# The log-normal distribution: that of z, the logarithm of which is normal with deviation s


@rule(stats.lognorm.logpdf, shape=elementwise, samples=within(SHAPED))
def grad_lognorm_logpdf(x, s, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where(z < 0, 0, grad_y)
    normal = np.log(np.abs(z)) / s
    grad_x, grad_loc, grad_scale = from_log_density(-(1 + normal / s) / z, z, scale, grad_inside)
    grad_s = grad_inside * (normal * normal - 1) / s
    return grad_x, grad_s, grad_loc, grad_scale


@rule(stats.lognorm.pdf, shape=elementwise, samples=SHAPED)
def grad_lognorm_pdf(x, s, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = grad_y * y
    normal = np.log(np.abs(z)) / s
    grad_x, grad_loc, grad_scale = from_log_density(-(1 + normal / s) / z, z, scale, grad_inside)
    grad_s = grad_inside * (normal * normal - 1) / s
    return grad_x, grad_s, grad_loc, grad_scale


@rule(stats.lognorm.cdf, shape=elementwise, samples=SHAPED)
def grad_lognorm_cdf(x, s, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    normal = np.log(np.abs(z)) / s
    slope = np.where(z < 0, 0, normal_density(normal) / s)
    grad_x, grad_loc, grad_scale = from_distribution(slope / z, z, scale, grad_y)
    grad_s = -grad_y * slope * normal
    return grad_x, grad_s, grad_loc, grad_scale


@rule(stats.lognorm.sf, shape=elementwise, samples=SHAPED)
def grad_lognorm_sf(x, s, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    normal = np.log(np.abs(z)) / s
    slope = np.where(z < 0, 0, -normal_density(normal) / s)
    grad_x, grad_loc, grad_scale = from_distribution(slope / z, z, scale, grad_y)
    grad_s = -grad_y * slope * normal
    return grad_x, grad_s, grad_loc, grad_scale


@rule(stats.lognorm.logcdf, shape=elementwise, samples=within(SHAPED))
def grad_lognorm_logcdf(x, s, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    normal = np.log(np.abs(z)) / s
    slope = np.where(z < 0, 0, normal_hazard(-normal) / s)
    grad_x, grad_loc, grad_scale = from_distribution(slope / z, z, scale, grad_y)
    grad_s = -grad_y * slope * normal
    return grad_x, grad_s, grad_loc, grad_scale


@rule(stats.lognorm.logsf, shape=elementwise, samples=SHAPED)
def grad_lognorm_logsf(x, s, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    normal = np.log(np.abs(z)) / s
    slope = np.where(z < 0, 0, -normal_hazard(normal) / s)
    grad_x, grad_loc, grad_scale = from_distribution(slope / z, z, scale, grad_y)
    grad_s = -grad_y * slope * normal
    return grad_x, grad_s, grad_loc, grad_scale


# The beta distribution


@inline
def beta_log_density(z, a, b):
    """Return the logarithm of the density at z."""
    return special.xlogy(a - 1, z) + special.xlog1py(b - 1, -z) - special.betaln(a, b)


@rule(stats.beta.logpdf, shape=elementwise, samples=within(TWO_SHAPES))
def grad_beta_logpdf(x, a, b, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = np.where((z < 0) | (z > 1), 0, grad_y)
    grad_x, grad_loc, grad_scale = from_log_density((a - 1) / z - (b - 1) / (1 - z), z, scale, grad_inside)
    grad_a = grad_inside * (np.log(np.abs(z)) - special.digamma(a) + special.digamma(a + b))
    grad_b = grad_inside * (np.log(np.abs(1 - z)) - special.digamma(b) + special.digamma(a + b))
    return grad_x, grad_a, grad_b, grad_loc, grad_scale


@rule(stats.beta.pdf, shape=elementwise, samples=TWO_SHAPES)
def grad_beta_pdf(x, a, b, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = grad_y * y
    grad_x, grad_loc, grad_scale = from_log_density((a - 1) / z - (b - 1) / (1 - z), z, scale, grad_inside)
    grad_a = grad_inside * (np.log(np.abs(z)) - special.digamma(a) + special.digamma(a + b))
    grad_b = grad_inside * (np.log(np.abs(1 - z)) - special.digamma(b) + special.digamma(a + b))
    return grad_x, grad_a, grad_b, grad_loc, grad_scale


@rule(stats.beta.cdf, shape=elementwise, samples=of_place(TWO_SHAPES), unknown=["a", "b"])
def grad_beta_cdf(x, a, b, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(beta_log_density(z, a, b))
    grad_x, grad_loc, grad_scale = from_distribution(np.where((z < 0) | (z > 1), 0, density), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.beta.sf, shape=elementwise, samples=of_place(TWO_SHAPES), unknown=["a", "b"])
def grad_beta_sf(x, a, b, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(beta_log_density(z, a, b))
    grad_x, grad_loc, grad_scale = from_distribution(-np.where((z < 0) | (z > 1), 0, density), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.beta.logcdf, shape=elementwise, samples=of_place(within(TWO_SHAPES)), unknown=["a", "b"])
def grad_beta_logcdf(x, a, b, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(beta_log_density(z, a, b) - y)
    grad_x, grad_loc, grad_scale = from_distribution(np.where((z < 0) | (z > 1), 0, hazard), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.beta.logsf, shape=elementwise, samples=of_place(within(TWO_SHAPES)), unknown=["a", "b"])
def grad_beta_logsf(x, a, b, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(beta_log_density(z, a, b) - y)
    grad_x, grad_loc, grad_scale = from_distribution(-np.where((z < 0) | (z > 1), 0, hazard), z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


# Student's distribution


@inline
def t_log_density(z, df):
    """Return the logarithm of the density at z."""
    ratio = special.gammaln((df + 1) / 2) - special.gammaln(df / 2)
    return ratio - np.log(math.pi * df) / 2 - (df + 1) / 2 * np.log1p(z * (z / df))


@inline
def t_slope(z, df):
    """Return the derivative of the logarithm of the density at z."""
    return -(df + 1) / df * z / (1 + z * (z / df))


@inline
def t_slope_by_df(z, df):
    """Return the derivative of the logarithm of the density at z by the degrees of freedom."""
    square = z * (z / df)
    digammas = special.digamma((df + 1) / 2) - special.digamma(df / 2)
    return (digammas - np.log1p(square) + ((df + 1) * (square / (1 + square)) - 1) / df) / 2


@rule(stats.t.logpdf, shape=elementwise, samples=ON_ALL)
def grad_t_logpdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_x, grad_loc, grad_scale = from_log_density(t_slope(z, df), z, scale, grad_y)
    grad_df = grad_y * t_slope_by_df(z, df)
    return grad_x, grad_df, grad_loc, grad_scale


@rule(stats.t.pdf, shape=elementwise, samples=ON_ALL)
def grad_t_pdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    grad_inside = grad_y * y
    grad_x, grad_loc, grad_scale = from_log_density(t_slope(z, df), z, scale, grad_inside)
    grad_df = grad_inside * t_slope_by_df(z, df)
    return grad_x, grad_df, grad_loc, grad_scale


@rule(stats.t.cdf, shape=elementwise, samples=of_place(ON_ALL), unknown=["df"])
def grad_t_cdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(t_log_density(z, df))
    grad_x, grad_loc, grad_scale = from_distribution(density, z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.t.sf, shape=elementwise, samples=of_place(ON_ALL), unknown=["df"])
def grad_t_sf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    density = np.exp(t_log_density(z, df))
    grad_x, grad_loc, grad_scale = from_distribution(-density, z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.t.logcdf, shape=elementwise, samples=of_place(ON_ALL), unknown=["df"])
def grad_t_logcdf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(t_log_density(z, df) - y)
    grad_x, grad_loc, grad_scale = from_distribution(hazard, z, scale, grad_y)
    return grad_x, grad_loc, grad_scale


@rule(stats.t.logsf, shape=elementwise, samples=of_place(ON_ALL), unknown=["df"])
def grad_t_logsf(x, df, loc=None, scale=None, y=None, grad_y=None):
    z = standardised(x, loc, scale)
    hazard = np.exp(t_log_density(z, df) - y)
    grad_x, grad_loc, grad_scale = from_distribution(-hazard, z, scale, grad_y)
    return grad_x, grad_loc, grad_scale
