"""Recurrences over time steps, iterations and pairs, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size. `SHAPES` says
for the command line what the arguments are, where that is not plain from the parameters.
"""

import math

import numpy as np

BLANK = 0


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logsumexp(x):
    """Over the first axis."""
    top = np.max(x, axis=0)
    return top + np.log(np.sum(np.exp(x - top), axis=0))


def rnn(xs, targets, h, Wxh, Whh, Why, bh, by):
    loss = 0.0
    for t in range(len(xs)):
        h = np.tanh(Wxh @ xs[t] + Whh @ h + bh)  # hidden state
        y = Why @ h + by
        p = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(p[targets[t]])
    return loss


def lstm(xs, h, c, W, b):
    n = len(h)
    loss = 0.0
    for x in xs:
        gates = W @ np.concatenate((x, h)) + b
        i = sigmoid(gates[:n])
        f = sigmoid(gates[n : 2 * n])
        g = np.tanh(gates[2 * n : 3 * n])
        o = sigmoid(gates[3 * n :])
        c = f * c + i * g
        h = o * np.tanh(c)
        loss += np.sum(h**2)
    return loss


def gru(xs, h, Wz, Uz, Wr, Ur, Wn, Un):
    for x in xs:
        z = sigmoid(x @ Wz + h @ Uz)
        r = sigmoid(x @ Wr + h @ Ur)
        n = np.tanh(x @ Wn + r * (h @ Un))
        h = (1 - z) * n + z * h
    return np.mean(h**2)


def attention_decoder(keys, values, query, W, steps: int = 3):
    total = 0.0
    for _ in range(steps):
        scores = keys @ query / math.sqrt(len(query))
        weights = np.exp(scores - np.max(scores))
        weights = weights / np.sum(weights)
        query = np.tanh(W @ (weights @ values) + query)
        total += query @ query
    return total


def kalman(ys, x, P, F, Q, H, r):
    log_likelihood = 0.0
    for y in ys:
        # predict
        x = F @ x
        P = F @ P @ F.T + Q
        # update
        error = y - H @ x
        s = H @ P @ H + r
        gain = P @ H / s
        log_likelihood -= 0.5 * (np.log(2 * np.pi * s) + error**2 / s)
        x = x + gain * error
        P = P - np.outer(gain, gain) * s
    return log_likelihood


def hmm(observations, log_start, log_transition, log_emission):
    log_alpha = log_start + log_emission[:, observations[0]]
    for o in observations[1:]:
        log_alpha = log_emission[:, o] + logsumexp(log_alpha[:, None] + log_transition)
    return logsumexp(log_alpha)


def viterbi_score(emissions, transition, start):
    score = start + emissions[0]
    for t in range(1, emissions.shape[0]):
        score = np.max(score[:, None] + transition, axis=0) + emissions[t]
    return np.max(score)


def ctc(logits, labels):
    """Labels with blanks between them, before them and behind them."""
    n = len(labels)
    can_skip = (labels != BLANK) * (np.arange(n) >= 2)
    p = np.exp(logits) / np.sum(np.exp(logits), axis=1, keepdims=True)
    alpha = p[0, labels] * (np.arange(n) < 2)
    loss = 0.0
    for t in range(1, len(logits)):
        one_back = np.concatenate((np.zeros(1), alpha[:-1]))
        two_back = np.concatenate((np.zeros(2), alpha[:-2]))
        alpha = (alpha + one_back + can_skip * two_back) * p[t, labels]
        total = np.sum(alpha)
        loss -= np.log(total)
        alpha = alpha / total
    return loss - np.log(alpha[-1] + alpha[-2])


def filter_energy(xs, b0, b1, a1, a2):
    x1 = y1 = y2 = 0.0
    energy = 0.0
    for x in xs:
        y = b0 * x + b1 * x1 - a1 * y1 - a2 * y2
        x1, y1, y2 = x, y, y1
        energy += y * y
    return energy


def garch(returns, omega, alpha, beta):
    variance = np.mean(returns**2)
    nll = 0.0
    for r in returns:
        nll += 0.5 * (math.log(2 * math.pi * variance) + r**2 / variance)
        variance = omega + alpha * r**2 + beta * variance
    return nll


def policy_loss(rewards, log_probs, gamma):
    G = 0.0
    loss = 0.0
    for r, log_p in zip(reversed(rewards), reversed(log_probs), strict=True):
        G = r + gamma * G
        loss -= log_p * G
    return loss / len(rewards)


def sir_peak(beta, gamma, infected, days: int = 20):
    susceptible, recovered = 1.0 - infected, 0.0
    peak = infected
    for _day in range(days):
        new = beta * susceptible * infected
        healed = gamma * infected
        susceptible -= new
        infected += new - healed
        recovered += healed
        peak = max(peak, infected)
    return peak + 0.1 * recovered


def logistic_map(r, x, n: int = 10):
    for _ in range(n):
        x = r * x * (1 - x)
    return x


def horner(coefficients, x):
    result = 0.0
    for c in reversed(coefficients):
        result = result * x + c
    return result


def polynomial_slope(coefficients, x):
    slope = 0.0
    for k, c in enumerate(coefficients):
        if k > 0:
            slope += k * c * x ** (k - 1)
    return slope


def learned_rate(w, X, y, log_rate, steps: int = 5):
    """Loss after gradient descent, unrolled."""
    rate = np.exp(log_rate)
    velocity = np.zeros_like(w)
    for _ in range(steps):
        error = X @ w - y
        velocity = 0.9 * velocity - rate * X.T @ error / len(y)
        w = w + velocity
    return np.mean((X @ w - y) ** 2)


def heat(u, conductivity, steps: int = 8, dx=0.5, dt=0.05):
    for _ in range(steps):
        inner = u[1:-1] + dt * conductivity / dx**2 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u = np.concatenate((u[:1], inner, u[-1:]))
    return np.sum(u**3)


def power_iteration(A, v):
    for _ in range(6):
        v = A @ v
        v /= np.sqrt(np.sum(v**2))
    return v @ A @ v


def matrix_exponential(A, t):
    term = total = np.eye(len(A))
    for k in range(1, 12):
        term = term @ A * t / k
        total = total + term
    return np.sum(total[0] * total[-1])


def sinkhorn(cost, a, b, strength):
    K = np.exp(-cost / strength)
    u, v = np.ones_like(a), np.ones_like(b)
    for _ in range(5):
        u = a / (K @ v)
        v = b / (K.T @ u)
    return np.sum(u[:, None] * K * v[None, :] * cost)


def value_iteration(rewards, P, discount):
    V = np.zeros(rewards.shape[0])
    for _ in range(6):
        V = np.max(rewards + discount * (P @ V), axis=1)
    return np.sum(V)


def pair_energy(positions, charges):
    energy = 0.0
    for i in range(len(charges)):
        for j in range(i):
            r = positions[i] - positions[j]
            energy += charges[i] * charges[j] / np.sqrt(np.sum(r**2) + 1e-2)
    return energy


def convolution_loss(x, kernel, target):
    loss = 0.0
    for i in range(len(target)):
        total = 0.0
        for j in range(len(kernel)):
            total += x[i + j] * kernel[j]
        loss += (total - target[i]) ** 2
    return loss


def stochastic(matrix):
    return np.exp(matrix) / np.sum(np.exp(matrix), axis=-1, keepdims=True)


PROGRAMS = {
    rnn: lambda normal, n: (
        normal(n, 3), np.arange(n) % 4, normal(2), normal(2, 3), normal(2, 2), normal(4, 2), normal(2), normal(4)
    ),
    lstm: lambda normal, n: (normal(n, 3), normal(2), normal(2), normal(8, 5), normal(8)),
    gru: lambda normal, n: (normal(n, 4, 3), normal(4, 2), *[normal(3 - k % 2, 2) for k in range(6)]),
    attention_decoder: lambda normal, n: (normal(n + 1, 3), normal(n + 1, 3), normal(3), normal(3, 3), 3),
    kalman: lambda normal, n: (
        normal(n), normal(2), np.eye(2), np.array([[1.0, 0.1], [-0.2, 0.9]]), 0.1 * np.eye(2), np.array([1.0, 0.3]), 0.5
    ),
    hmm: lambda normal, n: (
        np.arange(n) % 2, np.log(stochastic(normal(3))), np.log(stochastic(normal(3, 3))), np.log(stochastic(normal(3, 2)))
    ),
    viterbi_score: lambda normal, n: (normal(n + 1, 3), normal(3, 3), normal(3)),
    ctc: lambda normal, n: (normal(n + 4, 4), np.array([0, 2, 0, 3, 0, 1, 0])),
    filter_energy: lambda normal, n: (normal(2 * n), 0.6, 0.2, -0.5, 0.3),
    garch: lambda normal, n: (normal(n + 1), 0.1, 0.2, 0.7),
    policy_loss: lambda normal, n: (normal(n), normal(n), 0.9),
    sir_peak: lambda normal, n: (0.6, 0.2, 0.05, 10 * n),
    logistic_map: lambda normal, n: (3.3, 0.3, 5 * n),
    horner: lambda normal, n: (normal(n), 0.7),
    polynomial_slope: lambda normal, n: (normal(n), 0.7),
    learned_rate: lambda normal, n: (normal(3), normal(n, 3), normal(n), -1.5, 4),
    heat: lambda normal, n: (normal(n + 3), 0.8, 6),
    power_iteration: lambda normal, n: (normal(3, 3), normal(3)),
    matrix_exponential: lambda normal, n: (normal(n + 1, n + 1), 0.4),
    sinkhorn: lambda normal, n: (normal(3, n + 1) ** 2, np.ones(3) / 3, np.ones(n + 1) / (n + 1), 0.7),
    value_iteration: lambda normal, n: (normal(3, n + 1), stochastic(normal(3, n + 1, 3)), 0.8),
    pair_energy: lambda normal, n: (normal(n, 3), normal(n)),
    convolution_loss: lambda normal, n: (normal(n + 2), normal(3), normal(n)),
}  # fmt: skip
SHAPES = {
    rnn: "xs=(t,d) targets=int(t,) h=(h,) Wxh=(h,d) Whh=(h,h) Why=(c,h) bh=(h,) by=(c,)",
    lstm: "xs=(t,3) h=(2,) c=(2,) W=(8,5) b=(8,)",
    gru: "xs=(t,n,d) h=(n,h) Wz=(d,h) Uz=(h,h) Wr=(d,h) Ur=(h,h) Wn=(d,h) Un=(h,h)",
    attention_decoder: "keys=(t,d) values=(t,d) query=(d,) W=(d,d)",
    kalman: "ys=(t,) x=(d,) P=(d,d) F=(d,d) Q=(d,d) H=(d,)",
    hmm: "observations=int(t,) log_start=(k,) log_transition=(k,k) log_emission=(k,m)",
    viterbi_score: "emissions=(t,k) transition=(k,k) start=(k,)",
    ctc: "logits=(t,k) labels=int(n,)",
    filter_energy: "xs=(t,)",
    garch: "returns=(t,)",
    policy_loss: "rewards=(t,) log_probs=(t,)",
    horner: "coefficients=(n,)",
    polynomial_slope: "coefficients=(n,)",
    learned_rate: "w=(d,) X=(n,d) y=(n,)",
    heat: "u=(6,)",
    power_iteration: "A=(n,n) v=(n,)",
    matrix_exponential: "A=(n,n)",
    sinkhorn: "cost=(n,m) a=(n,) b=(m,)",
    value_iteration: "rewards=(s,a) P=(s,a,s)",
    pair_energy: "positions=(n,d) charges=(n,)",
    convolution_loss: "x=(n,) kernel=(k,) target=(t,)",
}
