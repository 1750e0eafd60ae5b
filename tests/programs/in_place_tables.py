"""Dynamic programmes and other tables that are filled in place.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

import math

import numpy as np


def soft_minimum(a, b, c, gamma):
    least = min(a, b, c)
    return least - gamma * math.log(
        math.exp((least - a) / gamma) + math.exp((least - b) / gamma) + math.exp((least - c) / gamma)
    )


def soft_dtw(x, y, gamma):
    """The soft cost of the best alignment of two series."""
    n, m = len(x), len(y)
    R = np.full((n + 1, m + 1), 1e6)
    R[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            R[i, j] = (x[i - 1] - y[j - 1]) ** 2 + soft_minimum(R[i - 1, j - 1], R[i - 1, j], R[i, j - 1], gamma)
    return R[n, m]


def soft_edit_distance(a, b, insertion, deletion, substitution, gamma=0.3):
    """The costs of the edits have gradients, the texts are integers."""
    D = np.zeros((len(a) + 1, len(b) + 1))
    for i in range(len(a) + 1):
        D[i, 0] = i * deletion
    for j in range(len(b) + 1):
        D[0, j] = j * insertion
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            cost = 0.0 if a[i - 1] == b[j - 1] else substitution[a[i - 1], b[j - 1]]
            options = np.array([D[i - 1, j] + deletion, D[i, j - 1] + insertion, D[i - 1, j - 1] + cost])
            low = np.min(options)
            D[i, j] = low - gamma * np.log(np.sum(np.exp(-(options - low) / gamma)))
    return D[-1, -1]


def needleman_wunsch(scores, gap):
    """Two rows of the table are enough; they change places."""
    n, m = scores.shape
    previous = -gap * np.arange(m + 1)
    current = np.zeros(m + 1)
    for i in range(n):
        current[0] = -gap * (i + 1)
        for j in range(m):
            current[j + 1] = max(previous[j] + scores[i, j], previous[j + 1] - gap, current[j] - gap)
        previous, current = current, previous
    return previous[m]


def binomial_option(spot, strike, volatility, rate, maturity, steps: int = 4):
    """An American put, backwards through the tree, in place."""
    dt = maturity / steps
    up = np.exp(volatility * np.sqrt(dt))
    down = 1 / up
    p = (np.exp(rate * dt) - down) / (up - down)
    discount = np.exp(-rate * dt)
    prices = spot * up ** np.arange(steps, -steps - 1, -2)
    V = np.maximum(strike - prices, 0.0)
    for i in range(steps, 0, -1):
        prices = prices[:i] * down
        V[:i] = discount * (p * V[:i] + (1 - p) * V[1 : i + 1])
        V[:i] = np.maximum(V[:i], strike - prices)
    return V[0]


def running_sums(x, weights):
    """Sums from the left and from the right by loops, then their product."""
    left = x.copy()
    for i in range(1, len(left)):
        left[i] += left[i - 1]
    right = np.empty(len(x))
    right[-1] = x[-1]
    for i in reversed(range(len(x) - 1)):
        right[i] = right[i + 1] + x[i]
    return np.sum(weights * left * right)


def summed_area(image, a, b):
    """A table of sums over all rectangles from the corner."""
    rows, columns = image.shape
    S = np.zeros((rows + 1, columns + 1))
    for i in range(rows):
        for j in range(columns):
            S[i + 1, j + 1] = image[i, j] + S[i, j + 1] + S[i + 1, j] - S[i, j]
    return a * S[rows, columns] ** 2 + b * (S[rows, columns] - S[1, columns]) * S[rows, 1]


def partition_function(weights, capacity: int = 4):
    """Ways to fill a knapsack, each weighted: one row, from the back."""
    ways = np.zeros(capacity + 1)
    ways[0] = 1.0
    for size, weight in enumerate(weights, start=1):
        for total in range(capacity, size - 1, -1):
            ways[total] += weight * ways[total - size]
    return np.log(ways[-1] + 1.0) + np.sum(ways)


def lattice_paths(costs):
    """The cheapest way through a grid, softly."""
    total = costs.copy()
    rows, columns = total.shape
    for j in range(1, columns):
        total[0, j] += total[0, j - 1]
    for i in range(1, rows):
        total[i, 0] += total[i - 1, 0]
        for j in range(1, columns):
            total[i, j] += -np.log(np.exp(-total[i - 1, j]) + np.exp(-total[i, j - 1]))
    return total[-1, -1]


def inside_algorithm(rules, emissions):
    """All the ways to derive a sentence, in a chart over spans: binary rules of weights, and words."""
    n, k = emissions.shape
    chart = np.zeros((n, n + 1, k))
    for i in range(n):
        chart[i, i + 1] = np.exp(emissions[i])
    for width in range(2, n + 1):
        for i in range(n - width + 1):
            for split in range(i + 1, i + width):
                for a in range(k):
                    chart[i, i + width, a] += chart[i, split] @ rules[a] @ chart[split, i + width]
    return np.log(chart[0, n, 0])


def ctc_in_a_table(logits, labels):
    """Probabilities of all the alignments of labels with blanks between them."""
    probabilities = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    probabilities /= np.sum(probabilities, axis=1, keepdims=True)
    T, L = len(logits), 2 * len(labels) + 1
    alpha = np.zeros((T, L))
    alpha[0, 0] = probabilities[0, 0]
    alpha[0, 1] = probabilities[0, labels[0]]
    for t in range(1, T):
        for s in range(L):
            symbol = 0 if s % 2 == 0 else labels[s // 2]
            alpha[t, s] = alpha[t - 1, s]
            if s > 0:
                alpha[t, s] += alpha[t - 1, s - 1]
            if s > 1 and symbol != 0 and symbol != labels[s // 2 - 1]:
                alpha[t, s] += alpha[t - 1, s - 2]
            alpha[t, s] *= probabilities[t, symbol]
    return -np.log(alpha[T - 1, L - 1] + alpha[T - 1, L - 2])


def de_casteljau(points, t):
    """A point of a curve; the control points are replaced by points between them."""
    b = points.copy()
    n = len(b)
    for k in range(1, n):
        for i in range(n - k):
            b[i] = (1 - t) * b[i] + t * b[i + 1]
    return np.sum(b[0] ** 2)


def divided_differences(x, y, at):
    """Newton's interpolation: the coefficients are made in place, then evaluated."""
    c = np.array(y)
    n = len(c)
    for k in range(1, n):
        c[k:] = (c[k:] - c[k - 1 : -1]) / (x[k:] - x[: n - k])
    value = c[-1]
    for k in range(n - 2, -1, -1):
        value = value * (at - x[k]) + c[k]
    return value


def haar(signal, thresholds):
    """A wavelet transform in place, soft thresholds, and what is left."""
    c = signal.copy()
    n = len(c)
    while n > 1:
        half = n // 2
        even, odd = c[0:n:2].copy(), c[1:n:2].copy()
        c[:half] = (even + odd) / np.sqrt(2)
        c[half:n] = (even - odd) / np.sqrt(2)
        n = half
    small = np.abs(c) < thresholds
    c[small] = 0.0
    c[~small] -= np.sign(c[~small]) * thresholds[~small]
    return np.sum((c - 0.1) ** 2)


def sieve_of_weights(x):
    """Every second, third, ... element is scaled; the same elements are met again and again."""
    y = x.copy()
    for k in range(2, len(y) + 1):
        y[k - 1 :: k] *= 1.0 + 0.1 * x[k - 1]
    return y @ y


def value_iteration_in_place(rewards, transitions, discount, sweeps: int = 2):
    """New values are used as soon as they are there."""
    V = np.zeros(len(rewards))
    for _ in range(sweeps):
        for s in range(len(V)):
            V[s] = np.max(rewards[s] + discount * transitions[s] @ V)
    return np.sum(V)


def stochastic(matrix):
    return np.exp(matrix) / np.sum(np.exp(matrix), axis=-1, keepdims=True)


PROGRAMS = {
    soft_dtw: lambda normal, n: (normal(n + 1), normal(n), 0.5),
    soft_edit_distance: lambda normal, n: (
        np.arange(n + 1) % 3, np.arange(2, n + 2) % 3, 0.7, 0.9, 1 + 0.2 * normal(3, 3)
    ),
    needleman_wunsch: lambda normal, n: (normal(n, n + 1), 0.4),
    binomial_option: lambda normal, n: (1.0, 1.1, 0.3, 0.05, 0.75, n + 1),
    running_sums: lambda normal, n: (normal(n + 1), normal(n + 1)),
    summed_area: lambda normal, n: (normal(n, 3), 0.7, -0.4),
    partition_function: lambda normal, n: (normal(n) ** 2, n + 3),
    lattice_paths: lambda normal, n: (normal(n, 3),),
    inside_algorithm: lambda normal, n: (normal(2, 2, 2) ** 2, normal(n + 1, 2)),
    ctc_in_a_table: lambda normal, n: (normal(n + 3, 4), np.array([1, 1, 2])[: n + 1]),
    de_casteljau: lambda normal, n: (normal(n + 1, 2), 0.3),
    divided_differences: lambda normal, n: (np.linspace(0.0, 1.0, n + 2), normal(n + 2), 0.37),
    haar: lambda normal, n: (normal(8), 0.3 + 0.05 * normal(8)),
    sieve_of_weights: lambda normal, n: (normal(2 * n + 2),),
    value_iteration_in_place: lambda normal, n: (normal(3, n + 1), stochastic(normal(3, n + 1, 3)), 0.8),
}  # fmt: skip
