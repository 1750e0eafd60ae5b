"""Arrays that a function writes into: no other argument may be the same memory.

In: arguments by name, the places that are written into. Out: an error where another array would change, too, which the
emitted code takes for unchanged. Layer: above `parts`, below `lookup`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flatgrad.errors import SignatureError
from flatgrad.parts import places

# how long NumPy may try to tell whether two strided arrays have an element in common
LONGEST_SEARCH = 10_000


class OverlapError(SignatureError):
    """An array that the function writes into shares memory with another argument."""


def check_overlaps(name: str, arguments: Mapping[str, Any], written: Sequence[str]) -> None:
    """Raise OverlapError where an array that is written into shares memory with another one."""
    leaves = (each for parameter, argument in arguments.items() for each in places(parameter, argument))
    arrays = {place: leaf for place, leaf in leaves if isinstance(leaf, np.ndarray)}
    for place in written:
        for other, array in arrays.items():
            if other != place and place in arrays and _share_memory(arrays[place], array):
                raise OverlapError(
                    f"`{name}` writes into `{place}`, and `{other}` shares memory with it",
                    f"give it a copy: {other}.copy()",
                )


def _share_memory(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    if not np.may_share_memory(one, other):
        return False
    try:
        # any number is allowed, whatever the types of NumPy say
        return np.shares_memory(one, other, max_work=LONGEST_SEARCH)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True
