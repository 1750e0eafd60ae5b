"""Programs of this folder as PyTorch has them: its own layers, distributions and functions, not the same steps again.

Each function has the name and the parameters of the program, and takes tensors of float64. `OPEN` has the parameters whose
gradients a definition leaves open.
"""

import itertools
import math

import torch
from torch.distributions import Beta, MultivariateNormal, Normal
from torch.func import functional_call
from torch.nn.functional import cross_entropy

# of a symmetric matrix only the sum of the gradients of two elements is told
OPEN = {"kalman": ("P", "Q")}


def recurrent(kind, xs, states, weights, hidden):
    """Run a recurrent layer of PyTorch over a sequence and return what it puts out at each step."""
    layer = kind(xs.shape[-1], hidden).double()
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return functional_call(layer, dict(zip(names, weights, strict=True)), (xs, states))[0]


def rnn(xs, targets, h, Wxh, Whh, Why, bh, by):
    hidden = recurrent(torch.nn.RNN, xs, h[None], (Wxh, Whh, bh, torch.zeros_like(bh)), len(h))
    return cross_entropy(hidden @ Why.T + by, targets, reduction="sum")


def lstm(xs, h, c, W, b):
    d = xs.shape[1]
    out = recurrent(torch.nn.LSTM, xs, (h[None], c[None]), (W[:, :d], W[:, d:], b, torch.zeros_like(b)), len(h))
    return torch.sum(out**2)


def gru(xs, h, Wz, Uz, Wr, Ur, Wn, Un):
    zeros = torch.zeros(3 * h.shape[1], dtype=torch.float64)
    weights = torch.cat((Wr, Wz, Wn), dim=1).T, torch.cat((Ur, Uz, Un), dim=1).T, zeros, zeros
    return torch.mean(recurrent(torch.nn.GRU, xs, h[None], weights, h.shape[1])[-1] ** 2)


def kalman(ys, x, P, F, Q, H, r):
    """The observations are jointly normal."""
    means, covariances = [], []
    for _ in ys:
        x, P = F @ x, F @ P @ F.T + Q
        means.append(H @ x)
        covariances.append(P)
    n = len(ys)
    joint = [[None] * n for _ in range(n)]
    for s in range(n):
        for t in range(s, n):
            joint[s][t] = joint[t][s] = H @ torch.matrix_power(F, t - s) @ covariances[s] @ H + (r if s == t else 0)
    joint = torch.stack([torch.stack(row) for row in joint])
    return MultivariateNormal(torch.stack(means), joint).log_prob(ys)


def hmm(observations, log_start, log_transition, log_emission):
    """Sum over all paths."""
    totals = []
    for path in itertools.product(range(len(log_start)), repeat=len(observations)):
        total = log_start[path[0]] + sum(log_emission[k, o] for k, o in zip(path, observations, strict=True))
        totals.append(total + sum(log_transition[a, b] for a, b in itertools.pairwise(path)))
    return torch.logsumexp(torch.stack(totals), dim=0)


def viterbi_score(emissions, transition, start):
    """The best of all paths."""
    totals = []
    for path in itertools.product(range(len(start)), repeat=len(emissions)):
        total = start[path[0]] + sum(emissions[t, k] for t, k in enumerate(path))
        totals.append(total + sum(transition[a, b] for a, b in itertools.pairwise(path)))
    return torch.max(torch.stack(totals))


def powers(x, n):
    return torch.stack([x**k for k in range(n)])


def horner(coefficients, x):
    return coefficients @ powers(x, len(coefficients))


def cube_root(a, guess):
    return a ** (1 / 3)


def eccentric_anomaly(mean_anomaly, eccentricity):
    """Solved without gradients, then one step of Newton with them."""
    E = mean_anomaly.detach()
    e = eccentricity.detach()
    for _ in range(50):
        E = E - (E - e * torch.sin(E) - mean_anomaly.detach()) / (1 - e * torch.cos(E))
    return E - (E - eccentricity * torch.sin(E) - mean_anomaly) / (1 - e * torch.cos(E))


def determinant(A):
    return torch.linalg.det(A)


def call_price(spot, strike, volatility, rate, maturity):
    spread = volatility * math.sqrt(maturity)
    d1 = (torch.log(spot / strike) + (rate + volatility**2 / 2) * maturity) / spread
    cdf = Normal(torch.zeros_like(d1), 1.0).cdf
    return spot * cdf(d1) - strike * torch.exp(-rate * maturity) * cdf(d1 - spread)


def straddle(spot, strike, volatility, rate):
    # a put is a call on the other asset
    maturity = 0.5
    put = call_price(strike * torch.exp(-rate * maturity), spot, volatility, 0 * rate, maturity)
    return call_price(spot, strike, volatility, rate, maturity) + put


def implied_volatility(price, spot, strike):
    """Solved without gradients, then one step of Newton with them."""
    rate = torch.tensor(0.01, dtype=torch.float64)
    volatility = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    for _ in range(30):
        error = call_price(spot.detach(), strike.detach(), volatility, rate, 1.0) - price.detach()
        (slope,) = torch.autograd.grad(error, volatility)
        volatility = (volatility - error / slope).detach().requires_grad_()
    return volatility.detach() - (call_price(spot, strike, volatility.detach(), rate, 1.0) - price) / slope


def tangent_fraction(x, n):
    return torch.tan(x)


def power(x, n):
    return x**n


def composed(x, a, b):
    return (b * torch.sin(a * x + 1) + a) ** 2


def lagrange(x, nodes, values):
    coefficients = torch.linalg.solve(torch.linalg.vander(nodes), values)
    return coefficients @ powers(x, len(nodes))


def clenshaw(coefficients, x):
    return coefficients @ torch.cos(torch.arange(len(coefficients)) * torch.acos(x))


def beta_log_density(x, a, b):
    return Beta(a, b).log_prob(x)
