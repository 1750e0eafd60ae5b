"""tangent-ad, on the NumPy programs.

In: a `Program`. Out: a `Contender`. All optimisations are on that go with `preserve_result`, and the check of the upstream
gradient's shape is off: this was its fastest form.
"""

import math
import warnings

import tangent
from contenders import programs
from contenders.programs import Contender

OPTIMIZATIONS = {"dce": True, "cse": True, "strength_reduction": True, "algebraic": True, "tape_liveness": True}


@tangent.register_adjoint(math.exp)
def adjoint_exp(y, x):
    """tangent has no rule for math.exp, and is slower with np.exp of a float."""
    d[x] = y * d[y]  # noqa: F821  # tangent's notation for a gradient


def neuron(w0, x0, w1, x1, w2):
    """A neuron of two inputs."""
    s0 = w0 * x0
    s1 = w1 * x1
    s2 = s0 + s1
    s3 = s2 + w2
    L = 1.0 / (1.0 + math.exp(-s3))
    return L


def with_tangent(program):
    """Return the function that tangent writes. It returns the gradients, and the value after them."""
    function = neuron if program.function is programs.neuron else program.function
    with warnings.catch_warnings():
        # for np.max with an axis it writes `if 1 is None`
        warnings.filterwarnings("ignore", '"is" with', SyntaxWarning)
        written = tangent.grad(
            function, wrt=program.positions, preserve_result=True, check_dims=False, optimizations=OPTIMIZATIONS
        )
    return Contender(written, program.arguments, lambda returned: (returned[-1], returned[:-1]))
