"""Writes nodes into a graph, working out the type of each result on the way.

In: functions and their arguments. Out: nodes, in order, with typed values. Layer: above `infer` and the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flatgrad.binding import bound
from flatgrad.graph.values import Graph, Location, Node, Statement, Type, Value, packed
from flatgrad.infer import infer
from flatgrad.registry import Record, lookup
from flatgrad.rules.creation import known_result

# arguments whose values may be found out at run time; all others decide what code is written
DYNAMIC_ATTRIBUTES = frozenset({"index", "shape", "indices", "like"})


class StaticNeeded(Exception):
    """An argument that decides what code is written is not known when the code is written."""

    def __init__(self, name: str, value: Value) -> None:
        self.name = name
        self.value = value
        super().__init__(f"the argument `{name}` has to be known when the code is written")


class Builder:
    """Appends to `graph`. What is set in `statement` and `forward` is noted in every node that is made."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.statement: Statement | None = None
        self.forward: Node | None = None

    def apply(
        self,
        function: Callable[..., Any],
        *args: Any,
        form: str = "",
        location: Location | None = None,
        **kwargs: Any,
    ) -> Any:
        """Append `function(*args, **kwargs)` and return its value, or a tuple of values where it has several.

        Raises ArgumentError, StaticNeeded, SizeMismatch, SizeUnknown, DtypeUnsupported.
        """
        record = lookup(function)
        assert record is not None, function
        arguments, positional = bound(function, record, args, kwargs)
        self._require_static(record, arguments)
        inputs, call = packed(arguments)
        types = infer(record, function, arguments, positional, (inputs, call))
        node = self._appended(Node(function, inputs, call, location=location, form=form, positional=positional))
        if isinstance(types, list):
            node.outputs = tuple([Value(type, node=node) for type in types])
            return node.outputs
        node.outputs = (Value(types, node=node),)
        node.output.known = known_result(function, arguments)
        return node.output

    def node(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        types: Sequence[Type],
        *,
        form: str = "",
        location: Location | None = None,
        positional: int = 1000,
    ) -> Node:
        """Append a node whose types are known."""
        inputs, call = packed(arguments)
        node = self._appended(Node(function, inputs, call, location=location, form=form, positional=positional))
        node.outputs = tuple([Value(type, node=node) for type in types])
        return node

    def _appended(self, node: Node) -> Node:
        node.statement = self.statement
        node.forward = self.forward
        self.graph.nodes.append(node)
        return node

    @staticmethod
    def _require_static(record: Record, arguments: Mapping[str, Any]) -> None:
        if record.gradient is None:
            return
        inputs = record.inputs
        for name, argument in arguments.items():
            if name not in inputs and name not in DYNAMIC_ATTRIBUTES and type(argument) is Value:
                raise StaticNeeded(name, argument)
