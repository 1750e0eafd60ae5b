"""The text of the emitted programs with loops, branches and helpers.

It is clean, the same wherever and however it is written, and nothing in it is kept or computed for nobody.
"""

import ast
import functools
import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flatgrad import api
from flatgrad.arguments import emit_for_arguments
from flatgrad.frontend.live import live_definition
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent))
SPEC = importlib.util.spec_from_file_location("control_flow", HERE / "test_control_flow.py")
programs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(programs)
BY_NAME, STYLES = programs.BY_NAME, programs.straight.STYLES
every_program = pytest.mark.parametrize("name", BY_NAME)
every_style = pytest.mark.parametrize("style", STYLES)
FORMS = {"joint": False, "split": True}


def written(name, style, form):
    """Return the module that is emitted for a program: one function for both passes, or a forward and a backward one."""
    program = BY_NAME[name]
    bound = inspect.signature(program).bind(*programs.arguments_for(program, 3))
    bound.apply_defaults()
    options = Options(style=style)
    return emit_for_arguments(live_definition(program), bound.arguments, options, FORMS[form])[0].text


text_of = functools.cache(written)


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_ruff_finds_nothing(tmp_path):
    """`ruff check` and `ruff format` with default settings leave every module as it is.

    But for `if d < best: best = d`, which is how the user of `kmeans` wrote it.
    """
    for name in BY_NAME:
        for style in STYLES:
            for form in FORMS:
                (tmp_path / f"{name}_{style}_{form}.py").write_text(text_of(name, style, form))
            if name in programs.SCALAR:
                text = api.emit(BY_NAME[name], *programs.arguments_for(BY_NAME[name], 3), style=style, target="math")
                (tmp_path / f"{name}_{style}_math.py").write_text(str(text))
    for command in (["check", "--ignore", "PLR1730"], ["format", "--check", "--diff", "--line-length", "120"]):
        done = subprocess.run([RUFF, *command, "--isolated", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


AGAIN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("emitted_control_flow", {path!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for name in module.BY_NAME:
    for style in module.STYLES:
        for form in module.FORMS:
            sys.stdout.buffer.write(module.written(name, style, form).encode())
"""


def test_same_text_in_another_process(tmp_path):
    """Hash seeds, folders and what was written before leave no trace."""
    here = "".join(text_of(name, style, form) for name in BY_NAME for style in STYLES for form in FORMS)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONHASHSEED": "4242", "PYTHONPATH": path}
    command = [sys.executable, "-c", AGAIN.format(path=__file__)]
    done = subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == here


@every_program
@every_style
def test_same_text_again(name, style):
    """A program that is written twice is written in the same way."""
    assert written(name, style, "joint") == text_of(name, style, "joint")


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in programs.WITH_FUNCTIONS])
@every_style
def test_same_text_from_the_file(name, style):
    """What is found in the text of a file is what is found through the function itself."""
    program = BY_NAME[name]
    shapes = programs.SHAPES.get(program)
    (definition,) = static_definition(Source.read(HERE / f"{programs.FILE_OF[program]}.py"), name)
    from_file, _ = emit_from_annotations(definition, Options(style=style), shapes)
    assert from_file.text == str(api.emit(program, shapes=shapes, style=style))


def unread(function):
    """Return the names that a function gives a value to and never looks at, and its lists that it only appends to."""
    assigned, read = {}, set()
    to_itself = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AugAssign):
            to_itself.update(id(part) for part in looked_at_for_itself(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            to_itself.add(id(node.func.value))
    counters = {id(name) for loop in ast.walk(function) if isinstance(loop, ast.For) for name in counters_of(loop)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and id(node) not in to_itself:
            if isinstance(node.ctx, ast.Load):
                read.add(node.id)
            elif id(node) not in counters:
                assigned.setdefault(node.id, node.lineno)
    return {name: line for name, line in assigned.items() if name not in read and name != "_"}


def looked_at_for_itself(statement):
    """Return what `x += y` and `x = x.copy()` read of x: it is for x alone."""
    if isinstance(statement, ast.AugAssign):
        return [statement.target] if isinstance(statement.target, ast.Name) else []
    targets = {name.id for target in statement.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    value = statement.value
    is_copy = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "copy"
    return (
        [value.func.value]
        if is_copy and isinstance(value.func.value, ast.Name) and value.func.value.id in targets
        else []
    )


def counters_of(loop):
    """Return the targets of a loop of the user's: they have the user's names, read or not."""
    turned = isinstance(loop.iter, ast.Call) and getattr(loop.iter.func, "id", "") in ("reversed", "zip")
    return [] if turned else [part for part in ast.walk(loop.target) if isinstance(part, ast.Name)]


@every_program
@every_style
@pytest.mark.parametrize("form", FORMS)
def test_nothing_for_nobody(name, style, form):
    """Every variable is read behind its assignment, every tape that is filled, and every name that is saved."""
    tree = ast.parse(text_of(name, style, form))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert {function.name: found for function in functions if (found := unread(function))} == {}


@every_program
@every_style
@pytest.mark.parametrize("form", FORMS)
def test_saved_in_one_order(name, style, form):
    """A backward function takes apart what its forward function has put together."""
    tree = ast.parse(text_of(name, style, form))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    pairs = [name.removesuffix("_backward") for name in functions if name.endswith("_backward")]
    assert pairs or form == "joint"
    for each in pairs:
        returned = functions[f"{each}_forward"].body[-1]
        kept = [ast.unparse(part) for part in returned.value.elts[-1].elts]
        taken = [
            [ast.unparse(part) for part in node.targets[0].elts]
            for node in functions[f"{each}_backward"].body
            if isinstance(node, ast.Assign) and ast.unparse(node.value) == "saved"
        ]
        assert taken == ([kept] if kept else [])
