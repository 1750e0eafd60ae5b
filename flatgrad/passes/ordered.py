"""All passes, in order.

A pass takes a graph, which it changes, and the values that are wanted of it, and returns these values: the same ones, or
what came to stand in their place. Layer: above all passes, below `pipeline`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flatgrad.graph.values import Graph, Value
from flatgrad.passes.borrow_shapes import borrow_shapes
from flatgrad.passes.drop_leading_axes import drop_leading_axes
from flatgrad.passes.fold_copies import fold_copies
from flatgrad.passes.fold_factors import fold_factors
from flatgrad.passes.inline_passing import inline_passing
from flatgrad.passes.lead_with_constants import lead_with_constants
from flatgrad.passes.lead_with_minus import lead_with_minus
from flatgrad.passes.measure_parameters import measure_parameters
from flatgrad.passes.merge_masks import merge_masks
from flatgrad.passes.merge_steps import merge_steps
from flatgrad.passes.narrow import narrow
from flatgrad.passes.prune import prune
from flatgrad.passes.recognise import recognise
from flatgrad.passes.restore_steps import restore_steps
from flatgrad.passes.share import share
from flatgrad.passes.share_with_outside import share_with_outside
from flatgrad.passes.simplify import simplify
from flatgrad.passes.skip_unchanged import skip_unchanged
from flatgrad.passes.spread_scalars import spread_scalars
from flatgrad.passes.sum_in_branches import sum_in_branches
from flatgrad.passes.turn_products import turn_products

Pass = Callable[[Graph, Sequence[Value]], list[Value]]

# on the forward graph, before it is differentiated
BEFORE: tuple[Pass, ...] = (
    inline_passing,  # no calls that compute nothing
    narrow,  # what is not read behind a branch or loop is not carried out of it
    share,  # what is computed twice has one gradient
    recognise,  # known functions that are written out get the derivative of the known function
)

# on the joint graph, for both styles
PASSES: tuple[Pass, ...] = (
    share,  # nothing is computed twice
    share_with_outside,  # nor in a body again
    simplify,  # no multiplication by 1, no double minus
    drop_leading_axes,  # no axes that broadcasting adds anyhow
    sum_in_branches,  # no zeros on the side that has nothing to add
    skip_unchanged,  # no branch or loop that changes nothing
    share,  # what has become the same by now
    lead_with_minus,  # a sum is negated, not an array that is summed
    prune,  # nothing superfluous
    borrow_shapes,  # no array is kept for its shape
)

# behind PASSES, for the compact style
COMPACT: tuple[Pass, ...] = (
    fold_copies,  # one name for each gradient
    merge_steps,  # the gradient of a subexpression may stand inside an expression
    merge_masks,  # one np.where for each side of the user's
    spread_scalars,  # numbers instead of arrays filled with them
    turn_products,  # no transposed product of a transposed array
    lead_with_minus,  # a minus may meet another one in what has been put together
    measure_parameters,  # sizes of arrays that have a name
    lead_with_constants,  # 2 * grad_y * x
    share,  # what has become the same by now
    prune,  # what has become superfluous by now
    restore_steps,  # a variable with a line of its own has a gradient with one
    fold_factors,  # grad_y * x for 0.5 * grad_y * 2 * x
    prune,  # the products that were folded
)
