"""Forward and backward pass of `huber`, written by flatgrad from forward.py:1."""

import numpy as np


def huber_value_and_grad(r: float, delta: float, *, grad_loss: float = 1.0):
    """Return loss and (grad_r, grad_delta)."""
    # forward
    t0 = abs(r)
    t1 = t0 <= delta
    if t1:
        t2 = r**2
        loss = 0.5 * t2
    else:
        t3 = 0.5 * delta
        t4 = t0 - t3
        loss = delta * t4

    # backward
    if t1:
        # loss = 0.5 * t2
        grad_t2 = grad_loss * 0.5
        # t2 = r**2
        grad_r = grad_t2 * 2 * r
        grad_delta = 0.0
    else:
        # loss = delta * t4
        grad_t4 = grad_loss * delta
        # t4 = t0 - t3
        grad_t3 = -grad_t4
        grad_t0 = grad_t4
        # t3 = 0.5 * delta
        grad_delta = grad_loss * t4 + grad_t3 * 0.5
        # t0 = abs(r)
        grad_r = grad_t0 * np.sign(r)
    return loss, (grad_r, grad_delta)
