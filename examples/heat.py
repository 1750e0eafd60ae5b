"""What a rod conducts, found from how heat spreads in it: gradients through a simulation that changes an array in place.

SciPy fits it with heat_grad.py, which flatgrad wrote from this file and which needs NumPy only:
`flatgrad emit examples/heat.py -o examples/heat_grad.py`.
"""

import numpy as np
from heat_grad import misfit_value_and_grad
from jaxtyping import Float
from scipy.optimize import minimize

from flatgrad import flatgrad

CELLS, STEPS = 12, 40


@flatgrad(wrt="conductivity", style="compact")
def misfit(
    conductivity: Float[np.ndarray, "n-1"],
    start: Float[np.ndarray, "n"],
    measured: Float[np.ndarray, "n"],
    steps: int,
):
    temperature = start.copy()
    for _ in range(steps):
        flow = conductivity * (temperature[1:] - temperature[:-1])
        temperature[:-1] += flow
        temperature[1:] -= flow
    loss = np.sum((temperature - measured) ** 2)
    return loss


def measure(conductivity, start, steps):
    """Return the temperatures after some steps."""
    temperature = start.copy()
    for _ in range(steps):
        flow = conductivity * np.diff(temperature)
        temperature += np.append(flow, 0) - np.append(0, flow)
    return temperature


def main():
    start = np.linspace(0.0, 10.0, CELLS) ** 2
    conductivity = np.where(np.arange(CELLS - 1) < CELLS // 2, 0.4, 0.1)
    measured = measure(conductivity, start, STEPS)
    guess = np.full(CELLS - 1, 0.2)
    found = minimize(
        misfit_value_and_grad,
        guess,
        args=(start, measured, STEPS),
        jac=True,
        bounds=[(0.0, 0.5)] * len(guess),
        options={"maxiter": 500, "ftol": 1e-15},
    )
    before, _ = misfit_value_and_grad(guess, start, measured, STEPS)
    print(f"misfit {before:.3g} -> {found.fun:.3g} in {found.nit} iterations")
    print("conductivity:", " ".join(f"{each:.3f}" for each in found.x))


if __name__ == "__main__":
    main()
