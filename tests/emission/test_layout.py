"""A long statement is broken exactly where `ruff format` breaks it, so that emitted files need no formatter."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from flatgrad.emission.layout import laid_out

_spec = importlib.util.spec_from_file_location("random_statements", Path(__file__).with_name("random_statements.py"))
random_statements = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_statements)
RUFF, WIDTH = random_statements.RUFF, random_statements.WIDTH


def differences(seeds: range, directory: Path) -> list[tuple[list[str], list[str]]]:
    """Return what `laid_out` and ruff make of the statements where they differ."""
    statements = [random_statements.Writer(seed).statement() for seed in seeds]
    expected = random_statements.formatted(statements, directory)
    actual = [laid_out(text, indent, WIDTH, comment) for text, comment, indent in statements]
    assert sum(len(lines) > 1 for lines in expected) > len(statements) // 3
    return [(mine, theirs) for mine, theirs in zip(actual, expected, strict=True) if mine != theirs]


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed beside this Python")
def test_random_statements_are_broken_as_ruff_breaks_them(tmp_path: Path) -> None:
    """Every kind of statement and expression, nested at random, has the very lines that ruff gives it."""
    assert differences(range(800), tmp_path) == []


EXAMPLES = [
    (
        "grad_b1 = np.sum(grad_z, axis=0)",
        """
grad_b1 = np.sum(grad_z, axis=0)
""",
    ),
    (
        "grad_first_activations = grad_scores @ W2.T + grad_penalty * first_activations",
        """
grad_first_activations = (
    grad_scores @ W2.T + grad_penalty * first_activations
)
""",
    ),
    (
        "grad_scores = np.exp(log_probabilities) * np.sum(grad_log_probabilities, axis=1)",
        """
grad_scores = np.exp(log_probabilities) * np.sum(
    grad_log_probabilities, axis=1
)
""",
    ),
    (
        "grad_log_probabilities[np.arange(len(X)), labels] = grad_picked_log_probabilities",
        """
grad_log_probabilities[np.arange(len(X)), labels] = (
    grad_picked_log_probabilities
)
""",
    ),
    (
        "grad_log_probabilities[np.arange(len(X))] = np.full_like(picked_log_probabilities, 1.0)",
        """
grad_log_probabilities[np.arange(len(X))] = np.full_like(
    picked_log_probabilities, 1.0
)
""",
    ),
    (
        "normalized = activations.reshape(batch_size, -1).astype(np.float64).transpose(1, 0)",
        """
normalized = (
    activations.reshape(batch_size, -1)
    .astype(np.float64)
    .transpose(1, 0)
)
""",
    ),
    (
        "hidden = clip(first_hidden_activations, second_hidden_activations, axis=axis, where=mask)",
        """
hidden = clip(
    first_hidden_activations,
    second_hidden_activations,
    axis=axis,
    where=mask,
)
""",
    ),
    (
        "grad_x = grad_positive_part if first_hidden_activation > 0 else grad_negative_part",
        """
grad_x = (
    grad_positive_part
    if first_hidden_activation > 0
    else grad_negative_part
)
""",
    ),
    (
        "return loss, (grad_weights, grad_bias, grad_scale, grad_activations, grad_inputs)",
        """
return loss, (
    grad_weights,
    grad_bias,
    grad_scale,
    grad_activations,
    grad_inputs,
)
""",
    ),
    (
        "def value_and_grad(x: float, y: float, w: float = 0.1, *, grad_out: float = 1.0):",
        """
def value_and_grad(
    x: float, y: float, w: float = 0.1, *, grad_out: float = 1.0
):
""",
    ),
    (
        "def value_and_grad(first: float, second: float, weight: float = 0.1, *, grad_out: float = 1.0) -> float:",
        """
def value_and_grad(
    first: float,
    second: float,
    weight: float = 0.1,
    *,
    grad_out: float = 1.0,
) -> float:
""",
    ),
    (
        "def value_and_grad_of_the_squared_distance(first_and_only_input: float):",
        """
def value_and_grad_of_the_squared_distance(
    first_and_only_input: float,
):
""",
    ),
    (
        "from math import atan2, copysign, cosh, exp, hypot, log, sinh, tanh, sqrt",
        """
from math import (
    atan2,
    copysign,
    cosh,
    exp,
    hypot,
    log,
    sinh,
    tanh,
    sqrt,
)
""",
    ),
    (
        'assert activations.shape == (batch_size, features), "activations: (n, d)"',
        """
assert activations.shape == (batch_size, features), (
    "activations: (n, d)"
)
""",
    ),
    (
        'print("the loss after this step", loss, "and the gradient\'s norm", norm)',
        """
print(
    "the loss after this step", loss, "and the gradient's norm", norm
)
""",
    ),
    (
        "TRANSITIONS = np.array([[0.125, 0.25, 0.5, 0.75], [0.5, 0.25, 0.125, 0.0625]])",
        """
TRANSITIONS = np.array(
    [[0.125, 0.25, 0.5, 0.75], [0.5, 0.25, 0.125, 0.0625]]
)
""",
    ),
    (
        "if first_hidden_activation > 0 and not second_hidden_activation_is_masked:",
        """
if (
    first_hidden_activation > 0
    and not second_hidden_activation_is_masked
):
""",
    ),
    (
        "for hidden, activations, inputs in reversed(list(zip(tape, outputs, inputs))):",
        """
for hidden, activations, inputs in reversed(
    list(zip(tape, outputs, inputs))
):
""",
    ),
    (
        "elif hidden_activation > threshold and (is_masked or hidden_activation < upper_threshold):",
        """
elif hidden_activation > threshold and (
    is_masked or hidden_activation < upper_threshold
):
""",
    ),
    (
        "while abs(estimate - previous_estimate) > tolerance and turns < most_turns:",
        """
while (
    abs(estimate - previous_estimate) > tolerance
    and turns < most_turns
):
""",
    ),
    (
        "for grad_row, hidden_row in zip(reversed(grad_hidden_tape), reversed(hidden_tape)):",
        """
for grad_row, hidden_row in zip(
    reversed(grad_hidden_tape), reversed(hidden_tape)
):
""",
    ),
    (
        "_, grad_first_weights, grad_first_bias = layer_backward(saved0, grad_hidden)",
        """
_, grad_first_weights, grad_first_bias = layer_backward(
    saved0, grad_hidden
)
""",
    ),
    (
        "grad_weights[first_position, second_position] += grad_hidden * hidden_inputs",
        """
grad_weights[first_position, second_position] += (
    grad_hidden * hidden_inputs
)
""",
    ),
    (
        "variance = squared_distances_of_all_samples**2 / (number_of_samples - degrees)",
        """
variance = squared_distances_of_all_samples**2 / (
    number_of_samples - degrees
)
""",
    ),
]


@pytest.mark.parametrize(("statement", "lines"), EXAMPLES)
def test_examples(statement: str, lines: str) -> None:
    """The forms that emitted code is made of, on 70 columns."""
    assert laid_out(statement, width=70) == lines.strip().split("\n")


def test_indentation_counts() -> None:
    """A statement in a function has less room, and its lines keep its indentation."""
    statement = "total = first + second"
    assert laid_out(statement, 4, width=26) == ["    total = first + second"]
    assert laid_out(statement, 4, width=25) == ["    total = (", "        first + second", "    )"]


def test_lines_without_a_statement_stay() -> None:
    """Comments are not broken, and an empty line has no spaces."""
    assert laid_out("", 4) == [""]
    assert laid_out("# a long comment", 4, width=10) == ["    # a long comment"]


def test_comment_counts_and_stays_on_the_last_line() -> None:
    """A comment takes room on the line; behind a name it moves into the parentheses that it causes."""
    assert laid_out("z = relu(x)", width=20, comment="# relu") == ["z = relu(x)  # relu"]
    assert laid_out("z = relu(x)", width=18, comment="# relu") == ["z = relu(", "    x", ")  # relu"]
    assert laid_out("activations = hidden", width=27, comment="# relu") == [
        "activations = (",
        "    hidden  # relu",
        ")",
    ]


def test_comment_to_a_tool_takes_no_room() -> None:
    """As in ruff, a `noqa` does not break its line."""
    assert laid_out("z = relu(x)", width=18, comment="# noqa: E501") == ["z = relu(x)  # noqa: E501"]


def test_wide_characters_take_two_columns() -> None:
    """Columns are counted, not characters."""
    assert laid_out('x = f("漢漢")', width=13) == ['x = f("漢漢")']
    assert laid_out('x = f("漢漢")', width=12) == ["x = f(", '    "漢漢"', ")"]


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("y = " + " + ".join(f"x{i} * w{i}" for i in range(2000)), 2002),
        ("y = x0" + "".join(f" {'+-*/'[i % 4]} x{i}" for i in range(500)), 253),
        ("y = " + "f(" * 190 + "x" + ")" * 190, 381),
        ("y = x" + ".f(a, b)" * 500, 502),
        ("y = a" + " if b else c" * 500, 1003),
    ],
    ids=["sum", "operators", "brackets", "calls", "conditions"],
)
def test_long_and_deep_statements(statement: str, count: int) -> None:
    """Nothing recurses into what can be long or deep, and the time grows with the length."""
    assert len(laid_out(statement)) == count


@pytest.mark.parametrize("statement", ["x = lambda a: a + a", "x = [a for a in values]", "a = b = c + c"])
def test_unknown_constructs_are_refused(statement: str) -> None:
    """What is not known here is an error, and not a wrong line."""
    with pytest.raises(ValueError, match="can't break"):
        laid_out(statement, width=10)
