"""Arguments that are dicts, lists, tuples and objects: their numbers, and the derivative by each of them.

In: arguments and functions of them. Out: arguments with other numbers, gradients by complex steps and by central differences
in the structure of the argument.
"""

import copy

import numpy as np

NUMBERS = (float, complex, np.floating, np.complexfloating)


def is_object(value):
    """Tell whether a value is an object of a class of the programs: its parts are its attributes."""
    return hasattr(value, "__dict__") and not hasattr(value, "dtype") and type(value).__module__ != "builtins"


def is_real(leaf):
    """Tell whether a leaf is a real number or an array of them, as gradients are for."""
    return isinstance(leaf, NUMBERS) or getattr(getattr(leaf, "dtype", None), "kind", "") in ("f", "c")


def changed(tree, change, classes=None):
    """Return the structure with `change` applied to its leaves; `classes` has other classes for its objects, by name."""

    def walk(part):
        kind = (classes or {}).get(type(part).__name__, type(part))
        if isinstance(part, dict):
            return {key: walk(value) for key, value in part.items()}
        if isinstance(part, tuple) and hasattr(part, "_fields"):
            return kind(*map(walk, part))
        if isinstance(part, list | tuple):
            return type(part)(map(walk, part))
        if not is_object(part):
            return change(part)
        made = object.__new__(kind)
        vars(made).update({name: walk(value) for name, value in vars(part).items()})
        return made

    return walk(tree)


def leaves(tree):
    """Return the leaves of a structure."""
    found = []
    changed(tree, found.append)
    return found


def with_leaf(tree, place, leaf):
    """Return a copy of the structure with another leaf in this place."""
    numbers = iter(range(len(leaves(tree))))
    return changed(tree, lambda old: leaf if next(numbers) == place else copy.deepcopy(old))


def real_leaves(tree):
    """Return the places and values of those leaves that have gradients."""
    return [(place, leaf) for place, leaf in enumerate(leaves(tree)) if is_real(leaf)]


def stepwise(function, arguments, slope):
    """Return for each real leaf of the arguments its derivative, as `slope` finds it from the function of a step."""
    found = {}
    for place, leaf in real_leaves(arguments):
        point = np.asarray(leaf)
        found[place] = np.zeros(point.shape)
        for index in np.ndindex(point.shape):

            def at(step, place=place, point=point, index=index):
                moved = point.astype(np.result_type(point, type(step)))
                moved[index] += step
                return function(*with_leaf(arguments, place, moved if moved.ndim else moved[()]))

            found[place][index] = slope(at)
    return found


def differences(function, arguments):
    """Return derivatives by central differences of fourth order."""
    return stepwise(function, arguments, lambda at: (8 * (at(1e-4) - at(-1e-4)) - (at(2e-4) - at(-2e-4))) / 12e-4)


def complex_steps(function, arguments):
    """Return derivatives by complex steps: `function` allocates arrays of complex numbers."""
    arguments = changed(arguments, lambda leaf: np.asarray(leaf).astype(complex)[()] if is_real(leaf) else leaf)
    return stepwise(function, arguments, lambda at: np.imag(at(1e-30j)) / 1e-30)


def matched(gradients, arguments):
    """Return the gradients of the real leaves by their places among all the leaves."""
    by_place = {}
    places = iter(range(len(leaves(arguments))))

    def walk(gradient, part):
        if not real_leaves(part):
            for _ in leaves(part):
                next(places)
        elif isinstance(part, dict):
            assert type(gradient) is dict and list(gradient) == list(part)
            for key in part:
                walk(gradient[key], part[key])
        elif isinstance(part, list | tuple):
            assert type(gradient) is type(part) and len(gradient) == len(part)
            for inner, other in zip(gradient, part, strict=True):
                walk(inner, other)
        elif is_object(part):
            assert type(gradient) is type(part) and list(vars(gradient)) == list(vars(part))
            for name in vars(part):
                walk(getattr(gradient, name), getattr(part, name))
        else:
            by_place[next(places)] = gradient

    for gradient, argument in zip(gradients, arguments, strict=True):
        walk(gradient, argument)
    return by_place
