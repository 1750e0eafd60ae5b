"""Windows of an array, and what is summed back from them.

In: these functions of `flatgrad.nn`. Out: their records, and how many windows there are. Layer: rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch, derived, minus, plus, times
from flatgrad.nn.windows import for_each_axis, pad_widths, windows, windows_summed
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.creation import shape_argument
from flatgrad.rules.shapes import dtype_of_first, shape_of


def each(option: Any, axes: int) -> tuple[Any, ...]:
    """Return an option as a tuple with an entry for each axis."""
    try:
        return tuple(for_each_axis(option, axes))
    except ValueError as error:
        raise SizeMismatch(str(error)) from None


def places(sizes: Sequence[Size], kernel: Sequence[Size], stride: Any, padding: Any, dilation: Any) -> Shape:
    """Return how many windows there are along each axis."""
    axes = len(sizes)
    strides = each(stride, axes)
    if padding == "same" and set(strides) == {1}:
        return tuple(sizes)
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise TypeError(f"padding={padding!r} is neither 'same' nor 'valid'")
    try:
        widths = pad_widths(padding, [0] * axes, strides)
    except ValueError as error:
        raise SizeMismatch(str(error)) from None
    found = []
    for size, taps, step, width, spread in zip(sizes, kernel, strides, widths, each(dilation, axes), strict=True):
        if step < 1 or spread < 1 or min(width) < 0:
            raise SizeMismatch(f"stride={stride}, padding={padding}, dilation={dilation}")
        # the span of a window is spread * (taps - 1) + 1
        free = minus(plus(size, sum(width)), plus(times(spread, minus(taps, 1)), 1))
        if isinstance(free, int) and free < 0:
            raise SizeMismatch(f"a window of {taps} on an axis of {size}")
        found.append(plus(free if step == 1 else derived(("places", step), free, partial(_quotient, step)), 1))
    return tuple(found)


def _quotient(divisor: int, size: int) -> int:
    return size // divisor


def windowed(
    x: Any, *, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, lowest: bool = False
) -> Shape:
    """The axes of the windows, and how many there are, in the place of the last axes."""
    shape, axes, kernel = shape_of(x), len(kernel), shape_argument(kernel)
    return (*shape[:-axes], *kernel, *places(shape[-axes:], kernel, stride, padding, dilation))


def shape_asked_for(*_: Any, shape: Any, **__: Any) -> Shape:
    """The shape that is given."""
    return shape_argument(shape)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"stride": 2},
    {"stride": (2, 1), "padding": 1},
    {"padding": ((1, 0), (0, 2)), "dilation": (1, 2)},
    {"padding": "same"},
]


@rule(
    windows,
    shape=windowed,
    dtype=dtype_of_first,
    linear=True,
    samples=[Sample(real(2, 5, 6), kernel=(2, 3), **options) for options in OPTIONS],
)
def grad_windows(x, y, grad_y, *, kernel, stride=1, padding=0, dilation=1, lowest=False):
    grad_x = windows_summed(grad_y, np.shape(x), stride=stride, padding=padding, dilation=dilation)
    return grad_x


@rule(
    windows_summed,
    shape=shape_asked_for,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(2, 2, 3, 4, 4), shape=(2, 5, 6)),
        Sample(real(2, 2, 3, 2, 2), shape=(2, 5, 6), stride=2),
        Sample(real(2, 2, 3, 5, 4), shape=(2, 5, 6), padding=((1, 0), (0, 2)), dilation=(1, 2)),
    ],
)
def grad_windows_summed(parts, y, grad_y, *, shape, stride=1, padding=0, dilation=1):
    axes = parts.ndim - grad_y.ndim
    kernel = np.shape(parts)[-2 * axes : -axes]
    grad_parts = windows(grad_y, kernel, stride=stride, padding=padding, dilation=dilation)
    return grad_parts
