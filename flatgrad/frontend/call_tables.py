"""Who reads the calls of which functions: the tables that the readers of calls fill.

In: functions, classes, names of methods. Out: what reads their calls. Layer: above `reader` and `array_writes`.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import libcst as cst

from flatgrad.frontend.array_writes import WRITING_CALLS
from flatgrad.frontend.reader import Reader

CallReader = Callable[[Reader, list[Any], dict[str, Any], cst.CSTNode], Any]
# what reads the calls of functions that go through their arguments, or make containers of them
CALLS: dict[Any, CallReader] = {}
# what reads the calls of methods of containers and iterators, by the class of the owner and the name
METHODS: dict[tuple[type, str], CallReader] = {}
# what reads the calls of objects that are made to be called, by their class: the object is the first argument
GETTERS: dict[type, CallReader] = {}


def calls(*functions: Any) -> Callable[[CallReader], CallReader]:
    """Enter the decorated function into CALLS as what reads the calls of these functions."""

    def enter(read: CallReader) -> CallReader:
        CALLS.update(dict.fromkeys(functions, read))
        return read

    return enter


def is_read_here(function: Any) -> bool:
    """Tell whether a function is in CALLS, or changes an array."""
    return is_one_of(function, CALLS) or is_one_of(function, WRITING_CALLS)


def is_one_of(function: Any, functions: Container[Any]) -> bool:
    return type(function).__hash__ is not None and function in functions
