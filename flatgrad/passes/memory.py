"""Whose memory the arrays of a graph are: which may be one, which are views of others, which are written into.

In: nodes. Out: `Groups` of values that may share memory, and for a body `Sharing`, what the graph around it has to know. Layer: passes,
the bottom.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flatgrad.frontend.views import is_basic, is_made_anew, is_read_only, is_unless_converted
from flatgrad.graph.regions import BACKWARD, LoopParts, branch, call, edited, loop
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.markers import stop_gradient
from flatgrad.registry import lookup
from flatgrad.rules.listing import appended
from flatgrad.rules.program import literal, named
from flatgrad.rules.writing import added, assigned

# what these make has the memory of their first input
WRITES = frozenset({assigned, added, appended})
# the form of a write whose values stand in their place already
DONE = "done"
SECOND_NAMES = frozenset({named, edited, stop_gradient})
# operations on numbers that take hardly longer than to keep and to find a number
QUICK = frozenset({
    operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.pos, operator.not_,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
})  # fmt: skip

# from a node, one of its bodies and a value in that to the value around that it stands for
Outside = Callable[[Node, Graph, Value], Value | None]


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the graph around a body has to know of memory.

    `written` are the parameters whose memory the forward pass writes into, `written_backward` such upstream gradients. `kept` are the
    parameters that the backward pass reads, `kept_results` the numbers of the results whose memory it reads. `result_sources` has
    for each result the parameters whose memory it may be, `gradient_sources` for each gradient.
    """

    written: Sequence[Value]
    written_backward: Sequence[Value]
    kept: Sequence[Value]
    kept_results: Sequence[int]
    result_sources: Sequence[Sequence[Value]]
    gradient_sources: Sequence[Sequence[Value]]


class Groups:
    """Values of one graph in groups that may share memory; each group has one value to stand for it.

    What goes round in a loop leads from group to group: `flow`.
    """

    def __init__(self) -> None:
        self._group: dict[Value, Value] = {}
        self._members: dict[Value, list[Value]] = {}
        # those of the members that are read behind the last write
        self._live: dict[Value, dict[Value, None]] = {}
        self._own: dict[Value, bool] = {}
        self._written: dict[Value, set[bool]] = {}
        self._following: dict[Value, Value] = {}

    def __contains__(self, value: Value) -> bool:
        return value in self._group

    def values(self) -> Iterable[Value]:
        """Return all values that are in groups."""
        return self._group

    def add(self, value: Value, *, is_own: bool) -> None:
        """Enter a value with memory that no other one has. Numbers have none."""
        if value.rank and value not in self._group:
            self._enter(value, is_own)

    def _enter(self, value: Value, is_own: bool) -> None:
        self._group[value] = value
        self._members[value] = [value]
        self._live[value] = {value: None}
        self._own[value] = is_own
        self._written[value] = set()

    def of(self, value: Value) -> Value:
        """Return the group of a value; one that is not known belongs to someone else."""
        if value not in self._group:
            self._enter(value, False)
        return self._group[value]

    def members(self, group: Value) -> list[Value]:
        """Return the values in a group."""
        return self._members[group]

    def live(self, group: Value) -> list[Value]:
        """Return the values in a group that may still be read."""
        return list(self._live[group])

    def retire(self, group: Value, values: Iterable[Value]) -> None:
        """Note that some values of a group are not read any more."""
        for value in values:
            self._live[group].pop(value, None)

    def is_own(self, group: Value) -> bool:
        """Tell whether the memory of a group is the graph's to write into."""
        return self._own[group]

    def join(self, value: Value, other: Value) -> None:
        """Note that two values may share memory."""
        if not value.rank or not other.rank:
            return
        one, group = self.of(value), self.of(other)
        if one is group:
            return
        for each in self._members.pop(one):
            self._group[each] = group
            self._members[group].append(each)
        self._live[group] |= self._live.pop(one)
        self._own[group] &= self._own.pop(one)
        self._written[group] |= self._written.pop(one)

    def note_write(self, group: Value, *, backward: bool) -> None:
        """Note that a group is written into, in the forward or in the backward pass."""
        self._written[group].add(backward)

    def is_written(self, group: Value, *, backward: bool) -> bool:
        """Tell whether a group is written into in this pass."""
        return backward in self._written[group]

    def flow(self, value: Value, other: Value) -> None:
        """Note that the memory of a value becomes that of another one in the next turn."""
        if value.rank and other.rank:
            one, group = self.flowing(value), self.flowing(other)
            if one is not group:
                self._following[one] = group

    def flowing(self, value: Value) -> Value:
        """Return what stands for all groups that the memory of a value is in, in one turn or another."""
        group = self.of(value)
        while group in self._following:
            group = self._following[group]
        return group

    def is_written_in_turns(self, flowing: Value) -> bool:
        """Tell whether any of the groups that `flowing` stands for is written into."""
        return any(found for group, found in self._written.items() if found and self.flowing(group) is flowing)

    def sources(self, value: Value, own: Iterable[Value]) -> list[Value]:
        """Return those among some values whose memory a value may be."""
        if value not in self._group:
            return []
        return [each for each in own if each in self._group and self._group[each] is self._group[value]]


def is_view(node: Node) -> bool:
    """Tell whether what a node makes may be the memory of an input: what is picked by arrays of indices is a copy.

    A list has memory of its own: to change what it holds is another thing than to change an array that it holds.
    """
    if node.function in SECOND_NAMES:
        return True
    if node.inputs and node.inputs[0].type.is_list:
        return False
    if is_unless_converted(node):
        return True
    record = lookup(node.function)
    if record is None or not record.view or is_made_anew(node):
        return False
    return node.function is not operator.getitem or is_basic(node.arguments["index"])


def is_quick(node: Node) -> bool:
    """Tell whether a node is computed as fast as its value is kept and found: a view, an operation on numbers."""
    if node.bodies or node.is_volatile:
        return False
    if node.function is operator.getitem:
        return is_basic(node.arguments["index"])
    record = lookup(node.function)
    if record is not None and record.view and not is_made_anew(node):
        return True
    return node.function in QUICK and not any(value.rank for value in (*node.inputs, *node.outputs))


def memory_of_outputs(
    node: Node, known: Mapping[Graph, Sharing], outside: Outside, upstream_outside: Outside
) -> Iterator[tuple[Value, list[Value], bool]]:
    """Yield the outputs of a node, each with the values whose memory it may be, and whether it is the graph's own otherwise."""
    if node.function in WRITES:
        yield node.output, [node.inputs[0]], True
    elif node.function in (branch, loop, call):
        for k, output in enumerate(node.outputs):
            yield output, _sources(node, known, outside, k), not _is_given(node, k)
    elif node.bodies:
        yield from _memory_of_gradients(node, known, outside, upstream_outside)
    else:
        # the sizes for a new shape are no memory
        arrays = [value for value in node.inputs if value.rank and not isinstance(value.known, tuple)]
        sources = arrays if is_view(node) else []
        is_given = node.function is literal and _has_name(node.arguments["number"])
        for output in node.outputs:
            yield output, sources, not is_given


def is_locked(value: Value) -> bool:
    """Tell whether an array is a view that NumPy lets no one write into."""
    node = value.node
    while node is not None and (node.function in WRITES or is_view(node)):
        if is_read_only(node):
            return True
        node = node.inputs[0].node
    return False


def _has_name(number: object) -> bool:
    """Tell whether a constant is one of the module's, by a name that other functions may use."""
    return isinstance(number, Constant) and number.name is not None and number.node is None


def _is_given(node: Node, k: int) -> bool:
    """Tell whether an output of a branch, loop or call may be an array of the module."""
    return any(k < len(body.results) and isinstance(body.results[k], Constant) for body in node.bodies)


def _sources(node: Node, known: Mapping[Graph, Sharing], outside: Outside, k: int) -> list[Value]:
    found = []
    if node.function is loop:
        start = LoopParts(node).start[k]
        found += [start] if isinstance(start, Value) else []
    for body in node.bodies[:1] if node.function is loop else node.bodies:
        sources = known[body].result_sources
        inner = sources[k] if k < len(sources) else []
        found += [outer for each in inner if (outer := outside(node, body, each)) is not None]
    return found


def _memory_of_gradients(
    node: Node, known: Mapping[Graph, Sharing], outside: Outside, upstream_outside: Outside
) -> Iterator[tuple[Value, list[Value], bool]]:
    forward = node.forward
    assert forward is not None
    first = node.arguments["first"] if node.function is BACKWARD[loop] else ()
    carried = len(node.outputs) - len(first)
    for k, output in enumerate(node.outputs):
        if k >= carried:
            start = first[k - carried]
            yield output, [start] if isinstance(start, Value) else [], True
            continue
        found: list[Value] = []
        if node.function is BACKWARD[loop]:
            found += [each for each in (node.arguments["upstream"][k],) if isinstance(each, Value)]
        for body in node.bodies[:1] if node.function is BACKWARD[loop] else node.bodies:
            for inner in known[body].gradient_sources[k]:
                outer = upstream_outside(node, body, inner) or outside(forward, body, inner)
                found += [outer] if outer is not None else []
        yield output, found, True
