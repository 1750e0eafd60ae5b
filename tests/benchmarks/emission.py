"""Time to emit code, by the length of the function: `python tests/benchmarks/emission.py [longest]`.

Out: milliseconds per statement for straight-line functions of 100 to 100,000 statements and for one expression of 2,000
terms, in both styles, and the time that `import flatgrad` takes over that of `import numpy`. It should not grow with the
length of the function.
"""

import itertools
import linecache
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from flatgrad import api  # noqa: E402

SERIALS = itertools.count()
LENGTHS = (100, 1_000, 10_000, 100_000)
STYLES = ("flat", "compact")
STEPS = (
    "{new} = {old} * w",
    "{new} = np.tanh({old}) + x",
    "{new} = {old} - 0.5 * np.mean({old}, axis=0)",
    "{new} = np.sin({old}) * {old}",
)


def straight_line(statements):
    """Return a function of this many statements."""
    lines = ["def long(x, w):", "    h0 = x"]
    lines += ["    " + STEPS[k % len(STEPS)].format(old=f"h{k}", new=f"h{k + 1}") for k in range(statements - 1)]
    return defined("\n".join([*lines, f"    return np.sum(h{statements - 1})", ""]))


def long_expression(terms):
    """Return a function of one statement with this many terms."""
    total = " + ".join(f"x[{k % 3}] * {k}.5" for k in range(terms))
    return defined(f"def long(x, w):\n    return np.sum(w) * ({total})\n")


def defined(text):
    """Return the function that a text defines."""
    # a text that was parsed before is not parsed again: each function is in a file of its own
    text += f"# {next(SERIALS)}\n"
    filename = f"<benchmark {hash(text)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    names = {"np": np}
    exec(compile(text, filename, "exec"), names)
    return names["long"]


def seconds_to_emit(function, style):
    """Return the time that emission takes."""
    start = time.perf_counter()
    api.emit(
        function, np.ones((4, 3)) if "axis" in str(function.__code__.co_names) else np.ones(3), np.ones(3), style=style
    )
    return time.perf_counter() - start


def import_time():
    """Return the median time of `import flatgrad` behind `import numpy` in a new process, in milliseconds."""
    script = "import time, numpy; start = time.perf_counter(); import flatgrad; print(time.perf_counter() - start)"
    command = [sys.executable, "-c", script]
    runs = [
        float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout) for _ in range(9)
    ]
    return 1e3 * statistics.median(runs)


def main(longest):
    """Print the table."""
    print(f"{'statements':<14}{'style':<10}{'seconds':>10}{'ms each':>10}")
    seconds_to_emit(straight_line(100), "flat")
    for length in LENGTHS:
        if length > longest:
            continue
        for style in STYLES:
            seconds = min(seconds_to_emit(straight_line(length), style) for _ in range(3 if length <= 1000 else 1))
            print(f"{length:<14}{style:<10}{seconds:>10.3f}{1e3 * seconds / length:>10.3f}", flush=True)
    for style in STYLES:
        seconds = seconds_to_emit(long_expression(2000), style)
        print(f"{'2,000 terms':<14}{style:<10}{seconds:>10.3f}{seconds / 2:>10.3f}", flush=True)
    print(f"import flatgrad takes {import_time():.2f} ms more than import numpy")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LENGTHS[-1])
