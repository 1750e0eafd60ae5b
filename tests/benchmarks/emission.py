"""Time to emit code, by the length of the function: `python tests/benchmarks/emission.py [longest]`.

Out: milliseconds per statement for straight-line functions of 100 to 100,000 statements and for one expression of 2,000
terms, in both styles, which should not grow with the length of the function; the time that `import flatgrad` takes over
that of `import numpy`, and the time of a new process for its first gradient, where its code is on disk.
"""

import itertools
import linecache
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
# what is timed is writing, not finding
os.environ["FLATGRAD_CACHE"] = "off"
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


IMPORT = "import time, numpy; start = time.perf_counter(); import flatgrad; print(time.perf_counter() - start)"
FIRST_GRADIENT = """
import time, numpy as np
from flatgrad import flatgrad

def two_layer(X, labels, W1, b1, W2, b2):
    h = np.maximum(0, X @ W1 + b1)
    scores = h @ W2 + b2
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(X)), labels])

arguments = np.ones((64, 20)), np.arange(64) % 5, np.ones((20, 50)), np.ones(50), np.ones((50, 5)), np.ones(5)
start = time.perf_counter()
flatgrad(two_layer).grad(*arguments)
print(time.perf_counter() - start)
"""


def process_time(script, folder):
    """Return the median of the seconds that a script prints, in milliseconds, each time in a new process."""
    path = Path(folder) / "script.py"
    path.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FLATGRAD_CACHE": "on", "FLATGRAD_CACHE_DIR": folder}
    command = [sys.executable, str(path)]
    # the first run fills the cache
    runs = [
        float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
        for _ in range(10)
    ][1:]
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
    with tempfile.TemporaryDirectory() as folder:
        print(f"import flatgrad takes {process_time(IMPORT, folder):.2f} ms more than import numpy")
        print(f"the first gradient of a new process takes {process_time(FIRST_GRADIENT, folder):.2f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LENGTHS[-1])
