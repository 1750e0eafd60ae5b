"""flatgrad beside code written by hand and other tools: `python tests/benchmarks/peers.py [--seconds S] [--programs P ...]`.

In: the programs and contenders beside this file in `contenders`. Out: one table, the time of flatgrad through its decorator
and the ratio of each contender's time to it: above 1 where the contender is slower. Below it stands what the decorator
itself costs per call. Everyone computes the value and the gradients by the same parameters, in one process, on one thread,
in turn; the ratio is that of the medians. Who returns other numbers than flatgrad is not timed.

JAX runs as it is installed. On one thread it is faster where it computes at once instead of handing the work over, which
`--jax-at-once` makes it do.
"""

import argparse
import importlib
import os
import platform
import random
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]
os.environ["FLATGRAD_CACHE"] = "off"

# these are read when a library is loaded. XLA_FLAGS alone leaves XLA's large products on several threads
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "PJRT_NPROC": "1",
}
# name: distribution, module, what makes the contender from a program. They are loaded in this order, tangent after JAX,
# because it starts JAX with settings that make JAX slower
CONTENDERS = {
    "flatgrad": ("numpy", "with_flatgrad", "through_decorator"),
    "by-hand": ("numpy", "by_hand", "by_hand"),
    "bare": ("numpy", "with_flatgrad", "bare"),
    "autograd": ("autograd", "with_autograd", "with_autograd"),
    "jax-numpy": ("jax", "with_jax", "with_numpy"),
    "jax-device": ("jax", "with_jax", "on_device"),
    "torch": ("torch", "with_torch", "with_torch"),
    "tangent": ("tangent-ad", "with_tangent", "with_tangent"),
}
FIRST = "flatgrad"
# in seconds: long enough that what the one before left in the caches does not count
TURN = 1e-3


class Disagreement(Exception):
    """A contender computes something else than flatgrad."""


def contender(name, program):
    """Return a contender for a program. Raises ModuleNotFoundError, or what the contender raises."""
    _, module, factory = CONTENDERS[name]
    return getattr(importlib.import_module(f"contenders.{module}"), factory)(program)


def outcome(contender):
    """Return the value and the gradients of one call, as NumPy arrays."""
    import numpy as np

    value, gradients = contender.result(contender.function(*contender.arguments))
    return np.asarray(value), [np.asarray(gradient) for gradient in gradients]


def require_same(found, expected):
    """Raise Disagreement where a value or a gradient differs by more than rounding."""
    import numpy as np

    for mine, other in zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True):
        if mine.shape != other.shape or mine.dtype != other.dtype:
            raise Disagreement(f"returns {mine.dtype}{mine.shape} where flatgrad returns {other.dtype}{other.shape}")
        if not np.allclose(mine, other, rtol=1e-9, atol=1e-11):
            raise Disagreement(f"differs from flatgrad by up to {np.max(np.abs(mine - other)):.1e}")


def prepared(names, program):
    """Return the contenders that compute what flatgrad does, and why the others are missing, both by name."""
    ready, missing = {FIRST: contender(FIRST, program)}, {}
    expected = outcome(ready[FIRST])
    for name in names:
        try:
            made = contender(name, program)
            require_same(outcome(made), expected)
            ready[name] = made
        except ModuleNotFoundError as error:
            missing[name] = f"{error.name} is not installed"
        # whatever a peer raises is what the note has to say
        except Exception as error:
            missing[name] = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:100]}"
    return ready, missing


def medians(contenders, seconds):
    """Return the median time of one call of each contender, in microseconds, and how many processors were at work.

    In each round each contender has its turn, in another order each time, after a call that is not counted.
    """
    repeats = {name: repeats_for(made) for name, made in contenders.items()}
    times = {name: [] for name in contenders}
    order, shuffle = list(contenders.items()), random.Random(0).shuffle
    start, processor = time.perf_counter(), time.process_time()
    while not times[FIRST] or time.perf_counter() < start + seconds:
        shuffle(order)
        for name, made in order:
            timed(made, 1)
            times[name].append(timed(made, repeats[name]))
    busy = (time.process_time() - processor) / (time.perf_counter() - start)
    return {name: 1e6 * statistics.median(found) for name, found in times.items()}, busy


def repeats_for(made):
    """Return how many calls fill a turn."""
    return max(1, int(TURN / min(timed(made, 3) for _ in range(5))))


def timed(made, repeats):
    """Return the time of one call, in seconds."""
    function, arguments = made.function, made.arguments
    start = time.perf_counter()
    for _ in range(repeats):
        function(*arguments)
    return (time.perf_counter() - start) / repeats


def row(program, names, seconds):
    """Return the cells for a program, how many processors were at work, and why contenders are missing, by name."""
    ready, missing = prepared(names, program)
    found, busy = medians(ready, seconds)
    ratios = [f"{found[name] / found[FIRST]:.2f}" if name in found else "-" for name in names]
    return [program.name, f"{found[FIRST]:.1f}", *ratios], busy, missing


def dispatch_cost(program, seconds):
    """Return the microseconds that a call through the decorator takes over one of the bare emitted function."""
    pair = {name: contender(name, program) for name in (FIRST, "bare")}
    found, _ = medians(pair, seconds)
    return found[FIRST] - found["bare"]


def setting(names):
    """Return the line that says what ran on what."""
    distributions = dict.fromkeys(CONTENDERS[name][0] for name in [FIRST, *names])
    versions = [f"{name} {version(name)}" for name in distributions if installed(name)]
    return f"Python {platform.python_version()}, {', '.join(versions)}; float64; one thread"


def installed(distribution):
    """Tell whether a distribution is installed."""
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


def show(rows):
    """Print the table: with lines on a terminal, as plain text elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*rows[0])
        for cells in rows[1:]:
            table.add_row(*cells)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        print("  ".join([cells[0].ljust(len(first)), *others]))


def options():
    """Return what was asked for on the command line."""
    from contenders.programs import PROGRAMS

    peers = [name for name in CONTENDERS if name != FIRST]
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each program")
    parser.add_argument("--programs", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS))
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers)
    parser.add_argument("--jax-at-once", action="store_true", help="compute where JAX is called, not on its own thread")
    chosen = parser.parse_args()
    chosen.peers = [name for name in peers if name in chosen.peers]
    return chosen


def main():
    """Print the table, notes on what is missing from it, and the cost of dispatch."""
    from contenders.programs import DISPATCH, PROGRAMS

    chosen = options()
    if chosen.jax_at_once:
        import jax

        # this counts only before JAX has started
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    print(setting(chosen.peers))
    rows, notes, processors = [["program", "flatgrad us", *chosen.peers]], {}, []
    for name in chosen.programs:
        cells, busy, missing = row(PROGRAMS[name], chosen.peers, chosen.seconds)
        rows.append(cells)
        processors.append(busy)
        for note in missing.items():
            notes.setdefault(note, []).append(name)
    show(rows)
    for (name, why), programs in notes.items():
        print(f"- {name} ({', '.join(programs)}): {why}")
    print(f"processors at work while timing: {max(processors):.2f}")
    for name, program in DISPATCH.items():
        print(f"decorator's own cost per call, {name}: {dispatch_cost(program, chosen.seconds):.2f} us")


if __name__ == "__main__":
    if any(os.environ.get(name) != number for name, number in ONE_THREAD.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ONE_THREAD})
    main()
