"""What a function refers to is seen as it is at the call: after a change, gradients are those of what Python computes now."""

from __future__ import annotations

import builtins
import textwrap

import numpy as np
import pytest

from flatgrad import arguments, flatgrad
from flatgrad.errors import FlatgradError
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import same

STEP = 1e-6


def slope(function, x):
    """Return the derivative by central differences, or the error that the function raises."""
    try:
        return (function(x + STEP) - function(x - STEP)) / (2 * STEP)
    except Exception as error:
        return error


def assert_current(function, x, *, must_read):
    """Assert that all three ways to a gradient give that of the function as it is now."""
    expected = slope(function, x)
    ways = {
        "grad": function.grad,
        "value_and_grad": lambda x: function.value_and_grad(x)[1],
        "vjp": lambda x: function.vjp(x)[1](1.0),
    }
    for name, way in ways.items():
        if isinstance(expected, Exception):
            with pytest.raises((FlatgradError, type(expected))):
                way(x)
        elif must_read:
            assert way(x) == pytest.approx(expected, rel=1e-5, abs=1e-7), name
        else:
            try:
                found = way(x)
            except FlatgradError:
                continue
            assert found == pytest.approx(expected, rel=1e-5, abs=1e-7), name


@pytest.fixture
def follow(define):
    """Return what makes one change after another to the names of a function, and looks at its gradients each time."""

    def follow(text, *changes, x=0.7, must_read=True):
        plain = define(text)
        function = flatgrad(wrt="x")(plain)
        assert_current(function, x, must_read=must_read)
        for change in changes:
            # several calls, so that what the first one keeps is looked at too
            exec(textwrap.dedent(change), plain.__globals__)
            assert_current(function, x, must_read=must_read)
            assert_current(function, x + 0.1, must_read=must_read)

    return follow


TIMES_K = "def f(x):\n    return x * k\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1", "True"),
        ("True", "1"),
        ("2", "2.0"),
        ("2.0", "3.0"),
        ("2.0", "np.float64(3)"),
        ("2.0", "np.array(3.0)"),
        ("2.0", "None"),
        ("2.0", "'text'"),
        ("None", "2.0"),
    ],
)
def test_number_is_rebound(follow, before, after):
    """Numbers that are equal but not the same, and what is no number at all, are seen, and seen again on the way back."""
    follow(f"k = {before}\n{TIMES_K}", f"k = {after}", f"k = {before}")


def test_sign_of_zero_is_seen(define):
    """0.0 and -0.0 are equal, and a gradient through them is not."""
    plain = define("k = 0.0\ndef f(x):\n    return x * np.copysign(1.0, k)\n")
    function = flatgrad(wrt="x")(plain)
    assert function.grad(2.0) == 1.0
    plain.__globals__["k"] = -0.0
    assert function.grad(2.0) == -1.0


def test_type_of_a_number_is_seen(define):
    """True for 1 and a NumPy number for a Python one make values of other types."""
    plain = define("k = 1\n" + TIMES_K)
    function = flatgrad(wrt="x")(plain)
    x = np.ones(2, np.float32)
    for k in (1, True, 1.0, np.float64(1), np.float32(1)):
        plain.__globals__["k"] = k
        value, pullback = function.vjp(x)
        assert value.dtype == plain(x).dtype
        assert pullback(np.ones_like(value)).dtype == np.float32


def test_option_decides_a_branch(follow):
    """None, a truth value or a text that is chosen anew chooses another branch."""
    text = "mode = None\ndef f(x):\n    return x * 2 if mode is None else x * x if mode == 'square' else x\n"
    follow(text, "mode = 'square'", "mode = 'other'", "mode = None")
    follow("flag = True\ndef f(x):\n    if flag:\n        return x * x\n    return x\n", "flag = False", "flag = 1")


def test_array_is_changed_in_place(follow):
    """Elements, a whole array through one of its views, its order and its shape."""
    text = "k = np.array([1.0, 2.0])\ndef f(x):\n    return x * k[0] + k[1] * x * x\n"
    follow(text, "k[0] = 5", "k *= 2", "k.sort()", "k = k[::-1]", "k = k.copy()", "k = np.array([3, 4])")
    follow("base = np.array([1.0, 2.0, 3.0])\nk = base[1:]\ndef f(x):\n    return x * k[0]\n", "base[1] = 7")


def test_list_is_changed_in_place(follow):
    """Elements and the number of them."""
    text = "k = [1.0, 2.0]\ndef f(x):\n    return x * k[0] + sum([x * x * each for each in k])\n"
    follow(text, "k[0] = 5.0", "k.append(3.0)", "k.reverse()", "k[:] = [9.0]", "k = [4.0, 4.0]")


def test_set_is_changed_in_place(follow):
    """A set of options decides branches."""
    text = "options = {'a'}\ndef f(x):\n    return x * 2 if 'a' in options else x * 3\n"
    follow(text, "options.remove('a')", "options.add('a')", "options = {'b'}")


CONFIGURATIONS = {
    "namespace": "import types\ncfg = types.SimpleNamespace(rate=2.0, flag=True)\n",
    "class": "class cfg:\n    rate = 2.0\n    flag = True\n",
    "class without a module": "class cfg:\n    rate = 2.0\n    flag = True\ncfg.__module__ = 'builtins'\n",
    "object": "class C:\n    rate = 2.0\n    flag = True\ncfg = C()\n",
    "dataclass": (
        "import dataclasses\ncfg = dataclasses.make_dataclass('C', [('rate', float, 2.0), ('flag', bool, True)])()\n"
    ),
    "slots": "class C:\n    __slots__ = ('rate', 'flag')\ncfg = C()\ncfg.rate, cfg.flag = 2.0, True\n",
    "module": (
        "import sys, types\ncfg = sys.modules['flatgrads_test_of_changes'] = types.ModuleType('flatgrads_test_of_changes')\n"
        "cfg.rate, cfg.flag = 2.0, True\n"
    ),
    "property": textwrap.dedent("""
        class C:
            flag = True
            kept = 2.0
            @property
            def rate(self):
                return self.kept
            @rate.setter
            def rate(self, rate):
                self.kept = rate
        cfg = C()
        """),
    "__getattr__": textwrap.dedent("""
        class C:
            def __getattr__(self, name):
                if name in kept:
                    return kept[name]
                raise AttributeError(name)
            def __setattr__(self, name, value):
                kept[name] = value
        kept = {"rate": 2.0, "flag": True}
        cfg = C()
        """),
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_attribute_is_set(follow, kind):
    """An attribute is seen as it is, whatever kind of object it is read from; so is the object's disappearance."""
    text = "def f(x):\n    return x * cfg.rate if cfg.flag else x * cfg.rate * x\n"
    follow(CONFIGURATIONS[kind] + text, "cfg.rate = 3.0", "cfg.flag = False", "cfg.rate = 4.0", "del cfg")


def test_attribute_of_an_attribute_is_set(follow):
    """A configuration of configurations is seen as it is at each level."""
    follow(
        """
        from types import SimpleNamespace as N
        cfg = N(model=N(rate=2.0, deep=N(k=1.0)))
        def f(x):
            return x * cfg.model.rate * cfg.model.deep.k
        """,
        "cfg.model.rate = 3.0",
        "cfg.model = N(rate=5.0, deep=N(k=1.0))",
        "cfg.model.deep.k = 7.0",
        "cfg.model.deep = N(k=9.0)",
    )


def test_attribute_of_a_base_class_is_set(follow):
    """An attribute is looked up as Python does it: object, class, base class."""
    follow(
        """
        class Base:
            rate = 2.0
        class Derived(Base):
            pass
        cfg = Derived()
        def f(x):
            return x * cfg.rate
        """,
        "Base.rate = 3.0",
        "Derived.rate = 4.0",
        "cfg.rate = 5.0",
        "del cfg.rate",
        "del Derived.rate",
    )


def test_attribute_of_a_function_is_set(follow):
    """A function is an object with attributes."""
    follow(
        """
        def helper(x):
            return x
        helper.rate = 2.0
        def f(x):
            return x * helper.rate
        """,
        "helper.rate = 3.0",
        "helper.rate = 4.0",
    )


def test_element_is_replaced_by_another_object(follow):
    """A list that holds objects: their attributes, and other objects of the same class in their places."""
    text = "from types import SimpleNamespace as N\ncfgs = [N(r=2.0)]\ndef f(x):\n    return x * cfgs[0].r\n"
    follow(text, "cfgs[0].r = 3.0", "cfgs[0] = N(r=4.0)", "cfgs[0].r = 5.0")


def test_member_of_an_enumeration_is_chosen(follow):
    """Members of one class are told apart, by identity, by name and by value."""
    head = "import enum\nE = enum.Enum('E', 'A B')\nk = E.A\n"
    for test in ("k is E.A", "k == E.A", "k.name == 'A'", "k.value == 1"):
        follow(f"{head}def f(x):\n    return x * 2 if {test} else x * 3\n", "k = E.B", "k = E.A")
    follow(head + "def f(x):\n    return x * k.value\n", "k = E.B", "k = E.A")


OBJECTS_THAT_HOLD_SOMETHING = {
    "named tuple by index": ("import collections\nP = collections.namedtuple('P', 'a b')\n", "k[0]", "P(2.0, 3.0)", "P(5.0, 3.0)"),
    "named tuple by name": ("import collections\nP = collections.namedtuple('P', 'a b')\n", "k.a", "P(2.0, 3.0)", "P(5.0, 3.0)"),
    "list of one's own": ("class L(list): pass\n", "k[0]", "L([2.0])", "L([5.0])"),
    "dict of one's own": ("class D(dict): pass\n", "k['a']", "D(a=2.0)", "D(a=5.0)"),
    "text of one's own": ("class T(str): pass\n", "2 * (k == 'a')", "T('a')", "T('b')"),
    "float of one's own": ("class F(float): pass\n", "k", "F(2)", "F(3)"),
    "whole number with a name": ("import enum\nclass E(enum.IntEnum):\n    A = 2\n    B = 3\n", "k", "E.A", "E.B"),
    "range": ("", "sum([i for i in k])", "range(3)", "range(5)"),
    "slice": ("table = np.arange(4.0)\n", "np.sum(table[k])", "slice(0, 2)", "slice(1, 4)"),
    "view of a dict": ("", "sum([i for i in k])", "{'a': 1.0}.values()", "{'a': 2.0}.values()"),
    "deque": ("import collections\n", "k[0]", "collections.deque([1.0])", "collections.deque([2.0])"),
    "partial": ("import functools\n", "k(2.0)", "functools.partial(np.add, 1.0)", "functools.partial(np.add, 2.0)"),
    "method": ("", "k()", "np.array([1.0]).sum", "np.array([2.0]).sum"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OBJECTS_THAT_HOLD_SOMETHING)
def test_object_is_replaced_by_one_that_holds_something_else(follow, kind):
    """Two objects of one class are not the same. Those that can't be read are errors, before and after."""
    head, use, before, after = OBJECTS_THAT_HOLD_SOMETHING[kind]
    text = f"{head}k = {before}\ndef f(x):\n    return x * {use}\n"
    follow(text, f"k = {after}", f"k = {before}", must_read=False)


@pytest.mark.parametrize(
    ("method", "use"),
    [
        ("__bool__(self): return self.v > 1", "2.0 if cfg else 3.0"),
        ("__eq__(self, other): return self.v > 1", "2.0 if cfg == 1 else 3.0"),
        ("__len__(self): return self.v", "len(cfg)"),
        ("__iter__(self): return iter([1.0] * self.v)", "sum([i for i in cfg])"),
        ("__contains__(self, item): return self.v > 1", "2.0 if 1 in cfg else 3.0"),
        ("__getitem__(self, item): return self.v", "cfg[0]"),
        ("__float__(self): return float(self.v)", "float(cfg)"),
    ],
)
def test_object_that_decides_by_a_method_of_its_own(follow, method, use):
    """What such a method will return can't be told from the object: it is seen, or refused, and never stale."""
    text = f"class C:\n    v = 2\n    def {method}\ncfg = C()\ndef f(x):\n    return x * ({use})\n"
    follow(text, "cfg.v = 1", "cfg.v = 2", must_read=False)


def test_property_that_is_not_read_is_not_in_the_way(follow):
    """Another attribute of the same object may raise: the function does not ask for it."""
    follow(
        """
        class C:
            rate = 2.0
            @property
            def shape(self):
                raise RuntimeError("nobody asks for this")
        cfg = C()
        def f(x):
            return x * cfg.rate * len(np.ones(3).shape)
        """,
        "cfg.rate = 3.0",
    )


def test_nonlocal_variable_is_assigned():
    """A closure's variable has the value that the enclosing function gave it last; so has one that is deleted."""
    k, table = 2.0, [1.0, 2.0]

    @flatgrad(wrt="x")
    def f(x):
        return x * k * table[0]

    assert_current(f, 0.7, must_read=True)
    k = 3.0
    assert_current(f, 0.7, must_read=True)
    table[0] = 5.0
    assert_current(f, 0.7, must_read=True)
    table = [7.0]
    assert_current(f, 0.7, must_read=True)
    del k
    assert_current(f, 0.7, must_read=True)
    k = 1.0
    assert_current(f, 0.7, must_read=True)


def test_global_is_deleted_and_defined_again(follow):
    """A name that is gone is an error, not its last value."""
    follow("k = 2.0\n" + TIMES_K, "del k", "k = 3.0", "del k", "k = 2.0")


def test_builtin_is_shadowed(follow):
    """A global that is named like a builtin is what Python finds."""
    text = "def f(x):\n    return abs(x) * 2\n"
    follow(text, "abs = math.sin", "abs = np.cos", "del abs", x=-0.7)
    follow("t = [1.0, 2.0]\ndef f(x):\n    return x * len(t)\n", "t.append(1.0)", "len = math.fsum", must_read=False)
    follow("def f(x):\n    return sum([x, x * x])\n", "sum = max", "del sum", must_read=False)


def test_builtin_is_replaced(follow, monkeypatch):
    """A name that is put into `builtins`, and one that is replaced there, is what Python finds."""
    monkeypatch.setattr(builtins, "flatgrads_test_constant", 2.0, raising=False)
    monkeypatch.setattr(builtins, "flatgrads_test_function", np.sin, raising=False)
    follow(
        """
        import builtins
        def f(x):
            return flatgrads_test_function(x) * flatgrads_test_constant
        """,
        "builtins.flatgrads_test_constant = 3.0",
        "builtins.flatgrads_test_function = np.cos",
        "flatgrads_test_constant = 4.0",
        "builtins.flatgrads_test_constant = 5.0",
        "del flatgrads_test_constant",
    )


def test_function_is_rebound(follow):
    """A name that stands for another function has that function's derivative."""
    text = "g = np.sin\ndef f(x):\n    return g(x)\n"
    follow(text, "g = np.cos", "g = math.exp", "g = np.sin")
    follow(text, "g = lambda x: x * x", "g = np.sin", must_read=False)


def test_np_is_rebound(follow):
    """`np` may be any object with such attributes."""
    text = "def f(x):\n    return np.sin(x)\n"
    follow(text, "real_np, np = np, math", "np = real_np", "np = math")
    follow(
        text,
        "import types\nnp = types.SimpleNamespace(sin=math.cos)",
        "np.sin = math.exp",
        "np.sin = math.sin",
        "import numpy\nnp.sin = numpy.cos",
        "import numpy as np",
    )
    follow(text, "import types\nm = types.ModuleType('m')\nm.sin = np.cos\nnp = m", "m.sin = math.exp")


LINE = """
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import same
factor = 2.0
def line(x):
    return 2.0 * x
@rule(line, shape=same, samples=[Sample(real(3))])
def grad_line(x, y, grad_y):
    grad_x = grad_y * factor
    return grad_x
def f(x):
    return line(x) * 3
"""


def test_rule_is_declared_anew(define):
    """What was emitted with a rule is forgotten when the user declares another one, also after a gradient."""
    plain = define(LINE)
    function = flatgrad(wrt="x")(plain)
    assert (function.grad(0.5), function.vjp(0.5)[1](1.0)) == (6.0, 6.0)
    code = "def grad_line(x, y, grad_y):\n    grad_x = grad_y * 20.0\n    return grad_x\n"
    other = define(code + "f = grad_line\n")
    rule(plain.__globals__["line"], shape=same, samples=[Sample(real(3))])(other)
    assert (function.grad(0.5), function.vjp(0.5)[1](1.0)) == (60.0, 60.0)


def test_constant_of_a_rule_is_rebound(define):
    """A global that a user's rule reads is one that the gradient depends on."""
    plain = define(LINE)
    function = flatgrad(wrt="x")(plain)
    assert function.grad(0.5) == 6.0
    plain.__globals__["factor"] = 20.0
    assert function.grad(0.5) == 60.0


def test_helper_with_a_rule_is_rebound(follow):
    """A helper that is defined anew has no rule: an error, not the derivative of the old one."""
    follow(
        LINE,
        "old = line\ndef line(x):\n    return x * x",
        "line = old",
        must_read=False,
    )


def test_change_on_the_way_is_seen_by_the_next_call(define, monkeypatch):
    """A constant that changes while code is written for the old one: the result is that of the new one."""
    plain = define("k = 2.0\n" + TIMES_K)
    function = flatgrad(wrt="x")(plain)
    emit = arguments.emit

    def changing(*args, **kwargs):
        emitted = emit(*args, **kwargs)
        plain.__globals__["k"] = 3.0
        return emitted

    monkeypatch.setattr(arguments, "emit", changing)
    assert function.grad(0.7) == 3.0
    assert function.grad(0.7) == 3.0


def test_unrelated_changes_cost_nothing(define, monkeypatch):
    """Names and attributes that the function does not use may change: nothing is written anew."""
    made = []
    emit = arguments.emit
    monkeypatch.setattr(arguments, "emit", lambda *args, **kwargs: made.append(1) or emit(*args, **kwargs))
    plain = define(
        """
        from types import SimpleNamespace
        cfg = SimpleNamespace(rate=2.0, other=1.0)
        def f(x):
            return x * cfg.rate
        """
    )
    function = flatgrad(wrt="x")(plain)
    assert function.grad(0.7) == 2.0
    plain.__globals__["unrelated"] = 1
    plain.__globals__["cfg"].other = 5.0
    plain.__globals__["cfg"] = type(plain.__globals__["cfg"])(rate=2.0)
    assert function.grad(0.7) == 2.0
    assert len(made) == 1
