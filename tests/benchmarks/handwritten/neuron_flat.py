"""Forward and backward pass of a neuron, written by hand."""

from math import exp


def sigmoid(x):
    """Logistic function, safe from overflow on both sides."""
    return 1.0 / (1.0 + exp(-x)) if x >= 0.0 else exp(x) / (1.0 + exp(x))


def neuron_value_and_grad(w0: float, x0: float, w1: float, x1: float, w2: float, *, grad_L: float = 1.0):
    """Return L and (grad_w0, grad_x0, grad_w1, grad_x1, grad_w2)."""
    # forward
    s0 = w0 * x0
    s1 = w1 * x1
    s2 = s0 + s1
    s3 = s2 + w2
    L = sigmoid(s3)

    # backward
    # L = sigmoid(s3)
    grad_s3 = grad_L * (1 - L) * L
    # s3 = s2 + w2
    grad_s2 = grad_s3
    grad_w2 = grad_s3
    # s2 = s0 + s1
    grad_s0 = grad_s2
    grad_s1 = grad_s2
    # s1 = w1 * x1
    grad_w1 = grad_s1 * x1
    grad_x1 = grad_s1 * w1
    # s0 = w0 * x0
    grad_w0 = grad_s0 * x0
    grad_x0 = grad_s0 * w0
    return L, (grad_w0, grad_x0, grad_w1, grad_x1, grad_w2)
