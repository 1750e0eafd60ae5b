"""Lets assignments into arrays happen in place, and copies what is still read of what they overwrite.

    before: y_2 = assigned(y, v, 0), and the backward pass reads y
    after:  y_before = y.copy(); y_2 = assigned(y, v, 0), and the backward pass reads y_before

In: a joint graph with its bodies. Out: the same values; from here on what a write makes has the memory of what it writes into, and
no one reads that by its older value. Layer: passes, above `memory`; the last one.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence

from flatgrad.frontend.views import is_basic
from flatgrad.graph.regions import BACKWARD, LoopParts, branch, call, call_backward, loop, nested, writes_to_caller
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.passes.around_bodies import outside, place_of, place_of_upstream, slots, upstream_outside
from flatgrad.passes.borrow_shapes import content_read, looked_at
from flatgrad.passes.copies import Reader, is_part
from flatgrad.passes.copies_inside import CopiesInside
from flatgrad.passes.memory import (
    DONE,
    WRITES,
    Sharing,
    is_locked,
    is_view,
    memory_of_outputs,
)
from flatgrad.passes.rewriting import substitute
from flatgrad.rules.writing import assigned


def write_in_place(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Settle the memory of a function and of all functions that it calls, and return the new results."""
    if not any(node.function in WRITES for each in nested(graph) for node in each.nodes):
        return list(results)
    known: dict[Graph, Sharing] = {}
    settled = _Settled(graph, known, {}, own=(), returned=results)
    return [settled.returned.get(value, value) for value in results]


class _Settled(CopiesInside):
    """Settles one graph, those inside of it first.

    `own` holds the parameters whose memory belongs to the graph: what a loop carries, what a branch may write into. `turns` are
    the pairs of values before and behind a turn.
    """

    def __init__(
        self,
        graph: Graph,
        known: dict[Graph, Sharing],
        settled: dict[Graph, CopiesInside],
        own: Sequence[Value],
        turns: Sequence[tuple[Value, Value]] = (),
        returned: Sequence[Value] = (),
    ) -> None:
        super().__init__(graph, known, settled, turns)
        for node in self.nodes:
            self._settle_bodies(node)
        for value in (*graph.parameters, *graph.upstream):
            self.groups.add(value, is_own=value in own)
        self.latest: dict[Value, Value] = {}
        self._note_readers(returned)
        for node in self.nodes:
            for place in self._overwritten_by(node):
                self._make_room(node, place)
            self._take_outputs(node)
        self._settle_turns()
        self._look_at_latest()
        self._name_roots()
        self.rebuild()
        known[graph] = self.sharing()

    # bodies

    def _settle_bodies(self, node: Node) -> None:
        for body in node.bodies if node.forward is None else ():
            if body in self.known:
                continue
            if node.function is loop:
                self._settle_loop_body(node, body)
            elif node.function is branch:
                _Settled(body, self.known, self.settled, own=(*body.parameters, *body.upstream))
            elif node.function is call:
                _Settled(body, self.known, self.settled, own=())

    def _settle_loop_body(self, node: Node, body: Graph) -> None:
        parts = LoopParts(node)
        if body is not node.bodies[0]:
            _Settled(body, self.known, self.settled, own=())
            return
        back = self.backward_of.get(node)
        turns = list(zip(parts.carried, parts.results, strict=True))
        if back is not None:
            turns += zip(body.upstream, body.gradients, strict=True)
        # a turn that is run again starts from what it started from before
        forward_own = () if node.arguments["checkpoint"] else tuple(parts.carried)
        _Settled(body, self.known, self.settled, own=(*forward_own, *body.upstream), turns=turns)

    # readers

    def _note_readers(self, returned: Sequence[Value]) -> None:
        last_forward = max((k for k, node in enumerate(self.nodes) if node.forward is None), default=-1)
        for k, node in enumerate(self.nodes):
            for value in content_read(node):
                self.readers.setdefault(value, []).append((k, node))
            back = self.backward_of.get(node)
            if back is not None:
                self._note_kept(node, self.position[back])
        for value in self.graph.results:
            self.readers.setdefault(value, []).append((last_forward + 1 if not returned else len(self.nodes), None))
        for value in (*self.graph.gradients, *returned):
            self.readers.setdefault(value, []).append((len(self.nodes), None))

    def _note_kept(self, node: Node, until: int) -> None:
        """Note what the bodies of a node keep for the backward pass of memory that they do not own alone."""
        for body in node.bodies:
            sharing = self.known[body]
            for inner in sharing.kept:
                outer = outside(node, body, inner)
                if outer is not None:
                    self.readers.setdefault(outer, []).append((until, node))
        self.note_kept_results(node)

    # writes

    def _overwritten_by(self, node: Node) -> list[int]:
        """Return the numbers of the inputs whose memory a node writes into."""
        if node.function in WRITES:
            return [] if self._is_done(node) else [0]
        places: dict[int, None] = dict.fromkeys(slots(node, "first") if node.function is BACKWARD[loop] else ())
        for body in node.bodies if node.function is not call and node.function is not call_backward else ():
            sharing = self.known[body]
            if node.forward is None:
                places |= dict.fromkeys(place_of(node, body, inner) for inner in sharing.written)
            else:
                places |= dict.fromkeys(place_of_upstream(node, body, inner) for inner in sharing.written_backward)
        return [place for place in places if place >= 0 and node.inputs[place].rank]

    def _is_done(self, node: Node) -> bool:
        """Tell whether what a node writes stands in its place already: it was written there by way of a view."""
        if node.function is not assigned or node.form == DONE:
            return node.form == DONE
        x, values, index = node.arguments.values()
        while isinstance(values, Value) and values.node is not None and values.node.function in WRITES:
            values = values.node.inputs[0]
        view = values.node if isinstance(values, Value) else None
        if view is None or view.function is not operator.getitem or not is_view(view) or view.inputs[0] is not x:
            return False
        if not is_basic(index) or view.arguments["index"] != index:
            return False
        if self.groups.of(values) is not self.groups.of(x):
            return False
        node.form = DONE
        return True

    def _make_room(self, node: Node, place: int) -> None:
        """Copy what is read of an array behind a write into it, or let the write go into a copy."""
        value = node.inputs[place]
        here = self.position[node]
        group = self.groups.of(value)
        members = self.groups.live(group)
        if value.type.is_list:
            # the elements stay as they are
            members = [each for each in members if each.type.is_list]
        beside = [each for k, each in enumerate(node.inputs) if k != place and each in members and node.bodies]
        for each in members:
            self.keep_inside(each, lambda node: self.position[node] <= here, write=node)
        late = [
            each
            for each in members
            if any(k > here and not self._puts_back(n, value) for k, n in self.readers.get(each, ()))
        ]
        is_kept = any(self.kept_until.get(each, -1) > here for each in members)
        taken = any(
            node is not None and node.bodies and self.position[node] < here < k for k, node in self._late_readers(late)
        )
        is_needed = is_kept or taken or beside or (node.forward is not None and not all(map(is_part, late)))
        if not _is_in_callers(node) and (is_needed or is_locked(value) or not self.groups.is_own(group)):
            self.write_into_copy(node, place)
            return
        for each in late:
            self.keep(each, node)
        for each in beside:
            self.keep(each, node, at_once=True)
            # what is written into is the array itself
            node.inputs = (*node.inputs[:place], value, *node.inputs[place + 1 :])
        self.groups.note_write(group, backward=node.forward is not None)
        for each in members:
            for k, reader in self.readers.get(each, ()):
                if k <= here and reader is not None and reader is not node and reader.valid_until is None:
                    reader.valid_until = node
                    reader.is_volatile = True
        self.groups.retire(group, [each for each in members if not self._is_read_behind(each, here)])

    def _is_read_behind(self, value: Value, here: int) -> bool:
        return self.kept_until.get(value, -1) > here or any(k > here for k, _ in self.readers.get(value, ()))

    def _puts_back(self, node: Node | None, value: Value) -> bool:
        """Tell whether a node puts a view into the array that it is a view of, where a write has been made into it."""
        if node is None or node.function is not assigned or not isinstance(node.arguments["values"], Value):
            return False
        chain = node.arguments["values"]
        while chain.node is not None and chain.node.function in WRITES and chain is not value:
            chain = chain.node.inputs[0]
        return chain is value and is_part(value) and value.node is not None and value.node.inputs[0] is node.inputs[0]

    def _late_readers(self, values: Sequence[Value]) -> Iterator[Reader]:
        return (reader for value in values for reader in self.readers.get(value, ()))

    def _take_outputs(self, node: Node) -> None:
        """Note whose memory the outputs of a node are."""
        for output, sources, is_own in memory_of_outputs(node, self.known, outside, upstream_outside):
            self.groups.add(output, is_own=is_own)
            for source in sources:
                self.groups.join(output, source)
        if node.function in WRITES and not node.output.type.is_list:
            self.latest[node.inputs[0]] = node.output
        elif node.function is loop:
            for start, output in zip(LoopParts(node).start, node.outputs, strict=True):
                is_array = isinstance(start, Value) and start.rank and not start.type.is_list
                if is_array and start.type == output.type:
                    self.latest[start] = output

    # turns

    def _settle_turns(self) -> None:
        """Copy what turns to come overwrite, and what two variables would share."""
        for _ in self.turns:
            # what goes from turn to turn may go round several variables
            for before, behind in self.turns:
                self.groups.flow(behind, before)
        in_callers = {self.groups.of(node.inputs[0]) for node in self.nodes if node.in_callers}
        apart: set[Value] = set()
        # what is the caller's stays that
        for before, behind in sorted(self.turns, key=lambda turn: self.groups.of(turn[1]) in in_callers):
            group = self.groups.flowing(before)
            if not before.rank or not self.groups.is_written_in_turns(group):
                continue
            shared = [
                other
                for one, other in self.turns
                if one is not before and one not in apart and self.groups.of(other) is self.groups.of(behind)
            ]
            if not isinstance(behind, Constant) and (not self.groups.is_own(self.groups.of(behind)) or shared):
                self.copy_result(behind, before)
                apart.add(before)
        going_round = {self.groups.flowing(before) for before, _ in self.turns if before.rank}
        overwritten = {group for group in going_round if self.groups.is_written_in_turns(group)}
        for value in list(self.groups.values()) if overwritten else ():
            if self.groups.flowing(value) not in overwritten:
                continue
            self.keep_inside(value, lambda node: True)
            self.keep_results_inside(value)
            found = self.readers.get(value, [])
            for _, reader in found:
                if reader is not None and reader.forward is None:
                    reader.is_volatile = True
            is_read = any(reader is not None and self.is_late(k, reader) for k, reader in found)
            if self.is_forward(value) and is_read:
                self.keep(value, None)

    # the end

    def _look_at_latest(self) -> None:
        """Let what looks at the shape of an array that has been written into look at what it is in the end."""
        for node in self.nodes:
            value = looked_at(node) if node.forward is not None else None
            if value is None or value not in self.latest or not self.is_forward(value):
                continue
            latest = value
            while latest in self.latest:
                latest = self.latest[latest]
            if latest in self.groups and self.is_forward(latest):
                substitute(node, {value: latest})

    def _name_roots(self) -> None:
        """Call an array that has no name after what writes make of it."""
        for node in reversed(self.nodes):
            if node.function in WRITES:
                root, made = node.inputs[0], node.output
                if root.name is None and root.primal is None:
                    root.name, root.primal = made.name, made.primal


def _is_in_callers(node: Node) -> bool:
    return node.in_callers or (node.forward is None and any(map(writes_to_caller, node.bodies)))
