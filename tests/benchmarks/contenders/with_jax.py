"""JAX, compiled: the programs in its NumPy and its gates, with NumPy in and out or with its own arrays.

In: a `Program`. Out: a `Contender`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from contenders.programs import Contender

jax.config.update("jax_enable_x64", True)


def compiled(program):
    """Return the compiled function with its gradients."""
    return jax.jit(jax.value_and_grad(globals()[program.function.__name__], program.positions))


def with_numpy(program):
    """Return a function of NumPy arrays that returns NumPy arrays."""
    function = compiled(program)

    def in_and_out(*arguments):
        value, gradients = function(*arguments)
        return np.asarray(value), [np.asarray(gradient) for gradient in gradients]

    return Contender(in_and_out, program.arguments)


def on_device(program):
    """Return a function of JAX arrays that returns JAX arrays, with their numbers there."""
    function = compiled(program)
    return Contender(
        lambda *arguments: jax.block_until_ready(function(*arguments)), tuple(map(jnp.asarray, program.arguments))
    )


def neuron(w0, x0, w1, x1, w2):
    """A neuron of two inputs."""
    return jax.nn.sigmoid(w0 * x0 + w1 * x1 + w2)


def quadratic(x, A, b):
    """A quadratic form."""
    return 0.5 * x @ A @ x - b @ x


def logistic(w, b, X, y):
    """Negative log-likelihood of logistic regression."""
    eta = X @ w + b
    return jnp.sum(jax.nn.softplus(eta) - y * eta)


def mixture(logits, means, log_scales, x):
    """Negative log-likelihood of a mixture of normal distributions."""
    z = (x[:, None] - means) / jnp.exp(log_scales)
    return -jnp.sum(jax.nn.logsumexp(jax.nn.log_softmax(logits) - 0.5 * z**2 - log_scales, axis=1))


def two_layer(X, labels, W1, b1, W2, b2):
    """Softmax cross-entropy of a network of two layers."""
    h = jax.nn.relu(X @ W1 + b1)
    log_p = jax.nn.log_softmax(h @ W2 + b2)
    return -jnp.mean(log_p[jnp.arange(len(X)), labels])
