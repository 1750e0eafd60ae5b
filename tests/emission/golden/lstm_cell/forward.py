import numpy as np
from jaxtyping import Float

from flatgrad.nn import sigmoid


def lstm_cell(
    x: Float[np.ndarray, "n d"],
    h: Float[np.ndarray, "n 5"],
    c: Float[np.ndarray, "n 5"],
    W: Float[np.ndarray, "d 20"],
    U: Float[np.ndarray, "5 20"],
    b: Float[np.ndarray, "20"],
):
    gates = x @ W + h @ U + b
    i, f, g, o = np.split(gates, 4, axis=1)
    # forget a part of the old state, and let in a part of the new one
    c_next = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h_next = sigmoid(o) * np.tanh(c_next)
    return h_next, c_next
