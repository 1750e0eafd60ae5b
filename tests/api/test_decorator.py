"""The decorator leaves a function what it was, for Python and for other decorators; what it can't take is an error."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import copy
import dataclasses
import doctest
import functools
import inspect
import pickle
import pydoc
import sys
import traceback
import types
import typing
import weakref

import numpy as np
import pytest
from jaxtyping import AbstractArray, Float, jaxtyped

import flatgrad as package
from flatgrad import FlatgradError, flatgrad
from flatgrad.calling.differentiable import Differentiable
from flatgrad.calling.methods import BoundMethod
from flatgrad.errors import SignatureError, SourceError, UnsupportedError

PURPOSES = ("grad", "value_and_grad", "vjp", "compile", "check")


@flatgrad
def weighted(w: np.ndarray, x: np.ndarray, *, rate: float = 2.0) -> float:
    """Return a weighted sum.

    >>> float(weighted(np.ones(2), np.ones(2)))
    4.0
    """
    return rate * np.sum(w * x)


@flatgrad(wrt="x", style="compact")
def square(x):
    return x * x


def plain(x, y=2.0):
    return np.sum(x * x) * y


ones = np.ones(3)


# what functools.wraps gives


def test_names_and_documentation():
    """Tools see the function's own name, documentation, annotations and signature."""
    own = weighted.__wrapped__
    assert isinstance(own, types.FunctionType)
    for name in functools.WRAPPER_ASSIGNMENTS:
        assert getattr(weighted, name) == getattr(own, name)
    assert inspect.signature(weighted) == inspect.signature(own)
    assert typing.get_type_hints(weighted) == typing.get_type_hints(own)
    assert inspect.getdoc(weighted).startswith("Return a weighted sum.")
    assert inspect.getsource(weighted) == inspect.getsource(own)
    assert inspect.getsource(weighted).startswith("@flatgrad\ndef weighted(")
    for name in ("__code__", "__closure__", "__defaults__", "__globals__", "__kwdefaults__"):
        assert getattr(weighted, name) is getattr(own, name)


def test_documentation_tools():
    """`help` shows signature and documentation, and doctest runs the examples."""
    shown = pydoc.plain(pydoc.render_doc(weighted))
    assert f"weighted{inspect.signature(weighted.__wrapped__)}" in shown
    assert "Return a weighted sum." in shown
    (found,) = [each for each in doctest.DocTestFinder().find(sys.modules[__name__]) if each.examples]
    assert found.name == f"{__name__}.weighted"
    results = doctest.DocTestRunner().run(found)
    assert (results.attempted, results.failed) == (1, 0)


def test_gradients_have_the_function_s_parameters():
    """Editors complete the arguments of `weighted.grad`; its name tells whose it is."""
    for purpose in PURPOSES:
        gradient = getattr(weighted, purpose)
        assert list(inspect.signature(gradient).parameters.values()) == list(
            inspect.signature(weighted).parameters.values()
        )
        assert (gradient.__qualname__, gradient.__module__) == (f"weighted.{purpose}", __name__)
        assert "weighted" in gradient.__doc__


def test_it_behaves_as_an_object():
    """It can be a key, be referred to weakly, have attributes; a copy is itself, as with functions."""
    assert {weighted: 1}[weighted] == 1
    assert weighted == weighted != square
    assert weakref.ref(weighted)() is weighted

    @flatgrad
    def own(x):
        return x

    own.note = [1]
    assert own.note == [1]
    assert copy.copy(own) is own
    assert copy.deepcopy({"function": own})["function"] is own
    assert not hasattr(own, "no_such")
    with pytest.raises(AttributeError, match=r"'own' has no attribute 'no_such'"):
        _ = own.no_such
    with pytest.raises(AttributeError, match="can't be set|has no setter"):
        own.__defaults__ = (3.0,)


def test_attributes_of_the_function_are_kept():
    """What an earlier decorator has noted on the function is there."""

    def marked(x):
        return x

    marked.mark = "here"
    assert flatgrad(marked).mark == "here"


# calls


def mixed(a, b, /, c, d=2.0, *, e, f=3.0):
    return a * b * c * d * e * f


CALLS = [
    ((1.0, 2.0, 3.0), {"e": 2.0}),
    ((1.0, 2.0), {"c": 3.0, "e": 2.0, "f": 1.0}),
    ((1.0, 2.0, 3.0, 4.0), {"f": 5.0, "e": 6.0}),
]
WRONG_CALLS = [((1.0, 2.0, 3.0), {}), ((1.0,), {"b": 2.0, "c": 3.0, "e": 1.0}), ((), {}), ((1.0,) * 5, {"e": 1.0})]


@pytest.mark.parametrize(("args", "kwargs"), CALLS)
def test_all_kinds_of_parameters(args, kwargs):
    """Positional-only, keyword-only and omitted arguments reach the function and its gradients."""
    decorated = flatgrad(mixed)
    value = mixed(*args, **kwargs)
    assert decorated(*args, **kwargs) == value
    given = inspect.signature(mixed).bind(*args, **kwargs)
    given.apply_defaults()
    found, gradients = decorated.value_and_grad(*args, **kwargs)
    assert found == value
    assert gradients._asdict() == pytest.approx({name: value / each for name, each in given.arguments.items()})


@pytest.mark.parametrize(("args", "kwargs"), WRONG_CALLS)
def test_wrong_calls_are_what_python_says(args, kwargs):
    """A wrong call is the TypeError of the function; of its gradients with their name."""
    with pytest.raises(TypeError) as own:
        mixed(*args, **kwargs)
    decorated = flatgrad(mixed)
    with pytest.raises(TypeError) as found:
        decorated(*args, **kwargs)
    assert str(found.value) == str(own.value)
    for purpose in PURPOSES:
        with pytest.raises(TypeError) as found:
            getattr(decorated, purpose)(*args, **kwargs)
        assert str(found.value) == str(own.value).replace("mixed()", f"mixed.{purpose}()")


def test_parameters_may_have_any_name():
    """Names that our own code has are free for parameters."""

    def own(self, args, kwargs, state, function):
        return self * args * kwargs * state * function

    decorated = flatgrad(own)
    given = {"self": 1.0, "args": 2.0, "kwargs": 3.0, "state": 4.0, "function": 5.0}
    assert decorated(**given) == 120.0
    assert decorated.grad(**given)._asdict() == {name: 120.0 / each for name, each in given.items()}
    assert decorated.emit(**given) == decorated.emit(*given.values())


def test_errors_are_the_function_s_own():
    """The error of a call has no line of ours in its traceback; that of a gradient ends in the user's line."""

    @flatgrad
    def product(a, b):
        return np.sum(a @ b)

    for call in (product, product.grad, product.vjp, product.check):
        with pytest.raises(ValueError, match="mismatch in its core dimension") as raised:
            call(np.ones(3), np.ones(4))
        lines = traceback.extract_tb(raised.value.__traceback__)
        assert lines[-1].filename == __file__
        assert lines[-1].line == "return np.sum(a @ b)"
        if call is product:
            assert [line.name for line in lines[1:]] == ["product"]


@pytest.mark.parametrize("parameters", ["**rest", "*rest"])
def test_any_number_of_arguments(define, parameters):
    """A function of any number of arguments can be called; its gradients are an error at that parameter."""
    decorated = flatgrad(define(f"def f(x, {parameters}):\n    return 2.0 * x"))
    assert decorated(1.0) == 2.0
    for purpose in (*PURPOSES, "emit"):
        with pytest.raises(SignatureError, match="`rest` takes any number of arguments") as raised:
            getattr(decorated, purpose)(1.0)
        assert raised.value.problems[0].line == 6


def test_coroutines_and_generators():
    """They can be called, and have no gradients."""

    async def coroutine(x):
        return x

    def generator(x):
        yield x

    assert asyncio.run(flatgrad(coroutine)(3.0)) == 3.0
    assert list(flatgrad(generator)(3.0)) == [3.0]
    for function in (coroutine, generator):
        with pytest.raises(UnsupportedError, match="which has no value to differentiate"):
            flatgrad(function).grad(3.0)


# options


def test_options_given_override_those_of_a_decorated_function():
    """Decorated anew a function has its own options; what is not given stays, and the first one is as it was."""
    assert flatgrad(square) is square
    assert package.grad(square)(3.0) == 6.0
    for anew in (flatgrad(wrt=("x",))(square), flatgrad(square.__wrapped__, wrt=("x",), style="compact")):
        assert anew.grad(3.0) == (6.0,)
        assert anew.options.style == "compact"
    assert package.grad(square, wrt=("x",))(3.0).x == 6.0
    assert square.grad(3.0) == 6.0
    assert square.options.wrt == "x"


def test_source_given_anew_is_taken():
    """`source=` counts for a function that is decorated already, too."""
    text = inspect.getsource(plain)
    assert flatgrad(flatgrad(plain), source=text).grad(3.0).x == 12.0
    with pytest.raises(SourceError, match="is not that of `plain`"):
        flatgrad(flatgrad(plain), source=text.replace("* y", "* 2"))


def test_wrong_options_are_errors_at_once():
    """They are said where the decorator stands."""
    with pytest.raises(SignatureError, match="there is no style 'short'"):
        flatgrad(style="short")
    with pytest.raises(UnsupportedError, match=r"@flatgrad\(wrt='x'\)"):
        flatgrad("x")


# other decorators above: they can call it, and have no gradients by accident


def timer(function):
    @functools.wraps(function)
    def timed(*args, **kwargs):
        return function(*args, **kwargs)

    return timed


def doubled(function):
    @functools.wraps(function)
    def twice(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return twice


def without_wraps(function):
    def called(*args, **kwargs):
        return function(*args, **kwargs)

    return called


def typechecker(function):
    @functools.wraps(function)
    def checked(*args, **kwargs):
        for value, hint in zip(args, function.__annotations__.values(), strict=False):
            assert not issubclass(hint, AbstractArray) or isinstance(value, hint)
        return function(*args, **kwargs)

    return checked


class Compiled:
    """As numba's dispatchers are."""

    def __init__(self, function):
        self.py_func = function

    def __call__(self, *args):
        return self.py_func(*args)


WRAPPERS = [
    functools.cache,
    functools.lru_cache(maxsize=4),
    timer,
    doubled,
    without_wraps,
    functools.singledispatch,
    jaxtyped(typechecker=typechecker),
    jaxtyped(typechecker=None),
    np.vectorize,
    functools.partial,
    Compiled,
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapper_above_calls_and_has_no_gradients(wrapper):
    """What a wrapper makes may be another function: the gradients of the inner one must not pass for its own."""
    wrapped = wrapper(flatgrad(plain))
    assert wrapped(3.0) == wrapper(plain)(3.0)
    for purpose in (*PURPOSES, "emit"):
        assert not hasattr(wrapped, purpose)
    with pytest.raises(FlatgradError):
        package.grad(wrapped)(3.0)
    with pytest.raises(FlatgradError):
        package.emit(wrapped, 3.0)


@pytest.mark.parametrize("wrapper", [each for each in WRAPPERS if each not in (without_wraps, functools.partial)])
@pytest.mark.parametrize("decorator", [flatgrad, flatgrad(wrt="x")])
def test_wrapper_below_is_an_error_at_decoration(decorator, wrapper):
    """The decorator can't see through another one: the error says in which order they go."""
    with pytest.raises(FlatgradError, match="put flatgrad's decorator next to the def, below the others"):
        decorator(wrapper(plain))


def test_wrapper_that_hides_itself_has_no_gradients():
    """One that does not say what it wraps is read as the function that it is."""
    with pytest.raises(SignatureError, match="`args` takes any number of arguments"):
        flatgrad(without_wraps(plain)).grad(3.0)


def test_partial_is_an_error_with_a_hint():
    """A partial has no source: the hint says what to write."""
    with pytest.raises(UnsupportedError, match="write a def that calls plain with these arguments"):
        flatgrad(functools.partial(plain, y=1.0))


def test_markers_pass_through():
    """Decorators that only mark a function may stand on either side."""
    for marker in (abc.abstractmethod, typing.final, typing.no_type_check):

        def own(x):
            return x * x

        for decorated in (marker(flatgrad(own)), flatgrad(marker(own))):
            assert isinstance(decorated, Differentiable)
            assert decorated.grad(3.0).x == 6.0


def test_context_manager_and_single_dispatch():
    """A context manager above works; an implementation that singledispatch registers keeps its gradients."""

    @contextlib.contextmanager
    @flatgrad
    def managed(x):
        yield 2 * x

    with managed(3.0) as value:
        assert value == 6.0

    @functools.singledispatch
    def chosen(x):
        return 0.0

    @chosen.register
    @flatgrad
    def of_float(x: float):
        return x * x

    assert (chosen(3.0), chosen("other"), of_float.grad(3.0).x) == (9.0, 0.0, 6.0)


def test_jaxtyping_annotations_are_read_through():
    """With jaxtyped above, the gradients of the decorated function itself are there, and sizes are those annotated."""

    @flatgrad
    def inner(w: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"]):
        return np.sum(w * x)

    checked = jaxtyped(typechecker=typechecker)(inner)
    assert checked(ones, ones) == 3.0
    np.testing.assert_array_equal(inner.grad(ones, 2 * ones).w, 2 * ones)
    assert "w: (n,), x: (n,)" in inner.source


# in classes


@dataclasses.dataclass(frozen=True)
class Model:
    """Has a method of each kind."""

    scale: float = 3.0

    @flatgrad
    def method(self, x, y=1.0):
        """Return a product."""
        return self.scale * x * y

    @staticmethod
    @flatgrad(wrt="x")
    def static(x):
        return x * x

    @classmethod
    @flatgrad
    def of_class(cls, x):
        return x * x

    @property
    @flatgrad
    def doubled(self):
        return 2 * self.scale


def test_static_method_has_gradients():
    """Through the class and through an object, and pickled."""
    for static in (Model.static, Model().static):
        assert static(3.0) == 9.0
        assert static.grad(3.0) == 6.0
        assert pickle.loads(pickle.dumps(static)) is static
    assert package.grad(Model.static)(3.0) == 6.0


def test_methods_can_be_called():
    """A method gets its object; as a method it has name, documentation and a signature without `self`."""
    model = Model()
    assert (model.method(2.0), model.method(2.0, y=2.0), Model.method(model, 2.0)) == (6.0, 12.0, 6.0)
    assert (model.of_class(2.0), Model.of_class(2.0), model.doubled) == (4.0, 4.0, 6.0)
    bound = model.method
    assert isinstance(bound, BoundMethod)
    assert list(inspect.signature(bound).parameters) == ["x", "y"]
    assert (bound.__name__, bound.__doc__, bound.__module__) == ("method", "Return a product.", __name__)
    assert bound.__self__ is model
    assert len({bound, Model(3.0).method, model.method, model.of_class, Model.of_class}) == 3
    assert "Model.method of Model(scale=3.0)" in repr(bound)


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (staticmethod, "swap the two: @staticmethod above, @flatgrad below"),
        (classmethod, "write it as a def outside the class"),
        (property, "write it as a def outside the class"),
        (functools.cached_property, "write it as a def outside the class"),
        (functools.partialmethod, "write it as a def outside the class"),
        (functools.singledispatchmethod, "write it as a def outside the class"),
    ],
)
def test_what_only_classes_understand_is_an_error(kind, hint):
    """Above a static method and its kind the decorator says what to do."""
    for made in (kind(plain), kind(flatgrad(plain))):
        with pytest.raises(UnsupportedError, match=hint):
            flatgrad(made)


def test_abstract_methods():
    """A class with an abstract method can't be made, in either order; one that defines it can."""

    class Base(abc.ABC):
        @abc.abstractmethod
        @flatgrad
        def first(self, x): ...

        @flatgrad
        @abc.abstractmethod
        def second(self, x): ...

    assert Base.__abstractmethods__ == {"first", "second"}
    with pytest.raises(TypeError, match="abstract"):
        Base()

    class Concrete(Base):
        @flatgrad
        def first(self, x):
            return x

        @flatgrad
        def second(self, x):
            return super().first(x)

    assert (Concrete().first(1.0), Concrete().second(1.0)) == (1.0, None)
