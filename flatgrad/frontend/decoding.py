"""The text in a file's bytes, as Python reads it.

In: bytes. Out: text, or a SourceError at the byte that is wrong. Layer: bottom of `frontend`.
"""

from __future__ import annotations

import io
import tokenize

from flatgrad.errors import Problem, SourceError


def decoded(data: bytes, file: str) -> str:
    """Return the text of a file as Python would: by its byte order mark or coding line, else UTF-8."""
    hint = "save the file as UTF-8, or name its encoding in the first line: # -*- coding: ... -*-"
    encoding = "utf-8"
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(_undecodable(data, error, file, hint)) from None
    except SyntaxError as error:
        # the same error stands for bytes that are not UTF-8 in the first two lines
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as undecodable:
            if "unknown" not in str(error.msg):
                raise SourceError(_undecodable(data, undecodable, file, hint)) from None
        raise SourceError(Problem(f"the coding line can't be followed: {error.msg}", hint, file)) from None
    except LookupError:
        message = f"the coding line names {encoding!r}, which is not an encoding of text"
        raise SourceError(Problem(message, hint, file)) from None


def _undecodable(data: bytes, error: UnicodeDecodeError, file: str, hint: str) -> Problem:
    line = data.count(b"\n", 0, error.start) + 1
    message = (
        f"line {line} can't be decoded as {error.encoding}: byte 0x{data[error.start]:02x} at offset {error.start}"
    )
    return Problem(message, hint, file)
