"""Reads loops: `for`, `while`, `break` and `continue`.

A loop over numbers or arrays becomes a node with a body. What the body changes from turn to turn is carried: a parameter of the
body, a result of it, and an output of the node. One over things that are known when the code is written is read turn by
turn; so is one over a short range whose counter has to be known. Layer: beside `reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from flatgrad.builder import StaticNeeded
from flatgrad.errors import FlatgradError, UnsupportedError
from flatgrad.frontend.branches import branched, may_leave
from flatgrad.frontend.carried import Loop
from flatgrad.frontend.iterables import LONGEST_UNROLLED, Iterable, items, iterable, turns, without_checkpoint
from flatgrad.frontend.known import is_static
from flatgrad.frontend.loop_nodes import write
from flatgrad.frontend.reader import BROKE, LEFT, NOTHING, RESULT, RETURNED, Reader, Step, performs, statements_of
from flatgrad.frontend.unpacking import bind_element
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Value
from flatgrad.rules.program import disjunction


@performs(cst.For)
def read_for(reader: Reader, syntax: cst.For) -> None:
    if syntax.asynchronous is not None:
        reader.fail("an asynchronous loop can't be differentiated", syntax, "write it without async")
    reader.at_statement(syntax)
    checkpoint, inner = without_checkpoint(reader, syntax.iter)
    source = iterable(reader, inner)
    if source.is_known or reader.inlined or not _looped(reader, syntax, source, checkpoint):
        _unrolled(reader, syntax, source)


@performs(cst.While)
def read_while(reader: Reader, syntax: cst.While) -> None:
    if reader.inlined:
        reader.fail("a rule can't have a `while` loop", syntax)
    reader.at_statement(syntax)
    checkpoint, test = without_checkpoint(reader, syntax.test)
    loop = Loop(reader, syntax, None, checkpoint, test)
    if loop.read():
        write(loop)
        _otherwise(reader, syntax)


@performs(cst.Break)
def read_break(reader: Reader, syntax: cst.Break) -> None:
    reader.variables.update({LEFT: True, BROKE: True})


@performs(cst.Continue)
def read_continue(reader: Reader, syntax: cst.Continue) -> None:
    reader.variables[LEFT] = True


def _looped(reader: Reader, syntax: cst.For, source: Iterable, checkpoint: bool) -> bool:
    """Read a loop as a node. Return False, with nothing read, where it has to be, and can be, read turn by turn."""
    problems = list(reader.problems)
    variables = dict(reader.variables)
    loop = Loop(reader, syntax, source, checkpoint)
    count = turns(source) if source.word in ("range", "reversed") and is_static(_range(source)) else None
    short = count is not None and count <= LONGEST_UNROLLED
    try:
        finished = loop.read()
    except StaticNeeded as error:
        reader.problems = problems
        if short:
            return False
        if error.value in loop.parameters:
            raise UnsupportedError(error.problem) from None  # type: ignore[attr-defined]
        raise
    if finished:
        write(loop)
        _otherwise(reader, syntax)
        return True
    return not (short and _can_be_unrolled(reader, syntax, source, problems, variables))


def _range(source: Iterable) -> tuple[Any, ...]:
    return source.parts[0].values if source.parts else source.values


def _can_be_unrolled(
    reader: Reader, syntax: cst.For, source: Iterable, problems: list[FlatgradError], variables: dict[str, Any]
) -> bool:
    """Try to read a loop turn by turn, and go back; the problems that it has as a loop stay where it does not help."""
    graph = reader.builder.graph
    found, after, count = reader.problems, reader.variables, len(graph.nodes)
    reader.problems, reader.variables = list(problems), dict(variables)
    try:
        _turn_by_turn(reader, syntax, source)
        helps = len(reader.problems) == len(problems)
    except (FlatgradError, SizeUnknown, StaticNeeded):
        helps = False
    finally:
        del graph.nodes[count:]
    reader.problems, reader.variables = (problems, variables) if helps else (found, after)
    return helps


def _unrolled(reader: Reader, syntax: cst.For, source: Iterable) -> None:
    _turn_by_turn(reader, syntax, source)
    _otherwise(reader, syntax)


def _turn_by_turn(reader: Reader, syntax: cst.For, source: Iterable) -> None:
    """Read the body of a loop once for each item."""
    problems = len(reader.problems)
    body = statements_of(syntax.body)

    def turn(item: Callable[[], Any]) -> Callable[[], None]:
        def read() -> None:
            # a mistake in one turn is one in all of them
            if len(reader.problems) == problems:
                bind_element(reader, syntax.target, item())
                reader.block(body)
                reader.variables[LEFT] = _gone(reader, syntax)

        return read

    reader.unrolled += 1
    try:
        reader.block([Step(turn(item), *body) for item in items(reader, source, syntax.iter)])
    finally:
        reader.unrolled -= 1


def _gone(reader: Reader, syntax: cst.CSTNode) -> Any:
    """Return whether the loop has been left for good: by break or return, not by continue."""
    broke, returned = reader.variables[BROKE], reader.variables[RETURNED]
    if broke is True or returned is True:
        return True
    if broke is False or returned is False:
        return returned if broke is False else broke
    return reader.apply(syntax, disjunction, broke, returned)


def _otherwise(reader: Reader, syntax: cst.For | cst.While) -> None:
    """Leave a loop: read its `else`, unless it was broken out of, and set the flags to what they are behind it."""
    broke, returned = reader.variables[BROKE], reader.variables[RETURNED]
    reader.variables.update({BROKE: False, LEFT: returned})
    if syntax.orelse is None or broke is True:
        return
    statements: Sequence[Any] = statements_of(syntax.orelse.body)
    if isinstance(broke, Value):
        # who breaks has not returned
        branched(reader, broke, [], statements, syntax, ({LEFT: False, RETURNED: False, RESULT: NOTHING}, {}))
    else:
        # what is behind the loop is read in the same branch on the flag of a return
        rest = reader.rest() if isinstance(returned, Value) or may_leave(statements) else ()
        reader.block([*statements, *rest])
