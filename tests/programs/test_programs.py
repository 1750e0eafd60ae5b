"""Programs as people write them: the emitted code returns their values and their derivatives, whatever the style and dtype."""

import importlib.util
import inspect
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from flatgrad import api, nn

FILES = ("networks", "likelihoods", "science")
STYLES = ("flat", "compact")
SIZES = (1, 2, 4)
SCALAR = ("kepler", "pendulum_step", "black_scholes")


def programs():
    """Return the programs of the files beside this one, with what makes their arguments."""
    found = {}
    for file in FILES:
        spec = importlib.util.spec_from_file_location(f"programs_{file}", Path(__file__).parent / f"{file}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= module.PROGRAMS
    return found


PROGRAMS = programs()
every_program = pytest.mark.parametrize("program", list(PROGRAMS), ids=lambda program: program.__name__)
every_style = pytest.mark.parametrize("style", STYLES)
every_size = pytest.mark.parametrize("size", SIZES)


def arguments_for(program, size, dtype=np.float64):
    """Return arguments for a program: the same ones each time."""
    generator = np.random.default_rng(3)
    made = PROGRAMS[program](lambda *shape: generator.normal(size=shape), size)
    is_float = [isinstance(argument, np.ndarray) and argument.dtype.kind == "f" for argument in made]
    return [argument.astype(dtype) if floats else argument for argument, floats in zip(made, is_float, strict=True)]


def differentiable(program, arguments):
    """Return the name and the place of each argument that has a gradient."""
    names = inspect.signature(program).parameters
    return [
        (name, k) for k, name in enumerate(names) if k < len(arguments) and np.asarray(arguments[k]).dtype.kind == "f"
    ]


def differences(program, arguments, place):
    """Return the derivative by one argument by central differences of fourth order."""
    return stepwise(arguments, place, lambda at: (8 * (at(1e-4) - at(-1e-4)) - (at(2e-4) - at(-2e-4))) / 12e-4, program)


def complex_steps(program, arguments, place):
    """Return the derivative by one argument by complex steps; wrong where a function is not analytic."""
    return stepwise(arguments, place, lambda at: np.imag(at(1e-30j)) / 1e-30, program)


def stepwise(arguments, place, slope, program):
    point = np.asarray(arguments[place], dtype=float)
    result = np.zeros(point.shape)
    for index in np.ndindex(point.shape):

        def at(step, index=index):
            moved = point.astype(np.result_type(point, type(step)))
            moved[index] += step
            moved = moved if point.ndim else moved[()]
            return program(*arguments[:place], moved, *arguments[place + 1 :])

        result[index] = slope(at)
    return result


@every_program
@every_size
@every_style
def test_value_and_gradients(program, size, style):
    """The value is the program's own to the last bit, and the gradients are the derivatives."""
    arguments = arguments_for(program, size)
    value, gradients = api.value_and_grad(program, style=style)(*arguments_for(program, size))
    users = program(*arguments)
    assert np.asarray(value).tobytes() == np.asarray(users).tobytes()
    assert type(value) is type(users)
    for name, place in differentiable(program, arguments):
        gradient = getattr(gradients, name)
        assert np.shape(gradient) == np.shape(arguments[place])
        expected = differences(program, arguments, place)
        scale = 1 + np.max(np.abs(expected), initial=0.0)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8 * scale)


@every_program
def test_complex_steps(program):
    """Where the program takes complex numbers, the gradients are right to the last digits."""
    arguments = arguments_for(program, 3)
    gradients = api.grad(program)(*arguments_for(program, 3))
    for name, place in differentiable(program, arguments):
        with warnings.catch_warnings():
            # a part of a complex number is thrown away where a function is not analytic
            warnings.simplefilter("ignore")
            try:
                exact = complex_steps(program, arguments, place)
            except TypeError:
                continue
        if np.allclose(exact, differences(program, arguments, place), rtol=1e-5, atol=1e-5):
            scale = 1 + np.max(np.abs(exact), initial=0.0)
            np.testing.assert_allclose(getattr(gradients, name), exact, rtol=1e-10, atol=1e-12 * scale)


@every_program
@every_size
@every_style
def test_single_precision(program, size, style):
    """With float32 arguments the value stays the program's own, and gradients have the dtype of their variables."""
    arguments = arguments_for(program, size, np.float32)
    value, gradients = api.value_and_grad(program, style=style)(*arguments_for(program, size, np.float32))
    assert np.asarray(value).tobytes() == np.asarray(program(*arguments)).tobytes()
    rounded = [a.astype(float) if np.asarray(a).dtype == np.float32 else a for a in arguments]
    expected = api.grad(program)(*rounded)
    for name, place in differentiable(program, arguments):
        gradient = getattr(gradients, name)
        assert np.asarray(gradient).dtype == np.asarray(arguments[place]).dtype
        scale = 1 + np.max(np.abs(getattr(expected, name)), initial=0.0)
        np.testing.assert_allclose(gradient, getattr(expected, name), rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("name", SCALAR)
@every_style
def test_python_floats(name, style):
    """For the target math, values and gradients are those of the target numpy but for the last digits."""
    program = next(program for program in PROGRAMS if program.__name__ == name)
    arguments = arguments_for(program, 1)
    value, gradients = api.value_and_grad(program, style=style, target="math")(*arguments)
    assert type(value) is float
    assert value == pytest.approx(program(*arguments), rel=1e-14)
    assert gradients == pytest.approx(api.grad(program)(*arguments), rel=1e-12)


@every_program
def test_against_jax(program):
    """The gradients are those of JAX."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    arguments = arguments_for(program, 3)
    places = differentiable(program, arguments)
    given = [jax.numpy.asarray(a) if isinstance(a, np.ndarray | float) else a for a in arguments]
    expected = jax.grad(in_jax(program, jax), argnums=[place for _, place in places])(*given)
    gradients = api.grad(program)(*arguments_for(program, 3))
    for (name, _), wanted in zip(places, expected, strict=True):
        scale = 1 + np.max(np.abs(wanted), initial=0.0)
        np.testing.assert_allclose(getattr(gradients, name), wanted, rtol=1e-9, atol=1e-11 * scale)


def in_jax(function, jax):
    """Return a function with jax.numpy in the place of NumPy and of math."""
    functions = {name: getattr(jax.numpy, name) for name in ("sin", "cos", "exp", "log", "sqrt", "pi")}
    names = {"np": jax.numpy, "math": types.SimpleNamespace(erf=jax.scipy.special.erf, **functions)}
    for name, found in function.__globals__.items():
        if getattr(nn, name, None) is found and callable(found):
            names[name] = getattr(jax.nn, name)
    return types.FunctionType(function.__code__, function.__globals__ | names, None, function.__defaults__)
