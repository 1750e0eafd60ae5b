"""Forward and backward pass of `pair_energy`, written by flatgrad from forward.py:7."""

import numpy as np

CUTOFF = 2.0


def pair_energy_value_and_grad(positions, sigma, *, grad_energy=1.0):
    """Return energy and (grad_positions, grad_sigma).

    positions: (n, 2), sigma: float. Each gradient has the shape of its variable.
    """
    # forward
    energy = 0.0
    apart_tape = []
    distance_tape = []
    ratio_tape = []
    for i in range(len(positions)):
        for j in range(i):
            t0 = positions[i]
            t1 = positions[j]
            apart = t0 - t1
            apart_tape.append(apart)
            t2 = apart @ apart
            distance = np.sqrt(t2)
            distance_tape.append(distance)
            t3 = distance < CUTOFF
            if t3:
                # the energy of two atoms that touch
                t4 = sigma / distance
                ratio = t4**6
                ratio_tape.append(ratio)
                t5 = ratio**2
                t6 = t5 - ratio
                t7 = 4 * t6
                energy += t7

    # backward
    grad_positions = np.zeros_like(positions)
    grad_sigma = 0.0
    for i in reversed(range(len(positions))):
        for j in reversed(range(i)):
            apart = apart_tape.pop()
            distance = distance_tape.pop()
            if distance < CUTOFF:
                ratio = ratio_tape.pop()
                t4 = sigma / distance
                # energy += t7
                grad_t7 = grad_energy
                # t7 = 4 * t6
                grad_t6 = grad_t7 * 4
                # t6 = t5 - ratio
                grad_t5 = grad_t6
                # t5 = ratio**2
                grad_ratio = grad_t5 * 2 * ratio - grad_t6
                # ratio = t4**6
                grad_t4 = grad_ratio * 6 * t4**5
                # t4 = sigma / distance
                grad_distance = -grad_t4 * t4 / distance
                grad_sigma += grad_t4 / distance
            else:
                grad_distance = 0.0
            # distance = np.sqrt(t2)
            grad_t2 = grad_distance / (2 * distance)
            # t2 = apart @ apart
            grad_apart = 2 * (grad_t2 * apart)
            # apart = t0 - t1
            grad_t1 = -grad_apart
            grad_t0 = grad_apart
            # t1 = positions[j]
            grad_positions[j] += grad_t1
            # t0 = positions[i]
            grad_positions[i] += grad_t0
    return energy, (grad_positions, grad_sigma)
