"""Forward and backward pass of a neuron, written by hand."""

import numpy as np


def neuron_value_and_grad(w0: float, x0: float, w1: float, x1: float, w2: float, *, grad_out: float = 1.0):
    """Return out and (grad_w0, grad_x0, grad_w1, grad_x1, grad_w2)."""
    # forward
    t0 = w0 * x0
    t1 = w1 * x1
    t2 = t0 + t1
    t3 = t2 + w2
    out = 1 / (1 + np.exp(-t3))

    # backward
    # out = 1 / (1 + np.exp(-t3)) is the sigmoid of t3
    grad_t3 = grad_out * (1 - out) * out
    # t3 = t2 + w2
    grad_t2 = grad_t3
    grad_w2 = grad_t3
    # t2 = t0 + t1
    grad_t0 = grad_t2
    grad_t1 = grad_t2
    # t1 = w1 * x1
    grad_w1 = grad_t1 * x1
    grad_x1 = grad_t1 * w1
    # t0 = w0 * x0
    grad_w0 = grad_t0 * x0
    grad_x0 = grad_t0 * w0
    return out, (grad_w0, grad_x0, grad_w1, grad_x1, grad_w2)
