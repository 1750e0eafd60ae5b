import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad


@flatgrad(wrt=("w", "b"))
def robust_regression(
    w: Float[np.ndarray, "d"],
    b: float,
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, "n"],
    delta: float = 1.0,
    ridge: float = 1e-3,
):
    residuals = X @ w + b - y
    size = np.abs(residuals)
    # quadratic near zero, linear far away
    huber = np.where(size <= delta, 0.5 * residuals**2, delta * (size - 0.5 * delta))
    return np.mean(huber) + ridge * np.sum(w**2)
