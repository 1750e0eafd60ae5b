"""Decisions on data, as people write them: cases, cut-offs, collisions, loops that end when they are done.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size. `SHAPES` says
for the command line what the arguments are, where that is not plain from the parameters.
"""

# ruff: noqa: B007, B905 - what people write: counters that are read after the loop, zip without `strict`
import math

import numpy as np

GRAVITY = 9.81
BRACKETS = ((0.0, 10.0, 0.1), (10.0, 40.0, 0.25), (40.0, math.inf, 0.45))


def bisection(a, lo, hi, steps: int = 12):
    """Root of x^3 - a x - 1: bisection, then one secant."""
    for _ in range(steps):
        mid = 0.5 * (lo + hi)
        if (mid**3 - a * mid - 1) * (lo**3 - a * lo - 1) <= 0:
            hi = mid
        else:
            lo = mid
    at_lo = lo**3 - a * lo - 1
    at_hi = hi**3 - a * hi - 1
    return lo - at_lo * (hi - lo) / (at_hi - at_lo)


def bouncing_ball(height, speed, restitution, steps: int = 80):
    y, v = height, speed
    dt = 0.02
    for _ in range(steps):
        v -= GRAVITY * dt
        y += v * dt
        if y < 0:
            # the floor
            y = -restitution * y
            v = -restitution * v
    return y + 0.1 * v


def collisions(x, v, masses, steps: int = 40):
    """Two balls between two walls."""
    dt = 0.05
    x1, x2 = x[0], x[1]
    v1, v2 = v[0], v[1]
    m1, m2 = masses
    for _ in range(steps):
        x1 = x1 + dt * v1
        x2 = x2 + dt * v2
        if x1 > x2:
            total = m1 + m2
            v1, v2 = ((m1 - m2) * v1 + 2 * m2 * v2) / total, ((m2 - m1) * v2 + 2 * m1 * v1) / total
            x1, x2 = x2, x1
        if x1 < 0:
            x1, v1 = -x1, -v1
        elif x2 > 1:
            x2, v2 = 2 - x2, -v2
    return x1**2 + x2 + v1 * v2


def projectile(angle, speed, drag):
    """Where it comes down for the second time."""
    x, y = 0.0, 1.0
    vx, vy = speed * math.cos(angle), speed * math.sin(angle)
    dt = 0.02
    bounces = 0
    while bounces < 2:
        v = math.sqrt(vx**2 + vy**2)
        vx, vy = vx - dt * drag * v * vx, vy - dt * (GRAVITY + drag * v * vy)
        x, y = x + dt * vx, y + dt * vy
        if y < 0 and vy < 0:
            bounces += 1
            y, vy = -y, -0.6 * vy
    return x


def escape(x, y, limit: int = 40):
    """Smoothed number of steps in which a point leaves the Mandelbrot set."""
    zx = zy = 0.0
    for n in range(limit):
        zx, zy = zx * zx - zy * zy + x, 2 * zx * zy + y
        squared = zx * zx + zy * zy
        if squared > 16.0:
            break
    else:
        return 0.0 * x
    return n + 1 - math.log(math.log(squared) / 2) / math.log(2)


def julia_distance(zx, zy, cx, cy):
    dx, dy = 1.0, 0.0
    n = 0
    while zx**2 + zy**2 <= 100 and n < 30:
        dx, dy = 2 * (zx * dx - zy * dy), 2 * (zx * dy + zy * dx)
        zx, zy = zx**2 - zy**2 + cx, 2 * zx * zy + cy
        n += 1
    r = math.sqrt(zx**2 + zy**2)
    return r * math.log(r) / math.sqrt(dx**2 + dy**2)


def income_tax(income, allowance):
    taxable = income - allowance
    if taxable <= 0:
        return 0.0 * taxable
    elif taxable < 10:
        tax = 0.1 * taxable
    elif taxable < 40:
        tax = 1 + 0.01 * (taxable - 10) ** 2
    else:
        excess = taxable - 40
        tax = 10 + 0.45 * excess
    return tax


def household_tax(incomes, allowance):
    total = 0.0
    for income in incomes:
        left = income - allowance
        for low, high, rate in BRACKETS:
            if left <= low:
                break
            total += rate * (min(left, high) - low)
    return total


def kmeans(points, centres):
    cost = 0.0
    for p in points:
        best = np.inf
        for c in centres:
            d = np.sum((p - c) ** 2)
            if d < best:
                best = d
        cost += best
    return cost / len(points)


def lloyd(points, centre, other):
    """Centres after two turns of k-means, by memberships."""
    for _ in range(2):
        near = far = 1e-9
        near_sum, far_sum = np.zeros_like(centre), np.zeros_like(centre)
        for p in points:
            if np.sum((p - centre) ** 2) < np.sum((p - other) ** 2):
                near += 1
                near_sum = near_sum + p
            else:
                far += 1
                far_sum = far_sum + p
        centre = 0.5 * centre + 0.5 * near_sum / near
        other = 0.5 * other + 0.5 * far_sum / far
    return np.sum(centre**2) + np.sum(other)


def huber_regression(X, y, w, delta):
    loss = 0.0
    for i in range(len(X)):
        r = X[i] @ w - y[i]
        if abs(r) <= delta:
            loss += 0.5 * r**2
        else:
            loss += delta * (abs(r) - 0.5 * delta)
    return loss


def support_vectors(X, y, w, epsilon):
    """Epsilon-insensitive loss."""
    loss = 0.5 * np.sum(w**2)
    for row, wanted in zip(X, y):
        r = row @ w - wanted
        if -epsilon <= r <= epsilon:
            continue
        loss += r - epsilon if r > 0 else -r - epsilon
    return loss


def perceptron(X, w, rate):
    mistakes = 0
    for _ in range(2):
        for i, x in enumerate(X):
            label = 1 if i % 2 else -1
            if label * (w @ x) <= 0.3:
                w = w + rate * label * x
                mistakes += 1
    return np.sum(w**2) + mistakes


def metropolis(x, width, uniforms):
    """Mean of a chain whose random numbers are given."""
    total = 0.0
    energy = 0.5 * x**2
    for proposal, u in uniforms:
        moved = x + width * (proposal - 0.5)
        moved_energy = 0.5 * moved**2 + 0.1 * moved**4
        if moved_energy < energy or u < math.exp(energy - moved_energy):
            x, energy = moved, moved_energy
        total += x
    return total / len(uniforms)


def cubic_root(p, q):
    """The largest real root of t^3 + p t + q."""
    discriminant = q**2 / 4 + p**3 / 27
    if discriminant > 0:
        s = math.sqrt(discriminant)
        u, v = -q / 2 + s, -q / 2 - s
        u = u ** (1 / 3) if u >= 0 else -((-u) ** (1 / 3))
        v = v ** (1 / 3) if v >= 0 else -((-v) ** (1 / 3))
        return u + v
    r = math.sqrt(-p / 3)
    return 2 * r * math.cos(math.acos(-q / (2 * r**3)) / 3)


def first_hit(origin, direction, radius):
    """Distance along a ray to a sphere around the origin; -1 if it misses."""
    b = origin @ direction
    c = origin @ origin - radius**2
    inside = b * b - c
    if inside < 0:
        return -1.0
    root = np.sqrt(inside)
    near, far = -b - root, -b + root
    if near > 0:
        return near
    return far if far > 0 else -1.0


def spline(x, knots, values):
    k = 0
    while k < len(knots) - 2 and x > knots[k + 1]:
        k += 1
    h = knots[k + 1] - knots[k]
    t = (x - knots[k]) / h
    smooth = t * t * (3 - 2 * t)
    return values[k] + (values[k + 1] - values[k]) * smooth


def interpolated(xs, grid, values):
    total = 0.0
    for x in xs:
        for i in range(len(grid) - 1):
            if grid[i] <= x < grid[i + 1]:
                w = (x - grid[i]) / (grid[i + 1] - grid[i])
                total += (1 - w) * values[i] + w * values[i + 1]
                break
        else:
            total += values[-1]
    return total


def barrier_option(spot, volatility, barrier, draws, dt=0.1):
    s = spot
    for z in draws:
        s = s * math.exp(-0.5 * volatility**2 * dt + volatility * math.sqrt(dt) * z)
        if s > barrier:
            return 0.5 * (s - barrier)
    return max(s - 1.0, 0.0)


def pid_controller(kp, ki, kd, target):
    position = velocity = integral = 0.0
    before = target
    cost = 0.0
    for k in range(60):
        error = target - position
        force = kp * error + ki * integral + kd * (error - before) / 0.1
        before = error
        if abs(force) > 2.0:
            force = math.copysign(2.0, force)  # saturated, no windup
        else:
            integral += 0.1 * error
        velocity += 0.1 * (force - 0.3 * velocity)
        position += 0.1 * velocity
        if k < 10:
            continue
        cost += error**2
    return cost


def line_search(A, x):
    """Steepest descent that halves its step until it descends enough."""
    for _ in range(4):
        g = A @ x + x**3
        f = 0.5 * x @ A @ x + 0.25 * np.sum(x**4)
        step = 1.0
        while True:
            moved = x - step * g
            if 0.5 * moved @ A @ moved + 0.25 * np.sum(moved**4) <= f - 0.3 * step * (g @ g):
                break
            step *= 0.5
        x = moved
    return np.sum(x**2)


def golden_section(a, lo, hi):
    ratio = (math.sqrt(5) - 1) / 2
    while hi - lo > 0.05:
        c = hi - ratio * (hi - lo)
        d = lo + ratio * (hi - lo)
        if (c - a) ** 2 + math.sin(c) < (d - a) ** 2 + math.sin(d):
            hi = d
        else:
            lo = c
    # one step of Newton
    x = (lo + hi) / 2
    return x - (2 * (x - a) + math.cos(x)) / (2 - math.sin(x))


def clipped_steps(w, targets, limit):
    for target in targets:
        g = w - target + 0.1 * w**3
        norm = np.sqrt(np.sum(g**2)) or 1.0
        if norm > limit:
            g = g * (limit / norm)
        w = w - 0.5 * g
    return np.sum(w**2)


def instructions(codes, x, y):
    """A small machine."""
    for code in codes:
        match code:
            case 0:
                x = x + y
            case 1:
                x = x * y
            case 2 | 3:
                x, y = y, math.sin(x)
            case _:
                y = y - 0.5
    return x * y


def collatz(x, n: int):
    """As many halvings and triplings as n needs to come to 1."""
    while n != 1:
        if n % 2 == 0:
            n //= 2
            x = 0.5 * x + 0.1 * x**2
        else:
            n = 3 * n + 1
            x = math.sin(3 * x) + 1
    return x


PROGRAMS = {
    bisection: lambda normal, n: (1.3, 1.0, 2.0, 3 * n),
    bouncing_ball: lambda normal, n: (1.03, 0.47, 0.8, 30 * n),
    collisions: lambda normal, n: (np.array([0.21, 0.73]), np.array([1.1, -0.6]), np.array([1.0, 2.5]), 10 * n),
    projectile: lambda normal, n: (0.6 + 0.05 * n, 8.0, 0.02),
    escape: lambda normal, n: (0.5 * n - 0.7, 0.65),
    julia_distance: lambda normal, n: (0.3 * n, 0.4, -0.4, 0.6),
    income_tax: lambda normal, n: (17.0 * n - 8, 4.0),
    household_tax: lambda normal, n: (23.0 * np.arange(1, n + 1) - 11, 5.0),
    kmeans: lambda normal, n: (normal(n + 1, 2), normal(n, 2)),
    lloyd: lambda normal, n: (normal(2 * n, 2), normal(2), normal(2)),
    huber_regression: lambda normal, n: (normal(n + 2, 3), normal(n + 2), normal(3), 0.7),
    support_vectors: lambda normal, n: (normal(n + 3, 3), normal(n + 3), normal(3), 0.8),
    perceptron: lambda normal, n: (normal(n + 1, 3), normal(3), 0.4),
    metropolis: lambda normal, n: (0.4, 1.5, np.abs(np.sin(normal(5 * n, 2)))),
    cubic_root: lambda normal, n: (3.0 - 2.5 * n, 1.0),
    first_hit: lambda normal, n: (np.array([1.0, 2.0, 0.3]) / n, np.array([-0.3, -0.9, 0.1]), 1.5),
    spline: lambda normal, n: (0.45 * n, np.array([0.0, 0.4, 1.0, 1.5]), normal(4)),
    interpolated: lambda normal, n: (0.43 * np.arange(n + 1) + 0.1, np.array([0.0, 0.4, 1.0, 1.5]), normal(4)),
    barrier_option: lambda normal, n: (1.0, 0.5, 1.2 + 0.4 * (n % 2), np.abs(normal(3 * n))),
    pid_controller: lambda normal, n: (2.5, 0.6, 1.1, 0.5 * n),
    line_search: lambda normal, n: (np.diag(np.arange(1.0, n + 2)), normal(n + 1)),
    golden_section: lambda normal, n: (0.7, -1.0, 1.5 + n),
    clipped_steps: lambda normal, n: (normal(3), normal(n + 1, 3), 1.2),
    instructions: lambda normal, n: (np.arange(2 * n) % 5, 0.7, 1.3),
    collatz: lambda normal, n: (0.3, n + 4),
}  # fmt: skip
SHAPES = {
    collisions: "x=(2,) v=(2,) masses=(2,)",
    household_tax: "incomes=(n,)",
    kmeans: "points=(n,d) centres=(k,d)",
    lloyd: "points=(n,d) centre=(d,) other=(d,)",
    huber_regression: "X=(n,d) y=(n,) w=(d,)",
    support_vectors: "X=(n,d) y=(n,) w=(d,)",
    perceptron: "X=(n,d) w=(d,)",
    metropolis: "uniforms=(n,2)",
    first_hit: "origin=(3,) direction=(3,)",
    spline: "knots=(n,) values=(n,)",
    interpolated: "xs=(m,) grid=(n,) values=(n,)",
    barrier_option: "draws=(n,)",
    line_search: "A=(n,n) x=(n,)",
    clipped_steps: "w=(d,) targets=(t,d)",
    instructions: "codes=int(n,)",
}
