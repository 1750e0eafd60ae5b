"""Forward and backward pass of `huber`, written by flatgrad from forward.py:1."""


def huber_value_and_grad(r: float, delta: float, *, grad_loss: float = 1.0):
    """Return loss and (grad_r, grad_delta)."""
    # forward
    t0 = abs(r)
    t1 = t0 <= delta
    if t1:
        loss = 0.5 * r**2
    else:
        t2 = t0 - 0.5 * delta
        loss = delta * t2

    # backward
    if t1:
        # loss = 0.5 * r**2
        grad_r = grad_loss * r
        grad_delta = 0.0
    else:
        # loss = delta * t2
        grad_t2 = grad_loss * delta
        # t2 = t0 - 0.5 * delta
        grad_delta = grad_loss * t2 - 0.5 * grad_t2
        # t0 = abs(r)
        grad_r = grad_t2 * (1.0 if r > 0 else -1.0 if r < 0 else r + 0.0)
    return loss, (grad_r, grad_delta)
