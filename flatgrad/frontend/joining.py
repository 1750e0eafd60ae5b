"""What a variable is behind the two sides of a branch: one value for both, or nothing that could be used.

In: the variables at the end of each side. Out: the variables behind the branch, and the pairs of values that the node joins.
Layer: above `known`, below `branches` and `loops`.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from flatgrad.frontend.assigned import name_counts
from flatgrad.frontend.memory import Ref, Unknown, age_of, mark, refs_of
from flatgrad.frontend.placeholders import BROKE, DONE, LEFT, NOTHING, RESULT, RETURNED, Unfinished
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader, Undefined
from flatgrad.frontend.statement_lines import Readable, Step
from flatgrad.frontend.unsettled import EqualityUnknown, Pairs, Undecided, Unset
from flatgrad.frontend.views import is_own_array
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Dict, List, Record, leaves, mapped, rebuilt
from flatgrad.graph.regions import is_undefined, undefined
from flatgrad.graph.size import Shape, equal, resolved, symbolic
from flatgrad.graph.values import Constant, Type, Value
from flatgrad.infer import type_of

# what the flags of the ways out are called in the code
FLAGS = {LEFT: "left", RETURNED: "returned", BROKE: "broke", DONE: "done"}
NUMBERS = (Value, bool, int, float, np.generic)


def joined_type(a: Type, b: Type) -> Type | None:
    """Return the type that numbers or arrays of either type have; None where they differ in shape. Raises EqualityUnknown."""
    dtype = joined_dtype(a, b)
    if a.rank != b.rank or dtype is None or a.is_list != b.is_list:
        return None
    if a.is_list:
        element = joined_type(
            replace(a, shape=a.shape[1:], is_list=False), replace(b, shape=b.shape[1:], is_list=False)
        )
        length = a.shape[0] if equal(a.shape[0], b.shape[0]) else symbolic(may_be_one=True)
        return None if element is None else Type(dtype, (length, *element.shape), is_list=True)
    same = [equal(x, y) for x, y in zip(a.shape, b.shape, strict=True)]
    if False in same:
        return None
    if None in same:
        pairs = zip(a.shape, b.shape, same, strict=True)
        raise EqualityUnknown(tuple([(x, y) for x, y, answer in pairs if answer is None]))
    return Type(dtype, a.shape, a.weak and b.weak)


def joined_dtype(a: Type, b: Type) -> np.dtype[Any] | None:
    """Return the wider dtype of two types; None where they are not both numbers."""
    if a.dtype == b.dtype:
        return a.dtype
    if not {a.dtype.kind, b.dtype.kind} <= set("fcbiu"):
        return None
    kinds: list[Any] = [
        _PYTHON[each.dtype.kind] if each.weak and not (a.weak and b.weak) else each.dtype for each in (a, b)
    ]
    return np.result_type(*kinds)


_PYTHON: dict[str, Any] = {"c": 1j, "f": 1.0, "i": 1, "b": True}


Now = Callable[[Any], Any]


class Join:
    """Joins the items of two paths; the pairs of values to be joined by a node come out in `pairs`.

    `test` tells which path is taken, `negated` the opposite, where it is asked for; `words` say what the two paths are, and `now`
    what an item holds at the end of each.
    """

    def __init__(self, reader: Reader, test: Value, words: Callable[[], tuple[str, str]], now: tuple[Now, Now]) -> None:
        self.reader = reader
        self.test = test
        self.words = words
        self.now = now
        self.began = mark()
        self.negated: Value | None = None
        self.pairs: dict[Any, tuple[Value, Value, Value]] = {}
        # the arrays and containers that are one of two behind the paths
        self.references: dict[Any, tuple[Any, tuple[Any, Any]]] = {}

    def item(self, name: str, a: Any, b: Any) -> Any:
        """Return what stands behind both paths for what is `a` on one and `b` on the other."""
        if a is b:
            return a
        if Unfinished in (a, b):
            return Unfinished
        if name in FLAGS and isinstance(a, bool) and isinstance(b, bool):
            return self.test if a else self._not_test()
        for each in (a, b):
            if isinstance(each, Undefined) and not isinstance(each, Unset):
                return each
        if are_equal(a, b) and not any(True for _ in refs_of(a)):
            return unbound(a)
        try:
            (first, second), absent = self._present(a, b)
        except Unknown as unknown:
            return unknown.held
        if not same_tree(first, second) or (absent and not _are_numbers(first)):
            return self._undecided(a, b)
        joined: list[Any] = []
        try:
            for x, y in zip(leaves(first), leaves(second), strict=True):
                leaf = x if x is y or (not absent and are_equal(x, y)) else self._leaf(name, x, y)
                if leaf is None and not (x is None and y is None):
                    return self._undecided(a, b)
                joined.append(leaf)
        except EqualityUnknown as error:
            return self._undecided(a, b, error.pairs)
        except Unknown as unknown:
            return unknown.held
        rest = iter(joined)
        made = mapped(first, lambda leaf: next(rest))
        return made if absent else self._with_refs(made, first, second)

    def held(self, key: Any, a: Any, b: Any) -> Any:
        """Return what an array or container that was there before holds behind both paths."""
        for each in (a, b):
            if isinstance(each, Undefined):
                return each
        if a is b or not isinstance(key, Value):
            return a if a is b else self.item("", a, b)
        absent = next((each for each in (a, b) if each is not NOTHING), None)
        assert isinstance(absent, Value)
        x, y = (undefined(absent.type) if each is NOTHING else each for each in (a, b))
        output = self._output(key.name or "", x, y, absent.type)
        self.reader.memory.belongs(key, output)
        return output

    def relate(self) -> None:
        """Note what the arrays and containers behind the paths may be."""
        memory = self.reader.memory
        found = list(self.references.values())
        for k, (one, (a, b)) in enumerate(found):
            memory.is_one_of(one, [key for key in (a, b) if key is not None and age_of(key) < self.began])
            for other, (x, y) in found[:k]:
                if any(p is not None and (p is q or p in memory.related(q)) for p, q in ((a, x), (b, y))):
                    memory.relate(one, other)

    def _with_refs(self, made: Any, first: Any, second: Any) -> Any:
        """Return a structure with the identities of its containers: those that both paths have, or new ones."""
        if not isinstance(made, tuple) or hasattr(made, "_fields"):
            return made
        triples = zip(made, first, second, strict=True)
        parts = [self._with_refs(*triple) for triple in triples]
        renewed = rebuilt(made, parts)
        if isinstance(made, List | Dict | Record) and first.ref is not second.ref:
            both = (first.ref, second.ref)
            renewed.ref = None if None in both else self.references.setdefault(both, (Ref(), both))[0]
        return renewed

    def _present(self, a: Any, b: Any) -> tuple[tuple[Any, Any], bool]:
        """Return two items as they are now, with a stand-in for one that is not there, and whether there is such a one."""
        for each in (a, b):
            if isinstance(each, Unset):
                each.joined = True
        given = (each.item if isinstance(each, Unset) else each for each in (a, b))
        first, second = (
            now(each) if isinstance(each, tuple) else each for each, now in zip(given, self.now, strict=True)
        )
        if first is NOTHING:
            return (_absent(second), second), True
        if second is NOTHING:
            return (first, _absent(first)), True
        return (first, second), False

    def _not_test(self) -> Value:
        if self.negated is None:
            self.negated = self.reader.builder.apply(operator.not_, self.test)
        assert self.negated is not None
        return self.negated

    def _undecided(self, a: Any, b: Any, pairs: Pairs = ()) -> Undecided:
        one, other = self.words()
        return Undecided(f"{in_words(a)} {one} and {in_words(b)} {other}", pairs=pairs, either=(a, b))

    def _leaf(self, name: str, x: Any, y: Any) -> Value | None:
        if not isinstance(x, NUMBERS) or not isinstance(y, NUMBERS):
            return None
        a, b = as_value(x), as_value(y)
        if isinstance(a.known, tuple) or isinstance(b.known, tuple):
            return None
        type = joined_type(a.type, b.type)
        if type is None:
            return None
        memory = self.reader.memory
        roots = memory.root(a), memory.root(b)
        if roots[0] is roots[1] and memory.is_whole(a) and memory.is_whole(b):
            return roots[0]
        first, second = (each if is_undefined(each) else now(each) for each, now in zip((a, b), self.now, strict=True))
        output = self._output(name, first, second, type)
        one, other = (None if each.type.weak or is_undefined(each) else each for each in roots)
        self.references[output] = (output, (one, other))
        return output

    def _output(self, name: str, a: Value, b: Value, type: Type) -> Value:
        key = (_key(a), _key(b))
        if key in self.pairs:
            return self.pairs[key][2]
        output = Value(type, self._name(name, a, b), known=a.known if a.known == b.known else None)
        if is_number(self.reader, a) and is_number(self.reader, b):
            self.reader.numbers.add(output)
        self.pairs[key] = (a, b, output)
        return output

    def _name(self, name: str, a: Value, b: Value) -> str | None:
        if name == RESULT:
            return a.name if a.name == b.name else None
        return flag_name(self.reader, name) if name in FLAGS else name if name.isidentifier() else None


def flag_name(reader: Reader, flag: str) -> str:
    """Return the name of the flag of a way out; the user's own names are left to them."""
    name = FLAGS[flag]
    while name in reader.own_names:
        name += "_"
    return name


def as_value(number: Any) -> Value:
    """Return a number as a value."""
    return number if isinstance(number, Value) else Constant(number, type_of(number))


def _key(value: Value) -> Any:
    if isinstance(value, Constant) and not isinstance(value.number, np.ndarray):
        return (type(value.number), repr(value.number))
    return value


def _are_numbers(item: Any) -> bool:
    return all(isinstance(leaf, NUMBERS) for leaf in leaves(item))


def _absent(item: Any) -> Any:
    return mapped(item, lambda leaf: undefined(as_value(leaf).type) if isinstance(leaf, NUMBERS) else leaf)


def are_equal(a: Any, b: Any) -> bool:
    """Tell whether two items are the same object, or known and equal. Two arrays of the function's own are never the same."""
    if is_own_array(a) or is_own_array(b):
        return a is b
    a, b = (each.number if isinstance(each, Constant) else each for each in (a, b))
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return same_names(a, b) and len(a) == len(b) and all(map(are_equal, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    # 0.0 and -0.0 are equal and not the same
    return isinstance(a, str | bool | int | float | complex | range | np.dtype) and repr(a) == repr(b)


def same_tree(a: Any, b: Any) -> bool:
    """Tell whether two items have the same structure, whatever their leaves are."""
    if not isinstance(a, tuple) and not isinstance(b, tuple):
        return True
    return type(a) is type(b) and len(a) == len(b) and same_names(a, b) and all(map(same_tree, a, b))


def same_names(a: Any, b: Any) -> bool:
    """Tell whether two structures of one type have the same keys, or attributes of the same class."""
    if isinstance(a, Dict):
        return list(a.keys) == list(b.keys)
    return not isinstance(a, Record) or (a.kind is b.kind and a.names == b.names)


def unbound(item: Any) -> Any:
    """Return a static item without the line of one side that made it."""

    def constant(leaf: Any) -> Any:
        if not isinstance(leaf, Constant) or leaf.node is None:
            return leaf
        return Constant(leaf.number, leaf.type, text=leaf.text)

    return mapped(item, constant)


def in_words(item: Any) -> str:
    """Return in words what an item is, for messages about two that do not fit."""
    if item is NOTHING or (isinstance(item, Unset) and item.item is NOTHING):
        return "without a value"
    if isinstance(item, Unset):
        item = item.item
    if isinstance(item, NUMBERS):
        kind = as_value(item).type
        return (
            shape_words(kind.shape)
            if kind.rank
            else f"{'an' if str(kind) == 'int' else 'a'} {str(kind).removesuffix('[]')}"
        )
    if isinstance(item, tuple):
        return f"a tuple or list of {len(item)}"
    return repr(item) if isinstance(item, str) else described(item)


def shape_words(shape: Shape) -> str:
    """Return a shape in words."""
    return f"an array ({', '.join(str(resolved(size)) for size in shape)}{',' if len(shape) == 1 else ''})"


def used_outside(reader: Reader, extent: Sequence[Readable]) -> Callable[[str], bool]:
    """Return what tells whether a variable may be used outside of some syntax of its function."""
    if reader.definition is None or reader.unrolled:
        return lambda name: True
    known = reader.source.name_counts
    inside: Counter[str] = Counter()
    pending = list(extent)
    while pending:
        part = pending.pop()
        if isinstance(part, Step):
            pending += part.syntax
        else:
            inside.update(name_counts(part, known))
    everywhere = name_counts(reader.definition, known)
    return lambda name: everywhere[name] > inside[name]
