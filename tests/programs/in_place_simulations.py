"""Simulations that write into arrays: stencils, states that are written per step, particles, masks.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

import numpy as np


def heat_equation(u0, alpha, steps: int = 5):
    """Explicit steps, each written into the inside of the rod."""
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += alpha * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u**2)


def heat_in_the_plane(u0, alpha, steps: int = 3):
    u = u0.copy()
    for _ in range(steps):
        laplacian = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        u[1:-1, 1:-1] = u[1:-1, 1:-1] + alpha * laplacian
        u[0, :] = u[1, :]
        u[-1, :] = u[-2, :]
        u[:, 0] = 0.0
    return np.sum(u[:, 1:] ** 2)


def heat_with_two_buffers(u0, alpha, source, steps: int = 4):
    """Two arrays change places after each step."""
    u, u_next = u0.copy(), np.empty_like(u0)
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            u_next[i] = u[i] + alpha * (u[i - 1] - 2 * u[i] + u[i + 1]) + source[i]
        u_next[0] = u_next[1]
        u_next[-1] = u_next[-2]
        u, u_next = u_next, u
    return np.sum(np.sin(u))


def sweep(u, f, h):
    """A sweep of Gauss and Seidel: each element is written from ones that are new and ones that are old."""
    for i in range(1, len(u) - 1):
        u[i] = 0.5 * (u[i - 1] + u[i + 1] + h * h * f[i])


def relaxation(f, left, right, h=0.3):
    u = np.zeros(len(f))
    u[0], u[-1] = left, right
    for _ in range(3):
        sweep(u, f, h)
    return u @ u


def advection(u0, speeds, dt=0.1, steps: int = 3):
    """The wind decides the side that a difference is taken from."""
    u = u0.copy()
    for _ in range(steps):
        new = u.copy()
        for i in range(len(u)):
            if speeds[i] > 0:
                new[i] -= dt * speeds[i] * (u[i] - u[i - 1])
            else:
                new[i] -= dt * speeds[i] * (u[(i + 1) % len(u)] - u[i])
        u = new
    return np.sum(u**2 * np.arange(1, len(u) + 1))


def obstacle(u0, barrier, rate, steps: int = 4):
    """Diffusion above a barrier: where it is hit the state is set to it."""
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += rate * (u[2:] - 2 * u[1:-1] + u[:-2])
        below = u < barrier
        u[below] = barrier[below]
        u[~below] *= 0.9
    return np.sum(u**3)


def lotka_volterra(prey, predators, a, b, c, d, steps: int = 6):
    """Steps of Euler, each written into its row."""
    dt = 0.1
    states = np.zeros((steps + 1, 2))
    states[0] = prey, predators
    for n in range(steps):
        x, y = states[n]
        states[n + 1, 0] = x + dt * (a * x - b * x * y)
        states[n + 1, 1] = y + dt * (d * x * y - c * y)
    return np.mean(states[:, 0]) + 2 * np.mean(states[:, 1] ** 2)


def rates(y, params):
    dy = np.empty_like(y)
    dy[0] = params["a"] * y[0] - params["b"] * y[0] * y[1]
    dy[1] = params["d"] * y[0] * y[1] - params["c"] * y[1]
    return dy


def lotka_volterra_rk4(y0, params, times, data):
    """Steps of Runge and Kutta between given times; the fit to data."""
    ys = np.empty((len(times), 2))
    ys[0] = y0
    for n in range(len(times) - 1):
        h = times[n + 1] - times[n]
        k1 = rates(ys[n], params)
        k2 = rates(ys[n] + h / 2 * k1, params)
        k3 = rates(ys[n] + h / 2 * k2, params)
        k4 = rates(ys[n] + h * k3, params)
        ys[n + 1] = ys[n] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.sum((ys - data) ** 2)


def particles(positions, velocities, charges, dt=0.05, steps: int = 3):
    """Forces between all pairs, added to both of them; positions and velocities change in place."""
    x, v = positions.copy(), velocities.copy()
    n = len(x)
    for _ in range(steps):
        forces = np.zeros_like(x)
        for i in range(n):
            for j in range(i + 1, n):
                r = x[i] - x[j]
                f = charges[i] * charges[j] * r / (np.sum(r**2) + 0.1) ** 1.5
                forces[i] += f
                forces[j] -= f
        v += dt * forces
        x += dt * v
    return 0.5 * np.sum(v**2) + np.sum(x[:, 0])


def springs(positions, velocities, edges, lengths, stiffness, dt=0.05, steps: int = 3):
    """Forces of springs, gathered at the ends of the edges by np.add.at."""
    x = np.array(positions)
    v = np.array(velocities)
    for _ in range(steps):
        stretch = x[edges[:, 1]] - x[edges[:, 0]]
        distance = np.sqrt(np.sum(stretch**2, axis=1))
        pull = (stiffness * (distance - lengths) / distance)[:, None] * stretch
        force = np.zeros(x.shape)
        np.add.at(force, edges[:, 0], pull)
        np.subtract.at(force, edges[:, 1], pull)
        v[1:] += dt * force[1:]  # the first one is held
        x += dt * v
    return np.sum(v**2) + np.sum(x**2)


def wave(u0, speed, steps: int = 4):
    """Three arrays in turn; products are written into a buffer that is given for them."""
    before, now = u0.copy(), u0.copy()
    curvature = np.zeros_like(u0)
    for _ in range(steps):
        np.subtract(now[2:], 2 * now[1:-1], out=curvature[1:-1])
        curvature[1:-1] += now[:-2]
        np.multiply(curvature, speed**2, out=curvature)
        after = 2 * now - before + curvature
        before, now = now, after
    return np.sum(now**4)


def gray_scott(U, V, feed, kill, steps: int = 2):
    """Two substances in arrays with a margin that is copied from the other side."""

    def laplacian(Z):
        return Z[:-2, 1:-1] + Z[1:-1, :-2] - 4 * Z[1:-1, 1:-1] + Z[1:-1, 2:] + Z[2:, 1:-1]

    def wrap(Z):
        Z[0, :] = Z[-2, :]
        Z[-1, :] = Z[1, :]
        Z[:, 0] = Z[:, -2]
        Z[:, -1] = Z[:, 1]

    U, V = U.copy(), V.copy()
    for _ in range(steps):
        u, v = U[1:-1, 1:-1], V[1:-1, 1:-1]
        Lu, Lv = laplacian(U), laplacian(V)
        uvv = u * v * v
        u += 0.16 * Lu - uvv + feed * (1 - u)
        v += 0.08 * Lv + uvv - (feed + kill) * v
        wrap(U)
        wrap(V)
    return np.sum(U * V)


def blurred(image, kernel):
    """Rows, then columns, of an image in place; the ends stay."""
    out = image.copy()
    for i in range(out.shape[0]):
        row = out[i]
        row[1:-1] = kernel[0] * row[:-2] + kernel[1] * row[1:-1] + kernel[2] * row[2:]
    for column in out.T:
        column[1:-1] = kernel[0] * column[:-2] + kernel[1] * column[1:-1] + kernel[2] * column[2:]
    return np.sum(out**2)


def neural_ode(params, x0, target, steps: int = 4):
    """States of a network's flow in a list, then as one array."""
    states = [x0]
    for n in range(steps):
        h = np.tanh(params["W1"] @ states[n] + params["b1"])
        states.append(states[n] + 0.1 * (params["W2"] @ h + params["b2"]))
    trajectory = np.stack(states, axis=0)
    return np.mean((trajectory - target) ** 2)


def epidemic(beta, gamma, initial, days: int = 6):
    """A table with a row for each day and a column for each compartment."""
    table = np.zeros((days, 3))
    table[0, 0] = 1 - initial
    table[0, 1] = initial
    for day in range(1, days):
        s, i, r = table[day - 1]
        infections = beta * s * i
        recoveries = gamma * i
        table[day, :] = [s - infections, i + infections - recoveries, r + recoveries]
    peak = np.max(table[:, 1])
    return peak + table[-1, 2]


def random_walk_with_walls(start, steps, width):
    """A place is written per step; where it leaves the strip it is reflected."""
    path = np.empty(len(steps) + 1)
    path[0] = start
    for k, step in enumerate(steps):
        path[k + 1] = path[k] + step
        if path[k + 1] > width:
            path[k + 1] = 2 * width - path[k + 1]
        elif path[k + 1] < -width:
            path[k + 1] = -2 * width - path[k + 1]
    return np.mean(path**2)


def leapfrog_into_caller(q, p, masses, dt=0.1, steps: int = 3):
    """The caller's arrays hold the state afterwards."""
    for _ in range(steps):
        p -= dt / 2 * np.sin(q)
        q += dt * p / masses
        p -= dt / 2 * np.sin(q)
    return np.sum(p**2 / masses) / 2 - np.sum(np.cos(q))


PROGRAMS = {
    heat_equation: lambda normal, n: (normal(n + 3), 0.2),
    heat_in_the_plane: lambda normal, n: (normal(n + 2, 4), 0.1),
    heat_with_two_buffers: lambda normal, n: (normal(n + 3), 0.2, normal(n + 3)),
    relaxation: lambda normal, n: (normal(n + 3), 0.5, -1.0),
    advection: lambda normal, n: (normal(n + 2), normal(n + 2)),
    obstacle: lambda normal, n: (normal(n + 4), 0.3 * normal(n + 4), 0.2),
    lotka_volterra: lambda normal, n: (1.0, 0.5, 0.8, 0.4, 0.6, 0.3, 2 * n),
    lotka_volterra_rk4: lambda normal, n: (
        np.array([1.0, 0.5]), {"a": 0.8, "b": 0.4, "c": 0.6, "d": 0.3}, np.cumsum(np.linspace(0.1, 0.3, n + 1)), normal(n + 1, 2)
    ),
    particles: lambda normal, n: (normal(n + 1, 2), normal(n + 1, 2), normal(n + 1)),
    springs: lambda normal, n: (
        normal(4, 2), normal(4, 2), np.array([[0, 1], [1, 2], [2, 3], [0, 2]]), np.ones(4), normal(4) ** 2
    ),
    wave: lambda normal, n: (normal(n + 3), 0.6),
    gray_scott: lambda normal, n: (normal(n + 3, 5), normal(n + 3, 5), 0.05, 0.06),
    blurred: lambda normal, n: (normal(n + 2, 4), np.array([0.2, 0.5, 0.3])),
    neural_ode: lambda normal, n: (
        {"W1": normal(3, 2), "b1": normal(3), "W2": normal(2, 3), "b2": normal(2)}, normal(2), normal(n + 1, 2), n
    ),
    epidemic: lambda normal, n: (0.9, 0.3, 0.05, 4 * n),
    random_walk_with_walls: lambda normal, n: (0.1, normal(4 * n), 0.9),
    leapfrog_into_caller: lambda normal, n: (normal(n), normal(n), normal(n) ** 2 + 0.5),
}  # fmt: skip
