"""The text of one function of the emitted module: its forward and its backward pass, and what goes from one to the other.

In: the regions of a function. Out: lines, and for a helper its functions. Layer: emission, above `checkpoints`, below `module`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flatgrad.emission.checkpoints import Checkpoints
from flatgrad.emission.expressions import Printer
from flatgrad.emission.keeping import Region, Regions, is_backward
from flatgrad.emission.layout import laid_out
from flatgrad.emission.literals import quoted
from flatgrad.emission.names import Names
from flatgrad.emission.shapes_text import shapes_text, wrapped
from flatgrad.emission.spelling import Spelling
from flatgrad.emission.structured_calls import Passed
from flatgrad.emission.structures_text import GradientTexts, flat_parameters, unpacking, words_in
from flatgrad.emission.templates import rendered
from flatgrad.emission.writer import Line
from flatgrad.graph.containers import mapped
from flatgrad.graph.regions import branch, call
from flatgrad.graph.values import Graph, Value

WIDTH = 120
# of the shapes in a docstring
LONGEST_LINE = 112


class FunctionWriter:
    """Writes one function. `functions` has what its helpers are called and given, `names` gives names to the rest.

    `items` are its parameters, values and structures; `parameters` are the values in them by the names that they have inside.
    """

    def __init__(
        self, regions: Regions, items: Mapping[str, Any], spelling: Spelling, functions: Passed, names: Names
    ) -> None:
        self.regions = regions
        self.graph = regions.root.graph
        self.items = items
        self.parameters = flat_parameters(items, names)
        self.functions = functions
        self.names = names
        self.printer = Printer(spelling)
        for value in self.graph.parameters:
            self.printer.name(value, "x")
        for name, value in self.parameters.items():
            names.parameter(value, name)
            self.printer.name(value, name)
        self.blocks = Checkpoints(regions, names, self.printer, functions)
        self.gradients = GradientTexts(self.printer, names, self.blocks.pieces)
        # what the backward function calls all that it takes of the forward pass
        self.kept = "saved"
        self.forward: list[Line] = []
        self.backward: list[Line] = []

    def write(self, *, split: bool = False) -> None:
        """Write both passes; `split` when they are to stand in two functions."""
        nodes = self.graph.nodes
        if split:
            # what the backward function takes
            while self.kept in self.names.reserved:
                self.kept += "_"
            self.names.taken.add(self.kept)
        self.forward = self.blocks.forward(self.graph, [node for node in nodes if not is_backward(node)])
        self.blocks.tapes.protect()
        self.blocks.roots.clear()
        for value in self.regions.upstream:
            hidden = value.primal is not None and self.names.of.get(value.primal) in self.parameters
            self.names.of[value] = self.names.fresh("grad_out") if hidden else self.names.name(value)
            self.printer.name(value, self.names.of[value])
        self.backward = self.blocks.backward(self.graph, [node for node in nodes if is_backward(node)])
        if split:
            self._make_returnable()

    def _make_returnable(self) -> None:
        """Let every name that is kept have a value on each path, and leave the tapes whole that the backward pass empties."""
        tapes = self.blocks.tapes
        outside = [name for name, region in tapes.opened_in.items() if self._is_in_branch(region)]
        emptied = [name for name, is_emptied in tapes.lists.items() if is_emptied]
        # a parameter has a value on each path
        local = [name for name in self._local_names() if name not in self.parameters]
        local += [name for name in outside if name not in emptied]
        preset = [Line(" = ".join([*names, "None"])) for names in _rows(local)]
        self.forward[:0] = preset + [Line(f"{name} = []") for name in outside if name in emptied]
        self.backward[:0] = [Line(f"{name} = {name}.copy()") for name in emptied]

    def _is_in_branch(self, region: Region) -> bool:
        return region.around is not None and region.around is not self.regions.root

    def _branches(self) -> Iterator[Region]:
        """Return the sides of branches that stand outside of loops."""
        pending = [self.regions.root]
        while pending:
            region = pending.pop()
            if region is not self.regions.root:
                yield region
            sides = [body for node in region.graph.nodes if node.function is branch for body in node.bodies]
            pending += [self.regions.of[body] for body in reversed(sides)]

    def _local_names(self) -> list[str]:
        """Return the names that the backward pass reads and that only one side of a branch gives a value to."""
        found: dict[str, None] = {}
        known = set(self._root_names())
        for region in self._branches():
            made = {value for node in region.graph.nodes if not is_backward(node) for value in node.outputs}
            names = [self.names.of[value] for value in region.reads if value in made and value in self.names.of]
            found |= dict.fromkeys(name for name in names if name not in known)
        return list(found)

    def _root_names(self) -> list[str]:
        reads = self.regions.root.reads
        made = [value for node in self.graph.nodes if not is_backward(node) for value in node.outputs]
        values = [value for value in (*self.graph.parameters, *made) if value in reads and value in self.names.of]
        return list(dict.fromkeys(self.names.of[value] for value in values if value not in self.regions.upstream))

    def saved(self) -> list[str]:
        """Return the names that the backward pass reads of the forward pass, in the order in which they are made.

        Last are the structures that it reads: to run calls again, and for the classes of gradients.
        """
        names = [*self._root_names(), *self._local_names(), *self.blocks.tapes.opened_in]
        # calls that are run again take the structures, and not these parts of them
        words = words_in(self.backward)
        names = [name for name in names if name in words or name in self.items or name not in self.parameters]
        return list(dict.fromkeys([*names, *self.blocks.roots, *self.gradients.roots]))

    def unpacking(self, lines: Sequence[Line]) -> list[Line]:
        """Return the lines that give names to the parts of structures that other lines read."""
        inside = {value: name for name, value in self.parameters.items() if name not in self.items}
        return unpacking(self.items, inside, words_in(lines))


def _rows(names: Sequence[str]) -> Iterator[list[str]]:
    """Return names in groups that fit into a line each."""
    row: list[str] = []
    for name in names:
        if row and len(" = ".join([*row, name])) > WIDTH - 20:
            yield row
            row = []
        row.append(name)
    if row:
        yield row


def written_helper(writer: FunctionWriter) -> list[str]:
    """Return the functions of a helper: one that is not differentiated, or a forward and a backward one."""
    graph = writer.graph
    name = writer.functions.names[graph]
    writer.write(split=bool(graph.upstream))
    returned = ", ".join(writer.printer.item(value)[0] for value in graph.results)
    signature = _signature(writer)
    if not graph.results:
        words = f"Called for its effects.{_shapes(writer)}"
        body = [*writer.unpacking(writer.forward), *writer.forward]
        return [_function(f"def {name}({signature}):", words, body, "").rstrip()]
    value = f"({returned})" if len(graph.results) > 1 else returned
    if not graph.upstream:
        body, ending = _ended(writer, returned)
        return [_function(f"def {name}({signature}):", f"Return {returned}.{_shapes(writer)}", body, ending)]
    gradients = _gradients(writer)
    saved = tuple_of(writer.saved())
    words = f"Return {returned} and what {name}_backward needs.{_shapes(writer)}"
    body, ending = _ended(writer, f"{value}, {saved}")
    forward = _function(f"def {name}_forward({signature}):", words, body, ending)
    upstream = "".join(f", {writer.printer.item(value)[0]}" for value in graph.upstream)
    names = ", ".join(
        _dict_of({name: f"grad_{name}" for name in each.names}) for each in writer.functions.returned[graph]
    )
    lines = [*([Line(f"{bare(saved)} = {writer.kept}")] if saved != "()" else []), *writer.backward]
    lines += writer.gradients.lines
    backward = _function(
        f"def {name}_backward({writer.kept}{upstream}):", f"Return {names}.", lines, f"return {gradients}"
    )
    return [forward, backward]


def _signature(writer: FunctionWriter) -> str:
    hinted = all(isinstance(item, Value) and item.type.weak for item in writer.items.values())
    return ", ".join(name + (": float" if hinted else "") for name in writer.items)


def _shapes(writer: FunctionWriter) -> str:
    shapes = shapes_text(writer.items)
    return f" {shapes}." if shapes else ""


def _ended(writer: FunctionWriter, returned: str) -> tuple[list[Line], str]:
    """Return the lines of a forward function, and its `return`."""
    ending = f"return {returned}"
    return [*writer.unpacking([*writer.forward, Line(ending)]), *writer.forward], ending


def _gradients(writer: FunctionWriter) -> str:
    """Return the text of all that the backward pass of a helper returns."""
    gradients = dict(zip(writer.graph.wrt, writer.graph.gradients, strict=True))

    def gradient(leaf: Any) -> Value | None:
        return gradients.get(leaf) if isinstance(leaf, Value) else None

    def text(name: str, structure: Any) -> str:
        return writer.gradients.text(name, structure, mapped(structure, gradient))

    texts = []
    for each in writer.functions.returned[writer.graph]:
        parts = zip(each.names, each.structure if len(each.names) > 1 else [each.structure], strict=True)
        texts.append(_dict_of({name: text(name, part) for name, part in parts}))
    return ", ".join(texts)


def _dict_of(texts: Mapping[str, str]) -> str:
    """Return the text of a dict, or of its only part."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return f"{{{', '.join(f'{quoted(name)}: {text}' for name, text in texts.items())}}}"


def _function(signature: str, words: str, body: Sequence[Line], returned: str) -> str:
    return rendered(
        "pass.py.jinja",
        signature="\n".join(laid_out(signature)),
        docstring=_docstring(words),
        body=lines_of(body),
        returned="\n".join(laid_out(returned, 4)),
    )


def _docstring(words: str) -> str:
    """Return a docstring of one line, or of a summary and the rest where that is too long."""
    whole = f'    """{words}"""'
    if len(whole) <= WIDTH:
        return whole
    summary, _, rest = words.partition(". ")
    lines = "\n    ".join(wrapped(rest, LONGEST_LINE))
    return f'    """{summary}.\n\n    {lines}\n    """' if rest else whole


def lines_of(lines: Iterable[Line]) -> list[str]:
    """Return the lines of a function's body, indented, and broken where they are too long."""
    result: list[str] = []
    for line in lines:
        indent = 4 * (line.depth + 1)
        if line.text.startswith("#"):
            result.append(" " * indent + line.text)
            continue
        *first, last = line.text.split("\n")
        for text in first:
            result += laid_out(text, indent)
        result += laid_out(last, indent, comment=line.comment)
    return result


def tuple_of(texts: Sequence[str]) -> str:
    """Return the text of a tuple."""
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def bare(text: str) -> str:
    """Return a tuple without its parentheses, where it has more than one part."""
    return text if text.endswith(",)") or not text.startswith("(") else text[1:-1]


def functions_called(graph: Graph) -> list[Graph]:
    """Return the graphs of the functions that a graph calls, each behind those that it calls itself."""
    found: dict[Graph, None] = {}
    seen: set[Graph] = set()

    def visit(each: Graph) -> None:
        for node in each.nodes:
            for body in node.bodies:
                if body not in seen:
                    seen.add(body)
                    visit(body)
                    if node.function is call:
                        found[body] = None

    visit(graph)
    return list(found)
