import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


@flatgrad(wrt=("w", "b"))
def logistic_regression(
    w: Float[np.ndarray, "d"], b: float, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n"], penalty: float = 0.1
):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    log_likelihood = y * np.log(p) + (1 - y) * np.log(1 - p)
    return -log_likelihood.mean() + penalty * w @ w
