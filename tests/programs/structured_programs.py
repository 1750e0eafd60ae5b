"""The programs with containers, classes and arrays in place, as they are and with other libraries in NumPy's place.

In: the files of programs beside this one. Out: functions by name, their arguments, their derivatives by complex steps.
"""

import copy
import functools
import importlib.util
import inspect
import itertools
import sys
import types
from pathlib import Path
from unittest import mock

import argument_trees
import numpy as np

HERE = Path(__file__).parent
FILES = (
    "structured_sequences",
    "structured_networks",
    "structured_classes",
    "in_place_simulations",
    "in_place_tables",
    "in_place_algebra",
    "in_place_statistics",
    "in_place_users",
)
ALLOCATING = (
    "array", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like", "zeros", "zeros_like",
)  # fmt: skip


def loaded(file, imports=None, **names):
    """Return a module of this folder, freshly loaded, with other modules for some that it imports, and other names."""
    spec = importlib.util.spec_from_file_location(f"{'other_' * bool(imports)}{file}", HERE / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, imports or {}):
        spec.loader.exec_module(module)
    vars(module).update(names)
    if not imports:
        sys.modules[spec.name] = module
    return module


MODULES = {file: loaded(file) for file in FILES}
FILE_OF = {program.__name__: file for file, module in MODULES.items() for program in module.PROGRAMS}
BY_NAME = {program.__name__: program for module in MODULES.values() for program in module.PROGRAMS}


def arguments_for(name, size):
    """Return arguments for a program: the same ones each time."""
    normal = np.random.default_rng(7).normal
    return list(MODULES[FILE_OF[name]].PROGRAMS[BY_NAME[name]](lambda *shape: normal(size=shape), size))


def on_real_parts(x):
    """Return |x| as a function that complex steps can go through."""
    return np.where(np.real(x) < 0, -x, x)[()]


def variance(x, axis=None, keepdims=False):
    return np.mean((x - np.mean(x, axis=axis, keepdims=True)) ** 2, axis=axis, keepdims=keepdims)


def of_complex_numbers(allocate):
    """Return a function that makes arrays of complex numbers where NumPy's makes floats."""

    def allocated(*arguments, **options):
        made = allocate(*arguments, **options)
        return made.astype(complex) if made.dtype.kind == "f" else made

    return allocated


# NumPy and math for complex numbers. They compare by real parts first, so that each branch is taken as it is without the step
NUMPY = types.SimpleNamespace(
    **{
        **vars(np),
        **{name: of_complex_numbers(getattr(np, name)) for name in ALLOCATING},
        "abs": on_real_parts,
        "var": variance,
        "sign": lambda x: np.sign(np.real(x)),
        "floor": lambda x: np.floor(np.real(x)),
    }
)
MATH = types.SimpleNamespace(**{name: getattr(np, name) for name in ("sin", "cos", "exp", "log", "sqrt", "pi")})


@functools.cache
def complex_module(file):
    return loaded(file, {"numpy": NUMPY, "math": MATH}, abs=on_real_parts)


def in_module(name, module):
    """Return the program of this name in a module, for arguments with objects of the classes as they are."""
    program = functools.reduce(getattr, BY_NAME[name].__qualname__.split("."), module)

    def called(*arguments):
        return program(*argument_trees.changed(arguments, lambda leaf: leaf, vars(module)))

    return called


@functools.cache
def complex_steps(name, size):
    """Return the derivatives by the real leaves of the arguments, right to rounding, by their places."""
    return argument_trees.complex_steps(in_module(name, complex_module(FILE_OF[name])), arguments_for(name, size))


def value_and_left(name, size):
    """Return what the program returns, and its arguments as it leaves them."""
    arguments = copy.deepcopy(arguments_for(name, size))
    return BY_NAME[name](*arguments), arguments


def parameters_of(name):
    """Return the names of the program's parameters."""
    return list(inspect.signature(BY_NAME[name]).parameters)


def real_arguments(name, size, convert):
    """Return the program's arguments with their real leaves converted, and what these have become, by place."""
    arguments = arguments_for(name, size)
    chosen = {place: convert(leaf) for place, leaf in argument_trees.real_leaves(arguments)}
    return with_leaves(arguments, chosen), chosen


def with_leaves(arguments, chosen):
    """Return the arguments with other leaves in some places."""
    numbers = itertools.count()

    def replaced(leaf):
        place = next(numbers)
        return chosen.get(place, leaf)

    return argument_trees.changed(arguments, replaced)
