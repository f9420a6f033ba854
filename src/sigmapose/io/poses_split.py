"""Head, frames and tail of a `poses.json`, without holding its frames in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sigmapose.errors import InputError
from sigmapose.io.poses_regions import REMEDY
from sigmapose.io.poses_schema import FORMAT, READABLE
from sigmapose.reading import check_regular, read_json

TAIL_MARK = b"\n],\n"
MAX_FILE_BYTES = 1 << 40
MAX_LINE_BYTES = 64 << 20
"""One frame; a person has about 10 KB."""


def split_document(path: Path) -> tuple[Any, Any, tuple[Any, ...] | None]:
    """Head and tail of the document, and its frames unless they stand one per line."""
    check_regular(path, REMEDY, MAX_FILE_BYTES)
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES).rstrip()
        tail = _tail_text(file)
    if first.endswith(b'"frames":[') and tail is not None:
        try:
            return json.loads(first + b"]}"), json.loads(b"{" + tail), None
        except ValueError:
            pass  # some other layout of the same document
    document = read_json(path, REMEDY)
    if not isinstance(document, dict) or not isinstance(document.get("frames"), list):
        check_format(document, path)
        raise InputError(f"{path}: has no list of frames: {REMEDY}")
    return document, document, tuple(document["frames"])


def _tail_text(file: BinaryIO, step: int = 1 << 16) -> bytes | None:
    """What follows the last line that holds only the end of the list of frames."""
    end = file.seek(0, 2)
    text = b""
    while end > 0 and len(text) < MAX_LINE_BYTES:
        start = max(0, end - step)
        file.seek(start)
        text = file.read(end - start) + text
        at = text.rfind(TAIL_MARK)
        if at >= 0:
            return text[at + len(TAIL_MARK) :]
        end, step = start, step * 4
    return None


def check_format(head: Any, path: Path) -> None:
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        got = head.get("format") if isinstance(head, dict) else type(head).__name__
        raise InputError(f"{path}: format is {got!r}, expected {FORMAT!r}: give a poses.json of sigmapose")
    if head.get("version") not in READABLE:
        known = " and ".join(str(version) for version in READABLE)
        raise InputError(
            f"{path}: version {head.get('version')!r}, this program reads {known}: update sigmapose"
        )


def frame_lines(path: Path) -> Iterator[bytes]:
    """The lines of the frames of a document that has one per line."""
    with path.open("rb") as file:
        file.readline(MAX_LINE_BYTES)
        while line := file.readline(MAX_LINE_BYTES):
            if line.startswith(b"]"):
                return
            if len(line) >= MAX_LINE_BYTES:
                raise InputError(f"{path}: has a line of more than {MAX_LINE_BYTES >> 20} MB: {REMEDY}")
            yield line.rstrip(b",\n")
