"""The text of a joint graph: the lines of the forward and the backward pass, with their comments.

In: the regions of a function, with the chosen lines, and names. Out: lists of lines. Layer: above `expressions`, `keeping` and
`names`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from flatgrad.emission.expressions import INFIX, Printer
from flatgrad.emission.keeping import Regions
from flatgrad.emission.kept_text import head_of_except, head_of_with
from flatgrad.emission.lines import PLACING
from flatgrad.emission.literals import ATOM, Text
from flatgrad.emission.marks import Block, head_of_part
from flatgrad.emission.names import Names
from flatgrad.graph.containers import List
from flatgrad.graph.regions import accumulated
from flatgrad.graph.values import AUGMENTED, Constant, Graph, Node, Statement, Value, same_array
from flatgrad.passes.memory import DONE, WRITES
from flatgrad.rules.indexing import repeats
from flatgrad.rules.listing import appended
from flatgrad.rules.placing import placed
from flatgrad.rules.program import BLOCKS, PARTS, assertion, caught, closed, entered, named, tried
from flatgrad.rules.writing import assigned

# a longer forward line is cut short in the comment that repeats it
LONGEST_COMMENT = 100
# for tools that read the user's file, not for people who read the emitted one
PRAGMAS = ("type:", "noqa", "fmt:", "pylint", "pragma", "ruff:", "mypy:", "pyright", "yapf", "isort", "flake8", "nosec")


class Line(NamedTuple):
    """A line of a function: its text, the comment behind it, and how far it is indented inside of the function."""

    text: str
    comment: str = ""
    depth: int = 0


def indented(lines: Iterable[Line]) -> list[Line]:
    """Return lines as they stand inside of a block."""
    return [line._replace(depth=line.depth + 1) for line in lines]


class Writer:
    """Writes the statements of one function, but for branches and loops, which `blocks` adds.

    `written` is the text of each line that a node has.
    """

    def __init__(self, regions: Regions, names: Names, printer: Printer) -> None:
        self.regions = regions
        self.names = names
        self.printer = printer
        self.written: dict[Node, str] = {}
        self.hosts = {node: host for region in regions.of.values() for node, host in region.lines.host.items()}
        self.own = {node for region in regions.of.values() for node in region.lines.own}
        self.read = {value for region in regions.of.values() for value in region.lines.uses}
        # what the gradients of values from outside of a loop are added to
        self.accumulators: dict[Value, str] = {}

    def forward(self, graph: Graph, nodes: Iterable[Node]) -> list[Line]:
        """Write forward nodes of a graph, and return their lines, with the comments that the user wrote for them."""
        nodes = list(nodes)
        own = [node for node in nodes if node in self.own]
        following = {node: behind.statement for node, behind in zip(own, own[1:], strict=False)}
        result: list[Line] = []
        blocks: list[Block[Line]] = []
        before: Statement | None = None
        for node in nodes:
            if node not in self.own:
                self.printer.texts[node.output] = self._inside(node)
                continue
            statement = node.statement
            if node.function in BLOCKS:
                if node.function in (entered, tried) and statement is not None and statement is not before:
                    result += [Line(comment) for comment in map(comment_text, statement.comments) if comment]
                result = self._marked(node, blocks, result)
                before = statement
                continue
            lines = self._forward_lines(graph, node) + self._kept(graph, node.outputs)
            if statement is not None and statement is not before:
                result += [Line(comment) for comment in map(comment_text, statement.comments) if comment]
            before = statement
            behind = following.get(node)
            trailing = comment_text(statement.trailing) if statement is not None and statement is not behind else ""
            if lines and trailing:
                at = _header_in(lines) if node.bodies else 0
                lines[at] = lines[at]._replace(comment=trailing)
            result += lines
        return result

    def _marked(self, node: Node, blocks: list[Block[Line]], lines: list[Line]) -> list[Line]:
        """Open or end a block or a part of one, and return the lines that go on there."""
        if node.function is closed:
            block = blocks.pop()
            block.parts.append(lines)
            return block.outer + (_written_block(block) if block.heads else lines)
        if node.function in PARTS:
            blocks[-1].parts.append(lines)
            blocks[-1].heads.append(self._except(node) if node.function is caught else head_of_part(node))
            return []
        heads = [head_of_part(node)]
        if node.function is entered:
            heads = [f"{head_of_with(self.printer, node)}{self._as_name(node.outputs)}:"]
            if blocks and blocks[-1].is_joined_by(node.statement, lines):
                blocks[-1].heads[0] = f"{blocks[-1].heads[0][:-1]}, {heads[0].removeprefix('with ')}"
                heads = []
        blocks.append(Block(lines, node.statement, node, heads))
        return []

    def _except(self, node: Node) -> str:
        return f"{head_of_except(self.printer, node)}{self._as_name(node.outputs[1:])}:"

    def _as_name(self, outputs: Sequence[Value]) -> str:
        read = [value for value in outputs if value in self.read]
        for value in read:
            self.printer.name(value, self.names.name(value))
        return "".join(f" as {self.names.name(value)}" for value in read)

    def backward(self, graph: Graph, nodes: Iterable[Node]) -> list[Line]:
        """Write backward nodes of a graph, and return their lines in groups under the forward line that they belong to."""
        result: list[Line] = []
        heading = ""
        for node in nodes:
            if node not in self.own:
                self.printer.texts[node.output] = self._inside(node)
                continue
            lines = self._backward_lines(graph, node)
            fresh = self._heading(graph, node) if lines and not lines[0].text.startswith(("#", "for ", "if ")) else ""
            if fresh and fresh != heading:
                result.append(Line(fresh))
            heading = fresh or ("" if node.bodies else heading)
            result += lines
        return result

    def _kept(self, graph: Graph, values: Sequence[Value]) -> list[Line]:
        """Return the lines that keep values for the backward pass."""
        return []

    def _forward_lines(self, graph: Graph, node: Node) -> list[Line]:
        self.written[node] = self._line(node)
        return [Line(self.written[node])] if self.written[node] else []

    def _backward_lines(self, graph: Graph, node: Node) -> list[Line]:
        self.written[node] = self._line(node)
        return [Line(text) for text in self.written[node].split("\n") if text]

    def _inside(self, node: Node) -> Text:
        text, precedence = self._expression(node)
        # the shape of an array with one axis, unpacked into its only size
        return (text + "[0]" if node.function is np.shape and not node.output.rank else text), precedence

    def _expression(self, node: Node) -> Text:
        return self.printer.expression(node)

    def _line(self, node: Node) -> str:
        if node.function in PLACING:
            return self._placed(node)
        if node.function in WRITES:
            return self._write(node)
        text = self._statement(node)
        if text is not None:
            return text
        expression = self._expression(node)[0]
        targets = [
            self.names.name(value) if value in self.read or len(node.outputs) == 1 else "_" for value in node.outputs
        ]
        for value, name in zip(node.outputs, targets, strict=True):
            self.printer.name(value, name)
        augmented = self._augmented(node, targets[0])
        if augmented is not None:
            return augmented
        target = ", ".join(targets) + "," * (len(targets) == 1 and node.function is np.shape)
        return f"{'(' + target + ')' if target.endswith(',') else target} = {expression}"

    def _signed(self, values: Value, index: Any) -> tuple[str, str]:
        """Return what is added or taken away, and the sign for it."""
        node = values.node
        is_negative = node is not None and node.function is operator.neg and node not in self.own
        if is_negative and node is not None and not (index is not None and repeats(index)):
            return self.printer.item(node.inputs[0])[0], "-="
        return self.printer.item(values)[0], "+="

    def _augmented(self, node: Node, target: str) -> str | None:
        """Return `x += ...` where the user wrote it, of a number: an array may be kept, and must stay as it is."""
        if node.form != AUGMENTED or node.output.rank or node.function not in INFIX:
            return None
        left, right = node.arguments.values()
        if self.printer.item(left)[0] != target:
            return None
        return f"{target} {INFIX[node.function][0]}= {self.printer.item(right)[0]}"

    def _statement(self, node: Node) -> str | None:
        if node.function is accumulated:
            into, values, index = node.arguments.values()
            target = self.accumulators.get(into) or self.printer.item(into)[0]
            text, sign = self._signed(values, index)
            return f"{target} {sign} {text}" if index is None else self._added(target, index, text, sign)
        if node.function is assertion:
            return "assert " + ", ".join(self.printer.item(item)[0] for item in node.arguments.values())
        if not node.outputs:
            return self.printer.expression(node)[0]
        return None

    def _placed(self, node: Node) -> str:
        """Write a scatter as the expert does: zeros, then assignments into them."""
        arguments = node.arguments
        name = self.names.name(node.output)
        like = self.printer.operand(arguments["like"], ATOM)
        lines = [f"{name} = {self.printer.spelling.np()}.zeros_like({like})"]
        if node.function is placed:
            parts, indices = (arguments["values"],), (arguments["index"],)
        else:
            parts, indices = arguments["parts"], arguments["indices"]
        apart = are_apart(indices)
        for part, index in zip(parts, indices, strict=True):
            is_first = apart or len(lines) == 1
            text, sign = (self.printer.item(part)[0], "=") if is_first else self._signed(part, index)
            lines.append(self._added(name, index, text, sign))
        self.printer.name(node.output, name)
        return "\n".join(lines)

    def _write(self, node: Node) -> str:
        """Write an assignment into an array; the array goes by the same name behind it."""
        x, values, *rest = node.arguments.values()
        target = self.printer.texts[node.output] = self.printer.item(x)
        if x in self.names.of:
            self.names.of[node.output] = self.names.of[x]
        if node.form == DONE:
            return ""
        if node.function is appended:
            return f"{target[0]}.append({self.printer.item(values)[0]})"
        (index,) = rest
        if node.function is assigned:
            whole = self._whole(node, target[0])
            if whole is not None:
                return whole
            return f"{target[0]}[{self.printer.index(_only_part(index))}] = {self.printer.item(values)[0]}"
        text, sign = self._signed(values, index)
        if index is Ellipsis:
            return f"{target[0]} {sign} {text}"
        return self._added(target[0], index, text, sign)

    def _whole(self, node: Node, target: str) -> str | None:
        """Return what writes all of an array anew by an operation, as `x *= y` or with `out`; None for any other write."""
        x, values, index = node.arguments.values()
        made_by = values.node if isinstance(values, Value) else None
        if index is not Ellipsis or made_by is None or made_by in self.own or not same_array(values.type, x.type):
            return None
        if made_by.function in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
            left, right = made_by.arguments.values()
            if self.printer.item(left)[0] != target:
                return None
            return f"{target} {INFIX[made_by.function][0]}= {self.printer.item(right)[0]}"
        if isinstance(made_by.function, np.ufunc) and not made_by.form:
            return f"{self.printer.item(values)[0][:-1]}, out={target})"
        return None

    def _added(self, name: str, index: Any, values: str, sign: str) -> str:
        index = _only_part(index)
        inside = self.printer.index(index)
        if not repeats(index):
            return f"{name}[{inside}] {sign} {values}"
        if ":" in inside:
            # outside of brackets, slices need np.s_
            inside = f"{self.printer.spelling.np()}.s_[{inside}]"
        elif isinstance(index, tuple) and not isinstance(index, List):
            inside = f"({inside})"
        return f"{self.printer.spelling.np()}.add.at({name}, {inside}, {values})"

    def _heading(self, graph: Graph, node: Node) -> str:
        if node.forward is None:
            is_zero = node.function is not named or isinstance(node.inputs[0], Constant)
            return (
                f"# no gradient reaches {self.names.name(node.output.primal)}" if node.output.primal and is_zero else ""
            )
        feeds = self._feeds(graph, node)
        if len(feeds) > 2:
            primal = node.output.primal
            assert primal is not None
            return f"# {self.names.name(primal)} feeds {', '.join(feeds[:-1])} and {feeds[-1]}"
        if node.forward is node:
            # the user wrote this backward pass
            return ""
        host = self.hosts.get(node.forward, node.forward)
        line = self.written.get(host, "").split("\n")[0]
        recognised = node.forward.recognised
        if recognised is not None and recognised.words and host is node.forward:
            words = self._words(recognised.words, recognised.arguments)
            if words:
                spread_out = any(
                    value.node in self.own and value not in recognised.arguments.values()
                    for value in node.forward.inputs
                )
                whole = f"# {line} is {words}"
                if not spread_out and len(whole) <= LONGEST_COMMENT:
                    return whole
                return shortened(f"# {self._target(host)} is {words}")
        return shortened(f"# {line}") if line else ""

    def _words(self, words: str, arguments: object) -> str:
        """Fill the names into the words for a recognised form; "" where its input has no name."""
        assert hasattr(arguments, "items")
        filled = words
        for name, argument in arguments.items():
            if "{" + name + "}" in filled:
                shown = argument
                if isinstance(argument, Value) and not isinstance(argument, Constant):
                    if argument not in self.names.of:
                        return ""
                    shown = self.names.of[argument]
                filled = filled.replace("{" + name + "}", str(shown))
        return filled

    def _target(self, host: Node) -> str:
        return ", ".join(self.names.name(value) for value in host.outputs)

    def _feeds(self, graph: Graph, node: Node) -> list[str]:
        """Return the names of the lines that a variable goes into, where its gradient has many parts."""
        primal = node.output.primal if len(node.outputs) == 1 else None
        if primal is None or primal not in self.names.of:
            return []
        readers = self.regions.of[graph].lines.readers(primal)
        feeds = dict.fromkeys(self._target(host) for host in readers if not host.bodies)
        return list(feeds) if len(feeds) <= 5 else []


def _written_block(block: Block[Line]) -> list[Line]:
    """Return the lines of a block."""
    if block.is_dropped:
        return block.left
    trailing = comment_text(block.statement.trailing) if block.statement is not None else ""
    lines: list[Line] = []
    for head, part in zip(block.heads, block.parts, strict=True):
        lines += [Line(head, "" if lines else trailing), *indented(part or [Line("pass")])]
    return lines


def _header_in(lines: Sequence[Line]) -> int:
    """Return the place of the header of a block, behind what is done before it."""
    heads = [k for k, line in enumerate(lines) if not line.depth and line.text.startswith(("if ", "for ", "while "))]
    return heads[0] if heads else 0


def are_apart(indices: Sequence[Any]) -> bool:
    """Tell whether no two of several indices name the same place, as far as that can be seen: different numbers."""
    if any(isinstance(index, List) for index in indices):
        # two different lists may have an element in common
        return False
    numbers = [index if isinstance(index, tuple) else (index,) for index in indices]
    plain = all(isinstance(part, int) and part >= 0 for index in numbers for part in index)
    return plain and len(set(numbers)) == len(numbers) and len({len(index) for index in numbers}) == 1


def _only_part(index: Any) -> Any:
    """Return the only part of an index that has one, without the tuple around it."""
    return index[0] if isinstance(index, tuple) and len(index) == 1 and not isinstance(index, List) else index


def comment_text(comment: str) -> str:
    """Return a comment of the user's in the form that ruff leaves unchanged; "" for one that speaks to a tool."""
    text = comment.lstrip("#").strip()
    if not text or text.lower().startswith(PRAGMAS):
        return ""
    # what can't be seen, such as marks that turn the direction of writing, is made visible
    return "# " + "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def shortened(comment: str) -> str:
    """Return a comment of bearable length."""
    if len(comment) <= LONGEST_COMMENT:
        return comment
    cut = comment.rfind(" ", 0, LONGEST_COMMENT)
    return comment[: cut if cut > 0 else LONGEST_COMMENT] + " ..."
