"""Models of sequences whose parameters are dicts and whose states are dicts and lists, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def char_rnn(inputs, targets, hprev, Wxh, Whh, Why, bh, by):
    """The loss of the minimal character-level model, its states in dicts by the time step."""
    vocabulary = Wxh.shape[1]
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocabulary, 1))  # one of k
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        ys[t] = np.dot(Why, hs[t]) + by  # unnormalised log probabilities
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    return loss


def char_rnn_lists(params, inputs, targets, h0):
    """The same model with lists of states."""
    states = [h0]
    losses = []
    for token, target in zip(inputs, targets, strict=True):
        h = np.tanh(params["Wxh"][:, token] + params["Whh"] @ states[-1] + params["bh"])
        states.append(h)
        scores = params["Why"] @ h + params["by"]
        scores = scores - np.max(scores)
        losses.append(np.log(np.sum(np.exp(scores))) - scores[target])
    return sum(losses) / len(losses)


def lstm_step(params, h, c, x):
    z = np.concatenate([h, x])
    i = sigmoid(params["Wi"] @ z + params["bi"])
    f = sigmoid(params["Wf"] @ z + params["bf"])
    o = sigmoid(params["Wo"] @ z + params["bo"])
    g = np.tanh(params["Wg"] @ z + params["bg"])
    c = f * c + i * g
    return o * np.tanh(c), c


def lstm_with_dict(params, xs, target):
    n = len(params["bi"])
    h, c = np.zeros(n), np.zeros(n)
    hidden_states = []
    for x in xs:
        h, c = lstm_step(params, h, c, x)
        hidden_states.append(h)
    outputs = np.stack(hidden_states) @ params["Wy"]
    return np.mean((outputs - target) ** 2)


def gru_with_dict(params, xs, h0):
    """A gated recurrent unit; the loss is of all its states."""
    hs = [h0]
    for x in xs:
        h = hs[-1]
        gates = {name: sigmoid(params["W" + name] @ x + params["U" + name] @ h + params["b" + name]) for name in "zr"}
        candidate = np.tanh(params["Wn"] @ x + params["bn"] + gates["r"] * (params["Un"] @ h))
        hs.append((1 - gates["z"]) * candidate + gates["z"] * h)
    return np.sum(np.array(hs[1:]) ** 2)


def bidirectional_rnn(params, xs):
    """Two recurrent layers, one of which reads the sequence backwards."""

    def run(weights, inputs):
        h = np.zeros(len(weights["b"]))
        out = []
        for x in inputs:
            h = np.tanh(weights["W"] @ x + weights["U"] @ h + weights["b"])
            out.append(h)
        return out

    forward = run(params["forward"], xs)
    backward = run(params["backward"], xs[::-1])[::-1]
    joined = [np.concatenate(pair) for pair in zip(forward, backward, strict=True)]
    scores = np.stack(joined) @ params["v"]
    return scores @ scores


def encoder_decoder(params, source, target):
    """An encoder keeps its states in a list, a decoder attends to them."""
    h = np.zeros(params["encoder"]["U"].shape[0])
    memory = []
    for x in source:
        h = np.tanh(params["encoder"]["W"] @ x + params["encoder"]["U"] @ h)
        memory.append(h)
    memory = np.array(memory)
    loss = 0.0
    for y in target:
        scores = memory @ (params["attention"] @ h)
        weights = np.exp(scores - np.max(scores))
        weights /= np.sum(weights)
        context = weights @ memory
        h = np.tanh(params["decoder"]["W"] @ context + params["decoder"]["U"] @ h)
        loss += np.sum((params["out"] @ h - y) ** 2)
    return loss


@dataclass
class Belief:
    mean: np.ndarray
    covariance: np.ndarray
    log_likelihood: float = 0.0


def predict(belief, F, Q):
    return replace(belief, mean=F @ belief.mean, covariance=F @ belief.covariance @ F.T + Q)


def update(belief, y, H, r):
    error = y - H @ belief.mean
    s = H @ belief.covariance @ H + r
    gain = belief.covariance @ H / s
    return Belief(
        mean=belief.mean + gain * error,
        covariance=belief.covariance - np.outer(gain, H @ belief.covariance),
        log_likelihood=belief.log_likelihood - 0.5 * (error**2 / s + np.log(2 * np.pi * s)),
    )


def kalman_with_dataclass(ys, belief: Belief, F, Q, H, r):
    for y in ys:
        belief = update(predict(belief, F, Q), y, H, r)
    return belief.log_likelihood


class Smoothing(NamedTuple):
    level: float
    trend: float
    alpha: float
    beta: float


def holt(smoothing: Smoothing, series):
    """Double exponential smoothing: the squared errors of its forecasts."""
    level, trend, alpha, beta = smoothing
    errors = []
    for y in series:
        forecast = level + trend
        errors.append(y - forecast)
        previous = level
        level = alpha * y + (1 - alpha) * forecast
        trend = beta * (level - previous) + (1 - beta) * trend
    return sum(e**2 for e in errors)


def hmm_filling_alpha(observations, start, transition, emission):
    """The forward algorithm fills a table of probabilities, scaled at each step."""
    T = len(observations)
    N = len(start)
    alpha = np.zeros((T, N))
    scale = np.zeros(T)
    alpha[0] = start * emission[:, observations[0]]
    scale[0] = np.sum(alpha[0])
    alpha[0] /= scale[0]
    for t in range(1, T):
        for j in range(N):
            alpha[t, j] = np.sum(alpha[t - 1] * transition[:, j]) * emission[j, observations[t]]
        scale[t] = np.sum(alpha[t])
        alpha[t] /= scale[t]
    return np.sum(np.log(scale))


def soft_viterbi(emissions, transition, temperature):
    """The best path's score with a soft maximum, in a table that is filled row by row."""
    T, K = emissions.shape
    table = np.empty((T, K))
    table[0, :] = emissions[0]
    for t in range(1, T):
        for k in range(K):
            scores = (table[t - 1] + transition[:, k]) / temperature
            top = np.max(scores)
            table[t, k] = temperature * (top + np.log(np.sum(np.exp(scores - top)))) + emissions[t, k]
    return np.max(table[-1])


def greedy_decoding(params, start, steps: int = 3):
    """Each step takes the best of the words that may come next, and notes its score."""
    word, scores = start, []
    for _ in range(steps):
        logits = params["transition"][word] + 0.5 * len(scores) * params["bias"]
        word = np.argmax(logits)
        scores.append(logits[word] - np.log(np.sum(np.exp(logits))))
    return np.sum(np.array(scores)) / len(scores)


def arma(series, coefficients, orders=(2, 1)):
    """Residuals of a moving-average model, written one by one into an array."""
    p, q = orders
    phi, theta = coefficients["ar"], coefficients["ma"]
    residuals = np.zeros(len(series))
    for t in range(p, len(series)):
        prediction = coefficients["mean"]
        for i in range(p):
            prediction = prediction + phi[i] * series[t - 1 - i]
        for j in range(q):
            prediction = prediction + theta[j] * residuals[t - 1 - j]
        residuals[t] = series[t] - prediction
    return np.sum(residuals**2)


def stochastic(matrix):
    return np.exp(matrix) / np.sum(np.exp(matrix), axis=-1, keepdims=True)


def lstm_parameters(normal):
    gates = {name + gate: 0.5 * normal(*shape) for name, shape in (("W", (3, 5)), ("b", (3,))) for gate in "ifog"}
    return gates | {"Wy": normal(3, 2)}


def gru_parameters(normal):
    shapes = {"W": (3, 2), "U": (3, 3), "b": (3,)}
    return {name + gate: normal(*shape) for name, shape in shapes.items() for gate in "zrn"}


def layer(normal):
    return {"W": normal(3, 2), "U": 0.5 * normal(3, 3), "b": normal(3)}


PROGRAMS = {
    char_rnn: lambda normal, n: (
        [k % 4 for k in range(n)],
        [(2 * k + 1) % 4 for k in range(n)],
        normal(3, 1),
        normal(3, 4),
        normal(3, 3),
        normal(4, 3),
        normal(3, 1),
        normal(4, 1),
    ),
    char_rnn_lists: lambda normal, n: (
        {"Wxh": normal(3, 4), "Whh": normal(3, 3), "Why": normal(4, 3), "bh": normal(3), "by": normal(4)},
        np.arange(n) % 4,
        np.arange(1, n + 1) % 4,
        normal(3),
    ),
    lstm_with_dict: lambda normal, n: (lstm_parameters(normal), normal(n, 2), normal(n, 2)),
    gru_with_dict: lambda normal, n: (gru_parameters(normal), normal(n, 2), normal(3)),
    bidirectional_rnn: lambda normal, n: (
        {"forward": layer(normal), "backward": layer(normal), "v": normal(6)},
        normal(n, 2),
    ),
    encoder_decoder: lambda normal, n: (
        {
            "encoder": {"W": normal(3, 2), "U": 0.5 * normal(3, 3)},
            "decoder": {"W": normal(3, 3), "U": 0.5 * normal(3, 3)},
            "attention": normal(3, 3),
            "out": normal(2, 3),
        },
        normal(n + 1, 2),
        normal(n, 2),
    ),
    kalman_with_dataclass: lambda normal, n: (
        normal(n),
        Belief(normal(2), np.eye(2)),
        np.array([[1.0, 0.1], [-0.2, 0.9]]),
        0.1 * np.eye(2),
        np.array([1.0, 0.3]),
        0.5,
    ),
    holt: lambda normal, n: (Smoothing(0.5, 0.1, 0.3, 0.2), normal(n + 1)),
    hmm_filling_alpha: lambda normal, n: (
        np.arange(n) % 2,
        stochastic(normal(3)),
        stochastic(normal(3, 3)),
        stochastic(normal(3, 2)),
    ),
    soft_viterbi: lambda normal, n: (normal(n + 1, 3), normal(3, 3), 0.7),
    greedy_decoding: lambda normal, n: ({"transition": normal(3, 3), "bias": normal(3)}, 1, n),
    arma: lambda normal, n: (normal(n + 3), {"mean": 0.1, "ar": 0.5 * normal(2), "ma": 0.5 * normal(1)}),
}
