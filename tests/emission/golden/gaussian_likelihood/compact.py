"""Forward and backward pass of `negative_log_likelihood`, written by flatgrad from forward.py:5."""

import numpy as np


def negative_log_likelihood_value_and_grad(x, mean, log_scale, *, grad_out=1.0):
    """Return out and (grad_x, grad_mean, grad_log_scale).

    Of independent normal numbers.

    x: (n,), mean: float, log_scale: float. Each gradient has the shape of its variable.
    """
    # forward
    t0 = np.exp(log_scale)
    z = (x - mean) / t0
    t1 = 0.5 * z**2 + log_scale + 0.5 * np.log(2 * np.pi)
    out = np.sum(t1)

    # backward
    # out = np.sum(t1)
    grad_t1 = np.full_like(t1, grad_out)
    # t1 = 0.5 * z**2 + log_scale + 0.5 * np.log(2 * np.pi)
    grad_z = grad_out * z
    # z = (x - mean) / t0
    grad_x = grad_z / t0
    # t0 = np.exp(log_scale)
    grad_log_scale = np.sum(grad_t1) - np.sum(grad_z * z / t0) * t0
    # z = (x - mean) / t0
    grad_mean = -np.sum(grad_x)
    return out, (grad_x, grad_mean, grad_log_scale)
