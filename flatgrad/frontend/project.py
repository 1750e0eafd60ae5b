"""The files of the user's project that other files import: found beside them, read, and never run.

In: the file that imports, and the name of a module as it stands there. Out: the file of the module, or its folder. Layer:
`frontend`, beside `source`.
"""

from __future__ import annotations

import os


def module_path(file: str, module: str) -> str | None:
    """Return the file of a module that a file imports, or the folder of a package that has none; None for another module.

    A relative import starts at the folder of the file. Any other one is looked for in that folder, and in the one that holds
    the outermost package that the file is in.
    """
    folder = os.path.dirname(file)
    name = module.lstrip(".")
    level = len(module) - len(name)
    if level:
        return _below(os.path.join(folder, *[os.pardir] * (level - 1)), name)
    for start in import_folders(file):
        found = _below(start, name)
        if found is not None:
            return found
    return None


def import_folders(file: str) -> tuple[str, ...]:
    """Return the folders in which the modules are looked for that a file imports."""
    folder = os.path.dirname(file)
    return tuple(dict.fromkeys((_root(folder), folder)))


def module_name(file: str) -> str:
    """Return the name by which other files import a file."""
    folder = os.path.dirname(file)
    name = os.path.relpath(file, _root(folder) or os.curdir).removesuffix(".py").replace(os.sep, ".")
    return name.removesuffix(".__init__")


def submodule_path(path: str, name: str) -> str | None:
    """Return the file or folder of a module inside a package, whose own file or folder this is."""
    if os.path.isdir(path):
        return _below(path, name)
    return _below(os.path.dirname(path), name) if os.path.basename(path) == INIT else None


INIT = "__init__.py"


def _root(folder: str) -> str:
    """Return the folder that holds the outermost package around a folder."""
    while os.path.isfile(os.path.join(folder, INIT)):
        outer = os.path.normpath(os.path.join(folder, os.pardir))
        if outer == folder:
            break
        folder = outer
    return folder


def _below(folder: str, name: str) -> str | None:
    path = os.path.join(folder, *name.split(".")) if name else folder
    for candidate in (os.path.join(path, INIT), path + ".py"):
        if os.path.isfile(candidate):
            return os.path.normpath(candidate)
    return os.path.normpath(path) if os.path.isdir(path) and _has_python(path) else None


def _has_python(folder: str) -> bool:
    """Tell whether a folder may be a package without a file of its own."""
    return any(name.endswith(".py") for name in os.listdir(folder))
