"""flatgrad writes the backward pass of a Python/NumPy function as flat, readable source.

The functions here are imported when they are first used, so that ``import flatgrad`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatgrad.api import emit, grad, value_and_grad, vjp
    from flatgrad.decorator import flatgrad
    from flatgrad.errors import FlatgradError
    from flatgrad.markers import stop_gradient

__version__ = "0.1.0"
__all__ = ["FlatgradError", "emit", "flatgrad", "grad", "stop_gradient", "value_and_grad", "vjp"]

_HOMES = {
    "emit": "flatgrad.api",
    "grad": "flatgrad.api",
    "value_and_grad": "flatgrad.api",
    "vjp": "flatgrad.api",
    "FlatgradError": "flatgrad.errors",
    "flatgrad": "flatgrad.decorator",
    "stop_gradient": "flatgrad.markers",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
