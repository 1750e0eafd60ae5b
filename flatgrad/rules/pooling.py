"""Pooling: nn.max_pool2d, nn.avg_pool2d, and their gradients.

In: these functions of `flatgrad.nn`. Out: their records. Layer: rules, above `windows`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad import nn
from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.nn.pooling import avg_pool_backward, max_pool_backward
from flatgrad.nn.windows import windows
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.windows import each, places, shape_asked_for


def pooled(x: Any, *, kernel: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Shape:
    """The number of windows in the place of the last two axes."""
    shape, taps = shape_of(x), each(kernel, 2)
    if len(shape) < 2:
        raise SizeMismatch(f"an image is needed, not an array of rank {len(shape)}")
    return (*shape[:-2], *places(shape[-2:], taps, taps if stride is None else stride, padding, dilation))


POOLED: list[dict[str, Any]] = [
    {"kernel": 2},
    {"kernel": (2, 3), "stride": 1},
    {"kernel": 2, "stride": (2, 1), "padding": 1},
    {"kernel": 3, "stride": 1, "padding": "same"},
]


@rule(
    nn.avg_pool2d,
    shape=pooled,
    dtype=dtype_of_first,
    linear=True,
    samples=[Sample(real(2, 1, 5, 6), **options) for options in POOLED],
)
def grad_avg_pool2d(x, y, grad_y, *, kernel, stride=None, padding=0):
    grad_x = avg_pool_backward(grad_y, np.shape(x), kernel=kernel, stride=stride, padding=padding)
    return grad_x


@rule(
    nn.max_pool2d,
    shape=pooled,
    dtype=dtype_of_first,
    samples=[
        *[Sample(real(2, 1, 5, 6), **options) for options in POOLED],
        Sample(real(5, 6), kernel=2, dilation=2, stride=1),
    ],
    kinks=[
        Kink(
            "max_pool2d with ties",
            "shared equally",
            (np.array([[1.0, 1.0], [0.0, 1.0]]),),
            (np.array([[1 / 3, 1 / 3], [0.0, 1 / 3]]),),
            attributes=(("kernel", 2),),
            jax="the first",
            torch="the first",
        )
    ],
)
def grad_max_pool2d(x, y, grad_y, *, kernel, stride=None, padding=0, dilation=1):
    grad_x = max_pool_backward(grad_y, x, y, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    return grad_x


@rule(
    avg_pool_backward,
    shape=shape_asked_for,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(2, 1, 2, 3), shape=(2, 1, 5, 6), kernel=2),
        Sample(real(2, 1, 3, 7), shape=(2, 1, 5, 6), kernel=2, stride=(2, 1), padding=1),
    ],
)
def grad_avg_pool_backward(grad_z, y, grad_y, *, shape, kernel, stride=None, padding=0):
    grad_grad_z = nn.avg_pool2d(grad_y, kernel=kernel, stride=stride, padding=padding)
    return grad_grad_z


def of_input(grad_z: Any, x: Any, *_: Any, **__: Any) -> Shape:
    """The shape of what was pooled."""
    return shape_of(x)


IMAGES = real(2, 1, 5, 6)


@rule(
    max_pool_backward,
    shape=of_input,
    dtype=dtype_of_first,
    samples=[
        Sample(real(2, 1, 2, 3), IMAGES, nn.max_pool2d(IMAGES, 2), kernel=2, wrt=["grad_z"]),
        Sample(
            real(2, 1, 4, 4),
            IMAGES,
            nn.max_pool2d(IMAGES, (2, 3), 1),
            kernel=(2, 3),
            stride=1,
            wrt=["grad_z"],
        ),
    ],
)
def grad_max_pool_backward(grad_z, x, z, y, grad_y, *, kernel, stride=None, padding=0, dilation=1):
    step = kernel if stride is None else stride
    seen = windows(x, each(kernel, 2), stride=step, padding=padding, dilation=dilation, lowest=True)
    chosen = (seen == np.expand_dims(z, (-4, -3))).astype(grad_y.dtype)
    looked_at = windows(grad_y, each(kernel, 2), stride=step, padding=padding, dilation=dilation)
    grad_grad_z = np.sum(looked_at * chosen, axis=(-4, -3)) / np.sum(chosen, axis=(-4, -3))
    return grad_grad_z
