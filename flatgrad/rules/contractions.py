"""Sums of products in Einstein's notation: np.einsum with one to three operands.

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
    ],
)
def grad_einsum(subscripts, a, b=None, c=None, y=None, grad_y=None, *, optimize=False):
    if c is not None:
        terms = terms_of(subscripts, np.ndim(a), np.ndim(b), np.ndim(c))
        to_a, to_b, to_c = [subscripts_back(terms, k) for k in range(3)]
        if terms[-1] == "":
            # ",ij,j->i": the gradient of the result is a number
            grad_a = grad_y * np.einsum(to_a[1:], b, c)
            grad_b = grad_y * np.einsum(to_b[1:], a, c)
            grad_c = grad_y * np.einsum(to_c[1:], a, b)
        else:
            grad_a = np.einsum(to_a, grad_y, b, c, optimize=True)
            grad_b = np.einsum(to_b, grad_y, a, c, optimize=True)
            grad_c = np.einsum(to_c, grad_y, a, b, optimize=True)
    elif b is not None:
        terms = terms_of(subscripts, np.ndim(a), np.ndim(b))
        to_a, to_b = [subscripts_back(terms, k) for k in range(2)]
        if terms[-1] == "":
            grad_a = grad_y * (b if is_unchanged(to_a[1:]) else np.einsum(to_a[1:], b))
            grad_b = grad_y * (a if is_unchanged(to_b[1:]) else np.einsum(to_b[1:], a))
        else:
            grad_a = np.einsum(to_a, grad_y, b)
            grad_b = np.einsum(to_b, grad_y, a)
        grad_c = None
    else:
        terms = terms_of(subscripts, np.ndim(a))
        to_a = subscripts_back(terms, 0)
        grad_a = grad_y if is_unchanged(to_a) else np.einsum(to_a, grad_y)
        grad_b, grad_c = None, None
    if axes_alone(terms, 0) != ():
        grad_a = np.full_like(a, np.expand_dims(grad_a, axes_alone(terms, 0)))
    if b is not None and axes_alone(terms, 1) != ():
        grad_b = np.full_like(b, np.expand_dims(grad_b, axes_alone(terms, 1)))
    if c is not None and axes_alone(terms, 2) != ():
        grad_c = np.full_like(c, np.expand_dims(grad_c, axes_alone(terms, 2)))
    return grad_a, grad_b, grad_c
