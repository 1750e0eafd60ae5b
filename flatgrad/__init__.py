"""flatgrad writes the backward pass of a Python/NumPy function as flat, readable source.

What reads and writes code is imported when code is written for the first time: a program that finds its code on disk never
imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from flatgrad.api import emit, grad, value_and_grad, vjp
from flatgrad.calling.cache import CacheWarning
from flatgrad.decorator import flatgrad
from flatgrad.errors import FlatgradError
from flatgrad.markers import checkpointed, custom_vjp, edit_gradient, insert_grad_of, stop_gradient
from flatgrad.version import __version__

if TYPE_CHECKING:
    from flatgrad.checked_rules import check_rule
    from flatgrad.registry import Kink, Sample, no_gradient, rule

# for those who declare rules: imported when they are asked for
DECLARING = {
    "Kink": "flatgrad.registry",
    "Sample": "flatgrad.registry",
    "check_rule": "flatgrad.checked_rules",
    "no_gradient": "flatgrad.registry",
    "rule": "flatgrad.registry",
}


def __getattr__(name: str) -> Any:
    """Return one of the names for those who declare rules."""
    if name not in DECLARING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(DECLARING[name]), name)


__all__ = [
    "CacheWarning",
    "FlatgradError",
    "Kink",
    "Sample",
    "__version__",
    "check_rule",
    "checkpointed",
    "custom_vjp",
    "edit_gradient",
    "emit",
    "flatgrad",
    "grad",
    "insert_grad_of",
    "no_gradient",
    "rule",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
