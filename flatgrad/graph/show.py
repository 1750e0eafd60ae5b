"""A graph as text: a line for each node.

In: a graph. Out: text with no more than what is in the graph, the same for the same graph. Layer: above `values`.

    forward
      4  q: float64[n] = matmul(W, x)
    backward
      4  grad_W: float64[n, m] = numpy.outer(grad_q, x)
    return f, grad_W
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flatgrad.graph.size import Size, Symbol, resolved
from flatgrad.graph.values import Constant, Graph, List, Node, Slice, Type, Value


def show(graph: Graph, results: Sequence[Value] = ()) -> str:
    """Return the text of a graph."""
    labels = _Labels()
    parameters = ", ".join(f"{labels.value(value)}: {labels.type(value.type)}" for value in graph.parameters)
    lines = [f"{graph.name}({parameters})", *_lines(graph.nodes, labels, "")]
    if results:
        lines.append("return " + ", ".join(map(labels.value, results)))
    return "\n".join(lines) + "\n"


def _lines(nodes: Sequence[Node], labels: _Labels, indent: str) -> Iterator[str]:
    section = ""
    for node in nodes:
        title = "forward" if node.forward is None else "backward"
        if title != section:
            yield indent + title
            section = title
        place = node.location or (node.forward.location if node.forward is not None else None)
        yield f"{indent}{'' if place is None else place.line:>4}  {labels.node(node)}"
        for body in node.bodies:
            yield f"{indent}      {body.name}({', '.join(map(labels.value, body.parameters))})"
            yield from _lines(body.nodes, labels, indent + "      ")
            yield f"{indent}      return {', '.join(map(labels.value, body.results))}"


class _Labels:
    """Names for values and sizes: their own, or a number in the order in which they are met."""

    def __init__(self) -> None:
        self._values: dict[Value, str] = {}
        self._taken: set[str] = set()
        self._symbols: dict[Symbol, str] = {}

    def value(self, value: Value) -> str:
        if isinstance(value, Constant) and value.name is None:
            return value.text or repr(value.number)
        if value not in self._values:
            self._values[value] = self._free_label(value)
            self._taken.add(self._values[value])
        return self._values[value]

    def _free_label(self, value: Value) -> str:
        if value.primal is not None:
            wanted = "grad_" + self.value(value.primal).removeprefix("%")
        elif value.name is not None:
            wanted = value.name
        else:
            return f"%{len(self._values)}"
        return wanted if wanted not in self._taken else f"{wanted}%{len(self._values)}"

    def node(self, node: Node) -> str:
        texts = [
            self._item(item) if k < node.positional else f"{name}={self._item(item)}"
            for k, (name, item) in enumerate(node.arguments.items())
        ]
        outputs = ", ".join(f"{self.value(value)}: {self.type(value.type)}" for value in node.outputs)
        form = f"  # {node.recognised.words}" if node.recognised is not None and node.recognised.words else ""
        return f"{outputs}{' = ' if outputs else ''}{_name_of(node.function)}({', '.join(texts)}){form}"

    def _item(self, item: Any) -> str:
        if isinstance(item, Value):
            return self.value(item)
        if isinstance(item, List):
            return f"[{', '.join(map(self._item, item))}]"
        if isinstance(item, tuple):
            return f"({', '.join(map(self._item, item))}{',' * (len(item) == 1)})"
        if isinstance(item, Slice):
            return ":".join("" if part is None else self._item(part) for part in (item.start, item.stop, item.step))
        return repr(item)

    def type(self, type: Type) -> str:
        if type.weak or not type.rank:
            return str(type)
        return f"{type.dtype}[{', '.join(map(self._size, type.shape))}]"

    def _size(self, size: Size) -> str:
        size = resolved(size)
        if isinstance(size, int):
            return str(size)
        text = ""
        for monomial, coefficient in size.terms:
            factors = [str(coefficient)] * (coefficient != 1 or not monomial) + list(map(self._symbol, monomial))
            text += " + " * bool(text) + "*".join(factors)
        return text

    def _symbol(self, symbol: Symbol) -> str:
        return symbol.name or self._symbols.setdefault(symbol, f"s{len(self._symbols)}")


def _name_of(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__name__", repr(function))
    return name if module in ("", "_operator", "builtins") else f"{module}.{name}"
