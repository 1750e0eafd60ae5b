"""Refuses calls of functions that are not known, with what to write instead.

In: a function that is called. Out: nothing, or an error at the place of the call. Layer: above `operations`, below `calls`.
"""

from __future__ import annotations

import collections
import difflib
import types
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.call_tables import GETTERS, is_read_here
from flatgrad.frontend.callees import is_known
from flatgrad.frontend.classes import is_users_class
from flatgrad.frontend.functions import innermost, is_applied
from flatgrad.frontend.iterators import BoundMethod
from flatgrad.frontend.operations import is_pure
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.ufunc_calls import is_ufunc_method
from flatgrad.frontend.wording import called, described
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.functions.plain import INNER
from flatgrad.registry import lookup, records
from flatgrad.rules.static import is_constant

# functions whose calls are read in ways of their own
READ_SPECIALLY: frozenset[Any] = frozenset({is_constant, np.ndim, np.iscomplexobj, print})
# containers that are not read, and what does the same
INSTEAD: dict[Any, str] = {
    collections.defaultdict: "use a dict: d.setdefault(key, []).append(item)",
    collections.OrderedDict: "use a dict: it keeps the order of its keys",
    collections.Counter: "use a dict: d[key] = d.get(key, 0) + 1",
    collections.ChainMap: "put the dicts into one: {**a, **b}",
    np.vectorize: "write the loop: np.array([f(number) for number in x])",
    np.frompyfunc: "write the loop: np.array([f(number) for number in x])",
    np.fromiter: "make an array of a list: np.array([...])",
    np.fromfunction: "call the function on np.indices(shape)",
    np.apply_along_axis: "write the loop: np.array([f(row) for row in x])",
    np.apply_over_axes: "give the function all the axes: axis=(0, 1)",
    np.require: "use np.asarray(x, dtype), or np.ascontiguousarray(x)",
    np.asmatrix: "use arrays of two axes, and @ for their product",
    np.bmat: "use np.block",
    collections.deque: "use a list: append(x), pop(), pop(0), insert(0, x)",
}
# what to do instead of calling something of these modules of SciPy's
INSTEAD_IN = {
    "scipy.interpolate": "np.interp is differentiated",
    "scipy.optimize": "call it outside, with the gradient of the function that it is given: jac=True",
    "scipy.sparse": "use arrays: x.toarray()",
}


def require_known(reader: Reader, function: Any, syntax: cst.Call) -> None:
    """Refuse a function that is neither an operation nor one that is read or called when the code is written."""
    function = innermost(function)
    if (
        is_applied(function)
        or is_users_class(function)
        or isinstance(function, BoundMethod)
        or type(function) in GETTERS
    ):
        return
    if not callable(function) or type(function).__hash__ is None:
        reader.fail(f"{described(function)} is not a function that can be called here", syntax.func)
    if (
        lookup(function) is not None
        or function in READ_SPECIALLY
        or is_read_here(function)
        or is_ufunc_method(function)
        or is_pure(reader, function)
    ):
        return
    name = getattr(function, "__name__", str(function))
    _refuse_object(reader, function, syntax)
    known = {each.__name__ for record in records() for each in record.functions if hasattr(each, "__name__")}
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"supported functions with such a name: {', '.join(sorted(near))}; " if near else ""
    if function in INSTEAD:
        reader.fail(f"{called(function)} is not read", syntax.func, INSTEAD[function])
    home = home_in_scipy(function)
    if home is not None and home[0] in INSTEAD_IN:
        hint = f"{INSTEAD_IN[home[0]]}; "
    elif home is not None and not hasattr(function, "__name__"):
        hint = "call the distribution's function with its parameters: stats.norm.logpdf(x, loc, scale); "
    reader.fail(f"{called(function)} has no rule", syntax.func, hint + "flatgrad.rule declares one")


def _is_of_the_user(function: Any) -> bool:
    return callable(function) and not is_known(function)


def _refuse_object(reader: Reader, function: Any, syntax: cst.Call) -> None:
    """Raise the error for a callable object of the user's."""
    name = getattr(function, "__name__", "it")
    kind = type(function).__name__
    inner = next((each for each in INNER if _is_of_the_user(getattr(function, each, None))), None)
    if inner is not None and not isinstance(function, types.FunctionType):
        name = getattr(getattr(function, inner), "__name__", name)
        message = f"a decorator has made a {kind} of `{name}`, which can't be followed"
        reader.fail(message, syntax.func, f"call the function inside: its attribute `{inner}`")
