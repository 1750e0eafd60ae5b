"""From emitted source to functions that run, with their source in tracebacks, pdb, profilers and `inspect.getsource`.

In: an emitted module's text. Out: its functions. Layer: above `hashing`.
"""

from __future__ import annotations

import linecache
import weakref
from typing import Any

from flatgrad.hashing import hashed


class _Listing:
    """A text that `linecache` knows for as long as a function of it lives."""

    __slots__ = ("__weakref__", "filename")

    def __init__(self, filename: str, text: str) -> None:
        self.filename = filename
        # an entry without a time is never checked against a file
        entry = linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        weakref.finalize(self, _forget, filename, entry).atexit = False


def _forget(filename: str, entry: object) -> None:
    # by now there may be another listing of the same text
    if linecache.cache.get(filename) is entry:
        del linecache.cache[filename]


_listings: weakref.WeakValueDictionary[str, _Listing] = weakref.WeakValueDictionary()


def built(text: str, name: str, filename: str | None = None) -> dict[str, Any]:
    """Return the names that the emitted module defines.

    Python's tools know the text under the name of the file that holds it, also when that is removed. Without a file the name
    is made from the text: the same text has the same name.
    """
    if filename is None:
        digest = hashed(text.encode())[:12]
        filename = f"<flatgrad {name} {digest}>"
    listing = _listings.get(filename)
    if listing is None:
        listing = _listings[filename] = _Listing(filename, text)
    # functions keep their globals, and so the listing
    namespace: dict[str, Any] = {
        "__name__": f"flatgrad.emitted.{name}",
        "__file__": filename,
        "__listing__": listing,
    }
    exec(compile(text, filename, "exec", dont_inherit=True), namespace)
    return namespace
