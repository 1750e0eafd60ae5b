"""From emitted source to functions that run, with their source in tracebacks, pdb, profilers and `inspect.getsource`.

In: an emitted module's text. Out: its functions. Layer: above `emit`, below `api`.
"""

from __future__ import annotations

import hashlib
import linecache
from typing import Any


def built(text: str, name: str) -> dict[str, Any]:
    """Return the names that the emitted module defines. The same text gives the same file name."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    filename = f"<flatgrad {name} {digest}>"
    # an entry without a time is never checked against a file
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"__name__": f"flatgrad.emitted.{name}", "__file__": filename}
    exec(compile(text, filename, "exec"), namespace)
    return namespace
