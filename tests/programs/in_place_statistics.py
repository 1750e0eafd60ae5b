"""Likelihoods and estimators that fill arrays, gather into them, and check what they are given.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

import logging
import math
import time

import numpy as np

logger = logging.getLogger(__name__)


def gaussian_mixture(X, logits, means, log_scales):
    """The log-densities of all components in an array that is made before."""
    n, k = len(X), len(means)
    log_weights = logits - np.log(np.sum(np.exp(logits)))
    log_density = np.empty((n, k))
    for j in range(k):
        z = (X - means[j]) / np.exp(log_scales[j])
        log_density[:, j] = log_weights[j] - 0.5 * np.sum(z**2, axis=1) - np.sum(log_scales[j])
        log_density[:, j] -= 0.5 * X.shape[1] * np.log(2 * np.pi)
    top = np.max(log_density, axis=1)
    return np.sum(top + np.log(np.sum(np.exp(log_density - top[:, None]), axis=1)))


def log_posterior(theta, data, verbose=False):
    """A target for Metropolis: what it is given is checked, and it says what it does."""
    mean, log_scale = theta
    if len(data) == 0:
        raise ValueError("there are no data")
    assert np.ndim(mean) == 0, f"the mean is one number, not {mean}"
    start = time.perf_counter()
    prior = -0.5 * mean**2 - 0.5 * log_scale**2
    if not np.isfinite(prior):
        return -np.inf
    try:
        scale = math.exp(log_scale)
        fit = -0.5 * np.sum(((data - mean) / scale) ** 2) - len(data) * log_scale
    except OverflowError as error:
        raise ValueError("the scale is out of bounds") from error
    finally:
        logger.debug("took %s", time.perf_counter() - start)
    if verbose:
        print(f"prior {prior:.3f}, fit {fit:.3f}")
    return prior + fit


def acceptance_path(theta, proposals, thresholds, data):
    """Where a chain goes for given proposals: each state is written to its row."""
    chain = np.zeros((len(proposals) + 1, 2))
    chain[0] = theta
    current = log_posterior(theta, data)
    for k, (proposal, threshold) in enumerate(zip(proposals, thresholds, strict=True)):
        candidate = chain[k] + proposal
        density = log_posterior(candidate, data)
        if density - current > threshold:
            chain[k + 1] = candidate
            current = density
        else:
            chain[k + 1] = chain[k]
    return np.mean(chain[:, 0] * chain[:, 1])


def guarded_entropy(p):
    """Logarithms of what may be zero, with the warnings off, and then the zeros put right."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = p * np.log(p)
    terms[p == 0] = 0.0
    return -np.sum(terms)


def kernel_density(x, data, bandwidth):
    density = np.zeros(len(x))
    for d in data:
        density += np.exp(-0.5 * ((x - d) / bandwidth) ** 2)
    density /= len(data) * bandwidth * np.sqrt(2 * np.pi)
    return np.sum(np.log(density))


def welford(x):
    """Mean and variance in one pass over the rows, in place."""
    mean = np.zeros(x.shape[1])
    spread = np.zeros(x.shape[1])
    for count, row in enumerate(x, start=1):
        delta = row - mean
        mean += delta / count
        spread += delta * (row - mean)
    return np.sum(mean**2) + np.sum(np.sqrt(spread / len(x) + 0.1))


def trimmed_mean(x, share):
    """The data are sorted in place, and the ends weighted."""
    ordered = x.copy()
    ordered.sort()
    weights = np.ones(len(x))
    weights[0] = weights[-1] = share
    return np.sum(weights * ordered**2) / np.sum(weights)


def group_means(values, groups, count: int = 3):
    """Sums and counts of groups by arrays of indices that repeat."""
    sums = np.zeros(count)
    sizes = np.zeros(count, dtype=int)
    np.add.at(sums, groups, values)
    np.add.at(sizes, groups, 1)
    means = sums / np.maximum(sizes, 1)
    residuals = values - means[groups]
    return np.sum(residuals**2) + np.sum(np.sin(means))


def grouped_by_dict(values, labels):
    """Groups in a dict of lists."""
    groups = {"a": [], "b": []}
    for value, label in zip(values, labels, strict=True):
        groups[label].append(value)
    means = {label: sum(members) / max(len(members), 1) for label, members in groups.items()}
    return sum(m**2 for m in means.values()) + means["a"] * means["b"]


def soft_histogram(x, edges, width):
    """Each value is shared among the bins; the bins are filled one value at a time."""
    counts = np.zeros(len(edges))
    for value in x:
        weights = np.exp(-(((value - edges) / width) ** 2))
        counts += weights / weights.sum()
    p = counts / counts.sum()
    return -np.sum(p * np.log(p))


def linear_bins(x, heights):
    """Values are shared between the two bins beside them."""
    bins = np.zeros(len(heights))
    place = np.clip(x, 0.0, len(heights) - 1.001)
    low = np.floor(place).astype(int)
    share = place - low
    np.add.at(bins, low, 1 - share)
    np.add.at(bins, low + 1, share)
    return np.sum(bins * heights) + np.sum(bins**2)


def cox(features, beta, events):
    """A partial likelihood: the sums over who is still at risk, from the last one on."""
    risk = np.exp(features @ beta)
    at_risk = np.zeros_like(risk)
    total = 0.0
    for i in range(len(risk) - 1, -1, -1):
        total += risk[i]
        at_risk[i] = total
    return np.sum(np.log(risk[events]) - np.log(at_risk[events]))


def garch_table(returns, omega, alpha, beta):
    n = len(returns)
    variance = np.zeros(n)
    variance[0] = omega / (1 - alpha - beta)
    for t in range(1, n):
        variance[t] = omega + alpha * returns[t - 1] ** 2 + beta * variance[t - 1]
    return 0.5 * np.sum(np.log(variance) + returns**2 / variance)


def embedding_bag(table, bags, v):
    """Bags of words of different lengths, their embeddings in a list."""
    pooled = []
    for bag in bags:
        total = np.zeros(table.shape[1])
        for word in bag:
            total += table[word]
        pooled.append(total / len(bag))
    return np.sum(np.tanh(np.array(pooled) @ v))


def masked_loss(predictions, targets, mask):
    """What is missing is set to zero, and the rest is put on one scale."""
    errors = predictions - targets
    errors[mask] = 0.0
    errors[~mask] /= 1.0 + np.abs(errors[~mask])
    return np.sum(errors**2) / np.sum(~mask)


def page_rank(weights, damping, steps: int = 3):
    W = weights.copy()
    for j in range(W.shape[1]):
        W[:, j] /= W[:, j].sum()
    rank = np.full(len(W), 1 / len(W))
    for _ in range(steps):
        rank = damping * W @ rank + (1 - damping) / len(W)
    return np.sum(rank**2 * np.arange(len(W)))


def clipped_gradient_descent(w, X, y, rate, limit, steps: int = 3):
    """The errors of all steps in an array; the weights are updated in place, large steps are cut."""
    w = w.copy()
    losses = np.zeros(steps)
    for k in range(steps):
        error = X @ w - y
        losses[k] = np.mean(error**2)
        step = rate * X.T @ error / len(y)
        size = np.sqrt(step @ step)
        if size > limit:
            step *= limit / size
            logger.info("the step is cut from %s", size)
        w -= step
    return np.mean(losses) + losses[-1]


PROGRAMS = {
    gaussian_mixture: lambda normal, n: (normal(n + 1, 2), normal(3), normal(3, 2), 0.3 * normal(3, 2)),
    log_posterior: lambda normal, n: ((0.3, -0.2), normal(n)),
    acceptance_path: lambda normal, n: (np.array([0.3, -0.2]), normal(n, 2), -abs(normal(n)), normal(3)),
    guarded_entropy: lambda normal, n: (np.arange(1, n + 2) / np.sum(np.arange(n + 2)),),
    kernel_density: lambda normal, n: (normal(n), normal(n + 1), 0.6),
    welford: lambda normal, n: (normal(n, 2),),
    trimmed_mean: lambda normal, n: (normal(n + 2), 0.3),
    group_means: lambda normal, n: (normal(n + 2), np.arange(n + 2) % 2),
    grouped_by_dict: lambda normal, n: (normal(n + 1), ["a", "b", "a", "a"][: n + 1]),
    soft_histogram: lambda normal, n: (normal(n), np.array([-1.0, 0.0, 1.0]), 0.8),
    linear_bins: lambda normal, n: (1.5 + 0.4 * normal(n + 1), normal(4)),
    cox: lambda normal, n: (normal(n + 1, 2), normal(2), np.arange(0, n + 1, 2)),
    garch_table: lambda normal, n: (normal(n + 1), 0.1, 0.2, 0.7),
    embedding_bag: lambda normal, n: (normal(4, 2), [[0, 2], [1], [3, 3, 0]][:n], normal(2)),
    masked_loss: lambda normal, n: (normal(n + 2), normal(n + 2), np.arange(n + 2) % 3 == 1),
    page_rank: lambda normal, n: (normal(n + 1, n + 1) ** 2 + 0.1, 0.85),
    clipped_gradient_descent: lambda normal, n: (normal(2), normal(n + 1, 2), normal(n + 1), 0.3, 0.2),
}
