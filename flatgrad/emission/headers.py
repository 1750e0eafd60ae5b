"""The headers of loops: as the user wrote them in the forward pass, and from the last turn to the first in the backward pass.

In: a loop and its region. Out: the text of a header, and how the backward pass writes the counter and the rows. Layer: emission,
above `tapes`, below `blocks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flatgrad.emission.expressions import Printer
from flatgrad.emission.keeping import FROM_THE_END, IN_REVERSE, Region, counts_turns, mode_of
from flatgrad.emission.literals import ATOM, PRODUCT, SUM
from flatgrad.emission.names import Names
from flatgrad.emission.tapes import Tapes, shifted
from flatgrad.graph.regions import LoopParts
from flatgrad.graph.size import equal
from flatgrad.graph.values import Constant, Node, Value


class Span(NamedTuple):
    """The names of the first turn of some, and of the first one behind them."""

    start: str
    stop: str


class Headers:
    """Writes headers with a printer, which learns the names that they give.

    `span` limits the backward pass of one loop, `span_of`, to some turns.
    """

    def __init__(self, printer: Printer, names: Names) -> None:
        self.printer = printer
        self.names = names
        self.span: Span | None = None
        self.span_of: Region | None = None
        # counters of turns, and those of the loops around what is being written
        self._counters: list[str] = []
        self._numbers: dict[Node, str] = {}
        self._open: list[str] = []

    def _text(self, item: Any) -> str:
        return self.printer.item(item)[0]

    # the forward pass

    def forward(self, node: Node, condition: str | None) -> str:
        """Return the header of a loop in the forward pass."""
        parts = LoopParts(node)
        if condition is not None:
            return f"while {condition}:"
        if parts.header is None or parts.header[0] == "forever" or len(node.bodies) > 1:
            return f"while {self.printer.spelling.builtin('True')}:"
        read = {value for body in node.bodies for each in body.nodes for value in each.inputs}
        read.update(node.bodies[0].results)
        names = iter([self._element(element, is_read=element in read) for element in parts.elements])
        return f"for {_target(parts.header, names)} in {self._iterable(parts.header)}:"

    def counted(self, node: Node, condition: str | None) -> tuple[str, str]:
        """Return the header of a loop in the forward pass with a counter of its turns, and the counter's name; "" for `while`."""
        parts = LoopParts(node)
        header = self.forward(node, condition)
        if condition is not None or parts.header is None or parts.header[0] == "forever":
            return header, ""
        counter, first = _counter(parts)
        if counter is not None and first == 0:
            named = counter.name not in (None, "_")
            name = self.names.name(counter) if named else self._numbers.pop(node, "") or self._fresh_counter()
            self.printer.name(counter, name)
            _, _, iterable = header.partition(" in ")
            _, comma, others = header.partition(" in ")[0].partition(", ")
            return f"for {name}{comma}{others} in {iterable}", name
        name = self._numbers.pop(node, "") or self._fresh_counter()
        target, _, iterable = header.removeprefix("for ").removesuffix(":").partition(" in ")
        target = f"({target})" if "," in target else target
        return f"for {name}, {target} in {self.printer.spelling.builtin('enumerate')}({iterable}):", name

    def turns(self, node: Node) -> str:
        """Return the text of how many turns a loop over a range or rows has."""
        word, *parts = LoopParts(node).header
        if word == "rows":
            return f"{self.printer.spelling.builtin('len')}({self._text(parts[0])})"
        if _number(parts[0]) == 0 and _number(parts[2]) == 1:
            return self._text(parts[1])
        numbers = [_number(part) for part in parts]
        if all(isinstance(number, int) for number in numbers):
            return str(len(range(*numbers)))
        return f"{self.printer.spelling.builtin('len')}({self._range(parts)})"

    def turn(self, node: Node) -> str:
        """Return the name of the number of a turn in the forward pass of a loop, counted from 0."""
        counter, first = _counter(LoopParts(node))
        if counter is not None and first == 0 and counter.name not in (None, "_"):
            return self.names.name(counter)
        return self._numbers.setdefault(node, self._fresh_counter())

    def again(self, region: Region, tapes: Tapes, span: Span) -> tuple[str, list[str]]:
        """Return the header of a loop that runs some turns again, and the lines that find its rows."""
        assert region.node is not None
        parts = LoopParts(region.node)
        read = {value for node in region.graph.nodes if node.forward is None for value in node.inputs}
        read |= {parts.turn} & region.reads.keys() | set(region.graph.results)
        counter, first = _counter(parts) if counts_turns(region) else (None, 0)
        counter = counter if first == 0 else None
        named = counter is not None and counter.name not in (None, "_")
        name = self.names.name(counter) if named and counter is not None else self._fresh_counter()
        self.printer.name(parts.turn, name)
        lines = self._elements(region, name, 0, counter, tapes, dict.fromkeys(read, 2))
        shown = name if lines or named else self.names.unread()
        return f"for {shown} in {self.printer.spelling.builtin('range')}({span.start}, {span.stop}):", lines

    def _element(self, element: Value, *, is_read: bool) -> str:
        if element.name in (None, "_") and not is_read:
            return self.names.unread()
        name = self.names.name(element)
        self.printer.name(element, name)
        return name

    def _iterable(self, header: Any) -> str:
        word, *parts = header
        if word == "rows":
            return self._text(parts[0])
        if word == "range":
            return self._range(parts)
        called = self.printer.spelling.builtin(word)
        if word == "enumerate":
            first = "" if _number(parts[1]) == 0 else f", {self._text(parts[1])}"
            return f"{called}({self._iterable(parts[0])}{first})"
        return f"{called}({', '.join(map(self._iterable, parts))})"

    def _range(self, parts: list[Any]) -> str:
        start, stop, step = parts
        given = [start, stop, step] if _number(step) != 1 else [start, stop] if _number(start) != 0 else [stop]
        return f"{self.printer.spelling.builtin('range')}({', '.join(map(self._text, given))})"

    # the backward pass

    def backward(self, region: Region, tapes: Tapes) -> tuple[str, list[str]]:
        """Return the header of a loop in the backward pass, and the lines that find the rows and what was kept."""
        assert region.node is not None
        parts = LoopParts(region.node)
        mode = mode_of(region)
        if mode == IN_REVERSE:
            names, lists = tapes.in_reverse(region, self.printer)
            reverse = [f"{self.printer.spelling.builtin('reversed')}({name})" for name in lists]
            together = (
                reverse[0] if len(lists) == 1 else f"{self.printer.spelling.builtin('zip')}({', '.join(reverse)})"
            )
            self._open.append("")
            return f"for {', '.join(names)} in {together}:", []
        counter, first = _counter(parts) if counts_turns(region) else (None, 0)
        span = self.span if region is self.span_of else None
        if span is not None and first:
            counter, first = None, 0
        read = any(value in region.reads for value in (parts.turn, *parts.elements))
        if not read and (mode == FROM_THE_END or not region.kept):
            name = self.names.unread()
        elif counter is not None and counter.name not in (None, "_"):
            name = self.names.name(counter)
        else:
            name = self._fresh_counter()
        self._open.append(name)
        self.printer.texts[parts.turn] = shifted(name, first, 0), ATOM if not first else SUM
        lines = self._elements(region, name, first, counter, tapes, region.reads)
        index = (name, first) if span is None else (f"{name} - {span.start}", 0)
        lines += tapes.read(region, self.printer, index)
        turns = self._range_of_turns(region, counter, first, tapes)
        return f"for {name} in {self.printer.spelling.builtin('reversed')}({turns}):", lines

    def _fresh_counter(self) -> str:
        """Return a name for the counter of a loop: that of an earlier one may be used again behind it."""
        name = next((name for name in self._counters if name not in self._open), None) or self.names.fresh("k")
        if name not in self._counters:
            self._counters.append(name)
        return name

    def leave(self) -> None:
        """Note that the loop whose header was written last is at its end."""
        self._open.pop()

    def _range_of_turns(self, region: Region, counter: Value | None, first: int, tapes: Tapes) -> str:
        assert region.node is not None
        header = LoopParts(region.node).header
        called = self.printer.spelling.builtin("range")
        if self.span is not None and region is self.span_of:
            return f"{called}({self.span.start}, {self.span.stop})"
        if not counts_turns(region):
            return f"{called}({tapes.turns(region)})"
        if counter is not None and header[0] == "range":
            return self._range(header[1:])
        return f"{called}({self.count(header)})"

    def _elements(
        self,
        region: Region,
        name: str,
        first: int,
        counter: Value | None,
        tapes: Tapes,
        reads: Mapping[Value, int],
    ) -> list[str]:
        """Let the counters and rows be written as what they are at a turn, and return the lines for rows read often."""
        assert region.node is not None
        parts = LoopParts(region.node)
        turn = self.printer.texts[parts.turn][0]
        lines = []
        for word, given, turned, element in parts.sources:
            if element not in reads:
                continue
            if element is counter:
                self.printer.name(element, name)
                continue
            if word == "rows":
                at = f"-1 - {turn}" if turned else turn
                text, precedence = f"{self.printer.operand(given[0], ATOM)}[{at}]", ATOM
            else:
                text, precedence = self._counted(word, given, turned, parts.turn)
            if reads[element] > 1:
                local = tapes.local_name(element)
                lines.append(f"{local} = {text}")
                text, precedence = local, ATOM
            self.printer.texts[element] = text, precedence
        return lines

    def _counted(self, word: str, given: Any, turned: bool, turn: Value) -> tuple[str, int]:
        """Return the text of a counter at a turn."""
        start, *rest = given
        if turned:
            # a range from its end: its elements can be looked up
            return f"{self._range(given)}[-1 - {self.printer.operand(turn, SUM + 1)}]", ATOM
        step = rest[1] if word == "range" else 1
        text, precedence = self.printer.item(turn)
        if _number(step) != 1:
            text, precedence = (
                f"{self.printer.operand(step, PRODUCT)} * {self.printer.operand(turn, PRODUCT + 1)}",
                PRODUCT,
            )
        if _number(start) != 0:
            text, precedence = f"{self._text(start)} + {text}", SUM
        return text, precedence

    def count(self, header: Any) -> str:
        """Return the text of the number of turns that a header gives."""
        word, *parts = header
        if word == "rows":
            return f"{self.printer.spelling.builtin('len')}({self._text(parts[0])})"
        if word == "range":
            if _number(parts[0]) == 0 and _number(parts[2]) == 1:
                return self._text(parts[1])
            return f"{self.printer.spelling.builtin('len')}({self._range(parts)})"
        if word in ("enumerate", "reversed"):
            return self.count(parts[0])
        sizes = [_size(part) for part in parts]
        if all(size is not None and equal(size, sizes[0]) for size in sizes):
            return self.count(parts[0])
        return f"{self.printer.spelling.builtin('min')}({', '.join(map(self.count, parts))})"


def _counter(parts: LoopParts) -> tuple[Value | None, int]:
    """Return the element of a header that counts the turns, and its first number; None where none does."""
    word, *given = parts.header
    if word == "range" and isinstance(_number(given[0]), int) and _number(given[2]) == 1:
        return parts.elements[0], _number(given[0])
    if word == "enumerate" and _number(given[1]) == 0:
        return parts.elements[0], 0
    return None, 0


def _number(item: Any) -> Any:
    """Return the number that an item is when the code is written, else None."""
    if isinstance(item, Constant):
        return item.number if item.name is None else None
    return item if isinstance(item, int) else None


def _size(header: Any) -> Any:
    word, *parts = header
    if word == "rows":
        return parts[0].shape[0]
    if word == "range":
        stop = parts[1]
        known = stop.known if isinstance(stop, Value) else stop
        return known if _number(parts[0]) == 0 and _number(parts[2]) == 1 else None
    return _size(parts[0]) if word in ("enumerate", "reversed") else None


def _target(header: Any, names: Iterator[str], *, inside: bool = False) -> str:
    """Return the text of a loop's target: a name for each element, in the tuples that the header gives."""
    word, *parts = header
    if word == "enumerate":
        counter = next(names)
        text = f"{counter}, {_target(parts[0], names, inside=True)}"
    elif word == "zip":
        text = ", ".join([_target(part, names, inside=True) for part in parts])
        text += "," * (len(parts) == 1)
    elif word == "reversed":
        return _target(parts[0], names, inside=inside)
    else:
        return next(names)
    return f"({text})" if inside else text
