"""The emitted module: functions with their docstrings, imports, constants and helpers, laid out by templates.

In: differentiated functions. Out: the source of a module. Layer: top of `emission`.
"""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flatgrad.emission.functions import (
    FunctionWriter,
    bare,
    functions_called,
    lines_of,
    tuple_of,
    written_helper,
)
from flatgrad.emission.keeping import Regions
from flatgrad.emission.layout import laid_out
from flatgrad.emission.names import Names
from flatgrad.emission.shapes_text import shapes_text, wrapped
from flatgrad.emission.spelling import Import, Spelling, import_lines
from flatgrad.emission.static_text import static_text
from flatgrad.emission.structured_calls import passed_structures, structures_in
from flatgrad.emission.structures_text import classes_at_hand, modules_for
from flatgrad.emission.templates import rendered
from flatgrad.emission.writer import Line
from flatgrad.errors import UnsupportedError
from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import nested, nested_in_function
from flatgrad.graph.values import Constant, Graph, Value
from flatgrad.structures import is_container, spelled

BUILTINS = frozenset(dir(builtins))
# what a docstring names of what the code is written for
MOST_SHOWN = 6
LONGEST_LINE = 112


@dataclass(slots=True)
class Differentiated:
    """A function with its backward pass, ready to be written.

    `parameters` and `returned` are structures: of what the function takes, and of what it returns. `wrt` is what the
    gradients belong to, `places` where that stands in the arguments, and `gradients` the same structures with a gradient
    for each leaf, or None for one that has none; `bare` says that the only one is returned by itself. `upstream` holds the
    gradients that come in, one for each real result. `static` is what the code is written for, by its place; `written` are
    the places of arrays that the function itself writes into.
    """

    name: str
    place: str
    documentation: str
    graph: Graph
    parameters: dict[str, Any]
    keyword_only: frozenset[str]
    defaults: dict[str, Any]
    static: dict[str, Any]
    returned: Any
    upstream: list[Value]
    wrt: tuple[Any, ...]
    places: tuple[str, ...]
    gradients: tuple[Any, ...]
    bare: bool
    written: tuple[str, ...] = ()

    @property
    def results(self) -> list[Value]:
        """Every value that the emitted code returns."""
        returned = [leaf for leaf in leaves(self.returned) if isinstance(leaf, Value)]
        return returned + self.returned_gradients

    @property
    def returned_gradients(self) -> list[Value]:
        """Every gradient that the emitted code returns."""
        return [leaf for leaf in leaves(self.gradients) if isinstance(leaf, Value)]


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
    """Writes one differentiated function and the functions that it calls."""

    def __init__(self, function: Differentiated, style: str, target: str) -> None:
        self.function = function
        graph = function.graph
        graph.gradients = function.returned_gradients
        helpers = functions_called(graph)
        parameters = set(function.parameters)
        parameters |= {name for each in helpers for name in _parameter_names(each)}
        self.constants = self._module_constants()
        names = _function_names(function.name, helpers, parameters | set(self.constants))
        self.passed = passed_structures(graph, function.parameters, names)
        texts = {text for name in (function.name, *names.values()) for text in _names_of_passes(name)}
        hidden = {value.name for each in (graph, *helpers) for value in _variables(each) if value.name in BUILTINS}
        self.spelling = Spelling(target, parameters | set(self.constants) | texts | hidden)
        self.spelling.classes.update(classes_at_hand(function.parameters))
        for module in modules_for(function.wrt, function.gradients):
            self.spelling.module(module)
        for each in helpers:
            for part in self.passed.returned[each]:
                for module in modules_for(part.structure, part.structure):
                    self.spelling.module(module)
        main = Regions(graph, function.results, function.upstream, style, target)
        own = {each: Regions(each, [*each.results, *each.gradients], each.upstream, style, target) for each in helpers}
        for regions in (*own.values(), main):
            FunctionWriter(regions, {}, self.spelling, self.passed, Names((), ())).write()
        taken = {text for name in names.values() for text in _names_of_passes(name)}
        reserved = self.spelling.names() | set(self.constants) | taken
        self.helpers = [self._writer(own[each], reserved) for each in helpers]
        self.main = self._writer(main, reserved)
        self.names, self.printer, self.gradients = self.main.names, self.main.printer, self.main.gradients

    def _writer(self, regions: Regions, reserved: set[str]) -> FunctionWriter:
        parameters = self.passed.parameters[regions.root.graph]
        graphs = nested_in_function(regions.root.graph)
        wished = {value.name for graph in graphs for value in graph.values() if value.name is not None}
        names = Names(reserved, wished | set(parameters) | set(self.constants))
        return FunctionWriter(regions, parameters, self.spelling, self.passed, names)

    def parts(self, *, split: bool) -> ModuleParts:
        """Write the functions, and return them with what they need around them."""
        function = self.function
        helpers = [text for helper in self.helpers for text in written_helper(helper)]
        self.main.write(split=split)
        functions = self._pair() if split else [self._joint()]
        # what the constants need is imported too
        constants = self._constant_lines()
        return ModuleParts(
            name=function.name,
            place=function.place,
            imports=frozenset(self.spelling.imports()),
            constants=constants,
            helpers=dict(self.spelling.helpers),
            functions=(*helpers, *functions),
        )

    # constants of the module

    def _module_constants(self) -> dict[str, Constant]:
        found: dict[str, Constant] = {}
        for graph in nested(self.function.graph):
            for value in (*(value for node in graph.nodes for value in node.inputs), *graph.results, *graph.gradients):
                if isinstance(value, Constant):
                    for constant in _constants_in(value):
                        if constant.name is not None and constant.node is None:
                            found.setdefault(constant.name, constant)
        return found

    def _constant_lines(self) -> dict[str, str]:
        return {name: f"{name} = {self.printer.static(found.number)[0]}" for name, found in self.constants.items()}

    # functions

    def _joint(self) -> str:
        function = self.function
        value_text = self._structure(function.returned)
        gradients = self._gradients_text()
        ending = [*self.gradients.lines, Line(f"return {value_text}, {gradients}")]
        read = [*self.main.forward, *self.main.backward, *ending]
        return rendered(
            "value_and_grad.py.jinja",
            signature="\n".join(laid_out(f"def {function.name}_value_and_grad({self._parameters(joint=True)}):")),
            docstring=self._docstring(f"Return {value_text} and {self._gradients_words()}."),
            forward=lines_of([*self.main.unpacking(read), *self.main.forward]),
            backward=lines_of(self.main.backward),
            returned="\n".join(lines_of(ending)),
        )

    def _pair(self) -> list[str]:
        function = self.function
        value_text = self._structure(function.returned)
        value_words = value_text[1:-1] if type(function.returned) is tuple else value_text
        upstream = ", ".join(self.names.name(value) for value in function.upstream)
        gradients = self._gradients_text()
        saved = self.main.saved()
        saved_text = tuple_of(saved)
        body = [Line(f"{bare(saved_text)} = {self.main.kept}")] if saved else []
        ending = Line(f"return {value_text}, {saved_text}")
        forward_text = rendered(
            "pass.py.jinja",
            signature="\n".join(laid_out(f"def {function.name}_forward({self._parameters(joint=False)}):")),
            docstring=self._docstring(f"Return {value_words} and what {function.name}_backward needs.", closing=""),
            body=lines_of([*self.main.unpacking([*self.main.forward, ending]), *self.main.forward]),
            returned="\n".join(lines_of([ending])),
        )
        backward_text = rendered(
            "pass.py.jinja",
            signature="\n".join(laid_out(f"def {function.name}_backward({self.main.kept}, {upstream}):")),
            docstring=f'    """Return {bare(self._gradients_words()).strip("()").rstrip(",")}."""',
            body=lines_of([*body, *self.main.backward, *self.gradients.lines]),
            returned="\n".join(laid_out(f"return {bare(gradients)}", 4)),
        )
        return [forward_text, backward_text]

    def _parameters(self, *, joint: bool) -> str:
        function = self.function
        hinted = all(isinstance(item, Value) and item.type.weak for item in function.parameters.values())
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
        arrays = shapes_text(self.function.parameters)
        if function.static:
            chosen = [f"{place}={static_text(value)}" for place, value in function.static.items()]
            more = [f"and {len(chosen) - MOST_SHOWN} more"] if len(chosen) > MOST_SHOWN else []
            paragraphs += [f"Written for {', '.join(chosen[:MOST_SHOWN] + more)}.", ""]
        if function.written:
            paragraphs += [f"Writes into {', '.join(f'`{place}`' for place in function.written)}.", ""]
        if arrays:
            lines = wrapped(f"{arrays}.", LONGEST_LINE)
            paragraphs += [f"{arrays}. {closing}".rstrip()] if len(arrays) <= 40 else [*lines, closing]
        while paragraphs and not paragraphs[-1]:
            paragraphs.pop()
        if not paragraphs:
            return f'    """{summary}"""'
        lines = [summary, "", *paragraphs]
        return (
            '    """' + "\n".join("    " + line if k and line else line for k, line in enumerate(lines)) + '\n    """'
        )

    def _gradients_words(self) -> str:
        """Return the gradients as a docstring names them: a container by one name."""
        function = self.function
        texts = [
            "grad_" + "_".join(spelled(place)) if is_container(gradient) else self.gradients.text(place, None, gradient)
            for place, gradient in zip(function.places, function.gradients, strict=True)
        ]
        return texts[0] if function.bare else tuple_of(texts)

    def _gradients_text(self) -> str:
        function = self.function
        parts = zip(function.places, function.wrt, function.gradients, strict=True)
        texts = [self.gradients.text(place, structure, gradient) for place, structure, gradient in parts]
        return texts[0] if function.bare else tuple_of(texts)

    def _structure(self, structure: Any) -> str:
        return self.printer.item(structure)[0]


def _names_of_passes(name: str) -> tuple[str, ...]:
    """Return the names that the passes of a function have."""
    return name, f"{name}_forward", f"{name}_backward", f"{name}_value_and_grad"


def _names_written(function: Graph, name: str) -> tuple[str, ...]:
    """Return the names in the module that a function which is called has."""
    return (f"{name}_forward", f"{name}_backward") if function.upstream else (name,)


def _variables(function: Graph) -> Iterator[Value]:
    return (value for graph in nested_in_function(function) for value in graph.values())


def _parameter_names(function: Graph) -> Iterator[str]:
    """Yield all that a parameter of a function that is called may be named after."""
    yield from (value.name for value in function.parameters if value.name is not None)
    yield from (place.name for place in structures_in(function.structures))


def _function_names(main: str, helpers: Sequence[Graph], known: set[str]) -> dict[Graph, str]:
    """Return a name in the module for each function that is called; a second one of the same name gets a number.

    What the parameters and constants in `known` are called is left to them.
    """
    taken = {*known, *_names_of_passes(main)}
    names: dict[Graph, str] = {}
    for graph in helpers:
        wanted = graph.name if graph.name.isidentifier() else "inner"
        order = 1
        name = wanted
        while name in names.values() or not taken.isdisjoint(_names_written(graph, name)):
            order += 1
            name = f"{wanted}_{order}"
        taken.update(_names_written(graph, name))
        names[graph] = name
    return names


def _constants_in(constant: Constant) -> list[Constant]:
    """Return a constant and those in the expression that it was written as."""
    found = [constant]
    for each in found:
        if each.name is None and each.expression is not None:
            found += [value for value in each.expression.inputs if isinstance(value, Constant)]
    return found
