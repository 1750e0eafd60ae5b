"""Allows recursion as deep as expressions of thousands of terms need, and puts Python's limit back.

Ctrl-C may end a block before its own end has put anything back, so that each entry looks whether the blocks that seem to be
open still are. Layer: bottom of `frontend`; imports nothing of flatgrad.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType, TracebackType

# Python's own parser recurses in C, so its limit keeps the stack from overflowing; code in Python has no such limit
C_RECURSION_LIMIT = 5_000
PYTHON_RECURSION_LIMIT = 1_000_000

_lock = threading.Lock()
# by thread: the frames with a block that is open, outermost first, and the limit that each asks for
_open: dict[int, list[tuple[FrameType, int]]] = {}
# the limit that there was before the first of them; None where it stands
_before: int | None = None


class deep_recursion:
    """A block in which Python's limit is higher. It is one limit for all threads: the last one that leaves puts it back."""

    def __init__(self, limit: int = PYTHON_RECURSION_LIMIT) -> None:
        self.limit = limit

    def __enter__(self) -> None:
        """Raise the limit."""
        global _before
        frame = sys._getframe(1)
        with _lock:
            blocks = _living(frame)
            if _before is None:
                _before = sys.getrecursionlimit()
            blocks.append((frame, self.limit))
            _set_limit()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the limit back."""
        frame = sys._getframe(1)
        with _lock:
            blocks = _living(frame)
            if blocks and blocks[-1][0] is frame:
                blocks.pop()
            _set_limit()


def _living(frame: FrameType) -> list[tuple[FrameType, int]]:
    """Return the open blocks of this thread, without those that are no longer run: their frames do not lead here."""
    blocks = _open.setdefault(threading.get_ident(), [])
    known = {id(each) for each, _ in blocks}
    caller: FrameType | None = frame
    while caller is not None and blocks and id(caller) not in known:
        caller = caller.f_back
    while blocks and blocks[-1][0] is not caller:
        blocks.pop()
    return blocks


def _set_limit() -> None:
    global _before
    running = sys._current_frames() if len(_open) > 1 else {threading.get_ident(): None}
    for thread in [thread for thread, blocks in _open.items() if not blocks or thread not in running]:
        del _open[thread]
    assert _before is not None
    limit = max([_before, *(limit for blocks in _open.values() for _, limit in blocks)])
    if limit != sys.getrecursionlimit():
        sys.setrecursionlimit(limit)
    if not _open:
        _before = None
