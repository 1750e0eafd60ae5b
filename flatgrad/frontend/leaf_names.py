"""Names for the parts of containers that become parameters of a graph: `W` for `self.W`, `layers0_W` where there are more.

In: the items of a function's parameters. Out: a name for each part that is no dict or object. Layer: above `known`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from flatgrad.frontend.known import is_static
from flatgrad.graph.containers import Dict, Record, Slice

Path = tuple[str | int, ...]


def parts_by_key(item: Any) -> dict[str | int, Any] | None:
    """Return the parts of an object, of a dict with names as its keys, or of a tuple or list that holds such; else None."""
    if isinstance(item, Record):
        return {name: part for name, part in item.attributes.items()}
    if isinstance(item, Dict):
        named = all(isinstance(key, str) for key in item.keys)
        return dict(item.items) if named else dict(enumerate(item))
    if isinstance(item, tuple) and not hasattr(item, "_fields") and any(map(_has_names, item)):
        return dict(enumerate(item))
    return None


def _has_names(item: Any) -> bool:
    return parts_by_key(item) is not None


def holds_stack(item: Any) -> bool:
    """Tell whether there is a list of objects or dicts in an item, such as the layers of a network."""
    parts = parts_by_key(item)
    if parts is None:
        return False
    is_list = not isinstance(item, Record | Dict)
    return (is_list and any(not is_static(part) for part in item)) or any(map(holds_stack, parts.values()))


def leaf_names(given: Mapping[str, Any]) -> dict[Path, str]:
    """Return a name for each part: the last step to it, and as many before as tell it from others."""
    paths = [path for name, item in given.items() for path in _paths((name,), item)]
    taken = Counter(word for path in paths for word in _candidates(path))
    return {path: next((word for word in _candidates(path) if taken[word] == 1), _word(path)) for path in paths}


def _paths(path: Path, item: Any) -> Iterator[Path]:
    parts = parts_by_key(item)
    if parts is None:
        yield path
        return
    for key, part in parts.items():
        yield from _paths((*path, key), part)


def part_names(name: str, item: Any) -> list[str]:
    """Return a name for each part of what a variable holds: `params_W` for `params["W"]`, `pair_0` for `pair[0]`."""
    if isinstance(item, tuple) and not hasattr(item, "_fields"):
        parts = parts_by_key(item) or dict(enumerate(item))
        return [inner for key, part in parts.items() for inner in part_names(_word((name, str(key))), part)]
    return [name] * (3 if isinstance(item, Slice) else 1)


def _candidates(path: Path) -> list[str]:
    """Return the names that a part may get, the shortest first: a number stands behind a name."""
    return [_word(path[start:]) for start in reversed(range(len(path))) if isinstance(path[start], str)]


def _word(path: Path) -> str:
    word = ""
    for step in path:
        word += str(step) if isinstance(step, int) else f"_{step}" if word else step
    return "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in word)
