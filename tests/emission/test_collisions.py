"""Names that the emitted module wants for itself, used by the user: their code stays right, and the module stays clean."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import keyword
import shutil
import subprocess
import sysconfig

import numpy as np
import pytest

from flatgrad import api, flatgrad
from flatgrad.calling.build import built
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

HEAD = """import math
import numpy
import numpy as np
import numpy as xp


"""
# whole files with a function f of an array and, where it has two parameters, a float
FILES = {
    "gradients": """
def f(grad_x, grad_grad_x):
    grad_y = grad_x * grad_grad_x
    y = np.exp(grad_y) * grad_x
    grad_out = np.sum(y * grad_y)
    return grad_out * grad_grad_x
""",
    "numpy as a parameter": """
def f(np, numpy):
    math = xp.sin(np) * numpy
    return xp.sum(math * np)
""",
    "numpy as a variable": """
def f(x, s):
    numpy = xp.sin(x)
    np = numpy * s
    math = np * np
    return xp.sum(math)
""",
    "steps": """
def f(t0, t2):
    t1 = t0 * t2 + np.sin(t0 * 2)
    t3 = np.sum(t1 * t1)
    return t3 * (t2 + 1) * np.sum(t0)
""",
    "kept": """
def f(saved, s):
    saved0 = saved * s
    total = s
    for saved1 in saved:
        total = np.sin(total) * saved1 + saved1
    return total * np.sum(saved0)
""",
    "tapes": """
def f(x, h):
    h_tape = x * 2.0
    grad_h_part = 0.5
    for k in range(len(x)):
        h = np.tanh(h * h_tape[k] + grad_h_part)
        h = h * h
    return h
""",
    "loops": """
def f(x, k):
    i = 2.0
    turn = x * i
    s = k
    for v in turn:
        s = np.sin(s) * v
        k = k + s * v
    return s * k * i
""",
    "whiles": """
def f(x, turns):
    count = 0
    n = turns * turns + 5.0
    while n > 0.3:
        n = n * 0.5
        count += 1
        turns = turns * np.sin(n)
    return turns * np.sum(x) * count
""",
    "branches": """
def f(x, condition):
    left = x * condition
    if condition > 0.1:
        returned = np.sum(left)
        if returned > 100:
            return returned * condition
        left = left * 2.0
    returned = np.sum(left * left)
    return returned
""",
    "builtins": """
def f(x, len):
    range = x * len
    sum = np.sum(range)
    zip = 0.0
    for list in x:
        zip = zip + list * len
    reversed = sum * zip
    max = min = reversed
    return max * min + abs(zip)
""",
    "builtins as parameters": """
def f(reversed, float):
    enumerate = float
    for k in range(3):
        enumerate = np.sin(enumerate) * reversed[k]
    return enumerate * np.sum(reversed)
""",
    "print": """
def f(x, print):
    y = x * print
    return np.sum(y * y)
""",
    "results": """
def f(out, result):
    value = out * result
    return np.sum(value * value) * result
""",
    "functions of the module": """
def f(f_value_and_grad, f_forward):
    f_backward = f_value_and_grad * f_forward
    return np.sum(f_backward * f_backward)
""",
    "helpers": """
def loss_forward(v, s):
    w = np.tanh(v * s)
    return w * w


def loss(v, s):
    loss_forward = np.sin(v) * s
    return loss_forward * v


def loss_backward(v, s):
    loss = np.cos(v) + s
    return loss * v


def f(x, s):
    a = loss_forward(x, s)
    b = loss(x, s)
    return np.sum(a * b * loss_backward(x, s))
""",
    "helpers named after builtins": """
def sum(v, s):
    total = np.sum(v) * s
    return total * total


def zeros_like(v, s):
    exp = np.exp(v) * s
    return exp * v


def np_(v):
    w = v * v
    return w * 2.0


def f(x, s):
    return sum(x, s) * sum(zeros_like(x, s), s) + np.sum(np_(x))
""",
    "helpers named after variables": """
def grad_x(x, s):
    y = x * s
    return y * y


def t0(v):
    t1 = np.sin(v)
    return t1 * v


def f(x, s):
    y = grad_x(x, s) + t0(x)
    return np.sum(y * x)
""",
    "a function named like its parameter": """
def f(f, s):
    g = f * s

    def h(h):
        f = h * h
        return f * s

    return np.sum(h(g) * f)
""",
    "helpers in loops": """
def step(h, k):
    grad_h = np.sin(h) * k
    return grad_h * h


def f(x, step_forward):
    saved = step_forward
    for step_backward in x:
        saved = step(saved, step_backward)
    return saved
""",
    "unicode": """
def f(ñ, α):
    変数 = ñ * α
    µ = np.mean(変数)
    σ_2 = np.mean((変数 - µ) ** 2)
    ﬁn = np.sum(変数) * σ_2
    return fin * µ
""",
    "underscores": """
def f(_, __s):
    __y__ = _ * __s
    _unread, __z = np.sum(__y__), __y__ * 2
    return np.sum(__z * __z) * _unread
""",
    "soft keywords": """
def f(match, case):
    type = match * case
    _ = type * 2
    return np.sum(_ * type)
""",
    "numbered": """
def f(x, x_2):
    x = x * x_2
    x_3 = x * x
    x = x_3 + x
    t0_2 = np.sum(x)
    return t0_2 * x_2
""",
    "constants": """
out = 2.5
t0 = 0.5
grad_out = 3.0
saved = np.array([1.0, 2.0, 3.0])


def f(x, s):
    y = x * out * saved
    return np.sum(y * y) * t0 * s + grad_out
""",
    "captured": """
def f(x, s):
    np = 3.0
    grad_s = s * np
    inner = lambda v: v * grad_s + np
    return inner(s) * xp.sum(x)
""",
}
BIN = sysconfig.get_path("scripts")
X, S = np.array([0.3, 1.2, -0.7]), 0.8


def module_of(path):
    spec = importlib.util.spec_from_file_location("colliding", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def slopes(f, x, s, step=1e-6):
    gradient = [(f(x + step * e, s) - f(x - step * e, s)) / (2 * step) for e in np.eye(len(x))]
    return np.array(gradient), (f(x, s + step) - f(x, s - step)) / (2 * step)


def read_both_ways(path, style):
    """Return the function, the source that it gives, and the module that its file gives."""
    f = module_of(path).f
    (definition,) = static_definition(Source.read(path), "f")
    first = definition.syntax.params.params[0].name.value
    static, _ = emit_from_annotations(definition, Options(style=style), f"{first}=(n,)")
    return f, str(api.emit(f, X, S, style=style)), static.text


def is_right(f, value, gradients):
    """Check the value bit for bit, and the gradients against differences."""
    assert value == f(X, S)
    for found, expected in zip(gradients, slopes(f, X, S), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("name", FILES)
def test_the_module_is_right(tmp_path, name, style):
    """Joint and split, from the file as from the function: the user's names mean what they mean to the user."""
    path = tmp_path / "colliding.py"
    path.write_text(HEAD + FILES[name].strip() + "\n", encoding="utf-8")
    f, live, static = read_both_ways(path, style)
    assert static.split("\n", 1)[1] == live.split("\n", 1)[1]
    is_right(f, *built(live, "f")["f_value_and_grad"](X, S))
    value, pullback = flatgrad(style=style)(f).vjp(X, S)
    is_right(f, value, pullback(1.0))


@pytest.mark.skipif(shutil.which("ruff", path=BIN) is None, reason="needs ruff")
@pytest.mark.parametrize("style", ["flat", "compact"])
def test_the_modules_are_clean(tmp_path, style):
    """ruff finds nothing in them, such as a name that is not defined or hidden."""
    for name, text in FILES.items():
        path = tmp_path / "colliding.py"
        path.write_text(HEAD + text.strip() + "\n", encoding="utf-8")
        source = str(api.emit(module_of(path).f, X, S, style=style))
        (tmp_path / f"emitted_{name.replace(' ', '_')}.py").write_text(source, encoding="utf-8")
    path.unlink()
    ruff = shutil.which("ruff", path=BIN)
    options = ["--isolated", "--no-cache", "--line-length", "120"]
    for command in (["check", "--select", "F,E4,E7,E9,PLE"], ["format", "--check"]):
        run = subprocess.run([ruff, *command, *options, str(tmp_path)], capture_output=True, text=True)
        assert not run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("name", FILES)
def test_no_name_of_ours_hides_one_of_pythons(tmp_path, name, style):
    """Keywords, builtins and `np` are left to those whose they are; only the user may hide them."""
    path = tmp_path / "colliding.py"
    path.write_text(HEAD + FILES[name].strip() + "\n", encoding="utf-8")
    own = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    own |= {node.arg for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.arg)}
    tree = ast.parse(str(api.emit(module_of(path).f, X, S, style=style)))
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert not {name for name in stored - own if hasattr(builtins, name) or keyword.iskeyword(name)}
