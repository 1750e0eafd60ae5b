"""What a class holds that decides the code that is written: its methods, or the version of the module that it is from.

In: a class, or what it holds under a name. Out: functions, names of files. Layer: below `fingerprint`.
"""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

# attributes of objects that a function of their class works out
COMPUTED = (property, functools.cached_property)


def functions_of(held: Any) -> Iterator[types.FunctionType]:
    """Yield the functions in what a class holds: methods, and those of properties."""
    inside = (held, *(getattr(held, name, None) for name in ("__func__", "__wrapped__", "func", "fget", "fset")))
    for function in inside:
        if isinstance(function, types.FunctionType):
            yield function


@lru_cache(maxsize=1024)
def installation(module: str) -> tuple[str, int] | None:
    """Return what tells the version of a module that was installed, and is not the user's own; None for another one."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not {"site-packages", "dist-packages"}.intersection(Path(file).parts):
        return None
    return (module, os.stat(file).st_mtime_ns)


def member_of(owner: type, name: str) -> Any:
    """Return what a class itself holds under a name, None where it holds nothing."""
    return vars(owner).get(name)
