"""From a function object to its source, and from the names in it to the objects that they stand for.

In: a Python function. Out: a `Definition` whose names are looked up in the function's own closure and globals. The text must
be that of the function: it is compiled, and has to give the same code. Layer: `frontend`, above `source`.
"""

from __future__ import annotations
import __future__

import ast
import dis
import functools
import inspect
import linecache
import types
import warnings
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, cast

from flatgrad.errors import Problem, SourceError, UnsupportedError
from flatgrad.frontend.source import (
    C_RECURSION_LIMIT,
    Definition,
    FunctionPlace,
    NameUnknown,
    Source,
    deep_recursion,
    definition_at,
)
from flatgrad.garbage import collector_paused
from flatgrad.options import Options

FUTURE_FLAGS = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0
)
# a cell of a notebook may await at its top level
COMPILE_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
COMPARED = (
    "co_name",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_exceptiontable",
)


class LiveNames:
    """What names stand for in a function: its closure first, then its globals, then builtins, as Python does it.

    Each look-up sees the present state.
    """

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function

    def find(self, name: str) -> object:
        """Return the object that a name stands for now. Raises NameUnknown."""
        function = self.function
        if name in function.__code__.co_freevars:
            cell = (function.__closure__ or ())[function.__code__.co_freevars.index(name)]
            try:
                return cell.cell_contents
            except ValueError:
                message = f"`{name}` of the enclosing function has no value yet"
                raise NameUnknown(message, f"assign `{name}` before differentiating `{function.__name__}`") from None
        builtins: dict[str, Any] = cast(Any, function).__builtins__
        for scope in (function.__globals__, builtins):
            if name in scope:
                found: object = scope[name]
                return found
        known = [*function.__code__.co_freevars, *function.__globals__, *builtins]
        near = get_close_matches(name, known, 1)
        raise NameUnknown(f"`{name}` is not defined", f"did you mean `{near[0]}`?" if near else "")


@collector_paused()
def live_definition(function: object) -> Definition:
    """Return the definition of a function object.

    Raises UnsupportedError for what is not a plain Python function, and SourceError where its source can't be had or is
    not the source of this function.
    """
    plain = plain_function(function)
    code = plain.__code__
    if code.co_name == "<lambda>":
        raise UnsupportedError(_lambda_problem(code))
    if hasattr(plain, "__wrapped__"):
        raise SourceError(_replaced(plain))
    source = _source(code.co_filename, _text_of(plain))
    place = _place_of(plain, source)
    options = getattr(plain, "__flatgrad__", None)
    return definition_at(place, source, LiveNames(plain), options if isinstance(options, Options) else Options())


def plain_function(function: object) -> types.FunctionType:
    """Return the function. Raises UnsupportedError for the other kinds of callables."""
    if isinstance(function, types.FunctionType):
        return function
    name = getattr(function, "__name__", None) or f"a {type(function).__name__}"
    hint = "write a def that calls it"
    if isinstance(function, type):
        message = f"{name} is a class, not a function"
        hint = "write a def of the numbers that the gradient is with respect to"
    elif isinstance(function, functools.partial):
        inner = getattr(function.func, "__name__", "the function")
        message = f"a functools.partial of {inner} has no source of its own"
        hint = f"write a def that calls {inner} with these arguments"
    elif isinstance(function, types.MethodType):
        message = f"{name} is a method of a {type(function.__self__).__name__}, not a function"
        hint = "write a def that takes what it uses of the object as parameters"
    elif isinstance(function, staticmethod | classmethod):
        message = f"{name} is a {type(function).__name__}, not a function"
        hint = "write it as a def outside the class"
    elif inspect.isroutine(function) or type(function).__module__.partition(".")[0] == "numpy":
        message = f"{name} is implemented in C, so it has no Python source"
    elif callable(function):
        message = f"an object of class {type(function).__name__} is not a function, although it can be called"
        if isinstance(getattr(function, "__wrapped__", None), types.FunctionType):
            hint = "use the plain function that it wraps: its `__wrapped__`"
    else:
        message, hint = f"{function!r:.60} is not a function", "pass the function itself"
    raise UnsupportedError(message, hint)


def _text_of(function: types.FunctionType) -> str:
    """Return the text of the file or cell that a function comes from, as Python's own tracebacks find it."""
    file = function.__code__.co_filename
    linecache.checkcache(file)
    lines = linecache.getlines(file, function.__globals__)
    if lines:
        return "".join(lines)
    name = function.__qualname__
    if file.startswith("<") and file.endswith(">"):
        message = f"`{name}` was made from a string ({file}), whose text Python does not keep"
        raise SourceError(Problem(message, "put the function into a file and import it"))
    message = f"the source of `{name}` can't be read: no such file, or not text"
    raise SourceError(Problem(message, "flatgrad reads the source: it has to be where Python imported it from", file))


@functools.lru_cache(maxsize=4)
def _source(file: str, text: str) -> Source:
    """Return the same source for the same text, so that a file with many functions is parsed once."""
    source = Source(file, text)
    _ = source.tree
    return source


@functools.lru_cache(maxsize=4)
def _codes(source: Source, flags: int) -> tuple[types.CodeType, ...]:
    """Return the code of every function in a file, compiled anew."""
    try:
        # Python has shown its warnings on this text when it was imported
        with deep_recursion(C_RECURSION_LIMIT), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = compile(source.text, source.file, "exec", flags | COMPILE_FLAGS, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise SourceError(Problem(f"the file can't be compiled: {error}", "", source.file)) from None
    return tuple(_nested(module))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _place_of(function: types.FunctionType, source: Source) -> FunctionPlace:
    """Return the `def` that gives the function's code. Raises SourceError where none does."""
    code = function.__code__
    equal = [
        candidate
        for candidate in _codes(source, code.co_flags & FUTURE_FLAGS)
        if candidate.co_qualname == code.co_qualname and _same_code(candidate, code)
    ]
    if not equal:
        raise SourceError(_mismatch(function, source))
    # equal code at two places is the same function twice: the nearer one has its comments
    line = min((candidate.co_firstlineno for candidate in equal), key=lambda line: abs(line - code.co_firstlineno))
    return next(place for place in source.functions if place.first_line == line and place.name == code.co_name)


def _same_code(compiled: types.CodeType, code: types.CodeType) -> bool:
    """Tell whether two codes do the same; on which lines they stand does not matter."""
    if any("@py" in name for name in (*code.co_names, *code.co_varnames)):
        return _same_but_for_asserts(compiled, code)
    return all(getattr(compiled, name) == getattr(code, name) for name in COMPARED) and _same_constants(
        compiled.co_consts, code.co_consts
    )


def _same_constants(compiled: tuple[object, ...], constants: tuple[object, ...]) -> bool:
    return len(compiled) == len(constants) and all(map(_same_constant, compiled, constants))


def _same_constant(compiled: object, constant: object) -> bool:
    if isinstance(compiled, types.CodeType) and isinstance(constant, types.CodeType):
        return _same_code(compiled, constant)
    return _key(compiled) == _key(constant)


def _key(constant: object) -> object:
    """Return what tells a constant from others: 1, 1.0 and True are equal but not the same, nor are 0.0 and -0.0."""
    if isinstance(constant, tuple):
        return tuple(map(_key, constant))
    if isinstance(constant, frozenset):
        return frozenset(map(_key, constant))
    return type(constant), repr(constant)


def _same_but_for_asserts(compiled: types.CodeType, code: types.CodeType) -> bool:
    """Compare with a function whose `assert` statements pytest has rewritten.

    Its code is no longer what the text compiles to, but it keeps the function's line, and all of its parameters, names,
    constants and operators are still there among those that were added.
    """
    parameters = compiled.co_argcount + compiled.co_kwonlyargcount
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    kept = {_key(constant) for constant in code.co_consts if not isinstance(constant, types.CodeType)}
    return (
        compiled.co_firstlineno == code.co_firstlineno
        and compiled.co_argcount == code.co_argcount
        and compiled.co_kwonlyargcount == code.co_kwonlyargcount
        and compiled.co_varnames[:parameters] == code.co_varnames[:parameters]
        and set(compiled.co_varnames) <= {*code.co_varnames, *code.co_cellvars}
        and set(compiled.co_names) <= set(code.co_names)
        and compiled.co_freevars == code.co_freevars
        and all(
            any(_same_code(constant, other) for other in nested)
            if isinstance(constant, types.CodeType)
            else _key(constant) in kept
            for constant in compiled.co_consts
        )
        and _operators(compiled) <= _operators(code)
    )


def _operators(code: types.CodeType) -> Counter[tuple[str, str]]:
    return Counter(
        (instruction.opname, instruction.argrepr)
        for instruction in dis.get_instructions(code)
        if instruction.opname.startswith(("BINARY_", "UNARY_", "COMPARE_"))
    )


def _replaced(function: types.FunctionType) -> Problem:
    code = function.__code__
    name = function.__name__
    message = f"a decorator has replaced `{name}` by `{code.co_qualname}`"
    hint = f"put flatgrad's decorator next to the def, below the others, or pass `{name}.__wrapped__`"
    return Problem(message, hint, code.co_filename, code.co_firstlineno)


def _mismatch(function: types.FunctionType, source: Source) -> Problem:
    """Return why no `def` of the text gives the function's code."""
    code = function.__code__
    if code.co_name != function.__name__:
        return _replaced(function)
    line = min(code.co_firstlineno, len(source.lines))
    places = [place for place in source.functions if place.qualname == code.co_qualname]
    if places:
        line = min((place.line for place in places), key=lambda line: abs(line - code.co_firstlineno))
    message = f"the file has changed since `{function.__qualname__}` was imported: its text is not this function's"
    return Problem(message, "import it again, or start Python anew", source.file, line, 1, 2, source.lines[line - 1])


def _lambda_problem(code: types.CodeType) -> Problem:
    file, line = code.co_filename, code.co_firstlineno
    text = linecache.getline(file, line).rstrip("\n")
    column = text.find("lambda") + 1
    message = "a lambda can't be read: flatgrad reads the statements of a def"
    return Problem(message, "write it as a def", file, line, column, column + len("lambda"), text if column else "")
