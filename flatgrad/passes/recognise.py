"""Notes on each node which known function it is, where the user wrote one out.

    before: p = e / np.sum(e, axis=1, keepdims=True)
    after:  the same, whose derivative is that of nn.softmax(x, axis=1)

In: a forward graph. Out: the same graph with `recognised` set. Layer: passes, before `differentiate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flatgrad.graph.size import SizeMismatch
from flatgrad.graph.values import Graph, Node, Recognised, Value, same_array
from flatgrad.infer import infer
from flatgrad.passes.matching import Axes, Bindings, Terms, is_computed_alike, matches, record_of
from flatgrad.passes.pattern import Operation, pattern_of, records_in
from flatgrad.registry import Record, lookup
from flatgrad.rules.forms import FORMS, Form

TERMS = Terms(is_transparent=lambda value: True, is_same=is_computed_alike)


def recognise(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Set `recognised` on every node that is a known form; the results stay as they are."""
    operations = [(record_of(node.function, dict(node.call)), node) for node in graph.nodes if len(node.outputs) == 1]
    forms = _forms_by_root({record for record, _ in operations})
    for record, node in operations:
        for form in forms.get(record, ()):
            node.recognised = _recognised(form, node)
            if node.recognised is not None:
                break
    return list(results)


def _forms_by_root(present: set[Record | None]) -> dict[Record | None, list[Form]]:
    """Return the forms whose operations are all present, by the operation of their result."""
    present = set(present)
    forms: dict[Record | None, list[Form]] = {}
    for form in FORMS:
        pattern = pattern_of(form.written)
        assert isinstance(pattern, Operation)
        if present.issuperset(records_in(pattern)):
            forms.setdefault(pattern.record, []).append(form)
            present.add(lookup(form.function))
    return forms


def _recognised(form: Form, node: Node) -> Recognised | None:
    record, pattern = lookup(form.function), pattern_of(form.written)
    assert record is not None and isinstance(pattern, Operation)
    names = {parameter.name for parameter in record.parameters}
    for bindings in matches(pattern, node, TERMS):
        arguments = {name: _argument(bound) for name, bound in bindings.items() if name in names}
        arguments.update(form.attributes)
        x = arguments["x"]
        # a Python int has no elementwise functions that keep its type, and a number no axes
        if not isinstance(x, Value) or x.dtype.kind != "f" or ("axis" in arguments and not x.rank):
            continue
        try:
            made = infer(record, form.function, arguments, 1)
        except SizeMismatch:
            # arrays of these shapes go through the same operations and are another function
            continue
        if same_array(made, node.output.type):
            return Recognised(form.function, arguments, _words(form, bindings, x))
    return None


def _argument(bound: Any) -> Any:
    return bound.written if isinstance(bound, Axes) else bound


def _words(form: Form, bindings: Bindings, x: Value) -> str:
    along = ""
    axes = bindings.get("axis")
    if isinstance(axes, Axes) and axes.written is not None and x.rank > 1:
        several = isinstance(axes.written, tuple)
        along = f" along {'axes' if several else 'axis'} {axes.written}"
    return form.words.replace("{along}", along)
