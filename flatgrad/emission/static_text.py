"""What a module was written for, as text for its docstring: the same text in each process.

In: the value of a static argument. Out: text. Layer: emission, bottom.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from flatgrad.frontend.static_objects import Partial, StaticCall, StaticClass, StaticFunction
from flatgrad.parts import is_function, is_static_argument

# how users import them
SHORT = {"numpy": "np.", "numpy.linalg": "np.linalg.", "math": "math."}


def static_text(value: Any) -> str:
    """Return the text of a static argument, safe inside a docstring: of a function, its qualified name."""
    return inspect.cleandoc(_text(value)).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        name = "" if type(value) is tuple else type(value).__name__
        return f"{name}({', '.join(map(_text, value))}{',' * (len(value) == 1)})"
    if isinstance(value, functools.partial):
        return _partial(value.func, value.args, value.keywords)
    if isinstance(value, Partial):
        return _partial(value.function, value.args, value.kwargs)
    if isinstance(value, StaticFunction):
        return value.full_name
    if isinstance(value, StaticCall | StaticClass):
        return value.name
    if isinstance(value, type):
        return SHORT.get(value.__module__, "") + value.__qualname__
    if is_function(value):
        name = str(getattr(value, "__qualname__", value.__name__))
        return SHORT.get(value.__module__, "") + (name if name.isprintable() else ascii(name))
    return repr(value) if isinstance(value, int | float) or is_static_argument(value) else "..."


def _partial(function: Any, args: Any, keywords: Any) -> str:
    texts = [_text(function), *map(_text, args), *(f"{name}={_text(part)}" for name, part in keywords.items())]
    return f"partial({', '.join(texts)})"
