"""Functions that write into their arguments: the arrays change as the function changes them, once, and nothing else does."""

import numpy as np
import pytest

import flatgrad
from flatgrad import errors


def scaled_in_place(x, y):
    x *= y
    return np.sum(x * y)


def first_in_place(params, y):
    table = params["table"]
    table[0] = y[0] * 2.0
    return np.sum(table * y)


def arrays():
    return np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.5, 2.5])


def test_written_as_by_the_function():
    """The argument holds afterwards what the function leaves in it, and the gradient is that before the write."""
    x, y = arrays()
    expected = x.copy()
    value = scaled_in_place(expected, y)
    again, grads = flatgrad.value_and_grad(scaled_in_place)(x, y)
    assert again == value
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_allclose(grads.x, y**2)
    np.testing.assert_allclose(grads.y, 2 * arrays()[0] * y)


@pytest.mark.parametrize(
    "overlapping",
    [lambda x: (x, x), lambda x: (x[:2], x[1:]), lambda x: (x, x[::-1])],
    ids=["same", "shifted", "turned"],
)
def test_arguments_that_share_memory(overlapping):
    """Another argument that would change too is an error before anything is written; one beside it is none."""
    x, _ = arrays()
    before = x.copy()
    f = flatgrad.flatgrad(scaled_in_place)
    for call in (f.grad, f.value_and_grad, f.vjp):
        with pytest.raises(errors.SignatureError, match=r"writes into `x`, and `y` shares memory with it"):
            call(*overlapping(x))
        np.testing.assert_array_equal(x, before)
    both = np.arange(1.0, 7.0)
    assert f.grad(both[::2], both[1::2]).x.shape == (3,)


def test_arrays_in_a_container():
    """The places of the arrays are told, in a container too."""
    table, y = arrays()
    f = flatgrad.flatgrad(first_in_place)
    with pytest.raises(errors.SignatureError, match=r'writes into `params\["table"\]`, and `y` shares memory'):
        f.grad({"table": table}, table)
    with pytest.raises(errors.SignatureError, match=r'`params\["other"\]` shares memory'):
        f.grad({"table": table, "other": table}, y)
    gradient = f.grad({"table": table}, y).params["table"]
    np.testing.assert_array_equal(gradient, [0.0, 1.5, 2.5])
    assert table[0] == 1.0


def test_check_leaves_the_arguments_alone():
    """A check runs both functions many times, each on copies."""
    x, y = arrays()
    assert flatgrad.flatgrad(scaled_in_place).check(x, y)
    np.testing.assert_array_equal(x, arrays()[0])
    params = {"table": x}
    assert flatgrad.flatgrad(first_in_place).check(params, y)
    np.testing.assert_array_equal(x, arrays()[0])


def test_the_docstring_tells():
    """Who reads the emitted function learns which arguments it writes into."""
    x, y = arrays()
    assert "Writes into `x`." in flatgrad.emit(scaled_in_place, x, y)
    assert 'Writes into `params["table"]`.' in flatgrad.emit(first_in_place, {"table": x}, y)
    assert "Writes into" not in flatgrad.emit(lambda x, y: np.sum(x * y), x, y)


def test_function_that_fails_halfway():
    """An error is the user's own, and the function is not run on the arguments a second time to find it."""

    def failing(x, y):
        x += 1.0
        return np.sum(x[y])

    f = flatgrad.flatgrad(wrt="x")(failing)
    x = np.zeros(3)
    assert f.grad(x, np.array([0, 1])).tolist() == [1.0, 1.0, 0.0]
    with pytest.raises(IndexError, match="out of bounds"):
        f.grad(x, np.array([0, 7]))
    assert x[0] == 2.0
