"""A function with its gradients: it can be called as before, and asked for gradients, their source, a check.

In: a function and options. Out: `Differentiable`. What reads and writes code is imported when it is needed.
Layer: above `dispatch`, below `decorator`.
"""

from __future__ import annotations

import functools
import inspect
import io
import itertools
import os
import sys
import threading
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from flatgrad.calling.dispatch import ASKED, dispatching
from flatgrad.calling.display import Source
from flatgrad.calling.lookup import State
from flatgrad.calling.methods import BoundMethod
from flatgrad.calling.pullback import pullback_of
from flatgrad.calling.specialise import writing
from flatgrad.errors import FlatgradError
from flatgrad.functions.origin import Origin, origin_of
from flatgrad.functions.plain import plain_function
from flatgrad.options import Options
from flatgrad.parts import flat, is_real, places, with_leaves

if TYPE_CHECKING:
    from flatgrad.calling.specialise import Built
    from flatgrad.checks.differences import Check

P = ParamSpec("P")
R = TypeVar("R")


class Differentiable(Generic[P, R]):
    """A function with its gradients.

    Called, it is the function itself. The gradients are written for the ranks and dtypes of the arguments when such are
    first seen, and kept. `wrt`, `style` and `target` are those of the decorator.
    """

    # `__call__` holds the function, so that a call of it needs no frame and no time of ours
    __slots__ = (
        *("__call__", "__dict__", "__weakref__", "_emit", "_function", "_options", "_origin", "_state", "_twin"),
        *ASKED,
    )

    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, R]
    # a FunctionType, which mypy would take for a method
    _function: Any
    _emit: Any
    _state: State
    _twin: Any

    # what tools ask of a function; they can't be set, for the gradients would not follow
    __closure__ = property(attrgetter("_function.__closure__"))
    __code__ = property(attrgetter("_function.__code__"))
    __defaults__ = property(attrgetter("_function.__defaults__"))
    __globals__ = property(attrgetter("_function.__globals__"))
    __kwdefaults__ = property(attrgetter("_function.__kwdefaults__"))

    def __init__(self, function: FunctionType, options: Options, origin: Origin) -> None:
        functools.update_wrapper(self, function)
        object.__setattr__(self, "__call__", function)
        self._function = function
        self._options = options
        self._origin = origin

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
            """Call the function itself."""

        @property
        def value_and_grad(self) -> Callable[P, tuple[R, Any]]:
            """Return the value and its gradients: a named tuple by parameter, or the bare one where `wrt` is a name."""

        @property
        def grad(self) -> Callable[P, Any]:
            """Return the gradients."""

        @property
        def vjp(self) -> Callable[P, tuple[R, Callable[..., Any]]]:
            """Return the value and its pullback, which takes upstream gradients and returns a tuple of gradients."""

        @property
        def compile(self) -> Callable[P, Callable[..., Any]]:
            """Return the bare emitted function for such arguments, with no dispatch at all."""

        @property
        def check(self) -> Callable[P, Check]:
            """Compare the gradients with central differences and complex step at these arguments."""

    if not TYPE_CHECKING:
        # a name that there is not is then an error to type checkers

        def __getattr__(self, name: str) -> Any:
            """Make what is asked for the first time."""
            if name not in MADE_WHEN_ASKED:
                raise AttributeError(f"the decorated function {self.__name__!r} has no attribute {name!r}")
            with _making:
                try:
                    # another thread may have made it
                    return object.__getattribute__(self, name)
                except AttributeError:
                    made = MADE_WHEN_ASKED[name](self)
                    setattr(self, name, made)
                    return made

    def emit(self, /, *args: Any, **kwargs: Any) -> Source:
        """Return the source of the module for such arguments; without any, `source`. Raises FlatgradError."""
        if not args and not kwargs:
            return self.source
        source: Source = self._emit(*args, **kwargs)
        return source

    @property
    def options(self) -> Options:
        """What the decorator was given."""
        return self._options

    @property
    def source(self) -> Source:
        """The source of the module for what annotations say of the parameters. Raises FlatgradError."""
        return self.source_for(None)

    def source_for(self, shapes: str | Mapping[str, Any] | None) -> Source:
        """Return the source of the module for what annotations and `shapes` say. Raises FlatgradError."""
        with writing:
            from flatgrad.frontend.live import live_definition
            from flatgrad.pipeline import emit_from_annotations

            definition = live_definition(self._function, self._origin)
            return Source(emit_from_annotations(definition, self._options, shapes)[0].text)

    def _check_for(self, arguments: tuple[Any, ...]) -> Check:
        from flatgrad.checks.derivatives import copies
        from flatgrad.checks.differences import compared

        state = self._state
        made = state.built_for(arguments, None)
        by_name = state.by_name(arguments)
        leaves = {place: leaf for name, argument in by_name.items() for place, leaf in places(name, argument)}

        def given(leaves: Mapping[str, Any]) -> dict[str, Any]:
            others = iter(leaves.values())
            return {name: with_leaves(argument, others) for name, argument in by_name.items()}

        try:
            # the function may write into its arguments
            value, gradients = self._derived(made, tuple(given(copies(leaves)).values()))
        except Exception as error:
            own = state.explained(error, arguments)
            raise own from own.__cause__
        return compared(lambda leaves: state.run(given(leaves)), leaves, value, gradients, self.__name__)

    def _derived(self, made: Built, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the value, and the gradients by name: or, where they need upstream gradients, what takes those."""

        def named(gradients: Any) -> dict[str, Any]:
            each = (gradients,) if isinstance(self._options.wrt, str) else gradients
            by_place = [leaf for place, one in zip(made.wrt, each, strict=True) for leaf in places(place, one)]
            return {place: one for place, one in by_place if one is not None}

        if not made.split:
            value, gradients = self._state.taking_all(made, "value_and_grad")(*arguments)
            return value, named(gradients)
        value, saved = self._state.taking_all(made, "forward")(*arguments)
        pullback = pullback_of(value, saved, (made.functions["backward"], made.real), self.__name__)
        # what is written as a number has no gradient, though it is one
        flags = [flag for part, flag in zip(flat(value), made.real, strict=True) if is_real(part)]
        return value, lambda *upstream: named(pullback(*itertools.compress(upstream, flags)))

    def _emit_for(self, arguments: tuple[Any, ...]) -> Source:
        return Source(self._state.built_for(arguments, None).text)

    def _compile_for(self, arguments: tuple[Any, ...]) -> Any:
        made = self._state.built_for(arguments, None)
        return tuple(made.functions.values()) if made.split else made.functions["value_and_grad"]

    # how it shows itself

    def __repr__(self) -> str:
        return f"<flatgrad {self.__qualname__}{inspect.signature(self._function)}>"

    def __str__(self) -> str:
        return str(self._shown())

    def _repr_html_(self) -> str:
        return self._shown()._repr_html_()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self._shown()._repr_mimebundle_()

    def _shown(self) -> Source:
        """Return what was emitted last, or what annotations alone give, or the function's own source."""
        if self._state.latest is not None:
            return Source(self._state.latest.text)
        try:
            return self.source
        except FlatgradError as error:
            note = error.problems[0].message
            return Source(f"# no backward pass yet: {note}\n{self._origin.segment(self._function.__code__)}")

    # methods, copies, pickles

    @overload
    def __get__(self, instance: None, owner: type) -> Differentiable[P, R]: ...
    # a type checker binds static methods too: it knows no parameters here
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[..., R]: ...
    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else BoundMethod(self, instance)

    def __copy__(self) -> Differentiable[P, R]:
        # as functions do
        return self

    def __deepcopy__(self, memo: Any) -> Differentiable[P, R]:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        found = found_under(self.__module__, self.__qualname__)
        if protocol < 4 and found is self:
            return self.__qualname__
        # where the module can't be imported again the text has to come along
        by_value = found is not self or self.__module__ == "__main__"
        origin = self._origin
        text = (origin.file, origin.text, origin.is_excerpt) if by_value and not origin.is_missing else None
        return (_restored, (self._twin, self.__qualname__, self._options, text))


def _twin(differentiable: Differentiable[Any, Any]) -> FunctionType:
    """Return the function in a form that can be pickled by name, as `name._twin`, and by value.

    The function itself can't be found under its name, for there stands what the decorator made of it.
    """
    function: Any = differentiable._function
    found = found_under(function.__module__, function.__qualname__)
    if found is function:
        return cast(FunctionType, function)
    if found is not differentiable and isinstance(found, Differentiable) and found._function is function:
        return cast(FunctionType, found._twin)
    twin: Any = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    functools.update_wrapper(twin, function)
    del twin.__wrapped__
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__qualname__ += "._twin"
    return cast(FunctionType, twin)


def found_under(module: str, qualname: str) -> Any:
    """Return what a module that has been imported holds under a dotted name, or None."""
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found


def _restored(function: FunctionType, qualname: str, options: Options, text: tuple[str, str, bool] | None) -> Any:
    """Return the decorated function that was pickled: the one of that name, where there is one."""
    found = found_under(function.__module__, qualname)
    if isinstance(found, Differentiable) and (function is found._twin or function is found._function):
        return differentiable(found, options)
    # where it came by value, its name is still that of the twin
    function.__qualname__ = qualname
    if found is function or text is None:
        return Differentiable(function, options, origin_of(function))
    file, given, is_excerpt = text
    # as it was there: whether it is the function's is found out when it is read
    origin = Origin(file, io.StringIO(given).readlines(), given, is_excerpt=is_excerpt)
    return Differentiable(function, options, origin)


_making = threading.RLock()
MADE_WHEN_ASKED: dict[str, Callable[[Any], Any]] = {
    "_state": lambda own: State(own, own._function, own._origin, own._options),
    "_twin": _twin,
    "_emit": lambda own: dispatching(own._state, "emit"),
    **{purpose: functools.partial(lambda purpose, own: dispatching(own._state, purpose), purpose) for purpose in ASKED},
}


def _after_fork() -> None:
    # another thread may have held it, and there is no such thread here
    global _making
    _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def differentiable(function: Any, options: Options, source: str | None = None) -> Any:
    """Return a function or a method of an object with its gradients. Raises UnsupportedError for anything else."""
    if isinstance(function, BoundMethod | MethodType):
        inner = function._differentiable if isinstance(function, BoundMethod) else function.__func__
        return BoundMethod(differentiable(inner, options, source), function.__self__)
    if isinstance(function, Differentiable):
        if options == function._options and source is None:
            return function
        origin = function._origin if source is None else origin_of(function._function, source)
        return Differentiable(function._function, options, origin)
    plain = plain_function(function)
    return Differentiable(plain, options, origin_of(plain, source))
