"""Comprehensions, generators and iterators: their scopes, when they are read, and how often."""

from __future__ import annotations

import numpy as np
import pytest

X = np.array([0.3, -1.2, 0.7])
W = np.array([[0.1, 0.2, 0.3], [0.4, -0.5, 0.6], [0.7, 0.8, -0.9]])

# a text with a function f, and its arguments
PROGRAMS = {
    "comprehensions of each kind": (
        """
        def f(x, W):
            rows = [np.sum(r * x) for r in W if len(r) > 2]
            d = {k: v for k, v in zip("abc", rows)}
            s = {i % 2 for i in range(4)}
            return sum(d[k] ** 2 for k in d) + sum(a * b for a, b in itertools.product(rows, rows)) + len(s)
        """,
        (X, W),
    ),
    "map, reduce and others": (
        """
        def f(x, W):
            hs = list(map(lambda r: np.tanh(r @ x), W))
            a = functools.reduce(lambda p, q: p * q, hs)
            b = functools.reduce(operator.add, hs)
            m = max(hs)
            c = sum(h for h in filter(lambda h: True, hs))
            cols = list(zip(*[hs, hs]))
            acc = list(itertools.accumulate(hs))
            e = sum(p * q for p, q in itertools.pairwise(hs))
            return a + b + m + c + cols[1][0] + acc[-1] * acc[1] + e
        """,
        (X, W),
    ),
    "bound late": (
        """
        def f(x):
            k = 2.0
            fs = [lambda v: v * k * j for j in range(3)]
            k = 3.0
            g = (v * k for v in [x, x * x])
            k = 5.0
            return np.sum(fs[0](x)) + sum(np.sum(v) for v in g)
        """,
        (X,),
    ),
    "iter and next": (
        """
        def f(x):
            it = iter([x, x**2, x**3])
            a = next(it)
            b = next(it)
            rest = list(it)
            none = next(it, None)
            return (
                np.sum(a * b)
                + np.sum(rest[0])
                + (0 if none is None else 100)
                + next(v for v in rest if v is not None)[0]
            )
        """,
        (X,),
    ),
    "generators as arguments": (
        """
        def f(x, W):
            return (
                sum(np.sum(r * x) for r in W)
                + max(v for v in x)
                + sum((i * v for i, v in enumerate(x)), 2.0)
                + np.sum(np.array(list(v * v for v in x)))
            )
        """,
        (X, W),
    ),
    "all and any": (
        """
        def f(x):
            if all(v > -5 for v in x) and not any(v > 100 for v in x):
                return np.sum(x**2)
            return np.sum(x)
        """,
        (X,),
    ),
    "a walrus": (
        """
        def f(x):
            ys = [y * 2 for v in x if (y := v * v) is not None]
            return sum(ys) + y
        """,
        (X,),
    ),
    "a scope of its own": (
        """
        def f(x):
            k = 7.0
            ys = [k * v for k, v in enumerate(x)]
            return sum(ys) * k
        """,
        (X,),
    ),
    "operator": (
        """
        def f(x):
            a = operator.mul(x, 2.0)
            ds = [{"w": x * 2, "o": 2}, {"w": x, "o": 1}]
            ds = sorted(ds, key=operator.itemgetter("o"))
            return (
                np.sum(a)
                + np.sum(ds[0]["w"] * x)
                + np.sum(functools.reduce(operator.mul, [x, x, x]))
                + np.sum(functools.reduce(lambda a, b: a + b, (d["w"] for d in ds), x))
            )
        """,
        (X,),
    ),
    "split heads": (
        """
        def f(x, W):
            heads = np.split(x, 3)
            outs = [np.tanh(h) * k for k, h in enumerate(heads)]
            out = np.hstack(list(map(lambda h: h**2, outs)))
            return np.sum(out @ W)
        """,
        (X, W),
    ),
    "sums of truths": (
        """
        def f(x):
            return np.sum(sum([x > 0, x > -2, x > -3]) * x) + sum([x])[0] + sum([])
        """,
        (X,),
    ),
    "blocks of dicts": (
        """
        def f(x, W):
            blocks = [{"attn": {"q": W, "k": W * 0.5}, "mlp": {"w": W.T}} for _ in range(2)]

            def attn(h, q, k):
                a = (h @ q) @ (h @ k).T
                return a @ h

            def mlp(h, w):
                return np.tanh(h @ w)

            def block(h, attn_p, mlp_p):
                return mlp(attn(h, **attn_p), **mlp_p)

            h = np.stack([x, x * 2, x + 1])
            for b in blocks:
                h = h + block(h, b["attn"], b["mlp"])
            heads = [np.tanh(p) for p in np.split(h, 3, axis=-1)]
            return np.sum(np.hstack(list(map(lambda t: t * 2, heads))))
        """,
        (X, W),
    ),
    "dict comprehensions": (
        """
        def f(x, W):
            params = {f"w{i}": W[i] for i in range(3)}
            grads = {k: np.tanh(v) for k, v in params.items() if k != "w1"}
            return sum(np.sum(a * b) for a, b in zip(params.values(), grads.values()))
        """,
        (X, W),
    ),
    "a zip is gone through once": (
        """
        def f(x, W):
            z = zip(x, W)
            tot = 0.0
            for a, r in z:
                tot = tot + a * np.sum(r)
            for a, r in z:
                tot = tot + 1000
            e = enumerate(W)
            for i, r in e:
                tot = tot + i * np.sum(r)
            return tot
        """,
        (X, W),
    ),
    "partial": (
        """
        def f(x, W):
            lin = functools.partial(lambda h, p, s: p["W"] @ h * s, p={"W": W})
            return np.sum(lin(x, s=2.0)) + sum(
                np.sum(v) for v in map(functools.partial(lin, s=3.0), [x, x * 2])
            )
        """,
        (X, W),
    ),
    "a function that gives a generator": (
        """
        def pairs(xs):
            return ((a, b) for a, b in zip(xs, xs[1:]))


        def f(x):
            return sum(np.sum(a * b) for a, b in pairs([x, x * 2, x * 3]))
        """,
        (X,),
    ),
    "min and max": (
        """
        def f(x):
            xs = [x[0], x[1], x[2]]
            a = max(xs)
            b = min(*xs)
            c = max(xs, key=lambda v: 1)
            names = {"bb": x, "a": x * 2}
            d = max(names, key=len)
            e = sorted(names.values(), key=lambda v: 0)[0]
            return a * b + c + np.sum(names[d]) + np.sum(e)
        """,
        (X,),
    ),
    "a generator sees what the loop changes": (
        """
        def f(x):
            k = 2.0
            t = 0.0
            for v in (u * k for u in [x, x * x, x * 3]):
                k = k + 1.0
                t = t + np.sum(v)
            return t
        """,
        (X,),
    ),
    "map sees what the loop changes": (
        """
        def f(x):
            k = 2.0
            t = 0.0
            m = map(lambda u: u * k, [x, x * x, x * 3])
            for v in m:
                k = k * 2
                t = t + np.sum(v)
            for v in m:
                t = t + 100.0
            return t
        """,
        (X,),
    ),
    "zip of a generator": (
        """
        def f(x):
            k = 2.0
            g = (u * k for u in [x, x * x, x * 3])
            t = 0.0
            for i, (a, b) in enumerate(zip(g, [1.0, 2.0])):
                k = k + i + 1
                t = t + np.sum(a) * b
            return t
        """,
        (X,),
    ),
    "a generator that reads what it has given": (
        """
        def f(x):
            acc = [x]
            for v in (acc[-1] * u for u in (1.0, 2.0, 3.0)):
                acc.append(v)
            return np.sum(acc[-1]) + len(acc)
        """,
        (X,),
    ),
    "left on data": (
        """
        def f(x, s):
            t = 0.0
            k = 1.0
            for v in (u * k for u in [x, x * x, x * 3]):
                t = t + np.sum(v) * s
                k = k + 1
                if t > 0.1:
                    break
            return t * k
        """,
        (X, 0.4),
    ),
    "pairs of one iterator": (
        """
        def f(x):
            it = iter([x, x * 2, x * 3, x * 4])
            return sum(np.sum(a * b) for a, b in zip(it, it))
        """,
        (X,),
    ),
    "generators in comprehensions": (
        """
        def f(x, W):
            return sum([sum(a * b for a, b in zip(r, x)) for r in W if any(v != 0 for v in [1, 0])])
        """,
        (X, W),
    ),
    "a generator of a generator": (
        """
        def f(x):
            g = (a * 2 for a in [x, x * x])
            h = (b + 1 for b in g)
            return sum(np.sum(v) for v in h) + len(list(g))
        """,
        (X,),
    ),
    "without an end": (
        """
        def f(x):
            return sum(np.sum(v) for v in itertools.islice((x * k for k in itertools.count()), 2, 5)) + sum(
                a * b for a, b in zip(x, itertools.count(1))
            )
        """,
        (X,),
    ),
    "a walrus that adds up": (
        """
        def f(x):
            total = 0.0
            partial = [total := total + v * v for v in x]
            return total * partial[1]
        """,
        (X,),
    ),
    "zip sees what the loop changes": (
        """
        def f(x):
            xs = [x, x * 2, x * 3]
            z = zip(xs, [1.0, 2.0, 3.0])
            xs[0] = x * 5
            t = 0.0
            for a, b in z:
                xs[2] = x * 11
                t = t + np.sum(a) * b
            return t
        """,
        (X,),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_iterators_give_what_they_give_in_python(is_differentiated, name):
    """What is gone through is read once, with the variables that it sees at that time."""
    is_differentiated(*PROGRAMS[name])
