"""Reads `match`: literals, wildcards, captures, alternatives, tuples, guards. Layer: beside `reader`.

What is known when the code is written is decided then; on data, each case becomes a branch whose other side holds the cases
behind it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial
from typing import Any

import libcst as cst

from flatgrad.frontend.branches import branched
from flatgrad.frontend.containers import is_plain, known_key, new_dict, new_list
from flatgrad.frontend.known import as_number, is_static, with_known_text
from flatgrad.frontend.reader import Reader, performs
from flatgrad.frontend.statement_lines import Readable, Step, statements_of
from flatgrad.frontend.truth import condition
from flatgrad.frontend.unpacking import bind
from flatgrad.graph.containers import Dict
from flatgrad.graph.values import Value
from flatgrad.rules.program import conjunction, disjunction

Captures = list[tuple[str, Any]]
Answer = bool | Value


@performs(cst.Match)
def read_match(reader: Reader, syntax: cst.Match) -> None:
    reader.at_statement(syntax)
    _read_cases(reader, syntax, reader.expression(syntax.subject), syntax.cases)


def _read_cases(reader: Reader, syntax: cst.Match, subject: Any, cases: Sequence[cst.MatchCase]) -> None:
    """Read the first case that fits, or a branch between it and those behind it."""
    for position, case in enumerate(cases):
        behind = cases[position + 1 :]
        captures: Captures = []
        fits = _fits(reader, subject, case.pattern, captures)
        if fits is False:
            continue
        if isinstance(fits, Value) and captures and case.guard is not None:
            hint = "write the guard as an `if` in the case, or the pattern as a part of the guard"
            reader.fail("a pattern on data that captures, with a guard, can't be read", case.pattern, hint)
        if fits is True:
            _bind(reader, captures)
        if case.guard is not None:
            fits = _both(reader, fits, condition(reader, reader.expression(case.guard), case.guard), case.guard)
        body: list[Readable] = [*statements_of(case.body)]
        if isinstance(fits, Value):
            body = [Step(partial(_bind, reader, captures), case.pattern), *body]
            others = Step(partial(_read_cases, reader, syntax, subject, behind), *behind)
            branched(reader, fits, body, [others] if behind else [], syntax)
            return
        if fits:
            branched(reader, True, body, [], syntax)
            return


def _bind(reader: Reader, captures: Captures) -> None:
    for name, item in captures:
        bind(reader, name, item)


def _fits(reader: Reader, subject: Any, pattern: cst.MatchPattern, captures: Captures) -> Answer:
    """Return whether a pattern fits, and enter the names that it binds then."""
    if isinstance(pattern, cst.MatchValue):
        return _equals(reader, subject, reader.expression(pattern.value), pattern)
    if isinstance(pattern, cst.MatchSingleton):
        wanted = reader.expression(pattern.value)
        return is_static(subject) and as_number(subject) is wanted
    if isinstance(pattern, cst.MatchAs):
        fits = True if pattern.pattern is None else _fits(reader, subject, pattern.pattern, captures)
        if pattern.name is not None and fits is not False:
            captures.append((pattern.name.value, subject))
        return fits
    if isinstance(pattern, cst.MatchOr):
        return _fits_one(reader, subject, pattern, captures)
    if isinstance(pattern, cst.MatchSequence):
        return _fits_sequence(reader, subject, pattern, captures)
    if isinstance(pattern, cst.MatchMapping):
        return _fits_mapping(reader, subject, pattern, captures)
    return reader.fail("this kind of pattern can't be read", pattern, "use if and elif")


def _equals(reader: Reader, subject: Any, wanted: Any, syntax: cst.CSTNode) -> Answer:
    subject = with_known_text(reader, subject, syntax)
    if is_static(subject) and is_static(wanted):
        return bool(as_number(subject) == as_number(wanted))
    if not isinstance(subject, Value) or isinstance(wanted, str | None):
        return False
    return condition(reader, reader.apply(syntax, operator.eq, subject, wanted), syntax)


def _fits_one(reader: Reader, subject: Any, pattern: cst.MatchOr, captures: Captures) -> Answer:
    result: Answer = False
    for element in pattern.patterns:
        own: Captures = []
        fits = _fits(reader, subject, element.pattern, own)
        if own and not (fits is True and result is False):
            reader.fail("an alternative on data that captures can't be read", element, "write it as a case of its own")
        captures += own
        if fits is True or result is False:
            result = fits
        elif fits is not False:
            result = reader.apply(element, disjunction, result, fits)
        if result is True:
            break
    return result


def _fits_sequence(reader: Reader, subject: Any, pattern: cst.MatchSequence, captures: Captures) -> Answer:
    """Return whether a tuple or list has parts that fit. An array is no sequence to Python, nor is a string."""
    if not is_plain(subject):
        return False
    elements = pattern.patterns
    starred = [position for position, element in enumerate(elements) if isinstance(element, cst.MatchStar)]
    first = starred[0] if starred else len(elements)
    behind = len(elements) - first - 1 if starred else 0
    if len(subject) < first + behind or (not starred and len(subject) > first):
        return False
    pairs = [*zip(subject[:first], elements[:first], strict=True)]
    pairs += zip(subject[len(subject) - behind :], elements[len(elements) - behind :], strict=True) if behind else []
    result: Answer = True
    for item, element in pairs:
        assert isinstance(element, cst.MatchSequenceElement)
        result = _both(reader, result, _fits(reader, item, element.value, captures), element)
        if result is False:
            return False
    if starred:
        star = elements[first]
        assert isinstance(star, cst.MatchStar)
        if star.name is not None:
            captures.append((star.name.value, new_list(reader, subject[first : len(subject) - behind])))
    return result


def _fits_mapping(reader: Reader, subject: Any, pattern: cst.MatchMapping, captures: Captures) -> Answer:
    """Return whether a dict has items that fit; it may have more of them."""
    if not isinstance(subject, Dict):
        return False
    result: Answer = True
    rest = subject.items
    for element in pattern.elements:
        key = known_key(reader, reader.expression(element.key), element.key)
        if key not in rest:
            return False
        result = _both(reader, result, _fits(reader, rest.pop(key), element.pattern, captures), element)
        if result is False:
            return False
    if pattern.rest is not None:
        captures.append((pattern.rest.value, new_dict(reader, rest)))
    return result


def _both(reader: Reader, a: Answer, b: Answer, syntax: cst.CSTNode) -> Answer:
    if isinstance(a, bool):
        return b if a else False
    if isinstance(b, bool):
        return a if b else False
    both = reader.apply(syntax, conjunction, a, b)
    assert isinstance(both, Value)
    return both
