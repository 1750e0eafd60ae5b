"""Discrete Fourier transforms over one axis: fft and its inverse, of real and of symmetric values; fftshift, frequencies and windows.

In: these functions of NumPy. Out: their records. Layer: rules, above `complex_numbers`.

The matrix of the transform is symmetric, so with the gradient dL/da - i dL/db of z = a + bi the gradient goes back through
the transform itself. Of a spectrum that stands for its conjugate half too, all but the frequencies that are their own
conjugates count twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch, derived, minus, times
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, imaginary, positive, real, rule
from flatgrad.rules.creation import size_of_number
from flatgrad.rules.orders import flipped
from flatgrad.rules.shapes import normal_axis, shape_of
from flatgrad.rules.static import same_shape

# Shapes


def half(size: Size) -> Size:
    """The number of frequencies of so many real values."""
    return derived("frequencies", size, lambda n: n // 2 + 1)


def whole(size: Size) -> Size:
    """The number of real values that have so many frequencies, where it is not given."""
    return times(2, minus(size, 1))


def transformed(x: Any, *, n: Any = None, axis: int = -1, norm: Any = None) -> Shape:
    """The shape of x, of length n along the axis."""
    sizes = list(shape_of(x))
    if not sizes:
        raise SizeMismatch("the Fourier transform of a number")
    axis = normal_axis(axis, len(sizes))
    sizes[axis] = sizes[axis] if n is None else size_of_number(n)
    return tuple(sizes)


def transformed_to_half(x: Any, *, n: Any = None, axis: int = -1, norm: Any = None) -> Shape:
    """The shape of x, with half of the frequencies along the axis."""
    sizes = list(transformed(x, n=n, axis=axis))
    sizes[axis] = half(sizes[axis])
    return tuple(sizes)


def transformed_to_whole(x: Any, *, n: Any = None, axis: int = -1, norm: Any = None) -> Shape:
    """The shape of x, with the values that half of the frequencies stand for along the axis."""
    sizes = list(transformed(x, n=n, axis=axis))
    sizes[axis] = whole(sizes[axis]) if n is None else sizes[axis]
    return tuple(sizes)


def complex_dtype(x: Any, **_: Any) -> np.dtype[Any]:
    """The dtype of the spectrum of values."""
    return np.fft.fft(np.ones(1, x.dtype)).dtype


def real_dtype(x: Any, **_: Any) -> np.dtype[Any]:
    """The dtype of the values that a spectrum stands for."""
    # one frequency stands for none
    return np.fft.irfft(np.ones(2, x.dtype)).dtype


# Gradients that are longer or shorter than what was transformed


def cut_or_padded(x, like):
    """Return the values at the front of x, as many as `like` has along each axis, with zeros where there are none."""
    result = np.zeros(np.shape(like), x.dtype)
    front = tuple([slice(min(one, other)) for one, other in zip(np.shape(x), np.shape(like), strict=True)])
    result[front] = x[front]
    return result


def _shape_of_like(x: Any, like: Any) -> Shape:
    return shape_of(like)


def _dtype_of_x(x: Any, like: Any) -> np.dtype[Any]:
    return x.dtype if isinstance(x, Value | np.ndarray) else np.dtype(type(x))


@rule(
    cut_or_padded,
    shape=_shape_of_like,
    dtype=_dtype_of_x,
    linear=True,
    samples=[
        Sample(real(5), np.zeros(3), wrt=("x",)),
        Sample(real(2, 3), np.zeros((3, 2)), wrt=("x",)),
        Sample(imaginary(3), np.zeros(5), wrt=("x",)),
    ],
)
def grad_cut_or_padded(x, like, y, grad_y):
    grad_x = cut_or_padded(grad_y, x)
    return grad_x


def with_conjugates(spectrum, values, axis):
    """Return half of the spectrum of real values, twice what stands for its conjugate in the other half too."""
    length = np.shape(values)[axis]
    is_alone = 2 * np.arange(length // 2 + 1) % length == 0
    behind = np.ndim(spectrum) - 1 - axis % np.ndim(spectrum)
    return np.where(np.reshape(is_alone, (-1,) + (1,) * behind), spectrum, 2 * spectrum)


def _shape_of_first(x: Any, *_: Any, **__: Any) -> Shape:
    return shape_of(x)


@rule(
    with_conjugates,
    shape=_shape_of_first,
    linear=True,
    samples=[
        Sample(imaginary(4), np.zeros(6), axis=-1, wrt=("spectrum",)),
        Sample(imaginary(3, 2), np.zeros((5, 2)), axis=0, wrt=("spectrum",)),
    ],
)
def grad_with_conjugates(spectrum, values, y, grad_y, *, axis):
    grad_spectrum = with_conjugates(grad_y, values, axis)
    return grad_spectrum


# One axis

LINES = [
    Sample(real(5)),
    Sample(imaginary(4)),
    Sample(real(2, 4), norm="ortho"),
    Sample(imaginary(3, 2), axis=0, norm="forward"),
    Sample(real(5), n=3),
    Sample(imaginary(2, 3), n=5),
]
REAL_LINES = [
    Sample(real(5)),
    Sample(real(6), norm="ortho"),
    Sample(real(4, 2), axis=0, norm="forward"),
    Sample(real(5), n=4),
    Sample(real(2, 3), n=7),
]
HALF_LINES = [
    Sample(imaginary(4)),
    Sample(imaginary(4), n=7),
    Sample(real(3)),
    Sample(imaginary(2, 3), norm="ortho"),
    Sample(imaginary(3, 2), axis=0, norm="forward"),
    Sample(imaginary(5), n=4),
    Sample(imaginary(2), n=6),
]


@rule(np.fft.fft, shape=transformed, linear=True, dynamic=("n",), samples=LINES)
def grad_fft(x, y, grad_y, *, n=None, axis=-1, norm=None):
    grad_x: Any = np.fft.fft(grad_y, axis=axis, norm=norm)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.ifft, shape=transformed, linear=True, dynamic=("n",), samples=LINES)
def grad_ifft(x, y, grad_y, *, n=None, axis=-1, norm=None):
    grad_x: Any = np.fft.ifft(grad_y, axis=axis, norm=norm)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.rfft, shape=transformed_to_half, linear=True, dynamic=("n",), samples=REAL_LINES)
def grad_rfft(x, y, grad_y, *, n=None, axis=-1, norm=None):
    length = np.shape(x)[axis] if n is None else n
    # the frequencies that are left out have no gradient: zeros, which fft appends
    grad_x = np.fft.fft(grad_y, length, axis=axis, norm=norm).real
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    return grad_x


@rule(np.fft.ihfft, shape=transformed_to_half, linear=True, dynamic=("n",), samples=REAL_LINES)
def grad_ihfft(x, y, grad_y, *, n=None, axis=-1, norm=None):
    length = np.shape(x)[axis] if n is None else n
    grad_x = np.fft.ifft(grad_y, length, axis=axis, norm=norm).real
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    return grad_x


@rule(np.fft.irfft, shape=transformed_to_whole, dtype=real_dtype, linear=True, dynamic=("n",), samples=HALF_LINES)
def grad_irfft(x, y, grad_y, *, n=None, axis=-1, norm=None):
    opposite: Any = None if norm == "forward" else "ortho" if norm == "ortho" else "forward"
    spectrum = np.conj(np.fft.rfft(grad_y, axis=axis, norm=opposite))
    grad_x = with_conjugates(spectrum, y, axis)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


@rule(np.fft.hfft, shape=transformed_to_whole, dtype=real_dtype, linear=True, dynamic=("n",), samples=HALF_LINES)
def grad_hfft(x, y, grad_y, *, n=None, axis=-1, norm=None):
    grad_x = with_conjugates(np.fft.rfft(grad_y, axis=axis, norm=norm), y, axis)
    if not same_shape(grad_x, x):
        grad_x = cut_or_padded(grad_x, x)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    return grad_x


# The zero frequency in the middle

SHIFTED = [Sample(real(5)), Sample(imaginary(2, 3)), Sample(real(2, 3), axes=1), Sample(real(3, 2, 3), axes=(0, 2))]


def shifted(x: Any, *, axes: Any = None) -> Shape:
    """The shape of x."""
    return flipped(x, axis=axes)


@rule(np.fft.fftshift, shape=shifted, linear=True, samples=SHIFTED)
def grad_fftshift(x, y, grad_y, *, axes=None):
    grad_x = np.fft.ifftshift(grad_y, axes=axes)
    return grad_x


@rule(np.fft.ifftshift, shape=shifted, linear=True, samples=SHIFTED)
def grad_ifftshift(x, y, grad_y, *, axes=None):
    grad_x = np.fft.fftshift(grad_y, axes=axes)
    return grad_x


def frequencies(n: Any, d: Any = 1.0) -> Shape:
    """A frequency for each value."""
    return (size_of_number(n),)


def half_frequencies(n: Any, d: Any = 1.0) -> Shape:
    """A frequency for each value of half of the spectrum."""
    return (half(size_of_number(n)),)


SPACINGS = [Sample(5, positive()), Sample(4, d=positive())]


@rule(np.fft.rfftfreq, shape=half_frequencies, samples=SPACINGS)
@rule(np.fft.fftfreq, shape=frequencies, samples=SPACINGS)
def grad_fftfreq(n, d=1.0, y=None, grad_y=None):
    grad_d = -np.sum(grad_y * y) / d
    return grad_d
