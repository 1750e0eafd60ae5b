"""Imports the modules of the user's that declare rules: the only files of theirs that the command line runs.

In: names of modules. Out: nothing; the rules are in the registry. Layer: beside `command`, below `cli`.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from flatgrad.errors import FlatgradError, Problem
from flatgrad.frontend.project import import_folders


class RulesError(FlatgradError):
    """A module that is to declare rules can't be imported."""


def import_rules(modules: Sequence[str], file: str | None = None) -> None:
    """Import modules, as the file that is read would do it, or as they are found from here. Raises RulesError."""
    folders = [os.path.abspath(folder) for folder in (*(import_folders(file) if file else ()), os.curdir)]
    sys.path[:0] = folders
    try:
        for module in modules:
            try:
                importlib.import_module(module)
            except Exception as error:
                # what the user's own module raises can be anything
                raise RulesError(_problem(module, error)) from None
    finally:
        for folder in folders:
            sys.path.remove(folder)


def _problem(module: str, error: Exception) -> Problem:
    message = f"the module {module} can't be imported: {type(error).__name__}: {error}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    last = frames[-1]
    if last.filename == __file__ or last.filename == importlib.__file__:
        return Problem(message, "--rules names a module, as `import` does")
    return Problem(message, "", last.filename, last.lineno or 1, 1, 2, last.line or "")
