"""How an array with new axes of length 1 is written: `x[:, None]`.

In: the rank of an array, the axes of the result that are new. Out: the text between the brackets. Layer: bottom of `emission`.
"""

from __future__ import annotations


def added_axes(rank: int, axis: int | tuple[int, ...]) -> str:
    """Return the index that gives an array the axes that `np.expand_dims` would.

    added_axes(1, 0) is "None", added_axes(2, -2) is ":, None", and added_axes(3, -1) is "..., None".
    """
    axes = axis if isinstance(axis, tuple) else (axis,)
    whole = rank + len(axes)
    new = {each % whole for each in axes}
    if new == set(range(rank, whole)) and rank > 1:
        return ", ".join(["...", *["None"] * len(axes)])
    return ", ".join(["None" if place in new else ":" for place in range(max(new) + 1)])
