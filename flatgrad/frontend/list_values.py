"""Reads what is done with a list that grows in a loop, and whose length is therefore known at run time only.

In: a value that is a list, an item, an index. Out: what the list is then, or an element of it. Layer: above `joining`, below
`attributes`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import libcst as cst

from flatgrad.frontend.joining import joined_type
from flatgrad.frontend.memory import WritesToCaller, age_of
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.unsettled import EqualityUnknown
from flatgrad.graph.size import plus
from flatgrad.graph.values import Constant, Value
from flatgrad.rules.listing import appended


def call_list_method(
    reader: Reader, value: Value, name: str, args: Sequence[Any], kwargs: dict[str, Any], syntax: cst.CSTNode
) -> None:
    """Read a call of a method of a list whose length is known at run time only."""
    if name != "append" or len(args) != 1 or kwargs:
        hint = "only append can be read; np.stack(...) makes an array of the list"
        reader.need_items(f"`{name}` of a list that grows in a loop can't be differentiated", syntax, hint)
    root = reader.memory.root(value)
    if age_of(root) < reader.memory.began:
        raise WritesToCaller
    item = reader.value(args[0], syntax)
    before = reader.current(value)
    try:
        joined = joined_type(replace(before.type, shape=before.shape[1:], is_list=False), item.type)
    except EqualityUnknown:
        joined = None
    if joined is None:
        reader.need_items(
            f"appends a {item.type} to a list of {before.type}", syntax, "all elements need one shape and dtype"
        )
    type = replace(before.type, dtype=joined.dtype, shape=(plus(before.shape[0], 1), *before.shape[1:]))
    place = reader.source.location(syntax)
    item = reader.current(item)
    after = reader.builder.node(appended, {"x": before, "item": item}, [type], location=place).output
    after.name = before.name
    relate(reader, root, item)
    reader.builder.content = reader.current
    reader.memory.hold(root, after)


def element_of_list(reader: Reader, owner: Value, index: Any, syntax: cst.CSTNode) -> Value:
    """Return an element of such a list, or a part of it."""
    element: Value = reader.apply(syntax, operator.getitem, owner, index=index)
    if element.rank == owner.rank:
        element.type = replace(element.type, is_list=True)
    elif element.rank == owner.rank - 1:
        relate(reader, reader.memory.root(owner), element)
        if not element.rank:
            reader.numbers.add(element)
    return element


def relate(reader: Reader, root: Value, item: Any) -> None:
    """Note that a list holds an array: what is written into one of them is seen in the other."""
    if isinstance(item, Value) and not isinstance(item, Constant) and not is_number(reader, item):
        reader.memory.relate(root, reader.memory.root(item))
