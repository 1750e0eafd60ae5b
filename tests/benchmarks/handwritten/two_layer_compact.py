"""Forward and backward pass of a network of two layers, written by hand."""

import numpy as np


def two_layer_value_and_grad(X, labels, W1, b1, W2, b2, *, grad_loss=1.0):
    """Return loss and (grad_W1, grad_b1, grad_W2, grad_b2).

    X: (n, d), labels: (n,) int, W1: (d, h), b1: (h,), W2: (h, c), b2: (c,).
    Each gradient has the shape of its variable.
    """
    # forward
    z = X @ W1 + b1
    h = np.maximum(0, z)  # relu
    scores = h @ W2 + b2
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    t0 = np.arange(len(X))
    loss = -np.mean(log_p[t0, labels])

    # backward
    # loss = -np.mean(log_p[t0, labels])
    grad_log_p = np.zeros_like(log_p)
    grad_log_p[t0, labels] = -grad_loss / len(X)
    # log_p is the log-softmax of scores along axis 1
    grad_scores = grad_log_p - np.exp(log_p) * np.sum(grad_log_p, axis=1, keepdims=True)
    # scores = h @ W2 + b2
    grad_h = grad_scores @ W2.T
    grad_W2 = h.T @ grad_scores
    grad_b2 = np.sum(grad_scores, axis=0)
    # h = np.maximum(0, z)
    grad_z = grad_h * (z > 0)
    # z = X @ W1 + b1
    grad_W1 = X.T @ grad_z
    grad_b1 = np.sum(grad_z, axis=0)
    return loss, (grad_W1, grad_b1, grad_W2, grad_b2)
