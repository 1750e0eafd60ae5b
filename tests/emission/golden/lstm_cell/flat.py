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
    t0 = x @ W
    t1 = h @ U
    t2 = t0 + t1
    gates = t2 + b
    i, f, g, o = np.split(gates, 4, axis=1)
    # forget a part of the old state, and let in a part of the new one
    t3 = sigmoid(f)
    t4 = t3 * c
    t5 = sigmoid(i)
    t6 = np.tanh(g)
    t7 = t5 * t6
    c_next = t4 + t7
    t8 = sigmoid(o)
    t9 = np.tanh(c_next)
    h_next = t8 * t9
    return (h_next, c_next), (x, h, c, W, U, t3, t5, t6, t8, t9)


def lstm_cell_backward(saved, grad_h_next, grad_c_next):
    """Return grad_x, grad_h, grad_c, grad_W, grad_U, grad_b."""
    x, h, c, W, U, t3, t5, t6, t8, t9 = saved
    # h_next = t8 * t9
    grad_t8 = grad_h_next * t9
    grad_t9 = grad_h_next * t8
    # t9 = np.tanh(c_next)
    grad_c_next_2 = grad_c_next + grad_t9 * (1 - t9**2)
    # t8 = sigmoid(o)
    grad_o = grad_t8 * (1 - t8) * t8
    # c_next = t4 + t7
    grad_t4 = grad_c_next_2
    grad_t7 = grad_c_next_2
    # t7 = t5 * t6
    grad_t5 = grad_t7 * t6
    grad_t6 = grad_t7 * t5
    # t6 = np.tanh(g)
    grad_g = grad_t6 * (1 - t6**2)
    # t5 = sigmoid(i)
    grad_i = grad_t5 * (1 - t5) * t5
    # t4 = t3 * c
    grad_t3 = grad_t4 * c
    grad_c = grad_t4 * t3
    # t3 = sigmoid(f)
    grad_f = grad_t3 * (1 - t3) * t3
    # i, f, g, o = np.split(gates, 4, axis=1)
    grad_gates = np.concatenate((grad_i, grad_f, grad_g, grad_o), axis=1)
    # gates = t2 + b
    grad_t2 = grad_gates
    grad_b = np.sum(grad_gates, axis=0)
    # t2 = t0 + t1
    grad_t0 = grad_t2
    grad_t1 = grad_t2
    # t1 = h @ U
    grad_h = grad_t1 @ U.T
    grad_U = h.T @ grad_t1
    # t0 = x @ W
    grad_x = grad_t0 @ W.T
    grad_W = x.T @ grad_t0
    return grad_x, grad_h, grad_c, grad_W, grad_U, grad_b
