"""What classes of the user's hold: class objects, and classes that are known by a file which has not been run.

In: a class, a name. Out: what Python finds under the name by the order of the bases, fields, how objects are made.
Layer: `frontend`, above `static_classes`.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import sys
import types
from functools import lru_cache
from typing import Any, cast

from flatgrad.frontend.source import ForeignObject, NameUnknown
from flatgrad.frontend.static_classes import MISSING, Field, FileClass, fields_of
from flatgrad.frontend.static_objects import StaticClass
from flatgrad.functions.libraries import LIBRARIES
from flatgrad.parts import is_record_class

STANDARD_LIBRARY = os.path.dirname(os.__file__)
# methods that a dataclass gets, which are not in its text
GENERATED_CODE = "<string>"
# bases whose attributes are those that any object has
PLAIN_BASES = (
    "builtins.object", "types.SimpleNamespace", "typing.Generic", "typing.Protocol", "abc.ABC", "typing_extensions.Protocol",
)  # fmt: skip


def is_users_class(kind: Any) -> bool:
    """Tell whether an item is a class that a user has written."""
    return isinstance(kind, StaticClass) or (isinstance(kind, type) and _is_of_the_user(cast(Any, kind)))


@lru_cache(maxsize=1024)
def _is_of_the_user(kind: Any) -> bool:
    if issubclass(kind, BaseException):
        return False
    root = kind.__module__.partition(".")[0]
    if root not in sys.stdlib_module_names:
        return root not in ("flatgrad", *LIBRARIES)
    # a file of the user's may have the name of a module there
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and (not file.startswith(STANDARD_LIBRARY) or "site-packages" in file)


def is_enumeration(kind: Any) -> bool:
    """Tell whether a class has members that stand for themselves."""
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def is_object(item: Any) -> bool:
    """Tell whether something that was found outside of the function is an object of a user's class, made in Python."""
    kind: Any = type(item)
    return is_record_class(kind) and (kind is types.SimpleNamespace or _is_of_the_user(kind))


def name_of(kind: Any) -> str:
    """Return the name of a class."""
    found: str = kind.name if isinstance(kind, StaticClass) else kind.__name__
    return found


def mro_of(kind: Any) -> tuple[Any, ...]:
    """Return the classes in which the attributes of a class are looked for, in order. Raises NameUnknown."""
    if isinstance(kind, StaticClass):
        return kind.mro
    plain = (*PLAIN_BASES, "builtins.tuple") if is_tuple(kind) else PLAIN_BASES
    return tuple(each for each in kind.__mro__ if f"{each.__module__}.{each.__name__}" not in plain)


def is_subclass(kind: Any, other: Any) -> bool:
    """Tell whether a class is another one or inherits from it. Raises NameUnknown."""
    if isinstance(other, types.UnionType):
        return any(is_subclass(kind, each) for each in other.__args__)
    if isinstance(other, ForeignObject) or (isinstance(other, FileClass) and other.is_protocol):
        raise NameUnknown("whether this is an instance can't be told without running the file")
    if isinstance(kind, StaticClass):
        return other is object or any(each is other for each in kind.mro) or (other is tuple and is_tuple(kind))
    return not isinstance(other, StaticClass) and issubclass(kind, other)


def is_tuple(kind: Any) -> bool:
    """Tell whether a class is a named tuple. Raises NameUnknown."""
    if isinstance(kind, FileClass):
        return kind.style == "namedtuple"
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def is_typed_dict(kind: Any) -> bool:
    """Tell whether a class is a TypedDict, whose objects are dicts. Raises NameUnknown."""
    if isinstance(kind, FileClass):
        return kind.style == "typeddict"
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__total__")


def held_by(kind: Any, name: str, behind: Any = None) -> tuple[Any, Any]:
    """Return what a class holds under a name, and the class among its bases that does; MISSING and None for nothing.

    `behind` is the class behind which is looked for it: that of a `super()`. What only Python itself gives is nothing.
    Raises NameUnknown.
    """
    order = mro_of(kind)
    if behind is not None:
        order = order[[each is behind for each in order].index(True) + 1 :]
    for each in order:
        found = each.own(name) if isinstance(each, StaticClass) else vars(each).get(name, MISSING)
        if found is not MISSING and not _is_generated(each, found):
            return found, each
    return MISSING, None


def property_of(kind: Any, name: str) -> property | None:
    """Return the property that decides what an attribute of an object is, whatever the object holds. Raises NameUnknown."""
    for each in mro_of(kind):
        found = each.written(name) if isinstance(each, FileClass) else vars(each).get(name, MISSING)
        if found is not MISSING:
            return found if isinstance(found, property) else None
    return None


def held_names(kind: Any) -> list[str]:
    """Return the names of what a class and its bases hold."""
    return [name for each in mro_of(kind) for name in (each.held if isinstance(each, FileClass) else vars(each))]


def _is_generated(kind: Any, found: Any) -> bool:
    """Tell whether a dataclass or a named tuple has got a method that no one has written."""
    found = found.__func__ if isinstance(found, classmethod) else found
    if isinstance(kind, StaticClass) or not isinstance(found, types.FunctionType):
        return False
    if "_fields" in vars(kind) and found.__code__.co_filename.startswith(("<string>", STANDARD_LIBRARY)):
        return True
    return "__dataclass_fields__" in vars(kind) and not _is_written(found)


def _is_written(function: types.FunctionType) -> bool:
    file = function.__code__.co_filename
    return file != GENERATED_CODE and not file.startswith(STANDARD_LIBRARY)


def is_dataclass(kind: Any) -> bool:
    """Tell whether a class is a dataclass, or inherits from one. Raises NameUnknown."""
    return kind.style == "dataclass" if isinstance(kind, FileClass) else dataclasses.is_dataclass(kind)


def makes_from_fields(kind: Any) -> bool:
    """Tell whether the `__init__` of a class is the one that `dataclass` writes. Raises NameUnknown."""
    for each in mro_of(kind):
        if isinstance(each, FileClass):
            if each.own("__init__") is not MISSING:
                return False
            if each.options is not None and each.options.get("init", True):
                return True
        elif not isinstance(each, StaticClass) and "__init__" in vars(each):
            return _is_generated(each, vars(each)["__init__"])
    return False


def dataclass_option(kind: Any, name: str) -> bool:
    """Return an option of a dataclass, such as "frozen". Raises NameUnknown."""
    if isinstance(kind, FileClass):
        return bool(kind.option(name))
    return bool(getattr(getattr(kind, "__dataclass_params__", None), name, False))


def fields(kind: Any) -> tuple[Field, ...]:
    """Return the fields of a dataclass or named tuple. Raises NameUnknown."""
    if isinstance(kind, FileClass):
        return fields_of(kind)
    if is_tuple(kind):
        defaults = kind._field_defaults
        return tuple(Field(name, default=defaults.get(name, MISSING)) for name in kind._fields)
    return tuple(
        _live_field(each) for each in kind.__dataclass_fields__.values() if _kind_of(each) != "_FIELD_CLASSVAR"
    )


def _kind_of(field: Any) -> str:
    return str(field._field_type)


def _live_field(field: Any) -> Field:
    default = MISSING if field.default is dataclasses.MISSING else field.default
    factory = MISSING if field.default_factory is dataclasses.MISSING else field.default_factory
    stored = _kind_of(field) != "_FIELD_INITVAR"
    keyword_only = bool(field.kw_only)
    return Field(
        field.name, default=default, factory=factory, init=field.init, keyword_only=keyword_only, stored=stored
    )


def refuse_unusual(kind: Any) -> None:
    """Raise NameUnknown for a class whose objects are made in a way that can't be followed."""
    name = name_of(kind)
    if held_by(kind, "__new__")[0] is not MISSING and not is_tuple(kind):
        raise NameUnknown(f"the class `{name}` has a `__new__`, which is not followed", "use `__init__`")
    if isinstance(kind, type):
        metaclass: Any = type(kind)
        if any("__call__" in vars(each) for each in metaclass.__mro__ if each not in (type, object)):
            raise NameUnknown(f"what calling `{name}` does is decided by its metaclass", "use a plain class")
        made_by: Any = kind.__new__
        if made_by is not object.__new__ and not is_tuple(kind) and not _is_generic(kind):
            base = next(each for each in kind.__mro__ if not _is_of_the_user(each) or "__new__" in vars(each))
            raise NameUnknown(
                f"`{name}` inherits from {base.__name__}, which is not followed", "keep it in an attribute"
            )


def _is_generic(kind: type) -> bool:
    return any(each.__module__ == "typing" and each.__name__ in ("Generic", "Protocol") for each in kind.__mro__)


def is_foreign(item: Any, dotted_name: str) -> bool:
    """Tell whether an item stands for something of a module that is not imported."""
    return isinstance(item, ForeignObject) and item.dotted_name == dotted_name
