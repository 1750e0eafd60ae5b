"""The parts of a value that a function takes or returns: which of them are real numbers, which decide what is written.

In: a value. Out: its parts, and what they are. NumPy only; layer: the bottom.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """Tell whether an argument is part of the signature by its value: text, truth values, None, and tuples of such."""
    if isinstance(argument, tuple):
        return all(is_static_argument(part) or isinstance(part, int | float) for part in argument)
    return argument is None or isinstance(argument, str | bool | type | np.dtype)
