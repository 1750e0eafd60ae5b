"""Reads branches: `if`, conditional expressions, `and` and `or`. Those on data become nodes with a body for each side.

Statements behind an `if` that one side leaves (by return, break or continue) are read inside of the other side. Where a side
leaves on some of its paths only, flags say so, and what stands behind is read in a branch on them. Layer: beside `reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from flatgrad.frontend.assigned import AssignedNames
from flatgrad.frontend.joining import Join, used_outside
from flatgrad.frontend.known import as_number, is_static
from flatgrad.frontend.memory import age_of, mark
from flatgrad.frontend.placeholders import (
    BROKE,
    DONE,
    ITEM,
    LEFT,
    NOTHING,
    RAISED,
    RESULT,
    RETURNED,
    Poisoned,
    Unfinished,
)
from flatgrad.frontend.reader import Reader, Undefined, performs, reads
from flatgrad.frontend.statement_lines import Guarded, Readable, Step, statements_of
from flatgrad.frontend.truth import SAFE, condition
from flatgrad.graph.regions import branch, close, outer_values
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Graph, Value
from flatgrad.rules.program import EFFECTS, conjunction, disjunction


@dataclass
class Side:
    """One side of a branch: its body, and the variables and the memory at the end of it."""

    graph: Graph
    variables: dict[str, Any]
    memory: dict[Any, Any] = field(default_factory=dict)
    # what is older was there before the branch
    began: int = field(default_factory=mark)


def side(reader: Reader, name: str, read: Callable[[], None], known: Mapping[str, Any] | None = None) -> Side:
    """Read one side of a branch into a graph of its own; `known` variables differ from those before it."""
    made = Side(Graph(name), {**reader.variables, **(known or {})}, dict(reader.memory))
    resume(reader, made, read)
    return made


def resume(reader: Reader, made: Side, read: Callable[[], None]) -> None:
    """Read more of a side."""
    builder = reader.builder
    outer, memory = (builder.graph, reader.variables, builder.statement), dict(reader.memory)
    builder.graph, reader.variables = made.graph, made.variables
    reader.memory.set_to(made.memory)
    reader.depth += 1
    try:
        read()
    finally:
        reader.depth -= 1
        made.variables, made.memory = reader.variables, dict(reader.memory)
        builder.graph, reader.variables, builder.statement = outer
        reader.memory.set_to(memory)


def branched(
    reader: Reader,
    test: bool | Value,
    then: Sequence[Readable],
    otherwise: Sequence[Readable],
    syntax: Readable,
    known: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> None:
    """Read the statements of the side that is taken, or, on data, both sides and a node that chooses.

    `known` says which variables are known on each side.
    """
    if isinstance(test, bool):
        chosen = then if test else otherwise
        if chosen and may_leave(chosen):
            chosen = [*chosen, *reader.rest()]
        reader.block(chosen)
        return
    extent: list[Readable] = [syntax]
    first = side(reader, "then", lambda: reader.block(then), known[0])
    if has_raised(first):
        guard(reader, test, (first.graph, Graph("else")), syntax)
        reader.variables.update(known[1])
        branched(reader, False, then, otherwise, syntax)
        return
    if first.variables[LEFT] is True:
        rest = reader.rest()
        extent += rest
        otherwise = [*otherwise, *rest]
    second = side(reader, "else", lambda: reader.block(otherwise), known[1])
    if has_raised(second):
        guard(reader, test, (Graph("then"), second.graph), syntax)
        follow(reader, first)
        return
    if second.variables[LEFT] is True and first.variables[LEFT] is not True:
        rest = reader.rest()
        extent += rest
        resume(reader, first, lambda: reader.block(rest))
    join(reader, test, first, second, syntax, extent)


def has_raised(made: Side) -> bool:
    """Tell whether a side ends in a `raise`, on each of its paths."""
    return made.variables[LEFT] is True and made.variables.get(RESULT) is RAISED


def guard(reader: Reader, test: Value, graphs: tuple[Graph, Graph], syntax: Readable) -> None:
    """Append a branch of which one side raises: what is behind it is behind the other side."""
    place = place_of(syntax)
    if reader.inlined:
        reader.fail("a rule can't have a branch on data", place, "use np.where")
    arguments = {"condition": test, "closed": close_together(graphs)}
    node = reader.builder.node(branch, arguments, [], location=reader.source.location(place))
    node.bodies = graphs


def follow(reader: Reader, made: Side) -> None:
    """Go on where a side ends: it is the only one from which something follows."""
    reader.builder.graph.nodes += made.graph.nodes
    reader.variables = made.variables
    reader.memory.set_to(made.memory)


def place_of(syntax: Readable) -> cst.CSTNode:
    """Return the piece of the source that is read."""
    while isinstance(syntax, Step):
        syntax = syntax.syntax[0]
    return syntax


def join(
    reader: Reader,
    test: Value,
    first: Side,
    second: Side,
    syntax: Readable,
    extent: Sequence[Readable],
    form: str = "",
) -> None:
    """Append the node of a branch whose sides have been read, and set the variables to what they are behind it."""
    place = place_of(syntax)
    if reader.inlined:
        reader.fail("a rule can't have a branch on data", place, "use np.where")
    joined = Join(reader, test, lambda: _words(reader, place), (now_in(reader, first), now_in(reader, second)))
    is_used = used_outside(reader, extent)
    memory = joined_memory(reader, joined, first, second)
    variables: dict[str, Any] = {}
    for name in dict.fromkeys([*first.variables, *second.variables]):
        a, b = first.variables.get(name, NOTHING), second.variables.get(name, NOTHING)
        if a is not b and name.isidentifier():
            if not is_used(name):
                continue
            # no one sees a variable behind a return
            a, b = (
                NOTHING if made.variables.get(RETURNED) is True else each for made, each in ((first, a), (second, b))
            )
        item = joined.item(name, a, b)
        if item is not NOTHING:
            variables[name] = item
    reader.variables = variables
    joined.relate()
    reader.memory.set_to(memory)
    if not joined.pairs and not has_effects(first.graph) and not has_effects(second.graph):
        return
    first.graph.results += [pair[0] for pair in joined.pairs.values()]
    second.graph.results += [pair[1] for pair in joined.pairs.values()]
    closed = close_together([first.graph, second.graph])
    arguments = {"condition": test, "closed": closed}
    node = reader.builder.node(branch, arguments, [], location=reader.source.location(place), form=form)
    node.bodies = (first.graph, second.graph)
    node.outputs = tuple([output for _, _, output in joined.pairs.values()])
    for output in node.outputs:
        output.node = node


def now_in(reader: Reader, made: Side) -> Callable[[Any], Any]:
    """Return what tells what the arrays and containers of an item hold at the end of a side. It raises Unknown."""

    def now(item: Any) -> Any:
        if not made.memory:
            return item
        found: list[Any] = []
        memory, builder = reader.memory, reader.builder
        is_array = isinstance(item, Value)
        resume(
            reader,
            made,
            lambda: found.append(memory.current(builder, item) if is_array else memory.refreshed(builder, item)),
        )
        return found[0]

    return now


def joined_memory(reader: Reader, joined: Join, first: Side, second: Side) -> dict[Any, Any]:
    """Return what is held behind a branch by what was there before it."""
    memory = reader.memory
    behind = dict(memory)
    # what was made on one side only is seen through the variables behind it
    keys = [key for key in dict.fromkeys([*first.memory, *second.memory]) if age_of(key) < first.began]
    for key in keys:
        before = memory.version(key, NOTHING)
        ends = [each.memory.get(key, before) for each in (first, second)]
        if not reader.is_in_line:
            # no one sees what is held behind a return
            ends = [
                NOTHING if made.variables.get(RETURNED) is True else end
                for made, end in zip((first, second), ends, strict=True)
            ]
        held = joined.held(key, *ends)
        if held is not NOTHING and held is not before:
            behind[key] = held
    return behind


def close_together(graphs: Sequence[Graph]) -> tuple[Value, ...]:
    """Give graphs the same parameters for what they use of the graph around them, and return that."""
    outer = dict.fromkeys(
        value for graph in graphs for value in outer_values(graph.nodes, graph.results, graph.parameters)
    )
    for graph in graphs:
        close(graph, list(outer))
    return tuple(outer)


def has_effects(graph: Graph) -> bool:
    """Tell whether a graph does anything beside computing."""
    return any(node.function in EFFECTS or any(map(has_effects, node.bodies)) for node in graph.nodes)


def may_leave(statements: Sequence[Readable]) -> bool:
    """Tell whether some path through statements may return, break or continue."""
    found = AssignedNames()
    for statement in statements:
        statement.visit(found)
    return found.leaves


def _words(reader: Reader, syntax: Readable) -> tuple[str, str]:
    """Return words for the two sides of a branch, for messages."""
    if not isinstance(syntax, cst.CSTNode):
        return "on one side", "on the other"
    word = _WORDS.get(type(syntax), "the branch")
    return f"on one side of {word} in line {reader.source.span(syntax)[0]}", "on the other"


_WORDS: dict[type[cst.CSTNode], str] = {
    cst.If: "the `if`", cst.IfExp: "the conditional expression", cst.Match: "the `match`", cst.For: "the loop",
    cst.While: "the loop", cst.BooleanOperation: "the `and` or `or`",
}  # fmt: skip


@performs(cst.If)
def read_if(reader: Reader, syntax: cst.If) -> None:
    reader.at_statement(syntax)
    test = _test(reader, syntax)
    then = statements_of(syntax.body)
    if isinstance(syntax.orelse, cst.If):
        if test is False:
            # a chain of thousands of conditions is no deeper than its first one
            read_if(reader, syntax.orelse)
            return
        otherwise: Sequence[Readable] = [syntax.orelse]
    else:
        otherwise = statements_of(syntax.orelse.body) if syntax.orelse is not None else []
    branched(reader, test, then, otherwise, syntax)


def _test(reader: Reader, syntax: cst.If) -> bool | Value:
    """Return the condition of an `if`; one that guards against sizes is left to the emitted code where they are not known."""
    item = reader.expression(syntax.test)
    try:
        return condition(reader, item, syntax.test)
    except SizeUnknown:
        sides = [syntax.body, *([syntax.orelse.body] if isinstance(syntax.orelse, cst.Else) else [])]
        if reader.inlined or not isinstance(item, Value) or not any(map(_raises, sides)):
            raise
        return item


def _raises(body: cst.BaseSuite) -> bool:
    """Tell whether the last statement of a block is a `raise`."""
    last = body.body[-1]
    small = last.body[-1] if isinstance(last, cst.SimpleStatementLine) else last
    return isinstance(small, cst.Raise)


@performs(Guarded)
def read_guarded(reader: Reader, syntax: Guarded) -> None:
    """Read what stands behind a statement that has left the block on some paths."""
    left = reader.variables[LEFT]

    then = {LEFT: True, **{flag: True for flag in (RETURNED, BROKE, DONE) if reader.variables[flag] is left}}
    otherwise = {LEFT: False, RETURNED: False, BROKE: False, DONE: False, RESULT: NOTHING}
    branched(reader, left, [], syntax.syntax, syntax, (then, otherwise))


@performs(Step)
def read_step(reader: Reader, syntax: Step) -> None:
    syntax.read()


def either(reader: Reader, test: Value, sides: Sequence[Callable[[], Any]], syntax: cst.CSTNode, form: str) -> Any:
    """Return what one of two expressions gives, each read by one function; only one of them is evaluated."""

    def reading(read: Callable[[], Any]) -> Callable[[], None]:
        def enter() -> None:
            item = read()
            reader.variables[ITEM] = item

        return enter

    names = ("then", "else")
    first, second = (side(reader, name, reading(read)) for name, read in zip(names, sides, strict=True))
    join(reader, test, first, second, syntax, [syntax], form)
    return _usable(reader, reader.variables.pop(ITEM), syntax)


def _usable(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    if item is Unfinished:
        raise Poisoned
    if isinstance(item, Undefined):
        return item.used(reader, ITEM, syntax)
    return item


@reads(cst.IfExp)
def read_conditional(reader: Reader, syntax: cst.IfExp) -> Any:
    test = condition(reader, reader.expression(syntax.test), syntax.test)
    if isinstance(test, bool):
        return reader.expression(syntax.body if test else syntax.orelse)
    sides = [lambda: reader.expression(syntax.body), lambda: reader.expression(syntax.orelse)]
    return either(reader, test, sides, syntax, "expression")


@reads(cst.BooleanOperation)
def read_boolean(reader: Reader, syntax: cst.BooleanOperation) -> Any:
    chain = [syntax]
    while isinstance(chain[-1].left, cst.BooleanOperation):
        chain.append(chain[-1].left)
    result = reader.expression(chain[-1].left)
    place = chain[-1].left
    for link in reversed(chain):
        result = _combined(reader, result, place, link)
        place = link
    return result


def _combined(reader: Reader, left: Any, place: cst.CSTNode, syntax: cst.BooleanOperation) -> Any:
    """Return `left and right` or `left or right`: the right operand is evaluated only if the left one asks for it."""
    is_and = isinstance(syntax.operator, cst.And)
    if is_static(left):
        test: bool | Value = bool(as_number(left))
    elif isinstance(left, Value) and not left.rank and left.dtype.kind == "b":
        # a comparison of sizes is kept as it is written
        test = left
    else:
        test = condition(reader, left, place)
    if isinstance(test, bool):
        return reader.expression(syntax.right) if test == is_and else left
    right: list[Any] = []
    made = side(reader, "then" if is_and else "else", lambda: right.append(reader.expression(syntax.right)))
    (other,) = right
    both_truths = _is_truth(left) and _is_truth(other)
    is_pure = made.variables == reader.variables and made.memory == reader.memory
    if both_truths and is_pure and _is_safe(made.graph):
        reader.builder.graph.nodes += made.graph.nodes
        if is_static(other):
            return left if bool(as_number(other)) == is_and else not is_and
        return reader.apply(syntax, conjunction if is_and else disjunction, left, other)
    made.variables[ITEM] = other
    same = side(reader, "else" if is_and else "then", lambda: reader.variables.update({ITEM: left}))
    first, second = (made, same) if is_and else (same, made)
    join(reader, test, first, second, syntax, [syntax], "and" if is_and else "or")
    return _usable(reader, reader.variables.pop(ITEM), syntax)


def _is_truth(item: Any) -> bool:
    return isinstance(as_number(item), bool) or (isinstance(item, Value) and not item.rank and item.dtype.kind == "b")


def _is_safe(graph: Graph) -> bool:
    """Tell whether a graph can be run where the program might not: it has no effects, and can't fail."""
    return all(node.function in SAFE for node in graph.nodes)
