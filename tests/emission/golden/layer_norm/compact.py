"""Forward and backward pass of `layer_norm`, written by flatgrad from forward.py:7."""

import numpy as np

EPSILON = 1e-5


def layer_norm_value_and_grad(x, gain, bias, *, grad_loss=1.0):
    """Return loss and (grad_x, grad_gain, grad_bias).

    Squared error of normalised rows against ones.

    x: (n, d), gain: (d,), bias: (d,). Each gradient has the shape of its variable.
    """
    # forward
    # standardise each row
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.var(x, axis=-1, keepdims=True)
    t0 = x - mean
    t1 = np.sqrt(variance + EPSILON)
    standard = t0 / t1
    y = gain * standard + bias
    t2 = y - 1
    loss = np.mean(t2**2)

    # backward
    # loss = np.mean(t2**2)
    grad_y = 2 * grad_loss / x.size * t2
    # y = gain * standard + bias
    grad_bias = np.sum(grad_y, axis=0)
    grad_standard = grad_y * gain
    grad_gain = np.sum(grad_y * standard, axis=0)
    # standard = t0 / t1
    grad_t0 = grad_standard / t1
    # t1 = np.sqrt(variance + EPSILON)
    grad_variance = -np.sum(grad_standard * standard / t1, axis=1, keepdims=True) / (2 * t1)
    # t0 = x - mean
    grad_mean = -np.sum(grad_t0, axis=1, keepdims=True)
    # x feeds t0, variance and mean
    grad_x = grad_t0 + 2 * grad_variance / x.shape[1] * t0 + grad_mean / x.shape[1]
    return loss, (grad_x, grad_gain, grad_bias)
