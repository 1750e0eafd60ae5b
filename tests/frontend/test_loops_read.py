"""Loops in the graph: the same values as the function, for any number of turns."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad.graph.regions import LoopParts, loop
from flatgrad.graph.size import SizeUnknown

X = np.array([0.3, -1.2, 2.5, 0.7])
M = np.array([[1.1, -0.4, 0.7, 0.2], [0.2, 1.9, -1.3, 0.6], [0.5, 0.1, -0.2, 0.3], [-0.6, 0.8, 0.4, 0.9]])
GIVEN = [
    {"x": X, "m": M, "s": 1.7, "n": 3},
    {"x": X, "m": M, "s": -0.4, "n": 0},
    {"x": X * 3, "m": -M, "s": 9.0, "n": 4},
    {"x": -X, "m": M, "s": 0.0, "n": 1},
]

# bodies of functions of x (4,), m (4, 4), a float s and an int n; each is run for all that is GIVEN
RIGHT = {
    "range of a size": "t = 0.0\nfor i in range(len(x)):\n    t = t + x[i] * i\nreturn t",
    "range of an int": "t = s\nfor i in range(n):\n    t = t * s + i\nreturn t",
    "range from and by": "t = 0.0\nfor i in range(n, -1, -1):\n    t += x[i - 1] * s\nfor i in range(1, n):\n    t -= i\nreturn t",
    "short range": "t = s\nfor i in range(3):\n    t = t * (i + 1)\nreturn t",
    "elements": "t = 0.0\nfor v in x:\n    t += v * s\nreturn t",
    "rows": "t = 0.0\nfor row in m:\n    t += np.sum(row * x) * s\nreturn t",
    "columns": "t = 0.0\nfor column in m.T:\n    t += column @ x\nreturn t * s",
    "rows taken apart": "t = s\nfor a, *b in m.reshape(8, 2):\n    t += a * b[0]\nreturn t",
    "a row at a time": "h = x\nfor t in range(len(m)):\n    h = np.tanh(m[t] * h + s)\nreturn np.sum(h)",
    "zip": "t = 0.0\nfor a, row in zip(x, m):\n    t += a * row[0]\nreturn t * s",
    "zip to the shortest": "t = 0.0\nfor a, b in zip(x[1:], m[:, 0]):\n    t += a * b\nreturn t * s",
    "strict zip": "t = 0.0\nfor a, row in zip(x, m, strict=True):\n    t += a * row[0]\nreturn t * s",
    "enumerate": "t = 0.0\nfor i, v in enumerate(x):\n    t += i * v\nreturn t * s",
    "enumerate from": "t = 0.0\nfor i, (v, row) in enumerate(zip(x, m), start=n):\n    t += i * v * row[1]\nreturn t * s",
    "reversed": "t = 0.0\nfor v in reversed(x):\n    t = t * s + v\nfor i in reversed(range(n)):\n    t = t * s + i\nreturn t",
    "nested": "t = 0.0\nfor i in range(len(m)):\n    for j in range(i, n):\n        t = t + m[i, j] * s\n    t = t * 0.5\nreturn t",
    "nested with one counter": "t = 0.0\nfor i in range(3):\n    for i in range(n):\n        t = t * s + i\n    t += i\nreturn t",
    "no turn": "t = s\nfor i in range(0):\n    t = t * 2\nreturn t",
    "counter behind": "i = -1\nfor i in range(n):\n    pass\nreturn i * s",
    "counter assigned": "t = s\nfor i in range(n):\n    i = i * 2 + 1\n    t = t + i\nreturn t",
    "counter that hides a parameter": "t = 0.0\nfor s in range(n):\n    t += s\nreturn t + s",
    "counted by hand": "k = 0\nt = s\nfor v in x:\n    if v > s:\n        k = k + 1\n        t = t * v\nreturn t * k",
    "swap": "a, b = s, 1.0\nfor i in range(n):\n    a, b = b, a + b\nreturn a * b",
    "tuple carried": "p = (s, x)\nfor i in range(n):\n    p = (p[0] + 1, p[1] * p[0])\nreturn np.sum(p[1])",
    "int becomes float": "k = 0\nfor v in x:\n    k = k + v * s\nreturn k",
    "int becomes float late": "a, b, c = 0, 0, s\nfor i in range(n):\n    a = b\n    b = c\n    c = c + 1\nreturn a + b + c",
    "number becomes array": "t = 0.0\nfor row in m:\n    t = t + row * s\nreturn np.sum(t)",
    "augmented number becomes array": "t = 0\nfor row in m:\n    t += row * s\nreturn np.sum(t)",
    "augmented own array": "t = np.zeros(4)\nfor row in m:\n    t += row * s\nreturn np.sum(t * t)",
    "augmented behind a branch": "t = np.zeros(4)\nfor row in m:\n    if row[0] > s:\n        t += row\n    else:\n        t -= s\nreturn np.sum(t)",
    "augmented under two names": "t = np.zeros(4)\nfor row in m:\n    h = t\n    t += row\nreturn np.sum(t * h)",
    "augmented rows": "a = m * 1\nfor row in a:\n    row += s\nreturn np.sum(a * a)",
    "augmented number with a second name": "t = x[0]\nfor v in x:\n    u = t\n    t += v * s\n    t *= u\nreturn t",
    "augmented element": "t = s\nfor v in x:\n    v *= s\n    t += v\nreturn t",
    "assigned in the body": "t = s\nfor i in range(4):\n    u = x[i] * t\n    t = u + 1\nreturn t * u",
    "assigned on one path": "t = s\nlast = 0.0\nfor v in x:\n    if v > 0:\n        last = v\n    t = t + last\nreturn t",
    "unchanged": "t, k = s, 2\nfor i in range(n):\n    k = k\n    t = t + m[k, i]\nreturn t",
    "names used again": "t = x @ m\ns = s * np.sum(t)\nfor i in range(n):\n    t = x[i] * 2\n    s = s + t\nreturn s",
    "break": "t = s\nfor v in x:\n    if v < 0:\n        break\n    t = t * v\nreturn t",
    "break at the end": "t = s\nfor v in x:\n    t = t + v\n    if t > 3:\n        break\nreturn t",
    "always a break": "t = s\nfor v in x:\n    t = t + v\n    break\nreturn t",
    "continue": "t = s\nfor v in x:\n    if v < 0:\n        continue\n    t = t * v + 1\nreturn t",
    "nested continue": "t = s\nfor v in x:\n    if v < 1:\n        if v < 0:\n            continue\n        t = t + 1\n    t = t * v + 1\nreturn t",
    "break and continue": "t = s\nfor v in x:\n    if v < 0:\n        continue\n    elif v > 2:\n        break\n    t = t * v + 1\nreturn t",
    "break of the inner loop": "t = s\nfor row in m:\n    for v in row:\n        if v < 0:\n            break\n        t = t + v\n    t = t * 2\nreturn t",
    "else of a for": "t = s\nfor v in x:\n    if v > 5:\n        break\n    t += v\nelse:\n    t = -t\nreturn t",
    "else without break": "t = s\nfor v in x:\n    t += v\nelse:\n    t = -t\nreturn t",
    "return in a loop": "for v in x:\n    if v > s:\n        return v * 2\nreturn s",
    "return in nested loops": "t = s\nfor row in m:\n    for v in row:\n        t = t + v\n        if t > 3:\n            return t * v\n    t = t * 0.5\nreturn t",
    "return and break": "t = s\nfor v in x:\n    if v > 5:\n        return v\n    if v < 0:\n        break\n    t += v\nelse:\n    t = -t\nreturn t + 1",
    "always a return": "for v in x:\n    return v * s\nreturn s",
    "while": "t = s\nwhile t < 20:\n    t = t * 2 + 1\nreturn t",
    "while that counts": "k = 0\nt = s\nwhile k < n:\n    t = t * x[k]\n    k += 1\nreturn t",
    "while with several tests": "k, t = 0, s\nwhile k < len(x) and x[k] < 2 and not t > 50:\n    t = t + x[k]\n    k = k + 1\nreturn t + k",
    "while with else": "k, t = 0, s\nwhile k < n:\n    k += 1\n    t *= 2\n    if t > 5:\n        break\nelse:\n    t = t - 1\nreturn t",
    "while of a number": "k, t = n, s\nwhile k:\n    k -= 1\n    t += x[k]\nreturn t",
    "forever": "t = s\nwhile True:\n    t = t * 2 + 1\n    if t > 20 or t < -20 or t == -1:\n        break\nreturn t",
    "forever until a return": "k = 0\nwhile True:\n    k += 1\n    if k > n:\n        return s * k",
    "while with a walrus": "k = 0\nwhile (k := k + 1) < n:\n    s = s * 2\nreturn s * k",
    "never": "t = s\nwhile False:\n    t = t * 2\nelse:\n    t = t + 1\nreturn t",
    "newton": "t = s * s + 1\nr = t\nwhile abs(r * r - t) > 1e-12 * t:\n    r = 0.5 * (r + t / r)\nreturn r",
    "tuple": "t = s\nfor w in (0.5, 2.0, x[0]):\n    t = t * w + 1\nreturn t",
    "pairs": "t = s\nfor a, (b, c) in [(s, (1, 2)), (3.0, (x, 1))]:\n    t = t * a + np.sum(b) + c\nreturn t",
    "strings": "t = s\nfor name in ('add', 'double', 'skip'):\n    if name == 'skip':\n        continue\n    t = t + 1 if name == 'add' else t * 2\nreturn t",
    "zip of known and rows": "t = s\nfor name, v in zip(('a', 'b'), (x[1], x[2])):\n    t = t * v if name == 'a' else t + v\nreturn t",
    "enumerate a tuple": "t = s\nfor i, w in enumerate((x, 2 * x)):\n    t += i * np.sum(w)\nreturn t + i",
    "reversed tuple": "t = s\nfor w in reversed((1.0, 2.0, s)):\n    t = t / 2 + w\nreturn t",
    "break out of a tuple": "t = s\nfor w in (1.0, 2.0, 3.0):\n    t = t + w\n    if t > 3:\n        break\n    t = t * 2\nelse:\n    t = -t\nreturn t",
    "return out of a tuple": "for w in (1.0, 2.0, 3.0):\n    if w * s > 2:\n        return w\nreturn s",
    "counter that has to be known": "weights = (1.0, 3.0, s)\nt = 0.0\nfor i in range(3):\n    t += weights[i] * x[i]\nreturn t",
    "axis that has to be known": "t = m * s\nfor axis in range(2):\n    t = t - np.mean(t, axis=axis, keepdims=True)\nreturn np.sum(t * t)",
    "rank that grows": "t = x * s\nfor i in range(2):\n    t = t[None] * 2\nreturn np.sum(t)",
    "tuple that grows": "found = ()\nfor i in range(3):\n    found = found + (x[i] * s,)\nreturn sum(found)",
    "conditional expression": "t = s\nfor v in x:\n    t = t + (v if v > 0 else -2 * v)\nreturn t",
    "logistic map": "r = s\nfor _ in range(n):\n    r = 3.1 * r * (1 - r)\nreturn r",
    "horner": "t = 0.0\nfor c in x[::-1]:\n    t = t * s + c\nreturn t",
    "several returned": "a, b = s, x\nfor i in range(n):\n    a, b = a + np.sum(b), b * 0.5\nreturn a, b",
    "loop behind a flag": "for v in x:\n    if v > s:\n        return v\nt = s\nfor v in x:\n    t += v\nreturn t",
    "if around a loop": "t = s\nif s > 0:\n    for v in x:\n        t = t + v\nelse:\n    while t < 3:\n        t += 1\nreturn t",
    "used only in a later turn": "t = s\nprevious = 0.0\nfor v in x:\n    t += previous * v\n    previous = v\nreturn t",
    "the turn before in a branch": "t = s\nfor i in range(4):\n    if i > 0:\n        t = t + last * x[i]\n    last = x[i] * t\nreturn t",
    "a turn before behind a continue": "t = s\nfor i, v in enumerate(x):\n    if i == 0:\n        last = v\n        continue\n"
    "    t = t + v - last\n    last = v\nreturn t * last",
    "the one before in an inner loop": "t = s\nfor i in range(n):\n    for j in range(i, 2):\n        u = x[j] * (i + 1)\n    t += u\nreturn t",
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_loop_gives_what_the_function_gives(reading, case):
    """For any number of turns the graph computes what Python computes, whatever way the loop is left."""
    reading.is_right(RIGHT[case], *GIVEN)


def loops_of(reading, body):
    graph, _ = reading.graph_of(body, GIVEN[0])
    return [node for node in reading.nodes_of(graph) if node.function is loop]


def names(values):
    return [value.name for value in values]


def test_only_what_changes_is_carried(reading):
    """What the body assigns anew and what it only reads is no business of the next turn."""
    body = "t = s\nk = 2\nfor i in range(n):\n    u = x[i] * k\n    t = t + u\nreturn t"
    (node,) = loops_of(reading, body)
    parts = LoopParts(node)
    assert (names(parts.carried), names(node.outputs), names(parts.elements)) == (["t"], ["t"], ["i"])
    assert names(parts.closed) == ["x"]
    assert not parts.leaves
    assert parts.leave is None


def test_headers(reading):
    """The header of the node says what the loop goes through, as it is written."""
    words = {
        "for i in range(n):": "range",
        "for v in x:": "rows",
        "for i, v in enumerate(x):": "enumerate",
        "for v, w in zip(x, m):": "zip",
        "for v in reversed(x):": "reversed",
    }
    for line, word in words.items():
        (node,) = loops_of(reading, f"t = s\n{line}\n    t = t * 2\nreturn t")
        assert node.arguments["header"][0] == word
    (node,) = loops_of(reading, "t = s\nwhile t < 3:\n    t = t * 2 + 1\nreturn t")
    assert node.arguments["header"] is None
    assert [body.name for body in node.bodies] == ["body", "condition"]
    (node,) = loops_of(reading, "t = s\nwhile True:\n    t = t * 2 + 1\n    if t > 3:\n        break\nreturn t")
    assert node.arguments["header"] == ("forever",)
    assert node.arguments["leaves"]


def test_checkpointed_loops_are_marked(reading):
    """The marker is no part of the program; it only sets the flag of the node."""
    for body in (
        "t = s\nfor i in checkpointed(range(n)):\n    t = t * 2\nreturn t",
        "t = s\nwhile checkpointed(t < 9):\n    t = t * 2 + 10\nreturn t",
    ):
        (node,) = loops_of(reading, body)
        assert node.arguments["checkpoint"]
        reading.is_right(body, *GIVEN)


def test_a_variable_without_a_value_before_the_loop(reading):
    """It is carried without a start only where someone uses it behind the loop."""
    (node,) = loops_of(reading, "for i in range(4):\n    u = x[i] * s\nreturn u")
    assert node.arguments["start"] == (None,)
    assert loops_of(reading, "for i in range(4):\n    u = x[i] * s\nreturn s") == []


def test_the_counter_of_one_loop_is_not_carried_into_the_next(reading):
    """A name that each loop binds anew needs no output."""
    body = "t = s\nfor i in range(n):\n    t = t + i\nfor i in range(n):\n    t = t * i\nreturn t"
    assert [names(node.outputs) for node in loops_of(reading, body)] == [["t"], ["t"]]


def test_what_is_known_is_gone_through_when_the_code_is_written(reading):
    """A loop over a tuple leaves its turns, and no loop."""
    assert loops_of(reading, "t = s\nfor w in (1.0, 2.0):\n    t = t * w + 1\nreturn t") == []


ERRORS = {
    "growing": (
        "t = x\nfor i in range(n):\n    t = t[1:]\nreturn np.sum(t)",
        9,
        "`t` changes its shape from turn to turn",
    ),
    "rank": (
        "t = x\nfor i in range(n):\n    t = np.outer(t, x)\nreturn np.sum(t)",
        9,
        "changes its shape",
    ),
    "size of the turn": (
        "t = x[:1]\nfor i in range(1, n):\n    t = x[:i]\n    u = t\nt = t + 1\nreturn np.sum(t)",
        11,
        "`t` is",
    ),
    "tuple": (
        "t = (x,)\nwhile s > 3:\n    t = t + (x,)\nreturn np.sum(t[0])",
        9,
        "a tuple or list of 1 before the loop",
    ),
    "string": (
        "k = 'a'\nfor i in range(n):\n    s = s * 2 if k == 'a' else s\n    k = 'b'\nreturn s",
        10,
        "'a' before the loop",
    ),
    "undecided before": (
        "t = (x, x)\nif s > 0:\n    t = s\nfor i in range(n):\n    t = x[i]\nreturn t * 2",
        12,
        "`t` is",
    ),
    "first turn": (
        "for i in range(n):\n    s = s + u\n    u = x[i]\nreturn s",
        8,
        "`u` has no value in the first turn",
    ),
    "first turn of itself": (
        "for i in range(4):\n    if i > 0:\n        u = u * 2\n    s = s + i\nreturn s",
        9,
        "no value in the first",
    ),
    "caller's in some turns": (
        "t = x\nwhile np.sum(t) < s:\n    t[0] = 1\n    t = t * 2\nreturn np.sum(t)",
        9,
        "whether this changes an array of the caller's is not known",
    ),
    "shared in some turns": (
        "t = np.zeros(4)\nh = t\nwhile np.sum(t) < s:\n    t[0] = 1\n    t = t + x\nreturn np.sum(t * h)",
        12,
        "whether this is the array that is changed in line 10 is not known",
    ),
    "number": ("for i in n:\n    s = s * 2\nreturn s", 7, "a number can't be gone through"),
    "float range": ("for i in range(s):\n    s = s * 2\nreturn s", 7, "range takes whole numbers"),
    "step": ("for i in range(0, 3, 0):\n    s = s * 2\nreturn s", 7, "the step of a range is not 0"),
    "reversed zip": (
        "for a, b in reversed(zip(x, x)):\n    s = s * a\nreturn s",
        7,
        "Python has no reversed(zip(...))",
    ),
    "counter as an axis": ("for i in range(int(s)):\n    s = s + np.sum(m, axis=i)[0]\nreturn s", 8, "has to be known"),
    "index of a tuple": (
        "w = (1.0, 2.0)\nfor i in range(int(s)):\n    s = s + w[i]\nreturn s",
        9,
        "this index has to be known",
    ),
    "endless": ("while True:\n    s = s * 2\nreturn s", 7, "this loop never ends"),
    "no return": ("for v in x:\n    if v > s:\n        return v", 6, "`f` returns nothing"),
    "with": ("for v in x:\n    with open('a'):\n        s = s * v\nreturn s", 8, "`open` reads from outside"),
    "an array as the test": ("while x > 0:\n    s = s * 2\n    x = x - 1\nreturn s", 7, "is not one truth value"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_can_not_be_a_loop_is_refused_at_its_place(reading, case):
    """What changes its type from turn to turn, or would change memory of others, is an error there, and one only."""
    body, line, words = ERRORS[case]
    reading.is_refused(body, GIVEN[0], line, words)


def test_the_number_of_turns_over_known_things_and_rows(reading):
    """A tuple beside the rows of an array needs the number of rows."""
    body = "t = s\nfor w, v in zip((1.0, 2.0), x):\n    t = t * w + v\nreturn t"
    with pytest.raises(SizeUnknown):
        reading.graph_of(body, GIVEN[0])


def test_nested_loops_are_read_a_few_times_only(reading):
    """The types settle from the inside: the work grows with the depth of the loops by a small factor."""
    depth = 5
    lines = ["t = 0"] + ["    " * k + f"for i{k} in range(n):" for k in range(depth)]
    body = "\n".join([*lines, "    " * depth + "t = t + s", "return t"])
    assert len(loops_of(reading, body)) == depth
