"""Lets assignments into arrays happen in place, and copies what is still read of what they overwrite.

    before: y_2 = assigned(y, v, 0), and the backward pass reads y
    after:  y_before = y.copy(); y_2 = assigned(y, v, 0), and the backward pass reads y_before

In: a joint graph with its bodies. Out: the same values; from here on what a write makes has the memory of what it writes into, and
no one reads that by its older value. Layer: passes, above `memory`; the last one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.regions import BACKWARD, LoopParts, branch, call, call_backward, loop, received
from flatgrad.graph.values import Constant, Graph, Node, Slot, Value
from flatgrad.passes.borrow_shapes import looked_at
from flatgrad.passes.memory import DONE, WRITES, Groups, Sharing, content_read, is_quick, is_view, memory_of_outputs
from flatgrad.passes.rewriting import substitute
from flatgrad.rules.writing import assigned

Reader = tuple[int, Node | None]


def write_in_place(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Settle the memory of a function and of all functions that it calls, and return the new results."""
    if not any(node.function in WRITES for each in _nested(graph, set()) for node in each.nodes):
        return list(results)
    known: dict[Graph, Sharing] = {}
    settled = _Settled(graph, known, {}, own=(), returned=results)
    return [settled.returned.get(value, value) for value in results]


def _nested(graph: Graph, seen: set[int]) -> Iterator[Graph]:
    if id(graph) not in seen:
        seen.add(id(graph))
        yield graph
        for node in graph.nodes:
            for body in node.bodies:
                yield from _nested(body, seen)


class _Settled:
    """Settles one graph, those inside of it first.

    `own` holds the parameters whose memory belongs to the graph: what a loop carries, what a branch may write into. `turns` are
    the pairs of values before and behind a turn.
    """

    def __init__(
        self,
        graph: Graph,
        known: dict[Graph, Sharing],
        settled: dict[Graph, _Settled],
        own: Sequence[Value],
        turns: Sequence[tuple[Value, Value]] = (),
        returned: Sequence[Value] = (),
    ) -> None:
        self.graph = graph
        self.known = known
        self.settled = settled
        settled[graph] = self
        self.turns = turns
        self.nodes = list(graph.nodes)
        self.backward_of = {node.forward: node for node in self.nodes if node.function in _BACKWARDS}
        for node in self.nodes:
            self._settle_bodies(node)
        self.written = {node.inputs[0] for node in self.nodes if node.function in WRITES}
        self.position = {node: k for k, node in enumerate(self.nodes)}
        self.groups = Groups()
        for value in (*graph.parameters, *graph.upstream):
            self.groups.add(value, is_own=value in own)
        self.readers: dict[Value, list[Reader]] = {}
        # what regions keep of their outputs' memory for their backward pass
        self.kept_until: dict[Value, int] = {}
        self.latest: dict[Value, Value] = {}
        self.returned: dict[Value, Value] = {}
        self._before: dict[Node, list[Node]] = {}
        self._behind: dict[Node, list[Node]] = {}
        self._first: list[Node] = []
        self._last: dict[bool, list[Node]] = {False: [], True: []}
        self._note_readers(returned)
        for node in self.nodes:
            for place in self._overwritten_by(node):
                self._make_room(node, place)
            self._take_outputs(node)
        self._settle_turns()
        self._look_at_latest()
        self._name_roots()
        self._rebuild()
        known[graph] = self._sharing()

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
                outer = _outside(node, body, inner)
                if outer is not None:
                    self.readers.setdefault(outer, []).append((until, node))
            for k in sharing.kept_results:
                if k < len(node.outputs):
                    self.kept_until[node.outputs[k]] = until

    # writes

    def _overwritten_by(self, node: Node) -> list[int]:
        """Return the numbers of the inputs whose memory a node writes into."""
        if node.function in WRITES:
            return [] if self._is_done(node) else [0]
        places: dict[int, None] = dict.fromkeys(_slots(node, "first") if node.function is BACKWARD[loop] else ())
        for body in node.bodies if node.function is not call and node.function is not call_backward else ():
            sharing = self.known[body]
            if node.forward is None:
                places |= dict.fromkeys(_place(node, body, inner) for inner in sharing.written)
            else:
                places |= dict.fromkeys(_place_of_upstream(node, body, inner) for inner in sharing.written_backward)
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
        if view.arguments["index"] != index or self.groups.of(values) is not self.groups.of(x):
            return False
        node.form = DONE
        return True

    def _make_room(self, node: Node, place: int) -> None:
        """Copy what is read of an array behind a write into it, or let the write go into a copy."""
        value = node.inputs[place]
        here = self.position[node]
        group = self.groups.of(value)
        members = self.groups.members(group)
        if value.type.is_list:
            # the elements stay as they are
            members = [each for each in members if each.type.is_list]
        beside = [each for k, each in enumerate(node.inputs) if k != place and each in members and node.bodies]
        for each in members:
            self._keep_inside(each, lambda node: self.position[node] <= here, write=node)
        late = [
            each
            for each in members
            if any(k > here and not self._puts_back(n, value) for k, n in self.readers.get(each, ()))
        ]
        is_kept = any(self.kept_until.get(each, -1) > here for each in members)
        taken = any(
            node is not None and node.bodies and self.position[node] < here < k for k, node in self._late_readers(late)
        )
        is_needed = is_kept or taken or beside or (node.forward is not None and not all(map(_is_view, late)))
        if not _is_in_callers(node) and (is_needed or not self.groups.is_own(group)):
            self._write_into_copy(node, place)
            return
        for each in late:
            self._keep(each, node)
        for each in beside:
            self._keep(each, node, at_once=True)
        self.groups.note_write(group, backward=node.forward is not None)
        for each in members:
            for k, reader in self.readers.get(each, ()):
                if k <= here and reader is not None and reader is not node and reader.valid_until is None:
                    reader.valid_until = node
                    reader.is_volatile = True

    def _puts_back(self, node: Node | None, value: Value) -> bool:
        """Tell whether a node puts a view into the array that it is a view of, where a write has been made into it."""
        if node is None or node.function is not assigned or not isinstance(node.arguments["values"], Value):
            return False
        chain = node.arguments["values"]
        while chain.node is not None and chain.node.function in WRITES and chain is not value:
            chain = chain.node.inputs[0]
        return chain is value and _is_view(value) and value.node is not None and value.node.inputs[0] is node.inputs[0]

    def _keep_inside(self, value: Value, is_before: Callable[[Node], bool], write: Node | None = None) -> None:
        """Let bodies keep what their backward pass reads of an array, where they need parts of it, or write into it themselves."""
        for reader in list(self.readers.get(value, ())):
            k, node = reader
            if node is not None and node.bodies and is_before(node) and k > self.position[node]:
                inside = self._inside(node, value)
                if node is write or all(settled.needs_parts_of(inner) for settled, inner in inside):
                    for settled, inner in inside:
                        settled.keep_parts_of(inner)
                    self.readers[value].remove(reader)

    def _inside(self, node: Node, value: Value) -> list[tuple[_Settled, Value]]:
        """Return what stands for a value in the bodies of a branch, loop or call."""
        return [
            (self.settled[body], inner)
            for body in node.bodies
            for inner in body.parameters
            if _outside(node, body, inner) is value
        ]

    def needs_parts_of(self, parameter: Value) -> bool:
        """Tell whether the backward pass reads nothing of an array but parts that can be kept one by one."""
        for value in self.groups.members(self.groups.of(parameter)):
            if value in self.kept_until:
                return False
            for k, reader in self.readers.get(value, ()):
                if reader is None or (reader.forward is not None and not _is_view(value)):
                    return False
                is_kept = reader.forward is None and k > self.position[reader]
                if is_kept and not all(inner.needs_parts_of(each) for inner, each in self._inside(reader, value)):
                    return False
        return True

    def keep_parts_of(self, parameter: Value) -> None:
        """Copy the parts of an array that the backward pass reads, for it is overwritten outside."""
        for value in list(self.groups.members(self.groups.of(parameter))):
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
                self._keep(value, None)
        self._rebuild()
        self.known[self.graph] = self._sharing()

    def _late_readers(self, values: Sequence[Value]) -> Iterator[Reader]:
        return (reader for value in values for reader in self.readers.get(value, ()))

    def _write_into_copy(self, node: Node, place: int) -> None:
        value = node.inputs[place]
        made = self._copied(value, node, node.forward, is_read_only=node.forward is not None)
        self._before.setdefault(node, []).append(made.node)  # type: ignore[arg-type]
        made.name, made.primal = value.name, value.primal
        node.inputs = (*node.inputs[:place], made, *node.inputs[place + 1 :])
        self.groups.add(made, is_own=True)
        self.groups.note_write(made, backward=node.forward is not None)

    def _keep(self, value: Value, write: Node | None, *, at_once: bool = False) -> None:
        """Let what reads a value behind a write, or in the write itself, read a copy of it instead.

        Without a write it is the next turn of a loop that overwrites it. The forward pass goes on reading the array itself: what is
        computed from another layout of its elements may differ in the last bit.
        """
        is_forward = self._is_forward(value)
        made = self._copied(value, write, None if value.node is None else value.node.forward)
        assert made.node is not None
        made.node.valid_until, made.node.is_volatile = write, True
        is_part = _is_view(value) and value.node in self.position and value not in self.written
        here = -1 if write is None else self.position[write] - at_once
        if is_part and not is_forward and value.node is not None:
            here = self.position[value.node]
            made.name, value.name, made.primal, value.primal = value.name, None, value.primal, None
        moved = [each for each in self.readers.get(value, ()) if self._is_late(*each) and each[0] > here]
        if write is None:
            # what comes out of a turn is what the next one overwrites
            moved = [each for each in moved if each[1] is not None]
        if write is None or is_part:
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

    def _is_late(self, k: int, reader: Node | None) -> bool:
        """Tell whether something is read behind the forward pass: by a gradient, by a caller, by the backward pass of a body."""
        return reader is None or reader.forward is not None or k > self.position[reader] or not self.turns

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

    def _copied(self, value: Value, near: Node | None, forward: Node | None, *, is_read_only: bool = True) -> Value:
        builder = Builder(Graph("copies"))
        builder.forward = forward
        builder.statement = near.statement if near is not None and forward is None else None
        # in the forward pass the elements keep their order in memory
        made: Value = builder.apply(np.copy, value, form="method" if is_read_only else "")
        return made

    def _take_outputs(self, node: Node) -> None:
        """Note whose memory the outputs of a node are."""
        for output, sources, is_own in memory_of_outputs(node, self.known, _outside, _upstream_outside):
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
        for before, behind in self.turns:
            group = self.groups.flowing(before)
            if not before.rank or not self.groups.is_written_in_turns(group):
                continue
            shared = [
                other
                for one, other in self.turns
                if one is not before and self.groups.of(other) is self.groups.of(behind)
            ]
            if not isinstance(behind, Constant) and (not self.groups.is_own(self.groups.of(behind)) or shared):
                self._copy_result(behind, before)
        going_round = {self.groups.flowing(before) for before, _ in self.turns if before.rank}
        overwritten = {group for group in going_round if self.groups.is_written_in_turns(group)}
        for value in list(self.groups.values()) if overwritten else ():
            if self.groups.flowing(value) not in overwritten:
                continue
            self._keep_inside(value, lambda node: True)
            found = self.readers.get(value, [])
            for _, reader in found:
                if reader is not None and reader.forward is None:
                    reader.is_volatile = True
            is_read = any(reader is not None and self._is_late(k, reader) for k, reader in found)
            if self._is_forward(value) and is_read:
                self._keep(value, None)

    def _copy_result(self, value: Value, before: Value) -> None:
        is_backward = before in self.graph.upstream
        last = self.nodes[-1] if self.nodes else None
        made = self._copied(value, None, last.forward if is_backward and last is not None else None)
        self._last[is_backward].append(made.node)  # type: ignore[arg-type]
        values = self.graph.gradients if is_backward else self.graph.results
        k = next(k for k, (one, _) in enumerate(self._turns_of(is_backward)) if one is before)
        values[k] = made

    def _turns_of(self, is_backward: bool) -> list[tuple[Value, Value]]:
        return [turn for turn in self.turns if (turn[0] in self.graph.upstream) == is_backward]

    def _is_forward(self, value: Value) -> bool:
        if value.node is None:
            return value not in self.graph.upstream
        return value.node.forward is None

    # the end

    def _look_at_latest(self) -> None:
        """Let what looks at the shape of an array that has been written into look at what it is in the end."""
        for node in self.nodes:
            value = looked_at(node) if node.forward is not None else None
            if value is None or value not in self.latest or not self._is_forward(value):
                continue
            latest = value
            while latest in self.latest:
                latest = self.latest[latest]
            if latest in self.groups and self._is_forward(latest):
                substitute(node, {value: latest})

    def _name_roots(self) -> None:
        """Call an array that has no name after what writes make of it."""
        for node in reversed(self.nodes):
            if node.function in WRITES:
                root, made = node.inputs[0], node.output
                if root.name is None and root.primal is None:
                    root.name, root.primal = made.name, made.primal

    def _rebuild(self) -> None:
        nodes = list(self._first)
        forward = [node for node in self.nodes if node.forward is None]
        last_forward = forward[-1] if forward else None
        if last_forward is None:
            nodes += self._last[False]
        for node in self.nodes:
            nodes += [*self._before.get(node, ()), node, *self._behind.get(node, ())]
            if node is last_forward:
                nodes += self._last[False]
        self.graph.nodes[:] = [*nodes, *self._last[True]]

    def _sharing(self) -> Sharing:
        """Return what the graph around has to know."""
        graph, groups = self.graph, self.groups
        own = (*graph.parameters, *graph.upstream)
        late = {groups.of(value) for value in self._read_late()}
        before = {one for one, _ in self.turns}

        def written(value: Value, *, backward: bool) -> bool:
            if value in before:
                return groups.is_written_in_turns(groups.flowing(value))
            return groups.is_written(groups.of(value), backward=backward)

        return Sharing(
            written=[value for value in graph.parameters if written(value, backward=False)],
            written_backward=[value for value in graph.upstream if written(value, backward=True)],
            kept=[value for value in graph.parameters if value in groups and groups.of(value) in late],
            kept_results=[k for k, value in enumerate(graph.results) if value in groups and groups.of(value) in late],
            result_sources=[groups.sources(value, own) for value in graph.results],
            gradient_sources=[groups.sources(value, own) for value in graph.gradients],
        )

    def _read_late(self) -> Iterator[Value]:
        """Return the values of the forward pass that the backward pass reads, or computes again from."""
        pending = [value for node in self.graph.nodes if node.forward is not None for value in content_read(node)]
        pending += [
            value
            for value, found in self.readers.items()
            if any(n is not None and n.forward is None and k > self.position.get(n, k) for k, n in found)
        ]
        seen: set[Value] = set()
        while pending:
            value = pending.pop()
            if value in seen or isinstance(value, Constant) or not self._is_forward(value):
                continue
            seen.add(value)
            if value.rank:
                yield value
            if value.node is not None and is_quick(value.node):
                pending += value.node.inputs


_BACKWARDS = frozenset(BACKWARD.values())


def _is_view(value: Value) -> bool:
    """Tell whether a value is a part or another form of an array, and no array of its own."""
    return value.node is not None and is_view(value.node)


def _is_in_callers(node: Node) -> bool:
    if node.in_callers:
        return True
    return node.forward is None and any(_is_in_callers(each) for body in node.bodies for each in body.nodes)


def _slots(node: Node, name: str) -> list[int]:
    """Return the numbers of the inputs in an argument that is a tuple; -1 for what is no value."""
    structure = dict(node.call).get(name, ())
    return [leaf.index if isinstance(leaf, Slot) else -1 for leaf in structure]


def _place(node: Node, body: Graph, inner: Value) -> int:
    """Return the number of the input that a parameter of a body of a branch or loop stands for; -1 for none."""
    if node.function is loop:
        parts = LoopParts(node)
        if inner in parts.carried:
            return _slots(node, "start")[parts.carried.index(inner)]
    closed = _slots(node, "closed")
    own = body.parameters[len(body.parameters) - len(closed) :]
    return closed[own.index(inner)] if inner in own else -1


def _place_of_upstream(node: Node, body: Graph, inner: Value) -> int:
    upstream = _slots(node, "upstream")
    return upstream[body.upstream.index(inner)] if inner in body.upstream else -1


def _outside(node: Node, body: Graph, inner: Value) -> Value | None:
    """Return the value around a branch, loop or call that a parameter of its body stands for."""
    if node.function is call:
        return next((outer for outer, own in received(node, body).items() if own is inner), None)
    place = _place(node, body, inner)
    if place >= 0:
        return node.inputs[place]
    if node.function is loop:
        sources = LoopParts(node).sources if body is node.bodies[0] else []
        return next((given[0] for word, given, _, element in sources if element is inner and word == "rows"), None)
    return None


def _upstream_outside(node: Node, body: Graph, inner: Value) -> Value | None:
    """Return the gradient that comes into the backward pass of a body as this one."""
    place = _place_of_upstream(node, body, inner)
    return node.inputs[place] if place >= 0 else None
