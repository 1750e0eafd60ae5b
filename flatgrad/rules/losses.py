"""Derivatives of the losses of `flatgrad.nn`.

In: these functions. Out: their records. Layer: rules, above `gates`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad import nn
from flatgrad.graph.size import Shape, SizeMismatch, broadcast, unify
from flatgrad.registry import Sample, real, rule, within_one
from flatgrad.rules.placing import placed, placed_along_axis
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of


def lost(losses: Shape, reduction: str) -> Shape:
    """One number, or all losses."""
    if reduction not in ("mean", "sum", "none"):
        raise TypeError(f"reduction={reduction!r} is neither 'mean' nor 'sum' nor 'none'")
    return losses if reduction == "none" else ()


def of_labels(logits: Any, labels: Any, *, axis: int = -1, reduction: str = "mean") -> Shape:
    """A label for all the logits along the axis."""
    scores, classes = shape_of(logits), shape_of(labels)
    axis = normal_axis(axis, len(scores))
    others = (*scores[:axis], *scores[axis + 1 :])
    if len(classes) != len(others):
        raise SizeMismatch(f"labels of rank {len(classes)} for logits of rank {len(scores)}")
    return lost(tuple(map(unify, others, classes)), reduction)


def of_pairs(prediction: Any, target: Any, *, reduction: str = "mean", **_: Any) -> Shape:
    """A loss for each element."""
    return lost(broadcast([shape_of(prediction), shape_of(target)]), reduction)


LABELS = np.array([2, 0, 1, 1])


@rule(
    nn.cross_entropy,
    shape=of_labels,
    dtype=dtype_of_first,
    samples=[
        Sample(real(4, 3), LABELS),
        Sample(real(4, 3), LABELS, reduction="sum"),
        Sample(real(4, 3), LABELS, reduction="none"),
        Sample(real(3), np.array(2)),
        Sample(real(2, 2, 3), LABELS.reshape(2, 2)),
        Sample(real(2, 3, 2), LABELS.reshape(2, 2), axis=1, reduction="none"),
    ],
)
def grad_cross_entropy(logits, labels, y, grad_y, *, axis=-1, reduction="mean"):
    if reduction == "mean":
        grad_y = grad_y / np.size(labels)
    elif reduction == "none" and logits.ndim > 1:
        grad_y = np.expand_dims(grad_y, axis)
    if logits.ndim == 1:
        one_hot = placed(1.0, labels, logits)
    elif logits.ndim == 2 and axis % 2 == 1:
        one_hot = placed(1.0, (np.arange(len(labels)), labels), logits)
    else:
        one_hot = placed_along_axis(1.0, np.expand_dims(labels, axis), axis, logits)
    grad_logits = grad_y * (nn.softmax(logits, axis=axis) - one_hot)
    return grad_logits


@rule(
    nn.binary_cross_entropy_with_logits,
    shape=of_pairs,
    samples=[
        Sample(real(4), within_one(4) / 2 + 0.5),
        Sample(real(2, 3), within_one(2, 3) / 2 + 0.5, reduction="sum"),
        Sample(real(2, 3), within_one(3) / 2 + 0.5, reduction="none"),
    ],
)
def grad_binary_cross_entropy_with_logits(logits, targets, y, grad_y, *, reduction="mean"):
    error = nn.sigmoid(logits) - targets
    if reduction == "mean":
        grad_y = grad_y / np.size(error)
    grad_logits = grad_y * error
    grad_targets = -grad_y * logits
    return grad_logits, grad_targets


@rule(
    nn.huber,
    shape=of_pairs,
    samples=[
        Sample(2 * real(2, 3), real(2, 3) + 0.1),
        Sample(2 * real(2, 3), real(3), delta=0.5),
        Sample(real(), 2.1),
    ],
)
def grad_huber(prediction, target, y, grad_y, *, delta=1.0):
    error = np.clip(prediction - target, -delta, delta)
    grad_prediction = grad_y / np.size(error) * error
    grad_target = -grad_prediction
    return grad_prediction, grad_target
