"""Forward and backward pass of `block`, written by flatgrad from forward.py:11."""

import numpy as np


def layer_norm_forward(x, gain, bias):
    """Return out and what layer_norm_backward needs. x: (n, d), gain: (d,), bias: (d,)."""
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.var(x, axis=-1, keepdims=True)
    t0 = x - mean
    t1 = np.sqrt(variance + 1e-5)
    t2 = gain * t0 / t1
    out = t2 + bias
    return out, (x, gain, t0, t1, t2)


def layer_norm_backward(saved, grad_out):
    """Return grad_x, grad_gain, grad_bias."""
    x, gain, t0, t1, t2 = saved
    # out = t2 + bias
    grad_bias = np.sum(grad_out, axis=0)
    # t2 = gain * t0 / t1
    grad_t3 = grad_out / t1
    # t1 = np.sqrt(variance + 1e-5)
    grad_variance = -np.sum(grad_out * t2 / t1, axis=1, keepdims=True) / (2 * t1)
    # t2 = gain * t0 / t1
    grad_t0 = grad_t3 * gain
    grad_gain = np.sum(grad_t3 * t0, axis=0)
    # t0 = x - mean
    grad_mean = -np.sum(grad_t0, axis=1, keepdims=True)
    # x feeds t0, variance and mean
    grad_x = grad_t0 + 2 * grad_variance / x.shape[1] * t0 + grad_mean / x.shape[1]
    return grad_x, grad_gain, grad_bias


def block_value_and_grad(x, gain1, bias1, W, gain2, bias2, *, grad_loss=1.0):
    """Return loss and (grad_x, grad_gain1, grad_bias1, grad_W, grad_gain2, grad_bias2).

    x: (n, d), gain1: (d,), bias1: (d,), W: (d, d), gain2: (d,), bias2: (d,).
    Each gradient has the shape of its variable.
    """
    # forward
    t0, saved0 = layer_norm_forward(x, gain1, bias1)
    t1 = np.tanh(t0 @ W)
    h = x + t1
    y, saved1 = layer_norm_forward(h, gain2, bias2)
    loss = np.sum(y**3)

    # backward
    # loss = np.sum(y**3)
    grad_y = 3 * grad_loss * y**2
    # y = layer_norm(h, gain2, bias2)
    grad_h, grad_gain2, grad_bias2 = layer_norm_backward(saved1, grad_y)
    # t1 = np.tanh(t0 @ W)
    grad_t2 = grad_h * (1 - t1**2)
    grad_W = t0.T @ grad_t2
    # t0 = layer_norm(x, gain1, bias1)
    grad_x_part, grad_gain1, grad_bias1 = layer_norm_backward(saved0, grad_t2 @ W.T)
    grad_x = grad_h + grad_x_part
    return loss, (grad_x, grad_gain1, grad_bias1, grad_W, grad_gain2, grad_bias2)
