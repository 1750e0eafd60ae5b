"""PyTorch on the CPU: the programs in its operations, on tensors of float64.

In: a `Program`. Out: a `Contender`.
"""

import torch
from contenders.programs import Contender
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

torch.set_num_threads(1)


def with_torch(program):
    """Return a function that runs a program forward and backward."""
    function, positions = globals()[program.function.__name__], program.positions
    tensors = tuple(map(torch.as_tensor, map(exact, program.arguments)))
    parameters = [tensors[position].requires_grad_() for position in positions]

    def value_and_grad(*arguments):
        value = function(*arguments)
        return value, torch.autograd.grad(value, parameters)

    return Contender(value_and_grad, tensors, lambda returned: (returned[0].detach(), returned[1]))


def exact(argument):
    """Return a float as a tensor of float64: torch would make it float32."""
    return torch.tensor(argument, dtype=torch.float64) if isinstance(argument, float) else argument


def neuron(w0, x0, w1, x1, w2):
    """A neuron of two inputs."""
    return torch.sigmoid(w0 * x0 + w1 * x1 + w2)


def quadratic(x, A, b):
    """A quadratic form."""
    return 0.5 * x @ A @ x - b @ x


def logistic(w, b, X, y):
    """Negative log-likelihood of logistic regression."""
    return binary_cross_entropy_with_logits(X @ w + b, y, reduction="sum")


def mixture(logits, means, log_scales, x):
    """Negative log-likelihood of a mixture of normal distributions."""
    z = (x[:, None] - means) / torch.exp(log_scales)
    return -torch.sum(torch.logsumexp(torch.log_softmax(logits, 0) - 0.5 * z**2 - log_scales, dim=1))


def two_layer(X, labels, W1, b1, W2, b2):
    """Softmax cross-entropy of a network of two layers."""
    h = torch.relu(X @ W1 + b1)
    return cross_entropy(h @ W2 + b2, labels)
