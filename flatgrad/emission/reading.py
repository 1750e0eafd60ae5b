"""Reads a statement that stands on one line as the formatter sees it: flat lists of operands and operators.

In: the text of a statement. Out: tokens, and expressions made of them. Layer: emission, below `layout`.

The statement is valid Python that is already spaced by the formatter's rules. What is in a bracket is read when the
bracket closes, so that deep nesting needs no recursion.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

# from the tightest to the loosest, as the formatter groups them
ATTRIBUTE = 1
_LEVELS = (
    ("**",),
    ("~",),
    ("*", "@", "/", "//", "%"),
    ("+", "-"),
    ("<<", ">>"),
    ("&",),
    ("^",),
    ("|",),
    ("<", ">", "<=", ">=", "==", "!=", "in", "not in", "is", "is not"),
    ("and", "or"),
)
PRECEDENCE = {symbol: level for level, symbols in enumerate(_LEVELS, ATTRIBUTE + 1) for symbol in symbols}
CONDITIONAL = ATTRIBUTE + len(_LEVELS) + 1

_TOKEN = re.compile(
    r"""(?P<space>\s*)(?P<text>
        (?:[rbfuRBFU]{1,2})?(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
        | (?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][+-]?\d+[jJ]? | \d[\w.]* | \.\d\w*
        | \w+ | \*\*= | //= | <<= | >>= | \.\.\. | \*\* | // | << | >> | -> | := | [-+*/@%&|^<>=!]= | .)""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = frozenset(keyword.kwlist) - {"None", "True", "False"}


@dataclass(slots=True)
class Bracket:
    """A pair of brackets and its items. `follows` tells the brackets of a call or subscript from a display."""

    opening: str
    follows: bool
    items: list[Item] = field(default_factory=list)
    trailing_comma: bool = False

    @property
    def closing(self) -> str:
        return {"(": ")", "[": "]", "{": "}"}[self.opening]

    @property
    def is_parenthesis(self) -> bool:
        """Whether it only groups the operators inside."""
        return self.opening == "(" and not self.follows and len(self.items) == 1 and not self.trailing_comma


@dataclass(slots=True)
class Token:
    """A word, number, string, operator or bracket; `spaced` if there is a space before it."""

    text: str
    spaced: bool = False
    bracket: Bracket | None = None


@dataclass(slots=True)
class Chain:
    """A name, number, string or bracket with what follows it: ``.name``, ``(...)``, ``[...]``."""

    parts: list[str | Bracket]


@dataclass(slots=True)
class Unary:
    """A sign or ``not`` before an expression."""

    operator: str
    operand: Expression


@dataclass(slots=True)
class Operation:
    """Operands with the operators between them, of all precedences, as they stand."""

    operands: list[Expression]
    operators: list[Token]


@dataclass(slots=True)
class Conditional:
    """``a if b else c if d else e``: the first part, then each with its word."""

    parts: list[tuple[str, Expression]]


Expression = Chain | Unary | Operation | Conditional
Item = list[Expression | str]


def tokens_of(statement: str) -> tuple[list[Token], list[Bracket]]:
    """Return the tokens outside of brackets, and all brackets, inner ones first."""
    brackets: list[Bracket] = []
    opened: list[tuple[list[Token], Token, Bracket]] = []
    tokens: list[Token] = []
    for match in _TOKEN.finditer(statement):
        token = Token(match["text"], bool(match["space"]))
        if token.text in ("(", "[", "{"):
            bracket = Bracket(token.text, bool(tokens) and _can_be_followed(tokens[-1]))
            opened.append((tokens, token, bracket))
            tokens = []
        elif token.text in (")", "]", "}"):
            inside = tokens
            tokens, token, bracket = opened.pop()
            bracket.items, bracket.trailing_comma = items_of(inside)
            brackets.append(bracket)
            tokens.append(Token("", token.spaced, bracket))
        else:
            tokens.append(token)
    return tokens, brackets


def _can_be_followed(token: Token) -> bool:
    if token.bracket is not None:
        return True
    return token.text not in _WORDS and (token.text[0].isalnum() or token.text[0] in "_\"'")


def items_of(tokens: Sequence[Token]) -> tuple[list[Item], bool]:
    """Return what commas separate, and whether there is a comma at the end."""
    items: list[Item] = []
    start = 0
    for position, token in enumerate(tokens):
        if token.text == ",":
            items.append(_item(tokens[start:position]))
            start = position + 1
    if start < len(tokens):
        items.append(_item(tokens[start:]))
    return items, bool(tokens) and start == len(tokens)


def _item(tokens: Sequence[Token]) -> Item:
    parts: Item = []
    position = 0
    if tokens[0].text in ("*", "**", "/"):
        parts.append(tokens[0].text)
        position = 1
    while position < len(tokens):
        token = tokens[position]
        if token.text in (":", "=", ":="):
            space_before = position > 0 and token.spaced
            space_after = position + 1 < len(tokens) and tokens[position + 1].spaced
            parts.append(" " * space_before + token.text + " " * space_after)
            position += 1
        else:
            if parts and not isinstance(parts[-1], str):
                raise _unreadable(token)
            reader = _Reader(tokens, position)
            parts.append(reader.expression())
            position = reader.position
    return parts


def expression_of(tokens: Sequence[Token]) -> Expression:
    """Return the expression that these tokens are."""
    reader = _Reader(tokens, 0)
    expression = reader.expression()
    if reader.position < len(tokens):
        raise _unreadable(tokens[reader.position])
    return expression


def _unreadable(token: Token) -> ValueError:
    return ValueError(f"can't break a statement with {token.text!r} in this place")


class _Reader:
    def __init__(self, tokens: Sequence[Token], position: int) -> None:
        self._tokens = tokens
        self.position = position

    def _next(self, ahead: int = 0) -> str:
        position = self.position + ahead
        return self._tokens[position].text if position < len(self._tokens) else ""

    def expression(self) -> Expression:
        parts = [("", self._operation(PRECEDENCE["or"]))]
        while self._next() in ("if", "else"):
            word = self._next() + " "
            self.position += 1
            parts.append((word, self._operation(PRECEDENCE["or"])))
        return Conditional(parts) if len(parts) > 1 else parts[0][1]

    def _operation(self, loosest: int) -> Expression:
        operands = [self._operand()]
        operators: list[Token] = []
        while (operator := self._operator()) and PRECEDENCE[operator] <= loosest:
            spaced = self._tokens[self.position].spaced
            self.position += len(operator.split())
            operators.append(Token(operator, spaced))
            operands.append(self._operand())
        return Operation(operands, operators) if operators else operands[0]

    def _operator(self) -> str:
        text = self._next()
        if (text, self._next(1)) in (("not", "in"), ("is", "not")):
            return f"{text} {self._next(1)}"
        return text if text in PRECEDENCE else ""

    def _operand(self) -> Expression:
        text = self._next()
        if text == "not":
            self.position += 1
            return Unary("not ", self._operation(PRECEDENCE["in"]))
        if text in ("-", "+", "~"):
            self.position += 1
            return Unary(text, self._operation(PRECEDENCE["**"]))
        return self._chain()

    def _chain(self) -> Chain:
        first = self._tokens[self.position]
        if first.bracket is None and not _can_be_followed(first) and first.text != "...":
            raise _unreadable(first)
        parts: list[str | Bracket] = [first.bracket or first.text]
        self.position += 1
        while self.position < len(self._tokens):
            token = self._tokens[self.position]
            if token.bracket is not None:
                parts.append(token.bracket)
                self.position += 1
            elif token.text == ".":
                parts.append("." + self._next(1))
                self.position += 2
            else:
                break
        return Chain(parts)
