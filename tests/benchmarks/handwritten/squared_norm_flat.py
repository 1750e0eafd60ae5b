"""Forward and backward pass of a squared norm, written by hand."""

import numpy as np


def squared_norm_value_and_grad(W, x, *, grad_f=1.0):
    """Return f and (grad_W, grad_x).

    W: (n, m), x: (m,). Each gradient has the shape of its variable.
    """
    # forward
    q = W @ x
    t0 = q**2
    f = np.sum(t0)

    # backward
    # f = np.sum(t0)
    grad_t0 = np.full_like(t0, grad_f)
    # t0 = q**2
    grad_q = grad_t0 * 2 * q
    # q = W @ x
    grad_W = np.outer(grad_q, x)
    grad_x = W.T @ grad_q
    return f, (grad_W, grad_x)
