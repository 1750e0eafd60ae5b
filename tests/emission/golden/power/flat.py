"""Forward and backward pass of `trace_of_power`, written by flatgrad from forward.py:13."""

import numpy as np


def power_forward(A):
    """Return squared and what power_backward needs. A: (n, n)."""
    squared = A @ A
    return squared, (A,)


def power_backward(saved, grad_squared):
    """Return grad_A."""
    (A,) = saved
    # squared = A @ A
    grad_A = grad_squared @ A.T + A.T @ grad_squared
    return grad_A


def power_2_forward(A):
    """Return out and what power_2_backward needs. A: (n, n)."""
    half, saved0 = power_forward(A)
    squared = half @ half
    out = squared @ A
    return out, (A, half, saved0, squared)


def power_2_backward(saved, grad_out):
    """Return grad_A."""
    A, half, saved0, squared = saved
    # out = squared @ A
    grad_squared = grad_out @ A.T
    # squared = half @ half
    grad_half = grad_squared @ half.T + half.T @ grad_squared
    # half = power(A)
    grad_A_part = power_backward(saved0, grad_half)
    grad_A = squared.T @ grad_out + grad_A_part
    return grad_A


def trace_of_power_value_and_grad(A, *, grad_out=1.0):
    """Return out and (grad_A,).

    The trace of a matrix's fifth power.

    A: (n, n). Each gradient has the shape of its variable.
    """
    # forward
    t0 = np.eye(len(A))
    t1, saved0 = power_2_forward(A)
    t2 = t0 * t1
    out = np.sum(t2)

    # backward
    # out = np.sum(t2)
    grad_t2 = np.full_like(t2, grad_out)
    # t2 = t0 * t1
    grad_t1 = grad_t2 * t0
    # t1 = power_2(A)
    grad_A = power_2_backward(saved0, grad_t1)
    return out, (grad_A,)
