"""Lists, dicts and tuples of the program: their parts, and what they are after a change.

In: containers, keys and items. Out: items, and containers whose changes are noted in the reader's memory. What Python raises
for every call is a problem at its place. Layer: above `known` and `memory`.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.classes import is_tuple
from flatgrad.frontend.iterators import BoundMethod, DictView, LazyIterator, seen
from flatgrad.frontend.known import is_static, known_number, plain, with_known_text
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.objects import is_instance, told
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader, is_list
from flatgrad.frontend.special_methods import compared, gone_through, special_result
from flatgrad.frontend.truth import decided
from flatgrad.frontend.unpacking import parts
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Dict, List, Record, Slice, leaves, rebuilt
from flatgrad.graph.size import resolved
from flatgrad.graph.values import Constant, Value

Container = List | Dict


def is_plain(item: Any) -> bool:
    """Tell whether an item is a tuple or list, and no dict or object."""
    return isinstance(item, tuple) and not isinstance(item, Dict | Record) and not hasattr(item, "_fields")


def bound_method(reader: Reader, owner: Any, name: str, syntax: cst.CSTNode) -> BoundMethod:
    """Return a method of a container or an iterator."""
    kind = next((kind for each, kind in PYTHON_CLASSES.items() if isinstance(owner, each)), None)
    if kind is None:
        reader.fail(f"`.{name}` of {described(owner)} can't be read", syntax)
    if not hasattr(kind, name):
        near = difflib.get_close_matches(name, [each for each in dir(kind) if not each.startswith("_")], n=1)
        reader.fail(f"a {kind.__name__} has no `{name}`", syntax, f"did you mean `{near[0]}`?" if near else "")
    return BoundMethod(owner, name)


# the class that each kind of container has in the program
PYTHON_CLASSES: dict[type, type] = {List: list, Dict: dict, frozenset: set, tuple: tuple}


def new_list(reader: Reader, items: Iterable[Any]) -> List:
    """Return a new list of the program."""
    made = List(items)
    made.ref = Ref()
    return made


def new_dict(reader: Reader, items: Mapping[Any, Any]) -> Dict:
    """Return a new dict of the program."""
    made = Dict.of(items)
    made.ref = Ref()
    return made


def change_list(reader: Reader, before: List, items: Iterable[Any], syntax: cst.CSTNode) -> None:
    """Note that a list holds other items now."""
    after = rebuilt(before, items)
    _require_no_circle(reader, after, syntax)
    reader.changed(before, after, syntax)


def change_dict(reader: Reader, before: Dict, items: Mapping[Any, Any], syntax: cst.CSTNode) -> None:
    """Note that a dict holds other items now."""
    after = Dict.of(items)
    after.ref = before.ref
    _require_no_circle(reader, after, syntax)
    reader.changed(before, after, syntax)


def _require_no_circle(reader: Reader, after: Container, syntax: cst.CSTNode) -> None:
    """Refuse a container that would hold itself."""
    pending = [reader.refreshed(part) for part in after]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            if after.ref is not None and getattr(part, "ref", None) is after.ref:
                reader.fail("a container that holds itself can't be read", syntax)
            pending += part


# Keys and indices


def known_key(reader: Reader, item: Any, syntax: cst.CSTNode, what: str = "key") -> Any:
    """Return a key or an index as the Python object that it is.

    Raises StaticNeeded for one that is found out at run time only, and SizeUnknown for one that is a size.
    """
    _require_no_object(reader, item, syntax, what)
    item = with_known_text(reader, item, syntax, what)
    if is_static(item):
        key = plain(item)
        if isinstance(key, np.ndarray):
            reader.fail(f"an array can't be a {what}", syntax)
        try:
            hash(key)
        except TypeError as error:
            if not isinstance(item, Slice):
                reader.fail(f"{error}", syntax)
        return key
    for leaf in leaves(item):
        if isinstance(leaf, Value) and not isinstance(leaf, Constant) and leaf.dtype.kind != "U":
            known_number(reader, leaf, syntax, what)
    if isinstance(item, tuple):
        return tuple([known_key(reader, part, syntax, what) for part in item])
    if isinstance(item, Slice):
        return slice(
            *(None if part is None else known_key(reader, part, syntax) for part in (item.start, item.stop, item.step))
        )
    return resolved(item.known)


def _require_no_object(reader: Reader, item: Any, syntax: cst.CSTNode, what: str) -> None:
    """Refuse objects, which are equal to others as their class says; a named tuple is a tuple."""
    if isinstance(item, Record):
        with told(reader, syntax):
            is_one = is_tuple(item.kind)
        if not is_one:
            reader.fail(f"{described(item)} can't be a {what}", syntax, "make a tuple of its attributes")
    if isinstance(item, tuple):
        for part in item:
            _require_no_object(reader, part, syntax, what)


# Items


def item_at(reader: Reader, owner: Any, index: Any, syntax: cst.CSTNode) -> Any:
    """Return an item of a container, or a slice of it."""
    if isinstance(owner, Dict):
        return _item_of_dict(reader, owner, known_key(reader, index, syntax), syntax)
    key = known_key(reader, index, syntax, "index")
    try:
        found = (list(owner) if isinstance(owner, List) else owner)[key]
    except (IndexError, TypeError) as error:
        reader.fail(f"{error}", syntax)
    if isinstance(key, slice) and isinstance(owner, List):
        return new_list(reader, found)
    return found


def _item_of_dict(reader: Reader, owner: Dict, key: Any, syntax: cst.CSTNode) -> Any:
    items = owner.items
    if key not in items:
        among = f" among {', '.join(map(repr, items))}" if items else ": the dict is empty"
        reader.fail(f"there is no {key!r}{among}", syntax)
    return items[key]


def set_item(reader: Reader, owner: Any, index: Any, item: Any, syntax: cst.CSTNode) -> None:
    """Put an item into a list or dict."""
    if isinstance(owner, Dict):
        change_dict(reader, owner, {**owner.items, known_key(reader, index, syntax): item}, syntax)
        return
    if not isinstance(owner, List):
        reader.fail(f"{described(owner)} can't be changed", syntax, "use a list or a dict")
    key = known_key(reader, index, syntax, "index")
    items = list(owner)
    try:
        items[key] = parts(reader, item, syntax) if isinstance(key, slice) else item
    except (IndexError, TypeError, ValueError) as error:
        reader.fail(f"{error}", syntax)
    change_list(reader, owner, items, syntax)


def delete_item(reader: Reader, owner: Any, index: Any, syntax: cst.CSTNode) -> None:
    """Take an item out of a list or dict: ``del owner[index]``."""
    if isinstance(owner, Dict):
        key = known_key(reader, index, syntax)
        _item_of_dict(reader, owner, key, syntax)
        change_dict(reader, owner, {each: item for each, item in owner.items.items() if each != key}, syntax)
        return
    if is_list(owner):
        reader.need_items("an item of a list that grows in a loop can't be deleted", syntax, "make a new list")
    if not isinstance(owner, List):
        reader.fail(f"an item of {described(owner)} can't be deleted", syntax)
    items = list(owner)
    try:
        del items[known_key(reader, index, syntax, "index")]
    except (IndexError, TypeError) as error:
        reader.fail(f"{error}", syntax)
    change_list(reader, owner, items, syntax)


# Operators


def contains(reader: Reader, owner: Any, item: Any, syntax: cst.CSTNode) -> bool:
    """Return what `item in owner` is."""
    item = with_known_text(reader, item, syntax)
    if is_instance(owner):
        found = special_result(reader, owner, "__contains__", [item], syntax)
        if isinstance(found, bool):
            return found
        if found is not NOTHING:
            reader.fail("whether it is in there depends on data", syntax)
        owner = gone_through(reader, owner, syntax)
    if isinstance(owner, Dict):
        return known_key(reader, item, syntax) in owner.keys
    if isinstance(owner, str | range | frozenset) and is_static(item):
        try:
            return plain(item) in owner
        except TypeError as error:
            reader.fail(f"{error}", syntax)
    if isinstance(owner, DictView) and owner.word == "keys":
        return known_key(reader, item, syntax) in seen(reader, owner)
    if is_plain(owner) or isinstance(owner, LazyIterator | DictView):
        return position_of(reader, parts(reader, owner, syntax), item, syntax) is not None
    return reader.fail(f"`in` on {described(owner)} can't be decided when the code is written", syntax, "use np.isin")


def position_of(reader: Reader, items: Iterable[Any], item: Any, syntax: cst.CSTNode) -> int | None:
    """Return where an item is among others, None for nowhere."""
    for position, each in enumerate(items):
        if same_item(reader, each, item, syntax):
            return position
    return None


def same_item(reader: Reader, a: Any, b: Any, syntax: cst.CSTNode) -> bool:
    """Tell whether two items are equal, which must be known when the code is written."""
    a, b = (with_known_text(reader, each, syntax) for each in (a, b))
    by_class = compared(reader, operator.eq, a, b, syntax)
    if isinstance(by_class, bool):
        return by_class
    if is_static(a) and is_static(b):
        return bool(np.all(plain(a) == plain(b)))
    for one, other in ((a, b), (b, a)):
        if isinstance(one, str | None) and isinstance(other, Value | tuple | None):
            return False
    if isinstance(a, tuple) and isinstance(b, tuple) and not isinstance(a, Record) and not isinstance(b, Record):
        return _same_parts(reader, a, b, syntax)
    if isinstance(a, Value | int) and isinstance(b, Value | int):
        # sizes are known, or asked for
        known = decided(reader, reader.apply(syntax, operator.eq, a, b), syntax)
        if known is not None:
            return known
        for each in (a, b):
            if isinstance(each, Value) and each.type.weak and each.dtype.kind == "i":
                known_number(reader, each, syntax, "number")
    return reader.fail("whether items are equal depends on data", syntax, "compare keys or indices that are known")


def _same_parts(reader: Reader, a: tuple[Any, ...], b: tuple[Any, ...], syntax: cst.CSTNode) -> bool:
    if type(a) is not type(b) or len(a) != len(b):
        return False
    if isinstance(a, Dict) and isinstance(b, Dict):
        if set(a.keys) != set(b.keys):
            return False
        a, b = a, tuple(b.items[key] for key in a.keys)
    return all(same_item(reader, x, y, syntax) for x, y in zip(a, b, strict=True))


def combined(reader: Reader, function: Any, left: Any, right: Any, syntax: cst.CSTNode) -> Any:
    """Return what an operator makes of containers: `+`, `*` and `|`. Raises for others."""
    if function is operator.add and is_plain(left) and type(left) is type(right):
        both = (*left, *right)
        return new_list(reader, both) if isinstance(left, List) else both
    if function is operator.mul and is_plain(left) != is_plain(right):
        items, count = (left, right) if is_plain(left) else (right, left)
        number = known_key(reader, count, syntax, "number of copies")
        if isinstance(number, int):
            repeated = tuple(items) * number
            return new_list(reader, repeated) if isinstance(items, List) else repeated
    if function is operator.or_ and isinstance(left, Dict) and isinstance(right, Dict):
        return new_dict(reader, left.items | right.items)
    return reader.fail(f"{described(left)} and {described(right)} have no such operator", syntax)


def combined_in_place(reader: Reader, function: Any, left: Container, right: Any, syntax: cst.CSTNode) -> Any:
    """Return a list or dict after `+=`, `*=` or `|=`, which changes it."""
    if function is operator.add and isinstance(left, List):
        change_list(reader, left, [*left, *parts(reader, right, syntax)], syntax)
    elif function is operator.or_ and isinstance(left, Dict):
        change_dict(reader, left, left.items | mapping_of(reader, right, syntax), syntax)
    elif isinstance(left, List):
        change_list(reader, left, combined(reader, function, left, right, syntax), syntax)
    else:
        combined(reader, function, left, right, syntax)
    return reader.refreshed(left)


def mapping_of(reader: Reader, item: Any, syntax: cst.CSTNode) -> dict[Any, Any]:
    """Return the items of a dict, or of pairs of keys and items."""
    if isinstance(item, Dict):
        return item.items
    made: dict[Any, Any] = {}
    for pair in parts(reader, item, syntax):
        both = parts(reader, pair, syntax)
        if len(both) != 2:
            reader.fail(f"a dict is made of pairs, not of {len(both)} items", syntax)
        made[known_key(reader, both[0], syntax)] = both[1]
    return made
