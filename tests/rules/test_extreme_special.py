"""Gradients of functions of `scipy.special` at extreme arguments, against mpmath with 60 digits.

Each formula is the derivative as the books have it, which cancels and overflows in floats and does not in mpmath. What is too
large or too small for a float is inf or 0.
"""

import numpy as np
import pytest

from flatgrad.registry import lookup
from flatgrad.rules.scipy_functions import declare_installed

mp = pytest.importorskip("mpmath").mp
special = pytest.importorskip("scipy.special")
declare_installed()

SQRT_PI = lambda: mp.sqrt(mp.pi)  # noqa: E731
SIZES = [5e-324, 1e-310, 1e-300, 1e-150, 1e-20, 1e-8, 1e-3, 0.1, 0.7, 1.5, 4.0, 12.0]
FAR = [29.0, 35.0, 1e2, 4e2, 7e2, 8e2, 1e4, 1e8, 1e20, 1e150, 1e300]
ALL = [0.0, -0.0, *SIZES, *FAR, *(-x for x in SIZES), *(-x for x in FAR)]
POSITIVE = [*SIZES, *FAR]
PROBABILITIES = [*SIZES[:9], 0.99, 1 - 1e-6, 1 - 1e-15]
# function: where, the derivative, and how many times the precision of a float it may be off, relatively
SLOPES = {
    "erf": (ALL, lambda x: 2 / SQRT_PI() * mp.exp(-(x**2)), 4e3),
    "erfc": (ALL, lambda x: -2 / SQRT_PI() * mp.exp(-(x**2)), 4e3),
    "erfi": (ALL, lambda x: 2 / SQRT_PI() * mp.exp(x**2), 4e3),
    "erfcx": (ALL, lambda x: 2 * x * _erfcx(x) - 2 / SQRT_PI(), 2e4),
    "dawsn": (ALL, lambda x: 1 - 2 * x * _dawsn(x), 2e4),
    "erfinv": (
        [0.0, *PROBABILITIES, *(-p for p in PROBABILITIES)],
        lambda x: SQRT_PI() / 2 * mp.exp(mp.erfinv(x) ** 2),
        1e3,
    ),
    "ndtr": (ALL, lambda x: mp.exp(-(x**2) / 2) / mp.sqrt(2 * mp.pi), 4e3),
    "log_ndtr": (ALL, lambda x: mp.sqrt(2 / mp.pi) / _erfcx(-x / mp.sqrt(2)), 4e3),
    "expit": (ALL, lambda x: 1 / (2 + mp.exp(x) + mp.exp(-x)), 8),
    "logit": (PROBABILITIES, lambda x: 1 / (x * (1 - x)), 8),
    "log_expit": (ALL, lambda x: 1 / (1 + mp.exp(x)), 8),
    "softplus": (ALL, lambda x: 1 / (1 + mp.exp(-x)), 8),
    "gammaln": (POSITIVE, lambda x: mp.digamma(x), 64),
    "digamma": (POSITIVE, lambda x: mp.polygamma(1, x), 64),
    "gamma": (POSITIVE, lambda x: mp.gamma(x) * mp.digamma(x), 4e3),
    "rgamma": ([*SIZES, 0.0, *(-x for x in SIZES), -1.0, -2.0, -50.0, 29.0, 1e4], lambda x: mp.diff(mp.rgamma, x), 4e3),
    "entr": (POSITIVE, lambda x: -mp.log(x) - 1, 64),
    "exprel": (ALL, lambda x: (x * mp.exp(x) - mp.expm1(x)) / x**2 if x else mp.mpf(0.5), 1e3),
    "spence": (POSITIVE, lambda x: mp.log(x) / (1 - x), 4e3),
    "expm1": (ALL, lambda x: mp.exp(x), 8),
    "log1p": (POSITIVE, lambda x: 1 / (1 + x), 8),
    "cosm1": ([x for x in ALL if abs(x) < 1e9], lambda x: -mp.sin(x), 8),
    "exp1": (POSITIVE, lambda x: -mp.exp(-x) / x, 8),
    "expi": (ALL[2:], lambda x: mp.exp(x) / x, 8),
    "cbrt": (POSITIVE, lambda x: 1 / (3 * mp.cbrt(x) ** 2), 8),
    "exp10": (ALL, lambda x: mp.mpf(10) ** x * mp.log(10), 4e3),
    "i0": (ALL, lambda x: mp.besseli(1, x) if abs(x) < 1e9 else mp.sign(x) * mp.inf, 64),
    "i1": (ALL, lambda x: (mp.besseli(0, x) + mp.besseli(2, x)) / 2 if abs(x) < 1e3 else mp.inf, 64),
    "i1e": ([x for x in ALL if abs(x) < 100], lambda x: _i1e_slope(abs(x)), 4e3),
    # SciPy's k0 and k1 are nan for subnormal numbers
    "k0": (POSITIVE[2:], lambda x: -mp.besselk(1, x), 64),
    "k1": (POSITIVE[2:], lambda x: -(mp.besselk(0, x) + mp.besselk(2, x)) / 2, 64),
    "j0": ([x for x in ALL if abs(x) < 1e3], lambda x: -mp.besselj(1, x), 4e4),
    "j1": ([x for x in ALL if abs(x) < 1e3], lambda x: (mp.besselj(0, x) - mp.besselj(2, x)) / 2, 4e4),
}
CASES = [pytest.param(name, float(x), id=f"{name}({x})") for name, (points, _, _) in SLOPES.items() for x in points]


def _erfcx(x):
    if x > 1e3:
        # DLMF 7.12.1
        t = 1 / (2 * x**2)
        return sum((-t) ** n * mp.fac2(2 * n - 1) for n in range(12)) / (x * SQRT_PI())
    if x < -1e3:
        return mp.inf
    return mp.exp(x**2) * (mp.erfc(x) if x > -100 else 2)


def _i1e_slope(x):
    return mp.exp(-x) * ((mp.besseli(0, x) + mp.besseli(2, x)) / 2 - mp.besseli(1, x))


def _dawsn(x):
    if abs(x) > 1e3:
        t = 1 / (2 * x**2)
        return sum(t**n * mp.fac2(2 * n - 1) for n in range(12)) / (2 * x)
    return SQRT_PI() / 2 * mp.exp(-(x**2)) * mp.erfi(x)


def slope(name, x):
    """Return what the rule of a function gives at a number."""
    function = getattr(special, name)
    with np.errstate(all="ignore"):
        return float(lookup(function).gradient(np.float64(x), function(np.float64(x)), np.float64(1.0)))


@pytest.mark.parametrize(("name", "x"), CASES)
def test_gradient_at_an_extreme_argument_is_right(name, x):
    """To all digits but those that the size of x takes from the exponentials."""
    cancels = name in ("exprel", "erfcx", "dawsn") and not 1e-3 < abs(x) < 1e20
    with mp.workdps(700 if cancels else 60):
        exact = SLOPES[name][1](mp.mpf(x))
        expected = float(exact)
    tolerance = SLOPES[name][2] * np.finfo(float).eps
    np.testing.assert_allclose(slope(name, x), expected, rtol=tolerance, atol=1e-290)
