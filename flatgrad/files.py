"""Files that are there whole or not at all.

In: a path, data. Out: the file. Layer: bottom; imports nothing of flatgrad.
"""

from __future__ import annotations

import contextlib
import os

# the file is a new one, and no link is followed
WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# what is left where a process is killed while it writes
TEMPORARY = r"\.flatgrad-[0-9a-f]{16}\.tmp"


def write_whole(
    path: str, data: bytes, *, mode: int = 0o666, permissions: int | None = None, durable: bool = False
) -> None:
    """Write beside the path and move the file there, which is one step.

    It is made with `mode`, of which the umask takes its part, or gets just these `permissions`; `durable` waits until the
    data is on the disk. Raises OSError.
    """
    temporary = os.path.join(os.path.dirname(path), f".flatgrad-{os.urandom(8).hex()}.tmp")
    try:
        with open(os.open(temporary, WRITING, mode), "wb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        if permissions is not None:
            os.chmod(temporary, permissions)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(temporary)
