"""Windows that slide over an array: np.lib.stride_tricks.sliding_window_view.

In: nothing. Out: its record. An element stands in many windows, and gets the sum of their gradients. Layer: rules, above
`creation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from flatgrad.graph.size import Shape, SizeMismatch, minus, plus
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.creation import shape_argument
from flatgrad.rules.placing import dtype_of_like, shape_of_like
from flatgrad.rules.shapes import dtype_of_first, normal_axes, shape_of


def windowed(x: Any, window_shape: Any, *, axis: int | tuple[int, ...] | None = None, **_: Any) -> Shape:
    """Each axis that windows slide along has a place for each window, and there is a new axis of its size."""
    sizes = list(shape_of(x))
    windows = shape_argument(window_shape)
    axes = normal_axes(axis, len(sizes))
    if len(axes) != len(windows):
        raise SizeMismatch(f"windows of {len(windows)} axes along {len(axes)} axes")
    for each, window in zip(axes, windows, strict=True):
        sizes[each] = plus(minus(sizes[each], window), 1)
    if any(isinstance(size, int) and size < 1 for size in sizes):
        raise SizeMismatch("a window that is longer than the array")
    return (*sizes, *windows)


def sum_of_windows(windows, like, axis=None):
    """Return zeros like an array, with each window added in the place that it was taken from."""
    axes = range(like.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    # what is added at once lies together, which is twice as fast
    parts = np.ascontiguousarray(np.moveaxis(windows, range(like.ndim), range(-like.ndim, 0)))
    total = np.zeros_like(like)
    for offset in np.ndindex(windows.shape[like.ndim :]):
        starts = [0] * like.ndim
        for each, start in zip(axes, offset, strict=True):
            starts[each] += start
        place = tuple([slice(start, start + length) for start, length in zip(starts, windows.shape, strict=False)])
        total[place] += parts[offset]
    return total


@rule(
    sliding_window_view,
    shape=windowed,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(6), 3),
        Sample(real(6), (2,), axis=0),
        Sample(real(3, 5), (2, 3)),
        Sample(real(3, 5), 2, axis=-1),
        Sample(real(2, 5, 4), (3, 2), axis=(1, 2)),
        Sample(real(6, 2), (2, 3), axis=(0, 0)),
    ],
)
def grad_sliding_window_view(x, window_shape, y, grad_y, *, axis=None, writeable=False):
    grad_x = sum_of_windows(grad_y, x, axis=axis)
    return grad_x


@rule(
    sum_of_windows,
    shape=shape_of_like,
    dtype=dtype_of_like,
    linear=True,
    samples=[
        Sample(real(4, 3), axis=None, like=real(6)),
        Sample(real(2, 3, 2), axis=-1, like=real(2, 4)),
    ],
)
def grad_sum_of_windows(windows, y, grad_y, *, like, axis=None):
    grad_windows = sliding_window_view(grad_y, np.shape(windows)[grad_y.ndim :], axis=axis)
    return grad_windows
