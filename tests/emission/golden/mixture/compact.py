"""Forward and backward pass of `mixture`, written by flatgrad from forward.py:5."""

import numpy as np


def mixture_value_and_grad(x, logits, means, log_scales, *, grad_out=1.0):
    """Return out and (grad_x, grad_logits, grad_means, grad_log_scales).

    x: (n,), logits: (k,), means: (k,), log_scales: (k,).
    Each gradient has the shape of its variable.
    """
    # forward
    log_weights = logits - np.log(np.sum(np.exp(logits)))
    t0 = np.exp(log_scales)
    z = (x[:, None] - means) / t0
    log_densities = log_weights - 0.5 * z**2 - log_scales
    # log-sum-exp over the components
    top = np.max(log_densities, axis=1, keepdims=True)
    log_likelihoods = top[:, 0] + np.log(np.sum(np.exp(log_densities - top), axis=1))
    out = -np.sum(log_likelihoods)

    # backward
    # out = -np.sum(log_likelihoods)
    grad_log_likelihoods = np.full_like(log_likelihoods, -grad_out)
    # log_likelihoods is the log-sum-exp of log_densities along axis 1
    grad_log_densities = grad_log_likelihoods[:, None] * np.exp(
        log_densities - np.where(log_likelihoods == -np.inf, 0, log_likelihoods)[:, None]
    )
    # log_densities = log_weights - 0.5 * z**2 - log_scales
    grad_log_weights = np.sum(grad_log_densities, axis=0)
    grad_z = -grad_log_densities * z
    # z = (x[:, None] - means) / t0
    grad_t1 = grad_z / t0
    # t0 = np.exp(log_scales)
    grad_log_scales = -np.sum(grad_z * z / t0, axis=0) * t0 - grad_log_weights
    # z = (x[:, None] - means) / t0
    grad_means = -np.sum(grad_t1, axis=0)
    grad_x = np.sum(grad_t1, axis=1)
    # log_weights = logits - np.log(np.sum(np.exp(logits))) is the log-softmax of logits
    grad_logits = grad_log_weights - np.exp(log_weights) * np.sum(grad_log_weights)
    return out, (grad_x, grad_logits, grad_means, grad_log_scales)
