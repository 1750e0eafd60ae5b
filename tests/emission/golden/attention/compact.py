"""Forward and backward pass of `attention`, written by flatgrad from forward.py:8."""

import numpy as np


def attention_value_and_grad(x, W_query, W_key, W_value, target, *, grad_loss=1.0):
    """Return loss and (grad_W_query, grad_W_key, grad_W_value).

    x: (n, d), W_query: (d, k), W_key: (d, k), W_value: (d, v), target: (n, v).
    Each gradient has the shape of its variable.
    """
    # forward
    query = x @ W_query
    key = x @ W_key
    value = x @ W_value
    t0 = np.sqrt(key.shape[1])
    scores = query @ key.T / t0
    # softmax over the keys
    powers = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    weights = powers / np.sum(powers, axis=1, keepdims=True)
    t1 = weights @ value - target
    loss = np.sum(t1**2)

    # backward
    # loss = np.sum(t1**2)
    grad_t1 = 2 * grad_loss * t1
    # t1 = weights @ value - target
    grad_weights = grad_t1 @ value.T
    grad_value = weights.T @ grad_t1
    # weights is the softmax of scores along axis 1
    grad_scores = weights * (grad_weights - np.sum(grad_weights * weights, axis=1, keepdims=True))
    # scores = query @ key.T / t0
    grad_t2 = grad_scores / t0
    grad_query = grad_t2 @ key
    grad_key = grad_t2.T @ query
    # value = x @ W_value
    grad_W_value = x.T @ grad_value
    # key = x @ W_key
    grad_W_key = x.T @ grad_key
    # query = x @ W_query
    grad_W_query = x.T @ grad_query
    return loss, (grad_W_query, grad_W_key, grad_W_value)
