"""Makes nodes of operations on items: what is known is worked out, what is data becomes a call in the graph.

In: a function of NumPy, SciPy, `math` or a rule, and the items that it is given. Out: an item. Layer: above `call_tables` and `known`, below `calls`.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.binding import name_in_record
from flatgrad.frontend.array_writes import WRITING_CALLS, into_out, is_given_out, read_writing_call
from flatgrad.frontend.bounds import bounds_by_place
from flatgrad.frontend.call_tables import CALLS, is_one_of, is_read_here
from flatgrad.frontend.callees import ImportReader
from flatgrad.frontend.iterators import Deferred
from flatgrad.frontend.known import decides, is_static, refuse_methods, static_call
from flatgrad.frontend.objects import CALL_READERS
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.special_methods import without_objects
from flatgrad.frontend.texts import filled_in, is_format, shown
from flatgrad.frontend.ufunc_calls import call_ufunc_method, is_filled_with_constant, is_ufunc_method, plain_arguments
from flatgrad.frontend.views import is_own_array
from flatgrad.frontend.wording import called
from flatgrad.graph.containers import Slice, leaves
from flatgrad.graph.values import Value
from flatgrad.parts import Opaque
from flatgrad.registry import INLINE, QUESTIONS, Record, lookup
from flatgrad.rules.static import is_constant

# pure functions that may be called when the code is written, on what is known then
STATIC_FUNCTIONS: frozenset[Any] = frozenset({
    abs, int, float, bool, str, repr, slice, round, divmod, pow, ord, chr, operator.itemgetter,
    operator.attrgetter, np.finfo, np.iinfo, np.dtype, np.issubdtype, np.float16, np.float32, np.float64, np.int8,
    np.int16, np.int32, np.int64, np.uint8, np.bool_, np.array, np.asarray, np.shape, np.ndim, np.size, math.prod,
})  # fmt: skip
# functions that make arrays to write into
BUFFERS: frozenset[Any] = frozenset(
    {np.zeros, np.ones, np.full, np.empty, np.zeros_like, np.ones_like, np.full_like, np.empty_like}
)


def of_items(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what a function gives that is no user's, nor one of their objects'."""
    if function is is_constant:
        return is_static(args[0]) or is_filled_with_constant(args[0])
    if function is np.where and len(args) == 1:
        # NumPy's short form of it
        function = np.nonzero
    if is_one_of(function, QUESTIONS):
        return _with_slices(function(*args, **kwargs))
    if is_one_of(function, INLINE):
        return CALL_READERS["inline"](reader, function, args, kwargs, syntax)
    if is_read_here(function):
        return _read_here(reader, function, args, kwargs, syntax)
    if is_ufunc_method(function):
        by_plain = lambda function, args, kwargs: _of_plain_items(reader, function, args, kwargs, syntax)  # noqa: E731
        return call_ufunc_method(reader, function, args, kwargs, by_plain, syntax)
    if function is np.clip and kwargs and args:
        behind, kwargs = bounds_by_place(args[1:], kwargs)
        args = [args[0], *behind]
    if isinstance(function, np.ufunc) and kwargs:
        args, kwargs = plain_arguments(reader, function, args, kwargs, syntax)
    return _of_plain_items(reader, function, args, kwargs, syntax)


def _of_plain_items(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what an operation gives, or a function that is called when the code is written."""
    if is_given_out(function, args, kwargs):
        return into_out(
            reader,
            function,
            args,
            kwargs,
            lambda args, kwargs: of_items(reader, function, args, kwargs, syntax),
            syntax,
        )
    for leaf in leaves((*args, *kwargs.values())):
        if decides(leaf):
            refuse_methods(reader, leaf, syntax)
    static = all(is_static(item) for item in (*args, *kwargs.values()))
    if static and is_pure(reader, function) and not _is_for_writing(reader, function, args):
        result = static_call(reader, syntax, function, args, kwargs)
        if not _is_array(result):
            return result
    if function in (np.ndim, np.iscomplexobj) and isinstance(args[0], Value):
        return args[0].rank if function is np.ndim else args[0].dtype.kind == "c"
    if function in (str, repr):
        return shown(reader, args[0], function.__name__[0], syntax)
    if is_format(function):
        return filled_in(reader, function.__self__, args, kwargs, syntax)
    if any(isinstance(leaf, Deferred) for leaf in leaves((*args, *kwargs.values()))):
        reader.fail(f"{called(function)} does not go through iterators and views", syntax, "give it a list: list(...)")
    args = without_objects(reader, args, syntax)
    kwargs = dict(zip(kwargs, without_objects(reader, [*kwargs.values()], syntax), strict=True))
    record = lookup(function)
    if record is None:
        hint = "flatgrad.rule declares its gradient"
        reader.fail(f"{called(function)} of data can't be differentiated", syntax, hint)
    if reader.inlined:
        function = _of_the_same_module(reader, function, args)
    else:
        args, kwargs = _with_arrays(reader, function, record, args, kwargs, syntax)
    return reader.apply(syntax, function, *args, **kwargs)


def _with_slices(item: Any) -> Any:
    """Return what a rule was told, with slices that may hold values."""
    if isinstance(item, slice):
        return Slice(item.start, item.stop, item.step)
    return tuple(map(_with_slices, item)) if type(item) is tuple else item


def _read_here(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    for item in (*args, *kwargs.values()):
        if isinstance(item, Opaque):
            refuse_methods(reader, item, syntax)
    if function in WRITING_CALLS:
        read_writing_call(reader, function, args, kwargs, syntax)
        return None
    return CALLS[function](reader, args, kwargs, syntax)


def _with_arrays(
    reader: Reader, function: Any, record: Record, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call with arrays for the lists of numbers that NumPy makes arrays of: ``np.sum([a, b])``."""

    def converted(given: int | str, argument: Any) -> Any:
        is_list = isinstance(argument, tuple) and _takes_arrays_only(function, record, given)
        return of_items(reader, np.array, [argument], {}, syntax) if is_list else argument

    return (
        [converted(place, argument) for place, argument in enumerate(args)],
        {name: converted(name, argument) for name, argument in kwargs.items()},
    )


def _takes_arrays_only(function: Any, record: Record, given: int | str) -> bool:
    """Tell whether an argument is one that is differentiated, and that no sample gives as a list or tuple."""
    name = name_in_record(function, record, given)
    if name not in record.inputs:
        return False
    for sample in record.samples:
        by_place: dict[int | str, Any] = dict(enumerate(sample.args))
        for place, argument in (by_place | sample.attributes).items():
            if isinstance(argument, tuple | list) and name_in_record(record.functions[0], record, place) == name:
                return False
    return True


def _of_the_same_module(reader: Reader, function: Any, args: list[Any]) -> Any:
    """Return the function of `math` for a rule's NumPy function, where the user's code is written with `math`."""
    forward = reader.builder.forward
    if forward is None or getattr(forward.function, "__module__", None) != "math":
        return function
    record = lookup(function)
    twin: Any = record.scalar if record is not None else None
    plain = all(not isinstance(arg, Value) or arg.type.weak for arg in args)
    return twin if plain and getattr(twin, "__module__", None) == "math" else function


def _is_array(result: Any) -> bool:
    """Tell whether a call makes an array, or several."""
    return isinstance(result, np.ndarray) or (
        isinstance(result, tuple | list) and bool(result) and all(isinstance(part, np.ndarray) for part in result)
    )


def _is_for_writing(reader: Reader, function: Any, args: list[Any]) -> bool:
    """Tell whether a function gives an array that is likely to be filled later, or a view of one that may be changed."""
    if reader.inlined or isinstance(reader, ImportReader):
        return False
    record = lookup(function)
    is_view = record is not None and record.view
    return function in BUFFERS or (is_view and any(is_own_array(leaf) for leaf in leaves(tuple(args))))


def is_pure(reader: Reader, function: Any) -> bool:
    """Tell whether a function may be called when the code is written."""
    if reader.inlined or lookup(function) is not None or isinstance(function, np.ufunc):
        return True
    bound_to_text = isinstance(getattr(function, "__self__", None), str)
    return bound_to_text or function in STATIC_FUNCTIONS
