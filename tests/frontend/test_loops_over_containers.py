"""Loops whose turns change containers: read turn by turn where what is changed asks for it."""

from __future__ import annotations

import numpy as np
import pytest

X = np.array([0.3, -1.2, 0.7])
W = np.array([[0.1, 0.2, 0.3], [0.4, -0.5, 0.6], [0.7, 0.8, -0.9]])

# a text with a function f, and its arguments
PROGRAMS = {
    "keys that count": (
        """
        def f(x, W):
            hs = {}
            hs[-1] = np.copy(x)
            xs = [x, x**2, x * 2]
            for t in range(len(xs)):
                hs[t] = np.tanh(W @ hs[t - 1] + xs[t])
            loss = 0.0
            for t in reversed(range(len(xs))):
                loss += np.sum(hs[t])
            return loss
        """,
        (X, W),
    ),
    "keys up to a size": (
        """
        def f(x, W):
            hs = {}
            hs[-1] = np.zeros(3)
            for t in range(len(x)):
                hs[t] = np.tanh(W @ hs[t - 1] + x[t])
            return np.sum(hs[len(x) - 1])
        """,
        (X, W),
    ),
    "hidden states by their step": (
        """
        def f(inputs, Wxh, Whh, Why):
            xs, hs, ys, ps = {}, {}, {}, {}
            hs[-1] = np.copy(np.zeros(3))
            loss = 0
            targets = [1, 2, 0, 1]
            for t in range(len(targets)):
                xs[t] = np.zeros((3, 1))
                xs[t] = np.reshape(inputs[t], (3, 1))
                hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, np.reshape(hs[t - 1], (3, 1))))
                ys[t] = np.dot(Why, hs[t])
                ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
                loss += -np.log(ps[t][targets[t], 0])
            return loss
        """,
        (np.arange(12.0).reshape(4, 3) / 10, W, 0.5 * W, W.T),
    ),
    "back through the steps": (
        """
        def f(inputs, Wxh, Whh):
            hs = {}
            hs[-1] = np.copy(Wxh[0])
            loss = 0
            for t in range(inputs.shape[0]):
                hs[t] = np.tanh(np.dot(Wxh, inputs[t]) + np.dot(Whh, hs[t - 1]))
                loss += np.sum(hs[t])
            for t in reversed(range(len(inputs))):
                loss += np.sum(hs[t] * hs[t - 1])
            return loss
        """,
        (np.arange(12.0).reshape(4, 3) / 10, W, 0.5 * W),
    ),
    "an int parameter": (
        """
        def f(x, n):
            hs = [x]
            for t in range(n):
                hs.append(hs[-1] * x)
            return np.sum(hs[n])
        """,
        (X, 3),
    ),
    "a dict carried by a loop": (
        """
        def f(x, W, n):
            st = {"h": x, "c": x * 0.5}
            tot = 0.0
            for k in range(n):
                st["h"] = np.tanh(W @ st["h"] + st["c"])
                st["c"] = st["c"] * 0.9
                tot = tot + np.sum(st["h"])
            return tot + np.sum(st["c"])
        """,
        (X, W, 200),
    ),
    "while there are items": (
        """
        def f(x, W):
            xs = [x, x * 2]
            s = 0.0
            for i in range(len(xs)):
                for j in range(i, len(xs)):
                    s = s + np.sum(xs[i] * xs[j])
            while len(xs) > 1:
                v = xs.pop()
                s = s + np.sum(v)
            return s
        """,
        (X, W),
    ),
    "a stack": (
        """
        def f(x):
            stack = [x]
            n = 0
            while stack:
                v = stack.pop()
                n += 1
                if n < 4:
                    stack.extend([v * 2])
            return np.sum(v)
        """,
        (X,),
    ),
    "rows by their number": (
        """
        def f(W):
            d = {}
            for i, r in enumerate(W):
                d[i] = r * r
            return sum(np.sum(v) * k for k, v in d.items())
        """,
        (W,),
    ),
    "halved until one is left": (
        """
        def f(x, W):
            level = [r * x for r in W] + [x]
            while len(level) > 1:
                level = [np.tanh(a + b) for a, b in zip(level[::2], level[1::2])]
            return np.sum(level[0])
        """,
        (X, W),
    ),
    "left on data": (
        """
        def f(x, s):
            q = [x, x * 2, x * 3]
            t = 0.0
            while q:
                v = q.pop(0)
                if s > 0.5:
                    t = t + np.sum(v)
                if len(q) == 1:
                    break
            else:
                t = t + 100
            return t * s
        """,
        (X, 0.7),
    ),
    "while True": (
        """
        def f(x):
            xs = []
            while True:
                xs.append(x * len(xs))
                if len(xs) == 4:
                    break
            return np.sum(np.stack(xs))
        """,
        (X,),
    ),
    "a dynamic programme": (
        """
        def f(x):
            n = 3
            D = [[0.0 for _ in range(n)] for _ in range(n)]
            for i in range(n):
                for j in range(n):
                    c = (x[i] - x[j] * 0.5) ** 2
                    if i == 0 and j == 0:
                        D[i][j] = c
                    elif i == 0:
                        D[i][j] = c + D[i][j - 1]
                    elif j == 0:
                        D[i][j] = c + D[i - 1][j]
                    else:
                        D[i][j] = c + min(D[i - 1][j], D[i][j - 1], D[i - 1][j - 1])
            return D[n - 1][n - 1]
        """,
        (X,),
    ),
    "a recurrent cell": (
        """
        def gru(p, h, x):
            z = 1 / (1 + np.exp(-(p["Wz"] @ x + p["Uz"] @ h)))
            c = np.tanh(p["Wz"] @ x + p["Uz"] @ (h * z))
            return (1 - z) * h + z * c


        def f(X, Wz, Uz):
            params = {"Wz": Wz, "Uz": Uz}
            hs = [np.zeros(3)]
            for x in X:
                hs.append(gru(params, hs[-1], x))
            return sum(np.sum(h**2) for h in hs[1:])
        """,
        (2 * W, W, W.T),
    ),
    "stacked states": (
        """
        def f(X, Wz):
            hs = []
            h = np.zeros(3)
            for x in X:
                h = np.tanh(Wz @ h + x)
                hs.append(h)
            H = np.stack(hs)
            return np.sum(H**2)
        """,
        (2 * W, W),
    ),
    "a list of pairs": (
        """
        def f(X, Wz):
            cache = []
            h = np.zeros(3)
            for x in X:
                h = np.tanh(Wz @ h + x)
                cache.append((h, x))
            return sum(np.sum(a * b) for a, b in cache)
        """,
        (2 * W, W),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_loops_change_containers(is_differentiated, name):
    """Keys and items that count with the turns are those of each turn."""
    is_differentiated(*PROGRAMS[name])
