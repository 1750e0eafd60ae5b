"""All functions of `jax.numpy`, `.linalg` and `.fft` that NumPy has under the same name are supported here.

Those with a derivative have a rule; those that give whole numbers, truth values, indices or steps are constants.
"""

import types

import numpy as np
import pytest

import flatgrad.frontend.rule_bodies  # noqa: F401 - fills CALLS
import flatgrad.rules  # noqa: F401 - declares the operations
from flatgrad.frontend.call_tables import CALLS
from flatgrad.registry import lookup

jax = pytest.importorskip("jax")
jax_numpy = pytest.importorskip("jax.numpy")
jax_fft = pytest.importorskip("jax.numpy.fft")
jax_linalg = pytest.importorskip("jax.numpy.linalg")

PAIRS = {"numpy": (np, jax_numpy), "numpy.linalg": (np.linalg, jax_linalg), "numpy.fft": (np.fft, jax_fft)}
# functions that are no operations on arrays, and why
NO_OPERATIONS = {
    "are about types and text": (
        "array_repr array_str can_cast get_printoptions isdtype issubdtype iterable printoptions promote_types "
        "result_type set_printoptions broadcast_shapes einsum_path iscomplexobj"
    ),
    "read and write files and memory": "from_dlpack frombuffer fromfile fromstring fromiter load save savez packbits unpackbits",
    "count in cells of a plane or a space, and are refused with an error": "histogram2d histogramdd",
    "call a function that is given": "apply_along_axis apply_over_axes fromfunction frompyfunc mask_indices",
    "change an array in place, which is no gradient of theirs": "place put put_along_axis fill_diagonal",
}
EXCEPTIONS = {f"numpy.{name}": reason for reason, names in NO_OPERATIONS.items() for name in names.split()}


def shared():
    """Return the functions of NumPy that JAX has under the same name, by full name."""
    found = {}
    for module, (own, other) in PAIRS.items():
        for name in dir(other):
            function = getattr(own, name, None)
            is_public = not name.startswith("_") and callable(getattr(other, name))
            if is_public and callable(function) and not isinstance(function, type | types.ModuleType):
                found[f"{module}.{name}"] = function
    return found


FUNCTIONS = shared()


def test_exceptions_are_functions_of_jax():
    """An exception that is none any more is taken out of the list."""
    assert set(EXCEPTIONS) <= set(FUNCTIONS)
    assert [name for name in EXCEPTIONS if lookup(FUNCTIONS[name]) is not None] == []


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(EXCEPTIONS)))
def test_function_of_jax_is_supported(name):
    function = FUNCTIONS[name]
    # np.piecewise calls functions, and is read
    assert lookup(function) is not None or function in CALLS, f"{name} has neither a rule, nor is it a constant"
