"""One neuron, gate by gate: the gradient of its output with respect to weights and inputs."""

from flatgrad import flatgrad, value_and_grad
from flatgrad.nn import sigmoid


@flatgrad(target="math")
def neuron(w0: float, x0: float, w1: float, x1: float, w2: float):
    s0 = w0 * x0
    s1 = w1 * x1
    s2 = s0 + s1
    s3 = s2 + w2
    L = sigmoid(s3)
    return L


if __name__ == "__main__":
    L, grads = value_and_grad(neuron)(2.0, -1.0, -3.0, -2.0, -3.0)
    print(f"L = {L:.4f}")
    for name, gradient in zip(grads._fields, grads, strict=True):
        print(f"grad_{name} = {gradient:.4f}")
