"""Functions that do more than compute: they log, warn, print, raise, enter contexts, import, and take the time.

`x` is an array of three floats in each of them. HEAD is the top of their file.
"""

HEAD = """
import contextlib
import logging
import sys
import threading
import time
import warnings
from time import perf_counter

import numpy as np
from numpy.linalg import LinAlgError

logger = logging.getLogger(__name__)
audit = logging.getLogger("audit.trail")
RATE = 0.5
LIMIT = 3
lock = threading.Lock()
generator = np.random.default_rng(5)


class TooLarge(ValueError):
    pass


@contextlib.contextmanager
def announced(word):
    print("enter", word)
    try:
        yield
    finally:
        print("leave", word)


class Timer:
    def __enter__(self):
        self.ticks = 7
        return self

    def __exit__(self, *reason):
        print("timed")
        return False

    def record(self, numbers):
        numbers[0] = 0.0


class Centred:
    def __init__(self, x):
        self.x = x

    def __enter__(self):
        self.mean = np.mean(self.x)
        self.x -= self.mean

    def __exit__(self, *reason):
        self.x += self.mean


STATE = {"scale": 1.0}


@contextlib.contextmanager
def scaled(by):
    before = STATE["scale"]
    STATE["scale"] = by
    try:
        yield
    finally:
        STATE["scale"] = before


ENTERED = []


def count():
    ENTERED.append(1)


class Counted:
    def __enter__(self):
        count()

    def __exit__(self, *reason):
        return False


class Steps:
    def __init__(self):
        self.seen = []
        self.depth = 0

    def __enter__(self):
        self.depth += 1
        self.seen.append(self.depth)
        words = {}
        words["depth"] = self.depth
        print(words)
        return self

    def __exit__(self, *reason):
        self.depth -= 1
        self.seen.pop()
        return False

"""

PROGRAMS = {
    "logging": """
    logging.warning("start")
    logger.warning("x is %s and %d", x[0], LIMIT)
    y = np.exp(x)
    audit.error("sum %.3f", np.sum(y), extra={"k": 1}) if False else None
    audit.error("sum %.3f", np.sum(y))
    local = logging.getLogger("here")
    local.warning(f"{RATE} of {x[1]:.2f}")
    return np.sum(y) * RATE
    """,
    "warnings": """
    warnings.warn("careful")
    y = x * x
    if np.any(y > 1):
        warnings.warn(f"large: {np.max(y):.1f}", RuntimeWarning, stacklevel=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("not heard")
        z = np.sin(y)
    return np.sum(z)
    """,
    "streams": """
    print("a", x[0], 1, None, True, sep="-", end="!\\n")
    print(f"{x[2]:8.3f}", file=sys.stderr, flush=True)
    sys.stdout.write("written\\n")
    sys.stdout.flush()
    return np.sum(x * x)
    """,
    "text": """
    p, w = 2, 8
    name = "loss"
    r = x[0] * x[1]
    print(f"{r:.{p}f}|{r:>{w}.{p}f}|{name!r}|{{}}|{p + 1}|{r!s:>{w + 10}}")
    print("%s: %.3f" % (name, r), "%d%%" % p, "%.1f" % r)
    print("{} {:.2f} {0!r}".format(r, r) if False else "{} {:.2f}".format(name, r), "{a}-{b:.1f}".format(a=p, b=r))
    print("im" "plicit " f"{r:.1f}" " text \\u00e9 \\"quoted\\" é" rf"\\d{p}")
    print("sum " + str(r) + "!", repr(p), str(x.shape[0]))
    print(f"{r = :.2f} {p=}", f'{name + "s"}', f"{x}")
    return r * r
    """,
    "errstate": """
    # the logarithm of zero is fine here
    with np.errstate(divide="ignore", invalid="ignore"):  # no warnings
        y = np.where(x > 0, np.log(x), 0.0)
        w = np.sqrt(np.abs(x))
    return np.sum(y * w)
    """,
    "contexts": """
    with np.errstate(all="ignore"), np.printoptions(precision=2):
        print(x * 1.23456)
        with announced("inner"):
            y = np.tanh(x)
            print("inside", y[0])
        z = np.cosh(y)
    with Timer() as t:
        total = np.sum(z * x)
        print(t.ticks, f"{t.ticks:03d}")
    with contextlib.nullcontext():
        return total * 2.0
    """,
    "a context with a state of its own": """
    with Steps() as steps:
        y = x * x
        print(steps.depth)
    return np.sum(y)
    """,
    "return in a context": """
    with announced("all"):
        if x[0] > 1:
            return np.sum(x)
        y = x * x
    return np.sum(y)
    """,
    "contexts in branches and loops": """
    total = 0.0
    for k in range(3):
        with announced("turn"):
            if x[k] > 0.5:
                with np.errstate(over="ignore"):
                    total = total + np.exp(x[k]) * total
            else:
                total = total + x[k] * x[k]
            print(k)
        if total > 50:
            break
    return total
    """,
    "raise that is not reached": """
    if x.ndim != 1:
        raise ValueError(f"an array of rank 1 is needed, not {x.ndim}")
    if x.shape[0] < 2:
        raise ValueError("too short")
    if np.any(x > 1e6):
        raise TooLarge("x", LIMIT) from None
    elif np.any(np.isnan(x)):
        raise ValueError
    for v in x:
        if v > 1e6:
            raise TooLarge(f"{v:.1f}")
    return np.sum(np.log1p(x * x))
    """,
    "raise at the end of a chain": """
    if x[0] > 10:
        scale = 2.0
        y = x * scale
    elif x[0] > -10:
        y = np.sin(x)
        scale = x[1]
    else:
        raise NotImplementedError("far out")
    return np.sum(y) * scale
    """,
    "raise behind returns": """
    if x[0] > 0.2:
        return np.sum(x * x)
    if x[0] > -10:
        return np.sum(np.exp(x))
    raise RuntimeError("far out")
    """,
    "raise on the first side": """
    y = x * 2.0
    if y[0] < -100:
        raise OverflowError("low")
    else:
        y = y * y
    return np.sum(y)
    """,
    "raise in a while loop": """
    a, n = x[0] * x[0] + 1.0, 0
    while a > 0.1:
        a = a * 0.5 + a * a * 0.01
        n += 1
        if n > 100:
            raise RuntimeError(f"no convergence after {n}")
    return a * x[1] + x[2]
    """,
    "raise behind a loop without break": """
    s = 0.0
    for v in x:
        s = s + v * v
        if s > 1:
            break
    else:
        raise ArithmeticError("never above 1")
    return s
    """,
    "raise in a helper": """
    def checked(v):
        if np.any(v > 1e9):
            raise TooLarge("helper")
        w = v * v
        return w

    def required(v):
        if v.shape[0] == 0:
            raise ValueError("empty")
        if v[0] > 1e9:
            raise ValueError("too large")

    required(x)
    return np.sum(checked(x) * x)
    """,
    "try": """
    A = np.outer(x, x) + np.eye(3)
    try:
        y = A @ x
        if np.sum(y) > 1e9:
            raise LinAlgError("far out")
        print("solved")
    except LinAlgError as error:
        logger.error("singular: %s", error)
        raise ValueError(f"singular {np.sum(x):.1f}") from error
    except (TypeError, FloatingPointError):
        print("odd")
        raise
    else:
        print("fine")
    finally:
        print("done")
    return np.sum(y * y)
    """,
    "try around effects": """
    try:
        print(f"{x[0]:.2f}")
        warnings.warn("heard")
    except Exception:
        pass
    try:
        import math

        import numpy as xp
    except ImportError:
        xp = None
    try:
        return xp.sum(xp.sin(x)) * math.pi
    finally:
        print("on the way out")
    """,
    "local imports": """
    import math
    import numpy.linalg as la
    import numpy.linalg
    from math import exp as e, pi
    from numpy import sin, sum as total
    return total(sin(x)) * e(0.3) * pi + numpy.sum(x) * math.sqrt(2.0) if la is numpy.linalg else 0.0
    """,
    "small statements": """
    ...
    pass
    "a lone string"
    y: "np.ndarray" = x * 2
    z: float
    z = y[0]
    global RATE, LIMIT
    unused = x * 3
    del unused, y
    y = x * z
    return np.sum(y) * RATE + LIMIT
    """,
    "clocks": """
    start = time.perf_counter()
    begun = perf_counter()
    y = np.sum(x**3)
    elapsed = time.perf_counter() - start
    print(f"took {elapsed >= 0}", perf_counter() - begun >= 0)
    time.sleep(0)
    stamp = time.time_ns()
    return y if stamp > 0 else y * 2
    """,
    "asserts": """
    assert x.ndim == 1, "rank"
    assert np.all(x < 1e9), f"large: {np.max(x)}"
    y = x * x
    assert y[0] >= 0
    return np.sum(y)
    """,
    "draws": """
    rng = np.random.default_rng(LIMIT)
    noise = rng.normal(size=x.shape)
    again = rng.normal(size=x.shape)
    mask = rng.random(len(x)) < 0.9
    eps = rng.standard_normal()
    y = (x + noise) * mask - again * x * x
    for k in range(3):
        y = y + x * rng.uniform(0.5, 1.0)
    order = rng.permutation(3)
    return np.sum(y[order] * np.array([1.0, 2.0, 3.0])) * eps
    """,
    "draws of the module": """
    np.random.seed(3)
    a = np.random.rand(3)
    b = np.random.rand(3)
    c = np.random.randn()
    k = np.random.randint(0, 3)
    return np.sum(x * a - x * x * b) * c + k
    """,
}

PROGRAMS |= {
    "objects of the module": """
    with lock, announced("locked"):
        y = x * x
    noise = generator.normal(size=3)
    old = np.random.RandomState(4)
    return np.sum(y * noise) * old.rand()
    """,
    "procedures": """
    def told(v, word):
        if v[0] > 1e6:
            return
        print(word, f"{v[0]:.2f}")

    def checked(v):
        if np.all(np.isfinite(v)):
            return
        raise TooLarge("not finite")

    told(x, "x is")
    checked(x)
    for k in range(2):
        told(x * (k + 1), "now")
    return np.sum(x * x)
    """,
    "sizes that are guarded": """
    w = x[1:]
    if x.shape[0] != w.shape[0] + 1 or x.ndim != w.ndim:
        raise ValueError(f"{x.shape} and {len(w)}")
    if x.shape == (0,):
        raise ValueError("empty")
    return np.sum(x * x) + np.sum(w)
    """,
    "exceptions in variables": """
    problem = ValueError("x", LIMIT)
    if x[0] > 1e9:
        raise problem
    return np.sum(x * x)
    """,
    "effects around writes": """
    y = x * 2
    print(y)
    try:
        return np.sum(y * y)
    finally:
        y[0] = 100.0
        print(f"{y[0]:.1f}", y)
    """,
    "contexts in loops": """
    s = 1.0
    for k in range(len(x)):
        if x[k] > 1e9:
            raise ValueError(f"element {k} is {x[k]:.2f}")
        with np.errstate(all="ignore"):
            if x[k] > 1:
                continue
            s = s * np.sin(x[k]) + x[k]
        try:
            s = s * x[k]
            print("turn", k)
        except FloatingPointError as e:
            print(f"{k}: {e}")
            raise
        finally:
            print(f"end {k}")
    return s
    """,
    "one operation in two contexts": """
    with np.errstate(invalid="ignore"):
        y = np.log(x)
    z = np.log(x)
    with np.errstate(invalid="ignore"):
        again = np.log(x)
    return np.sum(np.where(x > 0, y + z + again, x))
    """,
    "values that leave contexts": """
    with np.errstate(all="ignore"):
        pair = np.log(np.abs(x)), np.exp(x)
        text = f"{np.sum(pair[0]):.2f}"
    print(text, f"{pair[1][0]:.1f}")
    try:
        parts = [pair[0] * 2, np.sin(pair[1])]
    finally:
        print("tried")
    return np.sum(parts[0] * parts[1])
    """,
}

# functions that raise for some arguments: x[0] decides
RAISING = {
    "static": ("x", "if x.ndim == 1:\n        raise ValueError(f'rank {x.ndim}')\n    return np.sum(x)"),
    "static in a helper": (
        "x",
        "def g(v):\n        if v.ndim == 1:\n            raise TooLarge('rank')\n        return v\n    w = g(x)\n"
        "    return np.sum(w)",
    ),
    "data": ("x", "if x[0] > 0:\n        raise ValueError(f'got {x[0]:.2f}')\n    return np.sum(x)"),
    "own class": ("x", "if x[0] > 0:\n        raise TooLarge('x', 2)\n    return np.sum(x * x)"),
    "class alone": ("x", "if x[0] > 0:\n        raise NotImplementedError\n    return np.sum(x * x)"),
    "with a cause": ("x", "if x[0] > 0:\n        raise ValueError('a') from KeyError('b')\n    return np.sum(x * x)"),
    "in a chain": (
        "x",
        "if x[0] < -5:\n        y = x\n    elif x[0] < 0:\n        y = x * x\n    else:\n        raise ValueError('c')\n"
        "    return np.sum(y)",
    ),
    "in a context": (
        "x",
        "with announced('a'):\n        y = x * x\n        if y[0] > 0:\n            raise ValueError('d')\n    return np.sum(y)",
    ),
    "in try": (
        "x",
        "try:\n        y = x * x\n        if y[0] > 0:\n            raise ValueError('e')\n    finally:\n        print('end')\n"
        "    return np.sum(y)",
    ),
    "caught": (
        "x",
        "try:\n        y = x * x\n        if y[0] > 0:\n            raise LinAlgError('zero')\n    except LinAlgError as error:\n"
        "        logger.error('seen')\n        raise TooLarge(f'singular: {error}') from error\n"
        "    finally:\n        print('end')\n    return np.sum(y)",
    ),
    "raised again": (
        "x",
        "try:\n        y = x * x\n        if y[0] > 0:\n            raise LinAlgError('zero')\n    except LinAlgError:\n        print('again')\n"
        "        raise\n    return np.sum(y)",
    ),
    "in a loop": (
        "x",
        "s = 0.0\n    for v in x:\n        if v > 0.4:\n            raise ValueError(f'{v:.1f}')\n        s = s + v\n"
        "    return s",
    ),
    "assert": ("x", "assert np.all(x < 0), f'max {np.max(x):.1f}'\n    return np.sum(x)"),
    "static assert": ("x", "assert x.shape[0] == 2, 'two'\n    return np.sum(x)"),
}
