"""Forward and backward pass of `softmax_layers`, written by flatgrad from forward.py:8."""

import numpy as np


def softmax_layers_value_and_grad(X, labels, W1, b1, W2, b2, *, grad_loss=1.0):
    """Return loss and (grad_W1, grad_b1, grad_W2, grad_b2).

    X: (n, d), labels: (n,) int, W1: (d, h), b1: (h,), W2: (h, c), b2: (c,).
    Each gradient has the shape of its variable.
    """
    # forward
    t0 = X @ W1
    t1 = t0 + b1
    hidden = np.tanh(t1)
    t2 = hidden @ W2
    t3 = t2 + b2
    powers = np.exp(t3)
    t4 = powers.sum(axis=1, keepdims=True)
    p = powers / t4
    t5 = np.arange(len(labels))
    t6 = p[t5, labels]
    t7 = np.log(t6)
    t8 = t7.mean()
    loss = -t8

    # backward
    # loss = -t8
    grad_t8 = -grad_loss
    # t8 = t7.mean()
    grad_t7 = np.full_like(t7, grad_t8 / t7.size)
    # t7 is picked from the log-softmax of t3 along axis 1
    grad_t3_part = np.zeros_like(t3)
    grad_t3_part[t5, labels] = grad_t7
    grad_t3 = grad_t3_part - p * np.sum(grad_t3_part, axis=1, keepdims=True)
    # t3 = t2 + b2
    grad_t2 = grad_t3
    grad_b2 = np.sum(grad_t3, axis=0)
    # t2 = hidden @ W2
    grad_hidden = grad_t2 @ W2.T
    grad_W2 = hidden.T @ grad_t2
    # hidden = np.tanh(t1)
    grad_t1 = grad_hidden * (1 - hidden**2)
    # t1 = t0 + b1
    grad_t0 = grad_t1
    grad_b1 = np.sum(grad_t1, axis=0)
    # t0 = X @ W1
    grad_W1 = X.T @ grad_t0
    return loss, (grad_W1, grad_b1, grad_W2, grad_b2)
