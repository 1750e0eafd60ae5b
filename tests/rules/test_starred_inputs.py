"""Inputs that a call gives one by one: `*operands` in a rule."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from flatgrad.binding import ArgumentError, bound, spread
from flatgrad.registry import lookup


def total(first, *others, scale=1.0):
    return scale * sum(others, first)


def grad_total(first, *others, y, grad_y, scale=1.0):
    grad_first = grad_y * scale
    grad_others = (grad_y * scale,) * len(others)
    return grad_first, grad_others


RECORD = replace(lookup(np.sin), functions=(total,), gradient=grad_total)


def test_the_inputs_are_those_before_and_behind_the_star():
    assert RECORD.inputs == ("first", "others")
    assert [parameter.name for parameter in RECORD.parameters] == ["first", "others", "scale"]
    assert RECORD.parameters[1].kind is inspect.Parameter.VAR_POSITIONAL


@pytest.mark.parametrize(
    ("args", "arguments"),
    [
        ((1,), {"first": 1, "others": ()}),
        ((1, 2), {"first": 1, "others": (2,)}),
        ((1, 2, 3), {"first": 1, "others": (2, 3)}),
    ],
)
def test_what_comes_behind_is_one_tuple(args, arguments):
    assert bound(total, RECORD, args, {}) == (arguments, 2)
    assert bound(total, RECORD, args, {"scale": 2.0}) == (arguments | {"scale": 2.0}, 2)


def test_a_tuple_can_not_be_given_by_its_name():
    with pytest.raises(ArgumentError, match="is given `others` twice"):
        bound(total, RECORD, (1,), {"others": (2,)})


def test_a_call_gives_the_parts_one_by_one():
    record = lookup(np.meshgrid)
    assert record is not None and record.starred is not None
    args, kwargs = spread(np.meshgrid, *bound(np.meshgrid, record, (1, 2, 3), {"indexing": "ij"}))
    assert (args, kwargs) == ([1, 2, 3], {"indexing": "ij"})
