"""What the backward pass needs of the forward pass: which values a loop keeps for each turn, and which are computed again.

In: a joint graph with its bodies, its results, the style. Out: a `Region` for the graph and for each body of its branches and
loops. Layer: emission, above `lines`.

A value outside of loops is read by its name. One inside of a loop is kept in a list, its tape, unless it is computed again
from what is at hand: a row of an array, the counter, an operation on Python numbers that are kept anyhow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flatgrad.emission.lines import ALWAYS_INSIDE, Lines
from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import (
    BACKWARD,
    REGIONS,
    LoopParts,
    accumulated,
    branch,
    constants_inside,
    loop,
    nested_in_function,
    received,
)
from flatgrad.graph.values import Constant, Graph, Node, Value, packed, same_array
from flatgrad.passes.memory import is_quick

INDEX, IN_REVERSE, FROM_THE_END = "index", "in reverse", "from the end"


@dataclass(slots=True, eq=False)
class Region:
    """A function, or a body of a branch or loop in it.

    `node` is the branch or loop, `depth` the number of loops around. `reads` counts for each forward value how often the
    backward pass reads it; `kept` holds those among them that have a tape, `again` the
    nodes that are computed again. `constants` are those that it reads of lines around it.
    """

    graph: Graph
    node: Node | None
    around: Region | None
    depth: int
    lines: Lines = field(init=False)
    reads: dict[Value, int] = field(default_factory=dict)
    kept: list[Value] = field(default_factory=list)
    again: list[Node] = field(default_factory=list)
    constants: dict[Value, None] = field(default_factory=dict)

    @property
    def is_loop(self) -> bool:
        return self.node is not None and self.node.function is loop

    def outer(self, value: Value) -> Value | None:
        """Return the value of the graph around that a parameter stands for; None where it stands for none."""
        if self.node is None:
            return None
        return next((outer for outer, inner in received(self.node, self.graph).items() if inner is value), None)

    def is_fixed(self, value: Value) -> bool:
        """Tell whether a value has its name outside of all loops, so that it can be read by it at any time."""
        if not self.depth:
            return True
        outer = self.outer(value)
        return outer is not None and self.around is not None and self.around.is_fixed(outer)


class Regions:
    """The regions of one function, by their graphs. `upstream` are the gradients that come in from its caller."""

    def __init__(
        self, graph: Graph, results: Sequence[Value], upstream: Sequence[Value], style: str, target: str
    ) -> None:
        self.style = style
        self.target = target
        self.upstream = frozenset(upstream)
        self.of: dict[Graph, Region] = {}
        self.root = self._prepared(graph, results, None, None)

    def _prepared(self, graph: Graph, results: Sequence[Value], node: Node | None, around: Region | None) -> Region:
        """Return the region of a graph; those inside are made first, for they tell what it has to keep."""
        depth = (around.depth if around is not None else 0) + (node is not None and node.function is loop)
        region = self.of[graph] = Region(graph, node, around, depth)
        for each in graph.nodes:
            if each.function in (branch, loop):
                for body in each.bodies:
                    self._prepared(body, [*body.results, *body.gradients], each, region)
        for each in graph.nodes:
            if each.function in (BACKWARD[branch], BACKWARD[loop]):
                self._note_reads(each)
        region.lines = Lines(graph, results, self.style, self.target)
        self._count_reads(region)
        if depth:
            _choose_kept(region)
        return region

    def _note_reads(self, node: Node) -> None:
        """Note in the backward node of a branch or loop which values from around its bodies read."""
        assert node.forward is not None
        closed: dict[Value, None] = {}
        for body in node.bodies:
            region = self.of[body]
            closed |= {outer: None for outer, inner in received(node.forward, body).items() if inner in region.reads}
        if node.forward.function is loop and node.forward.arguments["checkpoint"]:
            # the turns are run again
            closed |= {leaf: None for leaf in leaves(node.forward.arguments["header"]) if isinstance(leaf, Value)}
            closed |= dict.fromkeys(node.forward.arguments["closed"])
            closed |= dict.fromkeys(constants_inside(node.forward))
        elif node.forward.function is loop:
            closed |= dict.fromkeys(_read_of_header(node.forward, self.of[node.bodies[0]]))
        node.inputs, node.call = packed(node.arguments | {"closed": tuple(closed)})

    def _bodies(self, node: Node) -> list[Graph]:
        """Return the bodies whose lines a backward node writes."""
        return [body for body in node.bodies if body in self.of] if node.function in REGIONS else []

    def _count_reads(self, region: Region) -> None:
        graph, lines = region.graph, region.lines
        own = set(lines.own)
        foreign = {*graph.upstream, *self.upstream}
        pending: list[tuple[Value, int]] = [(value, 1) for value in graph.gradients]
        for node in graph.nodes:
            if is_backward(node):
                often = 2 if node.function is BACKWARD[loop] else 1
                pending += [(value, often) for value in _read_by(node, region)]
                pending += [(value, 1) for body in self._bodies(node) for value in self.of[body].constants]
        again: set[Node] = set()
        while pending:
            value, count = pending.pop()
            made_by = value.node
            if value in foreign or (made_by is not None and is_backward(made_by)):
                continue
            if isinstance(value, Constant) and (made_by is None or made_by not in lines.host):
                if made_by is not None:
                    region.constants[value] = None
                continue
            if isinstance(value, Constant) and region.depth and made_by is not None:
                # in a loop the number itself is written, for its name may mean something else by then
                pending += [(each, 1) for each in made_by.inputs]
                continue
            if made_by is not None and made_by not in own:
                if made_by not in again:
                    again.add(made_by)
                    pending += [(each, 1) for each in made_by.inputs]
                continue
            region.reads[value] = region.reads.get(value, 0) + count
        region.again = [node for node in graph.nodes if node in again]


def shape_of_sum(node: Node, value: Value, region: Region) -> Value:
    """Return what has the shape of a value whose gradient a loop adds up, so that it is not kept for that alone."""
    if not region.depth or region.is_fixed(value):
        return value
    upstream = [each for each in node.arguments["upstream"] if isinstance(each, Value) and each.rank]
    return next((each for each in upstream if same_array(each.type, value.type)), value)


def _read_by(node: Node, region: Region) -> list[Value]:
    """Return the inputs of a backward node that its lines read: of what a number's gradient is added up for, nothing."""
    if node.function is accumulated:
        return list(node.inputs[1:])
    if node.function is not BACKWARD[loop]:
        return list(node.inputs)
    arguments = node.arguments
    made = zip(arguments.pop("into"), arguments["first"], strict=True)
    shapes = [shape_of_sum(node, value, region) for value, first in made if first is None and value.rank]
    return [*packed(arguments)[0], *shapes]


def is_backward(node: Node) -> bool:
    """Tell whether a node is written in the backward pass: also zeros that are returned, and belong to no forward node."""
    return node.forward is not None or (len(node.outputs) == 1 and node.outputs[0].primal is not None)


def _read_of_header(node: Node, region: Region) -> list[Value]:
    """Return the values in the header of a loop that its backward pass reads."""
    parts = LoopParts(node)
    if counts_turns(region) and mode_of(region) != IN_REVERSE:
        # the number of turns
        return [leaf for leaf in leaves(parts.header) if isinstance(leaf, Value)]
    read: list[Value] = []
    for word, given, turned, element in parts.sources:
        if element in region.reads:
            # where a range ends does not matter to what a turn has of it
            needed = [given[0], given[2]] if word == "range" and not turned else given
            read += [leaf for leaf in leaves(tuple(needed)) if isinstance(leaf, Value)]
    return read


def _choose_kept(region: Region) -> None:
    """Divide what the backward pass of a body reads into what is kept and what is computed again."""
    at_hand = _at_hand(region)
    again = set(region.again)
    # a condition that the user has a name for tells which way a turn went
    conditions = [node.inputs[0] for node in region.graph.nodes if node.function is BACKWARD[branch]]
    ways = {value for value in conditions if value.name is not None}
    for node in region.graph.nodes:
        read = [value for value in node.outputs if value in region.reads]
        if is_backward(node) or not read:
            continue
        is_quick_here = len(node.outputs) == 1 and is_quick(node) and node.output not in ways
        inline = _inline_inputs(region, node, at_hand) if is_quick_here else None
        if inline is None:
            region.kept += read
        else:
            again.update(inline, [node])
        at_hand.update(read)
    region.again = [node for node in region.graph.nodes if node in again]
    carried = LoopParts(region.node).carried if region.is_loop and region.node is not None else []
    region.kept[:0] = [value for value in carried if value in region.reads]


def _at_hand(region: Region) -> set[Value]:
    """Return the parameters of a body that the backward pass can read without more being kept for it."""
    found: set[Value] = set()
    if region.is_loop and region.node is not None:
        parts = LoopParts(region.node)
        found.update(parts.elements)
        found.update(value for value in parts.carried if value in region.reads)
    for value in region.graph.parameters:
        if value in region.reads or region.is_fixed(value):
            found.add(value)
    return found


def _inline_inputs(region: Region, node: Node, at_hand: set[Value]) -> list[Node] | None:
    """Return what else is computed again with a node, and note what it reads; None where not all it needs is at hand."""
    needed: dict[Value, None] = {}
    inline: list[Node] = []
    pending = list(node.inputs)
    own = set(region.lines.own)
    while pending:
        value = pending.pop()
        if isinstance(value, Constant):
            continue
        if value.node is not None and value.node not in own:
            if value.node.is_volatile or not (is_quick(value.node) or value.node.function in ALWAYS_INSIDE):
                return None
            inline.append(value.node)
            pending += value.node.inputs
        elif value in at_hand:
            needed[value] = None
        else:
            return None
    for value in needed:
        region.reads[value] = region.reads.get(value, 0) + 1
    return inline


def mode_of(region: Region) -> str:
    """Return how the backward pass finds what a body keeps."""
    if region.depth > 1 or region.node is None or not region.is_loop:
        return FROM_THE_END
    parts = LoopParts(region.node)
    by_number = [parts.turn, *parts.elements]
    if not region.kept or any(value in region.reads for value in by_number):
        return INDEX
    return INDEX if counts_turns(region) and pairs_of(region) else IN_REVERSE


def counts_turns(region: Region) -> bool:
    """Tell whether the header of a loop tells how many turns it has."""
    if region.node is None or not region.is_loop:
        return False
    parts = LoopParts(region.node)
    return not parts.leaves and len(region.node.bodies) == 1 and parts.header is not None


def has_open_end(region: Region) -> bool:
    """Tell whether a loop has a backward pass, and a header that does not tell how many turns that has."""
    goes_back = bool(region.graph.upstream) or any(node.forward is not None for node in region.graph.nodes)
    return region.is_loop and goes_back and not counts_turns(region)


def pairs_of(region: Region) -> dict[Value, Value]:
    """Return the values behind a turn of a loop that are kept as well as those before it, each with that."""
    if region.node is None:
        return {}
    parts = LoopParts(region.node)
    found: dict[Value, Value] = {}
    for parameter, result in zip(parts.carried, parts.results, strict=True):
        made = result.node is not None and not isinstance(result, Constant)
        if made and parameter in region.kept and result in region.kept:
            found.setdefault(result, parameter)
    return found


def needed_again(region: Region, regions: Regions) -> set[Value]:
    """Return the values of a body that have to be computed again for those that the backward pass reads."""
    assert region.node is not None
    parts = LoopParts(region.node)
    nodes = [node for node in region.graph.nodes if node.forward is None]
    needed = set(region.kept)
    for node in nodes:
        inside = [graph for body in node.bodies for graph in nested_in_function(body) if graph in regions.of]
        if any(regions.of[graph].kept or has_open_end(regions.of[graph]) for graph in inside):
            needed.update(node.outputs)
    count = -1
    while count < len(needed):
        count = len(needed)
        for node in reversed(nodes):
            if not needed.isdisjoint(node.outputs):
                needed.update(node.inputs)
        pairs = zip(parts.carried, parts.results, strict=True)
        needed.update([result for carried, result in pairs if carried in needed])
    return needed
