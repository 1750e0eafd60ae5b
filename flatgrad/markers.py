"""What users write in their own files: the decorator and `stop_gradient`. Imports nothing but options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from flatgrad.options import Options

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@overload
def flatgrad(function: F) -> F: ...
@overload
def flatgrad(
    *, wrt: str | tuple[str, ...] | None = None, style: str = "flat", target: str = "numpy"
) -> Callable[[F], F]: ...
def flatgrad(
    function: Any = None, *, wrt: str | tuple[str, ...] | None = None, style: str = "flat", target: str = "numpy"
) -> Any:
    """Mark a function as one to write the backward pass of, with its options.

    The function itself stays as it is. `flatgrad emit FILE.py` emits every marked function of the file, and
    `flatgrad.value_and_grad(f)` and its siblings take the options as their defaults.

    Raises SignatureError for a style or target that there is not.
    """
    options = Options(wrt=wrt, style=style, target=target)

    def mark(marked: F) -> F:
        marked.__flatgrad__ = options  # type: ignore[attr-defined]
        return marked

    return mark if function is None else mark(function)


def stop_gradient(x: T) -> T:
    """Return x itself; in the backward pass no gradient flows through it."""
    return x
