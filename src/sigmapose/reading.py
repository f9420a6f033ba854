"""One guard around every reader of files that people bring: whatever goes wrong inside is one clear line."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sigmapose.errors import InputError, SigmaposeError

MAX_JSON_BYTES = 256 << 20
"""A JSON document is held in memory as a whole, at about five times its size."""
MAX_SMALL_BYTES = 16 << 20
"""Cameras and calibrators; ours has 300 KB."""
_SHOWN = 240
_ILLEGIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Opening a pipe that nobody writes to must not wait."""


@contextmanager
def guarded(path: Path | str, remedy: str, family: type[SigmaposeError] = InputError) -> Iterator[None]:
    """What a reader raises becomes one line of `family` that names the file and the remedy.

    Errors of our own pass through. Files come from anywhere, so every other exception says that the file is
    not what the reader expects; the original stays attached as the cause.
    """
    try:
        yield
    except SigmaposeError:
        raise
    except Exception as error:
        raise family(f"{path}: {reason(error)}: {remedy}") from error


def reason(error: Exception) -> str:
    """What an exception means for somebody whose file it is about, in a few words."""
    text = " ".join(str(error).split())[:_SHOWN]
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or text})"
    if isinstance(error, UnicodeError):
        return f"is not text in UTF-8 ({text})"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, MemoryError):
        return "does not fit into the memory"
    if isinstance(error, OverflowError) or "digits) for integer string" in text:
        return "holds a number that is too large"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON ({text})"
    if isinstance(error, KeyError):
        return f"lacks {text}"
    if isinstance(error, ValueError) and text:
        return text
    return f"is malformed: its parts do not fit together ({type(error).__name__}: {text})"


def legible(text: str) -> str:
    """Text with what cannot be shown escaped: control characters, and bytes of a name that are not UTF-8."""
    return _ILLEGIBLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps such a byte (PEP 383)
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def check_regular(path: Path, remedy: str, limit: int, family: type[SigmaposeError] = InputError) -> None:
    """An error of `family` unless the path is a regular file of at most `limit` bytes.

    Devices and pipes may never end; a size is checked before anything is held in memory.
    """
    with guarded(path, remedy, family):
        _check(os.stat(path), path, remedy, limit, family)


def _check(about: os.stat_result, path: Path, remedy: str, limit: int, family: type[SigmaposeError]) -> None:
    if stat.S_ISDIR(about.st_mode):
        raise family(f"{path}: is a folder: {remedy}")
    if not stat.S_ISREG(about.st_mode):
        raise family(f"{path}: is no regular file: save it as a file first")
    if about.st_size > limit:
        raise family(
            f"{path}: has {about.st_size >> 20} MB, more than {limit >> 20} MB are not read: split it"
        )


def read_bytes(path: Path, remedy: str, *, limit: int, family: type[SigmaposeError] = InputError) -> bytes:
    """The content of a regular file of at most `limit` bytes; anything else is an error of `family`."""
    with guarded(path, remedy, family):
        descriptor = os.open(path, _READ)
        try:
            about = os.fstat(descriptor)
            _check(about, path, remedy, limit, family)
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                return file.readall()
        finally:
            os.close(descriptor)


def read_json(
    path: Path, remedy: str, *, limit: int = MAX_JSON_BYTES, family: type[SigmaposeError] = InputError
) -> Any:
    """A JSON document in UTF-8 (with or without a byte order mark), UTF-16 or UTF-32."""
    with guarded(path, remedy, family):
        return json.loads(read_bytes(path, remedy, limit=limit, family=family))
