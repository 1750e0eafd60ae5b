"""Central differences."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def slopes():
    """Return what gives the gradient of a scalar function with respect to one argument, by central differences."""

    def slopes(function, arguments, place, step=1e-6):
        centre = np.asarray(arguments[place])
        gradient = np.zeros(centre.shape)
        for element in np.ndindex(centre.shape):
            sides = []
            for shift in (step, -step):
                moved = centre.copy()
                moved[element] += shift
                moved = moved if centre.shape else float(moved)
                sides.append(function(*arguments[:place], moved, *arguments[place + 1 :]))
            gradient[element] = (sides[0] - sides[1]) / (2 * step)
        return gradient

    return slopes
