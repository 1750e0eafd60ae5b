"""What users write inside of their functions: `stop_gradient`, edits of gradients, `custom_vjp`, `checkpointed`.

In plain Python they change nothing of what a function returns. Imports nothing of flatgrad.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


def stop_gradient(x: T) -> T:
    """Return x itself; in the backward pass no gradient flows through it."""
    return x


def edit_gradient(x: T, edit: Callable[[Any], Any]) -> T:
    """Return x itself; in the backward pass, what `edit` makes of the gradient takes its place.

    `edit` is a function or lambda of one argument: ``edit_gradient(x, lambda grad: np.clip(grad, -1, 1))``.
    """
    return x


class insert_grad_of(Generic[T]):
    """A block whose statements edit a gradient in the backward pass.

    ``with insert_grad_of(x) as grad_x: grad_x = np.clip(grad_x, -1, 1)``: what the name stands for at the end of the
    block is the gradient of x from there on back. In plain Python the block runs in the forward pass, where the name
    stands for x itself.
    """

    def __init__(self, x: T) -> None:
        self.x = x

    def __enter__(self) -> T:
        return self.x

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the block."""


class custom_vjp(Generic[P, R]):
    """A function with a gradient of its own: a decorator, whose method `defvjp` gives the gradient.

    ``f.defvjp(forward, backward)``: `forward` takes the arguments of f and returns its value, and what `backward`
    needs; ``backward(residuals, grad_out)`` returns a tuple with the gradient of each argument, None for one without.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.forward: Callable[P, tuple[R, Any]] | None = None
        self.backward: Callable[..., Any] | None = None

    def defvjp(self, forward: Callable[P, tuple[R, Any]], backward: Callable[..., Any]) -> None:
        """Give the function its forward and backward pass."""
        self.forward = forward
        self.backward = backward

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)


def checkpointed(iterable: T) -> T:
    """Return the argument itself; the loop over it, or the `while` on it, keeps less in memory for its backward pass.

    ``for t in checkpointed(range(n))``, ``while checkpointed(condition)``: about sqrt(n) of the states that the loop
    carries are kept, and the backward pass runs the turns between them again. The gradients are the same.
    """
    return iterable
