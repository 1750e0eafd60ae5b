import numpy as np
from jaxtyping import Float

CUTOFF = 2.0


def pair_energy(positions: Float[np.ndarray, "n 2"], sigma: float):
    energy = 0.0
    for i in range(len(positions)):
        for j in range(i):
            apart = positions[i] - positions[j]
            distance = np.sqrt(apart @ apart)
            if distance < CUTOFF:
                # the energy of two atoms that touch
                ratio = (sigma / distance) ** 6
                energy += 4 * (ratio**2 - ratio)
    return energy
