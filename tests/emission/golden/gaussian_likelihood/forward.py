import numpy as np
from jaxtyping import Float


def negative_log_likelihood(x: Float[np.ndarray, "n"], mean: float, log_scale: float):
    """Of independent normal numbers."""
    z = (x - mean) / np.exp(log_scale)
    return np.sum(0.5 * z**2 + log_scale + 0.5 * np.log(2 * np.pi))
