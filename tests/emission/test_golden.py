"""What is emitted for real programs, to the letter; review these files like code.

`pytest tests/emission/test_golden.py --update-golden` writes them anew.
"""

import ast
import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

from flatgrad import api
from flatgrad.calling.differentiable import Differentiable

GOLDEN = Path(__file__).parent / "golden"
STYLES = ("flat", "compact")
# the functions that are also written for Python floats
SCALAR = ("neuron", "huber")
# lines of code in the same functions as a person wrote them by hand, without comments, blank lines and docstrings
LINES_BY_HAND = {
    ("helper", "compact"): 34,
    ("huber", "flat_math"): 22,
    ("neuron", "flat_math"): 19,
    ("rnn", "compact"): 22,
    ("sigmoid_by_hand", "flat"): 17,
    ("sigmoid_by_hand", "compact"): 9,
    ("squared_norm", "flat"): 10,
    ("squared_norm", "compact"): 8,
    ("two_layer", "flat"): 31,
    ("two_layer", "compact"): 19,
}


def arguments_for(name):
    """Return arguments for a golden function."""
    normal = np.random.default_rng(0).normal
    labels = np.array([0, 2, 1, 2])
    return {
        "attention": lambda: (normal(size=(4, 3)), *(normal(size=(3, k)) for k in (2, 2, 5)), normal(size=(4, 5))),
        "gaussian_likelihood": lambda: (normal(size=6), 0.3, -0.2),
        "helper": lambda: tuple(normal(size=size) for size in [(4, 3), 3, 3, (3, 3), 3, 3]),
        "huber": lambda: (-2.0, 0.7),
        "kepler": lambda: (0.8, 0.4),
        "layer_norm": lambda: (normal(size=(4, 3)), normal(size=3), normal(size=3)),
        "logistic_regression": lambda: (normal(size=3), 0.2, normal(size=(5, 3)), np.array([0.0, 1, 1, 0, 1])),
        "logistic_map": lambda: (0.4, 3.6, 20),
        "lstm_cell": lambda: tuple(normal(size=size) for size in [(4, 3), (4, 5), (4, 5), (3, 20), (5, 20), 20]),
        "mixture": lambda: (normal(size=6), normal(size=3), normal(size=3), normal(size=3)),
        "neuron": lambda: (2.0, -1.0, -3.0, -2.0, -3.0),
        "pair_energy": lambda: (1.5 * normal(size=(5, 2)), 0.9),
        "power": lambda: (normal(size=(3, 3)),),
        "rnn": lambda: tuple(normal(size=size) for size in [(6, 3), 4, (4, 3), (4, 4), 4]),
        "robust_regression": lambda: (2 * normal(size=3), 0.2, normal(size=(5, 3)), normal(size=5), 0.8),
        "sigmoid_by_hand": lambda: (2.0, -1.0, -3.0, -2.0, -3.0),
        "softmax_layers": lambda: (normal(size=(4, 3)), labels, *(normal(size=s) for s in [(3, 5), 5, (5, 3), 3])),
        "squared_norm": lambda: (normal(size=(3, 2)), normal(size=2)),
        "two_layer": lambda: (normal(size=(4, 3)), labels, *(normal(size=s) for s in [(3, 5), 5, (5, 3), 3])),
    }[name]()


def loaded(path, name):
    """Return the names that a file defines."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def golden_function(name):
    """Return the function of a golden folder: the last one of its file, below those that it calls."""
    module = loaded(GOLDEN / name / "forward.py", f"golden_{name}")
    return [found for found in module.values() if getattr(found, "__module__", "") == f"golden_{name}"][-1]


def cases():
    """Return every golden file that there is to be: the folder and the stem."""
    for folder in sorted(path.name for path in GOLDEN.iterdir()):
        for style in STYLES:
            yield folder, style
            if folder in SCALAR:
                yield folder, f"{style}_math"


CASES = list(cases())


@pytest.mark.parametrize(("name", "stem"), CASES, ids=["-".join(case) for case in CASES])
def test_text(name, stem, request):
    """The emitted text is the golden one, byte for byte."""
    style, _, target = stem.partition("_")
    text = api.emit(golden_function(name), style=style, target=target or "numpy")
    path = GOLDEN / name / f"{stem}.py"
    if request.config.getoption("--update-golden", default=False):
        path.write_bytes(text.encode())
    assert path.read_bytes().decode() == text


@pytest.mark.parametrize(("name", "stem"), CASES, ids=["-".join(case) for case in CASES])
def test_gradients(name, stem):
    """The golden files compute the value of the function to the last bit, and gradients as differences give them."""
    function = golden_function(name)
    arguments = arguments_for(name)
    module = loaded(GOLDEN / name / f"{stem}.py", "golden_emitted")
    names = list(inspect.signature(function).parameters)
    wrt = function.options.wrt if isinstance(function, Differentiable) else None
    wrt = wrt or [
        name for name, argument in zip(names, arguments, strict=False) if np.asarray(argument).dtype.kind == "f"
    ]
    value, gradients, weights = values_and_gradients(module, function.__name__, arguments)
    for ours, users in zip(value, parts(function(*arguments)), strict=True):
        if stem.endswith("math"):
            assert ours == pytest.approx(users, rel=1e-14)
        else:
            assert np.asarray(ours).tobytes() == np.asarray(users).tobytes()
    for name, gradient in zip(wrt, gradients, strict=False):
        place = names.index(name)
        assert np.shape(gradient) == np.shape(arguments[place])
        differences = central_differences(function, arguments, place, weights)
        np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-7)


def values_and_gradients(module, name, arguments):
    """Return the values, the gradients, and the weights of the values in what the gradients are of."""
    if f"{name}_value_and_grad" in module:
        value, gradients = module[f"{name}_value_and_grad"](*arguments)
        return [value], gradients, [1.0]
    value, saved = module[f"{name}_forward"](*arguments)
    weights = [np.cos(np.arange(part.size)).reshape(part.shape) for part in parts(value)]
    return parts(value), module[f"{name}_backward"](saved, *weights), weights


def parts(value):
    return list(value) if isinstance(value, tuple) else [value]


def central_differences(function, arguments, place, weights, step=1e-6):
    """Return the derivative of the weighted sum of the values by one argument."""
    point = np.array(arguments[place], dtype=float)
    result = np.zeros(point.shape)
    for index in np.ndindex(point.shape):
        sides = []
        for sign in (1, -1):
            moved = point.copy()
            moved[index] += sign * step
            changed = [*arguments[:place], moved if point.ndim else float(moved), *arguments[place + 1 :]]
            sides.append(sum(np.sum(w * part) for w, part in zip(weights, parts(function(*changed)), strict=True)))
        result[index] = (sides[0] - sides[1]) / (2 * step)
    return result


@pytest.mark.parametrize(("name", "stem"), LINES_BY_HAND, ids=["-".join(case) for case in LINES_BY_HAND])
def test_no_longer_than_by_hand(name, stem):
    """The emitted code has at most a tenth more lines than an expert's."""
    assert code_lines((GOLDEN / name / f"{stem}.py").read_text()) <= 1.1 * LINES_BY_HAND[name, stem]


def code_lines(text):
    """Count the lines without comments, blank lines and docstrings."""
    docstrings = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.split("\n"), 1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") for k, line in lines if k not in docstrings)
