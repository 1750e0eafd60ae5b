"""How the gradients of products of arrays read, and what the samples of the rules can't have: warnings, lists, sizes."""

import linecache

import numpy as np
import pytest

from flatgrad.api import emit, vjp
from flatgrad.errors import FlatgradError


def defined(expression, parameters="a, b"):
    """Return a function of this expression, with its source where flatgrad looks for it."""
    text = f"def f({parameters}):\n    y = {expression}\n    return np.sum(y)\n"
    filename = f"<product {expression}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope = {"np": np}
    exec(compile(text, filename, "exec"), scope)
    return scope["f"]


WRITTEN = {
    "np.einsum('ij,jk->ik', a, b)": ("(n,k)", "(k,m)", "grad_y @ b.T", "a.T @ grad_y"),
    "np.einsum('ij,kj->ik', a, b)": ("(n,k)", "(m,k)", "grad_y @ b", "grad_y.T @ a"),
    "np.einsum('ij,j->i', a, b)": ("(n,k)", "(k,)", "np.outer(grad_y, b)", "grad_y @ a"),
    "np.einsum('bij,bjk->bik', a, b)": (
        "(l,n,k)",
        "(l,k,m)",
        "grad_y @ np.swapaxes(b, -1, -2)",
        "np.swapaxes(a, -1, -2) @ grad_y",
    ),
    "np.einsum('bti,io->bto', a, b)": (
        "(l,n,k)",
        "(k,m)",
        "grad_y @ b.T",
        "np.tensordot(a, grad_y, axes=((0, 1), (0, 1)))",
    ),
    "np.einsum('bqhd,bkhd->bhqk', a, b)": (
        "(l,q,h,d)",
        "(l,k,h,d)",
        'np.einsum("bhqk,bkhd->bqhd", grad_y, b)',
        'np.einsum("bhqk,bqhd->bkhd", grad_y, a)',
    ),
    "np.einsum('i,ij->ij', a, b)": (
        "(n,)",
        "(n,m)",
        'np.einsum("ij,ij->i", grad_y, b)',
        "grad_y * a[:, None]",
    ),
    "np.einsum('...i,i->...', a, b)": ("(l,n,k)", "(k,)", "grad_y[..., None] * b", "axes=((0, 1), (0, 1))"),
    "np.einsum(a, [0, 1], b, [1, 2], [0, 2])": ("(n,k)", "(k,m)", "grad_y @ b.T", "a.T @ grad_y"),
    "np.einsum('ii->i', a) * b": ("(n,n)", "(n,)", "np.diag(grad_t0)", "grad_b = grad_y * t0"),
    "np.tensordot(a, b, axes=1)": ("(n,k)", "(k,m)", "grad_y @ b.T", "a.T @ grad_y"),
    "np.tensordot(a, b, axes=0)": ("(n,)", "(m,)", "grad_y @ b", "a @ grad_y"),
    "np.kron(a, b)": ("(n,)", "(m,)", "blocks @ b", "a @ blocks"),
    "np.cross(a, b)": ("(n,3)", "(n,3)", "np.cross(b, grad_y)", "np.cross(grad_y, a)"),
    "np.linalg.multi_dot([a, b, a])": (
        "(n,n)",
        "(n,n)",
        "np.linalg.multi_dot([grad_y, a.T, b.T])",
        "[a.T, grad_y, a.T]",
    ),
    "np.linalg.matrix_power(a, 2) @ b": ("(n,n)", "(n,)", "a.T @ grad_t0 + grad_t0 @ a.T", "t0.T @ grad_y"),
}


@pytest.mark.parametrize(("expression", "parts"), WRITTEN.items(), ids=WRITTEN)
def test_gradient_is_the_product_that_a_person_writes(expression, parts):
    a, b, *written = parts
    text = str(emit(defined(expression), shapes=f"a={a} b={b}"))
    for part in written:
        assert part in text


VECTORS = [
    ((2,), (2,), {}),
    ((4, 2), (2,), {}),
    ((4, 2), (4, 3), {}),
    ((3,), (4, 2), {}),
    ((2, 4), (2, 4), {"axis": 0}),
]


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")
@pytest.mark.parametrize(("of_a", "of_b", "options"), VECTORS)
def test_cross_product_of_vectors_in_the_plane(of_a, of_b, options):
    """NumPy is going to do without them, and warns."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=of_a), rng.normal(size=of_b)
    f = defined(f"np.cross(a, b, **{options}) ** 2" if options else "np.cross(a, b) ** 2")
    _, pullback = vjp(f, a, b)
    for number, gradient in enumerate(pullback(1.0)):
        for place in np.ndindex(gradient.shape):
            sides = []
            for step in (1e-6, -1e-6):
                moved = [a.copy(), b.copy()]
                moved[number][place] += step
                sides.append(f(*moved))
            np.testing.assert_allclose(gradient[place], (sides[0] - sides[1]) / 2e-6, rtol=1e-6, atol=1e-8)


REFUSED = {
    "np.einsum('ij,jk->il', a, b)": "the indices of the result in 'ij,jk->il'",
    "np.einsum('ij->i', a, b)": "the subscripts 'ij->i' for 2 operands",
    "np.einsum('ijk,jk->i', a, b)": "for operands of ranks 2, 2",
    "np.einsum('ij,ij->i', a, b)": "shapes do not fit",
    "np.einsum('i,ij->j', [1.0, 2.0], a)": "make an array of it",
    "np.matmul(a, b, axes=[(0, 1), (0, 1), (0, 1)])": "without the argument `axes`",
    "np.linalg.matrix_power(a, 2.0)": "a whole number",
    "np.linalg.tensorsolve(a, b, axes=(-1,))": "counts them from the front",
    "np.linalg.outer(a, b)": "it takes vectors",
    "np.linalg.cross(a, b)": "vectors of 3 elements",
    "np.cross(a, b)": "vectors of 4 and 5 elements",
    "np.vecdot(a, a[0], axis=0)": "count it from the end",
}


@pytest.mark.parametrize(("expression", "message"), REFUSED.items(), ids=REFUSED)
def test_what_does_not_fit_is_refused(expression, message):
    with pytest.raises(FlatgradError, match=message):
        emit(defined(expression), shapes="a=(5,4) b=(4,5)")


@pytest.mark.parametrize("style", ["flat", "compact"])
def test_an_inverse_that_is_read_transposed_is_computed_once(style):
    """A transposed array is written where it is read, but for one that would be computed there each time."""
    f = defined("np.linalg.matrix_power(a, -2)", parameters="a")
    assert str(emit(f, shapes="a=(n,n)", style=style)).count("np.linalg.inv(") == 1
