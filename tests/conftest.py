"""Functions given as text, and tests that leave nothing behind."""

from __future__ import annotations

import itertools
import linecache
import os
import textwrap

import pytest

import flatgrad.rules  # noqa: F401 - declares the operations
from flatgrad import homes, registry
from flatgrad.calling.lookup import forget_all

# what a run of the tests writes is for the tests alone; those of the cache on disk turn it on
os.environ["FLATGRAD_CACHE"] = "off"
HEAD = "import math\nimport numpy as np\nfrom flatgrad import stop_gradient\n\n\n"
numbers = itertools.count()


@pytest.fixture(autouse=True)
def rules_of_the_test_alone():
    """Forget the rules that a test declares: the next one knows those of flatgrad only."""
    records, declared = dict(registry._records), len(registry._declared_by_users)
    known_homes = dict(homes._homes)
    yield
    homes._homes.clear()
    homes._homes.update(known_homes)
    if len(registry._declared_by_users) != declared:
        # rules of flatgrad's own that have been imported meanwhile stay
        of_users = registry._declared_by_users[declared:]
        kept = {function: record for function, record in registry._records.items() if record not in of_users}
        registry._records.clear()
        registry._records.update(kept | records)
        del registry._declared_by_users[declared:]
        forget_all()


@pytest.fixture(scope="session")
def define():
    """Return what turns the text of a function `f` into the function, with its source where flatgrad looks for it.

    The text's first line is line 6 of its file.
    """

    def define(text, **variables):
        text = HEAD + textwrap.dedent(text)
        file = f"<text {next(numbers)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        namespace = {"__name__": "text", **variables}
        exec(compile(text, file, "exec"), namespace)
        return namespace["f"]

    return define
