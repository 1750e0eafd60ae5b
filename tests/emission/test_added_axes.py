"""Tests for the index that gives an array new axes."""

import itertools

import numpy as np
import pytest

from flatgrad.emission.added_axes import added_axes


@pytest.mark.parametrize(
    ("rank", "axis"),
    [
        (rank, axes)
        for rank in (1, 2, 3)
        for count in (1, 2)
        for axes in itertools.permutations(range(-rank - count, rank + count), count)
        if len({axis % (rank + count) for axis in axes}) == count
    ],
)
def test_index_does_what_expand_dims_does(rank, axis):
    x = np.zeros((2, 3, 4)[:rank])
    index = added_axes(rank, axis if len(axis) > 1 else axis[0])
    assert eval(f"x[{index}]", {"x": x}).shape == np.expand_dims(x, axis).shape


def test_index_is_short():
    assert added_axes(1, 1) == ":, None"
    assert added_axes(2, 0) == "None"
    assert added_axes(3, -1) == "..., None"
