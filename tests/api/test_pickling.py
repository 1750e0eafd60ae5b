"""Decorated functions, their gradients and what these return go to other processes, by name or with all they need."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from flatgrad.calling.differentiable import Differentiable
from flatgrad.errors import SourceError

MODULE = """\
import numpy as np
from flatgrad import flatgrad

RATE = 2.0


@flatgrad
def energy(x):
    return RATE * np.sum(x**2)


def cubes(x):
    return np.sum(x**3)


bare = flatgrad(wrt="x")(energy)
of_plain = flatgrad(wrt="x", style="compact")(cubes)


class Model:
    def __init__(self):
        self.scale = 3.0

    @staticmethod
    @flatgrad
    def static(x):
        return np.sum(x**4)

    @flatgrad
    def method(self, x):
        return self.scale * np.sum(x)


def made(scale, weights):
    @flatgrad(wrt="x")
    def nested(x, axis=0):
        return scale * np.sum(np.sum(weights * x, axis=axis) ** 2)

    return nested


nested = made(3.0, np.arange(3.0))
"""
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
PURPOSES = ("grad", "value_and_grad", "vjp", "compile", "check")
x = np.arange(3.0)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """Return the module above, imported from a file."""
    path = tmp_path_factory.mktemp("pickling") / "module_to_pickle.py"
    path.write_text(MODULE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    yield found
    del sys.modules[path.stem]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_decorated_function_is_found_by_name(module, protocol):
    """What is unpickled is the very object, also in a class."""
    for each in (module.energy, module.Model.static):
        assert pickle.loads(pickle.dumps(each, protocol)) is each


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_gradients_are_found_by_name(module, protocol):
    """`energy.grad` can be the function that a pool maps."""
    for each in (module.energy, module.Model.static):
        for purpose in PURPOSES:
            gradient = getattr(each, purpose)
            assert pickle.loads(pickle.dumps(gradient, protocol)) is gradient


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_options_come_along(module, protocol):
    """A function decorated anew keeps its own options, and is not taken for the one that has its name."""
    for each in (module.bare, module.of_plain):
        restored = pickle.loads(pickle.dumps(each, protocol))
        assert isinstance(restored, Differentiable)
        assert restored.options == each.options
        assert restored.__name__ == each.__name__
        np.testing.assert_array_equal(restored.grad(x), each.grad(x))
    assert pickle.loads(pickle.dumps(module.energy, protocol)).options.wrt is None


def test_gradients_of_a_function_decorated_anew_are_not_those_of_its_namesake(module):
    """`bare.grad` has no name of its own: an error, and not the other function of that name."""
    with pytest.raises(pickle.PicklingError, match=r"energy\.grad"):
        pickle.dumps(module.bare.grad)


def test_nested_function_is_refused_as_python_refuses_it(module):
    """A function inside a function has no name to be found under: pickle says so, as for any such function."""
    with pytest.raises(AttributeError, match="local object"):
        pickle.dumps(module.nested)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bound_method(module, protocol):
    """A bound method takes its object along."""
    restored = pickle.loads(pickle.dumps(module.Model().method, protocol))
    assert restored(x) == 9.0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_gradient_tuples(module, protocol):
    """Named tuples of gradients stay of their class, with the names."""
    gradients = module.energy.grad(x)
    restored = pickle.loads(pickle.dumps(gradients, protocol))
    assert type(restored) is type(gradients)
    np.testing.assert_array_equal(restored.x, 4 * x)
    np.testing.assert_array_equal(copy.deepcopy(gradients).x, 4 * x)


def run(folder, text):
    """Run a script that prints what is to be compared, with the module above beside it; return what it prints."""
    (folder / "module_to_pickle.py").write_text(MODULE)
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", str(script)],
        capture_output=True, text=True, cwd=folder, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


POOLS = """\
    import multiprocessing
    import numpy as np
    from concurrent.futures import ProcessPoolExecutor
    from flatgrad import flatgrad
    import module_to_pickle as module

    RATE = 5.0

    @flatgrad
    def own(x):
        return RATE * np.sum(x**2)

    bare = flatgrad(wrt="x")(own)

    class Kept:
        @staticmethod
        @flatgrad
        def cubes(x):
            return np.sum(x**3)

    def use(function, x):
        return function.grad(x)

    inputs = [np.arange(3.0) + number for number in range(3)]
    mapped = [
        own, own.grad, own.value_and_grad, Kept.cubes, Kept.cubes.grad, bare, module.energy, module.energy.grad,
        module.Model.static.grad, module.Model().method, module.bare, module.of_plain,
    ]
    handed = [own, bare, Kept.cubes, module.energy, module.bare, module.of_plain]

    def told(results):
        return [repr(each) for each in results]

    if __name__ == "__main__":
        for pool in POOLS:
            with pool:
                same = [told(pool.map(each, inputs)) == told(map(each, inputs)) for each in mapped]
                same += [
                    told(pool.map(use, *pair)) == told(map(use, *pair))
                    if isinstance(pool, ProcessPoolExecutor)
                    else told(pool.starmap(use, zip(*pair))) == told(map(use, *pair))
                    for pair in [([each] * 3, inputs) for each in handed]
                ]
                print(all(same), len(same))
"""


def test_multiprocessing_and_concurrent_futures(tmp_path):
    """Workers of all kinds run functions and gradients of the main script and of modules, with the parent's results."""
    pools = [f"multiprocessing.get_context({method!r}).Pool(1)" for method in ("fork", "spawn", "forkserver")]
    pools.append("ProcessPoolExecutor(1)")
    assert run(tmp_path, POOLS.replace("POOLS", f"[{', '.join(pools)}]")) == ["True", "18"] * 4


def test_joblib(tmp_path):
    """joblib's workers get functions of the main script and nested ones by value, with their globals and closures.

    Their main program is another one, so that the text comes along too.
    """
    pytest.importorskip("joblib")
    text = """\
    import os
    import numpy as np
    from joblib import Parallel, delayed
    from flatgrad import flatgrad
    import module_to_pickle as module

    RATE = 5.0
    WEIGHTS = np.arange(3.0)

    @flatgrad
    def own(x):
        return RATE * np.sum(WEIGHTS * x**2)

    def made(scale, weights):
        @flatgrad
        def nested(x):
            return scale * np.sum(weights * x**2)
        return nested

    nested = made(3.0, np.arange(3.0))
    inputs = [np.arange(3.0) + number for number in range(2)]
    functions = [
        own, own.grad, own.value_and_grad, own.emit, nested, nested.grad, flatgrad(wrt="x")(own).grad,
        module.energy.grad, module.nested.grad, module.bare.grad, module.of_plain.grad, module.Model().method,
    ]
    here = [repr(each(x)) for each in functions for x in inputs]
    # what workers read came with the function
    os.rename("script.py", "moved.py")
    there = Parallel(n_jobs=2)(delayed(each)(x) for each in functions for x in inputs)
    print([repr(each) for each in there] == here, len(there))
    """
    assert run(tmp_path, text) == ["True", "24"]


def test_numbers_that_decide_are_told_apart_in_a_worker(module):
    """A gradient function that came by value makes code for each axis, as in the process it came from."""
    cloudpickle = pytest.importorskip("cloudpickle")
    x = np.arange(9.0).reshape(3, 3)
    fresh = module.made(3.0, np.arange(3.0))
    restored = pickle.loads(cloudpickle.dumps(fresh.grad))
    for axis in (0, 1, 0, 1, 0):
        np.testing.assert_array_equal(restored(x, axis), module.nested.grad(x, axis))


def test_notebook(tmp_path):
    """A function of a notebook, whose text is in linecache only, goes to joblib's workers and to a forked pool.

    NumPy is imported in its cell, of which IPython compiles the statements one by one.
    """
    pytest.importorskip("IPython")
    pytest.importorskip("joblib")
    text = """\
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance(colors="NoColor", history_load_length=0)
    shell.run_cell("import multiprocessing\\nfrom joblib import Parallel, delayed").raise_error()
    shell.run_cell('''\\
    import numpy as np
    from flatgrad import flatgrad
    RATE = 2.0
    @flatgrad
    def cell(x):
        return RATE * np.sum(x**2)
    inputs = [np.arange(3.0), np.ones(3)]
    ''').raise_error()
    shell.run_cell('''\\
    here = [repr(cell.grad(x)) for x in inputs]
    there = [repr(each) for each in Parallel(n_jobs=2)(delayed(cell.grad)(x) for x in inputs)]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        forked = [repr(each) for each in pool.map(cell.grad, inputs)]
    print(here == there == forked)
    ''').raise_error()
    """
    assert run(tmp_path, text)[-1] == "True"


def test_text_that_is_not_the_functions_is_an_error_where_it_is_read(module):
    """A function can be restored and called in any case: what is wrong with its text is said when it is needed."""
    function, arguments = module.nested.__reduce_ex__(5)
    twin, qualname, options, (file, text, is_excerpt) = arguments
    other = text.replace("np.sum(weights * x", "np.sum(x * weights")
    restored = function(copy.copy(twin), qualname, options, (file, other, is_excerpt))
    assert restored(np.ones((3, 3))) == module.nested(np.ones((3, 3)))
    with pytest.raises(SourceError, match="its text is not this function's"):
        restored.grad(np.ones((3, 3)))
