"""Names for the values that have a line: the user's own, `grad_<name>` for gradients, those of a rule for its steps, or `t0`, `t1`, ...

In: values in the order of their lines. Out: a name for each, none taken twice. Layer: above `lines`.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable

from flatgrad.emission.lines import PLACING
from flatgrad.graph.regions import edited
from flatgrad.graph.values import Node, Value


class Names:
    """Gives names. The names in `reserved` belong to the module, those in `wished` to variables of the user."""

    def __init__(self, reserved: Iterable[str], wished: Iterable[str]) -> None:
        self.reserved = set(reserved)
        self.wished = set(wished)
        self.taken: set[str] = set()
        self.of: dict[Value, str] = {}
        self.variable_of: Callable[[Value], Value] = lambda value: value
        self._primals: dict[Value, str] = {}
        self._temporaries = 0
        self._saved = 0
        self._orders: dict[str, int] = {}

    def parameter(self, value: Value, name: str) -> None:
        """Give a parameter the name that callers use."""
        self.of[value] = name
        self.taken.add(name)

    def name(self, value: Value) -> str:
        """Return the name of a value; it gets one if it has none."""
        variable = self.variable_of(value)
        if variable is not value:
            self.of[value] = self.name(variable)
        if value not in self.of:
            if value.primal is not None:
                wanted = self._free("grad_" + self._primal_name(value.primal), wished=False)
            elif value.node is not None and value.node.function in PLACING:
                # what comes back from elements of a variable is a part of its gradient
                whole = value.part_of or value.node.arguments["like"]
                wanted = self._free(f"grad_{self._primal_name(whole)}_part", wished=False)
            elif value.part_of is not None and value.node is not None and _has_parts(value.node):
                wanted = self._free(f"grad_{self._primal_name(value.part_of)}_part", wished=False)
            elif value.name is not None:
                wanted = self._free(value.name, wished=True)
            else:
                wanted = self._primals.pop(value, "") or self._step(value)
            self.of[value] = wanted
            self.taken.add(wanted)
        return self.of[value]

    def fresh(self, name: str) -> str:
        """Return a name that nothing has yet: this one, or one like it."""
        free = self._free(name, wished=False)
        self.taken.add(free)
        return free

    def fresh_variable(self, name: str) -> str:
        """Return the name of a variable of the user's, or one like it where another has it."""
        free = self._free(name, wished=True)
        self.taken.add(free)
        return free

    def unread(self) -> str:
        """Return a name for what nothing reads."""
        return "_" if "_" not in self.taken else self.fresh("unread")

    def is_gradient_name(self, gradient: Value, source: Value) -> bool:
        """Tell whether a value has the name already that a gradient is to have."""
        primal = gradient.primal
        return primal is not None and self.of.get(source) == "grad_" + self._primal_name(primal)

    def saved(self, value: Value) -> str:
        """Return a name for what a call keeps for its backward pass."""
        if value not in self.of:
            while (name := f"saved{self._saved}") in self.taken or name in self.reserved or name in self.wished:
                self._saved += 1
            self.of[value] = name
            self.taken.add(name)
        return self.of[value]

    def _primal_name(self, primal: Value) -> str:
        """Return the name that a gradient is called after, whether or not that value has a line."""
        if primal in self.of:
            return self.of[primal]
        if primal.name is not None:
            return primal.name
        if primal not in self._primals:
            self._primals[primal] = self._step(primal)
        return self._primals[primal]

    def _step(self, value: Value) -> str:
        """Return the name that a rule has for its step; that of a gradient only where no variable has it."""
        variable = (value.called or "").removeprefix("grad_")
        if value.called is None or (variable != value.called and variable in self.wished | self.taken):
            return self._temporary()
        return self._free(value.called, wished=False)

    def _temporary(self) -> str:
        while True:
            name = f"t{self._temporaries}"
            self._temporaries += 1
            if name not in self.taken and name not in self.wished and name not in self.reserved:
                return name

    def _free(self, name: str, *, wished: bool) -> str:
        """Return the name, or the name with the next number that is free."""
        order = 1
        free = name
        while (
            free in self.taken
            or free in self.reserved
            or keyword.iskeyword(free)
            or (free in self.wished and not (wished and order == 1))
        ):
            order = self._orders.get(name, 1) + 1 if order == 1 else order + 1
            free = f"{name}_{order}"
        self._orders[name] = order
        return free


def _has_parts(node: Node) -> bool:
    """Tell whether what a node makes is called after the value whose gradient it is a part of."""
    edits = node.forward is not None and node.forward.function is edited
    return len(node.outputs) > 1 or bool(node.bodies) or edits
