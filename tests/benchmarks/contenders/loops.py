"""The functions with loops that loops.py times, in NumPy and in plain Python, as flatgrad and tangent read them.

In: nothing. Out: `LOOPS`, over Python floats for every contender, and programs of any number of turns.
"""

import numpy as np
from contenders.programs import Program


def oscillator(x, v, stiffness, damping):
    """Energy of a damped oscillator after a hundred steps of Euler and Cromer."""
    for _ in range(100):
        v = v - 0.05 * (stiffness * x + damping * v)
        x = x + 0.05 * v
    return 0.5 * (v * v + stiffness * x * x)


def logistic_map(r, x):
    """A hundred turns of the logistic map."""
    for _ in range(100):
        x = r * x * (1.0 - x)
    return x


def rnn(xs, h0, Wxh, Whh, b):
    """A recurrent layer, its states squared."""
    h = h0
    loss = 0.0
    for t in range(len(xs)):
        h = np.tanh(Wxh @ xs[t] + Whh @ h + b)
        loss += np.sum(h**2)
    return loss


def total(x):
    """A sum, element by element."""
    result = 0.0
    for i in range(len(x)):
        result += x[i] * x[i]
    return result


LOOPS = {
    program.name: program
    for program in (
        Program("oscillator", oscillator, ("x", "v", "stiffness", "damping"), (1.0, 0.2, 1.5, 0.1), target="math"),
        Program("logistic_map", logistic_map, ("r", "x"), (3.2, 0.3), target="math"),
    )
}
HIDDEN = 32


def rnn_of(turns):
    """Return the recurrent layer with a sequence of this many turns."""
    normal = np.random.default_rng(0).normal
    weights = [0.2 * normal(size=(HIDDEN, HIDDEN)) for _ in range(2)]
    arguments = (normal(size=(turns, HIDDEN)), normal(size=HIDDEN), *weights, normal(size=HIDDEN))
    return Program("rnn", rnn, ("h0", "Wxh", "Whh", "b"), arguments)


def total_of(count):
    """Return the sum with this many elements."""
    return Program("total", total, ("x",), (np.random.default_rng(0).normal(size=count),))
