"""Classes of the user's whose objects are written out: how an object is made of its attributes, and where the class is from.

In: a class, or what stands for it where the file is not run. Out: answers. Layer: bottom of `emission`.
"""

from __future__ import annotations

import sys
from typing import Any

from flatgrad.frontend.classes import dataclass_option, fields, held_by, is_tuple, makes_from_fields
from flatgrad.frontend.project import module_name
from flatgrad.frontend.static_classes import MISSING, FileClass


def is_named_tuple(kind: Any) -> bool:
    """Tell whether objects of a class are named tuples."""
    return is_tuple(kind)


def is_plain_dataclass(kind: Any) -> bool:
    """Tell whether an object of a class can be made anew from its fields alone, and is nothing else."""
    if not makes_from_fields(kind):
        return False
    if any(held_by(kind, name)[0] is not MISSING for name in ("__post_init__", "__new__", "__setattr__")):
        return False
    return all(field.init and field.stored for field in fields(kind))


def refuses_assignments(kind: Any) -> bool:
    """Tell whether a class decides itself what an assignment to an attribute does, as frozen dataclasses do."""
    return dataclass_option(kind, "frozen") or held_by(kind, "__setattr__")[0] is not MISSING


def home_of(kind: Any) -> tuple[str, str] | None:
    """Return the module and the name that a class can be imported by; None where it can't be."""
    if isinstance(kind, FileClass):
        return module_name(kind.names.source.file), kind.name
    module, name = kind.__module__, kind.__qualname__
    if module == "__main__" or getattr(sys.modules.get(module), name, None) is not kind:
        return None
    return module, name
