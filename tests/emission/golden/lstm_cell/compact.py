"""Forward and backward pass of `lstm_cell`, written by flatgrad from forward.py:7."""

import numpy as np


def sigmoid(x):
    """Logistic function, safe from overflow on both sides."""
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, decay) / (1 + decay)


def lstm_cell_forward(x, h, c, W, U, b):
    """Return h_next, c_next and what lstm_cell_backward needs.

    x: (n, d), h: (n, 5), c: (n, 5), W: (d, 20), U: (5, 20), b: (20,).
    """
    gates = x @ W + h @ U + b
    i, f, g, o = np.split(gates, 4, axis=1)
    # forget a part of the old state, and let in a part of the new one
    t0 = sigmoid(f)
    t1 = sigmoid(i)
    t2 = np.tanh(g)
    c_next = t0 * c + t1 * t2
    t3 = sigmoid(o)
    t4 = np.tanh(c_next)
    h_next = t3 * t4
    return (h_next, c_next), (x, h, c, W, U, t0, t1, t2, t3, t4)


def lstm_cell_backward(saved, grad_h_next, grad_c_next):
    """Return grad_x, grad_h, grad_c, grad_W, grad_U, grad_b."""
    x, h, c, W, U, t0, t1, t2, t3, t4 = saved
    # t4 = np.tanh(c_next)
    grad_c_next_2 = grad_c_next + grad_h_next * t3 * (1 - t4**2)
    # t3 = sigmoid(o)
    grad_o = grad_h_next * t4 * (1 - t3) * t3
    # t2 = np.tanh(g)
    grad_g = grad_c_next_2 * t1 * (1 - t2**2)
    # t1 = sigmoid(i)
    grad_i = grad_c_next_2 * t2 * (1 - t1) * t1
    # c_next = t0 * c + t1 * t2
    grad_c = grad_c_next_2 * t0
    # t0 = sigmoid(f)
    grad_f = grad_c_next_2 * c * (1 - t0) * t0
    # i, f, g, o = np.split(gates, 4, axis=1)
    grad_gates = np.concatenate((grad_i, grad_f, grad_g, grad_o), axis=1)
    # gates = x @ W + h @ U + b
    grad_b = np.sum(grad_gates, axis=0)
    grad_h = grad_gates @ U.T
    grad_U = h.T @ grad_gates
    grad_x = grad_gates @ W.T
    grad_W = x.T @ grad_gates
    return grad_x, grad_h, grad_c, grad_W, grad_U, grad_b
