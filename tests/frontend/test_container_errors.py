"""What can't be read of containers is an error at its place, in the words of Python where Python raises, too."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad.api import emit
from flatgrad.errors import FlatgradError

X = np.array([0.3, -1.2, 0.7])

# the body of a function of an array x and a float s, what the message says, what of the hint, and what is pointed at
ERRORS = [
    ("d = {'a': x}\nreturn np.sum(d['b'])", "there is no 'b' among 'a'", "", "d['b']"),
    ("d = {}\ndel d['a']\nreturn np.sum(x)", "there is no 'a': the dict is empty", "", "d['a']"),
    ("d = [x]\nreturn np.sum(d[3])", "list index out of range", "", "d[3]"),
    ("d = (x,)\nd[0] = s\nreturn np.sum(x)", "can't be changed", "a list or a dict", "d[0]"),
    ("d = []\nv = d.pop()\nreturn np.sum(x)", "pop from an empty list", "", "d.pop()"),
    ("d = {}\nd[[1]] = x\nreturn np.sum(x)", "unhashable type: 'list'", "", "d[[1]]"),
    ("d = {}\nd[x[0]] = x\nreturn np.sum(x)", "this key has to be known", "", "d[x[0]]"),
    ("d = {x[0], s}\nreturn np.sum(x)", "this item of a set has to be known", "", "{x[0], s}"),
    ("d = {}\nfor t in range(500):\n    d[t] = x\nreturn s", "this key has to be known", "a range whose length", "d[t]"),
    ("d = [x]\nd.add(x)\nreturn np.sum(x)", "a list has no `add`", "", "d.add"),
    ("d = set()\nd.add('a')\nreturn np.sum(x)", "the method `add` of a set", "a | b", "d.add('a')"),
    ("d = {'a'}\nc = d\nc |= {'b'}\nreturn np.sum(x) * len(d)", "a set that is changed in place", "s | {...}", "c |= {'b'}"),
    ("d = {}\nfor t in range(500):\n    d[f'h{t}'] = x\nreturn s", "this key has to be known", "a range whose length", "d[f'h{t}']"),
    ("for k in {'a', 'b'}:\n    x = x * 2\nreturn np.sum(x)", "the order of the items of a set", "sorted", "{'a', 'b'}"),
    ("d = sorted([x[0], s])\nreturn d[0]", "an order that depends on data", "np.sort", "sorted([x[0], s])"),
    ("return x[0] if s in [x[0]] else s", "whether items are equal depends on data", "", "s in [x[0]]"),
    ("d = [v for v in [s, s * 2] if v > 0]\nreturn s", "this condition depends on data", "np.where", "v > 0"),
    ("d = (v for v in [x])\nreturn len(d) * s", "an iterator has no len()", "a list", "len(d)"),
    ("d = (v for v in [x])\nreturn np.sum(next(d))", "can't be read one at a time", "a list", "next(d)"),
    ("return np.sum(np.stack(v for v in [x]))", "does not go through iterators", "list(...)", "np.stack(v for v in [x])"),
    ("d = [a for a, b in zip([x], [1, 2], strict=True)]\nreturn s", "zip(strict=True) of 1 and 2 items", "", "zip([x], [1, 2], strict=True)"),
    ("d = list(itertools.count())\nreturn s", "more than 10000 items", "", "list(itertools.count())"),
    ("a, b = [x]\nreturn s", "1 values for 2 names", "", "a, b"),
    ("d = [x]\nd.append(d)\nreturn s", "a container that holds itself", "", "d.append(d)"),
    ("d = [x]\nfor v in d:\n    d.append(v)\nreturn s", "gets more or fewer items on the way", "list(...)", "d"),
    ("G.append(s)\nreturn np.sum(x)", "this would change its caller's list", "list(values)", "G.append(s)"),
    ("H['a'] = s\nreturn np.sum(x)", "this would change its caller's dict", "dict(params)", "H['a']"),
    ("d = [x]\nif s > 0:\n    d.append(s)\nreturn np.sum(d[-1])", "on one side of the `if`", "", "d"),
    ("d = [x]\nc = [x * 2]\ne = d if s > 0 else c\ne.append(x)\nreturn np.sum(d[-1])", "is not known", "a copy", "d"),
    ("d = f'{x[0]:.1f}'\nreturn np.sum(x) if d == '1.0' else s", "this text has to be known", "", "d == '1.0'"),
    ("d = f'{x[0]:.1f}'\nreturn s if d else x[0]", "this text has to be known", "", "d"),
    ("return np.sum(x) + sum({'a': x})", "text can only be added to text", "", "sum({'a': x})"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message", "hint", "construct"), ERRORS)
def test_error_points_at_the_construct(define, body, message, hint, construct):
    """The message says what is wrong and where."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    f = define(f"import itertools\nG = [1.0]\nH = {{}}\ndef f(x, s):\n{lines}")
    with pytest.raises(FlatgradError) as error:
        emit(f, X, 1.7)
    (problem,) = error.value.problems
    assert message in problem.message
    assert hint in problem.hint
    assert problem.text[problem.column - 1 : problem.end - 1] == construct


def test_a_list_that_is_a_default_of_a_function_is_its_own(define):
    """Each call would change what the next one gets: an error, not a fresh list."""
    f = define(
        "def g(x, seen=[]):\n    seen.append(x)\n    return sum(seen)\n\ndef f(x):\n    return np.sum(g(x)) + np.sum(g(x))\n"
    )
    with pytest.raises(FlatgradError, match="would change its caller's list"):
        emit(f, X)


def test_items_are_named_after_their_container(define):
    """A value that is known as an item only is called by the container's name and its key."""
    f = define(
        """
        def f(x, n=3):
            hs = {}
            for t in range(3):
                hs[t] = np.tanh(x * t)
            out = []
            out.append(hs[1] * hs[2])
            return np.sum(out[0])
        """
    )
    text = str(emit(f, X))
    assert "hs_1 = np.tanh(" in text
    assert "out_0 = hs_1 * hs_2" in text
    assert "grad_hs_2 = grad_out_0 * hs_1" in text


def test_an_item_does_not_take_a_name_of_the_user(define):
    """The user's variable keeps its name; the item goes without."""
    f = define("def f(x):\n    hs = [x * 2]\n    hs_0 = x * 3\n    return np.sum(hs[0] * hs_0)\n")
    text = str(emit(f, X))
    assert "hs_0 = x * 3" in text
    assert "hs_0_2" not in text
