"""Contexts of the user's own classes and functions: they are entered as they are where they change nothing that others see.

In: what makes a context, and what it is made with. Out: nothing, or an error where a `with` may change what the function
computes with: the array that it is given, a global. Layer: above `callees`, below `contexts`.
"""

from __future__ import annotations

import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from flatgrad.frontend.callees import is_known
from flatgrad.frontend.live import LiveNames, place_of_code
from flatgrad.frontend.outer_writes import OuterWrites
from flatgrad.frontend.passing import require_unshared
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import ForeignObject, Names, NameUnknown, Source
from flatgrad.frontend.static_classes import FileClass
from flatgrad.frontend.static_objects import StaticClass, StaticFunction, StaticModule
from flatgrad.functions.class_parts import functions_of
from flatgrad.graph.containers import Record

INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "platlib", "purelib"))
HINT = "write what it does into the function, before and behind the statements of the block"


@dataclass(frozen=True, slots=True)
class _Text:
    """The `def` of a function, with what the names in it stand for."""

    source: Source
    syntax: cst.FunctionDef
    names: Names


def require_harmless(
    reader: Reader, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode
) -> None:
    """Report a context of the user's own that may change what the program computes with."""
    if not isinstance(function, StaticClass | StaticFunction) and is_known(function):
        return
    name = getattr(function, "name", None) or getattr(function, "__name__", "it")
    for item in (*args, *kwargs.values()):
        require_unshared(reader, item, f"the context `{name}`", syntax)
    found = outer_write(function)
    if found is not None:
        message = f"entering or leaving `{name}` changes `{found[0]}` (line {found[1]}), which others may read"
        reader.fail(message, syntax, HINT)


def require_harmless_object(reader: Reader, syntax: cst.Name) -> None:
    """Report a context at the top of the file that may change what others see; what a file may change is refused where it is read."""
    try:
        found = reader.names.find(syntax.value)
    except NameUnknown:
        return
    require_harmless(reader, found.kind if isinstance(found, Record) else type(found), (), {}, syntax)


def outer_write(function: Any) -> tuple[str, int] | None:
    """Return what a function, or the methods of a class, change that is not their own, and on which line."""
    pending = [function]
    seen: set[cst.FunctionDef] = set()
    while pending:
        each = pending.pop()
        texts = [text for text in _texts(each) if text.syntax not in seen]
        writes = OuterWrites(
            [text.syntax for text in texts],
            are_arguments_own=not seen,
            are_methods=isinstance(each, StaticClass | type),
        )
        seen.update(text.syntax for text in texts)
        for name, syntax in writes.found:
            if not any(_is_module(_named(text.names, name.split(".")[:1])) for text in texts):
                return name, texts[0].source.span(syntax)[0]
        pending += [_named(text.names, path) for text in texts for path in writes.called]
    return None


def _is_module(found: Any) -> bool:
    is_file = isinstance(found, StaticModule) and not isinstance(found, StaticClass)
    return is_file or isinstance(found, types.ModuleType | ForeignObject)


def _named(names: Names, path: Sequence[str]) -> Any:
    """Return what a dotted name stands for; None where that is not told."""
    try:
        found: Any = names.find(path[0])
        for name in path[1:]:
            found = found.member(name) if isinstance(found, StaticModule) else getattr(found, name, None)
    except NameUnknown:
        return None
    return found


def _texts(function: Any) -> list[_Text]:
    """Return the text of a function, or of the methods of a class, as far as the user has written it."""
    if isinstance(function, StaticClass | type):
        return [text for kind in _classes(function) for each in _held(kind) for text in _texts(each)]
    if isinstance(function, StaticFunction):
        return [] if function.names is None else [_Text(function.source, function.syntax, function.names)]
    texts = []
    for each in functions_of(function):
        file = each.__code__.co_filename
        if each.__code__.co_name != "<lambda>" and not is_known(each) and not file.startswith((*INSTALLED, "<string>")):
            source, place = place_of_code(each)
            texts.append(_Text(source, place.syntax, LiveNames(each)))
    return texts


def _classes(kind: Any) -> Iterable[Any]:
    """Return those among a class and its bases that the user has written."""
    order = kind.mro if isinstance(kind, StaticClass) else kind.__mro__
    return [each for each in order if isinstance(each, StaticClass) or not (each is object or is_known(each))]


def _held(kind: Any) -> Iterator[Any]:
    """Yield the functions that a class itself holds."""
    if not isinstance(kind, FileClass):
        yield from (each for held in vars(kind).values() for each in functions_of(held))
        return
    for name in kind.held:
        held = kind.written(name)
        for each in (held, *(getattr(held, inner, None) for inner in ("__func__", "fget", "fset"))):
            if isinstance(each, StaticFunction):
                yield each
