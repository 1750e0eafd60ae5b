"""Containers and objects as parameters, without arguments: what annotations, shapes, defaults and uses tell of them.

Function objects and files are read alike: each signature is made both ways.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys

import pytest

from flatgrad.api import emit
from flatgrad.errors import FlatgradError, SignatureError
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.graph.containers import Dict, List, Record
from flatgrad.options import Options
from flatgrad.parts import Untold
from flatgrad.pipeline import emit_from_annotations
from flatgrad.signature import Static, signature_of_annotations

HEAD = """import types
from collections import namedtuple
from dataclasses import dataclass, field
from typing import NamedTuple, Optional, TypedDict

import numpy as np
from jaxtyping import Float, Int

"""
numbers = itertools.count()


@pytest.fixture
def imported(tmp_path):
    """Return what writes a text into a file and imports it; the modules are forgotten afterwards."""
    names = []

    def imported(text):
        names.append(f"structures_{next(numbers)}")
        path = tmp_path / f"{names[-1]}.py"
        path.write_text(HEAD + text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(names[-1], path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[names[-1]] = module
        spec.loader.exec_module(module)
        return module, path

    yield imported
    for name in names:
        del sys.modules[name]


def shown(known):
    """Return a structure of types and known values as text."""
    if isinstance(known, Dict):
        return "{" + ", ".join(f"{key}: {shown(part)}" for key, part in known.items.items()) + "}"
    if isinstance(known, Record):
        name = getattr(known.kind, "name", None) or known.kind.__name__
        return f"{name}({', '.join(f'{key}={shown(part)}' for key, part in known.attributes.items())})"
    if isinstance(known, Static):
        return "?" if isinstance(known.value, Untold) else repr(known.value)
    if isinstance(known, tuple):
        parts = ", ".join(map(shown, known))
        return f"[{parts}]" if isinstance(known, List) else f"({parts})"
    return str(known)


def both(imported, text, shapes, make, name="f"):
    """Return what is made of the function object and of the file: what `make` gives, or the messages of an error."""
    module, path = imported(text)
    found = module
    for part in name.split("."):
        found = getattr(found, part)
    definitions = (lambda: live_definition(found), lambda: static_definition(Source.read(path), name)[0])
    results = []
    for definition in definitions:
        try:
            results.append(make(definition(), shapes))
        except FlatgradError as error:
            results.append(
                [(problem.line, problem.column, problem.message, problem.hint) for problem in error.problems]
            )
    return results


def signature(definition, shapes):
    return {name: shown(known) for name, known in signature_of_annotations(definition, shapes).parameters.items()}


LAYER = """
@dataclass
class Layer:
    W: Float[np.ndarray, "h h"]
    b: Float[np.ndarray, "h"] | None = None
    act: str = "tanh"
    n: int = 2
    rate: float = 0.5


"""
LAYER_TEXT = "Layer(W=float64[h, h], b=None, act='tanh', n=2, rate=float)"
# text, shapes, and the parameters that they tell
TOLD = {
    "TypedDict": (
        'class P(TypedDict):\n    W: Float[np.ndarray, "d h"]\n    b: Float[np.ndarray, "h"]\n\n\n'
        'def f(params: P, x: Float[np.ndarray, "n d"]):\n    return x @ params["W"] + params["b"]\n',
        None,
        {"params": "{W: float64[d, h], b: float64[h]}", "x": "float64[n, d]"},
    ),
    "NamedTuple": (
        'class P(NamedTuple):\n    W: Float[np.ndarray, "d h"]\n    k: float = 1.0\n\n\ndef f(params: P):\n    return params.W\n',
        None,
        {"params": "P(W=float64[d, h], k=float)"},
    ),
    "dataclass": (LAYER + "def f(layer: Layer):\n    return layer.W\n", None, {"layer": LAYER_TEXT}),
    "some more is given": (
        LAYER + "def f(layer: Layer):\n    return layer.W\n",
        "layer.b=(h,) layer.n=3 layer.act='relu' layer.rate=2.5",
        {"layer": "Layer(W=float64[h, h], b=float64[h], act='relu', n=3, rate=2.5)"},
    ),
    "inherited fields": (
        LAYER + '@dataclass\nclass Other(Layer):\n    c: Float[np.ndarray, "3"] = None\n\n\ndef f(p: Other):\n    return p.W\n',
        None,
        {"p": LAYER_TEXT.replace("Layer", "Other")[:-1] + ", c=float64[3])"},
    ),
    "nested": (
        LAYER + "class Net(NamedTuple):\n    first: Layer\n    rest: dict[str, Layer]\n\n\ndef f(net: Net):\n    return net.first.W\n",
        "net.rest['second'].b=(h,)",
        {"net": f"Net(first={LAYER_TEXT}, rest={{second: {LAYER_TEXT.replace('None', 'float64[h]')}}})"},
    ),
    "its own kind": (
        'class Node(NamedTuple):\n    W: Float[np.ndarray, "d"]\n    next: "Node | None" = None\n\n\n'
        "def f(node: Node):\n    return node.W\n",
        None,
        {"node": "Node(W=float64[d], next=None)"},
    ),
    "list": (
        LAYER + "def f(layers: list[Layer]):\n    return layers[0].W\n",
        "len(layers)=2",
        {"layers": f"[{LAYER_TEXT}, {LAYER_TEXT}]"},
    ),
    "one part of a list": (
        LAYER + "def f(layers: list[Layer]):\n    return layers[0].W\n",
        "len(layers)=2 layers[*].n=5 layers[1].b=(h,) layers[1].n=6",
        {"layers": f"[{LAYER_TEXT.replace('n=2', 'n=5')}, {LAYER_TEXT.replace('n=2', 'n=6').replace('None', 'float64[h]')}]"},
    ),
    "tuple": (
        'def f(p: tuple[Float[np.ndarray, "d h"], Float[np.ndarray, "h"]]):\n    return p[0]\n',
        None,
        {"p": "(float64[d, h], float64[h])"},
    ),
    "tuple of any length": (
        'def f(p: tuple[Float[np.ndarray, "d"], ...]):\n    return p[0]\n',
        "len(p)=3",
        {"p": "(float64[d], float64[d], float64[d])"},
    ),
    "dict": (
        'def f(p: dict[str, Float[np.ndarray, "d"]]):\n    return p["a"]\n',
        "p.a=(d,) p['b c']=(3,)",
        {"p": "{a: float64[d], b c: float64[3]}"},
    ),
    "a name for a type": (
        'W = Float[np.ndarray, "d h"]\nPair = tuple[W, W]\n\n\ndef f(p: Pair, q: W, r: Optional[W] = None):\n    return p[0]\n',
        None,
        {"p": "(float64[d, h], float64[d, h])", "q": "float64[d, h]", "r": "None"},
    ),
    "optional without a default": (
        'def f(p: Float[np.ndarray, "d"] | None):\n    return p\n',
        None,
        {"p": "float64[d]"},
    ),
    "computed sizes": (
        'def f(p, x: Float[np.ndarray, "h"]):\n    return p["W"]\n',
        "p.W=(d,4*h)",
        {"p": "{W: float64[d, 4*h]}", "x": "float64[h]"},
    ),
    "only shapes": (
        'def f(p, x):\n    return x @ p["W"] + p["b"] * p["k"]\n',
        "p.W=(d,h); p.b=float32(h,), p.k=float x=(n,d)",
        {"p": "{W: float64[d, h], b: float32[h], k: float}", "x": "float64[n, d]"},
    ),
    "an object": (
        "def f(p, x):\n    return x @ p.W + p.b\n",
        "p.W=(d,h) p.b=(h,) x=(n,d)",
        {"p": "SimpleNamespace(W=float64[d, h], b=float64[h])", "x": "float64[n, d]"},
    ),
    "an object by its helper": (
        "def g(q):\n    y = q.W\n    return y\n\n\ndef f(p):\n    return g(p)\n",
        "p.W=(d,h)",
        {"p": "SimpleNamespace(W=float64[d, h])"},
    ),
    "lists of dicts": (
        'def f(p, x):\n    for layer in p["layers"]:\n        x = x @ layer["W"]\n    return x\n',
        "len(p.layers)=2 p.layers[*].W=(h,h) x=(h,)",
        {"p": "{layers: [{W: float64[h, h]}, {W: float64[h, h]}]}", "x": "float64[h]"},
    ),
    "unpacked": (
        "def f(p, x):\n    W, b = p\n    return x @ W + b\n",
        "p[0]=(d,h) p[1]=(h,) x=(d,)",
        {"p": "(float64[d, h], float64[h])", "x": "float64[d]"},
    ),
    "lists of pairs": (
        "def f(p, x):\n    for W, b in p:\n        x = x @ W + b\n    return x\n",
        "len(p)=2 p[*][0]=(h,h) p[*][1]=(h,) x=(h,)",
        {"p": "[(float64[h, h], float64[h]), (float64[h, h], float64[h])]", "x": "float64[h]"},
    ),
    "a mapping": (
        'def f(p, q, x, k):\n    return x @ p["W"]\n',
        {"p": {"W": ("d", "h"), "n": 3}, "q": [("n",), "float"], "x": ["n", "d"], "k": "int(n,)"},
        {"p": "{W: float64[d, h], n: 3}", "q": "[float64[n], float]", "x": "float64[n, d]", "k": "int64[n]"},
    ),
    "a mapping with paths": (
        'def f(p, x):\n    return x @ p[0]["W"]\n',
        {"len(p)": 2, "p[*]": {"W": ("d", "d")}, "x": ("d",)},
        {"p": "[{W: float64[d, d]}, {W: float64[d, d]}]", "x": "float64[d]"},
    ),
    "default": (
        'CONFIG = {"rate": 0.5, "n": 3, "act": "tanh"}\n\n\ndef f(x: float, config=CONFIG):\n    return x * config["rate"]\n',
        None,
        {"x": "float", "config": "{rate: float, n: 3, act: 'tanh'}"},
    ),
    "plain class": (
        'class Linear:\n    def __init__(self, W: Float[np.ndarray, "d h"], rate: float = 0.5, n=3, act="tanh", rng=None):\n'
        "        self.W = W\n        self.rate, self.n = rate, n\n        self.act = act\n        self.log = []\n        self.rng = rng or object()\n"
        "\n    def loss(self):\n        return self.W\n\n\ndef f(layer: Linear):\n    return layer.W\n",
        None,
        {"layer": "Linear(W=float64[d, h], rate=float, n=3, act='tanh', log=?, rng=?)"},
    ),
    "attributes that methods change": (
        "class Counter:\n    W: Float[np.ndarray, 'd']\n\n    def __init__(self):\n        self.n = 0\n        self.k = 1\n\n"
        "    def count(self):\n        self.n += 1\n\n\ndef f(c: Counter):\n    return c.W\n",
        None,
        {"c": "Counter(W=float64[d], n=?, k=1)"},
    ),
    "parts of a plain class": (
        LAYER + "class Net:\n    def __init__(self, first: Layer):\n        self.layers = [first, Layer(np.eye(2))]\n        self.last = Layer(np.eye(2))\n\n\n"
        "def f(net: Net):\n    return net.last.W\n",
        None,
        {"net": f"Net(layers=?, last={LAYER_TEXT})"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_structure_is_told(imported, name):
    """Annotations, shapes, defaults and uses give the same structure of types for a function object and for its file."""
    text, shapes, expected = TOLD[name]
    live, static = both(imported, text, shapes, signature)
    assert static == expected
    assert live == expected


METHODS = (
    LAYER
    + """class Model(Layer):
    def loss(self, x: Float[np.ndarray, "n h"]):
        return x @ self.W

    @staticmethod
    def free(x: float):
        return x * x

    @classmethod
    def of_class(cls, x: float):
        return x * x


class Inner(Model):
    pass
"""
)


def test_parameters_of_methods(imported):
    """`self` is an object of the class that the method is named with, also where it is inherited."""
    live, static = both(imported, METHODS, None, signature, "Model.loss")
    assert live == static == {"self": LAYER_TEXT.replace("Layer", "Model"), "x": "float64[n, h]"}
    live, static = both(imported, METHODS, None, signature, "Model.free")
    assert live == static == {"x": "float"}
    _, path = imported(METHODS)
    (inherited,) = static_definition(Source.read(path), "Inner.loss")
    assert signature(inherited, None)["self"] == LAYER_TEXT.replace("Layer", "Inner")
    (of_class,) = static_definition(Source.read(path), "Model.of_class")
    assert signature(of_class, None) == {"cls": "<class Model>", "x": "float"}


# text, shapes, and for each problem its line, its message and a part of the hint
MISSING = {
    "dict and object": (
        'def f(p, config, x):\n    return x @ p["W"] + p["b"] * config.rate\n',
        None,
        [
            (10, "what `p` holds is not known: p.W, p.b", '--shapes "p.W=(...) p.b=..."'),
            (10, "what `config` holds is not known: config.rate", '--shapes "config.rate=..."'),
            (10, "`x` is an array, and its rank is not known", '--shapes "x=(n,d)"'),
        ],
    ),
    "some are given": (
        'def f(p, x):\n    return x @ p["W"] + p["b"]\n',
        "p.W=(d,h) x=(d,)",
        [(10, "what `p` holds is not known: p.b", '--shapes "p.b=..."')],
    ),
    "in a helper": (
        'def f(p):\n    return g(p["layer"])\n\n\ndef g(q):\n    y = np.sum(q["W"], axis=0)\n    return y\n',
        None,
        [(14, "what `p` holds is not known: p.layer.W", '--shapes "p.layer.W=(...)"')],
    ),
    "passed on by stars": (
        "def f(p):\n    return g(**p)\n\n\ndef g(W, b, k=1.0):\n    y = W @ b\n    return y\n",
        None,
        [(14, "what `p` holds is not known: p.W, p.b", '--shapes "p.W=(...) p.b=(...)"')],
    ),
    "lists": (
        'def f(p, x):\n    for layer in p:\n        x = x * layer["W"]\n    return x + sum([b.sum() for b in x])\n',
        "x=(h,)",
        [(10, "what `p` holds is not known: len(p), p[*].W", '--shapes "len(p)=... p[*].W=..."')],
    ),
    "length": (
        LAYER + "def f(layers: list[Layer]):\n    return layers[0].W\n",
        None,
        [(20, "what `layers` holds is not known: len(layers)", '--shapes "len(layers)=..."')],
    ),
    "keys": (
        'def f(p: dict[str, Float[np.ndarray, "d"]]):\n    return p["a"] + p["b"]\n',
        None,
        [(10, "what `p` holds is not known: p.a, p.b", '--shapes "p.a=(d,) p.b=(d,)"')],
    ),
    "all keys": (
        'def f(p: dict[str, Float[np.ndarray, "d"]]):\n    return sum([w.sum() for w in p.values()])\n',
        None,
        [(10, "what `p` holds is not known: p.NAME", '--shapes "p.NAME=(d,)"')],
    ),
    "values": (
        "class P(TypedDict):\n    w: float\n    n: int\n    act: str\n    a: np.ndarray\n\n\ndef f(p: P):\n    return p['w'] ** p['n']\n",
        None,
        [(17, "what `p` holds is not known: p.n, p.act, p.a", '--shapes "p.n=... p.act=... p.a=(...)"')],
    ),
    "undeclared attributes": (
        "class M:\n    def __init__(self, n):\n        self.W = np.zeros(n)\n\n\ndef f(m: M):\n    return np.sum(m.W * m.b)\n",
        None,
        [(15, "what `m` holds is not known: m.W, m.b", '--shapes "m.W=... m.b=..."')],
    ),
    "functions": (
        'def f(p, x: float):\n    return p["act"](x)\n',
        None,
        [(10, "what `p` holds is not known: p.act", '--shapes "p.act=..."')],
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_all_that_is_missing_is_said_at_once(imported, name):
    """The hint holds the text to write, with dots in place of what can't be known."""
    text, shapes, expected = MISSING[name]
    live, static = both(imported, text, shapes, signature)
    assert [(line, message) for line, _, message, _ in static] == [(line, message) for line, message, _ in expected]
    for (*_, hint), (*_, part) in zip(static, expected, strict=True):
        assert part in hint
    assert live == static


WRONG = {
    "len(p)=x": "length that is no number: 'x'",
    "p[*].W=(d,) p.b=(d,)": "`p` as a list and as a dict or an object",
    "p=(d,) p.W=(d,)": "`p` and parts of it",
    "p.W=(d": "can't be read from 'p.W=(d'",
    "p..W=(d,)": "can't be read",
    "p.W=(d;e)": "has the size 'd;e'",
    "layer.c=(d,)": "`layer.c`, and Layer has no such field",
    "layer.W.b=(d,)": "parts of `layer.W`, which is annotated as a number or an array",
    "len(layers)=1 layers[3].b=(h,)": "`layers[3]`, and `layers` has 1 parts",
    "q.W=(d,)": "`q`, which is not a parameter of `f`",
}


@pytest.mark.parametrize("shapes", WRONG)
def test_shapes_that_do_not_fit(shapes):
    """What is wrong is named as it is written."""
    text = HEAD + LAYER + 'def f(p, layer: Layer, layers: list[Layer]):\n    return p["W"]\n'
    (definition,) = static_definition(Source("text.py", text), "f")
    with pytest.raises(SignatureError) as error:
        signature_of_annotations(definition, shapes)
    assert WRONG[shapes] in str(error.value)


def test_a_class_without_end():
    """Fields of a class's own kind end somewhere, or that is said."""
    text = HEAD + 'class Node(NamedTuple):\n    next: "Node"\n\n\ndef f(node: Node):\n    return node.next\n'
    (definition,) = static_definition(Source("text.py", text), "f")
    with pytest.raises(SignatureError, match="objects of its own kind without end"):
        signature_of_annotations(definition)


def test_an_attribute_that_is_not_told_is_not_read(imported):
    """What a method reads of an object, and no annotation tells of, is an error where it is read, and never guessed."""
    text = (
        "class M:\n    def __init__(self, W, b):\n        self.W = W\n        self.b = b\n\n"
        "    def loss(self, x):\n        y = self.W * x\n        return y if self.b is None else y + self.b\n\n\n"
        "def f(m: M, x: float):\n    return m.loss(x)\n"
    )
    make = lambda definition, shapes: emit_from_annotations(definition, Options(), shapes)[0].text  # noqa: E731
    live, static = both(imported, text, "m.W=float", make)
    assert [(line, message) for line, _, message, _ in static] == [(16, "what `b` of a M holds is not known")]
    assert live == static
    assert both(imported, text, "m.W=float m.b=None", make)[0].startswith('"""Forward')


def test_shapes_of_the_api(imported):
    """`emit` takes shapes of parts as text and as a mapping."""
    module, _ = imported('def f(p, x):\n    return np.sum(x @ p["W"])\n')
    mapping = {"p": {"W": ("d", "h")}, "x": ("n", "d")}
    assert emit(module.f, shapes=mapping) == emit(module.f, shapes="p.W=(d,h) x=(n,d)")


# module-level constants: text, and what a part of the emitted code is
CONSTANTS = {
    "dict": (
        'CFG = {"rate": 0.5, "act": "tanh"}\n\n\ndef f(x: float):\n    return x * CFG["rate"] * len(CFG)\n',
        "x * 0.5",
    ),
    "get": ('CFG = {"rate": 0.5}\n\n\ndef f(x: float):\n    return x * CFG.get("rate") * CFG.get("k", 2.0)\n', "* 2.0"),
    "items": (
        'CFG = {"a": 0.5}\n\n\ndef f(x: float):\n    for _, v in CFG.items():\n        x = x * v\n    return x\n',
        "x * 0.5",
    ),
    "inner": (
        'CFG = {"a": {"b": 0.5}}\nINNER = CFG["a"]\n\n\ndef f(x: float):\n    return x * INNER["b"]\n',
        "x * 0.5",
    ),
    "comprehension": (
        'ALL = [i * 0.5 for i in range(4) if i != 2]\nD = {f: 2 * v for f, v in zip("ab", (1, 2))}\n\n\n'
        'def f(x: float):\n    return x * ALL[2] * D["b"]\n',
        "x * 1.5",
    ),
    "frozen dataclass": (
        "@dataclass(frozen=True)\nclass C:\n    rate: float = 0.25\n    n: int = 3\n    l: list = field(default_factory=list)\n\n\n"
        "CFG = C(rate=0.5)\n\n\ndef f(x: float):\n    return x * CFG.rate * CFG.n\n",
        "x * 0.5",
    ),
    "named tuple": (
        "class C(NamedTuple):\n    rate: float\n    n: int = 3\n\n\nCFG = C(0.5)\n\n\n"
        "def f(x: float):\n    rate, n = CFG\n    return x * rate * n\n",
        "rate = 0.5",
    ),
    "namespace": ("CFG = types.SimpleNamespace(rate=0.5)\n\n\ndef f(x: float):\n    return x * CFG.rate\n", "x * 0.5"),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_in_containers(imported, name):
    """What containers and objects at the top level of a file hold is written into the code."""
    text, part = CONSTANTS[name]
    live, static = both(
        imported, text, None, lambda definition, shapes: emit_from_annotations(definition, Options(), shapes)[0].text
    )
    assert isinstance(static, str), static
    assert part in static
    assert live == static


CHANGED = {
    "a part": 'CFG = {"rate": 0.5}\nCFG["rate"] = 0.25\n',
    "in a function": 'CFG = {"rate": 0.5}\n\n\ndef g():\n    CFG["rate"] = 0.25\n\n\n',
    "by a method": 'CFG = {"rate": 0.5}\nCFG.update(rate=0.25)\n',
    "under another name": 'CFG = {"rate": 0.5}\nOTHER = CFG\nOTHER["rate"] = 0.25\n',
    "through an object": (
        '@dataclass\nclass C:\n    rate: dict\n\n\nRATE = {"rate": 0.5}\nC1 = C(RATE)\nC1.rate["rate"] = 0.25\nCFG = RATE\n'
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_containers_that_may_be_changed_are_no_constants(name):
    """Where the file runs decides what they hold."""
    text = HEAD + CHANGED[name] + 'def f(x: float):\n    return x * CFG["rate"]\n'
    (definition,) = static_definition(Source("text.py", text), "f")
    with pytest.raises(FlatgradError, match="may be changed"):
        emit_from_annotations(definition, Options())
