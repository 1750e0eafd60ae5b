"""Forward and backward passes as an expert writes them for speed.

In: a `Program`. Out: a `Contender`. The values are those of programs.py up to rounding: what the backward pass can
reuse is computed once, and arrays that are no longer needed are changed in place.
"""

from math import exp

import numpy as np
from contenders.programs import Contender


def by_hand(program):
    """Return the function of this module for a program."""
    return Contender(globals()[program.function.__name__], program.arguments)


def neuron(w0, x0, w1, x1, w2):
    """Return L and its gradients."""
    s = w0 * x0 + w1 * x1 + w2
    # no overflow on either side
    if s >= 0.0:
        L = 1.0 / (1.0 + exp(-s))
    else:
        e = exp(s)
        L = e / (1.0 + e)
    grad_s = (1.0 - L) * L
    return L, (grad_s * x0, grad_s * w0, grad_s * x1, grad_s * w1, grad_s)


def oscillator(x, v, stiffness, damping):
    """Return the energy after a hundred steps and its gradients."""
    positions, velocities = [], []
    for _ in range(100):
        positions.append(x)
        velocities.append(v)
        v = v - 0.05 * (stiffness * x + damping * v)
        x = x + 0.05 * v
    energy = 0.5 * (v * v + stiffness * x * x)

    grad_v, grad_x = v, stiffness * x
    grad_stiffness, grad_damping = 0.5 * x * x, 0.0
    for t in range(99, -1, -1):
        grad_v += 0.05 * grad_x
        grad_force = -0.05 * grad_v
        grad_stiffness += grad_force * positions[t]
        grad_damping += grad_force * velocities[t]
        grad_x += grad_force * stiffness
        grad_v += grad_force * damping
    return energy, (grad_x, grad_v, grad_stiffness, grad_damping)


def logistic_map(r, x):
    """Return x after a hundred turns and its gradients."""
    states = []
    for _ in range(100):
        states.append(x)
        x = r * x * (1.0 - x)
    grad_r, grad_x = 0.0, 1.0
    for state in reversed(states):
        grad_r += grad_x * state * (1.0 - state)
        grad_x *= r * (1.0 - 2.0 * state)
    return x, (grad_r, grad_x)


def quadratic(x, A, b):
    """Return 0.5 x'Ax - b'x and its gradient by x. A need not be symmetric."""
    Ax = A @ x
    grad_x = 0.5 * (Ax + x @ A) - b
    return 0.5 * (x @ Ax) - b @ x, (grad_x,)


def logistic(w, b, X, y):
    """Return the negative log-likelihood and its gradients by w and b."""
    eta = X @ w + b
    softplus = np.logaddexp(0, eta)
    # the sigmoid, without overflow, from what is there already
    grad_eta = np.exp(eta - softplus) - y
    return np.sum(softplus) - y @ eta, (grad_eta @ X, np.sum(grad_eta))


def mixture(logits, means, log_scales, x):
    """Return the negative log-likelihood and its gradients by logits, means and log_scales."""
    weights = np.exp(logits)
    total = np.sum(weights)
    inverse_scales = np.exp(-log_scales)
    z = (x[:, None] - means) * inverse_scales
    z_squared = z * z
    log_densities = (logits - np.log(total) - log_scales) - 0.5 * z_squared
    top = np.max(log_densities, axis=1, keepdims=True)
    densities = np.exp(log_densities - top)
    totals = np.sum(densities, axis=1, keepdims=True)
    loss = -np.sum(top + np.log(totals))

    responsibilities = densities / totals
    counts = np.sum(responsibilities, axis=0)
    grad_logits = len(x) / total * weights - counts
    grad_means = -np.sum(responsibilities * z, axis=0) * inverse_scales
    grad_log_scales = counts - np.sum(responsibilities * z_squared, axis=0)
    return loss, (grad_logits, grad_means, grad_log_scales)


def two_layer(X, labels, W1, b1, W2, b2):
    """Return the loss and its gradients by W1, b1, W2 and b2."""
    n = len(X)
    rows = np.arange(n)
    h = X @ W1
    h += b1
    np.maximum(0, h, out=h)
    scores = h @ W2
    scores += b2
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores)
    totals = np.sum(p, axis=1, keepdims=True)
    loss = np.mean(np.log(totals[:, 0]) - scores[rows, labels])

    # softmax minus the indicator of the label
    p /= totals
    p[rows, labels] -= 1
    p /= n
    grad_z = p @ W2.T
    grad_z *= h > 0
    return loss, (X.T @ grad_z, np.sum(grad_z, axis=0), h.T @ p, np.sum(p, axis=0))
