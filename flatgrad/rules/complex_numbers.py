"""The parts of complex numbers: real, imag, conj, angle, and the questions about them.

In: nothing. Out: their records. Layer: rules.

A complex number only comes up between real arguments and real results. The gradient of z = a + bi is dL/da - i dL/db, the
convention of JAX: with it a holomorphic function has the rule that it has for real numbers, and its factor is never conjugated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.registry import Kink, Sample, imaginary, inline, no_gradient, real, rule
from flatgrad.rules.shapes import same, shape_of

PLANE = [Sample(imaginary(2, 3)), Sample(imaginary(3), second=False)]


@rule(np.real, shape=same, linear=True, view=True, samples=[*PLANE, Sample(real(2, 3))])
def grad_real(x, y, grad_y):
    grad_x = grad_y
    return grad_x


@rule(np.imag, shape=same, linear=True, view=True, samples=PLANE)
def grad_imag(x, y, grad_y):
    grad_x = -1j * grad_y if np.iscomplexobj(x) else np.zeros_like(x)
    return grad_x


@rule(np.conj, shape=same, linear=True, samples=[*PLANE, Sample(real(2, 3))])
def grad_conj(x, y, grad_y):
    grad_x = np.conj(grad_y) if np.iscomplexobj(x) else grad_y
    return grad_x


@rule(
    np.angle,
    shape=same,
    holomorphic=True,
    samples=[Sample(imaginary(2, 3)), Sample(imaginary(3), deg=True)],
    kinks=[Kink("angle(0)", "0", (np.array([0j]),), (np.array([0j]),), jax="nan", torch="0")],
)
def grad_angle(x, y, grad_y, *, deg=False):
    if np.iscomplexobj(x):
        # 1 stands for 0, where the gradient is 0
        z = x + (x == 0)
        grad_angle = np.degrees(grad_y) if deg else grad_y
        grad_x = -1j * grad_angle * (x != 0) / z
    else:
        grad_x = np.zeros_like(x)
    return grad_x


@inline
def conjugated(x):
    """Return the conjugate of an array; a real one is its own."""
    return np.conj(x) if np.iscomplexobj(x) else x


def one_number(*_: Any, **__: Any) -> Shape:
    """A number."""
    return ()


@rule(complex, shape=one_number, linear=True, samples=[Sample(real(), 0.5), Sample(real())])
def grad_complex(a, b=None, y=None, grad_y=None):
    grad_a = grad_y
    grad_b = None if b is None else 1j * grad_y
    return grad_a, grad_b


@rule(np.complex128, shape=same, linear=True, samples=[Sample(real(3)), Sample(imaginary(2, 3))])
def grad_complex128(x, y, grad_y):
    grad_x = grad_y
    return grad_x


def sorted_rows(x: Any) -> Shape:
    """The shape of x, whose rows are sorted."""
    if not shape_of(x):
        raise SizeMismatch("a number can't be sorted")
    return shape_of(x)


@rule(
    np.sort_complex,
    shape=sorted_rows,
    linear=True,
    samples=[Sample(imaginary(4)), Sample(real(5)), Sample(imaginary(2, 3))],
)
def grad_sort_complex(x, y, grad_y):
    back = np.argsort(np.argsort(x, kind="stable"))
    grad_x = grad_y[back] if x.ndim == 1 else np.take_along_axis(grad_y, back, axis=-1)
    if not np.iscomplexobj(x):
        grad_x = grad_x.real
    if grad_x.dtype != x.dtype:
        grad_x = grad_x.astype(x.dtype)
    return grad_x


def kept_real(x: Any, **_: Any) -> Shape:
    """The shape of x, whose numbers are real: of complex ones it is data whether they become real."""
    if np.dtype(x.dtype).kind == "c":
        raise TypeError("whether complex numbers become real is data; take .real")
    return shape_of(x)


@rule(np.real_if_close, shape=kept_real, linear=True, holomorphic=False, samples=[Sample(real(2, 3))])
def grad_real_if_close(x, y, grad_y, *, tol=100):
    grad_x = grad_y
    return grad_x


no_gradient(np.iscomplex, np.isreal, shape=same, samples=[Sample(real(2, 3)), Sample(imaginary(3))])
