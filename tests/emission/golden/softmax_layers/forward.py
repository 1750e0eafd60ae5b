import numpy as np
from jaxtyping import Float, Int

from flatgrad import flatgrad


@flatgrad(wrt=("W1", "b1", "W2", "b2"))
def softmax_layers(
    X: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n"],
    W1: Float[np.ndarray, "d h"],
    b1: Float[np.ndarray, "h"],
    W2: Float[np.ndarray, "h c"],
    b2: Float[np.ndarray, "c"],
):
    hidden = np.tanh(X @ W1 + b1)
    powers = np.exp(hidden @ W2 + b2)
    p = powers / powers.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(labels)), labels]).mean()
    return loss
