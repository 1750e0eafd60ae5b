"""Copies that the bodies of branches, loops and calls keep of arrays that are overwritten around them.

In: a joint graph whose bodies are settled. Out: the bodies with copies, and what the graph around a body has to know of its memory.
Layer: passes, above `copies`, below `write_in_place`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from flatgrad.graph.regions import BACKWARD
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.passes.around_bodies import outside
from flatgrad.passes.borrow_shapes import content_read
from flatgrad.passes.copies import Copies, is_part
from flatgrad.passes.memory import Sharing, is_quick


class CopiesInside(Copies):
    """The copies in one graph and in its bodies. `settled` has the same for each graph that has been settled."""

    def __init__(
        self,
        graph: Graph,
        known: dict[Graph, Sharing],
        settled: dict[Graph, CopiesInside],
        turns: Sequence[tuple[Value, Value]],
    ) -> None:
        super().__init__(graph, turns)
        self.known = known
        self.settled = settled
        settled[graph] = self
        self.backward_of = {node.forward: node for node in self.nodes if node.function in _BACKWARDS}
        # what regions keep of their outputs' memory for their backward pass
        self.kept_until: dict[Value, int] = {}

    def note_kept_results(self, node: Node) -> None:
        """Note which outputs of a node share memory with what its bodies keep for the backward pass."""
        kept = {k for body in node.bodies for k in self.known[body].kept_results}
        for k, output in enumerate(node.outputs):
            if k in kept:
                self.kept_until[output] = self.position[self.backward_of[node]]
            else:
                self.kept_until.pop(output, None)

    def keep_inside(self, value: Value, is_before: Callable[[Node], bool], write: Node | None = None) -> None:
        """Let bodies keep what their backward pass reads of an array, where they need parts of it, or write into it themselves."""
        for reader in list(self.readers.get(value, ())):
            k, node = reader
            if node is not None and node.bodies and is_before(node) and k > self.position[node]:
                inside = self._inside(node, value)
                if node is write or all(settled.needs_parts_of(inner) for settled, inner in inside):
                    for settled, inner in inside:
                        settled.keep_parts_of(inner)
                    self.readers[value].remove(reader)
                    self.note_kept_results(node)

    def _inside(self, node: Node, value: Value) -> list[tuple[CopiesInside, Value]]:
        """Return what stands for a value in the bodies of a branch, loop or call."""
        return [
            (self.settled[body], inner)
            for body in node.bodies
            for inner in body.parameters
            if outside(node, body, inner) is value
        ]

    def needs_parts_of(self, parameter: Value) -> bool:
        """Tell whether the backward pass reads nothing of an array but parts that can be kept one by one."""
        for value in self.groups.members(self.groups.of(parameter)):
            if value in self.kept_until:
                return False
            for k, reader in self.readers.get(value, ()):
                if reader is None or (reader.forward is not None and not is_part(value)):
                    return False
                is_kept = reader.forward is None and k > self.position[reader]
                if is_kept and not all(inner.needs_parts_of(each) for inner, each in self._inside(reader, value)):
                    return False
        return True

    def keep_results_inside(self, value: Value) -> None:
        """Let the bodies that a value comes out of copy what their backward pass reads of it."""
        node = value.node
        if value not in self.kept_until or node is None:
            return
        for body in node.bodies:
            k = node.outputs.index(value)
            if k in self.known[body].kept_results:
                self.settled[body].keep_parts_of(body.results[k])
        self.note_kept_results(node)

    def keep_parts_of(self, array: Value) -> None:
        """Copy what the backward pass reads of a parameter or a result, for it is overwritten outside."""
        for value in list(self.groups.members(self.groups.of(array))):
            self.keep_results_inside(value)
            for k, reader in list(self.readers.get(value, ())):
                if reader is None:
                    # it comes out as it is
                    continue
                if reader.forward is None and k > self.position[reader]:
                    for inner, each in self._inside(reader, value):
                        inner.keep_parts_of(each)
                    self.readers[value].remove((k, reader))
                elif reader.forward is None:
                    reader.is_volatile = True
            if any(reader is not None and reader.forward is not None for _, reader in self.readers.get(value, ())):
                self.keep(value, None)
        self.rebuild()
        self.known[self.graph] = self.sharing()

    def sharing(self) -> Sharing:
        """Return what the graph around has to know."""
        graph, groups = self.graph, self.groups
        own = (*graph.parameters, *graph.upstream)
        late_values = set(self._read_late())
        late = {groups.of(value) for value in late_values if value.rank}
        before = {one for one, _ in self.turns}

        def written(value: Value, *, backward: bool) -> bool:
            if value in before:
                return groups.is_written_in_turns(groups.flowing(value))
            return groups.is_written(groups.of(value), backward=backward)

        return Sharing(
            written=[value for value in graph.parameters if written(value, backward=False)],
            written_backward=[value for value in graph.upstream if written(value, backward=True)],
            # a number that an array is gone through by is found in the array again
            kept=[
                value
                for value in graph.parameters
                if value in late_values or (value in groups and groups.of(value) in late)
            ],
            kept_results=[k for k, value in enumerate(graph.results) if value in groups and groups.of(value) in late],
            result_sources=[groups.sources(value, own) for value in graph.results],
            gradient_sources=[groups.sources(value, own) for value in graph.gradients],
        )

    def _read_late(self) -> Iterator[Value]:
        """Return the values of the forward pass that the backward pass reads, or computes again from."""
        pending = [value for node in self.graph.nodes if node.forward is not None for value in content_read(node)]
        # what a body inside keeps of the memory that comes out of it
        pending += self.kept_until
        pending += [
            value
            for value, found in self.readers.items()
            if any(n is not None and n.forward is None and k > self.position.get(n, k) for k, n in found)
        ]
        seen: set[Value] = set()
        while pending:
            value = pending.pop()
            if value in seen or isinstance(value, Constant) or not self.is_forward(value):
                continue
            seen.add(value)
            yield value
            if value.node is not None and is_quick(value.node):
                pending += value.node.inputs


_BACKWARDS = frozenset(BACKWARD.values())
