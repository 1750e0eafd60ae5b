"""One hash for all that is told apart by content. In: bytes. Out: hexadecimal digits. Layer: bottom."""

from __future__ import annotations

try:
    # the one of hashlib, whose import takes longer than a look-up on disk because it loads OpenSSL
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b


def hashed(data: bytes) -> str:
    """Return 64 hexadecimal digits: BLAKE2b of 32 bytes (RFC 7693)."""
    return blake2b(data, digest_size=32).hexdigest()
