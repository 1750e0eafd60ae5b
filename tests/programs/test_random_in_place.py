"""Random programs that write into arrays: right to the last bit and in every derivative, or refused for a reason that is known."""

import importlib
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

random_in_place = importlib.import_module("random_in_place")
InPlaceProgram = random_in_place.InPlaceProgram
outcome = importlib.import_module("random_shrinking").outcome

BLOCKS = [(first, first + 60) for first in range(0, 300, 60)]
# what the messages begin with, names and numbers left out
REASONS = (
    # another name may be this array, or not: one that a branch or a loop binds
    "whether this is the array that is changed",
    # where its memory is laid out in another order, a reshaped array is a copy
    "whether this changes an array of the caller's is not known",
    "whether the length of an axis is # decides what is broadcast here",
    "whether the array is square is not known",
    "the values share memory with the place that they are assigned to",
)


@pytest.mark.parametrize(("first", "last"), BLOCKS)
def test_random_programs(first, last):
    """None is wrong; less than a tenth are refused, each for a reason that is listed."""
    counts = Counter(outcome(random_in_place.generated(seed), random_in_place.check) for seed in range(first, last))
    refused = {kind: count for kind, count in counts.items() if kind.startswith("error: ")}
    assert {kind: count for kind, count in counts.items() if kind and kind not in refused} == {}
    assert [kind for kind in refused if not kind.removeprefix("error: ").startswith(REASONS)] == []
    assert sum(refused.values()) < 0.1 * (last - first)


def program_of(*lines):
    """Return a program of these lines, with its derivatives."""
    arguments = {
        "x": np.array([0.3, -1.2, 0.7]),
        "y": np.array([1.1, 0.4, -0.6]),
        "A": np.array([[0.5, -0.7, 0.2], [0.9, 0.3, -1.1], [-0.4, 0.8, 0.6]]),
        "c": 0.4,
    }
    program = InPlaceProgram("\n    ".join(["def program(x, y, A, c):", *lines]) + "\n", arguments)
    assert random_in_place.is_sound(program)
    return program


def test_the_check_sees(monkeypatch):
    """A gradient that is wrong by a thousandth does not pass, nor does an argument that is left as it was."""
    made = random_in_place.api.value_and_grad

    def wrong(function, style):
        def called(*arguments):
            value, gradients = made(function, style=style)(*arguments)
            return value, gradients._replace(x=1.001 * gradients.x)

        return called

    program = program_of("x = x.copy()", "x[0] *= y[1]", "return np.sum(x * x)")
    random_in_place.check(program)
    monkeypatch.setattr(random_in_place.api, "value_and_grad", wrong)
    with pytest.raises(random_in_place.Failure, match="gradient flat"):
        random_in_place.check(program)
    program = program_of("x[0] = y[1]", "return np.sum(x * x)")
    program.left[0] = np.array([0.3, -1.2, 0.7])
    with pytest.raises(random_in_place.Failure, match="argument flat"):
        random_in_place.check(program)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_program_each_time(seed):
    """A seed stands for one program."""
    assert random_in_place.generated(seed).text == random_in_place.generated(seed).text


# each of these was found by a random program
FOUND = {
    "a mask in a branch": [
        "if y[0] > 0:",
        "    mask = x < 0.5",
        "    x[mask] = np.tanh(x[mask]) / A[1, 1]",
        "return np.sum(x)",
    ],
    "a mask of what a write changes": [
        "y[1] = y[2] - c",
        "mask = np.tanh(y) > 0.1",
        "x[mask] = np.tanh(x[mask])",
        "return np.sum(x)",
    ],
    "a mask of a transposed array of the caller's": [
        "v = A.T[0]",
        "if A[0, 0] > 0:",
        "    v[x > 0.1] *= np.tanh(y[1])",
        "    v[:2] += y[:2]",
        "return np.sum(v * v)",
    ],
    "a transposed array of the caller's as a whole": [
        "v = A.T",
        "if A[0, 0] > 0:",
        "    v *= x",
        "    v += 1",
        "return np.sum(A * A)",
    ],
    "a name for another array from the first turn on": [
        "v = np.ones(3)",
        "for i in range(2):",
        "    y = v",
        "v -= x * y",
        "return np.sum(y * y)",
    ],
    "a row of the turn before": [
        "M = A.copy()",
        "for row in M:",
        "    row[2] = c",
        "    row *= x",
        "    x = row",
        "return np.sum(M * M)",
    ],
    "a row behind the loop": [
        "for row in A:",
        "    A *= x[0]",
        "    last = row",
        "A[2] = y",
        "return np.sum(last * last)",
    ],
    "one of several arrays in each turn": [
        "total, arrays = np.ones(3), [x, x.copy(), y]",
        "for i in range(len(A)):",
        "    v = arrays[i]",
        "    total += c * v",
        "    v[i] *= total[0]",
        "return np.sum(x * y * total)",
    ],
    "an argument that a helper returns": [
        "def same(p, q):",
        "    t = np.sum(q * p)",
        "    return p, t",
        "v, s = same(x, y)",
        "x *= s",
        "return np.sum(v * v)",
    ],
    "the diagonal of an argument": ["np.fill_diagonal(A, c * x)", "return np.sum(A * A)"],
    "the caller's array through a view in a loop": [
        "v = x[:2]",
        "for i in range(len(y)):",
        "    v[1] -= 0.5",
        "return np.sum(A)",
    ],
    "two of the caller's arrays in a loop": [
        "for _ in range(2):",
        "    x += y",
        "    y -= np.sin(x)",
        "return np.sum(y)",
    ],
    "an array while its elements are walked over": [
        "v = x",
        "for e in v:",
        "    x -= c",
        "return np.sum(x) + c",
    ],
    "a part of a reshaped array as the place of a result": [
        "A = A.copy()",
        "np.multiply(1, 0.5, out=A.reshape(-1)[1:2])",
        "A[A > 0.31] += A[1, 1]",
        "return np.sum(A)",
    ],
    "a helper that is given a reshaped array": [
        "def change(p):",
        "    for e in y:",
        "        p -= 0.5 * e",
        "    return p",
        "A = A.copy()",
        "v = change(A.ravel())",
        "return np.sum(A * A)",
    ],
    "two buffers that change places": [
        "previous, current = x * c, np.zeros(len(x))",
        "for i in range(len(x)):",
        "    current[0] = c * (i + 1)",
        "    for j in range(len(x) - 1):",
        "        current[j + 1] = np.sin(previous[j]) + current[j] * x[i]",
        "    previous, current = current, previous",
        "return previous[-1]",
    ],
    "two views after a loop has changed the whole": [
        "A = A.copy()",
        "v, M = A.ravel(), A.reshape(3, 3)",
        "for _ in range(2):",
        "    A *= 0.5",
        "M[1] *= c",
        "return np.sum(v * v)",
    ],
    "a slice beside a list of indices": [
        "M = np.ones((2, len(A)))",
        "M[:, [1, 1]] /= A[2, 1]",
        "return np.sum(M * x)",
    ],
    "columns of a matrix against each other": [
        "A = A.copy()",
        "for j in range(3):",
        "    for k in range(j):",
        "        A[:, j] -= (A[:, k] @ A[:, j]) * A[:, k]",
        "return np.sum(A * A)",
    ],
}


@pytest.mark.parametrize("lines", FOUND.values(), ids=FOUND)
def test_found_program(lines):
    """What was wrong once stays right."""
    random_in_place.check(program_of(*lines))
