"""Random expressions over arrays of known shapes, and places in them, for `random_writes`.

In: a scope, which has the names that have a value for certain, with their shapes. Out: texts. Whether two names are one array,
or one is a view of the other, is left to Python: the scope only tells which names may be written to.
"""

import itertools
import random
from dataclasses import dataclass, field


@dataclass
class Scope:
    """Arrays by shape, those that may be written to, numbers, counters with the least and the greatest value, lists of arrays."""

    shapes: dict = field(default_factory=dict)
    writable: set = field(default_factory=set)
    numbers: list = field(default_factory=list)
    counters: dict = field(default_factory=dict)
    lists: dict = field(default_factory=dict)
    helpers: list = field(default_factory=list)
    nested: bool = False

    def inner(self):
        """Return the scope of a block in this one: what it adds is not there behind it."""
        copies = [type(part)(part) for part in (self.shapes, self.writable, self.numbers, self.counters, self.lists)]
        return Scope(*copies, self.helpers, True)


class ArrayWriter:
    """Writes expressions; operations are in parentheses. `size` is the length of the vectors that the program is given."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = itertools.count()
        self.size = self.random.randint(3, 4)

    def chance(self, probability):
        return self.random.random() < probability

    def one_of(self, items):
        return self.random.choice(sorted(items) if isinstance(items, set) else list(items))

    def fresh(self, letter):
        return f"{letter}{next(self.count)}"

    def constant(self):
        return self.one_of(["0.5", "0.3", "1.5", "0.7", "0.2", "2.0", "-0.4", "0.1"])

    def length(self, scope, length):
        """Return a length as a program may write it."""
        forms = [str(length)]
        for name, shape in scope.shapes.items():
            if shape[0] == length:
                forms += [f"len({name})", f"{name}.shape[0]"]
        return self.one_of(forms + ["N"] * 3 if length == self.size else forms)

    def index(self, scope, length):
        """Return an index that is in bounds."""
        forms = [str(self.random.randrange(length)), str(self.one_of([0, -1]))]
        for name, (least, greatest) in scope.counters.items():
            if -length <= least and greatest < length:
                forms += [name] * 4
            if -length <= least - 1 and greatest - 1 < length:
                forms += [f"{name} - 1"] * 2
            forms.append(f"({name} + 1) % {length}")
            if -length < -greatest and least >= 0:
                forms.append(f"-{name}")
        return self.one_of(forms)

    def arrays(self, scope, axes, writable=False):
        """Return the names of arrays with this number of axes, late ones more often."""
        names = [name for name, shape in scope.shapes.items() if len(shape) == axes]
        names = [name for name in names if not writable or name in scope.writable]
        return names + names[-2:]

    def slice_of(self, length, part):
        """Return a slice that takes so many elements of so many."""
        forms = [f"{start or ''}:{start + part}" for start in range(length - part + 1)]
        forms += [f"{length - part}:"] * 2 + [f":{part}"] * 2
        if 0 < part < length:
            forms += [f":{part - length}", f"-{part}:"]
        if (length + 1) // 2 == part:
            forms.append("::2")
        if part == length:
            forms += ["::-1", ":", ":"]
        return self.one_of(forms)

    def picks(self, length, part):
        """Return a list of indices, some of them more than once."""
        return "[" + ", ".join(str(self.random.randrange(-1, length)) for _ in range(part)) + "]"

    def place(self, scope, part, writable=False):
        """Return a vector of this length that is a name or a view of one; None if there is none."""
        forms = []
        for name in self.arrays(scope, 1, writable):
            length = scope.shapes[name][0]
            if length == part:
                forms += [name] * 3
            if length >= part and part:
                forms.append(f"{name}[{self.slice_of(length, part)}]")
        for name in self.arrays(scope, 2, writable):
            rows, columns = scope.shapes[name]
            if columns == part:
                forms += [f"{name}[{self.index(scope, rows)}]", f"{name}.T[:, {self.index(scope, rows)}]"]
            if rows == part:
                forms += [f"{name}[:, {self.index(scope, columns)}]", f"{name}.T[{self.index(scope, columns)}]"]
            if columns > part:
                forms.append(f"{name}[{self.index(scope, rows)}, {self.slice_of(columns, part)}]")
            if rows * columns >= part:
                flat = self.one_of([f"{name}.ravel()", f"{name}.reshape(-1)", f"np.ravel({name})"])
                forms.append(f"{flat}[{self.slice_of(rows * columns, part)}]")
        for name, (length, count) in scope.lists.items():
            if length == part and (not writable or name in scope.writable):
                forms += [f"{name}[{self.index(scope, count)}]"] * 2
        return self.one_of(forms) if forms else None

    def scalar(self, scope, depth=2):
        """Return an expression for a number."""
        leaves = [self.constant, lambda: self.one_of(scope.numbers or [self.constant()])]
        leaves += [lambda: self.element(scope)] * 4
        if scope.counters:
            leaves.append(lambda: f"(0.1 * {self.one_of(scope.counters)})")
        if depth <= 0:
            return self.one_of(leaves)()
        a, b = (lambda: self.scalar(scope, depth - 1)), (lambda: self.scalar(scope, depth - 1))
        part = self.random.randint(1, self.size)
        forms = leaves * 2 + [
            lambda: f"np.tanh({a()})",
            lambda: f"np.sin({a()})",
            lambda: f"({a()} {self.one_of('+-*')} {b()})",
            lambda: f"({a()} / (1.0 + {b()} ** 2))",
            lambda: f"np.{self.one_of(['sum', 'mean'])}({self.vector(scope, part, depth - 1)})",
            lambda: f"({self.vector(scope, part, 0)} @ {self.vector(scope, part, 0)})",
        ]
        return self.one_of(forms)()

    def element(self, scope):
        """Return an element of an array."""
        if self.arrays(scope, 2) and self.chance(0.4):
            name = self.one_of(self.arrays(scope, 2))
            rows, columns = (self.index(scope, length) for length in scope.shapes[name])
            return self.one_of([f"{name}[{rows}, {columns}]"] * 3 + [f"{name}[{rows}][{columns}]"])
        name = self.one_of(self.arrays(scope, 1))
        return f"{name}[{self.index(scope, scope.shapes[name][0])}]"

    def vector(self, scope, part, depth=2):
        """Return an expression for a vector of this length."""
        leaves = [lambda: self.place(scope, part) or f"np.full({part}, {self.constant()})"] * 4
        leaves.append(lambda: self.gathered(scope, part))
        if depth <= 0:
            return self.one_of(leaves)()
        a, b = (lambda: self.vector(scope, part, depth - 1)), (lambda: self.vector(scope, part, depth - 1))
        forms = leaves + [
            lambda: f"np.tanh({a()})",
            lambda: f"np.sin({a()})",
            lambda: f"({a()} {self.one_of('+-*')} {b()})",
            lambda: f"({self.scalar(scope, depth - 1)} * {b()})",
            lambda: f"np.where({a()} > {self.constant()}, {a()}, {b()})",
        ]
        square = [name for name in self.arrays(scope, 2) if scope.shapes[name] == (part, part)]
        if square:
            forms += [lambda: f"(0.3 * {self.one_of(square)} @ {a()})", lambda: f"np.diagonal({self.one_of(square)})"]
        return self.one_of(forms)()

    def gathered(self, scope, part):
        """Return elements that a list of indices takes."""
        name = self.one_of(self.arrays(scope, 1))
        return f"{name}[{self.picks(scope.shapes[name][0], part)}]"

    def matrix(self, scope, shape, depth=1):
        """Return an expression for a matrix."""
        rows, columns = shape
        leaves = [lambda: f"np.outer({self.vector(scope, rows, 0)}, {self.vector(scope, columns, 0)})"]
        for name in self.arrays(scope, 2):
            whole = scope.shapes[name]
            if whole == shape:
                leaves += [lambda name=name: name] * 2
            if whole[::-1] == shape:
                leaves.append(lambda name=name: f"{name}.T")
            if whole[0] >= rows and whole[1] >= columns:
                both = f"{self.slice_of(whole[0], rows)}, {self.slice_of(whole[1], columns)}"
                leaves.append(lambda name=name, both=both: f"{name}[{both}]")
        if depth <= 0:
            return self.one_of(leaves)()
        forms = leaves * 2 + [
            lambda: f"np.tanh({self.matrix(scope, shape, depth - 1)})",
            lambda: f"({self.scalar(scope, 0)} * {self.matrix(scope, shape, depth - 1)})",
            lambda: f"({self.matrix(scope, shape, 0)} {self.one_of('+-*')} {self.matrix(scope, shape, 0)})",
            lambda: f"({self.matrix(scope, shape, 0)} + {self.vector(scope, columns, 0)})",
        ]
        return self.one_of(forms)()

    def condition(self, scope):
        """Return a test that rounding does not decide."""
        forms = [lambda: f"{self.scalar(scope, 1)} {self.one_of('<>')} {self.one_of(['0.11', '-0.23', '0.37'])}"] * 3
        forms.append(lambda: f"np.sum({self.vector(scope, self.size, 0)}) > 0.13")
        if scope.counters:
            forms += [lambda: f"{self.one_of(scope.counters)} {self.one_of(['% 2 == 0', '> 1', '== 0'])}"] * 2
        return self.one_of(forms)()
