"""Forward and backward pass of `kepler`, written by flatgrad from forward.py:8."""

import math


def kepler_value_and_grad(M: float, e: float, *, grad_E: float = 1.0):
    """Return E and (grad_M, grad_e)."""
    # forward
    E = M
    t0_tape = []
    t1_tape = []
    t2_tape = []
    step_tape = []
    while True:
        t0 = math.sin(E)
        t0_tape.append(t0)
        t3 = e * t0
        t4 = E - t3
        t5 = t4 - M
        t1 = math.cos(E)
        t1_tape.append(t1)
        t6 = e * t1
        t2 = 1 - t6
        t2_tape.append(t2)
        step = t5 / t2
        step_tape.append(step)
        E -= step
        t7 = abs(step)
        t8 = t7 < 1e-12
        if t8:
            break

    # backward
    grad_e = 0.0
    grad_M_part = 0.0
    for t0, t1, t2, step in zip(reversed(t0_tape), reversed(t1_tape), reversed(t2_tape), reversed(step_tape)):
        # E -= step
        grad_step = -grad_E
        # step = t5 / t2
        grad_t5 = grad_step / t2
        grad_t2 = -grad_step * step / t2
        # t2 = 1 - t6
        grad_t6 = -grad_t2
        # t6 = e * t1
        grad_t1 = grad_t6 * e
        grad_e += grad_t6 * t1
        # t5 = t4 - M
        grad_t4 = grad_t5
        grad_M_part -= grad_t5
        # t4 = E - t3
        grad_t3 = -grad_t4
        # t3 = e * t0
        grad_t0 = grad_t3 * e
        grad_e += grad_t3 * t0
        # E feeds E, t1, t4 and t0
        grad_E = grad_E - grad_t1 * t0 + grad_t4 + grad_t0 * t1
    grad_M = grad_E + grad_M_part
    return E, (grad_M, grad_e)
