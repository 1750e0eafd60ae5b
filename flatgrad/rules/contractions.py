"""Sums of products in Einstein's notation: np.einsum.

In: nothing. Out: its record. The gradient of an operand is a contraction of the gradient of the result with the other operands.
Layer: rules.
"""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch, broadcast_size
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import shape_of


def terms_of(subscripts: str, *ranks: int) -> tuple[str, ...]:
    """Return the indices of each operand, then those of the result, an ellipsis written as letters.

    Raises SizeMismatch where they don't fit to the ranks, TypeError for what is not differentiated.
    """
    if not isinstance(subscripts, str):
        raise TypeError("write the subscripts as a text: 'ij,jk->ik'")
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    parts = given.split(",")
    if len(parts) != len(ranks):
        raise SizeMismatch(f"the subscripts {subscripts!r} for {len(ranks)} operands")
    free = [letter for letter in string.ascii_uppercase if letter not in subscripts]
    widths = [rank - len(part.replace("...", "")) for part, rank in zip(parts, ranks, strict=True)]
    if any(width and (width < 0 or "..." not in part) for part, width in zip(parts, widths, strict=True)):
        raise SizeMismatch(f"the subscripts {subscripts!r} for operands of ranks {', '.join(map(str, ranks))}")
    # the axes of an ellipsis meet from the last one on
    letters = "".join(free[: max(widths)])
    terms = [part.replace("...", letters[len(letters) - width :]) for part, width in zip(parts, widths, strict=True)]
    if any(len(set(term)) < len(term) for term in terms):
        raise TypeError(f"{subscripts!r} repeats an index in one operand; np.diagonal and np.trace pick diagonals")
    if not arrow:
        every = "".join(terms)
        result = letters + "".join(sorted(letter for letter in set(every) - set(letters) if every.count(letter) == 1))
    return (*terms, result.replace("...", letters))


def subscripts_back(terms: tuple[str, ...], operand: int) -> str:
    """Return the subscripts of an operand's gradient: of the result's gradient and the other operands, in their order."""
    others = [terms[-1], *(term for k, term in enumerate(terms[:-1]) if k != operand)]
    known = "".join(others)
    return f"{','.join(others)}->{''.join(letter for letter in terms[operand] if letter in known)}"


def is_unchanged(subscripts: str) -> bool:
    """Tell whether a contraction of one operand gives it as it is."""
    given, _, result = subscripts.partition("->")
    return given == result


def axes_alone(terms: tuple[str, ...], operand: int) -> int | tuple[int, ...]:
    """Return the axes of an operand that are summed over by themselves, or the only one."""
    known = "".join(term for k, term in enumerate(terms) if k != operand)
    axes = tuple(k for k, letter in enumerate(terms[operand]) if letter not in known)
    return axes[0] if len(axes) == 1 else axes


def contracted(subscripts: Any, *operands: Any, optimize: Any = False) -> Shape:
    """The axes that the subscripts name behind the arrow."""
    shapes = [shape_of(operand) for operand in operands]
    *terms, result = terms_of(subscripts, *map(len, shapes))
    sizes: dict[str, Size] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = broadcast_size(sizes.get(letter, 1), size)
    if any(letter not in sizes for letter in result) or len(set(result)) < len(result):
        raise SizeMismatch(f"the indices {result!r} of the result in {subscripts!r}")
    return tuple(sizes[letter] for letter in result)


@rule(
    np.einsum,
    shape=contracted,
    holomorphic=True,
    samples=[
        Sample("ij,jk->ik", real(2, 3), real(3, 4)),
        Sample("ij,jk", real(2, 3), real(3, 4)),
        Sample("bij,bjk->bik", real(2, 2, 3), real(2, 3, 4)),
        Sample("i,j->ji", real(2), real(3)),
        Sample("ij,ij->", real(2, 3), real(2, 3)),
        Sample("i,i", real(3), real(3)),
        Sample("ij,k->i", real(2, 3), real(2)),
        Sample("ij,j->", real(2, 3), real(3)),
        Sample("ij,ji->", real(2, 3), real(3, 2)),
        Sample("ij,ij->i", real(2, 1), real(2, 3)),
        Sample("ij->ji", real(2, 3)),
        Sample("ijk->j", real(2, 3, 2)),
        Sample("ij->", real(2, 3)),
        Sample("...ij,...j->...i", real(2, 2, 3), real(3)),
        Sample("i,ij,j->", real(2), real(2, 3), real(3)),
        Sample("bi,ij,bj->b", real(2, 2), real(2, 3), real(2, 3), optimize=True),
        Sample("ab,bc,cd,de->ae", real(2, 2), real(2, 3), real(3, 2), real(2, 2)),
    ],
)
def grad_einsum(subscripts, *operands, y, grad_y, optimize=False):
    terms = terms_of(subscripts, *[np.ndim(x) for x in operands])
    grad_operands: tuple[Any, ...] = ()
    for k in range(len(operands)):
        back = subscripts_back(terms, k)
        others = (*operands[:k], *operands[k + 1 :])
        if terms[-1] != "":
            grad_x = np.einsum(back, grad_y, *others, optimize=optimize or len(others) > 1)
        elif len(others) == 0:
            grad_x = grad_y
        elif len(others) == 1 and is_unchanged(back[1:]):
            grad_x = grad_y * others[0]
        else:
            # ",ij,j->i": the gradient of the result is a number
            grad_x = grad_y * np.einsum(back[1:], *others, optimize=optimize or len(others) > 2)
        if axes_alone(terms, k) != ():
            grad_x = np.full_like(operands[k], np.expand_dims(grad_x, axes_alone(terms, k)))
        grad_operands = (*grad_operands, grad_x)
    return grad_operands
