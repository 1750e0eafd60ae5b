"""Forward and backward pass of `robust_regression`, written by flatgrad from forward.py:8."""

import numpy as np


def robust_regression_value_and_grad(w, b, X, y, delta=1.0, ridge=0.001, *, grad_out=1.0):
    """Return out and (grad_w, grad_b).

    w: (d,), b: float, X: (n, d), y: (n,), delta: float, ridge: float.
    Each gradient has the shape of its variable.
    """
    # forward
    residuals = X @ w + b - y
    size = np.abs(residuals)
    # quadratic near zero, linear far away
    t0 = size <= delta
    huber = np.where(t0, 0.5 * residuals**2, delta * (size - 0.5 * delta))
    out = np.mean(huber) + ridge * np.sum(w**2)

    # backward
    # out = np.mean(huber) + ridge * np.sum(w**2)
    grad_huber = np.full_like(huber, grad_out / huber.size)
    # huber = np.where(t0, 0.5 * residuals**2, delta * (size - 0.5 * delta))
    grad_size = np.where(t0, 0, grad_huber * delta)
    # size = np.abs(residuals)
    grad_residuals = np.where(t0, grad_huber * residuals, 0) + np.where(t0, 0, grad_size * np.sign(residuals))
    # residuals = X @ w + b - y
    grad_b = np.sum(grad_residuals)
    grad_w = 2 * grad_out * ridge * w + X.T @ grad_residuals
    return out, (grad_w, grad_b)
