"""Without arguments: which parameters are taken as numbers, and which have to be said to be arrays or functions."""

from __future__ import annotations

import pytest

from flatgrad.errors import SignatureError
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.signature import signature_of_annotations

HEAD = "import numpy as np\nfrom flatgrad import nn\n\n\n"


def signature_of(text):
    (definition,) = static_definition(Source("text.py", HEAD + text), "f")
    return signature_of_annotations(definition)


NUMBERS = {
    "largest of several": "def f(x, y):\n    return max(x, y) * min(x, 2.0)\n",
    "axis": "def f(x, k):\n    return np.sum(np.array([x, x]), axis=k)\n",
    "a function of the user's": "def mean(a, b):\n    return (a + b) / 2\n\n\ndef f(x, y):\n    return mean(x, y)\n",
    "norm of the user's": "def norm(a):\n    return a * a\n\n\ndef f(x):\n    return norm(x)\n",
    "an inner function": "def f(x, y):\n    def inner(a, b):\n        return a * b\n    return inner(x, y)\n",
    "a hidden name": "def f(x):\n    g = lambda x: x[0]\n    return x * g((2.0, 1.0))\n",
    "assigned before": "def f(x):\n    x = np.array([x, 2 * x])\n    return x[0] * x.sum()\n",
    "recursion": "def f(x):\n    return g(x, 3)\n\n\ndef g(x, n):\n    return x if n == 0 else x * g(x, n - 1)\n",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_no_array(name):
    """What a name stands for decides, not the name; a number may be passed to helpers."""
    signature = signature_of(NUMBERS[name])
    assert all(known.rank == 0 for known in signature.parameters.values())


ARRAYS = {
    "subscript": ("def f(x):\n    return x[0]\n", [(6, 12)]),
    "method": ("def f(x):\n    return x.sum()\n", [(6, 12)]),
    "product": ("def f(x):\n    return 2.0 @ x\n", [(6, 12)]),
    "NumPy": ("def f(x):\n    y = np.linalg.norm(x)\n    return y\n", [(6, 9)]),
    "nn": ("def f(x):\n    return np.sum(nn.softmax(x))\n", [(6, 19)]),
    "builtin": ("def f(x):\n    return max(x)\n", [(6, 12)]),
    "axis": ("def f(x):\n    return np.any(x, axis=0)\n", [(6, 12)]),
    "loop": ("def f(x):\n    y = 0.0\n    for e in x:\n        y = y + e\n    return y\n", [(7, 14)]),
    "loop over two": ("def f(x, y=1.0):\n    for i, e in enumerate(x):\n        y = y + e\n    return y\n", [(6, 17)]),
    "helper": ("def f(x):\n    return 2 * g(x)\n\n\ndef g(v):\n    return v[0]\n", [(10, 12), (6, 16)]),
    "helper's helper": (
        "def f(x):\n    return g(1.0, b=x)\n\n\ndef g(a, b):\n    return h(b) * a\n\n\ndef h(v):\n    w = v[0]\n    return w\n",
        [(14, 9), (10, 12), (6, 12)],
    ),
    "inner function": (
        "def f(x):\n    def g(v):\n        w = v.T\n        return w\n    return np.sum(g(x))\n",
        [(7, 13), (9, 19)],
    ),
    "variable of the function around": ("def f(x):\n    g = lambda k: x[k]\n    return g(0)\n", [(6, 19)]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_has_to_have_a_rank(name):
    """The place is where only an array will do, in whichever function; the calls follow that led there."""
    text, places = ARRAYS[name]
    with pytest.raises(SignatureError, match="`x` is an array, and its rank is not known") as error:
        signature_of(text)
    (problem,) = error.value.problems
    assert [(each.line, each.column) for each in (problem, *problem.called_from)] == places
    assert "x=(n,d)" in problem.hint


def test_a_function_that_is_passed_on_has_to_be_known():
    """A helper calls what it is given."""
    with pytest.raises(SignatureError, match="`slope` is a function, and it is not known which one") as error:
        signature_of("def f(slope, x):\n    return step(slope, x)\n\n\ndef step(g, x):\n    y = g(x)\n    return y\n")
    (problem,) = error.value.problems
    assert (problem.line, problem.called_from[0].line) == (10, 6)
