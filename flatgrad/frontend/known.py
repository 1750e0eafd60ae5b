"""What is known when the code is written: constants, options, and what is worked out from them there and then.

In: items of the program. Out: whether they are known, as plain Python objects, and results of calls on them.
Layer: above `reader`, below `expressions`.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NoReturn

import libcst as cst
import numpy as np

from flatgrad.builder import StaticNeeded
from flatgrad.frontend.iterators import Deferred
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.unpacking import held
from flatgrad.functions.libraries import LIBRARIES
from flatgrad.graph.containers import List, Record, Slice, leaves, mapped
from flatgrad.graph.size import SizeUnknown, resolved
from flatgrad.graph.values import Constant, Node, Value, packed
from flatgrad.infer import as_python, type_of, unwrapped
from flatgrad.parts import Opaque
from flatgrad.rules.program import concatenated, filled, formatted

# what makes text
OF_TEXT = frozenset({formatted, concatenated, filled})
# methods by which an object decides what operators and builtins make of it
DECIDING = (
    "__bool__", "__len__", "__iter__", "__contains__", "__getitem__", "__eq__", "__lt__", "__le__", "__gt__", "__ge__",
    "__int__", "__float__", "__index__", "__abs__", "__round__",
)  # fmt: skip


def is_static(item: Any) -> bool:
    """Tell whether all of an item is known when the code is written. An object is not: its class decides what it does."""
    if isinstance(item, tuple) and holds_object(item):
        return False
    return all(
        isinstance(leaf, Constant) or not (isinstance(leaf, Value | Deferred) or decides(leaf)) for leaf in leaves(item)
    )


def holds_object(item: Any) -> bool:
    """Tell whether there is an object of a class in an item."""
    if isinstance(item, Record):
        return True
    return isinstance(item, tuple) and not hasattr(item, "_fields") and any(map(holds_object, item))


def decides(item: Any) -> bool:
    """Tell whether an object decides by methods that a user has written, or that can't be told: what they return may change."""
    kind: Any = type(item)
    return isinstance(item, Opaque) or _has_own_methods(kind)


@lru_cache(maxsize=1024)
def _has_own_methods(kind: Any) -> bool:
    methods = [found for name in DECIDING if isinstance(found := getattr(kind, name, None), types.FunctionType)]
    return any(method.__module__.partition(".")[0] not in PURE_MODULES for method in methods)


PURE_MODULES = frozenset({"flatgrad", *LIBRARIES, *sys.stdlib_module_names})


def plain_number(reader: Reader, found: Any, syntax: cst.CSTNode) -> Any:
    """Return an object that was found outside of the function; a number with a name as the number that it is."""
    if not isinstance(found, int | float) or isinstance(found, np.generic) or type(found) in (bool, int, float):
        return found
    if not isinstance(found, enum.Enum):
        kind = type(found).__name__
        reader.fail(f"a {kind} may have operators of its own", syntax, "use the number itself: float(...) or int(...)")
    return int(found) if isinstance(found, int) else float(found)


def is_spelled_out(reader: Reader, item: Any) -> bool:
    """Tell whether a constant of a rule is to be read as it is written there: math.pi, math.log(2)."""
    return isinstance(item, Constant) and item in reader.spelled_out


def as_number(item: Any) -> Any:
    """Return the Python object that a static item stands for."""
    return unwrapped(item)


def refuse_methods(reader: Reader, item: Any, syntax: cst.CSTNode) -> NoReturn:
    """Raise that a method of a user's class decides."""
    kind = item.kind if isinstance(item, Opaque) else type(item).__name__
    message = f"what a {kind} makes of this is decided by a method of its class"
    reader.fail(message, syntax, "use a plain value, such as one of its attributes")


# what can be written into an expression
WRITTEN = (Value, bool, int, float, str, type(None), type(...), np.dtype, type)


def static_call(
    reader: Reader, syntax: cst.CSTNode, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> Any:
    """Call a function on what is known when the code is written.

    A number that comes out in the user's own code stays the expression that it was written as.
    """
    try:
        result = function(*[plain(arg) for arg in args], **{name: plain(arg) for name, arg in kwargs.items()})
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        reader.fail(f"fails for every call: {error}", syntax)
    if isinstance(result, np.ndarray) and result.ndim == 0 and reader.inlined:
        result = result.item()
    if isinstance(result, np.generic) and reader.inlined:
        result = result.item()
    if isinstance(result, list):
        made = List(result)
        made.ref = Ref()
        return made
    if isinstance(result, slice):
        return Slice(result.start, result.stop, result.step)
    number = isinstance(result, int | float | complex | np.generic) and not isinstance(result, bool)
    irrational = isinstance(result, float) and getattr(function, "__module__", None) == "math"
    is_array = isinstance(result, np.ndarray)
    if (reader.inlined and not irrational and not is_array) or not (number or is_array):
        return result
    named = {f"argument{k}": arg for k, arg in enumerate(args)} | kwargs
    is_method = isinstance(getattr(function, "__self__", None), str)
    if is_method or not all(isinstance(leaf, WRITTEN) for leaf in leaves(tuple(named.values()))):
        return Constant(result, type_of(result))
    if any(isinstance(leaf, Constant) and leaf.node is not None for leaf in leaves(tuple(named.values()))):
        # what is computed from the function's own variables is computed where they are
        node = reader.builder.node(function, named, [], location=reader.source.location(syntax), positional=len(args))
        computed = Constant(result, type_of(result))
        computed.node = node
        node.outputs = (computed,)
        return computed
    inputs, call = packed(named)
    constant = Constant(result, type_of(result), expression=Node(function, inputs, call, positional=len(args)))
    if reader.inlined:
        reader.spelled_out.add(constant)
    return held(reader, constant, None) if is_array and not reader.inlined else constant


def plain(item: Any) -> Any:
    """Return a static item as the Python object that functions expect."""
    return as_python(unwrapped(item))


def whole_parameters(value: Value) -> Iterator[Value]:
    """Yield the int parameters that a whole number is computed from, or that a text shows."""
    pending, seen = [value], {value}
    while pending:
        each = pending.pop()
        if not each.type.weak or each.type.dtype.kind not in "iU" or isinstance(each, Constant):
            continue
        if each.node is None:
            yield each
            continue
        pending += [part for part in each.node.inputs if part not in seen]
        seen.update(each.node.inputs)


def with_known_text(reader: Reader, item: Any, syntax: cst.CSTNode, what: str = "text") -> Any:
    """Return the str that a text is, any other item as it is. Raises StaticNeeded and SizeUnknown for what it shows."""
    if not isinstance(item, Value) or item.dtype.kind != "U":
        return item
    if item.node is None:
        raise _missing(reader, StaticNeeded(what, item), what, syntax)
    if item.node.function not in OF_TEXT:
        reader.fail(f"{NOT_KNOWN.format(what)}, and it depends on data", syntax)

    def shown(leaf: Any) -> Any:
        known = with_known_text(reader, leaf, syntax, what)
        is_value = isinstance(known, Value) and not isinstance(known, Constant)
        return known_number(reader, known, syntax, what) if is_value else known

    return item.node.function(*(plain(mapped(argument, shown)) for argument in item.node.arguments.values()))


NOT_KNOWN = "this {} has to be known when the code is written"


def known_number(reader: Reader, number: Value, syntax: cst.CSTNode, what: str) -> int:
    """Return the number of a size; `what` it is for. Raises StaticNeeded for another whole number, and SizeUnknown."""
    if number.known is None or isinstance(number.known, tuple):
        parameter = next(whole_parameters(number), None)
        if parameter is None:
            reader.fail(f"{NOT_KNOWN.format(what)}, and it depends on data: {number.type}", syntax)
        raise _missing(reader, StaticNeeded(what, parameter), what, syntax)
    size = resolved(number.known)
    if not isinstance(size, int):
        raise _missing(reader, SizeUnknown((size,)), what, syntax)
    return size


def _missing(reader: Reader, error: Any, what: str, syntax: cst.CSTNode) -> Exception:
    """Return the exception for what has to be known, with its problem."""
    of_size = "give numbers for the sizes: shapes='x=(10,)'"
    of_number = "for a loop: a range whose length is known, such as that of a list; for an array of results, np.stack"
    hint = of_size if isinstance(error, SizeUnknown) else of_number
    error.problem = reader.problem(NOT_KNOWN.format(what), syntax, hint)
    found: Exception = error
    return found
