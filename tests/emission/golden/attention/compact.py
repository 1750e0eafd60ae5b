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
    t0 = key.T
    t1 = np.sqrt(key.shape[1])
    scores = query @ t0 / t1
    # softmax over the keys
    powers = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    weights = powers / np.sum(powers, axis=1, keepdims=True)
    t2 = weights @ value - target
    loss = np.sum(t2**2)

    # backward
    # loss = np.sum(t2**2)
    grad_t2 = 2 * grad_loss * t2
    # t2 = weights @ value - target
    grad_weights = grad_t2 @ value.T
    grad_value = weights.T @ grad_t2
    # weights is the softmax of scores along axis 1
    grad_scores = weights * (grad_weights - np.sum(grad_weights * weights, axis=1, keepdims=True))
    # scores = query @ t0 / t1
    grad_t3 = grad_scores / t1
    grad_query = grad_t3 @ t0.T
    # t0 = key.T
    grad_key = (query.T @ grad_t3).T
    # value = x @ W_value
    t4 = x.T
    grad_W_value = t4 @ grad_value
    # key = x @ W_key
    grad_W_key = t4 @ grad_key
    # query = x @ W_query
    grad_W_query = t4 @ grad_query
    return loss, (grad_W_query, grad_W_key, grad_W_value)
