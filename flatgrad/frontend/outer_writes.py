"""What a function changes that is not its own, as far as its text tells: globals, and parts of what it has not made.

In: the syntax of a function that is not read into a graph. Out: the first such change, and what the function calls. What may be
something else's counts as that. Layer: `frontend`, beside `assigned`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import libcst as cst

# methods that change what they are called on, of lists, dicts, sets, deques and arrays
CHANGING = frozenset({
    "append", "extend", "insert", "remove", "pop", "clear", "update", "setdefault", "popitem", "sort", "reverse", "add",
    "discard", "appendleft", "popleft", "extendleft", "rotate", "fill", "itemset", "resize", "put", "partition",
    "intersection_update", "difference_update", "symmetric_difference_update",
})  # fmt: skip
# what may stand for something that others have, too
MAY_BE_SHARED = (cst.Name, cst.Attribute, cst.Subscript, cst.IfExp, cst.BooleanOperation, cst.NamedExpr)
NAMESPACES = frozenset({"globals", "locals", "vars", "exec", "eval"})


class OuterWrites(cst.CSTVisitor):
    """Goes through a function, or through the methods of a class.

    `found` are the names of what they change and have not made, each with the place. `called` are the names of what they call.
    The first parameter of a method is the object, whose attributes are its own.
    """

    def __init__(self, functions: Sequence[cst.FunctionDef], *, are_arguments_own: bool, are_methods: bool) -> None:
        super().__init__()
        self.called: list[tuple[str, ...]] = []
        self.found: list[tuple[str, cst.CSTNode]] = []
        self.object = ""
        # by their names, those of attributes with a dot: what is made here, what may be something else's, what is changed
        self._made: set[str] = set()
        self._shared: set[str] = set()
        self._writes: list[tuple[str, str, cst.CSTNode]] = []
        for function in functions:
            params = [each.name.value for each in (*function.params.posonly_params, *function.params.params)]
            self.object = params[0] if are_methods and params else ""
            self._made |= set(params) if are_arguments_own else set()
            function.body.visit(self)
            self._settle(lambda key: not key.startswith("."))
            self._made, self._shared = ({key for key in keys if key[0] == "."} for keys in (self._made, self._shared))
        self._settle(lambda key: True)

    def _settle(self, is_local: Callable[[str], bool]) -> None:
        """Tell what the writes change of which all is known now."""
        own = self._made - self._shared
        settled = [write for write in self._writes if is_local(write[0])]
        self._writes = [write for write in self._writes if not is_local(write[0])]
        self.found += [(name, syntax) for key, name, syntax in settled if key not in own]

    def visit_Global(self, node: cst.Global) -> None:
        self.found += [(each.name.value, node) for each in node.names]

    def visit_Nonlocal(self, node: cst.Nonlocal) -> None:
        self.found += [(each.name.value, node) for each in node.names]

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._bound(target.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._bound(node.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        if isinstance(node.target, cst.Name):
            # `x += 1` changes an array or a list in its place
            self._write((node.target.value,), node.target)
        else:
            self._stored(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._bound(node.target, node.iter, is_part=True)

    def visit_With(self, node: cst.With) -> None:
        for item in node.items:
            if item.asname is not None:
                self._bound(item.asname.name, item.item, is_part=True)

    def visit_Del(self, node: cst.Del) -> None:
        for target in _targets(node.target):
            if not isinstance(target, cst.Name):
                self._stored(target)

    def visit_Call(self, node: cst.Call) -> None:
        path = _path(node.func)
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in CHANGING:
            self._write(path[:-1], node)
        elif path and path[-1] in ("setattr", "delattr", "copyto") and node.args:
            self._write(_path(node.args[0].value), node)
        elif path and path[0] in NAMESPACES:
            self._write((), node)
        self.called += [path] if path else []
        for argument in node.args:
            if argument.keyword is not None and argument.keyword.value == "out":
                self._write(_path(argument.value), node)

    def _bound(self, target: cst.BaseExpression, value: cst.BaseExpression, *, is_part: bool = False) -> None:
        """Note what an assignment binds or changes."""
        targets = list(_targets(target))
        for each in targets:
            path = _path(each)
            if isinstance(each, cst.Name) or (isinstance(each, cst.Attribute) and self._is_own(path)):
                shared = is_part or len(targets) > 1 or isinstance(value, MAY_BE_SHARED)
                (self._shared if shared else self._made).add(self._key(path))
            else:
                self._stored(each)

    def _is_own(self, path: tuple[str, ...]) -> bool:
        """Tell whether a path is that of an attribute of the object."""
        return len(path) == 2 and path[0] == self.object

    def _stored(self, target: cst.BaseExpression) -> None:
        """Note that a part of something is changed."""
        path = _path(target)
        inside = isinstance(target, cst.Attribute) and not self._is_own(path)
        self._write(path[:-1] if inside else path, target)

    def _key(self, path: tuple[str, ...]) -> str:
        """Return what a path starts from: a variable, or an attribute of the object."""
        if len(path) > 1 and path[0] == self.object:
            return f".{path[1]}"
        return path[0] if path else ""

    def _write(self, path: tuple[str, ...], syntax: cst.CSTNode) -> None:
        if path != (self.object,):
            self._writes.append((self._key(path), ".".join(path) or "something", syntax))


def _targets(target: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Yield the single targets of an assignment."""
    if isinstance(target, cst.Tuple | cst.List):
        for element in target.elements:
            yield from _targets(element.value)
    else:
        yield target


def _path(syntax: cst.BaseExpression) -> tuple[str, ...]:
    """Return a chain of attributes as names, without what stands in brackets; nothing for another expression."""
    names: list[str] = []
    while isinstance(syntax, cst.Attribute | cst.Subscript):
        if isinstance(syntax, cst.Attribute):
            names.insert(0, syntax.attr.value)
        syntax = syntax.value
    return (syntax.value, *names) if isinstance(syntax, cst.Name) else ()
