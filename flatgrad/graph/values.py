"""The SSA graph: values, the nodes that make them, and the graphs that hold the nodes.

    graph  ::= parameters, nodes, results
    node   ::= outputs = function(call)            a call holds values and static objects
    value  ::= parameter | output of a node | constant

A node may hold graphs of its own (`bodies`): the body of a loop, the two sides of a branch, a helper. Bodies are
closed: what they use comes in through their parameters. Layer: above `size`, below everything else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from flatgrad.errors import Problem
from flatgrad.graph.containers import Slice, Slot, mapped
from flatgrad.graph.size import Shape, Size, resolved

_serials = itertools.count()


class Location(Protocol):
    """A place in the user's source; the numbers are worked out only when someone asks."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...
    def problem(self, message: str, hint: str = "") -> Problem:
        """Return a problem at this place."""
        ...


def problem_at(place: Location | None, message: str, hint: str = "") -> Problem:
    """Return a problem at a place, or one without a place where none is known."""
    return Problem(message, hint) if place is None else place.problem(message, hint)


@dataclass(frozen=True, slots=True)
class Type:
    """What is known of a number or array when the code is written.

    `weak` marks a Python number: it has rank 0 and takes on the dtype of the arrays that it meets (NEP 50). `is_list` marks a
    list of numbers or arrays of one shape whose length is known at run time only: its first axis counts them.
    """

    dtype: np.dtype[Any]
    shape: Shape = ()
    weak: bool = False
    is_list: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_real(self) -> bool:
        """Whether the derivative with respect to such a value means anything: floats, and Python's own numbers."""
        return self.dtype.kind == "f" or (self.weak and self.dtype.kind == "i")

    @property
    def is_differentiable(self) -> bool:
        """Whether a gradient can pass through such a value: real and complex numbers."""
        return self.is_real or self.dtype.kind == "c"

    def __str__(self) -> str:
        if self.weak:
            return {"f": "float", "i": "int", "b": "bool", "c": "complex", "O": "kept", "U": "text"}[self.dtype.kind]
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


def same_array(a: Any, b: Type) -> bool:
    """Tell whether two types have the same dtype and shape, and are both arrays or both lists."""
    return (
        isinstance(a, Type)
        and (a.dtype, a.is_list) == (b.dtype, b.is_list)
        and tuple(map(resolved, a.shape)) == tuple(map(resolved, b.shape))
    )


def same_type(a: Any, b: Type) -> bool:
    """Tell whether two types are the same, also in whether a number is Python's own."""
    return same_array(a, b) and a.weak == b.weak


FLOAT = Type(np.dtype(np.float64), (), weak=True)
INTEGER = Type(np.dtype(np.int64), (), weak=True)
COMPLEX = Type(np.dtype(np.complex128), (), weak=True)
BOOLEAN = Type(np.dtype(np.bool_), (), weak=True)


class Value:
    """One number or array of the program, assigned once.

    `known` is what is known of the number itself: the size that an int stands for, or the sizes of a shape. `counter` is the size
    that the counter of a loop, or a whole number of the caller's, is. `count` is how many truth values of a mask are true, once that
    was asked. `copy_of` is set on a copy that was made before its array is overwritten: that array.
    `primal` is set on a gradient: the value that it is the gradient of. `step_of` is that value, too, on a gradient that
    has become a step of an expression, `part_of` on what is one of several parts of it. `called` is what a rule calls a step
    of its own: the name that it gets where it has a line.
    """

    __slots__ = (
        "called",
        "copy_of",
        "count",
        "counter",
        "known",
        "name",
        "node",
        "part_of",
        "primal",
        "serial",
        "step_of",
        "type",
    )

    def __init__(
        self,
        type: Type,
        name: str | None = None,
        *,
        node: Node | None = None,
        known: Size | Shape | None = None,
        primal: Value | None = None,
    ) -> None:
        self.type = type
        self.name = name
        self.node = node
        self.known = known
        self.primal = primal
        self.step_of: Value | None = None
        self.part_of: Value | None = None
        self.counter: Size | None = None
        self.count: Size | None = None
        self.copy_of: Value | None = None
        self.called: str | None = None
        self.serial = next(_serials)

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.type.dtype

    def __repr__(self) -> str:
        return self.name or f"%{self.serial}"


class Constant(Value):
    """A number or a small array that is known when the code is written.

    `text` is how the user wrote it where that is not the number itself (``1e-5``, ``np.pi``), `expression` the operation
    on constants that they wrote (``2 * np.pi``). `name` is the variable that holds it: a global or closure variable, which
    becomes a constant of the emitted module, or, where `node` is set, one of the function's own.
    """

    __slots__ = ("expression", "number", "text")

    def __init__(
        self,
        number: Any,
        type: Type,
        name: str | None = None,
        *,
        text: str | None = None,
        expression: Node | None = None,
    ) -> None:
        super().__init__(type, name)
        self.number = number
        self.text = text
        self.expression = expression
        if type.weak and type.dtype.kind == "i":
            self.known = int(number)

    def __repr__(self) -> str:
        return self.text or self.name or repr(self.number)


def standing_for(value: Value) -> Value:
    """Return a parameter that stands for a value inside of a body."""
    inner = Value(value.type, value.name, known=value.known)
    inner.counter, inner.count = value.counter, value.count
    return inner


Call = tuple[tuple[str, Any], ...]
AUGMENTED = "augmented"


class Statement:
    """A statement of the user's source, for its comments and for the grouping of lines.

    `comments` stand above it, `trailing` behind it; all with their ``#``.
    """

    __slots__ = ("comments", "location", "trailing")

    def __init__(self, location: Location | None, comments: tuple[str, ...] = (), trailing: str = "") -> None:
        self.location = location
        self.comments = comments
        self.trailing = trailing


class Node:
    """One operation: ``outputs = function(call)``.

    `call` names each argument and holds its structure, with a `Slot` where an input stands; the first `positional` ones
    are written without their names. `form` tells how the user wrote it: "" as a call or an operator, "method", `AUGMENTED` for
    `x += ...`, or the attribute's name behind a dot (".T"). `in_list` is set where the function gives a list of one result, as
    np.split into one part does. `forward` is set on a node of the backward pass: the node
    whose derivative it belongs to. `in_callers` is set where the program itself writes into an array of its caller's.
    `valid_until` is the node that overwrites what this one reads, if any does; then it `is_volatile`, and can't be run again later, or it
    is so because the next turn of a loop overwrites that. `recognised` is another function of other inputs that is equal to this one and
    whose derivative is to be taken instead.
    """

    __slots__ = (
        "bodies",
        "call",
        "form",
        "forward",
        "function",
        "in_callers",
        "in_list",
        "inputs",
        "is_volatile",
        "location",
        "outputs",
        "positional",
        "recognised",
        "statement",
        "valid_until",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: tuple[Value, ...],
        call: Call,
        *,
        location: Location | None = None,
        statement: Statement | None = None,
        form: str = "",
        positional: int = 1000,
        bodies: tuple[Graph, ...] = (),
    ) -> None:
        self.function = function
        self.inputs = inputs
        self.call = call
        self.location = location
        self.statement = statement
        self.form = form
        self.positional = positional
        self.bodies = bodies
        self.outputs: tuple[Value, ...] = ()
        self.forward: Node | None = None
        self.in_callers = False
        self.in_list = False
        self.valid_until: Node | None = None
        self.is_volatile = False
        self.recognised: Recognised | None = None

    @property
    def output(self) -> Value:
        """The only output."""
        (value,) = self.outputs
        return value

    @property
    def arguments(self) -> dict[str, Any]:
        """The call with the inputs in their places."""
        return {name: self.filled(structure) for name, structure in self.call}

    def filled(self, structure: Any) -> Any:
        """A part of the call with the inputs in their places."""
        if type(structure) is Slot:
            return self.inputs[structure.index]
        return mapped(structure, lambda leaf: self.inputs[leaf.index] if type(leaf) is Slot else leaf)

    def __repr__(self) -> str:
        outputs = ", ".join(map(repr, self.outputs))
        return f"{outputs} = {getattr(self.function, '__name__', self.function)}({', '.join(map(repr, self.inputs))})"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A known form: `function` with these arguments is what the node's output is.

    `words` completes "<output> is ..." in a comment; "" leaves the forward line as the comment.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    words: str = ""


def packed(arguments: Mapping[str, Any]) -> tuple[tuple[Value, ...], Call]:
    """Split arguments into the values among them and the call with slots in their places."""
    inputs: list[Value] = []
    call: list[tuple[str, Any]] = []

    def slot(leaf: Any) -> Any:
        if isinstance(leaf, Value):
            inputs.append(leaf)
            return SLOTS[len(inputs) - 1] if len(inputs) <= len(SLOTS) else Slot(len(inputs) - 1)
        return leaf

    for name, structure in arguments.items():
        nested = isinstance(structure, tuple | Slice)
        call.append((name, mapped(structure, slot) if nested else slot(structure)))
    return tuple(inputs), tuple(call)


SLOTS = tuple(Slot(index) for index in range(8))


@dataclass(slots=True, eq=False)
class Graph:
    """A function, or the body of a loop or branch.

    `results` are the returned values. The backward nodes of a body start from the gradients in `upstream` and lead to those in
    `gradients`; in a function these belong to the parameters in `wrt`. `origin` tells from which function of the user's, read with which static arguments, a graph was made;
    `custom` is the graph of the backward pass that the user wrote for it. `repeats` says that it runs in a loop.
    `written` are the parameters whose arrays the function itself changes. `structures` are the parameters of a function as its user
    has them, with parameters of the graph and what is known when the code is written as their leaves.
    """

    name: str
    parameters: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    upstream: list[Value] = field(default_factory=list)
    gradients: list[Value] = field(default_factory=list)
    wrt: list[Value] = field(default_factory=list)
    origin: Any = None
    custom: Graph | None = None
    repeats: bool = False
    written: list[Value] = field(default_factory=list)
    structures: dict[str, Any] = field(default_factory=dict)

    def values(self) -> Iterator[Value]:
        """Return every value that is made in the graph, parameters first."""
        yield from self.parameters
        for node in self.nodes:
            yield from node.outputs


def uses_of(nodes: Iterable[Node], results: Iterable[Value] = ()) -> dict[Value, int]:
    """Count how often each value is read."""
    counts: dict[Value, int] = {}
    for node in nodes:
        for value in node.inputs:
            counts[value] = counts.get(value, 0) + 1
    for value in results:
        counts[value] = counts.get(value, 0) + 1
    return counts
