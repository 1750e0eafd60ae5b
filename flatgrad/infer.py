"""Types of results: shapes by the record's rule, dtypes by trying the function on arrays of ones.

In: a function and its arguments (values and static objects). Out: the `Type` of each result. Layer: above `binding`.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from flatgrad.binding import spread
from flatgrad.graph.containers import Dict, List, Slice, Slot, leaves, mapped
from flatgrad.graph.values import Call, Constant, Node, Type, Value, packed
from flatgrad.registry import Record, lookup


class DtypeUnsupported(Exception):
    """A result that is not made of numbers or truth values."""


def infer(
    record: Record,
    function: Callable[..., Any],
    arguments: dict[str, Any],
    positional: int,
    taken_apart: tuple[tuple[Value, ...], Call] | None = None,
) -> Type | list[Type]:
    """Return the type of the result of a call whose first `positional` arguments are not given by name.

    `taken_apart` is what `packed` makes of the arguments, where that is at hand. A list of types stands for a function with
    several results. Raises SizeMismatch, SizeUnknown, DtypeUnsupported, and what the function itself raises on such dtypes.
    """
    names = record.inputs or list(arguments)[:positional]
    leading = [name for name in names if name in arguments]
    inputs, _ = spread(function, {name: arguments[name] for name in leading}, len(leading))
    attributes = {name: unwrapped(argument) for name, argument in arguments.items() if name not in leading}
    shapes = answer_of(record.shape, record, leading, inputs, attributes)
    if record.dtype is None:
        values, call = taken_apart or packed(arguments)
        if any(type(value) is Constant for value in values):
            values, call = packed(_decided(arguments, leading))
        kinds = _tried(function, call, *_kinds(values, call), positional)
    else:
        answer = answer_of(record.dtype, record, leading, inputs, attributes)
        answers = answer if isinstance(answer, list) else [answer]
        kinds = tuple([(*(each if isinstance(each, tuple) else (each, False)), True) for each in answers])
    for dtype, _, _ in kinds:
        if dtype.kind not in "fcbiu":
            raise DtypeUnsupported(f"makes {dtype} values")
    if isinstance(shapes, list):
        # how many parts something is split into may depend on its size, which the trial does not have
        of_each = kinds if len(kinds) == len(shapes) else kinds[:1] * len(shapes)
        return [Type(dtype, shape, weak) for (dtype, weak, _), shape in zip(of_each, shapes, strict=True)]
    return Type(kinds[0][0], shapes, kinds[0][1])


def answer_of(
    rule: Callable[..., Any], record: Record, names: list[str], inputs: list[Any], attributes: dict[str, Any]
) -> Any:
    """Return what a record's rule for shapes or dtypes says of a call.

    Inputs come by place. Those behind one that is left out come by their names where the rule has them.
    """
    named: dict[str, Any] = {}
    if record.inputs and record.starred is None:
        first = next((k for k, name in enumerate(names) if name != record.inputs[k]), len(names))
        behind = zip(names[first:], inputs[first:], strict=True)
        named = {name: value for name, value in behind if name in _parameters_of(rule)}
        inputs = [value for name, value in zip(names, inputs, strict=True) if name not in named]
    return rule(*inputs, **named, **attributes)


@lru_cache(maxsize=1024)
def _parameters_of(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def makes_number(node: Node) -> bool:
    """Tell whether an operation of rank 0 makes a number, not an array without axes, as np.where does."""
    record = lookup(node.function)
    if record is None or record.dtype is not None:
        return False
    inputs, call = node.inputs, node.call
    if any(type(value) is Constant for value in inputs):
        leading = record.inputs or [name for name, _ in call][: node.positional]
        inputs, call = packed(_decided(node.arguments, leading))
    return not _tried(node.function, call, *_kinds(inputs, call), node.positional)[0][2]


def _decided(arguments: dict[str, Any], leading: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a call with the numbers that constants stand for, but in those that are differentiated."""

    def number(leaf: Any) -> Any:
        return leaf.number if type(leaf) is Constant and leaf.type.weak else leaf

    return {name: argument if name in leading else mapped(argument, number) for name, argument in arguments.items()}


def unwrapped(structure: Any) -> Any:
    """Return a structure with named constants replaced by their numbers."""
    return mapped(structure, lambda leaf: leaf.number if isinstance(leaf, Constant) else leaf)


def type_of(number: Any) -> Type:
    """Return the type of a Python number or an array."""
    if isinstance(number, bool | int | float | complex) and not isinstance(number, np.generic):
        return Type(np.dtype(type(number)), (), weak=True)
    array = np.asarray(number)
    return Type(array.dtype, array.shape)


Operand = tuple[np.dtype[Any], int, bool]


def _kinds(values: tuple[Value, ...], call: Call) -> tuple[tuple[Operand, ...], tuple[type, ...]]:
    operands = tuple([(value.type.dtype, len(value.type.shape), value.type.weak) for value in values])
    # 2 and 2.0 are equal as keys and not the same argument
    kinds = tuple(
        [
            type(leaf)
            for _, structure in call
            for leaf in ((structure,) if not isinstance(structure, tuple | Slice) else leaves(structure))
        ]
    )
    return operands, kinds


@lru_cache(maxsize=4096)
def _tried(
    function: Callable[..., Any], call: Call, operands: tuple[Operand, ...], kinds: tuple[type, ...], positional: int
) -> tuple[tuple[np.dtype[Any], bool, bool], ...]:
    """Return the dtype of each result of a call, whether it is a Python number, and whether it is an array."""
    for number in TRIALS:
        try:
            result = _result(function, call, operands, positional, number)
            break
        except (ValueError, ArithmeticError):
            # outside of the function's domain; the last trial's error is the caller's to see
            if number == TRIALS[-1]:
                raise
    results = result if isinstance(result, tuple | list) else (result,)
    return tuple(
        [
            (np.asarray(each).dtype, type(each) in (int, float, bool, complex), isinstance(each, np.ndarray))
            for each in results
        ]
    )


# the domains of all functions of `math` have one of these numbers in them
TRIALS = (1.0, 0.5)


def _result(
    function: Callable[..., Any], call: Call, operands: tuple[Operand, ...], positional: int, number: float
) -> Any:
    examples = [_example(*operand, number) for operand in operands]
    built = {
        name: as_python(mapped(structure, lambda leaf: examples[leaf.index] if isinstance(leaf, Slot) else leaf))
        for name, structure in call
    }
    args, kwargs = spread(function, built, positional)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def _example(dtype: np.dtype[Any], rank: int, weak: bool, number: float) -> Any:
    if weak:
        return {"f": number, "c": complex(number), "i": 1, "b": True}[dtype.kind]
    return np.full((1,) * rank, number if dtype.kind in "fc" else 1, dtype)[()]


def as_python(structure: Any) -> Any:
    """Return a structure with Python's own lists, dicts and slices."""
    if isinstance(structure, List):
        return [as_python(part) for part in structure]
    if isinstance(structure, Dict):
        return {key: as_python(part) for key, part in structure.items.items()}
    if isinstance(structure, tuple):
        return tuple(as_python(part) for part in structure)
    if isinstance(structure, Slice):
        return slice(structure.start, structure.stop, structure.step)
    return structure
