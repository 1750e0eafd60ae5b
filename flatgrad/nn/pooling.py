"""Pooling of images: the greatest element or the mean of each window.

In: arrays (..., height, width). Out: arrays of the same dtype. Layer: `nn`, above `windows`.
"""

import numpy as np

from flatgrad.nn.windows import for_each_axis, windows


def max_pool2d(x, kernel, stride=None, padding=0, dilation=1):
    """The greatest element of each window of images (..., height, width); windows lie side by side without a stride."""
    seen = windows(x, for_each_axis(kernel, 2), kernel if stride is None else stride, padding, dilation, lowest=True)
    return np.max(seen, axis=(-4, -3))


def avg_pool2d(x, kernel, stride=None, padding=0):
    """The mean of each window of images (..., height, width), where padding counts as zeros."""
    seen = windows(x, for_each_axis(kernel, 2), kernel if stride is None else stride, padding)
    return np.mean(seen, axis=(-4, -3))
