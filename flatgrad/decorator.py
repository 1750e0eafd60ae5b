"""The decorator: a function that can be called as before, and asked for its gradients and their source.

In: a function and options. Out: `Differentiable`. What reads and writes code is imported when it is needed.
Layer: above `dispatch`, below `api`.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from flatgrad.dispatch import dispatching
from flatgrad.display import Source
from flatgrad.errors import FlatgradError, UnsupportedError
from flatgrad.lookup import State
from flatgrad.options import Options
from flatgrad.origin import Origin, origin_of
from flatgrad.pullback import pullback_of

if TYPE_CHECKING:
    from flatgrad.differences import Check

P = ParamSpec("P")
R = TypeVar("R")
Wrt = str | tuple[str, ...] | None
ASKED = ("value_and_grad", "grad", "vjp", "compile", "check")


class Differentiable(Generic[P, R]):
    """A function with its gradients.

    Called, it is the function itself. The gradients are written for the ranks and dtypes of the arguments when such are
    first seen, and kept. `wrt`, `style` and `target` are those of the decorator.
    """

    __slots__ = ("__dict__", "__weakref__", "_function", "_options", "_origin", "_state", "_twin", "_emit", *ASKED)

    _function: Callable[P, R]

    def __init__(self, function: FunctionType, options: Options, origin: Origin) -> None:
        functools.update_wrapper(self, function)
        self._function = cast(Callable[P, R], function)
        self._options = options
        self._origin = origin

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    if TYPE_CHECKING:

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

    def emit(self, *args: Any, **kwargs: Any) -> Source:
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
        from flatgrad.frontend.live import live_definition
        from flatgrad.pipeline import emit_from_annotations

        definition = live_definition(self._function, self._origin)
        return Source(emit_from_annotations(definition, self._options, shapes)[0].text)

    def _check_for(self, arguments: tuple[Any, ...]) -> Check:
        from flatgrad.differences import compared

        made = self._state.built_for(arguments, None)
        by_name = dict(zip(self._state.parameters, arguments, strict=True))
        own = [by_name[name] for name in made.parameters]
        keywords = {name: by_name[name] for name in made.keyword_only}

        def named(gradients: Any) -> dict[str, Any]:
            each = (gradients,) if isinstance(self._options.wrt, str) else gradients
            return {name: one for name, one in zip(made.wrt, each, strict=True) if one is not None}

        gradients: Any
        if made.split:
            value, saved = made.functions["forward"](*own, **keywords)
            pullback = pullback_of(value, saved, made.functions["backward"], self.__name__)

            def gradients(*upstream: Any) -> dict[str, Any]:
                return named(pullback(*upstream))
        else:
            value, given = made.functions["value_and_grad"](*own, **keywords)
            gradients = named(given)
        return compared(self._state.run, by_name, value, gradients, self.__name__)

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

    # methods, pickles

    @overload
    def __get__(self, instance: None, owner: type) -> Differentiable[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[..., R]: ...
    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else BoundMethod(self, instance)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol < 4:
            return self.__qualname__
        text = self._origin.text if self._is_found() is None else None
        return (_restored, (self._twin, self.__qualname__, self._options, text))

    def _is_found(self) -> Any:
        """Return what stands under the function's name in its module, or None for the main program."""
        if self.__module__ == "__main__":
            return None
        return found_under(self.__module__, self.__qualname__)


def _twin(differentiable: Differentiable[Any, Any]) -> FunctionType:
    """Return the function in a form that can be pickled by name, as `name._twin`, and by value.

    The function itself can't be found under its name, for there stands what the decorator made of it.
    """
    function: Any = differentiable._function
    if found_under(function.__module__, function.__qualname__) is function:
        return cast(FunctionType, function)
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


def _restored(function: FunctionType, qualname: str, options: Options, text: str | None) -> Any:
    """Return the decorated function that was pickled: the one of that name, where there is one."""
    found = found_under(function.__module__, qualname)
    if isinstance(found, Differentiable) and (function is found._twin or function is found._function):
        return found
    function.__qualname__ = qualname
    return Differentiable(function, options, origin_of(function, text))


class BoundMethod:
    """A decorated method of an object: it can be called."""

    __slots__ = ("__func__", "__self__")

    def __init__(self, function: Differentiable[Any, Any], instance: object) -> None:
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in (*ASKED, "emit", "source"):
            message = f"`{self.__func__.__name__}` is a method of a {type(self.__self__).__name__}, not a function"
            hint = "write a def that takes what it uses of the object as parameters"
            raise UnsupportedError(message, hint)
        return getattr(self.__func__, name)


_making = threading.RLock()
MADE_WHEN_ASKED: dict[str, Callable[[Any], Any]] = {
    "_state": lambda own: State(own, own._function, own._origin, own._options),
    "_twin": _twin,
    "_emit": lambda own: dispatching(own._state, "emit"),
    **{purpose: functools.partial(lambda purpose, own: dispatching(own._state, purpose), purpose) for purpose in ASKED},
}


@overload
def flatgrad(function: Callable[P, R], /) -> Differentiable[P, R]: ...
@overload
def flatgrad(
    *, wrt: Wrt = None, style: str = "flat", target: str = "numpy", source: str | None = None
) -> Callable[[Callable[P, R]], Differentiable[P, R]]: ...
def flatgrad(
    function: Any = None, /, *, wrt: Wrt = None, style: str = "flat", target: str = "numpy", source: str | None = None
) -> Any:
    """Give a function its gradients.

    The function can be called as before. `wrt` names the parameters to differentiate by: one name gives the bare gradient,
    a tuple of names a named tuple in that order, None all parameters that hold real numbers. `style` is "flat" (one
    operation a line) or "compact" (statements stay whole), `target` is "numpy" or "math" (for Python floats). `source` is
    the text of the function, for one whose source Python does not know.

    Raises SignatureError for a style or target that there is not, and UnsupportedError for what is not a function.
    """
    options = Options(wrt=wrt, style=style, target=target)

    def decorate(decorated: Callable[P, R]) -> Differentiable[P, R]:
        return differentiable(decorated, options, source)

    return decorate if function is None else decorate(function)


def differentiable(function: Any, options: Options, source: str | None = None) -> Differentiable[Any, Any]:
    """Return a function with its gradients. Raises UnsupportedError for what is not a plain function."""
    if isinstance(function, Differentiable):
        return Differentiable(function._function, options, function._origin)
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        from flatgrad.frontend.live import live_definition

        # it says what the function is instead
        live_definition(function)
    plain: Any = function
    return Differentiable(plain, options, origin_of(plain, source))
