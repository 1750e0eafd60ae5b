"""Programs with containers and arrays in place as PyTorch has them: its own layers, decompositions and distributions.

Each function has the name and the parameters of the program, and takes tensors of float64 in the same structures. Nothing is
written into a tensor. `OPEN` has the arguments whose gradients a definition leaves open, by the place among the leaves.
"""

import itertools
import math

import in_torch
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal
from torch.func import functional_call
from torch.nn import functional

# of a symmetric matrix only the sum of the gradients of two elements is told
OPEN = {"kalman_with_dataclass": (2, 5), "cholesky_in_place": (0,)}
DOUBLE = torch.float64


def recurrent(kind, xs, states, weights):
    """Run a recurrent layer of PyTorch over a sequence and return what it puts out at each step."""
    layer = kind(xs.shape[-1], weights[1].shape[1]).double()
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return functional_call(layer, dict(zip(names, weights, strict=True)), (xs, states))[0]


def char_rnn(inputs, targets, hprev, Wxh, Whh, Why, bh, by):
    xs = functional.one_hot(torch.tensor(inputs), Wxh.shape[1]).double()
    weights = (Wxh, Whh, bh[:, 0], torch.zeros(len(bh), dtype=DOUBLE))
    hidden = recurrent(torch.nn.RNN, xs, hprev.T, weights)
    return functional.cross_entropy(hidden @ Why.T + by[:, 0], torch.tensor(targets), reduction="sum")


def char_rnn_lists(params, inputs, targets, h0):
    xs = functional.one_hot(torch.as_tensor(inputs), params["Wxh"].shape[1]).double()
    weights = (params["Wxh"], params["Whh"], params["bh"], torch.zeros(len(h0), dtype=DOUBLE))
    hidden = recurrent(torch.nn.RNN, xs, h0[None], weights)
    return functional.cross_entropy(hidden @ params["Why"].T + params["by"], torch.as_tensor(targets))


def lstm_with_dict(params, xs, target):
    n = len(params["bi"])
    W = torch.cat([params["W" + gate] for gate in "ifgo"])
    b = torch.cat([params["b" + gate] for gate in "ifgo"])
    zeros = torch.zeros(1, n, dtype=DOUBLE)
    hidden = recurrent(torch.nn.LSTM, xs, (zeros, zeros), (W[:, n:], W[:, :n], b, torch.zeros_like(b)))
    return functional.mse_loss(hidden @ params["Wy"], target)


def gru_with_dict(params, xs, h0):
    W, U, b = (torch.cat([params[letter + gate] for gate in "rzn"]) for letter in "WUb")
    return torch.sum(recurrent(torch.nn.GRU, xs, h0[None], (W, U, b, torch.zeros_like(b))) ** 2)


def residual_network(layers, x, y):
    for layer in layers:
        hidden = functional.relu(functional.linear(x, layer["W1"].T, layer["b1"]))
        x = x + functional.linear(hidden, layer["W2"].T, layer["b2"])
    return functional.mse_loss(x, y)


def gpt_loss(inputs, targets, params, n_head):
    x = functional.embedding(torch.tensor(inputs), params["wte"]) + params["wpe"][: len(inputs)]
    d = x.shape[-1]

    def normed(x, weights):
        return functional.layer_norm(x, (d,), weights["g"], weights["b"])

    for block in params["blocks"]:
        c_attn, c_proj = block["attn"]["c_attn"], block["attn"]["c_proj"]
        h = normed(x, block["ln_1"])
        q, k, v = ((h @ c_attn["w"] + c_attn["b"]).view(len(h), 3, n_head, d // n_head)[:, i] for i in range(3))
        heads = [t.transpose(0, 1) for t in (q, k, v)]
        mixed = functional.scaled_dot_product_attention(*heads, is_causal=True).transpose(0, 1).reshape(len(h), d)
        x = x + mixed @ c_proj["w"] + c_proj["b"]
        c_fc, c_proj = block["mlp"]["c_fc"], block["mlp"]["c_proj"]
        h = functional.gelu(normed(x, block["ln_2"]) @ c_fc["w"] + c_fc["b"], approximate="tanh")
        x = x + h @ c_proj["w"] + c_proj["b"]
    return functional.cross_entropy(normed(x, params["ln_f"]) @ params["wte"].T, torch.as_tensor(targets))


def batch_normalised(X, y, params, running_mean, running_var, momentum=0.9):
    z = X @ params["W"]
    normalised = functional.batch_norm(z, None, None, params["gamma"], params["beta"], training=True)
    return functional.mse_loss(torch.tanh(normalised) @ params["v"], y)


def conv1d(x, kernels, bias, stride=2):
    return torch.sum(torch.tanh(functional.conv1d(x[None], kernels, bias, stride)) ** 2)


def max_pool(image, weights, size=2):
    return torch.sum(functional.max_pool2d(image[None], size)[0] * weights)


def network_of_layers(W1, b1, W2, b2, W3, b3, X, y):
    h = functional.relu(functional.linear(X, W1.T, b1))
    out = functional.linear(torch.tanh(functional.linear(h, W2.T, b2)), W3.T, b3)[:, 0]
    return functional.mse_loss(out, y) + 0.01 * sum((W**2).sum() for W in (W1, W2, W3))


def fit_loss(model, X, y):
    fit = functional.binary_cross_entropy_with_logits(X @ model.W + model.b, y)
    return fit + 0.5 * model.strength * torch.sum(model.W**2)


def gaussian_process(x, y, variance, length, period, noise):
    r = x[:, None] - x[None, :]
    K = variance * torch.exp(-0.5 * (r / length) ** 2 - 2 * torch.sin(math.pi * r / period) ** 2)
    K = K + 0.5 * torch.exp(-0.5 * (r / 2.0) ** 2) + noise**2 * torch.eye(len(x), dtype=DOUBLE)
    constant = 0.5 * len(x) * math.log(2 * math.pi)
    return -MultivariateNormal(torch.zeros_like(x), K).log_prob(y) - constant


def kalman_with_dataclass(ys, belief, F, Q, H, r):
    return in_torch.kalman(ys, belief.mean, belief.covariance, F, Q, H, r) + belief.log_likelihood


def hmm_filling_alpha(observations, start, transition, emission):
    """Sum over all paths."""
    total = 0.0
    for path in itertools.product(range(len(start)), repeat=len(observations)):
        p = start[path[0]]
        for a, b in itertools.pairwise(path):
            p = p * transition[a, b]
        for k, o in zip(path, observations, strict=True):
            p = p * emission[k, o]
        total = total + p
    return torch.log(total)


def heat_equation(u0, alpha, steps=5):
    """Powers of a matrix."""
    n = len(u0)
    D = torch.zeros(n, n, dtype=DOUBLE)
    for i in range(1, n - 1):
        D[i, i - 1 : i + 2] = torch.tensor([1.0, -2.0, 1.0])
    return torch.sum((torch.matrix_power(torch.eye(n, dtype=DOUBLE) + alpha * D, steps) @ u0) ** 2)


def heat_in_the_plane(u0, alpha, steps=3):
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], dtype=DOUBLE)[None, None]
    u = u0
    for _ in range(steps):
        inside = u[1:-1, 1:-1] + alpha * functional.conv2d(u[None, None], kernel)[0, 0]
        rows = torch.cat([u[1:-1, :1], inside, u[1:-1, -1:]], dim=1)
        rows = torch.cat([rows[:1], rows, rows[-1:]])
        u = torch.cat([torch.zeros(len(u), 1, dtype=DOUBLE), rows[:, 1:]], dim=1)
    return torch.sum(u[:, 1:] ** 2)


def flow(y, a, b, c, d):
    return torch.stack([a * y[0] - b * y[0] * y[1], d * y[0] * y[1] - c * y[1]])


def lotka_volterra(prey, predators, a, b, c, d, steps=6):
    states = [torch.stack([prey, predators])]
    for _ in range(steps):
        states.append(states[-1] + 0.1 * flow(states[-1], a, b, c, d))
    states = torch.stack(states)
    return states[:, 0].mean() + 2 * (states[:, 1] ** 2).mean()


def lotka_volterra_rk4(y0, params, times, data):
    ys = [y0]
    for h in times.diff():
        k1 = flow(ys[-1], **params)
        k2 = flow(ys[-1] + h / 2 * k1, **params)
        k3 = flow(ys[-1] + h / 2 * k2, **params)
        k4 = flow(ys[-1] + h * k3, **params)
        ys.append(ys[-1] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return torch.sum((torch.stack(ys) - data) ** 2)


def particles(positions, velocities, charges, dt=0.05, steps=3):
    """Forces between all pairs at once."""
    x, v = positions, velocities
    for _ in range(steps):
        r = x[:, None] - x[None, :]
        f = (charges[:, None] * charges / (torch.sum(r**2, dim=2) + 0.1) ** 1.5)[:, :, None] * r
        v = v + dt * f.sum(dim=1)
        x = x + dt * v
    return 0.5 * torch.sum(v**2) + torch.sum(x[:, 0])


def alignments(n, m):
    """All the ways through a table from one corner to the other, as the cells that are entered."""
    if (n, m) == (0, 0):
        yield ()
    for back in ((1, 1), (1, 0), (0, 1)):
        if n >= back[0] and m >= back[1]:
            for before in alignments(n - back[0], m - back[1]):
                yield (*before, (n, m, back))


def soft_least(costs, gamma):
    return -gamma * torch.logsumexp(-torch.stack(costs) / gamma, dim=0)


def soft_dtw(x, y, gamma):
    """Over all alignments; those that leave the table count as 1e6."""
    paths = [path for path in alignments(len(x), len(y)) if all(i and j for i, j, _ in path)]
    return soft_least([sum((x[i - 1] - y[j - 1]) ** 2 for i, j, _ in path) for path in paths], gamma)


def soft_edit_distance(a, b, insertion, deletion, substitution, gamma=0.3):
    """Over all edits; on the edges of the table there is one way only."""

    def cost(i, j, back):
        if back == (1, 1):
            return 0.0 if a[i - 1] == b[j - 1] else substitution[a[i - 1], b[j - 1]]
        return deletion if back == (1, 0) else insertion

    return soft_least([sum(cost(*step) for step in path) for path in alignments(len(a), len(b))], gamma)


def gram_schmidt(A, weights):
    Q, R = torch.linalg.qr(A)
    return torch.sum(Q * torch.sign(torch.diagonal(R)) * weights)


def householder(A, weights):
    """The signs are those that reflections give: against what stands on the diagonal before each of them."""
    R = torch.linalg.qr(A)[1]
    left = A
    signs = []
    for k in range(A.shape[1]):
        signs.append(-torch.sign(left[k, k]) * torch.sign(R[k, k]))
        v = (
            left[k:, k]
            + torch.sign(left[k, k]) * torch.linalg.norm(left[k:, k]) * torch.eye(len(left))[: len(left) - k, 0]
        )
        v = torch.cat([torch.zeros(k, dtype=DOUBLE), v / torch.linalg.norm(v)])
        left = left - 2 * torch.outer(v, v @ left)
    return torch.sum(torch.stack(signs)[:, None] * R * weights[: A.shape[1]])


def lu_decomposition(A, weights):
    """Each element from the block above it and to its left."""
    n = len(A)
    total = 0.0
    for i in range(n):
        for j in range(n):
            k = min(i, j)
            schur = A[i, j] - A[i, :k] @ torch.linalg.solve(A[:k, :k], A[:k, j])
            pivot = A[j, j] - A[j, :j] @ torch.linalg.solve(A[:j, :j], A[:j, j]) if i > j else 1.0
            total = total + weights[i, j] * schur / pivot
    return total


lu_by_outer_products = lu_decomposition


def cholesky_in_place(A, weights):
    return torch.sum(torch.linalg.cholesky(A) * weights)


def thomas(lower, diagonal, upper, right):
    A = torch.diag(diagonal) + torch.diag(lower[1:], -1) + torch.diag(upper[:-1], 1)
    return torch.sum(torch.linalg.solve(A, right) ** 2)


def back_substitution(U, b):
    return torch.sum(torch.linalg.solve_triangular(U, b[:, None], upper=True) ** 2)


def gaussian_elimination(A, b):
    return torch.sum(torch.linalg.solve(A, b))


def gauss_jordan(A, weights):
    return torch.sum(torch.linalg.inv(A) * weights)


def triangular(theta, x):
    """A normal density by its precision."""
    n = len(x)
    rows, columns = torch.tril_indices(n, n)
    L = torch.zeros(n, n, dtype=DOUBLE).index_put(
        (rows, columns), torch.where(rows == columns, torch.exp(theta), theta)
    )
    density = MultivariateNormal(torch.zeros(n, dtype=DOUBLE), precision_matrix=L.T @ L)
    return -density.log_prob(x) - 0.5 * n * math.log(2 * math.pi)


def jacobi_rotations(A, sweeps=2):
    return torch.linalg.eigvalsh(A + A.T)[-1]


def block_matrix(A, B, C):
    M = torch.cat([torch.cat([A, B], dim=1), torch.cat([B.T, 2 * C], dim=1)])
    M = M + 3 * torch.eye(len(M), dtype=DOUBLE)
    return torch.einsum("ij,jk,ki->", M, M, M)


def gaussian_mixture(X, logits, means, log_scales):
    components = Independent(Normal(means, torch.exp(log_scales)), 1)
    return MixtureSameFamily(Categorical(logits=logits), components).log_prob(X).sum()


def ctc_in_a_table(logits, labels):
    log_probs = torch.log_softmax(logits, dim=1)[:, None]
    sizes = torch.tensor([len(logits)]), torch.tensor([len(labels)])
    return functional.ctc_loss(log_probs, torch.as_tensor(labels)[None], *sizes, reduction="sum")


def de_casteljau(points, t):
    """By Bernstein's polynomials."""
    n = len(points) - 1
    weights = torch.stack([math.comb(n, k) * t**k * (1 - t) ** (n - k) for k in range(n + 1)])
    return torch.sum((weights @ points) ** 2)


def divided_differences(x, y, at):
    return torch.linalg.solve(torch.linalg.vander(x), y) @ torch.stack([at**k for k in range(len(x))])


def polynomial_product(p, q, x):
    return torch.prod(torch.stack([sum(c * x**k for k, c in enumerate(r)) for r in (p, q)]))


def trimmed_mean(x, share):
    weights = torch.cat([share[None], torch.ones(len(x) - 2, dtype=DOUBLE), share[None]])
    return torch.sum(weights * torch.sort(x)[0] ** 2) / torch.sum(weights)
