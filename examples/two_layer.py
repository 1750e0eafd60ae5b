"""A network of two layers with a softmax loss, trained by plain gradient descent."""

import numpy as np
from jaxtyping import Float, Int

from flatgrad import flatgrad, value_and_grad


@flatgrad(wrt=("W1", "b1", "W2", "b2"), style="compact")
def two_layer(
    X: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n"],
    W1: Float[np.ndarray, "d h"],
    b1: Float[np.ndarray, "h"],
    W2: Float[np.ndarray, "h c"],
    b2: Float[np.ndarray, "c"],
):
    z = X @ W1 + b1
    h = np.maximum(0, z)  # relu
    scores = h @ W2 + b2
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    loss = -np.mean(log_p[np.arange(len(X)), labels])
    return loss


def main():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    labels = np.argmax(X[:, :3], axis=1)
    W1, b1 = 0.5 * rng.standard_normal((4, 8)), np.zeros(8)
    W2, b2 = 0.5 * rng.standard_normal((8, 3)), np.zeros(3)
    loss_and_grads = value_and_grad(two_layer)
    for step in range(101):
        loss, grads = loss_and_grads(X, labels, W1, b1, W2, b2)
        if step % 20 == 0:
            print(f"step {step:3d}  loss {loss:.4f}")
        W1 -= 0.5 * grads.W1
        b1 -= 0.5 * grads.b1
        W2 -= 0.5 * grads.W2
        b2 -= 0.5 * grads.b2


if __name__ == "__main__":
    main()
