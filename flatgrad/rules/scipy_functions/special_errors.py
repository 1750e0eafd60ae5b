"""Error functions.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import same

REAL = [Sample(real(2, 3)), Sample(real())]


@rule(special.expit, shape=same, samples=REAL)
def grad_expit(x, y, grad_y):
    grad_x = grad_y * y * special.expit(-x)
    return grad_x


@rule(special.erf, shape=same, samples=REAL)
def grad_erf(x, y, grad_y):
    grad_x = grad_y * 2 / math.sqrt(math.pi) * np.exp(-(x**2))
    return grad_x
