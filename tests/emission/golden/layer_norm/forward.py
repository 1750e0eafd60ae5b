import numpy as np
from jaxtyping import Float

EPSILON = 1e-5


def layer_norm(x: Float[np.ndarray, "n d"], gain: Float[np.ndarray, "d"], bias: Float[np.ndarray, "d"]):
    """Squared error of normalised rows against ones."""
    # standardise each row
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.var(x, axis=-1, keepdims=True)
    standard = (x - mean) / np.sqrt(variance + EPSILON)
    y = gain * standard + bias
    loss = np.mean((y - 1) ** 2)
    return loss
