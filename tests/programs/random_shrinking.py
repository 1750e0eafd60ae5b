"""The smallest program that fails in the way in which a random program does.

In: random programs, what checks one, and what tells whether a smaller one can be checked. Out: the kind of a failure; the
smallest program; what a run over many seeds shows.
"""

import ast
import itertools
import re
import time
import warnings
from collections import Counter

import random_checks
from random_checks import Failure

from flatgrad.errors import FlatgradError


def outcome(program, check):
    """Return the kind of failure, "" for none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check(program)
    except FlatgradError as error:
        return kind_of(error)
    except Failure as failure:
        return failure.kind
    return ""


def kind_of(error):
    """Return the message of an error without its names and numbers."""
    return "error: " + re.sub(r"`[^`]*`|'[^']*'|\d+", "#", error.problems[0].message)


def smallest(program, kind, check, is_sound, seconds=60.0):
    """Return a program that fails in the same way and from which nothing more can be taken."""
    end = time.monotonic() + seconds
    shrunk = True
    while shrunk:
        shrunk = False
        for text in smaller_texts(program.source):
            if time.monotonic() > end:
                return program
            smaller = type(program)(text, program.arguments)
            if len(text) < len(program.source) and is_sound(smaller) and outcome(smaller, check) == kind:
                program, shrunk = smaller, True
                break
    return program


def try_all(programs, check, is_sound):
    """Check programs by their seeds, and show what fails, made as small as it gets."""
    counts = Counter()
    for seed, program in programs:
        kind = outcome(program, check)
        counts[kind or "right"] += 1
        if not kind or counts[kind] > 2:
            continue
        small = smallest(program, kind, check, is_sound)
        print(f"--- seed {seed}: {kind}\n{small.text}", small.arguments, sep="\n")
        try:
            check(small)
        except (FlatgradError, Failure) as error:
            print(str(error)[:1500], flush=True)
    for each, count in counts.most_common():
        print(count, each)


def smaller_texts(source):
    """Return the program without a statement, with a body in place of its `if` or loop, or with a part of an expression."""
    for change in (_without_statement, _with_body_alone, _with_part_of_expression):
        for place in itertools.count():
            tree = ast.parse(source)
            variants = change(tree, place)
            if variants is None:
                break
            yield from variants


def _lists(tree):
    return [
        body
        for node in ast.walk(tree)
        for body in (getattr(node, field, None) for field in ("body", "orelse"))
        if isinstance(body, list) and body and isinstance(body[0], ast.stmt)
    ]


def _statement(tree, place):
    for body in _lists(tree):
        if place < len(body):
            return body, place
        place -= len(body)
    return None


def _without_statement(tree, place):
    found = _statement(tree, place)
    if found is None:
        return None
    body, where = found
    body[where : where + 1] = [] if len(body) > 1 else [ast.Pass()]
    return [ast.unparse(tree)]


def _with_body_alone(tree, place):
    found = _statement(tree, place)
    if found is None:
        return None
    body, where = found
    statement = body[where]
    if not isinstance(statement, ast.If | ast.For | ast.While):
        return []
    texts = []
    for instead in (statement.body, statement.orelse):
        if instead:
            body[where : where + 1] = instead
            texts.append(ast.unparse(tree))
            body[where : where + len(instead)] = [statement]
    return texts


def _with_part_of_expression(tree, place):
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    pairs = [
        (whole, part)
        for whole in ast.walk(tree)
        if isinstance(whole, ast.expr) and id(whole) not in functions
        for part in ast.iter_child_nodes(whole)
        if isinstance(part, ast.expr) and id(part) not in functions
    ]
    if place >= len(pairs):
        return None
    return [ast.unparse(random_checks._Replaced(*pairs[place]).visit(tree))]
