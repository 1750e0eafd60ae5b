"""`emit`, `value_and_grad`, `grad` and `vjp` as functions on functions.

In: a plain Python function, options. Out: source, or functions that compute gradients. Emitted code is made once for
each signature and kept in memory. Layer: above `pipeline`, below `cli`.
"""

from __future__ import annotations

import inspect
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from flatgrad.build import built
from flatgrad.builder import StaticNeeded
from flatgrad.errors import ShapeError, SignatureError
from flatgrad.frontend.live import LiveNames, live_definition, plain_function
from flatgrad.frontend.source import NameUnknown
from flatgrad.graph.size import SizeUnknown, bind, resolved, symbols_of
from flatgrad.options import Options
from flatgrad.pipeline import Emitted, as_error, emit_from_annotations
from flatgrad.pipeline import emit as emit_module
from flatgrad.signature import OWN_ALGEBRA, Signature, is_static_argument, signature_of_arguments

Wrt = str | tuple[str, ...] | None
Key = tuple[Any, ...]


class Source(str):
    """Emitted source: a string that shows itself as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def emit(
    function: Callable[..., Any],
    /,
    *args: Any,
    wrt: Wrt = None,
    shapes: str | Mapping[str, Any] | None = None,
    style: str | None = None,
    target: str | None = None,
    **kwargs: Any,
) -> Source:
    """Return the source of a module with the backward pass of `function`.

    With arguments it is written for arguments such as these; without, for what annotations and `shapes` say
    (``shapes="X=(n,d) w=(d,)"``, or a mapping from names to tuples). `wrt`, `style` ("flat" or "compact") and `target`
    ("numpy" or "math") are as in the decorator, whose choices they override. Raises FlatgradError.
    """
    differentiated = _Differentiated(function, wrt, style, target)
    if args or kwargs:
        return Source(differentiated.emitted_for(args, kwargs, split=None).text)
    return Source(emit_from_annotations(live_definition(function), differentiated.options, shapes)[0].text)


def value_and_grad(
    function: Callable[..., Any], wrt: Wrt = None, *, style: str | None = None, target: str | None = None
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that returns the value of `function` and its gradients.

    The gradients are a named tuple with a field for each parameter in `wrt`, or, where `wrt` is one name, the bare
    gradient. Each has the shape and dtype of its argument. Raises FlatgradError, at the call.
    """
    differentiated = _Differentiated(function, wrt, style, target)

    def with_gradients(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        run, arguments, keywords, gradients = differentiated.prepared(args, kwargs, split=False)
        value, result = run["value_and_grad"](*arguments, **keywords)
        return value, gradients(result)

    return _described(with_gradients, function, "value_and_grad")


def grad(
    function: Callable[..., Any], wrt: Wrt = None, *, style: str | None = None, target: str | None = None
) -> Callable[..., Any]:
    """Return a function that returns the gradients of `function`: see `value_and_grad`."""
    with_value = value_and_grad(function, wrt, style=style, target=target)

    def gradients(*args: Any, **kwargs: Any) -> Any:
        return with_value(*args, **kwargs)[1]

    return _described(gradients, function, "grad")


def vjp(function: Callable[..., Any], /, *args: Any, wrt: Wrt = None, **kwargs: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the value of `function` and its pullback.

    The pullback takes the upstream gradient, of the value's shape (one for each real value where there are several), and
    returns a tuple of gradients, or the bare one where `wrt` is one name. Raises FlatgradError.
    """
    differentiated = _Differentiated(function, wrt, None, None)
    run, arguments, keywords, _ = differentiated.prepared(args, kwargs, split=True)
    value, saved = run["forward"](*arguments, **keywords)
    backward = run["backward"]
    values = [each for each in _flat(value) if _is_real(each)]

    def pullback(*upstream: Any) -> Any:
        if len(upstream) != len(values):
            raise SignatureError(f"the pullback of {function.__name__} takes {len(values)} upstream gradients")
        return backward(saved, *map(_upstream_for, values, upstream))

    return value, _described(pullback, function, "pullback")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _is_real(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f" or (isinstance(value, int) and not isinstance(value, bool))


def _upstream_for(value: Any, upstream: Any) -> Any:
    """Return an upstream gradient as emitted code expects it: of its value's shape and dtype, or a Python float."""
    if np.shape(upstream) != np.shape(value):
        raise ShapeError(f"the upstream gradient has the shape {np.shape(upstream)}, and the value {np.shape(value)}")
    return np.asarray(upstream, np.asarray(value).dtype) if np.ndim(value) else float(upstream)


def _described(wrapper: Callable[..., Any], function: Callable[..., Any], purpose: str) -> Callable[..., Any]:
    wrapper.__name__ = f"{function.__name__}_{purpose}"
    wrapper.__doc__ = function.__doc__
    return wrapper


class _Differentiated:
    """A function with what has been emitted for it so far, by signature."""

    def __init__(self, function: Callable[..., Any], wrt: Wrt, style: str | None, target: str | None) -> None:
        self.function = plain_function(function)
        chosen = getattr(function, "__flatgrad__", None) or Options()
        self.options = Options(
            wrt=chosen.wrt if wrt is None else wrt, style=style or chosen.style, target=target or chosen.target
        )
        self._signature: inspect.Signature | None = None
        self._built: dict[Key, _Built] = {}
        # which parameters and which sizes had to be known as numbers, for arguments of a kind
        self._pinned: dict[Key, frozenset[Any]] = {}

    def prepared(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, split: bool
    ) -> tuple[dict[str, Any], list[Any], dict[str, Any], Callable[[Any], Any]]:
        """Return the emitted functions for such arguments, the arguments for them, and what shapes the gradients."""
        bound = self._bound(args, kwargs)
        built = self._functions(bound, split)
        emitted = built.emitted
        arguments = [bound[name] for name in emitted.parameters]
        keywords = {name: bound[name] for name in emitted.keyword_only}
        return built.functions, arguments, keywords, built.gradients

    def emitted_for(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, split: bool | None) -> Emitted:
        """Return the emitted module for such arguments."""
        return self._emitted(self._bound(args, kwargs), split)[0]

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if self._signature is None:
            self._signature = inspect.signature(self.function)
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise SignatureError(f"{self.function.__name__}: {error}") from None
        bound.apply_defaults()
        return bound.arguments

    def _functions(self, bound: dict[str, Any], split: bool) -> _Built:
        kind = (split, *(_kind_of(argument) for argument in bound.values()))
        known = self._built.get((kind, _numbers(bound, self._pinned.get(kind, frozenset()))))
        if known is not None and known.is_current(self.function):
            return known
        emitted, pinned = self._emitted(bound, split)
        self._pinned[kind] = pinned
        made = self._built[kind, _numbers(bound, pinned)] = _Built(emitted)
        return made

    def _emitted(self, bound: dict[str, Any], split: bool | None) -> tuple[Emitted, frozenset[Any]]:
        """Emit for these arguments; what turns out to matter as a number is pinned, and emission starts again."""
        definition = live_definition(self.function)
        pinned: frozenset[Any] = frozenset()
        while True:
            names = frozenset(name for name in pinned if isinstance(name, str))
            signature = signature_of_arguments(definition, bound, names)
            _pin_sizes(signature, bound, pinned)
            try:
                return emit_module(definition, signature, self.options, split=split), pinned
            except (SizeUnknown, StaticNeeded) as error:
                more = _needed(error, signature, bound)
                if not more - pinned:
                    raise as_error(error) from None
                pinned |= more


class _Built:
    """An emitted module that has been compiled."""

    def __init__(self, emitted: Emitted) -> None:
        self.emitted = emitted
        namespace = built(emitted.text, emitted.name)
        purposes = ("forward", "backward") if emitted.split else ("value_and_grad",)
        self.functions = {purpose: namespace[f"{emitted.name}_{purpose}"] for purpose in purposes}
        # parameters may have names that a field can't have, such as those that begin with an underscore
        fields = namedtuple(f"{emitted.name}_gradients", emitted.wrt, rename=True)  # type: ignore[misc]
        self.gradients: Callable[[Any], Any] = (lambda result: result) if emitted.bare else fields._make
        self._reads = {name: _frozen(found) for name, found in emitted.reads.items()}

    def is_current(self, function: FunctionType) -> bool:
        """Tell whether the globals and closure variables that the code was written for still hold the same."""
        if not self._reads:
            return True
        names = LiveNames(function)
        try:
            return all(_same(names.find(name), found) for name, found in self._reads.items())
        except NameUnknown:
            return False


def _frozen(found: Any) -> Any:
    return found.copy() if isinstance(found, np.ndarray | list) else found


def _same(now: Any, then: Any) -> bool:
    if now is then:
        return True
    if type(now) is not type(then):
        return False
    if isinstance(now, np.ndarray):
        return bool(now.dtype == then.dtype and np.array_equal(now, then, equal_nan=now.dtype.kind == "f"))
    return isinstance(now, bool | int | float | str | tuple | list) and repr(now) == repr(then)


def _kind_of(argument: Any) -> Any:
    """Return what emitted code depends on in an argument: rank, axes of length 1, dtype; a static one's value."""
    if isinstance(argument, np.ndarray | np.generic):
        if isinstance(argument, OWN_ALGEBRA):
            return type(argument)
        return (argument.dtype, tuple([size == 1 for size in argument.shape]))
    if is_static_argument(argument):
        return (type(argument), repr(argument) if isinstance(argument, tuple) else argument)
    return type(argument)


def _numbers(bound: dict[str, Any], pinned: frozenset[Any]) -> Key:
    """Return the numbers of what is pinned: arguments by name, sizes by name and axis."""
    return tuple(
        bound[pin] if isinstance(pin, str) else np.shape(bound[pin[0]])[pin[1]] for pin in sorted(pinned, key=str)
    )


def _pin_sizes(signature: Signature, bound: dict[str, Any], pinned: frozenset[Any]) -> None:
    for pin in pinned:
        if isinstance(pin, tuple):
            size = resolved(signature.parameters[pin[0]].shape[pin[1]])  # type: ignore[union-attr]
            if not isinstance(size, int):
                bind(size.terms[0][0][0], np.shape(bound[pin[0]])[pin[1]])


def _needed(error: SizeUnknown | StaticNeeded, signature: Signature, bound: dict[str, Any]) -> frozenset[Any]:
    """Return the pins that an error asks for: a parameter's name, or its name with an axis."""
    if isinstance(error, StaticNeeded):
        name = error.value.name
        is_parameter = error.value.node is None and name in bound and isinstance(bound[name], int | float)
        return frozenset({name}) if is_parameter else frozenset()
    wanted = set(error.symbols)
    return frozenset(
        (name, axis)
        for name, known in signature.parameters.items()
        for axis, size in enumerate(getattr(known, "shape", ()))
        if wanted & set(symbols_of(size))
    )
