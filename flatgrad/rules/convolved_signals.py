"""Sums of products of a signal with a shifted kernel: np.convolve and np.correlate.

In: nothing. Out: their records. Modes differ in how much of the full result they keep: its gradient is zeros with the given one in
the middle, and is convolved or correlated with the other operand where the two overlap. Layer: rules, above `writing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch, derived, minus, plus, times
from flatgrad.registry import Sample, imaginary, real, rule
from flatgrad.rules.complex_numbers import conjugated
from flatgrad.rules.shapes import shape_of
from flatgrad.rules.writing import assigned


def _longer_by(size: Size) -> Size:
    """How much a is longer than v, where it is."""
    return derived(("at least 0",), size, lambda difference: max(difference, 0))


def convolved(a: Any, v: Any, *, mode: str) -> Shape:
    """As many elements as the mode keeps: n + m - 1, the larger of n and m, or their difference and one."""
    left, right = shape_of(a), shape_of(v)
    if len(left) != 1 or len(right) != 1:
        raise SizeMismatch(f"arrays of ranks {len(left)} and {len(right)}, where two of rank 1 are needed")
    (n,), (m,) = left, right
    if mode == "full":
        return (minus(plus(n, m), 1),)
    longer = plus(m, _longer_by(minus(n, m)))
    if mode == "same":
        return (longer,)
    if mode == "valid":
        # the larger one, less the smaller one, and one
        return (plus(minus(times(2, longer), plus(n, m)), 1),)
    raise TypeError(f"mode={mode!r}; one of 'full', 'same' and 'valid' is needed")


def convolution_shape(a: Any, v: Any, *, mode: str = "full") -> Shape:
    """As `convolved`, for np.convolve."""
    return convolved(a, v, mode=mode)


def correlation_shape(a: Any, v: Any, *, mode: str = "valid") -> Shape:
    """As `convolved`, for np.correlate."""
    return convolved(a, v, mode=mode)


MODES = [
    Sample(real(5), real(3)),
    Sample(real(2), real(4)),
    Sample(real(5), real(3), mode="full"),
    Sample(real(5), real(2), mode="same"),
    Sample(real(5), real(3), mode="same"),
    Sample(real(2), real(5), mode="same"),
    Sample(real(3), real(4), mode="same"),
    Sample(real(5), real(2), mode="valid"),
    Sample(real(2), real(6), mode="valid"),
    Sample(real(4), real(1), mode="valid"),
]


COMPLEX = [
    Sample(imaginary(5), imaginary(2)),
    Sample(imaginary(2), imaginary(4), mode="same"),
]


@rule(np.convolve, shape=convolution_shape, holomorphic=True, samples=[*MODES, *COMPLEX])
def grad_convolve(a, v, y, grad_y, *, mode="full"):
    if mode != "full":
        shorter = min(len(a), len(v))
        start = shorter - 1 if mode == "valid" else (shorter - 1) // 2
        whole = np.zeros(len(a) + len(v) - 1, dtype=y.dtype)
        grad_y = assigned(whole, grad_y, index=slice(start, start + len(y)))
    # np.correlate conjugates what it shifts
    grad_a = np.correlate(grad_y, conjugated(v))
    grad_v = np.correlate(grad_y, conjugated(a))
    return grad_a, grad_v


@rule(np.correlate, shape=correlation_shape, holomorphic=True, samples=[*MODES, *COMPLEX])
def grad_correlate(a, v, y, grad_y, *, mode="valid"):
    if mode != "full":
        shorter = min(len(a), len(v))
        # of two that are even, the middle is not in the same place
        start = shorter - 1 if mode == "valid" else (len(v) - 1) // 2 if len(a) >= len(v) else len(a) // 2
        whole = np.zeros(len(a) + len(v) - 1, dtype=y.dtype)
        grad_y = assigned(whole, grad_y, index=slice(start, start + len(y)))
    grad_a = np.convolve(grad_y, conjugated(v), mode="valid")
    grad_v = np.correlate(grad_y, conjugated(a))[::-1]
    if np.iscomplexobj(v):
        grad_v = np.conj(grad_v)
    return grad_a, grad_v
