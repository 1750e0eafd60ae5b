"""Patterns: small expressions over variables, read from Python source.

In: a function with one expression to return, or the text of an expression. Out: a `Pattern`. Layer: above the rules,
below `matching`.

    pattern ::= Variable | Operation | Step | Python object (a number to be met exactly, or a static argument)
"""

from __future__ import annotations

import ast
import inspect
import operator
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from flatgrad.binding import bound
from flatgrad.registry import Record, lookup

BINARY: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
}
PROPERTIES: dict[str, Callable[..., Any]] = {"T": np.transpose, "mT": np.matrix_transpose}


@dataclass(frozen=True, slots=True)
class Variable:
    """Stands for any value; wherever it occurs again, for the same one."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A call of any of the functions of one record, with patterns for its arguments; `form` is how it is written."""

    function: Callable[..., Any]
    record: Record
    arguments: Mapping[str, Any]
    form: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A pattern whose value has a name. Where it occurs again, it may be written out again."""

    name: str
    pattern: Any


Pattern = Variable | Operation | Step | int | float | bool | None


def records_in(pattern: Any) -> Iterator[Record]:
    """Return the record of every operation in a pattern."""
    if isinstance(pattern, Step):
        yield from records_in(pattern.pattern)
    if isinstance(pattern, Operation):
        yield pattern.record
        for argument in pattern.arguments.values():
            yield from records_in(argument)


@cache
def pattern_of(function: Callable[..., Any]) -> Pattern:
    """Return what a function returns, as a pattern over its parameters. It holds assignments and one `return`."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(definition, ast.FunctionDef)
    parameters = (*definition.args.args, *definition.args.kwonlyargs)
    reader = _Reader(function.__globals__, {each.arg: Variable(each.arg) for each in parameters})
    for statement in definition.body:
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            assert isinstance(target, ast.Name)
            reader.variables[target.id] = Step(target.id, reader.read(statement.value))
        elif isinstance(statement, ast.Return):
            return reader.pattern(statement.value)
    raise AssertionError(f"{function.__name__} returns nothing")


def pattern_in(text: str, modules: Mapping[str, Any]) -> Pattern:
    """Return an expression as a pattern; its names are variables, but for those of `modules`."""
    tree = ast.parse(text.strip(), mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(modules)
    return _Reader(modules, {name: Variable(name) for name in names}).pattern(tree.body)


class _Reader:
    """Reads expressions. `variables` are the names that stand for patterns, `names` those that stand for objects."""

    def __init__(self, names: Mapping[str, Any], variables: dict[str, Any]) -> None:
        self.names = names
        self.variables = variables

    def pattern(self, syntax: ast.expr | None) -> Pattern:
        pattern: Pattern = self.read(syntax)
        return pattern

    def read(self, syntax: ast.expr | None) -> Any:
        match syntax:
            case ast.Constant(value=number):
                return number
            case ast.Tuple(elts=parts):
                return tuple(map(self.read, parts))
            case ast.Name(id=name):
                return self.variables[name] if name in self.variables else self.names[name]
            case ast.Attribute(value=owner, attr=name):
                read = self.read(owner)
                if isinstance(read, Variable | Operation):
                    return _operation(PROPERTIES[name], read, form=f".{name}")
                return getattr(read, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                read = self.read(operand)
                return -read if isinstance(read, int | float) else _operation(operator.neg, read)
            case ast.BinOp(left=left, op=symbol, right=right):
                return _operation(BINARY[type(symbol)], self.read(left), self.read(right))
            case ast.Subscript(value=owner, slice=index):
                return _operation(operator.getitem, self.read(owner), index=self.read(index))
            case ast.Call(func=function, args=args, keywords=keywords):
                named = {str(keyword.arg): self.read(keyword.value) for keyword in keywords}
                return _operation(self.read(function), *map(self.read, args), **named)
        raise AssertionError(f"{type(syntax).__name__} in a pattern")


def _operation(function: Callable[..., Any], *args: Any, form: str = "", **kwargs: Any) -> Operation:
    record = lookup(function)
    assert record is not None, f"{function} has no record"
    arguments, _ = bound(function, record, args, kwargs)
    return Operation(function, record, arguments, form)
