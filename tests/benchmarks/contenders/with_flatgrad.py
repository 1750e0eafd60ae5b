"""flatgrad, through the decorator and as the bare emitted function.

In: a `Program`. Out: a `Contender`.
"""

from contenders.programs import Contender

from flatgrad import flatgrad


def decorated(program):
    """Return the decorated function."""
    return flatgrad(wrt=program.wrt, style="compact", target=program.target)(program.function)


def through_decorator(program):
    """Return what a user calls."""
    return Contender(decorated(program).value_and_grad, program.arguments)


def bare(program):
    """Return the emitted function itself."""
    return Contender(decorated(program).compile(*program.arguments), program.arguments)
