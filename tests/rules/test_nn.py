"""The gates are right, safe at extremes, keep dtypes, and can be copied into another module."""

import ast
import inspect
import math

import numpy as np
import pytest

from flatgrad import nn
from flatgrad.registry import lookup
from flatgrad.rules import gates

GATES = [nn.sigmoid, nn.relu, nn.softplus, nn.softmax, nn.log_softmax, nn.logsumexp, nn.softmax_cross_entropy]
ELEMENTWISE = [nn.sigmoid, nn.relu, nn.softplus]
EXTREMES = np.array([-np.inf, -1e300, -750.0, -40.0, -0.0, 0.0, 1e-300, 40.0, 750.0, 1e300, np.inf])
X = np.array([[1.5, -2.0, 0.25], [0.0, 3.0, -1.0]])


def test_values_are_those_of_the_definitions():
    """The safe forms compute what the textbook writes."""
    np.testing.assert_allclose(nn.sigmoid(X), 1 / (1 + np.exp(-X)), rtol=1e-15)
    np.testing.assert_allclose(nn.softplus(X), np.log(1 + np.exp(X)), rtol=1e-15)
    np.testing.assert_array_equal(nn.relu(X), np.where(X > 0, X, 0))
    powers = np.exp(X)
    np.testing.assert_allclose(nn.softmax(X), powers / powers.sum(axis=1, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(nn.log_softmax(X, axis=0), np.log(powers / powers.sum(axis=0)), rtol=1e-13)
    for axis in (None, 0, -1, (0, 1)):
        for keepdims in (False, True):
            expected = np.log(np.sum(powers, axis=axis, keepdims=keepdims))
            actual = nn.logsumexp(X, axis=axis, keepdims=keepdims)
            assert np.shape(actual) == np.shape(expected)
            np.testing.assert_allclose(actual, expected, rtol=1e-14)
    labels = np.array([2, 0])
    expected = -np.mean(np.log(powers / powers.sum(axis=1, keepdims=True))[[0, 1], labels])
    np.testing.assert_allclose(nn.softmax_cross_entropy(X, labels), expected, rtol=1e-14)


def test_elementwise_gates_are_safe_at_extremes():
    """Neither overflow nor nan, and no warning, however large the input."""
    np.testing.assert_allclose(
        nn.sigmoid(EXTREMES), [0, 0, np.exp(-750.0), np.exp(-40.0), 0.5, 0.5, 0.5, 1, 1, 1, 1], rtol=1e-15
    )
    np.testing.assert_array_equal(nn.relu(EXTREMES), np.maximum(EXTREMES, 0))
    np.testing.assert_allclose(
        nn.softplus(EXTREMES),
        [0, 0, 0, np.exp(-40.0), np.log(2), np.log(2), np.log(2), 40, 750, 1e300, np.inf],
        rtol=1e-15,
    )


@pytest.mark.parametrize("gate", ELEMENTWISE)
def test_nan_stays_nan(gate):
    """A nan is never hidden, by the gate or by its form for Python floats."""
    assert math.isnan(gate(math.nan))
    assert math.isnan(lookup(gate).scalar(math.nan))


def test_softmax_family_is_safe_at_extremes():
    """Logits far from 0, and masked ones at -inf, give numbers."""
    logits = np.array([[1e300, 0.0, -1e300], [-np.inf, 1000.0, 1000.0]])
    np.testing.assert_array_equal(nn.softmax(logits), [[1, 0, 0], [0, 0.5, 0.5]])
    np.testing.assert_array_equal(nn.log_softmax(logits)[0], [0, -1e300, -2e300])
    np.testing.assert_allclose(nn.logsumexp(logits, axis=1), [1e300, 1000 + np.log(2)])
    np.testing.assert_allclose(nn.softmax_cross_entropy(logits, np.array([0, 1])), np.log(2) / 2)


def test_logsumexp_at_infinity():
    """All -inf gives -inf with gradient 0; inf gives inf."""
    nothing = np.full((2, 3), -np.inf)
    assert nn.logsumexp(nothing) == -np.inf
    y = nn.logsumexp(nothing, axis=1)
    np.testing.assert_array_equal(y, [-np.inf, -np.inf])
    np.testing.assert_array_equal(gates.grad_logsumexp(nothing, y, np.ones(2), axis=1), np.zeros((2, 3)))
    assert nn.logsumexp(np.array([1.0, np.inf])) == np.inf


@pytest.mark.parametrize("gate", GATES)
def test_float32_stays_float32(gate):
    """No constant in a gate makes float64 of float32."""
    x = X.astype(np.float32)
    y = gate(x, np.array([0, 1])) if gate is nn.softmax_cross_entropy else gate(x)
    assert y.dtype == np.float32


@pytest.mark.parametrize("gate", ELEMENTWISE)
@pytest.mark.parametrize("x", [*EXTREMES[1:-1].tolist(), 0.3, -1.7])
def test_gates_take_python_floats(gate, x):
    """A number gives a number, and the form for Python floats agrees with it."""
    y = gate(x)
    assert isinstance(y, float)
    assert lookup(gate).scalar(x) == pytest.approx(y, rel=1e-15, abs=0)


@pytest.mark.parametrize("gate", [*GATES, gates.sigmoid, gates.relu, gates.softplus])
def test_source_can_be_copied(gate):
    """A gate needs nothing but NumPy, or math: its source is written into modules that don't import flatgrad."""
    tree = ast.parse(inspect.getsource(gate))
    parameters = set(inspect.signature(gate).parameters)
    assigned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert used - parameters - assigned <= {"np", "exp", "log1p", "abs", "max", "len"}
    assert len((ast.get_docstring(tree.body[0]) or "").splitlines()) == 1


@pytest.mark.parametrize("gate", ELEMENTWISE)
def test_form_for_python_floats_goes_by_the_same_name(gate):
    """Emitted code reads the same for both targets."""
    scalar = lookup(gate).scalar
    assert scalar.__name__ == gate.__name__
    assert scalar.__doc__ == gate.__doc__
