"""One record per operation: its derivative, its shape, its samples, its choices at kinks.

In: declarations from `flatgrad.rules` and from users. Out: `lookup(function)`. A rule is stored as the Python function
that it is, unread; `differentiate` has the front end read it when it is first needed. Layer: above `graph`, below `rules`.

    @rule(np.tanh, math.tanh, shape=same, samples=[Sample(real(3))])
    def grad_tanh(x, y, grad_y):
        grad_x = grad_y * (1 - y**2)
        return grad_x

The rule's parameters are the inputs in the order of the function's own, then the result ``y``, its gradient ``grad_y``,
then the other arguments as keyword-only parameters, known when the code is written. It returns ``grad_<input>`` for each
input that has a derivative. Broadcasting never appears in it: its gradients have the shape of the result of
broadcasting, and are summed back to the input's in one place. An input that takes a sequence of arrays is a tuple in the
rule, and its gradient is one. So is one behind a star, whose arrays a call gives one by one:

    @rule(np.meshgrid, shape=grid_shapes, samples=[Sample(real(3), real(2))])
    def grad_meshgrid(*axes, y, grad_y, indexing="xy"):
        ...
        return grad_axes
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from flatgrad.declarations import listeners
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.graph.size import Shape
from flatgrad.homes import found_function, home_of, note_home

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
ShapeRule = Callable[..., Any]
DtypeRule = Callable[..., np.dtype[Any] | tuple[np.dtype[Any], bool] | list[np.dtype[Any]]]


class Sample:
    """Arguments to try an operation on. Floating point arrays and numbers among them are differentiated.

    `wrt` limits that to the inputs of these names. `second` says whether second derivatives exist there.
    """

    def __init__(self, *args: Any, wrt: Sequence[str] | None = None, second: bool = True, **attributes: Any) -> None:
        self.args = args
        self.attributes = attributes
        self.wrt = wrt
        self.second = second

    def __repr__(self) -> str:
        def shown(argument: Any) -> str:
            if isinstance(argument, np.ndarray):
                return f"{argument.dtype}{list(argument.shape)}"
            if isinstance(argument, list | tuple):
                return f"({', '.join(map(shown, argument))})"
            return repr(argument)

        parts = [shown(argument) for argument in self.args]
        parts += [f"{name}={shown(value)}" for name, value in self.attributes.items()]
        return ", ".join(parts)


@dataclass(frozen=True)
class Kink:
    """The gradient that is chosen at a point where the derivative does not exist.

    `args` is the point and `gradients` the chosen gradients of the inputs there, for an upstream gradient of 1; None for
    an input without one. `point` and `choice` say both in words, for the documentation; `jax` and `torch` say what the
    peers choose there.
    """

    point: str
    choice: str
    args: tuple[Any, ...]
    gradients: tuple[Any, ...]
    attributes: tuple[tuple[str, Any], ...] = ()
    jax: str = ""
    torch: str = ""


@dataclass(frozen=True, eq=False)
class Record:
    """All that flatgrad knows of one operation. `gradient` is None where the derivative is zero or means nothing."""

    functions: tuple[Function, ...]
    gradient: Function | None
    shape: ShapeRule
    dtype: DtypeRule | None
    samples: tuple[Sample, ...]
    kinks: tuple[Kink, ...]
    scalar: Function | str | None
    elementwise: bool
    view: bool
    linear: bool = False
    holomorphic: bool = False
    dynamic: frozenset[str] = frozenset()
    results: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return name_of(self.functions[0])

    @property
    def reduces(self) -> bool:
        """Whether it is a reduction: its axes go, or stay with length 1, as its argument `keepdims` says."""
        return bool(getattr(self.shape, "reduces", False))

    @cached_property
    def parameters(self) -> tuple[inspect.Parameter, ...]:
        """The parameters that a call may give, in the order of the function's own signature."""
        if self.gradient is None:
            return tuple(inspect.signature(self.functions[0]).parameters.values())
        rule = inspect.signature(self.gradient).parameters.values()
        keyword_only = [p for p in rule if p.kind is inspect.Parameter.KEYWORD_ONLY]
        positional = [p for p in rule if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        # behind a star, the result and its gradient are given by their names
        without_results = (positional, keyword_only[2:]) if self.starred else (positional[:-2], keyword_only)
        return tuple(itertools.chain(*without_results))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs that the rule takes; empty where there is no rule."""
        if self.gradient is None:
            return ()
        return tuple(p.name for p in self.parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY)

    @cached_property
    def starred(self) -> str | None:
        """The name of the input behind a star: a tuple in the rule, whose parts a call gives one by one."""
        rule = inspect.signature(self.gradient).parameters.values() if self.gradient is not None else ()
        return next((p.name for p in rule if p.kind is inspect.Parameter.VAR_POSITIONAL), None)


def name_of(function: Function) -> str:
    """Return the name of a function in its module; that of a method has two parts."""
    home = home_in_scipy(function) or home_of(function)
    if home is not None:
        return home[1]
    name = str(getattr(function, "__name__", function))
    owner = getattr(function, "__self__", None)
    return f"{owner.__name__}.{name}" if isinstance(owner, np.ufunc) else name


_records: dict[Function, Record] = {}
_declared_by_users: list[Record] = []
# modules of rules for optional libraries, by the library's module: imported when a function of it is looked up
_rules_of: dict[str, tuple[str, ...]] = {}


def rule(
    *functions: Function | str,
    shape: ShapeRule,
    samples: Sequence[Sample],
    dtype: DtypeRule | None = None,
    kinks: Sequence[Kink] = (),
    scalar: Function | str | None = None,
    elementwise: bool | None = None,
    linear: bool = False,
    holomorphic: bool | None = None,
    view: bool = False,
    dynamic: Sequence[str] = (),
    results: Sequence[str] = (),
    unknown: Sequence[str] = (),
) -> Callable[[F], F]:
    """Declare the decorated function as the derivative of `functions`, which are names for one operation.

    - Each of `functions` is a function, or the name to import it by: ``"vendor.smooth"``. An object that does not know its
      own name, such as a functools.partial, is given by that.
    - `shape(*args, **attributes)` takes the arguments of the call, with a `Value` for each array, and returns the shape of
      the result, or a list of shapes where there are several results. `dtype` does the same for the dtype; without it the
      function is tried on arrays of ones.
    - `scalar` is what to write for Python floats where NumPy is not wanted: a function of `math`, a builtin, a Python
      function whose source is copied, or an expression with the inputs' names in braces.
    - `elementwise`: whether each element of the result depends on the elements at the same place only (told from `shape`
      where not given). `linear`: whether the derivative is the same everywhere and finite. `holomorphic`: whether the rule
      is right for complex numbers too (as `linear` where not given). `view`: whether the result may share memory with an
      argument. `dynamic` names the arguments beside the inputs that may be whole numbers of the program: those that no rule
      decides anything by. `results` are the names of the results, where they are a named tuple.
    - `unknown`: the inputs that the function has a derivative by, and the rule has not. To ask for it is an error.

    The gradient of a complex z = a + bi is dL/da - i dL/db. With this sign the rule of a holomorphic function is the one
    for real numbers: ``grad_x = grad_y * f'(x)``.
    """

    def declare(gradient: F) -> F:
        _enter(
            Record(
                functions=tuple(map(found_function, functions)),
                gradient=gradient,
                shape=shape,
                dtype=dtype,
                samples=tuple(samples),
                kinks=tuple(kinks),
                scalar=scalar,
                elementwise=is_elementwise(shape) if elementwise is None else elementwise,
                linear=linear,
                holomorphic=linear if holomorphic is None else holomorphic,
                view=view,
                dynamic=frozenset(dynamic),
                results=tuple(results),
                unknown=tuple(unknown),
            )
        )
        return gradient

    return declare


def no_gradient(
    *functions: Function | str,
    shape: ShapeRule,
    samples: Sequence[Sample] = (),
    dtype: DtypeRule | None = None,
    kinks: Sequence[Kink] = (),
    scalar: Function | str | None = None,
    view: bool = False,
) -> None:
    """Declare operations whose results have no gradient: whole numbers, comparisons, shapes, constants.

    `functions` are such as those of `rule`, each an operation of its own.
    """
    for function in functions:
        _enter(
            Record(
                functions=(found_function(function),),
                gradient=None,
                shape=shape,
                dtype=dtype,
                samples=tuple(samples),
                kinks=tuple(kinks),
                scalar=scalar,
                elementwise=is_elementwise(shape),
                view=view,
            )
        )


def is_elementwise(shape: ShapeRule) -> bool:
    """Tell whether a shape rule is one of those of elementwise functions."""
    return bool(getattr(shape, "elementwise", False))


def _enter(record: Record) -> None:
    # the caller of `rule` or `no_gradient`
    module = sys._getframe(2).f_globals.get("__name__", "")
    is_users = module.partition(".")[0] != "flatgrad"
    for function in record.functions:
        if is_users:
            note_home(function)
        _records[function] = record
    if is_users:
        _declared_by_users.append(record)
        for listener in listeners:
            listener()


# functions without records that rules may call
INLINE: set[Function] = set()
QUESTIONS: set[Function] = set()


def inline(function: F) -> F:
    """Let rules call the decorated function: its body is read, and written, in the place of the call."""
    INLINE.add(function)
    return function


def question(function: F) -> F:
    """Let rules ask the decorated function when the code is written: it is given `Value`s for arrays, and static objects.

    What it returns is static, too. Called on arrays, it gives the same answer.
    """
    QUESTIONS.add(function)
    return function


def declared_by_users() -> list[tuple[Any, ...]]:
    """Return all that decides what is written in the rules that were not declared by flatgrad itself."""
    return [
        (record.functions, record.gradient, record.shape, record.dtype, record.scalar)
        + (record.elementwise, record.linear, record.holomorphic, record.view, record.dynamic, record.results)
        + (record.unknown,)
        for record in _declared_by_users
    ]


def declare_with(library: str, *modules: str) -> None:
    """Have modules of rules imported when a function of the module `library` is looked up, and not before."""
    _rules_of[library] = modules


def lookup(function: Any) -> Record | None:
    """Return the record of a function, or None."""
    try:
        record = _records.get(function)
    except TypeError:
        return None
    if record is None and (home := home_in_scipy(function)) is not None and home[0] in _rules_of:
        for module in _rules_of[home[0]]:
            importlib.import_module(module)
        record = _records.get(function)
    return record


def records() -> tuple[Record, ...]:
    """Return every record once, in the order of declaration."""
    return tuple(dict.fromkeys(list(_records.values())))


# Values to try operations on: fixed, spread out, none of them special.


def real(*shape: int) -> Any:
    """Return distinct numbers between -2 and 2, none of them near 0 or a whole number; a Python float for no shape."""
    return _spread(shape, -1.83, 1.91)


def positive(*shape: int) -> Any:
    """Return distinct numbers between 0.3 and 2.9."""
    return _spread(shape, 0.31, 2.87)


def within_one(*shape: int) -> Any:
    """Return distinct numbers between -0.9 and 0.9."""
    return _spread(shape, -0.87, 0.83)


def above_one(*shape: int) -> Any:
    """Return distinct numbers between 1.1 and 3."""
    return _spread(shape, 1.13, 2.91)


def imaginary(*shape: int) -> Any:
    """Return distinct complex numbers, none of them near 0 or an axis."""
    return real(*shape) + 1j * positive(*shape)[..., ::-1]


def _spread(shape: tuple[int, ...], low: float, high: float) -> Any:
    count = int(np.prod(shape))
    # steps of the golden ratio: neighbours are far apart and no two are equal; the seed differs by shape
    steps = (np.arange(count) + 1 + sum((axis + 2) * size for axis, size in enumerate(shape))) * 0.6180339887498949
    numbers = low + (high - low) * (steps % 1.0)
    return numbers.reshape(shape) if shape else float(numbers[0])


__all__ = [
    "INLINE",
    "QUESTIONS",
    "Kink",
    "Record",
    "Sample",
    "Shape",
    "above_one",
    "declare_with",
    "imaginary",
    "inline",
    "lookup",
    "name_of",
    "no_gradient",
    "positive",
    "question",
    "real",
    "records",
    "rule",
    "within_one",
]
