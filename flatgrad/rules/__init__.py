"""The operations that flatgrad knows, one file per family. Importing the package declares them all."""

from flatgrad.rules import (
    arithmetic,
    creation,
    diagonals,
    elementwise,
    gates,
    indexing,
    joining,
    linear_algebra,
    listing,
    ordering,
    piecewise,
    placing,
    program,
    reductions,
    shaping,
    writing,
)

__all__ = [
    "arithmetic",
    "creation",
    "diagonals",
    "elementwise",
    "gates",
    "indexing",
    "joining",
    "linear_algebra",
    "listing",
    "ordering",
    "piecewise",
    "placing",
    "program",
    "reductions",
    "shaping",
    "writing",
]
