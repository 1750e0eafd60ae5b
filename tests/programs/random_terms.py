"""Random expressions and tests for `random_blocks`, over the variables that have a value for certain."""

import itertools
import random
from dataclasses import dataclass, field

FLOAT, INT, VECTOR, MATRIX, ROWS = "float", "int", "vector", "matrix", "rows"
# a vector has `n` elements, a matrix is n by n, rows are `t` vectors
LENGTHS = {VECTOR: "n", MATRIX: "n", ROWS: "t"}


@dataclass
class Scope:
    """What is certain to have a value: names with their kinds, and the axes that an int is an index of."""

    kinds: dict = field(default_factory=dict)
    axes: dict = field(default_factory=dict)
    frozen: set = field(default_factory=set)
    helpers: list = field(default_factory=list)

    def copy(self):
        return Scope(dict(self.kinds), dict(self.axes), set(self.frozen), list(self.helpers))

    def restrict(self, others):
        """Keep what has a value of the same kind in all the others, too."""
        for other in others:
            self.kinds = {name: kind for name, kind in self.kinds.items() if other.kinds.get(name) == kind}
            self.axes = {name: axes & other.axes.get(name, set()) for name, axes in self.axes.items()}
            self.axes = {name: axes for name, axes in self.axes.items() if axes and name in self.kinds}


@dataclass
class Helper:
    """A function that can be called: parameters with kinds and whether they have a default."""

    name: str
    parameters: list
    returns: tuple


class TermWriter:
    """Writes expressions and tests; operations are in parentheses."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = itertools.count()
        self.static = None

    def chance(self, probability):
        return self.random.random() < probability

    def one_of(self, items):
        return self.random.choice(list(items))

    def fresh(self, letter):
        return f"{letter}{next(self.numbers)}"

    def named(self, scope, kind):
        """Return a variable of this kind, a late one rather than an early one; None if there is none."""
        names = [name for name, other in scope.kinds.items() if other == kind]
        return names[-1 - min(int(self.random.expovariate(0.5)), len(names) - 1)] if names else None

    def number(self):
        return self.one_of(["0.5", "0.3", "1.5", "0.7", "0.2", "1", "2.0", "0.1"])

    def index(self, scope, axis):
        fitting = [name for name, axes in scope.axes.items() if axis in axes]
        if not fitting or self.chance(0.2):
            return self.one_of(["0", "1", "-1"])
        name = self.one_of(fitting)
        return self.one_of([name, name, f"{name} - 1", f"-{name}"])

    def scalar(self, scope, depth=2):
        """Return an expression for a number."""
        kinds = set(scope.kinds.values())
        leaves = [lambda: self.named(scope, FLOAT) or self.number()] * 4 + [self.number]
        if INT in kinds:
            leaves.append(lambda: f"(0.1 * {self.named(scope, INT)})")
        if VECTOR in kinds:
            leaves += [lambda: f"{self.named(scope, VECTOR)}[{self.index(scope, 'n')}]"] * 2
        if MATRIX in kinds:
            leaves.append(lambda: f"{self.named(scope, MATRIX)}[{self.index(scope, 'n')}, {self.index(scope, 'n')}]")
        if ROWS in kinds:
            leaves.append(lambda: f"{self.named(scope, ROWS)}[{self.index(scope, 't')}][{self.index(scope, 'n')}]")
        if depth <= 0:
            return self.one_of(leaves)()
        a, b = (lambda: self.scalar(scope, depth - 1)), (lambda: self.scalar(scope, depth - 1))
        forms = leaves * 2 + [
            lambda: f"np.tanh({a()})",
            lambda: f"np.sin({a()})",
            lambda: f"({a()} + {b()})",
            lambda: f"({a()} - {b()})",
            lambda: f"({a()} * {b()})",
            lambda: f"(0.5 * {a()})",
            lambda: f"({a()} / (1.0 + {b()} ** 2))",
            lambda: f"np.exp(-({a()} ** 2))",
            lambda: f"abs({a()})",
            lambda: f"(-{a()})",
            lambda: f"np.maximum({a()}, {b()})",
            lambda: f"({a()} if {self.condition(scope)} else {b()})",
            lambda: f"({a()} {self.one_of(['or', 'and'])} {b()})",
        ]
        if VECTOR in kinds:
            forms += [
                lambda: f"np.{self.one_of(['sum', 'mean'])}({self.vector(scope, depth - 1)})",
                lambda: f"({self.vector(scope, depth - 1)} @ {self.vector(scope, 0)})",
            ]
        forms += [lambda: self.called(scope, (FLOAT,), depth)] * 2
        return self.one_of(forms)()

    def vector(self, scope, depth=2):
        """Return an expression for a vector."""
        kinds = set(scope.kinds.values())
        leaves = [lambda: self.named(scope, VECTOR)] * 3 if VECTOR in kinds else []
        if MATRIX in kinds:
            leaves += [
                lambda: f"{self.named(scope, MATRIX)}[{self.index(scope, 'n')}]",
                lambda: f"{self.named(scope, MATRIX)}[:, {self.index(scope, 'n')}]",
            ]
        if ROWS in kinds:
            leaves += [lambda: f"{self.named(scope, ROWS)}[{self.index(scope, 't')}]"] * 2
        if not leaves:
            # every program has the size `n` in a closure
            leaves.append(lambda: f"np.full(N, {self.number()})")
        if depth <= 0:
            return self.one_of(leaves)()
        a, b = (lambda: self.vector(scope, depth - 1)), (lambda: self.vector(scope, depth - 1))
        forms = leaves * 2 + [
            lambda: f"np.tanh({a()})",
            lambda: f"np.sin({a()})",
            lambda: f"({a()} + {b()})",
            lambda: f"({a()} * {b()})",
            lambda: f"({self.scalar(scope, depth - 1)} * {b()})",
            lambda: f"np.where({a()} > {self.number()}, {a()}, {b()})",
            lambda: f"({a()} if {self.condition(scope)} else {b()})",
            lambda: self.called(scope, (VECTOR,), depth),
        ]
        if MATRIX in kinds:
            forms.append(lambda: f"(0.3 * {self.named(scope, MATRIX)}{self.one_of(['', '.T'])} @ {a()})")
        return self.one_of(forms)()

    def expression(self, scope, kind, depth=2):
        return self.scalar(scope, depth) if kind == FLOAT else self.vector(scope, depth)

    def called(self, scope, returns, depth):
        """Return a call of a helper; if there is none, another expression."""
        fitting = [helper for helper in scope.helpers if helper.returns == returns]
        if not fitting:
            return self.expression(scope, returns[0], depth - 1) if len(returns) == 1 else None
        helper = self.one_of(fitting)
        texts = []
        keywords = False
        for name, kind, has_default in helper.parameters:
            if has_default and self.chance(0.5):
                keywords = True
                continue
            keywords = keywords or self.chance(0.15)
            texts.append(f"{name}=" * keywords + self.expression(scope, kind, min(depth - 1, 1)))
        return f"{helper.name}({', '.join(texts)})"

    def condition(self, scope, depth=1):
        """Return a test."""
        a = lambda: self.scalar(scope, 1)  # noqa: E731
        forms = [lambda: f"{a()} {self.one_of(['<', '>', '<=', '>='])} {self.number()}"] * 4
        forms += [lambda: f"{a()} < {self.scalar(scope, 1)}", lambda: f"-0.6 < {a()} <= 0.9"]
        integer = self.named(scope, INT)
        if integer:
            forms += [lambda: f"{integer} % 2 == 0", lambda: f"{integer} == 1", lambda: f"{integer} > 1"]
        if VECTOR in scope.kinds.values():
            forms += [
                lambda: f"np.{self.one_of(['any', 'all'])}({self.vector(scope, 0)} > {self.number()})",
                lambda: f"{self.vector(scope, 0)}.sum() > {self.number()}",
            ]
        if self.static:
            forms.append(lambda: f'mode {self.one_of(["==", "!="])} "{self.one_of(["up", "down"])}"')
        if depth:
            parts = lambda: (self.condition(scope, 0), self.condition(scope, 0))  # noqa: E731
            forms += [lambda: "({} and {})".format(*parts()), lambda: "({} or {})".format(*parts())]
            forms.append(lambda: f"not {self.condition(scope, 0)}")
        return self.one_of(forms)()


def stripped(text):
    """Return an expression without parentheses around the whole of it."""
    if text.startswith("("):
        depth = 0
        for place, character in enumerate(text):
            depth += (character == "(") - (character == ")")
            if not depth:
                return text[1:-1] if place == len(text) - 1 else text
    return text
