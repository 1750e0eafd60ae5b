"""Forward and backward pass of a squared norm, written by hand."""

import numpy as np


def squared_norm_value_and_grad(W, x, *, grad_f=1.0):
    """Return f and (grad_W, grad_x).

    W: (n, m), x: (m,). Each gradient has the shape of its variable.
    """
    # forward
    q = W @ x
    f = np.sum(q**2)

    # backward
    # f = np.sum(q**2)
    grad_q = 2 * grad_f * q
    # q = W @ x
    grad_W = np.outer(grad_q, x)
    grad_x = W.T @ grad_q
    return f, (grad_W, grad_x)
