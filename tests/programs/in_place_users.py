"""In-place code of many kinds, as users write it: solvers, transforms, recurrences, caches, buffers, updates of the caller's state.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

import math

import numpy as np


def red_black(f, h, sweeps: int = 2):
    """Sweeps over the fields of one colour, then over those of the other."""
    rows, columns = f.shape
    u = np.zeros((rows, columns))
    for _ in range(sweeps):
        for color in (0, 1):
            for i in range(1, rows - 1):
                for j in range(1, columns - 1):
                    if (i + j) % 2 == color:
                        u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - h * h * f[i, j])
    return np.sum(u**2)


def crank_nicolson(u0, r, steps: int = 3):
    """Half of each step is explicit, half of it a system with three diagonals."""
    n = len(u0)
    u = u0.copy()
    a, b = np.full(n, -r / 2), np.full(n, 1 + r)
    for _ in range(steps):
        d = np.zeros(n)
        d[0] = (1 - r) * u[0] + r / 2 * u[1]
        d[-1] = (1 - r) * u[-1] + r / 2 * u[-2]
        d[1:-1] = r / 2 * u[:-2] + (1 - r) * u[1:-1] + r / 2 * u[2:]
        upper = np.zeros(n)
        upper[0] = a[0] / b[0]
        d[0] /= b[0]
        for i in range(1, n):
            pivot = b[i] - a[i] * upper[i - 1]
            upper[i] = a[i] / pivot
            d[i] = (d[i] - a[i] * d[i - 1]) / pivot
        u[-1] = d[-1]
        for i in range(n - 2, -1, -1):
            u[i] = d[i] - upper[i] * u[i + 1]
    return np.sum(u**2)


def cavity(u, v, p, viscosity, steps: int = 2):
    """A flow under a lid: copies of the last step, conditions at the walls, sweeps for the pressure inside of each step."""
    u, v, p = u.copy(), v.copy(), p.copy()
    dt = 0.01
    for _ in range(steps):
        un, vn = u.copy(), v.copy()
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - dt * un[1:-1, 1:-1] * (un[1:-1, 1:-1] - un[1:-1, :-2])
            - dt * vn[1:-1, 1:-1] * (un[1:-1, 1:-1] - un[:-2, 1:-1])
            - dt / 2 * (p[1:-1, 2:] - p[1:-1, :-2])
            + viscosity * (un[1:-1, 2:] - 2 * un[1:-1, 1:-1] + un[1:-1, :-2])
        )
        v[1:-1, 1:-1] = vn[1:-1, 1:-1] - dt * un[1:-1, 1:-1] * (vn[1:-1, 1:-1] - vn[1:-1, :-2])
        for _ in range(2):
            pn = p.copy()
            p[1:-1, 1:-1] = (pn[1:-1, 2:] + pn[1:-1, :-2] + pn[2:, 1:-1] + pn[:-2, 1:-1]) / 4
            p[:, -1] = p[:, -2]
            p[0, :] = p[1, :]
            p[-1, :] = 0
        u[0, :] = 0
        u[-1, :] = 1
        v[:, -1] = 0
    return np.sum(u**2) + np.sum(v**2) + np.sum(p * u)


def yee(electric, magnetic, permittivity, steps: int = 4):
    """Two fields on shifted grids, each written from the other, with a source in the middle."""
    e, h = electric.copy(), magnetic.copy()
    n = e.size
    for t in range(steps):
        for i in range(1, n):
            e[i] = e[i] + permittivity[i] * (h[i - 1] - h[i])
        e[n // 2] += math.exp(-0.5 * ((2 - t) / 1.5) ** 2)
        for i in range(n - 1):
            h[i] += 0.5 * (e[i] - e[i + 1])
    return np.dot(e, e) + np.dot(h, h)


def arnoldi(A, b, k: int = 2):
    """A basis of a Krylov space in the columns of one array, the projected matrix in another."""
    Q = np.zeros((len(b), k + 1))
    H = np.zeros((k + 1, k))
    Q[:, 0] = b / np.sqrt(b @ b)
    for j in range(k):
        v = A @ Q[:, j]
        for i in range(j + 1):
            H[i, j] = Q[:, i] @ v
            v -= H[i, j] * Q[:, i]
        H[j + 1, j] = np.sqrt(v @ v)
        Q[:, j + 1] = v / H[j + 1, j]
    return np.sum(H**2 * np.arange(1, k + 1))


def ldl(A):
    n = len(A)
    L, D = np.eye(n), np.zeros(n)
    for j in range(n):
        D[j] = A[j, j] - np.sum(L[j, :j] ** 2 * D[:j])
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - np.sum(L[i, :j] * L[j, :j] * D[:j])) / D[j]
    return np.sum(np.log(D)) + np.sum(L)


def fourier(re, im):
    """Radix 2 in place: places change by bit reversal, then butterflies of growing length."""
    re, im = re.copy(), im.copy()
    n = len(re)
    j = 0
    for i in range(1, n):
        bit = n // 2
        while j >= bit:
            j -= bit
            bit //= 2
        j += bit
        if i < j:
            re[i], re[j] = re[j], re[i]
            im[i], im[j] = im[j], im[i]
    length = 2
    while length <= n:
        half = length // 2
        for start in range(0, n, length):
            for k in range(half):
                angle = -2 * math.pi * k / length
                wr, wi = math.cos(angle), math.sin(angle)
                a, b = start + k, start + k + half
                tr = wr * re[b] - wi * im[b]
                ti = wr * im[b] + wi * re[b]
                re[b] = re[a] - tr
                im[b] = im[a] - ti
                re[a] += tr
                im[a] += ti
        length *= 2
    return np.sum((re**2 + im**2) * np.arange(n))


def forward_backward(emissions, transitions, observed):
    """Two tables, one from the front and one from the back, and what follows from both."""
    T, K = len(observed), transitions.shape[0]
    A = np.exp(transitions)
    A /= A.sum(axis=1, keepdims=True)
    B = np.exp(emissions)
    B /= B.sum(axis=1, keepdims=True)
    alpha, beta = np.zeros((T, K)), np.ones((T, K))
    alpha[0] = B[:, observed[0]] / K
    for t in range(1, T):
        alpha[t] = (alpha[t - 1] @ A) * B[:, observed[t]]
    for t in reversed(range(T - 1)):
        beta[t] = A @ (B[:, observed[t + 1]] * beta[t + 1])
    gamma = alpha * beta
    gamma /= gamma.sum(axis=1, keepdims=True)
    return np.log(alpha[-1].sum()) + np.sum(gamma[:, 0] ** 2)


def insertion_sort(x, weights):
    """A key is taken out, and what is larger moves up until there is its place."""
    a = np.copy(x)
    for i in range(1, len(a)):
        key = a[i]
        j = i - 1
        while j >= 0 and a[j] > key:
            a[j + 1] = a[j]
            j -= 1
        a[j + 1] = key
    return np.dot(weights, a**2)


def key_value_cache(xs, Wq, Wk, Wv):
    """Attention of each token to those before it: keys and values are written into a cache."""
    T, d = xs.shape
    K, V = np.zeros((T, Wk.shape[1])), np.zeros((T, Wv.shape[1]))
    out = np.zeros((T, Wv.shape[1]))
    for t in range(T):
        K[t] = xs[t] @ Wk
        V[t] = xs[t] @ Wv
        scores = K[: t + 1] @ (xs[t] @ Wq) / np.sqrt(d)
        p = np.exp(scores - np.max(scores))
        p /= p.sum()
        out[t] = p @ V[: t + 1]
    return np.sum(out**2)


def sparse_product(data, indices, starts, x):
    """A matrix in compressed rows."""
    y = np.zeros(len(starts) - 1)
    for i in range(len(y)):
        for k in range(starts[i], starts[i + 1]):
            y[i] += data[k] * x[indices[k]]
    return y @ y


def moving_average_errors(y, phi, theta):
    """The errors of a model of past values and past errors, as far as there is a past."""
    e = np.zeros(len(y))
    for t in range(len(y)):
        expected = 0.0
        for i in range(len(phi)):
            if t - i - 1 >= 0:
                expected += phi[i] * y[t - i - 1]
        for i in range(len(theta)):
            if t - i - 1 >= 0:
                expected += theta[i] * e[t - i - 1]
        e[t] = y[t] - expected
    return np.sum(e**2)


def runge_kutta(y0, A, b, rate, steps: int = 2):
    """Stages in the rows of an array, by a table of weights."""
    s, h = len(b), 0.2
    y = np.array(y0)
    for _ in range(steps):
        k = np.empty((s, y.size))
        for i in range(s):
            inner = y.copy()
            for j in range(i):
                inner += h * A[i, j] * k[j]
            k[i] = -rate * np.sin(inner)
        y += h * (b @ k)
    return y @ y


def replay(states, rewards, weights):
    """A buffer whose oldest row is overwritten."""
    buffer = np.zeros((3, states.shape[1]))
    place, total = 0, 0.0
    for t in range(len(states)):
        buffer[place] = states[t]
        place = (place + 1) % 3
        total += rewards[t] * np.sum(np.tanh(buffer @ weights))
    return total


def delays(x, gains):
    """A line of delays is shifted onto itself, and a ring keeps what the filter gave."""
    line, ring = np.zeros(3), np.zeros(2)
    total = 0.0
    for t in range(len(x)):
        line[1:] = line[:-1]
        line[0] = x[t] + 0.5 * ring[(t + 1) % 2]
        ring[t % 2] = gains @ line
        total += ring[0] * ring[1] + line[2]
    return total


def momentum_in_caller(weights, velocity, X, y, rate):
    """Steps on the caller's arrays, by a helper that changes what it is given."""

    def update(parameter, change):
        parameter -= rate * change

    for k in range(len(X)):
        error = X[k] @ weights - y[k]
        velocity *= 0.9
        velocity += error * X[k]
        update(weights, velocity)
        if abs(weights[0]) > 2.0:
            weights[0] *= 0.5
    return np.mean((X @ weights - y) ** 2)


def skip_gram(embeddings, contexts, center, context, rate):
    """One step on two rows of two tables, then the loss of the new ones."""
    E, C = embeddings.copy(), contexts.copy()
    g = 1 / (1 + np.exp(-E[center] @ C[context])) - 1
    before = E[center].copy()
    E[center] -= rate * g * C[context]
    C[context] -= rate * g * before
    return np.log(1 + np.exp(-(E[center] @ C[context]))) + 0.1 * np.sum(E * C)


def positive(normal, n):
    A = normal(n, n)
    return A @ A.T + n * np.eye(n)


PROGRAMS = {
    red_black: lambda normal, n: (normal(n + 2, 4), 0.5),
    crank_nicolson: lambda normal, n: (normal(n + 2), 0.4),
    cavity: lambda normal, n: (normal(n + 2, 4), normal(n + 2, 4), normal(n + 2, 4), 0.1),
    yee: lambda normal, n: (normal(n + 1), normal(n + 1), 0.5 + 0.1 * normal(n + 1)),
    arnoldi: lambda normal, n: (normal(n + 2, n + 2), normal(n + 2)),
    ldl: lambda normal, n: (positive(normal, n),),
    fourier: lambda normal, n: (normal(2**n), normal(2**n)),
    forward_backward: lambda normal, n: (normal(2, 3), normal(2, 2), np.arange(n + 1) % 3),
    insertion_sort: lambda normal, n: (normal(n + 1), normal(n + 1)),
    key_value_cache: lambda normal, n: (normal(n, 2), normal(2, 3), normal(2, 3), normal(2, 2)),
    sparse_product: lambda normal, n: (
        normal(2 * n), (np.arange(2 * n) * 2) % n, np.arange(0, 2 * n + 1, 2), normal(n)
    ),
    moving_average_errors: lambda normal, n: (normal(n + 1), normal(2), normal(1)),
    runge_kutta: lambda normal, n: (normal(2), normal(n, n), normal(n), 0.5),
    replay: lambda normal, n: (normal(n + 3, 2), normal(n + 3), normal(2)),
    delays: lambda normal, n: (normal(n + 3), normal(3)),
    momentum_in_caller: lambda normal, n: (normal(2), normal(2), normal(n + 1, 2), normal(n + 1), 0.1),
    skip_gram: lambda normal, n: (normal(4, n), normal(4, n), 1, 2, 0.1),
}  # fmt: skip
