"""Pooling of images: the greatest element or the mean of each window.

In: arrays (..., height, width). Out: arrays of the same dtype. Layer: `nn`, above `windows`.
"""

import numpy as np

from flatgrad.nn.windows import for_each_axis, windows, windows_summed


def max_pool2d(x, kernel, stride=None, padding=0, dilation=1):
    """The greatest element of each window of images (..., height, width); windows lie side by side without a stride."""
    seen = windows(x, for_each_axis(kernel, 2), kernel if stride is None else stride, padding, dilation, lowest=True)
    return np.max(seen, axis=(-4, -3))


def avg_pool2d(x, kernel, stride=None, padding=0):
    """The mean of each window of images (..., height, width), where padding counts as zeros."""
    seen = windows(x, for_each_axis(kernel, 2), kernel if stride is None else stride, padding)
    return np.mean(seen, axis=(-4, -3))


def max_pool_backward(grad_y, x, y, kernel, stride=None, padding=0, dilation=1):
    """Gradient of max_pool2d, shared equally by the elements of a window that are the greatest."""
    stride = kernel if stride is None else stride
    seen = windows(x, for_each_axis(kernel, 2), stride, padding, dilation, lowest=True)
    chosen = seen == np.expand_dims(y, (-4, -3))
    ties = np.sum(chosen, axis=(-4, -3), dtype=grad_y.dtype)
    return windows_summed(np.expand_dims(grad_y / ties, (-4, -3)) * chosen, x.shape, stride, padding, dilation)


def avg_pool_backward(grad_y, shape, kernel, stride=None, padding=0):
    """Gradient of avg_pool2d for images of this shape."""
    height, width = for_each_axis(kernel, 2)
    share = np.expand_dims(grad_y / (height * width), (-4, -3))
    parts = np.broadcast_to(share, (*shape[:-2], height, width, *grad_y.shape[-2:]))
    return windows_summed(parts, shape, kernel if stride is None else stride, padding)
