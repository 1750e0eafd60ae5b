"""Losses: one number for predictions and targets.

In: arrays. Out: a number of their dtype, or with reduction="none" one for each sample. Layer: `nn`, above `gates`.
"""

import numpy as np

from flatgrad.nn.gates import softplus


def reduced(losses, reduction):
    """Return the mean of losses, or their sum, or all of them."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction={reduction!r}, not 'mean', 'sum' or 'none'")
    return np.mean(losses) if reduction == "mean" else np.sum(losses) if reduction == "sum" else losses


def mse(prediction, target):
    """Mean of the squares of the errors."""
    return np.mean((prediction - target) ** 2)


def huber(prediction, target, delta=1.0):
    """Mean of half the squares of the errors up to delta, and from there on of what grows as fast as they do there."""
    size = np.abs(prediction - target)
    capped = np.minimum(size, delta)
    return np.mean(capped * (size - 0.5 * capped))


def cross_entropy(logits, labels, axis=-1, reduction="mean"):
    """-log softmax of the logits along an axis at whole-number labels: their mean, sum, or none of these."""
    shifted = logits - np.max(logits, axis=axis, keepdims=True)
    log_totals = np.log(np.sum(np.exp(shifted), axis=axis))
    picked = np.take_along_axis(shifted, np.expand_dims(labels, axis), axis=axis)
    losses = log_totals - np.squeeze(picked, axis=axis)
    return reduced(losses, reduction)


def binary_cross_entropy_with_logits(logits, targets, reduction="mean"):
    """-log of the probability that targets between 0 and 1 have by the sigmoid of the logits: their mean, sum, or none."""
    losses = softplus(logits) - logits * targets
    return reduced(losses, reduction)
