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
    """Return what turns the text of a function `f` into the function, with its source where flatgrad looks for it.

    The text's first line is line 6 of its file.
    """

    def define(text, **variables):
        text = HEAD + textwrap.dedent(text)
        file = f"<text {next(numbers)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        namespace = {"__name__": "text", **variables}
        exec(compile(text, file, "exec"), namespace)
        return namespace["f"]

    return define


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
