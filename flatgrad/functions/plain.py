"""What can be differentiated: plain Python functions. For anything else, what it is instead and what to do about it.

In: any object. Out: a function, or an error. Layer: above `errors`, below `frontend` and the decorator.
"""

from __future__ import annotations

import functools
import inspect
from types import FunctionType, MethodType
from typing import Any

from flatgrad.errors import Problem, SourceError, UnsupportedError

IN_A_CLASS = (property, functools.cached_property, functools.partialmethod, functools.singledispatchmethod)
# where the objects that other decorators make keep the function: functools, numba, numpy
INNER = ("__wrapped__", "py_func", "pyfunc")
NEXT_TO_THE_DEF = "put flatgrad's decorator next to the def, below the others"


def plain_function(function: object) -> FunctionType:
    """Return the function. Raises UnsupportedError for other objects, and SourceError for a decorator's wrapper."""
    if not isinstance(function, FunctionType):
        raise UnsupportedError(*_instead(function))
    if hasattr(function, "__wrapped__"):
        raise SourceError(replaced(function))
    return function


def replaced(function: FunctionType) -> Problem:
    """Return the problem that a decorator has put another function in the place of one."""
    code = function.__code__
    name = function.__name__
    message = f"a decorator has replaced `{name}` by `{code.co_qualname}`"
    own = getattr(inspect.unwrap(function), "__code__", code)
    return Problem(message, f"{NEXT_TO_THE_DEF}, or pass `{name}.__wrapped__`", own.co_filename, own.co_firstlineno)


def _instead(function: Any) -> tuple[str, str]:
    """Return what an object is instead of a plain function, and a hint."""
    kind = type(function).__name__
    name = getattr(function, "__name__", None) or f"a {kind}"
    inner = next((found for attribute in INNER if callable(found := getattr(function, attribute, None))), None)
    hint = "write a def that calls it"
    if isinstance(function, str):
        return f"{function!r} is not a function", f"options have names: @flatgrad(wrt={function!r})"
    if isinstance(function, type):
        return f"{name} is a class, not a function", "write a def of the numbers that the gradient is with respect to"
    if isinstance(function, functools.partial):
        called = getattr(function.func, "__name__", "the function")
        message = f"a functools.partial of {called} has no source of its own"
        return message, f"write a def that calls {called} with these arguments"
    if isinstance(function, MethodType):
        message = f"{name} is a method of a {type(function.__self__).__name__}, not a function"
        return message, "write a def that takes what it uses of the object as parameters"
    if isinstance(function, staticmethod):
        return f"{name} is a staticmethod, not a function", "swap the two: @staticmethod above, @flatgrad below"
    if isinstance(function, (classmethod, *IN_A_CLASS)):
        return f"{name} is a {kind}, not a function", "write it as a def outside the class"
    if inner is not None:
        called = getattr(inner, "__name__", "the function")
        message = f"`{called}` has become a {kind}: another decorator stands between flatgrad's and the def"
        return message, NEXT_TO_THE_DEF
    if inspect.isroutine(function) or type(function).__module__.partition(".")[0] == "numpy":
        return f"{name} is implemented in C, so it has no Python source", hint
    if callable(function):
        return f"an object of class {kind} is not a function, although it can be called", hint
    return f"{function!r:.60} is not a function", "pass the function itself"
