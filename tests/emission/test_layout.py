"""A long statement is broken exactly where `ruff format` breaks it, so that emitted files need no formatter."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flatgrad.emission.layout import laid_out

WIDTH = 120
SEPARATOR = "    # ---"
RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent))


class Writer:
    """Writes random statements, each on one line as the formatter spaces it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def name(self) -> str:
        choice = self._random.choice
        words = [
            "grad",
            "x",
            "hidden",
            "log_probabilities",
            "W1",
            "s12",
            "accumulated_activations",
            "t",
            "scale",
            "loss",
        ]
        return "_".join(choice(words) for _ in range(self._random.choice([1, 1, 2, 3])))

    def atom(self) -> str:
        numbers = ["1.0", "0", "1e-05", "3.141592653589793", "None", '"mean squared"', 'f"value {x:.3f}"', "12345"]
        if self._random.random() < 0.02:
            return self._random.choice(
                ['"' + "text " * 18 + '"', "_".join(self.name() for _ in range(5)), "-" + self.name()]
            )
        return self._random.choice(numbers) if self._random.random() < 0.25 else self.name()

    def dotted(self) -> str:
        return self._random.choice(["np.", "np.linalg.", "", "self.", "np.add."]) + self.name()

    def arguments(self, depth: int) -> str:
        positional = [self.expression(depth - 1) for _ in range(self._random.choice([0, 1, 1, 2, 3]))]
        keywords = [f"{self.name()}={self.expression(depth - 2)}" for _ in range(self._random.choice([0, 0, 1]))]
        return ", ".join(positional + keywords)

    def index(self, depth: int) -> str:
        names = [":", "None", "...", self.name(), "1:", f"{self.name()} + 1 :", f"{self.name()}:{self.name()}"]
        parts = [
            self._random.choice(names) if self._random.random() < 0.6 else self.expression(depth - 1)
            for _ in range(self._random.choice([1, 1, 2, 3]))
        ]
        return ", ".join(parts)

    def chain(self, depth: int) -> str:
        base = self.base(depth)
        # parentheses around a whole expression are not the printer's way
        least = 1 if base.startswith("(") else 0
        for _ in range(max(least, self._random.choice([0, 1, 1, 1, 2, 3, 5]))):
            base += self.trailer(depth)
        return base

    def base(self, depth: int) -> str:
        kind = self._random.choice(["dotted", "dotted", "name", "operation", "display"])
        if kind == "operation":
            return f"({self.operation(depth - 1)})"
        if kind == "display":
            return self.display(depth)
        return self.dotted() if kind == "dotted" else self.name()

    def trailer(self, depth: int) -> str:
        kind = self._random.choice(["call", "subscript", "method", "attribute", "T"])
        if kind == "subscript":
            return f"[{self.index(depth)}]"
        if kind == "T":
            return ".T"
        name = "" if kind == "call" else f".{self.name()}"
        return name if kind == "attribute" else f"{name}({self.arguments(depth)})"

    def display(self, depth: int) -> str:
        items = [self.expression(depth - 1) for _ in range(self._random.choice([2, 2, 3, 5]))]
        return self._random.choice(["({})", "[{}]"]).format(", ".join(items))

    def operand(self, depth: int) -> str:
        if depth <= 0:
            return self.atom()
        kind = self._random.choice(
            ["name", "atom", "chain", "chain", "negative", "operation", "square", "square of call"]
        )
        if kind == "chain":
            return self.chain(depth - 1)
        if kind == "negative":
            return f"-{self.chain(depth - 1)}"
        if kind == "operation":
            return f"({self.operation(depth - 1)})"
        if kind == "square":
            return f"{self.name()}**2"
        if kind == "square of call":
            return f"{self.dotted()}({self.name()}) ** 2"
        return self.name() if kind == "name" else self.atom()

    def operation(self, depth: int) -> str:
        tight = ["+", "-", "*", "/", "@", "*", "+", "//", "%"]
        loose = ["<", ">=", "==", "and", "or", "is not", "in", "&", "|"]
        operators = tight if self._random.random() < 0.8 else tight + loose + loose
        text = self.operand(depth)
        for _ in range(self._random.choice([1, 1, 2, 4, 7])):
            text += f" {self._random.choice(operators)} {self.operand(depth)}"
        return text

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.atom()
        kind = self._random.random()
        if kind < 0.4:
            return self.operation(depth)
        if kind < 0.8:
            return self.chain(depth)
        if kind < 0.86:
            return self.display(depth)
        if kind < 0.92:
            return f"{self.operation(depth - 1)} if {self.operation(depth - 1)} else {self.operand(depth - 1)}"
        return f"not {self.chain(depth)}" if kind < 0.95 else f"-{self.chain(depth)}"

    def statement(self) -> tuple[str, str]:
        """Return a statement and its comment."""
        depth = self._random.choice([1, 1, 2, 2, 3, 4])
        value = self.expression(depth)
        text = self._random.choice(
            [
                f"{self.name()} = {value}",
                f"{self.name()} = {value}",
                f"{self.name()} = {value}",
                f"{self.name()} += {value}",
                f"{self.name()}: float = {value}",
                f"{self.name()}, {self.name()} = {value}",
                f"{self.name()}[{self.index(1)}] = {value}",
                f"{self.name()}[{self.index(1)}] += {value}",
                f"{self.name()}.{self.name()} = {value}",
                f"return {value}",
                f"return {self.name()}, ({', '.join(self.name() for _ in range(5))})",
                f"return {self.name()}, {value}",
                f"return {self.name()}, {self.name()}, {value}",
                f"assert {value}, {self.expression(1)}",
                f'print("{self.name()}", {value})',
                f"np.add.at({self.name()}, ({self.name()}, {self.name()}), {value})",
                f"if {value}:",
                f"for {self.name()}, {self.name()} in {value}:",
                f"for {self.name()} in {value}:",
                self.definition(),
                self.imports(),
            ]
        )
        return text, self._random.choice(["", "", "", "# relu", "# the log-softmax of scores along axis 1"])

    def definition(self) -> str:
        parameters = [
            self.name() + str(position) + self._random.choice(["", "", ": float", ": float = 1.0", "=1.0"])
            for position in range(self._random.choice([1, 1, 2, 4, 8]))
        ]
        parameters.sort(key=lambda parameter: "=" in parameter)
        if self._random.random() < 0.3:
            parameters += ["*", f"{self.name()}_last: float = 1.0"]
        name = "_".join(self.name() for _ in range(self._random.choice([1, 3, 6])))
        returned = ["", " -> float", " -> tuple[float, tuple[float, float, np.ndarray]]", " -> np.ndarray"]
        return f"def {name}({', '.join(parameters)}){self._random.choice(returned)}:"

    def imports(self) -> str:
        names = ", ".join(sorted({self.name() for _ in range(self._random.choice([1, 3, 6, 9]))}))
        return f"from {self.dotted().rstrip('.')} import {names}"


def formatted(statements: list[tuple[str, str]], directory: Path) -> list[list[str]]:
    """Return what ruff makes of each statement in the body of a function."""
    lines = ["def function():"]
    for text, comment in statements:
        # a comment at the end of an empty block would move, hence the body
        lines += [SEPARATOR, f"    {text}" + (f"  {comment}" if comment else "")]
        lines += ["        body = 0"] if text.endswith(":") else []
    path = directory / "statements.py"
    path.write_text("\n".join(lines) + "\n")
    subprocess.run([str(RUFF), "format", "--isolated", "--quiet", "--line-length", str(WIDTH), str(path)], check=True)
    groups: list[list[str]] = []
    for line in path.read_text().splitlines()[1:]:
        if line == SEPARATOR:
            groups.append([])
        elif line and line != "        body = 0":
            groups[-1].append(line)
    return groups


def differences(seeds: range, directory: Path) -> list[tuple[list[str], list[str]]]:
    """Return what `laid_out` and ruff make of the statements where they differ."""
    statements = [Writer(seed).statement() for seed in seeds]
    expected = formatted(statements, directory)
    actual = [laid_out(text, 4, WIDTH, comment) for text, comment in statements]
    assert sum(len(lines) > 1 for lines in expected) > len(statements) // 3
    return [(mine, theirs) for mine, theirs in zip(actual, expected, strict=True) if mine != theirs]


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed beside this Python")
def test_random_statements_are_broken_as_ruff_breaks_them(tmp_path: Path) -> None:
    """Every kind of statement and expression, nested at random, has the very lines that ruff gives it."""
    assert differences(range(600), tmp_path) == []


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
