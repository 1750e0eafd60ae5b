"""The pullback that `vjp` returns: it takes upstream gradients and calls the emitted backward function.

In: a value, what the emitted forward function saved, the emitted backward function. Out: a function. Layer: above `errors`
and `parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from flatgrad.errors import ShapeError, SignatureError
from flatgrad.parts import flat, inside


def pullback_of(
    value: Any, saved: Any, backward: tuple[Callable[..., Any], Sequence[bool]], name: str
) -> Callable[..., Any]:
    """Return the pullback. It takes one upstream gradient for each real value, of that value's shape.

    These come one by one, or in a container such as the value is. `backward` is the emitted function, and tells which parts
    of the value are real.
    """
    run, real = backward
    values = [each for each, is_real in zip(flat(value), real, strict=True) if is_real]
    is_container = inside(value) is not None

    def pullback(*upstream: Any) -> Any:
        if is_container and len(upstream) == 1 and type(upstream[0]) is type(value):
            given = zip(_like(name, value, upstream[0]), real, strict=True)
            upstream = tuple([each for each, is_real in given if is_real])
        if len(upstream) != len(values):
            raise SignatureError(f"the pullback of {name} takes {len(values)} upstream gradients, not {len(upstream)}")
        return run(saved, *map(_upstream_for, values, upstream))

    pullback.__qualname__ = pullback.__name__ = f"{name}_pullback"
    return pullback


def _like(name: str, value: Any, upstream: Any) -> Iterator[Any]:
    """Yield the leaves of a container like the value; None stands for a gradient of zero."""
    parts = inside(value)
    if parts is None:
        yield np.zeros(np.shape(value)) if upstream is None else upstream
        return
    given = inside(upstream)
    if given is None or type(upstream) is not type(value) or given.keys() != parts.keys():
        kind = type(value).__name__
        raise SignatureError(f"the pullback of {name} takes upstream gradients in a {kind} such as the value has")
    for key, part in parts.items():
        yield from _like(name, part, given[key])


def _upstream_for(value: Any, upstream: Any) -> Any:
    """Return an upstream gradient as emitted code expects it: of its value's shape and dtype, or a Python float."""
    if np.shape(upstream) != np.shape(value):
        raise ShapeError(f"the upstream gradient has the shape {np.shape(upstream)}, and the value {np.shape(value)}")
    return np.asarray(upstream, np.asarray(value).dtype) if np.ndim(value) else float(upstream)
