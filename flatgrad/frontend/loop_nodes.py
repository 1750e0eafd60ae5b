"""Writes the node of a loop whose body has been read.

In: a `Loop` with the variables that its body assigns. Out: the node, and what the variables are behind it. Layer: above
`carried`, below `loops`.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from flatgrad.frontend.aliases import with_new_refs
from flatgrad.frontend.assigned import is_used_behind
from flatgrad.frontend.branches import close_together, has_effects
from flatgrad.frontend.carried import Loop
from flatgrad.frontend.growing import length_behind
from flatgrad.frontend.joining import NUMBERS, as_value, flag_name, unbound
from flatgrad.frontend.loop_variables import Variable, numbers
from flatgrad.frontend.placeholders import BROKE, DONE, NOTHING, RESULT, RETURNED
from flatgrad.frontend.reader import Reader, Undefined
from flatgrad.frontend.unsettled import Changing, Undecided, Unset
from flatgrad.graph.containers import leaves, mapped
from flatgrad.graph.regions import loop as loop_function
from flatgrad.graph.regions import writes_to_caller
from flatgrad.graph.values import BOOLEAN, INTEGER, Constant, Value
from flatgrad.infer import type_of
from flatgrad.rules.program import disjunction

# what is known when the code is written and holds nothing of a turn
SAME_IN_ALL_TURNS = (
    Constant, bool, int, float, str, type(None), np.generic, np.ufunc, np.dtype, type, types.ModuleType, types.FunctionType,
    types.BuiltinFunctionType,
)  # fmt: skip


@dataclass
class Carried:
    """The values that a loop carries: before the first turn, as parameters, as results of the body, behind the loop."""

    start: list[Value | None] = field(default_factory=list)
    parameters: list[Value] = field(default_factory=list)
    of_condition: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    def add(self, start: Value | None, parameters: tuple[Value, Value], result: Value) -> Value:
        """Enter one value, with its parameters of body and condition; return its output."""
        self.start.append(start)
        self.parameters.append(parameters[0])
        self.of_condition.append(parameters[1])
        self.results.append(result)
        self.outputs.append(Value(parameters[0].type, parameters[0].name))
        return self.outputs[-1]


def write(loop: Loop) -> None:
    """Append the node of a loop, and set the variables and the flags to what they are behind it."""
    reader, flags = loop.reader, loop.body.variables
    if loop.never:
        return
    broke, returned, done = (flags[flag] for flag in (BROKE, RETURNED, DONE))
    forever = loop.source is None and loop.condition is None
    if forever and (broke, returned, done) == (False, False, False):
        reader.fail("this loop never ends", loop.syntax, "leave it by break or return")
    carried = Carried()
    behind: dict[str, Any] = {}
    items = {variable: _behind(loop, variable, carried) for variable in loop.variables}
    behind.update({variable.name: item for variable, item in items.items() if variable.key is None})
    # a loop without end and without break is left by return only
    behind[RETURNED] = True if forever and broke is False and done is False else _flag(loop, RETURNED, carried)
    behind[BROKE] = _flag(loop, BROKE, carried) if loop.syntax.orelse is not None else False
    if returned is not False:
        behind[RESULT] = _result(loop, flags[RESULT], carried)
    leave = _leave(loop, [flag for flag in (broke, returned, done) if flag is not False])
    if loop.checkpoint:
        _refuse_lasting_changes(loop)
    if carried.outputs or has_effects(loop.body.graph):
        _append(loop, carried, leave, forever)
    loop.aliases.behind([(variable, item) for variable, item in items.items() if not isinstance(variable.key, Value)])
    for variable, item in items.items():
        if variable.key is not None and not variable.fixed:
            _hold(reader, variable.key, item)
    reader.variables.update({name: item for name, item in behind.items() if item is not NOTHING})
    for name, item in behind.items():
        if item is NOTHING:
            reader.variables.pop(name, None)


def _refuse_lasting_changes(loop: Loop) -> None:
    """Raise for what a checkpointed loop must not do, as its turns run again in the backward pass."""
    what = "what runs again in the backward pass can't "
    if writes_to_caller(loop.body.graph):
        loop.reader.fail(f"{what}write into an array of the caller's", loop.syntax, "write into a copy: x = x.copy()")
    if any(parameter.type.is_list for variable in loop.variables for parameter in _parameters(loop, variable)):
        loop.reader.fail(f"{what}append to a list", loop.syntax, "write into an array: rows = np.zeros((n, d))")


def _append(loop: Loop, carried: Carried, leave: Value | None, forever: bool) -> None:
    reader, body = loop.reader, loop.body.graph
    elements = list(leaves(loop.element))
    body.parameters = [Value(INTEGER), *elements, *carried.parameters]
    body.results = [*carried.results, *([leave] if leave is not None else [])]
    bodies = [body]
    if loop.condition is not None:
        loop.condition.parameters = carried.of_condition
        bodies.append(loop.condition)
    closed = close_together(bodies)
    reader.builder.statement = loop.statement
    header = loop.source.header if loop.source is not None else ("forever",) if forever else None
    arguments = {
        "header": mapped(header, lambda leaf: reader.current(leaf) if isinstance(leaf, Value) else leaf),
        "start": tuple(carried.start),
        "closed": closed,
        "leaves": leave is not None,
        "checkpoint": loop.checkpoint,
    }
    node = reader.builder.node(loop_function, arguments, [], location=reader.source.location(loop.syntax))
    node.bodies = tuple(bodies)
    node.outputs = tuple(carried.outputs)
    for output in node.outputs:
        output.node = node


def _hold(reader: Reader, key: Any, item: Any) -> None:
    """Note what an array or container holds behind a loop."""
    if isinstance(key, Value) and isinstance(item, Value):
        reader.memory.hold(key, item)
    else:
        reader.memory[key] = item


def _behind(loop: Loop, variable: Variable, carried: Carried) -> Any:
    """Return what a variable is behind the loop, NOTHING for what no one uses; enter its values into what is carried."""
    start, end = variable.start, variable.end
    if isinstance(variable.changing, Changing):
        return Undecided(variable.changing.words, pairs=variable.changing.pairs)
    if variable.changing is not None:
        return variable.changing
    if variable.fixed:
        return start
    if isinstance(end, Undefined) or end is NOTHING:
        if variable.is_number and loop.is_read(variable):
            # a path that no turn takes first asks for it: it has no value there
            for mine, other in zip(
                _parameters(loop, variable), _parameters(loop, variable, of_condition=True), strict=True
            ):
                carried.add(None, (mine, other), mine)
        # what no turn assigns is what it was
        return loop.reader.variables.get(variable.name, NOTHING) if isinstance(end, Unset) else end
    if not variable.is_number:
        # it is the same in all turns; where there is none, the program itself has no value here
        if isinstance(variable.item, Unset) and variable.item.joined:
            return Undecided("without a value on some paths")
        is_same = all(isinstance(leaf, SAME_IN_ALL_TURNS) for leaf in leaves(end))
        return unbound(end) if is_same else Undecided("made anew in each turn of a loop")
    definition = loop.reader.definition
    is_used = definition is None or loop.reader.unrolled or variable.key is not None
    if not (is_used or loop.is_read(variable)):
        assert definition is not None
        if not is_used_behind(definition, variable.name, loop.syntax):
            return NOTHING
    outer = loop.reader.variables.get(variable.name)
    if isinstance(outer, Unset) and variable.key is None:
        outer.joined = True
    parameters = list(zip(_parameters(loop, variable), _parameters(loop, variable, of_condition=True), strict=True))
    starts = variable.moving(start) if start is not NOTHING else [None] * len(parameters)
    outputs: list[Any] = []
    for before, both, after in zip(starts, parameters, variable.moving(variable.held), strict=True):
        start_value = None if before is None else loop.reader.current(as_value(before))
        output = carried.add(start_value, both, as_value(after))
        if output.type.is_list:
            length = length_behind(loop.source, loop.body.graph, both[0], as_value(after), start_value)
            output.type = replace(output.type, shape=(length, *output.shape[1:]))
        if variable.holds_numbers:
            loop.reader.numbers.add(output)
        outputs.append(output)
    for place in sorted(variable.kept):
        outputs.insert(place, list(numbers(start))[place])
    following = iter(outputs)
    made = mapped(end, lambda leaf: next(following) if isinstance(leaf, NUMBERS) else leaf)
    return made if variable.key is not None else with_new_refs(made)


def _parameters(loop: Loop, variable: Variable, *, of_condition: bool = False) -> Sequence[Value]:
    """Return the parameters of the body, or of the condition, for a variable: those that are there, or new ones."""
    item = loop.condition_items.get(variable, NOTHING) if of_condition else variable.item
    found = list(loop.own_parameters(item))
    several = len(variable.types) > 1
    if len(found) == len(variable.types):
        return found
    stem = variable.name
    names = [f"{stem}_{k}" if several and stem else stem or None for k in range(len(variable.types))]
    return [Value(type, name) for type, name in zip(variable.types, names, strict=True)]


def _flag(loop: Loop, flag: str, carried: Carried) -> Any:
    """Return what a flag is behind the loop: False before the first turn, then what the last turn sets."""
    item = loop.body.variables[flag]
    if item is False:
        return False
    name = flag_name(loop.reader, flag)
    both = Value(BOOLEAN, name), Value(BOOLEAN, name)
    return carried.add(Constant(False, type_of(False)), both, as_value(item))


def _result(loop: Loop, item: Any, carried: Carried) -> Any:
    """Return what the loop has returned, if it has."""
    if isinstance(item, Undefined) or not isinstance(item, tuple | Value | bool | int | float | complex):
        return item

    def output(leaf: Any) -> Any:
        if not isinstance(leaf, NUMBERS):
            return leaf
        value = as_value(leaf)
        made = carried.add(None, (Value(value.type, value.name), Value(value.type, value.name)), value)
        loop.reader.memory.is_one_of(made, loop.aliases.older(loop.reader.memory.root(value)))
        return made

    return mapped(item, output)


def _leave(loop: Loop, flags: Sequence[Any]) -> Value | None:
    """Return the value that tells whether to leave after a turn; None for a loop that is left at its end only."""
    if any(flag is True for flag in flags):
        return Constant(True, type_of(True))
    different = list(dict.fromkeys(flags))
    builder = loop.reader.builder
    outer, builder.graph = builder.graph, loop.body.graph
    try:
        leave: Value | None = None
        for flag in different:
            leave = flag if leave is None else loop.reader.apply(loop.syntax, disjunction, leave, flag)
        return leave
    finally:
        builder.graph = outer
