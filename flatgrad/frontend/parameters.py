"""Binds the arguments of a call to the parameters of the user's function that is called.

In: a callee, and the items that it is given. Out: an item for each parameter, those with defaults among them. Layer: above
`callees`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import libcst as cst

from flatgrad.frontend.callees import Callee
from flatgrad.frontend.constants import NotConstant
from flatgrad.frontend.defaults import default_in_file
from flatgrad.frontend.expressions import item_of
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import Definition, NameUnknown
from flatgrad.graph.containers import Dict
from flatgrad.graph.values import Constant


def bound_items(
    reader: Reader, callee: Callee, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode
) -> dict[str, Any]:
    """Return the item of each parameter. What does not fit is reported at the call, as Python words it."""
    signature = python_signature(callee.definition)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        reader.fail(f"`{callee.name}`: {error}", syntax)
    items: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            items[name] = Dict.of(given.get(name, {}))
            items[name].ref = Ref()
        elif name in given:
            items[name] = given[name]
        elif parameter.kind is parameter.VAR_POSITIONAL:
            items[name] = ()
        else:
            items[name] = _default(reader, callee.definition, name, parameter.default)
    return items


def python_signature(definition: Definition) -> inspect.Signature:
    """Return the signature of a function as Python binds arguments to it; a default is its syntax."""
    return inspect.Signature(list(_parameters(definition.syntax.params)))


def all_parameters(params: cst.Parameters) -> Iterator[cst.Param]:
    """Return the parameters of a function, in order."""
    yield from params.posonly_params
    yield from params.params
    if isinstance(params.star_arg, cst.Param):
        yield params.star_arg
    yield from params.kwonly_params
    if params.star_kwarg is not None:
        yield params.star_kwarg


def _parameters(params: cst.Parameters) -> Iterator[inspect.Parameter]:
    kinds = [
        *([inspect.Parameter.POSITIONAL_ONLY] * len(params.posonly_params)),
        *([inspect.Parameter.POSITIONAL_OR_KEYWORD] * len(params.params)),
        *([inspect.Parameter.VAR_POSITIONAL] * isinstance(params.star_arg, cst.Param)),
        *([inspect.Parameter.KEYWORD_ONLY] * len(params.kwonly_params)),
        *([inspect.Parameter.VAR_KEYWORD] * (params.star_kwarg is not None)),
    ]
    for param, kind in zip(all_parameters(params), kinds, strict=True):
        default = inspect.Parameter.empty if param.default is None else param.default
        yield inspect.Parameter(param.name.value, kind, default=default)


def _default(reader: Reader, definition: Definition, name: str, syntax: cst.BaseExpression) -> Any:
    """Return the item of a default: what the function object has, or what is read in the file."""
    inside = Reader(reader.builder, definition.names, definition.source)
    if name in definition.defaults:
        found = definition.defaults[name]
        number = written_number(inside, syntax)
        if type(found) in (int, float) and number is not None and plain(number) == found:
            return number
    else:
        found = written_number(inside, syntax)
        if found is None:
            found = _evaluated(inside, definition, name, syntax)
    return item_of(inside, found, name, syntax)


def plain(number: Any) -> Any:
    """Return the Python number that an item stands for."""
    return number.number if isinstance(number, Constant) else number


def written_number(reader: Reader, syntax: cst.BaseExpression) -> Any:
    """Return a number that is written out, as it is written; None for any other expression."""
    return reader.expression(syntax) if isinstance(syntax, cst.Integer | cst.Float) else None


def _evaluated(reader: Reader, definition: Definition, name: str, syntax: cst.BaseExpression) -> Any:
    try:
        return default_in_file(definition, name)
    except NameUnknown as error:
        reader.fail(error.message, syntax, error.hint)
    except NotConstant as error:
        reader.fail(f"the default of `{name}` {error.reason}", syntax, "write its value out")
