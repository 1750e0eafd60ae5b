"""What is known of a function's parameters: ranks, axes of length 1, dtypes, and the values of static arguments.

In: a definition, with arguments of a call or with annotations and `shapes`. Out: `Signature`. Layer: above `frontend`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.annotated_classes import annotated_class, as_ast, is_users_class
from flatgrad.annotations import Annotated, Attributes, Optional, form_of
from flatgrad.annotations import Static as Static
from flatgrad.errors import Problem, SignatureError
from flatgrad.frontend.constants import NotConstant
from flatgrad.frontend.defaults import default_in_file
from flatgrad.frontend.parameter_uses import uses_of_parameters
from flatgrad.frontend.source import Definition, NameUnknown
from flatgrad.frontend.used_parts import Use
from flatgrad.given_shapes import Given, shapes_from_mapping, shapes_from_text
from flatgrad.graph.size import Expression, Size, Symbol, symbolic
from flatgrad.graph.values import Type
from flatgrad.infer import type_of
from flatgrad.parameter_types import Known, Missing, ParameterTypes
from flatgrad.parts import OWN_ALGEBRA, Opaque, inside, is_static_argument, is_static_part
from flatgrad.structures import structure_of


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the user's function. `default` is its syntax, or None."""

    name: str
    syntax: cst.Param
    keyword_only: bool = False

    @property
    def default(self) -> cst.BaseExpression | None:
        return self.syntax.default


@dataclass(slots=True)
class Signature:
    """A `Type`, a `Static` or a structure of these for each parameter, in order. `notes` says what was taken for granted."""

    parameters: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    # the number of each symbol that arguments were given for
    sizes: dict[Symbol, int] = field(default_factory=dict)
    # by the place of an array, where it matters: whether its elements lie in their order in memory, without gaps
    in_order: dict[str, bool] = field(default_factory=dict)


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
        if inside(argument) is not None:

            def leaf(place: str, part: Any) -> Type | Static:
                return _leaf(signature, part, is_pinned=place in pinned)

            signature.parameters[parameter.name] = structure_of(parameter.name, argument, leaf)
            continue
        found = _found(argument)
        if found is None or found.dtype.kind not in "fcbiu":
            kind, hint = _refused(argument) if found is None else (f"{found.dtype} values", GIVE_NUMBERS)
            message = f"the argument `{parameter.name}` is {kind}"
            raise SignatureError(definition.source.problem(message, parameter.syntax, hint))
        names = _names_of_axes(definition, parameter, found.rank)
        sizes = tuple(
            _observed(signature, named, size, name) for size, name in zip(np.shape(argument), names, strict=True)
        )
        signature.parameters[parameter.name] = Type(found.dtype, sizes, found.weak)
    return signature


def _found(argument: Any) -> Type | None:
    """Return the type of a number or an array, or None where it has none."""
    known = isinstance(argument, int | float | complex | np.ndarray | np.generic) and not isinstance(
        argument, OWN_ALGEBRA
    )
    try:
        return type_of(argument) if known else None
    except ValueError:
        return None


def _leaf(signature: Signature, part: Any, *, is_pinned: bool) -> Type | Static:
    """Return what is known of a leaf of a container: what no code is written for may stand in it, unused."""
    if is_pinned or is_static_part(part):
        return Static(part)
    found = _found(part)
    if found is None or found.dtype.kind not in "fcbiu":
        return Static(part if isinstance(part, Opaque) else Opaque(type(part).__name__))
    sizes = tuple(_observed(signature, {}, size, None) for size in np.shape(part))
    return Type(found.dtype, sizes, found.weak)


GIVE_NUMBERS = "give a float, an int or a NumPy array of real numbers"


def _refused(argument: Any) -> tuple[str, str]:
    """Return what an argument is that there is no code for, and a hint."""
    kind = type(argument).__name__
    owner = getattr(argument, "__self__", None)
    if callable(argument) and owner is not None:
        name = getattr(argument, "__name__", "it")
        hint = "give a function that takes what it uses of the object as arguments, by a lambda or functools.partial"
        return f"`{name}`, a method of a {type(owner).__name__}", hint
    if isinstance(argument, np.random.Generator | np.random.RandomState):
        hint = "draw before the call, and pass what was drawn; or make it in the function: np.random.default_rng(seed)"
        return "a generator of random numbers", hint
    if isinstance(argument, np.ufunc):
        return "a function that np.frompyfunc has made", "give the Python function itself"
    if callable(argument):
        return f"an object of class {kind}, which can be called but is not a function", "give a def or a lambda"
    return f"a {kind}", GIVE_NUMBERS


def _names_of_axes(definition: Definition, parameter: Parameter, rank: int) -> list[str | None]:
    """Return the names that the annotation gives to the axes, where it speaks of such an array."""
    annotation = parameter.syntax.annotation
    found = form_of(as_ast(annotation.annotation), definition.names) if annotation is not None else None
    if isinstance(found, Optional):
        found = found.form
    if not isinstance(found, Annotated) or found.shape is None or len(found.shape) != rank:
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
    ``"X=(n,d) labels=int(n,) params.W=(d,h)"``, or a mapping from names to shapes. Raises SignatureError for a parameter that
    is used as an array and whose rank is not known, and for parts of a parameter that are used and not known.
    """
    signature = Signature({})
    parameters = parameters_of(definition)
    names = [parameter.name for parameter in parameters]
    given = shapes_from_text(shapes) if isinstance(shapes, str) else shapes_from_mapping(shapes or {})
    unknown = [name for name in given if name not in names]
    if unknown:
        raise SignatureError(f"shapes has `{unknown[0]}`, which is not a parameter of `{definition.syntax.name.value}`")
    uses = uses_of_parameters(definition, names)
    types = ParameterTypes(pinned)
    problems: list[Problem] = []
    for parameter in parameters:
        name, missing = parameter.name, len(types.missing)
        known = _known(definition, parameter, given.get(name, Given()), is_pinned=name in pinned)
        known.used = uses[name]
        signature.parameters[name] = types.of((name,), known)
        if len(types.missing) > missing:
            problems.append(_problem(definition, parameter, types.missing[missing:]))
    if problems:
        raise SignatureError(problems)
    if types.assumed:
        signature.notes.append(f"taken as float: {', '.join(types.assumed)} (say otherwise with shapes, as in x=(n,))")
    return signature


def _known(definition: Definition, parameter: Parameter, given: Given, *, is_pinned: bool) -> Known:
    """Return what annotation and default tell of a parameter."""
    known = Known(given=given)
    if parameter.syntax.annotation is not None:
        known.form = form_of(as_ast(parameter.syntax.annotation.annotation), definition.names)
    elif given.leaf is None:
        bound = _bound(definition, parameter)
        if isinstance(bound, Static):
            known.given = Given(bound)
        else:
            known.form = bound
    # the default of what is annotated as a number or an array is not needed, and may not be told
    needs_default = known.form is None or not isinstance(known.form, Annotated) or known.form.static
    if parameter.default is not None and given.leaf is None and (needs_default or is_pinned):
        known.default = default_value(definition, parameter)
    return known


def _bound(definition: Definition, parameter: Parameter) -> Attributes | Static | None:
    """Return the object, or the class, that the first parameter of a method stands for."""
    params = definition.syntax.params
    owner, *path = definition.display.split(".")
    if not path or parameter.syntax is not next(iter((*params.posonly_params, *params.params)), None):
        return None
    decorators = {getattr(each.decorator, "value", "") for each in definition.syntax.decorators}
    try:
        found: Any = definition.names.find(owner)
    except NameUnknown:
        return None
    if len(path) > 1 or not is_users_class(found) or "staticmethod" in decorators:
        return None
    if "classmethod" in decorators:
        return Static(found)
    described = annotated_class(found)
    return None if described is None else Attributes(described)


def _problem(definition: Definition, parameter: Parameter, missing: list[Missing]) -> Problem:
    """Return what has to be said of a parameter, with all its parts at once."""
    name, first = parameter.name, missing[0]
    use = first.use or Use(definition.source, parameter.syntax)
    if first.path == (name,) and first.kind == "array":
        return _rank_problem(parameter, use)
    if first.path == (name,) and first.kind == "function":
        return _function_problem(definition, parameter, use)
    text = " ".join(dict.fromkeys(each.text for each in missing))
    message = f"what `{name}` holds is not known: {', '.join(dict.fromkeys(each.place for each in missing))}"
    hint = (
        f"annotate `{name}`, as with a dataclass or TypedDict whose fields are annotated, or give what is missing, with sizes, "
        f'`float` or values for the dots: --shapes "{text}"'
    )
    return use.problem(message, hint)


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


def default_value(definition: Definition, parameter: Parameter) -> Any:
    """Return the value of a parameter's default. Raises SignatureError where it can't be told."""
    assert parameter.default is not None
    if parameter.name in definition.defaults:
        return definition.defaults[parameter.name]
    try:
        return default_in_file(definition, parameter.name)
    except NameUnknown as error:
        raise SignatureError(definition.source.problem(error.message, parameter.default, error.hint)) from None
    except NotConstant as error:
        message = f"the default of `{parameter.name}` {error.reason}"
        raise SignatureError(definition.source.problem(message, parameter.default)) from None
