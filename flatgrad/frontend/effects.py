"""Reads asserts, prints and lone strings: what a function does beside computing its result. It stays in the forward pass.

Layer: beside `reader`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from flatgrad.errors import ShapeError
from flatgrad.frontend.known import as_number, is_static
from flatgrad.frontend.passing import items_of_call, performing
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.wording import described
from flatgrad.graph.values import Value
from flatgrad.rules.program import assertion


def asserted(reader: Reader, test: Any, message: Any, syntax: cst.Assert) -> None:
    """Keep an assert in the forward pass; one that is known to hold is left out."""
    if is_static(test):
        if not as_number(test):
            reader.fail("this assert fails for such arguments", syntax, kind=ShapeError)
        return
    if not isinstance(test, Value):
        reader.fail(f"{described(test)} is not a condition that can be kept", syntax.test)
    arguments = {"test": test} if message is None else {"test": test, "message": message}
    reader.builder.node(assertion, arguments, [], location=reader.source.location(syntax))


def read_print(reader: Reader, syntax: cst.Call) -> None:
    """Keep a call of print with what it prints."""
    args, kwargs = items_of_call(reader, syntax)
    performing(reader, print, (), args, kwargs, None, syntax)


def ignored(reader: Reader, syntax: cst.CSTNode) -> None:
    """A docstring or a lone `...` does nothing."""


EXPRESSION_STATEMENTS: dict[type[cst.CSTNode], Callable[[Reader, Any], None]] = {
    cst.SimpleString: ignored,
    cst.Ellipsis: ignored,
}
