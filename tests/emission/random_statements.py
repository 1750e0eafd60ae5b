"""Writes random statements, each on one line as the formatter spaces it, and asks the formatter how to break them."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

WIDTH = 120
RUFF = Path(sys.executable).with_name("ruff")
_BEGIN, _END = "# ---", "# ==="
_FRAME = ("if nested:", "if first:", "body = 0")


class Writer:
    """Writes one random statement for each seed."""

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

    def statement(self) -> tuple[str, str, int]:
        """Return a statement, its comment and its indentation."""
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
                *self.blocks(),
                *self.steps_of_blocks(),
            ]
        )
        comment = self._random.choice(["", "", "", "# relu", "# the log-softmax of scores along axis 1"])
        return text, comment, self._random.choice([4, 4, 4, 8, 12, 16, 20, 24])

    def blocks(self) -> list[str]:
        """Return the heads of branches, loops and functions."""
        return [
            f"if {self.test()}:",
            f"elif {self.test()}:",
            f"while {self.test()}:",
            f"with {self.name()}({self.arguments(2)}):",
            f"with {self.name()}({self.arguments(2)}) as {self.name()}:",
            f"with {self.name()}({self.arguments(1)}), np.{self.name()}({self.arguments(2)}):",
            f"for {self.targets()} in {self.iterable(2)}:",
            f"for {self.targets()} in reversed({self.iterable(1)}):",
            f"for {self.names(2)} in zip(reversed({self.name()}_tape), reversed({self.name()}_tape)):",
            f"def {self.name()}_forward({self.names(3)}, *, {self.name()}_last=3):",
            f"def {self.name()}_backward(saved, {self.names(2)}):",
        ]

    def steps_of_blocks(self) -> list[str]:
        """Return what stands in and around branches, loops and calls."""
        return [
            f"{self.name()}_tape.append({self.expression(1)})",
            f"{self.name()}_tape.append(({self.names(3)}))",
            f"grad_{self.name()} += np.outer({self.operand(1)}, {self.name()}[{self.name()}])",
            f"{self.names(2)} = {self.operand(1)}, {self.name()} + {self.name()}",
            f"{self.name()}, saved0 = {self.name()}_forward({self.arguments(2)})",
            f"_, {self.names(2)}, _, _ = {self.name()}_backward(saved0, {self.names(2)})",
            f"({self.name()},) = {self.name()}_backward(saved0, {self.names(2)})",
            f"{self.names(6)} = saved",
            f"{self.name()} = {self.operand(1)} if {self.test()} else {self.operand(1)}",
            f"{self.name()} = {self.test()}",
            f"raise {self.name()}({self.arguments(2)})",
            f"raise {self.name()}({self.arguments(2)}) from {self.name()}({self.arguments(1)})",
            f"raise {self.name()}({self.arguments(2)}) from {self.name()}",
            f"return ({self.names(2)}), ({self.names(4)})",
            f"return {self.name()}, ({self.name()},)",
            f"return {self.name()} if {self.test()} else {self.name()}",
        ]

    def names(self, count: int) -> str:
        return ", ".join(self.name() for _ in range(count))

    def targets(self) -> str:
        pair = f"({self.names(2)})"
        return self._random.choice([self.name(), self.names(2), self.names(4), f"{self.name()}, {pair}"])

    def iterable(self, depth: int) -> str:
        kinds = ["range", "range back", "length", "rows"] + ["enumerate", "zip", "reversed"] * (depth > 0)
        kind = self._random.choice(kinds)
        if kind == "range":
            return f"range({self.operand(1)})"
        if kind == "range back":
            return f"range({self.name()} - 1, -1, -{self.name()})"
        if kind == "length":
            return f"range(len({self.name()}))"
        if kind == "zip":
            return f"zip({self.iterable(depth - 1)}, {self.iterable(depth - 1)}, {self.name()}, strict=True)"
        return self.name() if kind == "rows" else f"{kind}({self.iterable(depth - 1)})"

    def test(self) -> str:
        """Return what an `if` or `while` asks."""
        comparisons = [self.comparison() for _ in range(self._random.choice([1, 1, 2, 3, 4]))]
        if len(comparisons) > 1 and self._random.random() < 0.2:
            comparisons[0] = f"({comparisons[0]} or {self.comparison()})"
        text = self._random.choice([" and ", " and ", " or "]).join(comparisons)
        return f"not ({text})" if len(comparisons) > 1 and self._random.random() < 0.1 else text

    def comparison(self) -> str:
        kinds = [
            f"{self.name()} {self._random.choice(['<', '>=', '==', 'is not'])} {self.operand(1)}",
            f"abs({self.name()} - {self.name()}) > {self.name()}",
            f"{self.name()} < {self.operand(1)} <= {self.name()}",
            f"{self.name()} not in ({self.names(2)})",
            f"not {self.name()}[{self.name()}]",
            self.chain(1),
            self.name(),
        ]
        return self._random.choice(kinds)

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


def formatted(statements: list[tuple[str, str, int]], directory: Path) -> list[list[str]]:
    """Return what ruff makes of each statement in the body of a function."""
    lines = ["def function():"]
    for text, comment, indent in statements:
        margin = " " * indent
        lines += [" " * nesting + "if nested:" for nesting in range(4, indent, 4)]
        lines.append(margin + _BEGIN)
        lines += [f"{margin}if first:", f"{margin}    body = 0"] if text.startswith("elif ") else []
        lines.append(margin + text + (f"  {comment}" if comment else ""))
        # a comment at the end of an empty block would move, hence the body
        lines += [f"{margin}    body = 0"] if text.endswith(":") else []
        lines.append(margin + _END)
    path = directory / "statements.py"
    path.write_text("\n".join(lines) + "\n")
    subprocess.run([str(RUFF), "format", "--isolated", "--quiet", "--line-length", str(WIDTH), str(path)], check=True)
    groups: list[list[str]] = []
    for line in path.read_text().splitlines()[1:]:
        if line.strip() == _BEGIN:
            groups.append([])
        elif line and line.strip() not in (_END, *_FRAME):
            groups[-1].append(line)
    return groups
