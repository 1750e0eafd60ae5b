"""Reading a function object and reading its file give the same code.

The decorator and `flatgrad.emit` find names through the function itself, the command line in the file's text.
"""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from flatgrad.api import emit
from flatgrad.errors import FlatgradError
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.graph.regions import nested
from flatgrad.graph.show import show
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations
from flatgrad.reading import read
from flatgrad.signature import signature_of_annotations

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
    "control flow": (
        """
        import numpy as np


        def f(xs, w: float):
            # the state
            h = 0.0
            for x in xs:
                if x > 0:
                    h = np.tanh(w * h + x)
                else:
                    h = h * w
            while h > 3:
                h = h / 2
            return h
        """,
        "xs=(n,)",
    ),
    "helpers": (
        """
        import numpy as np

        EPSILON = 1e-5
        square = lambda v: v * v


        def norm(x, gain=2.0):
            # centred
            mean = np.mean(x)
            return gain * (x - mean) / np.sqrt(np.var(x) + EPSILON)


        def f(x, s: float):
            h = norm(x) + norm(x, s)
            return np.sum(square(h))
        """,
        "x=(n,)",
    ),
    "structures": (
        """
        from typing import NamedTuple, TypedDict

        import numpy as np
        from jaxtyping import Float

        RATES = {"decay": 0.5, "steps": [1.0, 2.0]}


        class Layer(NamedTuple):
            W: Float[np.ndarray, "d d"]
            b: Float[np.ndarray, "d"]
            act: str = "tanh"


        class Model(TypedDict):
            layers: list[Layer]
            scale: float
            steps: int


        def dense(x, W, b):
            # affine
            y = x @ W + b
            return y


        def f(model: Model, batch, X: Float[np.ndarray, "n d"], state):
            for layer in model["layers"]:
                X = dense(X, layer.W, layer.b)
                if layer.act == "tanh":
                    X = np.tanh(X)
            for step in range(model["steps"]):
                X = X * RATES["decay"] + step
            h, c = state
            y = np.sum(X * model["scale"]) + np.sum(batch["w"] * h + c)
            return y * sum(RATES["steps"]) + dense(X, **batch["last"]).sum()
        """,
        "len(model.layers)=2 model.layers[1].act='relu' model.steps=2 batch.w=(k,) batch.last.W=(d,2) batch.last.b=(2,) "
        "state[0]=(k,) state[1]=(k,)",
    ),
    "objects": (
        """
        from dataclasses import dataclass

        import numpy as np
        from jaxtyping import Float


        class Linear:
            def __init__(self, W: Float[np.ndarray, "d h"], b: Float[np.ndarray, "h"], rate: float = 0.5):
                self.W = W
                self.b = b
                self.rate = rate
                self.seen = []

            def __call__(self, x):
                return x @ self.W + self.b


        @dataclass
        class Net:
            first: Linear
            gain: Float[np.ndarray, "h"] | None = None

            def loss(self, x):
                h = self.first(x)
                if self.gain is not None:
                    h = h * self.gain
                return np.sum(h**2) * self.first.rate


        def f(net: Net, x: Float[np.ndarray, "n d"]):
            return net.loss(x)
        """,
        "net.gain=(h,)",
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
    "lambdas in tables": (
        """
        import numpy as np

        ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "square": lambda z: z * z}
        PENALTIES = [(0.1, np.abs), (0.2, lambda w: w**2)]


        class Net:
            LAST = {"double": lambda z: 2 * z}


        def f(x, w, act="square", last=lambda z: z - 1, options={"first": lambda z: z + 1}):
            y = ACTIVATIONS[act](options["first"](x) @ w)
            penalty = sum(factor * np.sum(size(w)) for factor, size in PENALTIES)
            return np.sum(last(Net.LAST["double"](y))) + penalty
        """,
        "x=(n,d) w=(d,)",
    ),
    "defaults are those of the time of the def": (
        """
        import numpy as np

        SCALE = 2.0


        def scaled(x, by=SCALE, then=lambda z, power=SCALE: z**power):
            return then(x * by)


        def f(x, scale=SCALE):
            return np.sum(scaled(x)) * scale


        SCALE = 3.0
        """,
        "x=(n,)",
    ),
    "enumerations": (
        """
        import enum

        import numpy as np


        class Act(enum.Enum):
            RELU = "relu"
            TANH = "tanh"


        class Size(enum.IntEnum):
            LARGE = 3


        class Mode(str, enum.Enum):
            MEAN = "mean"


        FACTORS = {Act.RELU: 0.5, Act.TANH: 2.0}
        USUAL = Act.TANH


        def f(x, act=Act.TANH, size=Size.LARGE, mode=Mode.MEAN):
            y = x * FACTORS[act] * size
            if act is USUAL and act.value == "tanh" and act.name == "TANH":
                y = np.tanh(y)
            return np.mean(y) if mode == "mean" else np.sum(y)
        """,
        "x=(n,)",
    ),
    "names of functions": (
        """
        import functools

        import numpy as np

        FACTORS = {"square": 0.5, "cube": 2.0, "<lambda>": 3.0}


        def announced(function):
            @functools.wraps(function)
            def inner(*args):
                print(f"{function.__name__} is called")
                return function(*args)

            return inner


        @announced
        def square(x):
            return x * x


        def cube(x):
            return x**3


        def f(x):
            def own(x):
                return x

            functions = (square, cube, lambda z: z + 1)
            return sum(FACTORS[g.__name__] * np.sum(g(x)) for g in functions) * len(own.__name__)
        """,
        "x=(n,)",
    ),
}
WRONG = {
    "parts": "def f(p, c):\n    return p['W'] @ p['b'] * c.rate\n",
    "unknown name": "def f(x):\n    return undefined(x)\n",
    "unknown function": "import numpy as np\n\ndef f(x: float):\n    return np.sine(x)\n",
    "path": "def f(x: float):\n    if x > 0:\n        return x\n",
    "loop": "def f(x: float):\n    while x > 0:\n        x = (x, x)\n    return x\n",
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


# projects of several files, with a function f in model.py
PROJECTS = {
    "helpers": {
        "model.py": """
            import functools

            import numpy as np
            from flatgrad import flatgrad

            RATE = 0.5
            square = lambda v: v * v
            other = square


            def scaled(v, k=RATE, *, shift=1e-3):
                w = v * k
                return w + shift


            def decorator(g):
                @functools.wraps(g)
                def wrapper(*args, **kwargs):
                    y = g(*args, **kwargs)
                    return 2 * y

                return wrapper


            @decorator
            def doubled(v):
                w = v + 1
                return w * w


            @flatgrad(wrt="v")
            def marked(v):
                w = v + 2
                return w * w


            def times(n):
                def decorate(g):
                    def repeated(v):
                        y = g(v)
                        return n * y

                    return repeated

                return decorate


            @times(3)
            def tripled(v):
                w = v + 1
                return w * w


            class Layers:
                @staticmethod
                def shifted(v, k):
                    w = v + k
                    return w * w


            double = functools.partial(scaled, k=2.0)
            half = functools.partial(scaled, shift=RATE)


            def make(k):
                def inner(v):
                    w = v * k
                    return scaled(w)

                return inner


            made = make(RATE)


            def f(x: float, s: float):
                def local(v):
                    w = v * s
                    return square(w)

                again = functools.partial(local, x)
                y = scaled(x) + double(x) + half(x) + doubled(x) + marked(x) + local(x) + again() + other(s)
                y = y + tripled(x) + made(x) + Layers.shifted(x, s)
                return np.sin(y) + make(s)(x) + (lambda v: v * s)(x)
            """,
    },
    "gradients of their own": {
        "model.py": """
            import numpy as np
            from flatgrad import custom_vjp, edit_gradient, insert_grad_of
            import flatgrad


            @custom_vjp
            def clipped(v, k):
                return np.clip(v, -k, k)


            def forward(v, k):
                return np.clip(v, -k, k), (v, k)


            def backward(residuals, grad_y):
                v, k = residuals
                return grad_y * v, None


            clipped.defvjp(forward, backward)


            def f(x: float, s: float):
                y = clipped(x, 1.0) * edit_gradient(s, lambda g: np.clip(g, -1, 1))
                with insert_grad_of(y) as dy:
                    dy = dy * x
                return y
            """,
    },
    "other files": {
        "rates.py": "import numpy as np\nRATE = 0.25\nWEIGHTS = np.array([1.0, 2.0])\n",
        "layers/__init__.py": "from .norms import norm\nfrom . import norms\nfrom .norms import SHIFT as MOVED\n",
        "layers/norms.py": """
            import numpy as np

            from layers import deep
            from . import deep as again
            from .deep.inner import cube
            import layers.deep.inner

            SHIFT = 0.5


            def norm(v):
                w = v - SHIFT
                return again.inner.square(w) + cube(v) + deep.inner.square(v) + layers.deep.inner.square(v)
            """,
        "layers/deep/__init__.py": "from . import inner\n",
        "layers/deep/inner.py": """
            from .. import norms


            def square(v):
                w = v * norms.SHIFT
                return w * w


            cube = lambda v: v * v * v
            """,
        "model.py": """
            import numpy as np
            import rates
            import layers
            import layers.norms as n
            from layers import norm, norms, MOVED
            from rates import RATE

            TWICE = 2 * rates.RATE


            def f(x: float, s: float):
                y = norm(x) + norms.norm(s) + n.norm(x) + layers.norm(x) + layers.norms.norm(s)
                return y * RATE + rates.RATE * TWICE + MOVED + np.sum(rates.WEIGHTS * x)
            """,
    },
}
# the same for errors
WRONG_PROJECTS = {
    "no such name": {
        "layers.py": "def norm(v):\n    return v\n",
        "model.py": "import layers\n\ndef f(x: float):\n    return layers.nrom(x)\n",
    },
    "inside of another file": {
        "layers.py": "def norm(v):\n    w = v * 2\n    w = undefined(w)\n    return v\n",
        "model.py": "from layers import norm\n\ndef f(x: float):\n    y = norm(x)\n    return y\n",
    },
    "arguments": {
        "layers.py": "def norm(v):\n    w = v * 2\n    return v\n",
        "model.py": "from layers import norm\n\ndef f(x: float):\n    y = norm(x, k=1)\n    return y\n",
    },
    "recursion": {
        "model.py": "def f(x: float):\n    y = g(x)\n    return y\n\ndef g(x):\n    w = f(x)\n    return w\n",
    },
}


def write(folder, files):
    """Write the files of a project, and return the path of model.py."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.lstrip("\n").splitlines(keepends=True)
        path.write_text("".join(line.removeprefix("            ") for line in lines), encoding="utf-8")
    return folder / "model.py"


@pytest.fixture
def imported(monkeypatch):
    """Return what imports a file as Python does that runs it; its modules are forgotten afterwards."""
    before = set(sys.modules)

    def imported(path):
        monkeypatch.syspath_prepend(path.parent)
        return importlib.import_module(path.stem)

    yield imported
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("model", "layers", "rates"):
            del sys.modules[name]


def graph_of(definition):
    """Return the text of a function's graph, with its constants and those of the backward passes of the user's own."""
    graph, _, returned = read(definition, signature_of_annotations(definition))
    customs = [show(each.custom) for each in nested(graph) if each.custom is not None]
    return show(graph, [returned]) + "".join(customs)


@pytest.mark.parametrize("name", PROJECTS)
def test_both_ways_of_reading_give_the_same_graph(tmp_path, name, imported):
    """Helpers are the same functions, whether they are found in the program that runs or in the project's files."""
    path = write(tmp_path, PROJECTS[name])
    module = imported(path)
    live = graph_of(live_definition(module.f))
    (definition,) = static_definition(Source.read(path), "f")
    assert graph_of(definition) == live
    assert np.isfinite(module.f(0.5, 1.5))


@pytest.mark.parametrize("name", WRONG_PROJECTS)
def test_both_ways_of_reading_find_the_same_wrong_helper(tmp_path, name, imported):
    """The same places, in all files."""
    path = write(tmp_path, WRONG_PROJECTS[name])

    def problems(definition):
        with pytest.raises(FlatgradError) as error:
            graph_of(definition)
        return [(each.line, each.column, each.file, each.called_from) for each in error.value.problems]

    live = problems(live_definition(imported(path).f))
    (definition,) = static_definition(Source.read(path), "f")
    assert problems(definition) == live


def test_files_are_read_and_not_run(tmp_path):
    """A module of the project that is imported does nothing while it is read, even where it imports in a circle."""
    path = write(
        tmp_path,
        {
            "danger.py": "import model\nraise SystemExit('run')\n\ndef g(x):\n    w = x * 2\n    return w\n",
            "circle.py": "from model import here\n",
            "model.py": "from danger import g\nfrom circle import here\n\ndef f(x: float):\n    return g(x)\n\n"
            "def e(x: float):\n    return here(x)\n",
        },
    )
    source = Source.read(path)
    assert "danger" not in sys.modules
    assert "g(x" in graph_of(*static_definition(source, "f"))
    with pytest.raises(FlatgradError, match="imported in a circle"):
        graph_of(*static_definition(source, "e"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("K = 2.0\ng = make(K)\nK = 3.0\n", "`K` is assigned more than once"),
        ("K = 2.0\n\n@make(K)\ndef g(v):\n    w = v\n    return w\n\nK = 3.0\n", "`K` is assigned more than once"),
        ("g = 1 + make(2.0)\n", "calls `make`, which is not run to read the file"),
        ("g = make(2.0)\nh = g * 2\ng = h\n", "can't be read"),
        ("g = number()\n", "`g` is made by a call, which is not run to read the file"),
        ("class g:\n    pass\n", "g() takes no arguments"),
        ("class C:\n    def m(v): return v\ng = C().m\n", "can't be read"),
    ],
)
def test_what_a_file_makes_while_it_is_imported_may_be_unknown(text, message):
    """A closure that is made at the top level is read where it is certain; else there is an error."""
    head = "def number():\n    n = 2.0\n    return n\n\ndef make(k):\n    def made(v):\n        return k * v\n    return made\n\n"
    text = f"{head}{text}\ndef f(x: float):\n    return g(x)\n"
    with pytest.raises(FlatgradError) as error:
        graph_of(*static_definition(Source("a.py", text), "f"))
    assert message in str(error.value)


def test_a_module_that_is_not_of_the_project_is_not_read(tmp_path):
    """Only files beside the file and in its package are read."""
    path = write(
        tmp_path, {"model.py": "from sklearn.utils import shuffle\n\ndef f(x: float):\n    return shuffle(x)\n"}
    )
    with pytest.raises(FlatgradError, match="comes from sklearn.utils, which flatgrad does not read"):
        graph_of(*static_definition(Source.read(path), "f"))
