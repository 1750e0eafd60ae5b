"""What a function does beside its numbers and that is kept in the forward pass: calls of logging, warnings and clocks, objects.

In: a function or method that is not read, and what it is called with. Out: a node that is never moved, merged or dropped, or
an object that is written again where it is used. Layer: above `reader`.
"""

from __future__ import annotations

import logging
import sys
import time
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.placeholders import Bound
from flatgrad.frontend.project import module_name
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import ForeignObject
from flatgrad.frontend.static_objects import StaticClass, StaticFunction
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Dict, List, Record, leaves, mapped
from flatgrad.graph.values import BOOLEAN, FLOAT, INTEGER, Constant, Type, Value
from flatgrad.rules.program import Made, Member, looked_up, made, performed, performed_by

OBJECT = Type(np.dtype(object), (), weak=True)
Kind = Type | None


def _members(module: types.ModuleType, names: str, kind: Kind) -> dict[Any, tuple[Member, Kind]]:
    found = [(getattr(module, name, None), name) for name in names.split()]
    return {function: (Member(module.__name__, name), kind) for function, name in found if function is not None}


# functions that are kept as they are, each with what it returns
PASSED: dict[Any, tuple[Member, Kind]] = {
    **_members(time, "time perf_counter monotonic process_time thread_time", FLOAT),
    **_members(time, "time_ns perf_counter_ns monotonic_ns process_time_ns thread_time_ns", INTEGER),
    **_members(time, "sleep", None),
    **_members(time, "strftime ctime asctime", OBJECT),
    **_members(warnings, "warn simplefilter filterwarnings resetwarnings", None),
    **_members(logging, "debug info warning error critical exception log", None),
}
LOGGING = frozenset({"debug", "info", "warning", "warn", "error", "critical", "exception", "log"})
# what is looked up in these modules may differ from machine to machine, but for these
OF_SYS = frozenset({"float_info", "maxsize"})
STREAMS = ("stdout", "stderr")
READING = (input, open)


def is_passed(function: Any) -> bool:
    """Tell whether a call of this is kept as it is."""
    if isinstance(function, Bound):
        return True
    try:
        return function in PASSED or function in MAKERS or function in READING or is_exception(function)
    except TypeError:
        return False


def is_exception(item: Any) -> bool:
    """Tell whether an item is a class of exceptions."""
    return isinstance(item, type) and issubclass(item, BaseException)


def read_passed(
    reader: Reader,
    function: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    syntax: cst.CSTNode,
    *,
    is_statement: bool = False,
) -> Any:
    """Keep a call as it is, and return what it gives; nothing where it is a statement of its own."""
    if reader.inlined:
        reader.fail("a rule computes gradients and nothing else", syntax)
    if isinstance(function, Bound):
        return _method(reader, function, args, kwargs, syntax, is_statement)
    if function in READING:
        reader.fail(f"`{function.__name__}` reads from outside", syntax, "read before the call, and pass what was read")
    if function in MAKERS:
        return MAKERS[function](reader, args, kwargs, syntax)
    if is_exception(function):
        return performing(reader, made, [member_of(reader, function, syntax)], args, kwargs, OBJECT, syntax)
    member, kind = PASSED[function]
    return performing(reader, performed, [member], args, kwargs, kind, syntax)


def performing(
    reader: Reader,
    function: Any,
    what: Sequence[Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    kind: Kind,
    syntax: cst.CSTNode,
) -> Any:
    """Append the node of a kept call; `what` tells what is called."""
    place = reader.source.location(syntax)
    types_of = [] if kind is None else [kind]
    arguments = arguments_of(reader, [*what, *args], kwargs, syntax)
    node = reader.builder.node(function, arguments, types_of, location=place, positional=len(what) + len(args))
    if kind is None:
        return None
    if not kind.rank:
        reader.numbers.add(node.output)
    return node.output


def arguments_of(reader: Reader, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> dict[str, Any]:
    """Return the arguments of a node that is written as a call with these; no keyword has the name of a positional one."""
    named = {f"{k}?": kept(reader, item, syntax) for k, item in enumerate(args)}
    return named | {name: kept(reader, item, syntax) for name, item in kwargs.items()}


def items_of_call(reader: Reader, syntax: cst.Call) -> tuple[list[Any], dict[str, Any]]:
    """Return the items that a call gives, by position and by name."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in syntax.args:
        if argument.star:
            reader.fail("starred arguments can't be kept", argument, "write the arguments one by one")
        item = reader.expression(argument.value)
        if argument.keyword is None:
            args.append(item)
        else:
            kwargs[argument.keyword.value] = item
    return args, kwargs


def kept(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    """Return an argument of a kept call as the emitted code can write it."""
    return mapped(item, lambda leaf: _written(reader, leaf, syntax))


WRITTEN = (Value, bool, int, float, str, type(None), type(...), np.dtype, np.generic, Member, Made)


def _written(reader: Reader, leaf: Any, syntax: cst.CSTNode) -> Any:
    if isinstance(leaf, WRITTEN):
        return leaf
    if isinstance(leaf, Bound):
        return looked_up_attribute(reader, leaf, syntax)
    for name in STREAMS:
        if leaf is getattr(sys, name):
            return Member("sys", name)
    if isinstance(leaf, type | types.FunctionType | types.BuiltinFunctionType | StaticClass | StaticFunction):
        return member_of(reader, leaf, syntax)
    return reader.fail(
        f"{described(leaf)} can't be kept as an argument here", syntax, "pass a number, an array or text"
    )


def member_of(reader: Reader, found: Any, syntax: cst.CSTNode) -> Member:
    """Return a class or function by the module from which the emitted code can import it."""
    if isinstance(found, StaticClass | StaticFunction):
        source = found.source if isinstance(found, StaticFunction) else found.names.source  # type: ignore[attr-defined]
        return Member(module_name(source.file), found.name)
    if isinstance(found, ForeignObject):
        module, _, name = found.dotted_name.rpartition(".")
        return Member(module, name)
    module, name = str(getattr(found, "__module__", "")), str(getattr(found, "__qualname__", ""))
    outer = sys.modules.get(module)
    if not name or "<" in name or (module != "numpy" and getattr(outer, name.partition(".")[0], None) is None):
        reader.fail(
            f"{described(found)} can't be imported by the emitted code", syntax, "define it at the top of a file"
        )
    root = module.partition(".")[0]
    if root == "numpy":
        short = "" if getattr(np, name, None) is found else module.removeprefix("numpy").lstrip(".") + "."
        return Member("numpy", short + name)
    return Member(module, name)


def made_object(
    reader: Reader, member: Member, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.Call
) -> Value:
    """Return an object that is made where it is used: an exception, a context manager."""
    return performing(reader, made, [member], args, kwargs, OBJECT, syntax)  # type: ignore[no-any-return]


# loggers


def logger_constant(reader: Reader, found: Any, name: str) -> Constant:
    """Return a logger that was found outside of the function: a constant of the emitted module."""
    if isinstance(found, logging.Logger):
        found = Made(Member("logging", "getLogger"), () if found.name == "root" else (found.name,))
    free = reader.constant_name(name, repr(found))
    return Constant(found, OBJECT, free)


def _get_logger(reader: Reader, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> Constant:
    names = [*args, *kwargs.values()]
    if not all(isinstance(name, str | None) for name in names):
        reader.fail("the name of a logger has to be known when the code is written", syntax)
    return Constant(Made(Member("logging", "getLogger"), tuple(names)), OBJECT)


Reading = Callable[[Reader, Sequence[Any], Mapping[str, Any], cst.CSTNode], Any]
# functions whose calls are read in ways of their own, and the methods of what they make, by who has made it
MAKERS: dict[Any, Reading] = {logging.getLogger: _get_logger}
OF_OBJECTS: dict[Member | None, Callable[..., Any]] = {}


# objects


def generator_of(reader: Reader, found: Any, name: str, syntax: cst.CSTNode) -> Member:
    """Return a generator of random numbers that was found outside of the function: the emitted code draws from it, too."""
    home = reader.names.home(name)
    if home is None:
        hint = "define it at the top of the file, or make it in the function"
        reader.fail(f"the generator `{name}` can't be imported by the emitted code", syntax, hint)
    maker = "default_rng" if isinstance(found, np.random.Generator) else "RandomState"
    return Member(home, name, f"numpy.random.{maker}")


def of_sys(reader: Reader, name: str, syntax: cst.CSTNode) -> Any:
    """Return a stream of `sys`, or one of the numbers there that are the same on all machines."""
    if name in STREAMS:
        return Member("sys", name)
    if name not in OF_SYS:
        reader.fail(f"`sys.{name}` may differ where the emitted code runs", syntax, "pass it as a parameter")
    return getattr(sys, name)


def is_object(item: Any) -> bool:
    """Tell whether an item is an object that is not read."""
    return isinstance(item, Member) or (isinstance(item, Value) and item.type == OBJECT)


def looked_up_attribute(reader: Reader, attribute: Bound, syntax: cst.CSTNode) -> Any:
    """Return an attribute that is no method as an object."""
    return performing(reader, looked_up, [attribute.owner, attribute.name], (), {}, OBJECT, syntax)


def _maker(owner: Any) -> Member | None:
    """Return the function that has made an object."""
    if isinstance(owner, Member):
        module, _, name = owner.maker.partition(".")
        return Member(module, name)
    node = owner.node if isinstance(owner, Value) else None
    if node is None or node.function is not performed:
        return None
    (maker, *_) = node.arguments.values()
    return maker if isinstance(maker, Member) else None


def require_unshared(reader: Reader, item: Any, what: str, syntax: cst.CSTNode) -> None:
    """Report what code that is not read may change in place: an array, a list, a dict, an object."""
    container = isinstance(item, List | Dict | Record)
    if container or any(isinstance(leaf, Value) and not leaf.type.weak for leaf in leaves(item)):
        kind = described(item) if container else "an array"
        reader.fail(f"{what} is given {kind}, and may change it", syntax, "give it numbers or text")


def _method(
    reader: Reader,
    method: Bound,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    syntax: cst.CSTNode,
    is_statement: bool,
) -> Any:
    owner = method.owner
    maker = _maker(owner)
    if maker in OF_OBJECTS:
        return OF_OBJECTS[maker](reader, owner, method.name, args, kwargs, syntax)
    is_logger = isinstance(owner, Constant) and isinstance(owner.number, Made)
    if is_logger and method.name in ("isEnabledFor", "hasHandlers"):
        return performing(reader, performed_by, [owner, method.name], args, kwargs, BOOLEAN, syntax)
    if not is_logger:
        for item in (*args, *kwargs.values()):
            require_unshared(reader, item, f"`{method.name}` of an object that is not read", syntax)
    kind = None if is_statement or (is_logger and method.name in LOGGING) else OBJECT
    return performing(reader, performed_by, [owner, method.name], args, kwargs, kind, syntax)
