"""Classes of a file that hold nothing but constants: enumerations, and named tuples made by a call.

In: the class as it stands in the file, or the arguments of the call. Out: a class object, which running the file would have
made as well. Layer: `frontend`, above `static_classes`.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.static_classes import FileClass
from flatgrad.frontend.static_objects import StaticFunction

NAMED_TUPLES = ("collections.namedtuple", "typing.NamedTuple")
# what the members of an enumeration may be, too: ``class Mode(str, Enum)``
MIXED_IN = (str, int, float)
# the module that the classes are said to be of: they are the user's
MODULE = "__main__"


def enumeration(kind: FileClass) -> Any:
    """Return the enumeration that a class is; another class as it is. Raises NameUnknown."""
    try:
        bases = kind.bases
    except NameUnknown:
        # what it inherits from is told where that is asked for
        return kind
    enumerations = [base for base in bases if isinstance(base, type) and issubclass(base, enum.Enum)]
    mixed_in = [base for base in bases if base in MIXED_IN]
    if not enumerations:
        return kind
    members = {name: enum.auto() if kind.is_call(name, "enum.auto") else kind.own(name) for name in kind.held}
    methods = [name for name, member in members.items() if isinstance(member, StaticFunction | property | staticmethod)]
    if methods or len(bases) > len(mixed_in) + 1 or len(mixed_in) > 1:
        message = f"the enumeration `{kind.name}` has methods, or several bases"
        raise NameUnknown(message, "write its methods as functions")
    made: Any = enumerations[0]
    return made(kind.name, list(members.items()), module=MODULE, type=mixed_in[0] if mixed_in else None)


def named_tuple(arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Return the class that a call of collections.namedtuple or typing.NamedTuple makes. Raises NameUnknown."""
    try:
        name, fields = arguments
        if not isinstance(fields, str):
            fields = [field[0] if isinstance(field, tuple) else field for field in fields]
        return collections.namedtuple(name, fields, module=MODULE, **options)
    except (TypeError, ValueError) as error:
        raise NameUnknown(f"this is not a class of named tuples: {error}") from None
