"""Reads calls, attributes and subscripts. Fills EXPRESSIONS. Layer: beside `reader`."""

from __future__ import annotations

import difflib
import math
import operator
import types
from typing import Any, NoReturn

import libcst as cst
import numpy as np

from flatgrad.frontend.attributes import Method
from flatgrad.frontend.callees import is_known
from flatgrad.frontend.effects import EXPRESSION_STATEMENTS, read_print
from flatgrad.frontend.functions import applied, innermost, is_applied, unbound
from flatgrad.frontend.known import (
    as_number,
    decides,
    is_static,
    refuse_methods,
    static_call,
)
from flatgrad.frontend.reader import Reader, called, described, reads
from flatgrad.frontend.static_objects import StaticClass
from flatgrad.frontend.unpacking import parts
from flatgrad.functions.plain import INNER
from flatgrad.graph.values import Constant, List, Slice, Value, leaves
from flatgrad.infer import as_python
from flatgrad.registry import Record, lookup, records
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.indexing import repeats
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
    {is_constant, new_axes, repeats, isinstance, len, np.ndim, np.iscomplexobj, tuple, list, sum, print}
)

# methods of the dict of a ** parameter that may be called
READ_OF_DICTS = ("get", "items", "keys", "values")


@reads(cst.Call)
def read_call(reader: Reader, syntax: cst.Call) -> Any:
    function = reader.expression(syntax.func)
    if not isinstance(function, Method):
        # before its arguments are read: what is wrong with them is another problem
        _require_known(reader, function, syntax)
    args, kwargs = _arguments(reader, syntax)
    if isinstance(function, Method):
        return _call_method(reader, function, args, kwargs, syntax)
    return call(reader, function, args, kwargs, syntax)


def read_call_statement(reader: Reader, syntax: cst.Call) -> None:
    """Keep a print, and what a user's function prints; anything else that is called for its effect might change an array."""
    function = innermost(reader.expression(syntax.func))
    if function is print:
        read_print(reader, syntax)
    elif is_applied(function):
        args, kwargs = _arguments(reader, syntax)
        made = unbound(reader, reader.expression(syntax.func), args, kwargs, syntax)
        applied(reader, *made, syntax, is_statement=True)
    else:
        reader.fail(
            "a call whose result is not used can't be differentiated: it may change an array",
            syntax,
            "assign its result, or move it out of the function",
        )


EXPRESSION_STATEMENTS[cst.Call] = read_call_statement


def _arguments(reader: Reader, syntax: cst.Call) -> tuple[list[Any], dict[str, Any]]:
    """Return the items that a call gives, by position and by name."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in syntax.args:
        item = reader.expression(argument.value)
        if argument.star == "*":
            args += parts(reader, item, argument)
        elif argument.star == "**":
            kwargs |= _keywords(reader, item, kwargs, argument)
        elif argument.keyword is not None:
            kwargs[argument.keyword.value] = item
        else:
            args.append(item)
    return args, kwargs


def _keywords(reader: Reader, item: Any, given: dict[str, Any], syntax: cst.Arg) -> dict[str, Any]:
    """Return the arguments in a dict that is passed on."""
    if not isinstance(item, dict) or not all(isinstance(name, str) for name in item):
        reader.fail("only the dict of a ** parameter can be passed on", syntax, "write the arguments one by one")
    for name in item:
        if name in given:
            reader.fail(f"got multiple values for argument {name!r}", syntax)
    return item


def call(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.Call) -> Any:
    """Return what a call gives: worked out where all is known, a node of the graph otherwise."""
    function, positional, keywords = unbound(reader, function, args, kwargs, syntax)
    args, kwargs = list(positional), dict(keywords)
    if is_applied(function):
        return applied(reader, function, args, kwargs, syntax)
    if function is is_constant:
        return is_static(args[0])
    if function in (new_axes, repeats):
        return function(*args)
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
    if function is len and isinstance(args[0], tuple | dict):
        return len(args[0])
    if _is_of_dict(function):
        return _from_dict(reader, function, args, syntax)
    if function in (np.ndim, np.iscomplexobj) and isinstance(args[0], Value):
        return args[0].rank if function is np.ndim else False
    if function in (tuple, list, reversed) and isinstance(args[0], tuple):
        ordered = reversed(args[0]) if function is reversed else args[0]
        return (List if function is list else tuple)(ordered)
    if function in (min, max) and len(args) > 2 and not kwargs:
        # of several, as of two at a time
        return call(reader, function, [call(reader, function, args[:-1], {}, syntax), args[-1]], {}, syntax)
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


def _is_of_dict(function: Any) -> bool:
    """Tell whether a function is a method that reads the dict of a ** parameter."""
    return isinstance(getattr(function, "__self__", None), dict) and function.__name__ in READ_OF_DICTS


def _from_dict(reader: Reader, method: Any, args: list[Any], syntax: cst.Call) -> Any:
    if args and not is_static(args[0]):
        reader.fail("the name of a ** argument has to be known when the code is written", syntax)
    result = method(*map(as_number, args[:1]), *args[1:])
    return result if method.__name__ == "get" else tuple(result)


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
    """Refuse a function that is neither an operation nor one that is read or called when the code is written."""
    function = innermost(function)
    if is_applied(function):
        return
    if isinstance(function, StaticClass):
        _refuse_class(reader, function.name, syntax)
    if not callable(function) or type(function).__hash__ is None:
        reader.fail(f"{described(function)} is not a function that can be called here", syntax.func)
    if lookup(function) is not None or function in READ_SPECIALLY or _is_pure(reader, function):
        return
    if _is_of_dict(function):
        return
    name = getattr(function, "__name__", str(function))
    _refuse_object(reader, function, syntax)
    known = {each.__name__ for record in records() for each in record.functions if hasattr(each, "__name__")}
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"supported functions with such a name: {', '.join(sorted(near))}; " if near else ""
    reader.fail(f"{called(function)} has no rule", syntax.func, hint + "flatgrad.registry.rule declares one")


def _refuse_class(reader: Reader, name: str, syntax: cst.Call) -> NoReturn:
    hint = "use tuples and functions, or name each array by itself"
    reader.fail(f"making an object of a class can't be differentiated: `{name}`", syntax.func, hint)


def _is_of_the_user(function: Any) -> bool:
    return callable(function) and not is_known(function)


def _refuse_object(reader: Reader, function: Any, syntax: cst.Call) -> None:
    """Raise the error for a callable object of the user's."""
    name = getattr(function, "__name__", "it")
    kind = type(function).__name__
    if isinstance(function, types.MethodType):
        owner = type(function.__self__).__name__
        hint = "write a function that takes what it uses of the object as parameters"
        reader.fail(f"a method of an object can't be differentiated: `{name}` of {owner}", syntax.func, hint)
    if isinstance(function, type) and function.__module__.partition(".")[0] not in ("builtins", "numpy"):
        _refuse_class(reader, name, syntax)
    inner = next((each for each in INNER if _is_of_the_user(getattr(function, each, None))), None)
    if inner is not None and not isinstance(function, types.FunctionType):
        name = getattr(getattr(function, inner), "__name__", name)
        message = f"a decorator has made a {kind} of `{name}`, which can't be followed"
        reader.fail(message, syntax.func, f"call the function inside: its attribute `{inner}`")


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
    if isinstance(owner, tuple | str | range | dict) and is_static(index):
        try:
            return owner[as_python(as_number(index))]
        except KeyError:
            reader.fail(f"there is no {as_number(index)!r} among {', '.join(map(repr, owner))}", syntax)
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
