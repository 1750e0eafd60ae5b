"""The windows of an array that convolutions and pooling look through.

In: arrays. Out: arrays of the same dtype. An option that there is one of for each axis may be a number, for all of them. A
padding is such a number, or numbers, or pairs of what is put before and behind, or "valid" or "same". Layer: bottom of `nn`.
"""

import numpy as np


def for_each_axis(option, axes):
    """Return an option as a tuple with an entry for each axis."""
    entries = tuple(option) if isinstance(option, (tuple, list)) else (option,) * axes
    if len(entries) != axes:
        raise ValueError(f"{option} for {axes} axes")
    return entries


def pad_widths(padding, spans, stride):
    """Return what is put before and behind each axis, for windows that span so many elements."""
    if padding == "same" and any(step != 1 for step in stride):
        raise ValueError('padding="same" goes with a stride of 1')
    if padding == "same":
        return tuple([((span - 1) // 2, span // 2) for span in spans])
    widths = for_each_axis(0 if padding == "valid" else padding, len(spans))
    return tuple([for_each_axis(width, 2) for width in widths])


def windows(x, kernel, stride=1, padding=0, dilation=1, lowest=False):
    """View the last axes of x, padded by 0, or by -inf if lowest, through windows: (..., *kernel, *places)."""
    axes = len(kernel)
    stride, dilation = for_each_axis(stride, axes), for_each_axis(dilation, axes)
    if min(stride + dilation) < 1:
        raise ValueError(f"a stride of {stride}, a dilation of {dilation}")
    spans = [step * (size - 1) + 1 for size, step in zip(kernel, dilation, strict=True)]
    widths = pad_widths(padding, spans, stride)
    if any(map(any, widths)):
        x = padded(x, widths, -np.inf if lowest else 0)
    places = [(size - span) // step + 1 for size, span, step in zip(x.shape[-axes:], spans, stride, strict=True)]
    if min(places) < 1:
        raise ValueError(f"windows that span {spans} elements of {x.shape[-axes:]}")
    steps = [step * size for step, size in zip(dilation + stride, x.strides[-axes:] * 2, strict=True)]
    shape = (*x.shape[:-axes], *kernel, *places)
    return np.lib.stride_tricks.as_strided(x, shape, (*x.strides[:-axes], *steps), writeable=False)


def padded(x, widths, number):
    """Return x with a number put before and behind its last axes."""
    sizes = x.shape[-len(widths) :]
    wider = [size + sum(width) for size, width in zip(sizes, widths, strict=True)]
    wide = np.full((*x.shape[: -len(widths)], *wider), number, dtype=x.dtype)
    inner(wide, widths, sizes)[...] = x
    return wide


def inner(x, widths, sizes):
    """View what has these sizes behind so many elements along the last axes of x."""
    leading = [slice(None)] * (x.ndim - len(sizes))
    within = [slice(before, before + size) for size, (before, _) in zip(sizes, widths, strict=True)]
    return x[tuple(leading + within)]


def windows_summed(parts, shape, stride=1, padding=0, dilation=1):
    """Add what windows hold to zeros of a shape, each number where `windows` found it."""
    axes = parts.ndim - len(shape)
    kernel, places = parts.shape[-2 * axes : -axes], parts.shape[-axes:]
    stride, dilation = for_each_axis(stride, axes), for_each_axis(dilation, axes)
    widths = pad_widths(padding, [step * (size - 1) + 1 for size, step in zip(kernel, dilation, strict=True)], stride)
    sizes = [size + sum(width) for size, width in zip(shape[-axes:], widths, strict=True)]
    total = np.zeros((*shape[:-axes], *sizes), dtype=parts.dtype)
    leading = (slice(None),) * (len(shape) - axes)
    for tap in np.ndindex(*kernel):
        starts = [step * k for k, step in zip(tap, dilation, strict=True)]
        seen = [slice(a, a + step * count, step) for a, step, count in zip(starts, stride, places, strict=True)]
        total[leading + tuple(seen)] += parts[leading + tap]
    return inner(total, widths, shape[-axes:])
