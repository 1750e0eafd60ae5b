"""flatgrad writes the backward pass of a Python/NumPy function as flat, readable source.

What reads and writes code is imported when code is written for the first time: a program that finds its code on disk never
imports it.
"""

from flatgrad.api import emit, grad, value_and_grad, vjp
from flatgrad.calling.cache import CacheWarning
from flatgrad.decorator import flatgrad
from flatgrad.errors import FlatgradError
from flatgrad.markers import checkpointed, custom_vjp, edit_gradient, insert_grad_of, stop_gradient
from flatgrad.version import __version__

__all__ = [
    "CacheWarning",
    "FlatgradError",
    "__version__",
    "checkpointed",
    "custom_vjp",
    "edit_gradient",
    "emit",
    "flatgrad",
    "grad",
    "insert_grad_of",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
