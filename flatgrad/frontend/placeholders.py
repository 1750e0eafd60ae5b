"""What stands among the variables of a function where there is no value, and what ends the reading of a piece of it.

In: nothing. Out: marks, names that no variable can have, and exceptions that the readers of statements and blocks catch.
Layer: bottom of `frontend`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOTHING = object()
# stands for the result of a path that ends in a `raise`
RAISED = object()

# what a path through the function has done, among its variables: names that no variable can have
LEFT, RETURNED, BROKE, DONE, RESULT = "left?", "returned?", "broke?", "done?", "return value"
# what an expression gives on one side of a branch
ITEM = "item?"


class Unfinished:
    """Stands for a variable whose assignment could not be read, so that one mistake is reported once."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An attribute of an object that is not read; whether it is a method shows where it is used."""

    owner: Any
    name: str


class Poisoned(Exception):
    """Ends the reading of a statement that uses an unfinished variable."""


class Postponed(Poisoned):
    """Ends the reading of a statement in a loop that needs what is behind it: the loop is read again."""


class ItemsNeeded(Exception):
    """Ends the reading of a function where a list that grows in a loop is used in a way that needs its items one by one."""
