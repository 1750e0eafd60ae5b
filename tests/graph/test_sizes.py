"""Sizes are polynomials over symbols, and operations tell which of them are equal."""

import pytest

from flatgrad.graph.size import SizeMismatch, derived, equal, resolved, symbolic, times, unify


def test_equal_sizes_are_one_from_then_on():
    """A symbol stands for what it was found equal to, also inside of products."""
    n, m = symbolic("n"), symbolic("m")
    area = times(n, m)
    unify(n, m)
    assert equal(area, times(m, m)) is True
    unify(m, 3)
    assert resolved(area) == 9
    with pytest.raises(SizeMismatch):
        unify(area, 8)


def test_a_size_never_stands_for_a_multiple_of_itself():
    """s = s * s holds for 1; a symbol that stood for its own square would have no end."""
    for size in (symbolic("n"), derived("third", symbolic("n"), lambda number: number // 3)):
        unify(size, times(size, size))
        assert resolved(size) == size
        assert resolved(times(size, size)) == times(size, size)
