"""Arrays put together from blocks: np.block.

In: nothing. Out: its record. Layer: rules, above `joining`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, question, real, rule
from flatgrad.rules.joining import joined
from flatgrad.rules.shapes import shape_of
from flatgrad.rules.static import part_between, shortened


def _depth(blocks: Any) -> int:
    """How deep lists are nested."""
    if not isinstance(blocks, tuple | list):
        return 0
    if not blocks or len({_depth(block) for block in blocks}) > 1:
        raise SizeMismatch("blocks are lists of arrays, or lists of such lists, all nested to one depth")
    return 1 + _depth(blocks[0])


def _leaves(blocks: Any) -> Iterator[Any]:
    for block in blocks if isinstance(blocks, tuple | list) else ():
        yield from _leaves(block)
    if not isinstance(blocks, tuple | list):
        yield blocks


def blocked(blocks: Any) -> Shape:
    """The innermost lists are joined along the last axis, those around them along the one before it, and so on."""
    depth = _depth(blocks)
    rank = max(depth, *(len(shape_of(block)) for block in _leaves(blocks)))
    return _blocked(blocks, depth, rank)


def _blocked(blocks: Any, depth: int, rank: int) -> Shape:
    if not depth:
        shape = shape_of(blocks)
        return (1,) * (rank - len(shape)) + shape
    return joined([_blocked(block, depth - 1, rank) for block in blocks], -depth)


def dtype_of_all(blocks: Any) -> np.dtype[Any]:
    """The dtype that all of them fit into; NumPy makes an array of each number first."""
    return np.result_type(
        *[leaf.dtype if isinstance(leaf, Value) else np.asarray(leaf).dtype for leaf in _leaves(blocks)]
    )


@question
def blocks_before(blocks: Any, rank: int) -> tuple[Any, ...]:
    """Return each block with, for each axis of the result, the blocks before it along that axis and whether it is the last.

    The axes are counted from the back.
    """
    around = tuple([(axis, (), True) for axis in range(-rank, -_depth(blocks))])
    return tuple(_blocks_before(blocks, around))


def _blocks_before(blocks: Any, around: tuple[Any, ...]) -> Iterator[Any]:
    if not isinstance(blocks, tuple | list):
        yield blocks, around
        return
    for k, block in enumerate(blocks):
        # all blocks in a list have the same size along the axes of the lists around it
        before = tuple([next(_leaves(other)) for other in blocks[:k]])
        yield from _blocks_before(block, (*around, (-_depth(blocks), before, k == len(blocks) - 1)))


@rule(
    np.block,
    shape=blocked,
    dtype=dtype_of_all,
    linear=True,
    samples=[
        Sample([real(3), real(2)]),
        Sample([real(), real(2), 1.5]),
        Sample([[real(2, 3), real(2, 1)], [real(1, 3), real(1, 1)]]),
        Sample([[real(2, 2), real(2, 1), real(2, 3)]]),
        Sample([[real(2, 2)], [real(3, 2)]]),
        Sample([[real(1, 1), real()], [real(2)], [real(3, 2)]]),
        Sample([real(2, 3), real(2, 2)]),
        Sample([real(1, 2, 3), real(2, 2)]),
        Sample([[[real(1, 2, 2), real(1, 2, 1)]], [[real(2), real()], [real(1, 3)]]]),
        Sample(real(2, 3)),
    ],
)
def grad_block(blocks, y, grad_y):
    rank = np.ndim(grad_y)
    found = blocks_before(blocks, rank)
    starts = [
        [
            sum([np.shape(x)[np.ndim(x) + axis] if np.ndim(x) >= -axis else 1 for x in before])
            for axis, before, _ in around
        ]
        for _, around in found
    ]
    stops = [
        [
            None
            if is_last
            else sum([np.shape(x)[np.ndim(x) + axis] if np.ndim(x) >= -axis else 1 for x in (*before, block)])
            for axis, before, is_last in around
        ]
        for block, around in found
    ]
    # a block of lower rank has one element along the axes that it lacks
    indices = [
        tuple([
            starts[k][axis] if axis < rank - np.ndim(found[k][0]) else part_between(starts[k][axis], stops[k][axis])
            for axis in range(rank)
        ])
        for k in range(len(found))
    ]  # fmt: skip
    grad_blocks: Any = tuple([grad_y[shortened(index)] for index in indices])
    if not isinstance(blocks, tuple):
        grad_blocks = grad_y
    return grad_blocks
