"""Where in a text the `def` of a function stands: the text is compiled, and has to give the function's very code.

In: a text and a code object. Out: the lines on which such code starts; none where the text is not that of the function.
Layer: bottom of `functions`; imports nothing of flatgrad.
"""

from __future__ import annotations
import __future__

import ast
import dis
import functools
import sys
import types
import warnings
from collections import Counter
from collections.abc import Iterator

FUTURE_FLAGS = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0
)
# a cell of a notebook may await at its top level
COMPILE_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
COMPARED = (
    "co_name",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_exceptiontable",
)


def matching_lines(text: str, code: types.CodeType, *, excerpt: bool = False) -> list[int]:
    """Return the lines on which functions with this code start: the first decorator's, or that of the `def`.

    See `matching_codes`.
    """
    return [candidate.co_firstlineno for candidate in matching_codes(text, code, excerpt=excerpt)]


def matching_codes(text: str, code: types.CodeType, *, excerpt: bool = False) -> list[types.CodeType]:
    """Return the functions of a text that have this code, compiled.

    An excerpt may be without the functions and classes that are around the function. Raises SyntaxError or ValueError
    where the text can't be compiled, RecursionError or MemoryError where it is nested too deeply.
    """
    flags = code.co_flags & FUTURE_FLAGS
    if excerpt:
        # what is no Python at any depth raises here
        ast.parse(text)
    elif found := _with_code(code, _functions_of(text, flags)):
        return found
    scopes = code.co_qualname.split(".")[:-1] if excerpt else []
    for depth in range(len(scopes) + 1):
        enclosed = code.co_freevars if depth else ()
        try:
            candidates = _functions_apart(text, flags, tuple(scopes[:depth]), enclosed, _imported(code))
        except SyntaxError:
            # it is Python, but not at this depth: `nonlocal` needs a function around it, `from __future__` none
            continue
        if found := _with_code(code, candidates):
            return found
    return []


def start_of(code: types.CodeType) -> tuple[int, int] | None:
    """Return the line and the offset in bytes at which the body of a lambda starts; None where Python keeps no positions."""
    starts = [
        (line, offset)
        for line, _, offset, end in code.co_positions()
        if line is not None and offset is not None and end != 0
    ]
    return min(starts, default=None)


def _imported(code: types.CodeType) -> tuple[str, ...]:
    """Return names that this code takes for imported.

    Python calls a method of an imported module otherwise than that of another object, and tells them apart by the import
    statements that are compiled together with the function.
    """
    names: dict[str, bool] = {}
    for each in (code, *nested(code)):
        instructions = list(dis.get_instructions(each))
        for one, following in zip(instructions, instructions[1:], strict=False):
            if one.opname == "LOAD_GLOBAL":
                is_method = following.opname == "LOAD_METHOD" or (
                    following.opname == "LOAD_ATTR" and sys.version_info >= (3, 12) and bool((following.arg or 0) & 1)
                )
                names[one.argval] = names.get(one.argval, False) or is_method
    return tuple(sorted(name for name, is_object in names.items() if not is_object))


def _with_code(code: types.CodeType, candidates: tuple[types.CodeType, ...]) -> list[types.CodeType]:
    return [
        candidate
        for candidate in candidates
        if candidate.co_qualname == code.co_qualname and _same_code(candidate, code)
    ]


def dedented(text: str) -> str:
    """Return a text that is indented as a whole without that; strings over several lines stay as they are."""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    margin = first[: len(first) - len(first.lstrip())]
    if not margin:
        return text
    try:
        tree = ast.parse("if True:\n" + text)
    except SyntaxError:
        # its import costs more than all else here, and compiling what comes out raises the same at its place in the text
        import textwrap

        return textwrap.dedent(text)
    kept = {
        # lines count from 1 there, and one is added
        line - 2
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for line in range(node.lineno + 1, (node.end_lineno or 0) + 1)
    }
    return "\n".join(
        line if number in kept else line.removeprefix(margin) if line.startswith(margin) else line.lstrip()
        for number, line in enumerate(lines)
    )


@functools.lru_cache(maxsize=4)
def _functions_of(text: str, flags: int) -> tuple[types.CodeType, ...]:
    """Return the code of every function in a text."""
    return _compiled(text, flags)


@functools.lru_cache(maxsize=4)
def _functions_apart(
    text: str, flags: int, scopes: tuple[str, ...], enclosed: tuple[str, ...], imported: tuple[str, ...]
) -> tuple[types.CodeType, ...]:
    """Return the code of every function in a text, each statement compiled by itself as notebooks and prompts do.

    The statements stand inside these functions and classes, and such names are imported around them.
    """
    found: list[types.CodeType] = []
    for statement in ast.parse(text).body:
        tree = _inside(ast.Module([statement], []), scopes, enclosed)
        if imported:
            tree.body += ast.parse(f"import {', '.join(imported)}").body
        found += _compiled(tree, flags)
    return tuple(found)


def _compiled(source: str | ast.Module, flags: int) -> tuple[types.CodeType, ...]:
    # Python has shown its warnings on this text when it was imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(nested(compile(source, "<text>", "exec", flags | COMPILE_FLAGS, dont_inherit=True)))


def _inside(tree: ast.Module, scopes: tuple[str, ...], enclosed: tuple[str, ...]) -> ast.Module:
    """Put the statements of a module into functions and classes; the outermost of the functions has these variables.

    `scopes` are the parts of a qualified name, in which `<locals>` follows the name of a function.
    """
    body = tree.body
    outermost = scopes.index("<locals>") - 1 if "<locals>" in scopes else -1
    for depth in reversed(range(len(scopes))):
        if scopes[depth] == "<locals>":
            continue
        if scopes[depth + 1 : depth + 2] == ("<locals>",):
            # a class provides `__class__` by itself
            names = [name for name in enclosed if name != "__class__"] if depth == outermost else []
            (scope,) = ast.parse(f"def scope({', '.join(names)}): pass").body
        else:
            (scope,) = ast.parse("class scope: pass").body
        assert isinstance(scope, ast.FunctionDef | ast.ClassDef)
        scope.name, scope.body = scopes[depth], body
        body = [scope]
    return ast.Module(body, [])


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield the codes of the functions inside a code, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from nested(constant)


def _same_code(compiled: types.CodeType, code: types.CodeType) -> bool:
    """Tell whether two codes do the same; on which lines they stand does not matter."""
    if any("@py" in name for name in (*code.co_names, *code.co_varnames)):
        return _same_but_for_asserts(compiled, code)
    return all(getattr(compiled, name) == getattr(code, name) for name in COMPARED) and _same_constants(
        compiled.co_consts, code.co_consts
    )


def _same_constants(compiled: tuple[object, ...], constants: tuple[object, ...]) -> bool:
    return len(compiled) == len(constants) and all(map(_same_constant, compiled, constants))


def _same_constant(compiled: object, constant: object) -> bool:
    if isinstance(compiled, types.CodeType) and isinstance(constant, types.CodeType):
        return _same_code(compiled, constant)
    return _key(compiled) == _key(constant)


def _key(constant: object) -> object:
    """Return what tells a constant from others: 1, 1.0 and True are equal but not the same, nor are 0.0 and -0.0."""
    if isinstance(constant, tuple):
        return tuple(map(_key, constant))
    if isinstance(constant, frozenset):
        return frozenset(map(_key, constant))
    return type(constant), repr(constant)


def _same_but_for_asserts(compiled: types.CodeType, code: types.CodeType) -> bool:
    """Compare with a function whose `assert` statements pytest has rewritten.

    Its code is no longer what the text compiles to, but it keeps the function's line, and all of its parameters, names,
    constants and operators are still there among those that were added.
    """
    parameters = compiled.co_argcount + compiled.co_kwonlyargcount
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    kept = {_key(constant) for constant in code.co_consts if not isinstance(constant, types.CodeType)}
    return (
        compiled.co_firstlineno == code.co_firstlineno
        and compiled.co_argcount == code.co_argcount
        and compiled.co_kwonlyargcount == code.co_kwonlyargcount
        and compiled.co_varnames[:parameters] == code.co_varnames[:parameters]
        and set(compiled.co_varnames) <= {*code.co_varnames, *code.co_cellvars}
        and set(compiled.co_names) <= set(code.co_names)
        and compiled.co_freevars == code.co_freevars
        and all(
            any(_same_code(constant, other) for other in nested)
            if isinstance(constant, types.CodeType)
            else _key(constant) in kept
            for constant in compiled.co_consts
        )
        and _operators(compiled) <= _operators(code)
    )


def _operators(code: types.CodeType) -> Counter[tuple[str, str]]:
    return Counter(
        (instruction.opname, instruction.argrepr)
        for instruction in dis.get_instructions(code)
        if instruction.opname.startswith(("BINARY_", "UNARY_", "COMPARE_"))
    )
