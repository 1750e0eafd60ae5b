"""Convolutions: nn.conv1d, nn.conv2d, and what their gradients are made of.

In: these functions of `flatgrad.nn`. Out: their records. A convolution is linear in its input and in its filters; the three
functions are each other's gradients. Layer: rules, above `windows`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad import nn
from flatgrad.graph.size import Shape, SizeMismatch, quotient, times, unify
from flatgrad.nn.convolutions import conv_backward_input, conv_backward_weight, convolved
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.windows import places, shape_asked_for


def correlated(x: Any, weight: Any, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Shape:
    """The samples, the filters, and the places where these fit."""
    shape, filters = shape_of(x), shape_of(weight)
    if len(shape) != len(filters) or len(shape) < 3:
        raise SizeMismatch(f"filters of rank {len(filters)} for an array of rank {len(shape)}")
    unify(shape[1], times(groups, filters[1]))
    if isinstance(filters[0], int) and quotient(filters[0], groups) is None:
        raise SizeMismatch(f"{filters[0]} filters in {groups} groups")
    return (shape[0], filters[0], *places(shape[2:], filters[2:], stride, padding, dilation))


def dtype_of_all(*arguments: Any, **_: Any) -> np.dtype[Any]:
    """The dtype that NumPy gives to a product of arrays."""
    return np.result_type(*(dtype_of_first(argument) for argument in arguments))


def _with_bias(rank: int, x: Any, weight: Any, bias: Any = None, **options: Any) -> Shape:
    if not len(shape_of(x)) == len(shape_of(weight)) == rank:
        raise SizeMismatch(f"arrays of rank {len(shape_of(x))} and {len(shape_of(weight))}, not {rank}")
    shape = correlated(x, weight, **options)
    if bias is not None:
        if len(shape_of(bias)) != 1:
            raise SizeMismatch(f"a bias of rank {len(shape_of(bias))}, not 1")
        unify(shape_of(bias)[0], shape[1])
    return shape


def of_signals(x: Any, weight: Any, bias: Any = None, **options: Any) -> Shape:
    """The samples, the filters, and the places where these fit."""
    return _with_bias(3, x, weight, bias, **options)


def of_images(x: Any, weight: Any, bias: Any = None, **options: Any) -> Shape:
    """The samples, the filters, and the places where these fit."""
    return _with_bias(4, x, weight, bias, **options)


@rule(
    nn.conv1d,
    shape=of_signals,
    dtype=dtype_of_all,
    samples=[
        Sample(real(2, 3, 7), real(4, 3, 3)),
        Sample(real(2, 3, 7), real(4, 3, 3), real(4), stride=2, padding=1),
        Sample(real(2, 2, 7), real(4, 1, 2), real(4), padding=[(3, 0)], dilation=3, groups=2),
        Sample(real(2, 3, 7), real(4, 3, 3), padding="same"),
    ],
)
@rule(
    nn.conv2d,
    shape=of_images,
    dtype=dtype_of_all,
    samples=[
        Sample(real(2, 3, 5, 6), real(4, 3, 3, 2)),
        Sample(real(2, 3, 5, 6), real(4, 3, 3, 2), real(4), stride=2, padding=1),
        Sample(real(2, 2, 5, 6), real(4, 1, 2, 3), real(4), stride=(1, 2), padding=((1, 0), (2, 1)), groups=2),
        Sample(real(1, 1, 5, 6), real(2, 1, 2, 2), dilation=2),
        Sample(real(2, 1, 5, 6), real(1, 1, 4, 3), real(1), padding="same", dilation=(1, 2)),
        Sample(real(2, 2, 5, 6), real(3, 2, 1, 1), real(3), padding="valid"),
        Sample(real(1, 4, 3, 3), real(4, 1, 3, 3), padding=(1, 0), groups=4),
    ],
)
def grad_conv(x, weight, bias=None, y=None, grad_y=None, *, stride=1, padding=0, dilation=1, groups=1):
    grad_x = conv_backward_input(
        grad_y, weight, np.shape(x), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    grad_weight = conv_backward_weight(
        x, grad_y, np.shape(weight), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    grad_bias = np.sum(grad_y, axis=(0, 2) if y.ndim == 3 else (0, 2, 3))
    return grad_x, grad_weight, grad_bias


@rule(
    convolved,
    shape=correlated,
    dtype=dtype_of_all,
    samples=[
        Sample(real(2, 3, 5, 6), real(4, 3, 3, 2)),
        Sample(real(2, 2, 5, 6), real(4, 1, 2, 3), stride=(1, 2), padding=((1, 0), (2, 1)), dilation=(2, 1), groups=2),
    ],
)
def grad_convolved(x, weight, y, grad_y, *, stride=1, padding=0, dilation=1, groups=1):
    grad_x = conv_backward_input(
        grad_y, weight, np.shape(x), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    grad_weight = conv_backward_weight(
        x, grad_y, np.shape(weight), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return grad_x, grad_weight


@rule(
    conv_backward_input,
    shape=shape_asked_for,
    dtype=dtype_of_all,
    samples=[
        Sample(real(2, 4, 3, 5), real(4, 3, 3, 2), shape=(2, 3, 5, 6)),
        Sample(real(2, 4, 2, 3), real(4, 1, 3, 2), shape=(2, 2, 5, 6), stride=2, padding=((0, 1), (0, 0)), groups=2),
    ],
)
def grad_conv_backward_input(grad_z, weight, y, grad_y, *, shape, stride=1, padding=0, dilation=1, groups=1):
    grad_grad_z = convolved(grad_y, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
    grad_weight = conv_backward_weight(
        grad_y, grad_z, np.shape(weight), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return grad_grad_z, grad_weight


@rule(
    conv_backward_weight,
    shape=shape_asked_for,
    dtype=dtype_of_all,
    samples=[
        Sample(real(2, 3, 5, 6), real(2, 4, 3, 5), shape=(4, 3, 3, 2)),
        Sample(real(2, 2, 5, 6), real(2, 4, 2, 3), shape=(4, 1, 3, 2), stride=2, padding=((0, 1), (0, 0)), groups=2),
    ],
)
def grad_conv_backward_weight(x, grad_z, y, grad_y, *, shape, stride=1, padding=0, dilation=1, groups=1):
    grad_x = conv_backward_input(
        grad_z, grad_y, np.shape(x), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    grad_grad_z = convolved(x, grad_y, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return grad_x, grad_grad_z
