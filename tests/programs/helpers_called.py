"""Programs that call helpers which do the work: prices, series, integrators, attention, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size. `SHAPES` says
for the command line what the arguments are, where that is not plain from the parameters.
"""

import math

import numpy as np

LANCZOS = (
    76.18009172947146,
    -86.50532032941677,
    24.01409824083091,
    -1.231739572450155,
    1.208650973866179e-3,
    -5.395239384953e-6,
)


def eccentric_anomaly(mean_anomaly, eccentricity):
    E = mean_anomaly
    for _ in range(50):
        change = (E - eccentricity * math.sin(E) - mean_anomaly) / (1 - eccentricity * math.cos(E))
        E -= change
        if abs(change) < 1e-13:
            return E
    return E


def determinant(A):
    n = len(A)
    if n == 1:
        return A[0, 0]
    total = 0.0
    for j in range(n):
        minor = np.concatenate((A[1:, :j], A[1:, j + 1 :]), axis=1)
        total += (-1) ** j * A[0, j] * determinant(minor)
    return total


def normal_cdf(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def call_price(spot, strike, volatility, rate, maturity):
    spread = volatility * math.sqrt(maturity)
    d1 = (math.log(spot / strike) + (rate + 0.5 * volatility**2) * maturity) / spread
    return spot * normal_cdf(d1) - strike * math.exp(-rate * maturity) * normal_cdf(d1 - spread)


def straddle(spot, strike, volatility, rate=0.02, *, maturity=0.5):
    call = call_price(spot, strike, volatility, rate=rate, maturity=maturity)
    put = call - spot + strike * math.exp(-rate * maturity)
    return call + put


def implied_volatility(price, spot, strike):
    """Newton with the slope of the price, until the price fits."""
    volatility = 0.5
    error = call_price(spot, strike, volatility, 0.01, 1.0) - price
    while abs(error) > 1e-10:
        d1 = math.log(spot / strike) / volatility + 0.5 * volatility
        volatility -= error / (spot * math.exp(-0.5 * d1**2) / math.sqrt(2 * math.pi))
        error = call_price(spot, strike, volatility, 0.01, 1.0) - price
    return volatility


def payoff(s, strike):
    return np.maximum(s - strike, 0.0)


def monte_carlo_call(spot, strike, volatility, draws, dt=0.1):
    total = 0.0
    for path in draws:
        s = spot
        average = 0.0
        for z in path:
            s = s * np.exp((0.02 - 0.5 * volatility**2) * dt + volatility * np.sqrt(dt) * z)
            average += s / len(path)
        total += payoff(s, strike) + payoff(average, strike)
    return total / len(draws)


def tangent_fraction(x, n: int = 8):
    value = 2.0 * n + 1
    for k in range(2 * n - 1, 0, -2):
        value = k - x**2 / value
    return x / value


def golden_fraction(terms):
    value = terms[-1]
    for k in reversed(range(len(terms) - 1)):
        value = terms[k] + 1 / value
    return value


def adaptive_steps(y, rate, end, tolerance=1e-4):
    """Euler and Heun: accepted where they agree, else tried again with half the step."""

    def slope(t, y):
        return -rate * y + math.sin(t)

    t, dt = 0.0, 0.1
    while t < end:
        if t + dt > end:
            dt = end - t
        k1 = slope(t, y)
        k2 = slope(t + dt, y + dt * k1)
        error = abs(0.5 * dt * (k2 - k1))
        if error > tolerance:
            dt = 0.5 * dt
            continue
        y = y + 0.5 * dt * (k1 + k2)
        t = t + dt
        dt = dt * min(2.0, 0.9 * math.sqrt(tolerance / (error + 1e-10)))
    return y


def bond_price(coupon, years, rate):
    price = 0.0
    for year in range(1, years + 1):
        price += coupon / (1 + rate) ** year
    return price + 1 / (1 + rate) ** years


def bond_yield(price, coupon, years: int = 4):
    lo, hi = 0.0, 1.0
    while hi - lo > 0.01:
        mid = (lo + hi) / 2
        if bond_price(coupon, years, mid) > price:
            lo = mid
        else:
            hi = mid
    at_lo, at_hi = bond_price(coupon, years, lo), bond_price(coupon, years, hi)
    return lo + (hi - lo) * (at_lo - price) / (at_lo - at_hi)


def power(x, n: int):
    """By squaring."""
    result = 1.0
    while n > 0:
        if n % 2 == 1:
            result = result * x
        x = x * x
        n = n // 2
    return result


def recursive_power(x, n: int = 5):
    if n == 0:
        return 1.0
    half = recursive_power(x, n // 2)
    return half * half * x if n % 2 else half * half


def attend(q, k, v, scale=None):
    if scale is None:
        scale = 1 / np.sqrt(q.shape[-1])
    scores = scale * (q @ k.T)
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return weights / np.sum(weights, axis=-1, keepdims=True) @ v, scores


def encoder_decoder(x, y, W):
    memory, own = attend(x @ W, x, x)
    read, cross = attend(y, memory, v=memory, scale=0.5)
    return np.sum(read**2) + 0.01 * np.sum(own) + 0.01 * np.sum(cross**2)


def lagrange(x, nodes, values):
    total = 0.0
    for i in range(len(nodes)):
        basis = 1.0
        for j in range(len(nodes)):
            if i != j:
                basis *= (x - nodes[j]) / (nodes[i] - nodes[j])
        total += values[i] * basis
    return total


def clenshaw(coefficients, x):
    """A Chebyshev series."""
    b1 = b2 = 0.0
    for k in range(len(coefficients) - 1, 0, -1):
        b1, b2 = coefficients[k] + 2 * x * b1 - b2, b1
    return coefficients[0] + x * b1 - b2


def mean_of_means(a, b):
    """Arithmetic and geometric mean, and what is left between them."""
    turns = 0
    while a - b > 1e-9:
        a, b = (a + b) / 2, math.sqrt(a * b)
        turns += 1
    return math.pi / (2 * a) + 0.1 * turns


def log_gamma(x):
    total = 1.000000000190015
    for k, c in enumerate(LANCZOS, start=1):
        total += c / (x + k)
    shifted = x + 5.5
    return (x + 0.5) * math.log(shifted) - shifted + math.log(math.sqrt(2 * math.pi) * total / x)


def beta_log_density(x, a, b):
    log_beta = log_gamma(a) + log_gamma(b) - log_gamma(a + b)
    return (a - 1) * math.log(x) + (b - 1) * math.log(1 - x) - log_beta


def bessel(x, order: int = 1):
    """The power series, until its terms don't count."""
    term = 1.0
    for k in range(1, order + 1):
        term *= x / (2 * k)
    total, k = term, 1
    while abs(term) > 1e-16 * abs(total):
        term *= -(x**2) / (4 * k * (k + order))
        total += term
        k += 1
    return total


PROGRAMS = {
    eccentric_anomaly: lambda normal, n: (0.6 * n, 0.4),
    determinant: lambda normal, n: (normal(3, 3),),
    straddle: lambda normal, n: (1.1, 1.0, 0.3, 0.03),
    implied_volatility: lambda normal, n: (0.2, 1.0, 1.05),
    monte_carlo_call: lambda normal, n: (1.1, 1.0, 0.4, normal(n + 1, 3)),
    tangent_fraction: lambda normal, n: (0.8, 2 * n),
    golden_fraction: lambda normal, n: (normal(n + 1) ** 2 + 1,),
    adaptive_steps: lambda normal, n: (1.0, 1.5, 0.7 * n),
    bond_yield: lambda normal, n: (0.9, 0.05, 3 * n),
    power: lambda normal, n: (1.1, 5 * n),
    recursive_power: lambda normal, n: (1.1, 3 * n),
    encoder_decoder: lambda normal, n: (normal(n + 1, 3), normal(n, 3), normal(3, 3)),
    lagrange: lambda normal, n: (0.37, np.linspace(-1, 1, n + 1) ** 3 + 0.1, normal(n + 1)),
    clenshaw: lambda normal, n: (normal(n), 0.3),
    mean_of_means: lambda normal, n: (1.3, 0.2),
    beta_log_density: lambda normal, n: (0.3, 2.2, 3.1),
    bessel: lambda normal, n: (1.7, n),
}

SHAPES = {
    determinant: "A=(3,3)",
    monte_carlo_call: "draws=(n,t)",
    golden_fraction: "terms=(n,)",
    encoder_decoder: "x=(n,d) y=(m,d) W=(d,d)",
    lagrange: "nodes=(n,) values=(n,)",
    clenshaw: "coefficients=(n,)",
}
