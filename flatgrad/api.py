"""`emit`, `value_and_grad`, `grad` and `vjp` as functions on functions.

In: a Python function, decorated or not, and options. Out: source, or functions that compute gradients: those that the
decorator gives. Layer: above `decorator`, below `cli`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from flatgrad.calling.display import Source
from flatgrad.decorator import Wrt, flatgrad

P = ParamSpec("P")
R = TypeVar("R")


def emit(
    function: Callable[..., Any],
    /,
    *args: Any,
    wrt: Wrt = None,
    shapes: str | Mapping[str, Any] | None = None,
    style: str | None = None,
    target: str | None = None,
    **kwargs: Any,
) -> Source:
    """Return the source of a module with the backward pass of `function`.

    With arguments it is written for arguments such as these; without, for what annotations and `shapes` say
    (``shapes="X=(n,d) params.W=(d,h) len(layers)=2 layers[*].b=(h,)"``, or a mapping such as
    ``{"X": ("n", "d"), "params": {"W": ("d", "h")}}``). `wrt`, `style` ("flat" or "compact") and `target`
    ("numpy" or "math") are as in the decorator, whose choices they override. Raises FlatgradError.
    """
    chosen = flatgrad(wrt=wrt, style=style, target=target)(function)
    return chosen.emit(*args, **kwargs) if args or kwargs else chosen.source_for(shapes)


def value_and_grad(
    function: Callable[P, R], wrt: Wrt = None, *, style: str | None = None, target: str | None = None
) -> Callable[P, tuple[R, Any]]:
    """Return a function that returns the value of `function` and its gradients.

    The gradients are a named tuple with a field for each parameter in `wrt`, or, where `wrt` is one name, the bare
    gradient. Each has the shape and dtype of its argument. Raises FlatgradError, at the call.
    """
    return flatgrad(wrt=wrt, style=style, target=target)(function).value_and_grad


def grad(
    function: Callable[P, Any], wrt: Wrt = None, *, style: str | None = None, target: str | None = None
) -> Callable[P, Any]:
    """Return a function that returns the gradients of `function`: see `value_and_grad`."""
    return flatgrad(wrt=wrt, style=style, target=target)(function).grad


def vjp(function: Callable[..., R], /, *args: Any, wrt: Wrt = None, **kwargs: Any) -> tuple[R, Callable[..., Any]]:
    """Return the value of `function` and its pullback.

    The pullback takes the upstream gradient, of the value's shape (one for each real value where there are several), and
    returns a tuple of gradients, or the bare one where `wrt` is one name. Raises FlatgradError.
    """
    return flatgrad(wrt=wrt)(function).vjp(*args, **kwargs)
