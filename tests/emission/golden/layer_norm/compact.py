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
    t0 = np.sqrt(variance + EPSILON)
    standard = (x - mean) / t0
    y = gain * standard + bias
    t1 = y - 1
    loss = np.mean(t1**2)

    # backward
    # loss = np.mean(t1**2)
    grad_y = 2 * grad_loss / x.size * t1
    # y = gain * standard + bias
    grad_bias = np.sum(grad_y, axis=0)
    grad_standard = grad_y * gain
    grad_gain = np.sum(grad_y * standard, axis=0)
    # standard = (x - mean) / t0 is x with mean 0 and variance 1 along axis -1
    grad_x = (
        grad_standard
        - np.mean(grad_standard, axis=-1, keepdims=True)
        - standard * np.mean(grad_standard * standard, axis=-1, keepdims=True)
    ) / t0
    return loss, (grad_x, grad_gain, grad_bias)
