"""Random programs with control flow: nested branches and loops, early exits, helpers, carried variables.

In: a seed. Out: the text of a function `program` with its helpers. The text is right Python whatever the seed; whether it is
smooth at a point is for `random_control_flow` to find out. Factors are small and most updates go through `tanh`, so that
numbers stay tame however often a loop runs.
"""

import textwrap
from dataclasses import dataclass

from random_terms import FLOAT, INT, LENGTHS, MATRIX, ROWS, VECTOR, Helper, Scope, TermWriter, stripped


@dataclass
class Flow:
    """Where a block stands: what its function returns, and whether it is in a loop, with what was certain when it left."""

    returns: tuple
    early: bool = True
    exits: list | None = None


class Writer(TermWriter):
    """Writes one program. What makes statements returns their lines, and whether nothing can stand behind them."""

    def block(self, scope, flow, depth, wanted):
        """Return a block of this many statements."""
        lines = []
        for _ in range(wanted):
            added, ended = self.statement(scope, flow, depth)
            lines += added
            if ended:
                return lines, True
        return lines, False

    def statement(self, scope, flow, depth):
        forms = [self.assignment] * 5 + [self.update] * 4 + [self.augmented] * 4 + [self.swap, self.unpacked]
        if depth:
            forms += [self.branch] * 6 + [self.for_loop] * 5 + [self.while_loop] * 2 + [self.local_function]
        return self.one_of(forms)(scope, flow, depth)

    def assigned(self, scope, name, kind):
        scope.kinds.pop(name, None)
        scope.kinds[name] = kind
        scope.axes.pop(name, None)

    def assignment(self, scope, flow, depth):
        kind = self.one_of([FLOAT, FLOAT, VECTOR])
        name = self.fresh("s" if kind == FLOAT else "v")
        text = self.expression(scope, kind)
        if kind == FLOAT and self.chance(0.1):
            text = self.one_of(["0.0", "1.0", "0"])
        self.assigned(scope, name, kind)
        return [f"{name} = {stripped(text)}"], False

    def changeable(self, scope, kind):
        names = [name for name, other in scope.kinds.items() if other == kind and name not in scope.frozen]
        return self.one_of(names) if names else None

    def update(self, scope, flow, depth):
        """A variable takes a new value that stays in bounds."""
        kind = self.one_of([FLOAT, FLOAT, VECTOR])
        name = self.changeable(scope, kind)
        if name is None:
            return self.assignment(scope, flow, depth)
        text = self.expression(scope, kind)
        line = self.one_of([f"{name} = np.tanh({text})", f"{name} = 0.6 * {name} + 0.3 * {text}"])
        self.assigned(scope, name, kind)
        return [line], False

    def augmented(self, scope, flow, depth):
        name = self.changeable(scope, FLOAT)
        if name is None:
            return self.assignment(scope, flow, depth)
        if self.chance(0.2):
            return [f"{name} *= {self.one_of(['0.5', '0.9', '-0.8'])}"], False
        factor = self.one_of(["", "0.1 * ", "0.5 * "])
        return [f"{name} {self.one_of(['+=', '-='])} {factor}{self.scalar(scope)}"], False

    def swap(self, scope, flow, depth):
        names = [name for name, kind in scope.kinds.items() if kind == FLOAT and name not in scope.frozen]
        if len(names) < 2:
            return self.assignment(scope, flow, depth)
        first, second = self.random.sample(names, 2)
        return [f"{first}, {second} = {second}, {self.one_of([first, stripped(self.scalar(scope))])}"], False

    def unpacked(self, scope, flow, depth):
        """A helper with two results."""
        returns = self.one_of([(FLOAT, VECTOR), (FLOAT, FLOAT)])
        call = self.called(scope, returns, 2)
        if call is None:
            return self.update(scope, flow, depth)
        names = [self.fresh("s" if kind == FLOAT else "v") for kind in returns]
        for name, kind in zip(names, returns, strict=True):
            self.assigned(scope, name, kind)
        return [f"{', '.join(names)} = {call}"], False

    def returned(self, scope, flow):
        return "return " + ", ".join(stripped(self.expression(scope, kind, 1)) for kind in flow.returns)

    def exit(self, scope, flow):
        """Return a statement that leaves the block; None if there is none here."""
        forms = [self.returned(scope, flow)] if flow.early else []
        if flow.exits is not None:
            forms += ["break", "continue", "continue"]
        if not forms:
            return None
        chosen = self.one_of(forms)
        if chosen in ("break", "continue"):
            flow.exits.append((chosen, scope.copy()))
        return chosen

    def side(self, scope, flow, depth, leaving):
        """Return the lines of one side of a branch and whether it leaves."""
        wanted = self.random.randint(0 if leaving else 1, 2)
        lines, ended = self.block(scope, flow, depth - 1, wanted)
        line = self.exit(scope, flow) if leaving and not ended else None
        return [*lines, *([line] if line else [])] or ["pass"], ended or line is not None

    def branch(self, scope, flow, depth):
        leaving = 0.35 if flow.exits is not None else 0.15
        lines, scopes = [], []
        words = ["if", *["elif"] * self.one_of([0, 0, 0, 1, 2])]
        before = scope.copy()
        all_end = True
        for word in [*words, *["else"] * self.chance(0.6)]:
            inner = before.copy()
            test = "" if word == "else" else " " + stripped(self.condition(before))
            body, ended = self.side(inner, flow, depth, self.chance(leaving))
            lines += [f"{word}{test}:", *indented(body)]
            scopes += [] if ended else [inner]
            all_end = all_end and ended
        if word != "else":
            scopes.append(before)
            all_end = False
        if scopes:
            first = scopes[0]
            first.restrict(scopes[1:])
            first.helpers = before.helpers
            scope.kinds, scope.axes = first.kinds, first.axes
        return lines, all_end

    def looped(self, scope, flow, depth, head, first, surely):
        """Return a loop: `first` stands at the top of its body, `surely` tells that there is at least one turn."""
        body_scope, targets = head
        inside = Flow(flow.returns, flow.early, [])
        body, ended = self.block(body_scope, inside, depth - 1, self.random.randint(1, 3))
        ends = [each for _, each in inside.exits] + ([] if ended else [body_scope])
        lines = [targets, *indented([*first, *body])]
        breaks = any(word == "break" for word, _ in inside.exits)
        if self.chance(0.12):
            other = scope.copy()
            rest, _ = self.block(other, Flow(flow.returns, flow.early, flow.exits), 0, 1)
            lines += ["else:", *indented(rest)]
        if surely and ends and (breaks or not ended):
            after = ends[0].copy()
            after.restrict(ends[1:])
            fresh = {name: kind for name, kind in after.kinds.items() if name not in scope.kinds}
            if self.chance(0.6):
                scope.kinds.update(fresh)
        for name in [name for name in scope.axes if body_scope.axes.get(name) != scope.axes[name]]:
            del scope.axes[name]
        return lines, False

    def for_loop(self, scope, flow, depth):
        inner = scope.copy()
        targets, iterable, surely = self.header(inner)
        first = []
        rebound = [name for name in targets.split(", ") if inner.axes.get(name) and self.chance(0.06)]
        for name in rebound:
            first.append(f"{name} = {name} + 1")
            del inner.axes[name]
        if isinstance(iterable, tuple):
            iterable = f"({', '.join(iterable)})"
        return self.looped(scope, flow, depth, (inner, f"for {targets} in {iterable}:"), first, surely)

    def header(self, scope):
        """Return the targets, the iterable, and whether it surely has an item; note the targets in the scope."""
        kind = self.one_of(["count", "count", "length", "length", "items", "items", "enumerate", "zip", "tuple"])
        sequences = [name for name, each in scope.kinds.items() if each in LENGTHS]
        if not sequences and kind not in ("count", "tuple"):
            kind = "count"
        if kind == "count":
            name = self.one_of([self.fresh("i"), "_"])
            stop = self.one_of(["0", "1", "2", "3", "4", "1, 4", "0, 6, 2", "3, -1, -1", "N", "-2"])
            if name != "_":
                self.target(scope, name, INT)
            return name, f"range({stop})", stop not in ("0", "-2")
        if kind == "tuple":
            items = [self.scalar(scope, 1) for _ in range(self.random.randint(2, 3))]
            name = self.target(scope, self.fresh("e"), FLOAT)
            return name, tuple(items), True
        sequence = self.one_of(sequences)
        axis = LENGTHS[scope.kinds[sequence]]
        if kind == "length":
            length = f"len({sequence})"
            text = self.one_of(
                [f"range({length})"] * 3
                + [f"reversed(range({length}))", f"range({length} - 1, -1, -1)", f"range(1, {length})"]
            )
            return self.target(scope, self.fresh("i"), INT, axis), text, True
        item = VECTOR if axis == "t" or scope.kinds[sequence] == MATRIX else FLOAT
        name = self.fresh("e" if item == FLOAT else "r")
        if kind == "items":
            hidden = self.changeable(scope, item)
            name = hidden if hidden and hidden != sequence and self.chance(0.12) else name
            self.target(scope, name, item)
            return name, self.one_of([sequence, sequence, f"reversed({sequence})", f"{sequence}[::-1]"]), True
        if kind == "enumerate":
            counter = self.fresh("i")
            start = self.one_of(["", "", ", 1", ", start=2"])
            self.target(scope, counter, INT, axis if not start else None)
            self.target(scope, name, item)
            return f"{counter}, {name}", f"enumerate({sequence}{start})", True
        return self.zipped(scope, sequence, name, item, sequences)

    def zipped(self, scope, sequence, name, item, sequences):
        other = self.one_of(sequences)
        other_item = FLOAT if scope.kinds[other] == VECTOR else VECTOR
        second = self.fresh("e" if other_item == FLOAT else "r")
        self.target(scope, name, item)
        self.target(scope, second, other_item)
        pair = f"zip({sequence}, {self.one_of([other, other, f'reversed({other})', f'{other}[1:]'])})"
        if self.chance(0.3):
            counter = self.target(scope, self.fresh("i"), INT)
            if self.chance(0.5):
                return f"{counter}, ({name}, {second})", f"enumerate({pair})", True
            return f"{name}, {second}, {counter}", f"{pair[:-1]}, range(9))", True
        return f"{name}, {second}", pair, True

    def target(self, scope, name, kind, axis=None):
        self.assigned(scope, name, kind)
        if axis is not None:
            scope.axes[name] = {axis}
        if kind == INT:
            scope.frozen.add(name)
        return name

    def while_loop(self, scope, flow, depth):
        shrinking = self.changeable(scope, FLOAT)
        if shrinking and self.chance(0.4):
            inner = scope.copy()
            inner.frozen.add(shrinking)
            head = f"while {self.one_of(['0.2', '0.4', '0.6'])} < abs({shrinking}) < 9.0:"
            factor = self.one_of([f"{shrinking} *= 0.6", f"{shrinking} = 0.5 * {shrinking}"])
            return self.looped(scope, flow, depth, (inner, head), [factor], False)
        counter = self.fresh("k")
        most = self.random.randint(1, 4)
        outer = [f"{counter} = 0"]
        self.assigned(scope, counter, INT)
        inner = scope.copy()
        inner.frozen.add(counter)
        scope.frozen.add(counter)
        first = [f"{counter} += 1"]
        test = self.condition(inner) if self.chance(0.5) else ""
        if self.chance(0.25):
            stop = f"if {counter} > {most}{' or ' + test if test else ''}:"
            lines, _ = self.looped(scope, flow, depth, (inner, "while True:"), [*first, stop, "    break"], False)
        else:
            head = f"while {counter} < {most}{' and ' + test if test else ''}:"
            lines, _ = self.looped(scope, flow, depth, (inner, head), first, False)
        return [*outer, *lines], False

    def local_function(self, scope, flow, depth):
        """A function that uses variables around it as they are when it is called."""
        if flow.exits is not None:
            return self.update(scope, flow, depth)
        name, parameter = self.fresh("local"), self.fresh("p")
        inner = scope.copy()
        self.assigned(inner, parameter, FLOAT)
        kind = self.one_of([FLOAT, VECTOR])
        if self.chance(0.3):
            lines = [f"{name} = lambda {parameter}: {stripped(self.expression(inner, kind))}"]
        else:
            inner.frozen |= set(scope.kinds)  # what it assigned would be its own
            body, ended = self.block(inner, Flow((kind,)), 0, self.random.randint(0, 2))
            body += [] if ended else [self.returned(inner, Flow((kind,)))]
            lines = [f"def {name}({parameter}):", *indented(body)]
        scope.helpers.append(Helper(name, [(parameter, FLOAT, False)], (kind,)))
        return lines, False

    # functions

    def helper(self, known):
        """Return the lines of a helper, and the helper."""
        name = self.fresh("helper")
        returns = self.one_of([(FLOAT,), (FLOAT,), (VECTOR,), (FLOAT, VECTOR), (FLOAT, FLOAT)])
        kinds = [self.one_of([FLOAT, FLOAT, VECTOR]) for _ in range(self.random.randint(1, 3))]
        parameters = [(self.fresh("a" if kind == FLOAT else "b"), kind, False) for kind in kinds]
        texts = [parameter for parameter, _, _ in parameters]
        if self.chance(0.3):
            parameters.append((self.fresh("c"), FLOAT, True))
            texts.append(f"{parameters[-1][0]}={self.one_of(['0.5', '1.0', '0.25'])}")
        scope = Scope({parameter: kind for parameter, kind, _ in parameters}, helpers=list(known))
        depth, wanted = self.one_of([(0, 0), (0, 2), (1, 2), (2, 3)])
        body = self.body(scope, Flow(returns, early=depth > 0), depth, wanted)
        return [f"def {name}({', '.join(texts)}):", *indented(body)], Helper(name, parameters, returns)

    def body(self, scope, flow, depth, wanted):
        lines, ended = self.block(scope, flow, depth, wanted)
        if not ended:
            lines.append(self.returned(scope, flow))
        return lines

    def program(self):
        """Return the text of the helpers and of `program`, and the kinds of its parameters."""
        helpers, lines = [], []
        for _ in range(self.one_of([0, 0, 1, 2, 3])):
            text, helper = self.helper(helpers)
            helpers.append(helper)
            lines += [*text, "", ""]
        parameters = {name: FLOAT for name in "xyz"[: self.random.randint(1, 3)]}
        for name, kind in (("u", VECTOR), ("w", VECTOR), ("M", MATRIX), ("rows", ROWS)):
            if self.chance(0.5):
                parameters[name] = kind
        self.static = self.one_of([None, None, None, "up", "down"])
        signature = [*parameters, *(["mode"] if self.static else [])]
        scope = Scope(dict(parameters), helpers=helpers)
        flow = Flow((FLOAT,))
        body, ended = self.block(scope, flow, self.random.randint(1, 3), self.random.randint(2, 7))
        if not ended:
            recent = [name for name, kind in scope.kinds.items() if kind == FLOAT][-4:]
            recent += [f"np.sum({name})" for name, kind in scope.kinds.items() if kind == VECTOR][-3:]
            body.append(f"return {' + '.join(recent)}")
        return "\n".join([*lines, f"def program({', '.join(signature)}):", *indented(body)]) + "\n", parameters


def indented(lines):
    """Return lines one level deeper."""
    return [textwrap.indent(line, "    ") for line in lines]
