"""A recurrent network learns to repeat what it heard three steps ago.

It is trained with recurrent_grad.py, which flatgrad wrote from this file and which needs NumPy only:
`flatgrad emit examples/recurrent.py -o examples/recurrent_grad.py`.
"""

import numpy as np
from jaxtyping import Float
from recurrent_grad import recurrent_value_and_grad

from flatgrad import flatgrad

HIDDEN, LAG = 12, 3
STEPS, RATE, MOMENTUM = 500, 0.05, 0.9


def cell(h, x, W, u, b):
    z = W @ h + u * x + b
    h_next = np.tanh(z)
    return h_next


@flatgrad(wrt=("W", "u", "b", "v"), style="compact")
def recurrent(
    heard: Float[np.ndarray, "t"],
    W: Float[np.ndarray, "h h"],
    u: Float[np.ndarray, "h"],
    b: Float[np.ndarray, "h"],
    v: Float[np.ndarray, "h"],
):
    h = np.zeros(len(b))
    loss = 0.0
    for t in range(len(heard)):
        h = cell(h, heard[t], W, u, b)
        if t >= LAG:
            loss += (v @ h - heard[t - LAG]) ** 2
    return loss / (len(heard) - LAG)


def main():
    rng = np.random.default_rng(0)
    weights = [
        0.5 * rng.standard_normal((HIDDEN, HIDDEN)) / np.sqrt(HIDDEN),
        0.5 * rng.standard_normal(HIDDEN),
        np.zeros(HIDDEN),
        0.5 * rng.standard_normal(HIDDEN),
    ]
    velocities = [np.zeros_like(weight) for weight in weights]
    for step in range(STEPS + 1):
        heard = rng.uniform(-1, 1, size=30)
        loss, grads = recurrent_value_and_grad(heard, *weights)
        if step % 100 == 0:
            print(f"step {step:3d}  loss {loss:.4f}")
        for weight, velocity, grad in zip(weights, velocities, grads, strict=True):
            velocity *= MOMENTUM
            velocity -= RATE * grad
            weight += velocity


if __name__ == "__main__":
    main()
