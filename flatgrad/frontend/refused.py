"""What is not read: how each such syntax class is called in messages, and what to write instead. Layer: bottom of `frontend`."""

from __future__ import annotations

# what a refused syntax class is called, and what to write instead
REFUSED: dict[str, tuple[str, str]] = {
    "With": ("a `with` block", "move it out of the function"),
    "Try": ("a `try` statement", "move it out of the function"),
    "TryStar": ("a `try` statement", "move it out of the function"),
    "ClassDef": ("a class inside the function", "move it out of the function"),
    "Raise": ("`raise`", "check the arguments before the call, or use assert"),
    "Del": ("`del`", "leave it out"),
    "Import": ("an import inside the function", "move it to the top of the file"),
    "ImportFrom": ("an import inside the function", "move it to the top of the file"),
    "Global": ("`global`", "return the value instead"),
    "Nonlocal": ("`nonlocal`", "return the value instead"),
    "DictComp": ("a dict comprehension", "name each array by itself"),
    "SetComp": ("a set comprehension", "name each array by itself"),
    "Dict": ("a dict", "name each array by itself"),
    "Set": ("a set", "use a tuple"),
    "Await": ("`await`", "compute before the call"),
    "Yield": ("`yield`", "return the value instead"),
    "TypeAlias": ("a `type` statement", "move it to the top of the file"),
    "StarredElement": ("a starred element", "write the elements one by one"),
    "ConcatenatedString": ("a string in several pieces", "write it in one piece"),
    "TemplatedString": ("a template string", "use an f-string"),
}
