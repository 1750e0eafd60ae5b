"""The shape rules that many operations share, under the name by which the rule files import them.

They stand in `flatgrad.shapes`, from where users take them without importing all rules. Layer: rules.
"""

from flatgrad.shapes import (
    dtype_of_first,
    elementwise,
    no_axes,
    normal_axes,
    normal_axis,
    reduced,
    reduced_from,
    same,
    shape_of,
)

__all__ = [
    "dtype_of_first",
    "elementwise",
    "no_axes",
    "normal_axes",
    "normal_axis",
    "reduced",
    "reduced_from",
    "same",
    "shape_of",
]
