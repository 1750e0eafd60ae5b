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
    t1 = query @ t0
    t2 = np.sqrt(key.shape[1])
    scores = t1 / t2
    # softmax over the keys
    t3 = np.max(scores, axis=1, keepdims=True)
    t4 = scores - t3
    powers = np.exp(t4)
    t5 = np.sum(powers, axis=1, keepdims=True)
    weights = powers / t5
    t6 = weights @ value
    t7 = t6 - target
    t8 = t7**2
    loss = np.sum(t8)

    # backward
    # loss = np.sum(t8)
    grad_t8 = np.full_like(t8, grad_loss)
    # t8 = t7**2
    grad_t7 = grad_t8 * 2 * t7
    # t7 = t6 - target
    grad_t6 = grad_t7
    # t6 = weights @ value
    grad_weights = grad_t6 @ value.T
    grad_value = weights.T @ grad_t6
    # weights is the softmax of scores along axis 1
    grad_scores = weights * (grad_weights - np.sum(grad_weights * weights, axis=1, keepdims=True))
    # scores = t1 / t2
    grad_t1 = grad_scores / t2
    # t1 = query @ t0
    grad_query = grad_t1 @ key
    grad_t0 = query.T @ grad_t1
    # t0 = key.T
    grad_key = grad_t0.T
    # value = x @ W_value
    grad_W_value = x.T @ grad_value
    # key = x @ W_key
    grad_W_key = x.T @ grad_key
    # query = x @ W_query
    grad_W_query = x.T @ grad_query
    return loss, (grad_W_query, grad_W_key, grad_W_value)
