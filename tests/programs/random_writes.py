"""Random programs that write into arrays: by index, slice, mask and indices, through views and other names, in loops and helpers.

In: a seed. Out: the text of a function `program` with its helpers. The text is right Python whatever the seed; whether it has a
derivative at a point is for `random_in_place` to find out.
"""

import textwrap

from random_arrays import ArrayWriter, Scope


class WriteWriter(ArrayWriter):
    """Writes one program. What makes statements returns their lines."""

    def block(self, scope, depth, wanted):
        return [line for _ in range(wanted) for line in self.statement(scope, depth)]

    def statement(self, scope, depth):
        forms = [self.made] * 3 + [self.view] * 3 + [self.second_name, self.number, self.swap]
        forms += [self.write_element] * 5 + [self.write_slice] * 5 + [self.write_mask] * 2 + [self.write_picked] * 2
        forms += [self.write_whole] * 3 + [self.write_matrix] * 3 + [self.write_out] * 2 + [self.list_of_arrays]
        forms += [self.called] * 2 + [self.rebound]
        if depth:
            forms += [self.for_loop] * 7 + [self.while_loop, self.branch, self.branch, self.branch]
        while True:
            lines = self.one_of(forms)(scope, depth)
            if lines:
                return lines

    # names

    def named(self, scope, shape, writable=True):
        """Return a new name for an array."""
        name = self.fresh("v" if len(shape) == 1 else "M")
        scope.shapes[name] = shape
        if writable:
            scope.writable.add(name)
        return name

    def made(self, scope, depth):
        """A new array, with zeros, a copy or a result in it."""
        if self.chance(0.3):
            return self.made_matrix(scope)
        length = self.one_of([self.size] * 4 + [2, self.size + 1])
        text = self.length(scope, length)
        forms = [f"np.zeros({text})", f"np.zeros({text}, dtype=x.dtype)", f"np.ones({text})", f"np.full({text}, 0.3)"]
        source = self.place(scope, length)
        forms += [f"{source}.copy()", f"np.array({source})", f"np.copy({source})", f"np.zeros_like({source})"] * 2
        forms += [f"np.tanh({source})", f"{source} * 1.0", f"{source} + 0.0"]
        empty = self.one_of([f"np.empty({text})", f"np.empty_like({source})"])
        value = self.vector(scope, length)
        if self.chance(0.15):
            name = self.named(scope, (length,))
            fill = self.one_of([f"{name}[:] = {value}", f"{name}[...] = {value}", f"{name}.fill({self.constant()})"])
            return [f"{name} = {empty}", fill]
        return [f"{self.named(scope, (length,))} = {self.one_of([*forms, value, value, value])}"]

    def made_matrix(self, scope):
        shape = self.one_of([(self.size, self.size)] * 3 + [(2, self.size), (self.size, 2)])
        value = self.matrix(scope, shape)
        rows, columns = (self.length(scope, length) for length in shape)
        forms = [f"np.zeros(({rows}, {columns}))", f"np.ones(({rows}, {columns}))", value, value]
        forms += [f"{name}.copy()" for name in self.arrays(scope, 2) if scope.shapes[name] == shape] * 2
        text = self.one_of(forms)
        # an expression may be one of the caller's arrays, or a view
        writable = not text.isidentifier() and not text.endswith((".T", "]"))
        return [f"{self.named(scope, shape, writable)} = {text}"]

    def view(self, scope, depth):
        """A name for a part of an array."""
        name = self.one_of(self.arrays(scope, 1) + self.arrays(scope, 2))
        shape, writable = scope.shapes[name], name in scope.writable
        if len(shape) == 1:
            part = self.random.randint(1, shape[0])
            return [f"{self.named(scope, (part,), writable)} = {name}[{self.slice_of(shape[0], part)}]"]
        rows, columns = shape
        forms = [
            (f"{name}[{self.index(scope, rows)}]", (columns,)),
            (f"{name}[:, {self.index(scope, columns)}]", (rows,)),
            (self.one_of([f"{name}.T", f"np.transpose({name})", f"{name}.transpose()"]), (columns, rows)),
            (self.one_of([f"{name}.ravel()", f"{name}.reshape(-1)", f"np.ravel({name})"]), (rows * columns,)),
            (f"{name}.reshape({columns}, {rows})", (columns, rows)),
            (f"{name}[1:, :2]", (rows - 1, 2)),
            (f"{name}[::-1]", shape),
        ]
        text, shape = self.one_of(forms)
        return [f"{self.named(scope, shape, writable)} = {text}"]

    def second_name(self, scope, depth):
        name = self.one_of(scope.shapes)
        return [f"{self.named(scope, scope.shapes[name], name in scope.writable)} = {name}"]

    def rebound(self, scope, depth):
        """A name takes another array of its shape; inside of a block only one that may be written to."""
        name = self.one_of(scope.shapes)
        shape = scope.shapes[name]
        others = [other for other in scope.shapes if other in scope.writable and scope.shapes[other] == shape]
        value = self.vector(scope, shape[0], 1) if len(shape) == 1 else self.matrix(scope, shape)
        return [f"{name} = {self.one_of([*others, f'({value} + 0.0)', f'np.tanh({value})'])}"]

    def number(self, scope, depth):
        text = self.scalar(scope)
        if scope.numbers and self.chance(0.5):
            name = self.one_of(scope.numbers)
            return [self.one_of([f"{name} = np.tanh({text})", f"{name} += 0.3 * {text}"])]
        name = self.fresh("s")
        scope.numbers.append(name)
        return [f"{name} = {text}"]

    def swap(self, scope, depth):
        """Two names, two elements or two rows change places; rows are views, so that one of them is lost."""
        names = self.arrays(scope, 1, True) + self.arrays(scope, 2, True)
        if not names:
            return None
        name = self.one_of(names)
        shape = scope.shapes[name]
        a, b = self.index(scope, shape[0]), self.index(scope, shape[0])
        if len(shape) == 2:
            rows = [
                f"{name}[[0, 1]] = {name}[[1, 0]]",
                f"{name}[{a}], {name}[{b}] = {name}[{b}].copy(), {name}[{a}].copy()",
            ]
            return [self.one_of([*rows, f"{name}[{a}], {name}[{b}] = {name}[{b}], {name}[{a}]"])]
        others = [other for other in sorted(scope.writable) if scope.shapes.get(other) == shape and other != name]
        if others and self.chance(0.5):
            other = self.one_of(others)
            return [f"{name}, {other} = {other}, {name}"]
        return [f"{name}[{a}], {name}[{b}] = {name}[{b}], {name}[{a}]"]

    # writes

    def update(self, place, value, simple=False):
        """Return a statement that writes a value into a place, in bounds."""
        forms = [f"{place} = {value}", f"{place} = np.tanh({value})", f"{place} = 0.5 * {place} + 0.3 * {value}"]
        changes = [
            f"{place} += {value}",
            f"{place} -= 0.5 * {value}",
            f"{place} *= 0.5",
            f"{place} *= np.tanh({value})",
        ]
        changes += [f"{place} /= 1.0 + {value} ** 2", f"{place} **= 2"]
        return self.one_of(forms[:2] if simple else forms + changes + changes[:4])

    def write_element(self, scope, depth):
        names = self.arrays(scope, 1, True) + self.arrays(scope, 2, True)
        if not names:
            return None
        name = self.one_of(names)
        places = [self.index(scope, length) for length in scope.shapes[name]]
        text = self.one_of([", ".join(places)] * 4 + ["][".join(places)])
        return [self.update(f"{name}[{text}]", self.scalar(scope))]

    def write_slice(self, scope, depth):
        """A view that has no name, or one that has, is written to."""
        part = self.random.randint(1, self.size)
        place = self.place(scope, part, True)
        if place is None:
            return None
        if place.isidentifier():
            place += self.one_of(["[:]", "[...]", "[::-1]"])
        value = self.one_of([self.vector(scope, part), self.vector(scope, part), self.scalar(scope)])
        return [self.update(place, value)]

    def write_mask(self, scope, depth):
        names = self.arrays(scope, 1, True)
        if not names:
            return None
        name = self.one_of(names)
        length = scope.shapes[name][0]
        other = self.vector(scope, length, 0)
        mask = self.fresh("mask")
        same = f"{other}[{mask}]"
        values = [self.scalar(scope), same, f"np.tanh({same})", f"{name}[{mask}]"]
        lines = [f"{mask} = {self.vector(scope, length, 1)} {self.one_of('<>')} {self.one_of(['0.11', '-0.23'])}"]
        place = self.one_of([mask, mask, f"~{mask}"])
        value = self.scalar(scope) if place != mask else self.one_of(values)
        return [*lines, self.update(f"{name}[{place}]", value)]

    def write_picked(self, scope, depth):
        names = self.arrays(scope, 1, True)
        if not names:
            return None
        name = self.one_of(names)
        length, part = scope.shapes[name][0], self.random.randint(1, self.size)
        picks = self.picks(length, part)
        lines = []
        if self.chance(0.6):
            indices = self.fresh("indices")
            lines.append(f"{indices} = np.array({picks})")
            picks = indices
        value = self.one_of([self.vector(scope, part), self.scalar(scope)])
        if self.chance(0.4):
            return [*lines, f"np.{self.one_of(['add', 'add', 'subtract'])}.at({name}, {picks}, {value})"]
        return [*lines, self.update(f"{name}[{picks}]", value)]

    def write_whole(self, scope, depth):
        names = self.arrays(scope, 1, True) + self.arrays(scope, 2, True)
        if not names:
            return None
        name = self.one_of(names)
        shape = scope.shapes[name]
        value = self.vector(scope, shape[0]) if len(shape) == 1 else self.matrix(scope, shape)
        forms = [f"{name} += {value}", f"{name} *= {self.scalar(scope)}", f"{name} -= 0.5 * {value}", f"{name} *= 0.7"]
        forms += [f"{name}.fill({self.scalar(scope)})", f"np.copyto({name}, {value})", f"{name} /= 1.0 + {value} ** 2"]
        return [self.one_of(forms)]

    def write_matrix(self, scope, depth):
        names = self.arrays(scope, 2, True)
        if not names:
            return None
        name = self.one_of(names)
        rows, columns = scope.shapes[name]
        part = self.random.randint(1, rows)
        block = f"{name}[{self.slice_of(rows, part)}, {self.slice_of(columns, 2)}]"
        picked = f"{name}[{self.picks(rows, 2)}, {self.picks(columns, 2)}]"
        forms = [
            self.update(block, self.matrix(scope, (part, 2))),
            self.update(f"{name}[{self.slice_of(rows, part)}]", self.matrix(scope, (part, columns))),
            self.update(picked, self.vector(scope, 2)),
            self.update(f"{name}[{name} > 0.31]", self.scalar(scope)),
            self.update(f"{name}[:, {self.picks(columns, 2)}]", self.scalar(scope)),
            self.update(f"{name}.T[{self.index(scope, columns)}]", self.vector(scope, rows)),
        ]
        if rows == columns:
            forms.append(f"np.fill_diagonal({name}, {self.scalar(scope)})")
        return [self.one_of(forms)]

    def write_out(self, scope, depth):
        """A ufunc that is told where its result goes."""
        part = self.random.randint(1, self.size)
        place = self.place(scope, part, True)
        if place is None:
            return None
        a, b = self.vector(scope, part, 1), self.vector(scope, part, 1)
        forms = [
            f"np.{self.one_of(['add', 'multiply', 'subtract'])}({a}, {b}, out={place})",
            f"np.tanh({a}, out={place})",
        ]
        return [self.one_of([*forms, f"np.multiply({place}, 0.5, out={place})", f"np.add({a}, {b}, {place})"])]

    def list_of_arrays(self, scope, depth):
        """Arrays in a list, one of which is written to; the list may grow."""
        if scope.lists and self.chance(0.7):
            name = self.one_of(scope.lists)
            length, count = scope.lists[name]
            forms = [[f"s{next(self.count)} = np.sum(np.stack({name}))"]]
            if name in scope.writable:
                inner = self.fresh("v")
                forms += [
                    [f"for {inner} in {name}:", f"    {self.update(inner + '[:]', self.vector(scope, length, 0))}"]
                ]
                forms += [[self.update(f"{name}[{self.index(scope, count)}][0]", self.scalar(scope))]]
            if not scope.nested:
                scope.lists[name] = (length, count + 1)
                forms = [[f"{name}.append({self.vector(scope, length, 1)} + 0.0)"]] if self.chance(0.4) else forms
                if "append" not in forms[0][0]:
                    scope.lists[name] = (length, count)
            return self.one_of(forms)
        names = [name for name in self.arrays(scope, 1, True) if scope.shapes[name] == (self.size,)]
        if not names:
            return None
        name = self.fresh("arrays")
        items = [self.one_of(names), f"{self.one_of(names)}.copy()", self.one_of(names)]
        self.random.shuffle(items)
        items = items[: self.random.randint(2, 3)]
        scope.lists[name] = (self.size, len(items))
        scope.writable.add(name)
        return [f"{name} = [{', '.join(items)}]"]

    # blocks

    def for_loop(self, scope, depth):
        inner = scope.inner()
        name = self.fresh("i")
        length = self.size
        text = self.length(scope, length)
        forms = {
            f"range({text})": (0, length - 1),
            f"range(1, {text})": (1, length - 1),
            f"range({text} - 1)": (0, length - 2),
            f"range({text} - 1, -1, -1)": (0, length - 1),
            f"reversed(range({text}))": (0, length - 1),
            "range(2)": (0, 1),
            "range(0, 3, 2)": (0, 2),
        }
        kind = self.random.random()
        matrices = self.arrays(scope, 2)
        first = []
        if kind < 0.15 and matrices:
            source = self.one_of(matrices)
            row = self.named(inner, scope.shapes[source][1:], source in scope.writable)
            head = f"for {row} in {source}:"
            if row in inner.writable:
                first = [self.update(f"{row}[{self.slice_of(scope.shapes[source][1], 2)}]", self.scalar(inner))]
        elif kind < 0.3:
            source = self.one_of(self.arrays(scope, 1))
            value = self.fresh("e")
            inner.numbers.append(value)
            inner.counters[name] = (0, scope.shapes[source][0] - 1)
            head = f"for {name}, {value} in enumerate({source}):"
        else:
            chosen = self.one_of(forms)
            inner.counters[name] = forms[chosen]
            head = f"for {name} in {chosen}:"
        body = self.block(inner, depth - 1, self.random.randint(1, 3))
        return [head, *indented([*first, *body])]

    def while_loop(self, scope, depth):
        inner = scope.inner()
        name = self.fresh("k")
        inner.counters[name] = (0, self.size - 1)
        body = self.block(inner, depth - 1, self.random.randint(1, 2))
        return [f"{name} = 0", f"while {name} < {self.length(scope, self.size)}:", *indented([*body, f"{name} += 1"])]

    def branch(self, scope, depth):
        lines = [
            f"if {self.condition(scope)}:",
            *indented(self.block(scope.inner(), depth - 1, self.random.randint(1, 2))),
        ]
        if self.chance(0.5):
            lines += ["else:", *indented(self.block(scope.inner(), depth - 1, self.random.randint(1, 2)))]
        return lines

    # functions

    def helper(self, scope):
        """Return the lines of a function that writes into the vector or matrix that it is given."""
        name = self.fresh("change")
        axes = self.one_of([1, 1, 2])
        shape = (self.size,) * axes
        inner = Scope({"w": (self.size,), "p": shape}, {"p"}, ["q"], nested=True)
        body = self.block(inner, 1, self.random.randint(1, 3))
        result = self.one_of([None, None, "p", self.scalar(inner), f"{self.vector(inner, self.size, 1)} + 0.0"])
        returned = [] if result is None else [f"return {result}"]
        kind = {None: None, "p": "given"}.get(
            result, "number" if returned and not result.endswith("+ 0.0") else "vector"
        )
        scope.helpers.append((name, shape, kind))
        return [f"def {name}(p, w, q):", *indented([*body, *returned]), "", ""]

    def called(self, scope, depth):
        if not scope.helpers:
            return None
        name, shape, kind = self.one_of(scope.helpers)
        if len(shape) == 1:
            place = self.place(scope, shape[0], True)
        else:
            fitting = [other for other in sorted(scope.writable) if scope.shapes.get(other) == shape]
            place = self.one_of([*fitting, f"{fitting[0]}.T"]) if fitting else None
        if place is None:
            return None
        call = f"{name}({place}, {self.vector(scope, self.size, 1)}, {self.scalar(scope, 1)})"
        if kind is None:
            return [call]
        if kind == "number":
            result = self.fresh("s")
            scope.numbers.append(result)
        else:
            result = self.named(scope, shape if kind == "given" else (self.size,))
        return [f"{result} = {call}"]

    def program(self):
        """Return the text, and the shapes of the parameters; what ends in `.T` of the caller's is not writable."""
        scope = Scope()
        helpers = [line for _ in range(self.random.randint(0, 2)) for line in self.helper(scope)]
        n = self.size
        scope.shapes |= {"x": (n,), "y": (n,), "A": (n, n)}
        scope.numbers = ["c"]
        parameters = {"x": (n,), "y": (n,), "A": (n, n), "c": ()}
        start = [f"{name} = {name}.copy()" for name in ("x", "A") if self.chance(0.5)]
        scope.writable |= {line.split()[0] for line in start}
        if self.chance(0.3):
            scope.writable |= {self.one_of(["x", "y", "A"])}
        body = [*start, *self.made(scope, 0), *self.block(scope, 2, self.random.randint(4, 8))]
        terms = [f"np.sum({name} * np.cos({name}))" for name in self.random.sample(list(scope.shapes), 3)]
        terms += [f"0.3 * {self.one_of(scope.numbers)}", self.scalar(scope, 1)]
        body.append(f"return {' + '.join(terms)}")
        return "\n".join([*helpers, f"def program({', '.join(parameters)}):", *indented(body)]) + "\n", parameters


def indented(lines):
    """Return the lines of a block one level deeper."""
    return textwrap.indent("\n".join(lines), "    ").split("\n")
