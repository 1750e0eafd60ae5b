"""Processes that start on one empty cache at once, some of which are killed: every result is right, and the cache is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAD = "import numpy as np\nfrom flatgrad import flatgrad\n\n\n"
FUNCTION = """@flatgrad(wrt="x")
def f{k}(x, s=2.0):
    y = np.sin(x * s) + {k}.5
    return np.mean(y**2) * {k} + np.prod(y)


"""
WORKER = """
import random, sys
import numpy as np
import functions

x = np.linspace(0.1, 0.9, 4)
numbers = list(range(FUNCTIONS))
random.Random(int(sys.argv[1])).shuffle(numbers)
for k in numbers:
    f = getattr(functions, f"f{k}")
    value, gradient = f.value_and_grad(x)
    steps = 1e-6 * np.eye(4)
    slopes = np.array([(f(x + step) - f(x - step)) / 2e-6 for step in steps])
    assert value == f(x)
    assert np.allclose(gradient, slopes, rtol=1e-6, atol=1e-6)
    print(k, flush=True)
print("emitted" if "libcst" in sys.modules else "found")
"""
FUNCTIONS = 6


def test_processes_on_an_empty_cache_and_some_are_killed(tmp_path):
    """What a killed process leaves behind is no entry; the next process finds all that was written, and nothing else."""
    (tmp_path / "functions.py").write_text(HEAD + "".join(FUNCTION.format(k=k) for k in range(FUNCTIONS)))
    (tmp_path / "worker.py").write_text(WORKER.replace("FUNCTIONS", str(FUNCTIONS)))
    cache = tmp_path / "cache"
    environment = {**os.environ, "FLATGRAD_CACHE": "on", "FLATGRAD_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}

    def start(seed):
        command = [sys.executable, "-W", "error", "worker.py", str(seed)]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)

    workers = [start(seed) for seed in range(3)]
    # killed as soon as it has written something, which is when it writes the next
    assert workers[0].stdout.readline().strip().isdecimal()
    time.sleep(0.002)
    workers[0].send_signal(signal.SIGKILL)
    for worker in workers:
        worker.communicate(timeout=60)
    assert [worker.returncode for worker in workers] == [-signal.SIGKILL, 0, 0]
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".py"]) == FUNCTIONS
    assert len(files) <= FUNCTIONS + 1
    assert oct(cache.stat().st_mode & 0o777) == "0o700"
    last = start(3)
    printed = last.communicate(timeout=60)[0].split()
    assert last.returncode == 0
    assert sorted(printed[:-1], key=int) == [str(k) for k in range(FUNCTIONS)]
    assert printed[-1] == "found"
