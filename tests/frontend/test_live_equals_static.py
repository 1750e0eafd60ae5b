"""Reading a function object and reading its file give the same code.

The decorator and `flatgrad.emit` find names through the function itself, the command line in the file's text.
"""

from __future__ import annotations

import importlib.util

import pytest

from flatgrad.api import emit
from flatgrad.errors import FlatgradError
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

# a file with a function f, and the shapes of what is not annotated
FILES = {
    "neuron": (
        """
        from flatgrad.nn import sigmoid


        def f(w0, x0, w1, x1, w2):
            s0 = w0 * x0
            s1 = w1 * x1
            s2 = s0 + s1
            s3 = s2 + w2
            L = sigmoid(s3)
            return L
        """,
        None,
    ),
    "two layers": (
        """
        import numpy as np


        def f(X, labels, W1, b1, W2, b2):
            # hidden layer
            z = X @ W1 + b1
            h = np.maximum(0, z)  # relu
            scores = h @ W2 + b2
            shifted = scores - np.max(scores, axis=1, keepdims=True)
            log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
            return -np.mean(log_p[np.arange(len(X)), labels])
        """,
        "X=(n,d) labels=int(n,) W1=(d,h) b1=(h,) W2=(h,c) b2=(c,)",
    ),
    "sigmoid by hand": (
        """
        import numpy


        def f(x: float, y: float):
            return 1.0 / (1.0 + numpy.exp(-(x * y)))
        """,
        None,
    ),
    "members": (
        """
        from math import exp as e, pi
        from numpy import linalg, sum as total, tanh
        import numpy.linalg as la


        def f(x, w):
            y = tanh(x @ w)
            return total(y * e(0.5) * pi)
        """,
        "x=(n,d) w=(d,)",
    ),
    "constants": (
        """
        import math

        import numpy as np

        RATE = 1e-3
        RATES = (0.5, 2 * RATE)
        FIRST, (SECOND, THIRD) = 1.5, (2, -3.0)
        WEIGHTS = np.array([1.0, 2.0, 3.0])
        TABLE = np.arange(6).reshape(2, 3)
        SCALE: float = math.sqrt(2.0)
        SCALE *= 2
        NAMES = ["sum", "mean"]
        NONE = None


        def f(x, mode="sum"):
            y = RATE * x * WEIGHTS + RATES[1] * SECOND - TABLE[1] + THIRD * FIRST
            if mode in NAMES and NONE is None:
                y = y * SCALE
            return np.sum(y) if mode == NAMES[0] else np.mean(y)
        """,
        "x=(3,)",
    ),
    "defaults": (
        """
        import numpy as np

        POWER = 3


        def f(x, power=POWER, *, scale=2.5, shift=None, axis=-1):
            y = x**power * scale
            if shift is not None:
                y = y + shift
            return np.sum(np.max(y, axis=axis))
        """,
        "x=(n,d)",
    ),
    "annotations": (
        """
        from __future__ import annotations

        import numpy as np
        from jaxtyping import Float, Int


        def f(x: Float[np.ndarray, "n d"], w: Float[np.ndarray, "d"], k: Int[np.ndarray, "n"], s: float = 1.0):
            '''Return the sum.'''
            y = x @ w * s
            return np.sum(y[k] ** 2)
        """,
        None,
    ),
    "type checking imports": (
        """
        from typing import TYPE_CHECKING

        import numpy as np

        if TYPE_CHECKING:
            from collections.abc import Sequence

        try:
            import math
        except ImportError:
            math = None


        def g(x):
            return x


        def f(x: float) -> float:
            return math.exp(x) * np.sin(x)
        """,
        None,
    ),
    "effects": (
        """
        import numpy as np


        def f(x, s):
            print("x", f"{s:.2f}", end="")
            assert np.all(x > 0), f"{s!r}"
            # the sum
            return np.sum(x) * s  # scaled
        """,
        "x=(n,) s=()",
    ),
    "names": (
        """
        import numpy as anp

        exp = anp.exp
        t0 = 2.0


        def f(grad_x, np, λ):
            saved = exp(grad_x * t0)
            return anp.sum(saved * np) + λ
        """,
        "grad_x=(n,) np=(n,) λ=()",
    ),
}
WRONG = {
    "unknown name": "def f(x):\n    return undefined(x)\n",
    "unknown function": "import numpy as np\n\ndef f(x: float):\n    return np.sine(x)\n",
    "data": "import numpy as np\n\ndef f(x: float):\n    if x > 0:\n        return x\n    return -x\n",
    "loop": "def f(x: float):\n    while x > 0:\n        x = x - 1\n    return x\n",
    "star": "def f(*x):\n    return x\n",
    "unknown rank": "import numpy as np\n\ndef f(x):\n    return np.sum(x, axis=0)\n",
    "shape": "import numpy as np\n\ndef f(x: float):\n    return x * (np.ones(3) @ np.ones(2))\n",
}


def both(tmp_path, text, shapes, style):
    """Return what reading the function and reading the file give: code, or errors."""
    path = tmp_path / "model.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def attempt(make):
        try:
            return str(make())
        except FlatgradError as error:
            return error.problems

    def static():
        (definition,) = static_definition(Source.read(path), "f")
        return emit_from_annotations(definition, Options(style=style), shapes)[0].text

    return attempt(lambda: emit(module.f, shapes=shapes, style=style)), attempt(static)


def dedented(text):
    return "".join(
        line[8:] if line.startswith("        ") else line for line in text.lstrip("\n").splitlines(keepends=True)
    )


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("name", FILES)
def test_both_ways_of_reading_give_the_same_code(tmp_path, name, style):
    """The same bytes, whichever way the names were found."""
    text, shapes = FILES[name]
    live, static = both(tmp_path, dedented(text), shapes, style)
    assert isinstance(live, str), live
    assert live == static
    compile(live, "emitted", "exec")


@pytest.mark.parametrize("name", WRONG)
def test_both_ways_of_reading_give_the_same_error(tmp_path, name):
    """The same message, place and hint."""
    live, static = both(tmp_path, WRONG[name], None, "flat")
    assert not isinstance(live, str)
    assert live == static


def test_definitions_know_the_same_of_a_function(tmp_path):
    """Where the function stands in its file, and its syntax, do not depend on the way."""
    text, _ = FILES["two layers"]
    path = tmp_path / "model.py"
    path.write_text(dedented(text), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    live = live_definition(module.f)
    (static,) = static_definition(Source.read(path), "f")
    assert live.line == static.line
    assert live.syntax.deep_equals(static.syntax)
