"""What a `for` loop goes through: numbers of a range, rows of an array, or things that are known when the code is written.

In: the syntax behind `in`. Out: an `Iterable`, its header for a loop node, or its items one by one. Layer: above `known`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import libcst as cst

from flatgrad.builder import StaticNeeded
from flatgrad.frontend.iterators import DictView, LazyIterator, count_of, exhaust, is_fresh, running
from flatgrad.frontend.known import as_number, decides, is_static, refuse_methods, whole_parameters
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.special_methods import gone_through
from flatgrad.frontend.unpacking import parts, sizes
from flatgrad.graph.containers import Dict, List
from flatgrad.graph.size import Size, SizeMismatch, SizeUnknown, counter, minus, plus, resolved, unify
from flatgrad.graph.values import INTEGER, Type, Value
from flatgrad.markers import checkpointed
from flatgrad.rules.creation import extent

# where a range is no longer than this, a loop over it may be written turn by turn
LONGEST_UNROLLED = 100


@dataclass(frozen=True)
class Iterable:
    """A tree of what is gone through.

    `word` is that of a header in `graph.regions`, or "items" for what is known when the code is written; `parts` are the
    inner ones of zip, enumerate and reversed, `values` the numbers of a range, the array or the items. `container` is the list,
    dict or view that the items are in, `iterator` gives them one by one.
    """

    word: str
    values: tuple[Any, ...] = ()
    parts: tuple[Iterable, ...] = ()
    container: Any = None
    iterator: Iterator[Any] | None = None

    @property
    def is_known(self) -> bool:
        """Whether there are items in it, so that it has to be gone through when the code is written."""
        return self.word == "items" or any(part.is_known for part in self.parts)

    @property
    def header(self) -> tuple[Any, ...]:
        """The header of a loop node."""
        inner = tuple([part.header for part in self.parts])
        return (self.word, *inner, *self.values)

    def element(self) -> Any:
        """Return new parameters for what each turn gets, in the structure in which it gets them."""
        if self.word == "range":
            return self._counter()
        if self.word == "rows":
            array = self.values[0].type
            return Value(Type(array.dtype, array.shape[1:]))
        if self.word == "enumerate":
            return (self._number(), self.parts[0].element())
        inner = [part.element() for part in self.parts]
        return tuple(inner) if self.word == "zip" else inner[0]

    @property
    def length(self) -> Size | None:
        """How many items there are, as a size; None where that is no size."""
        if self.word == "rows":
            size: Size = self.values[0].shape[0]
            return size
        if self.word == "range":
            start, stop, step = (each if isinstance(each, int) else extent(each) for each in self.values)
            return minus(stop, start) if start is not None and stop is not None and step == 1 else None
        return self.parts[0].length if self.word in ("enumerate", "reversed") else None

    def _number(self) -> Value:
        """Return the number of an item, counted from the start of enumerate."""
        number = Value(INTEGER)
        start, length = extent(self.values[0]), self.parts[0].length
        if start is not None and length is not None:
            number.counter = counter(start, plus(start, minus(length, 1)))
        return number

    def _counter(self) -> Value:
        counter_value = Value(INTEGER)
        start, stop, step = (each if isinstance(each, int) else extent(each) for each in self.values)
        if start is not None and stop is not None and step in (1, -1):
            limits = (start, minus(stop, 1)) if step == 1 else (plus(stop, 1), start)
            counter_value.counter = counter(*limits)
        return counter_value


def iterable(reader: Reader, syntax: cst.BaseExpression) -> Iterable:
    """Return what the syntax behind `in` goes through."""
    if isinstance(syntax, cst.Call) and isinstance(syntax.func, cst.Name | cst.Attribute):
        function = reader.expression(syntax.func)
        read = _READ.get(function) if isinstance(function, type) else None
        if read is not None and not any(argument.star for argument in syntax.args):
            return read(reader, syntax)
    return of_item(reader, reader.expression(syntax), syntax)


def without_checkpoint(reader: Reader, syntax: cst.BaseExpression) -> tuple[bool, cst.BaseExpression]:
    """Return whether an expression is marked by `checkpointed`, and what is marked."""
    if not isinstance(syntax, cst.Call) or not isinstance(syntax.func, cst.Name | cst.Attribute):
        return False, syntax
    if len(syntax.args) == 1 and reader.expression(syntax.func) is checkpointed:
        return True, syntax.args[0].value
    return False, syntax


def of_item(reader: Reader, item: Any, syntax: cst.CSTNode) -> Iterable:
    """Return what going through an item is."""
    item = gone_through(reader, item, syntax)
    if isinstance(item, Value):
        if isinstance(item.known, tuple):
            return Iterable("items", sizes(reader, item))
        if not item.rank:
            reader.fail("a number can't be gone through", syntax, "use range(...)")
        return Iterable("rows", (item,))
    if isinstance(item, range):
        return Iterable("range", (item.start, item.stop, item.step))
    if isinstance(item, LazyIterator) and item.source is not None and is_fresh(reader, item):
        exhaust(reader, item)
        source: Iterable = item.source
        return source
    if isinstance(item, LazyIterator):
        count = count_of(reader, item, syntax)
        return Iterable("items", (None,) * count, iterator=running(reader, item, syntax))
    if decides(item):
        refuse_methods(reader, item, syntax)
    is_changeable = isinstance(item, List | Dict | DictView)
    return Iterable("items", parts(reader, item, syntax), container=item if is_changeable else None)


def _arguments(reader: Reader, syntax: cst.Call, keywords: tuple[str, ...] = ()) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call as syntax, those in `keywords` by their names."""
    args: list[Any] = []
    named: dict[str, Any] = {}
    for argument in syntax.args:
        if argument.star or (argument.keyword is not None and argument.keyword.value not in keywords):
            reader.fail("such an argument can't be read here", argument, "write the arguments one by one")
        if argument.keyword is None:
            args.append(argument.value)
        else:
            named[argument.keyword.value] = argument.value
    return args, named


def _range(reader: Reader, syntax: cst.Call) -> Iterable:
    args, _ = _arguments(reader, syntax)
    numbers = [reader.expression(argument) for argument in args]
    if not 1 <= len(numbers) <= 3:
        reader.fail(f"range takes 1 to 3 numbers, not {len(numbers)}", syntax)
    for number, argument in zip(numbers, args, strict=True):
        value = reader.value(number, argument)
        if value.rank or value.dtype.kind not in "iu":
            reader.fail(f"range takes whole numbers, not {value.type}", argument)
    bounds = (0, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
    step = numbers[2] if len(numbers) == 3 else 1
    if is_static(step) and as_number(step) == 0:
        reader.fail("the step of a range is not 0", args[-1])
    return Iterable("range", (*bounds, step))


def _zip(reader: Reader, syntax: cst.Call) -> Iterable:
    args, named = _arguments(reader, syntax, ("strict",))
    parts = tuple([iterable(reader, argument) for argument in args])
    if not parts:
        reader.fail("zip of nothing", syntax)
    if "strict" in named and as_number(reader.expression(named["strict"])):
        counts = {count for part in parts if (count := turns(part)) is not None}
        if len(counts) > 1:
            reader.fail(f"zip(strict=True) of {' and '.join(map(str, sorted(counts)))} items", syntax)
        rows = [part.values[0].shape[0] for part in parts if part.word == "rows"]
        try:
            for size in rows[1:]:
                unify(rows[0], size)
        except SizeMismatch as error:
            reader.fail(f"zip of arrays of different lengths: {error}", syntax)
    return Iterable("zip", (), parts)


def _enumerate(reader: Reader, syntax: cst.Call) -> Iterable:
    args, named = _arguments(reader, syntax, ("start",))
    if not 1 <= len(args) + len(named) <= 2 or not args:
        reader.fail("enumerate takes what is counted, and a start", syntax)
    start: Any = named.get("start", args[1] if len(args) == 2 else None)
    return Iterable("enumerate", (0 if start is None else reader.expression(start),), (iterable(reader, args[0]),))


def _reversed(reader: Reader, syntax: cst.Call) -> Iterable:
    args, _ = _arguments(reader, syntax)
    if len(args) != 1:
        reader.fail("reversed takes one argument", syntax)
    inner = iterable(reader, args[0])
    if inner.word not in ("range", "rows", "items"):
        reader.fail(f"Python has no reversed({inner.word}(...))", syntax, "reverse what is inside of it")
    return Iterable("reversed", (), (inner,))


_READ: dict[Any, Callable[[Reader, cst.Call], Iterable]] = {
    range: _range, zip: _zip, enumerate: _enumerate, reversed: _reversed,
}  # fmt: skip


def turns(each: Iterable) -> int | None:
    """Return how often a loop turns where that is known when the code is written."""
    if each.word == "range":
        numbers = [whole_number(number) for number in each.values]
        return None if None in numbers else len(range(*[number for number in numbers if number is not None]))
    if each.word == "items":
        return len(each.values)
    if each.word == "rows":
        rows = resolved(each.values[0].shape[0])
        return rows if isinstance(rows, int) else None
    counts = [turns(part) for part in each.parts]
    # an unknown number may be the smallest
    return None if None in counts else min(count for count in counts if count is not None)


def items(reader: Reader, each: Iterable, syntax: cst.CSTNode) -> list[Callable[[], Any]]:
    """Return for each turn a function that reads what it gets: rows are read from the array when their turn comes."""
    count = turns(each)
    if count is None:
        raise_unknown(reader, each, syntax)
    return [partial(_item, reader, each, turn, syntax) for turn in range(count)]


def whole_number(item: Any) -> int | None:
    """Return a whole number that is known when the code is written, also as a size; None for one that is not."""
    if is_static(item):
        number = as_number(item)
        return number if isinstance(number, int) else None
    known = None if isinstance(item.known, tuple) or item.known is None else resolved(item.known)
    return known if isinstance(known, int) else None


def raise_unknown(reader: Reader, each: Iterable, syntax: cst.CSTNode) -> NoReturn:
    """Raise what has to be known for the number of turns: sizes, or whole numbers."""
    bounds = [bound for part in _leaves(each) if part.word == "range" for bound in part.values]
    bounds = [bound for bound in bounds if whole_number(bound) is None]
    sizes = [part.values[0].shape[0] for part in _leaves(each) if part.word == "rows"]
    sizes += [bound.known for bound in bounds if bound.known is not None]
    unknown = [size for size in map(resolved, sizes) if not isinstance(size, int)]
    numbers = [bound for bound in bounds if bound.known is None]
    error: Any = SizeUnknown(unknown)
    hint = "give it a number in the shapes: shapes='x=(3,)'"
    if not unknown:
        hint = "what is written out turn by turn needs a number that is known when the code is written"
        decides_it = next(whole_parameters(numbers[0]), None)
        if decides_it is None:
            reader.fail("the number of turns depends on data", syntax, hint)
        error = StaticNeeded("range", decides_it)
    error.problem = reader.problem("the number of turns is not known", syntax, hint)
    raise error


def _leaves(each: Iterable) -> Iterator[Iterable]:
    if not each.parts:
        yield each
    for part in each.parts:
        yield from _leaves(part)


def _item(reader: Reader, each: Iterable, turn: int, syntax: cst.CSTNode) -> Any:
    if each.word == "range":
        return range(*[number for bound in each.values if (number := whole_number(bound)) is not None])[turn]
    if each.iterator is not None:
        return _next_item(reader, each.iterator, syntax)
    if each.word == "items":
        return each.values[turn] if each.container is None else _items_now(reader, each, syntax)[turn]
    if each.word == "rows":
        return reader.apply(syntax, operator.getitem, each.values[0], index=turn)
    if each.word == "enumerate":
        return (_count(reader, each.values[0], turn, syntax), _item(reader, each.parts[0], turn, syntax))
    if each.word == "reversed":
        last = turns(each)
        assert last is not None
        return _item(reader, each.parts[0], last - 1 - turn, syntax)
    return tuple([_item(reader, part, turn, syntax) for part in each.parts])


def _next_item(reader: Reader, iterator: Iterator[Any], syntax: cst.CSTNode) -> Any:
    """Return the next item of an iterator, as it is in this turn."""
    for item in iterator:
        return item
    return reader.fail("what this goes through has fewer items than before the loop", syntax, "make a list of it first")


def _items_now(reader: Reader, each: Iterable, syntax: cst.CSTNode) -> tuple[Any, ...]:
    """Return the items of a container that is gone through as they are in this turn."""
    now = parts(reader, reader.refreshed(each.container), syntax)
    if len(now) != len(each.values) or (isinstance(each.container, Dict) and now != each.values):
        hint = "go through a copy: list(...), or use `while` and pop"
        reader.fail("what this goes through gets more or fewer items on the way", syntax, hint)
    return now


def require_unchanged(reader: Reader, source: Iterable, syntax: cst.CSTNode) -> None:
    """Refuse a loop whose last turns have changed how many items it goes through."""
    for each in _leaves(source):
        if each.container is not None:
            _items_now(reader, each, syntax)
        if each.iterator is not None and len(each.values) == turns(source) and list(each.iterator):
            reader.fail("what this goes through has more items than before the loop", syntax, "make a list of it first")


def _count(reader: Reader, start: Any, turn: int, syntax: cst.CSTNode) -> Any:
    if is_static(start):
        return as_number(start) + turn
    return reader.apply(syntax, operator.add, start, turn)
