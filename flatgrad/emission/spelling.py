"""How functions are written in the emitted module, and what it has to import or define for them.

In: the functions that a graph uses, the target. Out: a text for each, imports, sources of helper functions. Layer: above
the passes.
"""

from __future__ import annotations

import builtins
import inspect
import math
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import libcst as cst
import numpy as np

from flatgrad.emission.record_classes import home_of as home_of_class
from flatgrad.errors import Problem, UnsupportedError
from flatgrad.functions.fingerprint import global_names
from flatgrad.functions.libraries import LIBRARIES, home_in_scipy
from flatgrad.graph.values import Node, problem_at
from flatgrad.homes import home_of
from flatgrad.registry import lookup, name_of
from flatgrad.rules.program import EFFECTS

# NumPy has two names for these, and `__name__` is not the one that people write
FAMILIAR_NAMES: dict[Any, str] = {np.absolute: "abs", np.conjugate: "conj", np.remainder: "mod"}

PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Import(NamedTuple):
    """A module, or with `member` something from it, under the name that it has in the emitted module."""

    module: str
    member: str
    local: str


class Spelling:
    """Chooses the text of each function and notes what the module needs for it. Names in `taken` are not used."""

    def __init__(self, target: str, taken: Iterable[str]) -> None:
        self.target = target
        self.taken = set(taken)
        self.numpy = False
        self.modules: dict[str, str] = {}
        self.members: dict[tuple[str, str], str] = {}
        self.helpers: dict[str, str] = {}
        # classes of objects that are at hand, as they are written
        self.classes: dict[Any, str] = {}
        self._texts: dict[Any, str] = {}
        self._copied: dict[Any, str] = {}

    def of(self, node: Node) -> str:
        """Return the text of a node's function: a name to call, or an expression with the inputs in braces."""
        function = node.function
        text = self._texts.get(function)
        if text is None:
            text = self._texts[function] = self._chosen(function, node)
        return text

    def _chosen(self, function: Callable[..., Any], node: Node) -> str:
        if function in EFFECTS or module_of(function) == "builtins":
            return self.builtin(function.__name__)
        if self.target == "math":
            return self._scalar(function, node)
        return self._array(function)

    def _array(self, function: Callable[..., Any]) -> str:
        module = module_of(function)
        if module == "math":
            return f"{self.module('math')}.{function.__name__}"
        if module.split(".")[0] == "numpy":
            return f"{self.np()}.{numpy_name(function)}"
        home = home_in_scipy(function)
        if home is not None:
            package, _, inner = home[0].rpartition(".")
            return f"{self.member(package, inner)}.{home[1]}"
        home = home_of(function)
        if home is not None:
            first, dot, rest = home[1].partition(".")
            return self.member(home[0], first) + dot + rest
        return self._helper(function)

    def _scalar(self, function: Callable[..., Any], node: Node) -> str:
        if module_of(function) in ("math", "_operator", "builtins"):
            return self.member("math", function.__name__) if module_of(function) == "math" else function.__name__
        record = lookup(function)
        scalar = record.scalar if record is not None else None
        if isinstance(scalar, str):
            return scalar
        if scalar is None:
            name = f"np.{name_of(function)}" if module_of(function) == "numpy" else name_of(function)
            message, hint = f"{name} has no form for Python floats", "use the target numpy"
            place = node.location or (node.forward.location if node.forward is not None else None)
            raise UnsupportedError(problem_at(place, message, hint))
        if scalar.__module__ == "math":
            return self.member("math", scalar.__name__)
        if scalar.__module__ == "builtins":
            return self.builtin(scalar.__name__)
        return self._helper(scalar)

    def builtin(self, name: str) -> str:
        """Return the text of a builtin; one that a parameter hides is imported under another name."""
        return name if name not in self.taken else self.member("builtins", name)

    def np(self) -> str:
        """Return the name of NumPy in the module."""
        self.numpy = True
        return self._free("np")

    def module(self, name: str) -> str:
        """Return the name of an imported module."""
        return self.modules.setdefault(name, self._free(name))

    def member(self, module: str, name: str) -> str:
        """Return the name of something imported from a module."""
        return self.members.setdefault((module, name), self._free(name))

    def of_class(self, kind: Any) -> str:
        """Return the text of a class of the user's: that of an object at hand, or a name to import it by."""
        if kind in self.classes:
            return self.classes[kind]
        home = home_of_class(kind)
        assert home is not None, kind
        return self.member(*home)

    def _free(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        return name

    def _helper(self, function: Callable[..., Any]) -> str:
        """Have the source of a Python function copied into the module, and return its name."""
        if function in self._copied:
            return self._copied[function]
        name = self._free(function.__name__)
        while name in self._copied.values():
            name += "_"
        self._copied[function] = name
        definition = cst.parse_module(textwrap.dedent(inspect.getsource(function))).body[0]
        assert isinstance(definition, cst.FunctionDef)
        local: dict[str, str] = {}
        for used in function.__code__.co_names:
            found = function.__globals__.get(used)
            if found is np:
                local[used] = self.np()
            elif found is math:
                local[used] = self.module("math")
            elif getattr(math, used, None) is found and found is not None:
                local[used] = self.member("math", used)
            elif callable(found) and module_of(found).startswith("flatgrad.nn."):
                local[used] = self._helper(found)
            elif isinstance(found, types.ModuleType) and found.__name__.startswith("scipy."):
                local[used] = self.member(*found.__name__.rsplit(".", 1))
        _check_outer_names(function, set(local))
        plain = definition.visit(_Unannotated(local))
        assert isinstance(plain, cst.FunctionDef)
        plain = plain.with_changes(name=cst.Name(name), decorators=(), leading_lines=(), returns=None)
        self.helpers[name] = cst.Module([plain]).code.rstrip()
        return name

    def imports(self) -> set[Import]:
        """Return what the module has to import."""
        found = {Import(name, "", local) for name, local in self.modules.items()}
        found |= {Import(module, name, local) for (module, name), local in self.members.items()}
        return found | ({Import("numpy", "", self._free("np"))} if self.numpy else set())

    def names(self) -> set[str]:
        """Return every name that variables of the module must leave alone."""
        fixed = {"np"} if self.numpy else set()
        called = {text for text in self._texts.values() if text.isidentifier()}
        return fixed | called | set(self.modules.values()) | set(self.members.values()) | set(self.helpers)


def _check_outer_names(function: Callable[..., Any], known: set[str]) -> None:
    """Raise UnsupportedError where a function that is to be copied uses a name that the module will not have."""
    code = function.__code__
    others = [name for name in global_names(code) if name not in known and not hasattr(builtins, name)]
    for name in (*code.co_freevars, *others):
        message = f"`{function.__name__}` is copied into the module, and uses `{name}` of its own file"
        hint = f"write the value of `{name}` into `{function.__name__}`, or make it a parameter"
        raise UnsupportedError(Problem(message, hint, code.co_filename, code.co_firstlineno))


def import_lines(imports: Iterable[Import]) -> list[str]:
    """Return import lines, sorted as ruff sorts them: the standard library, NumPy and SciPy, the user's files, empty lines between."""
    sections: list[list[Import]] = [[], [], []]
    for each in imports:
        root = each.module.partition(".")[0]
        sections[1 if root in LIBRARIES else 0 if root in sys.stdlib_module_names else 2].append(each)
    lines: list[str] = []
    for section in filter(None, sections):
        lines += [""] * bool(lines) + _section(section)
    return lines


def _section(imports: list[Import]) -> list[str]:
    """Return the import lines of modules of one kind."""
    whole = sorted(each for each in imports if not each.member)
    members: dict[str, list[str]] = {}
    renamed = [each for each in imports if each.member and each.member != each.local]
    for each in sorted(each for each in imports if each.member and each not in renamed):
        members.setdefault(each.module, []).append(each.member)
    lines = [f"import {_renamed(each.module, each.local)}" for each in whole]
    whole_lines = [(module, "", f"from {module} import {', '.join(names)}") for module, names in members.items()]
    single = [
        (each.module, each.member, f"from {each.module} import {_renamed(each.member, each.local)}") for each in renamed
    ]
    return lines + [line for _, _, line in sorted(whole_lines + single)]


def _renamed(name: str, local: str) -> str:
    return name if name == local else f"{name} as {local}"


class _Unannotated(cst.CSTTransformer):
    """Leaves the annotations of parameters out, and calls what is imported by the names that it has in the module.

    A helper in the emitted module imports nothing for its annotations.
    """

    def __init__(self, local: dict[str, str]) -> None:
        super().__init__()
        self.local = local

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return updated_node.with_changes(value=self.local.get(updated_node.value, updated_node.value))

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        if updated_node.default is None:
            return updated_node.with_changes(annotation=None)
        # without an annotation there are no spaces around the default's "="
        tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        return updated_node.with_changes(annotation=None, equal=tight)


def module_of(function: Callable[..., Any]) -> str:
    """Return the name of the module that a function is from; that of NumPy's own ufuncs is not always noted in them."""
    home = home_of(function)
    if home is not None:
        return home[0]
    if getattr(np, function.__name__, None) is function or isinstance(getattr(function, "__self__", None), np.ufunc):
        return "numpy"
    return str(getattr(function, "__module__", None) or "")


def numpy_name(function: Callable[..., Any]) -> str:
    """Return the name of a NumPy function behind `np.`."""
    name = FAMILIAR_NAMES.get(function) or name_of(function)
    module = module_of(function)
    return name if module == "numpy" else f"{module.removeprefix('numpy.')}.{name}"
