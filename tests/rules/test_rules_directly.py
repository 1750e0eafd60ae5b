"""Tests made from the records: each rule, called as the NumPy function that it is, on each of its samples.

Central differences are the oracle. Nothing here reads source or builds graphs, so that a failure is a wrong rule.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil

import numpy as np
import pytest

import flatgrad.rules
from flatgrad.binding import spread
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.graph.containers import leaves, mapped
from flatgrad.graph.size import Expression
from flatgrad.graph.values import FLOAT
from flatgrad.infer import answer_of
from flatgrad.registry import Sample, name_of, records
from flatgrad.rules.scipy_functions import declare_installed
from flatgrad.sampled import Call, as_value, is_floating, narrowed, tuples, upstream

for module in pkgutil.iter_modules(flatgrad.rules.__path__, "flatgrad.rules."):
    importlib.import_module(module.name)
declare_installed()

RECORDS = records()
DIFFERENTIATED = [record for record in RECORDS if record.gradient is not None]
RTOL, ATOL = 1e-6, 1e-7


def full_name(function):
    if isinstance(getattr(function, "__self__", None), np.ufunc):
        return f"numpy.{name_of(function)}"
    home = home_in_scipy(function) or (getattr(function, "__module__", "ndarray"), name_of(function))
    return ".".join(map(str, home))


def takes(function, sample):
    """Tell whether a function can be called on a sample: those of `math`, and max and min, want numbers."""
    parts = (*sample.args, *sample.attributes.values())
    numbers_only = full_name(function).startswith("math.") or function in (max, min, round)
    return not (numbers_only and any(isinstance(part, np.ndarray) for part in parts))


CASES = [
    pytest.param(record, function, sample, id=f"{full_name(function)}({sample})")
    for record in DIFFERENTIATED
    for function in record.functions
    for sample in record.samples
    if takes(function, sample)
]


def in_the_plane(sample):
    """Return the sample with complex numbers for its real ones."""
    turned = mapped(tuples(sample.args), lambda leaf: leaf * (1 + 0.4j) if is_floating(leaf) else leaf)
    attributes = {
        name: value * (1 + 0.4j) if isinstance(value, np.ndarray) and is_floating(value) else value
        for name, value in sample.attributes.items()
    }
    return Sample(*turned, wrt=sample.wrt, **attributes)


def takes_complex_numbers(record, function, sample):
    """Tell whether a function makes something of a sample in the plane, and its rule says that it is right there."""
    if not record.holomorphic or not takes(function, sample):
        return False
    try:
        with np.errstate(all="ignore"):
            turned = in_the_plane(sample)
            call_of(record, function, turned.args, turned.attributes).result()
    except (TypeError, np.exceptions.ComplexWarning):
        return False
    return True


FUNCTIONS = [
    pytest.param(record, function, id=full_name(function)) for record in DIFFERENTIATED for function in record.functions
]
# Python numbers have no dtype of their own
ARRAY_CASES = [
    case for case in CASES if not any(isinstance(leaf, int | float) for leaf in leaves(tuples(case.values[2].args)))
]
KINKS = [
    pytest.param(record, kink, id=f"{record.name}: {kink.point}") for record in DIFFERENTIATED for kink in record.kinks
]
SHAPES = [
    pytest.param(record, function, sample, id=f"{full_name(function)}({sample})")
    for record in RECORDS
    for function in record.functions
    for sample in record.samples
    if takes(function, sample)
]


def has_arrays_as_options(record):
    return any(isinstance(option, np.ndarray) for sample in record.samples for option in sample.attributes.values())


SCALAR_FUNCTIONS = [
    pytest.param(record, id=record.name)
    for record in DIFFERENTIATED
    # what belongs to the elements of one array only is not asked about other numbers
    if record.elementwise and not record.linear and len(record.inputs) == 1 and not has_arrays_as_options(record)
]


def call_of(record, function, args, attributes):
    """Return a call; operators and methods of arrays take no names."""
    nameless = full_name(function).startswith(("_operator.", "ndarray."))
    return Call(record, function, args, attributes, nameless=nameless)


COMPLEX_CASES = [
    pytest.param(record, function, sample, id=f"{full_name(function)}({sample})")
    for record in DIFFERENTIATED
    for function in record.functions
    for sample in record.samples
    if takes_complex_numbers(record, function, sample)
]


def agree(actual, expected, factor=1.0):
    return all(
        np.allclose(factor * a, e, rtol=RTOL, atol=ATOL) for a, e in zip(actual, expected, strict=True) if e is not None
    )


@pytest.mark.parametrize(("record", "function"), FUNCTIONS)
def test_every_function_has_samples(record, function):
    """An operation that nothing tries would never be checked; math functions need a sample of numbers."""
    assert any(takes(function, sample) for sample in record.samples)


@pytest.mark.parametrize(("record", "function", "sample"), CASES)
def test_rule_matches_central_differences(record, function, sample):
    """The gradient is the derivative."""
    call = call_of(record, function, sample.args, sample.attributes)
    y = call.result()
    grad_y = upstream(y)
    gradients = call.gradients(y, grad_y)
    names = call.differentiated(sample)
    assert names
    for name in names:
        assert name in gradients, f"no gradient of {name}: name the others in wrt"
        for actual, expected in zip(call.by_rule(gradients, name), call.by_differences(name, grad_y), strict=True):
            if expected is not None:
                np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=ATOL, err_msg=f"gradient of {name}")


@pytest.mark.parametrize(("record", "function", "sample"), COMPLEX_CASES)
def test_rule_is_right_for_complex_numbers(record, function, sample):
    """A rule that says so is right in the whole plane, in both of its directions."""
    test_rule_matches_central_differences(record, function, in_the_plane(sample))


@pytest.mark.parametrize(("record", "function"), FUNCTIONS)
def test_samples_see_a_gradient_that_is_slightly_wrong(record, function):
    """The comparison above would fail for each gradient if it were 0.1 % off: the samples and tolerances can see."""
    unseen = set()
    seen = set()
    for sample in record.samples:
        if not takes(function, sample):
            continue
        call = call_of(record, function, sample.args, sample.attributes)
        y = call.result()
        grad_y = upstream(y)
        gradients = call.gradients(y, grad_y)
        for name in call.differentiated(sample):
            expected = call.by_differences(name, grad_y)
            actual = call.by_rule(gradients, name)
            (unseen if agree(actual, expected, 1.001) else seen).add(name)
    assert seen
    assert not unseen - seen


@pytest.mark.parametrize(("record", "function", "sample"), SHAPES)
def test_shape_rule_gives_the_real_shape(record, function, sample):
    """What inference says of a result is what NumPy makes."""
    call = call_of(record, function, sample.args, sample.attributes)
    leading = [name for name in record.inputs if name in call.arguments] or list(call.arguments)[: call.positional]
    # what is not differentiated may need the numbers, as np.arange does
    number = FLOAT if record.inputs else None
    given, _ = spread(function, {name: call.arguments[name] for name in leading}, len(leading))
    inputs = [as_value(argument, number) for argument in given]
    attributes = {name: as_value(value, None) for name, value in call.arguments.items() if name not in leading}
    shapes = answer_of(record.shape, record, leading, inputs, attributes)
    with np.errstate(all="ignore"):
        y = call.result()
    made = [np.shape(part) for part in y] if isinstance(shapes, list) else [np.shape(y)]
    said = shapes if isinstance(shapes, list) else [shapes]
    assert list(map(len, said)) == list(map(len, made))
    for rule_size, size in zip(itertools.chain(*said), itertools.chain(*made), strict=True):
        # how many elements a mask picks is data
        assert rule_size == size or isinstance(rule_size, Expression)


@pytest.mark.parametrize(("record", "kink"), KINKS)
def test_gradient_at_a_kink_is_the_declared_one(record, kink):
    """The choices where no derivative exists are those of the table, exactly."""
    call = call_of(record, record.functions[0], kink.args, dict(kink.attributes))
    with np.errstate(all="ignore"):
        y = call.result()
    gradients = call.gradients(y, mapped(tuples(y), np.ones_like))
    for name, expected in zip(record.inputs, kink.gradients, strict=False):
        if expected is not None:
            for actual, chosen in zip(call.by_rule(gradients, name), leaves(tuples(expected)), strict=True):
                np.testing.assert_array_equal(actual, chosen)


FAR = [s * m for m in (0.0, 1e-300, 1e-150, 1e-8, 30.0, 750.0, 1e8, 1e200, 1e300) for s in (1.0, -1.0)]
ALMOST_ONE = [1 - 1e-6, 1 + 1e-6, 1e-6 - 1]


def value_at(call, name, x):
    """Return the result at a number, nan where there is none."""
    try:
        with np.errstate(all="ignore"):
            return float(call.result(**{name: np.float64(x)}))
    except (ValueError, OverflowError):
        return np.nan


# these have their zeros at the whole numbers: where no float is any other number, nothing is seen of what lies between
ZERO_AT_WHOLE_NUMBERS = ("rgamma",)


def slope_between(call, name, a, b):
    """Return the slope of the line through two points; nan where it is too small for a float."""
    rise = value_at(call, name, b) - value_at(call, name, a)
    slope = rise / (b - a)
    return np.nan if rise and not slope else slope


@pytest.mark.parametrize("record", SCALAR_FUNCTIONS)
@pytest.mark.parametrize("x", [*FAR, *ALMOST_ONE])
def test_no_surprise_at_extremes(record, x):
    """Where the function is finite and smooth, however large or small x is, its gradient is finite and right."""
    (name,) = record.inputs
    if record.name in ZERO_AT_WHOLE_NUMBERS and x < -170:
        return
    call = call_of(record, record.functions[0], (np.float64(x),), record.samples[0].attributes)
    step = 1e-8 if x in ALMOST_ONE else max(abs(x) * 1e-4, 1e-304)
    y = value_at(call, name, x)
    slope = slope_between(call, name, x - step, x + step)
    others = [slope_between(call, name, *ends) for ends in ((x - 2 * step, x + 2 * step), (x - step, x), (x, x + step))]
    # slopes that differ with the step or the side belong to a point that is not smooth at this scale
    if not np.all(np.isfinite([y, slope, *others])) or not np.allclose(others, slope, rtol=1e-2, atol=0):
        return
    gradient = call.gradients(np.float64(y), np.float64(1.0))[name]
    rounding = 8 * np.spacing(abs(y)) / step
    assert abs(gradient - slope) <= 1e-2 * abs(slope) + rounding + 1e-290


@pytest.mark.parametrize("record", SCALAR_FUNCTIONS)
def test_no_nan_where_the_function_settles(record):
    """Where the function has a finite value at infinity, as tanh has, its gradient there is not nan."""
    (name,) = record.inputs
    for x in (np.inf,) if record.name in ZERO_AT_WHOLE_NUMBERS else (np.inf, -np.inf):
        call = call_of(record, record.functions[0], (np.float64(x),), record.samples[0].attributes)
        y = value_at(call, name, x)
        if np.isfinite(y):
            assert not np.isnan(call.gradients(np.float64(y), np.float64(1.0))[name]), f"at {x}"


@pytest.mark.parametrize(("record", "function", "sample"), ARRAY_CASES)
def test_float32_stays_float32(record, function, sample):
    """A gradient has the dtype of its variable: no constant in a rule makes float64 of float32."""
    call = call_of(record, function, sample.args, sample.attributes)
    for name in record.inputs:
        if name in call.arguments:
            call.arguments[name] = mapped(call.arguments[name], narrowed)
    y = call.result()
    if any(np.asarray(leaf).dtype not in (np.float32, np.complex64) for leaf in leaves(tuples(y))):
        pytest.skip("the function itself makes float64")
    gradients = call.gradients(y, upstream(y))
    for name in call.differentiated(sample):
        for leaf, gradient in zip(leaves(call.arguments[name]), leaves(tuples(gradients[name])), strict=True):
            assert not is_floating(leaf) or gradient.dtype == np.float32, f"gradient of {name}"


SCALARS = [pytest.param(record, id=record.name) for record in RECORDS if record.scalar is not None]


@pytest.mark.parametrize("record", SCALARS)
def test_scalar_form_is_the_same_function(record):
    """What is written for Python floats gives NumPy's numbers, also for nan, inf and zeros, or raises."""
    names = record.inputs or tuple(p.name for p in record.parameters)[: len(record.samples[0].args)]
    compared = 0
    for numbers in itertools.product((-1.5, -0.5, 0.0, 0.25, 2.0, np.inf, np.nan), repeat=len(names)):
        try:
            if isinstance(record.scalar, str):
                written = record.scalar.format(**{name: name for name in names})
                made = eval(written, {}, dict(zip(names, numbers, strict=True)))
            else:
                made = record.scalar(*numbers)
        except (ValueError, OverflowError, ZeroDivisionError):
            continue
        if isinstance(made, complex):
            continue
        with np.errstate(all="ignore"):
            expected = record.functions[0](*map(np.float64, numbers))
        np.testing.assert_allclose(made, expected, rtol=1e-15, atol=1e-15, err_msg=str(numbers))
        compared += 1
    assert compared
