"""Tests made from the records: each operation on each sample, in a function that goes through the whole pipeline.

The function is read, differentiated, simplified and written out in both styles, and what was written runs. Central
differences of the function itself are the oracle.
"""

from __future__ import annotations

import importlib
import itertools
import linecache
import pkgutil

import numpy as np
import pytest

import flatgrad.rules
from flatgrad import nn
from flatgrad.api import emit, value_and_grad
from flatgrad.decorator import flatgrad as decorate
from flatgrad.functions.libraries import home_in_scipy
from flatgrad.graph.containers import leaves
from flatgrad.registry import name_of, positive, records
from flatgrad.rules.scipy_functions import declare_installed
from flatgrad.sampled import step_from

for module in pkgutil.iter_modules(flatgrad.rules.__path__, "flatgrad.rules."):
    importlib.import_module(module.name)
declare_installed()

DIFFERENTIATED = [record for record in records() if record.gradient is not None]
OPERATORS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "truediv": "{} / {}", "mod": "{} % {}", "pow": "{} ** {}",
    "neg": "-{}", "pos": "+{}", "matmul": "{} @ {}",
}  # fmt: skip
PREFIXES = {"math": "math.", "flatgrad.nn": "nn.", "builtins": ""}
HEAD = "import math\nimport numpy as np\nfrom flatgrad import nn\n\n\n"
RTOL, ATOL = 1e-6, 1e-7
STYLES = ("flat", "compact")
numbers = itertools.count()


def tuples(structure):
    """Return nested lists as tuples."""
    return tuple(map(tuples, structure)) if isinstance(structure, list | tuple) else structure


def module_of(function):
    if isinstance(getattr(function, "__self__", None), np.ufunc):
        return "numpy"
    home = home_in_scipy(function)
    module = home[0] if home is not None else getattr(function, "__module__", None) or "ndarray"
    return "flatgrad.nn" if module.startswith("flatgrad.nn.") else module


def head_of(function):
    """Return the imports of a file that calls a function."""
    module = module_of(function)
    return HEAD.replace("\n\n\n", f"\nfrom scipy import {module[6:]}\n\n\n") if module.startswith("scipy.") else HEAD


def takes(function, sample):
    """Tell whether a function can be called on a sample: those of `math`, and max and min, want numbers."""
    parts = (*sample.args, *sample.attributes.values())
    numbers_only = module_of(function) == "math" or function in (max, min)
    return not (numbers_only and any(isinstance(part, np.ndarray) for part in parts))


def is_floating(leaf):
    return isinstance(leaf, float) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")


def is_complex(leaf):
    return isinstance(leaf, complex | np.ndarray | np.generic) and np.asarray(leaf).dtype.kind == "c"


class Written:
    """A call of an operation as the text of a function: what is data becomes a parameter, all else stands in the text.

    `wrt` are the parameters to differentiate with respect to.
    """

    def __init__(self, record, function, sample):
        self.arguments = {}
        self.wrt = []
        self.record, self.function, self.sample = record, function, sample

    def call(self, as_method=False):
        """Return the call's text."""
        others = [self.record.starred or f"argument{k}" for k in range(9)]
        names = [*self.record.inputs, *others]
        args = [self.item(arg, name) for arg, name in zip(self.sample.args, names, strict=False)]
        module, name = module_of(self.function), name_of(self.function)
        if module == "_operator" and name == "getitem":
            return f"{args[0]}[{self.index(self.sample.attributes['index'])}]"
        if module == "_operator":
            return OPERATORS[name].format(*args)
        # these methods take their arguments by place only, but for some
        nameless = as_method and name in ("transpose", "swapaxes", "reshape", "clip")
        named = ("order", "copy")
        attributes = {key: self.option(value, key) for key, value in self.sample.attributes.items()}
        args += [value if nameless and key not in named else f"{key}={value}" for key, value in attributes.items()]
        if module == "ndarray" or as_method:
            return f"{args[0]}.{name}({', '.join(args[1:])})"
        known = PREFIXES.get(module)
        prefix = known if known is not None else f"{module.replace('numpy', 'np', 1).removeprefix('scipy.')}."
        return f"{prefix}{name}({', '.join(args)})"

    def option(self, item, name):
        """Return the text of an argument that is given by its name; a number there decides what code is written."""
        if isinstance(item, float) and name not in self.record.inputs:
            return f"{'-' * (item < 0)}np.inf" if np.isinf(item) else repr(item)
        return self.item(item, name)

    def item(self, item, name):
        """Return the text of an argument."""
        if is_complex(item):
            return f"({self.item(item.real, name)} + 1j * {self.item(item.imag, name)})"
        if isinstance(item, np.ndarray | np.generic | float):
            # constants are the business of other tests
            parameter = f"{name}{len(self.arguments)}"
            self.arguments[parameter] = item
            differentiated = self.sample.wrt is None or name in self.sample.wrt
            if is_floating(item) and name in self.record.inputs and differentiated:
                self.wrt.append(parameter)
            return parameter
        if isinstance(item, tuple | list) and not all(isinstance(leaf, int) for leaf in leaves(tuples(item))):
            return f"[{', '.join(self.item(part, name) for part in item)}]"
        if isinstance(item, type):
            return f"np.{item.__name__}"
        return repr(item)

    def index(self, item):
        """Return the text of what stands between the brackets of a subscript."""
        if isinstance(item, tuple):
            return ", ".join(map(self.index, item))
        if isinstance(item, slice):
            bounds = ["" if bound is None else str(bound) for bound in (item.start, item.stop, item.step)]
            return ":".join(bounds[:2] if item.step is None else bounds)
        return "..." if item is ... else self.item(item, "index")


def defined(text):
    """Return the function `f` that a text defines, with its source where flatgrad looks for it."""
    file = f"<sample {next(numbers)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {"__name__": "sample"}
    exec(compile(text, file, "exec"), namespace)
    return namespace["f"]


def function_of(written, as_method=False, added_up=False):
    """Return the function that makes the call; of several results the real ones are returned as a tuple, or added up."""
    call = written.call(as_method)
    head = f"{head_of(written.function)}def f({', '.join(written.arguments)}):\n"
    function = defined(f"{head}    return {call}\n")
    y = function(*written.arguments.values())
    if is_complex(y):
        return defined(f"{head}    y = {call}\n    return y.real, y.imag\n")
    if isinstance(y, tuple | list):
        names = [f"y{k}" for k in range(len(y))]
        real = [name for name, part in zip(names, y, strict=True) if np.asarray(part).dtype.kind == "f"]
        returned = " + ".join(real) if added_up else "".join(f"{name}, " for name in real)
        taken_apart = "".join(f"{name}, " for name in names)
        function = defined(f"{head}    {taken_apart} = {call}\n    return {returned}\n")
    return function


def upstream(y):
    """Return fixed gradients of the results."""
    results = y if isinstance(y, tuple) else (y,)
    return [np.asarray(positive(*np.shape(part)), getattr(part, "dtype", np.float64))[()] for part in results]


def weighted(y, weights):
    """Return the sum of all results, each number times its upstream gradient."""
    results = y if isinstance(y, tuple) else (y,)
    return sum(np.sum(np.multiply(part, weight)) for part, weight in zip(results, weights, strict=True))


def by_differences(function, arguments, name, weights):
    """Return the gradient with respect to one parameter, by central differences."""
    centre = arguments[name]
    gradient = np.zeros(np.shape(centre))
    for place in np.ndindex(np.shape(centre)):
        step = step_from(np.asarray(centre)[place])
        sides = []
        for shift in (step, -step):
            moved = np.array(centre, dtype=np.float64)
            moved[place] += shift
            moved = moved if isinstance(centre, np.ndarray) else float(moved)
            sides.append(weighted(function(**{**arguments, name: moved}), weights))
        gradient[place] = (sides[0] - sides[1]) / (2 * step)
    return gradient


def assert_identical(actual, expected):
    """The same number of results, of the same types and dtypes, bit for bit."""
    assert type(actual) is type(expected)
    if isinstance(expected, tuple):
        for one, other in zip(actual, expected, strict=True):
            assert_identical(one, other)
        return
    assert getattr(actual, "dtype", None) == getattr(expected, "dtype", None)
    assert np.shape(actual) == np.shape(expected)
    assert np.array(actual).tobytes() == np.array(expected).tobytes()


def assert_like(gradient, argument, name):
    """A gradient has the shape and the dtype of its variable; that of a Python float is one."""
    assert np.shape(gradient) == np.shape(argument), f"shape of the gradient of {name}"
    assert np.asarray(gradient).dtype == np.asarray(argument).dtype, f"dtype of the gradient of {name}"
    if type(argument) is float:
        assert isinstance(gradient, float), f"type of the gradient of {name}"


def gradients_of(function, arguments, wrt, style):
    """Return what `vjp` gives for the fixed upstream gradients, having checked its value."""
    y, pullback = decorate(wrt=tuple(wrt), style=style)(function).vjp(*arguments.values())
    assert_identical(y, function(*arguments.values()))
    gradients = dict(zip(wrt, pullback(*upstream(y)), strict=True))
    for name, gradient in gradients.items():
        assert_like(gradient, arguments[name], name)
    return gradients


def is_for_users(function):
    """Tell whether users call a function: those of flatgrad.rules and within flatgrad.nn only come up in backward passes."""
    module = module_of(function)
    return not module.startswith("flatgrad.rules.") and (
        module != "flatgrad.nn" or getattr(nn, function.__name__, None) is function
    )


# those of the others make use of them here
CASES = [
    pytest.param(record, function, sample, id=f"{module_of(function)}.{name_of(function)}({sample})")
    for record in DIFFERENTIATED
    for function in record.functions
    for sample in record.samples
    if takes(function, sample) and is_for_users(function)
]


@pytest.mark.parametrize(("record", "function", "sample"), CASES)
def test_written_gradient_matches_central_differences(record, function, sample):
    """What comes out of the whole pipeline is the derivative, and the forward value is what the function returns."""
    written = Written(record, function, sample)
    f = function_of(written)
    arguments, wrt = written.arguments, written.wrt
    assert wrt
    y = f(*arguments.values())
    expected = {name: by_differences(f, arguments, name, upstream(y)) for name in wrt}
    for style in STYLES:
        for name, gradient in gradients_of(f, arguments, wrt, style).items():
            np.testing.assert_allclose(gradient, expected[name], rtol=RTOL, atol=ATOL, err_msg=f"{style}: {name}")
    if not isinstance(y, tuple) and np.shape(y) == ():
        value, gradients = value_and_grad(f, wrt=tuple(wrt))(*arguments.values())
        assert_identical(value, y)
        for name, gradient in zip(wrt, gradients, strict=True):
            assert_like(gradient, arguments[name], name)
            scaled = expected[name] / upstream(y)[0]
            np.testing.assert_allclose(gradient, scaled, rtol=RTOL, atol=ATOL, err_msg=name)


METHODS = [
    case
    for case in CASES
    if callable(getattr(np.ndarray, case.values[1].__name__, None))
    and module_of(case.values[1]) == "numpy"
    and isinstance(case.values[2].args[0], np.ndarray)
    # x.sort(), x.partition() and x.resize() change x, and x.compress(condition) has its arguments in another order
    and case.values[1] not in (np.sort, np.partition, np.resize, np.compress)
    # arguments that x.var() and x.std() lack
    and "correction" not in case.values[2].attributes
    and "mean" not in case.values[2].attributes
]


@pytest.mark.parametrize(("record", "function", "sample"), METHODS)
def test_method_has_the_gradient_of_the_function(record, function, sample):
    """`x.sum(axis=0)` is `np.sum(x, axis=0)`."""
    written, twin = Written(record, function, sample), Written(record, function, sample)
    f, method = function_of(written), function_of(twin, as_method=True)
    expected = gradients_of(f, written.arguments, written.wrt, "flat")
    actual = gradients_of(method, twin.arguments, twin.wrt, "flat")
    for name, gradient in actual.items():
        assert_identical(gradient, expected[name])


def converted(arguments, dtype):
    """Return the arguments with floating point arrays of another dtype."""
    return {
        name: np.asarray(item, dtype)[()] if isinstance(item, np.ndarray) and is_floating(item) else item
        for name, item in arguments.items()
    }


@pytest.mark.parametrize(
    ("record", "function", "sample"),
    [case for case in CASES if any(isinstance(leaf, np.ndarray) for leaf in leaves(tuples(case.values[2].args)))],
)
def test_float32_stays_float32(record, function, sample):
    """The gradient of a float32 array is one, and about what it is for float64."""
    written = Written(record, function, sample)
    f = function_of(written)
    narrow = converted(written.arguments, np.float32)
    expected = gradients_of(f, converted(narrow, np.float64), written.wrt, "flat")
    for style in STYLES:
        for name, gradient in gradients_of(f, narrow, written.wrt, style).items():
            np.testing.assert_allclose(gradient, expected[name], rtol=2e-4, atol=2e-5, err_msg=f"{style}: {name}")


NUMBERS = [
    case
    for case in CASES
    if all(isinstance(part, int | float) for part in (*case.values[2].args, *case.values[2].attributes.values()))
]


@pytest.mark.parametrize(("record", "function", "sample"), NUMBERS)
def test_numpy_numbers_are_as_good_as_python_floats(record, function, sample):
    """A np.float64 gets a np.float64 for its gradient, the same number as a float gets."""
    written = Written(record, function, sample)
    f = function_of(written)
    expected = gradients_of(f, written.arguments, written.wrt, "flat")
    arguments = {name: np.float64(item) for name, item in written.arguments.items()}
    for style in STYLES:
        for name, gradient in gradients_of(f, arguments, written.wrt, style).items():
            np.testing.assert_allclose(gradient, expected[name], rtol=1e-14, atol=0, err_msg=f"{style}: {name}")


@pytest.mark.parametrize(
    ("record", "function", "sample"),
    [
        case
        for case in NUMBERS
        if case.values[0].scalar is not None or module_of(case.values[1]) == "math" or case.values[1] in (max, min)
    ],
)
def test_math_target_needs_no_numpy(record, function, sample):
    """Code for Python floats has the same gradients without NumPy."""
    written = Written(record, function, sample)
    f = function_of(written, added_up=True)
    arguments, wrt = written.arguments, tuple(written.wrt)
    expected = value_and_grad(f, wrt=wrt)(*arguments.values())
    for style in STYLES:
        text = emit(f, *arguments.values(), wrt=wrt, style=style, target="math")
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", '"""')))
        assert "np." not in code and "numpy" not in code
        value, gradients = value_and_grad(f, wrt=wrt, style=style, target="math")(*arguments.values())
        assert type(value) in (float, int)
        np.testing.assert_allclose(value, expected[0], rtol=1e-15, atol=0)
        for name, gradient, other in zip(wrt, gradients, expected[1], strict=True):
            assert type(gradient) is float, name
            np.testing.assert_allclose(gradient, other, rtol=1e-14, atol=1e-16, err_msg=name)


def test_the_oracle_sees_a_gradient_that_is_slightly_wrong():
    """The comparison would fail if a gradient were 0.1 % off."""
    f = defined(HEAD + "def f(x):\n    return np.sin(x)\n")
    arguments = {"x": np.array([0.3, 1.2])}
    expected = by_differences(f, arguments, "x", upstream(f(**arguments)))
    actual = gradients_of(f, arguments, ["x"], "flat")["x"]
    np.testing.assert_allclose(actual, expected, rtol=RTOL)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(actual * 1.001, expected, rtol=RTOL)
