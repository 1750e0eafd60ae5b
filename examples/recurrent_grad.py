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
    h_tape = []
    saved_tape = []
    t0_tape = []
    for t in range(len(heard)):
        h, saved = cell_forward(h, heard[t], W, u, b)
        h_tape.append(h)
        saved_tape.append(saved)
        if t >= LAG:
            t0 = v @ h - heard[t - LAG]
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
    grad_h = np.zeros_like(h)
    for t in reversed(range(len(heard))):
        if t >= LAG:
            t0 = t0_tape.pop()
            # loss += t0**2
            grad_t0 = 2 * grad_loss * t0
            # t0 = v @ h - heard[t - LAG]
            grad_v += grad_t0 * h_tape[t]
            grad_h = grad_h + grad_t0 * v
        # h = cell(h, heard[t], W, u, b)
        grad_h, grad_W_part, grad_u_part, grad_b_part = cell_backward(saved_tape[t], grad_h)
        grad_W += grad_W_part
        grad_u += grad_u_part
        grad_b += grad_b_part
    return out, (grad_W, grad_u, grad_b, grad_v)
