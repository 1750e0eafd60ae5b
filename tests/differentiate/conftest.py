"""Functions given as text, and central differences of them."""

from __future__ import annotations

import itertools
import linecache
import textwrap

import numpy as np
import pytest

HEAD = "import math\nimport numpy as np\nfrom flatgrad import stop_gradient\n\n\n"
numbers = itertools.count()


@pytest.fixture(scope="session")
def define():
    """Return what turns the text of a function `f` into the function, with its source where flatgrad looks for it."""

    def define(text):
        text = HEAD + textwrap.dedent(text)
        file = f"<text {next(numbers)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        namespace = {"__name__": "text"}
        exec(compile(text, file, "exec"), namespace)
        return namespace["f"]

    return define


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
