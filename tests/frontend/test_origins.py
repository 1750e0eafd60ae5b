"""Where functions come from: files, zip files, cells, prompts, strings and texts given, in the state of the moment."""

import builtins
import doctest
import gc
import importlib
import itertools
import linecache
import os
import subprocess
import sys
import textwrap
import threading
import types
import zipfile
from pathlib import Path

import pytest

import flatgrad
from flatgrad.errors import SourceError
from flatgrad.frontend.live import live_definition
from flatgrad.functions import codes, origin
from flatgrad.functions.origin import Origin, origin_of
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

ROOT = Path(flatgrad.__file__).parents[1]
numbers = itertools.count()


@pytest.fixture
def importing(tmp_path, monkeypatch):
    """Return what writes a module and imports it by its name, which no other test has."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    name = f"module_of_origins_{next(numbers)}"

    def write_and_import(text):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield write_and_import
    sys.modules.pop(name, None)


def executed(text, file="<string>", **variables):
    """Run a text that nothing else knows."""
    namespace = {"__name__": "executed", **variables}
    exec(compile(textwrap.dedent(text), file, "exec"), namespace)  # noqa: S102
    return namespace


def problem_of(error):
    (problem,) = error.value.problems
    return problem


def python(*arguments, **options):
    """Run Python with flatgrad in its path and return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def line_of(function, found=None):
    """Return the line of a function's `def` as live reading finds it, with that line."""
    definition = live_definition(function, found)
    return definition.line, definition.source.lines[definition.line - 1].strip()


# files

SQUARE = "def f(x: float):\n    return x * x\n"


def test_the_code_that_was_imported_counts_after_an_edit(importing):
    """An edit after the decoration changes nothing, however often Python reads the file again."""
    module = importing(SQUARE)
    found = origin_of(module.f)
    Path(module.__file__).write_text("# edited\n\n" + SQUARE.replace("x * x", "x * x * x"))
    linecache.checkcache()
    assert "x * x * x" in "".join(linecache.getlines(module.__file__))
    assert found.text == SQUARE
    emitted = emit_from_annotations(live_definition(module.f, found), Options(), None)[0].text
    assert "x * x\n" in emitted
    assert "x * x * x" not in emitted
    # asked for now, the text is no longer that of the function
    with pytest.raises(SourceError, match="the file has changed since `f` was imported"):
        live_definition(module.f)
    with pytest.raises(SourceError, match="the file has changed since `f` was imported"):
        live_definition(module.f, origin_of(module.f))


def test_a_file_that_is_gone_after_decoration_is_not_missed(importing):
    """What was read at the decoration is enough."""
    module = importing(SQUARE)
    found = origin_of(module.f)
    Path(module.__file__).unlink()
    linecache.checkcache()
    assert line_of(module.f, found) == (1, "def f(x: float):")
    assert origin_of(module.f).is_missing


def test_reload_gives_the_new_text_to_the_new_function(importing):
    """Functions of one name from two states of a file keep each its own text."""
    module = importing(SQUARE)
    old, old_origin = module.f, origin_of(module.f)
    Path(module.__file__).write_text("K = 2\n\n\n" + SQUARE.replace("x * x", "x * K"))
    importlib.reload(module)
    new_origin = origin_of(module.f)
    assert old_origin.text == SQUARE
    assert line_of(module.f, new_origin) == (4, "def f(x: float):")
    assert line_of(old, old_origin) == (1, "def f(x: float):")
    assert old_origin.segment(old.__code__) != new_origin.segment(module.f.__code__)


def test_functions_of_one_file_share_one_origin(importing):
    """A file with thousands of functions is held once, also where it was read twice and had not changed."""
    module = importing("".join(f"def f{number}(x):\n    return x * {number}\n" for number in range(1000)))
    functions = [getattr(module, f"f{number}") for number in range(1000)]
    first = origin_of(functions[0])
    assert all(origin_of(function) is first for function in functions)
    del linecache.cache[module.__file__]
    assert all(origin_of(function) is first for function in functions)
    assert first.segment(functions[10].__code__) == "def f10(x):\n    return x * 10\n"


def test_nothing_is_held_when_the_functions_are_gone():
    """Code that makes functions without end does not fill the memory with their texts."""
    before = len(origin._origins)
    for number in range(300):
        file = f"<held {number}>"
        linecache.cache[file] = (len(SQUARE), None, SQUARE.splitlines(keepends=True), file)
        found = origin_of(executed(SQUARE, file)["f"])
        assert found.text == SQUARE
        del linecache.cache[file]
    del found
    gc.collect()
    assert len(origin._origins) <= before


def test_threads_share_one_origin(importing):
    """Threads that ask at once, while others let linecache forget, all get the text."""
    module = importing(SQUARE)
    origins, failures = [], []

    def ask():
        try:
            for _ in range(200):
                found = origin_of(module.f)
                linecache.cache.pop(module.__file__, None)
            origins.append(found)
        except KeyError as error:
            failures.append(error)

    keep = origin_of(module.f)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert origins == [keep] * 4


def test_module_in_a_zip_file(tmp_path, monkeypatch):
    """The loader of a module has its text."""
    name = f"module_of_origins_{next(numbers)}"
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr(f"{name}.py", SQUARE)
    monkeypatch.syspath_prepend(tmp_path / "packed.zip")
    module = importlib.import_module(name)
    found = origin_of(module.f)
    assert found.text == SQUARE
    assert found.file.endswith(os.path.join("packed.zip", f"{name}.py"))
    assert line_of(module.f, found) == (1, "def f(x: float):")
    assert origin_of(module.f) is found


def test_without_asserts_and_docstrings():
    """Code that Python has optimised is compared with code that is optimised in the same way."""
    program = """if True:
        from flatgrad.frontend.live import live_definition
        def f(x):
            '''Doc.'''
            assert x
            return x
        print(live_definition(f).line)
    """
    assert python("-OO", "-c", program) == "3\n"


def test_under_a_trace_function(importing):
    """Tools that trace, as coverage does, change no code."""
    module = importing(SQUARE)
    found = []
    previous = sys.gettrace()
    sys.settrace(lambda frame, event, argument: None)
    try:
        found.append(line_of(module.f))
    finally:
        sys.settrace(previous)
    assert found == [(1, "def f(x: float):")]


def test_the_layer_is_cheap_to_import():
    """A function whose code is kept on disk needs no parser."""
    loaded = python("-c", "import sys, flatgrad.functions.origin; print(*(name for name in sys.modules))").split()
    assert "flatgrad.functions.origin" in loaded
    assert not {"libcst", "jinja2"} & set(loaded)
    assert not [name for name in loaded if name.startswith(("flatgrad.frontend", "flatgrad.graph"))]


# which def of the file

MANY = """
    import functools


    def keeping(function):
        return function


    def f(x):
        return x * 1
    first = f


    def f(x):
        return x * 2


    if len("a") == 1:
        def g(x):
            return x * 3
    else:
        def g(x):
            return x * 4


    def make(k):
        @keeping
        @keeping
        def scaled(x):
            return x * k
        return scaled


    made = [make(k) for k in range(3)]


    class Outer:
        class Inner:
            @staticmethod
            def f(x):
                return x * 2

    f.__name__ = f.__qualname__ = "other"
"""


def test_the_right_def_is_found_among_many(importing):
    """Names say little: it is the code that tells which def a function was made by."""
    module = importing(MANY)
    assert line_of(module.first) == (9, "def f(x):")
    assert line_of(module.f) == (14, "def f(x):")
    assert line_of(module.g) == (19, "def g(x):")
    assert line_of(module.Outer.Inner.f) == (40, "def f(x):")
    for k, function in enumerate(module.made):
        assert line_of(function) == (29, "def scaled(x):")
        assert live_definition(function).names.find("k") == k
    assert origin_of(module.made[0]).segment(module.made[0].__code__).count("@keeping") == 2


def test_edited_file_is_told_from_a_replaced_function(importing):
    """A function that was given another name is not taken for one that a decorator has put in its place."""
    module = importing(SQUARE)
    module.f.__name__ = "square"
    Path(module.__file__).write_text(SQUARE.replace("x * x", "x * x * x"))
    with pytest.raises(SourceError, match="the file has changed"):
        live_definition(module.f)


# segments

SEGMENTS = '''
import math


# of f
@math.log and (
    lambda function: function
)
def f(
    x,
    y=1,
):
    """Doc.

no indentation
    """
    z = [x
, y
]
    return sum(each * (lambda: 2)() for each in z)

    # a last comment
# one at the margin


def g(x): return x


class C:
    def h(x):
        def inner(y):
            return (y
)
        return inner(
            x
    )
    k = 1
'''


def test_segment_holds_the_function_and_what_belongs_to_it(importing):
    """A segment goes from the first decorator to the last comment, and not into the next statement."""
    module = importing(SEGMENTS)
    found = origin_of(module.f)
    segment = found.segment(module.f.__code__)
    assert segment.startswith("@math.log and (\n")
    assert segment.rstrip().endswith("# one at the margin")
    assert found.segment(module.g.__code__).rstrip() == "def g(x): return x"
    method = found.segment(module.C.h.__code__)
    assert method.startswith("    def h(x):\n        def inner(y):\n")
    assert method.endswith("            x\n    )\n")


def test_segment_changes_with_every_line_of_the_function(importing):
    """Any edit inside a function gives another segment, and one elsewhere gives the same."""
    module = importing(SEGMENTS)
    text = Path(module.__file__).read_text().split("\n")
    found = origin_of(module.f)
    segment = found.segment(module.f.__code__)
    first = text.index("@math.log and (")
    last = text.index("# one at the margin")
    for number in range(len(text)):
        if text[number]:
            edited = [*text[:number], text[number] + " ", *text[number + 1 :]]
            other = Origin("a.py", [line + "\n" for line in edited]).segment(module.f.__code__)
            assert (other != segment) == (first <= number <= last), text[number]


def test_segment_where_the_text_is_too_short():
    """An edit that shortened the file gives a segment of no meaning, and no error of its own."""
    function = executed("\n\n\n\ndef f(x):\n    return x\n")["f"]
    assert Origin("a.py", ["x = 1\n"]).segment(function.__code__) == ""
    assert Origin("a.py", []).segment(function.__code__) == ""
    assert Origin("a.py", []).text is None


# texts without a file


def test_bare_string_says_what_to_do():
    """A function whose text is nowhere is an error that names the two ways out."""
    function = executed("def f(x):\n    return x\n")["f"]
    found = origin_of(function)
    assert found.is_missing and found.text is None and found.file == "<string>"
    with pytest.raises(SourceError, match=r"`f` was made from a string \(<string>\)") as error:
        live_definition(function, found)
    assert (
        problem_of(error).hint == "put the function into a file and import it, or pass its text: flatgrad(source=...)"
    )


def test_doctest(tmp_path):
    """The examples of a docstring are found as doctest shows them to linecache."""
    test = doctest.DocTestParser().get_doctest(
        ">>> def f(x):\n...     return x * 2\n>>> line_of(f)\n(1, 'def f(x):')\n", {"line_of": line_of}, "t", None, 0
    )
    assert doctest.DocTestRunner().run(test) == (0, 2)


def test_command():
    """`python -c` is told to Python with the text, which stands for all functions in it but for no other string."""
    program = """if True:
        from flatgrad.frontend.live import live_definition
        from flatgrad.functions.origin import origin_of
        def f(x):
            return x * 2
        def g(x):
            return x * 3
        exec("def h(x):\\n    return x * 4\\n")
        print(live_definition(g).line, origin_of(f) is origin_of(g), origin_of(h).is_missing)
    """
    assert python("-W", "ignore", "-c", program, "-c", "1") == "6 True True\n"
    assert python("-Bc" + program) == "6 True True\n"


def test_piped_program_is_a_clear_error():
    """A program that Python reads from a pipe is gone when it has been run."""
    program = """
from flatgrad.errors import SourceError
from flatgrad.frontend.live import live_definition
import readline
def f(x):
    return x
try:
    live_definition(f)
except SourceError as error:
    print(error)
"""
    pytest.importorskip("readline")
    assert python("-", input=program).startswith("`f` was typed or piped into Python (<stdin>)")


TYPED = [
    "from flatgrad.functions.origin import origin_of",
    "def f(x):",
    "    return x * 1",
    "",
    "origin_of(f).text == 'def f(x):\\n    return x * 1\\n', origin_of(f).file",
    "def f(x",
    "):",
    "    y = 'a' 'b'",
    "    return [x,",
    "0]",
    "",
    "x = )",
    "(",
    "",
    ")",
    "'again', origin_of(f).text.count('\\n'), origin_of(f).segment(f.__code__) == origin_of(f).text",
    "if True:",
    "    def make(k):",
    "        def f(x):",
    "            return x * k",
    "        return f",
    "",
    "'made', origin_of(make(2)).text == 'def f(x):\\n    return x * k\\n', origin_of(make(2)).is_excerpt",
    "@(lambda function: print('at once', origin_of(function).text.count('x')) or function)",
    "def g(x):",
    "    return x + x + x",
    "",
    "def f(x):",
    "    pass",
    "    pass",
    "    return x",
    "",
    "'twice', origin_of(f).is_missing",
    "exec('def h(x): return x')",
    "'bare', origin_of(h).is_missing",
]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python keeps the texts itself")
def test_prompt(tmp_path):
    """What is typed at Python's prompt is taken from its history, where that gives the function's very code."""
    pytest.importorskip("readline")
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TERM": "dumb", "INPUTRC": os.devnull}
    environment.pop("PYTHONSTARTUP", None)
    with subprocess.Popen(
        [sys.executable, "-q"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path
    ) as process:
        os.close(theirs)
        shown = b""
        for line in [*TYPED, "exit()"]:
            while not shown.endswith((b">>> ", b"... ")):
                shown += os.read(ours, 4096)
            os.write(ours, line.encode() + b"\n")
            # the echo ends the prompt
            shown += os.read(ours, 4096)
        process.wait(30)
    os.close(ours)
    lines = shown.decode().replace("\r", "").split("\n")
    assert "(True, '<stdin>')" in lines
    assert "('again', 5, True)" in lines
    assert "('made', True, True)" in lines
    assert "at once 4" in lines
    # the history leaves out a line that is the same as the one before
    assert "('twice', True)" in lines
    assert "('bare', True)" in lines


def test_prompt_that_keeps_its_texts(monkeypatch):
    """From Python 3.13 on, linecache has the text of what was typed by its code."""
    text = "def f(x):\n    return x * 2\n"
    function = executed(text, "<stdin>")["f"]
    monkeypatch.setattr(linecache, "_getlines_from_code", lambda code: text.splitlines(True), raising=False)
    assert line_of(function) == (1, "def f(x):")


def test_history_is_searched_within_bounds(monkeypatch):
    """The search goes back 2,000 lines, compiles what begins with the function's name, and takes nothing unverified."""
    items = [
        "def f(x):",
        "    return x * 2",
        *["1"] * 1990,
        "def f(x):",
        "    return x * 3",
        "def f(x): (",
        "def ff(x):",
    ]
    history = types.SimpleNamespace(
        get_current_history_length=lambda: len(items), get_history_item=lambda number: items[number - 1]
    )
    monkeypatch.setitem(sys.modules, "readline", history)
    twice = executed("def f(x):\n    return x * 2\n", "<stdin>")["f"]
    assert origin_of(twice).text == "def f(x):\n    return x * 2\n"
    assert origin_of(executed("def f(x):\n    return x * 4\n", "<stdin>")["f"]).is_missing
    assert origin_of(executed("def f(x): return x * 2\n", "<string>")["f"]).is_missing
    items += ["1"] * 10
    assert origin_of(twice).is_missing


CELLS = """
import sys
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from flatgrad.frontend.live import live_definition
from flatgrad.functions.origin import origin_of

shell = InteractiveShell()

def run(cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    function = shell.user_ns["f"]
    return function, origin_of(function)

one, first = run("import math\\ndef f(x):\\n    return math.exp(x)\\n")
two, second = run("y = !echo\\ndef f(x):\\n    return x * 3 # \\u00e9\\n")
three, third = run("def f(x):\\n    return x * 3\\nawait __import__('asyncio').sleep(0)\\n")
Path("script.py").write_text("def f(x):\\n    return x * 4\\n")
four, fourth = run("%run script.py")
Path("script.py").write_text("# edited\\ndef f(x):\\n    return x * 5\\n")
five, fifth = run("%run script.py")
for function, found in [(one, first), (two, second), (three, third), (four, fourth), (five, fifth)]:
    definition = live_definition(function, found)
    print(definition.line, definition.source.lines[definition.line].split(" #")[0].strip())
"""


def test_cells_of_a_notebook(tmp_path):
    """Cells that are run again with other contents, with magics or an await, and files that are run."""
    pytest.importorskip("IPython")
    (tmp_path / "cells.py").write_text(CELLS, encoding="utf-8")
    printed = python("-X", "utf8", "cells.py", cwd=tmp_path)
    assert printed.split("\n")[-6:-1] == [
        "2 return math.exp(x)",
        "2 return x * 3",
        "1 return x * 3",
        "1 return x * 4",
        "2 return x * 5",
    ]


# texts given

WHOLE = '''"""Module."""
from __future__ import annotations

def make(k):
    class Kind:
        """Kind."""
        def f(self, x):
            """Doc of two
            lines.
  and a third"""
            # a comment
            return x * k + __class__.__private

        def g(x):
            def h(y):
                nonlocal x
                return y * x * k
            return h(x)
    return Kind

def f(x):
    return x
'''


IMPORTING = """import math

class Box:
    def get(self, x):
        return x

box = Box()

"""
METHODS = """def f(x):
    return math.exp(x) * box.get(x)
"""


def test_methods_of_imports_are_known_without_the_import():
    """Python compiles `math.exp(x)` otherwise where it sees that math is imported: a def alone does not tell."""
    function = executed(IMPORTING + METHODS, "<string>")["f"]
    assert given(function, METHODS)[1:] == (1, "def f(x):")
    assert given(function, IMPORTING + METHODS)[1:] == (9, "def f(x):")
    with pytest.raises(SourceError):
        origin_of(function, METHODS.replace("exp", "log"))


def given(function, text):
    found = origin_of(function, text)
    return found, *line_of(function, found)


def test_text_of_the_whole_file_or_of_the_def_alone():
    """Any excerpt that has the def is enough: what was around it is put around it again."""
    kind = executed(WHOLE, "/nowhere/whole.py")["make"](2)
    lines = WHOLE.splitlines(keepends=True)
    found, *place = given(kind.f, WHOLE)
    assert place == [7, "def f(self, x):"]
    assert (found.file, found.text, found.segment(kind.f.__code__)) == ("/nowhere/whole.py", WHOLE, WHOLE)
    # the class, the method with its comment, the method alone; places are those in the excerpt
    for start, stop in [(4, 12), (4, 17), (6, 12)]:
        found, line, text = given(kind.f, "".join(lines[start:stop]))
        assert (found.file, line, text) == ("<source>", 7 - start, "def f(self, x):")
        assert "\n  and a third" in found.text
    assert given(kind.g, "".join(lines[13:18]))[1:] == (1, "def g(x):")


def test_text_of_functions_in_functions():
    """Variables of the enclosing function are known again, without their values."""
    text = "def scaled(x):\n    return x * k * j\n"
    source = "def make(k):\n    j = 2\n    def scaled(x):\n        return x * k * j\n    return scaled\n"
    function = executed(source)["make"](3)
    found, line, _ = given(function, text)
    assert (found.file, line) == ("<source>", 1)
    assert live_definition(function, found).names.find("k") == 3
    assert given(function, textwrap.indent(text, "\t").replace("\n", "\r\n"))[1] == 1
    assert given(function, "\ufeff# above\n\n" + textwrap.indent(text, "  "))[1] == 3
    assert given(function, "\n" + source)[1] == 4
    # without its variables it is another function
    with pytest.raises(SourceError, match="it gives other code"):
        origin_of(function, text.replace(" * j", ""))


def test_scope_that_the_function_is_not_in_is_left_out():
    """A text that is not Python at one depth may be at another."""
    source = "def make(k):\n    def f(x):\n        nonlocal k\n        return x * k\n    return f\n"
    function = executed(source)["make"](1)
    assert given(function, "    def f(x):\n        nonlocal k\n        return x * k\n")[1] == 1
    with pytest.raises(SourceError, match="it has no def of that name"):
        origin_of(function, "from __future__ import annotations\n")


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("x = 1\n\ndef f(x):\n    return x * 3\n", "is not that of `f`: it gives other code", (3, 1)),
        ("  def f(x):\n    return x * 2.0\n", "is not that of `f`: it gives other code", (1, 1)),
        ("def g(x):\n    return x * 2\n", "is not that of `f`: it has no def of that name", (0, 0)),
        ("", "it has no def of that name", (0, 0)),
        ("def f(x):\n    return x *\n", "syntax error: invalid syntax", (2, 15)),
        ("    def f(x):\n        return (x\n", "syntax error: '(' was never closed", (2, 12)),
        ("def f(x):\nreturn x\n", "syntax error: expected an indented block", (2, 1)),
        ("def f(x):\n    return x\0\n", "null bytes", None),
    ],
)
def test_text_of_something_else_is_an_error_with_its_place(text, message, place):
    """No text is taken on trust: a wrong one would give the gradient of another function."""
    function = executed("def f(x):\n    return x * 2\n")["f"]
    with pytest.raises(SourceError) as error:
        origin_of(function, text)
    problem = problem_of(error)
    assert message in problem.message
    assert problem.file == "<source>"
    assert place is None or (problem.line, problem.column) == place


def test_text_that_is_no_str():
    """A path in place of the text is named as such."""
    with pytest.raises(SourceError, match="source is a (PosixPath|WindowsPath), not a str"):
        origin_of(problem_of, Path("a.py"))


def test_dedent_keeps_strings():
    """Taking the indentation away changes no string, so that docstrings compile to what they were."""
    text = '  # c\n    def f(x):\n# d\n        """A\n    B"""\n        y = f"""{x\n    }\n  """\n\n        return y\n'
    assert codes.dedented(text) == (
        '# c\ndef f(x):\n# d\n    """A\n    B"""\n    y = f"""{x\n    }\n  """\n\n    return y\n'
    )
    assert codes.dedented("x = 1\n  ") == "x = 1\n  "
    assert codes.dedented("") == ""


def test_given_text_is_compiled_without_warnings():
    """Python has shown its warnings when the function was made."""
    text = "def f(x):\n    x is 1\n    return x\n"
    with pytest.warns(SyntaxWarning):
        function = executed(text)["f"]
    assert given(function, text)[1] == 1


def test_builtin_open_is_not_called_again_for_a_file_that_is_known(importing, monkeypatch):
    """After the first function of a file no other one reads it."""
    module = importing(MANY)
    origin_of(module.f)

    def refuse(*arguments, **options):
        raise AssertionError("read again")

    monkeypatch.setattr(builtins, "open", refuse)
    assert origin_of(module.g).text.startswith("\nimport functools")
