"""Reads calls, attributes and subscripts. Fills EXPRESSIONS. Layer: beside `reader`."""

from __future__ import annotations

import collections
import difflib
import math
import operator
import types
from collections.abc import Callable, Container
from functools import partial
from typing import Any, NoReturn

import libcst as cst
import numpy as np

from flatgrad.frontend.array_writes import WRITING_CALLS, WRITING_METHODS, into_out, is_given_out, read_writing_call
from flatgrad.frontend.attributes import Method
from flatgrad.frontend.callees import ImportReader, is_known
from flatgrad.frontend.classes import is_users_class
from flatgrad.frontend.construction import constructed
from flatgrad.frontend.effects import EXPRESSION_STATEMENTS, read_print
from flatgrad.frontend.functions import applied, innermost, is_applied, performed, unbound
from flatgrad.frontend.iterators import BoundMethod, Deferred
from flatgrad.frontend.known import decides, is_static, refuse_methods, static_call
from flatgrad.frontend.list_values import call_list_method
from flatgrad.frontend.objects import CALL_READERS, is_instance
from flatgrad.frontend.passing import is_passed, read_passed
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader, reads
from flatgrad.frontend.special_methods import built_in, callable_of, without_objects
from flatgrad.frontend.texts import filled_in, is_format, shown
from flatgrad.frontend.ufunc_calls import call_ufunc_method, is_ufunc_method, plain_arguments
from flatgrad.frontend.unpacking import parts
from flatgrad.frontend.views import is_own_array
from flatgrad.frontend.wording import called, described
from flatgrad.functions.plain import INNER
from flatgrad.graph.containers import Dict, Slice, leaves
from flatgrad.graph.values import Value
from flatgrad.parts import Opaque
from flatgrad.registry import INLINE, QUESTIONS, Record, lookup, records
from flatgrad.rules.static import is_constant

# pure functions that may be called when the code is written, on what is known then
STATIC_FUNCTIONS: frozenset[Any] = frozenset({
    abs, int, float, bool, str, repr, slice, round, divmod, pow, ord, chr, operator.itemgetter,
    operator.attrgetter, np.finfo, np.iinfo, np.dtype, np.issubdtype, np.float16, np.float32, np.float64, np.int8,
    np.int16, np.int32, np.int64, np.uint8, np.bool_, np.array, np.asarray, np.shape, np.ndim, np.size, math.prod,
})  # fmt: skip

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

CallReader = Callable[[Reader, list[Any], dict[str, Any], cst.CSTNode], Any]
# what reads the calls of functions that go through their arguments, or make containers of them
CALLS: dict[Any, CallReader] = {}
# what reads the calls of methods of containers and iterators, by the class of the owner and the name
METHODS: dict[tuple[type, str], CallReader] = {}
# what reads the calls of objects that are made to be called, by their class: the object is the first argument
GETTERS: dict[type, CallReader] = {}


def calls(*functions: Any) -> Callable[[CallReader], CallReader]:
    """Enter the decorated function into CALLS as what reads the calls of these functions."""

    def enter(read: CallReader) -> CallReader:
        CALLS.update(dict.fromkeys(functions, read))
        return read

    return enter


# functions that make arrays to write into
BUFFERS: frozenset[Any] = frozenset(
    {np.zeros, np.ones, np.full, np.empty, np.zeros_like, np.ones_like, np.full_like, np.empty_like}
)
# functions that are called for what they change
CHANGING: set[Any] = {setattr, object.__setattr__, object.__init__}


@reads(cst.Call)
def read_call(reader: Reader, syntax: cst.Call) -> Any:
    function = callable_of(reader, reader.expression(syntax.func), syntax)
    if is_passed(function):
        return read_passed(reader, function, *_arguments(reader, syntax), syntax)
    if not isinstance(function, Method):
        # before its arguments are read: what is wrong with them is another problem
        _require_known(reader, function, syntax)
    args, kwargs = _arguments(reader, syntax)
    if isinstance(function, Method):
        return _call_method(reader, function, args, kwargs, syntax)
    return call(reader, function, args, kwargs, syntax)


def read_call_statement(reader: Reader, syntax: cst.Call) -> None:
    """Keep a print, and what a user's function prints; anything else that is called for its effect might change an array."""
    called_here = callable_of(reader, reader.expression(syntax.func), syntax)
    function = innermost(called_here)
    if function is print:
        read_print(reader, syntax)
    elif is_passed(function):
        read_passed(reader, function, *_arguments(reader, syntax), syntax, is_statement=True)
    elif isinstance(function, Method) and function.value.type.is_list:
        call_list_method(reader, function.value, function.name, *_arguments(reader, syntax), syntax)
    elif isinstance(function, Method):
        _call_method(reader, function, *_arguments(reader, syntax), syntax, is_statement=True)
    elif isinstance(function, BoundMethod) or _is_read_here(function):
        call(reader, called_here, *_arguments(reader, syntax), syntax)
    elif is_applied(function):
        args, kwargs = _arguments(reader, syntax)
        made = unbound(reader, called_here, args, kwargs, syntax)
        applied(reader, *made, syntax, is_statement=True)
    else:
        _require_known(reader, function, syntax)
        args, kwargs = _arguments(reader, syntax)
        if not is_given_out(function, args, kwargs):
            _refuse_statement(reader, syntax)
        call(reader, function, args, kwargs, syntax)


def _refuse_statement(reader: Reader, syntax: cst.CSTNode) -> NoReturn:
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
    # what stands behind an argument may have changed it
    return [reader.refreshed(item) for item in args], {name: reader.refreshed(item) for name, item in kwargs.items()}


def _keywords(reader: Reader, item: Any, given: dict[str, Any], syntax: cst.Arg) -> dict[str, Any]:
    """Return the arguments in a dict that is passed on."""
    if not isinstance(item, Dict) or not all(isinstance(name, str) for name in item.keys):
        reader.fail("only a dict with names as its keys can be passed on by **", syntax)
    for name in item.keys:
        if name in given:
            reader.fail(f"got multiple values for argument {name!r}", syntax)
    return item.items


def call(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what a call gives: worked out where all is known, a node of the graph otherwise."""
    if isinstance(function, BoundMethod):
        return call_method(reader, function, args, kwargs, syntax)
    if type(function) in GETTERS:
        return GETTERS[type(function)](reader, [function, *args], kwargs, syntax)
    function, positional, keywords = unbound(reader, function, args, kwargs, syntax)
    args, kwargs = list(positional), dict(keywords)
    if is_applied(function):
        return applied(reader, function, args, kwargs, syntax)
    method = callable_of(reader, function, syntax)
    if method is not function:
        return call(reader, method, args, kwargs, syntax)
    if is_users_class(function):
        return constructed(reader, function, args, kwargs, syntax)
    if args and is_instance(args[0]):
        result = built_in(reader, function, args, syntax)
        if result is not NOTHING:
            return result
    return _of_items(reader, function, args, kwargs, syntax)


def _of_items(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what a function gives that is no user's, nor one of their objects'."""
    if function is is_constant:
        return is_static(args[0])
    if function is np.where and len(args) == 1:
        # NumPy's short form of it
        function = np.nonzero
    if _is_one_of(function, QUESTIONS):
        return _with_slices(function(*args, **kwargs))
    if _is_one_of(function, INLINE):
        return CALL_READERS["inline"](reader, function, args, kwargs, syntax)
    if _is_read_here(function):
        return _read_here(reader, function, args, kwargs, syntax)
    if is_ufunc_method(function):
        by_plain = lambda function, args, kwargs: _of_plain_items(reader, function, args, kwargs, syntax)  # noqa: E731
        return call_ufunc_method(reader, function, args, kwargs, by_plain, syntax)
    if isinstance(function, np.ufunc) and kwargs:
        args, kwargs = plain_arguments(reader, function, args, kwargs, syntax)
    return _of_plain_items(reader, function, args, kwargs, syntax)


def _of_plain_items(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what an operation gives, or a function that is called when the code is written."""
    if is_given_out(function, args, kwargs):
        return into_out(
            reader, function, args, kwargs, lambda args, kwargs: call(reader, function, args, kwargs, syntax), syntax
        )
    for leaf in leaves((*args, *kwargs.values())):
        if decides(leaf):
            refuse_methods(reader, leaf, syntax)
    static = all(is_static(item) for item in (*args, *kwargs.values()))
    if static and _is_pure(reader, function) and not _is_for_writing(reader, function, args):
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
        hint = "flatgrad.registry.rule declares its gradient"
        reader.fail(f"{called(function)} of data can't be differentiated", syntax, hint)
    if reader.inlined:
        function = _of_the_same_module(reader, function, args)
    else:
        args = [
            call(reader, np.array, [arg], {}, syntax) if _is_for_an_array(record, place, arg) else arg
            for place, arg in enumerate(args)
        ]
        kwargs = {
            name: call(reader, np.array, [arg], {}, syntax)
            if name in record.inputs and _is_for_an_array(record, record.inputs.index(name), arg)
            else arg
            for name, arg in kwargs.items()
        }
    return reader.apply(syntax, function, *args, **kwargs)


def _with_slices(item: Any) -> Any:
    """Return what a rule was told, with slices that may hold values."""
    if isinstance(item, slice):
        return Slice(item.start, item.stop, item.step)
    return tuple(map(_with_slices, item)) if type(item) is tuple else item


CALL_READERS.update({"call": call, "perform": performed})


def _is_read_here(function: Any) -> bool:
    """Tell whether a function is in CALLS, or changes an array."""
    return _is_one_of(function, CALLS) or _is_one_of(function, WRITING_CALLS)


def _is_one_of(function: Any, functions: Container[Any]) -> bool:
    return type(function).__hash__ is not None and function in functions


def _read_here(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    for item in (*args, *kwargs.values()):
        if isinstance(item, Opaque):
            refuse_methods(reader, item, syntax)
    if function in WRITING_CALLS:
        read_writing_call(reader, function, args, kwargs, syntax)
        return None
    return CALLS[function](reader, args, kwargs, syntax)


def call_method(
    reader: Reader, method: BoundMethod, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode
) -> Any:
    """Return what a method of a container or an iterator gives, which may change its owner."""
    owner = reader.refreshed(method.owner)
    read = METHODS.get((type(owner), method.name))
    if read is None:
        hint = "make a new set: a | b, a - b" if isinstance(owner, frozenset) else ""
        reader.fail(f"the method `{method.name}` of {described(owner)} can't be read", syntax, hint)
    return read(reader, [owner, *args], kwargs, syntax)


def _is_for_an_array(record: Record, place: int, argument: Any) -> bool:
    """Tell whether an argument is a list of numbers that NumPy makes an array of: ``np.sum([a, b])``."""
    last = len(record.inputs) - 1
    if not isinstance(argument, tuple) or (place > last and record.starred is None):
        return False
    # what a star stands for is the last input, and all behind it
    places = slice(last, None) if record.starred is not None and place >= last else slice(place, place + 1)
    name = record.inputs[min(place, last)]
    tried = [(*sample.args[places], sample.attributes.get(name)) for sample in record.samples]
    return not any(isinstance(arg, tuple | list) for args in tried for arg in args)


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


def _is_pure(reader: Reader, function: Any) -> bool:
    """Tell whether a function may be called when the code is written."""
    if reader.inlined or lookup(function) is not None or isinstance(function, np.ufunc):
        return True
    bound_to_text = isinstance(getattr(function, "__self__", None), str)
    return bound_to_text or function in STATIC_FUNCTIONS


def _call_method(
    reader: Reader,
    method: Method,
    args: list[Any],
    kwargs: dict[str, Any],
    syntax: cst.Call,
    *,
    is_statement: bool = False,
) -> Any:
    name, value = method.name, method.value
    if value.type.is_list:
        return call_list_method(reader, value, name, args, kwargs, syntax)
    if value.type.weak and not (name == "conjugate" and value.dtype.kind == "c"):
        reader.fail(f"a Python number has no `{name}`", syntax.func)
    if name in WRITING_METHODS:
        return read_writing_call(reader, WRITING_METHODS[name], [value, *args], kwargs, syntax)
    if is_statement and kwargs.get("out") is None:
        _refuse_statement(reader, syntax)
    if name in ("reshape", "transpose") and args and not _is_tuple(args[0]):
        # these two take the parts of their tuple one by one as well
        args = [tuple(args)]
    # a method may take its arguments in an order of its own
    for owner in (np.ndarray, np):
        function: Any = getattr(owner, name, None)
        if lookup(function) is not None:
            apply = partial(_apply_method, reader, function, value, syntax)
            if kwargs.get("out") is not None:
                return into_out(reader, function, args, kwargs, apply, syntax)
            return apply(args, kwargs)
    return reader.fail(
        f"the method `{name}` has no rule", syntax.func, "flatgrad.registry.rule declares one for a function"
    )


def _apply_method(
    reader: Reader, function: Any, value: Value, syntax: cst.CSTNode, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    return reader.apply(syntax, function, value, *args, form="method", **kwargs)


def _is_tuple(argument: Any) -> bool:
    """Tell whether an argument is a tuple, a shape, or the None that stands for one."""
    return argument is None or isinstance(argument, tuple) or isinstance(getattr(argument, "known", None), tuple)


def _require_known(reader: Reader, function: Any, syntax: cst.Call) -> None:
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
        or _is_read_here(function)
        or is_ufunc_method(function)
        or _is_pure(reader, function)
    ):
        return
    name = getattr(function, "__name__", str(function))
    _refuse_object(reader, function, syntax)
    known = {each.__name__ for record in records() for each in record.functions if hasattr(each, "__name__")}
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"supported functions with such a name: {', '.join(sorted(near))}; " if near else ""
    if function in INSTEAD:
        reader.fail(f"{called(function)} is not read", syntax.func, INSTEAD[function])
    reader.fail(f"{called(function)} has no rule", syntax.func, hint + "flatgrad.registry.rule declares one")


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
