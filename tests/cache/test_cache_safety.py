"""Where the cache can't be used it is bypassed with one warning, and what others may write is never run."""

import errno
import os
import stat
import threading
import warnings
from pathlib import Path

import platformdirs
import pytest

from flatgrad.calling import cache
from flatgrad.calling.cache import CacheWarning

MODULE = "def f(x):\n    return x\n"
needs_user = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() == 0, reason="permissions do not bind the superuser"
)


def stored(digest, number=1):
    return cache.store(digest(number), "f", MODULE, {})


def assert_one_warning(digest, match):
    """The first use warns, further ones do not, and nothing is stored."""
    with pytest.warns(CacheWarning, match=match) as caught:
        assert stored(digest) is None
    assert len(caught) == 1
    assert "FLATGRAD_CACHE_DIR" in str(caught[0].message)
    assert "FLATGRAD_CACHE=off" in str(caught[0].message)
    for number in range(3):
        assert stored(digest, number) is None
        assert cache.load(digest(number), "f") is None


# which folder


@pytest.mark.parametrize("value", ["off", "OFF", "0", "no", "False", " off "])
def test_off_bypasses_without_a_word(place, digest, monkeypatch, value):
    """Who turns the cache off wants to hear nothing of it, and no folder made."""
    path = stored(digest)
    monkeypatch.setenv("FLATGRAD_CACHE", value)
    assert cache.load(digest(1), "f") is None
    assert stored(digest, 2) is None
    monkeypatch.setenv("FLATGRAD_CACHE", "on")
    assert cache.load(digest(1), "f")[0] == path
    assert cache.load(digest(2), "f") is None


def test_folder_is_the_user_cache_unless_chosen(tmp_path, monkeypatch):
    """The environment is read at each use."""
    assert cache.folder() == str(tmp_path / "cache")
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", "")
    for base in ("", "/elsewhere"):
        monkeypatch.setenv("XDG_CACHE_HOME", base)
        assert cache.folder() == platformdirs.user_cache_dir("flatgrad")
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", os.path.join("~", "kept"))
    assert cache.folder() == os.path.join(os.path.expanduser("~"), "kept")


def test_a_relative_folder_gives_absolute_file_names(tmp_path, digest, monkeypatch):
    """Tracebacks must find the file after the program has changed its working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", "here")
    assert stored(digest) == cache.load(digest(1), "f")[0]
    assert Path(stored(digest)).is_relative_to(tmp_path / "here")


def test_no_home_folder_is_one_warning(digest, monkeypatch):
    """In a container a user may have no home: nothing may be written into a folder named `~`."""
    monkeypatch.delenv("FLATGRAD_CACHE_DIR")
    monkeypatch.setattr(cache, "_default_folder", lambda: "~/.cache/flatgrad")
    monkeypatch.setattr(cache, "_warned", {})
    monkeypatch.setattr(cache, "_unwritable", set())
    assert_one_warning(digest, "there is no home folder")


# folders that can't be written


@pytest.mark.parametrize("inside", ["", "deeper", "deeper/still"])
def test_a_file_in_place_of_the_folder(place, digest, monkeypatch, inside):
    """A path that is taken is a warning that names it, not a crash."""
    place.write_text("mine")
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", str(place / inside))
    assert_one_warning(digest, "cache.*(is not a folder|Not a directory)")
    assert place.read_text() == "mine"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_a_folder_that_can_not_be_made(digest, monkeypatch):
    """/proc takes no folders, not even from the superuser."""
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", "/proc/flatgrad/cache")
    assert_one_warning(digest, "/proc/flatgrad/cache: ")


def test_a_path_that_is_too_long(place, digest, monkeypatch):
    """The file system's limits are a warning, at the first load already."""
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", str(place / ("a" * 300)))
    with pytest.warns(CacheWarning, match="name too long") as caught:
        assert cache.load(digest(1), "f") is None
        assert stored(digest) is None
        assert cache.load(digest(1), "f") is None
    assert len(caught) == 1


def test_a_working_folder_that_is_gone(tmp_path, digest, monkeypatch):
    """A relative folder means nothing there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", "here")
    monkeypatch.setattr(cache, "_warned", {})
    monkeypatch.setattr(cache, "_unwritable", set())
    os.rmdir(tmp_path / "gone")
    assert_one_warning(digest, "the working folder is gone")


@needs_user
def test_a_read_only_folder_still_gives_hits(place, digest):
    """A cache that came with an image is of use although nothing can be added."""
    stored(digest)
    inner = place / digest(1)[:2]
    for folder in (inner, place):
        folder.chmod(0o500)
    try:
        with pytest.warns(CacheWarning, match="Permission denied") as caught:
            assert stored(digest) is None
            assert stored(digest, 2) is None
            assert cache.load(digest(1), "f")[1] == MODULE
        assert len(caught) == 1
    finally:
        for folder in (place, inner):
            folder.chmod(0o700)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize("step", ["open", "replace"])
def test_a_disk_that_fails_leaves_nothing_and_still_gives_hits(digest, files, monkeypatch, number, step):
    """Whatever step of a store fails: no half entry, one warning, the old entry is still read, no further attempt."""
    path = stored(digest)
    attempts = []

    def fail(*arguments, **options):
        attempts.append(arguments)
        raise OSError(number, os.strerror(number), "file")

    with monkeypatch.context() as patch:
        if step == "open":
            real = os.open
            patch.setattr(os, "open", lambda path, flags, *mode: fail() if flags & os.O_CREAT else real(path, flags))
        else:
            patch.setattr(os, "replace", fail)
        with pytest.warns(CacheWarning, match=os.strerror(number)) as caught:
            assert stored(digest, 2) is None
            assert stored(digest, 3) is None
        assert cache.load(digest(1), "f")[1] == MODULE
    assert len(caught) == 1
    assert len(attempts) == 1
    assert [str(each) for each in files()] == [path]


def test_a_full_device_is_noticed(place, digest, files, monkeypatch):
    """The real thing: writes to /dev/full fail when the buffer is written out."""
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    real = os.open

    def full(path, flags, *mode):
        return real("/dev/full", os.O_WRONLY) if flags & os.O_CREAT else real(path, flags)

    monkeypatch.setattr(os, "open", full)
    assert_one_warning(digest, os.strerror(errno.ENOSPC))
    assert files() == []


@pytest.mark.parametrize("step", ["replace", "listdir"])
def test_an_interrupt_leaves_no_half_entry(digest, files, monkeypatch, step):
    """Ctrl-C at any moment: the entry is there whole, or not at all, and the cache stays in use."""

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            stored(digest)
    entry = cache.load(digest(1), "f")
    assert entry is None if step == "replace" else entry[1] == MODULE
    assert len(files()) == (step == "listdir")
    assert stored(digest)


def test_a_folder_that_vanishes_during_a_store_is_made_again(place, digest, monkeypatch):
    """`flatgrad cache clear` in another process may remove the folder between two steps of a store."""
    real, times = os.replace, []

    def late(source, target):
        times.append(source)
        if len(times) == 1:
            os.unlink(source)
            os.rmdir(os.path.dirname(source))
        real(source, target)

    monkeypatch.setattr(os, "replace", late)
    assert stored(digest)
    assert cache.load(digest(1), "f")[1] == MODULE
    assert len(set(times)) == 2


def test_threads_get_one_warning_together(place, digest):
    """Many threads may meet the broken folder at once."""
    place.write_text("")
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        stored(digest)

    with pytest.warns(CacheWarning) as caught:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(caught) == 1


def test_a_warning_turned_into_an_error_comes_once(place, digest):
    """Under `-W error` the state must be right after the error, too."""
    place.write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CacheWarning):
            stored(digest)
        assert stored(digest) is None


# whose files they are


@pytest.mark.parametrize("umask", [0, 0o777])
def test_folders_are_private_whatever_the_umask(place, digest, monkeypatch, umask):
    """Others must not be able to put code there; we must be able to."""
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", str(place / "deeper" / "still"))
    before = os.umask(umask)
    try:
        path = Path(stored(digest))
    finally:
        os.umask(before)
    for folder in (place, place / "deeper", place / "deeper" / "still", path.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 & ~umask


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
@pytest.mark.parametrize("part", ["folder", "inner folder"])
def test_a_folder_that_others_may_write_is_not_used(place, digest, part, mode):
    """An entry is code that is run: neither load nor store uses such a folder."""
    path = Path(stored(digest))
    folder = place if part == "folder" else path.parent
    folder.chmod(mode)
    with pytest.warns(CacheWarning, match=f"{folder} may be written by other users") as caught:
        assert cache.load(digest(1), "f") is None
        assert stored(digest) is None
        assert cache.load(digest(1), "f") is None
    assert len(caught) == 1


def test_a_file_that_others_may_write_is_not_run_and_is_replaced(digest):
    """The check is on the file that was opened, and the next store makes it good."""
    path = Path(stored(digest))
    path.chmod(0o620)
    with pytest.warns(CacheWarning, match=f"{path} may be written by other users"):
        assert cache.load(digest(1), "f") is None
    assert stored(digest)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cache.load(digest(1), "f")[1] == MODULE


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner's number here")
def test_what_belongs_to_another_user_is_not_used(digest, monkeypatch):
    """In a folder such as /tmp another user may have made the cache's folder first."""
    stored(digest)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.warns(CacheWarning, match="belongs to another user") as caught:
        assert cache.load(digest(1), "f") is None
        assert stored(digest, 2) is None
    assert len(caught) == 1


def test_without_owners_the_checks_are_left_out(place, digest, monkeypatch):
    """Windows has no such numbers and modes."""
    stored(digest)
    place.chmod(0o777)
    monkeypatch.delattr(os, "getuid")
    assert stored(digest, 2)
    assert cache.load(digest(1), "f")[1] == MODULE


def test_a_link_is_not_followed_and_is_replaced(tmp_path, digest):
    """Neither reading nor writing may go through a link to a file elsewhere."""
    path = Path(stored(digest))
    elsewhere = tmp_path / "elsewhere.py"
    path.rename(elsewhere)
    text = elsewhere.read_text()
    path.symlink_to(elsewhere)
    assert cache.load(digest(1), "f") is None
    assert cache.store(digest(1), "f", "x = 2\n", {}) == str(path)
    assert not path.is_symlink()
    assert elsewhere.read_text() == text
    assert cache.load(digest(1), "f")[1] == "x = 2\n"


def test_an_inner_folder_that_is_a_link_is_not_used(tmp_path, digest):
    """A link could lead to a folder with other people's entries."""
    inner = Path(stored(digest)).parent
    inner.rename(tmp_path / "elsewhere")
    inner.symlink_to(tmp_path / "elsewhere")
    with pytest.warns(CacheWarning, match="is not a folder"):
        assert cache.load(digest(1), "f") is None
    assert stored(digest) is None


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_a_miss(digest, kind):
    """A named pipe without a writer would block for ever."""
    path = stored(digest)
    os.unlink(path)
    os.mkdir(path) if kind == "folder" else os.mkfifo(path)
    assert cache.load(digest(1), "f") is None
