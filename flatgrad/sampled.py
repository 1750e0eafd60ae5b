"""An operation called on one of its samples: its result, what its rule returns, and central differences.

In: a record, one of its functions, arguments. Out: numbers. Nothing here reads source or builds graphs, so that a rule is
looked at by itself. Layer: above `binding`.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from flatgrad.binding import bound, spread
from flatgrad.graph.containers import List, Slice, leaves, mapped
from flatgrad.graph.values import Type, Value
from flatgrad.registry import Function, Record, Sample, imaginary, positive

STEP = 1e-6


class Call:
    """A call of an operation, with its inputs by name: lists of arrays are tuples, as rules get them.

    `nameless` says that the function takes no argument by its name, as operators do.
    """

    def __init__(
        self,
        record: Record,
        function: Function,
        args: Sequence[Any],
        attributes: Mapping[str, Any],
        *,
        nameless: bool = False,
    ) -> None:
        self.record, self.function = record, function
        self.arguments, self.positional = bound(function, record, args, attributes)
        if nameless:
            self.positional = len(self.arguments)
        self.lists = {name for name in record.inputs if isinstance(self.arguments.get(name), list)}
        for name in record.inputs:
            if name in self.arguments:
                self.arguments[name] = tuples(self.arguments[name])

    def with_inputs(self, change: Callable[[Any], Any]) -> Call:
        """Return the same call with each leaf of its inputs changed."""
        call = copy.copy(self)
        inputs = {name: mapped(self.arguments[name], change) for name in self.record.inputs if name in self.arguments}
        call.arguments = {**self.arguments, **inputs}
        return call

    def result(self, **changed: Any) -> Any:
        """Call the function, with some of the inputs changed."""
        arguments = {**self.arguments, **changed}
        # np.block takes no tuples
        arguments |= {name: lists(arguments[name]) for name in self.lists}
        args, kwargs = spread(self.function, arguments, self.positional)
        return self.function(*args, **kwargs)

    def gradients(self, y: Any, grad_y: Any) -> dict[str, Any]:
        """Call the rule and return its gradients by the names of the inputs."""
        rule = self.record.gradient
        assert rule is not None
        parameters = inspect.signature(rule).parameters
        given = {name: self.arguments.get(name, parameters[name].default) for name in self.record.inputs}
        inputs, _ = spread(self.function, given, len(given))
        attributes = {name: value for name, value in self.arguments.items() if name not in self.record.inputs}
        results = {"y": y, "grad_y": grad_y}
        if self.record.starred is None:
            inputs += results.values()
        else:
            attributes |= results
        # the gradients of inputs that are not differentiated are worked out too, where log(-2) may come up
        with np.errstate(all="ignore"):
            returned = rule(*inputs, **attributes)
        names = returned_names(rule)
        return dict(zip(names, [returned] if len(names) == 1 else returned, strict=True))

    def differentiated(self, sample: Sample) -> list[str]:
        """Return the names of the inputs that have a gradient in a sample."""
        names = [name for name in self.record.inputs if any(map(has_gradient, leaves(self.arguments.get(name))))]
        return [name for name in names if sample.wrt is None or name in sample.wrt]

    def by_rule(self, gradients: Mapping[str, Any], name: str) -> list[Any]:
        """Return the gradients of the leaves of one input, as the rule gives them."""
        pairs = zip(leaves(tuples(gradients[name])), leaves(self.arguments[name]), strict=True)
        # a real number that meets complex ones has the real part; what is no number has no gradient
        return [
            None if g is None else summed_to(g if is_complex(leaf) else np.real(g), np.shape(leaf)) for g, leaf in pairs
        ]

    def by_differences(self, name: str, grad_y: Any) -> list[Any]:
        """Return the gradients of the leaves of one input, by central differences; None for a leaf that has none."""
        parts = list(leaves(self.arguments[name]))

        def loss(k: int, part: Any) -> Any:
            remaining = iter([*parts[:k], part, *parts[k + 1 :]])
            return weighted(self.result(**{name: mapped(self.arguments[name], lambda _: next(remaining))}), grad_y)

        return [
            slopes(functools.partial(loss, k), part) if has_gradient(part) else None for k, part in enumerate(parts)
        ]


def step_from(number: Any) -> float:
    """Return the step of central differences at a number; in single precision only linear functions are tried, by long ones."""
    return 1.0 if np.asarray(number).dtype == np.float32 else STEP * max(1.0, abs(number))


def slopes(loss: Callable[[Any], Any], centre: Any) -> Any:
    """Return the derivative of a loss by each number of an array, or by one number, by central differences.

    That by a complex number a + bi is dL/da - i dL/db.
    """

    def along(place: tuple[int, ...], step: Any) -> Any:
        sides = []
        for moved in (np.asarray(centre)[place] + step, np.asarray(centre)[place] - step):
            changed = np.array(centre)
            changed[place] = moved
            sides.append(loss(changed if isinstance(centre, np.ndarray) else changed.item()))
        return (sides[0] - sides[1]) / (2 * abs(step))

    def slope(place: tuple[int, ...]) -> Any:
        step = step_from(np.asarray(centre)[place])
        return along(place, step) - 1j * along(place, step * 1j) if is_complex(centre) else along(place, step)

    return np.reshape([slope(place) for place in np.ndindex(np.shape(centre))], np.shape(centre))


def returned_names(rule: Callable[..., Any]) -> list[str]:
    """Return the inputs whose gradients a rule returns, read from its return statements."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(rule)))
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    returns = [node.elts if isinstance(node, ast.Tuple) else [node] for node in statements]
    names = [[part.id.removeprefix("grad_") for part in parts if isinstance(part, ast.Name)] for parts in returns]
    if not names or any(one != names[0] for one in names) or any(len(parts) != len(names[0]) for parts in returns):
        raise ValueError(f"the rule {rule.__name__} has to return grad_<input>, ...: the same names everywhere")
    return names[0]


def tuples(structure: Any) -> Any:
    """Return nested lists as tuples."""
    return tuple(map(tuples, structure)) if isinstance(structure, list | tuple) else structure


def lists(structure: Any) -> Any:
    """Return nested tuples as lists."""
    return list(map(lists, structure)) if isinstance(structure, tuple) else structure


def is_floating(leaf: Any) -> bool:
    """Tell whether a leaf of the arguments holds floats."""
    return isinstance(leaf, float) or (isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "f")


def is_complex(leaf: Any) -> bool:
    """Tell whether a leaf of the arguments holds complex numbers."""
    return isinstance(leaf, complex) or (isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "c")


def as_value(argument: Any, number: Type | None) -> Any:
    """Return an argument as shape rules get it: values for arrays, and for floats where `number` is their type."""
    if isinstance(argument, list):
        return List(as_value(part, number) for part in argument)
    if isinstance(argument, tuple):
        return tuple(as_value(part, number) for part in argument)
    if isinstance(argument, slice):
        return Slice(argument.start, argument.stop, argument.step)
    if isinstance(argument, np.ndarray | np.generic):
        return Value(Type(argument.dtype, argument.shape))
    return Value(number) if number is not None and isinstance(argument, float) else argument


def has_gradient(leaf: Any) -> bool:
    """Tell whether a leaf of the arguments is differentiated."""
    return is_floating(leaf) or is_complex(leaf)


def narrowed(leaf: Any) -> Any:
    """Return a leaf in single precision."""
    return np.float32(leaf) if is_floating(leaf) else np.complex64(leaf) if is_complex(leaf) else leaf


def upstream(y: Any) -> Any:
    """Return fixed gradients of a result, or of each of several."""
    if isinstance(y, list | tuple):
        return tuple(upstream(part) for part in y)
    if is_complex(y):
        return imaginary(*np.shape(y)).astype(y.dtype) if np.ndim(y) else complex(positive(), positive())
    return np.asarray(positive(*np.shape(y)), getattr(y, "dtype", np.float64))[()]


def weighted(y: Any, grad_y: Any) -> Any:
    """Return the sum of all that a call returns, each number times its upstream gradient, without its imaginary part."""
    pairs: Iterable[tuple[Any, Any]] = zip(leaves(tuples(y)), leaves(grad_y), strict=True)
    return sum(np.sum(np.multiply(part, weight)).real for part, weight in pairs)


def summed_to(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting."""
    gradient = np.asarray(gradient)
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    axes = tuple(k for k, size in enumerate(shape) if size == 1 and gradient.shape[k] != 1)
    return np.broadcast_to(gradient.sum(axis=axes, keepdims=True), shape)
