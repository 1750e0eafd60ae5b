"""Reads loops: `for`, `while`, `break` and `continue`.

A loop over numbers or arrays becomes a node with a body. What the body changes from turn to turn is carried: a parameter of the
body, a result of it, and an output of the node. One over things that are known when the code is written is read turn by
turn; so is one over a short range whose counter has to be known. Layer: beside `reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import libcst as cst

from flatgrad.builder import StaticNeeded
from flatgrad.errors import FlatgradError, Problem, UnsupportedError
from flatgrad.frontend.branches import branched, may_leave
from flatgrad.frontend.carried import Loop
from flatgrad.frontend.iterables import (
    LONGEST_UNROLLED,
    Iterable,
    items,
    iterable,
    require_unchanged,
    turns,
    without_checkpoint,
)
from flatgrad.frontend.loop_nodes import write
from flatgrad.frontend.placeholders import BROKE, LEFT, NOTHING, RESULT, RETURNED
from flatgrad.frontend.reader import Reader, performs
from flatgrad.frontend.statement_lines import Step, statements_of
from flatgrad.frontend.truth import truth
from flatgrad.frontend.unpacking import bind_element
from flatgrad.frontend.unsettled_loops import place_of
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
    if (
        source.is_known
        or reader.inlined
        or _is_unsettled(reader, syntax, source)
        or not _looped(reader, syntax, source, checkpoint)
    ):
        _unrolled(reader, syntax, source)


@performs(cst.While)
def read_while(reader: Reader, syntax: cst.While) -> None:
    if reader.inlined:
        reader.fail("a rule can't have a `while` loop", syntax)
    reader.at_statement(syntax)
    checkpoint, test = without_checkpoint(reader, syntax.test)
    problems = list(reader.problems)
    variables, memory = dict(reader.variables), dict(reader.memory)
    read = partial(_while_it_holds, reader, syntax, test)
    place = place_of(reader.problem("", syntax))
    if place in reader.memory.loops.unrolled and _can_be_unrolled(
        reader, read, problems, variables, memory, may_ask=True
    ):
        read()
        return
    loop = Loop(reader, syntax, None, checkpoint, test)
    failure: Exception | None = None
    try:
        with reader.memory.loops.reading(place):
            finished = loop.read()
            if finished:
                write(loop)
    except (StaticNeeded, FlatgradError) as error:
        finished, failure = False, error
    except SizeUnknown as error:
        if error.is_of_arguments:
            raise
        finished, failure = False, error
    if finished:
        _otherwise(reader, syntax)
    elif _can_be_unrolled(reader, read, problems, variables, memory, may_ask=True):
        read()
    elif failure is not None:
        raise failure


@performs(cst.Break)
def read_break(reader: Reader, syntax: cst.Break) -> None:
    reader.variables.update({LEFT: True, BROKE: True})


@performs(cst.Continue)
def read_continue(reader: Reader, syntax: cst.Continue) -> None:
    reader.variables[LEFT] = True


def looped(reader: Reader, syntax: cst.For, source: Iterable) -> bool:
    """Read a loop over what is known at run time only as a node. Return False where there are problems."""
    return _finished(reader, Loop(reader, syntax, source, False))


def _finished(reader: Reader, loop: Loop) -> bool:
    """Read a loop and write its node. Return False where there are problems."""
    with reader.memory.loops.reading(place_of(reader.problem("", loop.syntax))):
        finished = loop.read()
        if finished:
            write(loop)
    return finished


def _is_unsettled(reader: Reader, syntax: cst.For, source: Iterable) -> bool:
    """Tell whether a loop leaves open what is the same memory, and is short. Raises SizeUnknown or StaticNeeded."""
    problem = reader.memory.loops.unrolled.get(place_of(reader.problem("", syntax)))
    if problem is None:
        return False
    count = turns(source)
    if count is None:
        _ask_for_count(reader, syntax, source, replace(problem, hint=COUNT_HINT))
    return count is not None and count <= LONGEST_UNROLLED


def _looped(reader: Reader, syntax: cst.For, source: Iterable, checkpoint: bool) -> bool:
    """Read a loop as a node. Return False, with nothing read, where it has to be, and can be, read turn by turn."""
    problems = list(reader.problems)
    variables, memory = dict(reader.variables), dict(reader.memory)
    loop = Loop(reader, syntax, source, checkpoint)
    count = turns(source)
    short = count is not None and count <= LONGEST_UNROLLED
    try:
        finished = _finished(reader, loop)
    except StaticNeeded as error:
        reader.problems = problems
        if short:
            return False
        if error.value in loop.parameters:
            if count is None:
                _ask_for_count(reader, syntax, source, error.problem)  # type: ignore[attr-defined]
            raise UnsupportedError(error.problem) from None  # type: ignore[attr-defined]
        raise
    except SizeUnknown as error:
        # where no argument tells the size, the number of the turn does
        if not short or error.is_of_arguments:
            raise
        reader.problems = problems
        return False
    if finished:
        _otherwise(reader, syntax)
        return True
    if count is None:
        _require_count(reader, syntax, source, reader.problems[len(problems) :])
    read = partial(_turn_by_turn, reader, syntax, source)
    return not (short and _can_be_unrolled(reader, read, problems, variables, memory))


COUNT_HINT = "it can be written out turn by turn where the number of turns is known: give it in the shapes"


def _require_count(reader: Reader, syntax: cst.For, source: Iterable, problems: Sequence[FlatgradError]) -> None:
    """Ask for the number of turns where all that is wrong with a loop is that a variable has another structure after a turn.

    Raises SizeUnknown or StaticNeeded.
    """
    here = reader.problem("", syntax)
    found = [problem for error in problems for problem in error.problems]
    if not found or any((each.line, each.column) != (here.line, here.column) for each in found):
        return
    _ask_for_count(reader, syntax, source, replace(found[0], hint=COUNT_HINT))


def _ask_for_count(reader: Reader, syntax: cst.For, source: Iterable, problem: Problem) -> None:
    """Raise SizeUnknown or StaticNeeded, with a problem, for what decides how often a loop turns, if data does not."""
    try:
        items(reader, source, syntax.iter)
    except (SizeUnknown, StaticNeeded) as unknown:
        unknown.problem = problem  # type: ignore[union-attr]
        raise
    except FlatgradError:
        return


def _can_be_unrolled(
    reader: Reader,
    read: Callable[[], None],
    problems: list[FlatgradError],
    variables: dict[str, Any],
    memory: dict[Any, Any],
    *,
    may_ask: bool = False,
) -> bool:
    """Try to read a loop turn by turn, and go back; the problems that it has as a loop stay where it does not help.

    Raises SizeUnknown where the sizes of arguments decide how often it turns, if it may.
    """
    graph = reader.builder.graph
    found, after, count = reader.problems, reader.variables, len(graph.nodes)
    reader.problems, reader.variables = list(problems), dict(variables)
    reader.memory.set_to(memory)
    try:
        read()
        helps = len(reader.problems) == len(problems)
    except (FlatgradError, StaticNeeded):
        helps = False
    except SizeUnknown as error:
        if may_ask and error.is_of_arguments:
            raise
        helps = False
    finally:
        del graph.nodes[count:]
    reader.problems, reader.variables = (problems, variables) if helps else (found, after)
    reader.memory.set_to(memory)
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
        turns_of_it = [Step(turn(item), *body) for item in items(reader, source, syntax.iter)]
        reader.block([*turns_of_it, Step(lambda: require_unchanged(reader, source, syntax.iter), syntax.iter)])
    finally:
        reader.unrolled -= 1


def _while_it_holds(reader: Reader, syntax: cst.While, test: cst.BaseExpression) -> None:
    """Read the body of a `while` turn by turn, as often as its condition is known to hold."""
    problems = len(reader.problems)
    body = statements_of(syntax.body)
    done = False

    def turn() -> None:
        nonlocal done
        if done or len(reader.problems) > problems:
            return
        done = not truth(reader, reader.expression(test), test)
        if not done:
            reader.block(body)
            reader.variables[LEFT] = _gone(reader, syntax)

    def last() -> None:
        if not done and len(reader.problems) == problems:
            reader.fail(f"this loop turns more than {LONGEST_UNROLLED} times", syntax.test, "use a `for` loop")

    reader.unrolled += 1
    try:
        reader.block([*(Step(turn, *body) for _ in range(LONGEST_UNROLLED + 1)), Step(last, *body)])
    finally:
        reader.unrolled -= 1
    _otherwise(reader, syntax)


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
