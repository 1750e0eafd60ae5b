"""What is known of a function's parameters: ranks, axes of length 1, dtypes, and the values of static arguments.

In: a definition, with arguments of a call or with annotations and `shapes`. Out: `Signature`. Layer: above `frontend`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.annotations import annotated_type, shapes_from_text
from flatgrad.errors import Problem, SignatureError
from flatgrad.frontend.constants import NotConstant, evaluate
from flatgrad.frontend.parameter_uses import Use, uses_of_parameters
from flatgrad.frontend.source import Definition, NameUnknown
from flatgrad.frontend.static_objects import Partial, StaticCall, StaticFunction
from flatgrad.graph.size import Expression, Size, Symbol, minus, plus, symbolic, times
from flatgrad.graph.values import FLOAT, Type
from flatgrad.infer import type_of
from flatgrad.parts import is_static_argument


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the user's function. `default` is its syntax, or None."""

    name: str
    syntax: cst.Param
    keyword_only: bool = False

    @property
    def default(self) -> cst.BaseExpression | None:
        return self.syntax.default


@dataclass(frozen=True, slots=True)
class Static:
    """An argument that is known when the code is written."""

    value: Any


@dataclass(slots=True)
class Signature:
    """A `Type` or a `Static` for each parameter, in order. `notes` says what was taken for granted."""

    parameters: dict[str, Type | Static]
    notes: list[str] = field(default_factory=list)
    # the number of each symbol that arguments were given for
    sizes: dict[Symbol, int] = field(default_factory=dict)


# arrays whose operators mean something else
OWN_ALGEBRA = (np.matrix, np.ma.MaskedArray)


def parameters_of(definition: Definition) -> list[Parameter]:
    """Return the parameters of a function. Raises SignatureError for ``*args`` and ``**kwargs``."""
    params = definition.syntax.params
    for star in (params.star_arg, params.star_kwarg):
        if isinstance(star, cst.Param):
            raise SignatureError(
                definition.source.problem(
                    f"the parameter `{star.name.value}` takes any number of arguments", star, "name each parameter"
                )
            )
    positional = [Parameter(param.name.value, param) for param in (*params.posonly_params, *params.params)]
    return positional + [Parameter(param.name.value, param, keyword_only=True) for param in params.kwonly_params]


def signature_of_arguments(
    definition: Definition, arguments: Mapping[str, Any], pinned: frozenset[str] = frozenset()
) -> Signature:
    """Return the signature of a call. `pinned` parameters are numbers that decide what code is written.

    Raises SignatureError for arguments that have no type here.
    """
    signature = Signature({})
    named: dict[str, Symbol] = {}
    for parameter in parameters_of(definition):
        argument = arguments[parameter.name]
        if parameter.name in pinned or is_static_argument(argument):
            signature.parameters[parameter.name] = Static(argument)
            continue
        try:
            known = isinstance(argument, int | float | np.ndarray | np.generic) and not isinstance(
                argument, OWN_ALGEBRA
            )
            found = type_of(argument) if known else None
        except ValueError:
            found = None
        if found is None or found.dtype.kind not in "fbiu":
            kind, hint = _refused(argument) if found is None else (f"{found.dtype} values", GIVE_NUMBERS)
            message = f"the argument `{parameter.name}` is {kind}"
            raise SignatureError(definition.source.problem(message, parameter.syntax, hint))
        names = _names_of_axes(definition, parameter, found.rank)
        sizes = tuple(
            _observed(signature, named, size, name) for size, name in zip(np.shape(argument), names, strict=True)
        )
        signature.parameters[parameter.name] = Type(found.dtype, sizes, found.weak)
    return signature


GIVE_NUMBERS = "give a float, an int or a NumPy array of real numbers"


def _refused(argument: Any) -> tuple[str, str]:
    """Return what an argument is that there is no code for, and a hint."""
    kind = type(argument).__name__
    owner = getattr(argument, "__self__", None)
    if callable(argument) and owner is not None:
        name = getattr(argument, "__name__", "it")
        hint = "give a function that takes what it uses of the object as arguments, by a lambda or functools.partial"
        return f"`{name}`, a method of a {type(owner).__name__}", hint
    if isinstance(argument, np.ufunc):
        return "a function that np.frompyfunc has made", "give the Python function itself"
    if callable(argument):
        return f"an object of class {kind}, which can be called but is not a function", "give a def or a lambda"
    return f"a {kind}", GIVE_NUMBERS


def _names_of_axes(definition: Definition, parameter: Parameter, rank: int) -> list[str | None]:
    """Return the names that the annotation gives to the axes, where it speaks of such an array."""
    annotation = parameter.syntax.annotation
    found = annotated_type(annotation.annotation, definition) if annotation is not None else None
    if found is None or found.shape is None or len(found.shape) != rank:
        return [None] * rank
    return [str(size) if isinstance(size, str) and size.isidentifier() else None for size in found.shape]


def _observed(signature: Signature, named: dict[str, Symbol], number: int, name: str | None) -> Size:
    """Return the size of an axis of an argument: 1, or a symbol whose number is noted."""
    if number == 1:
        return 1
    size = symbolic(name)
    symbol = size.terms[0][0][0]
    if name is not None:
        known = named.get(name)
        if known is not None and signature.sizes[known] == number:
            return Expression((((known,), 1),))
        if known is not None:
            symbol.name = None
        else:
            named[name] = symbol
    signature.sizes[symbol] = number
    return size


def signature_of_annotations(
    definition: Definition, shapes: str | Mapping[str, Any] | None = None, pinned: frozenset[str] = frozenset()
) -> Signature:
    """Return the signature that annotations, `shapes` and defaults tell.

    `pinned` parameters are numbers that decide what code is written: they have their defaults. `shapes` is text such as
    ``"X=(n,d) labels=int(n,)"``, or a mapping from names to shapes. Raises SignatureError for a parameter that is used as an
    array and whose rank is not known.
    """
    signature = Signature({})
    symbols: dict[str, Size] = {}
    parameters = parameters_of(definition)
    given = shapes_from_text(shapes, definition) if isinstance(shapes, str) else _from_mapping(shapes or {}, definition)
    unknown = [name for name in given if name not in {parameter.name for parameter in parameters}]
    if unknown:
        raise SignatureError(f"shapes has `{unknown[0]}`, which is not a parameter of `{definition.syntax.name.value}`")
    uses = uses_of_parameters(definition, [parameter.name for parameter in parameters])
    assumed: list[str] = []
    problems: list[Problem] = []
    for parameter in parameters:
        if parameter.name in pinned:
            signature.parameters[parameter.name] = _default(definition, parameter)
            continue
        annotation = parameter.syntax.annotation
        found = given.get(parameter.name)
        if found is None and annotation is not None:
            found = annotated_type(annotation.annotation, definition)
        if found is not None and found.shape is not None:
            if found.static:
                signature.parameters[parameter.name] = _default(definition, parameter)
                continue
            sizes = tuple(_size(size, symbols) for size in found.shape)
            signature.parameters[parameter.name] = Type(found.dtype, sizes, found.weak)
        elif parameter.default is not None and found is None:
            signature.parameters[parameter.name] = _default_or_float(definition, parameter)
        elif found is not None:
            problems.append(_rank_problem(parameter, Use(definition.source, parameter.syntax)))
        elif parameter.name in uses.as_functions:
            problems.append(_function_problem(definition, parameter, uses.as_functions[parameter.name]))
        elif parameter.name in uses.as_arrays:
            problems.append(_rank_problem(parameter, uses.as_arrays[parameter.name]))
        else:
            signature.parameters[parameter.name] = FLOAT
            assumed.append(parameter.name)
    if problems:
        raise SignatureError(problems)
    if assumed:
        signature.notes.append(f"taken as float: {', '.join(assumed)} (say otherwise with shapes, as in x=(n,))")
    return signature


def _from_mapping(shapes: Mapping[str, Any], definition: Definition) -> dict[str, Any]:
    text = " ".join(
        f"{name}={shape}" if isinstance(shape, str) else f"{name}=({','.join(map(str, shape))},)".replace("(,)", "()")
        for name, shape in shapes.items()
    )
    return shapes_from_text(text, definition)


def _size(size: int | str, symbols: dict[str, Size]) -> Size:
    if isinstance(size, int):
        return size
    if size == "_":
        return symbolic()
    if not size.isidentifier():
        return _computed(ast.parse(size, mode="eval").body, symbols)
    return symbols.setdefault(size, symbolic(size))


def _computed(node: ast.expr, symbols: dict[str, Size]) -> Size:
    """Return the size that an annotation such as ``4*h`` computes from others."""
    if isinstance(node, ast.BinOp):
        combine = {ast.Add: plus, ast.Sub: minus, ast.Mult: times}[type(node.op)]
        return combine(_computed(node.left, symbols), _computed(node.right, symbols))
    return _size(int(node.value) if isinstance(node, ast.Constant) else ast.unparse(node), symbols)  # type: ignore[arg-type]


def _rank_problem(parameter: Parameter, use: Use) -> Problem:
    name = parameter.name
    return use.problem(
        f"`{name}` is an array, and its rank is not known",
        f'annotate it, as in {name}: Float[np.ndarray, "n d"], or give its shape: --shapes "{name}=(n,d)"',
    )


def _function_problem(definition: Definition, parameter: Parameter, use: Use) -> Problem:
    function = definition.syntax.name.value
    given = ", ".join(each.name for each in parameters_of(definition))
    return use.problem(
        f"`{parameter.name}` is a function, and it is not known which one",
        f"give it a default, or write the code for arguments: flatgrad.emit({function}, {given})",
    )


def _default(definition: Definition, parameter: Parameter) -> Static:
    if parameter.default is None:
        message = f"`{parameter.name}` decides what code is written, and has no default"
        raise SignatureError(
            definition.source.problem(message, parameter.syntax, f"give it a default: {parameter.name}=...")
        )
    return Static(default_value(definition, parameter))


def _default_or_float(definition: Definition, parameter: Parameter) -> Type | Static:
    value = default_value(definition, parameter)
    is_static = is_static_argument(value) or isinstance(value, StaticFunction | StaticCall | Partial)
    return Static(value) if is_static else type_of(value)


def default_value(definition: Definition, parameter: Parameter) -> Any:
    """Return the value of a parameter's default. Raises SignatureError where it can't be told."""
    assert parameter.default is not None
    if parameter.name in definition.defaults:
        return definition.defaults[parameter.name]
    text = cst.Module([]).code_for_node(parameter.default)
    try:
        return evaluate(ast.parse(text, mode="eval").body, definition.names.find)
    except NameUnknown as error:
        raise SignatureError(definition.source.problem(error.message, parameter.default, error.hint)) from None
    except NotConstant as error:
        message = f"the default of `{parameter.name}` {error.reason}"
        raise SignatureError(definition.source.problem(message, parameter.default)) from None
