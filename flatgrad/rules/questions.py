"""Questions about numbers, and operations on whole numbers and truth values: none of them has a gradient.

In: comparisons, logic, bits, isnan and its like, isclose, gcd. Out: their records. Layer: rules.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, no_gradient, positive, real
from flatgrad.rules.shapes import elementwise, no_axes, same

PAIRS = [
    Sample(real(3), real(2, 3)),
    Sample(real(2, 1), real(1, 3)),
    Sample(real(), real(3)),
    Sample(real(), positive()),
    Sample(-7.3, 2.1),
]
REAL = [Sample(real(2, 3)), Sample(real())]

# Comparisons.
no_gradient(
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
    shape=elementwise,
    samples=PAIRS,
    kinks=[
        Kink(
            "a < b and its like at a = b", "0", (np.ones(1), np.ones(1)), (np.zeros(1), np.zeros(1)), jax="0", torch="0"
        )
    ],
)
no_gradient(np.less, shape=elementwise, samples=PAIRS, scalar="{x1} < {x2}")
no_gradient(np.less_equal, shape=elementwise, samples=PAIRS, scalar="{x1} <= {x2}")
no_gradient(np.greater, shape=elementwise, samples=PAIRS, scalar="{x1} > {x2}")
no_gradient(np.greater_equal, shape=elementwise, samples=PAIRS, scalar="{x1} >= {x2}")
no_gradient(np.equal, shape=elementwise, samples=PAIRS, scalar="{x1} == {x2}")
no_gradient(np.not_equal, shape=elementwise, samples=PAIRS, scalar="{x1} != {x2}")

# Logic.
BITS = [Sample(real(3) > 0, real(2, 3) > 0), Sample(True, real(3) > 0)]
no_gradient(operator.not_, shape=no_axes, samples=[Sample(real())])
no_gradient(operator.invert, np.invert, shape=same, samples=[Sample(real(3) > 0)])
no_gradient(operator.and_, operator.or_, operator.xor, shape=elementwise, samples=BITS)
no_gradient(np.bitwise_and, np.bitwise_or, np.bitwise_xor, shape=elementwise, samples=BITS)
no_gradient(np.logical_and, shape=elementwise, samples=PAIRS, scalar="bool({x1} and {x2})")
no_gradient(np.logical_or, shape=elementwise, samples=PAIRS, scalar="bool({x1} or {x2})")
no_gradient(np.logical_xor, shape=elementwise, samples=PAIRS, scalar="bool({x1}) != bool({x2})")
no_gradient(np.logical_not, shape=same, samples=[Sample(real(3))], scalar="not {x}")

# Whole numbers.
WHOLE = [Sample(np.array([12, 5]), 1), Sample(12, 2)]
no_gradient(operator.lshift, operator.rshift, np.left_shift, np.right_shift, shape=elementwise, samples=WHOLE)
no_gradient(np.gcd, np.lcm, shape=elementwise, samples=WHOLE)
no_gradient(math.gcd, math.lcm, math.comb, math.perm, shape=no_axes, samples=[Sample(12, 2)])
no_gradient(math.factorial, math.isqrt, shape=no_axes, samples=[Sample(5)])
no_gradient(np.bitwise_count, shape=same, samples=[Sample(np.array([12, 5]))])

# Questions about a number.
for ask, scalar in ((np.isnan, math.isnan), (np.isfinite, math.isfinite), (np.isinf, math.isinf)):
    no_gradient(ask, scalar, shape=same, samples=REAL, scalar=scalar)
no_gradient(np.isposinf, np.isneginf, np.signbit, np.isreal, np.iscomplex, shape=same, samples=REAL)
no_gradient(np.isrealobj, np.isscalar, shape=no_axes, samples=REAL)


# Questions about two.


def compared(a: Any, b: Any, *_: Any, **__: Any) -> Shape:
    """An answer for each pair of elements."""
    return elementwise(a, b)


no_gradient(np.isclose, shape=compared, samples=[*PAIRS, Sample(real(3), real(), rtol=1e-3, atol=0.5)])
no_gradient(math.isclose, shape=no_axes, samples=[Sample(real(), positive()), Sample(real(), real(), rel_tol=1e-3)])
no_gradient(np.array_equal, np.array_equiv, np.allclose, shape=no_axes, samples=PAIRS)
