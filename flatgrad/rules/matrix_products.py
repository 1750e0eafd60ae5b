"""Products of more than two matrices, powers, and products that are none of matrices: multi_dot, matrix_power, kron, cross.

In: these functions of NumPy. Out: their records. Layer: rules, above `contractions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, Size, SizeMismatch, broadcast, number_of, resolved, times, unify
from flatgrad.registry import Sample, inline, question, real, rule
from flatgrad.rules.contractions import product
from flatgrad.rules.linear_algebra import transposed
from flatgrad.rules.shapes import normal_axis, shape_of
from flatgrad.rules.solving import square
from flatgrad.rules.subscripts import terms_of_kron

# Chains of matrices


def chained(arrays: Any) -> Shape:
    """The rows of the first and the columns of the last matrix; a vector at an end has neither."""
    if not isinstance(arrays, tuple | list) or len(arrays) < 2:
        raise SizeMismatch("np.linalg.multi_dot takes a list of at least two arrays")
    shapes = [shape_of(x) for x in arrays]
    if any(len(shape) != 2 for shape in shapes[1:-1]) or any(len(shape) not in (1, 2) for shape in shapes):
        raise SizeMismatch(f"matrices of ranks {', '.join(str(len(shape)) for shape in shapes)}")
    for left, right in zip(shapes[:-1], shapes[1:], strict=True):
        unify(left[-1], right[0])
    return shapes[0][:-1] + shapes[-1][1:]


@inline
def product_of_all(factors):
    """Return a product of matrices, in the order that takes the least work."""
    if len(factors) < 2:
        result = factors[0] if len(factors) == 1 else None
    elif len(factors) == 2:
        result = factors[0] @ factors[1]
    else:
        result = np.linalg.multi_dot(factors)
    return result


@inline
def outer_of_given(a, b):
    """Return the outer product of two vectors, or the only one that is given."""
    if a is None:
        result = b
    elif b is None:
        result = a
    else:
        result = np.outer(a, b)
    return result


@rule(
    np.linalg.multi_dot,
    shape=chained,
    holomorphic=True,
    samples=[
        Sample((real(2, 3), real(3, 4))),
        Sample((real(2, 3), real(3, 4), real(4, 2))),
        Sample((real(2, 3), real(3, 4), real(4, 2), real(2, 3))),
        Sample((real(3), real(3, 4), real(4, 2))),
        Sample((real(2, 3), real(3, 4), real(4))),
        Sample((real(3), real(3, 4), real(4))),
        Sample((real(3), real(3))),
        Sample((real(2, 3), real(3))),
    ],
)
def grad_multi_dot(arrays, y, grad_y):
    if arrays[0].ndim == 2 and arrays[-1].ndim == 2:
        turned = [x.T for x in arrays]
        grads = [product_of_all([*turned[:k][::-1], grad_y, *turned[k + 1 :][::-1]]) for k in range(len(arrays))]
    else:
        # next to a matrix at an end stands the gradient of the result, which is a vector then
        front = [grad_y] if arrays[0].ndim == 2 else []
        back = [grad_y] if arrays[-1].ndim == 2 else []
        before = [product_of_all([*front, *arrays[:k]]) for k in range(len(arrays))]
        behind = [product_of_all([*arrays[k + 1 :], *back]) for k in range(len(arrays))]
        grads = [outer_of_given(before[k], behind[k]) for k in range(len(arrays))]
    grad_arrays = tuple([grad_y * grad for grad in grads] if y.ndim == 0 else grads)
    return grad_arrays


# Powers of a matrix


def powered(a: Any, *, n: Any) -> Shape:
    """The shape of the square matrices."""
    if not isinstance(n, int):
        raise TypeError("the exponent of np.linalg.matrix_power is a whole number")
    return square(a)


def between_powers(a, middle, n):
    """Return the sum of a**k @ middle @ a**(n - 1 - k) for all k < n: the change of a**n where a changes by middle."""
    power, change = a, middle
    for bit in f"{n:b}"[1:]:
        change = power @ change + change @ power
        power = power @ power
        if bit == "1":
            change = a @ change + middle @ power
            power = a @ power
    return change


def between_shape(a: Any, middle: Any, *, n: int) -> Shape:
    """The shape of the matrices."""
    return square(a)


@rule(
    between_powers,
    shape=between_shape,
    holomorphic=True,
    samples=[
        Sample(real(2, 2), real(2, 2), n=4),
        Sample(real(2, 2), real(2, 2), n=1),
        Sample(real(3, 2, 2), real(3, 2, 2), n=3),
    ],
)
def grad_between_powers(a, middle, y, grad_y, *, n):
    # the matrix of blocks and its transpose, in which the blocks above and below have changed places
    size = np.shape(a)[-1]
    turned, zeros = transposed(a), np.zeros_like(a)
    below = np.concatenate((turned, zeros), axis=-1)
    blocks = np.concatenate((below, np.concatenate((transposed(middle), turned), axis=-1)), axis=-2)
    above = np.concatenate((np.concatenate((zeros, grad_y), axis=-1), np.zeros_like(below)), axis=-2)
    grad_blocks = between_powers(blocks, above, n)
    grad_a = grad_blocks[..., :size, :size] + grad_blocks[..., size:, size:]
    grad_middle = grad_blocks[..., :size, size:]
    return grad_a, grad_middle


@inline
def power_back(turned, grad_y, n):
    """Return the sum of turned**k @ grad_y @ turned**(n - 1 - k) for all k < n.

    Higham 2008, Functions of Matrices, eq. 3.16 has it as a block of a power.
    """
    if n == 1:
        result = grad_y
    elif n == 2:
        result = turned @ grad_y + grad_y @ turned
    else:
        result = between_powers(turned, grad_y, n)
    return result


def _near_one(*shape: int) -> Any:
    return real(*shape) / 4 + np.eye(shape[-1])


@rule(
    np.linalg.matrix_power,
    shape=powered,
    holomorphic=True,
    samples=[
        *[Sample(_near_one(3, 3), n=n) for n in (0, 1, 2, 3, 5, -1, -2, -3)],
        *[Sample(_near_one(2, 3, 3), n=n) for n in (2, 4, -1, -3)],
    ],
)
def grad_matrix_power(a, y, grad_y, *, n):
    if n == 0:
        grad_a = np.zeros_like(a)
    elif n > 0:
        grad_a = power_back(transposed(a), grad_y, n)
    else:
        # a power of the inverse, which is y itself for n == -1
        turned = transposed(y if n == -1 else np.linalg.inv(a))
        grad_a = -(turned @ power_back(turned, grad_y, -n) @ turned)
    return grad_a


# Kronecker's product


def kron_shape(a: Any, b: Any) -> Shape:
    """The sizes of the last axes are multiplied, of the axes before them, and so on."""
    left, right = shape_of(a), shape_of(b)
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    return tuple(times(one, other) for one, other in pairs)


@rule(
    np.kron,
    shape=kron_shape,
    holomorphic=True,
    samples=[
        Sample(real(3), real(2)),
        Sample(real(2, 3), real(3, 2)),
        Sample(real(2, 2, 3), real(2, 1, 2)),
        Sample(real(3), real(2, 2)),
        Sample(real(2, 3), real(4)),
        Sample(real(2, 3), real(2, 2, 2)),
        Sample(real(2, 3), real()),
        Sample(real(), real(2)),
        Sample(real(), real()),
    ],
)
def grad_kron(a, b, y, grad_y):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        grad_a = grad_y * b
        grad_b = grad_y * a
    else:
        rank = max(a.ndim, b.ndim)
        left = a if a.ndim == rank else np.expand_dims(a, tuple(range(rank - a.ndim)))
        right = b if b.ndim == rank else np.expand_dims(b, tuple(range(rank - b.ndim)))
        # axis 2 * k counts blocks as axis k of a does, axis 2 * k + 1 the elements of each as axis k of b
        blocks = np.reshape(grad_y, tuple([np.shape(x)[k] for k in range(rank) for x in (left, right)]))
        of_a, of_b, of_blocks = terms_of_kron(rank)
        grad_a = product(f"{of_blocks},{of_b}", blocks, right, of_a, False)
        grad_b = product(f"{of_a},{of_blocks}", left, blocks, of_b, False)
        if a.ndim < rank:
            grad_a = np.squeeze(grad_a, axis=tuple(range(rank - a.ndim)))
        if b.ndim < rank:
            grad_b = np.squeeze(grad_b, axis=tuple(range(rank - b.ndim)))
    return grad_a, grad_b


# Products of vectors in space


def cross_shape(a: Any, b: Any, *, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Shape:
    """The axes of the vectors meet, all others broadcast; the vectors of the result lie along `axisc`."""
    if axis is not None:
        axisa = axisb = axisc = axis
    others, lengths = [], []
    for x, along in ((a, axisa), (b, axisb)):
        shape = shape_of(x)
        place = normal_axis(along, len(shape))
        lengths.append(number_of(shape[place]))
        others.append(shape[:place] + shape[place + 1 :])
    if not set(lengths) <= {2, 3}:
        raise SizeMismatch(f"vectors of {lengths[0]} and {lengths[1]} elements; a cross product has those of 2 or 3")
    result = broadcast(others)
    if lengths == [2, 2]:
        return result
    place = normal_axis(axisc, len(result) + 1)
    return (*result[:place], 3, *result[place:])


def dtype_of_both(a: Any, b: Any, **_: Any) -> np.dtype[Any]:
    """The dtype of a product of their elements."""
    return np.result_type(a.dtype, b.dtype)


@question
def length_along(x: Any, axis: int) -> Size:
    """Return the length of the vectors along an axis."""
    return resolved(shape_of(x)[axis])


@rule(
    np.cross,
    shape=cross_shape,
    dtype=dtype_of_both,
    holomorphic=True,
    samples=[
        Sample(real(3), real(3) + 1),
        Sample(real(2, 3), real(2, 3) + 1),
        Sample(real(2, 3), real(3)),
        Sample(real(3), real(4, 2, 3)),
        Sample(real(1, 3), real(4, 3)),
        Sample(real(3, 2), real(3, 2) + 1, axis=0),
        Sample(real(3, 2), real(3, 4, 2), axis=0),
        Sample(real(3, 2), real(2, 3), axisa=0),
        Sample(real(3, 2), real(2, 3), axisa=0, axisc=0),
        Sample(real(3, 2), real(4, 2, 3), axisa=0, axisb=-1, axisc=1),
        Sample(real(4, 3, 2), real(3), axisa=1, axisc=0),
    ],
)
def grad_cross(a, b, y, grad_y, *, axisa=-1, axisb=-1, axisc=-1, axis=None):
    # axes are counted from the end, where those that broadcast line up
    along_a = (axisa if axis is None else axis) % a.ndim - a.ndim
    along_b = (axisb if axis is None else axis) % b.ndim - b.ndim
    if length_along(a, along_a) == 2 and length_along(b, along_b) == 2:
        first, second = np.moveaxis(a, along_a, 0), np.moveaxis(b, along_b, 0)
        grad_a = np.stack((grad_y * second[1], -grad_y * second[0]), axis=along_a)
        grad_b = np.stack((-grad_y * first[1], grad_y * first[0]), axis=along_b)
    else:
        along_y = (axisc if axis is None else axis) % y.ndim - y.ndim
        if along_a == along_b == along_y == -1:
            grad_a = np.cross(b, grad_y)
            grad_b = np.cross(grad_y, a)
        elif along_a == along_b == along_y:
            along = along_a if axis is None or not a.ndim == b.ndim == y.ndim else axis
            grad_a = np.cross(b, grad_y, axis=along)
            grad_b = np.cross(grad_y, a, axis=along)
        else:
            grad_a = np.cross(b, grad_y, axisa=along_b, axisb=along_y, axisc=along_a)
            grad_b = np.cross(grad_y, a, axisa=along_y, axisb=along_a, axisc=along_b)
        # a vector of 2 elements has a 0 for its third
        if length_along(a, along_a) == 2:
            grad_a = grad_a[(..., slice(2)) + (slice(None),) * (-1 - along_a)]
        if length_along(b, along_b) == 2:
            grad_b = grad_b[(..., slice(2)) + (slice(None),) * (-1 - along_b)]
    return grad_a, grad_b
