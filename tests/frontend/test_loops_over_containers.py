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
    "items replaced on the way": (
        """
        def f(x):
            xs = [x, x * 2, x * 3]
            t = 0.0
            for i, v in enumerate(xs):
                t = t + np.sum(v) * (i + 1)
                if i + 1 < len(xs):
                    xs[i + 1] = xs[i + 1] * v
            for v in xs:
                xs[2] = x * 7
                t = t + np.sum(v)
            return t
        """,
        (X,),
    ),
    "values replaced on the way": (
        """
        def f(x):
            d = {"a": x, "b": x * 2}
            for k in d:
                d[k] = d[k] ** 2
            for k, v in d.items():
                d["b"] = x * 5
                d[k] = v * 2
            return np.sum(d["a"] * d["b"])
        """,
        (X,),
    ),
    "arrays that are items change in place": (
        """
        def f(x):
            xs = [np.zeros(3), np.ones(3)]
            for v in xs:
                v += x
            d = {"g": np.zeros(3)}
            g = d["g"]
            d["g"] += x * 2
            ys = [x * 1.0] * 2
            ys[0][1] = 5.0
            for k in d:
                d[k] -= 0.5 * x
            return np.sum(xs[0] * xs[1]) + np.sum(g**2) + np.sum(ys[1] ** 2)
        """,
        (X,),
    ),
    "a step of an optimiser": (
        """
        def f(x, W):
            params = {"W": W.copy(), "b": x.copy()}
            grads = {k: np.tanh(v) for k, v in params.items()}
            for k in params:
                params[k] -= 0.1 * grads[k]
            mem = {k: np.zeros_like(v) for k, v in params.items()}
            for p, g, m in zip([params["W"], params["b"]], [grads["W"], grads["b"]], [mem["W"], mem["b"]]):
                m += g * g
                p += -0.1 * g / np.sqrt(m + 1e-8)
            return np.sum(params["W"] @ params["b"])
        """,
        (X, W),
    ),
    "copies of a dict on the way": (
        """
        def f(x, s):
            acc = {"n": 0, "v": s}
            hist = []
            for k in range(3):
                acc["v"] = acc["v"] * x[k]
                acc["n"] += 1
                hist.append(dict(acc))
            return hist[0]["v"] + hist[-1]["v"] * acc["n"]
        """,
        (X, 0.4),
    ),
    "rows that are one list": (
        """
        def f(x):
            grid = [[x[0]] * 2] * 2
            grid[0][1] = x[1]
            return grid[1][1] * grid[0][0] + sum(sum(r) for r in grid)
        """,
        (X,),
    ),
    "one of two dicts": (
        """
        def f(x, s):
            a = {"w": x}
            b = {"w": x * 2}
            c = a if s > 0 else b
            return np.sum(c["w"])
        """,
        (X, 0.3),
    ),
    "results row by row": (
        """
        def f(X, W):
            outs = []
            for i in range(X.shape[0]):
                h = X[i]
                for j in range(2):
                    h = np.tanh(W @ h)
                outs.append(h)
            return np.sum(np.array(outs)) + np.sum(outs[0]) + np.sum(outs[-1])
        """,
        (2 * W, W),
    ),
    "a cell of two states": (
        """
        def lstm_step(params, h, c, x):
            z = np.concatenate([h, x])
            i = 1 / (1 + np.exp(-(params["Wi"] @ z + params["bi"])))
            g = np.tanh(params["Wg"] @ z + params["bg"])
            c = c * (1 - i) + i * g
            return i * np.tanh(c), c


        def f(X, Wi, Wg, b):
            params = {"Wi": np.hstack([Wi, Wi]), "Wg": np.hstack([Wg, Wi]), "bi": b, "bg": b * 2}
            h, c = np.zeros(3), np.zeros(3)
            hs = []
            for x in X:
                h, c = lstm_step(params, h, c, x)
                hs.append(h)
            return np.mean(np.stack(hs) ** 2)
        """,
        (2 * W, W, W.T, X),
    ),
    "a list of layers": (
        """
        def f(x, W):
            layers = [{"W": W, "b": x * 0.1, "act": "tanh"}, {"W": W.T, "b": x, "act": "relu"}]
            acts = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}
            h = x
            for i, layer in enumerate(layers):
                h = h + acts[layer["act"]](layer["W"] @ h + layer["b"])
            for W_, b_ in [(l["W"], l["b"]) for l in reversed(layers)]:
                h = W_ @ h - b_
            return np.sum(h)
        """,
        (X, W),
    ),
    "keys that are text with the counter": (
        """
        class Net:
            def __init__(self, W1, W2):
                self.W1 = W1
                self.W2 = W2


        def layer(p, key, x):
            return np.tanh(p[key] @ x)


        def f(x, W):
            p = {"W1": W, "W2": 2 * W, "b2": x}
            net = Net(W, W**2)
            h = x
            for k in range(1, len([key for key in p if key.startswith("W")]) + 1):
                h = layer(p, f"W{k}", h) @ getattr(net, "W" + str(k))
                if "b%d" % k in p:
                    h = h + p["b{}".format(k)]
            return np.sum(h)
        """,
        (X, W),
    ),
    "text with the counter that decides": (
        """
        def f(x, W):
            total = 0.0
            for k in range(3):
                name = f"W{k}"
                if name in ["W1", "W2"]:
                    total = total + x[k]
                if name == "W" + str(2):
                    total = total * x[0]
                for kind in ("a", "b{}".format(k)):
                    if kind.endswith("1") or (len(kind) > 1 and kind[1] == "0"):
                        total = total + np.sum(W[k])
                match "c%d" % k:
                    case "c1":
                        total = total * 3.0
                if k in (0, 2) and not name[:0]:
                    total = total + 5 * x[k]
            return total
        """,
        (X, W),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_loops_change_containers(is_differentiated, name):
    """Keys and items that count with the turns are those of each turn."""
    is_differentiated(*PROGRAMS[name])


def test_what_turns_change_is_called_after_its_keys(is_differentiated):
    """A reader of the emitted code sees which part of a dict, an object or a tuple a variable is."""
    text = """
    def f(x, W):
        state = {"h": x, "size": 0.0}
        pair = (x, 1.0)
        for t in range(4):
            state["h"] = np.tanh(W @ state["h"])
            state["size"] += np.sum(state["h"] ** 2)
            pair = (pair[0] * 2, pair[1] + np.sum(pair[0]))
        return state["size"] + np.sum(state["h"]) + pair[1]
    """
    written = is_differentiated(text, (X, W))
    assert "state_h = np.tanh(" in written and "state_size += " in written
    assert "pair_1 += " in written or "pair_1 = " in written
    assert "state_0" not in written
