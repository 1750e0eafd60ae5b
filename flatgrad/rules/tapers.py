"""Windows that signals are multiplied by: bartlett, blackman, hamming, hanning, kaiser.

In: these functions of NumPy. Out: their records. The length is a whole number; that of Kaiser has a parameter too. Layer: rules, above
`bessel` and `creation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.bessel import i1
from flatgrad.rules.creation import size_of_number


def taper(M: Any, *_: Any) -> Shape:
    """So many numbers."""
    return (size_of_number(M),)


def _float64(*_: Any) -> np.dtype[Any]:
    return np.dtype(np.float64)


for each in (np.bartlett, np.blackman, np.hamming, np.hanning):
    no_gradient(each, shape=taper, dtype=_float64, samples=[Sample(5), Sample(4)])


@rule(np.kaiser, shape=taper, dtype=_float64, samples=[Sample(5, real() + 3, wrt=("beta",)), Sample(4, beta=2.5)])
def grad_kaiser(M, beta, y=None, grad_y=None):
    """The window is i0(beta * r) / i0(beta), where r is the height of a half circle; the derivative of i0 is i1."""
    places = np.arange(len(y))
    middle = (len(y) - 1) / 2
    height = np.sqrt(1 - ((places - middle) / middle) ** 2)
    slope = height * i1(beta * height) - y * i1(np.asarray(beta))
    grad_beta = np.sum(grad_y * slope) / np.i0(beta)
    return grad_beta
