"""Copies of arrays that are overwritten, for those who read them later: where they are made, and who reads them.

In: a joint graph, with what reads each array when. Out: the graph with copies. Layer: passes, above `memory`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.values import Graph, Node, Value
from flatgrad.passes.memory import WRITES, Groups, is_view
from flatgrad.passes.rewriting import substitute

# when something is read, as the number of a node, and the node that reads it; None for the caller
Reader = tuple[int, Node | None]


def is_part(value: Value) -> bool:
    """Tell whether a value is a part or another form of an array, and no array of its own."""
    return value.node is not None and is_view(value.node)


class Copies:
    """The copies in one graph. `turns` are the pairs of values before and behind a turn, where it is the body of a loop."""

    def __init__(self, graph: Graph, turns: Sequence[tuple[Value, Value]]) -> None:
        self.graph = graph
        self.turns = turns
        self.nodes = list(graph.nodes)
        self.position = {node: k for k, node in enumerate(self.nodes)}
        self.written = {node.inputs[0] for node in self.nodes if node.function in WRITES}
        self.groups = Groups()
        self.readers: dict[Value, list[Reader]] = {}
        # what came to stand in the place of a result
        self.returned: dict[Value, Value] = {}
        self._before: dict[Node, list[Node]] = {}
        self._behind: dict[Node, list[Node]] = {}
        self._first: list[Node] = []
        self._last: dict[bool, list[Node]] = {False: [], True: []}

    def is_forward(self, value: Value) -> bool:
        """Tell whether a value is one of the forward pass."""
        return value not in self.graph.upstream if value.node is None else value.node.forward is None

    def is_late(self, k: int, reader: Node | None) -> bool:
        """Tell whether something is read behind the forward pass: by a gradient, by a caller, by the backward pass of a body."""
        return reader is None or reader.forward is not None or k > self.position[reader]

    def write_into_copy(self, node: Node, place: int) -> None:
        """Let a write go into a copy of the input with this number."""
        value = node.inputs[place]
        # in the forward pass the elements keep their order in memory
        made = self._copied(value, node, node.forward, in_order=node.forward is None)
        assert made.node is not None
        self._before.setdefault(node, []).append(made.node)
        made.name, made.primal = value.name, value.primal
        node.inputs = (*node.inputs[:place], made, *node.inputs[place + 1 :])
        self.groups.add(made, is_own=True)
        self.groups.note_write(made, backward=node.forward is not None)

    def keep(self, value: Value, write: Node | None, *, at_once: bool = False) -> None:
        """Let what reads a value behind a write, or in the write itself, read a copy of it instead.

        Without a write it is the next turn of a loop that overwrites it. The forward pass goes on reading the array itself: what is
        computed from another layout of its elements may differ in the last bit.
        """
        is_forward = self.is_forward(value)
        is_piece = is_part(value) and value.node in self.position and value not in self.written
        here = -1 if write is None else self.position[write] - at_once
        if is_piece and not is_forward and value.node is not None:
            here = self.position[value.node]
        found = [each for each in self.readers.get(value, ()) if each[0] > here]
        if write is None or self.turns:
            found = [each for each in found if self.is_late(*each)]
        # what leads to the array that is written into stays one with it
        moved = [(k, node) for k, node in found if write is None or node is None or not self._leads_to(node, write)]
        if write is None:
            # what comes out of a turn is what the next one overwrites
            moved = [each for each in moved if each[1] is not None]
        # a sum of elements in another order may differ in the last bit
        in_order = not all(self.is_late(*each) for each in moved)
        made = self._copied(value, write, None if value.node is None else value.node.forward, in_order=in_order)
        assert made.node is not None
        made.node.valid_until, made.node.is_volatile = write, True
        if is_piece and not is_forward:
            made.name, value.name, made.primal, value.primal = value.name, None, value.primal, None
        if write is None or is_piece:
            behind = self._behind.setdefault(value.node, []) if value.node is not None else self._first
            behind.append(made.node)
        else:
            # what keeps it for the backward pass of its body takes it from here
            takers = [node for _, node in moved if node is not None]
            first = min((write, *takers), key=self.position.__getitem__)
            self._before.setdefault(first, []).append(made.node)
        if is_forward and value.name is not None:
            made.name = f"{value.name}_before"
        made.copy_of = value
        self.groups.add(made, is_own=True)
        self._move(moved, value, made)

    def _leads_to(self, node: Node, write: Node) -> bool:
        """Tell whether a node before a write makes a view or a second name of an array, which the write may go through."""
        return is_view(node) and self.position[node] < self.position[write]

    def _move(self, readers: Sequence[Reader], value: Value, made: Value) -> None:
        self.readers[value] = [each for each in self.readers[value] if each not in readers]
        self.readers[made] = list(readers)
        for _, node in readers:
            if node is not None:
                substitute(node, {value: made})
        if any(node is None for _, node in readers):
            self.returned[value] = made
            for values in (self.graph.results, self.graph.gradients):
                values[:] = [made if each is value else each for each in values]

    def _copied(self, value: Value, near: Node | None, forward: Node | None, *, in_order: bool = False) -> Value:
        """Return a copy; `in_order` says that the elements keep their order in memory, which a list has none of."""
        builder = Builder(Graph("copies"))
        builder.forward = forward
        builder.statement = near.statement if near is not None and forward is None else None
        made: Value = builder.apply(np.copy, value, form="" if in_order and not value.type.is_list else "method")
        return made

    def copy_result(self, value: Value, before: Value) -> None:
        """Let a copy go on to the next turn."""
        is_backward = before in self.graph.upstream
        last = self.nodes[-1] if self.nodes else None
        made = self._copied(value, None, last.forward if is_backward and last is not None else None)
        self._last[is_backward].append(made.node)  # type: ignore[arg-type]
        values = self.graph.gradients if is_backward else self.graph.results
        k = next(k for k, (one, _) in enumerate(self._turns_of(is_backward)) if one is before)
        values[k] = made

    def _turns_of(self, is_backward: bool) -> list[tuple[Value, Value]]:
        return [turn for turn in self.turns if (turn[0] in self.graph.upstream) == is_backward]

    def rebuild(self) -> None:
        """Put the copies into the graph."""
        forward = [node for node in self.nodes if node.forward is None]
        last_forward = forward[-1] if forward else None
        nodes = [*self._first]
        if last_forward is None:
            nodes += self._last[False]
        for node in self.nodes:
            nodes += [*self._before.get(node, ()), node, *self._behind.get(node, ())]
            if node is last_forward:
                nodes += self._last[False]
        nodes += self._last[True]
        self.graph.nodes[:] = [each for node in nodes for each in self._with_copies(node)]

    def _with_copies(self, node: Node) -> Iterator[Node]:
        """Return a node and, behind one that is a copy, the copies of that."""
        yield node
        for each in self._behind.get(node, ()) if node not in self.position else ():
            yield from self._with_copies(each)
