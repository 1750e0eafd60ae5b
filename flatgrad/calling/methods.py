"""Decorated methods of objects: they can be called, and have no gradients.

In: a function and the object that it is a method of. Out: `BoundMethod`. Layer: above `dispatch`, below `differentiable`.
"""

from __future__ import annotations

import inspect
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from flatgrad.calling.dispatch import ASKED
from flatgrad.errors import UnsupportedError


class NoGradientError(UnsupportedError, AttributeError):
    """What has no gradient is asked for one: `hasattr` says so too."""


class BoundMethod:
    """A decorated method of an object: it can be called, and has no gradients."""

    __slots__ = ("__call__", "__dict__", "__weakref__")

    def __init__(self, function: FunctionType, instance: object) -> None:
        object.__setattr__(self, "__call__", MethodType(function, instance))
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Call the method."""

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__call__)

    def __getattr__(self, name: str) -> Any:
        method = object.__getattribute__(self, "__call__")
        if name in (*ASKED, "emit", "source"):
            message = f"`{method.__name__}` is a method of a {type(method.__self__).__name__}, not a function"
            raise NoGradientError(message, "write a def that takes what it uses of the object as parameters")
        return getattr(method, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundMethod) and self.__call__ == other.__call__

    def __hash__(self) -> int:
        return hash(self.__call__)

    def __repr__(self) -> str:
        return f"<flatgrad method {self.__qualname__} of {self.__self__!r}>"

    def __reduce__(self) -> Any:
        return (getattr, (self.__self__, self.__name__))
