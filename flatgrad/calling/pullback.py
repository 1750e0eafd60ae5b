"""The pullback that `vjp` returns: it takes upstream gradients and calls the emitted backward function.

In: a value, what the emitted forward function saved, the emitted backward function. Out: a function. Layer: above `errors`
and `parts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad.errors import ShapeError, SignatureError
from flatgrad.parts import flat, is_real


def pullback_of(value: Any, saved: Any, backward: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the pullback. It takes one upstream gradient for each real value, of that value's shape."""
    values = [each for each in flat(value) if is_real(each)]

    def pullback(*upstream: Any) -> Any:
        if len(upstream) != len(values):
            raise SignatureError(f"the pullback of {name} takes {len(values)} upstream gradients, not {len(upstream)}")
        return backward(saved, *map(_upstream_for, values, upstream))

    pullback.__qualname__ = pullback.__name__ = f"{name}_pullback"
    return pullback


def _upstream_for(value: Any, upstream: Any) -> Any:
    """Return an upstream gradient as emitted code expects it: of its value's shape and dtype, or a Python float."""
    if np.shape(upstream) != np.shape(value):
        raise ShapeError(f"the upstream gradient has the shape {np.shape(upstream)}, and the value {np.shape(value)}")
    return np.asarray(upstream, np.asarray(value).dtype) if np.ndim(value) else float(upstream)
