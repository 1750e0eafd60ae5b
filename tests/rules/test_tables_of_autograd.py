"""All that autograd differentiates has a rule here: its own tables are read.

autograd keeps its vector-Jacobian products by function in one dict. What is in there and is no function of NumPy or SciPy
is a part of how autograd itself works.
"""

import importlib

import pytest

from flatgrad.registry import lookup
from flatgrad.rules.scipy_functions import declare_installed

pytest.importorskip("autograd")
scipy = pytest.importorskip("scipy")
core = pytest.importorskip("autograd.core")
signal = pytest.importorskip("scipy.signal")
special = pytest.importorskip("scipy.special")

declare_installed()
MODULES = (
    "numpy", "numpy.linalg", "numpy.fft", "numpy.random", "scipy.integrate", "scipy.linalg", "scipy.signal",
    "scipy.special", "scipy.stats",
)  # fmt: skip
for module in MODULES:
    importlib.import_module(f"autograd.{module}")

# autograd writes these anew, under the name that they have in SciPy
WRITTEN_ANEW = {"autograd.scipy.signal.convolve": signal.convolve}
# has the derivative 0 wherever it has one
CONSTANTS = {special.gammasgn}
# differentiated by autograd, and refused here with an error
EXCEPTIONS = {
    "scipy.integrate._odepack_py.odeint": "calls a function that is given; a loop of steps can be differentiated",
    "scipy.linalg._basic.solve_banded": "takes the diagonals of a matrix; np.linalg.solve takes the matrix",
    "scipy.stats._multivariate.entropy": "is half a np.linalg.slogdet",
}


def full_name(function):
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__name__", str(function))
    return f"{module}.{owner.name}.{name}" if hasattr(owner, "name") else f"{module}.{name}"


def differentiated():
    """Return the functions of NumPy and SciPy that autograd has a derivative for, by name."""
    found = {}
    for primitive in core.primitive_vjps:
        function = getattr(primitive, "fun", primitive)
        function = WRITTEN_ANEW.get(full_name(function), function)
        name = full_name(function).removeprefix(".")
        if not name.startswith("autograd."):
            found[name] = function
    return found


FUNCTIONS = differentiated()


def test_the_tables_are_read():
    """They have all of the families; a name that moved in autograd would be missed here."""
    assert len(FUNCTIONS) > 180
    assert {"numpy.tile", "numpy.tanh", "numpy.linalg.svd", "numpy.fft.rfft2", "logit"} <= set(FUNCTIONS)


def test_exceptions_are_functions_of_autograd():
    """An exception that is none any more is taken out of the list."""
    assert set(EXCEPTIONS) <= set(FUNCTIONS)
    assert [name for name in EXCEPTIONS if lookup(FUNCTIONS[name]) is not None] == []


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(EXCEPTIONS)))
def test_function_of_autograd_has_a_rule(name):
    record = lookup(FUNCTIONS[name])
    assert record is not None, f"{name} has no rule"
    assert (record.gradient is None) == (FUNCTIONS[name] in CONSTANTS), f"{name} has no gradient"
