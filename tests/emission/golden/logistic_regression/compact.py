"""Forward and backward pass of `logistic_regression`, written by flatgrad from forward.py:8."""

import numpy as np


def logistic_regression_value_and_grad(w, b, X, y, penalty=0.1, *, grad_out=1.0):
    """Return out and (grad_w, grad_b).

    w: (d,), b: float, X: (n, d), y: (n,), penalty: float.
    Each gradient has the shape of its variable.
    """
    # forward
    p = 1 / (1 + np.exp(-(X @ w + b)))
    t0 = 1 - y
    t1 = 1 - p
    log_likelihood = y * np.log(p) + t0 * np.log(t1)
    t2 = penalty * w
    out = -log_likelihood.mean() + t2 @ w

    # backward
    # out = -log_likelihood.mean() + t2 @ w
    grad_log_likelihood = np.full_like(log_likelihood, -grad_out / log_likelihood.size)
    # log_likelihood = y * np.log(p) + t0 * np.log(t1)
    grad_p = grad_log_likelihood * y / p - grad_log_likelihood * t0 / t1
    # p = 1 / (1 + np.exp(-(X @ w + b)))
    grad_t3 = grad_p * t1 * p
    grad_b = np.sum(grad_t3)
    # w feeds out, t2 and p
    grad_w = grad_out * t2 + grad_out * w * penalty + X.T @ grad_t3
    return out, (grad_w, grad_b)
