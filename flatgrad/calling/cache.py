"""Emitted modules on disk, so that another process need not emit them again.

In: a digest over all that decides an entry, and the entry: a text, which is what runs, and facts about it. Out: the same
again, later, with the name of the file that it is in. An entry is one file: the text, then one comment line that holds
the facts and a checksum. It is verified when it is read, and is a miss where it is not whole. The folder is that of the
environment variable FLATGRAD_CACHE_DIR, or the user's cache folder; FLATGRAD_CACHE=off bypasses it. Layer: above `errors`.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import math
import os
import re
import stat
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flatgrad.errors import FlatgradError
from flatgrad.files import TEMPORARY, write_whole
from flatgrad.hashing import hashed

OFF = frozenset({"off", "0", "no", "false"})
# entries lie in 256 folders, by the first two digits of their digests
MOST_IN_FOLDER = 200
LARGEST = 64 * 2**20
DIGITS = len(str(LARGEST))
LONGEST_NAME = 60
HOUR, DAY = 3600, 86400
# `clear` in another process may remove a folder or a temporary file at any moment
ATTEMPTS = 10

# patterns are compiled when they are needed: a hit needs none
FOLDER = "[0-9a-f]{2}"
ENTRY = r"[0-9A-Za-z_]*_([0-9a-f]{2})[0-9a-f]{14}\.py"
HEXADECIMAL = "0123456789abcdef"
MARK = b"# flatgrad cache: "

# a link is not followed, and a named pipe does not block
READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# no such file, no such folder, a link, a socket
NO_ENTRY = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})

# folders that a warning was given for, and folders that nothing is stored in any more
_warned: dict[str, object] = {}
_unwritable: set[str] = set()


class CacheWarning(UserWarning):
    """The cache can't be used: code is emitted anew in each process."""


class CacheError(FlatgradError):
    """The cache's folder can't be found, is not safe, or can't be read."""


def is_off() -> bool:
    """Tell whether FLATGRAD_CACHE bypasses the cache."""
    return os.environ.get("FLATGRAD_CACHE", "").strip().lower() in OFF


def folder() -> str:
    """Return the folder of the cache, whether or not it is there. Raises CacheError where there can be none."""
    chosen = os.environ.get("FLATGRAD_CACHE_DIR")
    if not chosen:
        found = _default_folder()
        if not os.path.isabs(found):
            raise CacheError("FLATGRAD_CACHE_DIR is not set, and there is no home folder")
        return found
    try:
        return os.path.abspath(os.path.expanduser(chosen))
    except FileNotFoundError:
        raise CacheError("FLATGRAD_CACHE_DIR is a relative path, and the working folder is gone") from None


def _default_folder() -> str:
    """Return the folder for caches of this user, as the XDG base directory specification or the system has it."""
    if sys.platform == "linux":
        # platformdirs says the same, but its import takes longer than all that a hit needs
        base = os.environ.get("XDG_CACHE_HOME", "").strip() or os.path.expanduser("~/.cache")
        return os.path.join(base, "flatgrad")
    import platformdirs

    return platformdirs.user_cache_dir("flatgrad")


def load(digest: str, name: str) -> tuple[str, str, dict[str, Any]] | None:
    """Return file name, text and facts of an entry; None where there is none, or it is broken or foreign.

    Warns, once for a folder, where the folder can't be read or others may write to it.
    """
    if is_off():
        return None
    place = ""
    try:
        place = folder()
        path = _path(place, digest, name)
        data = _data(place, path)
    except (CacheError, OSError) as error:
        _warn(place, error)
        return None
    entry = None if data is None else _text_and_facts(data, digest)
    return None if entry is None else (path, *entry)


def store(digest: str, name: str, text: str, facts: Mapping[str, Any]) -> str | None:
    """Keep an entry; return the file that it is in, or None where the cache is bypassed.

    Warns, once for a folder, where the folder can't be written; nothing more is stored there in this process.
    """
    if is_off():
        return None
    data = _entry(digest, text.encode(), _written(facts))
    if len(data) > LARGEST:
        return None
    place = ""
    try:
        place = folder()
        if place in _unwritable:
            return None
        path = _path(place, digest, name)
        _keep(place, path, data)
    except (CacheError, OSError) as error:
        _unwritable.add(place)
        _warn(place, error)
        return None
    return path


def size() -> tuple[int, int]:
    """Return how many entries there are, and their bytes. Raises CacheError."""
    with _problems_of_the_folder():
        sizes = [status.st_size for path, status in _ours(folder()) if path.endswith(".py")]
        return len(sizes), sum(sizes)


def clear() -> int:
    """Remove all entries and what is left of unfinished ones; return how many entries there were. Raises CacheError.

    Whatever else lies in the folder stays.
    """
    with _problems_of_the_folder():
        place = folder()
        removed = sum([_remove(path) and path.endswith(".py") for path, _ in _ours(place)])
        for each in _folders(place):
            # a folder that still holds something stays
            with contextlib.suppress(OSError):
                os.rmdir(each)
        return removed


# what is in an entry


def _path(place: str, digest: str, name: str) -> str:
    """Return the file of an entry. Tracebacks show its name; non-ASCII letters are not portable in it."""
    if len(digest) != 64 or digest.strip(HEXADECIMAL):
        raise ValueError(f"{digest!r} is not a digest of 64 hexadecimal digits")
    portable = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name[:LONGEST_NAME])
    return os.path.join(place, digest[:2], f"{portable}_{digest[:16]}.py")


def _written(facts: Mapping[str, Any]) -> bytes:
    """Return facts as one line of Python literals. Raises TypeError for what is not the same when it is read."""
    text = ascii(dict(facts))
    try:
        same = ast.literal_eval(text) == facts
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise TypeError(f"facts have to be literals: {text}")
    return text.encode()


def _entry(digest: str, text: bytes, facts: bytes) -> bytes:
    """Return what is in the file of an entry."""
    size = b"%d" % len(text)
    checksum = hashed(b"%s %s %s\n" % (digest.encode(), size, facts) + text).encode()
    newline = b"" if not text or text.endswith(b"\n") else b"\n"
    return b"%s%s%s%s %s %s\n" % (text, newline, MARK, checksum, size, facts)


def _text_and_facts(data: bytes, digest: str) -> tuple[str, dict[str, Any]] | None:
    """Return what an entry holds, or None for data that is not just what `_entry` gives for such a digest."""
    last = data[data.rfind(b"\n", 0, -1) + 1 :].removesuffix(b"\n").removeprefix(MARK).split(b" ", 2)
    if len(last) != 3 or not last[1].isdigit() or len(last[1]) > DIGITS:
        return None
    text, facts = data[: int(last[1])], last[2]
    # nothing but the whole file will do, so that it needs no closer look
    if _entry(digest, text, facts) != data:
        return None
    try:
        return text.decode(), ast.literal_eval(facts.decode())
    except (ValueError, SyntaxError):
        return None


# reading


def _data(place: str, path: str) -> bytes | None:
    """Return the data of a file, or None where it can't be an entry. Raises CacheError where others may write to it."""
    try:
        descriptor = os.open(path, READING)
    except OSError as error:
        if error.errno in NO_ENTRY:
            return None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return None
        _check_folder(place, os.stat(place))
        _check_folder(os.path.dirname(path), os.lstat(os.path.dirname(path)))
        _check_owner(path, status)
        with open(descriptor, "rb", buffering=0, closefd=False) as stream:
            data = stream.readall()
    finally:
        os.close(descriptor)
    if time.time() - status.st_mtime > DAY:
        # what is used stays longest; a folder that is read-only has no use for this
        with contextlib.suppress(OSError):
            os.utime(path)
    return data


def _check_folder(path: str, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise CacheError(f"{path} is not a folder")
    _check_owner(path, status)


def _check_owner(path: str, status: os.stat_result) -> None:
    """Raise CacheError where others may write: what is in the cache is run."""
    if not hasattr(os, "getuid"):
        # Windows tells nothing with these numbers
        return
    if status.st_uid != os.getuid():
        raise CacheError(f"{path} belongs to another user")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheError(f"{path} may be written by other users (chmod go-w changes that)")


# writing


def _keep(place: str, path: str, data: bytes) -> None:
    """Write an entry, in a folder that is made where it is missing."""
    inner = os.path.dirname(path)
    for attempt in range(ATTEMPTS):
        try:
            _prepare(place, os.stat)
            _prepare(inner, os.lstat)
            write_whole(path, data, mode=0o600)
            _tidy(inner, path)
            return
        except FileNotFoundError:
            if attempt == ATTEMPTS - 1:
                raise


def _prepare(path: str, status_of: Callable[[str], os.stat_result]) -> None:
    try:
        status = status_of(path)
    except FileNotFoundError:
        _make(path)
        status = status_of(path)
    _check_folder(path, status)


def _make(path: str) -> None:
    """Make a folder and those that it is in, for this user only, whatever the umask is."""
    parent = os.path.dirname(path)
    if parent != path and not os.path.isdir(parent):
        _make(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        # another process was faster; whose folder it is will be checked
        return
    os.chmod(path, 0o700)


def _tidy(inner: str, kept: str) -> None:
    """Remove what killed processes left in a folder, and its oldest entries where there are too many."""
    names = os.listdir(inner)
    for name in names:
        path = os.path.join(inner, name)
        if name.endswith(".tmp") and re.fullmatch(TEMPORARY, name) and _modified(path) < time.time() - HOUR:
            _remove(path)
    if len(names) > MOST_IN_FOLDER:
        entries = [os.path.join(inner, name) for name in names if re.fullmatch(ENTRY, name)]
        if len(entries) > MOST_IN_FOLDER:
            oldest = sorted((_modified(path), path) for path in entries if path != kept)
            for _, path in oldest[: len(entries) - MOST_IN_FOLDER * 3 // 4]:
                _remove(path)


def _modified(path: str) -> float:
    """Return the time of a file; one that another process has removed counts as new."""
    try:
        return os.lstat(path).st_mtime
    except FileNotFoundError:
        return math.inf


def _remove(path: str) -> bool:
    """Remove a file and tell whether it was still there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


# the folder as a whole


def _folders(place: str) -> list[str]:
    """Return the folders that entries lie in."""
    folders = [os.path.join(place, name) for name in sorted(_names(place)) if re.fullmatch(FOLDER, name)]
    return [each for each in folders if os.path.isdir(each) and not os.path.islink(each)]


def _ours(place: str) -> Iterator[tuple[str, os.stat_result]]:
    """Give the files that the cache has made."""
    for inner in _folders(place):
        for name in _names(inner):
            entry = re.fullmatch(ENTRY, name)
            if re.fullmatch(TEMPORARY, name) or (entry and entry[1] == os.path.basename(inner)):
                path = os.path.join(inner, name)
                # another process may remove it meanwhile
                with contextlib.suppress(FileNotFoundError):
                    status = os.lstat(path)
                    if stat.S_ISREG(status.st_mode):
                        yield path, status


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []


@contextlib.contextmanager
def _problems_of_the_folder() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(f"can't use the cache's folder: {error.filename}: {error.strerror}") from None


def _warn(place: str, error: CacheError | OSError) -> None:
    mine = object()
    # the one step that decides between threads
    if _warned.setdefault(place, mine) is mine:
        reason = error if isinstance(error, CacheError) else f"{place}: {error.strerror}"
        hint = "set FLATGRAD_CACHE_DIR to a folder of your own, or FLATGRAD_CACHE=off"
        warnings.warn(f"the cache is not used: {reason}; {hint}", CacheWarning, stacklevel=1)
