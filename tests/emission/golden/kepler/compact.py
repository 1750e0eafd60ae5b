"""Forward and backward pass of `kepler`, written by flatgrad from forward.py:8."""

import math


def kepler_value_and_grad(M: float, e: float, *, grad_E: float = 1.0):
    """Return E and (grad_M, grad_e)."""
    # forward
    E = M
    t0_tape = []
    t1_tape = []
    step_tape = []
    while True:
        t0 = math.sin(E)
        t0_tape.append(t0)
        t1 = math.cos(E)
        t1_tape.append(t1)
        t2 = 1 - e * t1
        step = (E - e * t0 - M) / t2
        step_tape.append(step)
        E -= step
        t3 = abs(step) < 1e-12
        if t3:
            break

    # backward
    grad_e = 0.0
    grad_M_part = 0.0
    for t0, t1, step in zip(reversed(t0_tape), reversed(t1_tape), reversed(step_tape)):
        t2 = 1 - e * t1
        # E -= step
        grad_step = -grad_E
        # step = (E - e * t0 - M) / t2
        grad_t4 = grad_step / t2
        grad_t5 = grad_step * step / t2
        # t2 = 1 - e * t1
        grad_e += grad_t5 * t1
        # step = (E - e * t0 - M) / t2
        grad_t6 = -grad_t4
        grad_M_part += grad_t6
        grad_e += grad_t6 * t0
        # E feeds E, t1 and t0
        grad_E = grad_E - grad_t5 * e * t0 + grad_t4 + grad_t6 * e * t1
    grad_M = grad_E + grad_M_part
    return E, (grad_M, grad_e)
