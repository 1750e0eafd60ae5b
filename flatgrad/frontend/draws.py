"""Reads draws of random numbers: kept as calls, once and in their order, without a gradient.

In: np.random's functions, and the methods of generators that the function makes. Out: kept calls. Layer: above `passing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.known import as_number, is_static
from flatgrad.frontend.passing import MAKERS, OBJECT, OF_OBJECTS, performing
from flatgrad.frontend.reader import Reader
from flatgrad.graph.size import Shape
from flatgrad.graph.values import FLOAT, INTEGER, Type, Value
from flatgrad.registry import lookup
from flatgrad.rules.program import Member, performed, performed_by

FLOAT64, INT64 = np.dtype(np.float64), np.dtype(np.int64)
# the parameters of each draw, without `dtype`; the one called `size` is the shape
REALS: dict[str, tuple[str, ...]] = {
    "random": ("size",), "random_sample": ("size",), "standard_normal": ("size",), "normal": ("loc", "scale", "size"),
    "uniform": ("low", "high", "size"), "exponential": ("scale", "size"), "standard_exponential": ("size",),
    "laplace": ("loc", "scale", "size"), "logistic": ("loc", "scale", "size"), "gumbel": ("loc", "scale", "size"),
    "lognormal": ("mean", "sigma", "size"), "gamma": ("shape", "scale", "size"), "beta": ("a", "b", "size"),
    "standard_gamma": ("shape", "size"), "standard_cauchy": ("size",), "standard_t": ("df", "size"),
}  # fmt: skip
WHOLES: dict[str, tuple[str, ...]] = {
    "integers": ("low", "high", "size"), "randint": ("low", "high", "size"), "binomial": ("n", "p", "size"),
    "poisson": ("lam", "size"), "geometric": ("p", "size"),
}  # fmt: skip
# with the sizes as arguments of their own
BY_SIZES = ("rand", "randn")
MAKES = {"default_rng": np.random.default_rng, "RandomState": np.random.RandomState}


def read_draw(
    reader: Reader,
    owner: Value | None,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    syntax: cst.CSTNode,
) -> Any:
    """Keep a draw: of a generator, or of np.random itself."""
    what = [Member("numpy", f"random.{name}")] if owner is None else [owner, name]
    function = performed if owner is None else performed_by
    if name == "seed":
        return performing(reader, function, what, args, kwargs, None, syntax)
    kind = _drawn(reader, owner, name, args, kwargs, syntax)
    return performing(reader, function, what, args, kwargs, kind, syntax)


def _drawn(
    reader: Reader,
    owner: Value | None,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    syntax: cst.CSTNode,
) -> Type:
    """Return the type of what is drawn."""
    if name in BY_SIZES and not kwargs:
        return Type(FLOAT64, _shape(reader, tuple(args), syntax)) if args else FLOAT
    if name == "permutation" and len(args) == 1 and not kwargs and _is_whole(args[0]):
        return Type(INT64, _shape(reader, (args[0],), syntax))
    names = REALS.get(name) or WHOLES.get(name)
    if names is None or len(args) > len(names) or not {*kwargs} <= {*names, "dtype"}:
        hint = "draw before the call, and pass what was drawn"
        reader.fail(f"the draw `{name}` can't be kept here", syntax, hint)
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    size, dtype = given.pop("size", None), as_number(given.pop("dtype", None))
    for parameter, item in given.items():
        if not is_static(item) and not _is_whole(item):
            hint = "draw standard numbers, and compute with them: loc + scale * standard_normal(size)"
            reader.fail(f"the gradient of a draw with respect to `{parameter}` can't be taken", syntax, hint)
    if any(np.ndim(as_number(item)) for item in given.values() if is_static(item)):
        reader.fail("a draw with arrays of parameters can't be kept", syntax, "draw standard numbers")
    wanted = np.dtype(dtype) if dtype is not None else FLOAT64 if name in REALS else INT64
    if size is not None:
        return Type(wanted, _shape(reader, size, syntax))
    return FLOAT if name in REALS else INTEGER if name == "randint" else Type(wanted)


def _is_whole(item: Any) -> bool:
    return (isinstance(item, int) and not isinstance(item, bool)) or (
        isinstance(item, Value) and not item.rank and item.dtype.kind in "iu"
    )


def _shape(reader: Reader, size: Any, syntax: cst.CSTNode) -> Shape:
    record = lookup(np.zeros)
    assert record is not None
    try:
        shape: Shape = record.shape(size)
    except (TypeError, ValueError) as error:
        reader.fail(f"this is not a shape: {error}", syntax)
    return shape


def _of_module(name: str, reader: Reader, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> Any:
    return read_draw(reader, None, name, args, kwargs, syntax)


def _made(name: str, reader: Reader, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> Any:
    return performing(reader, performed, [Member("numpy", f"random.{name}")], args, kwargs, OBJECT, syntax)


for _name in (*REALS, *WHOLES, *BY_SIZES, "permutation", "seed", "shuffle", "choice", "multivariate_normal"):
    if hasattr(np.random, _name):
        MAKERS[getattr(np.random, _name)] = partial(_of_module, _name)
for _name, _class in MAKES.items():
    MAKERS[_class] = partial(_made, _name)
    OF_OBJECTS[Member("numpy", f"random.{_name}")] = read_draw
