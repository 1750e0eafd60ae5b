"""Reads subscripts: items of containers and arrays, and assignments to them. Fills EXPRESSIONS and TARGETS. Layer: beside `reader`."""

from __future__ import annotations

import operator
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.array_writes import write_flat
from flatgrad.frontend.attributes import Method
from flatgrad.frontend.concatenators import operation_of, read_concatenator
from flatgrad.frontend.containers import delete_item, item_at, set_item
from flatgrad.frontend.exceptions import DELETIONS
from flatgrad.frontend.known import as_number, is_static, plain, with_known_text
from flatgrad.frontend.list_values import element_of_list
from flatgrad.frontend.objects import is_instance
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader, reads
from flatgrad.frontend.special_methods import as_tuple, special_effect, special_result
from flatgrad.frontend.unpacking import assigns, name_part
from flatgrad.frontend.wording import described
from flatgrad.frontend.writes import augmented_operand, augmented_place, operator_of, write
from flatgrad.graph.containers import Dict, List, Slice
from flatgrad.graph.values import Value
from flatgrad.infer import as_python
from flatgrad.rules.creation import size_of_axis


@reads(cst.Subscript)
def read_subscript(reader: Reader, syntax: cst.Subscript) -> Any:
    owner = reader.expression(syntax.value)
    return item_of_any(reader, owner, read_index(reader, syntax), syntax)


def read_index(reader: Reader, syntax: cst.Subscript) -> Any:
    """Return the index in a subscript: an item, a `Slice`, or a tuple of these."""
    indices = [_index(reader, element.slice) for element in syntax.slice]
    one = len(indices) == 1 and not isinstance(syntax.slice[0].comma, cst.Comma)
    return indices[0] if one else tuple(indices)


def item_of_any(reader: Reader, owner: Any, index: Any, syntax: cst.CSTNode) -> Any:
    """Return what an index picks of a container or an array, or what a class says about it."""
    owner = with_known_text(reader, owner, syntax)
    if is_instance(owner):
        found = special_result(reader, owner, "__getitem__", [index], syntax)
        if found is not NOTHING:
            return found
        owner = as_tuple(reader, owner, "indexed", "__getitem__", syntax)
    if isinstance(owner, Value):
        index = array_index(index)
        if isinstance(owner.known, tuple) and is_static(index):
            return _part_of_shape(reader, owner, as_number(index), syntax)
        if owner.type.is_list:
            return element_of_list(reader, owner, index, syntax)
        return reader.apply(syntax, operator.getitem, owner, index=index)
    if owner is np.s_:
        return index
    if owner is np.index_exp:
        return index if type(index) is tuple else (index,)
    operation = operation_of(owner)
    if operation is not None:
        return read_concatenator(reader, operation, index, syntax)
    if isinstance(owner, tuple | str | range):
        return item_at(reader, owner, index, syntax)
    return reader.fail(f"{described(owner)} can't be indexed here", syntax)


def array_index(index: Any) -> Any:
    """Return an index as arrays take it: a tuple among several indices picks as a list does."""
    if type(index) is not tuple:
        return index
    return tuple([List(part) if isinstance(part, tuple) else part for part in index])


@assigns(cst.Subscript)
def assign_subscript(reader: Reader, target: cst.Subscript, item: Any) -> None:
    """Put an item into a list or dict, or values into an array."""
    owner = reader.expression(target.value)
    index = read_index(reader, target)
    if isinstance(target.value, cst.Name) and isinstance(owner, List | Dict) and is_static(index):
        name_part(reader, target.value.value, plain(index), item)
    set_item_of_any(reader, owner, index, item, target)


def set_item_of_any(reader: Reader, owner: Any, index: Any, item: Any, target: cst.CSTNode) -> None:
    """Put an item into a container or an array, or where a class says."""
    if is_instance(owner):
        if not special_effect(reader, owner, "__setitem__", [index, item], target):
            as_tuple(reader, owner, "assigned to", "__setitem__", target)
            reader.fail("a named tuple can't be changed", target, "make a new one: _replace(...)")
        return
    if isinstance(owner, Value) and not owner.type.is_list:
        write(reader, owner, array_index(index), item, target)
        return
    if isinstance(owner, Method) and owner.name == "flat":
        write_flat(reader, owner.value, index, item, target)
        return
    set_item(reader, owner, index, item, target)


def delete_subscript(reader: Reader, target: cst.Subscript) -> None:
    """Take an item out of a list or dict: `del owner[index]`."""
    owner = reader.expression(target.value)
    index = read_index(reader, target)
    if not is_instance(owner) or not special_effect(reader, owner, "__delitem__", [index], target):
        delete_item(reader, owner, index, target)


def augmented_item(reader: Reader, syntax: cst.AugAssign) -> None:
    """Read `owner[index] += amount`."""
    target = syntax.target
    assert isinstance(target, cst.Subscript)
    owner = reader.expression(target.value)
    index = read_index(reader, target)
    if isinstance(owner, Value) and not owner.type.is_list:
        amount = lambda: reader.expression(syntax.value)  # noqa: E731
        augmented_place(reader, owner, array_index(index), operator_of(syntax), amount, syntax)
        return
    before = item_of_any(reader, owner, index, target)
    after = augmented_operand(reader, before, syntax)
    set_item_of_any(reader, reader.refreshed(owner), index, after, target)


DELETIONS[cst.Subscript] = delete_subscript


def _part_of_shape(reader: Reader, shape: Value, index: Any, syntax: cst.CSTNode) -> Any:
    assert shape.node is not None and isinstance(shape.known, tuple)
    (array,) = shape.node.arguments.values()
    if isinstance(index, Slice):
        chosen = range(len(shape.known))[as_python(index)]
        return tuple([reader.apply(syntax, size_of_axis, array, axis) for axis in chosen])
    if not -len(shape.known) <= index < len(shape.known):
        reader.fail(f"the shape has {len(shape.known)} sizes", syntax)
    return reader.apply(syntax, size_of_axis, array, index)


def _index(reader: Reader, syntax: cst.BaseSlice) -> Any:
    if isinstance(syntax, cst.Index):
        if syntax.star:
            reader.refuse(syntax)
        index = reader.expression(syntax.value)
        return Slice(index.start, index.stop, index.step) if isinstance(index, slice) else index
    assert isinstance(syntax, cst.Slice)
    bounds = (syntax.lower, syntax.upper, syntax.step)
    return Slice(*(None if bound is None else reader.expression(bound) for bound in bounds))
