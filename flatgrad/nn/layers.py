"""Layers: normalisations, dropout, embedding, attention.

In: arrays, the parameters last. Out: arrays of the same dtype. Layer: `nn`, above `gates`.
"""

import numpy as np

from flatgrad.nn.gates import softmax


def linear(x, weight, bias=None):
    """Product of x (..., inputs) with weights (inputs, outputs), plus a bias."""
    return x @ weight if bias is None else x @ weight + bias


def layer_norm(x, weight=None, bias=None, eps=1e-5, axis=-1):
    """Shift and scale x to mean 0 and variance 1 along its last axis, or the axes given, then by weight and bias."""
    deviation = np.sqrt(np.var(x, axis=axis, keepdims=True) + eps)
    y = (x - np.mean(x, axis=axis, keepdims=True)) / deviation
    if weight is not None:
        y = y * weight
    if bias is not None:
        y = y + bias
    return y


def rms_norm(x, weight=None, eps=1e-6, axis=-1):
    """Scale x to a mean square of 1 along its last axis, or the axes given, then by a weight."""
    y = x / np.sqrt(np.mean(x**2, axis=axis, keepdims=True) + eps)
    if weight is not None:
        y = y * weight
    return y


def batch_norm(x, weight=None, bias=None, mean=None, var=None, eps=1e-5):
    """Shift and scale each channel of x (n, channels, ...) to mean 0 and variance 1, then by weight and bias.

    The mean and the variance are those of the batch, or the ones that are given, as where a network is used.
    """
    axes = tuple([axis for axis in range(np.ndim(x)) if axis != 1])
    behind = tuple(range(1, np.ndim(x) - 1))
    if mean is None:
        deviation = np.sqrt(np.var(x, axis=axes, keepdims=True) + eps)
        y = (x - np.mean(x, axis=axes, keepdims=True)) / deviation
    else:
        y = (x - np.expand_dims(mean, behind)) / np.expand_dims(np.sqrt(var + eps), behind)
    if weight is not None:
        y = y * np.expand_dims(weight, behind)
    if bias is not None:
        y = y + np.expand_dims(bias, behind)
    return y


def group_norm(x, groups, weight=None, bias=None, eps=1e-5):
    """Shift and scale each group of channels of x (n, channels, ...) to mean 0 and variance 1, then by weight and bias."""
    behind = tuple(range(1, np.ndim(x) - 1))
    rows = np.reshape(x, (x.shape[0], groups, -1))
    deviation = np.sqrt(np.var(rows, axis=-1, keepdims=True) + eps)
    y = np.reshape((rows - np.mean(rows, axis=-1, keepdims=True)) / deviation, np.shape(x))
    if weight is not None:
        y = y * np.expand_dims(weight, behind)
    if bias is not None:
        y = y + np.expand_dims(bias, behind)
    return y


def dropout(x, mask, rate):
    """Keep the elements of x where the mask is true, scaled by 1 / (1 - rate), and put 0 for the others."""
    return np.where(mask, x / (1 - rate), 0)


def embedding(table, indices):
    """The rows of a table at whole numbers."""
    return table[indices]


def attention(query, key, value, mask=None, causal=False, scale=None):
    """Scaled dot-product attention of query (..., n, d), key (..., m, d) and value (..., m, v): (..., n, v).

    Each row looks where the mask is true; a causal one at places that are not behind its own.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = scale * (query @ np.swapaxes(key, -1, -2))
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    if causal:
        scores = np.where(np.tri(query.shape[-2], key.shape[-2], dtype=bool), scores, -np.inf)
    return softmax(scores, axis=-1) @ value
