"""The parts of a value that a function takes or returns: which of them are real numbers, which decide what is written.

In: a value. Out: its parts, and what they are. NumPy only; layer: the bottom.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np


def flat(value: Any) -> Iterator[Any]:
    """Give the parts of a value in order: what its tuples and lists hold, or the value itself."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from flat(part)
    else:
        yield value


def is_real(part: Any) -> bool:
    """Tell whether a part of a value has a derivative: a float array or number, or a Python int."""
    return is_float(part) or (isinstance(part, int) and not isinstance(part, bool))


def is_float(part: Any) -> bool:
    """Tell whether a part is a Python float, or an array or number of one of NumPy's float types."""
    return isinstance(part, float | np.ndarray | np.generic) and np.asarray(part).dtype.kind == "f"


def is_static_argument(argument: Any) -> bool:
    """Tell whether an argument is part of the signature by its value: text, truth values, None, functions, tuples of such."""
    if isinstance(argument, tuple):
        return all(is_static_argument(part) or isinstance(part, int | float) for part in argument)
    return argument is None or isinstance(argument, str | bool | type | np.dtype) or is_function(argument)


# the class of most of NumPy's functions that are not ufuncs
NUMPY_FUNCTION: type = type(np.sum)


def is_function(argument: Any) -> bool:
    """Tell whether an argument is a function that code can be written for: it is known by what it does, and holds no state.

    These are functions and lambdas, functools.partial, functions of NumPy and of modules in C, decorated functions.
    """
    kind = type(argument)
    if kind is FunctionType or kind is functools.partial or kind is NUMPY_FUNCTION:
        return True
    if isinstance(argument, np.ufunc):
        # what np.frompyfunc makes calls a function that can't be seen
        return "(vectorized)" not in argument.__name__
    if kind is BuiltinFunctionType:
        return argument.__self__ is None or isinstance(argument.__self__, ModuleType | np.ufunc)
    return kind.__module__.partition(".")[0] == "flatgrad" and callable(getattr(argument, "__wrapped__", None))
