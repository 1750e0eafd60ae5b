"""1,797 scanned digits, read by a network of two layers that is trained by stochastic gradient descent with momentum."""

import numpy as np
from jaxtyping import Float, Int
from rich.progress import track
from sklearn.datasets import load_digits

from flatgrad import flatgrad

HIDDEN, EPOCHS, BATCH = 64, 60, 32
RATE, MOMENTUM = 0.1, 0.9


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


def train(X, labels, rng):
    pixels, classes = X.shape[1], 10
    weights = {
        "W1": rng.standard_normal((pixels, HIDDEN)) * np.sqrt(2 / pixels),
        "b1": np.zeros(HIDDEN),
        "W2": rng.standard_normal((HIDDEN, classes)) * np.sqrt(2 / HIDDEN),
        "b2": np.zeros(classes),
    }
    velocity = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for _ in track(range(EPOCHS), description="training"):
        shuffled = rng.permutation(len(X))
        for start in range(0, len(X), BATCH):
            batch = shuffled[start : start + BATCH]
            grads = two_layer.grad(X[batch], labels[batch], **weights)
            for name, gradient in grads._asdict().items():
                velocity[name] = MOMENTUM * velocity[name] - RATE * gradient
                weights[name] += velocity[name]
    return weights


def predict(X, W1, b1, W2, b2):
    return np.argmax(np.maximum(0, X @ W1 + b1) @ W2 + b2, axis=1)


def main(seed=0):
    rng = np.random.default_rng(seed)
    digits = load_digits()
    X, labels = digits.data / 16, digits.target
    # split before anything is trained
    held_out, training = np.split(rng.permutation(len(X)), [len(X) // 5])
    weights = train(X[training], labels[training], rng)
    print(two_layer.emit(X[training], labels[training], **weights))
    correct = np.mean(predict(X[held_out], **weights) == labels[held_out])
    print(f"{correct:.1%} of {len(held_out)} held-out images are read right, after training on {len(training)} others")


if __name__ == "__main__":
    main()
