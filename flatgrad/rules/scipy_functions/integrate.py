"""Integrals of sampled values of `scipy.integrate`: trapezoid, cumulative_trapezoid, simpson.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import integrate

from flatgrad.graph.size import Shape, minus
from flatgrad.registry import Sample, inline, no_gradient, positive, real, rule
from flatgrad.rules.differences import area_shape
from flatgrad.rules.placing import placed_together
from flatgrad.rules.shapes import normal_axis, shape_of


def areas_shape(values: Any, x: Any = None, dx: Any = None, *, axis: int = -1, initial: float | None = None) -> Shape:
    """One less than there are values, but for what stands before them."""
    if initial not in (None, 0):
        raise TypeError("scipy.integrate.cumulative_trapezoid takes initial=0 or None")
    area_shape(values, x, dx, axis=axis)
    shape = shape_of(values)
    axis = normal_axis(axis, len(shape))
    size = shape[axis] if initial is not None else minus(shape[axis], 1)
    return (*shape[:axis], size, *shape[axis + 1 :])


@inline
def from_areas(grad_areas, values, x, dx, axis):
    """Return the gradients by values, x and dx of the areas between one value and the next."""
    along = (slice(None),) * (axis % values.ndim)
    later, earlier = along + (slice(1, None),), along + (slice(None, -1),)
    rest = tuple([k for k in range(values.ndim) if k != axis % values.ndim])
    half = grad_areas / 2
    if x is not None:
        steps = np.diff(x) if np.ndim(x) == 1 else np.diff(x, axis=axis)
        half_height = half * (steps if np.ndim(x) == values.ndim else np.expand_dims(steps, rest))
    else:
        half_height = half if dx is None else half * dx
    grad_values = placed_together((half_height, half_height), (later, earlier), values)
    grad_steps = half * (values[later] + values[earlier])
    if x is None:
        grad_x = None
    elif np.ndim(x) == values.ndim:
        grad_x = placed_together((grad_steps, -grad_steps), (later, earlier), x)
    else:
        summed = np.sum(grad_steps, axis=rest)
        grad_x = placed_together((summed, -summed), (slice(1, None), slice(None, -1)), x)
    return grad_values, grad_x, grad_steps


AREAS = [
    Sample(real(4)),
    Sample(real(4), dx=0.3),
    Sample(real(2, 3), axis=0),
    Sample(real(4), real(4)),
    Sample(real(2, 3), x=real(3)),
    Sample(real(3, 2), x=real(3), axis=0),
    Sample(real(2, 3, 2), x=real(3), axis=1),
    Sample(real(2, 3), x=positive(2, 3)),
    Sample(real(2, 3), dx=0.7, axis=-2),
]


@rule(integrate.trapezoid, shape=area_shape, samples=AREAS)
def grad_trapezoid(values, x=None, dx=None, y=None, grad_y=None, *, axis=-1):
    grad_areas = grad_y if values.ndim == 1 else np.expand_dims(grad_y, axis)
    grad_values, grad_x, grad_dx = from_areas(grad_areas, values, x, dx, axis)
    return grad_values, grad_x, grad_dx


@rule(
    integrate.cumulative_trapezoid,
    shape=areas_shape,
    samples=[
        *AREAS,
        Sample(real(4), initial=0),
        Sample(real(4), positive(4), initial=0),
        Sample(real(2, 3), initial=0, axis=0, dx=0.5),
    ],
)
def grad_cumulative_trapezoid(values, x=None, dx=None, y=None, grad_y=None, *, axis=-1, initial=None):
    along = (slice(None),) * (axis % values.ndim)
    if initial is not None:
        grad_y = grad_y[along + (slice(1, None),)]
    # each area is in all sums from its own on
    if values.ndim == 1:
        grad_areas = np.cumsum(grad_y[::-1])[::-1]
    else:
        back = along + (slice(None, None, -1),)
        grad_areas = np.cumsum(grad_y[back], axis=axis)[back]
    grad_values, grad_x, grad_dx = from_areas(grad_areas, values, x, dx, axis)
    return grad_values, grad_x, grad_dx


# Simpson's rule


def simpson_shape(values: Any, x: Any = None, dx: Any = None, *, axis: int = -1) -> Shape:
    """The axis goes."""
    return area_shape(values, x, dx, axis=axis)


def simpson_weights(steps):
    """Return the weight of each value in the integral by Simpson's rule, by the steps between their places.

    Of an even number of values, the last step has the weights of the parabola through the last three.
    """
    shape, count = np.shape(steps)[:-1], np.shape(steps)[-1] + 1
    weights = np.zeros((*shape, count), np.asarray(steps).dtype)
    if count == 2:
        weights += steps / 2
        return weights
    last = count - 1 + count % 2
    first, second = steps[..., : last - 1 : 2], steps[..., 1:last:2]
    both = first + second
    weights[..., : last - 2 : 2] += both * (2 - second / first) / 6
    weights[..., 1:last:2] += both * (both / first) * (both / second) / 6
    weights[..., 2:last:2] += both * (2 - first / second) / 6
    if count % 2 == 0:
        first, second = steps[..., -2], steps[..., -1]
        both = first + second
        weights[..., -1] += second * (2 * second + 3 * first) / (6 * both)
        weights[..., -2] += second * (second + 3 * first) / (6 * first)
        weights[..., -3] -= second * (second / first) * (second / both) / 6
    return weights


def _one_longer(steps: Any) -> Shape:
    *before, size = shape_of(steps)
    return (*before, minus(size, -1))


no_gradient(simpson_weights, shape=_one_longer, samples=[Sample(positive(4)), Sample(positive(2, 3)), Sample(real(1))])


@rule(
    integrate.simpson,
    shape=simpson_shape,
    unknown=["x"],
    samples=[
        Sample(real(5)),
        Sample(real(4)),
        Sample(real(2)),
        Sample(real(3)),
        Sample(real(6), dx=0.3),
        Sample(real(2, 5), dx=0.3),
        Sample(real(5, 2), axis=0),
        Sample(real(5), np.array([0.0, 0.3, 1.1, 1.5, 2.5]), wrt=("values",)),
        Sample(real(2, 4), x=np.array([0.0, 0.3, 1.1, 1.5]), wrt=("values",)),
        Sample(real(4, 2), x=np.array([0.0, 0.3, 1.1, 1.5]), axis=0, wrt=("values",)),
        Sample(real(2, 5), x=np.cumsum(positive(2, 5), axis=1), wrt=("values",)),
        Sample(real(5, 2), x=np.cumsum(positive(5, 2), axis=0), axis=0, wrt=("values",)),
    ],
)
def grad_simpson(values, x=None, dx=None, y=None, grad_y=None, *, axis=-1):
    grad_line = grad_y if values.ndim == 1 else np.expand_dims(grad_y, axis)
    if x is None:
        steps = np.ones(np.shape(values)[axis] - 1, values.dtype)
    else:
        steps = np.diff(x) if np.ndim(x) == 1 else np.diff(np.moveaxis(x, axis, -1))
    weights = simpson_weights(steps)
    if np.ndim(steps) > 1:
        weights = np.moveaxis(weights, -1, axis)
    elif values.ndim > 1:
        weights = np.expand_dims(weights, tuple([k for k in range(values.ndim) if k != axis % values.ndim]))
    grad_values = grad_line * weights if dx is None else grad_line * dx * weights
    grad_dx = grad_line * weights * values
    return grad_values, grad_dx
