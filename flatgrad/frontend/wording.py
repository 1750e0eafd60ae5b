"""Words of messages: what a function is called, and what an item of a program is.

In: functions and items as the reader has them. Out: text. Layer: above `static_objects`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad.frontend.placeholders import Bound
from flatgrad.frontend.static_objects import StaticCall
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.graph.containers import Dict, List, Record
from flatgrad.graph.values import Value
from flatgrad.parts import Opaque
from flatgrad.registry import name_of

OPERATOR_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "neg": "-", "pos": "+", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "getitem": "[]",
    "and_": "&", "or_": "|", "xor": "^", "invert": "~", "not_": "not",
}  # fmt: skip


def called(function: Callable[..., Any]) -> str:
    """Return a function's name as the user writes it."""
    home = home_in_scipy(function)
    if home is not None:
        return f"`{'.'.join(home)}`"
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__name__", str(function))
    symbol = OPERATOR_SYMBOLS.get(name) if module == "_operator" else None
    if symbol:
        return f"`{symbol}`"
    if isinstance(getattr(function, "__self__", None), np.ufunc):
        return f"`np.{name_of(function)}`"
    if module.startswith("numpy"):
        return f"`np{module.removeprefix('numpy')}.{name}`"
    return f"`{module}.{name}`" if module not in ("", "builtins", "_operator") else f"`{name}`"


def described(item: Any) -> str:
    """Return in words what an item of the program is."""
    if isinstance(item, Value):
        return "a list" if item.type.is_list else "an array" if item.rank else "a number"
    if isinstance(item, str):
        return "a string"
    if item is None:
        return "None"
    if isinstance(item, Record):
        return f"a {getattr(item.kind, 'name', None) or item.kind.__name__}"
    if isinstance(item, frozenset):
        return "a set"
    if isinstance(item, tuple):
        return {List: "a list", Dict: "a dict"}.get(type(item), "a tuple")
    if isinstance(item, Bound):
        return f"`{item.name}` of an object that is not read"
    if isinstance(item, Opaque):
        return f"a {item.kind}"
    if isinstance(item, StaticCall):
        return f"`{item.name}`, which is made by a call that is not run"
    if type(item).__module__.startswith("flatgrad.frontend.") and isinstance(getattr(item, "name", None), str):
        return f"the function `{item.name}`"
    if isinstance(item, type) or callable(item):
        return f"the function {called(item)}"
    return f"a {type(item).__name__}"
