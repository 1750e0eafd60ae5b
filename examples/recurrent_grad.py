"""Forward and backward pass of `recurrent`, written by flatgrad from recurrent.py:24."""

import numpy as np

LAG = 3


def cell_forward(h, x, W, u, b):
    """Return h_next and what cell_backward needs. h: (h,), x: (), W: (h, h), u: (h,), b: (h,)."""
    z = W @ h + u * x + b
    h_next = np.tanh(z)
    return h_next, (h, x, W, h_next)


def cell_backward(saved, grad_h_next):
    """Return grad_h, grad_W, grad_u, grad_b."""
    h, x, W, h_next = saved
    # h_next = np.tanh(z)
    grad_z = grad_h_next * (1 - h_next**2)
    # z = W @ h + u * x + b
    grad_u = grad_z * x
    grad_W = np.outer(grad_z, h)
    grad_h = W.T @ grad_z
    return grad_h, grad_W, grad_u, grad_z


def recurrent_value_and_grad(heard, W, u, b, v, *, grad_out=1.0):
    """Return out and (grad_W, grad_u, grad_b, grad_v).

    heard: (t,), W: (h, h), u: (h,), b: (h,), v: (h,).
    Each gradient has the shape of its variable.
    """
    # forward
    h = np.zeros(len(b))
    loss = 0.0
    h_2 = h
    h_2_tape = []
    saved_tape = []
    t0_tape = []
    for t in range(len(heard)):
        h_2, saved = cell_forward(h_2, heard[t], W, u, b)
        h_2_tape.append(h_2)
        saved_tape.append(saved)
        if t >= LAG:
            t0 = v @ h_2 - heard[t - LAG]
            t0_tape.append(t0)
            loss += t0**2
    t1 = len(heard) - LAG
    out = loss / t1

    # backward
    # out = loss / t1
    grad_loss = grad_out / t1
    grad_W = np.zeros_like(W)
    grad_u = np.zeros_like(u)
    grad_b = np.zeros_like(b)
    grad_v = np.zeros_like(v)
    grad_h_2 = np.zeros_like(h)
    for t in reversed(range(len(heard))):
        if t >= LAG:
            t0 = t0_tape.pop()
            # loss += t0**2
            grad_t0 = 2 * grad_loss * t0
            # t0 = v @ h_2 - heard[t - LAG]
            t2 = grad_t0 * v
            grad_v += grad_t0 * h_2_tape[t]
        else:
            t2 = np.zeros_like(h_2_tape[t])
        grad_h_2 = grad_h_2 + t2
        # h_2 = cell(h_2, heard[t], W, u, b)
        grad_h_2, t3, t4, t5 = cell_backward(saved_tape[t], grad_h_2)
        grad_W += t3
        grad_u += t4
        grad_b += t5
    return out, (grad_W, grad_u, grad_b, grad_v)
