"""Convolutions and filters of `scipy.signal`: convolve, fftconvolve, oaconvolve, correlate, convolve2d, correlate2d, detrend.

In: nothing. Out: records in the registry. Layer: rules.

Modes differ in how much of the full result they keep: its gradient is zeros with the given one in the middle, and is
correlated or convolved with the other operand where the two overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import signal

from flatgrad.graph.size import Shape, Size, SizeMismatch, derived, is_natural, minus, plus, times
from flatgrad.registry import Sample, inline, real, rule
from flatgrad.rules.shapes import normal_axis, shape_of
from flatgrad.rules.writing import assigned


def _kept(n: Size, m: Size, mode: str) -> Size:
    if mode == "full":
        return minus(plus(n, m), 1)
    if mode == "same":
        return n
    for difference in (minus(n, m), minus(m, n)):
        longer_by = plus(difference, 1)
        if not isinstance(longer_by, int) and is_natural(longer_by):
            # as the full result of signals that are not empty is, and one of them
            return longer_by
    # the larger one, less the smaller one, and one
    longer = plus(m, derived(("at least 0",), minus(n, m), lambda difference: max(difference, 0)))
    return plus(minus(times(2, longer), plus(n, m)), 1)


def convolved(in1: Any, in2: Any, *, mode: str = "full", method: str = "auto") -> Shape:
    """As many elements along each axis as the mode keeps: n + m - 1, n, or the difference of n and m and one."""
    left, right = shape_of(in1), shape_of(in2)
    if len(left) != len(right) or not left:
        raise SizeMismatch(f"arrays of ranks {len(left)} and {len(right)}")
    if mode not in ("full", "same", "valid"):
        raise TypeError(f"mode={mode!r}; one of 'full', 'same' and 'valid' is needed")
    return tuple(_kept(n, m, mode) for n, m in zip(left, right, strict=True))


def convolved_by_spectra(in1: Any, in2: Any, *, mode: str = "full", axes: None = None) -> Shape:
    """As `convolved`, over all axes."""
    if axes is not None:
        raise TypeError("a convolution over some axes only has no rule")
    return convolved(in1, in2, mode=mode)


def convolved_planes(in1: Any, in2: Any, *, mode: str = "full", boundary: str = "fill", fillvalue: float = 0) -> Shape:
    """As `convolved`, with zeros around."""
    if boundary != "fill" or fillvalue != 0:
        raise TypeError("boundary='fill' with fillvalue=0 has a rule, others have none")
    return convolved(in1, in2, mode=mode)


@inline
def in_full(grad_y, y, in1, in2, mode, middle=1):
    """Return the gradient of the full result: zeros around that of the part that the mode keeps.

    Of an even number, the element with index `middle` of the two in the middle lies on the first of the kept ones.
    """
    if mode == "full":
        whole = grad_y
    else:
        pairs = [(np.shape(in1)[k], np.shape(in2)[k]) for k in range(in1.ndim)]
        starts = [(m - middle) // 2 if mode == "same" else min(n, m) - 1 for n, m in pairs]
        places = tuple([slice(starts[k], starts[k] + np.shape(y)[k]) for k in range(in1.ndim)])
        none = np.zeros(tuple([n + m - 1 for n, m in pairs]), y.dtype)
        whole = assigned(none, grad_y, index=places[0] if in1.ndim == 1 else places)
    return whole


LINES = [
    Sample(real(5), real(3)),
    Sample(real(2), real(4)),
    Sample(real(5), real(2), mode="same"),
    Sample(real(5), real(3), mode="same"),
    Sample(real(2), real(5), mode="same"),
    Sample(real(5), real(3), mode="valid"),
    Sample(real(2), real(6), mode="valid"),
]
PLANES = [
    Sample(real(4, 3), real(2, 2)),
    Sample(real(4, 3), real(2, 3), mode="same"),
    Sample(real(4, 3), real(2, 2), mode="valid"),
    Sample(real(2, 2), real(3, 4), mode="valid"),
]
VOLUMES = [Sample(real(3, 2, 4), real(2, 2, 2)), Sample(real(3, 2, 4), real(2, 2, 3), mode="same")]


@rule(signal.convolve, shape=convolved, samples=[*LINES, *PLANES, *VOLUMES, Sample(real(5), real(3), method="fft")])
def grad_convolve(in1, in2, y, grad_y, *, mode="full", method="auto"):
    grad_full = in_full(grad_y, y, in1, in2, mode)
    grad_in1 = signal.correlate(grad_full, in2, mode="valid", method=method)
    grad_in2 = signal.correlate(grad_full, in1, mode="valid", method=method)
    return grad_in1, grad_in2


@rule(signal.correlate, shape=convolved, samples=[*LINES, *PLANES, *VOLUMES, Sample(real(5), real(3), method="fft")])
def grad_correlate(in1, in2, y, grad_y, *, mode="full", method="auto"):
    grad_full = in_full(grad_y, y, in1, in2, mode)
    grad_in1 = signal.convolve(grad_full, in2, mode="valid", method=method)
    grad_in2 = np.flip(signal.correlate(grad_full, in1, mode="valid", method=method))
    return grad_in1, grad_in2


@rule(signal.fftconvolve, signal.oaconvolve, shape=convolved_by_spectra, samples=[*LINES, *PLANES])
def grad_fftconvolve(in1, in2, y, grad_y, *, mode="full", axes=None):
    grad_full = in_full(grad_y, y, in1, in2, mode)
    grad_in1 = signal.correlate(grad_full, in2, mode="valid", method="fft")
    grad_in2 = signal.correlate(grad_full, in1, mode="valid", method="fft")
    return grad_in1, grad_in2


@rule(signal.convolve2d, shape=convolved_planes, samples=PLANES)
def grad_convolve2d(in1, in2, y, grad_y, *, mode="full", boundary="fill", fillvalue=0):
    grad_full = in_full(grad_y, y, in1, in2, mode)
    grad_in1 = signal.correlate2d(grad_full, in2, mode="valid")
    grad_in2 = signal.correlate2d(grad_full, in1, mode="valid")
    return grad_in1, grad_in2


@rule(signal.correlate2d, shape=convolved_planes, samples=PLANES)
def grad_correlate2d(in1, in2, y, grad_y, *, mode="full", boundary="fill", fillvalue=0):
    grad_full = in_full(grad_y, y, in1, in2, mode, middle=0)
    grad_in1 = signal.convolve2d(grad_full, in2, mode="valid")
    grad_in2 = np.flip(signal.correlate2d(grad_full, in1, mode="valid"))
    return grad_in1, grad_in2


def detrended(data: Any, *, axis: int = -1, type: str = "linear", bp: Any = 0) -> Shape:
    """The shape of the data."""
    normal_axis(axis, len(shape_of(data)))
    return shape_of(data)


@rule(
    signal.detrend,
    shape=detrended,
    linear=True,
    holomorphic=False,
    samples=[
        Sample(real(5)),
        Sample(real(2, 4)),
        Sample(real(4, 2), axis=0),
        Sample(real(2, 4), type="constant"),
        Sample(real(6), bp=0),
    ],
)
def grad_detrend(data, y, grad_y, *, axis=-1, type="linear", bp=0):
    # a projection
    grad_data = signal.detrend(grad_y, axis=axis, type=type, bp=bp)
    return grad_data
