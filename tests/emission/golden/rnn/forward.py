import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


@flatgrad(wrt=("h0", "Wxh", "Whh", "b"))
def rnn(
    xs: Float[np.ndarray, "t d"],
    h0: Float[np.ndarray, "h"],
    Wxh: Float[np.ndarray, "h d"],
    Whh: Float[np.ndarray, "h h"],
    b: Float[np.ndarray, "h"],
):
    h = h0
    loss = 0.0
    for t in range(len(xs)):
        h = np.tanh(Wxh @ xs[t] + Whh @ h + b)
        loss += np.sum(h**2)
    return loss
