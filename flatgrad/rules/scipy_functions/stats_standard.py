"""What the rules of all distributions of `scipy.stats` are made of: gradients by x, loc and scale; samples.

In: slopes. Out: functions that rules call. Layer: rules.

With z = (x - loc) / scale, the density is p(z) / scale and the distribution P(z). Where the density is 0, all gradients are.
"""

from __future__ import annotations

import numpy as np

from flatgrad.registry import Sample, inline, positive, real


@inline
def standardised(x, loc, scale):
    """Return (x - loc) / scale; None stands for a location of 0, a scale of 1."""
    centred = x if loc is None else x - loc
    return centred if scale is None else centred / scale


@inline
def from_log_density(slope, z, scale, grad_y):
    """Return the gradients by x, loc and scale of log p(z) - log(scale), where `slope` is the derivative of log p."""
    grad_z = grad_y * slope
    grad_x = grad_z if scale is None else grad_z / scale
    grad_loc = -grad_x
    grad_scale = None if scale is None else -(grad_y + grad_z * z) / scale
    return grad_x, grad_loc, grad_scale


@inline
def from_distribution(slope, z, scale, grad_y):
    """Return the gradients by x, loc and scale of a function of z alone, where `slope` is its derivative."""
    grad_z = grad_y * slope
    grad_x = grad_z if scale is None else grad_z / scale
    grad_loc = -grad_x
    grad_scale = -grad_x * z
    return grad_x, grad_loc, grad_scale


ANYWHERE = [
    Sample(real()),
    Sample(real(3), real(2, 3), positive(3)),
    Sample(real(2, 1), loc=0.25, scale=positive(3)),
    Sample(real(2, 3), scale=positive(3)),
]
ABOVE_ZERO = [
    Sample(positive()),
    Sample(positive(3), -positive(2, 3), positive(3)),
    Sample(positive(2, 1), loc=0.25, scale=positive(3)),
    Sample(np.array([-1.5, 0.5]), scale=np.array([1.5, 2.0])),
]
BETWEEN = [
    Sample(positive() / 3),
    Sample(positive(3), -positive(2, 3), positive(3) + 6),
    Sample(positive(2, 1), loc=0.25, scale=positive(3) + 3),
    Sample(np.array([-1.5, 0.5, 7.0]), scale=np.array([1.5, 2.0, 3.0])),
]


def within(samples):
    """Return the samples that are inside of the support: outside of it, logarithms are -inf, and differences nan."""
    return samples[:-1]
