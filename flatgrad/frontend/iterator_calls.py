"""Reads calls that make iterators or go through them: zip, map, iter, next, reduce, itertools. Fills CALLS. Layer: above `calls`."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import libcst as cst

from flatgrad.frontend.builtin_calls import NOT_GIVEN, arguments_of
from flatgrad.frontend.call_tables import calls
from flatgrad.frontend.calls import call
from flatgrad.frontend.containers import known_key
from flatgrad.frontend.expressions import operation
from flatgrad.frontend.iterables import Iterable, of_item, raise_unknown, whole_number
from flatgrad.frontend.iterators import DictView, LazyIterator, next_of, running
from flatgrad.frontend.known import is_static, static_call
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.truth import truth
from flatgrad.frontend.unpacking import parts
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import List
from flatgrad.graph.values import Value

Items = Callable[[], Iterator[Any]]


def opened(reader: Reader, item: Any, syntax: cst.CSTNode) -> Iterator[Any]:
    """Go through an item as it is now; of an iterator no further than is asked for."""
    if isinstance(item, List):
        # as Python does it, which sees what is appended on the way
        position = 0
        while position < len(now := reader.refreshed(item)):
            yield now[position]
            position += 1
    elif isinstance(item, LazyIterator):
        yield from running(reader, item, syntax)
    else:
        yield from parts(reader, reader.refreshed(item), syntax)


def _require_iterables(reader: Reader, items: list[Any], syntax: cst.CSTNode) -> None:
    for item in items:
        if not isinstance(item, tuple | str | range | frozenset | DictView | LazyIterator | Value):
            reader.fail(f"{described(item)} can't be gone through", syntax)


def _again(items: list[Any]) -> bool:
    """Tell whether the items of these can be read again without another node."""
    return all(isinstance(item, tuple | str | range | frozenset | DictView) for item in items)


def _number(reader: Reader, item: Any, default: int | None, syntax: cst.CSTNode) -> Any:
    return default if item is NOT_GIVEN else known_key(reader, item, syntax, "number")


# Builtins


@calls(zip)
def read_zip(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    _require_iterables(reader, args, syntax)
    strict = kwargs.get("strict", False)
    if set(kwargs) - {"strict"} or not is_static(strict):
        reader.fail("zip takes what is gone through, and strict=True or False", syntax)

    def open_items() -> Iterator[Any]:
        try:
            yield from zip(*[opened(reader, item, syntax) for item in args], strict=truth(reader, strict, syntax))
        except ValueError as error:
            reader.fail(f"{error}", syntax)

    return LazyIterator("zip", open_items, again=_again(args))


@calls(enumerate)
def read_enumerate(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    items, start = arguments_of(reader, args, kwargs, ("iterable", "start"), syntax)
    _require_iterables(reader, [items], syntax)
    first = _number(reader, start, 0, syntax)
    return LazyIterator("enumerate", lambda: enumerate(opened(reader, items, syntax), first), again=_again([items]))


@calls(range)
def read_range(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    if all(map(is_static, args)) or kwargs:
        return static_call(reader, syntax, range, args, kwargs)
    numbers = [whole_number(number) for number in args]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        raise_unknown(reader, Iterable("range", tuple(args)), syntax)
    return range(*known)


@calls(map)
def read_map(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    if len(args) < 2 or kwargs:
        reader.fail("map takes a function and what is gone through", syntax)
    function, *items = args
    _require_iterables(reader, items, syntax)

    def open_items() -> Iterator[Any]:
        for each in zip(*[opened(reader, item, syntax) for item in items], strict=False):
            yield call(reader, function, list(each), {}, syntax)

    return LazyIterator("map", open_items)


@calls(filter)
def read_filter(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    function, items = arguments_of(reader, args, kwargs, ("function", "iterable"), syntax, 2)
    return _filtered(reader, "filter", function, items, True, syntax)


def _filtered(reader: Reader, word: str, function: Any, items: Any, wanted: bool, syntax: cst.CSTNode) -> LazyIterator:
    _require_iterables(reader, [items], syntax)

    def open_items() -> Iterator[Any]:
        for item in opened(reader, items, syntax):
            answer = item if function is None else call(reader, function, [item], {}, syntax)
            if truth(reader, answer, syntax) is wanted:
                yield item

    return LazyIterator(word, open_items)


@calls(reversed)
def read_reversed(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("sequence",), syntax)
    if isinstance(items, LazyIterator | frozenset):
        reader.fail("an iterator or a set can't be reversed", syntax, "make a list of it first")
    _require_iterables(reader, [items], syntax)
    again = _again([items])
    return LazyIterator("reversed", lambda: reversed(parts(reader, reader.refreshed(items), syntax)), again=again)


@calls(iter)
def read_iter(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("object",), syntax)
    if isinstance(items, LazyIterator):
        return items
    _require_iterables(reader, [items], syntax)
    source = of_item(reader, items, syntax) if isinstance(items, Value) else None
    return LazyIterator("iter", lambda: opened(reader, items, syntax), again=True, source=source)


@calls(next)
def read_next(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    iterator, default = arguments_of(reader, args, kwargs, ("iterator", "default"), syntax)
    if not isinstance(iterator, LazyIterator):
        reader.fail(f"{described(iterator)} is no iterator", syntax, "use iter(...)")
    is_held = not (isinstance(syntax, cst.Call) and isinstance(syntax.args[0].value, cst.Call | cst.GeneratorExp))
    found = next_of(reader, iterator, syntax, is_held=is_held)
    if not found and default is NOT_GIVEN:
        reader.fail("next() of an iterator that is at its end", syntax)
    return found[0] if found else default


# functools and itertools


@calls(functools.reduce)
def read_reduce(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    function, items, start = arguments_of(reader, args, kwargs, ("function", "iterable", "initial"), syntax, 2)
    found = list(parts(reader, items, syntax))
    if not found and start is NOT_GIVEN:
        reader.fail("reduce() of nothing, with no initial value", syntax)
    total = found.pop(0) if start is NOT_GIVEN else start
    for item in found:
        total = call(reader, function, [total, item], {}, syntax)
    return total


@calls(itertools.accumulate)
def read_accumulate(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    items, function, initial = arguments_of(reader, args, kwargs, ("iterable", "func", "initial"), syntax)

    def combine(total: Any, item: Any) -> Any:
        if function is NOT_GIVEN or function is None:
            return operation(reader, syntax, operator.add, total, item)
        return call(reader, function, [total, item], {}, syntax)

    def open_items() -> Iterator[Any]:
        start = None if initial is NOT_GIVEN else initial
        yield from itertools.accumulate(opened(reader, items, syntax), combine, initial=start)

    return LazyIterator("accumulate", open_items)


@calls(itertools.chain.from_iterable)
def read_chain_of(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("iterable",), syntax)

    def open_items() -> Iterator[Any]:
        for each in opened(reader, items, syntax):
            yield from opened(reader, each, syntax)

    return LazyIterator("chain", open_items)


@calls(itertools.starmap)
def read_starmap(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    function, items = arguments_of(reader, args, kwargs, ("function", "iterable"), syntax, 2)

    def open_items() -> Iterator[Any]:
        for each in opened(reader, items, syntax):
            yield call(reader, function, list(parts(reader, each, syntax)), {}, syntax)

    return LazyIterator("starmap", open_items)


@calls(itertools.filterfalse)
def read_filterfalse(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    function, items = arguments_of(reader, args, kwargs, ("function", "iterable"), syntax, 2)
    return _filtered(reader, "filterfalse", function, items, False, syntax)


@calls(itertools.count)
def read_count(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    start, step = arguments_of(reader, args, kwargs, ("start", "step"), syntax, 0)
    numbers = _number(reader, start, 0, syntax), _number(reader, step, 1, syntax)
    return LazyIterator("count", lambda: itertools.count(*numbers), again=True)


@calls(itertools.repeat)
def read_repeat(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    item, times = arguments_of(reader, args, kwargs, ("object", "times"), syntax)
    limit = () if times is NOT_GIVEN else (_number(reader, times, None, syntax),)
    return LazyIterator("repeat", lambda: itertools.repeat(reader.refreshed(item), *limit), again=True)


@calls(itertools.islice)
def read_islice(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    items, *bounds = args
    numbers = [None if bound is None else _number(reader, bound, None, syntax) for bound in bounds]
    if kwargs or not 1 <= len(numbers) <= 3:
        reader.fail("islice takes what is gone through and one to three numbers", syntax)
    return LazyIterator("islice", lambda: itertools.islice(opened(reader, items, syntax), *numbers))


def _combines(function: Any, *options: str) -> None:
    """Enter a function of itertools that only rearranges what it goes through; its other arguments are numbers or fillings."""

    def read(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
        if set(kwargs) - set(options):
            reader.fail(f"{function.__name__} has no such argument", syntax)
        counts = [known_key(reader, each, syntax, "number") for each in args if isinstance(each, int)]
        items = [each for each in args if not isinstance(each, int)]
        _require_iterables(reader, items, syntax)
        named = {
            name: item if name == "fillvalue" else known_key(reader, item, syntax, "number")
            for name, item in kwargs.items()
        }

        def open_items() -> Iterator[Any]:
            return iter(function(*[opened(reader, item, syntax) for item in items], *counts, **named))

        return LazyIterator(function.__name__, open_items, again=_again(items))

    calls(function)(read)


for _function, _options in (
    (itertools.chain, ()),
    (itertools.product, ("repeat",)),
    (itertools.pairwise, ()),
    (itertools.zip_longest, ("fillvalue",)),
    (itertools.combinations, ("r",)),
    (itertools.combinations_with_replacement, ("r",)),
    (itertools.permutations, ("r",)),
    (itertools.cycle, ()),
):
    _combines(_function, *_options)
