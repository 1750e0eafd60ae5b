"""Forward and backward pass of `misfit`, written by flatgrad from heat.py:18."""

import numpy as np


def misfit_value_and_grad(conductivity, start, measured, steps, *, grad_loss=1.0):
    """Return loss and grad_conductivity.

    conductivity: (n - 1,), start: (n,), measured: (n,), steps: int.
    Each gradient has the shape of its variable.
    """
    # forward
    temperature = start.copy()
    t0_tape = np.empty((steps, len(start) - 1))
    for k in range(steps):
        t0 = temperature[1:] - temperature[:-1]
        t0_tape[k] = t0
        flow = conductivity * t0
        temperature[:-1] += flow
        temperature[1:] -= flow
    t1 = temperature - measured
    loss = np.sum(t1**2)

    # backward
    # loss = np.sum(t1**2)
    grad_temperature = 2 * grad_loss * t1
    grad_conductivity = np.zeros_like(conductivity)
    for t0 in reversed(t0_tape):
        # temperature[:-1] += flow
        grad_flow = grad_temperature[:-1] - grad_temperature[1:]
        # flow = conductivity * t0
        grad_t0 = grad_flow * conductivity
        grad_conductivity += grad_flow * t0
        # t0 = temperature[1:] - temperature[:-1]
        grad_temperature[:-1] -= grad_t0
        grad_temperature[1:] += grad_t0
    return loss, grad_conductivity
