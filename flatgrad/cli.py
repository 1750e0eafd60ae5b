"""The command line: ``flatgrad emit FILE.py[:FUNC]``, ``flatgrad rules`` and ``flatgrad cache``.

In: arguments. Out: a module on standard output or in a file, and the exit status: 0 done, 1 `--check` found a
difference, 2 bad input. The user's file is read and never run. What only `emit` needs is imported when it runs.
Layer: top.
"""

from __future__ import annotations

import argparse
import difflib
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flatgrad.calling import cache
from flatgrad.catalogue.command import RULES_HELP, add_rules
from flatgrad.errors import FlatgradError, Problem
from flatgrad.files import write_whole
from flatgrad.options import STYLES, TARGETS
from flatgrad.standard_output import OutputError, discard, show
from flatgrad.version import __version__

if TYPE_CHECKING:
    from flatgrad.emission.module import ModuleParts
    from flatgrad.frontend.source import Definition

DIFFERENT = 1
BAD_INPUT = 2
INTERRUPTED = 130
DIFF_LINES = 20
SHAPES_HELP = """shapes, where annotations do not tell them:
  X=(n,d) labels=int(n,) rate=float     arrays, numbers; a name stands for one size everywhere
  params.W=(d,h) params['W']=(d,h)      parts of a dict or an object
  layers[0].W=(h,h)                     one part of a list or tuple
  len(layers)=12 layers[*].W=(h,h)      all of its parts
  config.heads=4 config.act='tanh'      numbers and strings that are known when the code is written"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    try:
        parsed = _parsed(arguments)
        status: int = parsed.run(parsed)
        return status
    except FlatgradError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # the reader has all that it wants
        discard()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="flatgrad", description="Write the backward pass of a NumPy function as flat source.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"flatgrad {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    emit = _add_emit(commands)
    add_rules(commands)
    _add_cache(commands)
    parsed = parser.parse_args(arguments)
    if parsed.run is _emitted and parsed.check and parsed.output is None:
        emit.error("--check needs -o OUT, the file to compare with")
    return parsed


def _add_emit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "emit",
        help="write the forward and backward pass of a function",
        description="Write the forward and backward pass of FUNC, or of every function decorated with @flatgrad.\n"
        "The file is read, never run. Options override those of the decorator.",
        epilog=SHAPES_HELP + "\n\nexit status: 0 done, 1 --check found a difference, 2 bad input",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    place = "the file to read, and which function of it; a method is CLASS.METHOD"
    command.add_argument("file", metavar="FILE.py[:FUNC]", help=place)
    command.add_argument("-o", dest="output", metavar="OUT", help="write to this file (default: standard output)")
    command.add_argument("--wrt", metavar="W,b", help="the parameters to differentiate by; `W` gives the bare gradient")
    command.add_argument(
        "--shapes", metavar="TEXT", help='shapes of parameters, as in "X=(n,d) labels=int(n,)"; see below'
    )
    command.add_argument("--style", choices=STYLES, help="one gate a line, or the statements whole")
    command.add_argument("--target", choices=TARGETS, help="write NumPy, or math for Python floats")
    command.add_argument("--rules", metavar="MODULE", action="append", default=[], help=RULES_HELP)
    command.add_argument("--check", action="store_true", help="write nothing; tell whether OUT is up to date")
    command.set_defaults(run=_emitted)
    return command


def _add_cache(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "cache",
        help="show or clear the folder that keeps emitted code",
        description="path: print the folder that keeps emitted code. size: print how much is in it (default). clear: "
        "remove what flatgrad has put there. FLATGRAD_CACHE_DIR names another folder, and FLATGRAD_CACHE=off turns "
        "the cache off.",
        allow_abbrev=False,
    )
    command.add_argument("action", nargs="?", choices=("path", "size", "clear"), default="size", help="what to do")
    command.set_defaults(run=_cached)


def _cached(parsed: argparse.Namespace) -> int:
    """Show or clear the cache and return the exit status."""
    place = cache.folder()
    if parsed.action == "path":
        show(f"{place}\n")
    elif parsed.action == "size":
        entries, size = cache.size()
        show(f"{_counted(entries)}, {_readable(size)} in {place}\n")
    else:
        show(f"removed {_counted(cache.clear())} from {place}\n")
    if cache.is_off():
        print("note: the cache is off: FLATGRAD_CACHE says so", file=sys.stderr)
    return 0


def _counted(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"


def _readable(size: float) -> str:
    """Return a number of bytes as people write it: 312 B, 1.2 MB."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _emitted(parsed: argparse.Namespace) -> int:
    """Do what `emit` says and return the exit status."""
    from flatgrad.frontend.source import Source
    from flatgrad.frontend.static import static_definition

    file, function = _file_and_function(parsed.file)
    if parsed.rules:
        from flatgrad.catalogue.modules import import_rules

        import_rules(parsed.rules, file)
    definitions = static_definition(Source.read(file), function)
    if parsed.output is not None:
        _check_output(parsed.output, file)
    text, notes = _module(definitions, parsed)
    status = 0
    if parsed.check:
        status = _compared(parsed.output, text)
    elif parsed.output is not None:
        _write(parsed.output, text)
    else:
        show(text, kind="source")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return status


def _file_and_function(text: str) -> tuple[str, str | None]:
    """Split at the last colon where a name follows it: a path may have colons of its own."""
    file, colon, function = text.rpartition(":")
    if colon and file and function.isidentifier():
        return file, function
    # the name of a file may have dots, too
    owner, dot, method = function.partition(".")
    if dot and owner.isidentifier() and method.isidentifier() and file.endswith(".py"):
        return file, function
    return text, None


def _module(definitions: Sequence[Definition], parsed: argparse.Namespace) -> tuple[str, list[str]]:
    """Return one module for all functions, and notes. Raises FlatgradError with the problems of all of them."""
    from flatgrad.emission.module import written_module
    from flatgrad.pipeline import emit_from_annotations

    chosen: dict[str, Any] = {name: getattr(parsed, name) for name in ("style", "target") if getattr(parsed, name)}
    if parsed.wrt is not None:
        chosen["wrt"] = _wrt(parsed.wrt)
    parts: list[ModuleParts] = []
    notes: list[str] = []
    errors: list[FlatgradError] = []
    for definition in definitions:
        try:
            emitted, assumed = emit_from_annotations(definition, replace(definition.options, **chosen), parsed.shapes)
        except FlatgradError as error:
            errors.append(error)
        else:
            parts.append(emitted.parts)
            notes += [f"{definition.display}: {note}" for note in assumed]
    if errors:
        # what is wrong with the options is wrong for each of the functions
        problems = dict.fromkeys(problem for error in errors for problem in error.problems)
        raise type(errors[0])(list(problems))
    return written_module(parts), notes


def _wrt(text: str) -> str | tuple[str, ...]:
    """Return one name for ``W``, a tuple for ``W,b`` and for ``W,``."""
    names = [name.strip() for name in text.split(",")]
    if len(names) == 1:
        return names[0]
    return tuple(names if names[-1] else names[:-1])


def _check_output(output: str, file: str) -> None:
    """Raise what can be told to be wrong with the output before anything is emitted."""
    if os.path.isdir(output or os.curdir):
        raise OutputError(Problem("the output is a folder", "name a file in it", output))
    if os.path.exists(output) and os.path.samefile(output, file):
        raise OutputError(Problem("the output is the file that is read", "name another file", output))


def _compared(output: str, text: str) -> int:
    """Return the exit status of `--check`, and show the first differences."""
    try:
        with open(output, "rb") as stream:
            found = stream.read()
    except FileNotFoundError:
        print(f"{output}: not up to date: there is no such file", file=sys.stderr)
        return DIFFERENT
    except OSError as error:
        raise OutputError(Problem(f"can't read the file: {error.strerror}", file=output)) from None
    if found == text.encode():
        return 0
    old, new = found.decode(errors="replace").splitlines(), text.splitlines()
    lines = list(difflib.unified_diff(old, new, output, "emitted now", n=1, lineterm=""))
    more = len(lines) - DIFF_LINES
    print(f"{output}: not up to date", *lines[:DIFF_LINES], sep="\n", file=sys.stderr)
    if more > 0:
        print(f"... and {more} more lines", file=sys.stderr)
    return DIFFERENT


def _write(output: str, text: str) -> None:
    """Write a file so that it is there whole or not at all. Raises OutputError where it can't be written."""
    try:
        if os.path.exists(output) and not os.access(output, os.W_OK):
            raise PermissionError(0, "the file is not writable")
        if os.path.exists(output) and not stat.S_ISREG(os.stat(output).st_mode):
            # a device or a pipe can't be replaced
            with open(output, "wb") as stream:
                stream.write(text.encode())
        else:
            # the file keeps its permissions
            kept = stat.S_IMODE(os.stat(output).st_mode) if os.path.exists(output) else None
            write_whole(os.path.realpath(output), text.encode(), permissions=kept, durable=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(Problem(f"can't write the file: {reason}", file=output)) from None
