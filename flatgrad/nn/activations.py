"""Activation functions beside the gates of lectures.

In: numbers or arrays. Out: arrays of the same dtype. Layer: above `gates`.
"""

import math

import numpy as np

from flatgrad.nn.gates import sigmoid, softplus


def normal_cdf(x):
    """Probability that a standard normal number is below x, with all digits where it is tiny, too."""
    # Chebyshev series of exp(x**2 / 2) * cdf(-x) / t in 2 * t - 1, after Schonfelder, Math. Comp. 32 (1978), as powers
    coefficients = [
        *[2.999445507813274e-11, -4.221644241696684e-10, 1.4684066912467977e-10, 4.01684673933235e-09],
        *[-4.461231943245354e-09, -1.9695900856734096e-08, 3.994349035559805e-08, 6.61834320494967e-08],
        *[-2.5619627541381934e-07, -1.5623877693912945e-07, 1.4804027614809944e-06, 1.7865053828168654e-07],
        *[-8.786277975709413e-06, -4.769190076797745e-07, 5.7773754340693565e-05, 3.3336052290036945e-05],
        *[-0.00040770461685247714, -0.0008699230891628756, 0.001885047241846578, 0.01509914372259023],
        *[0.04663046448990915, 0.09678435018555664, 0.15197416049297308, 0.18882128260393785],
    ]
    size = np.minimum(np.abs(x), 40.0)
    t = 4.0 / (4.0 + size)
    series = coefficients[0]
    for coefficient in coefficients[1:]:
        series = series * (2.0 * t - 1.0) + coefficient
    # the square of the first sixteenths is exact, as in Cody, Math. Comp. 23 (1969)
    head = np.floor(16.0 * size) / 16.0
    tail = t * series * np.exp(-0.5 * head**2) * np.exp(-0.5 * (size - head) * (size + head))
    return np.where(x > 0, 1.0 - tail, tail)


def gelu(x, approximate="none"):
    """Gaussian error linear unit: x times the normal distribution at x, or "tanh" for its approximation."""
    return {"none": gelu_by_normal_cdf, "tanh": gelu_by_tanh}[approximate](x)


def gelu_by_normal_cdf(x):
    """Gaussian error linear unit."""
    return x * normal_cdf(x)


def gelu_by_tanh(x):
    """Gaussian error linear unit, approximated (Hendrycks and Gimpel, 2016)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x):
    """Sigmoid linear unit, or swish: x times its sigmoid."""
    return x * sigmoid(x)


def mish(x):
    """Self-regularised unit: x times the tanh of its softplus."""
    return x * np.tanh(softplus(x))


def log_sigmoid(x):
    """Logarithm of the sigmoid, safe from overflow and with all digits at both ends."""
    return -softplus(-x)


def elu(x, alpha=1.0):
    """Exponential linear unit."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x):
    """Scaled exponential linear unit, which keeps mean 0 and variance 1 (Klambauer et al., 2017)."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def leaky_relu(x, slope=0.01):
    """Rectified linear unit with a slope below 0."""
    return np.where(x > 0, x, slope * x)


def hardtanh(x, low=-1.0, high=1.0):
    """The number itself between two bounds, the nearer bound outside."""
    return np.clip(x, low, high)


def softsign(x):
    """Between -1 and 1, without an exponential."""
    return x / (1 + np.abs(x))
