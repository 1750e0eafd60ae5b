"""Reads calls, attributes and subscripts. Fills EXPRESSIONS. Layer: beside `reader`."""

from __future__ import annotations

import difflib
import math
import operator
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.known import (
    as_number,
    decides,
    is_static,
    plain_number,
    refuse_methods,
    static_call,
)
from flatgrad.frontend.reader import Reader, called, described, reads
from flatgrad.frontend.source import StaticFunction
from flatgrad.frontend.unpacking import parts
from flatgrad.graph.values import Constant, List, Slice, Value, leaves
from flatgrad.infer import as_python, type_of
from flatgrad.registry import Record, lookup, records
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.static import is_constant, new_axes

# pure functions that may be called when the code is written, on what is known then
STATIC_FUNCTIONS: frozenset[Any] = frozenset({
    len, tuple, list, min, max, sum, abs, int, float, bool, str, isinstance, range, sorted, reversed, enumerate, zip,
    slice, round, divmod, pow, any, all, np.finfo, np.iinfo, np.dtype, np.issubdtype, np.float16, np.float32,
    np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.bool_, np.array, np.asarray, np.shape, np.ndim,
    np.size, math.prod,
})  # fmt: skip

# functions whose calls are read in ways of their own
READ_SPECIALLY: frozenset[Any] = frozenset(
    {is_constant, new_axes, isinstance, len, np.ndim, np.iscomplexobj, tuple, list, sum, print}
)

# attributes of an array that are read as functions of it
PROPERTIES: dict[str, Callable[..., Any]] = {"T": np.transpose, "mT": np.matrix_transpose, "size": np.size}


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an array, before it is called."""

    value: Value
    name: str


@reads(cst.Attribute)
def read_attribute(reader: Reader, syntax: cst.Attribute) -> Any:
    owner = reader.expression(syntax.value)
    name = syntax.attr.value
    if isinstance(owner, Value):
        return _attribute_of_value(reader, owner, name, syntax)
    if isinstance(owner, tuple | Slice | Method):
        reader.fail(f"`.{name}` of {described(owner)} can't be read", syntax)
    try:
        found = getattr(owner, name)
    except AttributeError:
        place = getattr(owner, "__name__", described(owner))
        near = difflib.get_close_matches(name, dir(owner), n=1)
        reader.fail(f"{place} has no `{name}`", syntax, f"did you mean `{near[0]}`?" if near else "")
    found = plain_number(reader, found, syntax)
    if isinstance(found, int | float) and isinstance(owner, types.ModuleType):
        module = "np" if owner is np else owner.__name__
        constant = Constant(found, type_of(found), text=f"{module}.{name}")
        if reader.inlined:
            reader.spelled_out.add(constant)
        return constant
    return found


def _attribute_of_value(reader: Reader, owner: Value, name: str, syntax: cst.Attribute) -> Any:
    if name == "shape":
        return reader.apply(syntax, np.shape, owner, form=".shape")
    if name == "ndim":
        return owner.rank
    if name == "dtype":
        return owner.dtype
    if name in PROPERTIES:
        return reader.apply(syntax, PROPERTIES[name], owner, form=f".{name}")
    if not hasattr(np.ndarray, name):
        near = difflib.get_close_matches(name, dir(np.ndarray), n=1)
        reader.fail(f"an array has no `{name}`", syntax.attr, f"did you mean `{near[0]}`?" if near else "")
    return Method(owner, name)


@reads(cst.Call)
def read_call(reader: Reader, syntax: cst.Call) -> Any:
    function = reader.expression(syntax.func)
    if not isinstance(function, Method):
        # before its arguments are read: what is wrong with them is another problem
        _require_known(reader, function, syntax)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in syntax.args:
        item = reader.expression(argument.value)
        if argument.star == "*":
            args += parts(reader, item, argument)
        elif argument.star == "**":
            reader.fail("`**` arguments can't be read", argument, "write the arguments one by one")
        elif argument.keyword is not None:
            kwargs[argument.keyword.value] = item
        else:
            args.append(item)
    if isinstance(function, Method):
        return _call_method(reader, function, args, kwargs, syntax)
    return call(reader, function, args, kwargs, syntax)


def call(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.Call) -> Any:
    """Return what a call gives: worked out where all is known, a node of the graph otherwise."""
    if function is is_constant:
        return is_static(args[0])
    if function is new_axes:
        return new_axes(*args)
    if function is isinstance:
        return _is_instance(*args)
    for leaf in leaves((*args, *kwargs.values())):
        if decides(leaf):
            refuse_methods(reader, leaf, syntax)
    static = all(is_static(item) for item in (*args, *kwargs.values()))
    if static and _is_pure(reader, function):
        result = static_call(reader, syntax, function, args, kwargs)
        if not isinstance(result, np.ndarray):
            return result
    if function is len and isinstance(args[0], tuple):
        return len(args[0])
    if function in (np.ndim, np.iscomplexobj) and isinstance(args[0], Value):
        return args[0].rank if function is np.ndim else False
    if function in (tuple, list, reversed) and isinstance(args[0], tuple):
        ordered = reversed(args[0]) if function is reversed else args[0]
        return (List if function is list else tuple)(ordered)
    if function is sum and isinstance(args[0], tuple):
        return _sum(reader, args, syntax)
    record = lookup(function)
    if record is None:
        reader.fail(f"{called(function)} of data can't be differentiated", syntax)
    if reader.inlined:
        function = _of_the_same_module(reader, function, args)
    else:
        args = [
            call(reader, np.array, [arg], {}, syntax) if _is_for_an_array(record, place, arg) else arg
            for place, arg in enumerate(args)
        ]
    return reader.apply(syntax, function, *args, **kwargs)


def _is_for_an_array(record: Record, place: int, argument: Any) -> bool:
    """Tell whether an argument is a list of numbers that NumPy makes an array of: ``np.sum([a, b])``."""
    if not isinstance(argument, tuple) or place >= len(record.inputs):
        return False
    return not any(
        isinstance(sample.args[place], tuple | list) for sample in record.samples if place < len(sample.args)
    )


def _of_the_same_module(reader: Reader, function: Any, args: list[Any]) -> Any:
    """Return the function of `math` for a rule's NumPy function, where the user's code is written with `math`."""
    forward = reader.builder.forward
    if forward is None or getattr(forward.function, "__module__", None) != "math":
        return function
    record = lookup(function)
    twin: Any = record.scalar if record is not None else None
    plain = all(not isinstance(arg, Value) or arg.type.weak for arg in args)
    return twin if plain and getattr(twin, "__module__", None) == "math" else function


def _is_pure(reader: Reader, function: Any) -> bool:
    """Tell whether a function may be called when the code is written."""
    if reader.inlined or lookup(function) is not None or isinstance(function, np.ufunc):
        return True
    bound_to_text = isinstance(getattr(function, "__self__", None), str)
    return bound_to_text or function in STATIC_FUNCTIONS


def _is_instance(item: Any, kinds: Any) -> bool:
    if isinstance(item, Value) and not isinstance(item, Constant):
        kind = {"f": float, "i": int, "b": bool}[item.dtype.kind] if item.type.weak else np.ndarray
        return issubclass(kind, kinds)
    return isinstance(as_number(item), kinds)


def _sum(reader: Reader, args: list[Any], syntax: cst.Call) -> Any:
    """Add the elements of a tuple or list, as the builtin does."""
    items = list(args[0])
    total = args[1] if len(args) > 1 else (items.pop(0) if items else 0)
    for item in items:
        total = reader.apply(syntax, operator.add, total, item)
    return total


def _call_method(reader: Reader, method: Method, args: list[Any], kwargs: dict[str, Any], syntax: cst.Call) -> Any:
    name, value = method.name, method.value
    if value.type.weak:
        reader.fail(f"a Python number has no `{name}`", syntax.func)
    if name in ("reshape", "transpose") and args and not _is_tuple(args[0]):
        # these two take the parts of their tuple one by one as well
        args = [tuple(args)]
    for owner in (np, np.ndarray):
        function: Any = getattr(owner, name, None)
        if lookup(function) is not None:
            return reader.apply(syntax, function, value, *args, form="method", **kwargs)
    return reader.fail(
        f"the method `{name}` has no rule", syntax.func, "flatgrad.registry.rule declares one for a function"
    )


def _is_tuple(argument: Any) -> bool:
    """Tell whether an argument is a tuple, a shape, or the None that stands for one."""
    return argument is None or isinstance(argument, tuple) or isinstance(getattr(argument, "known", None), tuple)


def _require_known(reader: Reader, function: Any, syntax: cst.Call) -> None:
    """Refuse a function that is neither an operation nor one that may be called when the code is written."""
    if isinstance(function, StaticFunction):
        reader.fail(f"the call of `{function.name}` can't be differentiated", syntax.func, "write its expression here")
    if not callable(function):
        reader.fail(f"{described(function)} is not a function that can be called here", syntax.func)
    if lookup(function) is not None or function in READ_SPECIALLY or _is_pure(reader, function):
        return
    name = getattr(function, "__name__", str(function))
    if isinstance(function, types.FunctionType):
        reader.fail(f"the call of `{name}` can't be differentiated", syntax.func, "write its expression here")
    known = {each.__name__ for record in records() for each in record.functions if hasattr(each, "__name__")}
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"supported functions with such a name: {', '.join(sorted(near))}; " if near else ""
    reader.fail(f"{called(function)} has no rule", syntax.func, hint + "flatgrad.registry.rule declares one")


@reads(cst.Subscript)
def read_subscript(reader: Reader, syntax: cst.Subscript) -> Any:
    owner = reader.expression(syntax.value)
    indices = [_index(reader, element.slice) for element in syntax.slice]
    one = len(indices) == 1 and not isinstance(syntax.slice[0].comma, cst.Comma)
    # a tuple among several indices picks as a list does
    listed = [List(part) if isinstance(part, tuple) else part for part in indices]
    index: Any = indices[0] if one else tuple(listed)
    if isinstance(owner, Value):
        if isinstance(owner.known, tuple) and is_static(index):
            return _part_of_shape(reader, owner, as_number(index), syntax)
        return reader.apply(syntax, operator.getitem, owner, index=index)
    if isinstance(owner, tuple | str | range) and is_static(index):
        try:
            return owner[as_python(as_number(index))]
        except (IndexError, TypeError) as error:
            reader.fail(f"{error}", syntax)
    return reader.fail(f"{described(owner)} can't be indexed here", syntax)


def _part_of_shape(reader: Reader, shape: Value, index: Any, syntax: cst.Subscript) -> Any:
    assert shape.node is not None and isinstance(shape.known, tuple)
    (array,) = shape.node.arguments.values()
    if isinstance(index, Slice):
        chosen = range(len(shape.known))[as_python(index)]
        return tuple([reader.apply(syntax, size_of_axis, array, axis) for axis in chosen])
    if not -len(shape.known) <= index < len(shape.known):
        reader.fail(f"the shape has {len(shape.known)} sizes", syntax)
    return reader.apply(syntax, size_of_axis, array, index)


def _index(reader: Reader, syntax: cst.BaseSlice) -> Any:
    if isinstance(syntax, cst.Index):
        if syntax.star:
            reader.refuse(syntax)
        index = reader.expression(syntax.value)
        return Slice(index.start, index.stop, index.step) if isinstance(index, slice) else index
    assert isinstance(syntax, cst.Slice)
    bounds = (syntax.lower, syntax.upper, syntax.step)
    return Slice(*(None if bound is None else reader.expression(bound) for bound in bounds))
