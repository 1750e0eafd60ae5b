"""The functions that peers.py times, in NumPy, as flatgrad and tangent read them.

In: nothing. Out: `PROGRAMS` and `DISPATCH`, each a function with arguments and the parameters to differentiate by, and
the record that every contender is made into.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from flatgrad.nn import sigmoid


@dataclass(frozen=True)
class Program:
    """A function, arguments for it, and the parameters that every contender differentiates by."""

    name: str
    function: Callable[..., Any]
    wrt: tuple[str, ...]
    arguments: tuple[Any, ...]
    target: str = "numpy"

    @property
    def positions(self):
        """The places of `wrt` among the parameters."""
        names = list(inspect.signature(self.function).parameters)
        return tuple(names.index(name) for name in self.wrt)


@dataclass(frozen=True)
class Contender:
    """What is timed is `function(*arguments)`; `result` turns what it returns into a value and a tuple of gradients."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    result: Callable[[Any], tuple[Any, tuple[Any, ...]]] = lambda returned: returned


def neuron(w0, x0, w1, x1, w2):
    """A neuron of two inputs."""
    s0 = w0 * x0
    s1 = w1 * x1
    s2 = s0 + s1
    s3 = s2 + w2
    L = sigmoid(s3)
    return L


def quadratic(x, A, b):
    """A quadratic form, as an optimiser minimises it."""
    return 0.5 * x @ A @ x - b @ x


def logistic(w, b, X, y):
    """Negative log-likelihood of logistic regression."""
    eta = X @ w + b
    return np.sum(np.logaddexp(0, eta) - y * eta)


def mixture(logits, means, log_scales, x):
    """Negative log-likelihood of a mixture of normal distributions, up to a constant."""
    log_weights = logits - np.log(np.sum(np.exp(logits)))
    z = (x[:, None] - means) / np.exp(log_scales)
    log_densities = log_weights - 0.5 * z**2 - log_scales
    # log-sum-exp over the components
    top = np.max(log_densities, axis=1, keepdims=True)
    return -np.sum(top[:, 0] + np.log(np.sum(np.exp(log_densities - top), axis=1)))


def two_layer(X, labels, W1, b1, W2, b2):
    """Softmax cross-entropy of a network of two layers."""
    z = X @ W1 + b1
    h = np.maximum(0, z)  # relu
    scores = h @ W2 + b2
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    loss = -np.mean(log_p[np.arange(len(X)), labels])
    return loss


def next_to_nothing(X, labels, W1, b1, W2, b2):
    """The parameters of `two_layer`, with so little work that a call is mostly dispatch."""
    return np.sum(b2)


WEIGHTS = ("W1", "b1", "W2", "b2")
normal = np.random.default_rng(0).normal


def two_layer_arguments(n, d, h, c):
    """Return a batch and weights for `two_layer`."""
    labels = np.arange(n) % c
    return (
        normal(size=(n, d)),
        labels,
        0.1 * normal(size=(d, h)),
        normal(size=h),
        0.1 * normal(size=(h, c)),
        normal(size=c),
    )


NEURON = Program("neuron", neuron, ("w0", "x0", "w1", "x1", "w2"), (2.0, -1.0, -3.0, -2.0, -3.0), target="math")
PROGRAMS = {
    program.name: program
    for program in (
        NEURON,
        Program("quadratic", quadratic, ("x",), (normal(size=100), normal(size=(100, 100)), normal(size=100))),
        Program(
            "logistic", logistic, ("w", "b"), (normal(size=5), 0.5, normal(size=(200, 5)), np.arange(200) % 2 * 1.0)
        ),
        Program(
            "mixture",
            mixture,
            ("logits", "means", "log_scales"),
            (normal(size=3), normal(size=3), 0.1 * normal(size=3), normal(size=200)),
        ),
        Program("two_layer_64", two_layer, WEIGHTS, two_layer_arguments(64, 20, 50, 5)),
        Program("two_layer_256", two_layer, WEIGHTS, two_layer_arguments(256, 784, 128, 10)),
    )
}
DISPATCH = {
    "five floats": NEURON,
    "six arrays": Program("six arrays", next_to_nothing, WEIGHTS, two_layer_arguments(3, 2, 4, 3)),
}
