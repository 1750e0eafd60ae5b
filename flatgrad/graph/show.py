"""A graph as text: a line for each node.

In: a graph. Out: text with no more than what is in the graph, the same for the same graph. Layer: above `regions`.

    forward
      4  q: float64[n] = matmul(W, x)
    backward
      4  grad_W: float64[n, m] = numpy.outer(grad_q, x)
    return f, grad_W

The bodies of a branch, loop or call stand below it, indented; behind each parameter stands what it is given, or is at first:

      6  h: float = loop(range(0, n, 1))
           body(turn: int, t: int, h%4: float = h0, W%5: float = W)
             7  h%6: float = mul(W%5, h%4)
           return h%6
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from flatgrad.graph.containers import List, Slice
from flatgrad.graph.regions import FORWARD, REGIONS
from flatgrad.graph.size import Size, Symbol, resolved
from flatgrad.graph.values import Constant, Graph, Node, Type, Value


def show(graph: Graph, results: Sequence[Value] = ()) -> str:
    """Return the text of a graph."""
    labels = _Labels()
    lines = [f"{graph.name}({labels.typed(graph.parameters)})"]
    for backward, nodes in itertools.groupby(graph.nodes, _is_backward):
        lines.append("backward" if backward else "forward")
        lines += _lines(nodes, labels, "")
    if results:
        lines.append(labels.returned(results))
    return "\n".join(lines) + "\n"


def _is_backward(node: Node) -> bool:
    return node.forward is not None


def _lines(nodes: Iterable[Node], labels: _Labels, indent: str) -> Iterator[str]:
    for node in nodes:
        place = node.location or (node.forward.location if node.forward is not None else None)
        yield f"{indent}{'' if place is None else place.line:>4}  {labels.node(node)}"
        if node.function in REGIONS - FORWARD:
            continue  # its part of the bodies is shown below its forward node
        for body in node.bodies:
            yield from _body(body, _given(node), labels, indent + "      ")


def _body(body: Graph, given: Sequence[Any], labels: _Labels, indent: str) -> Iterator[str]:
    yield f"{indent}{body.name}({labels.typed(body.parameters, given)})"
    backward = next((place for place, node in enumerate(body.nodes) if _is_backward(node)), len(body.nodes))
    yield from _lines(body.nodes[:backward], labels, indent)
    yield indent + labels.returned(body.results)
    if body.upstream or body.nodes[backward:]:
        yield f"{indent}backward({labels.typed(body.upstream)})"
        yield from _lines(body.nodes[backward:], labels, indent)
        yield indent + labels.returned(body.gradients)


def _given(node: Node) -> list[Any]:
    """Return what the last parameters of the node's bodies stand for, or stand for at first."""
    if node.function not in FORWARD:
        return []
    arguments = node.arguments
    return [value for name in _GIVEN if name in arguments for value in arguments[name]]


# arguments of branches, loops and calls that are shown with the parameters of the bodies
_GIVEN = ("start", "closed", "arguments")


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

    def typed(self, values: Sequence[Value], given: Sequence[Any] = ()) -> str:
        """Return values with their types; behind the last ones stands what is given for them."""
        texts = [f"{self.value(value)}: {self.type(value.type)}" for value in values]
        for place, item in zip(reversed(range(len(values))), reversed(given), strict=False):
            texts[place] += f" = {self._item(item)}"
        return ", ".join(texts)

    def returned(self, values: Sequence[Value]) -> str:
        return ("return " + ", ".join(map(self.value, values))).rstrip()

    def node(self, node: Node) -> str:
        outputs = self.typed(node.outputs)
        if node.function in FORWARD:
            return f"{outputs}{' = ' if outputs else ''}{node.function.__name__}({self._region(node)})"
        texts = [
            self._item(item) if k < node.positional else f"{name}={self._item(item)}"
            for k, (name, item) in enumerate(node.arguments.items())
        ]
        form = f"  # {node.recognised.words}" if node.recognised is not None and node.recognised.words else ""
        return f"{outputs}{' = ' if outputs else ''}{_name_of(node.function)}({', '.join(texts)}){form}"

    def _region(self, node: Node) -> str:
        """Return the arguments of a branch, loop or call that are not shown with its bodies."""
        texts: list[str] = []
        for name, item in node.arguments.items():
            if name == "header":
                texts += [self._header(item)] * (item is not None)
            elif item is True:
                texts.append(name)
            elif name not in _GIVEN and item is not False:
                texts.append(self._item(item))
        return ", ".join(texts)

    def _header(self, header: Any) -> str:
        if isinstance(header, tuple) and not isinstance(header, List) and header and isinstance(header[0], str):
            word, *parts = header
            return f"{word}({', '.join(map(self._header, parts))})"
        return self._item(header)

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
