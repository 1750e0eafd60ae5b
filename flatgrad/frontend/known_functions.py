"""The modules and functions that are known by name: which are imported to be called, and which change nothing.

In: names, functions. Out: tables, and what a dotted name stands for. Layer: bottom of `frontend`.
"""

from __future__ import annotations

import builtins
import importlib.util
import math
import types

import numpy as np

from flatgrad.functions.libraries import LIBRARIES, home_in_scipy
from flatgrad.registry import lookup

# modules that are imported for what is in them; those of users and of other libraries never are
READ_MODULES = ("flatgrad", "math", "operator", *LIBRARIES)
# modules of the standard library whose calls are kept in the forward pass: imported for that, too
KEPT_MODULES = ("contextlib", "logging", "sys", "time", "warnings")
# modules whose objects stand in annotations and decorators, where the name is enough
STANDARD_MODULES = (
    "__future__",
    "abc",
    "collections",
    "dataclasses",
    "functools",
    "itertools",
    "numbers",
    "types",
    "typing",
)
NAMED_MODULES = (*STANDARD_MODULES, "jaxtyping", "typing_extensions")
# modules of the standard library whose functions are read where they are called
FOLLOWED_MODULES = ("collections", "copy", "dataclasses", "enum", "functools", "itertools", "types")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PURE_BUILTINS = _words(
    "abs all any bool complex dict divmod float frozenset int len list max min pow range reversed round set slice sorted "
    "str sum tuple zip"
)
HARMLESS_BUILTINS = PURE_BUILTINS | _words("enumerate hash id isinstance issubclass print repr type")
PURE_NUMPY = _words("""
    arange array asarray ascontiguousarray asfortranarray atleast_1d atleast_2d atleast_3d block column_stack concatenate
    diag diagflat eye full full_like geomspace hstack identity indices ix_ linspace logspace meshgrid
    ones ones_like stack tile tri tril tril_indices triu triu_indices vander vstack zeros zeros_like
    all allclose amax amin any argmax argmin argsort around average bartlett blackman bincount broadcast_shapes broadcast_to
    clip convolve correlate corrcoef count_nonzero cov cross cumprod cumsum diagonal diff digitize dot dstack ediff1d
    einsum expand_dims flip fliplr flipud gradient hamming hanning histogram i0 inner interp isclose kaiser kron
    linalg.cholesky linalg.cond linalg.det linalg.eigh linalg.eigvalsh linalg.inv linalg.lstsq linalg.matrix_power
    linalg.matrix_rank linalg.norm linalg.pinv linalg.qr linalg.slogdet linalg.solve linalg.svd
    fft.fft fft.fftfreq fft.fftshift fft.ifft fft.rfft fft.rfftfreq
    max mean median min moveaxis nan_to_num nancumsum nanmax nanmean nanmin nansum ndim nonzero norm outer pad percentile
    poly polyder polyint polymul polyval prod ptp quantile ravel repeat reshape roll roots rot90 round searchsorted
    shape sinc size sort squeeze std sum swapaxes take tensordot trace transpose trapezoid unique unwrap var where
    dtype finfo iinfo result_type promote_types
""")
ARRAY_METHODS = _words(
    "all any argmax argmin argsort astype clip copy cumprod cumsum diagonal dot flatten item max mean min prod ravel "
    "repeat reshape round squeeze std sum swapaxes take tolist trace transpose var"
)
# methods of lists, dicts and strings that change nothing
CONTAINER_METHODS = _words("copy count get index items join keys lower replace split strip upper values")
ARRAY_ATTRIBUTES = frozenset({"T", "dtype", "imag", "ndim", "real", "shape", "size"})


def _pure_functions() -> frozenset[object]:
    functions: set[object] = {getattr(builtins, name) for name in PURE_BUILTINS}
    functions |= {function for function in vars(math).values() if callable(function)}
    functions |= {function for function in vars(np).values() if isinstance(function, np.ufunc)}
    for dotted in PURE_NUMPY:
        found: object = np
        for part in dotted.split("."):
            # not every version of NumPy has all of them
            found = getattr(found, part, None)
        functions.add(found)
    return frozenset(functions - {None})


PURE_FUNCTIONS = _pure_functions()


def imported(dotted_name: str) -> object:
    """Return a module that flatgrad reads, or something in it; None where there is no such thing."""
    parts = dotted_name.split(".")
    found: object = importlib.import_module(parts[0])
    for index, part in enumerate(parts[1:], 1):
        if not hasattr(found, part) and isinstance(found, types.ModuleType) and hasattr(found, "__path__"):
            if importlib.util.find_spec(".".join(parts[: index + 1])) is None:
                return None
            found = importlib.import_module(".".join(parts[: index + 1]))
        else:
            found = getattr(found, part, None)
    return found


def is_pure(function: object) -> bool:
    """Tell whether the value of a function depends on nothing but its arguments, and it changes none of them."""
    try:
        if function in PURE_FUNCTIONS or (isinstance(function, type) and issubclass(function, np.generic)):
            return True
    except TypeError:
        return False
    # what of SciPy's is differentiated changes nothing, but for what it is told to overwrite
    return home_in_scipy(function) is not None and (isinstance(function, np.ufunc) or lookup(function) is not None)
