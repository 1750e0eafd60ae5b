"""`flatgrad cache`: where the cache is, how much is in it, and that clearing removes nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flatgrad.calling import cache
from flatgrad.cli import main

ROOT = Path(__file__).parents[2]


def printed(capsys, *arguments):
    """Run the command; return what it prints."""
    assert main(["cache", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_path_is_the_folder_alone(place, capsys):
    """Scripts use it as it is, whether or not the folder is there."""
    assert printed(capsys, "path") == f"{place}\n"
    assert not place.exists()


@pytest.mark.parametrize("arguments", [["size"], []])
def test_size_counts_entries_and_bytes(place, digest, capsys, arguments):
    """This is also what the bare command shows."""
    assert printed(capsys, *arguments) == f"0 entries, 0 B in {place}\n"
    path = cache.store(digest(1), "f", "x = 1\n", {})
    assert printed(capsys, *arguments) == f"1 entry, {os.stat(path).st_size} B in {place}\n"
    path = cache.store(digest(2), "f", "#" * 2_500_000, {})
    assert printed(capsys, *arguments) == f"2 entries, 2.5 MB in {place}\n"


def test_clear_removes_what_flatgrad_has_made_and_nothing_else(place, digest, capsys):
    """FLATGRAD_CACHE_DIR may be a folder in which other things lie, even things that look nearly alike."""
    for number in range(5):
        cache.store(digest(number), "f", "x = 1\n", {})
    cache.store(digest(9, "ab"), "f", "x = 1\n", {})
    foreign = [
        "data.csv",
        "f_0123456789abcdef.py",
        "ab/mine.py",
        "ab/f_0123456789abcdef.py",
        "ab/f_ab23456789abcdef.txt",
        "abc/f_ab23456789abcdef.py",
        "cd/deep/f_cd23456789abcdef.py",
    ]
    for name in foreign:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("mine")
    (place / "ef").symlink_to(place / "ab")
    (place / "ab" / "f_ab00000000000000.py").symlink_to(place / "data.csv")
    assert printed(capsys, "clear") == f"removed 6 entries from {place}\n"
    left = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file() or path.is_symlink())
    assert left == sorted([*foreign, "ef", "ab/f_ab00000000000000.py"])
    assert sorted(path.name for path in place.iterdir()) == ["ab", "abc", "cd", "data.csv", "ef", foreign[1]]
    assert printed(capsys, "clear") == f"removed 0 entries from {place}\n"


def test_clear_without_a_folder(place, capsys):
    """Nothing to do is no error, and makes no folder."""
    assert printed(capsys, "clear") == f"removed 0 entries from {place}\n"
    assert not place.exists()


def test_a_cache_that_is_off_is_said_to_be(place, digest, capsys, monkeypatch):
    """Who wonders why nothing is kept finds the reason here; what is there can still be cleared."""
    cache.store(digest(1), "f", "x = 1\n", {})
    monkeypatch.setenv("FLATGRAD_CACHE", "off")
    for action, shown in (("path", f"{place}\n"), ("size", "1 entry, "), ("clear", "removed 1 entry from ")):
        assert main(["cache", action]) == 0
        captured = capsys.readouterr()
        assert captured.out.startswith(shown)
        assert captured.err == "note: the cache is off: FLATGRAD_CACHE says so\n"


@pytest.mark.parametrize("action", ["size", "clear"])
def test_a_folder_that_can_not_be_read_is_one_line(place, capsys, action):
    """Bad input is status 2 and one line that names the folder."""
    place.write_text("mine")
    assert main(["cache", action]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"can't use the cache's folder: {place}: Not a directory\n"
    assert captured.out == ""
    assert place.read_text() == "mine"


@pytest.mark.parametrize("action", ["path", "size", "clear"])
def test_no_home_folder_is_one_line(capsys, monkeypatch, action):
    """The same for a user who has none."""
    monkeypatch.delenv("FLATGRAD_CACHE_DIR")
    monkeypatch.setattr(cache, "_default_folder", lambda: "~/.cache/flatgrad")
    assert main(["cache", action]) == 2
    assert capsys.readouterr().err == "FLATGRAD_CACHE_DIR is not set, and there is no home folder\n"


def test_an_unknown_action_is_wrong_usage(capsys):
    """As everywhere: status 2 and the usage."""
    with pytest.raises(SystemExit) as exit:
        main(["cache", "wipe"])
    assert exit.value.code == 2
    assert capsys.readouterr().err.startswith("usage: flatgrad cache")


def test_the_command_imports_little(tmp_path):
    """A look at the cache must not wait for the parser or the templates; a folder's odd name is printed as is."""
    script = (
        "import sys; from flatgrad.cli import main; status = main(['cache', 'path']); "
        "sys.exit(status or len({'libcst', 'jinja2', 'rich'} & set(sys.modules)))"
    )
    odd = os.fsencode(tmp_path) + b"/odd\xff"
    environment = {**os.environb, b"PYTHONPATH": os.fsencode(ROOT), b"FLATGRAD_CACHE_DIR": odd}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, odd + b"\n", b"")
