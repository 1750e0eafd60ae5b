"""How people name the operations: in full, and as they write them.

In: a function that has a record. Out: text; None for what no user calls. Layer: bottom of `catalogue`.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad import markers, nn
from flatgrad.emission.spelling import module_of, numpy_name
from flatgrad.frontend.wording import OPERATOR_SYMBOLS
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.homes import home_of
from flatgrad.registry import name_of

SYMBOLS = OPERATOR_SYMBOLS | {"neg": "-x", "pos": "+x", "lshift": "<<", "rshift": ">>", "getitem": "x[...]"}
METHODS = "numpy.ndarray"
BUILTINS = "Python"
# modules of flatgrad's that users import from, and what holds their functions
OWN = {"flatgrad.nn": nn, "flatgrad": markers}


def full_name(function: Callable[..., Any]) -> str | None:
    """Return the name by which a function is imported: ``numpy.linalg.norm``; that of an operator is its symbol."""
    home = home_in_scipy(function) or home_of(function)
    if home is not None:
        return ".".join(home)
    if getattr(function, "__objclass__", None) is np.ndarray:
        return f"{METHODS}.{function.__name__}"
    module = module_of(function)
    if module == "_operator":
        return SYMBOLS[function.__name__]
    if module.partition(".")[0] == "flatgrad":
        return next((f"{name}.{function.__name__}" for name, held in OWN.items() if _holds(held, function)), None)
    if module.partition(".")[0] == "numpy":
        return f"numpy.{numpy_name(function)}"
    # what no module holds under its name is known by that alone
    is_there = getattr(sys.modules.get(module), name_of(function), None) is function and module != "__main__"
    return f"{module}.{name_of(function)}" if is_there and module != "builtins" else name_of(function)


def _holds(module: types.ModuleType, function: Callable[..., Any]) -> bool:
    return getattr(module, function.__name__, None) is function


def module_name(full: str) -> str:
    """Return the part of a full name that is a module, or where else the function is from."""
    owner = full.rpartition(".")[0]
    if full in SYMBOLS.values() or not owner:
        return BUILTINS
    # np.maximum.accumulate is from numpy, and stats.norm.logpdf from scipy.stats
    while owner != METHODS and owner not in sys.modules and "." in owner:
        owner = owner.rpartition(".")[0]
    return owner


def written(full: str) -> str:
    """Return a full name as people write it: ``np.linalg.norm``, ``x.flatten``, ``special.expit``, ``nn.relu``."""
    for module, short in ((f"{METHODS}.", "x."), ("numpy.", "np."), ("scipy.", ""), ("flatgrad.", "")):
        if full.startswith(module):
            return short + full.removeprefix(module)
    return full
