"""Says where an expression may be broken, and when parentheses around it help.

In: expressions from `reading`. Out: elements for `fitting`. Layer: emission, below `layout`.

Each expression stands on a level. INSIDE brackets a line may end anywhere. OUTSIDE of them only brackets can be broken.
A positive level is the number of a group that gets parentheses when it breaks: lines may end there in that case only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from enum import Enum, auto

from flatgrad.emission.fitting import END, Element, Kind, Tag
from flatgrad.emission.reading import (
    ATTRIBUTE,
    CONDITIONAL,
    PRECEDENCE,
    Bracket,
    Chain,
    Conditional,
    Expression,
    Item,
    Operation,
    Token,
    Unary,
)

INSIDE = 0
OUTSIDE = -1

GROUP = Tag(Kind.GROUP)
INDENT = Tag(Kind.INDENT)
SOFT = Tag(Kind.LINE)
SPACE = Tag(Kind.LINE, text=" ")
COMMA_IF_BROKEN: tuple[Element, ...] = (Tag(Kind.IF_BROKEN), ",", END)


class Need(Enum):
    """What an expression that does not fit gets.

    NEVER: no parentheses, it starts with a bracket and breaks there. BEST: parentheses if it fits with them and does
    not where it is broken in its own brackets. MULTILINE: parentheses, unless `can_omit_parentheses`.
    """

    NEVER = auto()
    BEST = auto()
    MULTILINE = auto()


def need_of(expression: Expression) -> Need:
    """Return what the expression gets where it is not inside brackets."""
    while isinstance(expression, Unary):
        expression = expression.operand
    if not isinstance(expression, Chain) or is_fluent(expression):
        return Need.MULTILINE
    return Need.NEVER if isinstance(expression.parts[0], Bracket) else Need.BEST


def is_atom(expression: Expression) -> bool:
    """Whether the expression is a name, number or string."""
    return isinstance(expression, Chain) and len(expression.parts) == 1 and isinstance(expression.parts[0], str)


def is_plain(expression: Expression) -> bool:
    """Whether the expression is a name, number or string, perhaps with attributes, and can't be broken."""
    return isinstance(expression, Chain) and all(isinstance(part, str) for part in expression.parts)


def is_fluent(chain: Chain) -> bool:
    """Whether the chain has so many calls that each gets a line of its own."""
    return sum(_may_break_before(chain, position) for position in range(1, len(chain.parts))) >= 2


def _may_break_before(chain: Chain, position: int) -> bool:
    before = chain.parts[position - 1]
    if not isinstance(chain.parts[position], str) or not isinstance(before, Bracket):
        return False
    return before.follows or before.is_parenthesis


def can_omit_parentheses(expression: Expression) -> bool:
    """Whether an operation may be broken in its brackets: it has one loosest operator and starts or ends with one."""
    chains = _chains(expression)
    if not any(isinstance(part, Bracket) for chain in chains for part in chain.parts):
        return False
    precedences = list(_precedences(expression))
    loosest = max(precedences, default=0)
    if precedences.count(loosest) > 1:
        return False
    if loosest <= ATTRIBUTE:
        return True
    last = chains[-1].parts[-1]
    if isinstance(last, Bracket) and last.items and not (last.follows and last.opening == "["):
        return True
    first = chains[0].parts[0]
    return not _starts_with_sign(expression) and isinstance(first, Bracket) and bool(first.items)


def _parts(expression: Expression) -> list[Expression]:
    if isinstance(expression, Unary):
        return [expression.operand]
    if isinstance(expression, Operation):
        return expression.operands
    return [part for _, part in expression.parts] if isinstance(expression, Conditional) else []


def _starts_with_sign(expression: Expression) -> bool:
    while not isinstance(expression, Chain | Unary):
        expression = _parts(expression)[0]
    return isinstance(expression, Unary)


def _chains(expression: Expression) -> list[Chain]:
    if isinstance(expression, Chain):
        return [expression]
    return [chain for part in _parts(expression) for chain in _chains(part)]


def _precedences(expression: Expression) -> Iterator[int]:
    """Return the precedence of everything outside of brackets that holds parts together."""
    if isinstance(expression, Chain):
        for before, after in itertools.pairwise(expression.parts):
            if isinstance(before, Bracket) and isinstance(after, str):
                yield ATTRIBUTE
    elif isinstance(expression, Unary):
        if expression.operator == "~":
            yield PRECEDENCE["~"]
    elif isinstance(expression, Operation):
        for operator in expression.operators:
            yield PRECEDENCE[operator.text]
    else:
        for _ in expression.parts[1:]:
            yield CONDITIONAL
    for part in _parts(expression):
        yield from _precedences(part)


class Breaker:
    """Turns expressions into elements. Brackets are given inner ones first, so that what they hold is there in time."""

    def __init__(self, brackets: Sequence[Bracket]) -> None:
        self._brackets = brackets  # alive as long as their ids are in use
        self._contents: dict[int, list[Element]] = {}
        for bracket in brackets:
            self._contents[id(bracket)] = self._content(bracket)

    def elements(self, expression: Expression, level: int) -> list[Element]:
        """Return the elements of an expression that stands on this level."""
        if isinstance(expression, Chain):
            return self._chain(expression, level)
        if isinstance(expression, Unary):
            return [expression.operator, *self.elements(expression.operand, level)]
        if isinstance(expression, Conditional):
            inside: list[Element] = []
            for word, part in expression.parts:
                inside += [*_line(" ", level), word] if word else []
                inside += _grouped(self.elements(part, level), level)
            return _grouped(inside, level)
        operands = [self.elements(operand, level) for operand in expression.operands]
        return _grouped(_operation(operands, expression.operators, level), level)

    def item(self, item: Item, level: int = INSIDE) -> list[Element]:
        """Return the elements of an argument, a parameter, a slice or an element of a list."""
        elements: list[Element] = []
        for part in item:
            elements += [part] if isinstance(part, str) else self.elements(part, level)
        return elements

    def joined(self, items: Sequence[Item], level: int = INSIDE) -> list[Element]:
        """Return the items with commas between them, one a line where they break."""
        elements: list[Element] = []
        for position, item in enumerate(items):
            elements += [",", SPACE] if position else []
            elements += self.item(item, level)
        return [*elements, *COMMA_IF_BROKEN] if len(items) > 1 else elements

    def parameters(self, bracket: Bracket) -> list[Element]:
        """Return the brackets of a definition, for the group that they share with the annotation behind them."""
        if not bracket.items:
            return ["()"]
        inside = self.joined(bracket.items)
        if len(bracket.items) == 1:
            inside += COMMA_IF_BROKEN
        else:
            inside = [GROUP, *inside, END]
        return ["(", INDENT, SOFT, *inside, END, SOFT, ")"]

    def _content(self, bracket: Bracket) -> list[Element]:
        inside = self.joined(bracket.items)
        if bracket.trailing_comma:
            inside.append(",")
        return [GROUP, *inside, END] if bracket.follows else inside

    def _bracket(self, bracket: Bracket, level: int) -> list[Element]:
        if not bracket.items:
            return [bracket.opening + bracket.closing]
        inside = [GROUP, INDENT, SOFT, *self._contents[id(bracket)], END, SOFT, END]
        if level > 0:
            inside = [Tag(Kind.EXPANDABLE, within=level), *inside, END]
        return [bracket.opening, *inside, bracket.closing]

    def _chain(self, chain: Chain, level: int) -> list[Element]:
        fluent = is_fluent(chain)
        elements: list[Element] = [GROUP] if fluent else []
        for position, part in enumerate(chain.parts):
            if fluent and position and _may_break_before(chain, position):
                elements += _line("", level)
            elements += [part] if isinstance(part, str) else self._bracket(part, level)
        return [*elements, END] if fluent else elements


def _line(text: str, level: int) -> list[Element]:
    """Return a place where a line may end on this level."""
    space: list[Element] = [text] if text else []
    if level == OUTSIDE:
        return space
    line = Tag(Kind.LINE, text=text)
    if level == INSIDE:
        return [line]
    return [Tag(Kind.IF_BROKEN, within=level), line, END, Tag(Kind.IF_FLAT, within=level), *space, END]


def _grouped(elements: list[Element], level: int) -> list[Element]:
    return elements if level == OUTSIDE else [Tag(Kind.GROUP, within=level), *elements, END]


def _operation(operands: Sequence[list[Element]], operators: Sequence[Token], level: int) -> list[Element]:
    """Break at the loosest operators, which lead their lines; what is between them is a group."""
    if not operators:
        return list(operands[0])
    loosest = max(PRECEDENCE[operator.text] for operator in operators)
    elements: list[Element] = []
    start = 0
    for position in range(len(operators) + 1):
        if position < len(operators) and PRECEDENCE[operators[position].text] != loosest:
            continue
        inner = _operation(operands[start : position + 1], operators[start:position], level)
        elements += _grouped(inner, level) if position > start else inner
        if position < len(operators):
            elements += _operator(operators[position], level)
        start = position + 1
    return elements


def _operator(operator: Token, level: int) -> list[Element]:
    if operator.spaced:
        return [*_line(" ", level), operator.text + " "]
    if level == OUTSIDE:
        return [operator.text]
    # ruff writes ``x** 2`` where the group that gets parentheses is broken, even if the power itself is not
    return [*_line("", level), operator.text, Tag(Kind.IF_BROKEN, within=level), " ", END]
