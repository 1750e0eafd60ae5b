"""Forward and backward pass of `logistic_regression`, written by flatgrad from forward.py:8."""

import numpy as np


def logistic_regression_value_and_grad(w, b, X, y, penalty=0.1, *, grad_out=1.0):
    """Return out and (grad_w, grad_b).

    w: (d,), b: float, X: (n, d), y: (n,), penalty: float.
    Each gradient has the shape of its variable.
    """
    # forward
    t0 = X @ w
    t1 = t0 + b
    p = 1 / (1 + np.exp(-t1))
    t2 = np.log(p)
    t3 = y * t2
    t4 = 1 - y
    t5 = 1 - p
    t6 = np.log(t5)
    t7 = t4 * t6
    log_likelihood = t3 + t7
    t8 = log_likelihood.mean()
    t9 = -t8
    t10 = penalty * w
    t11 = t10 @ w
    out = t9 + t11

    # backward
    # out = t9 + t11
    grad_t9 = grad_out
    grad_t11 = grad_out
    # t11 = t10 @ w
    grad_t10 = grad_t11 * w
    # t9 = -t8
    grad_t8 = -grad_t9
    # t8 = log_likelihood.mean()
    grad_log_likelihood = np.full_like(log_likelihood, grad_t8 / log_likelihood.size)
    # log_likelihood = t3 + t7
    grad_t3 = grad_log_likelihood
    grad_t7 = grad_log_likelihood
    # t7 = t4 * t6
    grad_t6 = grad_t7 * t4
    # t6 = np.log(t5)
    grad_t5 = grad_t6 / t5
    # t3 = y * t2
    grad_t2 = grad_t3 * y
    # t2 = np.log(p)
    grad_p = grad_t2 / p - grad_t5
    # p = 1 / (1 + np.exp(-t1)) is the sigmoid of t1
    grad_t1 = grad_p * t5 * p
    # t1 = t0 + b
    grad_t0 = grad_t1
    grad_b = np.sum(grad_t1)
    # w feeds t11, t10 and t0
    grad_w = grad_t11 * t10 + grad_t10 * penalty + X.T @ grad_t0
    return out, (grad_w, grad_b)
