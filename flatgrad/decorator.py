"""The decorator `@flatgrad`.

In: a function and options. Out: the function with its gradients. Layer: above `differentiable`, below `api`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar, overload

from flatgrad.calling.differentiable import Differentiable, differentiable
from flatgrad.calling.methods import BoundMethod
from flatgrad.options import Options

P = ParamSpec("P")
R = TypeVar("R")
Wrt = str | tuple[str, ...] | None


@overload
def flatgrad(function: Callable[P, R], /) -> Differentiable[P, R]: ...
@overload
def flatgrad(
    *, wrt: Wrt = None, style: str | None = None, target: str | None = None, source: str | None = None
) -> Callable[[Callable[P, R]], Differentiable[P, R]]: ...
def flatgrad(
    function: Any = None,
    /,
    *,
    wrt: Wrt = None,
    style: str | None = None,
    target: str | None = None,
    source: str | None = None,
) -> Any:
    """Give a function its gradients.

    The function can be called as before. `wrt` names the parameters to differentiate by: one name gives the bare gradient,
    a tuple of names a named tuple in that order, None all parameters that hold real numbers. `style` is "flat" (one
    operation a line, the default) or "compact" (statements stay whole), `target` is "numpy" (the default) or "math" (for
    Python floats). `source` is the text of the function, for one whose source Python does not know. Of a function that is
    decorated already, the options that are given override those that it has.

    Raises SignatureError for a style or target that there is not, and UnsupportedError for what is not a function.
    """
    chosen: dict[str, Any] = {"wrt": wrt, "style": style, "target": target}
    given = {name: choice for name, choice in chosen.items() if choice is not None}
    options = Options(**given)

    def decorate(decorated: Callable[P, R]) -> Differentiable[P, R]:
        if isinstance(decorated, Differentiable | BoundMethod):
            kept: Options = decorated.options
            found: Differentiable[P, R] = differentiable(decorated, replace(kept, **given), source)
            return found
        made: Differentiable[P, R] = differentiable(decorated, options, source)
        return made

    return decorate if function is None else decorate(function)
