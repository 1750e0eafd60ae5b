"""From a function object to its source, and from the names in it to the objects that they stand for.

In: a Python function. Out: a `Definition` whose names are looked up in the function's own closure and globals. The text must
be that of the function: `codes` tells. Layer: `frontend`, above `source`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, cast

import libcst as cst

from flatgrad.errors import Problem, SourceError
from flatgrad.frontend.recursion import C_RECURSION_LIMIT, deep_recursion
from flatgrad.frontend.source import (
    Definition,
    FunctionPlace,
    NameUnknown,
    Source,
    definition_at,
)
from flatgrad.functions.codes import matching_codes, start_of
from flatgrad.functions.origin import Origin, missing_source, origin_of
from flatgrad.functions.plain import plain_function, replaced
from flatgrad.garbage import collector_paused
from flatgrad.options import Options


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

    def home(self, name: str) -> str | None:
        """Return the module of the user's from which others can import what a name stands for; None where there is none."""
        names = self.function.__globals__
        module = str(names.get("__name__", ""))
        is_global = name not in self.function.__code__.co_freevars and name in names
        return module if is_global and getattr(sys.modules.get(module), name, None) is names[name] else None

    def imported(self, module: str, member: str, *, whole: bool) -> object:
        """Return what an import inside of the function brings, as Python would import it. Raises NameUnknown."""
        package = self.function.__globals__.get("__package__")
        try:
            name = importlib.util.resolve_name(module, package)
            found: object = importlib.import_module(name)
            if not member:
                return found if whole else importlib.import_module(name.partition(".")[0])
            if hasattr(found, member):
                return getattr(found, member)
            return importlib.import_module(f"{name}.{member}")
        except ImportError:
            raise NameUnknown(f"there is no `{module}.{member}`" if member else f"there is no `{module}`") from None


@collector_paused()
def live_definition(function: object, origin: Origin | None = None) -> Definition:
    """Return the definition of a function object; without an origin, of its text as it is now.

    Raises UnsupportedError for what is not a plain Python function, and SourceError where its source can't be had or is
    not the source of this function.
    """
    return definition_of_code(plain_function(function), origin)


def definition_of_code(function: types.FunctionType, origin: Origin | None = None) -> Definition:
    """Return the definition that gives a function's own code: of what a decorator has made, the wrapper.

    Raises SourceError and UnsupportedError as `live_definition`.
    """
    origin = origin or origin_of(function)
    source = _source_of(function, origin)
    if function.__code__.co_name == "<lambda>":
        syntax, line = _lambda_of(function, source, origin)
        definition = Definition(source, syntax, line, LiveNames(function), display="<lambda>")
    else:
        place = _place_of(function, source, origin)
        definition = definition_at(place, source, LiveNames(function), Options())
    return replace(definition, defaults=_defaults(function))


def place_of_code(function: types.FunctionType) -> tuple[Source, FunctionPlace]:
    """Return where the `def` of a function stands, whatever that function is. Raises SourceError."""
    origin = origin_of(function)
    source = _source_of(function, origin)
    return source, _place_of(function, source, origin)


def _source_of(function: types.FunctionType, origin: Origin) -> Source:
    if origin.text is None:
        raise SourceError(missing_source(function))
    return _source(origin.file, origin.text)


def _defaults(function: types.FunctionType) -> dict[str, object]:
    """Return the values of a function's defaults, which were worked out when it was made."""
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    return {**dict(zip(names, values, strict=True)), **(function.__kwdefaults__ or {})}


@functools.lru_cache(maxsize=4)
def _source(file: str, text: str) -> Source:
    """Return the same source for the same text, so that a file with many functions is parsed once."""
    source = Source(file, text)
    _ = source.tree
    return source


def _place_of(function: types.FunctionType, source: Source, origin: Origin) -> FunctionPlace:
    """Return the `def` that gives the function's code. Raises SourceError where none does."""
    code = function.__code__
    lines = [candidate.co_firstlineno for candidate in _candidates(function, source, origin)]
    # equal code at two places is the same function twice: the nearer one has its comments
    line = min(lines, key=lambda line: abs(line - code.co_firstlineno))
    return next(place for place in source.functions if place.first_line == line and place.name == code.co_name)


def _lambda_of(function: types.FunctionType, source: Source, origin: Origin) -> tuple[cst.FunctionDef, int]:
    """Return the lambda that gives the function's code, as a `def`, and its line. Raises SourceError where none does."""
    code = function.__code__
    here = start_of(code)
    starts = [
        start for candidate in _candidates(function, source, origin) if (start := start_of(candidate)) is not None
    ]
    bodies = {(place.node.body.lineno, place.node.body.col_offset): place for place in source.lambdas}
    found = [start for start in starts if start in bodies]
    if not found:
        line = min(code.co_firstlineno, len(source.lines))
        message = "which lambda of the file this is can't be told: Python keeps no positions"
        raise SourceError(Problem(message, "write it as a def", source.file, line, 1, 2, source.lines[line - 1]))
    nearest = min(found, key=lambda start: (start != here, abs(start[0] - code.co_firstlineno)))
    place = bodies[nearest]
    return source.definition_of(place.syntax), place.node.lineno


def _candidates(function: types.FunctionType, source: Source, origin: Origin) -> list[types.CodeType]:
    """Return the functions of a text that have the function's code. Raises SourceError where none has."""
    try:
        with deep_recursion(C_RECURSION_LIMIT):
            found = matching_codes(source.text, function.__code__, excerpt=origin.is_excerpt)
    except (SyntaxError, ValueError) as error:
        raise SourceError(Problem(f"the file can't be compiled: {error}", "", source.file)) from None
    if not found:
        raise SourceError(_mismatch(function, source))
    return found


def _mismatch(function: types.FunctionType, source: Source) -> Problem:
    """Return why no `def` of the text gives the function's code."""
    code = function.__code__
    line = min(code.co_firstlineno, len(source.lines))
    places = [place for place in source.functions if place.qualname == code.co_qualname]
    if places:
        line = min((place.line for place in places), key=lambda line: abs(line - code.co_firstlineno))
    elif code.co_name != function.__name__:
        return replaced(function)
    message = f"the file has changed since `{function.__qualname__}` was imported: its text is not this function's"
    return Problem(message, "import it again, or start Python anew", source.file, line, 1, 2, source.lines[line - 1])
