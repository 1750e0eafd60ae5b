"""The emitted module: functions with their docstrings, imports, constants and helpers, laid out by templates.

In: differentiated functions. Out: the source of a module. Layer: top of `emission`.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.emission.expressions import Printer
from flatgrad.emission.layout import laid_out
from flatgrad.emission.lines import Lines
from flatgrad.emission.names import Names
from flatgrad.emission.spelling import Import, Spelling, import_lines
from flatgrad.emission.templates import rendered
from flatgrad.emission.writer import Writer
from flatgrad.errors import UnsupportedError
from flatgrad.graph.size import Expression, Symbol, resolved
from flatgrad.graph.values import Constant, Graph, Node, Value, leaves

WIDTH = 120
SIZE_NAMES = "nmkpqrsuvw"


@dataclass(slots=True)
class Differentiated:
    """A function with its backward pass, ready to be written.

    `returned` is the structure of what the function returns. `gradients` has the gradient of each parameter in `wrt`, or
    None for one that has none; `bare` says that the only one is returned by itself. `upstream` holds the gradients that
    come in, one for each real result. `static` are the arguments that the code is written for.
    """

    name: str
    place: str
    documentation: str
    graph: Graph
    parameters: dict[str, Value]
    keyword_only: frozenset[str]
    defaults: dict[str, Any]
    static: dict[str, Any]
    returned: Any
    upstream: list[Value]
    gradients: dict[str, Value | None]
    bare: bool

    @property
    def results(self) -> list[Value]:
        """Every value that the emitted code returns."""
        returned = [leaf for leaf in leaves(self.returned) if isinstance(leaf, Value)]
        return returned + [gradient for gradient in self.gradients.values() if gradient is not None]


@dataclass(frozen=True, slots=True)
class ModuleParts:
    """What one differentiated function puts into a module: imports, constants and helpers by name, functions."""

    name: str
    place: str
    imports: frozenset[Import]
    constants: dict[str, str]
    helpers: dict[str, str]
    functions: tuple[str, ...]


def module_parts(function: Differentiated, style: str, target: str, *, split: bool) -> ModuleParts:
    """Write a function.

    With `split` it becomes a forward and a backward function, else one that returns the value and the gradients.
    """
    return _Module(function, style, target).parts(split=split)


def written_module(parts: Sequence[ModuleParts]) -> str:
    """Return the source of a module with these functions. Raises UnsupportedError where they can't share one."""
    for one, other in itertools.combinations(parts, 2):
        for name in (one.helpers.keys() & other.helpers.keys()) | (one.constants.keys() & other.constants.keys()):
            if (one.helpers | one.constants)[name] != (other.helpers | other.constants)[name]:
                message = f"`{one.name}` and `{other.name}` need a `{name}` each, and these differ"
                raise UnsupportedError(message, "write each function into a module of its own")
    constants = {name: text for part in parts for name, text in part.constants.items()}
    helpers = {name: text for part in parts for name, text in part.helpers.items()}
    imports = import_lines(set().union(*(part.imports for part in parts)))
    text = rendered(
        "module.py.jinja",
        docstring=_module_docstring(parts),
        imports=[line for text in imports for line in laid_out(text) or [""]],
        constants=[line for name in sorted(constants) for line in laid_out(constants[name])],
        helpers=[helpers[name] for name in sorted(helpers)],
        functions=[function for part in parts for function in part.functions],
    )
    return text.rstrip("\n") + "\n"


def _module_docstring(parts: Sequence[ModuleParts]) -> str:
    if len(parts) == 1:
        return f'"""Forward and backward pass of `{parts[0].name}`, written by flatgrad from {parts[0].place}."""'
    *names, last = (f"`{part.name}`" for part in parts)
    file = parts[0].place.rpartition(":")[0]
    return f'"""Forward and backward passes of {", ".join(names)} and {last}, written by flatgrad from {file}."""'


class _Module:
    def __init__(self, function: Differentiated, style: str, target: str) -> None:
        self.function = function
        graph = function.graph
        self.lines = Lines(graph, function.results, style)
        parameters = set(function.parameters)
        self.spelling = Spelling(target, parameters)
        self.printer = Printer(self.spelling)
        self.constants = self._module_constants()
        wished = {value.name for value in graph.values() if value.name is not None} | parameters | set(self.constants)
        self._spell_ahead(graph)
        self.names = Names(self.spelling.names() | set(self.constants), wished)
        for name, value in function.parameters.items():
            self.names.parameter(value, name)
            self.printer.name(value, name)
        self.writer = Writer(self.lines, self.names, self.printer)

    def _spell_ahead(self, graph: Graph) -> None:
        """Write everything once with provisional names, to learn which names the module itself needs."""
        trial = Writer(self.lines, Names((), ()), Printer(self.spelling))
        for value in graph.parameters:
            trial.printer.name(value, "x")
        trial.write(graph.nodes)

    def parts(self, *, split: bool) -> ModuleParts:
        """Write the functions, and return them with what they need around them."""
        function = self.function
        forward: list[Node] = []
        backward: list[Node] = []
        for node in function.graph.nodes:
            (forward if node.forward is None and not _is_late(node) else backward).append(node)
        self.writer.write(forward)
        for value in function.upstream:
            self.printer.name(value, self.names.name(value))
        self.writer.write(backward)
        functions = self._pair(forward, backward) if split else [self._joint(forward, backward)]
        # what the constants need is imported too
        constants = self._constant_lines()
        return ModuleParts(
            name=function.name,
            place=function.place,
            imports=frozenset(self.spelling.imports()),
            constants=constants,
            helpers=dict(self.spelling.helpers),
            functions=tuple(functions),
        )

    # constants of the module

    def _module_constants(self) -> dict[str, Constant]:
        found: dict[str, Constant] = {}
        for node in self.function.graph.nodes:
            for value in node.inputs:
                if isinstance(value, Constant):
                    for constant in _constants_in(value):
                        if constant.name is not None and constant.node is None:
                            found.setdefault(constant.name, constant)
        return found

    def _constant_lines(self) -> dict[str, str]:
        return {name: f"{name} = {self.printer.static(found.number)[0]}" for name, found in self.constants.items()}

    # functions

    def _joint(self, forward: Sequence[Node], backward: Sequence[Node]) -> str:
        function = self.function
        value_text = self._structure(function.returned)
        gradients = self._gradients_text()
        return rendered(
            "value_and_grad.py.jinja",
            signature="\n".join(laid_out(f"def {function.name}_value_and_grad({self._parameters(joint=True)}):")),
            docstring=self._docstring(f"Return {value_text} and {gradients}."),
            forward=self._indented(self.writer.forward(forward)),
            backward=self._indented(self.writer.backward(backward)),
            returned="\n".join(laid_out(f"return {value_text}, {gradients}", 4)),
        )

    def _pair(self, forward: Sequence[Node], backward: Sequence[Node]) -> list[str]:
        function = self.function
        saved = self._saved(forward, backward)
        saved_text = self._tuple(saved)
        value_text = self._structure(function.returned)
        value_words = value_text[1:-1] if isinstance(function.returned, tuple) else value_text
        upstream = ", ".join(self.names.name(value) for value in function.upstream)
        gradients = self._gradients_text()
        body = [f"{_bare(saved_text)} = saved"] if saved else []
        forward_text = rendered(
            "pass.py.jinja",
            signature="\n".join(laid_out(f"def {function.name}_forward({self._parameters(joint=False)}):")),
            docstring=self._docstring(f"Return {value_words} and what {function.name}_backward needs.", closing=""),
            body=self._indented(self.writer.forward(forward)),
            returned="\n".join(laid_out(f"return {value_text}, {saved_text}", 4)),
        )
        backward_text = rendered(
            "pass.py.jinja",
            signature="\n".join(laid_out(f"def {function.name}_backward(saved, {upstream}):")),
            docstring=f'    """Return {gradients.strip("()").rstrip(",")}."""',
            body=[line for text in body for line in laid_out(text, 4)] + self._indented(self.writer.backward(backward)),
            returned="\n".join(laid_out(f"return {_bare(gradients)}", 4)),
        )
        return [forward_text, backward_text]

    def _saved(self, forward: Sequence[Node], backward: Sequence[Node]) -> list[str]:
        """Return the names of the forward values that the backward pass reads, in the order in which they are made."""
        own = set(self.lines.own)
        inside = {node.output: node for node in self.function.graph.nodes if node not in own}
        read: set[Value] = set()
        pending = [value for node in backward for value in node.inputs]
        pending += [gradient for gradient in self.function.gradients.values() if gradient is not None]
        while pending:
            value = pending.pop()
            if value not in read:
                read.add(value)
                if value in inside:
                    pending += inside[value].inputs
        made = [*self.function.parameters.values(), *(value for node in forward for value in node.outputs)]
        return [self.names.of[value] for value in made if value in read and value in self.names.of]

    def _parameters(self, *, joint: bool) -> str:
        function = self.function
        hinted = all(value.type.weak for value in function.parameters.values())
        texts: list[str] = []
        keyword_only: list[str] = []
        defaulted = True
        for name, value in reversed(function.parameters.items()):
            default = function.defaults.get(name)
            text = name + (f": {value.type}" if hinted else "")
            is_keyword = name in function.keyword_only
            defaulted = (defaulted or is_keyword) and default is not None
            if defaulted:
                text += f"{' = ' if hinted else '='}{self.printer.static(default)[0]}"
            (keyword_only if is_keyword else texts).insert(0, text)
        if joint:
            for value in function.upstream:
                keyword_only.append(self.names.name(value) + (": float = 1.0" if hinted else "=1.0"))
        return ", ".join(texts + ["*"] * bool(keyword_only) + keyword_only)

    def _docstring(self, summary: str, closing: str = "Each gradient has the shape of its variable.") -> str:
        function = self.function
        paragraphs = []
        if function.documentation:
            paragraphs += [*function.documentation.split("\n"), ""]
        arrays = self._shapes()
        if function.static:
            chosen = ", ".join(f"{name}={_shown(value)}" for name, value in function.static.items())
            paragraphs += [f"Written for {chosen}.", ""]
        if arrays:
            paragraphs += [f"{arrays}. {closing}".rstrip()] if len(arrays) <= 40 else [f"{arrays}.", closing]
        while paragraphs and not paragraphs[-1]:
            paragraphs.pop()
        if not paragraphs:
            return f'    """{summary}"""'
        lines = [summary, "", *paragraphs]
        return (
            '    """' + "\n".join("    " + line if k and line else line for k, line in enumerate(lines)) + '\n    """'
        )

    def _shapes(self) -> str:
        parameters = self.function.parameters
        if all(value.type.weak for value in parameters.values()):
            return ""
        labels = _SizeNames([size for value in parameters.values() for size in value.shape])
        return ", ".join(f"{name}: {labels.described(value)}" for name, value in parameters.items())

    def _gradients_text(self) -> str:
        gradients = self.function.gradients
        texts = ["None" if value is None else self.printer.item(value)[0] for value in gradients.values()]
        return texts[0] if self.function.bare else self._tuple(texts)

    def _tuple(self, texts: Sequence[str]) -> str:
        return f"({', '.join(texts)}{',' * (len(texts) == 1)})"

    def _structure(self, structure: Any) -> str:
        return self.printer.item(structure)[0]

    def _indented(self, lines: Sequence[tuple[str, str]]) -> list[str]:
        result: list[str] = []
        for text, comment in lines:
            if text.startswith("#"):
                result.append("    " + text)
                continue
            *first, last = text.split("\n")
            for line in first:
                result += laid_out(line, 4)
            result += laid_out(last, 4, comment=comment)
        return result


def _bare(text: str) -> str:
    """Return a tuple without its parentheses, where it has more than one part."""
    return text if text.endswith(",)") or not text.startswith("(") else text[1:-1]


def _is_late(node: Node) -> bool:
    """Tell whether a node of no forward node belongs to the backward pass all the same: zeros that are returned."""
    return len(node.outputs) == 1 and node.outputs[0].primal is not None


class _SizeNames:
    """Names for the sizes in a docstring: the user's, and letters for the others."""

    def __init__(self, sizes: Sequence[Any]) -> None:
        symbols = [symbol for size in map(resolved, sizes) if isinstance(size, Expression) for symbol in _symbols(size)]
        taken = {symbol.name for symbol in symbols}
        free = (letter + str(k or "") for k in range(len(symbols) + 1) for letter in SIZE_NAMES)
        self.names: dict[Symbol, str] = {}
        for symbol in dict.fromkeys(symbols):
            self.names[symbol] = symbol.name or next(letter for letter in free if letter not in taken)

    def described(self, value: Value) -> str:
        kind = value.dtype
        if value.type.weak:
            return str(value.type)
        shape = ", ".join(map(self._size, value.shape)) + "," * (value.rank == 1)
        dtype = {"f": "", "i": " int", "u": " int", "b": " bool"}[kind.kind]
        if kind.kind == "f" and kind.itemsize != 8:
            dtype = f" {kind}"
        return f"({shape}){dtype}"

    def _size(self, size: Any) -> str:
        size = resolved(size)
        if isinstance(size, Expression) and len(size.terms) == 1 and len(size.terms[0][0]) == 1:
            return self.names[size.terms[0][0][0]]
        return str(size)


def _symbols(size: Expression) -> list[Symbol]:
    return [symbol for monomial, _ in size.terms for symbol in monomial]


def _constants_in(constant: Constant) -> list[Constant]:
    """Return a constant and those in the expression that it was written as."""
    found = [constant]
    for each in found:
        if each.name is None and each.expression is not None:
            found += [value for value in each.expression.inputs if isinstance(value, Constant)]
    return found


def _shown(value: Any) -> str:
    return inspect.cleandoc(repr(value)).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
