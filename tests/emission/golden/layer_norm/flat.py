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
    t1 = variance + EPSILON
    t2 = np.sqrt(t1)
    standard = t0 / t2
    t3 = gain * standard
    y = t3 + bias
    t4 = y - 1
    t5 = t4**2
    loss = np.mean(t5)

    # backward
    # loss = np.mean(t5)
    grad_t5 = np.full_like(t5, grad_loss / t5.size)
    # t5 = t4**2
    grad_t4 = grad_t5 * 2 * t4
    # t4 = y - 1
    grad_y = grad_t4
    # y = t3 + bias
    grad_t3 = grad_y
    grad_bias = np.sum(grad_y, axis=0)
    # t3 = gain * standard
    grad_standard = grad_t3 * gain
    grad_gain = np.sum(grad_t3 * standard, axis=0)
    # standard is x with mean 0 and variance 1 along axis -1
    grad_x = (
        grad_standard
        - np.mean(grad_standard, axis=-1, keepdims=True)
        - standard * np.mean(grad_standard * standard, axis=-1, keepdims=True)
    ) / t2
    return loss, (grad_x, grad_gain, grad_bias)
