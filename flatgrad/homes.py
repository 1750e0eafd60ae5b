"""From where the functions of users' rules are imported.

In: functions, or their names. Out: the module and the name of each. The functions of NumPy, SciPy and `math` are not in here:
emitted code has its own way to import them. Layer: above `functions`, below `registry`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

from flatgrad.functions.libraries import home_in_scipy, public_module

Function = Callable[..., Any]

_homes: dict[Function, tuple[str, str]] = {}


def found_function(function: Function | str) -> Function:
    """Return a function that is given by its name, and note where it is from. Raises ImportError and AttributeError."""
    if not isinstance(function, str):
        return function
    module, name, found = _imported(function)
    _homes[found] = (module, name)
    return found


def _imported(dotted: str) -> tuple[str, str, Function]:
    """Return the module of a dotted name, the name in it, and what is there. Raises ImportError and AttributeError."""
    parts = dotted.split(".")
    count = 1
    importlib.import_module(parts[0])
    while count < len(parts) - 1 and _is_module(".".join(parts[: count + 1])):
        count += 1
    module, name = ".".join(parts[:count]), ".".join(parts[count:])
    if not name:
        raise ImportError(f"`{dotted}` names no function in a module, as vendor.smooth does")
    return module, name, attrgetter(name)(importlib.import_module(module))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        # what is before its last part is no package
        return False


def note_home(function: Function) -> None:
    """Note where a function of a user's rule is imported from. Raises TypeError for what can't be told."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if function in _homes or _is_spelled(function, module):
        return
    if isinstance(module, str) and isinstance(name, str) and module != "__main__" and "<" not in name:
        for home in (public_module(module), module):
            found: Any = sys.modules.get(home)
            for part in name.split("."):
                found = getattr(found, part, None)
            if found is function:
                _homes[function] = (home, name)
                return
    if not isinstance(function, types.FunctionType):
        kind = type(function).__name__
        raise TypeError(
            f"this {kind} does not know its name: declare its rule by that, as in @rule('vendor.smooth', ...)"
        )


def _is_spelled(function: Function, module: str | None) -> bool:
    """Tell whether a function is one of those that emitted code has its own way to import."""
    owner = getattr(function, "__self__", None) or getattr(function, "__objclass__", None)
    if isinstance(owner, np.ufunc) or owner is np.ndarray or home_in_scipy(function) is not None:
        return True
    if isinstance(function, np.ufunc):
        return getattr(np, function.__name__, None) is function
    return (module or "").partition(".")[0] in ("numpy", "math", "builtins", "_operator")


def home_of(function: Any) -> tuple[str, str] | None:
    """Return the module that a function of a user's rule is imported from, and its name there; None for all else."""
    try:
        return _homes.get(function)
    except TypeError:
        return None


def declared_at(module: str, name: str) -> Function | None:
    """Return what a module that has been imported holds under a name, where that is a function of a user's rule."""
    found = getattr(sys.modules.get(module), name, None)
    return found if home_of(found) is not None else None


def has_rules_under(module: str) -> bool:
    """Tell whether users have declared rules for functions of a module, or of one inside of it."""
    return any(home == module or home.startswith(f"{module}.") for home, _ in _homes.values())
