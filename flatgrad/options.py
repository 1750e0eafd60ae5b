"""What the user chose for one function: what to differentiate by, and how the code is to look.

In: the arguments of the decorator or of the command line. Out: `Options`, checked. Layer: above `errors`, below `frontend`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flatgrad.errors import SignatureError

STYLES = ("flat", "compact")
TARGETS = ("numpy", "math")
# a part of a parameter: params.W1, params["W1"], layers[0].W, self.W
PLACE = re.compile(r"""[^\W\d]\w*(\.[^\W\d]\w*|\[(-?\d+|"[^"\]]+"|'[^'\]]+')\])+""")


@dataclass(frozen=True, slots=True)
class Options:
    """`wrt` is a parameter's name (the gradient comes bare) or several (they come in this order); None means all.

    A name may go on into the parameter: ``params.W1``, ``params["W1"]``, ``layers[0].W``, ``self.W``.

    Raises SignatureError for a choice that does not exist.
    """

    wrt: str | tuple[str, ...] | None = None
    style: str = "flat"
    target: str = "numpy"

    def __post_init__(self) -> None:
        if isinstance(self.wrt, list):
            object.__setattr__(self, "wrt", tuple(self.wrt))
        _check_wrt(self.wrt)
        _check_choice("style", self.style, STYLES)
        _check_choice("target", self.target, TARGETS)


def _check_wrt(wrt: object) -> None:
    if wrt is None:
        return
    names = wrt if isinstance(wrt, tuple) else (wrt,)
    if not names:
        raise SignatureError("wrt names no parameter", "leave wrt out to differentiate by all of them")
    for name in names:
        if not isinstance(name, str):
            raise SignatureError(
                f"wrt is {wrt!r}, which is not a parameter's name or a tuple of names",
                'write wrt="W" or wrt=("W", "b")',
            )
        if not name.isidentifier() and not PLACE.fullmatch(name):
            raise SignatureError(
                f"wrt has {name!r}, which can't be a parameter's name", 'write wrt="W" or wrt=("W", "b")'
            )
        if names.count(name) > 1:
            raise SignatureError(f"wrt names {name} more than once")


def _check_choice(option: str, choice: object, choices: tuple[str, ...]) -> None:
    if choice not in choices:
        raise SignatureError(f"there is no {option} {choice!r}", "choose " + " or ".join(map(repr, choices)))
