"""What is not read: how each such syntax class is called in messages, and what to write instead. Layer: bottom of `frontend`."""

from __future__ import annotations

# what a refused syntax class is called, and what to write instead
REFUSED: dict[str, tuple[str, str]] = {
    "TryStar": ("`except*`", "use `except`"),
    "ClassDef": ("a class inside the function", "move it out of the function"),
    "Await": ("`await`", "compute before the call"),
    "Yield": ("`yield`", "return the value instead"),
    "TypeAlias": ("a `type` statement", "move it to the top of the file"),
    "StarredElement": ("a starred element", "write the elements one by one"),
    "TemplatedString": ("a template string", "use an f-string"),
}
