"""The libraries whose functions may have rules, and from where users import the functions of SciPy.

In: a function, a method of an object, a class. Out: the public module and the name in it. SciPy is optional: it is looked at
only where it has been imported. Layer: bottom of `functions`.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

LIBRARIES = ("numpy", "scipy")
# SciPy's ufuncs don't tell where they are from
UFUNCS_IN = ("scipy.special",)
# SciPy has two names for these, and `__name__` is not the one that people write
FAMILIAR_NAMES = {"psi": "digamma"}


def home_in_scipy(found: Any) -> tuple[str, str] | None:
    """Return the public module and the name of something of SciPy's: ``("scipy.stats", "norm.logpdf")``; None for all else."""
    if isinstance(found, np.ufunc):
        return None if getattr(np, found.__name__, None) is found else _home_of_ufunc(found)
    module, name = getattr(found, "__module__", None), getattr(found, "__name__", None)
    if not isinstance(module, str) or not module.startswith("scipy."):
        return None
    public = public_module(module)
    if name is None:
        # an object that is called, as scipy.stats.norm is
        name = next((each for each, held in _contents(public) if held is found), None)
    if not isinstance(name, str):
        return None
    if isinstance(found, types.MethodType):
        owner = next((each for each, held in _contents(public) if held is found.__self__), None)
        return None if owner is None else (public, f"{owner}.{name}")
    return public, name


def _home_of_ufunc(function: np.ufunc) -> tuple[str, str] | None:
    for module in UFUNCS_IN:
        if getattr(sys.modules.get(module), function.__name__, None) is function:
            return module, FAMILIAR_NAMES.get(function.__name__, function.__name__)
    return None


def public_module(module: str) -> str:
    """Return the public module that shows what a private one defines: `scipy.special` for `scipy.special._basic`."""
    parts = module.split(".")
    private = next((k for k, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join(parts[:private])


def _contents(module: str) -> list[tuple[str, Any]]:
    return list(vars(sys.modules[module]).items()) if module in sys.modules else []
