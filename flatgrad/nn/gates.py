"""The gates of lectures.

In: numbers or arrays. Out: arrays of the same dtype. Layer: bottom of `nn`.
"""

import numpy as np


def sigmoid(x):
    """Logistic function, safe from overflow on both sides."""
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, decay) / (1 + decay)


def relu(x):
    """Rectified linear unit."""
    return np.maximum(x, 0)


def softplus(x):
    """Logarithm of 1 + exp(x), safe from overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softmax(x, axis=-1):
    """Exponentials that are scaled to sum to 1 along an axis, safe from overflow."""
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    """Logarithm of the softmax along an axis, safe from overflow."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def logsumexp(x, axis=None, keepdims=False):
    """Logarithm of the sum of exponentials along an axis, safe from overflow; -inf where all of x is."""
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    total = np.sum(np.exp(x - top), axis=axis, keepdims=keepdims)
    with np.errstate(divide="ignore"):
        return np.log(total) + np.reshape(top, np.shape(total))


def softmax_cross_entropy(logits, labels):
    """Mean over the rows of -log softmax at the labels. logits: (n, c), labels: (n,) int."""
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_totals = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_totals - shifted[np.arange(len(labels)), labels])
