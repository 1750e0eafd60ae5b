"""Forward and backward pass of `rnn`, written by flatgrad from forward.py:8."""

import numpy as np


def rnn_value_and_grad(xs, h0, Wxh, Whh, b, *, grad_loss=1.0):
    """Return loss and (grad_h0, grad_Wxh, grad_Whh, grad_b).

    xs: (t, d), h0: (h,), Wxh: (h, d), Whh: (h, h), b: (h,).
    Each gradient has the shape of its variable.
    """
    # forward
    loss = 0.0
    h = h0
    h_tape = [h]
    for t in range(len(xs)):
        t0 = xs[t]
        t1 = Wxh @ t0
        t2 = Whh @ h
        t3 = t1 + t2
        t4 = t3 + b
        h = np.tanh(t4)
        h_tape.append(h)
        t5 = h**2
        t6 = np.sum(t5)
        loss += t6

    # backward
    grad_Wxh = np.zeros_like(Wxh)
    grad_Whh = np.zeros_like(Whh)
    grad_b = np.zeros_like(b)
    grad_h = np.zeros_like(h0)
    for t in reversed(range(len(xs))):
        h = h_tape[t + 1]
        # loss += t6
        grad_t6 = grad_loss
        # t6 = np.sum(t5)
        grad_t5 = np.full_like(h, grad_t6)
        # t5 = h**2
        grad_h = grad_h + grad_t5 * 2 * h
        # h = np.tanh(t4)
        grad_t4 = grad_h * (1 - h**2)
        # t4 = t3 + b
        grad_t3 = grad_t4
        grad_b += grad_t4
        # t3 = t1 + t2
        grad_t1 = grad_t3
        grad_t2 = grad_t3
        # t2 = Whh @ h
        grad_h = Whh.T @ grad_t2
        grad_Whh += np.outer(grad_t2, h_tape[t])
        # t1 = Wxh @ t0
        grad_Wxh += np.outer(grad_t1, xs[t])
    grad_h0 = grad_h
    return loss, (grad_h0, grad_Wxh, grad_Whh, grad_b)
