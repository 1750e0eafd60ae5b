"""The functions that write into arrays, as in_place.py times them, in NumPy as flatgrad reads them.

In: nothing. Out: programs of any number of elements, steps or blocks.
"""

import numpy as np
from contenders.programs import Program


def filled(x):
    """An array is filled element by element, each from the one before."""
    y = np.zeros(len(x))
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = 0.5 * y[i - 1] + x[i] * x[i]
    return np.sum(y)


def updated(x):
    """Each element of an array is changed, twice."""
    y = x.copy()
    for i in range(1, len(y)):
        y[i] *= y[i]
        y[i] += 0.5 * y[i - 1]
    return np.sum(y)


def heat(u0, alpha, steps):
    """Explicit steps of the heat equation, the inside of the rod updated in place."""
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += alpha * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u**2)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def attention(x, Wq, Wk, Wv, Wo):
    scores = (x @ Wq) @ (x @ Wk).T / np.sqrt(x.shape[-1])
    return softmax(scores) @ (x @ Wv) @ Wo


def block(x, attn, mlp):
    x = x + attention(x, **attn)
    return x + np.maximum(0, x @ mlp["W1"] + mlp["b1"]) @ mlp["W2"] + mlp["b2"]


def transformer(params, x, target):
    """A stack of equal blocks, their parameters a list of nested dicts."""
    for layer in params:
        x = block(x, **layer)
    return np.mean((x - target) ** 2)


def filled_of(count):
    """Return the array with this many elements."""
    return Program("filled", filled, ("x",), (np.random.default_rng(0).uniform(-1, 1, count),))


def updated_of(count):
    """Return the array with this many elements that are changed."""
    return Program("updated", updated, ("x",), (np.random.default_rng(0).uniform(-1, 1, count),))


def heat_of(cells, steps, wrt=("u0", "alpha")):
    """Return the heat equation with this many cells and steps."""
    return Program("heat", heat, wrt, (np.random.default_rng(0).normal(size=cells), 0.2, steps))


def transformer_of(blocks, width=8):
    """Return a stack of this many blocks."""
    normal = np.random.default_rng(0).normal
    params = [
        {
            "attn": {name: 0.3 * normal(size=(width, width)) for name in ("Wq", "Wk", "Wv", "Wo")},
            "mlp": {
                "W1": 0.3 * normal(size=(width, 2 * width)),
                "b1": normal(size=2 * width),
                "W2": 0.3 * normal(size=(2 * width, width)),
                "b2": normal(size=width),
            },
        }
        for _ in range(blocks)
    ]
    return Program("transformer", transformer, ("params",), (params, normal(size=(5, width)), normal(size=(5, width))))
