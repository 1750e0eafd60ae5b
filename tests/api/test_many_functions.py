"""Many functions in one process: what is kept of them is bounded, and goes with them."""

from __future__ import annotations

import gc
import linecache
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

from flatgrad import flatgrad
from flatgrad.calling import cache, lookup, specialise
from flatgrad.functions.origin import _origins

COUNT = 200
X = np.array([0.1, 0.2, 0.3])


def numbered(number):
    """Return a decorated function with a file of its own, which only linecache has."""
    name = f"f{number}"
    file = f"<text of many {number}>"
    text = f"import numpy as np\n\ndef {name}(x):\n    y = np.sin(x) * {number + 1}.5\n    return np.sum(y * x)\n"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {"__name__": "text"}
    exec(compile(text, file, "exec"), namespace)
    return flatgrad(namespace[name]), file


def use(function, number):
    """Call for gradients in each way, and look at them."""
    expected = (np.cos(X) * X + np.sin(X)) * (number + 1.5)
    np.testing.assert_allclose(function.grad(X).x, expected)
    assert function.value_and_grad(X)[0] == function(X)
    np.testing.assert_allclose(function.vjp(X)[1](1.0)[0], expected)


def use_many(numbers):
    """Make functions, use each, and let go of it with its text."""
    for number in numbers:
        function, file = numbered(number)
        use(function, number)
        del linecache.cache[file]


def listings():
    """Return the emitted texts that linecache knows."""
    return [
        name for name in linecache.cache if name.startswith("<flatgrad") or "flatgrad" in name and name.endswith(".py")
    ]


def caches():
    """Return flatgrad's own caches of what functions returned, by name."""
    return {
        f"{name}.{key}": found
        for name, module in sys.modules.items()
        if name.startswith("flatgrad.")
        for key, found in vars(module).items()
        if hasattr(found, "cache_clear")
    }


def memory_in_use():
    """Return the bytes that are in use, without what is kept in caches of bounded size."""
    for each in caches().values():
        each.cache_clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture(params=["off", "on"])
def kept_on_disk(request, tmp_path, monkeypatch):
    """Once without the cache on disk, and once with one."""
    monkeypatch.setenv("FLATGRAD_CACHE", request.param)
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", str(tmp_path / "cache"))
    return request.param == "on"


@pytest.fixture
def small_memory(monkeypatch):
    """Keep little in memory, so that few functions fill it."""
    specialise.clear_memory()
    monkeypatch.setattr(specialise, "KEPT_IN_MEMORY", 20)
    yield
    specialise.clear_memory()


def test_nothing_piles_up(kept_on_disk, small_memory):
    """Functions that are gone leave no text in linecache, no state, and no memory that grows with their number."""
    use_many(range(COUNT // 8))
    gc.collect()
    states, texts, origins = len(lookup._States.counts), len(listings()), len(_origins)
    tracemalloc.start()
    try:
        use_many(range(1000, 1000 + COUNT // 8))
        first = memory_in_use()
        use_many(range(2000, 2000 + COUNT // 4))
        second = memory_in_use()
    finally:
        tracemalloc.stop()
    assert len(lookup._States.counts) <= states
    assert len(_origins) <= origins
    assert len(listings()) <= texts + 2
    # a function that is used takes about 20 KB
    assert second - first < COUNT // 4 * 3_000
    if kept_on_disk:
        assert cache.size()[0] >= COUNT // 2


def test_unbounded_caches_hold_nothing_of_a_function():
    """What is kept for ever is about rules and patterns; it does not grow with the number of functions."""

    def sizes():
        each = {name: found for name, found in caches().items() if found.cache_parameters()["maxsize"] is None}
        return {name: found.cache_info().currsize for name, found in each.items()}

    use_many([0])
    before = sizes()
    use_many(range(5000, 5010))
    assert sizes() == before


def test_a_function_that_is_gone_is_gone(kept_on_disk, small_memory):
    """Nothing keeps a decorated function alive: neither its tables nor its dispatching functions."""
    function, _ = numbered(1)
    use(function, 1)
    gone = weakref.ref(function)
    del function
    gc.collect()
    assert gone() is None


def test_functions_that_stay_keep_their_texts(kept_on_disk, small_memory):
    """Tracebacks show the emitted lines of a function that is in use, also where memory has forgotten its module."""
    functions = [numbered(number)[0] for number in range(60)]
    compiled = []
    for number, function in enumerate(functions):
        use(function, number)
        compiled.append(function.compile(X))
    for function in compiled:
        code = function.__code__
        assert linecache.getline(code.co_filename, code.co_firstlineno).startswith("def f")


def test_functions_that_stay_do_not_keep_all_that_was_emitted(monkeypatch, small_memory):
    """Of functions that are called once and kept, the oldest let go of their modules, and make them again when asked."""
    monkeypatch.setattr(lookup, "KEYS_OF_ALL_FUNCTIONS", 10)
    before = len(listings())
    functions = [numbered(number)[0] for number in range(2000, 2040)]
    for number, function in enumerate(functions, 2000):
        use(function, number)
    gc.collect()
    assert len(listings()) - before < 25
    use(functions[0], 2000)


def test_tables_of_all_functions_are_bounded(monkeypatch, small_memory):
    """Functions that are called with ever more shapes, and ever more functions: the oldest is forgotten and made again."""
    monkeypatch.setattr(lookup, "KEYS_OF_ALL_FUNCTIONS", 60)
    monkeypatch.setattr(lookup, "KEYS_OF_ONE_FUNCTION", 25)
    functions = [numbered(number)[0] for number in range(5)]
    for _ in range(2):
        for number, function in enumerate(functions):
            for size in range(2, 40):
                x = np.linspace(0, 1, size)
                np.testing.assert_allclose(function.grad(x).x, (np.cos(x) * x + np.sin(x)) * (number + 1.5))
            assert len(function._state.joint) <= 25
        assert sum(len(function._state.joint) for function in functions) <= 60


def test_many_sizes_of_one_function_are_one_emission(monkeypatch):
    """A table's entries are many; what they hold is one module."""
    function, _ = numbered(7)
    runs = set()
    for size in range(2, 300):
        function.grad(np.zeros(size))
    for run, _ in function._state.joint.values():
        runs.add(id(run))
    assert len(function._state.joint) == 298
    assert len(runs) == 1
    assert sys.getsizeof(function._state.joint) < 100_000
