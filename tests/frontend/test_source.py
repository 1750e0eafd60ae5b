"""A function's source: files that can't be read, positions, and that the text read is that of the function given."""

import functools
import importlib.util
import linecache
import sys
from pathlib import Path

import numpy as np
import pytest

from flatgrad.errors import FlatgradError, SourceError, UnsupportedError
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.source import NameUnknown, Source


def load(path: Path, text: str):
    """Write a module and import it."""
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def problem_of(error: pytest.ExceptionInfo[FlatgradError]):
    (problem,) = error.value.problems
    return problem


# files


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n\n", "the file is empty"),
        (b"x = 1\n\ny = 'a\xffb'\n", "line 3 can't be decoded as utf-8: byte 0xff at offset 13"),
        (b"x = '\xff'\n", "line 1 can't be decoded as utf-8: byte 0xff at offset 5"),
        (b"# -*- coding: no-such -*-\nx = 1\n", "the coding line can't be followed: unknown encoding: no-such"),
        (b"# -*- coding: hex -*-\nx = 1\n", "the coding line names 'hex', which is not an encoding of text"),
        (b"# -*- coding: ascii -*-\nx = '\xe9'\n", "line 2 can't be decoded as ascii: byte 0xe9 at offset 29"),
    ],
)
def test_bytes_that_are_no_source_are_one_clear_error(tmp_path, data, message):
    path = tmp_path / "bad.py"
    path.write_bytes(data)
    with pytest.raises(SourceError) as error:
        Source.read(path)
    assert problem_of(error).message == message
    assert problem_of(error).file == str(path)


def test_missing_file_and_directory_are_clear_errors(tmp_path):
    for path, message in [(tmp_path / "none.py", "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(SourceError, match=message):
            Source.read(path)
    with pytest.raises(SourceError, match="not the path of a file"):
        Source.read("a\0b")


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfdef f(x):\n    return x * 2  # \xc3\xa9\n",
        b"# -*- coding: latin-1 -*-\ndef f(x):\n    return x * 2  # \xe9\n",
        b"def f(x):\r\n    return x * 2\r\n",
        b"def f(x):\r    return x * 2\r",
        b"\x0cdef f(x):\n\treturn x * 2\n\x0c\n",
        b"def f(x):\n    return x * 2",
    ],
    ids=["byte order mark", "coding line", "CRLF", "CR", "form feed and tab", "no last newline"],
)
def test_text_is_read_as_python_reads_it(tmp_path, data):
    path = tmp_path / "odd.py"
    path.write_bytes(data)
    source = Source.read(path)
    (place,) = source.functions
    line = 2 if data.startswith(b"#") else 1
    assert source.first_line(place.syntax) == place.line == line
    statement = place.syntax.body.body[0].body[0]
    assert source.span(statement.value) == source.span(place.node.body[0].value)
    assert source.problem("here", statement.value).text[source.location(statement.value).column - 1 :][:5] == "x * 2"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("x = (\n", 1, 5, "'(' was never closed"),
        ("x = 'é' + )\n", 1, 11, "unmatched ')'"),
        ("def f(x):\nreturn x\n", 2, 1, "expected an indented block"),
        ("x = 1\n\nf() = 1\n", 3, 1, "cannot assign to function call"),
        ("if x:\n\ty\n        z\n", 3, 1, "inconsistent use of tabs"),
    ],
)
def test_syntax_error_points_at_its_place(text, line, column, message):
    with pytest.raises(SourceError, match="syntax error") as error:
        _ = Source("bad.py", text).module
    problem = problem_of(error)
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message
    assert problem.text == text.split("\n")[line - 1]


def test_null_byte_is_a_source_error():
    with pytest.raises(SourceError, match="null bytes"):
        _ = Source("bad.py", "x = 1\0\n").module


def test_columns_count_characters_and_the_caret_covers_the_construct():
    source = Source("a.py", "def f(x):\n\treturn 'é', x @ x\n")
    product = source.functions[0].syntax.body.body[0].body[0].value.elements[1].value
    node = source.functions[0].node.body[0].value.elts[1]
    assert source.span(product) == source.span(node) == (2, 14, 2, 19)
    assert str(source.problem("bad", product, "why")).split("\n") == [
        "a.py:2:14: bad",
        "    \treturn 'é', x @ x",
        "    \t            ^^^^^",
        "hint: why",
    ]


def test_expression_of_two_thousand_terms_has_positions():
    limit = sys.getrecursionlimit()
    source = Source("long.py", "def f(x):\n    return " + " + ".join(["x"] * 2000) + "\n")
    value = source.functions[0].syntax.body.body[0].body[0].value
    assert source.span(value.right)[:2] == (2, 12 + 4 * 1999)
    assert sys.getrecursionlimit() == limit


def test_every_def_is_found_in_order_in_both_trees():
    text = """
class A:
    def a(self): pass
if x:
    def b(): pass
elif y:
    def c(): pass
else:
    def d():
        def e(): pass
try:
    def f(): pass
except E:
    def g(): pass
else:
    def h(): pass
finally:
    def i(): pass
with a:
    async def j(): pass
while x:
    def k(): pass
else:
    def l(): pass
match x:
    case 1:
        def m(): pass
try: pass
except* E:
    def n(): pass
'''def o(): pass'''
@x
@y(
  1)
def p(): return 1
"""
    places = Source("a.py", text).functions
    assert (
        "".join(place.name for place in places)
        == "".join(place.syntax.name.value for place in places)
        == "abcdefghijklmnp"
    )
    assert places[0].qualname == "A.a"
    assert places[4].qualname == "d.<locals>.e"
    assert (places[-1].first_line, places[-1].line) == (32, 35)


# function objects

TWO = """import numpy as np

SCALE = 2.0


def f(x):
    y = x * SCALE
    return np.sum(y)


def g(x):
    return x + 1


if True:
    def h(x):
        return x - 1
else:
    def h(x):
        return x - 2


def g(x):
    return x + 2
"""


def test_each_function_finds_its_own_def(tmp_path):
    module = load(tmp_path / "two.py", TWO)
    definition = live_definition(module.f)
    assert (definition.line, definition.display, definition.source.file) == (6, "f", str(tmp_path / "two.py"))
    assert live_definition(module.g).line == 23
    assert live_definition(module.h).line == 16
    assert live_definition(module.f).source is live_definition(module.g).source


def test_edit_elsewhere_in_the_file_does_not_matter(tmp_path):
    path = tmp_path / "shifted.py"
    module = load(path, TWO)
    path.write_text("# a comment\n\n" + TWO.replace("x + 2", "x + 3"))
    assert live_definition(module.f).line == 8
    with pytest.raises(SourceError, match="has changed") as error:
        live_definition(module.g)
    assert problem_of(error).line == 25


@pytest.mark.parametrize(
    ("old", "new"),
    [("x * SCALE", "x * 3.0"), ("x * SCALE", "x / SCALE"), ("def f(x)", "def f(y)"), ("np.sum", "np.max")],
)
def test_edit_of_the_function_is_an_error(tmp_path, old, new):
    path = tmp_path / "edited.py"
    module = load(path, TWO)
    path.write_text(TWO.replace(old, new))
    with pytest.raises(SourceError, match="the file has changed since `f` was imported"):
        live_definition(module.f)


@pytest.mark.parametrize(("old", "new"), [("2.0", "2"), ("1", "True"), ("0.0", "-0.0"), ("1", "1.0")])
def test_constants_that_are_equal_but_not_the_same_are_told_apart(tmp_path, old, new):
    path = tmp_path / "constants.py"
    module = load(path, f"def f(x):\n    return (x, {old})\n")
    path.write_text(f"def f(x):\n    return (x, {new})\n#\n")
    with pytest.raises(SourceError, match="has changed"):
        live_definition(module.f)


def test_file_that_is_gone_or_broken_is_a_source_error(tmp_path):
    path = tmp_path / "gone.py"
    module = load(path, TWO)
    path.write_text("def f(:\n#" + "x" * 200)
    with pytest.raises(SourceError, match="syntax error"):
        live_definition(module.f)
    path.unlink()
    with pytest.raises(SourceError, match="can't be read"):
        live_definition(module.f)


def make(k, unset=False):
    def scaled(x):
        return x * k + (later if unset else 0)

    if unset == "never":
        later = 1
    return scaled


def test_closures_of_one_factory_see_their_own_values():
    for k in (2, 3):
        assert live_definition(make(k)).names.find("k") == k
    with pytest.raises(NameUnknown, match="`later` of the enclosing function has no value yet"):
        live_definition(make(1, unset=True)).names.find("later")


def test_names_are_looked_up_anew_each_time(tmp_path):
    module = load(tmp_path / "names.py", TWO)
    names = live_definition(module.f).names
    assert names.find("SCALE") == 2.0
    module.SCALE = 5.0
    assert names.find("SCALE") == 5.0
    assert names.find("np") is np
    assert names.find("len") is len
    with pytest.raises(NameUnknown) as error:
        names.find("SCALLE")
    assert error.value.hint == "did you mean `SCALE`?"


DECORATED = """import functools


def wrapping(f):
    @functools.wraps(f)
    def wrapper(x):
        return f(x)
    return wrapper


def replacing(f):
    def wrapper(x):
        return f(x)
    return wrapper


def keeping(f):
    return f


@wrapping
def a(x):
    return x


@replacing
def b(x):
    return x


@keeping
@keeping
def c(x):
    return x
"""


def test_decorators_that_replace_a_function_are_seen(tmp_path):
    module = load(tmp_path / "decorated.py", DECORATED)
    with pytest.raises(SourceError, match="a decorator has replaced `a` by `wrapping.<locals>.wrapper`"):
        live_definition(module.a)
    # without functools.wraps the object is an ordinary closure: it is read as what it is
    definition = live_definition(module.b)
    assert (definition.display, definition.line) == ("replacing.wrapper", 12)
    assert definition.names.find("f").__qualname__ == "b"
    assert live_definition(module.c).line == 33


def test_replaced_code_is_not_taken_for_an_edited_file(tmp_path):
    module = load(tmp_path / "renamed.py", "def f(x):\n    return x\n")
    other = load(tmp_path / "other.py", "def wrapper(x):\n    return x + 1\n")
    module.f.__code__ = other.wrapper.__code__.replace(co_filename=module.f.__code__.co_filename)
    with pytest.raises(SourceError, match="a decorator has replaced `f`"):
        live_definition(module.f)


def test_function_of_a_test_module_with_asserts_is_found():
    def checked(x, *, k=2):
        assert x.ndim == 1, "a vector"
        y = x * k
        assert all(y[i] > 0 for i in range(3))
        return y

    assert live_definition(checked).display.endswith("checked")


def test_function_with_rewritten_asserts_that_was_edited_is_an_error(tmp_path):
    from flatgrad.functions.codes import _same_but_for_asserts

    def checked(x):
        assert x > 0
        return x * 2

    scope = {}
    line = checked.__code__.co_firstlineno
    text = "\n" * (line - 1) + "def checked(x):\n    assert x > 0\n    return x OPERATOR 2\n"
    exec(text.replace("OPERATOR", "*"), scope)  # noqa: S102
    assert _same_but_for_asserts(scope["checked"].__code__, checked.__code__)
    exec(text.replace("OPERATOR", "/"), scope)  # noqa: S102
    assert not _same_but_for_asserts(scope["checked"].__code__, checked.__code__)


def test_source_registered_with_linecache_is_enough():
    text = "from __future__ import annotations\ndef f(x: y):\n    return x * 2\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(keepends=True), "<cell 1>")
    scope = {}
    exec(compile(text, "<cell 1>", "exec"), scope)  # noqa: S102
    assert live_definition(scope["f"]).line == 2
    exec(compile("def g(x):\n    return x\n", "<string>", "exec"), scope)  # noqa: S102
    with pytest.raises(SourceError, match="made from a string") as error:
        live_definition(scope["g"])
    assert problem_of(error).hint.startswith("put the function into a file and import it, or pass its text")


def generator(x):
    yield x


async def coroutine(x):
    return x


class Callable:
    def __call__(self, x):
        return x

    def method(self, x):
        return x

    @staticmethod
    def static(x):
        return x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (generator, "generator is a generator"),
        (coroutine, "coroutine is a coroutine"),
        (functools.partial(make, 1), "a functools.partial of make"),
        (Callable, "Callable is a class"),
        (Callable(), "an object of class Callable is not a function"),
        (Callable().method, "method is a method of a Callable"),
        (np.sin, "sin is implemented in C"),
        (len, "len is implemented in C"),
        (3, "3 is not a function"),
    ],
)
def test_what_is_no_plain_function_is_refused_with_a_hint(function, message):
    with pytest.raises(UnsupportedError) as error:
        live_definition(function)
    assert problem_of(error).message.startswith(message)
    assert problem_of(error).hint


def test_static_method_is_a_function():
    assert live_definition(Callable.static).display == "Callable.static"
