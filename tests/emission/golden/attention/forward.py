import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


@flatgrad(wrt=("W_query", "W_key", "W_value"))
def attention(
    x: Float[np.ndarray, "n d"],
    W_query: Float[np.ndarray, "d k"],
    W_key: Float[np.ndarray, "d k"],
    W_value: Float[np.ndarray, "d v"],
    target: Float[np.ndarray, "n v"],
):
    query = x @ W_query
    key = x @ W_key
    value = x @ W_value
    scores = query @ key.T / np.sqrt(key.shape[1])
    # softmax over the keys
    powers = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    weights = powers / np.sum(powers, axis=1, keepdims=True)
    loss = np.sum((weights @ value - target) ** 2)
    return loss
