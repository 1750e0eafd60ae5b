"""What a piece of syntax binds and holds, found without reading it: names, ways out, comments.

In: a syntax tree. Out: visitors that have collected it. Layer: bottom of `frontend`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import libcst as cst


def _name_of(function: cst.BaseExpression) -> str:
    """Return the name of a function behind the dots."""
    last = function.attr if isinstance(function, cst.Attribute) else function
    return last.value if isinstance(last, cst.Name) else ""


class AssignedNames(cst.CSTVisitor):
    """Collects the names that a statement would bind, and whether it would return, or leave a block in another way.

    `changed` are the names of what it would change in place.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.changed: list[str] = []
        self.returns = False
        # whether a `return` gives a value
        self.gives = False
        self.leaves = False

    def visit_AssignTarget_target(self, node: cst.AssignTarget) -> None:
        self.collect(node.target)

    def visit_AnnAssign_target(self, node: cst.AnnAssign) -> None:
        self.collect(node.target)

    def visit_AugAssign_target(self, node: cst.AugAssign) -> None:
        self.collect(node.target)
        if isinstance(node.target, cst.Name):
            self.changed.append(node.target.value)

    def visit_NamedExpr_target(self, node: cst.NamedExpr) -> None:
        self.collect(node.target)

    def visit_For_target(self, node: cst.For) -> None:
        self.collect(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        self.collect(node.name)

    def visit_With(self, node: cst.With) -> bool:
        # `with insert_grad_of(x)`, whatever that is called, makes another x
        calls = [item.item for item in node.items if isinstance(item.item, cst.Call)]
        for call in calls:
            for argument in call.args:
                self.collect(argument.value if isinstance(argument.value, cst.Name) else None)
        # what its block assigns is seen in the block alone
        return not any(_name_of(call.func) == "insert_grad_of" for call in calls)

    def visit_ImportAlias(self, node: cst.ImportAlias) -> None:
        if node.asname is None:
            self.names.append(node.evaluated_name.partition(".")[0])

    def visit_MatchAs(self, node: cst.MatchAs) -> None:
        self.collect(node.name)

    def visit_MatchStar(self, node: cst.MatchStar) -> None:
        self.collect(node.name)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.collect(node.name)
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.collect(node.name)
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_Return(self, node: cst.Return) -> None:
        self.returns = self.leaves = True
        self.gives |= node.value is not None

    def visit_Break(self, node: cst.Break) -> None:
        self.leaves = True

    def visit_Continue(self, node: cst.Continue) -> None:
        self.leaves = True

    def collect(self, target: cst.CSTNode | None) -> None:
        """Add the names in a target."""
        if isinstance(target, cst.Name):
            self.names.append(target.value)
        elif isinstance(target, cst.StarredElement):
            self.collect(target.value)
        elif isinstance(target, cst.Subscript | cst.Attribute):
            while isinstance(target, cst.Subscript | cst.Attribute):
                target = target.value
            if isinstance(target, cst.Name):
                self.changed.append(target.value)
        elif isinstance(target, cst.Tuple | cst.List):
            for element in target.elements:
                self.collect(element.value)


class InnerComments(cst.CSTVisitor):
    """Collects the comments inside a statement of several lines."""

    def __init__(self) -> None:
        super().__init__()
        self.comments: list[str] = []

    def visit_Comment(self, node: cst.Comment) -> None:
        self.comments.append(node.value)


class _NameCounts(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def visit_Name(self, node: cst.Name) -> None:
        self.counts[node.value] += 1


def name_counts(syntax: cst.CSTNode, known: dict[cst.CSTNode, Counter[str]]) -> Counter[str]:
    """Return how often each name occurs; of a statement, from the counts of those inside of it, which are kept in `known`."""
    if syntax not in known:
        parts = _parts(syntax)
        counted = _NameCounts()
        if parts is None:
            syntax.visit(counted)
        for part in parts or ():
            counted.counts.update(name_counts(part, known))
        known[syntax] = counted.counts
    return known[syntax]


def _parts(syntax: cst.CSTNode) -> Sequence[cst.CSTNode] | None:
    """Return the parts of a statement that hold names; None for one without statements inside."""
    if isinstance(syntax, cst.IndentedBlock):
        return syntax.body
    if isinstance(syntax, cst.Else):
        return (syntax.body,)
    orelse = (syntax.orelse,) if isinstance(syntax, cst.If | cst.For | cst.While) and syntax.orelse is not None else ()
    if isinstance(syntax, cst.If | cst.While):
        return (syntax.test, syntax.body, *orelse)
    if isinstance(syntax, cst.For):
        return (syntax.target, syntax.iter, syntax.body, *orelse)
    return None


class _Walrus(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self.found = True


def has_walrus(syntax: cst.CSTNode) -> bool:
    """Tell whether an expression assigns."""
    walrus = _Walrus()
    syntax.visit(walrus)
    return walrus.found


class _Places(cst.CSTVisitor):
    """Collects the assignments, each with the names that it binds."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, cst.CSTNode]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        self._enter(node)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._enter(node)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._enter(node)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._enter(node)

    def _enter(self, node: cst.CSTNode) -> None:
        assigned = AssignedNames()
        node.visit(assigned)
        self.found += [(name, node) for name in assigned.names]


def places_of(syntax: cst.CSTNode) -> list[tuple[str, cst.CSTNode]]:
    """Return the names that are assigned in some syntax, each with its assignment, in the order of the text."""
    places = _Places()
    syntax.visit(places)
    return places.found


Loop = cst.For | cst.While


class _Uses(cst.CSTVisitor):
    """Collects where each name is used: the loops around the place, and those of them that count in the name."""

    def __init__(self) -> None:
        super().__init__()
        self.uses: dict[str, list[tuple[tuple[Loop, ...], tuple[Loop, ...]]]] = {}
        self.outer: dict[Loop, tuple[Loop, ...]] = {}
        self._loops: list[Loop] = []
        self._counters: list[set[str]] = []

    def visit_Name(self, node: cst.Name) -> None:
        name = node.value
        counting = [each for each, names in zip(self._loops, self._counters, strict=True) if name in names]
        self.uses.setdefault(name, []).append((tuple(self._loops), tuple(counting)))

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        # to assign a name is not to use its value
        return not isinstance(node.target, cst.Name)

    def visit_For_body(self, node: cst.For) -> None:
        self._enter(node, node.target)

    def leave_For_body(self, node: cst.For) -> None:
        self._leave()

    def visit_For_target(self, node: cst.For) -> None:
        self._enter(node, node.target)

    def leave_For_target(self, node: cst.For) -> None:
        self._leave()

    def visit_While_test(self, node: cst.While) -> None:
        self._enter(node, None)

    def leave_While_body(self, node: cst.While) -> None:
        self._leave()

    def _enter(self, node: Loop, target: cst.CSTNode | None) -> None:
        self.outer[node] = tuple(self._loops)
        counters = AssignedNames()
        counters.collect(target)
        self._loops.append(node)
        self._counters.append(set(counters.names))

    def _leave(self) -> None:
        self._loops.pop()
        self._counters.pop()


@lru_cache(maxsize=64)
def _uses_of(definition: cst.CSTNode) -> _Uses:
    uses = _Uses()
    definition.visit(uses)
    return uses


def is_used_behind(definition: cst.CSTNode, name: str, loop: Loop) -> bool:
    """Tell whether the value that a variable has after a loop may be used: some other loop's counter has a value of its own."""
    found = _uses_of(definition)
    outer = found.outer[loop]
    return any(
        loop not in loops and all(each in outer for each in counting) for loops, counting in found.uses.get(name, ())
    )
