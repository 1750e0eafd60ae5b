import numpy as np
from jaxtyping import Float


def mixture(
    x: Float[np.ndarray, "n"],
    logits: Float[np.ndarray, "k"],
    means: Float[np.ndarray, "k"],
    log_scales: Float[np.ndarray, "k"],
):
    log_weights = logits - np.log(np.sum(np.exp(logits)))
    z = (x[:, None] - means) / np.exp(log_scales)
    log_densities = log_weights - 0.5 * z**2 - log_scales
    # log-sum-exp over the components
    top = np.max(log_densities, axis=1, keepdims=True)
    log_likelihoods = top[:, 0] + np.log(np.sum(np.exp(log_densities - top), axis=1))
    return -np.sum(log_likelihoods)
