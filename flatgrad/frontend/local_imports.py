"""Reads imports inside of a function, and `global` and `nonlocal` statements of names that are only read.

In: these statements. Out: variables that stand for what is imported. Layer: beside `statements`.
"""

from __future__ import annotations

import libcst as cst

from flatgrad.frontend.assigned import places_of
from flatgrad.frontend.expressions import item_of
from flatgrad.frontend.known_functions import FOLLOWED_MODULES, KEPT_MODULES, READ_MODULES, STANDARD_MODULES
from flatgrad.frontend.reader import Reader, performs
from flatgrad.frontend.source import NameUnknown

KNOWN = frozenset({*READ_MODULES, *KEPT_MODULES, *STANDARD_MODULES, *FOLLOWED_MODULES})


@performs(cst.Import)
def read_import(reader: Reader, syntax: cst.Import) -> None:
    for alias in syntax.names:
        dotted = alias.evaluated_name
        # `import a.b` binds a, and `import a.b as c` binds b
        whole = alias.asname is not None
        _bind(reader, alias.evaluated_alias or dotted.partition(".")[0], dotted, "", alias, whole=whole)


@performs(cst.ImportFrom)
def read_import_from(reader: Reader, syntax: cst.ImportFrom) -> None:
    if isinstance(syntax.names, cst.ImportStar):
        reader.fail("`import *` inside of a function is not Python", syntax)
    code = cst.Module([]).code_for_node
    module = "." * len(syntax.relative) + (code(syntax.module) if syntax.module is not None else "")
    for alias in syntax.names:
        _bind(reader, alias.evaluated_alias or alias.evaluated_name, module, alias.evaluated_name, alias, whole=True)


def _bind(reader: Reader, name: str, module: str, member: str, syntax: cst.ImportAlias, *, whole: bool) -> None:
    if (module.partition(".")[0]) not in KNOWN:
        # what a file of the user's holds is looked at where it is imported at the top
        reader.fail(
            f"an import of `{module}` inside of the function can't be followed",
            syntax,
            "move it to the top of the file",
        )
    try:
        found = reader.names.imported(module, member, whole=whole)
    except NameUnknown as error:
        reader.fail(error.message, syntax, error.hint)
    reader.variables[name] = item_of(reader, found, name, syntax)


@performs(cst.Global, cst.Nonlocal)
def read_outer_names(reader: Reader, syntax: cst.Global | cst.Nonlocal) -> None:
    assert reader.definition is not None
    assigned = dict(places_of(reader.definition))
    for item in syntax.names:
        name = item.name.value
        if name in assigned:
            word = "global" if isinstance(syntax, cst.Global) else "nonlocal"
            reader.fail(f"`{name}` is {word}, and is assigned here", assigned[name], "return the value instead")
