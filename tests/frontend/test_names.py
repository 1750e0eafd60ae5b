"""Names of a file that is only read stand for what they stand for when it is imported, or are an error."""

import importlib.util
import math
import types

import numpy as np
import pytest

from flatgrad.errors import SignatureError, SourceError, UnsupportedError
from flatgrad.frontend.live import LiveNames
from flatgrad.frontend.source import ForeignObject, NameUnknown, Source
from flatgrad.frontend.static import function_definition, static_definition, top_level_functions
from flatgrad.frontend.static_names import StaticNames
from flatgrad.frontend.static_objects import StaticFunction

SAME = """
from __future__ import annotations
import math
import operator
import numpy as np
import numpy.linalg
import numpy.linalg as la
from math import exp as e, pi
from numpy import float32, sum
from numpy.linalg import norm
from typing import TYPE_CHECKING, Any
if TYPE_CHECKING:
    import nowhere
    pi = 3
try:
    from math import sqrt
except ImportError:
    def sqrt(x):
        return x**0.5
A = 1
B = -2.5
C = A + B * 2**3
A = 10
D = A
D += 5
E: float = 1e-3
F, (G, H) = 1, (2.0, "three")
I = J = 4
K = (1, 2.0, "a", None, True, ...)
L = np.array([[1.0, 2.0], [3.0, 4.0]])
M = np.pi / 2
N = float("inf")
O = np.log(2.0) + math.sqrt(2)
P = np.arange(6).reshape(2, 3).astype(np.float32)
Q = L.T[0, 1:]
R = {"a": [1, 2], **{"b": 3}}
S = np.eye(3)
T = len(K) if A > 5 and not B else 0
U = max(1, 2) < 3 <= 4
V = np.finfo(np.float64).eps
W = list(range(3))
X = "ab" * 2
Y = [*W, 3][-1]
Z = S.shape
f32 = np.float32
tanh = np.tanh
none = None
rate = np.array([0.1], dtype=float32)
zero = np.log(0.0) if False else 0.0
a = np.zeros((2, 3)) + 1
b = 5 // 2, 5 % 2, 5 << 1, 5 | 2, 5 ^ 1, 5 & 1, ~5, 1 in (1, 2), None is None
nested = ((1, 2), (3,))
del la
import numpy.linalg as la


def twice(x):
    S2 = x
    S2[0] = 1
    return np.dot(x, L)


def twice(x):
    return 2 * x


number = 3
"""


def imported(path, text):
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def equal(a, b):
    """Compare values so that 1, 1.0 and True differ, inside of containers too."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and (a == b or a is b)


def test_static_names_agree_with_live_names_for_the_same_file(tmp_path):
    module = imported(tmp_path / "same.py", SAME)
    live = LiveNames(module.twice)
    static = StaticNames(Source.read(tmp_path / "same.py"))
    names = [name for name in vars(module) if not name.startswith("__")]
    assert len(names) >= 50
    for name in [*names, "len", "abs", "range", "float"]:
        there, read = live.find(name), static.find(name)
        if isinstance(read, ForeignObject):
            expected = getattr(there, "__module__", None), name
            assert read.dotted_name.endswith(name), expected
        elif isinstance(read, StaticFunction):
            assert read.source.first_line(read.syntax) == there.__code__.co_firstlineno, name
        elif isinstance(there, types.ModuleType | types.FunctionType | type | np.ufunc):
            assert read is there, name
        else:
            assert equal(read, there), name


def find(text, name):
    return StaticNames(Source("a.py", text)).find(name)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("x = 1\n", "y", "`y` is not defined"),
        ("", "__name__", "`__name__` is not defined"),
        ("import helpers\n", "helpers", "`helpers` comes from helpers, which flatgrad does not read"),
        ("from .helpers import f\n", "f", "`f` comes from .helpers, which flatgrad does not read"),
        ("from sklearn.utils import shuffle as s\n", "s", "comes from sklearn.utils"),
        ("from scipy.special import no_such\n", "no_such", "there is no `scipy.special.no_such` (line 1)"),
        ("from numpy import *\n", "sin", "can't be told because of `from numpy import *` (line 1)"),
        ("import numpy as np\nfrom a import *\n", "np", "can't be told because of `from a import *` (line 2)"),
        ("from numpy import no_such\n", "no_such", "there is no `numpy.no_such` (line 1)"),
        ("x = f(1)\n", "x", "`x` (line 1) can't be read: `f` is not defined"),
        ("def f(): pass\nx = 2 * f()\n", "x", "`x` (line 2) can't be read: `f` calls `f`, which is not run"),
        ("import numpy as np\nx = np.random.rand(3)\n", "x", "calls `np.random.rand`"),
        ("x = open('f').read()\n", "x", "can't be read"),
        ("x = (yield)\n", "x", "is not a constant that can be read without running the file"),
        ("x = [f(i) for i in (1, 2)]\n", "x", "`f` is not defined"),
        ("x = [[0] * 10**5 for i in range(10**5)]\n", "x", "too large"),
        ("import numpy as np\nx = {i: np.ones(10**5) for i in range(10**5)}\n", "x", "too large"),
        ("x = [i for i in range(10**4) for j in range(10**4) if False]\n", "x", "too large"),
        ("x = 1 / 0\n", "x", "raises ZeroDivisionError"),
        ("x = 10**10**10\n", "x", "too large"),
        ("x = 'a' * 10**9\n", "x", "too long"),
        ("import numpy as np\nx = np.ones((10**5, 10**5))\n", "x", "too large"),
        ("x = list(range(10**12))\n", "x", "too large"),
        ("x = 1\nif y:\n    x = 2\n", "x", "`x` stands for depends on how the file runs (line 3)"),
        ("for x in (1, 2): pass\n", "x", "depends on how the file runs"),
        ("with a as x: pass\n", "x", "depends on how the file runs"),
        (
            "try:\n    import cupy as np\nexcept ImportError:\n    import numpy as np\n",
            "np",
            "depends on how the file runs",
        ),
        ("try: pass\nexcept E as x: pass\n", "x", "depends on how the file runs"),
        ("match 1:\n    case x: pass\n", "x", "depends on how the file runs"),
        ("print(x := 1)\n", "x", "depends on how the file runs"),
        ("if __name__ == '__main__':\n    x = 1\n", "x", "depends on how the file runs"),
        ("x = 1\ndef f():\n    global x\n    x = 2\n", "x", "`x` is assigned by a function (line 3)"),
        ("x = 1\nglobals()['x'] = 2\n", "x", "can't be told because of `globals` (line 2)"),
        ("x = 1\ndel x\n", "x", "`x` is deleted (line 2)"),
        ("x: int\n", "x", "`x` is not defined"),
        ("a, b = 1, 2, 3\n", "a", "is not a constant"),
    ],
)
def test_names_that_only_running_the_file_would_tell_are_errors(text, name, message):
    with pytest.raises(NameUnknown) as error:
        find(text, name)
    assert message in error.value.message


@pytest.mark.parametrize(
    "change",
    [
        "W[0] = 1",
        "W += 1",
        "W[0] += 1",
        "W.fill(0)",
        "W.shape = (9,)",
        "np.fill_diagonal(W, 0)",
        "np.add.at(W, 0, 1)",
        "np.add(1, 2, out=W)",
        "np.random.shuffle(W)",
        "V = W\nV[0] = 1",
        "V = W.T\nfor row in V:\n    row[:] = 1",
        "V = [W]\nV[0][0] = 1",
        "def f():\n    W[0] = 1",
        "def f(W):\n    W[0] = 1\nf(W)",
        "f = lambda: W.fill(0)",
    ],
)
def test_array_that_may_be_changed_in_place_is_no_constant(change):
    """A value as of its definition would be a silently wrong number."""
    with pytest.raises(NameUnknown, match="may be changed after its definition"):
        find("import numpy as np\nW = np.eye(3)\n" + change + "\n", "W")


@pytest.mark.parametrize(
    "use",
    [
        "print(W)",
        "V = W + 1",
        "V = np.sum(W)",
        "def f(x):\n    return g(x, W)",
        "def f(W):\n    W[0] = 1",
        "def f(x):\n    W = x.copy()\n    W.fill(0)",
        "np.random.seed(0)",
    ],
)
def test_array_that_is_only_used_is_a_constant(use):
    assert np.array_equal(find("import numpy as np\nW = np.eye(3)\n" + use + "\n", "W"), np.eye(3))
    assert find("import numpy as np\nW = np.eye(3)\n" + use + "\n", "np") is np


def test_module_that_the_file_changes_is_not_taken_for_itself():
    with pytest.raises(NameUnknown, match="may be changed"):
        find("import numpy as np\nnp.sin = abs\n", "np")


def test_objects_of_typing_modules_are_known_by_name_only():
    text = "import numpy as np\nfrom jaxtyping import Float as Fl\nimport typing as t\nM = Fl[np.ndarray, 'n d']\nN = t.Any\n"
    assert find(text, "Fl") == ForeignObject("jaxtyping.Float")
    assert find(text, "M") == ForeignObject("jaxtyping.Float", (np.ndarray, "n d"))
    assert find(text, "N") == ForeignObject("typing.Any")


def test_builtins_are_shadowed_by_the_file():
    assert find("from numpy import abs\n", "abs") is np.abs
    assert find("from math import pow\n", "pow") is math.pow
    assert isinstance(find("def len(x): return 1\n", "len"), StaticFunction)


def test_long_constant_is_read():
    assert find("x = " + "+".join(["1"] * 2000) + "\n", "x") == 2000


def test_reading_never_runs_the_file(tmp_path):
    marker = tmp_path / "marker"
    marker.touch()
    path = tmp_path / "deletes.py"
    path.write_text(f"import os\nos.remove({str(marker)!r})\nX = os.remove({str(marker)!r})\ndef f(x): return x\n")
    (definition,) = static_definition(Source.read(path))
    assert definition.display == "f"
    with pytest.raises(NameUnknown):
        definition.names.find("X")
    assert marker.exists()


# the choice of functions

MANY = """
import functools
import flatgrad as fg
from flatgrad import flatgrad, flatgrad as gradient

def helper(x): return x

@flatgrad
def a(x): return helper(x)

@gradient(wrt=("x", "y"), style="compact")
def b(x, y): return x

@fg.flatgrad(wrt="x", target="math")
def c(x): return x

@functools.cache
def d(x): return x

class K:
    def method(self): pass
"""


def test_listing_tells_decorated_functions_and_their_options():
    source = Source("a.py", MANY)
    listed = top_level_functions(source, StaticNames(source))
    assert [(one.name, one.decorated) for one in listed] == [
        ("helper", False), ("a", True), ("b", True), ("c", True), ("d", False), ("K.method", False),
    ]  # fmt: skip
    assert (listed[2].options.wrt, listed[2].options.style) == (("x", "y"), "compact")
    assert (listed[3].options.wrt, listed[3].options.target) == ("x", "math")


def test_choice_is_the_named_then_the_decorated_then_the_only_function():
    source = Source("a.py", MANY)
    assert [one.display for one in static_definition(source)] == ["a", "b", "c"]
    assert [one.display for one in static_definition(source, "helper")] == ["helper"]
    assert [one.display for one in static_definition(Source("a.py", "def f(x): return x\n"))] == ["f"]
    with pytest.raises(SignatureError, match="the file has several functions: f, g") as error:
        static_definition(Source("a.py", "def f(x): return x\ndef g(x): return x\n"))
    assert "a.py:f" in error.value.problems[0].hint
    with pytest.raises(SourceError, match="no function at its top level"):
        static_definition(Source("a.py", "x = 1\n"))
    with pytest.raises(SignatureError, match="the file has no function helpr") as error:
        static_definition(source, "helpr")
    assert "did you mean helper?" in error.value.problems[0].hint
    with pytest.raises(SignatureError, match="`K` is a class"):
        static_definition(source, "K")


def test_last_of_two_functions_with_one_name_is_meant():
    (definition,) = static_definition(Source("a.py", "def f(x): return x\n\ndef f(x): return 2 * x\n"))
    assert definition.line == 3


def test_function_under_a_condition_is_refused():
    with pytest.raises(SignatureError, match="a.py:2:.*depends on how the file runs"):
        static_definition(Source("a.py", "if x:\n    def f(x): return x\n"), "f")


def test_other_decorator_is_refused_at_its_place():
    source = Source("a.py", MANY)
    with pytest.raises(UnsupportedError, match=r"a.py:17:2: what `@functools.cache` makes of `d` can't be told"):
        static_definition(source, "d")
    found = StaticNames(source).find("d")
    with pytest.raises(UnsupportedError, match="functools.cache"):
        function_definition(found)


@pytest.mark.parametrize(
    ("arguments", "column", "message"),
    [
        ("style='round'", 17, "there is no style 'round'"),
        ("wrt=1", 15, "wrt is 1"),
        ("wrt=('x', 'x')", 15, "wrt names x more than once"),
        ("wrt=()", 15, "wrt names no parameter"),
        ("wrt=names", 15, "wrt is not written out"),
        ("target='fortran'", 18, "there is no target 'fortran'"),
        ("colour=1", 11, "there is no option colour"),
        ("'x'", 11, "the decorator takes its options by name"),
        ("**options", 11, "there is no option **"),
    ],
)
def test_bad_options_of_the_decorator_are_errors_at_their_place(arguments, column, message):
    text = f"from flatgrad import flatgrad\n@flatgrad({arguments})\ndef f(x): return x\n"
    with pytest.raises(SignatureError) as error:
        static_definition(Source("a.py", text))
    problem = error.value.problems[0]
    assert problem.message.startswith(message)
    assert (problem.line, problem.column) == (2, column)


def test_coroutine_and_generator_are_refused():
    for text, message in [("async def f(x): return x\n", "coroutine"), ("def f(x):\n    yield x\n", "generator")]:
        with pytest.raises(UnsupportedError, match=message):
            static_definition(Source("a.py", text))
