"""Networks whose parameters are nested dicts, lists of dicts and named tuples, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

from typing import NamedTuple

import numpy as np


def relu(x):
    return np.maximum(x, 0)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    exp_x = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return exp_x / np.sum(exp_x, axis=-1, keepdims=True)


def layer_norm(x, g, b, eps: float = 1e-5):
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.var(x, axis=-1, keepdims=True)
    return g * (x - mean) / np.sqrt(variance + eps) + b


def linear(x, w, b):
    return x @ w + b


def ffn(x, c_fc, c_proj):
    return linear(gelu(linear(x, **c_fc)), **c_proj)


def attention(q, k, v, mask):
    return softmax(q @ k.T / np.sqrt(q.shape[-1]) + mask) @ v


def mha(x, c_attn, c_proj, n_head):
    x = linear(x, **c_attn)
    qkv = np.split(x, 3, axis=-1)
    qkv_heads = list(map(lambda x: np.split(x, n_head, axis=-1), qkv))
    causal_mask = (1 - np.tri(x.shape[0])) * -1e10
    out_heads = [attention(q, k, v, causal_mask) for q, k, v in zip(*qkv_heads)]  # noqa: B905
    x = linear(np.hstack(out_heads), **c_proj)
    return x


def transformer_block(x, mlp, attn, ln_1, ln_2, n_head):
    x = x + mha(layer_norm(x, **ln_1), **attn, n_head=n_head)
    x = x + ffn(layer_norm(x, **ln_2), **mlp)
    return x


def gpt2(inputs, wte, wpe, blocks, ln_f, n_head):
    x = wte[inputs] + wpe[range(len(inputs))]
    for block in blocks:
        x = transformer_block(x, **block, n_head=n_head)
    x = layer_norm(x, **ln_f)
    return x @ wte.T


def gpt_loss(inputs, targets, params, n_head):
    """The language model of a page, in the manner of those that are written to be read."""
    logits = gpt2(inputs, **params, n_head=n_head)
    log_probabilities = logits - np.max(logits, axis=-1, keepdims=True)
    log_probabilities = log_probabilities - np.log(np.sum(np.exp(log_probabilities), axis=-1, keepdims=True))
    return -np.mean(log_probabilities[np.arange(len(targets)), targets])


def residual_network(layers, x, y):
    """Blocks of equal layers, a list of dicts."""
    for layer in layers:
        hidden = relu(x @ layer["W1"] + layer["b1"])
        x = x + hidden @ layer["W2"] + layer["b2"]
    return np.mean((x - y) ** 2)


def init_free_mlp(params, X, labels):
    """Alternating layers of weights and biases in pairs, the last one without activation."""
    h = X
    for W, b in params[:-1]:
        h = np.tanh(h @ W + b)
    W, b = params[-1]
    probabilities = softmax(h @ W + b)
    penalty = sum(np.sum(W**2) for W, _ in params)
    return -np.mean(np.log(probabilities[np.arange(len(X)), labels])) + 1e-2 * penalty


class Weights(NamedTuple):
    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def forward(weights, X):
    return np.tanh(X @ weights.W1 + weights.b1) @ weights.W2 + weights.b2


def mlp_after_a_step(weights: Weights, gradients: Weights, X, y, rate):
    """The loss after a step of gradient descent; for the learning rate and the weights."""
    stepped = Weights(*[w - rate * g for w, g in zip(weights, gradients, strict=True)])
    errors = forward(stepped, X)[:, 0] - y
    return 0.5 * np.mean(errors**2)


def adam_trajectory(params, state, X, y, rate=0.1, beta1=0.9, beta2=0.99):
    """A few steps of Adam on a linear model; moments are kept in dicts by the parameter's name."""
    params = dict(params)
    m = {name: value.copy() for name, value in state["m"].items()}
    v = {name: value.copy() for name, value in state["v"].items()}
    for step in range(1, 4):
        error = X @ params["w"] + params["b"] - y
        grads = {"w": X.T @ error / len(y), "b": np.mean(error, keepdims=True)}
        for name in params:
            m[name] = beta1 * m[name] + (1 - beta1) * grads[name]
            v[name] = beta2 * v[name] + (1 - beta2) * grads[name] ** 2
            m_hat = m[name] / (1 - beta1**step)
            v_hat = v[name] / (1 - beta2**step)
            params[name] = params[name] - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
    return np.mean((X @ params["w"] + params["b"] - y) ** 2)


def vae_loss(params, x, noise):
    """The negative evidence lower bound of a variational autoencoder, the noise given."""

    def dense(layer, h):
        return h @ params[layer]["W"] + params[layer]["b"]

    hidden = np.tanh(dense("encoder", x))
    mean, log_variance = dense("mean", hidden), dense("log_variance", hidden)
    z = mean + np.exp(0.5 * log_variance) * noise
    logits = dense("out", np.tanh(dense("decoder", z)))
    reconstruction = np.sum(np.log(1 + np.exp(-logits)) + (1 - x) * logits, axis=1)
    divergence = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance), axis=1)
    return np.mean(reconstruction + divergence)


def batch_normalised(X, y, params, running_mean, running_var, momentum=0.9):
    """Training of a layer with batch normalisation: the running statistics are updated in place."""
    z = X @ params["W"]
    mean = np.mean(z, axis=0)
    variance = np.mean((z - mean) ** 2, axis=0)
    running_mean *= momentum
    running_mean += (1 - momentum) * mean
    running_var[:] = momentum * running_var + (1 - momentum) * variance
    normalised = (z - mean) / np.sqrt(variance + 1e-5)
    h = np.tanh(params["gamma"] * normalised + params["beta"])
    return np.mean((h @ params["v"] - y) ** 2)


def conv1d(x, kernels, bias, stride=2):
    """A convolution of channels by loops, into an array that is filled."""
    channels_out, channels_in, width = kernels.shape
    length = (x.shape[1] - width) // stride + 1
    out = np.zeros((channels_out, length))
    for o in range(channels_out):
        for i in range(length):
            start = i * stride
            out[o, i] = bias[o]
            for c in range(channels_in):
                out[o, i] += np.sum(x[c, start : start + width] * kernels[o, c])
    return np.sum(np.tanh(out) ** 2)


def max_pool(image, weights, size=2):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    pooled = np.empty((rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = image[i * size : (i + 1) * size, j * size : (j + 1) * size]
            pooled[i, j] = np.max(window)
    return np.sum(pooled * weights)


def convolve(image, kernel):
    height, width = kernel.shape
    out = np.zeros((image.shape[0] - height + 1, image.shape[1] - width + 1))
    for i in range(height):
        for j in range(width):
            out += kernel[i, j] * image[i : i + out.shape[0], j : j + out.shape[1]]
    return out


def small_convnet(params, image, target):
    """Maps of features in a list, one for each kernel."""
    maps = [relu(convolve(image, kernel) + b) for kernel, b in zip(params["kernels"], params["biases"], strict=True)]
    features = np.concatenate([m.ravel() for m in maps])
    return (features @ params["dense"] - target) ** 2


def mixture_of_experts(experts, gate, x):
    """Experts in a dict, weights by a softmax over their scores in the order of their names."""
    names = sorted(experts)
    scores = np.array([gate[name] @ x for name in names])
    weights = softmax(scores)
    out = 0.0
    for weight, name in zip(weights, names, strict=True):
        expert = experts[name]
        out = out + weight * np.tanh(expert["W"] @ x + expert.get("b", 0.0))
    return np.sum(out**2)


def graph_network(params, nodes, senders, receivers):
    """Messages along edges are added up at their receivers by np.add.at."""
    for layer in params["layers"]:
        messages = np.tanh(nodes[senders] @ layer["message"])
        received = np.zeros_like(nodes)
        np.add.at(received, receivers, messages)
        nodes = np.tanh(nodes @ layer["update"] + received)
    return nodes.sum(axis=0) @ params["readout"]


def siamese(params, pairs, labels):
    """A contrastive loss over a list of pairs."""

    def embed(x):
        for layer in params:
            x = np.tanh(layer @ x)
        return x

    total = 0.0
    for (a, b), same in zip(pairs, labels, strict=True):
        distance = np.sum((embed(a) - embed(b)) ** 2)
        total += distance if same else np.maximum(0.0, 1.0 - np.sqrt(distance + 1e-6)) ** 2
    return total / len(pairs)


def dense(normal, n, m):
    return {"w": 0.4 * normal(n, m), "b": 0.1 * normal(m)}


def norm(normal, d):
    return {"g": 1 + 0.1 * normal(d), "b": 0.1 * normal(d)}


def block(normal, d):
    return {
        "mlp": {"c_fc": dense(normal, d, 4 * d), "c_proj": dense(normal, 4 * d, d)},
        "attn": {"c_attn": dense(normal, d, 3 * d), "c_proj": dense(normal, d, d)},
        "ln_1": norm(normal, d),
        "ln_2": norm(normal, d),
    }


def gpt_parameters(normal, blocks, d=4):
    return {
        "wte": normal(5, d),
        "wpe": normal(6, d),
        "blocks": [block(normal, d) for _ in range(blocks)],
        "ln_f": norm(normal, d),
    }


def named(normal, n, m):
    return {"W": 0.5 * normal(n, m), "b": 0.5 * normal(m)}


def weights_of(normal):
    return Weights(normal(3, 4), normal(4), normal(4, 1), normal(1))


def linear_layer(normal):
    return {"W1": normal(3, 4), "b1": normal(4), "W2": 0.3 * normal(4, 3), "b2": normal(3)}


PROGRAMS = {
    gpt_loss: lambda normal, n: (
        [k % 5 for k in range(n)],
        np.arange(1, n + 1) % 5,
        gpt_parameters(normal, 2),
        2,
    ),
    residual_network: lambda normal, n: ([linear_layer(normal) for _ in range(n)], normal(2, 3), normal(2, 3)),
    init_free_mlp: lambda normal, n: (
        [(normal(2, 3), normal(3)), *[(normal(3, 3), normal(3)) for _ in range(n)], (normal(3, 4), normal(4))],
        normal(5, 2),
        np.arange(5) % 4,
    ),
    mlp_after_a_step: lambda normal, n: (weights_of(normal), weights_of(normal), normal(n, 3), normal(n), 0.1),
    adam_trajectory: lambda normal, n: (
        {"w": normal(2), "b": normal(1)},
        {"m": {"w": normal(2), "b": normal(1)}, "v": {"w": normal(2) ** 2, "b": normal(1) ** 2}},
        normal(n + 1, 2),
        normal(n + 1),
    ),
    vae_loss: lambda normal, n: (
        {
            "encoder": named(normal, 4, 3),
            "mean": named(normal, 3, 2),
            "log_variance": named(normal, 3, 2),
            "decoder": named(normal, 2, 3),
            "out": named(normal, 3, 4),
        },
        (normal(n, 4) > 0).astype(float),
        normal(n, 2),
    ),
    batch_normalised: lambda normal, n: (
        normal(n + 2, 3),
        normal(n + 2),
        {"W": normal(3, 2), "gamma": normal(2), "beta": normal(2), "v": normal(2)},
        normal(2),
        normal(2) ** 2,
    ),
    conv1d: lambda normal, n: (normal(2, 2 * n + 3), normal(2, 2, 3), normal(2)),
    max_pool: lambda normal, n: (normal(2 * n, 2 * n + 1), normal(n, n)),
    small_convnet: lambda normal, n: (
        {"kernels": [normal(2, 2) for _ in range(n)], "biases": [0.1] * n, "dense": normal(6 * n)},
        normal(4, 3),
        0.5,
    ),
    mixture_of_experts: lambda normal, n: (
        {"slow": {"W": normal(2, 3), "b": normal(2)}, "fast": {"W": normal(2, 3)}},
        {"slow": normal(3), "fast": normal(3)},
        normal(3),
    ),
    graph_network: lambda normal, n: (
        {"layers": [{"message": normal(2, 2), "update": normal(2, 2)} for _ in range(n)], "readout": normal(2)},
        normal(4, 2),
        np.array([0, 1, 1, 2, 3, 0]),
        np.array([1, 0, 2, 1, 1, 2]),
    ),
    siamese: lambda normal, n: (
        [normal(3, 2), normal(2, 3)],
        [(normal(2), normal(2)) for _ in range(n + 1)],
        [k % 2 == 0 for k in range(n + 1)],
    ),
}
