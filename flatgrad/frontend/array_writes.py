"""Reads calls that change arrays: `out=`, np.add.at, np.copyto, the methods fill and sort, and their like.

In: a function or method with its arguments. Out: nodes, and what the arrays hold behind them. Layer: above `writes`, below `calls`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.errors import ShapeError
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.ufunc_calls import fill_of_new_array, safe_arguments
from flatgrad.frontend.unsettled import raise_unknown
from flatgrad.frontend.wording import described
from flatgrad.frontend.writes import add, write
from flatgrad.graph.containers import Slice
from flatgrad.graph.size import Shape, equal, is_one, resolved
from flatgrad.graph.values import Value, same_type
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.shapes import normal_axis

# what reads the calls of functions that change their first argument, and of methods of arrays that change them
WRITING_CALLS: dict[Any, Callable[..., None]] = {}
WRITING_METHODS: dict[str, Callable[..., None]] = {}
Writing = Callable[..., None]


def _writes(*functions: Any) -> Callable[[Writing], Writing]:
    def enter(read: Writing) -> Writing:
        WRITING_CALLS.update(dict.fromkeys(functions, read))
        return read

    return enter


def _writes_as_method(*names: str) -> Callable[[Writing], Writing]:
    def enter(read: Writing) -> Writing:
        WRITING_METHODS.update(dict.fromkeys(names, read))
        return read

    return enter


def read_writing_call(
    reader: Reader, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode
) -> None:
    """Read the call of a function in WRITING_CALLS, or of a method by what reads it."""
    read: Writing = WRITING_CALLS.get(function, function)
    try:
        if not args:
            raise TypeError("the array to change is missing")
        target = _array(reader, args[0], syntax)
        read(reader, syntax, target, *args[1:], **kwargs)
    except TypeError as error:
        reader.fail(f"such arguments can't be read here: {error}", syntax)


def _array(reader: Reader, item: Any, syntax: cst.CSTNode) -> Value:
    if not isinstance(item, Value) or is_number(reader, item):
        reader.fail(f"an array is needed here, not {described(item)}", syntax)
    return item


# out=


def is_given_out(function: Any, args: list[Any], kwargs: dict[str, Any]) -> bool:
    """Tell whether a call says where the result goes to."""
    return kwargs.get("out") is not None or (isinstance(function, np.ufunc) and len(args) > function.nin)


def into_out(
    reader: Reader,
    function: Callable[..., Any],
    args: list[Any],
    kwargs: dict[str, Any],
    apply: Callable[[list[Any], dict[str, Any]], Any],
    syntax: cst.CSTNode,
) -> Any:
    """Read a call that says where its result goes to; `apply` reads the call without that. The result is that array."""
    kwargs = dict(kwargs)
    given = kwargs.pop("out", None)
    if isinstance(function, np.ufunc) and len(args) > function.nin:
        args, given = args[: function.nin], args[function.nin]
    if isinstance(given, tuple) and len(given) == 1:
        (given,) = given
    out = _array(reader, given, syntax)
    where = True
    if isinstance(function, np.ufunc):
        where = kwargs.pop("where", True)
        if where is not True:
            args = safe_arguments(reader, function, args, where, syntax)
    result = reader.value(apply(args, kwargs), syntax)
    if not np.can_cast(result.dtype, out.dtype, "same_kind") or result.rank > out.rank:
        reader.fail(f"a result of type {result.type} does not go into {out.type}", syntax, kind=ShapeError)
    if not isinstance(function, np.ufunc):
        if result.rank != out.rank or False in map(equal, result.shape, out.shape):
            reader.fail(f"a result of type {result.type} does not go into {out.type}", syntax, kind=ShapeError)
        if result.dtype != out.dtype and not result.type.weak:
            # sums are then made in the dtype of `out`
            message = f"an `out` of {out.dtype} for a result of {result.dtype} changes how it is computed"
            reader.fail(message, syntax, f"give an array of {result.dtype}")
    if where is not True:
        fill = fill_of_new_array(reader, syntax, out)
        if fill is not None and same_type(result.type, out.type):
            return reader.apply(syntax, np.where, where, result, fill)
        result = reader.apply(syntax, np.where, where, result, out)
    write(reader, out, Ellipsis, result, syntax)
    return out


# functions


@_writes(np.add.at)
def _read_add_at(reader: Reader, syntax: cst.CSTNode, a: Value, indices: Any, b: Any) -> None:
    add(reader, a, indices, b, syntax)


@_writes(np.subtract.at)
def _read_subtract_at(reader: Reader, syntax: cst.CSTNode, a: Value, indices: Any, b: Any) -> None:
    add(reader, a, indices, reader.apply(syntax, operator.neg, reader.value(b, syntax)), syntax)


@_writes(np.copyto)
def _read_copyto(
    reader: Reader, syntax: cst.CSTNode, dst: Value, src: Any, casting: Any = "same_kind", where: Any = True
) -> None:
    if isinstance(src, tuple):
        src = reader.apply(syntax, np.array, src)
    values = reader.value(src, syntax)
    if not values.type.weak and not np.can_cast(values.dtype, dst.dtype, casting):
        reader.fail(f"{values.dtype} values do not go into an array of {dst.dtype}", syntax)
    if where is not True:
        values = reader.apply(syntax, np.where, where, values, dst)
    write(reader, dst, Ellipsis, values, syntax)


@_writes(np.putmask)
def _read_putmask(reader: Reader, syntax: cst.CSTNode, a: Value, mask: Any, values: Any) -> None:
    values = reader.value(values, syntax)
    if values.rank and (values.rank != a.rank or _is_repeated_within(values.shape, a.shape)):
        reader.fail("np.putmask repeats values of another shape", syntax, "write a[mask] = ...")
    write(reader, a, Ellipsis, reader.apply(syntax, np.where, mask, values, a), syntax)


def _is_repeated_within(shape: Shape, target: Shape) -> bool:
    """Tell whether broadcasting repeats elements of an array one by one, where np.putmask repeats all of them in a row."""
    is_stretched = [
        is_one(size) is not False and is_one(full) is not True for size, full in zip(shape, target, strict=True)
    ]
    first_kept = next((k for k, size in enumerate(shape) if is_one(size) is not True), len(shape))
    return any(is_stretched[first_kept + 1 :])


@_writes(np.place)
def _read_place(reader: Reader, syntax: cst.CSTNode, arr: Value, mask: Any, vals: Any) -> None:
    if isinstance(vals, tuple) and len(vals) == 1:
        (vals,) = vals
    if isinstance(vals, tuple):
        vals = reader.apply(syntax, np.array, vals)
    values = reader.value(vals, syntax)
    if values.rank:
        reader.fail("np.place takes as many values as it needs", syntax, "write arr[mask] = ...")
    write(reader, arr, mask, values, syntax)


@_writes(np.put)
@_writes_as_method("put")
def _read_put(reader: Reader, syntax: cst.CSTNode, a: Value, ind: Any, v: Any) -> None:
    write_flat(reader, a, ind, v, syntax)


@_writes(np.put_along_axis)
def _read_put_along_axis(
    reader: Reader, syntax: cst.CSTNode, arr: Value, indices: Any, values: Any, axis: Any = -1
) -> None:
    if axis is None:
        write_flat(reader, arr, indices, values, syntax)
        return
    places = reader.value(indices, syntax)
    if places.rank != arr.rank:
        reader.fail(f"indices of rank {places.rank} for an array of rank {arr.rank}", syntax, kind=ShapeError)
    along = normal_axis(axis, arr.rank)
    index: list[Any] = []
    for k in range(arr.rank):
        size = reader.builder.apply(size_of_axis, arr, k)
        # along all other axes, each place in turn
        others = tuple([Slice() if each == k else None for each in range(k, arr.rank)])
        each = reader.apply(syntax, np.arange, size) if k != along else places
        is_last = k == arr.rank - 1
        index.append(each if k == along or is_last else reader.apply(syntax, operator.getitem, each, index=others))
    write(reader, arr, tuple(index), values, syntax)


@_writes(np.fill_diagonal)
def _read_fill_diagonal(reader: Reader, syntax: cst.CSTNode, a: Value, val: Any) -> None:
    sizes = [resolved(size) for size in a.shape]
    if a.rank != 2:
        reader.fail("np.fill_diagonal is read for arrays of two axes", syntax)
    if all(isinstance(size, int) for size in sizes):
        count: Any = min(size for size in sizes if isinstance(size, int))
    elif equal(*sizes):
        count = reader.builder.apply(size_of_axis, a, 0)
    else:
        raise_unknown(reader, ((a.shape[0], a.shape[1]),), "whether the array is square is not known", syntax)
    places = reader.apply(syntax, np.arange, count)
    write(reader, a, (places, places), val, syntax)


# methods


@_writes_as_method("fill")
def _read_fill(reader: Reader, syntax: cst.CSTNode, a: Value, value: Any) -> None:
    write(reader, a, Ellipsis, value, syntax)


@_writes_as_method("sort")
def _read_sort(reader: Reader, syntax: cst.CSTNode, a: Value, *args: Any, **kwargs: Any) -> None:
    write(reader, a, Ellipsis, reader.apply(syntax, np.sort, a, *args, **kwargs), syntax)


@_writes_as_method("partition")
def _read_partition(reader: Reader, syntax: cst.CSTNode, a: Value, *args: Any, **kwargs: Any) -> None:
    write(reader, a, Ellipsis, reader.apply(syntax, np.partition, a, *args, **kwargs), syntax)


@_writes_as_method("resize")
def _read_resize(reader: Reader, syntax: cst.CSTNode, a: Value, *_: Any, **__: Any) -> None:
    reader.fail("a method that changes the shape of an array can't be read", syntax, "make a new one: np.resize(...)")


# y.flat


def write_flat(reader: Reader, target: Value, index: Any, values: Any, syntax: cst.CSTNode) -> None:
    """Read `target.flat[index] = values`."""
    if target.rank == 1:
        write(reader, target, index, values, syntax)
        return
    flat = reader.apply(syntax, np.copy, reader.apply(syntax, np.ravel, target))
    write(reader, flat, index, values, syntax)
    shape = reader.apply(syntax, np.shape, target)
    write(reader, target, Ellipsis, reader.apply(syntax, np.reshape, flat, shape=shape), syntax)
