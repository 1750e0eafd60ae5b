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
            apart = positions[i] - positions[j]
            apart_tape.append(apart)
            distance = np.sqrt(apart @ apart)
            distance_tape.append(distance)
            if distance < CUTOFF:
                # the energy of two atoms that touch
                ratio = (sigma / distance) ** 6
                ratio_tape.append(ratio)
                energy += 4 * (ratio**2 - ratio)

    # backward
    grad_positions = np.zeros_like(positions)
    grad_sigma = 0.0
    for i in reversed(range(len(positions))):
        for j in reversed(range(i)):
            apart = apart_tape.pop()
            distance = distance_tape.pop()
            if distance < CUTOFF:
                ratio = ratio_tape.pop()
                # energy += 4 * (ratio**2 - ratio)
                grad_t0 = 4 * grad_energy
                grad_ratio = 2 * grad_t0 * ratio - grad_t0
                # ratio = (sigma / distance) ** 6
                grad_t1 = 6 * grad_ratio * (sigma / distance) ** 5
                grad_distance = -grad_t1 * (sigma / distance) / distance
                grad_sigma += grad_t1 / distance
            else:
                grad_distance = 0.0
            # distance = np.sqrt(apart @ apart)
            grad_apart = grad_distance / distance * apart
            # apart = positions[i] - positions[j]
            grad_positions[j] -= grad_apart
            grad_positions[i] += grad_apart
    return energy, (grad_positions, grad_sigma)
