"""Decorated methods of objects: they can be called, and asked for gradients, with the object in the place of `self`.

In: a decorated function and the object that it is a method of. Out: `BoundMethod`. Layer: above `dispatch`, below
`differentiable`.
"""

from __future__ import annotations

import inspect
from types import MethodType
from typing import TYPE_CHECKING, Any

from flatgrad.calling.dispatch import ASKED


class BoundMethod:
    """A decorated method of an object.

    Its gradients are those of the decorated function: of the object, where that holds real numbers, and of the arguments.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__", "_differentiable")

    def __init__(self, differentiable: Any, instance: object) -> None:
        function = differentiable.__wrapped__
        object.__setattr__(self, "__call__", MethodType(function, instance))
        self._differentiable = differentiable
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
        if name in ASKED:
            return MethodType(getattr(self._differentiable, name), method.__self__)
        if name == "emit":
            return MethodType(self._differentiable._emit, method.__self__)
        if name in ("source", "source_for", "options"):
            return getattr(self._differentiable, name)
        return getattr(method, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundMethod) and self.__call__ == other.__call__

    def __hash__(self) -> int:
        return hash(self.__call__)

    def __repr__(self) -> str:
        return f"<flatgrad method {self.__qualname__} of {self.__self__!r}>"

    def __reduce__(self) -> Any:
        return (getattr, (self.__self__, self.__name__))
