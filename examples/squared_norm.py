"""The squared length of W @ x: a matrix product and its two gradients."""

import numpy as np
from jaxtyping import Float

from flatgrad import flatgrad, value_and_grad


@flatgrad
def squared_norm(W: Float[np.ndarray, "n m"], x: Float[np.ndarray, "m"]):
    q = W @ x
    f = np.sum(q**2)
    return f


if __name__ == "__main__":
    W = np.array([[0.1, 0.5], [-0.3, 0.8]])
    x = np.array([0.2, 0.4])
    f, grads = value_and_grad(squared_norm)(W, x)
    print("q =", (W @ x).round(12).tolist())
    print("f =", round(float(f), 12))
    print("grad_W =", grads.W.round(12).tolist())
    print("grad_x =", grads.x.round(12).tolist())
