"""Forward and backward pass of `softmax_layers`, written by flatgrad from forward.py:8."""

import numpy as np


def softmax_layers_value_and_grad(X, labels, W1, b1, W2, b2, *, grad_loss=1.0):
    """Return loss and (grad_W1, grad_b1, grad_W2, grad_b2).

    X: (n, d), labels: (n,) int, W1: (d, h), b1: (h,), W2: (h, c), b2: (c,).
    Each gradient has the shape of its variable.
    """
    # forward
    hidden = np.tanh(X @ W1 + b1)
    t0 = hidden @ W2 + b2
    powers = np.exp(t0)
    p = powers / powers.sum(axis=1, keepdims=True)
    t1 = np.arange(len(labels))
    loss = -np.log(p[t1, labels]).mean()

    # backward
    # loss = -np.log(p[t1, labels]).mean()
    grad_t0_part = np.zeros_like(t0)
    grad_t0_part[t1, labels] = -grad_loss / len(X)
    grad_t0 = grad_t0_part - p * np.sum(grad_t0_part, axis=1, keepdims=True)
    # t0 = hidden @ W2 + b2
    grad_b2 = np.sum(grad_t0, axis=0)
    grad_hidden = grad_t0 @ W2.T
    grad_W2 = hidden.T @ grad_t0
    # hidden = np.tanh(X @ W1 + b1)
    grad_t2 = grad_hidden * (1 - hidden**2)
    grad_b1 = np.sum(grad_t2, axis=0)
    grad_W1 = X.T @ grad_t2
    return loss, (grad_W1, grad_b1, grad_W2, grad_b2)
