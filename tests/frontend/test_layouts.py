"""How arrays lie in memory: where NumPy makes views of them by `ravel` and `reshape`, and where it makes copies."""

import numpy as np
import pytest

import flatgrad
from flatgrad.errors import FlatgradError
from flatgrad.reading import LayoutUnknown

V = {"x": np.array([0.5, -1.2, 2.0, 0.3]), "m": np.arange(16.0).reshape(4, 4) * 0.3 - 1, "s": 0.7}
OTHER = {"x": np.array([1.5, 0.2, -0.7]), "m": np.arange(9.0).reshape(3, 3) * 0.2 + 1, "s": -0.4}

# arrays of which it is certain, whatever the caller's array is, whether a reshaped one is a view
CERTAIN = [
    "m.copy()", "m.T.copy()", "np.outer(x, x)", "m @ m", "np.zeros((len(x), len(x))) + x", "np.tanh(np.ones((3, 3)) * s)",
    "m.copy()[1:] * 2", "m.copy()[:, 1:] + 2", "m.copy()[::-1] * s", "np.where(np.eye(3) > 0, s, 2.0)", "np.array([x, x])",
    "m.copy()[1:]", "m.copy()[[0, 1]]", "np.stack([x * 1, x * 2])", "np.zeros_like(np.ones((3, 3)))",
    "m.flatten()", "m.copy()[1]", "m.copy().T", "x[:, None] * x",
]  # fmt: skip
# those that lie in another order, or may do so
OTHERS = [
    "m.copy()[:, [0, 1]]", "np.einsum('ij,jk->ki', m.copy(), m.copy())", "m * 1", "m.T * 1", "np.copy(m.T)", "np.zeros_like(m)",
    "np.linspace(m[0], m[1], 4, axis=-1)", "np.einsum('ij->ji', m.copy())", "np.pad(m.T, 1)", "np.flip(m, 0).copy()", "np.tile(m.T, 2)", "np.append(m.T, m.T, axis=0)",
    "np.take(m.T, [0, 1], axis=0)", "np.repeat(m.T, 2, axis=1)", "np.sort(m.T, axis=0)", "np.fft.fft(m.T).real", "np.block([[m.T]])",
    "np.linalg.inv(m[:3, :3].T)", "np.tensordot(m, m.T, 1)", "np.roll(m.T, 1)", "np.cumsum(m.T, axis=0)", "np.delete(m.T, 0, axis=0)",
    "m.copy()[:, 1]", "m.copy()[:, 1:]", "np.asarray(m.T) * 2", "m.copy()[::-1]", "np.array(m.T)", "np.matmul(np.stack([m, m]), m)",
]  # fmt: skip
FORMS = ["v = z.reshape(-1)", "v = z.ravel()", "v = np.ravel(z)", "v = np.reshape(z, (-1,))"]


def text_of(expression, form, written):
    """Return a program that makes an array and a reshaped one, and writes into one of the two."""
    change = {"v": "v[1] = s", "z": "z *= s"}[written]
    return f"z = {expression}\n{form}\n{change}\nreturn z + 0, v + 0"


@pytest.mark.parametrize("written", ["v", "z"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("expression", CERTAIN)
def test_where_a_view_is_certain(reading, expression, form, written):
    """A write is seen under the other name where NumPy makes a view, and only there."""
    for given in (V, {**OTHER, "m": np.asfortranarray(OTHER["m"])}):
        reading.is_right(text_of(expression, form, written), given)


@pytest.mark.parametrize("written", ["v", "z"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("expression", OTHERS)
def test_where_it_is_not(reading, expression, form, written):
    """Nothing is taken for a view that may be a copy: the program is refused, or does what NumPy does."""
    for given in (V, {**V, "m": np.asfortranarray(V["m"])}):
        try:
            reading.is_right(text_of(expression, form, written), given)
        except (FlatgradError, LayoutUnknown) as error:
            assert "whether this is the array that is changed" in str(error)


def first_of_all(m, s):
    np.ravel(m)[1] = s
    return np.sum(m * m)


def first_of_nested(params, s):
    flat = params["m"].reshape(-1)
    flat[1] = s
    return np.sum(params["m"] * flat[2])


LAYOUTS = {
    "rows": lambda: np.arange(6.0).reshape(2, 3) + 1,
    "columns": lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3) + 1),
    "every other": lambda: (np.arange(24.0).reshape(4, 6) + 1)[::2, ::2],
}


def test_the_layout_of_an_argument_decides():
    """Where it decides what is changed, arrays that lie in another way get code of their own, call after call."""
    function = flatgrad.flatgrad(first_of_all)
    for layout in [*LAYOUTS.values(), *LAYOUTS.values()]:
        m, left = layout(), layout()
        expected = first_of_all(left, 0.5)
        value, gradients = function.value_and_grad(m, 0.5)
        assert value == expected
        np.testing.assert_array_equal(m, left)
        written = left != layout()
        np.testing.assert_array_equal(gradients.m, np.where(written, 0.0, 2 * layout()))
        assert gradients.s == np.sum(written)


def test_the_layout_of_a_part_of_an_argument():
    """The same for an array in a dict; a copy that may be a view stays refused."""
    function = flatgrad.flatgrad(first_of_nested)
    params, left = {"m": LAYOUTS["rows"]()}, {"m": LAYOUTS["rows"]()}
    expected = first_of_nested(left, 0.5)
    assert function.value_and_grad(params, 0.5)[0] == expected
    np.testing.assert_array_equal(params["m"], left["m"])
    with pytest.raises(FlatgradError, match="whether this changes an array of the caller's is not known"):
        function.value_and_grad({"m": LAYOUTS["columns"]()}, 0.5)


def test_a_layout_that_does_not_matter():
    """Code is not made anew for an array that lies in another way where nothing depends on that."""

    def read_only(m):
        return np.sum(np.ravel(m) ** 2)

    function = flatgrad.flatgrad(read_only)
    one, other = (str(function.emit(LAYOUTS[name]())) for name in ("rows", "columns"))
    assert one == other


def test_the_layout_is_not_known_without_arguments():
    """What is written from shapes alone says what can't be known."""
    with pytest.raises(FlatgradError, match="whether this changes an array of the caller's is not known"):
        flatgrad.emit(first_of_all, shapes="m=(a, b)")
