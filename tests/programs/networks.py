"""Networks and their losses, as people write them.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a batch size.
"""

import math

import numpy as np

from flatgrad.nn import relu, sigmoid, softmax

EPSILON = 1e-5


def softmax_regression(W, b, X, labels):
    scores = X @ W + b
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    return -np.mean(np.log(p[np.arange(len(labels)), labels]))


def softmax_regression_one_hot(W, X, Y):
    logits = X @ W
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return -(Y * log_p).sum() / X.shape[0]


def rnn_two_steps(x1, x2, h, W, U, b):
    h = np.tanh(x1 @ W + h @ U + b)
    h = np.tanh(x2 @ W + h @ U + b)
    return np.sum(h**2)


def lstm_step(x, h, c, W, b):
    k = h.shape[1]
    gates = np.concatenate([x, h], axis=1) @ W + b
    i = sigmoid(gates[:, :k])
    f = sigmoid(gates[:, k : 2 * k] + 1.0)
    g = np.tanh(gates[:, 2 * k : 3 * k])
    o = sigmoid(gates[:, 3 * k :])
    c = f * c + i * g
    h = o * np.tanh(c)
    return np.sum(h * c)


def gru_step(x, h, W_z, W_r, W_h):
    xh = np.concatenate((x, h), axis=-1)
    z, r = sigmoid(xh @ W_z), sigmoid(xh @ W_r)
    candidate = np.tanh(np.concatenate((x, r * h), axis=-1) @ W_h)
    h = (1 - z) * h + z * candidate
    return h.mean()


def multi_head_attention(x, W_qkv, W_out, mask):
    n, t, d = x.shape
    q, k, v = np.split(x @ W_qkv, 3, axis=-1)
    q = q.reshape(n, t, 2, d // 2).transpose(0, 2, 1, 3)
    k = k.reshape(n, t, 2, d // 2).transpose(0, 2, 1, 3)
    v = v.reshape(n, t, 2, d // 2).transpose(0, 2, 1, 3)
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(d // 2)
    weights = softmax(np.where(mask, scores, -1e9), axis=-1)
    out = (weights @ v).transpose(0, 2, 1, 3).reshape(n, t, d) @ W_out
    return np.mean(out**2)


def layer_norm(x, gain, bias):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return np.sum(np.tanh(gain * centred / np.sqrt(variance + EPSILON) + bias))


def batch_norm(X, gamma, beta, target):
    mean, std = np.mean(X, axis=0), np.std(X, axis=0)
    normal = (X - mean) / (std + EPSILON)
    return np.mean((gamma * normal + beta - target) ** 2)


def convolution(image, kernel, bias):
    # each shift of the image meets one number of the kernel
    y = bias + 0.0 * image[:, 1:-1, 1:-1]
    y += kernel[0, 0] * image[:, :-2, :-2] + kernel[0, 1] * image[:, :-2, 1:-1] + kernel[0, 2] * image[:, :-2, 2:]
    y += kernel[1, 0] * image[:, 1:-1, :-2] + kernel[1, 1] * image[:, 1:-1, 1:-1] + kernel[1, 2] * image[:, 1:-1, 2:]
    y += kernel[2, 0] * image[:, 2:, :-2] + kernel[2, 1] * image[:, 2:, 1:-1] + kernel[2, 2] * image[:, 2:, 2:]
    return np.mean(relu(y))


def triplet_loss(anchor, positive, negative, margin=0.5):
    near = np.sum((anchor - positive) ** 2, axis=1)
    far = np.sum((anchor - negative) ** 2, axis=1)
    return np.mean(np.maximum(near - far + margin, 0.0))


def contrastive_loss(a, b, temperature):
    a = a / np.sqrt(np.sum(a**2, axis=1, keepdims=True))
    b = b / np.sqrt(np.sum(b**2, axis=1, keepdims=True))
    logits = a @ b.T / temperature
    diagonal = np.arange(len(a))
    return -np.mean(logits[diagonal, diagonal] - np.log(np.sum(np.exp(logits), axis=1)))


def matrix_factorisation(users, items, bias, who, what, stars, decay=0.01):
    predicted = np.sum(users[who] * items[what], axis=1) + bias[what]
    error = stars - predicted
    return np.mean(error**2) + decay * (np.sum(users**2) + np.sum(items**2))


def autoencoder(X, W, b_in, b_out):
    code = 1 / (1 + np.exp(-(X @ W + b_in)))
    # the weights are tied
    difference = X - (code @ W.T + b_out)
    return 0.5 * np.sum(difference * difference) / len(X)


PROGRAMS = {
    softmax_regression: lambda normal, n: (normal(3, 4), normal(4), normal(n, 3), np.arange(n) % 4),
    softmax_regression_one_hot: lambda normal, n: (normal(3, 4), normal(n, 3), np.eye(4)[np.arange(n) % 4]),
    rnn_two_steps: lambda normal, n: (normal(n, 3), normal(n, 3), normal(n, 2), normal(3, 2), normal(2, 2), normal(2)),
    lstm_step: lambda normal, n: (normal(n, 2), normal(n, 3), normal(n, 3), normal(5, 12), normal(12)),
    gru_step: lambda normal, n: (normal(n, 2), normal(n, 3), normal(5, 3), normal(5, 3), normal(5, 3)),
    multi_head_attention: lambda normal, n: (normal(n, 3, 4), normal(4, 12), normal(4, 4), np.tri(3) > 0),
    layer_norm: lambda normal, n: (normal(n, 5), normal(5), normal(5)),
    batch_norm: lambda normal, n: (normal(n + 2, 3), normal(3), normal(3), normal(n + 2, 3)),
    convolution: lambda normal, n: (normal(n, 4, 5), normal(3, 3), 0.3),
    triplet_loss: lambda normal, n: (normal(n, 3), normal(n, 3), normal(n, 3), 0.7),
    contrastive_loss: lambda normal, n: (normal(n, 3), normal(n, 3), 0.8),
    matrix_factorisation: lambda normal, n: (
        normal(4, 2),
        normal(3, 2),
        normal(3),
        np.arange(n) % 4,
        np.arange(n) % 3,
        normal(n),
        0.02,
    ),
    autoencoder: lambda normal, n: (normal(n, 4), normal(4, 2), normal(2), normal(4)),
}
