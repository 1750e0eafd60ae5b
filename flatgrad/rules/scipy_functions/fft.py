"""Transforms of `scipy.fft`: discrete Fourier transforms, by the rules of NumPy's; dct, idct, dst, idst.

In: nothing. Out: records in the registry. Layer: rules.

Of the cosine and sine transforms of types 2 and 3, one is the transpose of the other, up to the weight of one element: the
first of the cosines, the last of the sines. With norm="ortho" there is no such weight. That of type 4 is its own transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft

from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.registry import Sample, inline, real, rule
from flatgrad.rules import fourier, fourier_planes
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of
from flatgrad.rules.writing import assigned

# the file of each transform's rule, its shape, its samples
_FORMS: dict[str, tuple[Any, Any, Any]] = {
    "fft": (fourier, fourier.transformed, fourier.LINES),
    "ifft": (fourier, fourier.transformed, fourier.LINES),
    "rfft": (fourier, fourier.transformed_to_half, fourier.REAL_LINES),
    "ihfft": (fourier, fourier.transformed_to_half, fourier.REAL_LINES),
    "irfft": (fourier, fourier.transformed_to_whole, fourier.HALF_LINES),
    "hfft": (fourier, fourier.transformed_to_whole, fourier.HALF_LINES),
    "fft2": (fourier_planes, fourier_planes.transformed_planes, fourier_planes.PLANES),
    "ifft2": (fourier_planes, fourier_planes.transformed_planes, fourier_planes.PLANES),
    "rfft2": (fourier_planes, fourier_planes.transformed_planes_to_half, fourier_planes.HALF_PLANES),
    "irfft2": (fourier_planes, fourier_planes.transformed_planes_to_whole, fourier_planes.WHOLE_PLANES),
    "fftn": (fourier_planes, fourier_planes.transformed_everywhere, fourier_planes.PLANES),
    "ifftn": (fourier_planes, fourier_planes.transformed_everywhere, fourier_planes.PLANES),
    "rfftn": (fourier_planes, fourier_planes.transformed_everywhere_to_half, fourier_planes.HALF_PLANES),
    "irfftn": (fourier_planes, fourier_planes.transformed_everywhere_to_whole, fourier_planes.WHOLE_PLANES),
}
for _name, (_file, _shape, _samples) in _FORMS.items():
    rule(
        getattr(fft, _name),
        shape=_shape,
        dtype=fourier.real_dtype if _name in ("irfft", "hfft", "irfft2", "irfftn") else None,
        linear=True,
        dynamic=("n",) if _file is fourier else ("s",),
        # the rule has been tried on all of them as NumPy's
        samples=_samples[:2],
    )(getattr(_file, f"grad_{_name}"))

rule(fft.fftshift, shape=fourier.shifted, linear=True, samples=fourier.SHIFTED)(fourier.grad_fftshift)
rule(fft.ifftshift, shape=fourier.shifted, linear=True, samples=fourier.SHIFTED)(fourier.grad_ifftshift)


# Cosine and sine transforms


def transformed(x: Any, *, type: int = 2, axis: int = -1, norm: str | None = None) -> Shape:
    """The shape of x."""
    if type not in (2, 3, 4) and (type != 1 or norm != "ortho"):
        raise TypeError(f"the cosine and sine transforms have rules with type 2, 3 and 4, not with type={type!r}")
    if not shape_of(x):
        raise SizeMismatch("the transform of a number")
    normal_axis(axis, len(shape_of(x)))
    return shape_of(x)


def transformed_dtype(x: Any, **_: Any) -> np.dtype[Any]:
    """The dtype of the transform of two numbers: some have none of one."""
    return np.asarray(fft.dct(np.ones(2, dtype_of_first(x)))).dtype


@inline
def weighted(x, axis, place, weight):
    """Return x with one element along an axis multiplied by a weight."""
    weights = assigned(np.ones(np.shape(x)[axis], x.dtype), weight, index=place)
    behind = tuple(range(1, x.ndim - axis % x.ndim))
    return x * (weights if len(behind) == 0 else np.expand_dims(weights, behind))


@inline
def through_transpose(transform, grad_y, type, axis, norm, place):
    """Return the gradient by the transform of the other type, where the element at `place` has another weight."""
    if type == 1 or type == 4:
        grad_x = transform(grad_y, type=type, axis=axis, norm=norm)
    elif norm == "ortho":
        grad_x = transform(grad_y, type=5 - type, axis=axis, norm=norm)
    elif (type == 2) == (transform is fft.dct or transform is fft.dst):
        grad_x = transform(weighted(grad_y, axis, place, 2), type=5 - type, axis=axis, norm=norm)
    else:
        grad_x = weighted(transform(grad_y, type=5 - type, axis=axis, norm=norm), axis, place, 0.5)
    return grad_x


REAL_LINES = [
    Sample(real(5)),
    Sample(real(4), type=3),
    Sample(real(4), type=4),
    Sample(real(5), type=1, norm="ortho"),
    Sample(real(2, 4), norm="ortho"),
    Sample(real(4, 2), axis=0, type=3, norm="ortho"),
    Sample(real(4, 2), axis=0),
    Sample(real(2, 3, 2), axis=-2, type=3, norm="forward"),
]
COMMON: dict[str, Any] = {
    "shape": transformed,
    "dtype": transformed_dtype,
    "linear": True,
    "holomorphic": False,
    "samples": REAL_LINES,
}


@rule(fft.dct, **COMMON)
def grad_dct(x, y, grad_y, *, type=2, axis=-1, norm=None):
    grad_x = through_transpose(fft.dct, grad_y, type, axis, norm, 0)
    return grad_x


@rule(fft.idct, **COMMON)
def grad_idct(x, y, grad_y, *, type=2, axis=-1, norm=None):
    grad_x = through_transpose(fft.idct, grad_y, type, axis, norm, 0)
    return grad_x


@rule(fft.dst, **COMMON)
def grad_dst(x, y, grad_y, *, type=2, axis=-1, norm=None):
    grad_x = through_transpose(fft.dst, grad_y, type, axis, norm, -1)
    return grad_x


@rule(fft.idst, **COMMON)
def grad_idst(x, y, grad_y, *, type=2, axis=-1, norm=None):
    grad_x = through_transpose(fft.idst, grad_y, type, axis, norm, -1)
    return grad_x
