"""Sums of products along any axes: np.einsum and np.tensordot.

In: these functions. Out: their records. The gradient of an operand is a contraction of the gradient of the result with the other operands:
a matrix product, an outer product, or another einsum. Layer: rules, above `linear_algebra` and `subscripts`.
"""

from __future__ import annotations

import numpy as np

from flatgrad.registry import Sample, inline, real, rule
from flatgrad.rules.linear_algebra import transposed
from flatgrad.rules.placing import dtype_of_like, shape_of_like
from flatgrad.rules.subscripts import (
    contracted,
    moved_axes,
    nothing_for,
    places_of_arrays,
    product_of,
    summed_axes,
    tensordot_shape,
    terms_of_tensordot,
    ways_back,
)


@inline
def rearranged(x, given, wanted):
    """Return an array with its axes in another order, and those that are not wanted summed over."""
    summed = summed_axes(given, wanted)
    if given == wanted:
        result = x
    elif len(given) == 2 and given == wanted[::-1]:
        result = x.T
    elif sorted(given) == sorted(wanted):
        result = np.transpose(x, moved_axes(given, wanted))
    elif summed is not None:
        result = np.sum(x, axis=summed)
    else:
        result = np.einsum(f"{given}->{wanted}", x)
    return result


@inline
def contraction(given, factors, wanted, optimize):
    """Return a contraction as np.einsum gives it, which has to look for an order of more than two factors."""
    if optimize or len(factors) > 2:
        result = np.einsum(f"{given}->{wanted}", *factors, optimize=True)
    else:
        result = np.einsum(f"{given}->{wanted}", *factors)
    return result


@inline
def product(given, a, b, wanted, optimize):
    """Return the contraction of two arrays, by the function that is best known for it."""
    found = product_of(given, a, b, wanted)
    left, right = (b, a) if found.swapped else (a, b)
    if found.kind == "matmul":
        result = (transposed(left) if found.first else left) @ (transposed(right) if found.second else right)
    elif found.kind == "outer":
        result = np.outer(left, right)
    elif found.kind == "tensordot":
        result = np.tensordot(left, right, axes=(found.first, found.second))
        result = result if found.order is None else np.transpose(result, found.order)
    elif found.kind == "*":
        lined_up = [x if axes == () else np.expand_dims(x, axes) for x, axes in ((a, found.first), (b, found.second))]
        result = lined_up[0] * lined_up[1]
    else:
        result = contraction(given, (a, b), wanted, optimize)
    return result


def on_diagonals(values, subscripts, like):
    """Return zeros like an array, with values where np.einsum picks these subscripts from it."""
    zeros = np.zeros_like(like)
    np.einsum(subscripts, zeros)[...] = values
    return zeros


@rule(
    on_diagonals,
    shape=shape_of_like,
    dtype=dtype_of_like,
    linear=True,
    samples=[
        Sample(real(3), subscripts="ii->i", like=real(3, 3)),
        Sample(real(), subscripts="ii->i", like=real(3, 3)),
        Sample(real(2, 3), subscripts="iji->ij", like=real(2, 3, 2)),
        Sample(real(1, 3), subscripts="iji->ij", like=real(2, 3, 2)),
    ],
)
def grad_on_diagonals(values, y, grad_y, *, subscripts, like):
    grad_values = np.einsum(subscripts, grad_y)
    return grad_values


@inline
def filled(values, x, way):
    """Return the gradient of an operand from its values along the axes that are kept."""
    # a number fills an array as it is
    lined_up = values if way.missing == () or way.fills else np.expand_dims(values, way.missing)
    if way.diagonal == "ii->i" and way.kept == "i":
        result = np.diag(values)
    elif way.diagonal == "ii->i":
        result = np.diag(np.full(len(x), values))
    elif way.diagonal is not None:
        result = on_diagonals(lined_up, way.diagonal, x)
    elif way.stretched:
        result = np.full_like(x, lined_up)
    else:
        result = lined_up
    return result


@rule(
    np.einsum,
    shape=contracted,
    holomorphic=True,
    view=True,
    samples=[
        Sample("ij,jk->ik", real(2, 3), real(3, 4)),
        Sample("ij,jk", real(2, 3), real(3, 4)),
        Sample("ij,jk->ki", real(2, 3), real(3, 4)),
        Sample("bij,bjk->bik", real(2, 2, 3), real(2, 3, 4)),
        Sample("bji,bkj->bki", real(2, 2, 3), real(2, 3, 2)),
        Sample("bti,io->bto", real(2, 2, 3), real(3, 4)),
        Sample("bij,jk->bki", real(2, 2, 3), real(3, 4)),
        Sample("bqhd,bkhd->bhqk", real(2, 2, 2, 3), real(2, 3, 2, 3)),
        Sample("i,j->ji", real(2), real(3)),
        Sample("j,ij->i", real(3), real(2, 3)),
        Sample("bij,j->bi", real(2, 2, 3), real(3)),
        Sample("bij,bj->bi", real(2, 2, 3), real(2, 3)),
        Sample("i,ijk->jk", real(2), real(2, 3, 4)),
        Sample("ij,ij->i", real(2, 3), real(2, 3)),
        Sample("i,ij->ij", real(2), real(2, 3)),
        Sample("i,i", real(3), real(3)),
        Sample("ij,k->i", real(2, 3), real(2)),
        Sample("ij,j->", real(2, 3), real(3)),
        Sample("ij,ji->", real(2, 3), real(3, 2)),
        Sample("ij,->ij", real(2, 3), real()),
        Sample("ij->ji", real(2, 3)),
        Sample("ijk->kij", real(2, 3, 4)),
        Sample("ijk->j", real(2, 3, 2)),
        Sample("ijk->ki", real(2, 3, 2)),
        Sample("ij->", real(2, 3)),
        # an index twice
        Sample("ii", real(3, 3)),
        Sample("ii->i", real(3, 3)),
        Sample("iij->j", real(2, 2, 3)),
        Sample("iji->ji", real(2, 3, 2)),
        Sample("ijij->i", real(2, 3, 2, 3)),
        Sample("ii,ij->j", real(2, 2), real(2, 3)),
        Sample("iij,jk->ik", real(2, 2, 3), real(3, 4)),
        # sizes of 1 that broadcast
        Sample("ij,ij->i", real(2, 1), real(2, 3)),
        Sample("ij,jk->ik", real(2, 1), real(3, 4)),
        Sample("ij,jk->ik", real(2, 3), real(1, 4)),
        Sample("ij,j->ij", real(2, 3), real(1)),
        Sample("bij,bjk->bik", real(1, 2, 3), real(2, 3, 4)),
        Sample("ii,i->i", real(3, 3), real(1)),
        Sample("ii,i->i", real(1, 1), real(3)),
        Sample("ij,ij,jk->ik", real(2, 1), real(1, 3), real(3, 2)),
        # ellipses
        Sample("...ij,...j->...i", real(2, 2, 3), real(3)),
        Sample("...ij,...jk", real(2, 3, 2, 3), real(3, 3, 2)),
        Sample("i...->...", real(2, 3)),
        Sample("...,...->...", real(2, 3), real(3)),
        Sample("...ii->...i", real(2, 3, 3)),
        # several operands
        Sample("i,ij,j->", real(2), real(2, 3), real(3)),
        Sample("bi,ij,bj->b", real(2, 2), real(2, 3), real(2, 3), optimize=True),
        Sample("ab,bc,cd,de->ae", real(2, 2), real(2, 3), real(3, 2), real(2, 2)),
        Sample("ij,jk->ik", real(2, 3), real(3, 4), optimize="optimal"),
        Sample("ij,ik,il->jkl", real(3, 2), real(3, 2), real(3, 2), order="C"),
        # lists of numbers
        Sample(real(2, 3), [0, 1], real(3, 4), [1, 2], [0, 2]),
        Sample(real(2, 3), [1, 0], real(3), [0]),
        Sample(real(2, 2, 3), [..., 0, 1], real(3), [1], [..., 0]),
        Sample(real(3, 3), [4, 4]),
    ],
)
def grad_einsum(*operands, y, grad_y, optimize=False, dtype=None, order="K", casting="safe"):
    places = places_of_arrays(*operands)
    arrays = [operands[place] for place in places]
    grad_arrays = []
    for k, way in enumerate(ways_back(*operands)):
        others = (*arrays[:k], *arrays[k + 1 :])
        factors = (grad_y, *others) if y.ndim > 0 else others
        if len(factors) == 0:
            values = grad_y
        elif len(factors) == 1:
            values = rearranged(factors[0], way.given, way.kept)
        elif len(factors) == 2:
            values = product(way.given, factors[0], factors[1], way.kept, optimize)
        else:
            values = contraction(way.given, factors, way.kept, optimize)
        if y.ndim == 0 and len(factors) > 0:
            values = grad_y * values
        grad_arrays += [filled(values, arrays[k], way)]
    grad_operands = tuple(
        [grad_arrays[places.index(k)] if k in places else nothing_for(operands[k]) for k in range(len(operands))]
    )
    return grad_operands


@rule(
    np.tensordot,
    np.linalg.tensordot,
    shape=tensordot_shape,
    holomorphic=True,
    samples=[
        Sample(real(4, 2, 3), real(2, 3, 5)),
        Sample(real(4, 3), real(3, 5), axes=1),
        Sample(real(4, 3), real(2), axes=0),
        Sample(real(3), real(2), axes=0),
        Sample(real(2, 3), real(3, 4), axes=(1, 0)),
        Sample(real(2, 3), real(2, 4), axes=(0, 0)),
        Sample(real(2, 3), real(4, 3), axes=[1, 1]),
        Sample(real(2, 3, 4), real(4, 5, 2), axes=((0, 2), (2, 0))),
        Sample(real(2, 3, 4), real(4, 2, 3, 2), axes=((1, -1), (-2, 0))),
        Sample(real(2, 3, 4), real(3, 5), axes=([1], [0])),
        Sample(real(2, 3), real(2, 3)),
        Sample(real(2, 3), real(3, 2), axes=([0, 1], [1, 0])),
    ],
)
def grad_tensordot(a, b, y, grad_y, *, axes=2):
    of_a, of_b, of_y = terms_of_tensordot(a, b, axes)
    if y.ndim == 0:
        grad_a = grad_y * rearranged(b, of_b, of_a)
        grad_b = grad_y * rearranged(a, of_a, of_b)
    else:
        grad_a = product(f"{of_y},{of_b}", grad_y, b, of_a, False)
        grad_b = product(f"{of_a},{of_y}", a, grad_y, of_b, False)
    return grad_a, grad_b
