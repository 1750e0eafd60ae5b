"""Objects that the differentiated function makes itself: values, gradients, and one module for the object and the file."""

from __future__ import annotations

import importlib.util
import textwrap

import numpy as np
import pytest

import flatgrad
from flatgrad.errors import FlatgradError
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

HEAD = """
import copy
import dataclasses
import enum
import types
from collections import namedtuple
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np


"""

# a file with a function f(x, W, s); what is checked besides its gradients stands in the name
PROGRAMS = {
    "an object keeps what its __init__ gives it": """
        class Affine:
            def __init__(self, W, b=0.5):
                self.W = W
                self.b = b

            def __call__(self, x):
                z = self.W @ x
                return np.tanh(z + self.b)


        def f(x, W, s):
            layer = Affine(W, b=s)
            return np.sum(layer(layer(x)) * Affine(W)(x))
        """,
    "a second name is the same object": """
        class Box:
            def __init__(self, x):
                self.x = x


        def f(x, W, s):
            a = Box(x)
            b = a
            held = [a, {"a": a}]
            b.x = a.x * s
            held[1]["a"].x = W @ held[0].x
            return np.sum(a.x * x)
        """,
    "a copy is another object": """
        class Box:
            def __init__(self, x):
                self.x = x
                self.log = [x]


        def f(x, W, s):
            a = Box(x)
            b = copy.copy(a)
            c = copy.deepcopy(a)
            b.x = W @ x
            b.log.append(b.x)
            c.log.append(s * x)
            return np.sum(a.x) + np.sum(a.log[1] * b.x) + np.sum(c.log[1] * c.x) + len(c.log)
        """,
    "methods change their object": """
        class Counter:
            def __init__(self):
                self.total = 0.0
                self.count = 0
                self.seen = []

            def add(self, v):
                self.total += np.sum(v)
                self.count += 1
                self.seen.append(v)

            @property
            def mean(self):
                return self.total / self.count


        def f(x, W, s):
            counter = Counter()
            counter.add(x)
            counter.add(W @ x)
            counter.add(s * x)
            return counter.mean * counter.count**2 + np.sum(counter.seen[1] * counter.seen[-1])
        """,
    "each side of a branch changes an object": """
        class Box:
            def __init__(self, x):
                self.x = x
                self.y = 0.0


        def f(x, W, s):
            a = Box(x)
            if np.sum(x) > 0:
                a.x = W @ a.x
                a.y = s
            else:
                a.x = a.x * s
            return np.sum(np.sin(a.x)) + a.y * s
        """,
    "a loop carries an object": """
        class Cell:
            def __init__(self, W):
                self.W = W
                self.h = np.zeros(3)

            def step(self, x):
                self.h = np.tanh(self.W @ self.h + x)
                return self.h


        def f(x, W, s):
            cell = Cell(W)
            total = 0.0
            for row in W:
                total += np.sum(cell.step(row * x)) * s
            return total + np.sum(cell.h)
        """,
    "inheritance and super": """
        class Layer:
            scale = 2.0

            def __init__(self, W):
                self.W = W

            def __call__(self, x):
                z = self.W @ x
                return self.act(z) * self.scale

            def act(self, z):
                return z


        class Tanh(Layer):
            scale = 0.5

            def __init__(self, W, s):
                super().__init__(W)
                self.s = s

            def act(self, z):
                a = np.tanh(z)
                return super().act(a) * self.s


        class Shifted(Tanh):
            def act(self, z):
                return super().act(z + 1.0)


        def f(x, W, s):
            for layer in [Layer(W), Tanh(W.T, s), Shifted(W * 2, 0.5)]:
                x = layer(x)
            return np.sum(x)
        """,
    "two bases, in Python's order": """
        class Base:
            def out(self, x):
                return [x]


        class Left(Base):
            def out(self, x):
                return [2 * x] + super().out(x)


        class Right(Base):
            def out(self, x):
                return [3 * x] + super().out(x)


        class Both(Left, Right):
            pass


        def f(x, W, s):
            parts = Both().out(W @ x)
            return np.sum(parts[0]) + s * np.sum(parts[1] ** 2) + np.sum(parts[2] ** 3)
        """,
    "operators": """
        class Vec:
            __slots__ = ("v",)

            def __init__(self, v):
                self.v = v

            def __add__(self, other):
                return Vec(self.v + (other.v if isinstance(other, Vec) else other))

            def __radd__(self, other):
                return self + other

            def __mul__(self, k):
                if isinstance(k, Vec):
                    return NotImplemented
                return Vec(self.v * k)

            def __rmul__(self, k):
                return self * k

            def __neg__(self):
                return Vec(-self.v)

            def __matmul__(self, other):
                return np.sum(self.v * other.v)

            def __getitem__(self, k):
                return self.v[k]

            def __len__(self):
                return 3

            def __iter__(self):
                return iter([self.v[0], self.v[1]])

            def __lt__(self, other):
                return np.sum(self.v) < np.sum(other.v)

            def __contains__(self, k):
                return k == 2

            def __bool__(self):
                return bool(self.v[0] > 0)

            def __abs__(self):
                return np.sqrt(np.sum(self.v**2))


        def f(x, W, s):
            a = Vec(x)
            b = 2.0 * a + 1 + (-a)
            c = sum([a, b], Vec(W @ x))
            p, q = c
            out = a @ b + c[2] * len(c) + p - q
            if a < b:
                out = out * 2
            if 3 in a or 2 not in a:
                out = out * 100
            if a:
                out = out * s
            return out + abs(b)
        """,
    "in place operators": """
        class Vec:
            def __init__(self, v):
                self.v = v

            def __iadd__(self, other):
                self.v = self.v + other
                return self

            def __add__(self, other):
                return Vec(100 * self.v)


        def f(x, W, s):
            a = Vec(x)
            b = a
            a += W @ x
            b.v *= s
            return np.sum(a.v * x)
        """,
    "static and class methods": """
        class Act:
            k = 3
            table = {"a": 2.0}

            def __init__(self, x):
                self.x = x

            @staticmethod
            def relu(x):
                return np.maximum(x, 0)

            @classmethod
            def scaled(cls, x):
                y = x * cls.k
                return cls.relu(y) + cls.table["a"]

            @classmethod
            def of(cls, x):
                return cls(x)


        class Sub(Act):
            k = 4


        def f(x, W, s):
            made = Sub.of(W @ x)
            again = type(made)(made.x * 2)
            assert isinstance(again, Act) and not isinstance(x, Act)
            name = made.__class__.__name__
            out = np.sum(Sub.scaled(x)) + np.sum(made.scaled(again.x)) * s + Act.k
            return out * {"Sub": 3.0, "Act": 4.0}[name]
        """,
    "properties": """
        class Box:
            def __init__(self, x):
                self._x = x

            @property
            def x(self):
                return self._x

            @x.setter
            def x(self, value):
                self._x = value * 2

            @cached_property
            def norm(self):
                return np.sum(self._x**2)


        def f(x, W, s):
            a = Box(x)
            before = a.norm
            a.x = W @ a.x
            return np.sum(a.x) * s + before * a.norm
        """,
    "attributes by their names": """
        class Box:
            def __init__(self, **parts):
                for name, part in parts.items():
                    setattr(self, name, part)


        def f(x, W, s):
            box = Box(x=x, s=s)
            total = 1.0 if hasattr(box, "W") else 2.0
            total += getattr(box, "W", 3.0)
            for name, part in vars(box).items():
                total = total + np.sum(part) * len(name)
            return total * np.sum(getattr(box, "x") ** 2)
        """,
    "dataclasses": """
        @dataclass
        class State:
            h: np.ndarray
            c: float = 1.5
            log: list = field(default_factory=list)
            scaled: float = field(init=False)

            def __post_init__(self):
                self.h = np.tanh(self.h)
                self.scaled = self.c * 2

            def step(self, W):
                self.h = np.tanh(W @ self.h) * self.c
                self.log.append(self.h)


        @dataclass
        class More(State):
            d: float = 2.0


        def f(x, W, s):
            state = State(x)
            other = More(x, c=s, d=s)
            state.step(W)
            state.step(W)
            other.step(W)
            last = replace(state, c=3.0)
            out = np.sum(state.log[0] * state.log[1]) + len(other.log) + len(last.log)
            return out + np.sum(last.h) * last.scaled + other.d * np.sum(other.h)
        """,
    "frozen dataclasses": """
        @dataclass(frozen=True, kw_only=True)
        class Point:
            x: np.ndarray
            k: float = 2.0
            n: int = field(init=False)

            def __post_init__(self):
                object.__setattr__(self, "n", 3)


        def f(x, W, s):
            p = Point(x=W @ x, k=s)
            q = Point(x=x)
            parts = dataclasses.astuple(p)
            named = dataclasses.asdict(q)
            out = np.sum(p.x * p.k) * p.n + np.sum(parts[0]) * named["k"]
            return out + sum(np.sum(getattr(q, each.name)) for each in dataclasses.fields(q))
        """,
    "named tuples": """
        class Pair(NamedTuple):
            a: np.ndarray
            b: float = 2.0

            def swapped(self):
                return Pair(self.b, self.a)


        Two = namedtuple("Two", "u v")


        def f(x, W, s):
            p = Pair(x)
            a, b = p
            q = p._replace(b=s)
            r = Two(W @ x, v=3.0)
            t = Two._make([s, x])
            out = np.sum(a * q.b) + b + q[1] + len(p) + np.sum(r.u * r.v) + t.u * np.sum(t[-1])
            out = out + sum(np.sum(v) for v in q._asdict().values()) + np.sum(q.swapped().b)
            return out + len(Pair._fields)
        """,
    "namespaces": """
        def f(x, W, s):
            p = SimpleNamespace(x=x, k=2.0)
            p.y = W @ p.x
            q = types.SimpleNamespace(**vars(p))
            p.k = s
            return np.sum(p.x * p.y) * p.k + q.k * np.sum(q.y)
        """,
    "enumerations": """
        class Mode(enum.Enum):
            LINEAR = "linear"
            SQUARE = "square"


        class Order(enum.IntEnum):
            FIRST = enum.auto()
            SECOND = enum.auto()


        def apply(v, mode):
            if mode is Mode.LINEAR:
                return v
            return v**2


        def f(x, W, s):
            y = apply(W @ x, Mode.SQUARE) + apply(x, Mode("linear"))
            if Mode.LINEAR == Mode.SQUARE or Order.SECOND != 2:
                y = y * 100
            return np.sum(y) * s * Order.SECOND
        """,
    "methods under second names": """
        class Vec:
            act = staticmethod(np.tanh)

            def __init__(self, v):
                self.v = v

            def __add__(self, k):
                shifted = self.v + k
                return Vec(self.act(shifted))

            __radd__ = __add__


        def f(x, W, s):
            a = Vec(W @ x)
            again = a.__add__
            return np.sum((s + a).v * again(2.0).v)
        """,
    "objects where functions are expected": """
        class Scale:
            def __init__(self, k):
                self.k = k

            def __call__(self, v):
                scaled = self.k * v
                return scaled + 1


        def f(x, W, s):
            scale = Scale(s)
            a, b = map(scale, [x, W @ x])
            nets = {"a": scale, "b": Scale(2.0)}

            def through(name):
                y = nets[name](x)
                return y * y

            return np.sum(a * b) + np.sum(through("a") * through("b"))
        """,
    "a default of the class, and an attribute of the object": """
        @dataclass
        class Step:
            size: float = 0.5
            count: int = 0


        class Plain:
            size = 3.0


        def f(x, W, s):
            step, plain = Step(), Plain()
            step.size = s
            step.count += 2
            before = plain.scale if hasattr(plain, "scale") else 1.0
            return np.sum(W @ x * step.size) * step.count * before
        """,
    "an __init__ that ends early": """
        class Box:
            def __init__(self, x=None):
                self.x = np.ones(3)
                if x is None:
                    return
                self.x = x


        def f(x, W, s):
            return np.sum(Box().x * x) + s * np.sum(Box(W @ x).x)
        """,
    "an object of the module": """
        @dataclass(frozen=True)
        class Config:
            rate: float = 0.1
            act: str = "tanh"
            turns: int = 2

            @property
            def twice(self):
                return self.rate * 2

            def apply(self, x):
                y = np.tanh(x) if self.act == "tanh" else x
                return y * self.rate


        config = Config(rate=0.3)


        def f(x, W, s):
            for _ in range(config.turns):
                x = config.apply(W @ x)
            return np.sum(x) * config.twice * s
        """,
    "equality and identity": """
        @dataclass
        class Size:
            n: int


        class Box:
            def __init__(self, x):
                self.x = x


        def f(x, W, s):
            a, b = Box(x), Box(x)
            c = a
            k = 0.0
            k += 1.0 if Size(3) == Size(3) and Size(3) != Size(4) else 10.0
            k += 1.0 if a is c and a is not b and a == c and a != b else 10.0
            k += 1.0 if a is not None and a else 10.0
            return k * np.sum(W @ a.x) * s
        """,
    "a list of objects is a stack of layers": """
        class Linear:
            def __init__(self, W, b):
                self.W = W
                self.b = b

            def __call__(self, x):
                z = self.W @ x
                return z + self.b


        class Relu:
            def __call__(self, x):
                return np.maximum(x, 0)


        class Net:
            def __init__(self, layers):
                self.layers = list(layers)

            def __call__(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x

            def __len__(self):
                return len(self.layers)


        def f(x, W, s):
            net = Net([Linear(W, s), Relu(), Linear(W.T, 0.1)])
            return np.sum(net(x)) * len(net)
        """,
    "items are assigned and deleted as the class says": """
        class Table:
            def __init__(self, rows):
                self.rows = rows

            def __getitem__(self, place):
                i, j = place
                return self.rows[i][j]

            def __setitem__(self, place, item):
                i, j = place
                self.rows[i][j] = item

            def __delitem__(self, i):
                del self.rows[i]


        def f(x, W, s):
            table = Table([[s, x.copy()], [s * s, W @ x]])
            table[0, 0] = s * 3
            table[1, 0] += s
            table[0, 1] *= x
            del table[1]
            return np.sum(table[0, 1]) * table[0, 0] * len(table.rows)
        """,
}
SHAPES = "x=(n,) W=(n,n) s=float"


def arguments():
    random = np.random.default_rng(3)
    return {"x": random.normal(size=3) + 0.5, "W": random.normal(size=(3, 3)), "s": 0.7}


@pytest.fixture
def module(tmp_path):
    """Return what makes a module of a text, and the path of its file."""

    def made(text):
        path = tmp_path / "model.py"
        path.write_text(HEAD + textwrap.dedent(text).strip() + "\n")
        spec = importlib.util.spec_from_file_location("model_of_test", path)
        loaded = importlib.util.module_from_spec(spec)
        # a dataclass looks for its module
        monkeypatch.setitem(importlib.sys.modules, "model_of_test", loaded)
        spec.loader.exec_module(loaded)
        return loaded, path

    monkeypatch = pytest.MonkeyPatch()
    yield made
    monkeypatch.undo()


@pytest.mark.parametrize("name", PROGRAMS)
def test_value_and_gradients(name, module, slopes):
    """The value is bit for bit that of the function, and the gradients are the central differences."""
    function = module(PROGRAMS[name])[0].f
    given = arguments()
    value, gradients = flatgrad.value_and_grad(function)(**given)
    assert np.array_equal(value, function(**given))
    for found, expected in zip(gradients, slopes(function, given).values(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_file_gives_the_same_module(name, module):
    """What is read of class objects and of the text of classes is the same."""
    loaded, path = module(PROGRAMS[name])
    (definition,) = static_definition(Source.read(path), "f")
    from_text, _ = emit_from_annotations(definition, Options(), SHAPES)
    assert str(flatgrad.emit(loaded.f, shapes=SHAPES)) == from_text.text


# a body, the line of the problem in it, and a word of the message
REFUSED = {
    "a missing attribute": ("return np.sum(Box(x).y)", "a Box has no `y`"),
    "a missing method": ("return Box(x) + 1", "a Box has no `__add__`"),
    "an array on the left": ("return (x + Vec(x)).v.sum()", "element by element"),
    "a frozen object": ("p = Frozen(x)\np.x = x\nreturn np.sum(p.x)", "never changed"),
    "a named tuple": ("p = Two(x, x)\np.u = x\nreturn np.sum(p.u)", "never changed"),
    "a wrong argument": ("return Box(x, y=1).x.sum()", "got an unexpected keyword argument 'y'"),
    "a missing field": ("return Two(x).u.sum()", "misses the argument 'v'"),
    "a __getattr__": ("return Dynamic(x).y.sum()", "decided by its `__getattr__`"),
    "a __setattr__": ("return Guarded(x).x.sum()", "decided by its `__setattr__`"),
    "a __new__": ("return Single(x).x.sum()", "has a `__new__`"),
    "not iterable": ("a, b = Box(x)\nreturn a", "can't be gone through"),
    "no items": ("return Box(x)[0]", "can't be indexed"),
    "a property without a setter": ("v = Vec(x)\nv.w = x\nreturn v.w.sum()", "property `w` of Vec can't be assigned"),
    "no array": ("return np.sum(Box(x))", "a Box can't be given to a function of NumPy"),
    "equality of data": ("return x.sum() if Plain(x) == Plain(x) else 1.0", "can't be told when the code is written"),
    "a class of the function": ("class A:\n    pass\nreturn x.sum()", "class"),
    "an object as a key": ("d = {Frozen(x): 1.0, (x,): 2.0}\nreturn np.sum(x)", "a Frozen can't be a key"),
}
CLASSES = """
class Box:
    def __init__(self, x):
        self.x = x


class Vec:
    def __init__(self, v):
        self.v = v

    def __radd__(self, other):
        return Vec(self.v + other)

    @property
    def w(self):
        return self.v


@dataclass(frozen=True)
class Frozen:
    x: np.ndarray


@dataclass
class Plain:
    x: np.ndarray


Two = namedtuple("Two", ["u", "v"])


class Dynamic(Box):
    def __getattr__(self, name):
        return self.x


class Guarded(Box):
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value * 2)


class Single:
    def __new__(cls, x):
        made = object.__new__(cls)
        made.x = x
        return made


"""


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_its_place(name, module):
    """What is not followed, or fails in Python, is an error at its line, from the object and from the file."""
    body, words = REFUSED[name]
    text = CLASSES + "def f(x):\n" + textwrap.indent(body, "    ")
    loaded, path = module(text)
    (definition,) = static_definition(Source.read(path), "f")
    for emitted in (
        lambda: flatgrad.emit(loaded.f, shapes="x=(3,)"),
        lambda: emit_from_annotations(definition, Options(), "x=(3,)"),
    ):
        with pytest.raises(FlatgradError, match="model.py") as caught:
            emitted()
        assert words in str(caught.value)
