"""Objects hold things that no code can be written for: they may be there, and what would be decided by them is an error."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import value_and_grad
from flatgrad.errors import FlatgradError


class Model:
    """A model with a set."""

    def __init__(self):
        self.W = np.array([1.0, 2.0])
        self.kinds = {1, 2}

    def unused(self, x):
        return np.sum(self.W * x)

    def compared(self, x):
        return np.sum(self.W * x) if self.kinds == {2, 1} else np.sum(x)

    def different(self, x):
        return np.sum(self.W * x) if self.kinds != 1 else np.sum(x)

    def true(self, x):
        return np.sum(self.W * x) if self.kinds else np.sum(x)

    def member(self, x):
        return np.sum(self.W * x) if 1 in self.kinds else np.sum(x)

    def kind(self, x):
        return np.sum(self.W * x) if isinstance(self.kinds, set) else np.sum(x)

    def length(self, x):
        return np.sum(self.W * x) * len(self.kinds)

    def is_there(self, x):
        return np.sum(self.W * x) if self.kinds is not None else np.sum(x)


def test_what_is_not_used_may_be_there():
    """Whether it is there at all is known, too."""
    model, x = Model(), np.array([3.0, 4.0])
    for name in ("unused", "is_there"):
        value, (_, grad_x) = value_and_grad(lambda model, x, name=name: getattr(model, name)(x), wrt=("model", "x"))(
            model, x
        )
        assert value == 11.0
        np.testing.assert_array_equal(grad_x, model.W)


@pytest.mark.parametrize("name", ["compared", "different", "true", "member", "kind", "length"])
def test_what_it_decides_is_an_error(name):
    """No branch is taken by what stands in its place while the code is written."""
    with pytest.raises(FlatgradError, match="a set|an array") as error:
        value_and_grad(lambda model, x: getattr(model, name)(x))(Model(), np.ones(2))
    assert error.value.problems[0].line > 0
