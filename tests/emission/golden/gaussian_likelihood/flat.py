"""Forward and backward pass of `negative_log_likelihood`, written by flatgrad from forward.py:5."""

import numpy as np


def negative_log_likelihood_value_and_grad(x, mean, log_scale, *, grad_out=1.0):
    """Return out and (grad_x, grad_mean, grad_log_scale).

    Of independent normal numbers.

    x: (n,), mean: float, log_scale: float. Each gradient has the shape of its variable.
    """
    # forward
    t0 = x - mean
    t1 = np.exp(log_scale)
    z = t0 / t1
    t2 = z**2
    t3 = 0.5 * t2
    t4 = t3 + log_scale
    t5 = t4 + 0.5 * np.log(2 * np.pi)
    out = np.sum(t5)

    # backward
    # out = np.sum(t5)
    grad_t5 = np.full_like(t5, grad_out)
    # t5 = t4 + 0.5 * np.log(2 * np.pi)
    grad_t4 = grad_t5
    # t4 = t3 + log_scale
    grad_t3 = grad_t4
    # t3 = 0.5 * t2
    grad_t2 = grad_t3 * 0.5
    # t2 = z**2
    grad_z = grad_t2 * 2 * z
    # z = t0 / t1
    grad_t0 = grad_z / t1
    grad_t1 = -np.sum(grad_z * z / t1)
    # t1 = np.exp(log_scale)
    grad_log_scale = np.sum(grad_t4) + grad_t1 * t1
    # t0 = x - mean
    grad_x = grad_t0
    grad_mean = -np.sum(grad_t0)
    return out, (grad_x, grad_mean, grad_log_scale)
