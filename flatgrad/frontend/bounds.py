"""The bounds of clip, which are min and max for the method and a_min and a_max, or min and max, for the function.

In: the arguments of a call. Out: the same with both bounds by place. Layer: frontend, below `calls`.
"""

from __future__ import annotations

from typing import Any


def bounds_by_place(args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that follow the array with None for a bound that is left out."""
    rest = dict(kwargs)
    bounds = list(args[:2])
    for place, names in enumerate((("min", "a_min"), ("max", "a_max"))):
        given = [rest.pop(name) for name in names if name in rest]
        if place == len(bounds):
            bounds.append(given.pop() if given else None)
        if given:
            # given twice, as NumPy will say
            return args, kwargs
    return [*bounds, *args[2:]], rest
