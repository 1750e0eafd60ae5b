"""Reads what all ufuncs have in common: the arguments dtype=, where=, casting=, and the methods reduce, accumulate, outer.

In: a ufunc or a method of one, with its arguments. Out: the same call with plain arguments only. Layer: above `reader`, below
`array_writes` and `calls`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.reader import Reader
from flatgrad.frontend.wording import called
from flatgrad.graph.containers import Slice, leaves
from flatgrad.graph.values import Constant, Node, Value
from flatgrad.registry import Record, lookup
from flatgrad.rules.ufunc_methods import AS_FUNCTIONS

# arguments that change nothing as long as they are what they are without being given
DEFAULTS: dict[str, Any] = {"casting": "same_kind", "order": "K", "subok": True, "signature": None}
# the parameters of these methods, behind the array
OPTIONS: dict[str, tuple[str, ...]] = {
    "reduce": ("axis", "dtype", "out", "keepdims", "initial", "where"),
    "accumulate": ("axis", "dtype", "out"),
}
# these have a derivative everywhere when their second argument is 1
TAMED_BY_SECOND = frozenset({np.add, np.subtract, np.multiply, np.divide})

# what functions fill new arrays with: a number, or the argument of this name
FILLS: dict[Any, float | str] = {
    np.zeros: 0, np.zeros_like: 0, np.ones: 1, np.ones_like: 1, np.full: "fill_value", np.full_like: "fill_value",
}  # fmt: skip

Call = Callable[[Any, list[Any], dict[str, Any]], Any]


# Arguments


def plain_arguments(
    reader: Reader, function: np.ufunc, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a ufunc without those that all ufuncs take; `out` stays, and `where` beside it."""
    kept = dict(kwargs)
    for name, default in DEFAULTS.items():
        if name in kept and kept.pop(name) != default:
            reader.fail(f"`{name}` of np.{function.__name__} has no rule", syntax, f"leave `{name}` out")
    if kept.get("out") is None and len(args) <= function.nin:
        kept.pop("out", None)
        if kept.get("where", True) is not True:
            message = "without `out`, what stands where the mask is false is left to chance"
            reader.fail(message, syntax, "give an array for it: out=np.zeros_like(...)")
        kept.pop("where", None)
    if "dtype" in kept:
        dtype = kept.pop("dtype")
        if dtype is not None:
            args = _converted(reader, function, args, dtype, syntax)
    return args, kept


def _converted(reader: Reader, function: np.ufunc, args: list[Any], wanted: Any, syntax: cst.CSTNode) -> list[Any]:
    """Return the arguments in the dtype that the calculation is to run in."""
    try:
        dtype = np.dtype(wanted)
    except TypeError:
        reader.fail("the dtype has to be known when the code is written", syntax)
    if (dtype,) * (function.nin + function.nout) not in _loops(function):
        reader.fail(f"np.{function.__name__} does not calculate in {dtype} throughout", syntax)
    arrays = [arg for arg in args if isinstance(arg, Value) and not arg.type.weak]
    for arg in arrays:
        if not np.can_cast(arg.dtype, dtype, "same_kind"):
            reader.fail(f"{arg.dtype} values do not go into a calculation in {dtype}", syntax)
    if not arrays:
        # numbers take on the dtype of an array that they meet, and here is none
        inputs = [
            reader.apply(syntax, np.asarray, arg, dtype=dtype) if isinstance(arg, Value) else dtype.type(arg)
            for arg in args[: function.nin]
        ]
        return inputs + args[function.nin :]
    return [
        reader.apply(syntax, np.ndarray.astype, arg, dtype, form="method")
        if any(arg is each for each in arrays) and arg.dtype != dtype
        else arg
        for arg in args
    ]


@lru_cache(maxsize=256)
def _loops(function: np.ufunc) -> frozenset[tuple[np.dtype[Any], ...]]:
    """Return the dtypes of arguments and results that a ufunc has code for."""
    return frozenset(
        tuple(np.dtype(letter) for letter in letters.replace("->", ""))
        for letters in function.types
        if not set(letters) & set("OmM")
    )


def safe_arguments(reader: Reader, function: np.ufunc, args: list[Any], where: Any, syntax: cst.CSTNode) -> list[Any]:
    """Return arguments that lie in the domain of a function also where the mask is false."""
    if getattr(where, "dtype", np.bool_) != np.bool_:
        reader.fail(f"`where` of np.{function.__name__} takes truth values, not {where.dtype}", syntax)
    record = lookup(function)
    arrays = [place for place, arg in enumerate(args) if isinstance(arg, Value) and not arg.type.weak]
    if function in TAMED_BY_SECOND:
        arrays = arrays[-1:]
    number = _safe_number(function, record, len(args))
    return [
        reader.apply(syntax, np.where, where, arg, number if arg.dtype.kind == "f" else 1) if place in arrays else arg
        for place, arg in enumerate(args)
    ]


def fill_of_new_array(reader: Reader, syntax: cst.CSTNode, out: Value) -> float | None:
    """Return the number that all of `out` is, where the call itself makes that array and nothing else can know of it."""
    arguments = syntax.args if isinstance(syntax, cst.Call) else ()
    made = next((arg.value for arg in arguments if arg.keyword is not None and arg.keyword.value == "out"), None)
    if not isinstance(made, cst.Call) or out.node is None or reader.expression(made.func) is not out.node.function:
        return None
    number = _fill(out.node)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def is_filled_with_constant(item: Any) -> bool:
    """Tell whether an item is an array that was just filled with a number: np.zeros_like(x) is as constant as 0."""
    number = _fill(item.node) if isinstance(item, Value) and item.node is not None else None
    return isinstance(number, Constant | int | float)


def _fill(node: Node) -> Any:
    """Return what an operation fills a new array with; None if it is another one."""
    filled = FILLS.get(node.function)
    return node.arguments.get(filled) if isinstance(filled, str) else filled


@lru_cache(maxsize=256)
def _safe_number(function: np.ufunc, record: Record | None, count: int) -> float:
    """Return a number at which a function and its derivative are finite."""
    for number in (1, 0.5, 2):
        args = [np.float64(number)] * count
        try:
            with np.errstate(all="ignore"):
                y = function(*args)
                gradient = record.gradient(*args, y, 1.0) if record is not None and record.gradient is not None else 0.0
        except TypeError:
            # whole numbers are asked for
            return 1
        if np.all(np.isfinite([*leaves((y, gradient))])):
            return number
    return 1


# Methods


def is_ufunc_method(function: Any) -> bool:
    """Tell whether a function is a method of a ufunc that is read here."""
    name = getattr(function, "__name__", "")
    return isinstance(getattr(function, "__self__", None), np.ufunc) and name in (*OPTIONS, "outer")


def call_ufunc_method(
    reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], call: Call, syntax: cst.CSTNode
) -> Any:
    """Read np.add.reduce and its like; `call` reads the call of the function that does the same."""
    ufunc, name = function.__self__, function.__name__
    if name == "outer":
        return call(ufunc, *plain_arguments(reader, ufunc, _crossed(reader, ufunc, args, syntax), kwargs, syntax))
    if not args:
        reader.fail(f"{called(function)} needs an array", syntax)
    given = dict(zip(OPTIONS[name], args[1:], strict=False)) | kwargs
    given = {key: item for key, item in given.items() if item is not None or key == "axis"}
    twin = AS_FUNCTIONS.get(function)
    if twin is None and lookup(function) is None:
        reader.fail(f"{called(function)} has no rule", syntax)
    if twin is None:
        return call(function, args[:1], given)
    array = reader.value(args[0], syntax) if not isinstance(args[0], tuple) else args[0]
    axis = given.pop("axis", 0)
    is_over_all = axis is None or (axis in (0, -1) and isinstance(array, Value) and array.rank == 1)
    if not (is_over_all and name == "reduce"):
        given["axis"] = axis
    return call(twin, [array], given)


def _crossed(reader: Reader, ufunc: np.ufunc, args: list[Any], syntax: cst.CSTNode) -> list[Any]:
    """Return the two arguments of `outer` with axes that let each element of one meet each of the other."""
    if ufunc.nin != 2 or ufunc.signature is not None or len(args) != 2:
        reader.fail(f"np.{ufunc.__name__}.outer takes two arrays", syntax)
    first, second = [
        reader.apply(syntax, np.array, arg) if isinstance(arg, tuple) else reader.value(arg, syntax) for arg in args
    ]
    first, second = _as_array(reader, first, second, syntax), _as_array(reader, second, first, syntax)
    if first.rank and second.rank:
        start = Slice(None, None, None) if first.rank == 1 else Ellipsis
        first = reader.apply(syntax, operator.getitem, first, index=(start, *[None] * second.rank))
    return [first, second]


def _as_array(reader: Reader, value: Value, other: Value, syntax: cst.CSTNode) -> Value:
    """Return a Python number as the array that `outer` makes of it, where it would take on a lesser dtype otherwise."""
    if not value.type.weak or other.type.weak or np.result_type(value.dtype, other.dtype) == other.dtype:
        return value
    array: Value = reader.apply(syntax, np.asarray, value)
    return array
