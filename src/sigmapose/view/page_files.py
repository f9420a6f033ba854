"""The page put together from its parts in `assets`, and files beside it with the frames of a long film."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from sigmapose.writing import not_written, write_text

MOST_INSIDE = 6_000_000
"""Characters of frames that lie in the page itself; of longer films they lie in files beside it."""
_OURS = re.compile(r"\d{4,}\.js")
_REMEDY = "choose another folder"
_SCRIPTS = ("film_data", "marks", "stage", "film", "bands", "people")
_ASSETS = files("sigmapose.view") / "assets"


class ChunkStore:
    """Blocks of frames, inside the page while there are few, else in files of a folder beside it."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self.folder = page.with_name(f"{page.stem}_data")
        self._inside: list[str] = []
        self._outside = False
        self._count = self._size = 0
        self.stamp = 0
        """Tells the files of this page from those of another one of the same name."""

    @property
    def outside(self) -> bool:
        """Whether there are files beside the page."""
        return self._outside

    def add(self, packed: str) -> None:
        """Take one more block."""
        self.stamp = self.stamp or zlib.crc32(packed.encode())
        self._size += len(packed)
        self._inside.append(packed)
        if self._outside or self._size > MOST_INSIDE:
            self._move_out()

    def inside(self) -> str:
        """What goes into the page."""
        tags = (
            f'<script type="text/plain" id="chunk-{k}">{text}</script>' for k, text in enumerate(self._inside)
        )
        return "" if self._outside else "\n".join(tags)

    def close(self) -> None:
        """Files of an earlier page of this name go, where this one has none."""
        if not self._outside:
            self.discard()

    def discard(self) -> None:
        """No file is left of this page, or of an earlier one of its name."""
        if self.folder.is_dir():
            with suppress(OSError):
                for file in self.folder.iterdir():
                    if _OURS.fullmatch(file.name):
                        file.unlink()
                self.folder.rmdir()

    def _move_out(self) -> None:
        if not self._outside:
            self.discard()
            try:
                self.folder.mkdir(exist_ok=True)
            except OSError as error:
                raise not_written(self.folder, error, _REMEDY) from error
            self._outside = True
        for packed in self._inside:
            call = f'sigmaposeChunk({self.stamp},{self._count},"{packed}");\n'
            write_text(call, self.folder / f"{self._count:04d}.js", _REMEDY)
            self._count += 1
        self._inside = []


def write_page(data: dict[str, Any], title: str, chunks: str, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    fill = {
        "title": html.escape(title),
        "style": _asset("page.css"),
        "data": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "chunks": chunks,
        "importmap": json.dumps({"imports": _imports()}),
        "script": _asset("page.js"),
    }
    parts = _asset("page.html").split("{{")
    page = parts[0] + "".join(fill[name] + rest for name, rest in (part.split("}}", 1) for part in parts[1:]))
    write_text(page, path, _REMEDY)


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _imports() -> dict[str, str]:
    """Scripts as data: addresses, so that the page needs no other file and no server."""
    named = {
        "three-core": (_ASSETS / "three.core.min.js").read_bytes(),
        "three": (_ASSETS / "three.module.min.js")
        .read_bytes()
        .replace(b"./three.core.min.js", b"three-core"),
        "three/addons/controls/OrbitControls.js": (_ASSETS / "OrbitControls.js").read_bytes(),
        **{f"sigmapose/{name}": (_ASSETS / f"{name}.js").read_bytes() for name in _SCRIPTS},
    }
    return {k: f"data:text/javascript;base64,{base64.b64encode(v).decode()}" for k, v in named.items()}
