"""Forward and backward pass of `mixture`, written by flatgrad from forward.py:5."""

import numpy as np


def mixture_value_and_grad(x, logits, means, log_scales, *, grad_out=1.0):
    """Return out and (grad_x, grad_logits, grad_means, grad_log_scales).

    x: (n,), logits: (k,), means: (k,), log_scales: (k,).
    Each gradient has the shape of its variable.
    """
    # forward
    t0 = np.exp(logits)
    t1 = np.sum(t0)
    t2 = np.log(t1)
    log_weights = logits - t2
    t3 = x[:, None]
    t4 = t3 - means
    t5 = np.exp(log_scales)
    z = t4 / t5
    t6 = z**2
    t7 = 0.5 * t6
    t8 = log_weights - t7
    log_densities = t8 - log_scales
    # log-sum-exp over the components
    top = np.max(log_densities, axis=1, keepdims=True)
    t9 = top[:, 0]
    t10 = log_densities - top
    t11 = np.exp(t10)
    t12 = np.sum(t11, axis=1)
    t13 = np.log(t12)
    log_likelihoods = t9 + t13
    t14 = np.sum(log_likelihoods)
    out = -t14

    # backward
    # out = -t14
    grad_t14 = -grad_out
    # t14 = np.sum(log_likelihoods)
    grad_log_likelihoods = np.full_like(log_likelihoods, grad_t14)
    # log_likelihoods is the log-sum-exp of log_densities along axis 1
    grad_log_densities = grad_log_likelihoods[:, None] * np.exp(
        log_densities - np.where(log_likelihoods == -np.inf, 0, log_likelihoods)[:, None]
    )
    # log_densities = t8 - log_scales
    grad_t8 = grad_log_densities
    # t8 = log_weights - t7
    grad_t7 = -grad_t8
    grad_log_weights = np.sum(grad_t8, axis=0)
    # t7 = 0.5 * t6
    grad_t6 = grad_t7 * 0.5
    # t6 = z**2
    grad_z = grad_t6 * 2 * z
    # z = t4 / t5
    grad_t4 = grad_z / t5
    grad_t5 = -np.sum(grad_z * z / t5, axis=0)
    # t5 = np.exp(log_scales)
    grad_log_scales = grad_t5 * t5 - np.sum(grad_log_densities, axis=0)
    # t4 = t3 - means
    grad_t3 = np.sum(grad_t4, axis=1, keepdims=True)
    grad_means = -np.sum(grad_t4, axis=0)
    # t3 = x[:, None]
    grad_x = np.squeeze(grad_t3, axis=1)
    # log_weights is the log-softmax of logits
    grad_logits = grad_log_weights - np.exp(log_weights) * np.sum(grad_log_weights)
    return out, (grad_x, grad_logits, grad_means, grad_log_scales)
