"""Central differences."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def slopes():
    """Return what gives the gradients of a scalar function by central differences, for its floats."""

    def slope(function, arguments, name, step=1e-6):
        centre = np.asarray(arguments[name])
        gradient = np.zeros(centre.shape)
        for element in np.ndindex(centre.shape):
            sides = []
            for shift in (step, -step):
                moved = np.array(centre, dtype=float)
                moved[element] += shift
                moved = moved if centre.shape else float(moved)
                sides.append(function(**{**arguments, name: moved}))
            gradient[element] = (sides[0] - sides[1]) / (2 * step)
        return gradient

    def slopes(function, arguments):
        floats = [name for name, item in arguments.items() if np.asarray(item).dtype.kind == "f"]
        return {name: slope(function, arguments, name) for name in floats}

    return slopes
