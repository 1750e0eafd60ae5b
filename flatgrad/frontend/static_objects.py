"""What names of a file stand for where the file is read and not run: functions, closures, modules, partials.

Layer: `frontend`, above `source`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from flatgrad.frontend.source import Names, Source


@dataclass(frozen=True, slots=True)
class StaticFunction:
    """A function that is known by its `def` or lambda in a file, which has not been run.

    `names` are those of the file. `bare` leaves out what its decorators do. `owner` is the class that it is a method of.
    """

    name: str
    source: Source
    syntax: cst.FunctionDef
    names: Names | None = field(default=None, compare=False, repr=False)
    bare: bool = False
    owner: StaticClass | None = field(default=None, compare=False, repr=False)

    @property
    def __name__(self) -> str:
        """The name that the function object would have."""
        return "<lambda>" if self.source.is_lambda(self.syntax) else self.name

    @property
    def full_name(self) -> str:
        """The name of the function object with that of its class."""
        return self.__name__ if self.owner is None else f"{self.owner.name}.{self.__name__}"


@dataclass(frozen=True, eq=False, slots=True)
class StaticCall:
    """What a call at the top level of a file makes, such as a closure: ``double = scaled_by(2)``. It has not been run."""

    name: str
    source: Source
    syntax: cst.BaseExpression
    names: Names


class StaticModule(ABC):
    """A module of the user's project, which has not been run."""

    @abstractmethod
    def member(self, name: str) -> object:
        """Return what a name stands for in it. Raises NameUnknown."""


class StaticClass(StaticModule):
    """A class of the user's, which has not been made. `mro` are the classes in which its attributes are looked for."""

    name: str
    # whether nothing can change the attributes of its objects
    is_frozen: bool = False

    @abstractmethod
    def instance(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what a call of the class makes, where its fields tell all of that. Raises NameUnknown."""

    @property
    @abstractmethod
    def mro(self) -> tuple[Any, ...]: ...

    @abstractmethod
    def own(self, name: str) -> Any:
        """Return what the class itself holds under a name, as `vars` of a class object does. Raises NameUnknown."""


@dataclass(frozen=True, eq=False, slots=True)
class Partial:
    """A functools.partial that is made where nothing is run: in a file, or inside of the function being read."""

    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
