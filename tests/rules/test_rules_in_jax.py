"""The rules' gradients beside those of JAX, on the samples of the rules, in double precision.

A function of NumPy or SciPy is compared with the one of JAX that has its name; one that JAX lacks and PyTorch has, with
that. What can't be compared is named with its reason.
"""

from __future__ import annotations

import importlib
import operator

import numpy as np
import pytest

from flatgrad.binding import spread
from flatgrad.catalogue.entries import entries
from flatgrad.catalogue.names import full_name
from flatgrad.graph.containers import leaves, mapped
from flatgrad.sampled import Call, has_gradient, lists, upstream

jax = pytest.importorskip("jax")
jax_numpy = pytest.importorskip("jax.numpy")
torch = pytest.importorskip("torch")
for module in ("fft", "integrate", "linalg", "signal", "special", "stats"):
    importlib.import_module(f"jax.scipy.{module}")

# compiling is what takes the time
jax.config.update("jax_disable_most_optimizations", True)

RTOL = 1e-9
TORCH = {
    "scipy.special.exp2": torch.exp2,
    "scipy.special.expm1": torch.expm1,
    "scipy.special.log1p": torch.log1p,
    "scipy.special.log_expit": torch.nn.functional.logsigmoid,
    "scipy.special.softplus": torch.nn.functional.softplus,
}
# what JAX does not take in some of the samples, and why: such a sample is left out where JAX raises
SHAPE_FROM_DATA = "the shape of the result depends on what is differentiated"
NOT_IN_JAX = "JAX has not all options of NumPy here"
EIGENVECTORS = "JAX does not differentiate eigenvectors of such matrices"
SCHUR = "JAX does not differentiate the Schur decomposition"
WHOLE_NUMBERS = "JAX fails where some of the arguments are whole numbers"
REFUSED = {
    "numpy.arange": SHAPE_FROM_DATA,
    "numpy.delete": "JAX takes no such places",
    "numpy.gradient": NOT_IN_JAX,
    "numpy.histogram_bin_edges": NOT_IN_JAX,
    "numpy.insert": "JAX takes no mask as the places",
    "numpy.linalg.eig": EIGENVECTORS,
    "numpy.linalg.eigh": NOT_IN_JAX,
    "numpy.linalg.eigvalsh": NOT_IN_JAX,
    "numpy.linalg.lstsq": "JAX fails where there are no residuals",
    "numpy.linalg.svd": "JAX does not differentiate the whole of U and V",
    "numpy.meshgrid": "JAX takes axes of rank 1 only",
    "numpy.nanquantile": NOT_IN_JAX,
    "numpy.nanstd": NOT_IN_JAX,
    "numpy.nanvar": NOT_IN_JAX,
    "numpy.nextafter": "JAX has no derivative of it",
    "numpy.partition": NOT_IN_JAX,
    "numpy.polyadd": "JAX takes no numbers for polynomials",
    "numpy.polydiv": "JAX fails for polynomials of different lengths",
    "numpy.polymul": "JAX fails for polynomials of different lengths",
    "numpy.polysub": "JAX takes no numbers for polynomials",
    "numpy.quantile": NOT_IN_JAX,
    "numpy.ravel": NOT_IN_JAX,
    "numpy.roots": SHAPE_FROM_DATA,
    "numpy.trim_zeros": SHAPE_FROM_DATA,
    "numpy.tril": "JAX takes matrices only",
    "numpy.triu": "JAX takes matrices only",
    "numpy.vecdot": NOT_IN_JAX,
    "scipy.fft.dct": "JAX has the type 2 only",
    "scipy.fft.idct": "JAX has the type 2 only",
    "scipy.linalg.eigh": NOT_IN_JAX,
    "scipy.linalg.expm_frechet": NOT_IN_JAX,
    "scipy.linalg.solve": NOT_IN_JAX,
    "scipy.linalg.solve_sylvester": SCHUR,
    "scipy.linalg.sqrtm": SCHUR,
    "scipy.linalg.svd": "JAX does not differentiate the whole of U and V",
    "scipy.special.hyp1f1": WHOLE_NUMBERS,
    "scipy.special.hyp2f1": WHOLE_NUMBERS,
    "scipy.stats.multivariate_normal.logpdf": "JAX wants a mean and a covariance matrix",
    "scipy.stats.multivariate_normal.pdf": "JAX wants a mean and a covariance matrix",
}
OUTSIDE = "JAX has nan outside of the support"
SIGNS = "the signs of the vectors are left to chance"
UNIQUE = tuple(f"numpy.unique{each}" for each in ("", "_all", "_counts", "_inverse", "_values"))
# functions, or their samples, where JAX gives another number, and why
DIFFERENT = {
    "numpy.partition": "the order of the elements beside the chosen places is left to chance",
    "numpy.sinc(float64[3])": "JAX has 0 for arguments as small as 1e-9",
    "numpy.linalg.det(float64[3, 3])": "of a singular matrix JAX has 0 where rounding leaves 1e-15",
    "scipy.linalg.cho_factor": "SciPy leaves the matrix itself in the other triangle, JAX something else",
    "scipy.linalg.eigh(float64[3, 3])": SIGNS,
    "scipy.linalg.eigh(float64[3, 3], lower=False)": SIGNS,
    "scipy.linalg.svd(float64[3, 4], full_matrices=False, lapack_driver='gesvd')": SIGNS,
    "scipy.special.boxcox(float64[3], 0.0)": "JAX has 0 for the derivative by the power at 0",
    "scipy.special.boxcox1p(float64[3], 0.0)": "JAX has 0 for the derivative by the power at 0",
    "scipy.special.spence": "JAX has nan",
    "scipy.stats.beta.pdf(float64[3], float64[3], float64[3], scale=float64[3])": OUTSIDE,
    "scipy.stats.chi2.pdf(float64[2], float64[2], scale=float64[2])": OUTSIDE,
    "scipy.stats.gamma.logsf(float64[2], float64[2], scale=float64[2])": OUTSIDE,
    "scipy.stats.gamma.sf(float64[2], float64[2], scale=float64[2])": OUTSIDE,
    **dict.fromkeys(UNIQUE, "JAX has 0"),
}
# of these JAX reads both triangles of a matrix, and spreads its gradient over them; the triangle that is read here
TRIANGLES = {
    "numpy.linalg.cholesky": "lower",
    "numpy.linalg.eigh": "lower",
    "numpy.linalg.eigvalsh": "lower",
    "scipy.linalg.cholesky": "upper",
    "scipy.linalg.eigh": "lower",
    "scipy.stats.multivariate_normal.logpdf": "lower",
    "scipy.stats.multivariate_normal.pdf": "lower",
}
# these look at whole numbers and masks, which are known outside of jit only
LOOKS_AT_DATA = ("numpy.bincount", "numpy.choose", "numpy.compress", "numpy.extract")
# what is said here about the result in memory changes nothing of the numbers, and JAX lacks it
LAID_OUT = ("numpy.array", "numpy.asarray", "numpy.copy", "numpy.einsum")
PLACES_IN_ARRAYS = ("numpy.delete", "numpy.insert", "numpy.repeat")


def peer_of(name):
    """Return the function of JAX that has a full name, or of PyTorch; None where there is none."""
    try:
        return operator.attrgetter(name)(jax)
    except AttributeError:
        return TORCH.get(name)


CASES = [
    pytest.param(name, entry.rule, function, sample, id=f"{name}({sample})")
    for entry in entries()
    if entry.rule is not None
    for function in entry.rule.functions
    if (name := full_name(function)) is not None
    if name.startswith(("numpy.", "scipy.")) and not name.startswith("numpy.ndarray.") and peer_of(name) is not None
    for sample in entry.rule.samples
]


def arguments_of_jax(call, name, arguments):
    """Return the arguments of a call as JAX takes them."""
    arguments = {key: lists(item) if key in call.lists else item for key, item in arguments.items()}
    args, kwargs = spread(call.function, arguments, call.positional)
    kwargs.pop("casting", None)
    if name in LAID_OUT:
        kwargs.pop("order", None)
    if name in PLACES_IN_ARRAYS:
        args = [np.array(item) if isinstance(item, tuple | list) else item for item in args]
    return args, kwargs


def gradients_of_jax(name, call, grad_y, names):
    """Return the gradients of the leaves of each input, as JAX has them."""
    chosen = {each: list(leaves(call.arguments[each])) for each in names}
    places = [(each, k) for each, parts in chosen.items() for k, part in enumerate(parts) if has_gradient(part)]

    def loss(*numbers):
        filled = {each: list(parts) for each, parts in chosen.items()}
        for (each, k), number in zip(places, numbers, strict=True):
            filled[each][k] = number
        arguments = dict(call.arguments)
        for each, parts in filled.items():
            remaining = iter(parts)
            arguments[each] = mapped(call.arguments[each], lambda _, remaining=remaining: next(remaining))
        args, kwargs = arguments_of_jax(call, name, arguments)
        made = map(jax_numpy.asarray, jax.tree_util.tree_leaves(peer_of(name)(*args, **kwargs)))
        pairs = zip(made, leaves(grad_y), strict=True)
        return sum(jax_numpy.sum(part * weight).real for part, weight in pairs if part.dtype.kind in "fc")

    gradient = jax.grad(loss, tuple(range(len(places))))
    gradient = gradient if name in LOOKS_AT_DATA else jax.jit(gradient)
    return dict(zip(places, gradient(*(chosen[each][k] for each, k in places)), strict=True))


def gradient_of_torch(name, call, grad_y):
    """Return the gradient of a function of one array, as PyTorch has it."""
    (each,) = call.record.inputs
    x = torch.tensor(call.arguments[each], dtype=torch.float64, requires_grad=True)
    peer_of(name)(x).backward(torch.tensor(grad_y, dtype=torch.float64))
    return {(each, 0): x.grad.numpy()}


def triangle_read(name, sample):
    """Return which triangle of a matrix is read, "lower" or "upper"; None where both are."""
    options = sample.attributes
    is_one = name == "numpy.linalg.pinv" and options.get("hermitian", False)
    if name == "scipy.linalg.solve" and options.get("assume_a") in ("sym", "her", "pos"):
        is_one = True
    usual = TRIANGLES.get(name, "upper" if name == "scipy.linalg.solve" else "lower")
    if not is_one and name not in TRIANGLES:
        return None
    if "lower" in options:
        return "lower" if options["lower"] else "upper"
    return "upper" if options.get("UPLO") in ("U", "u") or options.get("upper", False) else usual


def filled_up(matrix, triangle):
    """Return a matrix with the other triangle as the one that is read."""
    if np.ndim(matrix) < 2:
        return matrix
    if triangle == "upper":
        return np.triu(matrix) + np.triu(matrix, k=1).mT
    return np.tril(matrix) + np.tril(matrix, k=-1).mT


@pytest.mark.parametrize(("name", "record", "function", "sample"), CASES)
def test_gradient_is_that_of_jax(name, record, function, sample):
    for different in (name, f"{name}({sample})"):
        # of one of several samples that look the same, the reason holds where the numbers differ
        reason = DIFFERENT.get(different)
        if reason is not None:
            pytest.skip(reason)
    triangle = triangle_read(name, sample)
    matrix = "cov" if name.startswith("scipy.stats.") else record.inputs[0] if record.inputs else ""
    with jax.enable_x64(True), np.errstate(all="ignore"):
        call = Call(record, function, sample.args, sample.attributes)
        if triangle is not None and matrix in call.arguments:
            call.arguments[matrix] = filled_up(call.arguments[matrix], triangle)
        y = call.result()
        grad_y = upstream(y)
        gradients = call.gradients(y, grad_y)
        try:
            by_peer = (
                gradient_of_torch(name, call, grad_y)
                if name in TORCH
                else gradients_of_jax(name, call, grad_y, call.differentiated(sample))
            )
        except (NotImplementedError, TypeError, ValueError, IndexError) as error:
            if name not in REFUSED:
                raise
            pytest.skip(f"{REFUSED[name]}: {type(error).__name__}")
    for (each, k), expected in by_peer.items():
        actual, expected = call.by_rule(gradients, each)[k], np.asarray(expected)
        if triangle is not None and each == matrix and np.ndim(actual) > 1:
            actual, expected = actual + actual.mT, expected + expected.mT
        scale = float(np.max(np.abs(expected), initial=0.0))
        np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=RTOL * scale, err_msg=each)


@pytest.mark.parametrize("name", sorted({*REFUSED, *(text.partition("(")[0] for text in DIFFERENT)}))
def test_exception_is_about_a_function_that_is_compared(name):
    assert name in {case.values[0] for case in CASES}
