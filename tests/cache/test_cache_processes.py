"""Processes that store and load at once, some of them killed midway: never a wrong text, and nothing left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flatgrad.calling import cache

ROOT = Path(__file__).parents[2]
DIGESTS = 12
# what each digest stands for, for the processes and for the test
CONTENT = """
import hashlib

def digest(number):
    return hashlib.sha256(str(number).encode()).hexdigest()

def text(number):
    return f"x = {number}\\n" * (1 + number * number * 300)
"""
WORKER = (
    CONTENT
    + """
import os, random, sys, time, warnings
from flatgrad.calling import cache

warnings.simplefilter("error")
end = time.monotonic() + 20
print("ready", flush=True)
child = os.fork()
random.seed(os.getpid())
while time.monotonic() < end and not os.path.exists(sys.argv[1]):
    number = random.randrange(int(sys.argv[2]))
    found = cache.load(digest(number), "f")
    if found is not None and found[1:] != (text(number), {"n": number}):
        os._exit(3)
    assert cache.store(digest(number), "f", text(number), {"n": number})
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
os._exit(0)
"""
)
content = {}
exec(CONTENT, content)


def worker(stop):
    """Start a process that forks, so that two work: their temporary files must have different names."""
    command = [sys.executable, "-c", WORKER, str(stop), str(DIGESTS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes can't fork here")
def test_processes_that_are_killed_leave_nothing_wrong(tmp_path, place, files):
    """Eight processes, four of them forks; half are killed while they write. The others go on, and give no warning."""
    stop = tmp_path / "stop"
    workers = [worker(stop) for _ in range(4)]
    try:
        for each in workers:
            assert each.stdout.readline() == b"ready\n"
        for each in workers[:2]:
            time.sleep(random.uniform(0.1, 0.4))
            os.killpg(each.pid, signal.SIGKILL)
        hits = check_all()
        assert cache.clear() <= DIGESTS
        time.sleep(0.3)
    finally:
        stop.touch()
        outputs = [each.communicate(timeout=30) for each in workers]
    assert [each.returncode for each in workers[2:]] == [0, 0], outputs[2:]
    assert hits + check_all() > 0
    entries, _ = cache.size()
    assert cache.clear() == entries
    assert files() == []
    assert list(place.iterdir()) == []


def check_all():
    """Return how many entries are found; all are right."""
    hits = 0
    for number in range(DIGESTS):
        found = cache.load(content["digest"](number), "f")
        if found is not None:
            assert found[1:] == (content["text"](number), {"n": number})
            hits += 1
    return hits
