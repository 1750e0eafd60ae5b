"""Forward and backward pass of a network of two layers, written by hand."""

import numpy as np


def two_layer_value_and_grad(X, labels, W1, b1, W2, b2, *, grad_loss=1.0):
    """Return loss and (grad_W1, grad_b1, grad_W2, grad_b2).

    X: (n, d), labels: (n,) int, W1: (d, h), b1: (h,), W2: (h, c), b2: (c,).
    Each gradient has the shape of its variable.
    """
    # forward
    t0 = X @ W1
    z = t0 + b1
    h = np.maximum(0, z)  # relu
    t1 = h @ W2
    scores = t1 + b2
    t2 = np.max(scores, axis=1, keepdims=True)
    shifted = scores - t2
    t3 = np.exp(shifted)
    t4 = np.sum(t3, axis=1, keepdims=True)
    t5 = np.log(t4)
    log_p = shifted - t5
    t6 = np.arange(len(X))
    t7 = log_p[t6, labels]
    t8 = np.mean(t7)
    loss = -t8

    # backward
    # loss = -t8
    grad_t8 = -grad_loss
    # t8 = np.mean(t7)
    grad_t7 = np.full_like(t7, grad_t8 / t7.size)
    # t7 = log_p[t6, labels]
    grad_log_p = np.zeros_like(log_p)
    grad_log_p[t6, labels] = grad_t7
    # log_p is the log-softmax of scores along axis 1
    grad_scores = grad_log_p - np.exp(log_p) * np.sum(grad_log_p, axis=1, keepdims=True)
    # scores = t1 + b2
    grad_t1 = grad_scores
    grad_b2 = np.sum(grad_scores, axis=0)
    # t1 = h @ W2
    grad_h = grad_t1 @ W2.T
    grad_W2 = h.T @ grad_t1
    # h = np.maximum(0, z)
    grad_z = grad_h * (z > 0)
    # z = t0 + b1
    grad_t0 = grad_z
    grad_b1 = np.sum(grad_z, axis=0)
    # t0 = X @ W1
    grad_W1 = X.T @ grad_t0
    return loss, (grad_W1, grad_b1, grad_W2, grad_b2)
