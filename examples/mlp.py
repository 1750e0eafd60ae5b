"""A network of layers that are named tuples learns which of two spirals a point is on.

The gradient comes back as what was given: a tuple of layers.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from flatgrad import flatgrad, nn

STEPS, RATE, MOMENTUM = 1000, 0.08, 0.9


class Layer(NamedTuple):
    W: Float[np.ndarray, "_ _"]
    b: Float[np.ndarray, "_"]


def dense(layer: Layer, x):
    z = x @ layer.W + layer.b
    y = np.tanh(z)
    return y


@flatgrad(wrt="layers", style="compact")
def network(layers: tuple[Layer, Layer, Layer], x: Float[np.ndarray, "n d"], labels: Int[np.ndarray, "n"]):
    for layer in layers[:-1]:
        x = dense(layer, x)
    scores = x @ layers[-1].W + layers[-1].b
    loss = nn.softmax_cross_entropy(scores, labels)
    return loss


def spirals(count):
    """Return points on two spirals, and which of them each is on."""
    angles = np.linspace(0.5, 3 * np.pi, count)
    one = np.stack([np.cos(angles), np.sin(angles)], axis=1) * angles[:, None] / 10
    return np.concatenate([one, -one]), np.repeat([0, 1], count)


def main():
    rng = np.random.default_rng(0)
    x, labels = spirals(100)
    sizes = (2, 24, 24, 2)
    layers = tuple(
        Layer(rng.standard_normal((d, h)) * np.sqrt(2 / d), np.zeros(h)) for d, h in zip(sizes, sizes[1:], strict=False)
    )
    velocities = [Layer(*map(np.zeros_like, layer)) for layer in layers]
    for step in range(STEPS + 1):
        loss, grads = network.value_and_grad(layers, x, labels)
        if step % 100 == 0:
            print(f"step {step:3d}  loss {loss:.4f}")
        for layer, velocity, grad in zip(layers, velocities, grads, strict=True):
            for weight, speed, slope in zip(layer, velocity, grad, strict=True):
                speed *= MOMENTUM
                speed -= RATE * slope
                weight += speed
    print(network.emit(layers, x, labels))


if __name__ == "__main__":
    main()
