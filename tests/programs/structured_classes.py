"""Classes as people write them: layers, models, kernels, numbers with operators, states with methods.

`PROGRAMS` has for each function what makes its arguments: it takes a source of normal numbers, and a size.
"""

import math
from dataclasses import dataclass, field

import numpy as np


class Layer:
    """Something that can be called with the output of the layer below."""

    def __call__(self, x):
        return self.forward(x)

    def penalty(self):
        return 0.0


class Linear(Layer):
    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        return x @ self.W + self.b

    def penalty(self):
        return np.sum(self.W**2)


class ReLU(Layer):
    def forward(self, x):
        return np.maximum(x, 0.0)


class Tanh(Layer):
    def forward(self, x):
        self.output = np.tanh(x)
        return self.output


class Sequential(Layer):
    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def penalty(self):
        return sum(layer.penalty() for layer in self.layers)


def network_of_layers(W1, b1, W2, b2, W3, b3, X, y):
    """A network is put together in the function that is differentiated."""
    model = Sequential(Linear(W1, b1), ReLU(), Linear(W2, b2), Tanh(), Linear(W3, b3))
    errors = model(X)[:, 0] - y
    return np.mean(errors**2) + 0.01 * model.penalty()


def network_given(model: Sequential, X, y):
    """A network is an argument; its weights have gradients."""
    return np.mean((model(X)[:, 0] - y) ** 2) + 0.01 * model.penalty()


class LogisticRegression:
    def __init__(self, W, b, strength=0.1):
        self.W = W
        self.b = b
        self.strength = strength

    def decision(self, X):
        return X @ self.W + self.b

    @property
    def regularisation(self):
        return 0.5 * self.strength * np.sum(self.W**2)

    def fit_loss(self, X, y):
        z = self.decision(X)
        return np.mean(np.log(1 + np.exp(-np.abs(z))) + np.maximum(z, 0) - y * z) + self.regularisation


class SelfAttention:
    """The number of heads is an attribute."""

    def __init__(self, Wq, Wk, Wv, Wo, heads):
        self.Wq, self.Wk, self.Wv, self.Wo = Wq, Wk, Wv, Wo
        self.heads = heads

    def split(self, x):
        t, d = x.shape
        return x.reshape(t, self.heads, d // self.heads)

    def __call__(self, x):
        q, k, v = (self.split(x @ W) for W in (self.Wq, self.Wk, self.Wv))
        q, k, v = (part.transpose(1, 0, 2) for part in (q, k, v))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
        weights = weights / np.sum(weights, axis=-1, keepdims=True)
        return (weights @ v).transpose(1, 0, 2).reshape(x.shape) @ self.Wo


def attention_in_a_class(Wq, Wk, Wv, Wo, x, target):
    attend = SelfAttention(Wq, Wk, Wv, Wo, heads=2)
    return np.sum((x + attend(x) - target) ** 2)


class Dual:
    """A number with its derivative: forward mode by operators, itself differentiated."""

    def __init__(self, value, slope=0.0):
        self.value = value
        self.slope = slope

    def __add__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    __radd__ = __add__

    def __mul__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    __rmul__ = __mul__

    def __neg__(self):
        return Dual(-self.value, -self.slope)

    def __sub__(self, other):
        return self + -other

    def sin(self):
        return Dual(math.sin(self.value), math.cos(self.value) * self.slope)


def slope_of_a_dual(x, a, b):
    """The derivative of a derivative."""
    u = Dual(x, 1.0)
    y = a * u * u - b * u + (u * 3.0).sin() + 1.0
    return y.value * y.slope


@dataclass(frozen=True)
class Vec:
    x: float
    y: float

    def __add__(self, other):
        return Vec(self.x + other.x, self.y + other.y)

    def __sub__(self, other):
        return Vec(self.x - other.x, self.y - other.y)

    def __mul__(self, factor):
        return Vec(self.x * factor, self.y * factor)

    __rmul__ = __mul__

    def dot(self, other):
        return self.x * other.x + self.y * other.y

    @property
    def norm(self):
        return math.sqrt(self.dot(self))


def orbit(position: Vec, velocity: Vec, mass, steps: int = 5):
    """Energy and angular momentum of a planet after some steps, its place a small class with operators."""
    dt = 0.1
    for _ in range(steps):
        r = position.norm
        velocity = velocity - (dt * mass / r**3) * position
        position = position + dt * velocity
    energy = 0.5 * velocity.dot(velocity) - mass / position.norm
    return energy + (position.x * velocity.y - position.y * velocity.x)


class Kernel:
    def __add__(self, other):
        return SumOfKernels(self, other)

    def __mul__(self, other):
        return ProductOfKernels(self, other)


class SquaredExponential(Kernel):
    def __init__(self, variance, length):
        self.variance = variance
        self.length = length

    def __call__(self, x, y):
        return self.variance * np.exp(-0.5 * ((x[:, None] - y[None, :]) / self.length) ** 2)


class Periodic(Kernel):
    def __init__(self, period, length):
        self.period = period
        self.length = length

    def __call__(self, x, y):
        return np.exp(-2 * (np.sin(np.pi * (x[:, None] - y[None, :]) / self.period) / self.length) ** 2)


class SumOfKernels(Kernel):
    def __init__(self, left, right):
        self.left, self.right = left, right

    def __call__(self, x, y):
        return self.left(x, y) + self.right(x, y)


class ProductOfKernels(SumOfKernels):
    def __call__(self, x, y):
        return self.left(x, y) * self.right(x, y)


def gaussian_process(x, y, variance, length, period, noise):
    """The marginal likelihood for a kernel that is put together by operators."""
    kernel = SquaredExponential(variance, length) * Periodic(period, 1.0) + SquaredExponential(0.5, 2.0)
    K = kernel(x, x) + noise**2 * np.eye(len(x))
    L = np.zeros_like(K)
    z = y.copy()
    for i in range(len(x)):
        for j in range(i):
            L[i, j] = (K[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
        L[i, i] = np.sqrt(K[i, i] - np.sum(L[i, :i] ** 2))
        z[i] = (y[i] - L[i, :i] @ z[:i]) / L[i, i]
    return 0.5 * z @ z + np.sum(np.log(np.diagonal(L)))


class Pendulum:
    """A system whose state is changed by its own method."""

    gravity = 9.81

    def __init__(self, angle, speed, length):
        self.angle = angle
        self.speed = speed
        self.length = length
        self.trace = []

    @classmethod
    def at_rest(cls, angle, length):
        return cls(angle, 0.0, length)

    @staticmethod
    def restoring(angle):
        return -np.sin(angle)

    def step(self, dt):
        self.speed += dt * self.gravity / self.length * self.restoring(self.angle)
        self.angle += dt * self.speed
        self.trace.append(self.angle)

    @property
    def energy(self):
        return 0.5 * (self.length * self.speed) ** 2 + self.gravity * self.length * (1 - np.cos(self.angle))


def swing(angle, length, dt, steps: int = 4):
    pendulum = Pendulum.at_rest(angle, length)
    for _ in range(steps):
        pendulum.step(dt)
    return pendulum.energy + sum(a * a for a in pendulum.trace)


class Momentum:
    """An optimiser with a state for each parameter."""

    def __init__(self, rate, decay):
        self.rate = rate
        self.decay = decay
        self.velocity = {}

    def update(self, params, grads):
        for name in params:
            before = self.velocity.get(name, 0.0)
            self.velocity[name] = self.decay * before - self.rate * grads[name]
            params[name] = params[name] + self.velocity[name]


def trained_by_momentum(w, b, X, y, rate, decay):
    """The loss after three steps, for what the optimiser is told and where it starts."""
    params = {"w": w, "b": b}
    optimiser = Momentum(rate, decay)
    for _ in range(3):
        error = X @ params["w"] + params["b"] - y
        optimiser.update(params, {"w": X.T @ error / len(y), "b": np.mean(error)})
    return np.mean((X @ params["w"] + params["b"] - y) ** 2)


@dataclass
class Account:
    balance: float
    rate: float
    history: list = field(default_factory=list)

    def accrue(self, payment):
        self.balance = self.balance * (1 + self.rate) + payment
        self.history.append(self.balance)
        return self


class Taxed(Account):
    def accrue(self, payment):
        before = self.balance
        super().accrue(payment)
        gain = self.balance - before - payment
        if gain > 0:
            self.balance -= 0.25 * gain
        return self


def savings(start, rate, payments):
    account, taxed = Account(start, rate), Taxed(start, rate)
    for payment in payments:
        account.accrue(payment)
        taxed.accrue(payment)
    return taxed.balance - 0.1 * sum(account.history) / len(account.history)


class Polynomial:
    def __init__(self, coefficients):
        self.coefficients = coefficients

    def __call__(self, x):
        total = 0.0
        for c in reversed(self.coefficients):
            total = total * x + c
        return total

    def derivative(self):
        return Polynomial([k * c for k, c in enumerate(self.coefficients)][1:])

    def __mul__(self, other):
        product = [0.0] * (len(self.coefficients) + len(other.coefficients) - 1)
        for i, a in enumerate(self.coefficients):
            for j, b in enumerate(other.coefficients):
                product[i + j] += a * b
        return Polynomial(product)


def newton_step_of_a_product(p, q, x):
    product = Polynomial(p) * Polynomial(q)
    return x - product(x) / product.derivative()(x)


def network_objects(normal, n):
    return Sequential(Linear(normal(2, 3), normal(3)), ReLU(), Linear(normal(3, 1), normal(1)))


PROGRAMS = {
    network_of_layers: lambda normal, n: (
        normal(2, 3), normal(3), normal(3, 3), normal(3), normal(3, 1), normal(1), normal(n, 2), normal(n)
    ),
    network_given: lambda normal, n: (network_objects(normal, n), normal(n, 2), normal(n)),
    LogisticRegression.fit_loss: lambda normal, n: (
        LogisticRegression(normal(3), 0.2), normal(n, 3), (normal(n) > 0).astype(float)
    ),
    attention_in_a_class: lambda normal, n: (*[normal(4, 4) for _ in range(4)], normal(n, 4), normal(n, 4)),
    slope_of_a_dual: lambda normal, n: (0.7, 1.3, 0.4),
    orbit: lambda normal, n: (Vec(1.0, 0.1), Vec(-0.1, 0.9), 1.1, n),
    gaussian_process: lambda normal, n: (normal(n + 1), normal(n + 1), 1.3, 0.8, 2.0, 0.5),
    swing: lambda normal, n: (0.6, 1.2, 0.05, n),
    trained_by_momentum: lambda normal, n: (normal(2), 0.3, normal(n + 1, 2), normal(n + 1), 0.1, 0.9),
    savings: lambda normal, n: (100.0, 0.03, [10.0, 20.0, 5.0][:n]),
    newton_step_of_a_product: lambda normal, n: ([1.0, -0.5, 2.0][:n], [0.3, 1.5], 0.9),
}  # fmt: skip
