"""Convolutions of signals and images, and what their gradients are made of.

In: arrays. Out: arrays of the same dtype. Each is one product of matrices for each sample and group. Layer: `nn`, above
`windows`.
"""

import math

import numpy as np

from flatgrad.nn.windows import windows, windows_summed


def convolved(x, weight, stride=1, padding=0, dilation=1, groups=1):
    """Correlate x (n, channels, *sizes) with filters (out, channels / groups, *kernel): (n, out, *places)."""
    seen = windows(x, weight.shape[2:], stride, padding, dilation)
    places = seen.shape[x.ndim :]
    filters = np.reshape(weight, (groups, len(weight) // groups, math.prod(weight.shape[1:])))
    columns = np.reshape(seen, (len(x), groups, filters.shape[2], math.prod(places)))
    return np.reshape(filters @ columns, (len(x), len(weight), *places))


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of signals (n, channels, length) with filters (out, channels / groups, length)."""
    if not x.ndim == weight.ndim == 3:
        raise ValueError(f"conv1d of arrays of rank {x.ndim} and {weight.ndim}, not 3")
    y = convolved(x, weight, stride, padding, dilation, groups)
    return y if bias is None else y + np.expand_dims(bias, 1)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of images (n, channels, height, width) with filters (out, channels / groups, height, width)."""
    if not x.ndim == weight.ndim == 4:
        raise ValueError(f"conv2d of arrays of rank {x.ndim} and {weight.ndim}, not 4")
    y = convolved(x, weight, stride, padding, dilation, groups)
    return y if bias is None else y + np.expand_dims(bias, (1, 2))


def conv_backward_input(grad_y, weight, shape, stride=1, padding=0, dilation=1, groups=1):
    """Gradient of a convolution's input, which has this shape."""
    filters = np.reshape(weight, (groups, len(weight) // groups, math.prod(weight.shape[1:])))
    rows = np.reshape(grad_y, (len(grad_y), groups, filters.shape[1], math.prod(grad_y.shape[2:])))
    parts = np.swapaxes(filters, 1, 2) @ rows
    parts = np.reshape(parts, (*shape[:2], *weight.shape[2:], *grad_y.shape[2:]))
    return windows_summed(parts, shape, stride, padding, dilation)


def conv_backward_weight(x, grad_y, shape, stride=1, padding=0, dilation=1, groups=1):
    """Gradient of a convolution's filters, which have this shape."""
    seen = windows(x, shape[2:], stride, padding, dilation)
    count = len(x) * math.prod(grad_y.shape[2:])
    rows = np.reshape(np.swapaxes(grad_y, 0, 1), (groups, shape[0] // groups, count))
    columns = np.reshape(np.moveaxis(seen, 0, x.ndim - 1), (groups, math.prod(shape[1:]), count))
    return np.reshape(rows @ np.swapaxes(columns, 1, 2), shape)
