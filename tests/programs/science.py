"""Physics, finance and numerics, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a batch size.
"""

import math

import numpy as np

GRAVITY = 9.81
MASSES = np.array([1.0, 2.5, 0.5])


def kepler(mean_anomaly, eccentricity):
    E = mean_anomaly + eccentricity * math.sin(mean_anomaly)
    E = E - (E - eccentricity * math.sin(E) - mean_anomaly) / (1 - eccentricity * math.cos(E))
    E -= (E - eccentricity * math.sin(E) - mean_anomaly) / (1 - eccentricity * math.cos(E))
    return E


def lennard_jones(positions, sigma, epsilon):
    difference = positions[:, None, :] - positions[None, :, :]
    # 1 on the diagonal, where a particle meets itself
    same = np.eye(len(positions))
    squared = np.sum(difference**2, axis=-1) + same
    ratio = (sigma**2 / squared) ** 3
    return 2 * epsilon * np.sum((1 - same) * (ratio**2 - ratio))


def rbf_gram(X, log_length, alpha):
    squares = np.sum(X**2, axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * X @ X.T
    K = np.exp(-0.5 * distances / np.exp(log_length) ** 2)
    return alpha @ K @ alpha


def principal_components(X, V):
    centred = X - np.mean(X, axis=0)
    scores = centred @ V
    return np.sum((centred - scores @ V.T) ** 2) / X.shape[0]


def pendulum_step(angle, velocity, length, dt=0.1):
    # one step of Runge and Kutta
    k1a, k1v = velocity, -GRAVITY / length * np.sin(angle)
    k2a, k2v = velocity + dt / 2 * k1v, -GRAVITY / length * np.sin(angle + dt / 2 * k1a)
    k3a, k3v = velocity + dt / 2 * k2v, -GRAVITY / length * np.sin(angle + dt / 2 * k2a)
    k4a, k4v = velocity + dt * k3v, -GRAVITY / length * np.sin(angle + dt * k3a)
    angle = angle + dt / 6 * (k1a + 2 * k2a + 2 * k3a + k4a)
    velocity = velocity + dt / 6 * (k1v + 2 * k2v + 2 * k3v + k4v)
    return 0.5 * velocity**2 - GRAVITY / length * np.cos(angle)


def black_scholes(spot, strike, volatility, rate, maturity):
    spread = volatility * math.sqrt(maturity)
    d1 = (math.log(spot / strike) + (rate + volatility**2 / 2) * maturity) / spread
    d2 = d1 - spread
    paid = spot * 0.5 * (1 + math.erf(d1 / math.sqrt(2)))
    return paid - strike * math.exp(-rate * maturity) * 0.5 * (1 + math.erf(d2 / math.sqrt(2)))


def heat_residual(u_now, u_next, conductivity, dx=0.1, dt=0.01):
    laplacian = (u_now[2:] - 2 * u_now[1:-1] + u_now[:-2]) / dx**2
    residual = (u_next[1:-1] - u_now[1:-1]) / dt - conductivity * laplacian
    return np.mean(residual**2) + (u_next[0] - u_next[-1]) ** 2


def three_bodies(positions, velocities):
    kinetic = 0.5 * np.sum(MASSES * np.sum(velocities**2, axis=1))
    a, b, c = positions
    potential = -MASSES[0] * MASSES[1] / np.sqrt(np.sum((a - b) ** 2))
    potential -= MASSES[1] * MASSES[2] / np.sqrt(np.sum((b - c) ** 2))
    potential -= MASSES[2] * MASSES[0] / np.sqrt(np.sum((c - a) ** 2))
    return kinetic + potential


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rotated(angles, points, target):
    """Distance of rotated points from a target."""
    cos, sin = np.cos(angles), np.sin(angles)
    x = cos * points[..., 0] - sin * points[..., 1]
    y = sin * points[..., 0] + cos * points[..., 1]
    return np.mean(np.sqrt((x - target[0]) ** 2 + (y - target[1]) ** 2))


def total_variation(image, noisy, weight=0.3):
    down, right = image[1:] - image[:-1], image[:, 1:] - image[:, :-1]
    smooth = np.sqrt(down**2 + 1e-2).sum() + np.sqrt(right**2 + 1e-2).sum()
    return np.sum((image - noisy) ** 2) + weight * smooth


def portfolio(raw, returns, aversion=2.0):
    weights = np.exp(raw) / np.exp(raw).sum()
    earned = returns @ weights
    return -np.mean(earned) + aversion * np.var(earned)


PROGRAMS = {
    kepler: lambda normal, n: (1.2, 0.3),
    lennard_jones: lambda normal, n: (
        1.5 * np.arange(3 * n + 3).reshape(n + 1, 3) % 4 + normal(n + 1, 3) / 5,
        1.1,
        0.7,
    ),
    rbf_gram: lambda normal, n: (normal(n, 3), 0.2, normal(n)),
    principal_components: lambda normal, n: (normal(n + 1, 4), normal(4, 2)),
    pendulum_step: lambda normal, n: (0.4, -0.3, 1.2, 0.05),
    black_scholes: lambda normal, n: (1.1, 1.0, 0.3, 0.02, 0.7),
    heat_residual: lambda normal, n: (normal(n + 3), normal(n + 3), 0.4, 0.5, 0.3),
    three_bodies: lambda normal, n: (normal(3, 2), normal(3, 2)),
    rosenbrock: lambda normal, n: (normal(n + 1),),
    rotated: lambda normal, n: (normal(n), normal(n, 2), normal(2)),
    total_variation: lambda normal, n: (normal(n + 1, 4), normal(n + 1, 4), 0.2),
    portfolio: lambda normal, n: (normal(3), normal(n + 1, 3), 1.5),
}
