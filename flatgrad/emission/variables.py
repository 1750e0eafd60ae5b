"""Which values of branches and loops are one variable of the emitted code.

In: the regions of a function. Out: for each value the one whose name it has. Layer: emission, above `keeping`.

A loop variable is one value before each turn and another behind it; what a branch makes is one value on each side. They share a
name, so that `x` stays `x`, wherever the old value is no longer read when the new one is made. Elsewhere there is a copy.
"""

from __future__ import annotations

from collections.abc import Iterator

from flatgrad.emission.interfaces import Interface, Side, interface_of
from flatgrad.emission.keeping import Region, Regions, needed_again
from flatgrad.emission.lines import PLACING
from flatgrad.graph.regions import BACKWARD, REGIONS, branch, call, edited, loop, received
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.passes.memory import WRITES
from flatgrad.rules.program import named

# what these make comes out of one line with other results
CALLS = frozenset({call, BACKWARD[call]})


class Variables:
    """`leader` maps each value that shares a variable to the value whose name the variable has."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions
        self.leader: dict[Value, Value] = {}
        # parameters of the function that are loop variables, too
        self.preset: dict[Value, Value] = {}
        # the values that a variable has on the way to the last one in a graph
        self._chains: dict[tuple[Graph, Value], list[Value]] = {}
        self._readers: dict[Graph, dict[Value, list[Node]]] = {}
        self._orders: dict[Graph, dict[Node, int]] = {}
        # what a write makes is the variable that it writes into
        self._written: dict[Value, Value] = {}
        self._versions: dict[Value, list[Value]] = {}
        for graph in regions.of:
            self._note_writes(graph)
        self.direct = {self._root(value) for value in _read_directly(regions)}
        self._unite(regions.root.graph, {}, forward=True)
        self._unite(regions.root.graph, {}, forward=False)
        self._unite_conversions(regions.root.graph)

    def of(self, value: Value) -> Value:
        """Return the value whose name a value has."""
        root = self._root(value)
        leader = self.leader.get(root, root)
        return self.preset.get(leader, leader)

    def _root(self, value: Value) -> Value:
        """Return the array that has become a value by writes into it."""
        return self._written.get(value, value)

    def _note_writes(self, graph: Graph) -> None:
        for node in graph.nodes:
            for before, after in _written_by(node):
                root = self._written[after] = self._root(before)
                self._versions.setdefault(root, [root]).append(after)

    def _interface_of(self, node: Node) -> Interface | None:
        """Return the interface of a branch or loop, with arrays that have been written into as what they were made as."""
        face = interface_of(node)
        if face is None or not self._written:
            return face
        sides: list[Side] = [
            (body, [*map(self._root, results)], {self._root(outer): inner for outer, inner in known_as.items()})
            for body, results, known_as in face.sides
        ]
        start = [None if value is None else self._root(value) for value in face.start]
        return Interface(face.outputs, sides, start, face.carried)

    def same(self, a: Value, b: Value) -> bool:
        """Tell whether two values are one variable."""
        return self.of(a) is self.of(b)

    def _unite_conversions(self, graph: Graph) -> None:
        """Let a gradient that is only brought to the kind that the caller gets keep its name."""
        for node in graph.nodes:
            if node.function is float and node.forward is not None:
                (source,) = node.inputs
                is_last = _may_lead(source, node.output) and self._is_dead_behind(graph, source, node, into=node.output)
                if source in self.leader and node.output not in self.leader and is_last:
                    self.leader[node.output] = self.leader[source]

    def copied(self) -> set[Value]:
        """Return the values that are brought to another variable by a copy."""
        found: set[Value] = set()
        for graph in self.regions.of:
            for face in filter(None, map(interface_of, graph.nodes)):
                pairs = list(zip(face.carried, face.start, strict=True))
                targets = face.carried or face.outputs
                pairs += [pair for _, results, _ in face.sides for pair in zip(targets, results, strict=True)]
                found.update(source for target, source in pairs if source is not None and not self.same(target, source))
        for graph in reversed(self.regions.of):
            # what a body copies of a value from around is that value
            for node in graph.nodes if found else ():
                for body in node.bodies if node.function in (branch, loop) else ():
                    found.update(outer for outer, inner in received(node, body).items() if inner in found)
        return found

    def _unite(self, graph: Graph, occupants: dict[Value, Value], *, forward: bool) -> None:
        """Unite what can be in one pass of a graph. `occupants` has for a variable's leader the value that it has before."""
        # users of a value come before the value, so that what it is to become is known
        for node in reversed(graph.nodes):
            face = self._interface_of(node) if (node.forward is None) == forward else None
            if face is None:
                continue
            if face.carried:
                self._unite_loop(graph, node, face, occupants)
            else:
                self._unite_branch(graph, node, face, occupants)

    def _unite_loop(self, graph: Graph, node: Node, face: Interface, occupants: dict[Value, Value]) -> None:
        ((body, results, _),) = face.sides
        again = needed_again(self.regions.of[body], self.regions) if _runs_again(node) else set()
        inner: dict[Value, Value] = {}
        for start, parameter, result, output in zip(face.start, face.carried, results, face.outputs, strict=True):
            self._follow_second_name(graph, output, occupants)
            variable = self.leader.get(output, output)
            changed = any(each in (parameter, result) or _may_lead(each, parameter) for each in again)
            if changed and self._is_read_behind(variable):
                # the variables of the loop are used again before this is read
                variable = parameter
            elif variable is output:
                variable = self.leader[output] = parameter
            self.leader[parameter] = variable
            inner[variable] = parameter
            if self._take(body, result, variable, parameter):
                self._take_before(body, result, variable, parameter)
            if isinstance(start, Value) and _may_lead(start, parameter) and start not in self.direct:
                self._start_in_place(graph, node, start, variable, self._occupant(graph, node, variable, occupants))
        self._unite(body, inner, forward=node.forward is None)

    def _is_read_behind(self, variable: Value) -> bool:
        """Tell whether the backward pass, or the caller, reads by its name what a variable comes to be."""
        members = [value for value, leader in self.leader.items() if leader is variable]
        return not self.direct.isdisjoint((variable, *members))

    def _follow_second_name(self, graph: Graph, output: Value, occupants: dict[Value, Value]) -> None:
        """Let what comes out of a loop be the variable that its second name is, if that is its only reader."""
        readers = self._readers_in(graph).get(output, [])
        if output in self.leader or len(readers) != 1 or readers[0].function is not named:
            return
        variable = self.leader.get(readers[0].output)
        if variable is not None and variable not in occupants and output not in graph.gradients:
            self.leader[output] = variable

    def _start_in_place(self, graph: Graph, node: Node, start: Value, variable: Value, occupant: Value | None) -> None:
        """Let the value before the first turn be the loop variable itself, if nothing else reads it."""
        if start in self.regions.upstream and self._is_a_parameter(start.primal):
            # `grad_x` is the gradient of the parameter, not of the result that has its name
            return
        if [*map(self._root, node.inputs)].count(start) > 1 or not self._is_dead_behind(graph, start, node):
            return
        if isinstance(start, Constant):
            # a number that the function gives a name to, read by the loop alone
            if self._has_a_name(graph, start) and self.regions.of[graph].lines.uses[start] == 1:
                self.leader.setdefault(start, variable)
        elif start.node is None and graph is self.regions.root.graph and start not in self.leader:
            self.preset[variable] = start
            self.leader[start] = variable
        else:
            self._take(graph, start, variable, occupant)

    def _is_a_parameter(self, value: Value | None) -> bool:
        return value is not None and self.of(value) in self.regions.root.graph.parameters

    def _unite_branch(self, graph: Graph, node: Node, face: Interface, occupants: dict[Value, Value]) -> None:
        inner: list[dict[Value, Value]] = [{} for _ in face.sides]
        for k, output in enumerate(face.outputs):
            variable = self.leader.get(output, output)
            occupant = self._occupant(graph, node, variable, occupants)
            if variable is output:
                occupant = self._passed_on(graph, node, face, k)
                if occupant is not None:
                    variable = self.leader[output] = occupant
            for (body, results, known_as), inside in zip(face.sides, inner, strict=True):
                before = None if occupant is None else known_as.get(occupant)
                if before is not None:
                    inside[variable] = before
                    self.leader[before] = variable
                if self._take(body, results[k], variable, before):
                    self._take_before(body, results[k], variable, before)
        for (body, _, _), inside in zip(face.sides, inner, strict=True):
            self._unite(body, inside, forward=node.forward is None)

    def _passed_on(self, graph: Graph, node: Node, face: Interface, k: int) -> Value | None:
        """Return the value from around that one side gives back as it is, if the output may take its place."""
        if face.outputs[k].primal in self.regions.root.graph.parameters and graph is self.regions.root.graph:
            # the gradient of a parameter has its name
            return None
        for _, results, known_as in face.sides:
            for outer, inner in known_as.items():
                if results[k] is not inner or not _may_lead(outer, face.outputs[k]) or isinstance(outer, Constant):
                    continue
                is_free = outer not in self.leader and outer not in self.leader.values() and outer not in self.direct
                if is_free and self._has_a_name(graph, outer) and self._is_dead_behind(graph, outer, node):
                    return outer
        return None

    def _has_a_name(self, graph: Graph, value: Value) -> bool:
        """Tell whether a value is a variable of this graph: a parameter of the function, or made by a line."""
        if value in self._written:
            return False
        if value.node is None:
            return graph is self.regions.root.graph and value in graph.parameters
        return value.node in graph.nodes and value.node in self.regions.of[graph].lines.own

    def _take(self, graph: Graph, value: Value, variable: Value, occupant: Value | None) -> bool:
        """Let a value of a graph be a variable from where it is made, if that is free from there on."""
        if value is occupant or value in self.leader or value.node is None:
            return False
        if value.node.function is edited and value.node not in self.regions.of[graph].lines.own:
            # what the user only edits the gradient of is written by the same name
            is_taken = self._take(graph, value.node.inputs[0], variable, occupant)
            if is_taken:
                self.leader[value] = variable
            return is_taken
        if isinstance(value, Constant) and self.regions.of[graph].lines.uses.get(value) != 1:
            return False
        if not self._has_a_name(graph, value):
            return False
        if occupant is not None and not self._is_dead_behind(graph, occupant, value.node, into=value):
            return False
        self.leader[value] = variable
        return True

    def _take_before(self, graph: Graph, last: Value, variable: Value, occupant: Value | None) -> None:
        """Let what the user calls by the name of a variable be that, too, where each value is dead when the next is made."""
        assert last.node is not None
        chain = [last]
        for node in reversed(graph.nodes[: self._order(graph)[last.node]]):
            if (node.forward is None) != (last.node.forward is None) or node.function in CALLS:
                continue
            for value in node.outputs:
                if self._comes_before(graph, value, chain[0], occupant):
                    self.leader[value] = variable
                    chain.insert(0, value)
                    break
        self._chains[graph, variable] = chain[:-1]

    def _comes_before(self, graph: Graph, value: Value, following: Value, occupant: Value | None) -> bool:
        """Tell whether a value can have the variable that holds `following` behind it and `occupant` before it."""
        if not _may_lead(value, following) or value in self.leader or value in self.direct:
            return False
        if isinstance(value, Constant) or not self._has_a_name(graph, value):
            return False
        assert value.node is not None and following.node is not None
        if not self._is_dead_behind(graph, value, following.node, into=following):
            return False
        return occupant is None or self._is_dead_behind(graph, occupant, value.node, into=value)

    def _occupant(self, graph: Graph, node: Node, variable: Value, occupants: dict[Value, Value]) -> Value | None:
        """Return the value that a variable has before a node."""
        order = self._order(graph)
        chain = self._chains.get((graph, variable), [])
        before = [value for value in chain if value.node is not None and order[value.node] < order[node]]
        return before[-1] if before else occupants.get(variable)

    def _is_dead_behind(self, graph: Graph, value: Value, node: Node, into: Value | None = None) -> bool:
        """Tell whether no line behind that of a node reads a value, and no result but the one in whose place it comes.

        A loop reads what it uses in all of its turns, but for what it starts from.
        """
        here, forward = self._place(graph, node)
        is_loop = node.function in (loop, BACKWARD[loop])
        # its first line makes zeros, and those behind it put values into them; a header is read before the first turn
        takes_lines = node.function is BACKWARD[loop] or node.function in PLACING
        values = self._with_second_names(graph, value)
        readers = self._readers_in(graph)
        for each in (each for one in values for each in readers.get(one, ())):
            at, is_forward = self._place(graph, each)
            behind = at > here or (takes_lines and at == here and (each is not node or not is_loop))
            if behind and is_forward == forward:
                return False
        if is_loop and into is not None and not self._only_starts(node, value, into):
            return False
        if value in self.direct and node.forward is None:
            return False
        results = graph.results if node.forward is None else graph.gradients
        if graph is self.regions.root.graph:
            results = list(self.regions.root.lines.results)
        return value is into or values.isdisjoint(results)

    def _only_starts(self, node: Node, value: Value, output: Value) -> bool:
        """Tell whether a loop uses a value for nothing but to start the variable that becomes an output."""
        face = self._interface_of(node)
        assert face is not None
        starts = [start for start, out in zip(face.start, face.outputs, strict=True) if out is output]
        return [*map(self._root, node.inputs)].count(value) == starts.count(value)

    def _with_second_names(self, graph: Graph, value: Value) -> set[Value]:
        """Return a value and what may be written by its name: a second name of what a branch or loop makes, what writes make of it."""
        versions = self._versions.get(value, [value])
        made = [each for each in versions if each.node is not None and each.node.function in REGIONS]
        readers = (node for each in made for node in self._readers_in(graph).get(each, ()))
        return {*versions, *(node.output for node in readers if node.function is named)}

    def _place(self, graph: Graph, node: Node) -> tuple[int, bool]:
        """Return the number of the line that a node stands in, and whether that is one of the forward pass."""
        host = self.regions.of[graph].lines.host
        return self._order(graph)[host.get(node, node)], node.forward is None

    def _readers_in(self, graph: Graph) -> dict[Value, list[Node]]:
        if graph not in self._readers:
            readers = self._readers[graph] = {}
            for node in graph.nodes:
                for value in set(node.inputs):
                    readers.setdefault(value, []).append(node)
        return self._readers[graph]

    def _order(self, graph: Graph) -> dict[Node, int]:
        if graph not in self._orders:
            self._orders[graph] = {node: k for k, node in enumerate(graph.nodes)}
        return self._orders[graph]


def _written_by(node: Node) -> Iterator[tuple[Value, Value]]:
    """Return the arrays that a node of a graph writes into, each as it is before and behind it."""
    if node.function in WRITES:
        yield node.inputs[0], node.output
    elif node.function is BACKWARD[loop]:
        arguments = node.arguments
        added_to = node.outputs[len(arguments["upstream"]) :]
        yield from (
            (first, total) for first, total in zip(arguments["first"], added_to, strict=True) if _is_array(first)
        )


def _is_array(value: Value | None) -> bool:
    return value is not None and value.rank > 0


def _runs_again(node: Node) -> bool:
    return node.function is loop and bool(node.arguments["checkpoint"]) and bool(node.bodies[0].upstream)


def _may_lead(value: Value, parameter: Value) -> bool:
    """Tell whether a value and a loop variable have the same name for the user, so that they can share it."""
    wished = _wished(value)
    return wished is not None and wished == _wished(parameter)


def _wished(value: Value) -> str | None:
    if value.primal is not None:
        inner = _wished(value.primal)
        return None if inner is None else "grad_" + inner
    return value.name


def _read_directly(regions: Regions) -> set[Value]:
    """Return the values outside of loops that are read by their names in the backward pass or behind it."""
    found = set(regions.root.lines.results)
    for region in _outside_of_loops(regions.root, regions):
        found.update(region.reads)
    count = -1
    while count < len(found):
        count = len(found)
        for region in _outside_of_loops(regions.root, regions):
            for node in region.graph.nodes:
                for body in node.bodies if node.function is branch else ():
                    pairs = zip(node.outputs, body.results, strict=True)
                    same = [pair for pair in pairs if not found.isdisjoint(pair) and not isinstance(pair[1], Constant)]
                    found.update(value for pair in same for value in pair)
    return found


def _outside_of_loops(region: Region, regions: Regions) -> Iterator[Region]:
    yield region
    for node in region.graph.nodes:
        if node.function is branch:
            for body in node.bodies:
                yield from _outside_of_loops(regions.of[body], regions)
