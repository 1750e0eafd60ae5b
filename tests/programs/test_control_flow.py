"""Programs with loops, branches and helpers: emitted code returns their values to the last bit, and their derivatives.

The derivatives are held against complex steps through the program itself, against JAX, and for the models that PyTorch
has, against PyTorch's own.
"""

import functools
import importlib.util
import inspect
import sys
import types
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from flatgrad import api
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

HERE = Path(__file__).parent
FILES = ("recurrences", "branches", "helpers_called", "functions_passed")
SIZES = (1, 3)


def loaded(file, imports=None, **names):
    """Return a module of this folder, freshly loaded, with other modules for some that it imports, and other names."""
    spec = importlib.util.spec_from_file_location(f"programs_{file}", HERE / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, imports or {}):
        spec.loader.exec_module(module)
    vars(module).update(names)
    return module


straight = loaded("test_programs")
MODULES = {file: loaded(file) for file in FILES}
FILE_OF = {program: file for file, module in MODULES.items() for program in module.PROGRAMS}
PROGRAMS = {program: make for module in MODULES.values() for program, make in module.PROGRAMS.items()}
SHAPES = {program: text for module in MODULES.values() for program, text in getattr(module, "SHAPES", {}).items()}
BY_NAME = {program.__name__: program for program in PROGRAMS}
# their arguments are functions, which the command line can't be given
WITH_FUNCTIONS = ("rk4_energy", "quadrature")
# they are chaotic, or turn back where rounding decides
SENSITIVE = ("collisions", "escape", "line_search", "logistic_map", "metropolis")
# what they are given decides what code is written
WRITTEN_OUT = ("determinant", "recursive_power", "rk4_energy", "quadrature")
every_program = pytest.mark.parametrize("name", BY_NAME)
every_size = pytest.mark.parametrize("size", SIZES)
every_style = pytest.mark.parametrize("style", straight.STYLES)


def arguments_for(program, size, dtype=np.float64):
    """Return arguments for a program: the same ones each time."""
    normal = np.random.default_rng(5).normal
    made = PROGRAMS[program](lambda *shape: normal(size=shape), size)
    return [a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in made]


def on_real_parts(x):
    """Return |x| as a function that complex steps can go through."""
    return np.where(np.real(x) < 0, -x, x)[()]


def variance(x, axis=None, keepdims=False):
    return np.mean((x - np.mean(x, axis=axis, keepdims=True)) ** 2, axis=axis, keepdims=keepdims)


def complex_erf(x):
    from scipy.special import erf

    return erf(x)


# NumPy and math for complex numbers. They compare by real parts first, so that each branch is taken as it is without the step
NUMPY = types.SimpleNamespace(**{**vars(np), "abs": on_real_parts, "var": variance})
COMPLEX = types.SimpleNamespace(
    **{name: getattr(np, name) for name in ("sin", "cos", "exp", "log", "sqrt", "pi", "inf")},
    acos=np.arccos,
    copysign=lambda size, x: size if np.real(x) >= 0 else -size,
    erf=complex_erf,
)


@functools.cache
def complex_module(file):
    return loaded(file, {"numpy": NUMPY, "math": COMPLEX}, abs=on_real_parts)


def complex_steps(program, arguments, place):
    """Return the derivative by one argument, right to rounding."""
    module = complex_module(FILE_OF[program])
    found = vars(module)[program.__name__]
    arguments = [in_module(argument, module) for argument in arguments]
    return straight.stepwise(arguments, place, lambda at: np.imag(at(1e-30j)) / 1e-30, found)


def in_module(argument, module):
    """Return an argument; a function with the names of a module."""
    if not isinstance(argument, types.FunctionType):
        return argument
    return types.FunctionType(argument.__code__, vars(module), argument.__name__, argument.__defaults__)


def assert_gradients(gradients, program, arguments, reference, rtol=1e-10):
    """Hold gradients against what `reference(program, arguments, place)` returns for each of them."""
    for name, place in straight.differentiable(program, arguments):
        expected = reference(program, arguments, place)
        gradient = getattr(gradients, name)
        assert np.shape(gradient) == np.shape(arguments[place])
        scale = 1 + np.max(np.abs(expected), initial=0.0)
        np.testing.assert_allclose(gradient, expected, rtol=rtol, atol=rtol * scale, err_msg=name)


def assert_same_value(value, expected):
    """Hold a value to another to the last bit, and to its type."""
    assert type(value) is type(expected)
    assert np.asarray(value).tobytes() == np.asarray(expected).tobytes()


@every_program
@every_size
def test_references_agree(name, size):
    """Complex steps and central differences find the same derivatives: the programs are fit to test with."""
    program = BY_NAME[name]
    arguments = arguments_for(program, size)
    for _, place in straight.differentiable(program, arguments):
        exact = complex_steps(program, arguments, place)
        scale = 1 + np.max(np.abs(exact), initial=0.0)
        np.testing.assert_allclose(straight.differences(program, arguments, place), exact, rtol=1e-6, atol=1e-7 * scale)


@every_program
@every_size
@every_style
def test_value_and_gradients(name, size, style):
    """The value is the program's own to the last bit, gradients are the derivatives, and arguments stay as they are."""
    program = BY_NAME[name]
    arguments, given = arguments_for(program, size), arguments_for(program, size)
    value, gradients = api.value_and_grad(program, style=style)(*given)
    assert_same_value(value, program(*arguments))
    for argument, kept in zip(given, arguments, strict=True):
        if isinstance(kept, np.ndarray):
            assert argument.tobytes() == kept.tobytes()
    assert_gradients(gradients, program, arguments, complex_steps)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in WITH_FUNCTIONS])
@every_style
def test_from_the_file(name, style):
    """What is written from the file alone, without running it, computes the same."""
    program = BY_NAME[name]
    arguments = arguments_for(program, 3)
    (definition,) = static_definition(Source.read(HERE / f"{FILE_OF[program]}.py"), name)
    emitted, _ = emit_from_annotations(definition, Options(style=style), SHAPES.get(program))
    names = {"__name__": "emitted"}
    exec(compile(emitted.text, "emitted.py", "exec"), names)
    parameters = inspect.signature(program).parameters
    given = dict(zip(parameters, arguments, strict=False))
    # the code is written for the defaults of what it does not ask for
    defaults = {parameter: parameters[parameter].default for parameter in given if parameter not in emitted.parameters}
    arguments = tuple((given | defaults).values())
    positional = [given[parameter] for parameter in emitted.parameters if parameter in given]
    value, gradients = names[f"{name}_value_and_grad"](*positional)
    assert_same_value(value, program(*arguments))
    found = types.SimpleNamespace(**dict(zip(emitted.wrt, gradients, strict=True)))
    assert_gradients(found, program, arguments, complex_steps)


@every_program
@every_style
def test_single_precision(name, style):
    """With float32 arguments the value stays the program's own, and gradients have the dtype of their variables."""
    program = BY_NAME[name]
    arguments = arguments_for(program, 3, np.float32)
    value, gradients = api.value_and_grad(program, style=style)(*arguments_for(program, 3, np.float32))
    assert_same_value(value, program(*arguments))
    rounded = [a.astype(float) if getattr(a, "dtype", None) == np.float32 else a for a in arguments]
    for parameter, place in straight.differentiable(program, arguments):
        gradient = getattr(gradients, parameter)
        assert np.asarray(gradient).dtype == np.asarray(arguments[place]).dtype
        if name not in SENSITIVE:
            expected = complex_steps(program, rounded, place)
            scale = 1 + np.max(np.abs(expected), initial=0.0)
            np.testing.assert_allclose(gradient, expected, rtol=1e-2, atol=1e-2 * scale)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[("income_tax", (income, 4.0)) for income in (2.0, 9.0, 30.0, 60.0)],
        *[("escape", (x, 0.1)) for x in (-0.1, 0.5, 9.0)],
        *[("cubic_root", (p, q)) for p, q in ((1.5, 1.0), (1.5, -1.0), (-3.0, 1.0), (-3.0, -3.0))],
        *[("first_hit", (at * np.array([1.0, 2.0]), np.array([-0.6, -0.8]), 1.5)) for at in (-2.0, 0.1, 2.0)],
        ("first_hit", (np.array([3.0, -2.0]), np.array([-0.6, -0.8]), 1.5)),
        ("interpolated", (np.array([-1.0, 0.2, 3.0]), np.array([0.0, 0.5, 1.0]), np.array([2.0, 3.0, -1.0]))),
        *[("barrier_option", (1.0, 0.5, barrier, np.array([0.8, -1.0, 0.9]))) for barrier in (1.05, 5.0)],
        ("barrier_option", (1.0, 0.5, 5.0, np.array([-0.8, 0.1]))),
        *[("sir_peak", (0.6, gamma, 0.05, 10)) for gamma in (0.1, 0.9)],
        *[("spline", (x, np.array([0.0, 0.4, 1.0]), np.array([2.0, 3.0, -1.0]))) for x in (-0.2, 0.3, 2.0)],
    ],
)
@every_style
def test_each_way_through(name, arguments, style):
    """Each side of each branch has its own derivative."""
    program = BY_NAME[name]
    value, gradients = api.value_and_grad(program, style=style)(*arguments)
    assert_same_value(value, program(*arguments))
    assert_gradients(gradients, program, arguments, complex_steps)


KNOTS, HEIGHTS = np.array([0.0, 0.4, 1.0]), np.array([2.0, 3.0, -1.0])


@pytest.mark.parametrize(
    ("name", "arguments", "slope"),
    [
        ("income_tax", (4.0, 4.0), 0.0),
        ("income_tax", (14.0, 4.0), 0.0),
        ("income_tax", (44.0, 4.0), 0.45),
        ("golden_fraction", (np.array([3.0]),), [1.0]),
        ("spline", (0.4, KNOTS, HEIGHTS), 0.0),
        ("interpolated", (np.array([0.4]), KNOTS, HEIGHTS), [-4 / 0.6]),
    ],
)
@every_style
def test_on_the_boundary(name, arguments, slope, style):
    """Where a condition just holds, or just fails, the derivative is that of the side that the program takes."""
    program = BY_NAME[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        value, gradients = api.value_and_grad(program, style=style)(*arguments)
    assert_same_value(value, program(*arguments))
    np.testing.assert_allclose(gradients[0], slope, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in WRITTEN_OUT])
@every_style
def test_source_does_not_grow(name, style):
    """The code for more turns is as long as that for few."""
    program = BY_NAME[name]
    few, many = (str(api.emit(program, *arguments_for(program, size), style=style)) for size in (3, 5))
    assert len(few.splitlines()) == len(many.splitlines())


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("rnn", (0, 1)),
        ("gru", (0,)),
        ("kalman", (0,)),
        ("filter_energy", (0,)),
        ("kmeans", (0,)),
        ("clipped_steps", (1,)),
    ],
)
def test_no_turns(name, places):
    """A loop that runs zero times leaves what was there before it, and its gradient."""
    program = BY_NAME[name]
    arguments = arguments_for(program, 3)
    for place in places:
        arguments[place] = arguments[place][:0]
    if name == "kmeans":
        # its mean over nothing is not a number
        with pytest.raises(ZeroDivisionError):
            api.value_and_grad(program)(*arguments)
        return
    value, gradients = api.value_and_grad(program)(*arguments)
    assert_same_value(value, program(*arguments))
    assert_gradients(gradients, program, arguments, complex_steps)


# no arrays, and nothing of NumPy: what the target math is for
SCALAR = (
    "sir_peak", "logistic_map", "bisection", "bouncing_ball", "projectile", "escape", "julia_distance", "income_tax",
    "cubic_root", "pid_controller", "golden_section", "collatz", "cube_root", "eccentric_anomaly", "straddle",
    "implied_volatility", "tangent_fraction", "adaptive_steps", "shooting", "bond_yield", "power", "recursive_power",
    "composed", "thresholds", "mean_of_means", "beta_log_density", "bessel",
)  # fmt: skip


@pytest.mark.parametrize("name", SCALAR)
@every_style
def test_python_floats(name, style):
    """For the target math the value is the program's own, too, and everything is a Python float."""
    program = BY_NAME[name]
    arguments = arguments_for(program, 3)
    emitted = str(api.emit(program, *arguments, style=style, target="math"))
    assert "numpy" not in emitted
    value, gradients = api.value_and_grad(program, style=style, target="math")(*arguments)
    assert value == program(*arguments)
    for parameter, _ in straight.differentiable(program, arguments):
        assert type(getattr(gradients, parameter)) is float
    assert_gradients(gradients, program, arguments, complex_steps)


@every_program
def test_against_jax(name):
    """The gradients are those of JAX."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    program = BY_NAME[name]
    arguments = arguments_for(program, 3)
    names = ("sin", "cos", "exp", "log", "sqrt", "acos", "copysign", "pi", "inf")
    in_jax = {own: getattr(jax.numpy, own) for own in names} | {"erf": jax.scipy.special.erf}
    module = loaded(FILE_OF[program], {"numpy": jax.numpy, "math": types.SimpleNamespace(**in_jax)})
    places = straight.differentiable(program, arguments)
    given = [jax.numpy.asarray(a) if isinstance(a, np.ndarray | float) else in_module(a, module) for a in arguments]
    by_jax = jax.grad(in_positions(vars(module)[name], given, places))([given[place] for _, place in places])
    gradients = api.grad(program)(*arguments_for(program, 3))
    found = {place: np.asarray(gradient) for (_, place), gradient in zip(places, by_jax, strict=True)}
    assert_gradients(gradients, program, arguments, lambda program, arguments, place: found[place], rtol=1e-8)


def in_positions(function, arguments, places):
    """Return a function of those arguments alone that have gradients."""

    def of_these(chosen):
        filled = list(arguments)
        for (_, place), argument in zip(places, chosen, strict=True):
            filled[place] = argument
        return function(*filled)

    return of_these


IN_TORCH = (
    "rnn", "lstm", "gru", "kalman", "hmm", "viterbi_score", "horner", "cube_root", "eccentric_anomaly", "determinant",
    "straddle", "implied_volatility", "tangent_fraction", "power", "composed", "lagrange", "clenshaw", "beta_log_density",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_TORCH)
def test_against_torch(name):
    """Models that PyTorch has, or that have a closed form there, have its values and gradients."""
    torch = pytest.importorskip("torch")
    in_torch = loaded("in_torch")
    program = BY_NAME[name]
    arguments = arguments_for(program, 3)
    places = straight.differentiable(program, arguments)
    given = [torch.tensor(a, dtype=torch.float64) if isinstance(a, float) else a for a in arguments]
    given = [torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in given]
    chosen = [given[place].requires_grad_() for _, place in places]
    expected = getattr(in_torch, name)(*given)
    by_torch = torch.autograd.grad(expected, chosen, allow_unused=True)
    value, gradients = api.value_and_grad(program)(*arguments)
    assert float(value) == pytest.approx(expected.item(), rel=1e-8)
    for (parameter, place), wanted in zip(places, by_torch, strict=True):
        if parameter in in_torch.OPEN.get(name, ()):
            continue
        wanted = np.zeros_like(arguments[place]) if wanted is None else wanted.numpy()
        scale = 1 + np.max(np.abs(wanted))
        np.testing.assert_allclose(getattr(gradients, parameter), wanted, rtol=1e-8, atol=1e-8 * scale)
