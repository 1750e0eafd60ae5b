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
    y = (x - np.mean(x, axis=axis, keepdims=True)) / np.sqrt(np.var(x, axis=axis, keepdims=True) + eps)
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


def for_channels(values, rank):
    """One number for each channel of an array (n, channels, ...) of this rank."""
    return values if rank == 2 else np.expand_dims(values, tuple(range(1, rank - 1)))


def batch_norm(x, weight=None, bias=None, mean=None, var=None, eps=1e-5):
    """Shift and scale each channel of x (n, channels, ...) to mean 0 and variance 1, then by weight and bias.

    The mean and the variance are those of the batch, or the ones that are given, as where a network is used.
    """
    axes = tuple([axis for axis in range(np.ndim(x)) if axis != 1])
    if mean is None:
        y = (x - np.mean(x, axis=axes, keepdims=True)) / np.sqrt(np.var(x, axis=axes, keepdims=True) + eps)
    else:
        y = (x - for_channels(mean, np.ndim(x))) / for_channels(np.sqrt(var + eps), np.ndim(x))
    if weight is not None:
        y = y * for_channels(weight, np.ndim(x))
    if bias is not None:
        y = y + for_channels(bias, np.ndim(x))
    return y


def group_norm(x, groups, weight=None, bias=None, eps=1e-5):
    """Shift and scale each group of channels of x (n, channels, ...) to mean 0 and variance 1, then by weight and bias."""
    rows = np.reshape(x, (x.shape[0], groups, -1))
    deviation = np.sqrt(np.var(rows, axis=-1, keepdims=True) + eps)
    y = np.reshape((rows - np.mean(rows, axis=-1, keepdims=True)) / deviation, np.shape(x))
    if weight is not None:
        y = y * for_channels(weight, np.ndim(x))
    if bias is not None:
        y = y + for_channels(bias, np.ndim(x))
    return y


def dropout(x, mask, rate):
    """Keep the elements of x where the mask is true, scaled by 1 / (1 - rate), and put 0 for the others."""
    return np.where(mask, x / (1 - rate), 0)


def embedding(table, indices):
    """The rows of a table at whole numbers."""
    return table[indices]


def attention(query, key, value, mask=None, causal=False, scale=None):
    """Scaled dot-product attention of query (..., n, d), key (..., m, d) and value (..., m, v): (..., n, v).

    Each row looks where the mask is true, or adds a mask of numbers to its scores; a causal one does not look ahead.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (scale * query) @ np.swapaxes(key, -1, -2)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tri(query.shape[-2], key.shape[-2], dtype=bool), scores, -np.inf)
    return softmax(scores, axis=-1) @ value
