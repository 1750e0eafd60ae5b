"""Writes nodes into a graph, working out the type of each result on the way.

In: functions and their arguments. Out: nodes, in order, with typed values. Layer: above `infer` and the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flatgrad.binding import bound
from flatgrad.graph.containers import leaves, mapped, results_named
from flatgrad.graph.regions import REGIONS
from flatgrad.graph.values import Graph, Location, Node, Statement, Type, Value, packed
from flatgrad.infer import infer
from flatgrad.registry import Record, lookup
from flatgrad.rules.creation import known_result

# arguments whose values may be found out at run time; all others decide what code is written
DYNAMIC_ATTRIBUTES = frozenset({"index", "shape", "indices", "like", "where"})


class StaticNeeded(Exception):
    """An argument that decides what code is written is not known when the code is written."""

    def __init__(self, name: str, value: Value) -> None:
        self.name = name
        self.value = value
        # where the value stands in the arguments of the function that is differentiated
        self.place: str | None = None
        super().__init__(f"the argument `{name}` has to be known when the code is written")


def _without_defaults(record: Record, arguments: dict[str, Any], positional: int) -> dict[str, Any]:
    """Leave out what a rule passes on by name and what is so anyhow, so that the call is the one that users write."""
    if record.gradient is None:
        return arguments
    defaults = {p.name: p.default for p in record.parameters if p.default is None or isinstance(p.default, bool)}
    return {
        name: argument
        for k, (name, argument) in enumerate(arguments.items())
        if k < positional or name in record.inputs or name not in defaults or argument is not defaults[name]
    }


class Builder:
    """Appends to `graph`. What is set in `statement` and `forward` is noted in every node that is made.

    `content` returns what an array holds now, where the program has changed it since it was made.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.content: Callable[[Value], Value] | None = None
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
        if self.forward is not None:
            arguments = _without_defaults(record, arguments, positional)
        arguments = self._now(arguments)
        self._require_static(record, arguments)
        inputs, call = packed(arguments)
        types = infer(record, function, arguments, positional, (inputs, call))
        node = self._appended(Node(function, inputs, call, location=location, form=form, positional=positional))
        if isinstance(types, list):
            node.outputs = tuple([Value(type, node=node) for type in types])
            node.in_list = len(types) == 1
            return results_named(record.results)(node.outputs) if record.results else node.outputs
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
        inputs, call = packed(arguments if function in REGIONS else self._now(arguments))
        node = self._appended(Node(function, inputs, call, location=location, form=form, positional=positional))
        node.outputs = tuple([Value(type, node=node) for type in types])
        return node

    def repeated(self, node: Node, now: Mapping[Value, Value]) -> Node:
        """Append a node once more, with other values in the place of some of its inputs."""
        inputs = tuple([now.get(value, value) for value in node.inputs])
        again = Node(node.function, inputs, node.call, form=node.form, positional=node.positional, bodies=node.bodies)
        again.location, again.in_list = node.location, node.in_list
        again.outputs = tuple([Value(value.type, value.name, node=again, known=value.known) for value in node.outputs])
        return self._appended(again)

    def _now(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments with what the arrays in them hold now."""
        content = self.content
        if content is None:
            return dict(arguments)
        now = lambda leaf: content(leaf) if isinstance(leaf, Value) else leaf  # noqa: E731
        return {name: mapped(argument, now) for name, argument in arguments.items()}

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
            if name in inputs or name in DYNAMIC_ATTRIBUTES or name in record.dynamic:
                continue
            # numbers in a tuple may be sizes and places; a real number has a derivative, which would be lost
            for leaf in leaves(argument):
                if type(leaf) is Value and (leaf is argument or leaf.dtype.kind in "fc"):
                    raise StaticNeeded(name, leaf)
