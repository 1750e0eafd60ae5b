"""Statistical models and losses, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a batch size.
"""

import math

import numpy as np

from flatgrad.nn import logsumexp, softplus

LOG_TWO_PI = math.log(2 * math.pi)


def gaussian(x, mean, log_scale):
    """Negative log-likelihood of independent normal numbers."""
    z = (x - mean) * np.exp(-log_scale)
    return 0.5 * np.sum(z**2) + x.size * (log_scale + 0.5 * LOG_TWO_PI)


def heteroscedastic(X, y, w_mean, w_scale):
    mean = X @ w_mean
    variance = softplus(X @ w_scale) + 1e-3
    return np.mean(0.5 * np.log(variance) + 0.5 * (y - mean) ** 2 / variance)


def poisson(beta, X, counts, exposure):
    eta = X @ beta + np.log(exposure)
    return -np.sum(counts * eta - np.exp(eta))


def overdispersed_counts(beta, log_r, X, counts):
    # of a negative binomial, without the terms that need the gamma function
    mean = np.exp(X @ beta)
    r = np.exp(log_r)
    return -np.sum(counts * np.log(mean / (mean + r)) + r * np.log(r / (mean + r)))


def logistic_regression(w, b, X, y):
    z = X @ w + b
    return np.mean(np.logaddexp(0, z) - y * z)


def logistic_regression_by_sides(w, X, signs):
    margin = signs * (X @ w)
    return np.mean(np.where(margin > 0, np.log1p(np.exp(-np.abs(margin))), -margin + np.log1p(np.exp(-np.abs(margin)))))


def gaussian_mixture(x, logits, means, log_scales):
    log_weights = logits - logsumexp(logits)
    z = (x[:, None] - means[None, :]) / np.exp(log_scales)
    return -np.mean(logsumexp(log_weights - 0.5 * z * z - log_scales - 0.5 * LOG_TWO_PI, axis=1))


def student_t(x, location, scale, dof=4.0):
    z = (x - location) / scale
    return np.sum((dof + 1) / 2 * np.log1p(z**2 / dof)) + len(x) * np.log(scale)


def quantile_loss(w, X, y, level=0.9):
    error = y - X @ w
    return np.mean(np.maximum(level * error, (level - 1) * error))


def pseudo_huber(w, X, y, delta=0.5):
    ratio = (X @ w - y) / delta
    return np.mean(delta**2 * (np.sqrt(1 + ratio**2) - 1))


def elbo(x, W_mean, W_log_variance, V, noise):
    mean = x @ W_mean
    log_variance = x @ W_log_variance
    z = mean + np.exp(0.5 * log_variance) * noise
    reconstruction = np.sum((x - np.tanh(z @ V)) ** 2, axis=1)
    divergence = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance), axis=1)
    return np.mean(reconstruction + divergence)


def ordinal(theta, x, cuts, level):
    # probability of the level: between two cuts
    lower = 1 / (1 + np.exp(-(cuts[level] - x * theta)))
    upper = 1 / (1 + np.exp(-(cuts[level + 1] - x * theta)))
    return -np.sum(np.log(upper - lower))


PROGRAMS = {
    gaussian: lambda normal, n: (normal(n), 0.3, -0.2),
    heteroscedastic: lambda normal, n: (normal(n, 3), normal(n), normal(3), normal(3)),
    poisson: lambda normal, n: (0.5 * normal(3), normal(n, 3), np.arange(n) % 3, 1 + normal(n) ** 2),
    overdispersed_counts: lambda normal, n: (0.5 * normal(3), 0.4, normal(n, 3), np.arange(n) % 3 + 0.0),
    logistic_regression: lambda normal, n: (normal(3), 0.1, normal(n, 3), np.arange(n) % 2),
    logistic_regression_by_sides: lambda normal, n: (normal(3), normal(n, 3), np.arange(n) % 2 * 2.0 - 1),
    gaussian_mixture: lambda normal, n: (normal(n), normal(3), normal(3), 0.3 * normal(3)),
    student_t: lambda normal, n: (normal(n), 0.2, 1.3, 3.5),
    quantile_loss: lambda normal, n: (normal(3), normal(n, 3), 2 * normal(n), 0.8),
    pseudo_huber: lambda normal, n: (normal(3), normal(n, 3), normal(n), 0.6),
    elbo: lambda normal, n: (normal(n, 4), normal(4, 2), 0.3 * normal(4, 2), normal(2, 4), normal(n, 2)),
    ordinal: lambda normal, n: (0.7, normal(n), np.array([-3.0, -0.5, 0.6, 3.0]), np.arange(n) % 3),
}
