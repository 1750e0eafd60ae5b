"""The axes of an array in another order: transpose, swapaxes, moveaxis, rollaxis, matrix_transpose.

In: these functions of NumPy. Out: their records. Layer: rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import dtype_of_first, normal_axes, normal_axis, shape_of


def transposed(x: Any, *, axes: Sequence[int] | None = None) -> Shape:
    """The axes in this order; in reverse without one."""
    shape = shape_of(x)
    if axes is None:
        return shape[::-1]
    order = normal_axes(tuple(axes), len(shape))
    if sorted(order) != list(range(len(shape))):
        raise SizeMismatch(f"{tuple(axes)} is not an order of the axes of an array of rank {len(shape)}")
    return tuple(shape[k] for k in order)


def swapped(x: Any, *, axis1: int, axis2: int) -> Shape:
    """Two axes change places."""
    sizes = list(shape_of(x))
    one, other = normal_axis(axis1, len(sizes)), normal_axis(axis2, len(sizes))
    sizes[one], sizes[other] = sizes[other], sizes[one]
    return tuple(sizes)


def moved(x: Any, *, source: Any, destination: Any) -> Shape:
    """The named axes go to these places; the others keep their order."""
    shape = shape_of(x)
    sources, places = normal_axes(source, len(shape)), normal_axes(destination, len(shape))
    if len(sources) != len(places):
        raise SizeMismatch(f"{len(sources)} axes to {len(places)} places")
    order = [k for k in range(len(shape)) if k not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return tuple(shape[k] for k in order)


def rolled_back(x: Any, *, axis: int, start: int = 0) -> Shape:
    """One axis goes to the place in front of another."""
    return moved(x, source=axis, destination=place_of_rolled(axis, start, len(shape_of(x))))


def place_of_rolled(axis: int, start: int, rank: int) -> int:
    """Return where np.rollaxis puts an axis: in front of the axis `start`, from which the axis itself is taken away."""
    axis = normal_axis(axis, rank)
    if not -rank <= start <= rank:
        raise SizeMismatch(f"start={start} for an array of rank {rank}")
    before = start + rank if start < 0 else start
    return before - 1 if axis < before else before


def matrix_transposed(x: Any) -> Shape:
    """The last two axes change places."""
    return swapped(x, axis1=-1, axis2=-2)


@rule(
    np.transpose,
    shape=transposed,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(3)),
        Sample(real(2, 3)),
        Sample(real(2, 3, 4)),
        Sample(real(2, 3, 4), axes=(1, 2, 0)),
        Sample(real(2, 3, 4), axes=(-1, 0, 1)),
    ],
)
def grad_transpose(x, y, grad_y, *, axes=None):
    if x.ndim < 2:
        grad_x = grad_y
    elif axes is None:
        grad_x = grad_y.T
    else:
        order = [axis % x.ndim for axis in axes]
        back = sorted(zip(order, range(x.ndim), strict=True))
        grad_x = np.transpose(grad_y, tuple([pair[1] for pair in back]))
    return grad_x


@rule(
    np.swapaxes,
    shape=swapped,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3, 4), axis1=0, axis2=-1)],
)
def grad_swapaxes(x, y, grad_y, *, axis1, axis2):
    grad_x = np.swapaxes(grad_y, axis1, axis2)
    return grad_x


@rule(
    np.moveaxis,
    shape=moved,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 3, 4), source=0, destination=-1),
        Sample(real(2, 3, 4), source=(0, 1), destination=(2, 0)),
    ],
)
def grad_moveaxis(x, y, grad_y, *, source, destination):
    grad_x = np.moveaxis(grad_y, destination, source)
    return grad_x


@rule(
    np.rollaxis,
    shape=rolled_back,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[
        Sample(real(2, 3, 4), axis=2),
        Sample(real(2, 3, 4), axis=0, start=2),
        Sample(real(2, 3, 4), axis=-3, start=3),
        Sample(real(2, 3, 4), axis=1, start=-2),
    ],
)
def grad_rollaxis(x, y, grad_y, *, axis, start=0):
    place = place_of_rolled(axis, start, y.ndim)
    grad_x = grad_y if place == axis % y.ndim else np.moveaxis(grad_y, place, axis)
    return grad_x


@rule(
    np.matrix_transpose,
    shape=matrix_transposed,
    dtype=dtype_of_first,
    linear=True,
    view=True,
    samples=[Sample(real(2, 3)), Sample(real(2, 3, 4))],
)
def grad_matrix_transpose(x, y, grad_y):
    grad_x = grad_y.mT
    return grad_x
