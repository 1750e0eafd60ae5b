"""What a rod conducts, found from how heat spreads in it: gradients through a simulation that changes an array in place.

It is fitted with heat_grad.py, which flatgrad wrote from this file and which needs NumPy only:
`flatgrad emit examples/heat.py -o examples/heat_grad.py`.
"""

import numpy as np
from heat_grad import misfit_value_and_grad
from jaxtyping import Float

from flatgrad import flatgrad

CELLS, STEPS = 24, 400


def spread(temperature, conductivity, steps):
    for _ in range(steps):
        flow = conductivity * np.diff(temperature)
        temperature[:-1] += flow
        temperature[1:] -= flow


@flatgrad(wrt="conductivity", style="compact")
def misfit(
    conductivity: Float[np.ndarray, "n-1"],
    start: Float[np.ndarray, "n"],
    measured: Float[np.ndarray, "n"],
    steps: int,
):
    temperature = start.copy()
    spread(temperature, conductivity, steps)
    loss = np.sum((temperature - measured) ** 2)
    return loss


def main():
    pass
