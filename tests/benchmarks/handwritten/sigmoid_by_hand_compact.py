"""Forward and backward pass of a neuron, written by hand."""

import numpy as np


def neuron_value_and_grad(w0: float, x0: float, w1: float, x1: float, w2: float, *, grad_out: float = 1.0):
    """Return out and (grad_w0, grad_x0, grad_w1, grad_x1, grad_w2)."""
    # forward
    out = 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + w2)))

    # backward
    # out = 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + w2)))
    grad_w2 = grad_out * (1 - out) * out
    grad_w0 = grad_w2 * x0
    grad_x0 = grad_w2 * w0
    grad_w1 = grad_w2 * x1
    grad_x1 = grad_w2 * w1
    return out, (grad_w0, grad_x0, grad_w1, grad_x1, grad_w2)
