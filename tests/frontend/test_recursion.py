"""The limit of recursion: as high as the open blocks ask for, and back where it was, whatever ends them."""

from __future__ import annotations

import sys
import threading

import pytest

from flatgrad.frontend.recursion import C_RECURSION_LIMIT, PYTHON_RECURSION_LIMIT, deep_recursion


@pytest.fixture(autouse=True)
def limit():
    """Return the limit, which has to be the same behind each test."""
    before = sys.getrecursionlimit()
    yield before
    assert sys.getrecursionlimit() == before


def test_blocks_inside_of_blocks(limit):
    """The limit is that of the block that asks for most."""
    with deep_recursion():
        assert sys.getrecursionlimit() == PYTHON_RECURSION_LIMIT
        with deep_recursion(C_RECURSION_LIMIT):
            assert sys.getrecursionlimit() == PYTHON_RECURSION_LIMIT
        assert sys.getrecursionlimit() == PYTHON_RECURSION_LIMIT
    with deep_recursion(C_RECURSION_LIMIT), deep_recursion(C_RECURSION_LIMIT + 1):
        assert sys.getrecursionlimit() == C_RECURSION_LIMIT + 1
    assert sys.getrecursionlimit() == limit


def test_a_block_that_did_not_end_is_no_longer_open(limit):
    """An interrupt may come before the end of a block has done anything: the next block sees that it is over."""

    def interrupted(depth):
        deep_recursion().__enter__()
        if depth:
            interrupted(depth - 1)
        raise KeyboardInterrupt

    def inner():
        with deep_recursion(C_RECURSION_LIMIT):
            # the frames of the error are still there, but they do not run
            assert sys.getrecursionlimit() == C_RECURSION_LIMIT

    for call in (inner, lambda: inner()):
        with pytest.raises(KeyboardInterrupt) as kept:
            interrupted(3)
        assert sys.getrecursionlimit() == PYTHON_RECURSION_LIMIT and kept.tb is not None
        call()
        assert sys.getrecursionlimit() == limit


def test_an_inner_block_that_did_not_end_ends_with_the_outer_one(limit):
    """What is open around it stays open."""

    def interrupted():
        deep_recursion().__enter__()
        raise KeyboardInterrupt

    with deep_recursion(C_RECURSION_LIMIT):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        with deep_recursion(C_RECURSION_LIMIT):
            assert sys.getrecursionlimit() == C_RECURSION_LIMIT
        assert sys.getrecursionlimit() == C_RECURSION_LIMIT


def test_threads_leave_in_any_order(limit):
    """The last one that leaves puts the limit back; a thread that is over has left."""
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with deep_recursion():
            inside.set()
            leave.wait(timeout=20)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(timeout=20)
    with deep_recursion(C_RECURSION_LIMIT):
        pass
    assert sys.getrecursionlimit() == PYTHON_RECURSION_LIMIT
    leave.set()
    thread.join()
    assert sys.getrecursionlimit() == limit
    abandoned = threading.Thread(target=lambda: deep_recursion().__enter__())
    abandoned.start()
    abandoned.join()
    with deep_recursion(C_RECURSION_LIMIT):
        assert sys.getrecursionlimit() == C_RECURSION_LIMIT
