"""Forward and backward pass of `robust_regression`, written by flatgrad from forward.py:8."""

import numpy as np


def robust_regression_value_and_grad(w, b, X, y, delta=1.0, ridge=0.001, *, grad_out=1.0):
    """Return out and (grad_w, grad_b).

    w: (d,), b: float, X: (n, d), y: (n,), delta: float, ridge: float.
    Each gradient has the shape of its variable.
    """
    # forward
    t0 = X @ w
    t1 = t0 + b
    residuals = t1 - y
    size = np.abs(residuals)
    # quadratic near zero, linear far away
    t2 = size <= delta
    t3 = residuals**2
    t4 = 0.5 * t3
    t5 = 0.5 * delta
    t6 = size - t5
    t7 = delta * t6
    huber = np.where(t2, t4, t7)
    t8 = np.mean(huber)
    t9 = w**2
    t10 = np.sum(t9)
    t11 = ridge * t10
    out = t8 + t11

    # backward
    # out = t8 + t11
    grad_t8 = grad_out
    grad_t11 = grad_out
    # t11 = ridge * t10
    grad_t10 = grad_t11 * ridge
    # t10 = np.sum(t9)
    grad_t9 = np.full_like(t9, grad_t10)
    # t8 = np.mean(huber)
    grad_huber = np.full_like(huber, grad_t8 / huber.size)
    # huber = np.where(t2, t4, t7)
    grad_t4 = np.where(t2, grad_huber, 0)
    grad_t7 = np.where(t2, 0, grad_huber)
    # t7 = delta * t6
    grad_t6 = np.where(t2, 0, grad_t7 * delta)
    # t6 = size - t5
    grad_size = grad_t6
    # t4 = 0.5 * t3
    grad_t3 = grad_t4 * 0.5
    # size = np.abs(residuals)
    grad_residuals = np.where(t2, grad_t3 * 2 * residuals, 0) + np.where(t2, 0, grad_size * np.sign(residuals))
    # residuals = t1 - y
    grad_t1 = grad_residuals
    # t1 = t0 + b
    grad_t0 = grad_t1
    grad_b = np.sum(grad_t1)
    # t0 = X @ w
    grad_w = grad_t9 * 2 * w + X.T @ grad_t0
    return out, (grad_w, grad_b)
