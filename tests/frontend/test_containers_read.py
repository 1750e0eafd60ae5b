"""Lists, dicts, tuples and sets of the program: the gradient is that of what Python makes of them."""

from __future__ import annotations

import numpy as np
import pytest

X = np.array([0.3, -1.2, 0.7])
W = np.array([[0.1, 0.2, 0.3], [0.4, -0.5, 0.6], [0.7, 0.8, -0.9]])

# a text with a function f, and its arguments
PROGRAMS = {
    "append": (
        """
        def f(x, W):
            hs = [x]
            for k in range(3):
                hs.append(np.tanh(W @ hs[-1]))
            return np.sum(np.stack(hs) ** 2)
        """,
        (X, W),
    ),
    "sorted items": (
        """
        def f(x, W):
            p = {"W": W, "b": x}
            p["c"] = p["W"] @ p["b"]
            total = 0.0
            for k, v in sorted(p.items()):
                total = total + np.sum(v**2) * len(k)
            return total
        """,
        (X, W),
    ),
    "aliases": (
        """
        def f(x):
            a = [x]
            b = a
            b.append(x**2)
            c = [[]] * 2
            c[0].append(x * 3)
            return np.sum(a[1]) + np.sum(c[1][0]) + len(a)
        """,
        (X,),
    ),
    "starred everywhere": (
        """
        def g(a, *rest, scale=2.0, **kw):
            return a * scale + sum(rest) + kw["z"] * kw.get("q", 3.0) + len(kw)


        def f(x, s):
            xs = [s, s**2, 3.0]
            first, *others, last = xs
            opts = {"scale": s, "z": last}
            return g(*xs, **opts) + np.sum(x) * first + len(others)
        """,
        (X, 0.7),
    ),
    "nested lists of numbers": (
        """
        def f(a, b):
            R = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
            return np.sum(R @ np.array([a, b]))
        """,
        (0.3, 1.2),
    ),
    "conditions and del": (
        """
        def f(x, W):
            p = {"W": W}
            y = p["W"] @ x
            if "b" in p:
                y = y + p["b"]
            if p.get("c") is not None:
                y = y * p["c"]
            hs = []
            if not hs:
                hs.append(y)
            if hs:
                hs += [y * 2]
            del p["W"]
            return np.sum(hs[0] * hs[1]) + len(p)
        """,
        (X, W),
    ),
    "methods": (
        """
        def f(x):
            xs = [3, 1, 2]
            xs.sort(reverse=True)
            xs.reverse()
            xs.insert(0, 7)
            xs.remove(3)
            d = {"b": x, "a": x * 2}
            d2 = dict(d, c=x)
            d2.update(e=x**2)
            d3 = d | {"z": x}
            u = d2.pop("c")
            d.setdefault("l", []).append(x * 7)
            z = d2.setdefault("q", x * 5)
            ks = sorted(d2, key=lambda k: -ord(k))
            best = max(d.items(), key=lambda kv: kv[0])
            items = d2.items()
            d2["last"] = x
            return (
                sum(np.sum(v) for _, v in items) * xs[0]
                + np.sum(u * z)
                + len(ks)
                + np.sum(best[1][0])
                + len(d3)
            )
        """,
        (X,),
    ),
    "copies": (
        """
        def f(x):
            a = {"p": [x, x]}
            b = copy.copy(a)
            c = copy.deepcopy(a)
            b["p"].append(x * 2)
            c["p"].append(x * 3)
            return sum(np.sum(v) for v in a["p"]) + sum(np.sum(v**2) for v in c["p"]) + len(a["p"])
        """,
        (X,),
    ),
    "slices": (
        """
        def f(x):
            xs = [x[0], x[1], x[2], 4.0]
            xs[1:3] = [x[0] * x[1], 2.0, 3.0]
            xs[0], xs[-1] = xs[-1], xs[0]
            r = xs[::-1]
            del xs[1]
            return r[0] * r[1] + sum(xs) + len([0.0] * 3)
        """,
        (X,),
    ),
    "a helper that appends": (
        """
        def push(xs, v):
            xs.append(v * 2)


        def f(x):
            xs = []
            push(xs, x)
            push(xs, x * x)
            return np.sum(np.concatenate(xs))
        """,
        (X,),
    ),
    "a list in a closure": (
        """
        def f(x):
            log = []

            def step(v):
                log.append(v)
                return v * 2

            y = step(step(x))
            return np.sum(y * log[1])
        """,
        (X,),
    ),
    "three levels of lists": (
        """
        def f(a, b):
            R = np.array([[[a, b], [b, 1.0]], [[a * b, 2.0], [0.5, b]]])
            return np.sum(R**2 * np.arange(8.0).reshape(2, 2, 2))
        """,
        (0.3, 1.2),
    ),
    "np functions of lists": (
        """
        def f(x, W):
            A = np.array([[w * k for w in x] for k in range(3)])
            B = np.stack([np.tanh(r @ x) for r in W])
            C = np.concatenate([r[:2] for r in W])
            D = np.vstack([x, x * 2])
            E = np.array([x, x**2])
            return (
                np.sum(A * W)
                + np.sum(B)
                + np.sum(C**2)
                + np.sum(D)
                + np.sum(E**3)
                + np.sum([x[0], x[1] * 2])
            )
        """,
        (X, W),
    ),
    "loops over containers": (
        """
        def f(x, W):
            params = [{"W": W, "b": x}, {"W": W * 2, "b": x * 2}]
            h = x
            for i, p in enumerate(params):
                h = np.tanh(p["W"] @ h + p["b"]) * (i + 1)
            for p, q in zip(params, params[::-1]):
                h = h + p["b"] * q["b"]
            for name, v in params[0].items():
                h = h + np.sum(v)
            for (a, b), c in zip([(1, x), (2, x * x)], "ab"):
                h = h + a * b
            return np.sum(h)
        """,
        (X, W),
    ),
    "a mutable default": (
        """
        def g(x, acc=[]):
            return x + len(acc)


        def f(x):
            return np.sum(g(x))
        """,
        (X,),
    ),
    "globals": (
        """
        CFG = {"lr": 0.5, "sizes": [1, 2], "W": np.array([1.0, 2.0, 3.0])}
        NAMES = ("a", "b")


        def f(x):
            t = x * CFG["lr"] + CFG["W"]
            for s in CFG["sizes"]:
                t = t * s
            for n in NAMES:
                t = t + len(n)
            return np.sum(t)
        """,
        (X,),
    ),
    "pairs as keys": (
        """
        def f(x):
            d = {}
            for i in range(2):
                for j in range(3):
                    d[i, j] = x[j] * (i + 1)
            return (
                sum(d[0, j] * d[1, 2 - j] for j in range(3)) + (1, 1).__len__()
                if False
                else sum(d[0, j] * d[1, 2 - j] for j in range(3))
            )
        """,
        (X,),
    ),
    "arithmetic with lists": (
        """
        def f(x):
            return np.sum(x * [1.0, 2.0, 3.0] + (1, 2, 3)) + np.sum(x**2 @ np.array([x, x]).T)
        """,
        (X,),
    ),
    "assigned on both sides": (
        """
        def f(x, s):
            d = {"a": x}
            if s > 0:
                d["a"] = x * 2
                y = [x, x]
            else:
                d["a"] = x * 3
                y = [x * s, x]
            return np.sum(d["a"]) + np.sum(y[0])
        """,
        (X, 0.5),
    ),
    "a branch that is known": (
        """
        def f(x, mode="b"):
            xs = []
            if mode == "b":
                xs.append(x)
            else:
                xs.append(1)
            return np.sum(xs[0])
        """,
        (X,),
    ),
    "a dict for a function": (
        """
        def f(x, W):
            p = dict(W=W, b=x)
            W_, b_ = p.values()
            q = {**p, "b": p["b"] * 2}

            def model(W, b):
                return np.sum(np.tanh(W @ b))

            return model(**q) + np.sum(b_) + np.sum(W_)
        """,
        (X, W),
    ),
    "a helper of a dict": (
        """
        def layer(p, h):
            z = p["W"] @ h + p["b"]
            return np.tanh(z)


        def f(x, W):
            ps = [{"W": W, "b": x}, {"W": W * 2, "b": x * 2}]
            h = x
            for p in ps:
                h = layer(p, h)
            return np.sum(h)
        """,
        (X, W),
    ),
    "a helper that returns containers": (
        """
        def roll(x, W, n):
            hs = []
            h = x
            for k in range(n):
                h = np.tanh(W @ h)
                hs.append(h)
            return hs, {"last": h}


        def f(x, W):
            hs, d = roll(x, W, 2)
            hs.append(d["last"])
            return np.sum(np.array(hs))
        """,
        (X, W),
    ),
    "keywords are a dict": (
        """
        def g(**kw):
            kw["extra"] = kw["a"] * 2
            return sum(np.sum(v) for v in kw.values())


        def f(x):
            return g(a=x, b=x * x)
        """,
        (X,),
    ),
    "sets": (
        """
        def f(x):
            s = {"a"} | {"b"}
            t = set(["a", "c"])
            return np.sum(x) * len(s & t) * len(s.union(t)) * len(sorted(s - t))
        """,
        (X,),
    ),
    "keys on both sides": (
        """
        def f(x, s):
            xs = [x]
            d = {"k": 1.0}
            if s > 0:
                d["k"] = s * 2
                d["m"] = 3.0
            else:
                d["k"] = s
                d["m"] = 4.0
            return np.sum(xs[0]) * d["k"] * d["m"]
        """,
        (X, 0.5),
    ),
    "a list carried by a loop": (
        """
        def f(x, W):
            hs = [x, x * 0.5]
            for row in W:
                new = []
                for h in hs:
                    new.append(np.tanh(h * row))
                hs = new
            return np.sum(hs[0] * hs[1])
        """,
        (X, W),
    ),
    "match": (
        """
        def f(x):
            layer = {"kind": "relu", "w": x}
            match layer:
                case {"kind": "tanh", "w": w}:
                    y = np.tanh(w)
                case {"kind": "relu", **rest}:
                    y = rest["w"] * 2
            match [1, 2, 3]:
                case [a, *b]:
                    y = y * a * len(b)
            return np.sum(y)
        """,
        (X,),
    ),
    "augmented items": (
        """
        def f(x, s):
            d = {"t": 0.0, "l": [s]}
            for k in range(3):
                d["t"] += s * k
            d["l"] += [s * s]
            m = d["l"]
            m *= 2
            d |= {"z": s}
            t = (1,)
            t += (2,)
            return d["t"] + sum(d["l"]) + d["z"] + np.sum(x) + sum(t)
        """,
        (X, 0.7),
    ),
    "groups": (
        """
        def f(x):
            groups = {}
            for name, v in [("a", x[0]), ("b", x[1]), ("a", x[2])]:
                groups.setdefault(name, []).append(v)
            tot = 0.0
            for name in sorted(groups):
                tot = tot + sum(groups[name]) ** 2
            return tot
        """,
        (X,),
    ),
    "a list that is chosen": (
        """
        def f(x, deep=True):
            layers = [x] + ([x * 2] if deep else [])
            layers = layers if len(layers) > 1 else []
            a, (b, c) = 1.0, (layers[0], layers[-1])
            return np.sum(b * c) * a
        """,
        (X,),
    ),
    "functions in containers": (
        """
        def f(x):
            acts = [np.tanh, lambda v: v * 2, np.exp]
            table = {"a": np.sin, "b": lambda v: v}
            h = x
            for a in acts:
                h = a(h)
            return np.sum(table["a"](h)) + np.sum(table["b"](h))
        """,
        (X,),
    ),
    "or a default": (
        """
        def g(x, hidden=None, opts=None):
            opts = opts or {"k": 2.0}
            hidden = hidden or []
            hidden.append(x)
            return sum(hidden) * opts["k"]


        def f(x):
            return np.sum(g(x)) + np.sum(g(x, [x], {"k": 3.0}))
        """,
        (X,),
    ),
    "views of a dict": (
        """
        def f(x):
            d = {"a": x, "b": x * 2}
            v = d.values()
            k = d.keys()
            d["c"] = x * 3
            ok = "c" in k and len(v) == 3 and list(k) == ["a", "b", "c"] and ("a" in d.keys())
            return sum(np.sum(u) for u in v) * (2.0 if ok else 1.0)
        """,
        (X,),
    ),
    "swaps": (
        """
        def f(x):
            d = {"a": x, "b": x * 2}
            d["a"], d["b"] = d["b"], d["a"]
            xs = [1.0, 2.0, 3.0]
            i = 0
            i, xs[i] = 1, 9.0
            return np.sum(d["a"] * d["b"] ** 2) * xs[1]
        """,
        (X,),
    ),
    "a table of lists": (
        """
        def f(x):
            T = [[0.0] * 3 for _ in range(2)]
            for i in range(2):
                for j in range(3):
                    T[i][j] = x[j] * (i + 1) + (T[i - 1][j] if i > 0 else 0.0)
            row = T[0]
            row[0] = x[0] * 7
            return np.sum(np.array(T) ** 2)
        """,
        (X,),
    ),
    "keywords with defaults": (
        """
        def layer(h, *, W, b=0.0, act=np.tanh):
            return act(W @ h + b)


        def f(x, W):
            cfg = dict(W=W, act=lambda v: v**2)
            h = layer(x, **cfg)
            h = layer(h, **{**cfg, "b": x})
            return np.sum(layer(h, W=W))
        """,
        (X, W),
    ),
    "a cache that is returned": (
        """
        def fwd(x, W):
            cache = {"x": x}
            y = W @ x
            cache["y"] = y
            return np.tanh(y), cache


        def f(x, W):
            out, cache = fwd(x, W)
            return np.sum(out * cache["y"]) + np.sum(cache["x"])
        """,
        (X, W),
    ),
    "whether there is nothing in it": (
        """
        def f(x, s):
            held = []
            if not held:
                held.append(x * s)
            empty = {}
            return np.sum(held[0]) * (not empty) + (not held) + (not empty.items()) * s + (not "text") * 3.0
        """,
        (X, 0.7),
    ),
    "an order by sizes": (
        """
        def f(x, W):
            p = {"b": x, "W": W, "c": x[:2]}
            largest = max(p, key=lambda k: p[k].size)
            total = np.sum(p[largest] ** 2)
            for place, key in enumerate(sorted(p, key=lambda k: (p[k].ndim, -len(p[k])))):
                total = total + place * np.sum(p[key])
            return total
        """,
        (X, W),
    ),
    "modules that are imported inside": (
        """
        def f(x):
            import copy
            from itertools import chain
            import functools as tools

            held = copy.deepcopy({"a": [x]})
            held["a"][0] = held["a"][0] * 2
            return sum(chain(x, held["a"][0])) + tools.reduce(lambda a, b: a * b, x)
        """,
        (X,),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_containers_are_what_they_are_in_python(is_differentiated, name):
    """Items are found where the program has put them, also under a second name of their container."""
    is_differentiated(*PROGRAMS[name])
