"""Branches in the graph: the same values as the function, on every path through it."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad.errors import FlatgradError, ShapeError, UnsupportedError
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Value

X = np.array([0.3, -1.2, 2.5])
NUMBERS = (-3.0, -0.5, 0.0, 0.5, 1.0, 2.0, 7.5)

# bodies of functions of an array x and a float s; each is run for all NUMBERS
RIGHT = {
    "if and else": "if s > 0:\n    y = x * s\nelse:\n    y = x - s\nreturn np.sum(y)",
    "if alone": "y = s\nif s < 0:\n    y = -s\nreturn y * 2",
    "elif": "if s > 1:\n    y = s\nelif s > 0:\n    y = s * s\nelif s > -1:\n    y = 1.0\nelse:\n    y = -s\nreturn y",
    "nested": "if s > 0:\n    if s > 1:\n        y = s * 3\n    else:\n        y = s\nelse:\n    y = 0.0\nreturn y + s",
    "several variables": "a, b = s, 1.0\nif s > 0:\n    a, b = b, a\n    c = a + b\nelse:\n    c = a\nreturn a - 2 * b + c",
    "int and float": "y = 0\nif s > 0:\n    y = 0.5 * s\nreturn y",
    "number and scalar": "if s > 0:\n    y = np.sum(x)\nelse:\n    y = 1\nreturn y * s",
    "a number for all": "if s > 0:\n    k = 2\n    y = s\nelse:\n    k = 2\n    y = -s\na, b = (s, x)[:k]\nreturn a * y + b[0]",
    "truth of a number": "y = 1.0\nif s:\n    y = s\nreturn y",
    "not of a number": "return 1.0 if not s else s",
    "only one side": "if s > 0:\n    y = s\n    t = y + 1\nelse:\n    y = 1.0\nreturn y",
    "tuples": "p = (s, x)\nif s > 0:\n    p = (s * 2, x + 1)\nreturn p[0] * np.sum(p[1])",
    "a tuple returned": "if s > 0:\n    return s, x\nreturn -s, x * 2",
    "one value for two": "if s > 0:\n    a = b = s * s\nelse:\n    a = b = s + 1\nreturn a * b",
    "unchanged": "y = x * s\nif s > 0:\n    t = y\nreturn np.sum(y)",
    "early return": "if s > 0:\n    return s\ny = s * s\nreturn y + 1",
    "early returns": "if s > 2:\n    return s\nif s > 0:\n    y = s\n    return y * y\nz = s + 1\nreturn z",
    "return in elif": "if s > 2:\n    return s\nelif s > 0:\n    return 1.0\nelse:\n    y = -s\nz = y * y\nreturn z",
    "return in else": "if s > 0:\n    y = s\nelse:\n    return 1.0\nreturn y * 2",
    "return in a middle case": "if s > 1:\n    y = s\nelif s > 0:\n    return 5.0\nelse:\n    y = -s\nreturn y * 2",
    "nested return": "y = s\nif s > 0:\n    if s > 1:\n        return s * 3\n    y = y + 1\nz = y * 2\nreturn z + s",
    "deep returns": "if s > 0:\n    if s > 1:\n        if s > 5:\n            return 1.0\n        y = s\n    else:\n        y = 2 * s\n"
    "    if y > 1.5:\n        return y\nelse:\n    y = -s\nreturn y * y",
    "return in a static if": "if x.ndim == 1:\n    if s > 0:\n        return s\ny = s * 2\nreturn y",
    "statements behind both returns": "if s > 0:\n    return s\nelse:\n    return -s\nreturn 3.0",
    "conditional expression": "return (s if s > 0 else -2 * s) * 3",
    "nested conditional expressions": "return s if s > 1 else 2.0 if s > 0 else s * s",
    "conditional in an array": "return np.sum(x * (s if s > 0 else 1))",
    "not evaluated": "return math.log(s) if s > 0 else math.sqrt(-s)",
    "or": "z = s or 2.0\nreturn z * 3",
    "and": "z = s and 2.0\nreturn z * 3",
    "or of three": "return (s - 1.0) or (s * 0) or 7.0",
    "and that guards": "return s * 2 if s > 0 and math.log(s) > 0.5 else 1.0",
    "or that guards": "return s * 2 if s <= 0 or 1 / s > 0.6 else 1.0",
    "and of truths": "return s * 2 if s > 0 and s < 3 and not s == 1 else 1.0",
    "chained comparison": "return s * 2 if 0 < s * s < 3 else 1.0",
    "chained comparison of constants": "k = 0.3\nif 0.1 < np.tanh(k) <= 0.9 and s > 0:\n    return s\nreturn -s",
    "chained comparison that never holds": "k = 0.3\nif 0.6 < np.tanh(k) <= 0.9 or s > 0:\n    return s\nreturn -s",
    "chained comparison of data and constants": "k = 0.3\nreturn s if 0.1 < np.tanh(k) < s else 2.0 if s < np.exp(k) < 0.1 else -s",
    "walrus on one side": "if s > 0 and (t := s * s) > 0.5:\n    return t\nreturn s",
    "walrus in the test": "if (t := s * s) > 1:\n    return t\nreturn -t",
    "flag": "big = False\nif s > 1:\n    big = True\nreturn s * 2 if big else s",
    "array elements": "if x[0] > s:\n    return x[1] * s\nreturn x[2] * s",
    "all and any": "if (x > s).any() and not (x > s).all():\n    return np.sum(x)\nreturn s",
    "augmented number": "y = s\nif s > 0:\n    y += 1\n    y *= s\nreturn y",
    "augmented own array": "y = x * s\nif s > 0:\n    y += 1\nelse:\n    y *= 2\ny += x\nreturn np.sum(y)",
    "print": "if s > 100:\n    print(s)\nreturn s",
    "match on numbers": "match s:\n    case 0.5 | 1.0:\n        y = s * 3\n    case 2:\n        y = 1.0\n    case _:\n        y = -s\nreturn y",
    "match with a return": "match s:\n    case 0.5:\n        return 3.0\n    case t:\n        y = t + 1\nreturn y * 2",
    "match with guards": "match s:\n    case t if t > 1:\n        y = t * 3\n    case t if t > 0:\n        y = t\n    case _:\n        y = 0.0\nreturn y",
    "match on a tuple": "match (s, x, 'a'):\n    case (_, _, 'b'):\n        y = 1.0\n    case (0.5, z, _):\n        y = z[0]\n"
    "    case (t, *rest):\n        y = t + rest[0][1]\nreturn y",
    "match on what is known": "match x.ndim:\n    case 2:\n        y = 1.0\n    case 1:\n        y = s\nreturn y",
    "match on a string": "mode = 'b'\nmatch mode:\n    case 'a':\n        y = 1.0\n    case 'b' | 'c' as m:\n        y = s * len(m)\nreturn y",
    "match without a case": "y = s\nmatch s:\n    case 0.5:\n        y = 3.0\n    case 7.5 if x[0] > 0:\n        y = 4.0\nreturn y",
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_branch_gives_what_the_function_gives(reading, case):
    """On every path the graph computes what Python computes, in the side that is taken and in no other."""
    first, *others = [{"x": X, "s": number} for number in NUMBERS]
    reading.is_right(RIGHT[case], first, *others)


def test_a_branch_joins_what_its_sides_change(reading):
    """The outputs are the variables that differ, under their names; nothing else passes through the node."""
    graph, returned = reading.graph_of(
        "a, b = s, x\nif s > 0:\n    a = s * 2\n    t = a\nreturn a + np.sum(b)", {"x": X, "s": 1.0}
    )
    (node,) = [node for node in graph.nodes if node.bodies]
    assert [output.name for output in node.outputs] == ["a"]
    assert [len(body.results) for body in node.bodies] == [1, 1]
    assert len(node.arguments["closed"]) == len(node.bodies[0].parameters) == len(node.bodies[1].parameters) == 1
    assert returned.node is graph.nodes[-1]


def test_statements_behind_a_return_are_read_in_the_other_side(reading):
    """A side that returns needs no flag: what is behind it stands in the other side."""
    graph, returned = reading.graph_of("if s > 0:\n    return s\ny = s * s\nreturn y + 1", {"s": 1.0})
    assert reading.functions_of(graph) == ["gt", "branch", "mul", "add"]
    (node,) = [node for node in graph.nodes if node.bodies]
    assert node.outputs == (returned,)


def test_a_condition_that_is_known_leaves_no_trace(reading):
    """What is decided when the code is written is not in the graph."""
    body = "if x.ndim == 1 and s is not None:\n    y = s\nelse:\n    y = x\nreturn y if len(x.shape) == 1 else 0.0"
    graph, _ = reading.graph_of(body, {"x": X, "s": 1.0})
    assert "branch" not in reading.functions_of(graph)


def test_an_int_parameter_is_data(reading):
    """A whole number that is compared with a literal makes a branch."""
    graph = reading.is_right("if k > 2:\n    return s * k\nreturn s", {"s": 1.5, "k": 3}, {"s": 1.5, "k": 1})
    assert "branch" in reading.functions_of(graph)


def test_a_branch_without_a_difference_is_dropped(reading):
    """A branch on data that changes nothing leaves nothing."""
    graph, _ = reading.graph_of("if s > 0:\n    t = s * 2\nelse:\n    pass\nreturn s * 3", {"s": 1.0})
    assert "branch" not in reading.functions_of(graph)
    graph, _ = reading.graph_of("if s > 0:\n    print(s)\nreturn s * 3", {"s": 1.0})
    assert "branch" in reading.functions_of(graph)


def test_forms_of_expressions_are_noted(reading):
    """The emitted code can write them as they are written."""
    forms = {
        "if s > 0:\n    s = 1.0\nreturn s": "",
        "return s if s > 0 else 1.0": "expression",
        "return s or 1.0": "or",
        "return s and 1.0": "and",
    }
    for body, form in forms.items():
        graph, _ = reading.graph_of(body, {"s": 1.0})
        assert [node.form for node in reading.nodes_of(graph) if node.bodies] == [form]


def test_a_variable_of_one_side_can_be_used(reading):
    """Where the other path is never taken, the value is there; else Python itself says that it is not."""
    body = "if s > 0:\n    t = s * 2\nreturn t"
    graph, returned = reading.graph_of(body, {"s": 1.0})
    assert isinstance(returned, Value) and returned.name == "t"
    reading.is_right(body, {"s": 1.0})


ERRORS = {
    "float or array": (
        "if s > 0:\n    y = s\nelse:\n    y = x\nreturn np.sum(y)",
        11,
        "`y` is a float on one side of the `if`",
    ),
    "shapes": (
        "y = x\nif s > 0:\n    y = x[1:]\nreturn np.sum(y)",
        10,
        "on one side of the `if` in line 8 and an array",
    ),
    "None": (
        "y = None\nif s > 0:\n    y = s\nreturn y * 2",
        10,
        "`y` is a float on one side of the `if` in line 8 and None",
    ),
    "strings": ("y = 'a'\nif s > 0:\n    y = 'b'\nreturn s if y == 'a' else x[0]", 10, "'b' on one side"),
    "tuples": ("y = (s, s)\nif s > 0:\n    y = (s,)\nreturn y[0]", 10, "a tuple or list of 1"),
    "expression": ("return np.sum(s if s > 0 else x)", 7, "a float on one side of the conditional expression"),
    "returned": ("if s > 0:\n    return s\nreturn x", 6, "what is returned is a float"),
    "no return": ("if s > 0:\n    return s", 6, "`f` returns nothing where none of its `return`s is reached"),
    "array": ("if x > 0:\n    s = 1.0\nreturn s", 7, "is not one truth value"),
    "array of one side": ("return s if s > 0 and x > 0 else 1.0", 7, "this is an array"),
    "not of an array": ("return s if not x else 1.0", 7, "`not` needs one truth value"),
    "static axis": (
        "k = 0\nif s > 0:\n    k = 1\nreturn np.sum(x, axis=k)",
        10,
        "has to be known when the code is written",
    ),
    "capture with a guard": ("match (s, s):\n    case (0.5, t) if t > 1:\n        return t\nreturn s", 8, "captures"),
    "class pattern": ("match s:\n    case float():\n        return s\nreturn s", 8, "this kind of pattern"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_can_not_be_joined_is_refused_where_it_is_used(reading, case):
    """A variable that is one thing on one side and another on the other is an error only where it is used."""
    body, line, words = ERRORS[case]
    with pytest.raises(Exception) as error:
        reading.graph_of(body, {"x": X, "s": 1.0})
    found = error.value
    problem = found.problems[0] if isinstance(found, FlatgradError) else found.problem
    assert (problem.line, words in problem.message) == (line, True), problem.message


def test_a_conflict_that_is_not_used_is_no_error(reading):
    """Names are used again for other things: no one asks what they are behind the branch."""
    reading.is_right(
        "if s > 0:\n    t = x\n    y = np.sum(t)\nelse:\n    t = s\n    y = t\nreturn y",
        {"x": X, "s": 1.0},
        {"x": X, "s": -1.0},
    )


def test_sizes_that_may_be_equal_are_asked_for(reading):
    """Two arrays of unknown sizes are one variable where the sizes are known to be equal."""
    body = "y = x\nif s > 0:\n    y = z\nreturn np.sum(y)"
    with pytest.raises(SizeUnknown):
        reading.graph_of(body, {"x": X, "z": X[:2], "s": 1.0})


def test_what_may_be_shared_memory_stays_so(reading):
    """An array that is a parameter on one side is not changed in place."""
    with pytest.raises(UnsupportedError, match="whether this changes an array of the caller's is not known"):
        reading.graph_of("y = x * 2\nif s > 0:\n    y = x\ny += 1\nreturn np.sum(y)", {"x": X, "s": 1.0})


def test_an_assert_on_one_side_is_kept_there(reading):
    """What a side does beside computing is done in that side."""
    graph, _ = reading.graph_of("if s > 0:\n    assert x[0] < s\nreturn s", {"x": X, "s": 1.0})
    (node,) = [node for node in graph.nodes if node.bodies]
    assert [each.function.__name__ for each in node.bodies[0].nodes] == ["getitem", "lt", "assertion"]
    with pytest.raises(ShapeError):
        reading.graph_of("if s > 0:\n    assert x.ndim == 2\nreturn s", {"x": X, "s": 1.0})


@pytest.mark.parametrize(
    "body",
    [
        "\n".join(f"if s > {k}:\n    return s * {k}" for k in range(150)) + "\nreturn s",
        "if s > 0:\n    y = s\n"
        + "".join(f"elif s > -{k}:\n    y = s * {k}\n" for k in range(1, 150))
        + "else:\n    y = 1.0\nreturn y",
    ],
)
def test_branches_are_read_as_deep_as_they_are(reading, body):
    """Each early return puts the rest of the function one branch deeper: Python's own limit on recursion is no limit here."""
    graph, _ = reading.graph_of(body, {"s": 1.0})
    assert reading.functions_of(graph).count("branch") == 150
