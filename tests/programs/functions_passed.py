"""Functions that are given to functions or made by them: closures, lambdas, partial, decorators, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size. `SHAPES` says
for the command line what the arguments are, where that is not plain from the parameters.
"""

# ruff: noqa: B905, E731 - what people write: zip without `strict`, lambdas with names
import functools
import math

import numpy as np

NODES = np.array([-0.8611363115940526, -0.3399810435848563, 0.3399810435848563, 0.8611363115940526])
WEIGHTS = np.array([0.3478548451374538, 0.6521451548625461, 0.6521451548625461, 0.3478548451374538])


square = lambda v: v * v


def rk4(f, y, dt, steps):
    """One run of Runge and Kutta, of the fourth order."""
    for _ in range(steps):
        k1 = f(y)
        k2 = f(y + dt / 2 * k1)
        k3 = f(y + dt / 2 * k2)
        k4 = f(y + dt * k3)
        y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


def van_der_pol(y):
    position, velocity = y
    return np.array([velocity, 1.5 * (1 - position**2) * velocity - position])


def rk4_energy(f, y, dt, steps: int = 5):
    """The right-hand side is an argument."""
    y = rk4(f, y, dt, steps)
    return np.sum(y**2)


def lotka_volterra(prey, predators, birth, death, steps: int = 10):
    """The right-hand side is a closure over the parameters."""

    def rate(y):
        eaten = 0.8 * y[0] * y[1]
        return np.array([birth * y[0] - eaten, 0.5 * eaten - death * y[1]])

    y = rk4(rate, np.array([prey, predators]), 0.1, steps)
    return y[0] * y[1]


def decay_chain(rates, n, dt):
    """The right-hand side is a matrix, bound by partial."""

    def flow(A, n):
        return A @ n

    n = rk4(functools.partial(flow, rates), n, dt, 4)
    return n[-1]


def newton(f, slope, x, tolerance=1e-12):
    step = 1.0
    while abs(step) > tolerance:
        step = f(x) / slope(x)
        x = x - step
    return x


def cube_root(a, guess):
    return newton(lambda x: x**3 - a, lambda x: 3 * x**2, guess)


def integrate(f, a, b):
    """Gauss and Legendre, with four points."""
    half, middle = 0.5 * (b - a), 0.5 * (a + b)
    total = 0.0
    for node, weight in zip(NODES, WEIGHTS):
        total += weight * f(middle + half * node)
    return half * total


def arc_length(a, b, stretch):
    slope = lambda x: stretch * np.cos(stretch * x)
    return integrate(lambda x: np.sqrt(1 + square(slope(x))), a, b)


def quadrature(f, a, b):
    return integrate(f, a, 0.5 * (a + b)) + integrate(f, 0.5 * (a + b), b)


def shooting(left, right, stiffness):
    """The slope with which y'' = stiffness * sin(y) comes from left to right: secants."""

    def miss(slope):
        y, v = left, slope
        for _ in range(10):
            v = v + 0.1 * stiffness * math.sin(y)
            y = y + 0.1 * v
        return y - right

    a, b = 0.0, 1.0
    at_a, at_b = miss(a), miss(b)
    while abs(at_b) > 1e-11:
        a, b, at_a = b, b - at_b * (b - a) / (at_b - at_a), at_b
        at_b = miss(b)
    return b


def leaky(x, slope=0.01):
    return np.where(x > 0, x, slope * x)


def normalised(x, gain, *, epsilon=1e-5):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    scale = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + epsilon)
    return gain * centred / scale


def layer(x, W, gain, activation=np.tanh):
    z = normalised(x @ W, gain)
    return x + activation(z)


def residual_network(x, Ws, gains, W_out):
    for W, gain in zip(Ws, gains):
        x = layer(x, W, gain)
    x = layer(x, W_out, gains[0], activation=functools.partial(leaky, slope=0.2))
    return np.mean(x**3)


def affine(a, b):
    def apply(x):
        return a * x + b

    return apply


def composed(x, a, b):
    inner, outer = affine(a, 1.0), affine(b, a)
    for f in (inner, math.sin, outer, square):
        x = f(x)
    return x


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return wrapper


@doubled
def soft_threshold(x, level, /, sharp=3.0):
    lifted = math.exp(sharp * (x - level))
    return math.log(1 + lifted) / sharp


def total_of(*terms, weight=1.0):
    total = 0.0
    for term in terms:
        total = total + weight * term
    return total


def thresholds(x, y, level):
    return total_of(soft_threshold(x, level), soft_threshold(y, level, sharp=5.0), x * y, weight=0.5)


PROGRAMS = {
    rk4_energy: lambda normal, n: (van_der_pol, normal(2), 0.1, 3 * n),
    lotka_volterra: lambda normal, n: (1.2, 0.7, 1.1, 0.4, 3 * n),
    decay_chain: lambda normal, n: (normal(n, n), normal(n), 0.1),
    cube_root: lambda normal, n: (1.7 * n, 1.5),
    arc_length: lambda normal, n: (0.2, 1.0 + n, 1.3),
    quadrature: lambda normal, n: (lambda x: math.exp(-x * x), 0.1, 1.4),
    shooting: lambda normal, n: (0.3, 1.2, 0.4 * n),
    residual_network: lambda normal, n: (normal(n, 4), normal(3, 4, 4), normal(3, 4), normal(4, 4)),
    composed: lambda normal, n: (0.3, 1.2, -0.7),
    thresholds: lambda normal, n: (0.4, -0.2, 0.1),
}

SHAPES = {
    decay_chain: "rates=(n,n) n=(n,)",
    residual_network: "x=(n,d) Ws=(l,d,d) gains=(l,d) W_out=(d,d)",
}
