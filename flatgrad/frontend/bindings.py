"""What the statements at the top level of a file bind to which names, and which objects they change in place.

In: a source. Out: `Bindings`: for each name its bindings in order, each with what it is bound to and on which line.
Nothing is evaluated. Layer: `frontend`, above `constants`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from flatgrad.frontend.known_functions import (
    ARRAY_METHODS,
    CONTAINER_METHODS,
    HARMLESS_BUILTINS,
    READ_MODULES,
    STANDARD_MODULES,
    imported,
    is_pure,
)
from flatgrad.frontend.source import Source
from flatgrad.frontend.trees import AnyDef

Scope = AnyDef | ast.Lambda
# what these do to the names of a module can't be seen in its text
DYNAMIC = ("exec", "globals")


@dataclass(frozen=True, slots=True)
class Binding:
    """One place where a name gets a value.

    `value` is the syntax of it: an expression, a `def`, an import; None where it can't be followed. `path` leads into it
    where a tuple is unpacked. `module` and `member` are what an import brings. `operation` is that of an augmented assignment.
    """

    order: int
    node: ast.AST
    value: ast.expr | AnyDef | None = None
    path: tuple[int, ...] = ()
    count: tuple[int, ...] = ()
    module: str = ""
    member: str = ""
    operation: type[ast.operator] | None = None
    certain: bool = True


class Bindings:
    """The bindings of a file's top level.

    `changed` maps a name to where its object may be changed in place; `unclear` is where all names become uncertain.
    """

    def __init__(self, source: Source) -> None:
        self.by_name: dict[str, list[Binding]] = {}
        self.changed: dict[str, ast.AST] = {}
        self.unclear: list[tuple[int, ast.AST]] = []
        self.rebound_by_functions: dict[str, ast.AST] = {}
        self._order = 0
        self._linked: dict[str, set[str]] = {}
        self._statements(source.tree.body, certain=True)
        for statement in source.tree.body:
            _Changes(self, statement)
        for name in tuple(self.changed):
            self._spread(name)

    def imported(self, name: str) -> bool:
        """Tell whether an import binds the name."""
        return any(binding.module for binding in self.by_name.get(name, ()))

    def is_class(self, name: str) -> bool:
        """Tell whether a name stands for a class that the file defines, whose static methods may be called."""
        bound = self.by_name.get(name, ())
        return len(bound) == 1 and isinstance(bound[0].node, ast.ClassDef)

    def dotted_name(self, node: ast.expr) -> str:
        """Return what a chain of attributes stands for by the imports: ``np.linalg.norm`` is ``numpy.linalg.norm``."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        bindings = self.by_name.get(node.id, ()) if isinstance(node, ast.Name) else ()
        if not bindings or not bindings[-1].module:
            return ""
        last = bindings[-1]
        return ".".join([last.module, *([last.member] if last.member else []), *parts])

    def _bind(self, name: str, binding: Binding) -> None:
        self.by_name.setdefault(name, []).append(binding)

    def _statements(self, statements: list[ast.stmt], certain: bool) -> None:
        for statement in statements:
            self._order += 1
            self._statement(statement, certain)

    def _statement(self, node: ast.stmt, certain: bool) -> None:
        order = self._order
        for part in _header(node):
            if isinstance(part, ast.NamedExpr):
                self._bind(part.target.id, Binding(order, node, certain=False))
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node, certain)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._bind(node.name, Binding(order, node, node, certain=certain))
            case ast.ClassDef():
                self._bind(node.name, Binding(order, node, certain=certain))
            case ast.Assign():
                for target in node.targets:
                    self._target(target, Binding(order, node, node.value, certain=certain))
            case ast.AnnAssign():
                # an annotation alone binds nothing
                if node.value is not None:
                    self._target(node.target, Binding(order, node, node.value, certain=certain))
            case ast.AugAssign():
                self._target(node.target, Binding(order, node, node.value, operation=type(node.op), certain=certain))
                self._mark(node.target, node)
            case ast.Delete():
                for target in node.targets:
                    self._target(target, Binding(order, node, certain=certain))
            case ast.If() if _is_type_checking(node.test):
                self._statements(node.orelse, certain)
            case ast.Try() if _only_imports_known(node.body):
                self._statements([*node.body, *node.orelse, *node.finalbody], certain)
            case _:
                self._compound(node)

    def _compound(self, node: ast.stmt) -> None:
        """Bind what a statement binds that may run never, once or often."""
        for part in _header(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self._bind(part.id, Binding(self._order, node, certain=False))
            elif isinstance(part, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and part.name:
                self._bind(part.name, Binding(self._order, node, certain=False))
            elif isinstance(part, ast.MatchMapping) and part.rest:
                self._bind(part.rest, Binding(self._order, node, certain=False))
        if isinstance(node, ast.For | ast.AsyncFor):
            self._link(node.target, node.iter)
        self._statements(list(_inner_statements(node)), certain=False)

    def _target(self, target: ast.expr, binding: Binding) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, binding)
            if isinstance(binding.value, ast.expr):
                self._link(target, binding.value)
        elif isinstance(target, ast.Tuple | ast.List):
            starred = any(isinstance(part, ast.Starred) for part in target.elts)
            for index, part in enumerate(target.elts):
                inner = part.value if isinstance(part, ast.Starred) else part
                path, count = (*binding.path, index), (*binding.count, len(target.elts))
                value = None if starred else binding.value
                certain = binding.certain
                self._target(inner, Binding(binding.order, binding.node, value, path, count, certain=certain))
                if isinstance(binding.value, ast.expr):
                    self._link(inner, binding.value)

    def _import(self, node: ast.Import | ast.ImportFrom, certain: bool) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                # `import a.b` binds a, `import a.b as c` binds a.b
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                name = alias.asname or module
                self._bind(name, Binding(self._order, node, module=module, certain=certain))
            elif alias.name == "*":
                self.unclear.append((self._order, node))
            else:
                module = "." * node.level + (node.module or "")
                binding = Binding(self._order, node, module=module, member=alias.name, certain=certain)
                self._bind(alias.asname or alias.name, binding)

    def _link(self, target: ast.expr, value: ast.expr) -> None:
        """Take note that names may stand for one object, or for parts of one: a change of one is a change of the other."""
        targets = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
        made_by = [part.func for part in ast.walk(value) if isinstance(part, ast.Call)]
        # an object is not its class
        classes = [part for part in made_by if isinstance(part, ast.Name) and self.is_class(part.id)]
        values = [part.id for part in ast.walk(value) if isinstance(part, ast.Name) and part not in classes]
        for one in targets:
            for other in values:
                if not self.imported(other):
                    self._linked.setdefault(one, set()).add(other)
                    self._linked.setdefault(other, set()).add(one)

    def _mark(self, target: ast.expr, node: ast.AST) -> None:
        name = root_name(target)
        if name is not None:
            self.changed.setdefault(name, node)

    def _spread(self, name: str) -> None:
        pending = [name]
        while pending:
            for other in self._linked.get(pending.pop(), ()):
                if other not in self.changed:
                    self.changed[other] = self.changed[name]
                    pending.append(other)


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that a piece of syntax binds by itself."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, AnyDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name is not None:
        yield node.name


class _Changes:
    """Finds what a statement of the top level may change in place, also by way of the functions that it defines."""

    def __init__(self, bindings: Bindings, statement: ast.stmt) -> None:
        self.bindings = bindings
        self._visit(statement, frozenset(), in_function=False)

    def _visit(self, root: ast.AST, local: frozenset[str], in_function: bool) -> None:
        pending: list[ast.AST] = [root]
        while pending:
            node = pending.pop()
            if isinstance(node, Scope):
                names = local | _local_names(node)
                self._note_rebound(node)
                for part in [node.body] if isinstance(node, ast.Lambda) else node.body:
                    self._visit(part, names, in_function=True)
                pending += [node.args, *getattr(node, "decorator_list", ())]
                continue
            self._note(node, local, in_function)
            pending += ast.iter_child_nodes(node)

    def _note_rebound(self, scope: Scope) -> None:
        """Note the names of the file that a function assigns; one that is global there may be read only."""
        statements = [node for node in ast.walk(scope) if isinstance(node, ast.Global)]
        if statements:
            assigned = {name for node in ast.walk(scope) for name in _bound_by(node)}
            for statement in statements:
                for name in assigned.intersection(statement.names):
                    self.bindings.rebound_by_functions.setdefault(name, statement)

    def _note(self, node: ast.AST, local: frozenset[str], in_function: bool) -> None:
        bindings = self.bindings
        dynamic = DYNAMIC if in_function else (*DYNAMIC, "locals", "vars")
        if isinstance(node, ast.Name) and node.id in (() if node.id in bindings.by_name else dynamic):
            bindings.unclear.append((bindings._order + 1, node))
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            self._mark(node, local, node)
        elif isinstance(node, ast.Call):
            owner = root_name(node.func)
            harmless = ARRAY_METHODS | CONTAINER_METHODS
            is_method = isinstance(node.func, ast.Attribute) and node.func.attr not in harmless
            if is_method and owner is not None and not bindings.imported(owner) and not bindings.is_class(owner):
                self._mark(node.func, local, node)
            if self._changes_arguments(node, in_function):
                for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                    for part in ast.walk(argument):
                        if isinstance(part, ast.Name) and not bindings.imported(part.id):
                            self._mark(part, local, node)

    def _mark(self, target: ast.AST, local: frozenset[str], node: ast.AST) -> None:
        name = root_name(target)
        if name is not None and name not in local:
            self.bindings.changed.setdefault(name, node)

    def _changes_arguments(self, call: ast.Call, in_function: bool) -> bool:
        """Tell whether a call may change its arguments in place.

        Of the calls in functions, which may or may not run, only NumPy's are looked at: others would have to be followed.
        """
        names = [keyword.arg for keyword in call.keywords]
        if any(name in ("out", None) or name.startswith("overwrite_") for name in names):
            return True
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in ARRAY_METHODS | CONTAINER_METHODS:
            return False
        name = root_name(function)
        if name is None or name not in self.bindings.by_name:
            return not in_function and name not in HARMLESS_BUILTINS
        dotted = self.bindings.dotted_name(function)
        if dotted.partition(".")[0] not in READ_MODULES:
            return not in_function
        return not is_pure(imported(dotted)) and not dotted.startswith("flatgrad.")


def root_name(node: ast.AST) -> str | None:
    """Return the name at the start of a chain of attributes and subscripts."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _local_names(scope: Scope) -> frozenset[str]:
    names = {part.arg for part in ast.walk(scope.args) if isinstance(part, ast.arg)}
    shared: set[str] = set()
    for part in ast.walk(scope):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.Global):
            shared.update(part.names)
    return frozenset(names - shared)


def _header(node: ast.stmt) -> Iterator[ast.AST]:
    """Return the parts of a statement that belong to the scope it stands in, without the statements inside."""
    pending: list[ast.AST] = [node]
    while pending:
        part = pending.pop()
        if part is not node:
            if isinstance(part, ast.stmt | ast.Lambda):
                continue
            yield part
        if isinstance(part, AnyDef):
            pending += [part.args, *part.decorator_list]
        elif isinstance(part, ast.comprehension):
            pending += [part.iter, *part.ifs]
        else:
            pending += ast.iter_child_nodes(part)


def _inner_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        for part in getattr(node, field, ()):
            if isinstance(part, ast.stmt):
                yield part
            else:
                yield from part.body


def _is_type_checking(test: ast.expr) -> bool:
    """Tell whether a condition is the one that only type checkers take."""
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _only_imports_known(statements: list[ast.stmt]) -> bool:
    """Tell whether statements do nothing but imports that can't fail, so that what stands beside them for that never runs."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            dotted = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            dotted = [f"{statement.module}.{alias.name}" for alias in statement.names]
        else:
            return False
        for name in dotted:
            root = name.partition(".")[0]
            if root not in STANDARD_MODULES and (root not in READ_MODULES or imported(name) is None):
                return False
    return True
