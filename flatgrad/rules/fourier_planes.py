"""Discrete Fourier transforms over several axes: fft2, fftn, their inverses, and those of real values.

In: these functions of NumPy. Out: their records. Layer: rules, above `fourier`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch
from flatgrad.registry import Sample, imaginary, real, rule
from flatgrad.rules.creation import shape_argument
from flatgrad.rules.fourier import complex_dtype, cut_or_padded, half, real_dtype, whole, with_conjugates
from flatgrad.rules.shapes import normal_axes, shape_of
from flatgrad.rules.static import same_shape

# Shapes


def _lengths(x: Any, s: Any, axes: Any) -> tuple[list[Size], tuple[int, ...]]:
    """Return the sizes of x, as long as asked along the axes, and the axes."""
    sizes = list(shape_of(x))
    asked = None if s is None else shape_argument(s)
    if axes is None and asked is not None:
        raise SizeMismatch("the lengths `s` need `axes` too")
    along = normal_axes(tuple(axes) if axes is not None else None, len(sizes))
    if not along:
        raise SizeMismatch("a Fourier transform over no axis")
    for axis, size in zip(along, asked or (), strict=asked is not None):
        sizes[axis] = size
    return sizes, along


def transformed_planes(x: Any, *, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Shape:
    """The shape of x, of the lengths s along the axes."""
    return tuple(_lengths(x, s, axes)[0])


def transformed_planes_to_half(x: Any, *, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Shape:
    """The shape of x, with half of the frequencies along the last of the axes."""
    sizes, along = _lengths(x, s, axes)
    sizes[along[-1]] = half(sizes[along[-1]])
    return tuple(sizes)


def transformed_planes_to_whole(x: Any, *, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Shape:
    """The shape of x, with the values that half of the frequencies stand for along the last of the axes."""
    sizes, along = _lengths(x, s, axes)
    sizes[along[-1]] = whole(sizes[along[-1]]) if s is None else sizes[along[-1]]
    return tuple(sizes)


def transformed_everywhere(x: Any, *, s: Any = None, axes: Any = None, norm: Any = None) -> Shape:
    """The shape of x, of the lengths s along the axes."""
    return transformed_planes(x, s=s, axes=axes)


def transformed_everywhere_to_half(x: Any, *, s: Any = None, axes: Any = None, norm: Any = None) -> Shape:
    """The shape of x, with half of the frequencies along the last of the axes."""
    return transformed_planes_to_half(x, s=s, axes=axes)


def transformed_everywhere_to_whole(x: Any, *, s: Any = None, axes: Any = None, norm: Any = None) -> Shape:
    """The shape of x, with the values that half of the frequencies stand for along the last of the axes."""
    return transformed_planes_to_whole(x, s=s, axes=axes)


# Transforms

PLANES = [
    Sample(real(2, 3)),
    Sample(imaginary(2, 3, 4), axes=(0, 2), norm="ortho"),
    Sample(imaginary(2, 3), s=(3, 2), axes=(0, 1)),
]
HALF_PLANES = [
    Sample(real(3, 4)),
    Sample(real(2, 3, 5), axes=(2, 1), norm="forward"),
    Sample(real(4, 3), s=(3, 4), axes=(0, 1)),
]
WHOLE_PLANES = [
    Sample(imaginary(3, 4)),
    Sample(imaginary(2, 3, 4), axes=(2, 1), norm="ortho"),
    Sample(imaginary(3, 3), s=(2, 5), axes=(0, 1)),
]


@rule(np.fft.fft2, shape=transformed_planes, dtype=complex_dtype, linear=True, dynamic=("s",), samples=PLANES)
def grad_fft2(x, y, grad_y, *, s=None, axes=(-2, -1), norm=None):
    grad_x: Any = np.fft.fft2(grad_y, axes=axes, norm=norm)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.ifft2, shape=transformed_planes, dtype=complex_dtype, linear=True, dynamic=("s",), samples=PLANES)
def grad_ifft2(x, y, grad_y, *, s=None, axes=(-2, -1), norm=None):
    grad_x: Any = np.fft.ifft2(grad_y, axes=axes, norm=norm)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.rfft2, shape=transformed_planes_to_half, linear=True, dynamic=("s",), samples=HALF_PLANES)
def grad_rfft2(x, y, grad_y, *, s=None, axes=(-2, -1), norm=None):
    lengths = tuple([np.shape(x)[k] for k in axes]) if s is None else s
    grad_x = np.fft.fft2(grad_y, lengths, axes=axes, norm=norm).real
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    return grad_x


@rule(
    np.fft.irfft2,
    shape=transformed_planes_to_whole,
    dtype=real_dtype,
    linear=True,
    dynamic=("s",),
    samples=WHOLE_PLANES,
)
def grad_irfft2(x, y, grad_y, *, s=None, axes=(-2, -1), norm=None):
    opposite: Any = "backward" if norm == "forward" else "ortho" if norm == "ortho" else "forward"
    spectrum = np.conj(np.fft.rfft2(grad_y, axes=axes, norm=opposite))
    grad_x = with_conjugates(spectrum, y, axes[-1])
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.fftn, shape=transformed_everywhere, dtype=complex_dtype, linear=True, dynamic=("s",), samples=PLANES)
def grad_fftn(x, y, grad_y, *, s=None, axes=None, norm=None):
    grad_x: Any = np.fft.fftn(grad_y, axes=axes, norm=norm)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.ifftn, shape=transformed_everywhere, dtype=complex_dtype, linear=True, dynamic=("s",), samples=PLANES)
def grad_ifftn(x, y, grad_y, *, s=None, axes=None, norm=None):
    grad_x: Any = np.fft.ifftn(grad_y, axes=axes, norm=norm)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.rfftn, shape=transformed_everywhere_to_half, linear=True, dynamic=("s",), samples=HALF_PLANES)
def grad_rfftn(x, y, grad_y, *, s=None, axes=None, norm=None):
    lengths = (np.shape(x) if axes is None else tuple([np.shape(x)[k] for k in axes])) if s is None else s
    along = tuple(range(x.ndim)) if axes is None else axes
    grad_x = np.fft.fftn(grad_y, lengths, axes=along, norm=norm).real
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    return grad_x


@rule(
    np.fft.irfftn,
    shape=transformed_everywhere_to_whole,
    dtype=real_dtype,
    linear=True,
    dynamic=("s",),
    samples=WHOLE_PLANES,
)
def grad_irfftn(x, y, grad_y, *, s=None, axes=None, norm=None):
    opposite: Any = "backward" if norm == "forward" else "ortho" if norm == "ortho" else "forward"
    spectrum = np.conj(np.fft.rfftn(grad_y, axes=axes, norm=opposite))
    grad_x = with_conjugates(spectrum, y, -1 if axes is None else axes[-1])
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x
