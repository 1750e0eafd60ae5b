"""Functions of `math` that take many numbers: hypot, dist, fsum, prod.

In: these functions. Out: their records. The numbers are a tuple in a rule, or an array where that is what is given. Layer:
rules, above `reductions`.
"""

from __future__ import annotations

import math

import numpy as np

from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.reductions import product_of_others
from flatgrad.rules.shapes import no_axes

NUMBERS = [real(), -0.5, 1.25]
ZEROS = (0.0, 0.0)


@rule(
    math.hypot,
    shape=no_axes,
    samples=[Sample(real(), -0.25), Sample(*NUMBERS), Sample(real())],
    kinks=[Kink("math.hypot(0, 0)", "0", ZEROS, (ZEROS,))],
)
def grad_math_hypot(*coordinates, y, grad_y):
    # 1 stands for a length of 0, where the gradient is 0
    length = y + (y == 0)
    grad_coordinates = tuple([grad_y * (x / length) for x in coordinates])
    return grad_coordinates


@rule(
    math.dist,
    shape=no_axes,
    samples=[Sample(NUMBERS, [0.75, real(), 2.0]), Sample([real()], [0.25])],
    kinks=[Kink("math.dist(p, p)", "0", ([1.0, 2.0], [1.0, 2.0]), (ZEROS, ZEROS))],
)
def grad_dist(p, q, y, grad_y):
    # 1 stands for a distance of 0, where the gradient is 0
    length = y + (y == 0)
    if isinstance(p, tuple):
        grad_p = tuple([grad_y * ((p[k] - q[k]) / length) for k in range(len(p))])
    else:
        grad_p = grad_y * ((p - q) / length)
    if isinstance(q, tuple):
        grad_q = tuple([grad_y * ((q[k] - p[k]) / length) for k in range(len(q))])
    else:
        grad_q = grad_y * ((q - p) / length)
    return grad_p, grad_q


@rule(math.fsum, shape=no_axes, linear=True, samples=[Sample(NUMBERS)])
def grad_fsum(numbers, y, grad_y):
    grad_numbers = tuple([grad_y] * len(numbers)) if isinstance(numbers, tuple) else np.full_like(numbers, grad_y)
    return grad_numbers


@rule(
    math.prod,
    shape=no_axes,
    samples=[Sample(NUMBERS), Sample([real(), -0.5], start=3)],
    kinks=[Kink("math.prod with a zero", "the product of the others", ([0.0, 2.0, 3.0],), ((6.0, 0.0, 0.0),))],
)
def grad_math_prod(numbers, y, grad_y, *, start=1):
    if isinstance(numbers, tuple):
        others = [numbers[:k] + numbers[k + 1 :] for k in range(len(numbers))]
        grad_numbers = tuple([grad_y * start * math.prod(factors) for factors in others])
    else:
        grad_numbers = grad_y * start * product_of_others(numbers)
    return grad_numbers
