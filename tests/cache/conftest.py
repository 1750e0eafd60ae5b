"""What the tests of the cache share: a folder of their own for it, and digests."""

import hashlib

import pytest


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The folder of the cache, which is not there yet. A warning is given once for each folder, so each test has one."""
    monkeypatch.setenv("FLATGRAD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("FLATGRAD_CACHE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def digest():
    """Return what makes the digest of a number, with chosen first digits."""

    def digest(number, start=""):
        return (start + hashlib.sha256(str(number).encode()).hexdigest())[:64]

    return digest


@pytest.fixture
def files(place):
    """Return what lists all files in the cache's folder."""
    return lambda: sorted(path for path in place.rglob("*") if not path.is_dir())
