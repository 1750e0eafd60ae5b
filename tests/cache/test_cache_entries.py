"""What is kept comes back to the byte; what is not whole or not an entry of this digest is a miss."""

import os
import shutil
import time
import traceback
from pathlib import Path

import pytest

from flatgrad.calling import cache

MODULE = '"""Squares."""\n\n\ndef f(x):\n    grad_x = 2 * x\n    return x / 0, grad_x\n'
FACTS = {"wrt": ["W", "b"], "bare": False, "note": "ä\n# \u2028", "reads": {"eps": 1e-8, "n": None}}
TEXTS = {
    "module": MODULE,
    "empty": "",
    "no last newline": "x = 1",
    "only newlines": "\n\n",
    "windows": "x = 1\r\ny = 2\r\n",
    "old mac": "x = 1\ry = 2\r",
    "mixed": "x = 1\r\n\ny = 2\r\x0c\n",
    "not ASCII": "größe = '損失 \U0001f600'\n",
    "separators of lines": "x = '\u2028\x85'",
    "byte order mark": "\ufeffx = 1\n",
    "null": "\0",
    "like the last line": "# flatgrad cache: " + "0" * 64 + " 0 {}\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_and_facts_come_back_as_they_were(place, digest, text):
    """Line ends, encodings and a missing last newline must not change: the text is compiled."""
    path = cache.store(digest(1), "f", text, FACTS)
    assert cache.load(digest(1), "f") == (path, text, FACTS)
    assert Path(path).read_bytes().startswith(text.encode())
    assert Path(path).is_relative_to(place)


def test_an_entry_that_holds_an_entry_comes_back(digest):
    """Only the last line is the cache's own, whatever the text ends with."""
    inner = Path(cache.store(digest(1), "f", MODULE, FACTS)).read_text()
    cache.store(digest(1), "f", inner, {})
    assert cache.load(digest(1), "f")[1:] == (inner, {})


def test_nothing_is_there_before_the_first_store(place, digest):
    """A look-up makes no folder and gives no warning."""
    assert cache.load(digest(1), "f") is None
    assert not place.exists()


def test_store_replaces_an_entry(digest, files):
    """The last one counts, and there is one file for it."""
    cache.store(digest(1), "f", "x = 1\n", {})
    cache.store(digest(1), "f", "x = 2\n", {"n": 2})
    assert cache.load(digest(1), "f")[1:] == ("x = 2\n", {"n": 2})
    assert len(files()) == 1


def test_traceback_shows_the_line_from_the_file(digest):
    """What is read is what runs: the file that a traceback names holds the line that ran."""
    cache.store(digest(1), "f", MODULE, FACTS)
    path, text, _ = cache.load(digest(1), "f")
    namespace = {}
    exec(compile(text, path, "exec"), namespace)
    with pytest.raises(ZeroDivisionError) as error:
        namespace["f"](1.0)
    shown = "".join(traceback.format_exception(error.value))
    assert f'File "{path}", line 6, in f\n    return x / 0, grad_x\n' in shown
    # with its last line, too, the file is a module
    compile(Path(path).read_bytes(), path, "exec")


@pytest.mark.parametrize("name", ["f", "_", "größe", "損失", "a" * 500, "<lambda>", "../../x", "a/b", "C:", "n\0", ""])
def test_file_name_is_portable_and_short(place, digest, name):
    """A name in any script, and of any length, gives a file in the cache that every file system can hold."""
    path = Path(cache.store(digest(1), name, MODULE, {}))
    assert cache.load(digest(1), name)[1] == MODULE
    assert path.parent.parent == place
    assert path.name.isascii()
    assert path.name.removesuffix(".py").replace("_", "").isalnum()
    assert len(path.name) <= 80
    assert cache.clear() == 1


def test_name_and_digest_are_in_the_file_name(digest):
    """Tracebacks name the file, so it has to say whose code it is."""
    assert os.path.basename(cache.store(digest(1), "loss", "", {})) == f"loss_{digest(1)[:16]}.py"


@pytest.mark.parametrize("bad", ["", "ab", "g" * 64, "../" + "a" * 61, "A" * 64, "a" * 65, "a" * 64 + "\n"])
def test_only_a_digest_is_a_digest(bad):
    """A digest becomes part of a path: nothing else may."""
    with pytest.raises(ValueError, match="not a digest"):
        cache.load(bad, "f")
    with pytest.raises(ValueError, match="not a digest"):
        cache.store(bad, "f", "", {})


def test_every_changed_byte_is_a_miss(digest):
    """A file that a disk or an editor has changed must never run."""
    path = Path(cache.store(digest(1), "f", MODULE, FACTS))
    data = path.read_bytes()
    for position in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            path.write_bytes(data[:position] + bytes([data[position] ^ flip]) + data[position + 1 :])
            assert cache.load(digest(1), "f") is None, position
    path.write_bytes(data)
    assert cache.load(digest(1), "f")[1:] == (MODULE, FACTS)


@pytest.mark.parametrize("text", [MODULE, "", "x = 1"], ids=["module", "empty", "no last newline"])
def test_every_other_length_is_a_miss(digest, text):
    """A file that was cut off, or that something was added to or put before, must never run."""
    path = Path(cache.store(digest(1), "f", text, FACTS))
    data = path.read_bytes()
    others = [data[:length] for length in range(len(data))] + [data[length:] for length in range(1, len(data))]
    for changed in [*others, data + b"\n", data + b"#", data + data, b"\n" + data, b"#" + data, b"\0" * len(data)]:
        path.write_bytes(changed)
        assert cache.load(digest(1), "f") is None, changed


def test_a_broken_entry_is_rewritten_by_the_next_store(digest):
    """A miss must not last."""
    path = Path(cache.store(digest(1), "f", MODULE, {}))
    path.write_bytes(b"\xff\xfe broken")
    assert cache.load(digest(1), "f") is None
    assert cache.store(digest(1), "f", MODULE, {}) == str(path)
    assert cache.load(digest(1), "f")[1] == MODULE


def test_an_entry_of_another_digest_in_the_right_place_is_a_miss(digest):
    """Neither a copied file nor an equal beginning of two digests may give another function's code."""
    first, second = digest(1), digest(2)
    path = cache.store(first, "f", "x = 1\n", {})
    other = cache.store(second, "f", "x = 2\n", {})
    shutil.copy(path, other)
    assert cache.load(second, "f") is None
    near = first[:16] + second[16:]
    assert cache.load(near, "f") is None
    assert cache.store(near, "f", "x = 3\n", {}) == path
    assert cache.load(first, "f") is None
    assert cache.load(near, "f")[1] == "x = 3\n"


def test_what_is_too_large_is_not_kept(digest, files, monkeypatch):
    """A file of any size in the cache's folder must not fill the memory."""
    monkeypatch.setattr(cache, "LARGEST", 1000)
    path = Path(cache.store(digest(1), "f", MODULE, {}))
    assert cache.store(digest(2), "f", "#" * 1000, {}) is None
    assert files() == [path]
    path.write_bytes(b"#" * 1001 + path.read_bytes())
    assert cache.load(digest(1), "f") is None


def test_facts_that_are_no_literals_are_an_error(digest, files):
    """Facts must come back as they were, or not at all."""
    with pytest.raises(TypeError):
        cache.store(digest(1), "f", MODULE, {"dtype": object()})
    assert files() == []


# how much is kept


def test_a_folder_is_bounded_and_the_oldest_entries_go(place, digest, files, monkeypatch):
    """The cache must not grow without end; files of others in it are never removed."""
    monkeypatch.setattr(cache, "MOST_IN_FOLDER", 20)
    now = time.time()
    foreign = place / "ab" / "notes.py"
    for number in range(20):
        path = cache.store(digest(number, "ab"), "f", MODULE, {})
        os.utime(path, (now, now - 1000 + number))
    foreign.write_text("")
    os.utime(foreign, (0, 0))
    assert len(files()) == 21
    assert cache.store(digest(20, "ab"), "f", MODULE, {})
    found = [number for number in range(21) if cache.load(digest(number, "ab"), "f")]
    assert found == list(range(6, 21))
    assert foreign.exists()
    for number in range(21, 100):
        cache.store(digest(number, "ab"), "f", MODULE, {})
        assert cache.load(digest(number, "ab"), "f")
        assert len(files()) <= 21


def test_a_new_entry_stays_even_where_all_others_seem_newer(digest, monkeypatch):
    """A clock that was wrong must not make each store remove what it has just written."""
    monkeypatch.setattr(cache, "MOST_IN_FOLDER", 4)
    for number in range(5):
        path = cache.store(digest(number, "ab"), "f", MODULE, {})
        assert cache.load(digest(number, "ab"), "f")
        os.utime(path, (2**33, 2**33))


def test_what_is_used_counts_as_new(digest):
    """Entries in use stay longest; a hit on a fresh one writes nothing."""
    path = cache.store(digest(1), "f", MODULE, {})
    recent, old = time.time() - 3600, time.time() - 3 * 86400
    os.utime(path, (recent, recent))
    assert cache.load(digest(1), "f")
    assert os.stat(path).st_mtime == pytest.approx(recent, abs=1)
    os.utime(path, (old, old))
    assert cache.load(digest(1), "f")
    assert os.stat(path).st_mtime > recent


def test_files_of_killed_processes_are_removed_in_time(place, digest):
    """A process that is killed leaves a temporary file; a fresh one may be in use, one of another program is not ours."""
    cache.store(digest(1, "ab"), "f", MODULE, {})
    left, fresh, foreign = (
        place / "ab" / f"{name}.tmp" for name in (f".flatgrad-{1:016x}", f".flatgrad-{2:016x}", "x")
    )
    for path in (left, fresh, foreign):
        path.write_text("half")
    for path in (left, foreign):
        os.utime(path, (0, time.time() - 2 * 3600))
    cache.store(digest(2, "ab"), "f", MODULE, {})
    assert [left.exists(), fresh.exists(), foreign.exists()] == [False, True, True]
    assert cache.clear() == 2
    assert [fresh.exists(), foreign.exists()] == [False, True]
