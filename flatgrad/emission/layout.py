"""Breaks a statement that is too long for its line, where `ruff format` would break it.

In: one statement on one line, spaced as the formatter spaces it. Out: its lines. Layer: emission, above `breaking`.

Where a statement has several forms, each is tried in the formatter's order.
"""

from __future__ import annotations

import itertools
import re

from flatgrad.emission.breaking import (
    COMMA_IF_BROKEN,
    GROUP,
    INDENT,
    INSIDE,
    OUTSIDE,
    SOFT,
    SPACE,
    Breaker,
    Need,
    can_omit_parentheses,
    is_atom,
    is_plain,
    need_of,
)
from flatgrad.emission.fitting import BROKEN, END, FLAT, Element, Kind, Printer, Tag, width_of
from flatgrad.emission.reading import Bracket, Chain, Expression, Item, Token, expression_of, items_of, tokens_of

_BROKEN_GROUP = Tag(Kind.GROUP, broken=True)
_OPEN_IF_BROKEN: tuple[Element, ...] = (Tag(Kind.IF_BROKEN), "(", END)
_CLOSE_IF_BROKEN: tuple[Element, ...] = (Tag(Kind.IF_BROKEN), ")", END)
_ASSIGNMENT = re.compile(r"(?:[-+*/@%&|^]|//|\*\*|<<|>>)?=")
_PLAIN = ("import", "pass", "else", "break", "continue", "global", "nonlocal", "try", "finally", "except")


def laid_out(statement: str, indent: int = 0, width: int = 120, comment: str = "") -> list[str]:
    """Return the lines of a statement that stands on one line, indented, as `ruff format` leaves them.

    A statement that fits, and one that can't be broken, is one line. The comment (with its ``#``) ends the last line,
    or goes with a name or number that gets parentheses of its own. A comment or nothing in place of a statement stays.
    """
    line = (" " * indent + statement + ("  " + comment if comment else "")).rstrip()
    if width_of(line) <= width or statement.startswith("#") or statement.split(maxsplit=1)[0].rstrip(":") in _PLAIN:
        return [line]
    variants = _Statement(statement, comment).variants()
    for elements in variants[:-1]:
        if Printer(elements, indent, width).fits():
            return Printer(elements, indent, width).lines(FLAT)
    return Printer(variants[-1], indent, width).lines(BROKEN)


class _Statement:
    """The elements of one statement."""

    def __init__(self, statement: str, comment: str) -> None:
        self._statement = statement
        self._comment: list[Element] = [Tag(Kind.COMMENT, text=comment)] if comment else []
        self._tokens, brackets = tokens_of(statement)
        self._breaker = Breaker(brackets)
        self._numbers = itertools.count(1)

    def variants(self) -> list[list[Element]]:
        """Return what is tried in order: the first that fits, else the last."""
        word = self._tokens[0].text
        if word == "def":
            return [[*self._definition(), *self._comment]]
        if word == "from":
            return [[*self._import(), *self._comment]]
        if word == "assert":
            return [[*self._assert(), *self._comment]]
        if word == "return":
            return [["return ", *self._value(self._tokens[1:], pairs=True)]]
        if word == "with":
            return [[*self._with(), *self._comment]]
        if word == "raise" and "from" in (token.text for token in self._tokens):
            return [[*self._raise(), *self._comment]]
        if word in ("if", "elif", "while", "raise"):
            block = self._tokens[-1].text == ":"
            test = expression_of(self._tokens[1 : -1 if block else None])
            return [[word + " ", *self._parenthesized(test), *[":"] * block, *self._comment]]
        if word == "for":
            return [[*self._loop(), *self._comment]]
        return self._assignment()

    def _definition(self) -> list[Element]:
        function = self._tokens[2].bracket
        if function is None:
            raise ValueError(f"can't break {self._statement!r}")
        parameters = self._breaker.parameters(function)
        head: list[Element] = ["def " + self._tokens[1].text, GROUP, *parameters]
        if self._tokens[3].text == "->":
            head += [" -> ", *self._returned(expression_of(self._tokens[4:-1]), bool(function.items))]
        return [*head, END, ":"]

    def _returned(self, annotation: Expression, has_parameters: bool) -> list[Element]:
        if has_parameters and not is_plain(annotation):
            return self._breaker.elements(annotation, OUTSIDE)
        return self._parenthesized(annotation, always=not has_parameters)

    def _import(self) -> list[Element]:
        head, _, names = self._statement.partition(" import ")
        listed = names.split(", ")
        elements: list[Element] = [head + " import ", GROUP, *_OPEN_IF_BROKEN, INDENT, SOFT, listed[0]]
        for name in listed[1:]:
            elements += [",", SPACE, name]
        return [*elements, *COMMA_IF_BROKEN, END, SOFT, *_CLOSE_IF_BROKEN, END]

    def _assert(self) -> list[Element]:
        parts, _ = items_of(self._tokens[1:])
        test, *messages = [part for item in parts for part in item if not isinstance(part, str)]
        elements: list[Element] = ["assert ", *self._parenthesized(test)]
        for message in messages:
            elements += [", ", *self._parenthesized(message, always=True)]
        return elements

    def _with(self) -> list[Element]:
        texts = [token.text for token in self._tokens]
        if "as" in texts:
            end = texts.index("as")
            name = "".join(texts[end + 1 :])
            return ["with ", *self._breaker.elements(expression_of(self._tokens[1:end]), OUTSIDE), f" as {name}"]
        items, _ = items_of(self._tokens[1:-1])
        if len(items) > 1:
            return ["with ", *self._tuple(items), ":"]
        return ["with ", *self._parenthesized(expression_of(self._tokens[1:-1])), ":"]

    def _raise(self) -> list[Element]:
        position = [token.text for token in self._tokens].index("from")
        exception, cause = self._tokens[1:position], self._tokens[position + 1 :]
        return [
            "raise ",
            *self._parenthesized(expression_of(exception)),
            " from ",
            *self._parenthesized(expression_of(cause)),
        ]

    def _loop(self) -> list[Element]:
        position = [token.text for token in self._tokens].index("in")
        targets, _ = items_of(self._tokens[1:position])
        number = next(self._numbers)
        inside = self._breaker.joined(targets, number)
        names = self._optional(inside, number) if len(targets) > 1 else self._best(inside, number)
        return ["for ", *names, " in ", *self._parenthesized(expression_of(self._tokens[position + 1 : -1])), ":"]

    def _assignment(self) -> list[list[Element]]:
        texts = [token.text for token in self._tokens]
        position = next((place for place, text in enumerate(texts) if _ASSIGNMENT.fullmatch(text)), None)
        if position is None:
            expression = expression_of(self._tokens)
            if isinstance(expression, Chain):
                return [[*self._breaker.elements(expression, OUTSIDE), *self._comment]]
            return [[*self._parenthesized(expression), *self._comment]]
        operator = f" {texts[position]} "
        value = self._tokens[position + 1 :]
        if ":" in texts[:position]:
            head = self._statement[: self._statement.index(": ")]
            annotation = expression_of(self._tokens[texts.index(":") + 1 : position])
            target: list[Element] = [head + ": ", *self._breaker.elements(annotation, OUTSIDE)]
            breakable = not is_plain(annotation)
        else:
            target, breakable = self._target(self._tokens[:position])
        if not breakable or not self._is_best_fitted(value):
            return [[*target, operator, *self._value(value)]]
        return self._best_fitted(target, operator, expression_of(value))

    def _target(self, tokens: list[Token]) -> tuple[list[Element], bool]:
        items, comma = items_of(tokens)
        if len(items) > 1:
            return self._tuple(items), True
        (target,) = items[0]
        if isinstance(target, str) or comma or not isinstance(target, Chain):
            raise ValueError(f"can't break {self._statement!r}")
        return self._breaker.elements(target, OUTSIDE), isinstance(target.parts[-1], Bracket)

    def _is_best_fitted(self, tokens: list[Token]) -> bool:
        items, comma = items_of(tokens)
        if len(items) > 1 or comma:
            return False
        value = expression_of(tokens)
        return isinstance(value, Chain) and need_of(value) is Need.BEST

    def _best_fitted(self, target: list[Element], operator: str, value: Expression) -> list[list[Element]]:
        inside = self._breaker.elements(value, OUTSIDE)
        one_line: list[Element] = [*target, operator, *inside, *self._comment]
        broken_value: list[Element] = [*target, operator, _BROKEN_GROUP, *inside, END, *self._comment]
        # the comment of a name or number goes into its parentheses, that of anything else behind them
        inner, outer = (self._comment, []) if is_atom(value) else ([], self._comment)
        parenthesized: list[Element] = [*target, operator, "(", _BROKEN_GROUP, INDENT, SOFT, *inside, *inner, END]
        parenthesized += [SOFT, END, ")", *outer]
        broken_target: list[Element] = [_BROKEN_GROUP, *target, END, operator, *inside, *self._comment]
        middle = [parenthesized] if is_atom(value) else [broken_value, parenthesized]
        return [one_line, *middle, broken_target]

    def _value(self, tokens: list[Token], pairs: bool = False) -> list[Element]:
        items, comma = items_of(tokens)
        if comma:
            raise ValueError(f"can't break {self._statement!r}")
        if len(items) == 2 and pairs:
            number = next(self._numbers)
            inside = self._breaker.joined(items, number)
            return [*self._optional(inside, number), *self._comment]
        if len(items) > 1:
            return [*self._tuple(items), *self._comment]
        value = expression_of(tokens)
        if isinstance(value, Chain) and is_atom(value) and self._comment:
            number = next(self._numbers)
            inside = [*self._breaker.elements(value, number), Tag(Kind.IF_BROKEN, within=number), *self._comment, END]
            return [*self._best(inside, number), Tag(Kind.IF_FLAT, within=number), *self._comment, END]
        return [*self._parenthesized(value), *self._comment]

    def _tuple(self, items: list[Item]) -> list[Element]:
        return self._if_expands(self._breaker.joined(items, INSIDE))

    def _parenthesized(self, expression: Expression, always: bool = False) -> list[Element]:
        """Return an expression that gets parentheses if it needs them; `always`: rather than stay too long."""
        need = need_of(expression)
        if need is Need.NEVER:
            return self._breaker.elements(expression, OUTSIDE)
        number = next(self._numbers)
        if need is Need.BEST and not always:
            return self._best(self._breaker.elements(expression, number), number)
        if can_omit_parentheses(expression):
            return self._optional(self._breaker.elements(expression, number), number)
        return self._if_expands(self._breaker.elements(expression, INSIDE))

    def _if_expands(self, inside: list[Element]) -> list[Element]:
        return [GROUP, *_enclosed(inside, 0), END]

    def _optional(self, inside: list[Element], number: int) -> list[Element]:
        return [Tag(Kind.GROUP, number), *_enclosed(inside, number), END]

    def _best(self, inside: list[Element], number: int) -> list[Element]:
        # the parentheses ask by number: to what stands before this group they are no place for a line to end
        if_broken = Tag(Kind.IF_BROKEN, within=number)
        opened: list[Element] = [Tag(Kind.INDENT, within=number), if_broken, "(", SOFT, END]
        return [Tag(Kind.BEST, number), *opened, *inside, END, if_broken, SOFT, ")", END, END]


def _enclosed(inside: list[Element], number: int) -> list[Element]:
    # the indentation asks the group by its number: it must not count where only a bracket inside is broken
    return [*_OPEN_IF_BROKEN, Tag(Kind.INDENT, within=number), SOFT, *inside, END, SOFT, *_CLOSE_IF_BROKEN]
