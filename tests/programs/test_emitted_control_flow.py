"""What holds for the text of every emitted program with loops, branches and helpers.

It is clean, the same wherever and however it is written, and nothing in it is kept or computed for nobody.
"""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from flatgrad import api
from flatgrad.arguments import emit_for_arguments
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit_from_annotations
from flatgrad.signature import parameters_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent))
SPEC = importlib.util.spec_from_file_location("control_flow", HERE / "test_control_flow.py")
programs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(programs)
BY_NAME, STYLES, arguments_for = programs.BY_NAME, programs.straight.STYLES, programs.arguments_for
FROM_FILES = [name for name in BY_NAME if name not in programs.WITH_FUNCTIONS]
every_program = pytest.mark.parametrize("name", BY_NAME)
every_style = pytest.mark.parametrize("style", STYLES)


def definition_of(name):
    (definition,) = static_definition(Source.read(HERE / f"{programs.FILE_OF[BY_NAME[name]]}.py"), name)
    return definition


def joint_texts():
    """Return the modules with one function for both passes."""
    found = {}
    for name, program in BY_NAME.items():
        for style in STYLES:
            found[f"{name}_{style}"] = str(api.emit(program, *arguments_for(program, 3), style=style))
    return found


def split_texts():
    """Return the modules with a forward and a backward function."""
    found = {}
    for name in FROM_FILES:
        definition = definition_of(name)
        given = arguments_for(BY_NAME[name], 3)
        parameters = parameters_of(definition)
        arguments = {parameter.name: argument for parameter, argument in zip(parameters, given, strict=False)}
        defaults = BY_NAME[name].__kwdefaults__ or {}
        arguments |= {each: default for each, default in defaults.items() if each not in arguments}
        missing = [parameter.name for parameter in parameters if parameter.name not in arguments]
        arguments |= dict(zip(missing, (BY_NAME[name].__defaults__ or ())[-len(missing) :], strict=True)) if missing else {}
        for style in STYLES:
            emitted, _, _ = emit_for_arguments(definition, arguments, Options(style=style), split=True)
            found[f"{name}_{style}_split"] = emitted.text
    return found


@pytest.fixture(scope="module")
def texts():
    """All emitted modules by their names."""
    return joint_texts() | split_texts()


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_ruff_finds_nothing(texts, tmp_path):
    """`ruff check` and `ruff format` with default settings leave every module as it is."""
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    for command in (["check"], ["format", "--check", "--diff", "--line-length", "120"]):
        done = subprocess.run([RUFF, *command, "--isolated", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
