"""HIPS autograd: the programs in its NumPy and its SciPy.

In: a `Program`. Out: a `Contender`.
"""

import autograd
import autograd.numpy as np
from autograd.scipy.special import expit, logsumexp
from contenders.loops import logistic_map, oscillator  # noqa: F401 - they need nothing of NumPy
from contenders.programs import Contender


def with_autograd(program):
    """Return the function of this module with its gradients."""
    function = globals()[program.function.__name__]
    return Contender(autograd.value_and_grad(function, program.positions), program.arguments)


def neuron(w0, x0, w1, x1, w2):
    """A neuron of two inputs."""
    return expit(w0 * x0 + w1 * x1 + w2)


def quadratic(x, A, b):
    """A quadratic form."""
    return 0.5 * x @ A @ x - b @ x


def logistic(w, b, X, y):
    """Negative log-likelihood of logistic regression."""
    eta = X @ w + b
    return np.sum(np.logaddexp(0, eta) - y * eta)


def mixture(logits, means, log_scales, x):
    """Negative log-likelihood of a mixture of normal distributions."""
    z = (x[:, None] - means) / np.exp(log_scales)
    return -np.sum(logsumexp(logits - logsumexp(logits) - 0.5 * z**2 - log_scales, axis=1))


def two_layer(X, labels, W1, b1, W2, b2):
    """Softmax cross-entropy of a network of two layers."""
    h = np.maximum(0, X @ W1 + b1)
    scores = h @ W2 + b2
    return np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(X)), labels])
