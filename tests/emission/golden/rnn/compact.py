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
        h = np.tanh(Wxh @ xs[t] + Whh @ h + b)
        h_tape.append(h)
        loss += np.sum(h**2)

    # backward
    grad_Wxh = np.zeros_like(Wxh)
    grad_Whh = np.zeros_like(Whh)
    grad_b = np.zeros_like(b)
    grad_h = np.zeros_like(h0)
    for t in reversed(range(len(xs))):
        # loss += np.sum(h**2)
        grad_h = grad_h + 2 * grad_loss * h_tape[t + 1]
        # h = np.tanh(Wxh @ xs[t] + Whh @ h + b)
        grad_t0 = grad_h * (1 - h_tape[t + 1] ** 2)
        grad_b += grad_t0
        grad_h = Whh.T @ grad_t0
        grad_Whh += np.outer(grad_t0, h_tape[t])
        grad_Wxh += np.outer(grad_t0, xs[t])
    grad_h0 = grad_h
    return loss, (grad_h0, grad_Wxh, grad_Whh, grad_b)
