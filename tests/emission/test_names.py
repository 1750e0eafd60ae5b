"""Names in emitted code: the user's stay, ours give way, and none is taken twice."""

import ast
import builtins
import keyword
import linecache
import symtable

import numpy as np
import pytest

from flatgrad import api, nn
from flatgrad.emission.names import Names
from flatgrad.graph.values import FLOAT, Value

X = np.array([0.3, -1.2, 0.7])


def defined(text, **names):
    """Return the function `f` that a text defines."""
    filename = f"<test {hash(text)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace = {"np": np, **names}
    exec(compile(text, filename, "exec"), namespace)
    return namespace["f"]


# each function has names that the emitted module would like to have for itself
COLLISIONS = {
    "temporaries": ("def f(t0, t2):\n    t1 = t0 * t2 + 1\n    return (t1 * t0 + t2) * (t0 + 1)\n", {}),
    "gradients": (
        "def f(x, grad_x):\n    grad_y = x * grad_x\n    y = grad_y * x\n    return y * grad_y + grad_x\n",
        {},
    ),
    "upstream": ("def f(grad_out, out):\n    return grad_out * out + out * out\n", {}),
    "numpy": ("def f(np, x):\n    return sigmoid(np) * x + np\n", {"sigmoid": nn.sigmoid}),
    "functions": (
        "def f(exp, log):\n    return sigmoid(exp) * softplus(log)\n",
        {"sigmoid": nn.sigmoid, "softplus": nn.softplus},
    ),
    "helpers": ("def f(sigmoid, x):\n    return s(sigmoid) * x + x\n", {"s": nn.sigmoid}),
    "constants": (
        "def f(x, t1):\n    grad_x = x * C * t0\n    return grad_x * D + t1 * np.float64(2)\n",
        {"C": 2.0, "D": 3.0, "t0": 0.5},
    ),
    "results": ("def f(x, f_value_and_grad):\n    return x * f_value_and_grad + x\n", {}),
    "builtins": ("def f(float, max, x):\n    len = x * float\n    return len * max + abs(x)\n", {}),
    "again": ("def f(x, y):\n    x = x * y\n    x = x * x\n    x_2 = x + y\n    return x_2 * x\n", {}),
    "saved": ("def f(saved, x):\n    return saved * x + saved\n", {}),
}
ARGUMENTS = (0.7, 1.3, 0.4)


@pytest.mark.parametrize("target", ["numpy", "math"])
@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("text", COLLISIONS, ids=list(COLLISIONS))
def test_collision(text, style, target):
    """A user's name that we would use, too, changes nothing in the numbers."""
    source, names = COLLISIONS[text]
    function = defined(source, **names)
    if target == "math" and "np." in source:
        pytest.skip("speaks of NumPy")
    given = ARGUMENTS[: function.__code__.co_argcount]
    value, gradients = api.value_and_grad(function, style=style, target=target)(*given)
    assert value == pytest.approx(function(*given), rel=1e-14)
    for place, gradient in enumerate(gradients):
        sides = [[*given[:place], given[place] + step, *given[place + 1 :]] for step in (1e-6, -1e-6)]
        assert gradient == pytest.approx((function(*sides[0]) - function(*sides[1])) / 2e-6, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("text", COLLISIONS, ids=list(COLLISIONS))
def test_each_name_is_assigned_once(text, style):
    """No name stands for two things, and none of ours hides a builtin, a keyword or an import."""
    source, names = COLLISIONS[text]
    function = defined(source, **names)
    given = ARGUMENTS[: function.__code__.co_argcount]
    module = ast.parse(api.emit(function, *given, style=style))
    (emitted,) = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("f_")]
    own = [arg.arg for arg in (*emitted.args.args, *emitted.args.kwonlyargs)]
    for node in ast.walk(emitted):
        if isinstance(node, ast.Assign):
            own += [target.id for target in node.targets if isinstance(target, ast.Name)]
    assert len(set(own)) == len(own)
    ours = set(own) - set(function.__code__.co_varnames)
    assert not {name for name in ours if hasattr(builtins, name) or keyword.iskeyword(name)}
    above = {name for node in module.body for name in defined_names(node)}
    assert not ours & above


def defined_names(node):
    """Return the names that a statement of a module defines."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    return {target.id for target in getattr(node, "targets", ())}


@pytest.mark.parametrize("text", COLLISIONS, ids=list(COLLISIONS))
def test_every_name_is_defined(text):
    """The module and its helpers use no name that is not theirs."""
    source, names = COLLISIONS[text]
    function = defined(source, **names)
    given = ARGUMENTS[: function.__code__.co_argcount]
    for target in ("numpy", "math"):
        if target == "math" and "np." in source:
            continue
        table = symtable.symtable(api.emit(function, *given, target=target), "emitted.py", "exec")
        known = set(table.get_identifiers()) | set(dir(builtins))
        for inner in table.get_children():
            assert {symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global()} <= known


def test_users_names_stay():
    """Variables keep their names; a reassigned one gets a number."""
    text = api.emit(defined("def f(x):\n    h = x * x\n    h = h * x\n    return np.sum(h)\n"), X)
    assert "    h = x * x\n    h_2 = h * x\n" in text
    assert "grad_h_2 = " in text
    assert "grad_h = " in text


def test_names_are_given_once():
    """A value keeps its name, and two values never share one."""
    names = Names({"np", "t0"}, {"x", "grad_y"})
    x, y, again = (Value(FLOAT, name) for name in ("x", "y", "x"))
    names.parameter(x, "x")
    unnamed = [Value(FLOAT) for _ in range(3)]
    gradient = Value(FLOAT, primal=y)
    given = [names.name(value) for value in (x, y, again, *unnamed, gradient)]
    assert given == ["x", "y", "x_2", "t1", "t2", "t3", "grad_y_2"]
    assert [names.name(value) for value in (x, y, again, *unnamed, gradient)] == given


def test_steps_of_a_rule_have_its_names():
    """What a rule calls its steps says more than `t0`."""
    f = defined("def f(x):\n    return np.sum(np.corrcoef(x) ** 2)\n")
    text = str(api.emit(f, np.arange(6.0).reshape(2, 3) ** 2))
    assert "    unit = centered / length\n" in text
    assert "t0 = unit" not in text


def test_names_of_a_rule_give_way_to_those_of_the_user():
    """The names of rules are taken as little as any others of ours."""
    f = defined("def f(x, unit):\n    centered = x * unit\n    return np.sum(np.corrcoef(centered) ** 2)\n")
    text = str(api.emit(f, np.arange(6.0).reshape(2, 3) ** 2, np.ones((2, 3))))
    assert "    centered = x * unit\n" in text
    assert "    unit_2 = centered_2 / length\n" in text
    assert "    grad_unit = grad_centered * x\n" in text
