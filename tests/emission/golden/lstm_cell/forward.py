import numpy as np
from flatgrad.nn import sigmoid
from jaxtyping import Float


def lstm_cell(
    x: Float[np.ndarray, "n d"],
    h: Float[np.ndarray, "n k"],
    c: Float[np.ndarray, "n k"],
    W: Float[np.ndarray, "d 4*k"],
    U: Float[np.ndarray, "k 4*k"],
    b: Float[np.ndarray, "4*k"],
):
    gates = x @ W + h @ U + b
    i, f, g, o = np.split(gates, 4, axis=1)
    c_next = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h_next = sigmoid(o) * np.tanh(c_next)
    return h_next, c_next
