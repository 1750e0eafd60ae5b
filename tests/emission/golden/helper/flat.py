"""Forward and backward pass of `block`, written by flatgrad from forward.py:11."""

import numpy as np


def layer_norm_forward(x, gain, bias):
    """Return out and what layer_norm_backward needs. x: (n, d), gain: (d,), bias: (d,)."""
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.var(x, axis=-1, keepdims=True)
    t0 = x - mean
    t1 = gain * t0
    t2 = variance + 1e-5
    t3 = np.sqrt(t2)
    t4 = t1 / t3
    out = t4 + bias
    return out, (x, gain, t0, t3, t4)


def layer_norm_backward(saved, grad_out):
    """Return grad_x, grad_gain, grad_bias."""
    x, gain, t0, t3, t4 = saved
    # out = t4 + bias
    grad_t4 = grad_out
    grad_bias = np.sum(grad_out, axis=0)
    # t4 = t1 / t3
    grad_t1 = grad_t4 / t3
    grad_t3 = -np.sum(grad_t4 * t4 / t3, axis=1, keepdims=True)
    # t3 = np.sqrt(t2)
    grad_t2 = grad_t3 / (2 * t3)
    # t2 = variance + 1e-5
    grad_variance = grad_t2
    # t1 = gain * t0
    grad_t0 = grad_t1 * gain
    grad_gain = np.sum(grad_t1 * t0, axis=0)
    # t0 = x - mean
    grad_mean = -np.sum(grad_t0, axis=1, keepdims=True)
    # x feeds t0, variance and mean
    grad_x = grad_t0 + grad_variance * 2 / x.shape[1] * t0 + np.full_like(x, grad_mean / x.shape[1])
    return grad_x, grad_gain, grad_bias


def block_value_and_grad(x, gain1, bias1, W, gain2, bias2, *, grad_loss=1.0):
    """Return loss and (grad_x, grad_gain1, grad_bias1, grad_W, grad_gain2, grad_bias2).

    x: (n, d), gain1: (d,), bias1: (d,), W: (d, d), gain2: (d,), bias2: (d,).
    Each gradient has the shape of its variable.
    """
    # forward
    t0, saved0 = layer_norm_forward(x, gain1, bias1)
    t1 = t0 @ W
    t2 = np.tanh(t1)
    h = x + t2
    y, saved1 = layer_norm_forward(h, gain2, bias2)
    t3 = y**3
    loss = np.sum(t3)

    # backward
    # loss = np.sum(t3)
    grad_t3 = np.full_like(t3, grad_loss)
    # t3 = y**3
    grad_y = grad_t3 * 3 * y**2
    # y = layer_norm(h, gain2, bias2)
    grad_h, grad_gain2, grad_bias2 = layer_norm_backward(saved1, grad_y)
    # h = x + t2
    grad_t2 = grad_h
    # t2 = np.tanh(t1)
    grad_t1 = grad_t2 * (1 - t2**2)
    # t1 = t0 @ W
    grad_t0 = grad_t1 @ W.T
    grad_W = t0.T @ grad_t1
    # t0 = layer_norm(x, gain1, bias1)
    grad_x_part, grad_gain1, grad_bias1 = layer_norm_backward(saved0, grad_t0)
    grad_x = grad_h + grad_x_part
    return loss, (grad_x, grad_gain1, grad_bias1, grad_W, grad_gain2, grad_bias2)
